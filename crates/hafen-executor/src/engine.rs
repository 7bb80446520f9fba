//! What to run when: the executor as a state machine. Pure: it does no input or output and is told the time.

use std::collections::{BTreeMap, VecDeque};

use hafen_agents::{OcfExitCode, OpStatus};

use crate::ledger::{AnyResult, Ledger, Record, RunOfAgent};
use crate::wire::{End, Event, FenceOperation, Operation, OperationKey, Request};

/// Results that the daemon has not acknowledged, at most; beyond that nothing new is accepted.
pub const UNACKNOWLEDGED_RESULTS_LIMIT: usize = 4096;
/// Operations of one resource that wait, at most.
pub const QUEUED_OPERATIONS_LIMIT: usize = 64;
/// Operation keys with a history, at most: 4,000 resources with eight operations each.
pub const HISTORY_LIMIT: usize = 32_000;
/// Fencings that wait or run, at most.
pub const FENCINGS_LIMIT: usize = 256;
/// Operations in one part of a snapshot.
const SNAPSHOT_PART_LENGTH: usize = 16;

/// The time, twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// A clock that only rises, in milliseconds.
    pub monotonic_ms: u64,
    /// Seconds since 1970.
    pub wall_seconds: u64,
}

/// What happens to the executor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A daemon has connected: results that were not acknowledged are sent to it.
    Connected,
    /// A request other than `Hello` and `Metadata`.
    Request(Request),
    /// A record of an acceptance was written to the journal, or not and why.
    Recorded(u64, Result<(), String>),
    /// The agent of a run has been started.
    Started(u64, RunOfAgent),
    /// The run has ended.
    Ended(u64, End),
    /// Why nothing may be started on this host now; nothing: it may.
    StartsRefused(Option<String>),
    /// The time that [`Engine::poll_timeout`] named has come.
    Timeout,
}

/// What the shell is to do, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Write the acceptance to the journal, and answer with [`Input::Recorded`].
    RecordAcceptance(u64, Record),
    /// Write to the journal. Where that fails, the executor goes on: see the crate's documentation.
    Record(Record),
    /// Run an operation's agent.
    Run(u64, u64, Operation),
    /// Run a fence agent.
    RunFence(u64, u64, FenceOperation),
    /// Tell the daemon, if one is connected.
    Send(Event),
    /// End the executor.
    Exit,
}

#[derive(Debug)]
struct Queued {
    call_id: u64,
    not_before_ms: u64,
    accepted_ms: u64,
}

#[derive(Debug)]
struct Recurring {
    call_id: u64,
    /// When it is to run next; never, while it runs.
    due_ms: u64,
}

#[derive(Debug, Default)]
struct Resource {
    /// The run under way.
    running: Option<u64>,
    queue: VecDeque<Queued>,
    recurring: BTreeMap<(String, u64), Recurring>,
}

#[derive(Debug)]
struct Run {
    call_id: u64,
    /// What is run; none for a fencing.
    operation: Option<Operation>,
    queue_time_ms: u64,
    /// Cancelled while it ran: its end is told to nobody.
    dropped: bool,
}

/// The executor as a state machine: feed it with [`Engine::handle`], then take [`Engine::poll_output`] until it is empty.
#[derive(Debug)]
pub struct Engine {
    ledger: Ledger,
    resources: BTreeMap<String, Resource>,
    runs: BTreeMap<u64, Run>,
    /// Fencings that wait for their delay, by call id: not before.
    delayed_fencings: BTreeMap<u64, u64>,
    /// Accepted, and on their way to the journal.
    recording: BTreeMap<u64, (Record, u64)>,
    concurrent_runs_limit: usize,
    shutting_down: bool,
    last_report: Option<(u64, bool)>,
    start_refusal: Option<String>,
    outputs: VecDeque<Output>,
}

