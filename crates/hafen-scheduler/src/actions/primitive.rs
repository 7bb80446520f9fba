//! What a primitive may have to do to get from where it is to where it should be.

use crate::model::{ActionId, Cluster, NodeIndex, Recovery, Requires, ResourceId, Role, Task};
use crate::order::{End, relation};

impl<'a> Cluster<'a> {
    pub(crate) fn create_primitive_actions(&mut self, resource: ResourceId) {
        if self.rsc(resource).next_role == Role::Unknown {
            let role = if self.rsc(resource).assigned_to.is_some() { Role::Started } else { Role::Stopped };
            self.rsc_mut(resource).next_role = role;
        }
        let chosen = self.rsc(resource).assigned_to;
        let multiply_active = self.settle_partial_migration(resource, chosen);
        for node in self.rsc(resource).dangling_migrations.clone() {
            let stop = self.resource_action(resource, Task::Stop, Some(node), false);
            self.act_mut(stop).optional = false;
        }
        let current = self.current_node(resource, chosen);
        let known = self.rsc(resource);
        let moving = matches!((current, chosen), (Some(from), Some(to)) if from != to)
            && known.next_role > Role::Stopped;
        let migrating = moving && self.may_migrate(resource, current);
        let known = self.rsc(resource);
        if known.start_pending {
            let start = self.resource_action(resource, Task::Start, chosen.or(current), true);
            self.act_mut(start).shown = current == chosen && self.rsc(resource).managed;
        }
        let known = self.rsc(resource);
        let mut need_stop = moving || known.stop_on_fail && known.managed;
        if multiply_active && known.recovery != Recovery::Block {
            need_stop = true;
        }
        let failed_promoted = known.failed
            && known.role == Role::Promoted
            && known.next_role == Role::Promoted
            && !known.stop_on_fail;
        self.plan_restart(resource, current, chosen, need_stop, failed_promoted);
        self.plan_transition(resource, current, chosen);
        self.create_recurring(resource);
        if migrating && !multiply_active {
            self.create_migration(resource, current);
        }
    }

    /// Where the resource counts as running: where it should be, when that is among several.
    fn current_node(&self, resource: ResourceId, chosen: Option<NodeIndex>) -> Option<NodeIndex> {
        let known = self.rsc(resource);
        if let Some(source) = known.migration_source {
            return Some(source);
        }
        let _ = chosen;
        known
            .running_on
            .iter()
            .copied()
            .find(|node| self.node(*node).online && !self.node(*node).unclean)
            .or_else(|| known.running_on.first().copied())
    }

    /// Decides whether a half-finished migration goes on; returns whether the resource is active in too many places.
    fn settle_partial_migration(&mut self, resource: ResourceId, chosen: Option<NodeIndex>) -> bool {
        let known = self.rsc(resource);
        let fenced_first = matches!(known.requires, Requires::Fencing | Requires::Unfencing);
        let counted =
            known.running_on.iter().filter(|node| fenced_first || !self.node(**node).unclean).count();
        let several = counted > 1;
        if let (Some(source), Some(target)) = (known.migration_source, known.migration_target) {
            let both = known.running_on.contains(&source) && known.running_on.contains(&target);
            if known.running_on.len() == 2 && both && chosen == Some(target) {
                return false;
            }
            if known.running_on.len() == 1 && chosen == Some(target) {
                return false;
            }
            let known = self.rsc_mut(resource);
            known.migration_source = None;
            known.migration_target = None;
        }
        several
    }

    /// The steps of a restart, which dependencies may make required.
    fn plan_restart(
        &mut self,
        resource: ResourceId,
        current: Option<NodeIndex>,
        chosen: Option<NodeIndex>,
        need_stop: bool,
        need_promote: bool,
    ) {
        let role = self.rsc(resource).role;
        if !role.is_active() {
            return;
        }
        let _ = current;
        if role == Role::Promoted {
            self.demote(resource, !need_stop && !need_promote);
        }
        self.stop(resource, !need_stop);
        if self.rsc(resource).blocked && !self.rsc(resource).managed {
            return;
        }
        let Some(chosen) = chosen else { return };
        if self.rsc(resource).next_role.is_active() {
            self.start(resource, chosen, !need_stop);
            if role == Role::Promoted && self.rsc(resource).next_role == Role::Promoted {
                self.promote(resource, chosen, !need_stop && !need_promote);
            }
        }
    }

