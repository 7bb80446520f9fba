//! Driving a plan: which of its actions may begin now, which have ended, and what keeps the others waiting.
//!
//! The driver makes no decisions. It fires an action when all of its inputs are complete and a place is free, and it
//! aborts the plan when something ends in another way than the plan expects: then nothing new begins but notifications of
//! what has happened, and the plan is finished when what is in flight has ended.

mod check;
mod firing;
mod limits;
#[cfg(test)]
mod tests;
mod waiting;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use hafen_protocol::{HostId, Now};
use hafen_scheduler::{ActionKind, Plan};

pub use firing::Firing;
pub use limits::Loads;
pub use waiting::{Waiting, WaitingFor};

/// So many operations of agents run at a time on a host that has not told its cores; more wait for their turn.
pub const OPERATIONS_PER_HOST_MAXIMUM: usize = 16;

/// The priority of what an abort does not keep from beginning.
const PRIORITY_INFINITE: i32 = 1_000_000;

/// What the driver has to know beside the plan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DriverSettings {
    /// The transition's number.
    pub transition: u64,
    /// The name of the controller that drives it (the UUID in transition keys).
    pub uuid: String,
    /// The cluster property `cluster-delay`: what an answer may take beyond the operation's own time-out.
    pub cluster_delay_ms: u64,
    /// The cluster property `batch-limit`; 0: one only while a host is very busy; negative: none.
    pub batch_limit: i64,
    /// The cluster property `node-action-limit`; 0: two for each core of a host.
    pub node_action_limit: i64,
    /// The cluster property `migration-limit`; negative: no limit.
    pub migration_limit: i64,
}

/// How an action ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// As planned.
    Done,
    /// Otherwise, in a sentence.
    Failed(String),
}

/// What the driver made of a completion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Matched {
    /// No action in flight has that transition key.
    Unknown,
    /// The action ended as planned.
    AsPlanned,
    /// It did not; the plan is aborted with that cause, unless it allowed for the failure (`can_fail`).
    Failed(String),
}

/// Where an action stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Waiting { inputs_left: usize },
    Ready,
    InFlight { key: String, since: Now, deadline: Option<u64> },
    Done,
    Failed(String),
}

/// What is in flight on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Load {
    operations: usize,
    migrations: usize,
}

/// How far a plan has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// Actions that ended as planned, pseudo actions included.
    pub done: usize,
    /// Actions that ended otherwise.
    pub failed: usize,
    /// Actions that have begun and not ended.
    pub in_flight: usize,
    /// Actions that have not begun.
    pub not_begun: usize,
    /// Why the plan was aborted, if it was.
    pub aborted: Option<String>,
}

/// Drives one plan.
#[derive(Debug, Clone)]
pub struct Driver {
    plan: Plan,
    settings: DriverSettings,
    steps: BTreeMap<u32, Step>,
    /// Which actions have an action as an input.
    dependents: BTreeMap<u32, Vec<u32>>,
    /// By priority, then by number.
    ready: BTreeSet<(Reverse<i32>, u32)>,
    /// Actions in flight by transition key.
    keys: BTreeMap<String, u32>,
    /// What is in flight on each host.
    load: BTreeMap<HostId, Load>,
    /// How busy the hosts are.
    loads: Loads,
    aborted: Option<String>,
}

impl Driver {
    /// Takes a plan.
    ///
    /// # Errors
    /// When the plan cannot be carried out whatever happens (an input that is not there, a circle), in a sentence.
    pub fn start(plan: Plan, settings: DriverSettings) -> Result<Driver, String> {
        check::check(&plan)?;
        let mut driver = Driver {
            settings,
            steps: BTreeMap::new(),
            dependents: BTreeMap::new(),
            ready: BTreeSet::new(),
            keys: BTreeMap::new(),
            load: BTreeMap::new(),
            loads: Loads::new(),
            aborted: None,
            plan,
        };
        for action in &driver.plan.actions {
            let inputs: BTreeSet<u32> = action.inputs.iter().copied().collect();
            let step = if inputs.is_empty() {
                driver.ready.insert((Reverse(action.priority), action.id));
                Step::Ready
            } else {
                Step::Waiting { inputs_left: inputs.len() }
            };
            driver.steps.insert(action.id, step);
            for input in inputs {
                driver.dependents.entry(input).or_default().push(action.id);
            }
        }
        Ok(driver)
    }

