//! What the executor knows and must not lose: the fold of its journal's records. Pure.
//!
//! The running executor changes its ledger only by applying records, and writes each of them to the journal. So what a new
//! executor reads is what the lost one knew.

use std::collections::BTreeMap;

use hafen_agents::{OcfExitCode, OpStatus};
use serde::{Deserialize, Serialize};

use crate::wire::{FenceOperation, FenceResult, Operation, OperationKey, OperationResult};

/// A line of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum Record {
    /// The first record of a journal: the counters as they were when it was written.
    Header {
        /// The version of the form of the journal.
        format: u32,
        /// Which life of the host it tells of: what another life left running is gone.
        boot: String,
        /// The next call id.
        next_call_id: u64,
        /// The next sequence number of a result.
        next_sequence: u64,
        /// The next number of a run.
        next_run: u64,
    },
    /// An operation is to be run.
    Accepted {
        /// Its call id.
        call_id: u64,
        /// The operation.
        operation: Operation,
    },
    /// A fence agent is to be run.
    FenceAccepted {
        /// Its call id.
        call_id: u64,
        /// The request.
        operation: FenceOperation,
    },
    /// An agent is about to begin. Its own process writes this, before it becomes the agent.
    Started {
        /// The number of this run.
        run: u64,
        /// What it runs for.
        call_id: u64,
        /// The agent's process, which leads a process group.
        pid: u32,
        /// When that process was started, in ticks since boot.
        start_time_ticks: u64,
    },
    /// A run ended with nothing to tell: a recurring operation that goes as before, or one that was cancelled meanwhile.
    Ended {
        /// The number of the run.
        run: u64,
    },
    /// An operation has a result.
    Result {
        /// The run that it is of, if there was one.
        run: Option<u64>,
        /// The result.
        result: Box<OperationResult>,
    },
    /// A run of a fence agent has a result.
    FenceResult {
        /// The run that it is of, if there was one.
        run: Option<u64>,
        /// What was asked for.
        call_id: u64,
        /// The result.
        result: Box<FenceResult>,
    },
    /// The daemon has taken over a result.
    Acknowledged {
        /// Its sequence number.
        sequence: u64,
    },
    /// An operation is not to be run (any more).
    Cancelled {
        /// Its call id.
        call_id: u64,
    },
    /// The history of a resource, or of one of its tasks, does not count any more.
    Forgotten {
        /// The resource.
        resource: String,
        /// Only this task and interval in milliseconds.
        only: Option<(String, u64)>,
    },
    /// A rewritten journal's memory of a result.
    Remembered {
        /// The result.
        result: Box<OperationResult>,
        /// Whether it is the last one of its operation.
        last: bool,
        /// Whether it is the last failure of its operation.
        failure: bool,
        /// Whether the daemon has still to acknowledge it.
        unacknowledged: bool,
    },
}

/// The version of the form of the journal.
pub const JOURNAL_FORMAT: u32 = 1;

/// A run of an agent that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunOfAgent {
    /// What it runs for.
    pub call_id: u64,
    /// The agent's process and process group.
    pub pid: u32,
    /// When that process was started, in ticks since boot.
    pub start_time_ticks: u64,
}

/// What is known of the past of one operation key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The last result.
    pub last: Option<OperationResult>,
    /// The last result that was a failure.
    pub failure: Option<OperationResult>,
}

/// A result of either kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnyResult {
    /// Of a resource's operation.
    Operation(Box<OperationResult>),
    /// Of a fencing.
    Fence(Box<FenceResult>),
}

