//! What travels between nodes. Patchsets and results travel, never commands to be executed again by each receiver.

mod change;
mod fencing;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::client::Failure;
use crate::view::{HostId, Incarnation, MemberId, ViewId};

pub use change::{Asker, Asking, Change, ChangeAsked, HostChange};
pub use fencing::{
    FENCE_ANSWER_BYTES_MAXIMUM, FenceAction, FenceDevice, FenceResult, FenceStart, FenceTry, ProofLevel,
};

/// The version of these messages that this build speaks. A view speaks the version of its oldest member.
pub const PROTOCOL_VERSION: u32 = 1;

/// The oldest version of these messages that this build can speak.
pub const PROTOCOL_VERSION_MINIMUM: u32 = 1;

/// A message of the total order, with the view in which its sender sent it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    /// The view that the sender was in. A receiver in another view ignores the message.
    pub view: ViewId,
    /// What is said.
    pub message: Message,
}

/// A message of the total order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Message {
    /// The first message of each member in each view: who it is, what it has, how its host is.
    Hello(Box<Hello>),
    /// The member has taken over the coordinator's copy and stands at the same state as it.
    Synchronised,
    /// The coordinator proposes a new term. Members promise it on their disks and answer `Persisted`.
    Term {
        /// Higher than every term that a member of the view has promised.
        term: u64,
    },
    /// A member's client asks for a change of the configuration, which the coordinator makes.
    ChangeAsked(Box<ChangeAsked>),
    /// A change of the configuration. It applies if its base is the receiver's state, and is refused by all otherwise.
    Change(Box<Change>),
    /// The coordinator answers what was asked for where no change came of it.
    ChangeAnswered {
        /// Who asked.
        member: MemberId,
        /// What.
        request: u64,
        /// Why it cannot be made; nothing: the configuration is like that already.
        failure: Option<Failure>,
    },
    /// Everything that the sender applied up to this position of the view is on its disk.
    Persisted {
        /// A position in the view's total order (the count of its messages so far).
        position: u64,
    },
    /// The sender's disk does not take what it is given: it counts for no acknowledgement and cannot coordinate.
    DiskFailed {
        /// What the system said.
        reason: String,
    },
    /// The sender's disk takes writes again, and everything that it applied is on it.
    DiskHealthy,
    /// The coordinator has begun to plan: the wait at the start of a cluster is over, for later coordinators too.
    Started,
    /// The coordinator found nothing to do for the state at this position of the view.
    Settled {
        /// A position in the view's total order.
        position: u64,
    },
    /// A host that was asked to leave runs nothing any more and may go.
    Shutdown {
        /// Which one.
        host: HostId,
    },
    /// The coordinator orders an operation of an agent on a host.
    Execute(Box<Execute>),
    /// An operation ended on the sender's host.
    Result(Box<OperationResult>),
    /// The coordinator orders a recurring operation to end, or a resource's history to be forgotten, on a host.
    Forget {
        /// Where.
        host: HostId,
        /// Which resource.
        resource: String,
        /// `Some((task, interval_ms))`: only that recurring operation; `None`: the whole history.
        operation: Option<(String, u64)>,
        /// The action in the coordinator's transition that this carries out, if any.
        transition_key: Option<String>,
    },
    /// Sets (`Some`) or deletes (`None`) transient attributes of a host.
    Attributes {
        /// Whose attributes.
        host: HostId,
        /// Name and value.
        values: BTreeMap<String, Option<String>>,
        /// The action in the coordinator's transition that this carries out, if any.
        transition_key: Option<String>,
    },
    /// A new value of a transient attribute, which waits for further changes before it counts (dampening).
    Damped(Box<DampedUpdate>),
    /// The coordinator lets the waiting values of these attributes count, those of all hosts at once.
    Undamp {
        /// The attributes' names.
        names: BTreeSet<String>,
    },
    /// The sender lives. Said now and then by each member: one that hangs is known by the lack of it.
    Alive,
    /// How busy the sender's host is, said when that changes.
    Load(HostLoad),
    /// A member that has greeted goes on without members of the view that have not within their time. It counts when
    /// everyone has greeted but those that are named here.
    GoWithout {
        /// The silent members.
        members: BTreeSet<MemberId>,
    },
    /// The coordinator declares a host's resources unaccounted for.
    DeclareUnclean {
        /// Which host.
        host: HostId,
        /// The run of its daemon that was lost, if one was known; a newer one is not meant.
        incarnation: Option<Incarnation>,
        /// The recorded cause.
        cause: String,
    },
    /// A fencing begins: all know who does it and why, so that none does it again.
    FenceStart(Box<FenceStart>),
    /// A fencing ended.
    FenceResult(Box<FenceResult>),
    /// The sender leaves in good order; it runs no resources any more.
    Leaving,
    /// A human asks that a host be put through a change that only the coordinator can carry out.
    Operator(Operator),
}

/// How busy a host is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostLoad {
    /// By its load and the property `load-threshold`.
    pub level: LoadLevel,
    /// How many cores it has.
    pub cores: u32,
}

