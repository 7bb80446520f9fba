//! Which actions are part of the plan, and on which of the others each waits.

use std::collections::BTreeSet;

use crate::model::{ActionId, Cluster, Task, Variant};
use crate::order::relation;

/// Relations that only order: they do not change what happens.
const ONLY_ORDER: u32 =
    relation::ORDERED | relation::FIRST_IMPLIES_THEN_GRAPHED | relation::THEN_IMPLIES_FIRST_GRAPHED;

impl Cluster<'_> {
    /// Whether an action is part of the plan.
    pub(crate) fn is_wanted(&self, action: ActionId) -> bool {
        let known = self.act(action);
        if !known.runnable || known.optional && !known.shown {
            return false;
        }
        // What is not managed is only looked at, and no longer looked at.
        let unmanaged = known.resource.is_some_and(|resource| !self.rsc(resource).managed);
        if unmanaged && known.task != Task::Monitor && known.interval_ms == 0 {
            return false;
        }
        if known.pseudo || matches!(known.task, Task::Fence | Task::Shutdown) {
            return true;
        }
        // The coordinator can forget history for a node that is away.
        known.task == Task::LrmDelete
            || known.node.is_some_and(|node| self.node(node).online && !self.node(node).unclean)
    }

    /// The actions on which an action of the plan waits.
    pub(crate) fn inputs_of(&mut self, then: ActionId) -> Vec<ActionId> {
        self.break_load_loops(then);
        self.inputs_as_related(then)
    }

    /// Two migrations that each wait until the other has made room would wait for ever: rather both hosts are full for a
    /// moment.
    fn break_load_loops(&mut self, then: ActionId) {
        if self.act(then).task != Task::MigrateTo {
            return;
        }
        for at in 0..self.act(then).before.len() {
            let (first, flags) = self.act(then).before[at];
            let is_load = flags == relation::IF_ON_SAME_NODE_OR_TARGET;
            if is_load && self.is_input(first, then, flags) && self.waits_for(first, then) {
                self.act_mut(then).before[at].1 = 0;
            }
        }
    }

    /// Whether an action waits for another, directly or not.
    fn waits_for(&self, action: ActionId, other: ActionId) -> bool {
        let mut seen = BTreeSet::from([action]);
        let mut open = vec![action];
        while let Some(at) = open.pop() {
            for input in self.inputs_as_related(at) {
                if input == other {
                    return true;
                }
                if seen.insert(input) {
                    open.push(input);
                }
            }
        }
        false
    }

    /// What stands before an action, in the order of the actions. Several relations between the same two actions count as one that means it all.
    pub(crate) fn relations_before(&self, then: ActionId) -> Vec<(ActionId, u32)> {
        let mut relations = self.act(then).before.clone();
        relations.sort_unstable_by_key(|(first, _)| *first);
        relations.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 |= next.1;
            }
            same
        });
        relations
    }

    pub(crate) fn inputs_as_related(&self, then: ActionId) -> Vec<ActionId> {
        let relations = self.relations_before(then);
        // What is required, and yet not part of the plan, is waited for in vain.
        let required = |first: ActionId| !self.seen_by(then, first).0 || self.act(first).shown;
        relations
            .into_iter()
            .filter(|(first, _)| required(*first))
            .filter(|(first, flags)| self.is_input(*first, then, *flags))
            .map(|(first, _)| first)
            .collect()
    }

    /// Whether a relation makes one action of the plan wait for another.
    fn is_input(&self, first: ActionId, then: ActionId, flags: u32) -> bool {
        let (known, other) = (self.act(first), self.act(then));
        if flags == 0 {
            return false;
        }
        if !self.seen_by(then, first).1
            && (flags & !ONLY_ORDER == 0
                || flags & (relation::MIN_RUNNABLE | relation::UNMIGRATABLE_THEN_BLOCKS) != 0)
        {
            return false;
        }
        // What the order means for migrations has relations of its own.
        let migrates = known.migratable && known.runnable;
        if flags & relation::IF_FIRST_UNMIGRATABLE != 0 && migrates {
            return false;
        }
        if flags == relation::ORDERED && known.migratable && known.task == Task::Stop {
            return false;
        }
        if flags == relation::IF_ON_SAME_NODE_OR_TARGET {
            // What a migration brings counts where it arrives.
            let place = match other.resource {
                Some(resource) if other.task == Task::MigrateTo => self.rsc(resource).assigned_to,
                _ => other.node,
            };
            return known.node == place && !known.optional;
        }
        if flags == relation::IF_REQUIRED_ON_SAME_NODE {
            // Joints are on no node, and concern all.
            let apart = known.node.zip(other.node).is_some_and(|(one, another)| one != another);
            return !apart && !known.optional;
        }
        !self.fails_unmanaged(first, then)
    }

    /// A stop that failed where the resource is not managed does not hold up the shutdown of a clone.
    fn fails_unmanaged(&self, first: ActionId, then: ActionId) -> bool {
        let (Some(first_resource), Some(then_resource)) = (self.act(first).resource, self.act(then).resource)
        else {
            return false;
        };
        let resource = self.rsc(first_resource);
        first_resource != then_resource
            && resource.failed
            && !resource.managed
            && self.act(first).task == Task::Stop
            && self.rsc(then_resource).variant == Variant::Clone
    }
}
