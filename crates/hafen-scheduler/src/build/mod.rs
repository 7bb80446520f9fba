//! From agreed actions to the plan: which actions are part of it, on what each waits, with which attributes.

mod cycles;
mod kinds;
mod seen;
mod select;

pub(crate) use cycles::{break_cycles, leave_out_what_waits_in_vain};
pub(crate) use seen::Seen;

use crate::actions::Shared;
use crate::model::{ActionId, Cluster, ResourceId, Task, Variant};
use crate::plan::{Action, GraphParameters, Plan};
use crate::score;

impl<'a> Cluster<'a> {
    /// The finished plan.
    pub(crate) fn build_plan(&mut self) -> Plan {
        let is_wanted: Vec<bool> = (0..u32::try_from(self.actions.len()).unwrap_or(u32::MAX))
            .map(|at| self.is_wanted(ActionId(at)))
            .collect();
        let wanted: Vec<ActionId> =
            self.graph_order().into_iter().filter(|action| is_wanted[action.0 as usize]).collect();
        let mut numbers = vec![0_u32; self.actions.len()];
        for (action, number) in wanted.iter().zip(1..) {
            numbers[action.0 as usize] = number;
        }
        let mut shared = Shared::default();
        let mut outside = Vec::new();
        let mut actions = Vec::with_capacity(wanted.len());
        for &action in &wanted {
            let inputs = self.inputs_of(action);
            for &input in &inputs {
                if numbers[input.0 as usize] == 0 {
                    outside.push(input);
                    numbers[input.0 as usize] =
                        u32::try_from(wanted.len() + outside.len()).unwrap_or(u32::MAX);
                }
            }
            actions.push(self.plan_action(action, &inputs, &numbers, &mut shared));
        }
        let outside =
            outside.into_iter().map(|action| self.plan_action(action, &[], &numbers, &mut shared)).collect();
        let recheck_after =
            self.next_change.0.and_then(|moment| u64::try_from(moment.saturating_sub(self.now)).ok());
        Plan {
            actions,
            outside,
            recheck_after,
            have_quorum: self.properties.have_quorum,
            parameters: self.graph_parameters(),
            warnings: std::mem::take(&mut self.warnings),
            ledger: self.ledger(),
        }
    }

    /// All actions in the order in which Pacemaker lists them: resource by resource (a group's own before its members',
    /// a clone's after its instances'), the last made first; then those that belong to no resource. Whoever carries out
    /// the plan takes what is ready in this order.
    fn graph_order(&self) -> Vec<ActionId> {
        let mut ordered = Vec::with_capacity(self.actions.len());
        // What is left to list: a resource's own actions, or all of it.
        let mut open: Vec<(ResourceId, bool)> = self.top.iter().rev().map(|top| (*top, false)).collect();
        while let Some((resource, own)) = open.pop() {
            let known = self.rsc(resource);
            if own || known.variant != Variant::Clone {
                ordered.extend(known.actions.iter().rev());
            } else {
                open.push((resource, true));
            }
            if !own {
                open.extend(known.children.iter().rev().map(|child| (*child, false)));
            }
        }
        let last = u32::try_from(self.actions.len()).unwrap_or(u32::MAX);
        ordered.extend((0..last).rev().map(ActionId).filter(|action| self.act(*action).resource.is_none()));
        ordered
    }

    fn graph_parameters(&self) -> GraphParameters {
        let text = |name: &str, default: &str| {
            self.properties.values.get(name).cloned().unwrap_or_else(|| default.to_owned())
        };
        let offset = if self.properties.start_failure_is_fatal { "INFINITY" } else { "1" };
        GraphParameters {
            cluster_delay: text("cluster-delay", "60s"),
            stonith_timeout: text("stonith-timeout", "60s"),
            failed_start_offset: offset.to_owned(),
            failed_stop_offset: "INFINITY".to_owned(),
            batch_limit: text("batch-limit", "0"),
            migration_limit: self.properties.values.get("migration-limit").cloned(),
        }
    }

    fn plan_action(
        &mut self,
        action: ActionId,
        inputs: &[ActionId],
        numbers: &[u32],
        shared: &mut Shared,
    ) -> Action {
        let known = self.act(action);
        let number = |action: ActionId| numbers.get(action.0 as usize).copied().unwrap_or(0);
        let mut inputs: Vec<u32> = inputs.iter().copied().map(number).collect();
        inputs.sort_unstable();
        let node = known.node.filter(|_| !known.pseudo).map(|node| shared.node(self, node));
        let target = known.task == Task::Fence;
        let priority = known.resource.map_or(0, |resource| self.rsc(resource).priority).max(known.priority);
        Action {
            id: number(action),
            kind: self.kind_of(action, shared),
            node,
            router: None,
            inputs,
            priority,
            can_fail: known.meta.get("can_fail").is_some_and(|value| score::is_true(value)),
            downed: if (target && known.meta.get("stonith_action").is_some_and(|kind| kind != "on"))
                || known.task == Task::Shutdown
            {
                known.node.map(|node| self.node(node).id.clone()).into_iter().collect()
            } else {
                Vec::new()
            },
            attributes: self.attributes_of(action, shared),
        }
    }
}
