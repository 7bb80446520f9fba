//! How actions look when the graph gets to them: a clone learns what it has to tell only when its own turn comes, and what
//! stands before it in the graph has seen it as it was.

use std::collections::BTreeMap;

use crate::model::{ActionId, Cluster, ResourceId};

/// An action as it was before its clone's turn.
#[derive(Clone, Copy, Debug)]
struct Before {
    /// The clone's turn.
    turn: usize,
    optional: bool,
    runnable: bool,
}

/// What changed while the graph was made.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The turn of each resource, by its number.
    turns: Vec<usize>,
    before: BTreeMap<ActionId, Before>,
}

impl Cluster<'_> {
    /// The turns of all resources: those of the outermost that they belong to.
    pub(crate) fn count_turns(&mut self) {
        let mut turns = vec![usize::MAX; self.resources.len()];
        for (turn, top) in self.top.iter().enumerate() {
            for member in self.family(*top) {
                turns[member.0 as usize] = turn;
            }
        }
        self.seen.turns = turns;
    }

    /// The actions of a clone and its parts, as they are.
    pub(crate) fn states_in(&self, clone: ResourceId) -> Vec<(ActionId, bool, bool)> {
        let state = |action: &ActionId| (*action, self.act(*action).optional, self.act(*action).runnable);
        self.family(clone).into_iter().flat_map(|member| self.rsc(member).actions.iter().map(state)).collect()
    }

    /// Remembers what a clone's turn has changed.
    pub(crate) fn remember_turn(&mut self, turn: usize, states: &[(ActionId, bool, bool)]) {
        for &(action, optional, runnable) in states {
            let known = self.act(action);
            if (known.optional, known.runnable) != (optional, runnable) {
                self.seen.before.insert(action, Before { turn, optional, runnable });
            }
        }
    }

    /// Whether an action need not happen, and whether it can, as another one saw it.
    pub(crate) fn seen_by(&self, then: ActionId, action: ActionId) -> (bool, bool) {
        let known = self.act(action);
        if let Some(before) = self.seen.before.get(&action) {
            let turn = |resource: ResourceId| self.seen.turns.get(resource.0 as usize).copied();
            let turn = self.act(then).resource.and_then(turn).unwrap_or(usize::MAX);
            if turn < before.turn {
                return (before.optional, before.runnable);
            }
        }
        (known.optional, known.runnable)
    }
}
