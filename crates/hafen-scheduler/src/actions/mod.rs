//! Actions: what may have to be done, before it is decided what has to be.

mod attributes;
mod changes;
mod clone;
mod digests;
mod failcounts;
mod fence;
mod group;
mod migrate;
mod notify;
mod primitive;
mod probe;
mod reason;
mod recurring;
mod settings;
mod shutdown;
mod task;
mod unfence;

use std::rc::Rc;

use crate::input::nvpairs::Values;
use crate::model::{ActionId, Cluster, NoQuorumPolicy, NodeIndex, Requires, ResourceId, Role, Variant};

/// A step that may become part of the plan.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "independent facts of an action")]
pub(crate) struct Action {
    pub(crate) key: Key,
    pub(crate) task: Task,
    /// What a cancellation cancels.
    pub(crate) cancels: Task,
    pub(crate) node: Option<NodeIndex>,
    pub(crate) resource: Option<ResourceId>,
    pub(crate) interval_ms: u64,
    pub(crate) pseudo: bool,
    pub(crate) runnable: bool,
    pub(crate) optional: bool,
    /// Part of the plan although nothing requires it.
    pub(crate) shown: bool,
    pub(crate) migratable: bool,
    /// Needs only some of its firsts to be possible.
    pub(crate) needs_some: bool,
    pub(crate) needed_firsts: i32,
    pub(crate) possible_firsts: i32,
    pub(crate) requires: Requires,
    pub(crate) priority: i32,
    /// Further values for the graph's `CRM_meta_*`.
    pub(crate) meta: Values,
    pub(crate) settings: Rc<Settings>,
    /// The result that counts as success, where that is not 0.
    pub(crate) target_rc: Option<u8>,
    /// What a clone's instances are told about it, by the name after `CRM_meta_notify_`.
    pub(crate) notify: Option<Rc<Values>>,
    pub(crate) before: Vec<(ActionId, u32)>,
    pub(crate) after: Vec<(ActionId, u32)>,
    pub(crate) reason: Option<Reason>,
}

impl<'a> Cluster<'a> {
    pub(crate) fn act(&self, action: ActionId) -> &Action {
        &self.actions[action.0 as usize]
    }

    pub(crate) fn act_mut(&mut self, action: ActionId) -> &mut Action {
        &mut self.actions[action.0 as usize]
    }

    /// The oldest action of that key on that node, or without a node.
    fn find_action(
        &self,
        resource: Option<ResourceId>,
        task: Task,
        interval_ms: u64,
        key: &Key,
        node: Option<NodeIndex>,
    ) -> Option<ActionId> {
        let known = match resource {
            Some(resource) => &self.rsc(resource).actions,
            None => &self.free_actions,
        };
        known.iter().copied().find(|action| {
            let action = self.act(*action);
            action.task == task
                && action.interval_ms == interval_ms
                && (action.node == node || action.node.is_none() || node.is_none())
                && action.key == *key
        })
    }

    /// The action of that key on that node (without a node: wherever it is); made when there is none. An existing one
    /// becomes required when asked so, and gets its node when it has none.
    pub(crate) fn action_for(
        &mut self,
        resource: Option<ResourceId>,
        task: Task,
        interval_ms: u64,
        key: Key,
        node: Option<NodeIndex>,
        optional: bool,
    ) -> ActionId {
        let action = match self.find_action(resource, task, interval_ms, &key, node) {
            Some(action) => action,
            None => self.new_action(resource, task, interval_ms, key, node, optional),
        };
        if node.is_some() && self.act(action).node.is_none() {
            self.act_mut(action).node = node;
        }
        self.settle_optional(action, optional);
        self.judge_runnable(action);
        action
    }

    /// What would change an unmanaged resource never has to happen.
    fn settle_optional(&mut self, action: ActionId, optional: bool) {
        let known = self.act(action);
        let unmanaged = known.resource.is_some_and(|resource| !self.rsc(resource).managed);
        if unmanaged && known.node.is_some() && !known.pseudo && known.interval_ms == 0 {
            self.act_mut(action).optional = true;
        } else if !optional {
            self.act_mut(action).optional = false;
        }
    }

    /// An action that belongs to no resource.
    pub(crate) fn free_action(
        &mut self,
        task: Task,
        name: &str,
        node: Option<NodeIndex>,
        optional: bool,
    ) -> ActionId {
        self.action_for(None, task, 0, Key::Named(name.into()), node, optional)
    }

    /// An action of a resource with interval 0.
    pub(crate) fn resource_action(
        &mut self,
        resource: ResourceId,
        task: Task,
        node: Option<NodeIndex>,
        optional: bool,
    ) -> ActionId {
        self.action_for(Some(resource), task, 0, Key::Operation, node, optional)
    }

    /// A joint in the order that belongs to a resource.
    pub(crate) fn pseudo_action(
        &mut self,
        resource: ResourceId,
        task: Task,
        optional: bool,
        runnable: bool,
    ) -> ActionId {
        let action = self.resource_action(resource, task, None, optional);
        let known = self.act_mut(action);
        known.pseudo = true;
        known.runnable = runnable;
        action
    }

