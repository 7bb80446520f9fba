//! What daemon and executor say to each other: frames over a Unix stream socket.
//!
//! A frame is the length of what follows as a big-endian `u32`, then one JSON object: a [`Request`] from the daemon, an
//! [`Event`] from the executor. The daemon's first request is [`Request::Hello`], the executor's first event
//! [`Event::Welcome`] or [`Event::Rejected`]. There is one daemon at a time: a new connection ends the one before.
//!
//! Results are delivered at least once: each stays with the executor, also across its own crash, until the daemon has
//! acknowledged its `sequence`, and is sent again to each new daemon, in order, right after the welcome. Requests are
//! delivered at most once; an [`Operation`] that is sent again with the same non-empty transition key is never run again.

use std::collections::BTreeMap;

use hafen_agents::{AgentName, OcfExitCode, OpStatus};
use serde::{Deserialize, Serialize};

/// The version of this protocol. Both sides must speak the same.
pub const PROTOCOL_VERSION: u32 = 1;
/// The longest frame, in bytes, without its length.
pub const FRAME_LENGTH_LIMIT_BYTES: usize = 2 * 1024 * 1024;
/// The longest operation, in bytes of JSON.
pub const OPERATION_LENGTH_LIMIT_BYTES: usize = 64 * 1024;
/// How much of an agent's standard output a result carries, in bytes.
pub const STDOUT_EXCERPT_BYTES: usize = 4 * 1024;
/// How much of an agent's standard error a result carries, in bytes.
pub const STDERR_EXCERPT_BYTES: usize = 4 * 1024;

/// What the daemon asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum Request {
    /// The first request of a connection.
    Hello {
        /// [`PROTOCOL_VERSION`] of the daemon.
        protocol: u32,
    },
    /// Run an operation of a resource; with an interval: now, and again that long after each end, until cancelled.
    Execute(Operation),
    /// Run a fence agent.
    Fence(FenceOperation),
    /// End a recurring operation. Answered by [`Event::Cancelled`]; a run under way ends, and its result is dropped.
    CancelRecurring {
        /// The resource.
        resource: String,
        /// The task.
        task: String,
        /// The interval in milliseconds.
        interval_ms: u64,
    },
    /// Forget the history of a resource, or of one of its tasks. Recurring operations that it covers end.
    ForgetResource {
        /// The resource.
        resource: String,
        /// Only this task and interval in milliseconds.
        only: Option<(String, u64)>,
    },
    /// Everything that the executor knows. Answered by [`Event::Snapshot`]s.
    List,
    /// The daemon has taken over the result with this sequence number.
    Acknowledge {
        /// [`OperationResult::sequence`] or [`FenceResult::sequence`].
        sequence: u64,
    },
    /// The daemon lives, and says whether the watchdog may be fed.
    Report {
        /// Quorate, or the policy permits, or everything is stopped.
        allow_watchdog: bool,
        /// How long the watchdog waits after it was last fed, in milliseconds; 0: it is not wanted and is disarmed, because
        /// nobody counts on it or the host has left with everything stopped. Nothing: the daemon does not know yet.
        #[serde(default)]
        watchdog_timeout_ms: Option<u64>,
    },
    /// The metadata of an agent. Answered by [`Event::Metadata`].
    Metadata {
        /// Given back with the answer.
        request_id: u64,
        /// The agent.
        agent: AgentName,
    },
    /// End when no operation is under way any more. Recurring operations end at once. The journal is kept.
    Shutdown,
}

/// An operation of a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// The resource's id, for an instance of a clone with its number: `vm1`, `ping:0`.
    pub resource: String,
    /// Its agent.
    pub agent: AgentName,
    /// The agent's action: `start`, `stop`, `monitor`, `migrate_to`, ...
    pub task: String,
    /// For a recurring operation the time between an end and the next beginning, else 0. In milliseconds.
    pub interval_ms: u64,
    /// How long it may take, in milliseconds.
    pub timeout_ms: u64,
    /// Wait this long before the first run, in milliseconds.
    #[serde(default)]
    pub start_delay_ms: u64,
    /// The resource's parameters (`OCF_RESKEY_NAME`).
    pub parameters: BTreeMap<String, String>,
    /// Meta attributes (`OCF_RESKEY_CRM_meta_NAME`), by their names without the prefix `CRM_meta_`.
    pub meta: BTreeMap<String, String>,
    /// Which action of which transition this is; given back with the result. May be empty.
    pub transition_key: String,
    /// The daemon's own words, given back with the result.
    #[serde(default)]
    pub user_data: String,
}

