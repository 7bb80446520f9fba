//! Relations between clones that interleave: each instance waits only for its neighbour on the same node.

use super::relation::UNRUNNABLE_FIRST_BLOCKS;
use super::update::Changed;
use crate::model::{ActionId, Cluster, NodeIndex, ResourceId, Role, Task, Variant};

impl Cluster<'_> {
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
        // Which side waits for its neighbour is the side that has to: before something goes down, that is the first.
        let down = matches!(self.named_task(then), Task::Stop | Task::Demote);
        let decides = if down { first_resource } else { then_resource };
        self.rsc(decides).clone.as_ref().is_some_and(|options| options.interleave)
    }

    fn goes_down(&self, first: ActionId) -> bool {
        matches!(self.original_task(first), Task::Stop | Task::Demote)
    }

    pub(crate) fn update_interleaved(
        &mut self,
        first: ActionId,
        then: ActionId,
        node: Option<NodeIndex>,
        kind: u32,
    ) -> Changed {
        let mut changed = Changed::default();
        let (Some(first_clone), Some(then_clone)) = (self.act(first).resource, self.act(then).resource)
        else {
            return changed;
        };
        let current = self.goes_down(first);
        let (first_task, then_task) = (self.original_task(first), self.act(then).task);
        for at in 0..self.rsc(then_clone).children.len() {
            let then_instance = self.rsc(then_clone).children[at];
            let Some(first_instance) = self.compatible_instance(then_instance, first_clone, None, current)
            else {
                changed.then |= self.hold_back(then_instance, kind, current);
                continue;
            };
            let Some(first_part) = self.first_action(first_instance, first_task, node) else { continue };
            let Some(then_part) = self.first_action(then_instance, then_task, node) else { continue };
            if self.relate(first_part, then_part, kind) {
                changed = Changed { first: true, then: true };
                self.look_again_at(then_part);
            }
            let flags = self.flags_of(first_part, None);
            let part = self.update_ordered(first_part, then_part, node, flags, kind);
            if part.then {
                self.look_again_after(then_part);
            }
            if part.first {
                self.look_again_after(first_part);
            }
            changed.merge(part);
        }
        changed
    }

    /// The instance of a clone that is where a resource is, or may be: on its node now (`current`) or later; where it is
    /// nowhere yet, on the best of the nodes that it may have.
    pub(crate) fn compatible_instance(
        &self,
        resource: ResourceId,
        clone: ResourceId,
        role: Option<Role>,
        current: bool,
    ) -> Option<ResourceId> {
        if let Some(node) = self.single_place(resource, current) {
            return self.instance_on(clone, node, role, current);
        }
        self.sorted_nodes(resource, None)
            .into_iter()
            .find_map(|node| self.instance_on(clone, node, role, current))
    }

    /// The one node where a resource (with all its parts) is, or will be.
    fn single_place(&self, resource: ResourceId, current: bool) -> Option<NodeIndex> {
        let mut place = None;
        for member in self.family(resource) {
            let known = self.rsc(member);
            if !known.children.is_empty() {
                continue;
            }
            let nodes = if current { known.running_on.as_slice() } else { known.assigned_to.as_slice() };
            for &node in nodes {
                if place.is_some_and(|place| place != node) {
                    return None;
                }
                place = Some(node);
            }
        }
        place
    }

    fn instance_on(
        &self,
        clone: ResourceId,
        node: NodeIndex,
        role: Option<Role>,
        current: bool,
    ) -> Option<ResourceId> {
        self.rsc(clone).children.iter().copied().find(|instance| {
            let blocked = self.family(*instance).iter().any(|member| self.rsc(*member).blocked);
            !blocked
                && role.is_none_or(|role| self.state_of(*instance, current) == role)
                && self.single_place(*instance, current) == Some(node)
        })
    }

    /// The role in which a resource is, or will be: of several parts, the highest.
    pub(crate) fn state_of(&self, resource: ResourceId, current: bool) -> Role {
        let roles = self.family(resource).into_iter().filter_map(|member| {
            let known = self.rsc(member);
            known.children.is_empty().then_some(if current { known.role } else { known.next_role })
        });
        roles.max().unwrap_or_default()
    }

    /// An instance without the neighbour that it needs must not come up; it may always go down.
    fn hold_back(&mut self, instance: ResourceId, kind: u32, current: bool) -> bool {
        if current || kind & UNRUNNABLE_FIRST_BLOCKS == 0 {
            return false;
        }
        let mut changed = false;
        for member in self.family(instance) {
            if self.rsc(member).children.is_empty() && self.rsc(member).assigned_to.is_some() {
                self.place(member, None, true, true);
                changed = true;
            }
        }
        changed
    }

    /// A resource that is placed nowhere stops, and starts nothing: so it is with what was planned before that was known.
    pub(crate) fn give_up_actions(&mut self, resource: ResourceId) {
        for at in 0..self.rsc(resource).actions.len() {
            let action = self.rsc(resource).actions[at];
            let known = self.act(action);
            let (task, interval_ms) = (known.task, known.interval_ms);
            let stopped_monitor = known.target_rc == Some(7);
            let known = self.act_mut(action);
            match task {
                Task::Stop => known.optional = false,
                Task::Start | Task::Promote => known.runnable = false,
                _ if interval_ms > 0 && !stopped_monitor => known.runnable = false,
                _ => continue,
            }
            self.look_again_at(action);
            self.look_again_after(action);
        }
    }
}
