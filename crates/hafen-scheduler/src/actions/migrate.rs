//! Live migration in place of a stop and a start.

use crate::model::{Cluster, NodeIndex, ResourceId, Task};
use crate::order::{End, relation};

impl<'a> Cluster<'a> {
    /// Whether a move may be a migration.
    pub(crate) fn may_migrate(&self, resource: ResourceId, current: Option<NodeIndex>) -> bool {
        let known = self.rsc(resource);
        let Some(current) = current else { return false };
        let from = self.node(current);
        known.allow_migrate
            && known.managed
            && !known.failed
            && !known.start_pending
            && known.next_role.is_active()
            && !from.unclean
            && from.online
            && (known.parent.is_none_or(|parent| self.rsc(parent).clone.is_none()))
            && known.assigned_to.is_some_and(|to| self.node(to).available())
    }

    pub(crate) fn create_migration(&mut self, resource: ResourceId, current: Option<NodeIndex>) {
        let (Some(source), Some(target)) = (current, self.rsc(resource).assigned_to) else { return };
        let start = self.resource_action(resource, Task::Start, Some(target), true);
        let stop = self.resource_action(resource, Task::Stop, Some(source), true);
        let names = [("migrate_source", source), ("migrate_target", target)]
            .map(|(name, node)| (name.to_owned(), self.node(node).uname.clone()));
        if self.rsc(resource).migration_target.is_none() {
            let leave = self.resource_action(resource, Task::MigrateTo, Some(source), false);
            self.act_mut(leave).meta.extend(names.clone());
            self.act_mut(leave).meta.insert("record_pending".into(), "true".into());
            self.act_mut(leave).migratable = true;
        }
        let arrive = self.resource_action(resource, Task::MigrateFrom, Some(target), false);
        self.act_mut(arrive).meta.extend(names);
        self.act_mut(arrive).migratable = true;
        for action in [start, stop] {
            self.act_mut(action).migratable = true;
        }
        self.act_mut(start).pseudo = true;
        let gate = relation::FIRST_ELSE_THEN | relation::UNMIGRATABLE_THEN_BLOCKS;
        if self.rsc(resource).migration_target.is_some() {
            let arrive = End::Task(resource, Task::MigrateFrom);
            self.order(
                arrive.clone(),
                End::Task(resource, Task::Stop),
                relation::ORDERED | relation::UNMIGRATABLE_THEN_BLOCKS,
            );
            self.order(arrive, End::Task(resource, Task::Start), relation::ORDERED | gate);
            return;
        }
        self.order_probe_before_migration(resource);
        self.order_tasks(
            (resource, Task::MigrateTo),
            (resource, Task::MigrateFrom),
            relation::ORDERED | relation::UNMIGRATABLE_THEN_BLOCKS,
        );
        self.order_tasks(
            (resource, Task::MigrateFrom),
            (resource, Task::Stop),
            relation::ORDERED | relation::UNMIGRATABLE_THEN_BLOCKS,
        );
        self.order_tasks((resource, Task::MigrateFrom), (resource, Task::Start), relation::ORDERED | gate);
    }

    fn order_probe_before_migration(&mut self, resource: ResourceId) {
        for probe in self.actions_of(resource, Task::Monitor, 0).collect::<Vec<_>>() {
            self.order(End::Action(probe), End::Task(resource, Task::MigrateTo), relation::ORDERED);
        }
    }
}
