//! What a primitive may have to do to get from the role that it has to the role that it should have.

use super::Action;
use crate::model::{ActionId, Cluster, NodeIndex, Placement, Recovery, Requires, ResourceId, Role, Task};
use crate::order::{End, relation};

/// How many steps a walk between roles can have.
const STEP_LIMIT: usize = 8;

/// Where a resource is active.
#[derive(Clone, Copy, Debug, Default)]
struct Activity {
    /// The place that counts.
    current: Option<NodeIndex>,
    all: usize,
    /// On nodes that are up and need no fencing.
    clean: usize,
}

/// The walk down to a stop and up again, for a resource that may have to restart.
#[derive(Clone, Copy, Debug, Default)]
struct Restart {
    need_stop: bool,
    need_promote: bool,
    /// It is active in several places, and only the unexpected ones stop.
    stop_unexpected: bool,
    /// Whether the steps belong to the restart, not to a change of roles.
    restarting: bool,
}

/// The next role on the way from one to another.
fn step(from: Role, to: Role) -> Role {
    match (from, to) {
        (Role::Unknown, Role::Unknown) => Role::Unknown,
        (Role::Unknown, _) | (Role::Started | Role::Unpromoted, Role::Unknown | Role::Stopped) => {
            Role::Stopped
        }
        (Role::Stopped, Role::Unknown | Role::Stopped) | (Role::Unpromoted, Role::Started) => Role::Stopped,
        (Role::Stopped, Role::Started) => Role::Started,
        (Role::Stopped, _) => Role::Unpromoted,
        (Role::Promoted, Role::Unknown) => Role::Stopped,
        (Role::Promoted, Role::Promoted) => Role::Promoted,
        (Role::Promoted, _) => Role::Unpromoted,
        (_, to) => to,
    }
}

impl<'a> Cluster<'a> {
    pub(crate) fn create_primitive_actions(&mut self, resource: ResourceId) {
        if self.rsc(resource).next_role == Role::Unknown {
            let role = if self.rsc(resource).assigned_to.is_some() { Role::Started } else { Role::Stopped };
            self.rsc_mut(resource).next_role = role;
        }
        let activity = self.activity(resource);
        for node in self.rsc(resource).dangling_migrations.clone() {
            self.resource_action(resource, Task::Stop, Some(node), false);
        }
        let chosen = self.rsc(resource).assigned_to;
        let mut restart = Restart::default();
        let moving = matches!((activity.current, chosen), (Some(from), Some(to)) if from != to)
            && self.rsc(resource).next_role >= Role::Started;
        let mut migrating = false;
        if moving {
            migrating = self.may_migrate(resource, activity.current);
            restart.need_stop = true;
        }
        self.settle_multiple_activity(resource, activity, &mut migrating, &mut restart);
        if self.rsc(resource).start_pending {
            let start = self.resource_action(resource, Task::Start, chosen, true);
            self.act_mut(start).shown = true;
        }
        if !moving {
            self.settle_recovery(resource, activity, &mut restart);
        }
        restart.restarting = true;
        self.plan_restart(resource, restart);
        restart.restarting = false;
        self.plan_role_change(resource, restart);
        self.create_recurring(resource);
        if migrating {
            self.create_migration(resource, activity.current);
        }
    }

    /// Where a resource is active. A migration's source counts most; else, unless the resource waits for fencing, a clean
    /// node; else the first one.
    fn activity(&self, resource: ResourceId) -> Activity {
        let known = self.rsc(resource);
        let fenced = matches!(known.requires, Requires::Fencing | Requires::Unfencing);
        let clean = |node: NodeIndex| self.node(node).online && !self.node(node).unclean;
        let mut found = Activity::default();
        for &node in &known.running_on {
            found.all += 1;
            found.clean += usize::from(clean(node));
            if known.migration_source.is_some() {
                if known.migration_source == Some(node) {
                    found.current = Some(node);
                }
            } else if !fenced && clean(node) && found.current.is_none_or(|current| !clean(current)) {
                found.current = Some(node);
            }
            found.current.get_or_insert(node);
        }
        found
    }

    /// The node where a resource is active, as far as that is one.
    pub(crate) fn current_node(&self, resource: ResourceId) -> Option<NodeIndex> {
        self.activity(resource).current
    }

