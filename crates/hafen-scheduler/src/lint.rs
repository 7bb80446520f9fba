//! A linter for plans: what must hold of every plan, whatever the CIB was.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::plan::{ActionKind, Plan, ResourceRef};

/// What is wrong with a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Two actions share a number.
    DuplicateId(u32),
    /// An action waits for one that is not part of the plan.
    DanglingInput(u32, u32),
    /// Actions wait for each other.
    Cycle(u32),
    /// Something starts that does not wait for its own stop elsewhere (its key follows).
    StartsBeforeStop(String),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::DuplicateId(id) => write!(f, "two actions have the number {id}"),
            Problem::DanglingInput(id, input) => {
                write!(f, "action {id} waits for {input}, which does not exist")
            }
            Problem::Cycle(id) => write!(f, "action {id} waits for itself"),
            Problem::StartsBeforeStop(key) => write!(f, "{key} does not wait for its stop"),
        }
    }
}

/// All problems of a plan; none for every plan that the scheduler makes.
#[must_use]
pub fn lint(plan: &Plan) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut ids = BTreeSet::new();
    for action in &plan.actions {
        if !ids.insert(action.id) {
            problems.push(Problem::DuplicateId(action.id));
        }
    }
    for action in &plan.actions {
        for input in &action.inputs {
            if !ids.contains(input) {
                problems.push(Problem::DanglingInput(action.id, *input));
            }
        }
    }
    let reach = Reach::of(plan);
    if let Some(id) = reach.cycle {
        problems.push(Problem::Cycle(id));
    } else {
        check_starts(plan, &mut problems);
    }
    problems
}

/// The order in which actions can run.
struct Reach {
    cycle: Option<u32>,
}

impl Reach {
    fn of(plan: &Plan) -> Reach {
        let mut waiting: BTreeMap<u32, usize> =
            plan.actions.iter().map(|action| (action.id, action.inputs.len())).collect();
        let mut followers: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for action in &plan.actions {
            for input in &action.inputs {
                followers.entry(*input).or_default().push(action.id);
            }
        }
        let mut ready: Vec<u32> =
            waiting.iter().filter(|(_, count)| **count == 0).map(|(id, _)| *id).collect();
        let mut done = 0;
        while let Some(id) = ready.pop() {
            done += 1;
            for follower in followers.get(&id).into_iter().flatten() {
                if let Some(count) = waiting.get_mut(follower) {
                    *count -= 1;
                    if *count == 0 {
                        ready.push(*follower);
                    }
                }
            }
        }
        let stuck = waiting.iter().find(|(_, count)| **count > 0).map(|(id, _)| *id);
        Reach { cycle: if done < plan.actions.len() { stuck } else { None } }
    }
}

/// A start must come after every stop of the same resource in the plan, real or implied by fencing.
fn check_starts(plan: &Plan, problems: &mut Vec<Problem>) {
    // Not by id: in a damaged CIB two resources may share one.
    let mut stops: BTreeMap<*const ResourceRef, Vec<u32>> = BTreeMap::new();
    for action in &plan.actions {
        if let ActionKind::Resource { resource, task, .. } = &action.kind
            && task == "stop"
            && resource.long_id.is_none()
        {
            stops.entry(Arc::as_ptr(resource)).or_default().push(action.id);
        }
    }
    for action in &plan.actions {
        let ActionKind::Resource { resource, task, operation_key, .. } = &action.kind else { continue };
        if task != "start" || resource.long_id.is_some() {
            continue;
        }
        for stop in stops.get(&Arc::as_ptr(resource)).into_iter().flatten() {
            if !comes_before(plan, *stop, action.id) {
                problems.push(Problem::StartsBeforeStop(operation_key.clone()));
            }
        }
    }
}

fn comes_before(plan: &Plan, first: u32, then: u32) -> bool {
    let mut seen = BTreeSet::from([then]);
    let mut open = vec![then];
    while let Some(id) = open.pop() {
        if id == first {
            return true;
        }
        for input in plan.action(id).map(|action| action.inputs.as_slice()).unwrap_or_default() {
            if seen.insert(*input) {
                open.push(*input);
            }
        }
    }
    false
}
