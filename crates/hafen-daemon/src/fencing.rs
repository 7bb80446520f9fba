//! One fencing: its levels one after the other, in each all devices, and for each device the steps that lead to a proof.
//!
//! A reboot is `off`, then the device's status read back, which is the proof, then `on`. With several devices in a level it is
//! off at all of them, and then on. The proof is told before `on` begins: recovery need not wait for a host that boots.
//! `agent` is what is known of agents, `look` and `drill` look at devices without harm.

pub(crate) mod agent;
pub(crate) mod drill;
pub(crate) mod look;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use hafen_agents::OpStatus;
use hafen_executor::wire::{End, FenceOperation, FenceResult as AgentResult};
use hafen_protocol::Now;
use hafen_protocol::message::{
    FENCE_ANSWER_BYTES_MAXIMUM, FenceDevice, FenceResult, FenceStart, FenceTry, ProofLevel,
};

use agent::{AgentFacts, Kind};

/// The exit status of a fence agent's `status` for a host that is off.
const STATUS_OFF: u8 = 2;
/// The exit status of a fence agent's `status` for a host that is on.
const STATUS_ON: u8 = 0;
/// So many answers of devices are kept for the record.
const TRIES_MAXIMUM: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Its delay, or the time that a watchdog takes.
    Wait,
    Off,
    /// One command that does all of it.
    Reboot,
    Status,
    On,
}

impl Step {
    fn action(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Off => "off",
            Self::Reboot => "reboot",
            Self::Status => "status",
            Self::On => "on",
        }
    }
}

/// A fencing that this member does.
#[derive(Debug)]
pub(crate) struct Fencing {
    start: FenceStart,
    agents: BTreeMap<String, AgentFacts>,
    began_ms: u64,
    /// When the time of the device's commands began.
    device_began_ms: u64,
    wait_until_ms: u64,
    /// The level under way, from 0.
    level: usize,
    device: usize,
    step: Step,
    /// How often the step was tried.
    tries: u32,
    proof: ProofLevel,
    /// The host is proven off and the node knows it: what follows switches it on again.
    told: bool,
    failures: Vec<String>,
    tried: Vec<FenceTry>,
    /// The step that waits until the device is no longer busy.
    pub(crate) held: Option<FenceOperation>,
    held_since_ms: u64,
}

/// What to do next.
#[derive(Debug, PartialEq)]
pub(crate) enum Next {
    /// Run this agent.
    Run(FenceOperation),
    /// Nothing until this time, on the monotonic clock in milliseconds; then `time_passed`.
    Wait(u64),
    /// Tell the node; `step_ended` or `go_on` leads on, if there is more.
    Tell(FenceResult),
    /// Tell the node, and run this agent beside it.
    TellAndRun(FenceResult, FenceOperation),
    /// Nothing more; the sentence, if any, is for the event log.
    Finished(Option<String>),
}

impl Fencing {
    /// A fencing and its first step. `agents` is what is known of the devices' agents.
    pub(crate) fn begin(start: FenceStart, agents: BTreeMap<String, AgentFacts>, now: Now) -> (Self, Next) {
        let delay_ms = if start.action == "on" { 0 } else { start.delay_ms };
        let began_ms = now.monotonic_ms;
        let mut fencing = Self {
            start,
            agents,
            began_ms,
            device_began_ms: began_ms,
            wait_until_ms: began_ms.saturating_add(delay_ms),
            level: 0,
            device: 0,
            step: Step::Wait,
            tries: 0,
            proof: ProofLevel::OffVerified,
            told: false,
            failures: Vec::new(),
            tried: Vec::new(),
            held: None,
            held_since_ms: began_ms,
        };
        let next = match delay_ms {
            0 => fencing.begin_device(now),
            _ => Next::Wait(fencing.wait_until_ms),
        };
        (fencing, next)
    }

    /// Its id.
    pub(crate) fn id(&self) -> &str {
        &self.start.id
    }

    /// Whom it is about.
    pub(crate) fn target(&self) -> &str {
        &self.start.target_uname
    }

    /// The device under way.
    pub(crate) fn device(&self) -> Option<&FenceDevice> {
        self.start.levels.get(self.level)?.get(self.device)
    }

    /// The name of the step under way at the executor.
    pub(crate) fn operation_id(&self) -> String {
        let (level, device, tries) = (self.level, self.device, self.tries);
        format!("{}/{level}/{device}/{}/{tries}", self.start.id, self.step.action())
    }

    /// When the wait ends, on the monotonic clock in milliseconds.
    pub(crate) fn deadline_ms(&self) -> Option<u64> {
        (self.step == Step::Wait).then_some(self.wait_until_ms)
    }

