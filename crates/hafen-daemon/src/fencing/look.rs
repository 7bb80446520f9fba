//! A look at one fence device: `monitor`, the hosts that it lists, and the status of each host that it would fence.

use std::collections::{BTreeMap, BTreeSet};

use hafen_agents::OpStatus;
use hafen_executor::wire::{End, FenceOperation};
use hafen_node::fencing::{CheckKind, DeviceCheck};
use hafen_protocol::client::FenceCheck;

use super::agent::{self, AgentFacts, Kind};
use super::{STATUS_OFF, STATUS_ON, beginning, said};

/// The longest that one answer is waited for, in milliseconds: a look must not keep a device busy.
const ANSWER_TIMEOUT_MS: u64 = 20_000;
/// Before the ids of its operations, so that nobody takes them for a fencing.
const ID_PREFIX: &str = "look";

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Monitor,
    List,
    /// Of the target with this number.
    Status(usize),
}

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Whom the device can fence.
    Learn,
    /// Whether it would work, for these targets or for all.
    Drill(Option<String>),
}

/// A look under way.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) number: u64,
    check: DeviceCheck,
    facts: Option<AgentFacts>,
    here: String,
    purpose: Purpose,
    step: Step,
    /// The names that the device listed, in lower case; none: it did not.
    listed: Option<BTreeSet<String>>,
    able: BTreeMap<String, bool>,
    checks: Vec<FenceCheck>,
}

/// What a look found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) device: String,
    /// Whether it can fence a host, by name in lower case, where that was found out.
    pub(crate) targets: BTreeMap<String, bool>,
    pub(crate) checks: Vec<FenceCheck>,
}

/// A look goes on, or has ended.
#[derive(Debug)]
pub(crate) enum Looked {
    Run(Box<FenceOperation>),
    Found(Found),
}

impl Look {
    pub(crate) fn begin(
        number: u64,
        check: DeviceCheck,
        facts: Option<AgentFacts>,
        here: &str,
        purpose: Purpose,
    ) -> (Self, Looked) {
        let mut look = Self {
            number,
            check,
            facts,
            here: here.to_owned(),
            purpose,
            step: Step::Monitor,
            listed: None,
            able: BTreeMap::new(),
            checks: Vec::new(),
        };
        if !look.check.allowed {
            look.note("none", None, true, "a location constraint keeps it off this host: ask another one", 0);
            let found = look.found();
            return (look, Looked::Found(found));
        }
        let first = match look.purpose {
            Purpose::Drill(_) => Some(Step::Monitor),
            Purpose::Learn => look.after(&Step::Monitor),
        };
        let looked = look.go_to(first);
        (look, looked)
    }

    /// The id of the step under way.
    pub(crate) fn operation_id(&self) -> String {
        let step = match self.step {
            Step::Monitor => "monitor".to_owned(),
            Step::List => "list".to_owned(),
            Step::Status(target) => format!("status/{target}"),
        };
        format!("{ID_PREFIX}/{}/{}/{step}", self.number, self.check.device.id)
    }

    /// A step ended.
    pub(crate) fn step_ended(&mut self, end: &End) -> Looked {
        let rc = (end.op_status == OpStatus::Done).then_some(end.rc.0);
        let is_drill = self.purpose != Purpose::Learn;
        match self.step.clone() {
            Step::Monitor => {
                // A device of one host tells by 2 that it is off.
                let succeeded = matches!(rc, Some(0 | STATUS_OFF));
                self.note("monitor", None, succeeded, &self.words(succeeded, end), end.exec_time_ms);
                if !succeeded {
                    // What it says beyond would say the same, and take as long.
                    return Looked::Found(self.found());
                }
            }
            Step::List if rc == Some(0) => self.take_list(end, is_drill),
            Step::List if self.check.kind != CheckKind::Default && is_drill => {
                self.note("list", None, false, &said(end), end.exec_time_ms);
            }
            Step::List => {}
            Step::Status(target) => self.take_status(target, rc, end, is_drill),
        }
        let next = self.after(&self.step.clone());
        self.go_to(next)
    }

    /// A step could not be run.
    pub(crate) fn step_lost(&mut self, reason: &str) -> Found {
        self.note("monitor", None, false, reason, 0);
        self.found()
    }

    fn take_list(&mut self, end: &End, is_drill: bool) {
        let names = end.stdout.lines().flat_map(|line| line.split([',', ' ', '\t', ';', ':']));
        let listed: BTreeSet<String> =
            names.map(|name| name.trim().to_ascii_lowercase()).filter(|name| !name.is_empty()).collect();
        let finds_out = matches!(self.check.kind, CheckKind::List | CheckKind::Default);
        for (uname, port) in self.check.targets.clone() {
            let whole = end.stdout.lines().any(|line| line.trim().eq_ignore_ascii_case(&port));
            let is_listed =
                whole || [&port, &uname].iter().any(|name| listed.contains(&name.to_ascii_lowercase()));
            if finds_out {
                self.able.insert(uname.to_ascii_lowercase(), is_listed);
            } else if is_drill && self.is_asked_for(&uname) {
                let answer = if is_listed { "listed" } else { "the device does not list it" };
                self.note("list", Some(&uname), is_listed, answer, end.exec_time_ms);
            }
        }
        self.listed = Some(listed);
    }