/// A run of a fence agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FenceOperation {
    /// Which fencing this is: the same id is not run twice while it is under way.
    pub id: String,
    /// The fence device's resource id.
    pub device: String,
    /// The fence agent: `fence_ipmilan`.
    pub agent: String,
    /// `on`, `off`, `reboot`, `status`, `monitor` or `list`.
    pub action: String,
    /// The host that it is about, by its cluster name (`nodename`).
    pub target: Option<String>,
    /// The host's name in the device (`port` and `plug`), when it has another one there.
    pub port: Option<String>,
    /// The device's parameters.
    pub parameters: BTreeMap<String, String>,
    /// How long it may take, in milliseconds.
    pub timeout_ms: u64,
    /// Wait this long before the run, in milliseconds (`pcmk_delay_base` and `pcmk_delay_max` are the daemon's to decide).
    #[serde(default)]
    pub delay_ms: u64,
}

/// What the executor says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The first event of a connection that goes on.
    Welcome {
        /// [`PROTOCOL_VERSION`] of the executor.
        protocol: u32,
        /// The executor's process id.
        executor_pid: u32,
        /// This boot of the kernel.
        boot_id: String,
        /// Operations that a lost executor left under way. Their processes are gone. Monitors and stops are run again, of
        /// each other one a failed result follows.
        recovered: Vec<OperationKey>,
        /// Records of the journal that could not be read.
        journal_records_lost: u64,
    },
    /// The only event of a connection that does not go on.
    Rejected {
        /// Why.
        reason: String,
    },
    /// An operation ended; a recurring one: the first time, and each time that it ended in another way than before.
    Result(Box<OperationResult>),
    /// A run of a fence agent ended.
    FenceResult(Box<FenceResult>),
    /// An operation was not accepted. No result follows.
    Refused {
        /// The resource's id, or the fencing's.
        id: String,
        /// The task or action.
        task: String,
        /// The transition key of the request.
        transition_key: String,
        /// Why.
        reason: String,
    },
    /// A recurring operation ended on request, or because an operation of its resource made it void.
    Cancelled {
        /// Which.
        key: OperationKey,
        /// Whether there was one.
        found: bool,
    },
    /// A part of what the executor knows, in order of sequence numbers.
    Snapshot {
        /// This part.
        operations: Vec<KnownOperation>,
        /// Whether it is the last one.
        last: bool,
    },
    /// The metadata of an agent.
    Metadata {
        /// The id of the request.
        request_id: u64,
        /// The XML, or why there is none.
        outcome: Result<String, String>,
    },
}

/// What tells operations of a host apart: an operation replaces the one with the same key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OperationKey {
    /// The resource's id.
    pub resource: String,
    /// The task.
    pub task: String,
    /// The interval in milliseconds, 0 for an operation that does not recur.
    pub interval_ms: u64,
}

impl Operation {
    /// What tells this operation from others.
    pub fn key(&self) -> OperationKey {
        OperationKey {
            resource: self.resource.clone(),
            task: self.task.clone(),
            interval_ms: self.interval_ms,
        }
    }
}

/// How an operation ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationResult {
    /// Rises with every result of a boot; to be acknowledged.
    pub sequence: u64,
    /// Rises with every operation of a boot; all results of one recurring operation carry the same.
    pub call_id: u64,
    /// The operation as it was asked for, parameters included.
    pub operation: Operation,
    /// The end itself.
    #[serde(flatten)]
    pub end: End,
    /// The last change of the return code, in seconds since 1970 (`last-rc-change`).
    pub last_rc_change_seconds: u64,
    /// From the acceptance to the beginning of the run, in milliseconds.
    pub queue_time_ms: u64,
}

