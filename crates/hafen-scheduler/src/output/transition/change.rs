//! Which word describes what a plan does to a resource.

use super::{Change, Verb};
use crate::model::{ActionId, Cluster, NodeIndex, Recovery, ResourceId, Role, Task, Variant};

impl Cluster<'_> {
    pub(crate) fn changes(&self) -> Vec<Change> {
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

    fn add_changes(&self, changes: &mut Vec<Change>, resource: ResourceId) {
        let known = self.rsc(resource);
        let current = self.current_node(resource);
        let next = known.assigned_to;
        if !known.managed || (current.is_none() && (next.is_none() || known.orphan)) {
            return;
        }
        // Planning a recovery leaves a role of "stopped" on what is active.
        let role = if current.is_some() && known.role <= Role::Stopped { Role::Started } else { known.role };
        let mut telling = Telling {
            changes,
            resource,
            current,
            next,
            moved: matches!((current, next), (Some(current), Some(next)) if current != next),
            role,
            next_role: known.next_role,
            start: next.and_then(|next| self.action_on(resource, Task::Start, next)),
            stop: None,
        };
        let possible = telling.start.is_some_and(|start| self.act(start).runnable);
        telling.stop = match current {
            Some(current) if possible => self.action_on(resource, Task::Stop, current).or_else(|| {
                // It stays there, but stops elsewhere.
                let unexpected = known.recovery == Recovery::StopUnexpected;
                unexpected.then(|| self.actions_of(resource, Task::Stop, 0).next()).flatten()
            }),
            _ => self.actions_of(resource, Task::Stop, 0).next(),
        };
        if role == known.next_role {
            self.tell_same_role(&mut telling, possible);
        } else {
            self.tell_other_role(&mut telling, possible);
        }
    }

    fn is_required(&self, action: Option<ActionId>) -> bool {
        action.is_some_and(|action| !self.act(action).optional)
    }

    /// Which of a stop and a start that replaces it knows why: the stop, if it has a reason.
    fn who_knows(&self, stop: Option<ActionId>, start: Option<ActionId>) -> Option<ActionId> {
        stop.filter(|stop| self.act(*stop).reason.is_some()).or(start)
    }

    fn tell_same_role(&self, telling: &mut Telling<'_>, possible: bool) {
        let known = self.rsc(telling.resource);
        let (current, next, start, stop) = (telling.current, telling.next, telling.start, telling.stop);
        let there = |task: Task| next.and_then(|next| self.action_on(telling.resource, task, next));
        let arrive = there(Task::MigrateFrom).filter(|arrive| self.act(*arrive).runnable);
        if self.is_required(arrive) {
            telling.add(Verb::Migrate, current, next, start.or(arrive), None);
        } else if known.reload {
            telling.add(Verb::Reload, current, next, start, None);
        } else if !self.is_required(start) {
            let (promote, demote) = (there(Task::Promote), there(Task::Demote));
            if self.is_required(demote) && self.is_required(promote) {
                telling.add(Verb::RePromote, current, next, promote, demote);
            }
        } else if !possible {
            telling.add(Verb::Stop, current, None, stop, self.who_knows(stop, start));
        } else if telling.moved {
            telling.add(if known.failed { Verb::Recover } else { Verb::Move }, current, next, stop, None);
        } else if known.failed {
            telling.add(Verb::Recover, current, None, stop, None);
        } else {
            telling.add(Verb::Restart, current, next, start, None);
        }
    }

    fn tell_other_role(&self, telling: &mut Telling<'_>, possible: bool) {
        let known = self.rsc(telling.resource);
        let (current, next, start, stop) = (telling.current, telling.next, telling.start, telling.stop);
        let there = |task: Task| next.and_then(|next| self.action_on(telling.resource, task, next));
        let stopping = known.next_role <= Role::Stopped || start.is_some() && !possible;
        if stop.is_some() && stopping {
            for &node in &known.running_on {
                let stop = self.action_on(telling.resource, Task::Stop, node);
                telling.add(Verb::Stop, Some(node), None, stop, self.who_knows(stop, start));
            }
        } else if stop.is_some() && known.failed && known.stop_on_fail {
            telling.add(Verb::Recover, current, next, stop, start);
        } else if telling.moved {
            telling.add(Verb::Move, current, next, stop, None);
        } else if known.reload {
            telling.add(Verb::Reload, current, next, start, None);
        } else if self.is_required(stop) {
            telling.add(Verb::Restart, current, next, start, None);
        } else if telling.role == Role::Promoted {
            telling.add(Verb::Demote, current, next, there(Task::Demote), None);
        } else if known.next_role == Role::Promoted {
            telling.add(Verb::Promote, current, next, there(Task::Promote), None);
        } else if telling.role <= Role::Stopped && known.next_role > Role::Stopped {
            telling.add(Verb::Start, current, next, start, None);
        }
    }
}

/// What is told about one resource.
struct Telling<'c> {
    changes: &'c mut Vec<Change>,
    resource: ResourceId,
    current: Option<NodeIndex>,
    next: Option<NodeIndex>,
    moved: bool,
    role: Role,
    next_role: Role,
    start: Option<ActionId>,
    stop: Option<ActionId>,
}

impl Telling<'_> {
    fn add(
        &mut self,
        verb: Verb,
        from: Option<NodeIndex>,
        to: Option<NodeIndex>,
        action: Option<ActionId>,
        source: Option<ActionId>,
    ) {
        let &mut Telling { resource, role, next_role, .. } = self;
        self.changes.push(Change { resource, verb, from, to, action, source, role, next_role });
    }
}
