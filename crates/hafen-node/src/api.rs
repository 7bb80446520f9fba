//! The boundary of a node: everything that goes in and everything that comes out.

use std::collections::BTreeMap;

use hafen_cib::acl::User;
use hafen_protocol::client::{Event, Reply, Request};
use hafen_protocol::message::{Execute, FenceResult, FenceStart, OperationResult};
use hafen_protocol::{Delivery, HostId, Incarnation, Transmission};

use crate::fencing::DeviceKnowledge;

/// Who this member is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The host's number.
    pub host: HostId,
    /// The host's name (`uname -n`).
    pub uname: String,
    /// This run of the daemon; higher than every earlier one's on this host.
    pub incarnation: Incarnation,
    /// This boot of the host.
    pub boot_id: String,
}

/// What does not come from the CIB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The cluster's name.
    pub cluster: String,
    /// The configured hosts (Corosync's node list): number and name. Majorities are counted over these.
    pub hosts: BTreeMap<HostId, String>,
    /// How long a host may be without its daemon before its resources count as unaccounted for, in milliseconds.
    pub daemon_restart_timeout_ms: u64,
    /// How long a cluster that starts waits for its configured hosts before it plans without them, in milliseconds
    /// (Pacemaker's `dc-deadtime`).
    pub startup_wait_ms: u64,
    /// The configuration to begin with where nothing is stored yet, as the XML of a CIB.
    pub initial_cib: String,
    /// A unique name for this run's transitions (the UUID in transition keys).
    pub transition_uuid: String,
}

/// What the store's directory held when the daemon started: file names and contents.
pub type StoredFiles = BTreeMap<String, Vec<u8>>;

/// Everything that goes into a node.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// From the engine of the bus.
    Bus(Delivery),
    /// A storage effect with `token` ended. Effects end in the order in which they were put out; after a failure the
    /// shell answers all effects that it already holds with `StorageError::Cancelled` and does not carry them out.
    Storage {
        /// The effect's token.
        token: u64,
        /// How it ended.
        result: Result<(), StorageError>,
    },
    /// The executor is connected: what it holds. Until then nothing is run, and the node does not join.
    ExecutorConnected {
        /// Operations that it has accepted (by transition key) and that have not ended, recurring ones included.
        accepted: Vec<Execute>,
        /// Results that no daemon has acknowledged yet.
        results: Vec<OperationResult>,
        /// True when the executor is a new one that had to end the operations of one that died.
        recovered: bool,
    },
    /// The connection to the executor broke; the shell starts a new one and connects again.
    ExecutorLost,
    /// An operation ended.
    OperationEnded(Box<OperationResult>),
    /// A fencing that this member does has ended.
    FenceEnded(Box<FenceResult>),
    /// A fence device told what only it knows. Until then it counts as able to fence any host that its configuration
    /// does not rule out.
    FenceDeviceLearned {
        /// The device's id.
        device: String,
        /// What it told.
        knowledge: DeviceKnowledge,
    },
    /// Devices were looked at: warnings for every status, in place of those of the last look.
    FenceDevicesChecked {
        /// A sentence for each device that did not answer as it must.
        failures: Vec<String>,
    },
    /// The shell has looked how busy the host is; now and then.
    Load {
        /// The load of a minute (`/proc/loadavg`), in hundredths.
        load_hundredths: u64,
        /// How many cores share it.
        cores: u32,
    },
    /// A client's request.
    Client {
        /// The shell's number for the request; `Output::Reply` carries it.
        request: u64,
        /// What is asked.
        body: Request,
    },
    /// A request of a user whom access control lists may restrict.
    ClientAs {
        /// The shell's number for the request.
        request: u64,
        /// Who asks.
        user: User,
        /// What is asked.
        body: Request,
    },
    /// The client of that request is gone.
    ClientGone {
        /// The shell's number.
        request: u64,
    },
}

/// Why a storage effect failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StorageError {
    /// No space left (`ENOSPC`, `EDQUOT`).
    Full,
    /// Anything else, as the system said it.
    Failed(String),
    /// Not tried, because an effect before it failed.
    Cancelled,
}

/// What to do in the store's directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StorageEffect {
    /// Creates or truncates a file and writes all of it.
    Write {
        /// Its name.
        file: String,
        /// Its contents.
        bytes: Vec<u8>,
    },
    /// Appends to a file.
    Append {
        /// Its name.
        file: String,
        /// What is added.
        bytes: Vec<u8>,
    },
    /// Cuts a file to a length (a torn tail, or what a failed append left).
    Truncate {
        /// Its name.
        file: String,
        /// Bytes that stay.
        length: u64,
    },
    /// `fdatasync` of a file.
    Sync {
        /// Its name.
        file: String,
    },
    /// Renames a file over another.
    Rename {
        /// The old name.
        from: String,
        /// The new name.
        to: String,
    },
    /// Deletes a file; that it is not there is no error.
    Remove {
        /// Its name.
        file: String,
    },
    /// `fsync` of the directory itself: creations, renames and deletions before it last.
    SyncDirectory,
}

/// A program of the administrator is to be told of something (`<alert>`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertCall {
    /// The alert's id.
    pub alert: String,
    /// The program.
    pub path: String,
    /// Its environment, but for the time and the sequence number, which the shell adds.
    pub environment: BTreeMap<String, String>,
    /// The form of `CRM_alert_timestamp` (`date`), if one is configured.
    pub timestamp_format: Option<String>,
    /// How long it may take, in milliseconds.
    pub timeout_ms: u64,
    /// When it happened, in milliseconds since the Unix epoch.
    pub wall_ms: u64,
}

/// Everything that comes out of a node.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// To the engine of the bus.
    Bus(Transmission),
    /// To the disk; every effect is answered by `Input::Storage`.
    Storage {
        /// Names the effect.
        token: u64,
        /// What to do.
        effect: StorageEffect,
    },
    /// Keep this until the host boots again (`/run`): what a next run of the daemon must know of this one. Replaces
    /// what was kept before, atomically; durable against the daemon's death, not against the host's.
    Remember(Vec<u8>),
    /// Run an operation on this host. A recurring one goes on until cancelled.
    Run(Box<Execute>),
    /// End a recurring operation.
    Cancel {
        /// The resource.
        resource: String,
        /// Its task.
        task: String,
        /// Its interval.
        interval_ms: u64,
    },
    /// Results up to this sequence are recorded; the executor may forget them.
    AcknowledgeResults {
        /// `OperationResult::sequence`.
        through: u64,
    },
    /// Run fence agents; answered by `Input::FenceEnded`.
    Fence(Box<FenceStart>),
    /// Answer a client.
    Reply {
        /// The shell's number for the request.
        request: u64,
        /// The answer.
        reply: Box<Reply>,
    },
    /// Run an alert's program. Nobody waits for its end.
    Alert(Box<AlertCall>),
    /// An entry for the event log (its number is 0; the log counts).
    Event(Event),
    /// Save a transition's input (`pe-input-N`).
    SaveInput {
        /// N.
        number: u64,
        /// The CIB that the scheduler was given.
        xml: String,
        /// Seconds since the Unix epoch, as the scheduler was told.
        now: u64,
    },
    /// Report to the executor whether its watchdog may be fed.
    Watchdog {
        /// Quorate, or policy permits, or nothing runs here.
        feed: bool,
        /// How long the watchdog waits after it was last fed, in milliseconds; 0: none is wanted. A host whose watchdog
        /// cannot be armed must start nothing while this is not 0, because the others count on it.
        timeout_ms: u64,
    },
    /// The daemon has left the cluster in good order and may end.
    Exit {
        /// Why.
        reason: String,
    },
}