    fn take_status(&mut self, target: usize, rc: Option<u8>, end: &End, is_drill: bool) {
        let Some((uname, _)) = self.check.targets.get(target).cloned() else { return };
        let succeeded = matches!(rc, Some(STATUS_ON | STATUS_OFF));
        let finds_out = self.finds_out_by_status();
        if finds_out {
            self.able.insert(uname.to_ascii_lowercase(), succeeded);
        }
        // What only finds out whom it can fence may well say no.
        if is_drill && (succeeded || !finds_out) {
            let answer = match rc {
                Some(STATUS_ON) => "on".to_owned(),
                Some(STATUS_OFF) => "off".to_owned(),
                _ => said(end),
            };
            self.note("status", Some(&uname), succeeded, &answer, end.exec_time_ms);
        }
    }

    fn words(&self, succeeded: bool, end: &End) -> String {
        let remark = end.stderr.lines().find(|line| !line.trim().is_empty());
        match (succeeded, remark) {
            (false, _) => said(end),
            (true, Some(remark)) if Kind::of(&self.check.device) == Kind::Null => remark.to_owned(),
            (true, _) => "answers".to_owned(),
        }
    }

    fn has(&self, action: &str) -> bool {
        self.facts.as_ref().is_none_or(|facts| facts.has(action))
    }

    fn finds_out_by_status(&self) -> bool {
        match self.check.kind {
            CheckKind::Status => true,
            CheckKind::Default => self.listed.is_none() && self.has("status"),
            _ => false,
        }
    }

    fn is_asked_for(&self, uname: &str) -> bool {
        match &self.purpose {
            Purpose::Drill(Some(only)) => only.eq_ignore_ascii_case(uname),
            _ => true,
        }
    }

    /// The next step worth taking.
    fn after(&self, step: &Step) -> Option<Step> {
        let is_drill = self.purpose != Purpose::Learn;
        let reads_back = Kind::of(&self.check.device) == Kind::FenceAgents;
        let wants_list = match self.check.kind {
            CheckKind::List | CheckKind::Default => true,
            _ => is_drill && !reads_back,
        };
        if *step == Step::Monitor && wants_list && self.has("list") {
            return Some(Step::List);
        }
        let from = if let Step::Status(target) = step { target + 1 } else { 0 };
        let wants_status = is_drill && reads_back && self.has("status") || self.finds_out_by_status();
        let worth = |target: &usize| {
            let (uname, _) = &self.check.targets[*target];
            let is_able = self.able.get(&uname.to_ascii_lowercase()) != Some(&false);
            is_able && (self.is_asked_for(uname) || !is_drill)
        };
        (from..self.check.targets.len()).filter(|_| wants_status).find(worth).map(Step::Status)
    }

    fn go_to(&mut self, next: Option<Step>) -> Looked {
        match next {
            None => Looked::Found(self.found()),
            Some(step) => {
                self.step = step;
                Looked::Run(Box::new(self.operation()))
            }
        }
    }

    fn operation(&self) -> FenceOperation {
        let mut device = self.check.device.clone();
        let (word, target) = match self.step {
            Step::Monitor => ("monitor", None),
            Step::List => ("list", None),
            Step::Status(target) => ("status", self.check.targets.get(target)),
        };
        let action = device.actions.get(word).cloned();
        if let Some((_, port)) = target {
            device.port.clone_from(port);
        }
        let own_ms = action.as_ref().and_then(|action| action.timeout_ms).unwrap_or(ANSWER_TIMEOUT_MS);
        let target = target.map(|(uname, _)| uname.as_str());
        let timeout_ms = own_ms.clamp(1, ANSWER_TIMEOUT_MS);
        FenceOperation {
            action: action.map_or(word.to_owned(), |action| action.name),
            ..agent::operation(&device, self.facts.as_ref(), self.operation_id(), target, timeout_ms)
        }
    }

    fn note(&mut self, action: &str, target: Option<&str>, succeeded: bool, answer: &str, took_ms: u64) {
        self.checks.push(FenceCheck {
            device: self.check.device.id.clone(),
            target: target.map(str::to_owned),
            by: self.here.clone(),
            action: action.to_owned(),
            succeeded,
            answer: beginning(answer),
            took_ms,
        });
    }

    fn found(&mut self) -> Found {
        Found {
            device: self.check.device.id.clone(),
            targets: std::mem::take(&mut self.able),
            checks: std::mem::take(&mut self.checks),
        }
    }
}
