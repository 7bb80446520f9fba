//! Fencing: ordered to all, done by one, proven to all.

use std::collections::BTreeMap;

use hafen_protocol::HostId;
use hafen_protocol::message::{FenceResult, FenceStart, ProofLevel};

use super::Node;
use crate::api::Output;
use crate::driver::Outcome;
use crate::fencing;

/// How a fencing went so far, kept by the coordinator between attempts.
pub(super) type Attempts = BTreeMap<HostId, Attempt>;

/// The failed attempts to fence one host for one cause.
#[derive(Debug, Clone, Default)]
pub(super) struct Attempt {
    /// How many failed in a row.
    pub(super) failed: u32,
    /// Monotonic milliseconds before which no new one begins.
    pub(super) not_before_ms: u64,
}

impl Node {
    /// A fencing begins; the member that does it hands it to its shell.
    pub(super) fn fence_started(&mut self, start: FenceStart) {
        self.planner.operator_fencings.remove(&start.target);
        if self.replica.fencings.values().any(|flying| flying.target == start.target) {
            if let Some(key) = &start.transition_key {
                let text = format!("{} is being fenced already", start.target_uname);
                self.planner.step_ended(key, Outcome::Failed(text));
            }
            return;
        }
        let target = start.target_uname.clone();
        let by = self.replica.uname(start.by.host);
        let text = format!("{by} fences {target} ({})", start.action);
        self.event("fence-start", &target, text, start.cause.clone());
        if start.by == self.me() {
            self.outputs.push_back(Output::Fence(Box::new(start.clone())));
        }
        self.replica.fencings.insert(start.id.clone(), start);
    }

    /// A fencing ended; a proof that is good enough frees what its target ran.
    pub(super) fn fence_result_ordered(&mut self, result: &FenceResult, position: u64) {
        self.local.fence_result_delivered(&result.id);
        let Some(start) = self.replica.fencings.get(&result.id).cloned() else { return };
        let minimum = self.proof_minimum();
        let target = start.target_uname.clone();
        let present_anew = self.replica.hosts.get(&start.target).is_some_and(|record| {
            record.incarnation != start.target_incarnation
                && self.membership.view.as_ref().is_some_and(|view| view.members.contains_key(&start.target))
        });
        let down = self.replica.fence_ended(result, minimum);
        let (kind, text) = match &result.outcome {
            Ok(proof) => ("fence-result", format!("{target} is fenced ({})", proof_word(*proof))),
            Err(error) => ("fence-failed", format!("fencing {target} failed: {error}")),
        };
        let device = result.device.clone().unwrap_or_else(|| "no device answered".to_string());
        self.event(kind, &target, text, format!("{device}, {} ms", result.took_ms));
        if present_anew {
            let text = format!("{target} had rejoined before its fencing was proven");
            self.event("fence-result-after-rejoin", &target, text, "the proof means its earlier run");
        }
        let enough = down.is_some() || start.action == "on" || present_anew;
        self.note_attempt(start.target, result.outcome.is_ok(), enough);
        let mut as_planned = false;
        if let Some(key) = &start.transition_key {
            let outcome = match &result.outcome {
                Ok(_) if down.is_some() || start.action == "on" => Outcome::Done,
                Ok(_) => Outcome::Failed(format!("{target} is not proven off")),
                Err(error) => Outcome::Failed(error.clone()),
            };
            as_planned = self.planner.step_ended(key, outcome);
        }
        self.requests.disturbed_quietly(position);
        if !as_planned {
            self.disturbed(position, &format!("fencing of {target} ended"));
        }
    }

    /// `answered`: the agent succeeded; `enough`: what it proves is enough. To repeat a fencing whose proof is too weak
    /// helps nobody, so that waits long.
    fn note_attempt(&mut self, target: HostId, answered: bool, enough: bool) {
        if answered && enough {
            self.planner.attempts.remove(&target);
            return;
        }
        let maximum = fencing::attempts_maximum(self.replica.cib());
        let attempt = self.planner.attempts.entry(target).or_default();
        attempt.failed = attempt.failed.saturating_add(1);
        let pause_ms =
            if !answered && attempt.failed < maximum { FENCE_PAUSE_MS } else { FENCE_PAUSE_LONG_MS };
        attempt.not_before_ms = self.now.monotonic_ms + pause_ms;
    }
}

/// The pause after a failed fencing, in milliseconds.
const FENCE_PAUSE_MS: u64 = 1_000;

/// The pause after `stonith-max-attempts` failures in a row.
const FENCE_PAUSE_LONG_MS: u64 = 15_000;

fn proof_word(proof: ProofLevel) -> &'static str {
    match proof {
        ProofLevel::None => "nothing proves it",
        ProofLevel::Human => "a human vouches",
        ProofLevel::AgentReported => "its agent says so",
        ProofLevel::OffVerified => "its device was read back",
    }
}
