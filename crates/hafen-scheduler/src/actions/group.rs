//! A group's own joints, and the order of its members.

use crate::model::{Cluster, ResourceId, Role, Task};
use crate::order::relation;

impl<'a> Cluster<'a> {
    pub(crate) fn create_group_actions(&mut self, group: ResourceId) {
        for member in self.rsc(group).children.clone() {
            self.create_primitive_actions(member);
        }
        let mut tasks = vec![Task::Start, Task::Running, Task::Stop, Task::Stopped];
        if self.in_promotable(group) {
            tasks.extend([Task::Demote, Task::Demoted, Task::Promote, Task::Promoted]);
        }
        for task in tasks {
            self.pseudo_action(group, task, true, true);
        }
    }

    pub(crate) fn in_promotable(&self, resource: ResourceId) -> bool {
        self.clone_of(resource)
            .and_then(|clone| self.rsc(clone).clone.as_ref())
            .is_some_and(|options| options.promotable)
    }

    pub(crate) fn create_group_orders(&mut self, group: ResourceId) {
        use relation::{
            FIRST_IMPLIES_THEN, FIRST_IMPLIES_THEN_GRAPHED, INTERMEDIATE_STOP, ORDERED, THEN_IMPLIES_FIRST,
            THEN_IMPLIES_FIRST_GRAPHED, UNRUNNABLE_FIRST_BLOCKS,
        };
        self.order_tasks((group, Task::Stopped), (group, Task::Start), ORDERED);
        self.order_tasks((group, Task::Start), (group, Task::Running), UNRUNNABLE_FIRST_BLOCKS);
        self.order_tasks((group, Task::Stop), (group, Task::Stopped), UNRUNNABLE_FIRST_BLOCKS);
        let promotable = self.in_promotable(group);
        let ordered = self.group_is_ordered(group);
        let mut previous: Option<ResourceId> = None;
        for member in self.rsc(group).children.clone() {
            self.create_primitive_orders(member);
            // The first member's stop ends the group's.
            let ends = if previous.is_none() { FIRST_IMPLIES_THEN } else { FIRST_IMPLIES_THEN_GRAPHED };
            self.order_tasks((group, Task::Stop), (member, Task::Stop), THEN_IMPLIES_FIRST_GRAPHED | ORDERED);
            self.order_tasks((member, Task::Stop), (group, Task::Stopped), ends);
            self.order_tasks((group, Task::Start), (member, Task::Start), THEN_IMPLIES_FIRST_GRAPHED);
            self.order_tasks(
                (member, Task::Start),
                (group, Task::Running),
                FIRST_IMPLIES_THEN | FIRST_IMPLIES_THEN_GRAPHED | UNRUNNABLE_FIRST_BLOCKS,
            );
            if promotable {
                self.order_tasks((group, Task::Demote), (member, Task::Demote), THEN_IMPLIES_FIRST_GRAPHED);
                self.order_tasks((member, Task::Demote), (group, Task::Demoted), ends);
                self.order_tasks((group, Task::Promote), (member, Task::Promote), THEN_IMPLIES_FIRST_GRAPHED);
                self.order_tasks(
                    (member, Task::Promote),
                    (group, Task::Promoted),
                    FIRST_IMPLIES_THEN | FIRST_IMPLIES_THEN_GRAPHED | UNRUNNABLE_FIRST_BLOCKS,
                );
            }
            if let Some(previous) = previous
                && ordered
            {
                self.order_tasks(
                    (previous, Task::Start),
                    (member, Task::Start),
                    FIRST_IMPLIES_THEN | UNRUNNABLE_FIRST_BLOCKS,
                );
                self.order_tasks(
                    (member, Task::Stop),
                    (previous, Task::Stop),
                    ORDERED | THEN_IMPLIES_FIRST | INTERMEDIATE_STOP,
                );
                if self.rsc(member).role.is_active() && self.rsc(previous).role <= Role::Stopped {
                    // A member that runs before its predecessor does must stop first.
                    self.order_tasks(
                        (member, Task::Stop),
                        (previous, Task::Start),
                        THEN_IMPLIES_FIRST | UNRUNNABLE_FIRST_BLOCKS,
                    );
                }
                if promotable {
                    self.order_tasks(
                        (previous, Task::Promote),
                        (member, Task::Promote),
                        FIRST_IMPLIES_THEN | UNRUNNABLE_FIRST_BLOCKS,
                    );
                    self.order_tasks((member, Task::Demote), (previous, Task::Demote), ORDERED);
                }
            }
            previous = Some(member);
        }
    }
}