impl Engine {
    /// Takes over what a journal tells, after the processes of `ledger.runs` have been ended. Operations that were under way
    /// are told as failed, except monitors and stops: they are run again, because their loss says nothing of the resource and
    /// repeating them is harmless by their definition. Returns what was under way.
    pub fn recover(ledger: Ledger, concurrent_runs_limit: usize, now: Now) -> (Self, Vec<OperationKey>) {
        let mut engine = Self {
            ledger,
            resources: BTreeMap::new(),
            runs: BTreeMap::new(),
            delayed_fencings: BTreeMap::new(),
            recording: BTreeMap::new(),
            concurrent_runs_limit,
            shutting_down: false,
            last_report: None,
            start_refusal: None,
            outputs: VecDeque::new(),
        };
        let interrupted = engine.close_interrupted_runs(now);
        let fencings: Vec<u64> = engine.ledger.fencings.keys().copied().collect();
        engine.delayed_fencings.extend(fencings.into_iter().map(|call_id| (call_id, now.monotonic_ms)));
        let waiting: Vec<(u64, Operation)> =
            engine.ledger.operations.iter().map(|(id, op)| (*id, op.clone())).collect();
        for (call_id, operation) in waiting {
            engine.enqueue(call_id, &operation, now, now.monotonic_ms);
        }
        engine.start_what_is_due(now);
        (engine, interrupted)
    }

    fn close_interrupted_runs(&mut self, now: Now) -> Vec<OperationKey> {
        let mut interrupted = Vec::new();
        for (run, RunOfAgent { call_id, .. }) in std::mem::take(&mut self.ledger.runs) {
            let reason = "the executor was lost while this ran; its processes were ended".to_owned();
            let end = End::bare(OcfExitCode::ERROR, OpStatus::Error, Some(reason), now);
            if let Some(operation) = self.ledger.operations.get(&call_id).cloned() {
                interrupted.push(operation.key());
                if operation.interval_ms > 0 || matches!(operation.task.as_str(), "monitor" | "stop") {
                    self.record(Record::Ended { run });
                } else {
                    let seconds = now.wall_seconds;
                    self.finish_operation(Some(run), call_id, operation, end, (0, seconds));
                }
            } else if let Some(operation) = self.ledger.fencings.get(&call_id).cloned() {
                let (resource, task) = (operation.id.clone(), operation.action.clone());
                interrupted.push(OperationKey { resource, task, interval_ms: 0 });
                self.finish_fencing(Some(run), call_id, operation, end);
            } else {
                self.record(Record::Ended { run });
            }
        }
        interrupted
    }

    /// What the executor must not lose.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// When to feed [`Input::Timeout`], on the clock of [`Now::monotonic_ms`].
    pub fn poll_timeout(&self) -> Option<u64> {
        let fencings = self.delayed_fencings.values().copied();
        let idle = self.resources.values().filter(|resource| resource.running.is_none());
        let operations = idle.flat_map(|resource| {
            let queued = resource.queue.iter().map(|queued| queued.not_before_ms);
            queued.chain(resource.recurring.values().map(|recurring| recurring.due_ms))
        });
        let full = self.runs.len() >= self.concurrent_runs_limit;
        fencings.chain(operations.filter(|_| !full)).min()
    }

    /// What to do next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Whether the watchdog may be fed: the daemon's last report allows it and is not older than this.
    pub fn allows_watchdog(&self, now: Now, daemon_restart_timeout_ms: u64) -> bool {
        self.last_report.is_some_and(|(at_ms, allowed)| {
            allowed && now.monotonic_ms.saturating_sub(at_ms) <= daemon_restart_timeout_ms
        })
    }

    /// Takes one input in.
    pub fn handle(&mut self, now: Now, input: Input) {
        match input {
            Input::Connected => self.send_unacknowledged(),
            Input::Request(request) => self.request(now, request),
            Input::Recorded(call_id, written) => self.recorded(now, call_id, written),
            Input::Started(run, agent) => {
                let RunOfAgent { call_id, pid, start_time_ticks } = agent;
                // The agent's process has written the record itself.
                self.ledger.apply(&Record::Started { run, call_id, pid, start_time_ticks });
            }
            Input::Ended(run, end) => self.ended(now, run, end),
            Input::StartsRefused(reason) => self.start_refusal = reason,
            Input::Timeout => {}
        }
        self.start_what_is_due(now);
        if self.shutting_down && self.runs.is_empty() && self.recording.is_empty() && !self.has_waiting() {
            self.send(Output::Exit);
        }
    }

    fn has_waiting(&self) -> bool {
        !self.delayed_fencings.is_empty()
            || self.resources.values().any(|resource| !resource.queue.is_empty())
    }