/// The fold of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// The next call id.
    pub next_call_id: u64,
    /// The next sequence number of a result.
    pub next_sequence: u64,
    /// The next number of a run.
    pub next_run: u64,
    /// Operations to be run, and recurring ones as long as they recur, by call id.
    pub operations: BTreeMap<u64, Operation>,
    /// Fencings to be run or running, by call id.
    pub fencings: BTreeMap<u64, FenceOperation>,
    /// Runs under way, by their number.
    pub runs: BTreeMap<u64, RunOfAgent>,
    /// The past.
    pub history: BTreeMap<OperationKey, History>,
    /// Results that the daemon has not acknowledged, by sequence number.
    pub unacknowledged: BTreeMap<u64, AnyResult>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            next_call_id: 1,
            next_sequence: 1,
            next_run: 1,
            operations: BTreeMap::new(),
            fencings: BTreeMap::new(),
            runs: BTreeMap::new(),
            history: BTreeMap::new(),
            unacknowledged: BTreeMap::new(),
        }
    }
}

impl Ledger {
    /// Takes a record in. Records that fit nothing (of a damaged journal) change nothing.
    pub fn apply(&mut self, record: &Record) {
        match record {
            Record::Header { next_call_id, next_sequence, next_run, .. } => {
                self.next_call_id = self.next_call_id.max(*next_call_id);
                self.next_sequence = self.next_sequence.max(*next_sequence);
                self.next_run = self.next_run.max(*next_run);
            }
            Record::Accepted { call_id, operation } => {
                self.next_call_id = self.next_call_id.max(call_id.saturating_add(1));
                self.operations.insert(*call_id, operation.clone());
            }
            Record::FenceAccepted { call_id, operation } => {
                self.next_call_id = self.next_call_id.max(call_id.saturating_add(1));
                self.fencings.insert(*call_id, operation.clone());
            }
            Record::Started { run, call_id, pid, start_time_ticks } => {
                self.next_run = self.next_run.max(run.saturating_add(1));
                let (call_id, pid, start_time_ticks) = (*call_id, *pid, *start_time_ticks);
                self.runs.insert(*run, RunOfAgent { call_id, pid, start_time_ticks });
            }
            Record::Ended { run } => drop(self.runs.remove(run)),
            Record::Result { run, result } => {
                run.map(|run| self.runs.remove(&run));
                self.operation_ended(result);
            }
            Record::FenceResult { run, call_id, result } => {
                run.map(|run| self.runs.remove(&run));
                self.fencings.remove(call_id);
                self.next_sequence = self.next_sequence.max(result.sequence.saturating_add(1));
                self.unacknowledged.insert(result.sequence, AnyResult::Fence(result.clone()));
            }
            Record::Acknowledged { sequence } => drop(self.unacknowledged.remove(sequence)),
            Record::Cancelled { call_id } => self.cancel(*call_id),
            Record::Forgotten { resource, only } => self.forget(resource, only.as_ref()),
            Record::Remembered { result, last, failure, unacknowledged } => {
                self.remember(result, *last, *failure, *unacknowledged);
            }
        }
    }

    fn operation_ended(&mut self, result: &OperationResult) {
        if result.operation.interval_ms == 0 {
            self.operations.remove(&result.call_id);
        } else {
            // A newer result of a recurring operation says all that an older one did.
            let key = result.operation.key();
            self.unacknowledged.retain(|_, other| match other {
                AnyResult::Operation(other) => other.operation.key() != key,
                AnyResult::Fence(_) => true,
            });
        }
        self.remember(result, true, result.is_failure(), true);
    }

    fn remember(&mut self, result: &OperationResult, last: bool, failure: bool, unacknowledged: bool) {
        self.next_call_id = self.next_call_id.max(result.call_id.saturating_add(1));
        self.next_sequence = self.next_sequence.max(result.sequence.saturating_add(1));
        if last || failure {
            let history = self.history.entry(result.operation.key()).or_default();
            if last {
                history.last = Some(result.clone());
            }
            if failure {
                history.failure = Some(result.clone());
            }
        }
        if unacknowledged {
            self.unacknowledged.insert(result.sequence, AnyResult::Operation(Box::new(result.clone())));
        }
    }

