//! What must be true of every plan before it is driven.

use std::collections::{BTreeMap, BTreeSet};

use hafen_scheduler::Plan;

/// Numbers are unique and ascend, inputs exist, and no action waits for itself.
pub(super) fn check(plan: &Plan) -> Result<(), String> {
    for pair in plan.actions.windows(2) {
        if pair[0].id >= pair[1].id {
            return Err(format!("action {} of the plan comes after action {}", pair[1].id, pair[0].id));
        }
    }
    let mut waiting: BTreeMap<u32, usize> = BTreeMap::new();
    let mut dependents: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for action in &plan.actions {
        let inputs: BTreeSet<u32> = action.inputs.iter().copied().collect();
        for &input in &inputs {
            if plan.action(input).is_none() {
                return Err(format!(
                    "action {} of the plan waits for {input}, which is not in it",
                    action.id
                ));
            }
            dependents.entry(input).or_default().push(action.id);
        }
        waiting.insert(action.id, inputs.len());
    }
    let mut free: Vec<u32> = waiting.iter().filter(|(_, left)| **left == 0).map(|(&id, _)| id).collect();
    let mut passed = 0;
    while let Some(id) = free.pop() {
        passed += 1;
        for dependent in dependents.get(&id).into_iter().flatten() {
            if let Some(left) = waiting.get_mut(dependent) {
                *left -= 1;
                if *left == 0 {
                    free.push(*dependent);
                }
            }
        }
    }
    if passed == plan.actions.len() {
        return Ok(());
    }
    let stuck: Vec<String> = plan
        .actions
        .iter()
        .filter(|action| waiting.get(&action.id).is_some_and(|left| *left > 0))
        .take(5)
        .map(|action| format!("{} ({})", action.operation_key(), action.id))
        .collect();
    Err(format!("actions of the plan wait for each other: {}", stuck.join(", ")))
}
