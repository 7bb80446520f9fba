//! From relations between tasks to relations between actions.

use super::{End, relation};
use crate::model::{ActionId, Cluster, ResourceId, Role, Task};

impl<'a> Cluster<'a> {
    pub(crate) fn resolve_orders(&mut self) {
        let orders = std::mem::take(&mut self.orders);
        for order in &orders {
            let firsts = match &order.first {
                End::Action(action) => vec![*action],
                End::Task(resource, task) => self.firsts(*resource, *task, &order.then),
            };
            for first in firsts {
                match &order.then {
                    End::Action(then) => self.order_actions(first, *then, order.flags),
                    End::Task(resource, task) => self.resolve_then(first, *resource, *task, order.flags),
                }
            }
        }
    }

    fn firsts(&mut self, resource: ResourceId, task: Task, then: &End) -> Vec<ActionId> {
        let found = self.actions_of(resource, task, 0).collect::<Vec<_>>();
        if !found.is_empty() {
            return found;
        }
        if matches!(then, End::Task(other, _) if *other == resource) {
            return Vec::new();
        }
        let role = self.rsc(resource).role;
        if task == Task::Stop && role == Role::Stopped || task == Task::Demote && role == Role::Unpromoted {
            return Vec::new();
        }
        if self.rsc(resource).variant != crate::model::Variant::Primitive
            || !matches!(task, Task::Start | Task::Stop | Task::Promote | Task::Demote)
        {
            return Vec::new();
        }
        vec![self.resource_action(resource, task, None, true)]
    }

    fn resolve_then(&mut self, first: ActionId, resource: ResourceId, task: Task, flags: u32) {
        let mut flags = flags;
        let thens = self.actions_of(resource, task, 0).collect::<Vec<_>>();
        let first_resource = self.act(first).resource;
        if first_resource == Some(resource)
            && self.rsc(resource).dangling_migrations.iter().any(|node| Some(*node) == self.act(first).node)
        {
            // The left-over part of a migration stops beside the start, it does not precede it as a restart.
            flags &= !relation::FIRST_IMPLIES_THEN;
        }
        for then in &thens {
            self.order_actions(first, *then, flags);
        }
    }
}
