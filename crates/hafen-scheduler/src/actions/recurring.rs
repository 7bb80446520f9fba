//! Recurring operations: which should be running, which are, which have to be cancelled.

use super::Key;
use crate::model::{ActionId, Cluster, NodeIndex, ResourceId, Role, Task};
use crate::order::{End, relation};

/// Operations that change a resource run once, whatever interval is configured for them.
const NEVER_RECUR: [&str; 7] =
    ["start", "stop", "promote", "demote", "reload-agent", "migrate_to", "migrate_from"];

/// A configured recurring operation.
#[derive(Clone, Copy)]
struct Recurring {
    task: Task,
    interval_ms: u64,
    role: Option<Role>,
}

impl<'a> Cluster<'a> {
    pub(crate) fn create_recurring(&mut self, resource: ResourceId) {
        let known = self.rsc(resource);
        if known.blocked || known.maintenance {
            return;
        }
        let place = known.assigned_to;
        let wanted = known.next_role != Role::Stopped || !known.managed;
        let start = place
            .filter(|node| !self.node(*node).maintenance && wanted)
            .map(|node| (self.resource_action(resource, Task::Start, Some(node), true), node));
        for at in 0..self.rsc(resource).ops.len() {
            let op = &self.rsc(resource).ops[at];
            if op.interval_ms == 0 || !op.enabled || NEVER_RECUR.contains(&op.name.as_str()) {
                continue;
            }
            if op.ambiguous {
                let text = format!(
                    "Ignoring operation '{}' of '{}' every {} ms: it is there more than once",
                    op.name,
                    self.rsc(resource).id,
                    op.interval_ms
                );
                if !self.warnings.contains(&text) {
                    self.warnings.push(text);
                }
                continue;
            }
            let (interval_ms, role) = (op.interval_ms, op.role);
            let task = match Task::known(&op.name) {
                Some(task) => task,
                None => {
                    let name = op.name.clone();
                    self.task(&name)
                }
            };
            let op = Recurring { task, interval_ms, role };
            if role == Some(Role::Stopped) {
                self.create_inactive_monitor(resource, op, place);
            } else if let Some((start, node)) = start {
                self.create_active_monitor(resource, op, start, node);
            }
        }
    }

    /// Whether history shows the recurring operation as running on a node.
    pub(crate) fn is_recurring_on(
        &self,
        resource: ResourceId,
        node: NodeIndex,
        task: Task,
        interval_ms: u64,
    ) -> bool {
        self.active_recurring.contains(&(resource, node, task, interval_ms))
    }

    fn create_active_monitor(
        &mut self,
        resource: ResourceId,
        op: Recurring,
        start: ActionId,
        node: NodeIndex,
    ) {
        let next = self.rsc(resource).next_role;
        let here = (resource, node, op.task, op.interval_ms);
        let running = self.active_recurring.contains(&here) && !self.stale_recurring.contains(&here);
        // One without a role watches all of them but the promoted.
        if op.role.map_or(next == Role::Promoted, |role| role != next) {
            if running {
                self.cancel_for_role(resource, op, node);
            }
            return;
        }
        let monitor =
            self.action_for(Some(resource), op.task, op.interval_ms, Key::Operation, Some(node), running);
        let known = self.node(node);
        if !self.act(start).runnable || !known.online || known.unclean {
            self.act_mut(monitor).runnable = false;
        }
        if next == Role::Promoted {
            self.act_mut(monitor).target_rc = Some(8);
        }
        if !self.rsc(resource).managed {
            return;
        }
        let implied = relation::FIRST_IMPLIES_THEN | relation::UNRUNNABLE_FIRST_BLOCKS;
        self.order(End::Task(resource, Task::Start), End::Action(monitor), implied);
        if self.rsc(resource).reload {
            self.order(End::Task(resource, Task::ReloadAgent), End::Action(monitor), implied);
        }
        let change = match (self.rsc(resource).role, next) {
            (_, Role::Promoted) => Task::Promote,
            (Role::Promoted, _) => Task::Demote,
            _ => return,
        };
        let ordered = relation::ORDERED | relation::UNRUNNABLE_FIRST_BLOCKS;
        self.order(End::Task(resource, change), End::Action(monitor), ordered);
    }

