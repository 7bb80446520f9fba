//! From agreed actions to the plan: which actions are part of it, on what each waits, with which attributes.

use std::collections::{BTreeMap, BTreeSet};

use crate::input::status::base_name;
use crate::model::{ActionId, Cluster, NodeIndex, ResourceId, Task, Variant};
use crate::order::relation;
use crate::plan::{Action, ActionKind, FenceAction, GraphParameters, NodeRef, Plan, ResourceRef};
use crate::score;

impl<'a> Cluster<'a> {
    /// The finished plan.
    pub(crate) fn build_plan(&mut self) -> Plan {
        let wanted: Vec<ActionId> =
            self.graph_order().into_iter().filter(|action| self.is_wanted(*action)).collect();
        let numbers: BTreeMap<ActionId, u32> =
            wanted.iter().zip(1..).map(|(action, number)| (*action, number)).collect();
        let mut actions = Vec::with_capacity(wanted.len());
        for &action in &wanted {
            actions.push(self.plan_action(action, &numbers));
        }
        break_cycles(&mut actions, &mut self.warnings);
        let recheck_after =
            self.next_change.0.and_then(|moment| u64::try_from(moment.saturating_sub(self.now)).ok());
        Plan {
            actions,
            recheck_after,
            have_quorum: self.properties.have_quorum,
            parameters: self.graph_parameters(),
            warnings: std::mem::take(&mut self.warnings),
            ledger: std::mem::take(&mut self.ledger),
        }
    }

    /// All actions in the order in which Pacemaker lists them: resource by resource (a group's own before its members',
    /// a clone's after its instances'), the last made first; then those that belong to no resource. Whoever carries out
    /// the plan takes what is ready in this order.
    fn graph_order(&self) -> Vec<ActionId> {
        let mut ordered = Vec::with_capacity(self.actions.len());
        // What is left to list: a resource's own actions, or all of it.
        let mut open: Vec<(ResourceId, bool)> = self.top.iter().rev().map(|top| (*top, false)).collect();
        while let Some((resource, own)) = open.pop() {
            let known = self.rsc(resource);
            if own || known.variant != Variant::Clone {
                ordered.extend(known.actions.iter().rev());
            } else {
                open.push((resource, true));
            }
            if !own {
                open.extend(known.children.iter().rev().map(|child| (*child, false)));
            }
        }
        let last = u32::try_from(self.actions.len()).unwrap_or(u32::MAX);
        ordered.extend((0..last).rev().map(ActionId).filter(|action| self.act(*action).resource.is_none()));
        ordered
    }

    fn graph_parameters(&self) -> GraphParameters {
        let text = |name: &str, default: &str| {
            self.properties.values.get(name).cloned().unwrap_or_else(|| default.to_owned())
        };
        let offset = if self.properties.start_failure_is_fatal { "INFINITY" } else { "1" };
        GraphParameters {
            cluster_delay: text("cluster-delay", "60s"),
            stonith_timeout: text("stonith-timeout", "60s"),
            failed_start_offset: offset.to_owned(),
            failed_stop_offset: "INFINITY".to_owned(),
            batch_limit: text("batch-limit", "0"),
            migration_limit: self.properties.values.get("migration-limit").cloned(),
        }
    }

    /// Whether an action is part of the plan.
    fn is_wanted(&self, action: ActionId) -> bool {
        let known = self.act(action);
        if !known.runnable || known.optional && !known.shown {
            return false;
        }
        if known.optional && !known.pseudo && !known.shown {
            return false;
        }
        if let Some(resource) = known.resource {
            let harmless =
                matches!(known.task, Task::Monitor | Task::Cancel | Task::ClearFailcount | Task::Delete)
                    || known.pseudo;
            if !self.rsc(resource).managed && !harmless {
                return false;
            }
        }
        if known.pseudo || matches!(known.task, Task::Fence | Task::Shutdown) {
            return true;
        }
        if known.task == Task::ClearFailcount {
            return known.node.is_some_and(|node| self.node(node).online);
        }
        known.node.is_some_and(|node| self.node(node).online && !self.node(node).unclean)
    }

    fn plan_action(&self, action: ActionId, numbers: &BTreeMap<ActionId, u32>) -> Action {
        let known = self.act(action);
        let mut inputs: BTreeSet<u32> = BTreeSet::new();
        for (first, flags) in &known.before {
            if let Some(number) = numbers.get(first)
                && self.is_input(*first, action, *flags)
            {
                inputs.insert(*number);
            }
        }
        let node = known.node.filter(|_| !known.pseudo).map(|node| self.node_ref(node));
        let target = known.task == Task::Fence;
        let priority = known.resource.map_or(0, |resource| self.rsc(resource).priority).max(known.priority);
        Action {
            id: numbers.get(&action).copied().unwrap_or(0),
            kind: self.kind_of(action),
            node,
            router: None,
            inputs: inputs.into_iter().collect(),
            priority,
            can_fail: known.meta.get("can_fail").is_some_and(|value| score::is_true(value)),
            downed: if (target && known.meta.get("stonith_action").is_some_and(|kind| kind != "on"))
                || known.task == Task::Shutdown
            {
                known.node.map(|node| self.node(node).id.clone()).into_iter().collect()
            } else {
                Vec::new()
            },
            attributes: self.attributes_of(action),
        }
    }

