//! Relations between clones that interleave: each instance waits only for its neighbour on the same node.

use super::relation::{FIRST_IMPLIES_THEN, THEN_IMPLIES_FIRST, UNRUNNABLE_FIRST_BLOCKS};
use super::update::Changed;
use crate::model::{ActionId, Cluster, NodeIndex, ResourceId, Role, Task, Variant};

impl<'a> Cluster<'a> {
    pub(crate) fn can_interleave(&self, first: ActionId, then: ActionId) -> bool {
        let (Some(first_resource), Some(then_resource)) = (self.act(first).resource, self.act(then).resource)
        else {
            return false;
        };
        if first_resource == then_resource
            || self.rsc(first_resource).variant != Variant::Clone
            || self.rsc(then_resource).variant != Variant::Clone
        {
            return false;
        }
        let stopping =
            matches!(self.act(first).task, Task::Stop | Task::Stopped | Task::Demote | Task::Demoted);
        let decides = if stopping { first_resource } else { then_resource };
        self.rsc(decides).clone.as_ref().is_some_and(|options| options.interleave)
    }

    pub(crate) fn update_interleaved(
        &mut self,
        first: ActionId,
        then: ActionId,
        node: Option<NodeIndex>,
        flags: u32,
    ) -> Changed {
        let mut changed = Changed::default();
        let (Some(first_clone), Some(then_clone)) = (self.act(first).resource, self.act(then).resource)
        else {
            return changed;
        };
        let first_task = instance_task(self.act(first).task);
        let then_task = self.act(then).task;
        let current = matches!(first_task, Task::Stop | Task::Demote);
        let _ = node;
        for then_instance in self.rsc(then_clone).children.clone() {
            let Some(first_instance) = self.neighbour(then_instance, first_clone, current) else {
                changed.then |= self.hold_back(then_instance, then_task, flags, current);
                continue;
            };
            let first_task = self.fitting_task(first_instance, first_task, then_task);
            let Some(first_action) = self.member_action(first_instance, first_task, None) else { continue };
            let Some(then_action) = self.member_action(then_instance, then_task, None) else { continue };
            self.order_actions(first_action, then_action, flags);
            let before = self.flags_of(first_action, self.act(then_action).node);
            let part =
                self.update_ordered(first_action, then_action, self.act(then_action).node, before, flags);
            if part.first {
                self.touched.insert(first_action);
            }
            if part.then {
                self.touched.insert(then_action);
            }
            changed.first |= part.first;
            changed.then |= part.then;
        }
        changed
    }

    /// A group's start is over when its last joint is reached.
    fn fitting_task(&self, instance: ResourceId, task: Task, then_task: Task) -> Task {
        if self.rsc(instance).variant != Variant::Group {
            return task;
        }
        match (task, then_task) {
            (Task::Start, _) => Task::Running,
            (Task::Stop, _) => Task::Stopped,
            (Task::Promote, _) => Task::Promoted,
            (Task::Demote, _) => Task::Demoted,
            (other, _) => other,
        }
    }

    /// The instance of another clone on the same node.
    fn neighbour(&self, instance: ResourceId, clone: ResourceId, current: bool) -> Option<ResourceId> {
        let places = |resource: ResourceId| -> Vec<NodeIndex> {
            if current { self.rsc(resource).running_on.clone() } else { self.assigned_nodes(resource) }
        };
        let own = places(instance);
        let node = own.first()?;
        self.rsc(clone).children.iter().copied().find(|other| {
            let known = self.rsc(*other);
            (!known.orphan || current) && places(*other).contains(node)
        })
    }

    /// An instance without a neighbour that it needs cannot start.
    fn hold_back(&mut self, instance: ResourceId, task: Task, flags: u32, current: bool) -> bool {
        if current
            || flags & (UNRUNNABLE_FIRST_BLOCKS | FIRST_IMPLIES_THEN) == 0
            || flags & THEN_IMPLIES_FIRST != 0
        {
            return false;
        }
        if self.assigned_nodes(instance).is_empty() {
            return false;
        }
        let mut any = false;
        for member in self.family(instance) {
            if let Some(action) = self.member_action(member, task, None)
                && self.act(action).runnable
                && self.rsc(member).role <= Role::Promoted
            {
                self.act_mut(action).runnable = false;
                self.touched.insert(action);
                any = true;
            }
        }
        any
    }
}

fn instance_task(task: Task) -> Task {
    match task {
        Task::Stop | Task::Stopped => Task::Stop,
        Task::Demote | Task::Demoted => Task::Demote,
        Task::Promote | Task::Promoted => Task::Promote,
        _ => Task::Start,
    }
}