/// Levels of load; the higher, the less a host is given to do at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoadLevel {
    /// Not busy.
    #[default]
    None,
    /// A little: half as much.
    Low,
    /// A quarter.
    Medium,
    /// One thing at a time.
    High,
}

impl LoadLevel {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            LoadLevel::None => "none",
            LoadLevel::Low => "low",
            LoadLevel::Medium => "medium",
            LoadLevel::High => "high",
        }
    }
}

/// Requests of operators that travel to the coordinator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Operator {
    /// Fence a host now.
    Fence {
        /// Which one.
        host: HostId,
        /// `reboot` or `off`.
        action: String,
        /// Who asked, for the record.
        origin: String,
    },
    /// A human vouches that a host is off (proof level `human`).
    ConfirmOff {
        /// Which one.
        host: HostId,
        /// Who vouches.
        origin: String,
        /// When, in milliseconds since the Unix epoch.
        wall_ms: u64,
    },
    /// A human vouches that a host is off and stays off: the cluster goes on without it, also where quorum waits
    /// for it.
    ProceedWithout {
        /// Which one.
        host: HostId,
        /// Who vouches.
        origin: String,
        /// When, in milliseconds since the Unix epoch.
        wall_ms: u64,
    },
    /// Somebody says that a resource has failed on a host.
    Fail {
        /// Where.
        host: HostId,
        /// Its name in the host's history.
        resource: String,
        /// When, in milliseconds since the Unix epoch.
        wall_ms: u64,
    },
    /// Plan again although nothing seems to have changed.
    Replan {
        /// Why.
        cause: String,
    },
}

/// An update of a transient attribute as attrd understands it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DampedUpdate {
    /// Whose attribute.
    pub host: HostId,
    /// Its name.
    pub name: String,
    /// What becomes of its value.
    pub value: DampedValue,
    /// How long values of this attribute wait from now on, in milliseconds; nothing: as long as before, else not.
    pub dampen_ms: Option<u64>,
}

/// What an update does to a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DampedValue {
    /// Set it; `value++` and `value+=2` add to a number.
    Set(String),
    /// Delete it.
    Delete,
    /// Leave it, and let a waiting value count after the new time.
    Keep,
}

/// A value of a transient attribute that waits for further changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damped {
    /// The value; nothing: it is to be deleted.
    pub value: Option<String>,
    /// How long it waits, in milliseconds.
    pub wait_ms: u64,
}

/// The order in which states win a merge: `admin_epoch`, lineage, epoch, `num_updates`; then the lowest host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct StateVersion {
    /// The CIB's own first number, which an administrator may raise to win.
    pub admin_epoch: u64,
    /// Under which coordinator the last change was made.
    pub lineage: Lineage,
    /// The CIB's second number.
    pub epoch: u64,
    /// The CIB's third number.
    pub num_updates: u64,
}

/// Which coordinator's rule a state comes from: a term that a majority promised, and that coordinator's host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Lineage {
    /// The term; 0 before any coordinator was elected.
    pub term: u64,
    /// The coordinator's host; 0 before any was elected.
    pub host: u32,
}

/// What a member says first in a view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// The newest `PROTOCOL_VERSION` that the member speaks.
    pub protocol: u32,
    /// The host's name (`uname -n`).
    pub uname: String,
    /// The version of its configuration.
    pub version: StateVersion,
    /// The digest of its configuration.
    pub digest: String,
    /// The digest of what it knows beside configuration and present hosts (absent hosts, fencing).
    pub shared_digest: String,
    /// The highest term that it has promised on its disk.
    pub promised_term: u64,
    /// Whether its disk takes writes. Only such a member can coordinate.
    pub disk_healthy: bool,
    /// The coordinator's copy that it stands on is complete (false in a node that was never synchronised since it
    /// started and lost its place in a transfer).
    pub complete: bool,
    /// The member has been in a cluster that planned (`Started`).
    pub seasoned: bool,
    /// The sequence of the last ring with quorum in which the member was synchronised in this run; 0: none. What it
    /// knows about absent hosts is as new as that.
    pub quorate_ring: u64,
    /// The member coordinated the last view that it was in.
    pub coordinated: bool,
    /// What runs on its own host, from that host itself.
    pub status: HostStatus,
    /// The boot of the host (`/proc/sys/kernel/random/boot_id`).
    pub boot_id: String,
    /// Hosts that are proven off as the member knows: the run of their daemon that is meant, and how it is known.
    #[serde(default)]
    pub proven_off: BTreeMap<HostId, (Option<Incarnation>, ProofLevel)>,
}