    /// How busy the hosts are: what limits how much begins on them.
    pub fn set_loads(&mut self, loads: &Loads) {
        if self.loads != *loads {
            self.loads.clone_from(loads);
        }
    }

    /// The next thing to begin. Pseudo actions are passed inside; ask again until `None`.
    pub fn poll_action(&mut self, now: Now) -> Option<Firing> {
        // Every turn takes an action out of `ready` for good.
        for _ in 0..=self.plan.actions.len() {
            let id = self.next_ready()?;
            match self.begin(id, now) {
                Begun::Fired(firing) => return Some(firing),
                Begun::Passed => self.end(id, Outcome::Done),
                Begun::Impossible(what) => self.end(id, Outcome::Failed(what)),
            }
        }
        None
    }

    /// An operation of an agent ended, or a recurring one gave its first result.
    pub fn operation_ended(&mut self, transition_key: &str, rc: i32, op_status: i32) -> Matched {
        let Some(action) = self.keys.get(transition_key).and_then(|&id| self.plan.action(id)) else {
            return Matched::Unknown;
        };
        let expected = action.expected_rc();
        let what = action.operation_key();
        let node = action.node.as_ref().map_or_else(String::new, |node| format!(" on {}", node.uname));
        let outcome = match op_status {
            0 if rc == expected => Outcome::Done,
            0 => Outcome::Failed(format!("{what}{node} ended with {rc}, the plan expected {expected}")),
            1 => Outcome::Failed(format!("{what}{node} was cancelled")),
            2 => Outcome::Failed(format!("{what}{node} timed out")),
            _ => Outcome::Failed(format!("{what}{node} failed with {rc} (status {op_status})")),
        };
        self.completed(transition_key, outcome)
    }

    /// An action in flight ended.
    pub fn completed(&mut self, transition_key: &str, outcome: Outcome) -> Matched {
        let Some(id) = self.keys.remove(transition_key) else { return Matched::Unknown };
        self.count(id, |load| load.saturating_sub(1));
        let matched = match &outcome {
            Outcome::Done => Matched::AsPlanned,
            Outcome::Failed(what) => Matched::Failed(what.clone()),
        };
        self.end(id, outcome);
        matched
    }

    /// A host is gone: what was in flight there has failed.
    pub fn host_lost(&mut self, host: HostId, cause: &str) {
        let lost: Vec<String> = self
            .keys
            .iter()
            .filter(|&(_, &id)| self.runs_on(id) == Some(host))
            .map(|(key, _)| key.clone())
            .collect();
        for key in lost {
            self.completed(&key, Outcome::Failed(cause.to_owned()));
        }
    }

    /// Nothing new begins from now on but what [`Driver::goes_on`]. The first cause stays.
    pub fn abort(&mut self, cause: &str) {
        if self.aborted.is_none() {
            self.aborted = Some(cause.to_owned());
        }
    }

    /// Actions whose answer is overdue fail, and the plan is aborted. Answers with their transition keys.
    pub fn handle_timeout(&mut self, now: Now) -> Vec<String> {
        let overdue: Vec<String> = self
            .keys
            .iter()
            .filter(|&(_, id)| self.deadline(*id).is_some_and(|deadline| deadline <= now.monotonic_ms))
            .map(|(key, _)| key.clone())
            .collect();
        for key in &overdue {
            let what = self.keys.get(key).and_then(|&id| self.plan.action(id)).map(|action| {
                let node = action.node.as_ref().map_or("", |node| node.uname.as_str());
                format!("no answer about {} on {node}", action.operation_key())
            });
            self.completed(key, Outcome::Failed(what.unwrap_or_default()));
        }
        overdue
    }