    /// The device is busy: the step waits.
    pub(crate) fn hold(&mut self, operation: FenceOperation, now: Now) {
        (self.held, self.held_since_ms) = (Some(operation), now.monotonic_ms);
    }

    /// The device is free: the step that waited, if any. The time of the device begins with it.
    pub(crate) fn release(&mut self, now: Now) -> Option<FenceOperation> {
        self.device_began_ms += now.monotonic_ms.saturating_sub(self.held_since_ms);
        self.held.take()
    }

    /// Takes over what was learned of agents meanwhile.
    pub(crate) fn learn(&mut self, agent: &str, facts: &AgentFacts) {
        self.agents.insert(agent.to_owned(), facts.clone());
    }

    /// The wait is over.
    pub(crate) fn time_passed(&mut self, now: Now) -> Next {
        if now.monotonic_ms < self.wait_until_ms {
            return Next::Wait(self.wait_until_ms);
        }
        match self.device().is_some_and(|device| Kind::of(device) == Kind::Watchdog) && self.tries > 0 {
            true => {
                self.record("wait", true, "its watchdog's time has passed".to_owned(), now);
                self.device_succeeded(ProofLevel::AgentReported, now)
            }
            false => self.begin_device(now),
        }
    }

    /// The step under way ended.
    pub(crate) fn step_ended(&mut self, result: &AgentResult, now: Now) -> Next {
        let end = &result.end;
        let rc = (end.op_status == OpStatus::Done).then_some(end.rc.0);
        let succeeded = match self.step {
            Step::Status => rc == Some(STATUS_OFF),
            _ => rc == Some(0),
        };
        if !self.told {
            self.record(&result.operation.action, succeeded, answer(end, self.step), now);
        }
        match (self.step, rc) {
            (Step::Off, Some(0)) => self.off_done(now),
            (Step::Reboot, Some(0)) => self.device_succeeded(ProofLevel::AgentReported, now),
            (Step::Status, Some(STATUS_OFF)) => self.device_succeeded(ProofLevel::OffVerified, now),
            (Step::Status, Some(STATUS_ON)) => {
                self.next_level("it is still on after it was switched off", now)
            }
            // The device cannot be read back: its word for `off` stands.
            (Step::Status, _) => self.device_succeeded(ProofLevel::AgentReported, now),
            (Step::On, Some(0)) => self.device_succeeded(ProofLevel::AgentReported, now),
            _ => self.failed(end, now),
        }
    }

    /// The step under way was not accepted, or the executor is gone.
    pub(crate) fn step_lost(&mut self, reason: &str, now: Now) -> Next {
        if self.told {
            return Next::Finished(Some(format!("{}: {reason}", self.start.target_uname)));
        }
        if let Some(device) = self.device().filter(|_| self.step != Step::Wait) {
            let id = device.id.clone();
            self.failures.push(format!("{id}: {reason}"));
            self.record(self.step.action(), false, reason.to_owned(), now);
        } else {
            self.failures.push(reason.to_owned());
        }
        Next::Tell(self.result(Err(self.failures.join("; ")), now))
    }

    fn failed(&mut self, end: &End, now: Now) -> Next {
        let said = said(end);
        if self.may_try_again(end, now) {
            self.tries += 1;
            return self.run(now);
        }
        match self.told {
            false => self.next_level(&said, now),
            true => self.on_failed(&said, now),
        }
    }

    /// A failure is tried again while there is time; what lasts is not.
    fn may_try_again(&self, end: &End, now: Now) -> bool {
        let Some(device) = self.device() else { return false };
        let word = self.word();
        let tries = device.actions.get(word).map_or(1, |action| action.retries);
        let lasts = matches!(end.op_status, OpStatus::NotInstalled | OpStatus::Invalid | OpStatus::Timeout)
            || end.rc == hafen_agents::OcfExitCode::NOT_CONFIGURED;
        self.tries < tries && !lasts && self.left_ms(now) > 0
    }

    /// Begins with the device under way; past the last one of a level, the level is done.
    fn begin_device(&mut self, now: Now) -> Next {
        let Some(device) = self.device() else {
            return if self.start.levels.get(self.level).is_some_and(|level| !level.is_empty()) {
                self.level_done(now)
            } else {
                self.all_failed(now)
            };
        };
        let not_before_ms = match self.start.action == "on" {
            true => 0,
            false => self.began_ms.saturating_add(self.start.delay_ms).saturating_add(device.delay_ms),
        };
        if Kind::of(device) == Kind::Watchdog {
            let own_ms = device.actions.get("off").and_then(|action| action.timeout_ms);
            self.wait_until_ms = now.monotonic_ms.saturating_add(own_ms.unwrap_or(self.start.timeout_ms));
            self.step = Step::Wait;
            self.tries = 1;
            self.device_began_ms = now.monotonic_ms;
            return Next::Wait(self.wait_until_ms);
        }
        self.tries = 0;
        if now.monotonic_ms < not_before_ms {
            self.step = Step::Wait;
            self.wait_until_ms = not_before_ms;
            return Next::Wait(not_before_ms);
        }
        self.step = self.first_step();
        self.tries = 1;
        self.device_began_ms = now.monotonic_ms;
        self.run(now)
    }

