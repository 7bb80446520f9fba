//! Forgetting failures.

use crate::model::{Cluster, Role, Task};
use crate::order::{End, relation};

impl<'a> Cluster<'a> {
    pub(crate) fn clear_failures(&mut self) {
        for (resource, node) in std::mem::take(&mut self.cleared_failures) {
            let clear = self.resource_action(resource, Task::ClearFailcount, Some(node), false);
            self.act_mut(clear).meta.insert("op_no_wait".into(), "true".into());
            self.act_mut(clear).runnable = self.node(node).online;
            self.act_mut(clear).optional = false;
            self.order(End::Action(clear), End::Task(resource, Task::Start), relation::ORDERED);
        }
    }

    /// What is configured to be stopped is meant to be stopped, history or not.
    pub(crate) fn apply_configured_roles(&mut self) {
        for resource in self.resource_ids() {
            if self.rsc(resource).orphan && !self.rsc(resource).orphan_filler {
                continue;
            }
            if self.target_role(resource) == Some(Role::Stopped) {
                self.rsc_mut(resource).next_role = Role::Stopped;
            }
        }
    }
}
