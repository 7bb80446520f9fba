//! What history shows of a configuration that has changed since: other parameters, other agents, operations and resources
//! that are no longer configured.

use std::collections::BTreeMap;

use hafen_cib::xml::Element;

use super::Key;
use super::digests::Verdict;
use crate::input::record::{self, Record};
use crate::model::{Cluster, NodeIndex, ResourceId, Task, Variant};
use crate::order::{End, relation};

/// Why a resource restarts when what it ran with has changed.
const CHANGED: &str = "resource definition change";

impl<'a> Cluster<'a> {
    /// Compares every node's history with the configuration. Where a node can do nothing, only maintenance has its effect.
    pub(crate) fn check_history(&mut self) {
        let Some(status) = self.document.root().child("status") else { return };
        let mut states: Vec<(NodeIndex, Element<'a>)> = status
            .children_named("node_state")
            .filter_map(|state| Some((self.node_of_state(state)?, state)))
            .filter(|(node, _)| self.node(*node).available() || self.node(*node).maintenance)
            .collect();
        states.sort_by_key(|(node, _)| *node);
        let names = self.history_names();
        // Most nodes know the same resources in the same order.
        let mut guesses: Vec<Option<(&String, &Vec<ResourceId>)>> = Vec::new();
        for (node, state) in states {
            let histories = state.child("lrm").and_then(|lrm| lrm.child("lrm_resources"));
            let histories = histories.into_iter().flat_map(|all| all.children_named("lrm_resource"));
            for (at, history) in histories.enumerate() {
                if history.child("lrm_rsc_op").is_none() {
                    continue;
                }
                let Some(id) = history.attribute("id") else { continue };
                if guesses.len() <= at {
                    guesses.resize(at + 1, None);
                }
                let known = guesses[at].filter(|(name, _)| *name == id).or_else(|| names.get_key_value(id));
                guesses[at] = known;
                for &resource in known.into_iter().flat_map(|(_, resources)| resources) {
                    self.check_resource_history(resource, node, history);
                }
            }
        }
    }

    /// Primitives by the names that they may have in history.
    fn history_names(&self) -> BTreeMap<String, Vec<ResourceId>> {
        let mut names: BTreeMap<String, Vec<ResourceId>> = BTreeMap::new();
        for id in self.resource_ids() {
            let known = self.rsc(id);
            if known.variant != Variant::Primitive {
                continue;
            }
            names.entry(known.id.clone()).or_default().push(id);
            if known.history_id != known.id {
                names.entry(known.history_id.clone()).or_default().push(id);
            }
        }
        names
    }

    fn check_resource_history(&mut self, resource: ResourceId, node: NodeIndex, history: Element<'a>) {
        let known = self.rsc(resource);
        if known.orphan {
            // An instance of an anonymous clone that is too many shares its history with those that stay.
            let shared = self.clone_of(resource).is_some_and(|clone| !self.rsc(clone).unique);
            if !shared {
                self.forget_history(resource, node, "orphan");
            }
            return;
        }
        let active = known.running_on.contains(&node);
        if self.agent_changed(resource, history) {
            self.unfence_for(resource, Some(node), "Device definition changed");
            if active {
                // It stops by the agent that started it.
                self.resource_action(resource, Task::Stop, Some(node), false);
                self.rsc_mut(resource).start_pending = true;
            }
            self.forget_history(resource, node, "agent changed");
        }
        if active {
            self.check_operations(resource, node, history);
        }
    }

    /// Whether history knows a resource as one of another agent.
    fn agent_changed(&self, resource: ResourceId, history: Element<'a>) -> bool {
        let known = self.rsc(resource);
        let given = |name: &str| history.attribute(name).filter(|value| !value.is_empty());
        given("type").unwrap_or("") != known.type_
            || given("provider") != known.provider.as_deref()
            || given("class").unwrap_or("") != known.class
    }

    /// Has a node forget a resource, once it has stopped there, and before it starts again.
    fn forget_history(&mut self, resource: ResourceId, node: NodeIndex, why: &str) {
        if self.rsc(resource).failed || self.node(node).unclean || !self.node(node).online {
            return;
        }
        let delete = self.resource_action(resource, Task::Delete, Some(node), false);
        self.give_reason(delete, why, false);
        self.order_tasks((resource, Task::Stop), (resource, Task::Delete), relation::ORDERED);
        self.order_tasks((resource, Task::Delete), (resource, Task::Start), relation::ORDERED);
    }

    /// Checks the operations since the resource was started.
    fn check_operations(&mut self, resource: ResourceId, node: NodeIndex, history: Element<'a>) {
        let operations = record::sorted(history);
        let (start, stop) = record::active_range(&operations);
        if start < stop {
            return;
        }
        for operation in operations.get(start.unwrap_or(0)..).unwrap_or_default() {
            let recurring = operation.interval_ms > 0;
            if recurring && (self.rsc(resource).maintenance || self.node(node).maintenance) {
                self.cancel_recorded(resource, node, operation, "maintenance mode");
            } else if (recurring
                || matches!(operation.task, "monitor" | "start" | "promote" | "migrate_from"))
                && self.check_operation(resource, node, operation)
                && self.fail_count(resource, node, true).count != 0
            {
                self.forget_failures(resource, node);
            }
        }
    }

    /// Cancels a recurring operation that history shows, after what it watches has stopped.
    fn cancel_recorded(&mut self, resource: ResourceId, node: NodeIndex, operation: &Record<'a>, why: &str) {
        let task = self.task(operation.task);
        let cancel = self.cancel(resource, node, task, operation.interval_ms, why);
        if let Some(call) = operation.element.attribute("call-id") {
            self.act_mut(cancel).meta.insert("call_id".into(), call.to_owned());
        }
        self.order(End::Task(resource, Task::Stop), End::Action(cancel), relation::ORDERED);
    }

    /// Whether an operation is configured in another way now; schedules what follows from that.
    fn check_operation(&mut self, resource: ResourceId, node: NodeIndex, operation: &Record<'a>) -> bool {
        if operation.interval_ms > 0
            && self.configured_operation(resource, operation.task, operation.interval_ms).is_none()
        {
            if self.properties.cancel_orphans {
                self.cancel_recorded(resource, node, operation, "orphan");
            }
            return true;
        }
        match self.compare_digests(resource, node, operation) {
            Verdict::Same => return false,
            Verdict::Restart => self.force_restart(resource, node, operation),
            Verdict::Changed | Verdict::Unknown => {
                if operation.interval_ms > 0 {
                    self.unfence_for(resource, Some(node), "Device parameters changed (reschedule)");
                    let task = self.task(operation.task);
                    self.stale_recurring.insert((resource, node, task, operation.interval_ms));
                } else if operation.element.attribute("op-restart-digest").is_some() {
                    self.unfence_for(resource, None, "Device parameters changed (reload)");
                    self.schedule_reload(resource, node);
                } else {
                    self.force_restart(resource, node, operation);
                }
            }
        }
        true
    }

    /// Requires a recurring operation again, wherever the resource will be; for any other, a start, and with it the stop
    /// before it.
    fn force_restart(&mut self, resource: ResourceId, node: NodeIndex, operation: &Record<'a>) {
        let task = if operation.interval_ms > 0 { self.task(operation.task) } else { Task::Start };
        let required =
            self.action_for(Some(resource), task, operation.interval_ms, Key::Operation, None, false);
        self.give_reason(required, CHANGED, true);
        self.unfence_for(resource, Some(node), "Device parameters changed");
    }

    fn schedule_reload(&mut self, resource: ResourceId, node: NodeIndex) {
        let known = self.rsc(resource);
        if !known.managed || known.failed {
            return;
        }
        if known.start_pending {
            // It is being started with the old parameters: only a restart is sure to bring in the new ones.
            let stop = self.resource_action(resource, Task::Stop, Some(node), false);
            self.give_reason(stop, CHANGED, true);
            return;
        }
        self.rsc_mut(resource).reload = true;
        let reload = self.resource_action(resource, Task::ReloadAgent, Some(node), false);
        self.give_reason(reload, CHANGED, false);
        // A restart, or a demotion, takes the new parameters anyway.
        let relation = relation::ORDERED | relation::THEN_CANCELS_FIRST;
        self.order(End::Action(reload), End::Task(resource, Task::Stop), relation);
        self.order(End::Action(reload), End::Task(resource, Task::Demote), relation);
    }
}
