//! From relations between tasks to relations between actions.

use super::{End, Order, relation};
use crate::model::{ActionId, Cluster, ResourceId, Role, Task};

impl Cluster<'_> {
    /// Relates all actions that exist.
    pub(crate) fn resolve_orders(&mut self) {
        let orders = std::mem::take(&mut self.orders);
        for order in &orders {
            for first in self.firsts(order) {
                for then in self.thens(&order.then) {
                    let flags = self.flags_between(first, then, order.flags);
                    self.order_actions(first, then, flags);
                }
            }
        }
        self.orders = orders;
    }

    fn firsts(&mut self, order: &Order) -> Vec<ActionId> {
        let (resource, task) = match order.first {
            End::Action(action) => return vec![action],
            End::Task(resource, task) => (resource, task),
        };
        let found: Vec<ActionId> = self.actions_of(resource, task, 0).collect();
        if !found.is_empty() {
            return found;
        }
        let then_resource = match order.then {
            End::Action(then) => self.act(then).resource,
            End::Task(then, _) => Some(then),
        };
        let role = self.state_of(resource, true);
        let settled = match task {
            Task::Stop => role == Role::Stopped,
            Task::Demote => role == Role::Unpromoted,
            _ => false,
        };
        if then_resource == Some(resource) || settled {
            return Vec::new();
        }
        // Nothing to do, and nowhere: what waits for it has to know that it cannot be had.
        vec![self.resource_action(resource, task, None, true)]
    }

    pub(crate) fn thens(&self, then: &End) -> Vec<ActionId> {
        match then {
            End::Action(action) => vec![*action],
            End::Task(resource, task) => self.actions_of(*resource, *task, 0).collect(),
        }
    }

    /// What is left over of a migration stops beside the start; it is no restart.
    fn flags_between(&self, first: ActionId, then: ActionId, flags: u32) -> u32 {
        let (known, other) = (self.act(first), self.act(then));
        let left_over = known.resource == other.resource && self.is_left_over(first);
        if left_over { flags & !relation::FIRST_IMPLIES_THEN } else { flags }
    }

    /// Whether an action cleans up after a migration that did not end.
    fn is_left_over(&self, action: ActionId) -> bool {
        let known = self.act(action);
        let of = |resource: ResourceId| {
            known.task == Task::Stop
                && known.node.is_some_and(|node| self.rsc(resource).dangling_migrations.contains(&node))
        };
        known.resource.is_some_and(of)
    }
}
