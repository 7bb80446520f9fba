//! A group's own joints, and the order of its members.

use crate::model::{Cluster, ResourceId, Task};
use crate::order::relation::{
    FIRST_IMPLIES_THEN, FIRST_IMPLIES_THEN_GRAPHED, INTERMEDIATE_STOP, ORDERED, THEN_IMPLIES_FIRST,
    THEN_IMPLIES_FIRST_GRAPHED, UNRUNNABLE_FIRST_BLOCKS,
};

/// A member of a group, and those before it.
#[derive(Clone, Copy)]
struct Place {
    group: ResourceId,
    member: ResourceId,
    previous: Option<ResourceId>,
    ordered: bool,
    promotable: bool,
}

impl<'a> Cluster<'a> {
    pub(crate) fn create_group_actions(&mut self, group: ResourceId) {
        for member in self.rsc(group).children.clone() {
            self.create_primitive_actions(member);
        }
        for task in [Task::Start, Task::Running, Task::Stop, Task::Stopped] {
            self.pseudo_action(group, task, true, true);
        }
        if self.in_promotable(group) {
            for task in [Task::Demote, Task::Demoted, Task::Promote, Task::Promoted] {
                self.pseudo_action(group, task, true, true);
            }
        }
    }

    pub(crate) fn in_promotable(&self, resource: ResourceId) -> bool {
        self.clone_of(resource)
            .and_then(|clone| self.rsc(clone).clone.as_ref())
            .is_some_and(|options| options.promotable)
    }

    pub(crate) fn create_group_orders(&mut self, group: ResourceId) {
        self.order_tasks((group, Task::Stopped), (group, Task::Start), ORDERED);
        self.order_tasks((group, Task::Start), (group, Task::Running), UNRUNNABLE_FIRST_BLOCKS);
        self.order_tasks((group, Task::Stop), (group, Task::Stopped), UNRUNNABLE_FIRST_BLOCKS);
        let (promotable, ordered) = (self.in_promotable(group), self.group_is_ordered(group));
        let (mut previous, mut last_active) = (None, None);
        for member in self.rsc(group).children.clone() {
            self.create_primitive_orders(member);
            let place = Place { group, member, previous, ordered, promotable };
            self.order_member_in_group(place);
            self.order_after_previous(place);
            if !self.rsc(member).running_on.is_empty() {
                // A group that is active in parts still stops one after the other.
                if ordered
                    && previous.is_some_and(|previous| self.rsc(previous).running_on.is_empty())
                    && let Some(last) = last_active
                {
                    self.order_tasks((member, Task::Stop), (last, Task::Stop), ORDERED);
                }
                last_active = Some(member);
            }
            previous = Some(member);
        }
    }

    /// The group's joints around a member's actions.
    fn order_member_in_group(&mut self, place: Place) {
        let Place { group, member, .. } = place;
        // The first member's stop ends the group's.
        let last_to_stop = place.ordered && place.previous.is_none();
        let down =
            if last_to_stop { THEN_IMPLIES_FIRST_GRAPHED | ORDERED } else { THEN_IMPLIES_FIRST_GRAPHED };
        let after_down = if last_to_stop { FIRST_IMPLIES_THEN } else { FIRST_IMPLIES_THEN_GRAPHED };
        let after_up = UNRUNNABLE_FIRST_BLOCKS | FIRST_IMPLIES_THEN | FIRST_IMPLIES_THEN_GRAPHED;
        let up = if place.ordered {
            THEN_IMPLIES_FIRST_GRAPHED
        } else {
            THEN_IMPLIES_FIRST_GRAPHED | ORDERED | UNRUNNABLE_FIRST_BLOCKS
        };
        if place.promotable {
            self.order_tasks((group, Task::Demote), (member, Task::Demote), down);
            self.order_tasks((member, Task::Demote), (group, Task::Demoted), after_down);
            self.order_tasks((member, Task::Promote), (group, Task::Promoted), after_up);
            self.order_tasks((group, Task::Promote), (member, Task::Promote), up);
        }
        self.order_tasks((group, Task::Stop), (member, Task::Stop), down);
        self.order_tasks((member, Task::Stop), (group, Task::Stopped), after_down);
        self.order_tasks((group, Task::Start), (member, Task::Start), up);
        self.order_tasks((member, Task::Start), (group, Task::Running), after_up);
    }

    /// A member after the one before it.
    fn order_after_previous(&mut self, place: Place) {
        let (true, Some(previous)) = (place.ordered, place.previous) else { return };
        let member = place.member;
        let needs = FIRST_IMPLIES_THEN | UNRUNNABLE_FIRST_BLOCKS;
        self.order_tasks((previous, Task::Start), (member, Task::Start), needs);
        self.order_tasks((member, Task::Stop), (previous, Task::Stop), ORDERED | INTERMEDIATE_STOP);
        if !self.rsc(member).running_on.is_empty() && self.rsc(previous).running_on.is_empty() {
            // A member that runs before its predecessor does must stop first: no restart would order them.
            self.order_tasks(
                (member, Task::Stop),
                (previous, Task::Start),
                THEN_IMPLIES_FIRST | UNRUNNABLE_FIRST_BLOCKS,
            );
        }
        if place.promotable {
            self.order_tasks((previous, Task::Promote), (member, Task::Promote), needs);
            self.order_tasks((member, Task::Demote), (previous, Task::Demote), ORDERED);
        }
    }
}
