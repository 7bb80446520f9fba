//! Where order and live migration meet.

use super::relation::IF_FIRST_UNMIGRATABLE;
use super::{End, Order};
use crate::model::{Cluster, ResourceId, Task};

impl Cluster<'_> {
    /// Adds, for each relation between resources that may migrate, what it means for their migrations: what has to start
    /// first has to be there before the other leaves its node.
    pub(crate) fn order_migrations(&mut self) {
        for at in 0..self.orders.len() {
            let more = self.migration_orders(&self.orders[at]);
            self.orders.extend(more);
        }
    }

    fn migration_orders(&self, order: &Order) -> Vec<Order> {
        let mut more = Vec::new();
        let (Some((first, first_task)), Some((then, then_task))) =
            (self.task_of(&order.first), self.task_of(&order.then))
        else {
            return more;
        };
        if first == then || self.is_within(first, then) || self.is_within(then, first) {
            return more;
        }
        let (first_moves, then_moves) = (self.rsc(first).allow_migrate, self.rsc(then).allow_migrate);
        if !then_moves {
            return more;
        }
        let mut add = |from: Task, to: Task, flags: u32| {
            more.push(Order { first: End::Task(first, from), then: End::Task(then, to), flags });
        };
        let guarded = if first_moves { order.flags | IF_FIRST_UNMIGRATABLE } else { order.flags };
        // A migration that is half done has only its second half to wait with.
        let arriving = self.rsc(then).migration_target.is_some();
        match (first_task, then_task) {
            (Task::Start, Task::Start) => {
                if first_moves {
                    add(Task::MigrateFrom, Task::MigrateTo, order.flags);
                }
                add(Task::Start, Task::MigrateTo, guarded);
            }
            (Task::Stop, Task::Stop) => {
                add(Task::Stop, Task::MigrateTo, guarded);
                if arriving {
                    add(Task::Stop, Task::MigrateFrom, guarded);
                }
            }
            (Task::Promote, Task::Start) => add(Task::Promote, Task::MigrateTo, order.flags),
            (Task::Demote, Task::Stop) => {
                add(Task::Demote, Task::MigrateTo, order.flags);
                if arriving {
                    add(Task::Demote, Task::MigrateFrom, order.flags);
                }
            }
            _ => {}
        }
        more
    }

    fn task_of(&self, end: &End) -> Option<(ResourceId, Task)> {
        match end {
            End::Task(resource, task) => Some((*resource, *task)),
            End::Action(action) => {
                let known = self.act(*action);
                known.resource.filter(|_| known.interval_ms == 0).map(|resource| (resource, known.task))
            }
        }
    }
}