    /// Of a cancelled operation only its last failure remains known.
    fn cancel(&mut self, call_id: u64) {
        let Some(operation) = self.operations.remove(&call_id) else { return };
        let key = operation.key();
        if let Some(history) = self.history.get_mut(&key) {
            history.last = None;
            if history.failure.is_none() {
                self.history.remove(&key);
            }
        }
    }

    fn forget(&mut self, resource: &str, only: Option<&(String, u64)>) {
        let covered = |key: &OperationKey| {
            key.resource == resource
                && only.is_none_or(|(task, interval_ms)| (&key.task, key.interval_ms) == (task, *interval_ms))
        };
        self.history.retain(|key, _| !covered(key));
        self.unacknowledged.retain(|_, result| match result {
            AnyResult::Operation(result) => !covered(&result.operation.key()),
            AnyResult::Fence(_) => true,
        });
    }

    /// The shortest journal with this ledger as its fold.
    pub fn to_records(&self, boot: &str) -> Vec<Record> {
        let mut records = vec![Record::Header {
            format: JOURNAL_FORMAT,
            boot: boot.to_owned(),
            next_call_id: self.next_call_id,
            next_sequence: self.next_sequence,
            next_run: self.next_run,
        }];
        let accepted = |(call_id, operation): (&u64, &Operation)| Record::Accepted {
            call_id: *call_id,
            operation: operation.clone(),
        };
        records.extend(self.operations.iter().map(accepted));
        let accepted = |(call_id, operation): (&u64, &FenceOperation)| Record::FenceAccepted {
            call_id: *call_id,
            operation: operation.clone(),
        };
        records.extend(self.fencings.iter().map(accepted));
        records.extend(self.runs.iter().map(|(run, RunOfAgent { call_id, pid, start_time_ticks })| {
            Record::Started { run: *run, call_id: *call_id, pid: *pid, start_time_ticks: *start_time_ticks }
        }));
        let mut results: BTreeMap<u64, &OperationResult> = BTreeMap::new();
        let known = self.history.values().flat_map(|history| history.last.iter().chain(&history.failure));
        results.extend(known.map(|result| (result.sequence, result)));
        for (sequence, result) in &self.unacknowledged {
            match result {
                AnyResult::Operation(result) => drop(results.insert(*sequence, result)),
                AnyResult::Fence(result) => {
                    records.push(Record::FenceResult { run: None, call_id: 0, result: result.clone() });
                }
            }
        }
        records.extend(results.into_iter().map(|(sequence, result)| {
            let history = self.history.get(&result.operation.key());
            let is = |other: Option<&OperationResult>| other.is_some_and(|other| other.sequence == sequence);
            Record::Remembered {
                result: Box::new(result.clone()),
                last: is(history.and_then(|history| history.last.as_ref())),
                failure: is(history.and_then(|history| history.failure.as_ref())),
                unacknowledged: self.unacknowledged.contains_key(&sequence),
            }
        }));
        records
    }
}

impl OperationResult {
    /// Whether the operation did not end as it was meant to: with the exit code that its transition key names, or else one
    /// that means success for its task.
    pub fn is_failure(&self) -> bool {
        if self.end.op_status != OpStatus::Done {
            return true;
        }
        let healthy =
            [OcfExitCode::OK, OcfExitCode::PROMOTED, OcfExitCode::DEGRADED, OcfExitCode::DEGRADED_PROMOTED];
        let is_probe = self.operation.task == "monitor" && self.operation.interval_ms == 0;
        let rc = self.end.rc;
        match self.operation.expected_rc() {
            Some(expected) if !is_probe => {
                rc != expected && !(expected == OcfExitCode::OK && rc == OcfExitCode::DEGRADED)
            }
            _ => !(healthy.contains(&rc) || is_probe && rc == OcfExitCode::NOT_RUNNING),
        }
    }
}

impl Operation {
    /// The exit code that the transition key (`ACTION:TRANSITION:RC:UUID`) names.
    fn expected_rc(&self) -> Option<OcfExitCode> {
        self.transition_key.split(':').nth(2)?.parse().ok().map(OcfExitCode)
    }
}
