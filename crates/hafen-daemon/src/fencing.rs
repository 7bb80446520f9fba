//! One fencing: its devices one after the other, and for each the steps that lead to a proof.
//!
//! A reboot is `off`, then the device's status read back, which is the proof, then `on`. The proof is told before `on` begins:
//! recovery need not wait for a host that boots.

use hafen_executor::wire::{FenceOperation, FenceResult as AgentResult};
use hafen_protocol::Now;
use hafen_protocol::message::{FenceDevice, FenceResult, FenceStart, ProofLevel};

/// The exit status of a fence agent's `status` for a host that is off.
const STATUS_OFF: u8 = 2;
/// The exit status of a fence agent's `status` for a host that is on.
const STATUS_ON: u8 = 0;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Off,
    Status,
    On,
}

impl Step {
    fn action(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Status => "status",
            Self::On => "on",
        }
    }
}

/// A fencing that this member does.
#[derive(Debug)]
pub(crate) struct Fencing {
    start: FenceStart,
    began: Now,
    device: usize,
    step: Step,
    /// What went wrong with devices before.
    failures: Vec<String>,
}

/// What to do next.
#[derive(Debug, PartialEq)]
pub(crate) enum Next {
    /// Run this agent.
    Run(FenceOperation),
    /// Tell the node.
    Tell(FenceResult),
    /// Tell the node, and run this agent beside it.
    TellAndRun(FenceResult, FenceOperation),
    /// Nothing more; the sentence, if any, is for the event log.
    Finished(Option<String>),
}

impl Fencing {
    /// A fencing and its first step.
    pub(crate) fn begin(start: FenceStart, now: Now) -> (Self, Next) {
        let step = if start.action == "on" { Step::On } else { Step::Off };
        let fencing = Self { start, began: now, device: 0, step, failures: Vec::new() };
        let next = fencing.run_or_fail(now);
        (fencing, next)
    }

    /// Its id.
    pub(crate) fn id(&self) -> &str {
        &self.start.id
    }

    /// The name of the step under way at the executor.
    pub(crate) fn operation_id(&self) -> String {
        format!("{}/{}/{}", self.start.id, self.device, self.step.action())
    }

    /// The step under way ended.
    pub(crate) fn step_ended(&mut self, result: &AgentResult, now: Now) -> Next {
        let succeeded = result.end.op_status.code() == 0;
        let rc = succeeded.then_some(result.end.rc.0);
        let said = || {
            let reason = result.end.exit_reason.clone().unwrap_or_default();
            let reason = if reason.trim().is_empty() { result.end.stderr.clone() } else { reason };
            format!("exit status {}: {}", result.end.rc.0, reason.trim())
        };
        match (self.step, rc) {
            (Step::Off, Some(0)) => {
                self.step = Step::Status;
                self.run_or_fail(now)
            }
            (Step::Status, Some(STATUS_OFF)) => self.proved(ProofLevel::OffVerified, now),
            (Step::Status, Some(STATUS_ON)) => {
                self.next_device("it is still on after it was switched off", now)
            }
            // The device cannot be read back: its word for `off` stands.
            (Step::Status, _) => self.proved(ProofLevel::AgentReported, now),
            (Step::On, Some(0)) if self.start.action == "on" => self.proved(ProofLevel::AgentReported, now),
            (Step::On, Some(0)) => Next::Finished(None),
            (Step::On, _) if self.start.action != "on" => {
                let target = &self.start.target_uname;
                Next::Finished(Some(format!("{target} was not switched on again ({})", said())))
            }
            _ => self.next_device(&said(), now),
        }
    }

    /// The step under way was not accepted, or the executor is gone.
    pub(crate) fn step_lost(&mut self, reason: &str, now: Now) -> Next {
        if self.step == Step::On && self.start.action != "on" {
            return Next::Finished(Some(format!("{}: {reason}", self.start.target_uname)));
        }
        self.failures.push(reason.to_owned());
        Next::Tell(self.result(Err(self.failures.join("; ")), now))
    }

    fn proved(&mut self, proof: ProofLevel, now: Now) -> Next {
        let result = self.result(Ok(proof), now);
        if self.start.action != "reboot" {
            return Next::Tell(result);
        }
        self.step = Step::On;
        match self.operation(now) {
            Some(operation) => Next::TellAndRun(result, operation),
            None => Next::Tell(result),
        }
    }

    fn next_device(&mut self, why: &str, now: Now) -> Next {
        let id = self.current().map(|device| device.id.clone()).unwrap_or_default();
        self.failures.push(format!("{id}: {why}"));
        self.device += 1;
        self.step = if self.start.action == "on" { Step::On } else { Step::Off };
        self.run_or_fail(now)
    }

    fn run_or_fail(&self, now: Now) -> Next {
        if let Some(operation) = self.operation(now) {
            return Next::Run(operation);
        }
        let why = match (self.failures.is_empty(), self.current()) {
            (false, _) => self.failures.join("; "),
            (true, None) => format!("no device is configured for {}", self.start.target_uname),
            (true, Some(_)) => "there is no time left".to_owned(),
        };
        Next::Tell(self.result(Err(why), now))
    }

    fn current(&self) -> Option<&FenceDevice> {
        self.start.levels.iter().flatten().nth(self.device)
    }

