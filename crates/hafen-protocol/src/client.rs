//! What clients ask a daemon, and what it answers: JSON, a line each, on the daemon's Unix socket.

mod report;

use serde::{Deserialize, Serialize};

use crate::message::{FenceTry, ProofLevel};

pub use report::{
    FailedOperation, HostReport, ResourceReport, StatusReport, TransitionReport, UNDER_WAY_MAXIMUM,
};

/// A request with the client's number for it; the answer carries the same number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Numbered<T> {
    /// Chosen by the client.
    pub number: u64,
    /// The request or the answer.
    pub body: T,
}

/// What a client may ask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "request")]
pub enum Request {
    /// The state of the cluster.
    Status,
    /// The CIB as XML.
    Cib {
        /// With the status section; else only the configuration.
        status: bool,
    },
    /// Changes of the configuration, all or none of them.
    Change {
        /// In this order.
        edits: Vec<Edit>,
        /// Go on without quorum.
        without_quorum: bool,
        /// Who asks, for the record: `USER: PROGRAM`.
        origin: String,
        /// When, as `ctime` writes it where the client is: the CIB's `cib-last-written`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        written: Option<String>,
    },
    /// Forget a resource's failures and history, so that it is looked at afresh.
    Cleanup {
        /// Which resource.
        resource: String,
        /// On one host, or on all.
        host: Option<String>,
        /// Only failures, and the history only where there are such; nothing: all of it.
        #[serde(default)]
        failures: Option<FailuresOf>,
    },
    /// Takes it as a failure of a resource on a host, as if its agent had found that out (`crm_resource --fail`).
    Fail {
        /// Which resource, by its name in the host's history.
        resource: String,
        /// Where.
        host: String,
    },
    /// Answer when nothing is left to do.
    Settled,
    /// Stop this host's resources and leave the cluster.
    Shutdown,
    /// Fence a host now.
    Fence {
        /// Its name.
        host: String,
        /// `reboot` or `off`.
        action: String,
        /// Who asks.
        origin: String,
    },
    /// Vouch that a host is off.
    ConfirmOff {
        /// Its name.
        host: String,
        /// Who vouches.
        origin: String,
    },
    /// A human vouches that a host is off and stays off, so that a cluster that waits for it goes on without it.
    ProceedWithout {
        /// Its name.
        host: String,
        /// Who vouches.
        origin: String,
    },
    /// The fencings on record, the oldest first; `Reply::FenceHistory`.
    FenceHistory {
        /// Only those of this host.
        host: Option<String>,
    },
    /// Changes a transient attribute, as attrd does.
    SetAttribute {
        /// Whose; nothing: this host's.
        host: Option<String>,
        /// Its name.
        name: String,
        /// The new value (`value++` and `value+=2` add to a number); nothing: it is deleted.
        value: Option<String>,
        /// How long the new value waits for further changes of this attribute on all hosts, in milliseconds.
        dampen_ms: Option<u64>,
        /// What of it is meant.
        #[serde(default)]
        mode: AttributeMode,
    },
    /// The values of transient attributes; `Reply::Attributes`.
    QueryAttribute {
        /// The attribute; nothing: all of them.
        name: Option<String>,
        /// Whose; nothing: all hosts'.
        host: Option<String>,
    },
    /// The same as another user would ask it, with no more than that user's rights. From any but root and `hacluster` it
    /// is what that one asks himself.
    As {
        /// The user's name.
        user: String,
        /// What that user asks.
        body: Box<Request>,
    },
    /// Who answers; `Reply::Host`.
    WhoAmI,
    /// Looks whether the fence devices would do their work, without harm; with `real` fences the host to see it.
    /// Answered by the shell of the daemon; `Reply::FenceDrill`.
    FenceDrill {
        /// Only for this target; nothing: for all hosts.
        host: Option<String>,
        /// Fence it.
        real: bool,
    },
    /// What the scheduler was given for a transition that this host's daemon planned; answered by the shell of the
    /// daemon, `Reply::Xml`.
    TransitionInput {
        /// The transition's number, as its event told it. A daemon counts from its start.
        number: u64,
    },
    /// Events after a number; answered by the shell of the daemon, again and again if `follow`.
    Events {
        /// Only those after this number.
        after: Option<u64>,
        /// Go on with new ones.
        follow: bool,
    },
}

/// Which failures `Request::Cleanup` forgets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailuresOf {
    /// All of them.
    All,
    /// Those of one operation.
    Operation {
        /// `monitor`, `start`, ….
        task: String,
        /// 0 for one that does not recur.
        interval_ms: u64,
    },
}

/// What `Request::SetAttribute` changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttributeMode {
    /// The value; the time it waits only where the attribute has none yet (`attrd_updater -U`, `-D`).
    #[default]
    Value,
    /// The value and the time (`attrd_updater -B`).
    Both,
    /// The time alone (`attrd_updater -Y`).
    Dampening,
}

