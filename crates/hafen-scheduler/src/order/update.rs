//! Making all actions agree with all relations: a worklist that runs until nothing changes.

use super::relation::{
    ASYMMETRIC, FIRST_ELSE_THEN, FIRST_IMPLIES_SAME_NODE_THEN, FIRST_IMPLIES_THEN,
    FIRST_IMPLIES_THEN_GRAPHED, IF_ON_SAME_NODE, INTERMEDIATE_STOP, MIN_RUNNABLE, ORDERED,
    PROMOTED_THEN_IMPLIES_FIRST, THEN_CANCELS_FIRST, THEN_IMPLIES_FIRST, THEN_IMPLIES_FIRST_GRAPHED,
    UNMIGRATABLE_THEN_BLOCKS, UNRUNNABLE_FIRST_BLOCKS,
};
use crate::actions::Loss;
use crate::model::{ActionId, Cluster, NodeIndex, ResourceId, Task, Variant};
use crate::order::flags::Flags;

/// Rounds per action after which the walk ends although actions still disagree (a loop in the configuration).
const ROUND_LIMIT: usize = 200;

/// What one relation changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changed {
    pub(crate) first: bool,
    pub(crate) then: bool,
}

impl Changed {
    pub(crate) fn merge(&mut self, other: Changed) {
        self.first |= other.first;
        self.then |= other.then;
    }
}

/// A look at an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Visit {
    action: ActionId,
    /// Where a look goes on that made way for something more urgent.
    rest: Option<Rest>,
}

/// What is left of a look at an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rest {
    /// How many of the relations to what comes before it.
    relations: usize,
    changed: bool,
    was_runnable: bool,
    was_optional: bool,
}

/// Actions to look at again, the last one first. What is listed again moves to the front: which of several causes comes
/// first decides which reason an action gets.
#[derive(Debug, Default)]
pub(crate) struct Worklist {
    /// An action may be here several times; all but the last are void.
    open: Vec<Visit>,
    listed: Vec<bool>,
}

impl Worklist {
    pub(crate) fn push(&mut self, action: ActionId) {
        let at = action.0 as usize;
        if at >= self.listed.len() {
            self.listed.resize(at + 1, false);
        }
        let visit = Visit { action, rest: None };
        let again = std::mem::replace(&mut self.listed[at], true);
        if !again || self.open.last() != Some(&visit) {
            self.open.push(visit);
        }
    }

    fn pop(&mut self) -> Option<Visit> {
        loop {
            let visit = self.open.pop()?;
            if visit.rest.is_some() || std::mem::replace(&mut self.listed[visit.action.0 as usize], false) {
                return Some(visit);
            }
        }
    }
}