    fn first_step(&self) -> Step {
        let Some(device) = self.device() else { return Step::Off };
        if self.told || self.start.action == "on" {
            return Step::On;
        }
        if self.start.action != "reboot" || self.is_shared_level() {
            return Step::Off;
        }
        let command = device.actions.get("reboot").map_or("reboot", |action| action.name.as_str());
        let facts = self.agents.get(&device.agent);
        let knows_off = facts.is_none_or(|facts| facts.has("off"));
        match Kind::of(device) {
            Kind::FenceAgents if command == "off" => Step::Off,
            Kind::FenceAgents if command == "reboot" && knows_off => Step::Off,
            _ => Step::Reboot,
        }
    }

    fn is_shared_level(&self) -> bool {
        self.start.levels.get(self.level).is_some_and(|level| level.len() > 1)
    }

    /// Whether a device is switched on after a reboot: only one that reboots, so that a device that takes away access keeps it.
    fn is_switched_on(&self, device: &FenceDevice) -> bool {
        let facts = self.agents.get(&device.agent);
        let command = device.actions.get("reboot").map_or("reboot", |action| action.name.as_str());
        match Kind::of(device) {
            Kind::FenceAgents => {
                let has_all = |facts: &AgentFacts| ["off", "on", "reboot"].iter().all(|word| facts.has(word));
                command == "reboot" && facts.is_some_and(has_all)
            }
            // Alone, they did all of it in one command.
            Kind::External | Kind::Human | Kind::Null => self.is_shared_level(),
            Kind::Watchdog => false,
        }
    }

    fn off_done(&mut self, now: Now) -> Next {
        let Some(device) = self.device() else { return self.all_failed(now) };
        let reads_back = self.agents.get(&device.agent).is_none_or(|facts| facts.has("status"));
        if Kind::of(device) != Kind::FenceAgents || !reads_back {
            return self.device_succeeded(ProofLevel::AgentReported, now);
        }
        self.step = Step::Status;
        self.tries = 1;
        match self.operation(now) {
            Some(operation) => Next::Run(operation),
            // No time is left to read it back: its word stands.
            None => self.device_succeeded(ProofLevel::AgentReported, now),
        }
    }

    fn device_succeeded(&mut self, proof: ProofLevel, now: Now) -> Next {
        let ceiling = self.device().map_or(ProofLevel::None, agent::proof_maximum);
        self.proof = self.proof.min(proof).min(ceiling);
        self.device += 1;
        match self.told {
            true => self.switch_on(now),
            false => self.begin_device(now),
        }
    }

    /// All devices of a level succeeded.
    fn level_done(&mut self, now: Now) -> Next {
        self.device = self.start.levels.get(self.level).map_or(0, |level| level.len() - 1);
        let result = self.result(Ok(self.proof), now);
        if self.start.action != "reboot" {
            return Next::Tell(result);
        }
        self.told = true;
        self.device = 0;
        match self.switch_on(now) {
            Next::Run(operation) => Next::TellAndRun(result, operation),
            _ => Next::Tell(result),
        }
    }

    /// Switches the level's devices on, from the one under way.
    fn switch_on(&mut self, now: Now) -> Next {
        while let Some(device) = self.device() {
            if self.is_switched_on(device) {
                self.step = Step::On;
                self.tries = 1;
                self.device_began_ms = now.monotonic_ms;
                if let Some(operation) = self.operation(now) {
                    return Next::Run(operation);
                }
            }
            self.device += 1;
        }
        Next::Finished(None)
    }

    fn on_failed(&mut self, said: &str, now: Now) -> Next {
        let id = self.device().map(|device| device.id.clone()).unwrap_or_default();
        let text = format!("{id} did not switch {} on again ({said})", self.start.target_uname);
        self.device += 1;
        match self.switch_on(now) {
            Next::Run(operation) => Next::Run(operation),
            _ => Next::Finished(Some(text)),
        }
    }