/// One change of the configuration, as `cibadmin` knows them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "edit")]
pub enum Edit {
    /// Replaces the whole configuration by that of a CIB in XML.
    ReplaceAll {
        /// A `<cib>` or `<configuration>` element.
        xml: String,
    },
    /// Changes as a patchset (`<diff format="2">`) from the configuration as its version says. Where that is not the
    /// version any more, it is refused (`changed`): another change came first.
    Patch {
        /// The patchset; its target's version counts only where it raises `admin_epoch`.
        xml: String,
    },
    /// Adds an element to a section (`resources`, `constraints`, …); an existing id is an error.
    Create {
        /// The section's name.
        section: String,
        /// The element.
        xml: String,
    },
    /// Replaces an element of that id, or adds it to the section.
    Put {
        /// The section's name.
        section: String,
        /// The element.
        xml: String,
    },
    /// Deletes the element of that id.
    Delete {
        /// Its id.
        id: String,
        /// That it is not there is no error.
        missing_ok: bool,
    },
    /// Sets (`Some`) or deletes (`None`) a cluster property.
    Property {
        /// Its name.
        name: String,
        /// Its value.
        value: Option<String>,
    },
    /// Sets or deletes a meta attribute of a resource.
    ResourceMeta {
        /// The resource.
        resource: String,
        /// Its name.
        name: String,
        /// Its value.
        value: Option<String>,
    },
    /// Sets or deletes a permanent attribute of a node.
    NodeAttribute {
        /// The node's name.
        node: String,
        /// Its name.
        name: String,
        /// Its value.
        value: Option<String>,
    },
}

/// What a daemon answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "reply")]
pub enum Reply {
    /// Done; a change is acknowledged (on disk as the contract of acknowledgement says).
    Done {
        /// What to tell the user beside that, if anything.
        note: Option<String>,
    },
    /// Refused or failed.
    Failed(Failure),
    /// The state of the cluster.
    Status(Box<StatusReport>),
    /// XML.
    Xml {
        /// The document.
        xml: String,
    },
    /// An event of the log.
    Event(Event),
    /// Fencings on record, the oldest first.
    FenceHistory {
        /// Those that are under way are among them.
        records: Vec<FenceRecord>,
    },
    /// Transient attributes.
    Attributes {
        /// Sorted by host, then by name.
        attributes: Vec<AttributeReport>,
    },
    /// Who answers.
    Host {
        /// The host's name (`uname -n`).
        name: String,
        /// Its number.
        id: u32,
        /// The cluster's name.
        cluster: String,
    },
    /// What the fence devices answered.
    FenceDrill {
        /// One for each device and target.
        checks: Vec<FenceCheck>,
    },
}

/// A fencing on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FenceRecord {
    /// Unique in the cluster.
    pub id: String,
    /// The host that is fenced, by name.
    pub target: String,
    /// `reboot`, `off` or `on`.
    pub action: String,
    /// Who asked: an operator, or nothing where the cluster did by itself.
    pub origin: Option<String>,
    /// Why.
    pub cause: String,
    /// The host whose daemon does it, by name; nothing for a human's word.
    pub by: Option<String>,
    /// The devices that were tried, with their answers.
    pub tried: Vec<FenceTry>,
    /// What proves it, where it succeeded.
    pub proof: Option<ProofLevel>,
    /// When it began, in milliseconds since the Unix epoch.
    pub began_ms: u64,
    /// When it ended, in milliseconds since the Unix epoch; nothing while it is under way.
    pub ended_ms: Option<u64>,
    /// How it stands.
    pub outcome: FenceOutcome,
    /// What went wrong, where it failed.
    pub error: Option<String>,
}

/// How a fencing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FenceOutcome {
    /// It is under way.
    Pending,
    /// Its proof is enough.
    Succeeded,
    /// The device succeeded, but what it proves is less than `fencing-proof-minimum` asks for.
    TooWeak,
    /// All devices failed.
    Failed,
    /// The member that did it left before it told how it ended.
    Unknown,
}

/// A transient attribute of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttributeReport {
    /// Whose, by name.
    pub host: String,
    /// Its name.
    pub name: String,
    /// Its value as it was set last, whether or not it counts yet.
    pub value: Option<String>,
}

/// What a look at a fence device found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FenceCheck {
    /// The device.
    pub device: String,
    /// The host that it would fence, by name; nothing: the device itself was looked at.
    pub target: Option<String>,
    /// The host that looked, by name.
    pub by: String,
    /// What was asked (`monitor`, `list`, `status`, or `reboot` in a real drill).
    pub action: String,
    /// Whether it answered as it must.
    pub succeeded: bool,
    /// What it answered.
    pub answer: String,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// What was wrong, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// A stable word for programs (`no-quorum`, `not-found`, `invalid`, `permission`, `timeout`, `no-coordinator`, `unknown-outcome`).
    pub kind: String,
    /// What was wrong and where, in a sentence.
    pub message: String,
    /// What to do.
    pub mend: String,
}

/// An entry of the event log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Grows by one on each host; 0 until the log has numbered it.
    pub number: u64,
    /// Milliseconds since the Unix epoch.
    pub wall_ms: u64,
    /// The host that saw it.
    pub host: String,
    /// A stable word (`view`, `coordinator`, `plan`, `execute`, `result`, `fence-start`, `fence-result`, `change`, …).
    pub kind: String,
    /// What it is about: a resource or a host, if one.
    pub subject: String,
    /// What happened, in a sentence.
    pub text: String,
    /// Why, as the sentence or the transition key that led to it.
    pub cause: String,
}
