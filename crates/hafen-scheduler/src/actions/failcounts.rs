//! Forgetting failures.

use crate::model::{Cluster, NodeIndex, ResourceId, Task, Variant};
use crate::order::{End, relation};

impl<'a> Cluster<'a> {
    /// Schedules clearing a failure count.
    pub(crate) fn forget_failures(&mut self, resource: ResourceId, node: NodeIndex) {
        let clear = self.resource_action(resource, Task::ClearFailcount, Some(node), false);
        self.act_mut(clear).meta.insert("op_no_wait".into(), "true".into());
    }

    /// Whether the failure count is about to be cleared.
    pub(crate) fn clears_failures(&self, resource: ResourceId, node: NodeIndex) -> bool {
        self.action_on(resource, Task::ClearFailcount, node).is_some()
    }

    /// What is no longer configured shall leave no failure counts either.
    pub(crate) fn clear_failures_of_orphans(&mut self) {
        for resource in self.top.clone() {
            if !self.rsc(resource).orphan || self.rsc(resource).variant != Variant::Primitive {
                continue;
            }
            for node in self.node_indices() {
                if self.node(node).online && self.fail_count(resource, node, true).count > 0 {
                    self.forget_failures(resource, node);
                    if let Some(clear) = self.action_on(resource, Task::ClearFailcount, node) {
                        self.order(End::Action(clear), End::Task(resource, Task::Stop), relation::ORDERED);
                    }
                }
            }
        }
    }
}
