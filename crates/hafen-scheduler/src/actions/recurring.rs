//! Recurring monitors: which should be running, which are, which have to be cancelled.

use super::Key;
use crate::model::{ActionId, Cluster, NodeIndex, ResourceId, Role, Task};
use crate::order::{End, relation};

impl<'a> Cluster<'a> {
    pub(crate) fn create_recurring(&mut self, resource: ResourceId) {
        if self.rsc(resource).maintenance && !self.rsc(resource).managed {
            return;
        }
        for op in self.rsc(resource).ops.clone() {
            if op.interval_ms == 0 || matches!(op.name.as_str(), "start" | "stop" | "promote" | "demote") {
                continue;
            }
            if op.ambiguous {
                let (resource, name) = (self.rsc(resource).id.clone(), &op.name);
                let text = format!(
                    "Ignoring operation '{name}' of '{resource}' every {} ms: it is there more than once",
                    op.interval_ms
                );
                if !self.warnings.contains(&text) {
                    self.warnings.push(text);
                }
                continue;
            }
            let task = self.task(&op.name);
            if op.role == Some(Role::Stopped) {
                self.create_inactive_monitor(resource, task, op.interval_ms, op.enabled);
            } else {
                self.create_active_monitor(resource, task, op.interval_ms, op.role, op.enabled);
            }
        }
    }

    /// Whether history shows the recurring operation as running on a node.
    pub(crate) fn is_recurring_on(
        &self,
        resource: ResourceId,
        node: NodeIndex,
        task: Task,
        interval_ms: u64,
    ) -> bool {
        self.active_recurring.contains(&(resource, node, task, interval_ms))
    }

    fn create_active_monitor(
        &mut self,
        resource: ResourceId,
        task: Task,
        interval_ms: u64,
        role: Option<Role>,
        enabled: bool,
    ) {
        let Some(node) = self.rsc(resource).assigned_to else { return };
        let known = self.rsc(resource);
        let next = known.next_role;
        if !next.is_active() || !enabled {
            return;
        }
        let running = self.is_recurring_on(resource, node, task, interval_ms)
            && self.rsc(resource).running_on.contains(&node);
        let wants_promoted = role == Some(Role::Promoted);
        let fits = if wants_promoted { next == Role::Promoted } else { next != Role::Promoted };
        if !fits {
            if running {
                let cancel = self.cancel(resource, node, task, interval_ms, "changed role");
                let change = if wants_promoted { Task::Demote } else { Task::Promote };
                self.order(End::Action(cancel), End::Task(resource, change), relation::ORDERED);
            }
            return;
        }
        let stale = self.stale_recurring.contains(&(resource, node, task, interval_ms));
        let monitor =
            self.action_for(Some(resource), task, interval_ms, Key::Operation, Some(node), running && !stale);
        if wants_promoted || next == Role::Promoted {
            self.act_mut(monitor).target_rc = Some(8);
        }
        let implied = relation::FIRST_IMPLIES_THEN | relation::UNRUNNABLE_FIRST_BLOCKS;
        self.order(End::Task(resource, Task::Start), End::Action(monitor), implied);
        self.order(End::Task(resource, Task::ReloadAgent), End::Action(monitor), implied);
        if next == Role::Promoted {
            self.order(
                End::Task(resource, Task::Promote),
                End::Action(monitor),
                relation::ORDERED | relation::UNRUNNABLE_FIRST_BLOCKS,
            );
        } else if self.rsc(resource).role == Role::Promoted {
            self.order(
                End::Task(resource, Task::Demote),
                End::Action(monitor),
                relation::ORDERED | relation::UNRUNNABLE_FIRST_BLOCKS,
            );
        }
    }

    /// Cancels a recurring operation.
    pub(crate) fn cancel(
        &mut self,
        resource: ResourceId,
        node: NodeIndex,
        task: Task,
        interval_ms: u64,
        why: &str,
    ) -> ActionId {
        let found = self.rsc(resource).actions.iter().copied().find(|action| {
            let action = self.act(*action);
            action.task == Task::Cancel
                && action.cancels == task
                && action.interval_ms == interval_ms
                && action.node == Some(node)
        });
        if let Some(found) = found {
            return found;
        }
        let id = self.new_action(Some(resource), Task::Cancel, interval_ms, Key::Operation, Some(node));
        let settings = self.settings_for(Some(resource), task, interval_ms);
        let name = self.task_name(task).to_owned();
        let action = self.act_mut(id);
        action.optional = false;
        action.settings = settings;
        action.cancels = task;
        action.meta.insert("operation".into(), name);
        action.reason = Some(why.to_owned());
        id
    }

    /// A monitor that watches that a resource does not run where it should not.
    fn create_inactive_monitor(&mut self, resource: ResourceId, task: Task, interval_ms: u64, enabled: bool) {
        let place = self.rsc(resource).assigned_to;
        for node in self.node_indices() {
            let running = self.is_recurring_on(resource, node, task, interval_ms);
            let active_here = place == Some(node) && self.rsc(resource).next_role.is_active();
            if active_here {
                if running && enabled {
                    let cancel = self.cancel(resource, node, task, interval_ms, "resource is starting");
                    self.order(End::Action(cancel), End::Task(resource, Task::Start), relation::ORDERED);
                    self.order(
                        End::Action(cancel),
                        End::Task(resource, Task::MigrateFrom),
                        relation::ORDERED,
                    );
                }
                continue;
            }
            if !enabled || self.rsc(resource).children.is_empty() && self.anonymous_instance(resource) {
                continue;
            }
            let known = self.node(node);
            if known.ping || known.remote {
                continue;
            }
            let monitor =
                self.action_for(Some(resource), task, interval_ms, Key::Operation, Some(node), running);
            self.act_mut(monitor).target_rc = Some(7);
            self.order_after_probe_and_stops(resource, node, monitor);
            let known = self.node(node);
            if !known.online || known.unclean || known.shutdown || known.standby && known.pending {
                self.act_mut(monitor).runnable = false;
            }
        }
    }

    fn order_after_probe_and_stops(&mut self, resource: ResourceId, node: NodeIndex, monitor: ActionId) {
        for action in self.rsc(resource).actions.clone() {
            let known = self.act(action);
            if known.node != Some(node) || action == monitor {
                continue;
            }
            if known.task == Task::Stop {
                let unrunnable = !known.runnable;
                if unrunnable {
                    self.act_mut(monitor).runnable = false;
                }
                self.order(
                    End::Action(action),
                    End::Action(monitor),
                    relation::FIRST_IMPLIES_THEN | relation::UNRUNNABLE_FIRST_BLOCKS,
                );
            }
        }
        if let Some(probe) = self.action_on(resource, Task::Monitor, node) {
            self.order(End::Action(probe), End::Action(monitor), relation::UNRUNNABLE_FIRST_BLOCKS);
        }
    }

    fn anonymous_instance(&self, resource: ResourceId) -> bool {
        self.clone_of(resource).is_some_and(|clone| !self.rsc(clone).unique)
    }
}