    fn new_action(
        &mut self,
        resource: Option<ResourceId>,
        task: Task,
        interval_ms: u64,
        key: Key,
        node: Option<NodeIndex>,
        optional: bool,
    ) -> ActionId {
        let id = ActionId(u32::try_from(self.actions.len()).unwrap_or(u32::MAX));
        let settings = self.settings_for(resource, task, interval_ms);
        let requires = match resource {
            Some(resource) => self.requires(resource, task, &settings),
            None => Requires::Nothing,
        };
        self.actions.push(Action {
            key,
            task,
            cancels: task,
            node,
            resource,
            interval_ms,
            pseudo: false,
            runnable: true,
            optional,
            shown: false,
            migratable: false,
            needs_some: false,
            needed_firsts: 0,
            possible_firsts: 0,
            requires,
            priority: 0,
            meta: Values::new(),
            settings,
            target_rc: None,
            notify: None,
            before: Vec::new(),
            after: Vec::new(),
            reason: None,
        });
        match resource {
            Some(resource) => self.rsc_mut(resource).actions.push(id),
            None => self.free_actions.push(id),
        }
        id
    }

    fn requires(&self, resource: ResourceId, task: Task, settings: &Settings) -> Requires {
        if !matches!(task, Task::Start | Task::Promote) {
            return Requires::Nothing;
        }
        match settings.values.get("requires").map(String::as_str) {
            Some("nothing") => Requires::Nothing,
            Some("quorum") => Requires::Quorum,
            Some("fencing") => Requires::Fencing,
            Some("unfencing") => Requires::Unfencing,
            _ => self.rsc(resource).requires,
        }
    }

    /// Whether an action could be carried out where it is meant to.
    fn judge_runnable(&mut self, action: ActionId) {
        let known = self.act(action);
        let Some(resource) = known.resource else { return };
        if known.pseudo {
            return;
        }
        let (task, requires) = (known.task, known.requires);
        let Some(node) = known.node else {
            self.act_mut(action).runnable = false;
            return;
        };
        let place = self.node(node);
        let done_there = task != Task::LrmDelete;
        let (online, unclean) = (place.online, place.unclean);
        if done_there && !online {
            self.act_mut(action).runnable = false;
            if self.rsc(resource).managed && task == Task::Stop && !unclean {
                self.mark_unclean(node, "resource actions are unrunnable");
            }
        } else if done_there && place.pending {
            self.act_mut(action).runnable = false;
        } else if requires == Requires::Nothing {
            let known = self.act_mut(action);
            known.reason = None;
            known.runnable = true;
        } else {
            self.judge_by_quorum(action, resource);
        }
    }

    /// What has to wait for quorum, where there is none.
    fn judge_by_quorum(&mut self, action: ActionId, resource: ResourceId) {
        let mut policy = self.properties.no_quorum;
        if self.properties.have_quorum {
            policy = NoQuorumPolicy::Ignore;
        } else if policy == NoQuorumPolicy::Demote {
            policy = NoQuorumPolicy::Stop;
            if self.rsc(resource).role > Role::Started {
                policy = NoQuorumPolicy::Ignore;
                let known = self.rsc_mut(resource);
                known.next_role = known.next_role.min(Role::Unpromoted);
            }
        }
        let blocked = match policy {
            NoQuorumPolicy::Stop => Some("no quorum"),
            NoQuorumPolicy::Freeze => {
                let known = self.rsc(resource);
                let grows = !self.is_wholly_active(resource) || known.next_role > known.role;
                grows.then_some("quorum freeze")
            }
            _ => None,
        };
        if let Some(reason) = blocked {
            self.act_mut(action).runnable = false;
            self.give_reason(action, reason, true);
        } else if policy != NoQuorumPolicy::Freeze {
            // While frozen, what has once been found impossible stays so.
            self.act_mut(action).runnable = true;
        }
    }

    /// Whether a resource runs on a node that is up, or is there still as far as anyone knows.
    fn is_wholly_active(&self, resource: ResourceId) -> bool {
        let known = self.rsc(resource);
        known.running_on.iter().any(|node| {
            let place = self.node(*node);
            place.unclean || place.online || !known.managed
        })
    }

    /// Makes all actions of all resources.
    pub(crate) fn create_actions(&mut self) {
        for resource in self.top.clone() {
            self.create_resource_actions(resource);
        }
    }

    pub(crate) fn create_resource_actions(&mut self, resource: ResourceId) {
        match self.rsc(resource).variant {
            Variant::Primitive => self.create_primitive_actions(resource),
            Variant::Group => self.create_group_actions(resource),
            Variant::Clone => self.create_clone_actions(resource),
        }
    }

    pub(crate) fn create_internal_orders(&mut self) {
        for resource in self.top.clone() {
            self.create_resource_orders(resource);
        }
    }

    pub(crate) fn create_resource_orders(&mut self, resource: ResourceId) {
        match self.rsc(resource).variant {
            Variant::Primitive => self.create_primitive_orders(resource),
            Variant::Group => self.create_group_orders(resource),
            Variant::Clone => self.create_clone_orders(resource),
        }
    }
}

pub(crate) use attributes::Shared;
pub(crate) use digests::hashed_fewer;
pub use digests::parameters_digest;
pub(crate) use reason::{Loss, Reason};
pub(crate) use settings::Settings;
pub(crate) use task::operation_key;
pub(crate) use task::{Key, Task};