    fn send(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    fn record(&mut self, record: Record) {
        self.ledger.apply(&record);
        self.send(Output::Record(record));
    }

    fn send_unacknowledged(&mut self) {
        let events: Vec<Event> = self.ledger.unacknowledged.values().map(AnyResult::to_event).collect();
        self.outputs.extend(events.into_iter().map(Output::Send));
    }

    fn request(&mut self, now: Now, request: Request) {
        match request {
            Request::Hello { .. } | Request::Metadata { .. } => {}
            Request::Execute(operation) => self.execute(now, operation),
            Request::Fence(operation) => self.fence(now, operation),
            Request::CancelRecurring { resource, task, interval_ms } => {
                let key = OperationKey { resource, task, interval_ms };
                let found = self.cancel_recurring(&key);
                self.send(Output::Send(Event::Cancelled { key, found }));
            }
            Request::ForgetResource { resource, only } => self.forget(resource, only),
            Request::List => self.send_snapshot(),
            Request::Acknowledge { sequence } => {
                if self.ledger.unacknowledged.contains_key(&sequence) {
                    self.record(Record::Acknowledged { sequence });
                }
            }
            Request::Report { allow_watchdog, .. } => {
                self.last_report = Some((now.monotonic_ms, allow_watchdog))
            }
            Request::Shutdown => {
                self.shutting_down = true;
                // They come back with the next executor: the journal keeps them.
                self.resources.values_mut().for_each(|resource| resource.recurring.clear());
            }
        }
    }

    fn refusal(&self) -> Option<&'static str> {
        if self.shutting_down {
            Some("the executor is about to end")
        } else if self.ledger.unacknowledged.len() >= UNACKNOWLEDGED_RESULTS_LIMIT {
            Some("too many results wait for their acknowledgement")
        } else {
            None
        }
    }

    fn execute(&mut self, now: Now, operation: Operation) {
        if self.is_known(&operation) {
            return;
        }
        let queued = self.resources.get(&operation.resource).map_or(0, |resource| resource.queue.len());
        let history = &self.ledger.history;
        let is_one_too_many = history.len() >= HISTORY_LIMIT && !history.contains_key(&operation.key());
        let refused = self.start_refusal.clone().filter(|_| operation.begins_something());
        let reason = match self.refusal() {
            None if refused.is_some() => refused.as_deref(),
            None if queued >= QUEUED_OPERATIONS_LIMIT => Some("too many operations of this resource wait"),
            None if is_one_too_many => Some("too many operations are remembered: forget some resources"),
            other => other,
        };
        if let Some(reason) = reason {
            let Operation { resource: id, task, transition_key, .. } = operation;
            return self.send(Output::Send(Event::Refused {
                id,
                task,
                transition_key,
                reason: reason.to_owned(),
            }));
        }
        if operation.interval_ms > 0 {
            // The new one takes the place of the old one, which is not told as cancelled.
            self.cancel_recurring(&operation.key());
        }
        let call_id = self.take_call_id();
        let record = Record::Accepted { call_id, operation };
        self.recording.insert(call_id, (record.clone(), now.monotonic_ms));
        self.send(Output::RecordAcceptance(call_id, record));
    }

    /// Whether an operation of this transition key was accepted before. When it has ended, its result is told again.
    fn is_known(&mut self, operation: &Operation) -> bool {
        let same = |other: &Operation| {
            other.transition_key == operation.transition_key && other.key() == operation.key()
        };
        if operation.transition_key.is_empty() {
            return false;
        }
        let recording = self.recording.values().any(|(record, _)| match record {
            Record::Accepted { operation, .. } => same(operation),
            _ => false,
        });
        let last = self.ledger.history.get(&operation.key()).and_then(|history| history.last.clone());
        if let Some(last) = last.filter(|last| same(&last.operation)) {
            self.send(Output::Send(Event::Result(Box::new(last))));
            return true;
        }
        recording || self.ledger.operations.values().any(same)
    }

    fn fence(&mut self, now: Now, operation: FenceOperation) {
        let recording = self.recording.values().any(|(record, _)| match record {
            Record::FenceAccepted { operation: other, .. } => other.id == operation.id,
            _ => false,
        });
        if recording || self.ledger.fencings.values().any(|other| other.id == operation.id) {
            return;
        }
        let full = self.ledger.fencings.len() + self.recording.len() >= FENCINGS_LIMIT;
        let reason = self.refusal().or(full.then_some("too many fencings are under way"));
        if let Some(reason) = reason {
            let FenceOperation { id, action: task, .. } = operation;
            let transition_key = String::new();
            return self.send(Output::Send(Event::Refused {
                id,
                task,
                transition_key,
                reason: reason.to_owned(),
            }));
        }
        let call_id = self.take_call_id();
        let record = Record::FenceAccepted { call_id, operation };
        self.recording.insert(call_id, (record.clone(), now.monotonic_ms));
        self.send(Output::RecordAcceptance(call_id, record));
    }