    /// Decides whether a half-finished migration goes on, and what to do where a resource is active in too many places.
    fn settle_multiple_activity(
        &mut self,
        resource: ResourceId,
        activity: Activity,
        migrating: &mut bool,
        restart: &mut Restart,
    ) {
        let known = self.rsc(resource);
        let several = match (known.migration_source, known.migration_target) {
            (Some(source), Some(target))
                if *migrating
                    && activity.all == 2
                    && activity.current == Some(source)
                    && known.assigned_to == Some(target) =>
            {
                false
            }
            (Some(_), _) | (_, Some(_)) => {
                restart.need_stop = true;
                *migrating = false;
                let known = self.rsc_mut(resource);
                known.migration_source = None;
                known.migration_target = None;
                false
            }
            _ if matches!(known.requires, Requires::Fencing | Requires::Unfencing) => activity.all > 1,
            // What does not wait for fencing may start elsewhere before the fencing.
            _ => activity.clean > 1,
        };
        if several {
            match self.rsc(resource).recovery {
                Recovery::StopStart => restart.need_stop = true,
                Recovery::StopUnexpected => {
                    restart.need_stop = true;
                    restart.stop_unexpected = true;
                }
                Recovery::StopOnly | Recovery::Block => {}
            }
        }
    }

    /// What a resource that stays where it is has to do about a failure.
    fn settle_recovery(&mut self, resource: ResourceId, activity: Activity, restart: &mut Restart) {
        let known = self.rsc(resource);
        if known.failed {
            if known.stop_on_fail {
                restart.need_stop = true;
            } else if known.next_role == Role::Promoted {
                restart.need_promote = true;
            }
        } else if known.blocked {
            restart.need_stop = true;
        } else if known.role > Role::Started
            && activity.current.is_some()
            && let Some(chosen) = known.assigned_to
        {
            let start = self.resource_action(resource, Task::Start, Some(chosen), true);
            restart.need_stop |= !self.act(start).optional;
        }
    }

    /// The steps down to a stop and back to the same role: required, or there for others to require.
    fn plan_restart(&mut self, resource: ResourceId, restart: Restart) {
        let known = self.rsc(resource);
        let (was, next, blocked, chosen) = (known.role, known.next_role, known.blocked, known.assigned_to);
        let mut role = was;
        for _ in 0..STEP_LIMIT {
            if role == Role::Stopped {
                break;
            }
            let lower = step(role, Role::Stopped);
            if !self.take_step(resource, role, lower, chosen, !restart.need_stop, restart) {
                break;
            }
            role = lower;
        }
        for _ in 0..STEP_LIMIT {
            if was > next || role == was || blocked {
                break;
            }
            let higher = step(role, was);
            let required = restart.need_stop || higher == Role::Promoted && restart.need_promote;
            if !self.take_step(resource, role, higher, chosen, !required, restart) {
                break;
            }
            role = higher;
        }
    }

    /// The steps from the role that the resource has to the one that it should have.
    fn plan_role_change(&mut self, resource: ResourceId, restart: Restart) {
        let mut role = self.rsc(resource).role;
        for _ in 0..STEP_LIMIT {
            let (next, chosen) = (self.rsc(resource).next_role, self.rsc(resource).assigned_to);
            if role == next {
                break;
            }
            let step = step(role, next);
            if !self.take_step(resource, role, step, chosen, false, restart) {
                break;
            }
            role = step;
        }
    }

    /// Makes the actions of one step; returns whether there is such a step.
    fn take_step(
        &mut self,
        resource: ResourceId,
        from: Role,
        to: Role,
        node: Option<NodeIndex>,
        optional: bool,
        restart: Restart,
    ) -> bool {
        match (from, to) {
            (Role::Unknown | Role::Started | Role::Unpromoted, Role::Stopped) => {
                self.stop(resource, optional, restart);
            }
            (Role::Stopped, Role::Started | Role::Unpromoted) => {
                self.start(resource, node, optional, restart)
            }
            (Role::Started | Role::Unpromoted, Role::Promoted) => {
                self.promote(resource, node, optional, restart);
            }
            (Role::Promoted, Role::Stopped | Role::Started | Role::Unpromoted) => {
                self.demote(resource, optional, restart);
            }
            (Role::Stopped, Role::Stopped) | (Role::Promoted, Role::Promoted) => {}
            (Role::Started, Role::Started | Role::Unpromoted) | (Role::Unpromoted, Role::Unpromoted) => {}
            _ => return false,
        }
        true
    }

    /// Whether a multiply active resource is where it should be, and so is left alone there.
    fn is_expected(&self, resource: ResourceId, node: NodeIndex, restart: Restart) -> bool {
        let known = self.rsc(resource);
        restart.restarting
            && restart.stop_unexpected
            && known.next_role > Role::Stopped
            && known.assigned_to == Some(node)
    }

