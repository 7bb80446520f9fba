//! A clone's own joints, and how its instances hang between them.

use crate::model::{Cluster, ResourceId};
use crate::order::relation;
use crate::score::INFINITY;

/// What some instance of a clone will do.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "independent facts")]
struct Doing {
    starting: bool,
    stopping: bool,
    promoting: bool,
    demoting: bool,
    active: bool,
}

impl<'a> Cluster<'a> {
    pub(crate) fn create_clone_actions(&mut self, clone: ResourceId) {
        let mut doing = Doing::default();
        for instance in self.rsc(clone).children.clone() {
            self.create_resource_actions(instance);
            self.look_at(instance, &mut doing);
        }
        self.joint(clone, "start", !doing.starting, true, 0);
        self.joint(clone, "running", !doing.starting, doing.active || doing.starting, INFINITY);
        self.joint(clone, "stop", !doing.stopping, true, 0);
        self.joint(clone, "stopped", !doing.stopping, true, INFINITY);
        if self.in_promotable(clone) {
            self.joint(clone, "promote", !doing.promoting, true, 0);
            self.joint(clone, "promoted", !doing.promoting, doing.promoting, INFINITY);
            self.joint(clone, "demote", !doing.demoting, true, 0);
            self.joint(clone, "demoted", !doing.demoting, doing.demoting, INFINITY);
        }
    }

    fn joint(&mut self, clone: ResourceId, task: &str, optional: bool, runnable: bool, priority: i32) {
        let action = self.pseudo_action(clone, task, optional, runnable);
        self.act_mut(action).priority = priority;
    }

    fn look_at(&self, instance: ResourceId, doing: &mut Doing) {
        for member in self.family(instance) {
            doing.active |= self.rsc(member).children.is_empty() && !self.rsc(member).running_on.is_empty();
            for &action in &self.rsc(member).actions {
                let action = self.act(action);
                if action.optional || action.pseudo {
                    continue;
                }
                match action.task.as_str() {
                    "start" if action.runnable => doing.starting = true,
                    "stop" => {
                        doing.stopping |=
                            action.runnable || action.node.is_some_and(|node| self.node(node).unclean)
                    }
                    "promote" if action.runnable => doing.promoting = true,
                    "demote" => doing.demoting = true,
                    _ => {}
                }
            }
        }
    }

    pub(crate) fn create_clone_orders(&mut self, clone: ResourceId) {
        use relation::{
            FIRST_IMPLIES_THEN_GRAPHED, ORDERED, THEN_IMPLIES_FIRST_GRAPHED, UNRUNNABLE_FIRST_BLOCKS,
        };
        let options = self.rsc(clone).clone.clone().unwrap_or_default();
        self.order_tasks((clone, "stopped"), (clone, "start"), ORDERED);
        self.order_tasks((clone, "start"), (clone, "running"), UNRUNNABLE_FIRST_BLOCKS);
        self.order_tasks((clone, "stop"), (clone, "stopped"), UNRUNNABLE_FIRST_BLOCKS);
        if options.promotable {
            self.order_tasks((clone, "demoted"), (clone, "stop"), ORDERED);
            self.order_tasks((clone, "running"), (clone, "promote"), UNRUNNABLE_FIRST_BLOCKS);
            self.order_promotable(clone);
        }
        let mut instances = self.rsc(clone).children.clone();
        if options.ordered {
            instances.sort_by_key(|instance| self.rsc(*instance).instance);
        }
        let mut earlier: Vec<ResourceId> = Vec::new();
        for instance in instances {
            self.create_resource_orders(instance);
            self.order_tasks(
                (clone, "start"),
                (instance, "start"),
                UNRUNNABLE_FIRST_BLOCKS | THEN_IMPLIES_FIRST_GRAPHED,
            );
            let (started, stopped) = self.ends(instance);
            self.order_tasks((instance, started), (clone, "running"), FIRST_IMPLIES_THEN_GRAPHED);
            self.order_tasks((clone, "stop"), (instance, "stop"), THEN_IMPLIES_FIRST_GRAPHED);
            self.order_tasks((instance, stopped), (clone, "stopped"), FIRST_IMPLIES_THEN_GRAPHED);
            if options.ordered {
                // With each of them: those in between may have nothing to do.
                for &other in &earlier {
                    self.order_tasks((other, started), (instance, "start"), ORDERED);
                    self.order_tasks((instance, stopped), (other, "stop"), ORDERED);
                }
                earlier.push(instance);
            }
        }
    }

    /// The tasks that end a start and a stop: a group's come after its members'.
    fn ends(&self, instance: ResourceId) -> (&'static str, &'static str) {
        if self.rsc(instance).children.is_empty() { ("start", "stop") } else { ("running", "stopped") }
    }

    fn order_promotable(&mut self, clone: ResourceId) {
        use relation::{FIRST_IMPLIES_THEN_GRAPHED, ORDERED, THEN_IMPLIES_FIRST_GRAPHED};
        let options = self.rsc(clone).clone.clone().unwrap_or_default();
        self.order_tasks((clone, "demote"), (clone, "demoted"), ORDERED);
        self.order_tasks((clone, "demoted"), (clone, "promote"), ORDERED);
        self.order_tasks((clone, "demoted"), (clone, "start"), ORDERED);
        self.order_tasks((clone, "stopped"), (clone, "promote"), ORDERED);
        let mut previous: Option<ResourceId> = None;
        for instance in self.rsc(clone).children.clone() {
            let is_group = !self.rsc(instance).children.is_empty();
            let (promoted, demoted) = if is_group { ("promoted", "demoted") } else { ("promote", "demote") };
            self.order_tasks((clone, "promote"), (instance, "promote"), ORDERED);
            self.order_tasks((instance, promoted), (clone, "promoted"), ORDERED);
            self.order_tasks((clone, "demote"), (instance, "demote"), THEN_IMPLIES_FIRST_GRAPHED);
            self.order_tasks((instance, demoted), (clone, "demoted"), FIRST_IMPLIES_THEN_GRAPHED);
            self.order_tasks((instance, "demote"), (instance, "promote"), ORDERED);
            if let Some(previous) = previous
                && options.ordered
            {
                self.order_tasks((previous, "promote"), (instance, "promote"), ORDERED);
                self.order_tasks((instance, "demote"), (previous, "demote"), ORDERED);
            }
            previous = Some(instance);
        }
    }
}