    /// Whether a relation makes one action of the plan wait for another.
    fn is_input(&self, first: ActionId, then: ActionId, flags: u32) -> bool {
        if flags == 0 {
            return false;
        }
        let (first, then) = (self.act(first), self.act(then));
        if flags == relation::ORDERED
            && first.migratable
            && then.task == Task::Stop
            && then.resource != first.resource
        {
            return false;
        }
        if flags & relation::IF_REQUIRED_ON_SAME_NODE != 0 && first.node != then.node {
            return false;
        }
        if flags & relation::IF_ON_SAME_NODE_OR_TARGET != 0 {
            if first.task == Task::LoadStopped {
                let target = match then.resource {
                    Some(resource) if then.task == Task::MigrateTo => self.rsc(resource).assigned_to,
                    _ => then.node,
                };
                return first.node == target;
            }
            return first.node == then.node;
        }
        true
    }

    fn node_ref(&self, node: NodeIndex) -> NodeRef {
        let node = self.node(node);
        NodeRef { id: node.id.clone(), uname: node.uname.clone() }
    }

    fn resource_ref(&self, resource: ResourceId) -> ResourceRef {
        let known = self.rsc(resource);
        let anonymous = known.instance.is_some() && !known.unique;
        let (id, long_id) = if anonymous {
            let long = if known.history_id == base_name(&known.id) {
                known.id.clone()
            } else {
                known.history_id.clone()
            };
            (base_name(&known.id).to_owned(), Some(long))
        } else {
            (known.id.clone(), None)
        };
        ResourceRef {
            id,
            long_id,
            class: known.class.clone(),
            provider: known.provider.clone(),
            type_: known.type_.clone(),
        }
    }

    fn kind_of(&self, action: ActionId) -> ActionKind {
        let known = self.act(action);
        let task = known.task;
        let name = self.task_name(task).to_owned();
        if known.pseudo {
            return ActionKind::Pseudo {
                task: if matches!(known.task, Task::LoadStopped | Task::OneOrMore) {
                    self.key_of(action)
                } else {
                    name
                },
                operation_key: self.printed_key(action).0,
            };
        }
        match (task, known.node, known.resource) {
            (Task::Fence, Some(node), _) => ActionKind::Fence {
                target: self.node_ref(node),
                action: match known.meta.get("stonith_action").map(String::as_str) {
                    Some("off") => FenceAction::Off,
                    Some("on") => FenceAction::On,
                    _ => FenceAction::Reboot,
                },
            },
            (Task::ClearFailcount | Task::Shutdown | Task::LrmDelete, _, resource) => ActionKind::Cluster {
                task: name,
                operation_key: self.printed_key(action).0,
                resource: resource.map(|resource| self.resource_ref(resource)),
                maintenance: Vec::new(),
            },
            (_, _, Some(resource)) => {
                let (operation_key, internal_operation_key) = self.printed_key(action);
                ActionKind::Resource {
                    resource: self.resource_ref(resource),
                    task: name,
                    interval_ms: known.interval_ms,
                    timeout_ms: known.settings.timeout_ms,
                    operation_key,
                    internal_operation_key,
                    expected_rc: known.target_rc.map_or(0, i32::from),
                }
            }
            _ => ActionKind::Pseudo { task: name, operation_key: self.key_of(action) },
        }
    }

    /// The key that history knows, and the scheduler's own where it differs.
    fn printed_key(&self, action: ActionId) -> (String, Option<String>) {
        let known = self.act(action);
        let Some(resource) = known.resource else { return (self.key_of(action), None) };
        let resource = self.rsc(resource);
        if resource.history_id == resource.id {
            return (self.key_of(action), None);
        }
        (self.key_with(action, &resource.history_id), Some(self.key_of(action)))
    }
}

/// Takes away inputs that close a cycle, so that every plan can be carried out.
fn break_cycles(actions: &mut [Action], warnings: &mut Vec<String>) {
    let mut waiting: BTreeMap<u32, usize> =
        actions.iter().map(|action| (action.id, action.inputs.len())).collect();
    let mut followers: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for action in actions.iter() {
        for input in &action.inputs {
            followers.entry(*input).or_default().push(action.id);
        }
    }
    let mut ready: Vec<u32> = waiting.iter().filter(|(_, count)| **count == 0).map(|(id, _)| *id).collect();
    let mut done: BTreeSet<u32> = BTreeSet::new();
    loop {
        while let Some(id) = ready.pop() {
            if !done.insert(id) {
                continue;
            }
            for follower in followers.get(&id).into_iter().flatten() {
                if let Some(count) = waiting.get_mut(follower) {
                    *count = count.saturating_sub(1);
                    if *count == 0 {
                        ready.push(*follower);
                    }
                }
            }
        }
        let Some(stuck) = actions.iter_mut().find(|action| !done.contains(&action.id)) else { return };
        warnings.push(format!(
            "The order of {} contradicts itself; part of it is ignored",
            stuck.operation_key()
        ));
        stuck.inputs.retain(|input| done.contains(input));
        ready.push(stuck.id);
    }
}
