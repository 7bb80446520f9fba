//! Live migration in place of a stop and a start.

use crate::model::{Cluster, NodeIndex, ResourceId, Task};
use crate::order::relation::{FIRST_ELSE_THEN, ORDERED, UNMIGRATABLE_THEN_BLOCKS};

impl<'a> Cluster<'a> {
    /// Whether a move may be a migration.
    pub(crate) fn may_migrate(&self, resource: ResourceId, current: Option<NodeIndex>) -> bool {
        let known = self.rsc(resource);
        let clean = |node: Option<NodeIndex>| node.is_some_and(|node| !self.node(node).unclean);
        known.allow_migrate
            && known.managed
            && !known.failed
            && !known.start_pending
            && clean(current)
            && clean(known.assigned_to)
    }

    /// The steps of a migration. They are required when the stop and the start behind them are, and impossible when those
    /// cannot be part of one.
    pub(crate) fn create_migration(&mut self, resource: ResourceId, current: Option<NodeIndex>) {
        let (Some(source), Some(target)) = (current, self.rsc(resource).assigned_to) else { return };
        let start = self.resource_action(resource, Task::Start, Some(target), true);
        let stop = self.resource_action(resource, Task::Stop, Some(source), true);
        let names = [("migrate_source", source), ("migrate_target", target)]
            .map(|(name, node)| (name.to_owned(), self.node(node).uname.clone()));
        let under_way = self.rsc(resource).migration_target.is_some();
        let requires = self.act(start).requires;
        if !under_way {
            let leave = self.resource_action(resource, Task::MigrateTo, Some(source), true);
            let leave = self.act_mut(leave);
            leave.migratable = true;
            leave.requires = requires;
            leave.meta.extend(names.clone());
            // Should the source be lost meanwhile, the target must not be forgotten.
            leave.meta.insert("record_pending".into(), "true".into());
        }
        let arrive = self.resource_action(resource, Task::MigrateFrom, Some(target), true);
        let arrive = self.act_mut(arrive);
        arrive.migratable = true;
        arrive.meta.extend(names);
        if under_way {
            arrive.requires = requires;
        }
        self.act_mut(start).migratable = true;
        self.act_mut(stop).migratable = true;
        self.act_mut(start).pseudo = true;
        let begins = if under_way { Task::MigrateFrom } else { Task::MigrateTo };
        self.order_tasks((resource, Task::Monitor), (resource, begins), ORDERED);
        let gate = ORDERED | UNMIGRATABLE_THEN_BLOCKS;
        if !under_way {
            self.order_tasks((resource, Task::MigrateTo), (resource, Task::MigrateFrom), gate);
        }
        self.order_tasks((resource, Task::MigrateFrom), (resource, Task::Stop), gate);
        self.order_tasks((resource, Task::MigrateFrom), (resource, Task::Start), gate | FIRST_ELSE_THEN);
    }
}
