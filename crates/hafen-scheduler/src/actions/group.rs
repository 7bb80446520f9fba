//! A group's own joints, and the order of its members.

use crate::model::{Cluster, ResourceId, Role};
use crate::order::relation;

impl<'a> Cluster<'a> {
    pub(crate) fn create_group_actions(&mut self, group: ResourceId) {
        for member in self.rsc(group).children.clone() {
            self.create_primitive_actions(member);
        }
        let mut tasks = vec!["start", "running", "stop", "stopped"];
        if self.in_promotable(group) {
            tasks.extend(["demote", "demoted", "promote", "promoted"]);
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
        self.order_tasks((group, "stopped"), (group, "start"), ORDERED);
        self.order_tasks((group, "start"), (group, "running"), UNRUNNABLE_FIRST_BLOCKS);
        self.order_tasks((group, "stop"), (group, "stopped"), UNRUNNABLE_FIRST_BLOCKS);
        let promotable = self.in_promotable(group);
        let ordered = self.group_is_ordered(group);
        let mut previous: Option<ResourceId> = None;
        for member in self.rsc(group).children.clone() {
            self.create_primitive_orders(member);
            // The first member's stop ends the group's.
            let ends = if previous.is_none() { FIRST_IMPLIES_THEN } else { FIRST_IMPLIES_THEN_GRAPHED };
            self.order_tasks((group, "stop"), (member, "stop"), THEN_IMPLIES_FIRST_GRAPHED | ORDERED);
            self.order_tasks((member, "stop"), (group, "stopped"), ends);
            self.order_tasks((group, "start"), (member, "start"), THEN_IMPLIES_FIRST_GRAPHED);
            self.order_tasks(
                (member, "start"),
                (group, "running"),
                FIRST_IMPLIES_THEN | FIRST_IMPLIES_THEN_GRAPHED | UNRUNNABLE_FIRST_BLOCKS,
            );
            if promotable {
                self.order_tasks((group, "demote"), (member, "demote"), THEN_IMPLIES_FIRST_GRAPHED);
                self.order_tasks((member, "demote"), (group, "demoted"), ends);
                self.order_tasks((group, "promote"), (member, "promote"), THEN_IMPLIES_FIRST_GRAPHED);
                self.order_tasks(
                    (member, "promote"),
                    (group, "promoted"),
                    FIRST_IMPLIES_THEN | FIRST_IMPLIES_THEN_GRAPHED | UNRUNNABLE_FIRST_BLOCKS,
                );
            }
            if let Some(previous) = previous
                && ordered
            {
                self.order_tasks(
                    (previous, "start"),
                    (member, "start"),
                    FIRST_IMPLIES_THEN | UNRUNNABLE_FIRST_BLOCKS,
                );
                self.order_tasks(
                    (member, "stop"),
                    (previous, "stop"),
                    ORDERED | THEN_IMPLIES_FIRST | INTERMEDIATE_STOP,
                );
                if self.rsc(member).role.is_active()
                    && self.rsc(previous).role <= Role::Stopped
                    && self.rsc(member).managed
                {
                    // A member that runs before its predecessor does must stop first.
                    self.order_tasks(
                        (member, "stop"),
                        (previous, "start"),
                        THEN_IMPLIES_FIRST | UNRUNNABLE_FIRST_BLOCKS,
                    );
                }
                if promotable {
                    self.order_tasks(
                        (previous, "promote"),
                        (member, "promote"),
                        FIRST_IMPLIES_THEN | UNRUNNABLE_FIRST_BLOCKS,
                    );
                    self.order_tasks((member, "demote"), (previous, "demote"), ORDERED);
                }
            }
            previous = Some(member);
        }
    }
}