/// How a run of a fence agent ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FenceResult {
    /// Rises with every result of a boot; to be acknowledged.
    pub sequence: u64,
    /// The request.
    pub operation: FenceOperation,
    /// The end itself. For `status`: rc 0 is on, 2 is off.
    #[serde(flatten)]
    pub end: End,
}

/// The end of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// The agent's exit code, or the one that OCF has for what prevented it.
    pub rc: OcfExitCode,
    /// Whether the run came to its end.
    pub op_status: OpStatus,
    /// What went wrong.
    pub exit_reason: Option<String>,
    /// Of the standard output, [`STDOUT_EXCERPT_BYTES`] at most.
    pub stdout: String,
    /// Of the standard error, [`STDERR_EXCERPT_BYTES`] at most.
    pub stderr: String,
    /// When the run began, in seconds since 1970 (`last-run`).
    pub started_at_seconds: u64,
    /// How long the run took, in milliseconds.
    pub exec_time_ms: u64,
}

/// An operation that the executor knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum KnownOperation {
    /// Waiting for another operation of its resource, for its delay, or for a free place.
    Queued {
        /// Its call id.
        call_id: u64,
        /// The operation.
        operation: Operation,
    },
    /// Its agent runs.
    Running {
        /// Its call id.
        call_id: u64,
        /// The operation.
        operation: Operation,
    },
    /// Armed: it runs again and again, and does not run at this moment.
    Recurring {
        /// Its call id.
        call_id: u64,
        /// The operation.
        operation: Operation,
    },
    /// A fence agent runs.
    Fencing {
        /// The request.
        operation: FenceOperation,
    },
    /// The last result of an operation with this key.
    LastResult(Box<OperationResult>),
    /// The last result of an operation with this key that was an error, when that is not the last one.
    LastFailure(Box<OperationResult>),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation() -> Operation {
        Operation {
            resource: "vm1".to_owned(),
            agent: "ocf:hafen:qemu".parse().expect("a name"),
            task: "start".to_owned(),
            interval_ms: 0,
            timeout_ms: u64::MAX,
            start_delay_ms: 1,
            parameters: BTreeMap::from([("a".to_owned(), "\n\"\\\u{1f}\u{e9}".to_owned())]),
            meta: BTreeMap::new(),
            transition_key: "1:2:0:u".to_owned(),
            user_data: String::new(),
        }
    }

    fn end(op_status: OpStatus) -> End {
        End {
            rc: OcfExitCode(191),
            op_status,
            exit_reason: None,
            stdout: "out".to_owned(),
            stderr: String::new(),
            started_at_seconds: 1,
            exec_time_ms: u64::MAX,
        }
    }

    #[test]
    fn events_with_results_survive_the_wire() {
        for op_status in (-1..=9).map(|code| OpStatus::try_from(code).expect("a status")) {
            let result = OperationResult {
                sequence: u64::MAX,
                call_id: 2,
                operation: operation(),
                end: end(op_status),
                last_rc_change_seconds: 3,
                queue_time_ms: 4,
            };
            let known = vec![
                KnownOperation::LastFailure(Box::new(result.clone())),
                KnownOperation::Queued { call_id: 1, operation: operation() },
            ];
            for event in [
                Event::Result(Box::new(result)),
                Event::Snapshot { operations: known, last: true },
                Event::Metadata { request_id: 1, outcome: Err("no".to_owned()) },
                Event::Cancelled { key: operation().key(), found: false },
            ] {
                let text = serde_json::to_string(&event).expect("JSON");
                assert_eq!(serde_json::from_str::<Event>(&text).expect("an event"), event, "{text}");
            }
        }
        assert!(serde_json::from_str::<OpStatus>("10").is_err());
    }

    #[test]
    fn requests_survive_the_wire() {
        let only = Some(("monitor".to_owned(), 10_000));
        for request in [
            Request::Execute(operation()),
            Request::ForgetResource { resource: "vm1".to_owned(), only },
            Request::List,
            Request::Report { allow_watchdog: true, watchdog_timeout_ms: Some(5000) },
            Request::Metadata { request_id: 3, agent: "stonith:fence_x".parse().expect("a name") },
        ] {
            let text = serde_json::to_string(&request).expect("JSON");
            assert_eq!(serde_json::from_str::<Request>(&text).expect("a request"), request, "{text}");
        }
    }
}
