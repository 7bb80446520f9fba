//! Fencing: ordered to all, done by one, proven to all.

use std::collections::BTreeMap;

use hafen_protocol::HostId;
use hafen_protocol::message::{FenceResult, FenceStart, Message, ProofLevel};

use super::Node;
use super::plan::REPEAT_PAUSE_MAXIMUM_MS;
use crate::api::Output;
use crate::driver::Outcome;
use crate::fencing::{self, Choice, DeviceCheck, Situation};
use crate::replica::{FenceEntry, Standing};

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

/// A fencing that an operator asked for.
#[derive(Debug, Clone)]
pub(super) struct OperatorFencing {
    /// `reboot` or `off`.
    pub(super) action: String,
    /// Who asked.
    pub(super) origin: String,
    /// When, on this member's monotonic clock.
    pub(super) asked_at_ms: u64,
    /// Whether it was ordered.
    pub(super) said: bool,
}

/// What an operator asked for so long ago is not done any more, in milliseconds.
const OPERATOR_FENCING_MAXIMUM_MS: u64 = 60_000;

impl FenceEntry {
    /// Whether it is proof enough that its target is off. An operator who was asked for his word, and gave it, is
    /// believed whatever the minimum is; a device that waits for a human is not.
    pub(super) fn suffices(&self, minimum: ProofLevel) -> bool {
        let proof = self.result.outcome.as_ref().ok();
        proof.is_some_and(|&proof| proof >= minimum || self.start.levels.is_empty())
    }
}

impl Node {
    /// Why a host is to be fenced, for the record.
    pub(super) fn fencing_cause(&self, target: HostId) -> String {
        match self.replica.hosts.get(&target).map(|record| &record.standing) {
            Some(Standing::Unclean { cause }) => cause.clone(),
            Some(Standing::Unseen) => "start-up: it was not seen since the cluster started".to_string(),
            _ => "an operation on it failed in a way that only fencing mends".to_string(),
        }
    }

    /// Tells all members that a host is to be fenced, by whom, and which operator or which step of a plan wants it.
    /// False: it cannot be done now.
    pub(super) fn order_fencing(
        &mut self,
        target: HostId,
        action: &str,
        cause: String,
        (origin, transition_key): (Option<String>, Option<String>),
    ) -> bool {
        let Some(record) = self.replica.hosts.get(&target) else { return false };
        let (uname, incarnation) = (record.uname.clone(), record.incarnation);
        if self.replica.fencings.values().any(|start| start.target == target) {
            return false;
        }
        let attempt = self.planner.attempts.get(&target).cloned().unwrap_or_default();
        if self.now.monotonic_ms < attempt.not_before_ms {
            self.planner.hold_back_until(attempt.not_before_ms);
            return false;
        }
        let choice = self.choose_fencing(&uname, action).and_then(|choice| {
            let view = self.membership.view.as_ref();
            let by = view.and_then(|view| view.member_ids().find(|member| member.host == choice.by));
            Ok((choice, by.ok_or_else(|| format!("no member is left that could fence {uname}"))?))
        });
        let (choice, by) = match choice {
            Ok(choice) => choice,
            Err(text) => {
                self.event("fence-failed", &uname, text, cause);
                self.planner.hold_back_until(self.now.monotonic_ms + REPEAT_PAUSE_MAXIMUM_MS);
                return false;
            }
        };
        self.planner.fence_number += 1;
        let me = self.me();
        let id = format!("{}-{}-{}", me.host, me.incarnation.0, self.planner.fence_number);
        self.say(&Message::FenceStart(Box::new(FenceStart {
            id,
            target,
            target_uname: uname,
            target_incarnation: incarnation,
            action: choice.action,
            cause,
            by,
            levels: choice.levels,
            delay_ms: choice.delay_ms,
            origin,
            timeout_ms: choice.timeout_ms,
            wall_ms: self.now.wall_ms,
            transition_key,
        })))
    }

    /// Which devices would fence a host, and who would run them.
    fn choose_fencing(&self, uname: &str, action: &str) -> Result<Choice, String> {
        let cib = self.live_cib();
        let synchronised = self.membership.synchronised.iter();
        let members = synchronised.map(|&host| (host, self.replica.uname(host))).collect();
        let ring = self.membership.view.as_ref().map(|view| &view.hosts);
        let others = |host: &&HostId| {
            self.replica.configured.contains_key(*host) && self.replica.uname(**host) != uname
        };
        let here = ring.map_or(0, |ring| ring.iter().filter(others).count());
        let situation = Situation {
            cib: &cib,
            facts: &hafen_scheduler::fencing_facts(&cib, self.now.wall_ms / 1000),
            learned: &self.learned,
            coordinator: self.me().host,
            members: &members,
            hosts: self.replica.hosts.len(),
            majority: here * 2 > self.replica.configured.len(),
            random: fencing::random_of(&self.settings.transition_uuid, self.planner.fence_number),
        };
        fencing::choose(&situation, uname, action)
    }

    /// The fence devices that this host can look at without harm.
    pub fn fence_checks(&self) -> Vec<DeviceCheck> {
        let cib = self.live_cib();
        let facts = hafen_scheduler::fencing_facts(&cib, self.now.wall_ms / 1000);
        let hosts: Vec<String> = self.replica.hosts.values().map(|record| record.uname.clone()).collect();
        fencing::checks(&cib, &facts, &hosts, &self.identity.uname)
    }

    pub(super) fn step_operator_fencings(&mut self) {
        let now_ms = self.now.monotonic_ms;
        self.planner
            .operator_fencings
            .retain(|_, asked| now_ms < asked.asked_at_ms + OPERATOR_FENCING_MAXIMUM_MS);
        let unsaid = self.planner.operator_fencings.iter().find(|(_, asked)| !asked.said);
        let Some((host, asked)) = unsaid.map(|(&host, asked)| (host, asked.clone())) else { return };
        let cause = format!("{} asked for it", asked.origin);
        let said = self.order_fencing(host, &asked.action, cause, (Some(asked.origin), None));
        if let Some(asked) = self.planner.operator_fencings.get_mut(&host) {
            asked.said = said;
        }
    }

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
        let by_watchdog = start.levels.iter().flatten().any(|device| device.agent == fencing::WATCHDOG_AGENT);
        if start.target == self.me().host && by_watchdog && start.action != "on" {
            self.local.doom();
        }
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
        let doer_is_gone = self.membership.view.as_ref().is_none_or(|view| !view.contains(start.by));
        if start.by == self.me() || doer_is_gone && self.is_coordinator() {
            self.alert_fencing(&start, result);
        }
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