    /// When [`Driver::handle_timeout`] is wanted, on the monotonic clock.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<u64> {
        self.keys.values().filter_map(|&id| self.deadline(id)).min()
    }

    /// The transition keys of what has begun and not ended.
    pub fn in_flight(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(String::as_str)
    }

    /// Whether nothing more will come of this plan.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.keys.is_empty() && !self.ready.iter().any(|(_, id)| self.may_begin(*id))
    }

    /// Why the plan was aborted, if it was.
    #[must_use]
    pub fn aborted(&self) -> Option<&str> {
        self.aborted.as_deref()
    }

    /// The plan that is driven.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The transition's number.
    #[must_use]
    pub fn transition(&self) -> u64 {
        self.settings.transition
    }

    /// How far the plan has come.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let mut summary = Summary { aborted: self.aborted.clone(), ..Summary::default() };
        for step in self.steps.values() {
            match step {
                Step::Done => summary.done += 1,
                Step::Failed(_) => summary.failed += 1,
                Step::InFlight { .. } => summary.in_flight += 1,
                Step::Waiting { .. } | Step::Ready => summary.not_begun += 1,
            }
        }
        summary
    }

    /// Takes the first action that has a free place.
    fn next_ready(&mut self) -> Option<u32> {
        let mut ready = self.ready.iter();
        let entry = *ready.find(|(_, id)| self.may_begin(*id) && self.held_back(*id).is_none())?;
        self.ready.remove(&entry);
        Some(entry.1)
    }

    fn may_begin(&self, id: u32) -> bool {
        self.aborted.is_none() || self.goes_on(id)
    }

    /// Whether an action begins although its plan was aborted: clones hear of what was done, whatever else is to be done then
    /// (an action of infinite priority, as Pacemaker's graphs have it).
    fn goes_on(&self, id: u32) -> bool {
        let Some(action) = self.plan.action(id).filter(|action| action.priority >= PRIORITY_INFINITE) else {
            return false;
        };
        match &action.kind {
            ActionKind::Pseudo { .. } => true,
            ActionKind::Resource { task, .. } => task == "notify",
            _ => false,
        }
    }

    fn begin(&mut self, id: u32, now: Now) -> Begun {
        let Some(action) = self.plan.action(id) else { return Begun::Passed };
        let key = action.transition_key(self.settings.transition, &self.settings.uuid).to_string();
        match firing::firing(action, &key, now) {
            Ok(Some(firing)) => {
                let deadline = match &firing {
                    Firing::Execute(execute) => Some(execute.timeout_ms),
                    // A fencing has time-outs of its own, with attempts and devices: it always ends.
                    Firing::Fence { .. } => None,
                    _ => Some(0),
                };
                let deadline = deadline.map(|timeout| {
                    now.monotonic_ms.saturating_add(timeout).saturating_add(self.settings.cluster_delay_ms)
                });
                self.keys.insert(key.clone(), id);
                self.count(id, |load| load + 1);
                self.steps.insert(id, Step::InFlight { key, since: now, deadline });
                Begun::Fired(firing)
            }
            Ok(None) => Begun::Passed,
            Err(what) => Begun::Impossible(what),
        }
    }

    fn end(&mut self, id: u32, outcome: Outcome) {
        let can_fail = self.plan.action(id).is_some_and(|action| action.can_fail);
        match outcome {
            Outcome::Failed(what) if !can_fail => {
                self.abort(&what);
                self.steps.insert(id, Step::Failed(what));
            }
            _ => {
                self.steps.insert(id, Step::Done);
                self.release_dependents(id);
            }
        }
    }

    fn release_dependents(&mut self, id: u32) {
        for dependent in self.dependents.get(&id).into_iter().flatten() {
            let Some(Step::Waiting { inputs_left }) = self.steps.get_mut(dependent) else { continue };
            *inputs_left -= 1;
            if *inputs_left == 0 {
                let priority = self.plan.action(*dependent).map_or(0, |action| action.priority);
                self.steps.insert(*dependent, Step::Ready);
                self.ready.insert((Reverse(priority), *dependent));
            }
        }
    }

    /// Counts an operation in or out.
    fn count(&mut self, id: u32, change: impl Fn(usize) -> usize) {
        let Some(action) = self.plan.action(id) else { return };
        let ActionKind::Resource { task, .. } = &action.kind else { return };
        let Ok(host) = firing::host_of(action) else { return };
        let load = self.load.entry(host).or_default();
        load.operations = change(load.operations);
        if waiting::is_migration(task) {
            load.migrations = change(load.migrations);
        }
    }

    fn deadline(&self, id: u32) -> Option<u64> {
        match self.steps.get(&id) {
            Some(Step::InFlight { deadline, .. }) => *deadline,
            _ => None,
        }
    }

    /// The host where an agent runs for the action; the target of a fencing is not such a host.
    fn runs_on(&self, id: u32) -> Option<HostId> {
        let action = self.plan.action(id)?;
        match action.kind {
            ActionKind::Fence { .. } | ActionKind::Pseudo { .. } => None,
            _ => firing::host_of(action).ok(),
        }
    }
}

/// What came of beginning an action.
enum Begun {
    Fired(Firing),
    Passed,
    Impossible(String),
}
