//! Plans that could not be carried out: actions that wait for each other.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::{Action, Plan};

/// Takes away inputs that close a cycle, so that every plan can be carried out.
pub(crate) fn break_cycles(actions: &mut [Action], warnings: &mut Vec<String>) {
    let mut waiting: BTreeMap<u32, usize> =
        actions.iter().map(|action| (action.id, action.inputs.len())).collect();
    let mut followers: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for action in actions.iter() {
        for input in &action.inputs {
            followers.entry(*input).or_default().push(action.id);
        }
    }
    let mut ready: Vec<u32> = waiting.iter().filter(|(_, count)| **count == 0).map(|(id, _)| *id).collect();
    let mut done: BTreeSet<u32> = BTreeSet::new();
    loop {
        while let Some(id) = ready.pop() {
            if !done.insert(id) {
                continue;
            }
            for follower in followers.get(&id).into_iter().flatten() {
                if let Some(count) = waiting.get_mut(follower) {
                    *count = count.saturating_sub(1);
                    if *count == 0 {
                        ready.push(*follower);
                    }
                }
            }
        }
        let Some(stuck) = actions.iter_mut().find(|action| !done.contains(&action.id)) else { return };
        warnings.push(format!(
            "The order of {} contradicts itself; part of it is ignored",
            stuck.operation_key()
        ));
        stuck.inputs.retain(|input| done.contains(input));
        ready.push(stuck.id);
    }
}

/// Takes away what waits for something outside of the plan, and what waits for that: whoever carries out the plan would
/// not come to it either. Only without quorum do stops go ahead: what is lost cannot be fenced then, and the others may fence
/// this part before what it waits for comes about.
pub(crate) fn leave_out_what_waits_in_vain(plan: &mut Plan) {
    let mut gone: BTreeSet<u32> = plan.outside.drain(..).map(|action| action.id).collect();
    if gone.is_empty() {
        return;
    }
    if !plan.have_quorum {
        let is_stop =
            |action: &&mut Action| matches!(action.task(), "stop" | "stopped" | "demote" | "demoted");
        for action in plan.actions.iter_mut().filter(is_stop) {
            action.inputs.retain(|input| !gone.contains(input));
        }
    }
    let mut followers: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for action in &plan.actions {
        for input in &action.inputs {
            followers.entry(*input).or_default().push(action.id);
        }
    }
    let mut open: Vec<u32> = gone.iter().copied().collect();
    while let Some(id) = open.pop() {
        open.extend(followers.get(&id).into_iter().flatten().filter(|follower| gone.insert(**follower)));
    }
    plan.actions.retain(|action| !gone.contains(&action.id));
}