impl Cluster<'_> {
    /// Looks at every action, and again at those around a change, until all agree.
    pub(crate) fn update_all_actions(&mut self) {
        let count = u32::try_from(self.actions.len()).unwrap_or(u32::MAX);
        for at in (0..count).rev() {
            self.block_colocation_dependents(ActionId(at));
        }
        let mut budget = self.actions.len().saturating_mul(ROUND_LIMIT);
        // Each has its turn, even if it was looked at before because of another one: a joint that it waits for may have
        // learned something since.
        for at in (0..count).rev() {
            self.worklist.push(ActionId(at));
            while let Some(visit) = self.worklist.pop() {
                if budget == 0 {
                    self.warnings.push("The ordering constraints contradict each other".to_owned());
                    return;
                }
                budget -= 1;
                let rest = visit.rest.unwrap_or_else(|| self.begin_visit(visit.action));
                self.update_action(visit.action, rest);
            }
        }
    }

    pub(crate) fn look_again_at(&mut self, action: ActionId) {
        self.worklist.push(action);
    }

    pub(crate) fn look_again_after(&mut self, action: ActionId) {
        for at in 0..self.act(action).after.len() {
            let after = self.act(action).after[at].0;
            self.worklist.push(after);
        }
    }

    fn begin_visit(&mut self, then: ActionId) -> Rest {
        let known = self.act(then);
        let (was_runnable, was_optional) = (known.runnable, known.optional);
        if known.needs_some {
            // Judged anew by counting.
            let known = self.act_mut(then);
            known.runnable = false;
            known.possible_firsts = 0;
            known.needed_firsts = known.needed_firsts.max(1);
        }
        // A joint learns from its parts.
        self.flags_of(then, None);
        let relations = self.act(then).before.len();
        Rest { relations, changed: false, was_runnable, was_optional }
    }

    fn update_action(&mut self, then: ActionId, rest: Rest) {
        let mut rest = rest;
        let counts = self.act(then).needs_some;
        // The newest first, as everywhere in this walk.
        while rest.relations > 0 {
            rest.relations -= 1;
            let Some(&(first, flags)) = self.act(then).before.get(rest.relations) else { continue };
            if flags == 0 {
                continue;
            }
            let (changed, disabled) = self.update_pair(first, then, flags);
            if disabled {
                self.act_mut(then).before[rest.relations].1 = 0;
            }
            rest.changed |= changed.then;
            if changed.first {
                if !counts {
                    self.worklist.open.push(Visit { action: then, rest: Some(rest) });
                }
                self.look_again_at(first);
                self.look_again_after(first);
                if !counts {
                    return;
                }
            }
        }
        let known = self.act(then);
        if counts {
            rest.changed = (rest.was_optional, rest.was_runnable) != (known.optional, known.runnable);
        }
        if rest.changed {
            if rest.was_runnable && !known.runnable {
                self.block_colocation_dependents(then);
            }
            self.look_again_after(then);
            self.look_again_at(then);
        }
    }

    /// Applies one relation. Says, too, whether it has become void.
    fn update_pair(&mut self, first: ActionId, then: ActionId, flags: u32) -> (Changed, bool) {
        let (first_node, then_node) = (self.place_of(first), self.place_of(then));
        if flags & IF_ON_SAME_NODE != 0
            && let (Some(first_node), Some(then_node)) = (first_node, then_node)
            && first_node != then_node
        {
            return (Changed::default(), true);
        }
        if flags & THEN_CANCELS_FIRST != 0 && !self.act(then).optional {
            self.act_mut(first).optional = true;
            if self.act(first).task == Task::ReloadAgent
                && let Some(resource) = self.act(first).resource
            {
                self.rsc_mut(resource).reload = false;
            }
        }
        let end = self.end_of(first, then);
        if end != first {
            // The relation holds between its end and `then` from now on.
            let fresh = self.relate(end, then, flags);
            return (Changed { first: false, then: fresh }, fresh);
        }
        let first_flags = self.flags_for_relation(first, then_node);
        let mut changed = self.apply_relation(first, then, first_flags, flags);
        if flags & THEN_IMPLIES_FIRST_GRAPHED != 0
            && !self.act(first).shown
            && !self.flags_for_relation(then, first_node).optional
        {
            self.act_mut(first).shown = true;
            changed.first = true;
        }
        (changed, false)
    }

    /// What is waited for: the end of what something made of parts does, except within it.
    fn end_of(&self, first: ActionId, then: ActionId) -> ActionId {
        let (Some(first_resource), Some(then_resource)) = (self.act(first).resource, self.act(then).resource)
        else {
            return first;
        };
        if first_resource == then_resource || self.is_within(then_resource, first_resource) {
            return first;
        }
        self.remapped_first(first)
    }

    /// Whether a resource is part of another, at any depth.
    pub(crate) fn is_within(&self, resource: ResourceId, container: ResourceId) -> bool {
        let mut at = self.rsc(resource).parent;
        while let Some(parent) = at {
            if parent == container {
                return true;
            }
            at = self.rsc(parent).parent;
        }
        false
    }

    fn place_of(&self, action: ActionId) -> Option<NodeIndex> {
        let known = self.act(action);
        if let Some(resource) = known.resource
            && self.rsc(resource).variant == Variant::Group
            && known.task == Task::Start
        {
            let places = self.assigned_nodes(resource);
            return if places.len() == 1 { places.first().copied() } else { None };
        }
        known.node
    }

    fn apply_relation(&mut self, first: ActionId, then: ActionId, first_flags: Flags, flags: u32) -> Changed {
        let mut changed = Changed::default();
        let mut flags = flags;
        let mut node = self.act(then).node;
        if flags & FIRST_IMPLIES_SAME_NODE_THEN != 0 {
            flags = flags & !FIRST_IMPLIES_SAME_NODE_THEN | FIRST_IMPLIES_THEN;
            node = self.act(first).node;
        }
        if self.act(then).resource.is_some() {
            for kind in [
                FIRST_IMPLIES_THEN,
                INTERMEDIATE_STOP,
                THEN_IMPLIES_FIRST,
                PROMOTED_THEN_IMPLIES_FIRST,
                MIN_RUNNABLE,
                UNRUNNABLE_FIRST_BLOCKS,
                UNMIGRATABLE_THEN_BLOCKS,
                FIRST_ELSE_THEN,
                ORDERED,
                ASYMMETRIC,
            ] {
                if flags & kind != 0 && self.matters(first, then, first_flags, kind) {
                    changed.merge(self.update_ordered(first, then, node, first_flags, kind));
                }
            }
        } else {
            self.apply_to_free_action(first, then, first_flags, flags, &mut changed);
        }
        let first_happens = self.act(first).runnable && !first_flags.optional;
        // That something is shown changes nothing for others: nobody looks again because of that.
        if flags & FIRST_IMPLIES_THEN_GRAPHED != 0 && first_happens {
            self.act_mut(then).shown = true;
        }
        self.block_behind_unmanaged_stop(first, then, flags, &mut changed);
        changed
    }

    /// Whether a relation of one kind can change anything as things are: most cannot.
    fn matters(&self, first: ActionId, then: ActionId, flags: Flags, kind: u32) -> bool {
        let idle = match kind {
            FIRST_IMPLIES_THEN => flags.optional,
            UNRUNNABLE_FIRST_BLOCKS => flags.runnable,
            FIRST_ELSE_THEN | ASYMMETRIC => self.act(first).runnable,
            PROMOTED_THEN_IMPLIES_FIRST => self.act(then).optional,
            MIN_RUNNABLE | ORDERED => true,
            _ => false,
        };
        // Clones that interleave hand every relation on to their instances.
        !idle || self.can_interleave(first, then)
    }

    /// Relations to an action that belongs to no resource.
    fn apply_to_free_action(
        &mut self,
        first: ActionId,
        then: ActionId,
        first_flags: Flags,
        flags: u32,
        changed: &mut Changed,
    ) {
        if flags & FIRST_IMPLIES_THEN != 0 && !first_flags.optional && self.act(then).optional {
            self.act_mut(then).optional = false;
            changed.then = true;
        }
        if flags & THEN_IMPLIES_FIRST != 0 && self.act(first).resource.is_some() {
            changed.merge(self.update_alone(first, then, first_flags, THEN_IMPLIES_FIRST));
        }
        if flags & MIN_RUNNABLE != 0 && first_flags.runnable {
            let known = self.act_mut(then);
            known.possible_firsts += 1;
            if !known.runnable && known.possible_firsts >= known.needed_firsts {
                known.runnable = true;
                changed.then = true;
            }
        }
        if flags & UNRUNNABLE_FIRST_BLOCKS != 0 && !first_flags.runnable && self.act(then).runnable {
            self.act_mut(then).runnable = false;
            changed.then = true;
        }
    }

    /// A stop that cannot happen because its resource is blocked and not managed holds up whatever waits for it.
    fn block_behind_unmanaged_stop(
        &mut self,
        first: ActionId,
        then: ActionId,
        flags: u32,
        changed: &mut Changed,
    ) {
        if flags & (THEN_IMPLIES_FIRST | FIRST_IMPLIES_THEN | INTERMEDIATE_STOP) == 0 {
            return;
        }
        let known = self.act(first);
        let Some(resource) = known.resource else { return };
        if known.task == Task::Stop
            && !known.runnable
            && !self.rsc(resource).managed
            && self.rsc(resource).blocked
            && self.act(then).runnable
        {
            self.lose(then, Loss::Runnable, first);
            changed.then = true;
        }
    }
}
