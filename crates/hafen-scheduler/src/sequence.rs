//! The order in which the steps of a plan come about.

use std::collections::BTreeSet;

use crate::plan::{Action, Plan};

/// The order in which a plan's steps come about when each takes no time: the list of steps is gone through again and
/// again, and what is ready happens.
pub(crate) struct Sequence {
    /// What can happen: the round, and the place in the list.
    ready: BTreeSet<(u64, usize)>,
    /// For how many others each step waits.
    waiting: Vec<usize>,
    /// Who waits for it.
    followers: Vec<Vec<u32>>,
}

impl Sequence {
    pub(crate) fn of(plan: &Plan) -> Sequence {
        let count = plan.actions.len();
        let mut sequence =
            Sequence { ready: BTreeSet::new(), waiting: vec![0; count], followers: vec![Vec::new(); count] };
        for (at, action) in plan.actions.iter().enumerate() {
            sequence.waiting[at] = action.inputs.len();
            if action.inputs.is_empty() {
                sequence.ready.insert((0, at));
            }
            for input in &action.inputs {
                if let Ok(first) = plan.actions.binary_search_by_key(input, |action| action.id) {
                    sequence.followers[first].push(u32::try_from(at).unwrap_or(u32::MAX));
                }
            }
        }
        sequence
    }

    /// The next step, as its place in the list; what waited for it alone is ready from then on.
    pub(crate) fn next(&mut self) -> Option<usize> {
        let (round, at) = self.ready.pop_first()?;
        for follower in std::mem::take(&mut self.followers[at]) {
            let follower = follower as usize;
            let Some(count) = self.waiting.get_mut(follower) else { continue };
            *count -= 1;
            if *count == 0 {
                // What stands before this step in the list has to wait until the list is gone through again.
                self.ready.insert((if follower > at { round } else { round + 1 }, follower));
            }
        }
        Some(at)
    }
}

impl Plan {
    /// The actions in the order in which they come about when each takes no time; those that wait for each other in a
    /// circle are left out.
    #[must_use]
    pub fn in_order(&self) -> Vec<&Action> {
        let mut sequence = Sequence::of(self);
        std::iter::from_fn(|| sequence.next()).map(|at| &self.actions[at]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{ActionKind, Attributes};

    fn plan(inputs: &[&[u32]]) -> Plan {
        let actions = inputs
            .iter()
            .zip(1..)
            .map(|(inputs, id)| Action {
                id,
                kind: ActionKind::Pseudo { task: "start".into(), operation_key: format!("a{id}_start_0") },
                node: None,
                router: None,
                inputs: inputs.to_vec(),
                priority: 0,
                can_fail: false,
                downed: Vec::new(),
                attributes: Attributes::default(),
            })
            .collect();
        Plan { actions, ..Plan::default() }
    }

    fn order(plan: &Plan) -> Vec<u32> {
        plan.in_order().iter().map(|action| action.id - 1).collect()
    }

    #[test]
    fn what_becomes_ready_behind_happens_in_the_same_round() {
        // 3 frees 1, which stands before it, and 4, which stands behind it; 2 stands before 4 and needs nothing.
        assert_eq!(order(&plan(&[&[3], &[], &[], &[3]])), [1, 2, 3, 0]);
        // The next round begins only when the list is at its end.
        assert_eq!(order(&plan(&[&[2], &[], &[1], &[2]])), [1, 3, 0, 2]);
    }

    #[test]
    fn loops_are_left_out() {
        assert_eq!(order(&plan(&[&[2], &[1], &[], &[2]])), [2]);
        assert_eq!(order(&plan(&[&[9]])), Vec::<u32>::new());
    }
}
