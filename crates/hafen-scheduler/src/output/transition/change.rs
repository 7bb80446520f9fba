//! Which word describes what a plan does to a resource.

use super::{Change, Verb};
use crate::model::{ActionId, Cluster, NodeIndex, ResourceId, Role, Task, Variant};

impl Cluster<'_> {
    pub(super) fn changes(&self) -> Vec<Change> {
        let mut changes = Vec::new();
        for top in &self.top {
            // Assigning has put the instances of clones into an order of its own.
            let mut instances = self.rsc(*top).children.clone();
            if self.rsc(*top).variant == Variant::Clone {
                instances.sort_by_key(|instance| self.rsc(*instance).instance);
            }
            let parts = if instances.is_empty() { vec![*top] } else { instances };
            for member in parts.into_iter().flat_map(|part| self.family_in_order(part)) {
                if self.rsc(member).variant == Variant::Primitive {
                    self.add_changes(&mut changes, member);
                }
            }
        }
        changes
    }

    fn required(&self, action: ActionId) -> bool {
        !self.act(action).optional
    }

    fn add_changes(&self, changes: &mut Vec<Change>, resource: ResourceId) {
        let known = self.rsc(resource);
        let current = self.current_node(resource);
        let next = known.assigned_to;
        if !known.managed || (current.is_none() && (next.is_none() || known.orphan)) {
            return;
        }
        // Planning a recovery leaves a role of "stopped" on what is active.
        let role = if current.is_some() && known.role <= Role::Stopped { Role::Started } else { known.role };
        let on =
            |task: Task, node: Option<NodeIndex>| node.and_then(|node| self.action_on(resource, task, node));
        let start = on(Task::Start, next);
        let impossible = start.is_none_or(|start| !self.act(start).runnable);
        let stops_at = if impossible { None } else { current };
        let stop = match stops_at {
            Some(node) => self.action_on(resource, Task::Stop, node),
            None => self.actions_of(resource, Task::Stop, 0).next(),
        };
        let stop = stop.or_else(|| {
            let unexpected = known.recovery == crate::model::Recovery::StopUnexpected;
            unexpected.then(|| self.actions_of(resource, Task::Stop, 0).next()).flatten()
        });
        let (promote, demote) = (on(Task::Promote, next), on(Task::Demote, next));
        let mut add = |verb: Verb,
                       from: Option<NodeIndex>,
                       to: Option<NodeIndex>,
                       action: Option<ActionId>,
                       source: Option<ActionId>| {
            let next_role = known.next_role;
            changes.push(Change { resource, verb, from, to, action, source, role, next_role });
        };
        let moved = matches!((current, next), (Some(current), Some(next)) if current != next);
        if role == known.next_role {
            let arrive = on(Task::MigrateFrom, next).filter(|action| self.act(*action).runnable);
            let required = |action: Option<ActionId>| action.is_some_and(|action| self.required(action));
            if let Some(arrive) = arrive.filter(|arrive| self.required(*arrive)) {
                add(Verb::Migrate, current, next, start.or(Some(arrive)), None);
            } else if known.reload {
                add(Verb::Reload, current, next, start, None);
            } else if !required(start) {
                if required(demote) && required(promote) {
                    add(Verb::RePromote, current, next, promote, demote);
                }
            } else if impossible {
                let told = stop.filter(|stop| self.act(*stop).reason.is_some());
                add(Verb::Stop, current, None, stop, told.or(start));
            } else if moved {
                add(if known.failed { Verb::Recover } else { Verb::Move }, current, next, stop, None);
            } else if known.failed {
                add(Verb::Recover, current, None, stop, None);
            } else {
                add(Verb::Restart, current, next, start, None);
            }
            return;
        }
        let stopping = known.next_role <= Role::Stopped || start.is_some() && impossible;
        if stop.is_some() && stopping {
            for &node in &known.running_on {
                let stop = self.action_on(resource, Task::Stop, node);
                let told = stop.filter(|stop| self.act(*stop).reason.is_some());
                add(Verb::Stop, Some(node), None, stop, told.or(start));
            }
        } else if stop.is_some() && known.failed && known.stop_on_fail {
            add(Verb::Recover, current, next, stop, start);
        } else if moved {
            add(Verb::Move, current, next, stop, None);
        } else if known.reload {
            add(Verb::Reload, current, next, start, None);
        } else if stop.is_some_and(|stop| self.required(stop)) {
            add(Verb::Restart, current, next, start, None);
        } else if role == Role::Promoted {
            add(Verb::Demote, current, next, demote, None);
        } else if known.next_role == Role::Promoted {
            add(Verb::Promote, current, next, promote, None);
        } else if role <= Role::Stopped && known.next_role > Role::Stopped {
            add(Verb::Start, current, next, start, None);
        }
    }
}