/// What runs and ran on one host: the contents of its `lrm` and its transient attributes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HostStatus {
    /// The histories of resources, by resource id.
    pub resources: BTreeMap<String, ResourceHistory>,
    /// Transient attributes (`fail-count-…`, `shutdown`, …).
    pub attributes: BTreeMap<String, String>,
    /// Values of transient attributes that do not count yet.
    #[serde(default)]
    pub damped: BTreeMap<String, Damped>,
    /// How long values of a transient attribute wait, in milliseconds, by its name, where a time was given.
    #[serde(default)]
    pub dampening: BTreeMap<String, u64>,
    /// Resources that were ordered to migrate here, with the order to their source, until an operation on this host
    /// tells whether they are here. The source's record tells it too, but goes with the source.
    #[serde(default)]
    pub arriving: BTreeMap<String, Execute>,
    /// The highest `OperationResult::sequence` that is recorded here: a result seen again counts once.
    pub results_through: u64,
}

/// A resource's history on one host (`lrm_resource`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ResourceHistory {
    /// `ocf`, `stonith`, ….
    pub class: String,
    /// The agent's provider (`heartbeat`, `hafen`), for class `ocf`.
    pub provider: Option<String>,
    /// The agent's name.
    #[serde(rename = "type")]
    pub agent: String,
    /// Ended operations by record id (`R_last_0`, `R_last_failure_0`, `R_monitor_10000`).
    pub operations: BTreeMap<String, OperationRecord>,
    /// Operations that were ordered and have not ended, by operation key (`R_start_0`).
    pub pending: BTreeMap<String, Execute>,
}

/// One `lrm_rsc_op`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationRecord {
    /// `R_start_0`.
    pub operation_key: String,
    /// `start`, `stop`, `monitor`, ….
    pub task: String,
    /// 0 for an operation that does not recur.
    pub interval_ms: u64,
    /// `ACTION:TRANSITION:EXPECTED-RC:UUID` of the order.
    pub transition_key: String,
    /// Grows with every operation of the host.
    pub call_id: u64,
    /// The agent's exit status in OCF's meaning.
    pub rc: i32,
    /// Pacemaker's `op-status`: 0 done, 1 cancelled, 2 timed out, 4 error, ….
    pub op_status: i32,
    /// When the result was first seen, in seconds since the Unix epoch.
    pub last_rc_change: u64,
    /// How long the agent ran, in milliseconds.
    pub exec_time_ms: u64,
    /// How long the operation waited before, in milliseconds.
    pub queue_time_ms: u64,
    /// What the agent gave as its reason.
    pub exit_reason: String,
    /// The end of what it wrote to its standard error, where it failed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub output: String,
    /// The digest of all parameters.
    pub op_digest: String,
    /// For agents that can reload: which parameters force a restart (` a b `), and their digest.
    pub restart: Option<(String, String)>,
    /// For a migration: source and target host names.
    pub migration: Option<(String, String)>,
    /// The host that the result is about.
    pub on_node: String,
}

/// An order to run an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Execute {
    /// Where.
    pub host: HostId,
    /// The resource's id in its host's history.
    pub resource: String,
    /// `ocf`, `stonith`, ….
    pub class: String,
    /// The agent's provider.
    pub provider: Option<String>,
    /// The agent's name.
    #[serde(rename = "type")]
    pub agent: String,
    /// `start`, `stop`, `monitor`, `migrate_to`, ….
    pub task: String,
    /// 0: once.
    pub interval_ms: u64,
    /// The operation's own time-out.
    pub timeout_ms: u64,
    /// `R_start_0`.
    pub operation_key: String,
    /// `ACTION:TRANSITION:EXPECTED-RC:UUID`.
    pub transition_key: String,
    /// Instance attributes.
    pub parameters: BTreeMap<String, String>,
    /// `CRM_meta_…` without its prefix for agents' environment.
    pub meta: BTreeMap<String, String>,
    /// When it was ordered, in seconds since the Unix epoch (a pending record's `last-rc-change`).
    pub ordered_at: u64,
}

impl Execute {
    /// The status code that the plan expects, from the transition key.
    pub fn expected_rc(&self) -> Option<i32> {
        self.transition_key.split(':').nth(2)?.parse().ok()
    }
}

/// So much of what an agent wrote is kept of an operation that failed.
pub const OUTPUT_BYTES_MAXIMUM: usize = 512;

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationResult {
    /// The order that it answers; for a recurring operation the order that set it up.
    pub order: Execute,
    /// The agent's exit status.
    pub rc: i32,
    /// Pacemaker's `op-status`.
    pub op_status: i32,
    /// What the agent gave as its reason.
    pub exit_reason: String,
    /// The end of what it wrote to its standard error, where it failed: [`OUTPUT_BYTES_MAXIMUM`] at most.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub output: String,
    /// When the agent was started, in milliseconds since the Unix epoch.
    pub started_wall_ms: u64,
    /// When it ended, in milliseconds since the Unix epoch.
    pub ended_wall_ms: u64,
    /// How long it waited for its turn.
    pub queue_time_ms: u64,
    /// Which parameters force a restart, for agents that can reload.
    pub restart_parameters: Option<Vec<String>>,
    /// The executor's number for this result, unique in one boot of the host: a result seen twice counts once.
    pub sequence: u64,
}