    fn stop(&mut self, resource: ResourceId, optional: bool, restart: Restart) {
        let mut optional = optional;
        for node in self.rsc(resource).running_on.clone() {
            if self.is_expected(resource, node, restart) {
                continue;
            }
            let known = self.rsc(resource);
            let chosen = known.assigned_to;
            if let Some(target) = known.migration_target {
                if target == node && chosen == Some(node) {
                    continue;
                }
                optional = false;
            }
            let stop = self.resource_action(resource, Task::Stop, Some(node), optional);
            if chosen.is_none() {
                self.give_reason(stop, "node availability", true);
            } else if restart.restarting && restart.stop_unexpected {
                self.give_reason(stop, "being multiply active", true);
            }
            if !self.rsc(resource).managed {
                self.act_mut(stop).runnable = false;
            }
            if self.rsc(resource).requires == Requires::Unfencing {
                let unfencing = self.unfencing_of(node);
                self.order_actions(stop, unfencing, relation::THEN_IMPLIES_FIRST);
            }
        }
    }

    fn start(&mut self, resource: ResourceId, node: Option<NodeIndex>, optional: bool, restart: Restart) {
        // A start that is not possible is not asked for either, unless something else requires it.
        let start = self.resource_action(resource, Task::Start, node, true);
        if let Some(node) = node {
            self.order_after_unfencing(resource, node, start, relation::FIRST_IMPLIES_THEN);
        }
        if !optional && self.act(start).runnable {
            self.act_mut(start).optional = false;
        }
        if node.is_some_and(|node| self.is_expected(resource, node, restart)) {
            self.act_mut(start).pseudo = true;
        }
    }

    /// A promotion is possible only where every start is.
    fn promote(&mut self, resource: ResourceId, node: Option<NodeIndex>, optional: bool, restart: Restart) {
        let Some(node) = node else { return };
        let here = |action: &Action| action.node == Some(node);
        let possible = self
            .actions_of(resource, Task::Start, 0)
            .all(|start| !here(self.act(start)) || self.act(start).runnable);
        if possible {
            let promote = self.resource_action(resource, Task::Promote, Some(node), optional);
            if self.is_expected(resource, node, restart) {
                self.act_mut(promote).pseudo = true;
            }
        } else if let Some(promote) = self.action_on(resource, Task::Promote, node) {
            self.act_mut(promote).runnable = false;
        }
    }

    fn demote(&mut self, resource: ResourceId, optional: bool, restart: Restart) {
        for node in self.rsc(resource).running_on.clone() {
            if !self.is_expected(resource, node, restart) {
                self.resource_action(resource, Task::Demote, Some(node), optional);
            }
        }
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
        if self.in_promotable(resource) || self.rsc(resource).role > Role::Unpromoted {
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
        // History is not forgotten where it is about to be asked for.
        self.order_tasks(
            (resource, Task::LrmDelete),
            (resource, Task::Monitor),
            relation::IF_ON_SAME_NODE | relation::THEN_CANCELS_FIRST,
        );
        self.order_around_unfencing(resource);
        self.order_load(resource);
        if let Some(container) = self.rsc(resource).container {
            self.order_tasks(
                (container, Task::Start),
                (resource, Task::Start),
                relation::FIRST_IMPLIES_THEN | relation::UNRUNNABLE_FIRST_BLOCKS,
            );
            self.order_tasks((resource, Task::Stop), (container, Task::Stop), relation::THEN_IMPLIES_FIRST);
        }
    }

    /// Where capacity counts, what leaves a node leaves before anything arrives.
    fn order_load(&mut self, resource: ResourceId) {
        if self.properties.placement == Placement::Default || self.rsc(resource).utilization.is_empty() {
            return;
        }
        for node in self.rsc(resource).running_on.clone() {
            let load = self.load_stopped(node);
            self.order(
                End::Task(resource, Task::Stop),
                End::Action(load),
                relation::IF_ON_SAME_NODE_OR_TARGET,
            );
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
        let known = self.free_actions.iter().copied().find(|action| {
            let action = self.act(*action);
            action.task == Task::LoadStopped && action.node == Some(node)
        });
        if let Some(known) = known {
            return known;
        }
        let key = format!("load_stopped_{}", self.node(node).uname);
        let action = self.free_action(Task::LoadStopped, &key, Some(node), false);
        self.act_mut(action).pseudo = true;
        action
    }
}