    fn plan_transition(
        &mut self,
        resource: ResourceId,
        current: Option<NodeIndex>,
        chosen: Option<NodeIndex>,
    ) {
        let known = self.rsc(resource);
        let (role, next) = (known.role, known.next_role);
        let _ = current;
        if role == Role::Promoted && next != Role::Promoted {
            self.demote(resource, false);
        }
        if role.is_active() && !next.is_active() {
            self.stop(resource, false);
        }
        let Some(chosen) = chosen else { return };
        if !role.is_active() && next.is_active() {
            self.start(resource, chosen, false);
        }
        if next == Role::Promoted && role != Role::Promoted {
            self.promote(resource, chosen, false);
        }
    }

    fn stop(&mut self, resource: ResourceId, optional: bool) {
        for node in self.rsc(resource).running_on.clone() {
            let known = self.rsc(resource);
            if known.migration_target == Some(node)
                && known.assigned_to == Some(node)
                && known.migration_source.is_some()
            {
                continue;
            }
            if known.recovery == Recovery::StopUnexpected
                && known.running_on.len() > 1
                && known.assigned_to == Some(node)
                && !known.stop_on_fail
            {
                continue;
            }
            let stop = self.resource_action(resource, Task::Stop, Some(node), optional);
            if !self.rsc(resource).managed {
                self.act_mut(stop).runnable = false;
            }
        }
    }

    fn start(&mut self, resource: ResourceId, node: NodeIndex, optional: bool) -> ActionId {
        // A start that is not possible is not asked for either, unless something else requires it.
        let start = self.resource_action(resource, Task::Start, Some(node), true);
        if !optional && self.act(start).runnable && self.rsc(resource).managed {
            self.act_mut(start).optional = false;
        }
        self.order_after_unfencing(resource, node, start, relation::FIRST_IMPLIES_THEN);
        start
    }

    fn demote(&mut self, resource: ResourceId, optional: bool) {
        for node in self.rsc(resource).running_on.clone() {
            self.resource_action(resource, Task::Demote, Some(node), optional);
        }
    }

    fn promote(&mut self, resource: ResourceId, node: NodeIndex, optional: bool) {
        self.resource_action(resource, Task::Promote, Some(node), optional);
    }

    /// The order that holds between a primitive's own actions.
    pub(crate) fn create_primitive_orders(&mut self, resource: ResourceId) {
        if !self.rsc(resource).managed {
            return;
        }
        self.order_tasks(
            (resource, Task::Stop),
            (resource, Task::Start),
            relation::ORDERED | relation::FIRST_IMPLIES_THEN | relation::INTERMEDIATE_STOP,
        );
        let promotable = self
            .clone_of(resource)
            .and_then(|clone| self.rsc(clone).clone.as_ref())
            .is_some_and(|options| options.promotable);
        if promotable || self.rsc(resource).role > Role::Started {
            self.order_tasks(
                (resource, Task::Demote),
                (resource, Task::Stop),
                relation::PROMOTED_THEN_IMPLIES_FIRST,
            );
            self.order_tasks(
                (resource, Task::Start),
                (resource, Task::Promote),
                relation::UNRUNNABLE_FIRST_BLOCKS,
            );
        }
        self.order_tasks((resource, Task::Stop), (resource, Task::Delete), relation::ORDERED);
        self.order_tasks((resource, Task::Delete), (resource, Task::Start), relation::THEN_IMPLIES_FIRST);
        self.order_around_unfencing(resource);
        self.order_load(resource);
    }

    /// Where capacity counts, what leaves a node leaves before anything arrives.
    fn order_load(&mut self, resource: ResourceId) {
        let placement = self.properties.placement;
        if placement == crate::model::Placement::Default || self.rsc(resource).utilization.is_empty() {
            return;
        }
        for node in self.rsc(resource).running_on.clone() {
            let load = self.load_stopped(node);
            for stop in self.rsc(resource).actions.clone() {
                if self.act(stop).task == Task::Stop && self.act(stop).node == Some(node) {
                    self.order(End::Action(stop), End::Action(load), relation::IF_ON_SAME_NODE_OR_TARGET);
                }
            }
        }
        for node in self.node_indices() {
            if !self.rsc(resource).allowed[node.at()].present {
                continue;
            }
            let load = self.load_stopped(node);
            for task in [Task::Start, Task::MigrateTo] {
                self.order(End::Action(load), End::Task(resource, task), relation::IF_ON_SAME_NODE_OR_TARGET);
            }
        }
    }

    fn load_stopped(&mut self, node: NodeIndex) -> ActionId {
        let key = format!("load_stopped_{}", self.node(node).uname);
        let action = self.free_action(Task::LoadStopped, &key, Some(node), false);
        let known = self.act_mut(action);
        known.pseudo = true;
        action
    }
}