    fn next_level(&mut self, why: &str, now: Now) -> Next {
        let id = self.device().map(|device| device.id.clone()).unwrap_or_default();
        self.failures.push(format!("{id}: {why}"));
        self.level += 1;
        self.device = 0;
        self.proof = ProofLevel::OffVerified;
        self.begin_device(now)
    }

    fn all_failed(&mut self, now: Now) -> Next {
        let why = match self.failures.is_empty() {
            false => self.failures.join("; "),
            true => format!("no device is configured for {}", self.start.target_uname),
        };
        Next::Tell(self.result(Err(why), now))
    }

    fn run(&mut self, now: Now) -> Next {
        match self.operation(now) {
            Some(operation) => Next::Run(operation),
            None => self.next_level("there is no time left", now),
        }
    }

    /// Under which name the device keeps its settings for the step: a reboot by one device has the time of a reboot.
    fn word(&self) -> &'static str {
        let is_reboot = self.start.action == "reboot" && !self.is_shared_level();
        match self.step {
            Step::Off | Step::Reboot if is_reboot => "reboot",
            step => step.action(),
        }
    }

    /// What is left of the device's time, in milliseconds. Reading back has what `off` left.
    fn left_ms(&self, now: Now) -> u64 {
        let is_reboot = self.start.action == "reboot" && !self.is_shared_level();
        let word = match self.step {
            Step::Status if is_reboot => "reboot",
            Step::Status => "off",
            _ => self.word(),
        };
        let action = self.device().and_then(|device| device.actions.get(word));
        let own_ms = action.and_then(|action| action.timeout_ms).unwrap_or(self.start.timeout_ms);
        own_ms.saturating_sub(now.monotonic_ms.saturating_sub(self.device_began_ms))
    }

    /// The step as the executor takes it; none without a device or time.
    fn operation(&self, now: Now) -> Option<FenceOperation> {
        let device = self.device()?;
        let timeout_ms = self.left_ms(now);
        let action = match self.step {
            Step::Reboot => device.actions.get("reboot").map_or("reboot", |action| action.name.as_str()),
            step => device.actions.get(step.action()).map_or(step.action(), |action| action.name.as_str()),
        };
        (timeout_ms > 0).then(|| {
            let facts = self.agents.get(&device.agent);
            let target = Some(self.start.target_uname.as_str());
            FenceOperation {
                action: action.to_owned(),
                ..agent::operation(device, facts, self.operation_id(), target, timeout_ms)
            }
        })
    }

    fn record(&mut self, action: &str, succeeded: bool, answer: String, now: Now) {
        if self.tried.len() >= TRIES_MAXIMUM {
            self.tried.remove(0);
        }
        let device = self.device().map(|device| device.id.clone()).unwrap_or_default();
        self.tried.push(FenceTry {
            device,
            level: u32::try_from(self.level + 1).unwrap_or(u32::MAX),
            action: action.to_owned(),
            succeeded,
            answer: beginning(&answer),
            took_ms: now.monotonic_ms.saturating_sub(self.device_began_ms),
        });
    }

    fn result(&self, outcome: Result<ProofLevel, String>, now: Now) -> FenceResult {
        FenceResult {
            id: self.start.id.clone(),
            device: outcome.is_ok().then(|| self.device().map(|device| device.id.clone())).flatten(),
            outcome,
            tried: self.tried.clone(),
            took_ms: now.monotonic_ms.saturating_sub(self.began_ms),
            wall_ms: now.wall_ms,
        }
    }
}

/// What an agent said, for a sentence.
pub(crate) fn said(end: &End) -> String {
    let reason = end.exit_reason.clone().unwrap_or_default();
    let reason = if reason.trim().is_empty() { end.stderr.clone() } else { reason };
    match end.op_status {
        OpStatus::Done => format!("exit status {}: {}", end.rc.0, reason.trim()),
        _ => reason.trim().to_owned(),
    }
}

/// What an agent answered, for the record.
fn answer(end: &End, step: Step) -> String {
    match (step, end.op_status, end.rc.0) {
        (Step::Status, OpStatus::Done, STATUS_OFF) => "off".to_owned(),
        (Step::Status, OpStatus::Done, STATUS_ON) => "on".to_owned(),
        (_, OpStatus::Done, 0) => {
            let line = end.stdout.lines().rev().find(|line| !line.trim().is_empty());
            line.map_or("done", str::trim).to_owned()
        }
        _ => said(end),
    }
}

pub(crate) fn beginning(text: &str) -> String {
    let most = FENCE_ANSWER_BYTES_MAXIMUM.min(text.len());
    let cut = (0..=most).rev().find(|cut| text.is_char_boundary(*cut)).unwrap_or_default();
    text[..cut].to_owned()
}
