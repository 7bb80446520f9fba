//! A clone's own joints, and how its instances hang between them.

use crate::model::{ActionId, Cluster, ResourceId, Task};
use crate::order::relation::{
    FIRST_IMPLIES_THEN_GRAPHED, ORDERED, THEN_IMPLIES_FIRST_GRAPHED, UNRUNNABLE_FIRST_BLOCKS,
};
use crate::score::INFINITY;

/// What some instance of a clone will do.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "independent facts")]
struct Doing {
    active: bool,
    starting: bool,
    stopping: bool,
    /// One that stops also starts.
    restarting: bool,
    promoting: bool,
    demoting: bool,
}

impl<'a> Cluster<'a> {
    pub(crate) fn create_clone_actions(&mut self, clone: ResourceId) {
        let mut doing = Doing::default();
        for instance in self.rsc(clone).children.clone() {
            self.create_resource_actions(instance);
        }
        for member in self.family(clone) {
            if self.rsc(member).children.is_empty() {
                self.look_at(member, &mut doing);
            }
        }
        let start = self.joint(clone, Task::Start, !doing.starting);
        let started = self.last_joint(clone, Task::Running, !doing.starting);
        self.act_mut(started).runnable = doing.active || doing.starting;
        let stop = self.joint(clone, Task::Stop, !doing.stopping);
        let stopped = self.last_joint(clone, Task::Stopped, !doing.stopping);
        if !doing.restarting {
            self.act_mut(stop).migratable = true;
        }
        self.create_notification_joints(clone, [(Task::Start, start, started), (Task::Stop, stop, stopped)]);
        if self.in_promotable(clone) {
            let promote = self.joint(clone, Task::Promote, !doing.promoting);
            let promoted = self.last_joint(clone, Task::Promoted, !doing.promoting);
            self.create_notification_joints(clone, [(Task::Promote, promote, promoted)]);
            let demote = self.joint(clone, Task::Demote, !doing.demoting);
            let demoted = self.last_joint(clone, Task::Demoted, !doing.demoting);
            self.create_notification_joints(clone, [(Task::Demote, demote, demoted)]);
        }
        self.order_notification_joints(clone);
    }

    fn joint(&mut self, clone: ResourceId, task: Task, optional: bool) -> ActionId {
        self.pseudo_action(clone, task, optional, true)
    }

    /// What ends a change of a clone is not put off.
    fn last_joint(&mut self, clone: ResourceId, task: Task, optional: bool) -> ActionId {
        let action = self.joint(clone, task, optional);
        self.act_mut(action).priority = INFINITY;
        action
    }

    fn look_at(&self, member: ResourceId, doing: &mut Doing) {
        doing.active |= !self.rsc(member).running_on.is_empty();
        let (mut starting, mut stopping) = (false, false);
        for &action in &self.rsc(member).actions {
            let action = self.act(action);
            if action.optional {
                continue;
            }
            match action.task {
                Task::Start => starting |= action.runnable,
                // What fencing implies happens too.
                Task::Stop => stopping |= action.runnable || action.pseudo,
                Task::Promote => doing.promoting = true,
                Task::Demote => doing.demoting = true,
                _ => {}
            }
        }
        doing.starting |= starting;
        doing.stopping |= stopping;
        doing.restarting |= starting && stopping;
    }

    pub(crate) fn create_clone_orders(&mut self, clone: ResourceId) {
        let options = self.rsc(clone).clone.clone().unwrap_or_default();
        self.order_tasks((clone, Task::Stopped), (clone, Task::Start), ORDERED);
        self.order_tasks((clone, Task::Start), (clone, Task::Running), UNRUNNABLE_FIRST_BLOCKS);
        self.order_tasks((clone, Task::Stop), (clone, Task::Stopped), UNRUNNABLE_FIRST_BLOCKS);
        if options.promotable {
            self.order_tasks((clone, Task::Demoted), (clone, Task::Stop), ORDERED);
            self.order_tasks((clone, Task::Running), (clone, Task::Promote), UNRUNNABLE_FIRST_BLOCKS);
        }
        let mut instances = self.rsc(clone).children.clone();
        if options.ordered {
            instances.sort_by_key(|instance| self.rsc(*instance).instance);
        }
        for (at, &instance) in instances.iter().enumerate() {
            self.create_resource_orders(instance);
            self.order_tasks(
                (clone, Task::Start),
                (instance, Task::Start),
                UNRUNNABLE_FIRST_BLOCKS | THEN_IMPLIES_FIRST_GRAPHED,
            );
            self.order_tasks((instance, Task::Start), (clone, Task::Running), FIRST_IMPLIES_THEN_GRAPHED);
            self.order_tasks((clone, Task::Stop), (instance, Task::Stop), THEN_IMPLIES_FIRST_GRAPHED);
            self.order_tasks((instance, Task::Stop), (clone, Task::Stopped), FIRST_IMPLIES_THEN_GRAPHED);
            if options.ordered {
                // With each of them: those in between may have nothing to do.
                for &later in &instances[at + 1..] {
                    self.order_tasks((instance, Task::Start), (later, Task::Start), ORDERED);
                    self.order_tasks((later, Task::Stop), (instance, Task::Stop), ORDERED);
                }
            }
        }
        if options.promotable {
            self.order_promotable(clone, &instances, options.ordered);
        }
    }

    fn order_promotable(&mut self, clone: ResourceId, instances: &[ResourceId], ordered: bool) {
        for (first, then) in [
            (Task::Stopped, Task::Start),
            (Task::Stopped, Task::Promote),
            (Task::Demoted, Task::Stop),
            (Task::Demoted, Task::Start),
            (Task::Demoted, Task::Promote),
            (Task::Running, Task::Promote),
            (Task::Demote, Task::Demoted),
        ] {
            self.order_tasks((clone, first), (clone, then), ORDERED);
        }
        let mut previous: Option<ResourceId> = None;
        for &instance in instances {
            self.order_tasks((instance, Task::Demote), (instance, Task::Promote), ORDERED);
            self.order_tasks((clone, Task::Promote), (instance, Task::Promote), ORDERED);
            self.order_tasks((instance, Task::Promote), (clone, Task::Promoted), ORDERED);
            let previous = previous.replace(instance).filter(|_| ordered);
            if let Some(previous) = previous {
                self.order_tasks((previous, Task::Promote), (instance, Task::Promote), ORDERED);
            }
            self.order_tasks((clone, Task::Demote), (instance, Task::Demote), THEN_IMPLIES_FIRST_GRAPHED);
            self.order_tasks((instance, Task::Demote), (clone, Task::Demoted), FIRST_IMPLIES_THEN_GRAPHED);
            if let Some(previous) = previous {
                self.order_tasks((instance, Task::Demote), (previous, Task::Demote), ORDERED);
            }
        }
    }
}
