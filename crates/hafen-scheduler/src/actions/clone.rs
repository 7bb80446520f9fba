//! A clone's own joints, and how its instances hang between them.

use crate::model::{Cluster, ResourceId, Task};
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
        self.joint(clone, Task::Start, !doing.starting, true, 0);
        self.joint(clone, Task::Running, !doing.starting, doing.active || doing.starting, INFINITY);
        self.joint(clone, Task::Stop, !doing.stopping, true, 0);
        if !doing.starting
            && let Some(stop) = self.first_action(clone, Task::Stop, None)
        {
            // Where nothing starts, an instance that stops may see what depends on it migrate away.
            self.act_mut(stop).migratable = true;
        }
        self.joint(clone, Task::Stopped, !doing.stopping, true, INFINITY);
        if self.in_promotable(clone) {
            self.joint(clone, Task::Promote, !doing.promoting, true, 0);
            self.joint(clone, Task::Promoted, !doing.promoting, doing.promoting, INFINITY);
            self.joint(clone, Task::Demote, !doing.demoting, true, 0);
            self.joint(clone, Task::Demoted, !doing.demoting, doing.demoting, INFINITY);
        }
    }

    fn joint(&mut self, clone: ResourceId, task: Task, optional: bool, runnable: bool, priority: i32) {
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
                match action.task {
                    Task::Start if action.runnable => doing.starting = true,
                    Task::Stop => {
                        doing.stopping |=
                            action.runnable || action.node.is_some_and(|node| self.node(node).unclean)
                    }
                    Task::Promote if action.runnable => doing.promoting = true,
                    Task::Demote => doing.demoting = true,
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
        self.order_tasks((clone, Task::Stopped), (clone, Task::Start), ORDERED);
        self.order_tasks((clone, Task::Start), (clone, Task::Running), UNRUNNABLE_FIRST_BLOCKS);
        self.order_tasks((clone, Task::Stop), (clone, Task::Stopped), UNRUNNABLE_FIRST_BLOCKS);
        if options.promotable {
            self.order_tasks((clone, Task::Demoted), (clone, Task::Stop), ORDERED);
            self.order_tasks((clone, Task::Running), (clone, Task::Promote), UNRUNNABLE_FIRST_BLOCKS);
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
                (clone, Task::Start),
                (instance, Task::Start),
                UNRUNNABLE_FIRST_BLOCKS | THEN_IMPLIES_FIRST_GRAPHED,
            );
            let (started, stopped) = self.ends(instance);
            self.order_tasks((instance, started), (clone, Task::Running), FIRST_IMPLIES_THEN_GRAPHED);
            self.order_tasks((clone, Task::Stop), (instance, Task::Stop), THEN_IMPLIES_FIRST_GRAPHED);
            self.order_tasks((instance, stopped), (clone, Task::Stopped), FIRST_IMPLIES_THEN_GRAPHED);
            if options.ordered {
                // With each of them: those in between may have nothing to do.
                for &other in &earlier {
                    self.order_tasks((other, started), (instance, Task::Start), ORDERED);
                    self.order_tasks((instance, stopped), (other, Task::Stop), ORDERED);
                }
                earlier.push(instance);
            }
        }
    }

    /// The tasks that end a start and a stop: a group's come after its members'.
    fn ends(&self, instance: ResourceId) -> (Task, Task) {
        if self.rsc(instance).children.is_empty() {
            (Task::Start, Task::Stop)
        } else {
            (Task::Running, Task::Stopped)
        }
    }

    fn order_promotable(&mut self, clone: ResourceId) {
        use relation::{FIRST_IMPLIES_THEN_GRAPHED, ORDERED, THEN_IMPLIES_FIRST_GRAPHED};
        let options = self.rsc(clone).clone.clone().unwrap_or_default();
        self.order_tasks((clone, Task::Demote), (clone, Task::Demoted), ORDERED);
        self.order_tasks((clone, Task::Demoted), (clone, Task::Promote), ORDERED);
        self.order_tasks((clone, Task::Demoted), (clone, Task::Start), ORDERED);
        self.order_tasks((clone, Task::Stopped), (clone, Task::Promote), ORDERED);
        let mut previous: Option<ResourceId> = None;
        for instance in self.rsc(clone).children.clone() {
            let is_group = !self.rsc(instance).children.is_empty();
            let (promoted, demoted) =
                if is_group { (Task::Promoted, Task::Demoted) } else { (Task::Promote, Task::Demote) };
            self.order_tasks((clone, Task::Promote), (instance, Task::Promote), ORDERED);
            self.order_tasks((instance, promoted), (clone, Task::Promoted), ORDERED);
            self.order_tasks((clone, Task::Demote), (instance, Task::Demote), THEN_IMPLIES_FIRST_GRAPHED);
            self.order_tasks((instance, demoted), (clone, Task::Demoted), FIRST_IMPLIES_THEN_GRAPHED);
            self.order_tasks((instance, Task::Demote), (instance, Task::Promote), ORDERED);
            if let Some(previous) = previous
                && options.ordered
            {
                self.order_tasks((previous, Task::Promote), (instance, Task::Promote), ORDERED);
                self.order_tasks((instance, Task::Demote), (previous, Task::Demote), ORDERED);
            }
            previous = Some(instance);
        }
    }
}