    fn take_call_id(&mut self) -> u64 {
        let call_id = self.ledger.next_call_id;
        self.ledger.next_call_id = call_id.saturating_add(1);
        call_id
    }

    fn recorded(&mut self, now: Now, call_id: u64, written: Result<(), String>) {
        let Some((record, accepted_ms)) = self.recording.remove(&call_id) else { return };
        match (&record, written) {
            (Record::Accepted { operation, .. }, Err(reason)) if !operation.may_run_unrecorded() => {
                let end = End::not_recorded(&reason, now);
                self.finish_operation(None, call_id, operation.clone(), end, (0, now.wall_seconds));
            }
            (Record::Accepted { operation, .. }, _) => {
                self.ledger.apply(&record);
                let operation = operation.clone();
                self.cancel_what_is_void(&operation);
                self.enqueue(call_id, &operation, now, accepted_ms);
            }
            // Fencing is what helps when nothing else does: it is run in any case.
            (Record::FenceAccepted { operation, .. }, _) => {
                self.ledger.apply(&record);
                self.delayed_fencings.insert(call_id, now.monotonic_ms.saturating_add(operation.delay_ms));
            }
            _ => {}
        }
    }

    fn enqueue(&mut self, call_id: u64, operation: &Operation, now: Now, accepted_ms: u64) {
        let not_before_ms = now.monotonic_ms.saturating_add(operation.start_delay_ms);
        let resource = self.resources.entry(operation.resource.clone()).or_default();
        if operation.interval_ms == 0 {
            resource.queue.push_back(Queued { call_id, not_before_ms, accepted_ms });
        } else {
            let recurring = Recurring { call_id, due_ms: not_before_ms };
            resource.recurring.insert((operation.task.clone(), operation.interval_ms), recurring);
        }
    }

    /// An operation that changes what a resource is makes its recurring operations void: they looked for what it was.
    fn cancel_what_is_void(&mut self, operation: &Operation) {
        if !matches!(operation.task.as_str(), "start" | "stop" | "promote" | "demote" | "migrate_from") {
            return;
        }
        self.cancel_all_recurring(&operation.resource);
    }

    fn cancel_all_recurring(&mut self, resource: &str) {
        let keys = self.recurring_keys(resource);
        for key in keys {
            let found = self.cancel_recurring(&key);
            self.send(Output::Send(Event::Cancelled { key, found }));
        }
    }

    fn recurring_keys(&self, resource: &str) -> Vec<OperationKey> {
        let recurring =
            self.resources.get(resource).into_iter().flat_map(|resource| resource.recurring.keys());
        let key = |(task, interval_ms): &(String, u64)| OperationKey {
            resource: resource.to_owned(),
            task: task.clone(),
            interval_ms: *interval_ms,
        };
        recurring.map(key).collect()
    }

    fn cancel_recurring(&mut self, key: &OperationKey) -> bool {
        let Some(resource) = self.resources.get_mut(&key.resource) else { return false };
        let Some(recurring) = resource.recurring.remove(&(key.task.clone(), key.interval_ms)) else {
            return false;
        };
        for run in self.runs.values_mut().filter(|run| run.call_id == recurring.call_id) {
            run.dropped = true;
        }
        self.record(Record::Cancelled { call_id: recurring.call_id });
        true
    }

    fn forget(&mut self, resource: String, only: Option<(String, u64)>) {
        match &only {
            None => self.cancel_all_recurring(&resource),
            Some((task, interval_ms)) => {
                let key = OperationKey {
                    resource: resource.clone(),
                    task: task.clone(),
                    interval_ms: *interval_ms,
                };
                if self.cancel_recurring(&key) {
                    self.send(Output::Send(Event::Cancelled { key, found: true }));
                }
            }
        }
        self.record(Record::Forgotten { resource, only });
    }
}

mod end;
mod schedule;
mod snapshot;

#[cfg(test)]
mod tests;
