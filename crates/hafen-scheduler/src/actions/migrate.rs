//! Live migration in place of a stop and a start.

use crate::model::{Cluster, NodeIndex, ResourceId};
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
        let start = self.resource_action(resource, "start", Some(target), true);
        let stop = self.resource_action(resource, "stop", Some(source), true);
        let names = [("migrate_source", source), ("migrate_target", target)]
            .map(|(name, node)| (name.to_owned(), self.node(node).uname.clone()));
        if self.rsc(resource).migration_target.is_none() {
            let leave = self.resource_action(resource, "migrate_to", Some(source), false);
            self.act_mut(leave).meta.extend(names.clone());
            self.act_mut(leave).meta.insert("record_pending".into(), "true".into());
            self.act_mut(leave).migratable = true;
        }
        let arrive = self.resource_action(resource, "migrate_from", Some(target), false);
        self.act_mut(arrive).meta.extend(names);
        self.act_mut(arrive).migratable = true;
        for action in [start, stop] {
            self.act_mut(action).migratable = true;
        }
        self.act_mut(start).pseudo = true;
        let gate = relation::IF_FIRST_UNMIGRATABLE | relation::UNMIGRATABLE_THEN_BLOCKS;
        if self.rsc(resource).migration_target.is_some() {
            let arrive = End::Task(resource, "migrate_from");
            self.order(
                arrive.clone(),
                End::Task(resource, "stop"),
                relation::ORDERED | relation::UNMIGRATABLE_THEN_BLOCKS,
            );
            self.order(arrive, End::Task(resource, "start"), relation::ORDERED | gate);
            return;
        }
        self.order_probe_before_migration(resource);
        self.order_tasks(
            (resource, "migrate_to"),
            (resource, "migrate_from"),
            relation::ORDERED | relation::UNMIGRATABLE_THEN_BLOCKS,
        );
        self.order_tasks(
            (resource, "migrate_from"),
            (resource, "stop"),
            relation::ORDERED | relation::UNMIGRATABLE_THEN_BLOCKS,
        );
        self.order_tasks((resource, "migrate_from"), (resource, "start"), relation::ORDERED | gate);
    }

    fn order_probe_before_migration(&mut self, resource: ResourceId) {
        let probe = super::operation_key(&self.rsc(resource).id, "monitor", 0);
        if let Some(known) = self.action_keys.get(&probe).cloned() {
            for action in known {
                if self.act(action).resource == Some(resource) {
                    self.order(End::Action(action), End::Task(resource, "migrate_to"), relation::ORDERED);
                }
            }
        }
    }
}