    /// A monitor of another role than the next ends before the change of roles.
    fn cancel_for_role(&mut self, resource: ResourceId, op: Recurring, node: NodeIndex) {
        let cancel = self.cancel(resource, node, op.task, op.interval_ms, "changed role");
        let known = self.rsc(resource);
        let change = match (known.role, known.next_role) {
            (Role::Started | Role::Unpromoted, Role::Promoted) => Task::Promote,
            (Role::Started | Role::Unpromoted, Role::Stopped) => Task::Stop,
            (Role::Promoted, _) => Task::Demote,
            _ => return,
        };
        self.order(End::Action(cancel), End::Task(resource, change), relation::UNRUNNABLE_FIRST_BLOCKS);
    }

    /// Cancels a recurring operation.
    pub(crate) fn cancel(
        &mut self,
        resource: ResourceId,
        node: NodeIndex,
        task: Task,
        interval_ms: u64,
        why: &str,
    ) -> ActionId {
        let found = self.rsc(resource).actions.iter().copied().find(|action| {
            let action = self.act(*action);
            action.task == Task::Cancel
                && action.cancels == task
                && action.interval_ms == interval_ms
                && action.node == Some(node)
        });
        if let Some(found) = found {
            return found;
        }
        let id =
            self.new_action(Some(resource), Task::Cancel, interval_ms, Key::Operation, Some(node), false);
        let settings = self.settings_for(Some(resource), task, interval_ms);
        let name = self.task_name(task).to_owned();
        let action = self.act_mut(id);
        action.settings = settings;
        action.cancels = task;
        action.meta.insert("operation".into(), name);
        action.reason = Some(why.into());
        self.judge_runnable(id);
        id
    }

    /// A monitor that watches that a resource does not run where it should not.
    fn create_inactive_monitor(&mut self, resource: ResourceId, op: Recurring, place: Option<NodeIndex>) {
        // Instances of anonymous clones share their history: which of them does not run cannot be told.
        if self.in_anonymous_clone(resource) {
            return;
        }
        for node in self.node_indices() {
            let running = self.is_recurring_on(resource, node, op.task, op.interval_ms);
            if place == Some(node) {
                if running {
                    self.cancel_where_active(resource, op, node);
                }
                continue;
            }
            let known = self.node(node);
            if known.ping {
                continue;
            }
            let monitor =
                self.action_for(Some(resource), op.task, op.interval_ms, Key::Operation, Some(node), running);
            self.act_mut(monitor).target_rc = Some(7);
            if self.rsc(resource).managed
                && let Some(probe) = self.action_on(resource, Task::Monitor, node)
            {
                self.order_actions(probe, monitor, relation::UNRUNNABLE_FIRST_BLOCKS);
            }
            self.order_after_stops(resource, node, monitor);
            let known = self.node(node);
            if !known.online || known.unclean {
                self.act_mut(monitor).runnable = false;
            }
        }
    }

    /// Where the resource will be active, nothing watches any more that it is not.
    fn cancel_where_active(&mut self, resource: ResourceId, op: Recurring, node: NodeIndex) {
        let cancel = self.cancel(resource, node, op.task, op.interval_ms, "resource is starting");
        if matches!(self.rsc(resource).next_role, Role::Started | Role::Unpromoted) {
            let flags = relation::UNRUNNABLE_FIRST_BLOCKS;
            self.order(End::Action(cancel), End::Task(resource, Task::Start), flags);
        }
    }

    /// A resource is watched for not running once it has stopped.
    fn order_after_stops(&mut self, resource: ResourceId, node: NodeIndex, monitor: ActionId) {
        let managed = self.rsc(resource).managed;
        let stops: Vec<ActionId> = self
            .actions_of(resource, Task::Stop, 0)
            .filter(|stop| self.act(*stop).node == Some(node))
            .collect();
        for stop in stops {
            let known = self.act(stop);
            let (optional, runnable) = (known.optional, known.runnable);
            if !optional && !managed {
                self.act_mut(monitor).optional = true;
            }
            if !runnable {
                self.act_mut(monitor).runnable = false;
            }
            if managed {
                let flags = relation::FIRST_IMPLIES_THEN | relation::UNRUNNABLE_FIRST_BLOCKS;
                self.order(End::Action(stop), End::Action(monitor), flags);
            }
        }
    }

    /// What counts is what is said for the resource: a clone that is anonymous only because some part of it has to be leaves
    /// the others as they are.
    fn in_anonymous_clone(&self, resource: ResourceId) -> bool {
        self.clone_of(resource).is_some() && !self.rsc(resource).unique
    }
}