    /// The step as the executor takes it; none without a device or time. `on` after a proof has the whole time again.
    fn operation(&self, now: Now) -> Option<FenceOperation> {
        let device = self.current()?;
        let elapsed = now.monotonic_ms.saturating_sub(self.began.monotonic_ms);
        let left = self.start.timeout_ms.saturating_sub(elapsed);
        let timeout_ms = if self.step == Step::On { self.start.timeout_ms } else { left };
        (timeout_ms > 0).then(|| FenceOperation {
            id: self.operation_id(),
            device: device.id.clone(),
            agent: device.agent.clone(),
            action: self.step.action().to_owned(),
            target: Some(self.start.target_uname.clone()),
            port: Some(device.port.clone()),
            parameters: device.parameters.clone(),
            timeout_ms,
            delay_ms: 0,
        })
    }

    fn result(&self, outcome: Result<ProofLevel, String>, now: Now) -> FenceResult {
        FenceResult {
            id: self.start.id.clone(),
            device: outcome.is_ok().then(|| self.current().map(|device| device.id.clone())).flatten(),
            outcome,
            tried: Vec::new(),
            took_ms: now.monotonic_ms.saturating_sub(self.began.monotonic_ms),
            wall_ms: now.wall_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    use hafen_agents::{OcfExitCode, OpStatus};
    use hafen_executor::wire::End;
    use hafen_protocol::{HostId, Incarnation, MemberId};

    fn start(action: &str, devices: &[&str]) -> FenceStart {
        let device = |id: &&str| FenceDevice {
            id: (*id).into(),
            agent: "fence_hafen_lab".into(),
            parameters: BTreeMap::new(),
            port: "host2".into(),
            actions: BTreeMap::new(),
        };
        FenceStart {
            id: "f1".into(),
            target: HostId(2),
            target_uname: "host2".into(),
            target_incarnation: None,
            action: action.into(),
            cause: "lost".into(),
            by: MemberId { host: HostId(1), incarnation: Incarnation(1) },
            levels: devices.iter().map(|id| vec![device(id)]).collect(),
            delay_ms: 0,
            origin: None,
            timeout_ms: 1000,
            wall_ms: 0,
            transition_key: None,
        }
    }

    fn at(monotonic_ms: u64) -> Now {
        Now { monotonic_ms, wall_ms: monotonic_ms }
    }

    fn ended(operation: &FenceOperation, rc: u8, op_status: OpStatus) -> AgentResult {
        let end = End {
            rc: OcfExitCode(rc),
            op_status,
            exit_reason: Some("no answer".into()),
            stdout: String::new(),
            stderr: String::new(),
            started_at_seconds: 0,
            exec_time_ms: 1,
        };
        AgentResult { sequence: 1, operation: operation.clone(), end }
    }

    /// Plays exit statuses against a fencing: what was run, and what was told.
    fn play(action: &str, devices: &[&str], codes: &[u8]) -> (Vec<String>, Vec<Result<ProofLevel, String>>) {
        let (mut fencing, mut next) = Fencing::begin(start(action, devices), at(0));
        let (mut ran, mut told) = (Vec::new(), Vec::new());
        let mut codes = codes.iter();
        loop {
            let operation = match next {
                Next::Run(operation) => operation,
                Next::TellAndRun(result, operation) => {
                    told.push(result.outcome);
                    operation
                }
                Next::Tell(result) => {
                    told.push(result.outcome);
                    return (ran, told);
                }
                Next::Finished(_) => return (ran, told),
            };
            ran.push(format!("{}:{}", operation.device, operation.action));
            let code = codes.next().expect("a code for each run");
            next = fencing.step_ended(&ended(&operation, *code, OpStatus::Done), at(10));
        }
    }

    #[test]
    fn a_reboot_is_proved_before_the_host_is_switched_on() {
        let (ran, told) = play("reboot", &["a"], &[0, 2, 0]);
        assert_eq!(ran, ["a:off", "a:status", "a:on"]);
        assert_eq!(told, [Ok(ProofLevel::OffVerified)]);
    }

    #[test]
    fn a_status_that_cannot_be_read_lowers_the_proof() {
        assert_eq!(play("off", &["a"], &[0, 1]).1, [Ok(ProofLevel::AgentReported)]);
    }

    #[test]
    fn a_device_that_lies_is_no_proof() {
        let (ran, told) = play("reboot", &["a", "b"], &[0, 0, 0, 2, 1]);
        assert_eq!(ran, ["a:off", "a:status", "b:off", "b:status", "b:on"]);
        assert_eq!(told, [Ok(ProofLevel::OffVerified)]);
    }

    #[test]
    fn all_failures_are_told() {
        let (_, told) = play("reboot", &["a", "b"], &[1, 5]);
        assert_eq!(told, [Err("a: exit status 1: no answer; b: exit status 5: no answer".to_owned())]);
        assert!(play("off", &[], &[]).1[0].as_ref().expect_err("no device").contains("no device"));
    }

    #[test]
    fn a_timeout_is_no_success_even_with_status_0() {
        let (mut fencing, next) = Fencing::begin(start("off", &["a"]), at(0));
        let Next::Run(operation) = next else { panic!("{next:?}") };
        let next = fencing.step_ended(&ended(&operation, 0, OpStatus::Timeout), at(1000));
        assert!(matches!(next, Next::Tell(FenceResult { outcome: Err(_), .. })), "{next:?}");
    }

    #[test]
    fn a_lost_executor_fails_the_fencing() {
        let (mut fencing, _) = Fencing::begin(start("off", &["a"]), at(0));
        let next = fencing.step_lost("the executor is gone", at(5));
        assert!(matches!(next, Next::Tell(FenceResult { outcome: Err(_), took_ms: 5, .. })), "{next:?}");
    }
}
