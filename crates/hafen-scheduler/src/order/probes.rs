//! Probes come before what their results may change.

use super::relation::IF_REQUIRED_ON_SAME_NODE;
use super::relation::{FIRST_IMPLIES_THEN, ORDERED};
use super::{End, Order};
use crate::model::{ActionId, Cluster, Task, Variant};
use crate::score::INFINITY;

impl<'a> Cluster<'a> {
    /// What waits for a stop waits for the probes that may find something to stop.
    pub(crate) fn order_probes_before_stops(&mut self) {
        let mut more = Vec::new();
        for order in &self.orders {
            let (End::Task(first, Task::Stop), End::Task(then, task)) = (&order.first, &order.then) else {
                continue;
            };
            let same_node_start = *task == Task::Start && order.flags & IF_REQUIRED_ON_SAME_NODE != 0;
            if first == then || !(matches!(*task, Task::Stop | Task::Stopped) || same_node_start) {
                continue;
            }
            for &action in &self.rsc(*first).actions {
                if self.is_probe(action) {
                    let flags = if same_node_start { order.flags } else { ORDERED };
                    more.push(Order { first: End::Action(action), then: order.then.clone(), flags });
                }
            }
        }
        self.orders.extend(more);
    }

    /// What must not share a node comes only after the other has left.
    pub(crate) fn order_anti_colocated(&mut self) {
        for at in 0..self.colocations.len() {
            let colocation = &self.colocations[at];
            if colocation.score > -INFINITY
                || colocation.dependent_role.is_some()
                || colocation.primary_role.is_some()
            {
                continue;
            }
            let (one, other) = (colocation.dependent, colocation.primary);
            if self.rsc(one).variant != Variant::Primitive || self.rsc(other).variant != Variant::Primitive {
                continue;
            }
            self.order_tasks((one, Task::Stop), (other, Task::Start), IF_REQUIRED_ON_SAME_NODE);
            self.order_tasks((other, Task::Stop), (one, Task::Start), IF_REQUIRED_ON_SAME_NODE);
        }
    }

    /// Where order and migration meet: what was started first migrates first.
    pub(crate) fn order_migrations(&mut self, configured: usize) {
        let mut more = Vec::new();
        for order in &self.orders[configured..] {
            let (End::Task(first, first_task), End::Task(then, then_task)) = (&order.first, &order.then)
            else {
                continue;
            };
            let moves = |resource: crate::model::ResourceId| {
                self.rsc(resource)
                    .actions
                    .iter()
                    .any(|action| matches!(self.act(*action).task, Task::MigrateTo | Task::MigrateFrom))
            };
            let (first_moves, then_moves) = (moves(*first), moves(*then));
            if first == then || !then_moves && !first_moves {
                continue;
            }
            let primitive = |resource| self.rsc(resource).variant == Variant::Primitive;
            let mut add = |first_task: Task, then_task: Task| {
                more.push(Order {
                    first: End::Task(*first, first_task),
                    then: End::Task(*then, then_task),
                    flags: order.flags,
                });
            };
            match (*first_task, *then_task) {
                (Task::Start | Task::Running, Task::Start) if then_moves && primitive(*then) => {
                    if first_moves && primitive(*first) {
                        add(Task::MigrateFrom, Task::MigrateTo);
                    } else if self.rsc(*then).parent != Some(*first) {
                        add(*first_task, Task::MigrateTo);
                    }
                }
                (Task::Stop | Task::Stopped, Task::Stop)
                    if then_moves
                        && !first_moves
                        && primitive(*then)
                        && self.rsc(*then).parent != Some(*first) =>
                {
                    add(*first_task, Task::MigrateTo);
                }
                _ => {}
            }
        }
        self.orders.extend(more);
    }

    /// A restart that follows from a start after a probe waits for the probe too.
    pub(crate) fn order_restarts_after_probes(&mut self) {
        let probes: Vec<ActionId> = (0..u32::try_from(self.actions.len()).unwrap_or(u32::MAX))
            .map(ActionId)
            .filter(|action| self.is_probe(*action) && self.act(*action).resource.is_some())
            .collect();
        for probe in probes {
            let mut open: Vec<ActionId> = self.act(probe).after.iter().map(|(after, _)| *after).collect();
            let mut seen: std::collections::BTreeSet<ActionId> = open.iter().copied().collect();
            while let Some(after) = open.pop() {
                let known = self.act(after);
                if known.resource.is_none()
                    || !matches!(known.task, Task::Start | Task::Promote | Task::Running)
                {
                    continue;
                }
                self.order_stops_of(probe, after);
                for (next, flags) in self.act(after).after.clone() {
                    let implies = flags & FIRST_IMPLIES_THEN != 0;
                    if implies && !self.act(next).optional && seen.insert(next) {
                        open.push(next);
                    }
                }
            }
        }
    }

    fn order_stops_of(&mut self, probe: ActionId, after: ActionId) {
        let resource = self.act(after).resource;
        if resource == self.act(probe).resource || self.act(after).optional {
            return;
        }
        for (before, _) in self.act(after).before.clone() {
            let known = self.act(before);
            let same = known.resource == resource;
            let ends = matches!(known.task, Task::Stop | Task::Stopped | Task::Demote | Task::Demoted);
            if same && ends && !self.leads_to(before, probe) {
                self.order_actions(probe, before, ORDERED);
            }
        }
    }

    /// Whether one action already comes before another.
    fn leads_to(&self, from: ActionId, to: ActionId) -> bool {
        let mut seen = std::collections::BTreeSet::from([from]);
        let mut open = vec![from];
        while let Some(at) = open.pop() {
            if at == to {
                return true;
            }
            for (next, _) in &self.act(at).after {
                if seen.insert(*next) {
                    open.push(*next);
                }
            }
        }
        false
    }
}
