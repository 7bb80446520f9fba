//! What clients ask a daemon, and what it answers: JSON, a line each, on the daemon's Unix socket.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

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
        /// Who asks, for the record.
        origin: String,
    },
    /// Forget a resource's failures and history, so that it is looked at afresh.
    Cleanup {
        /// Which resource.
        resource: String,
        /// On one host, or on all.
        host: Option<String>,
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
    /// Events after a number; answered by the shell of the daemon, again and again if `follow`.
    Events {
        /// Only those after this number.
        after: Option<u64>,
        /// Go on with new ones.
        follow: bool,
    },
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
}

/// What was wrong, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// A stable word for programs (`no-quorum`, `not-found`, `invalid`, `timeout`, `no-coordinator`, `unknown-outcome`).
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

/// The state of the cluster as one daemon sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StatusReport {
    /// The host that answers.
    pub host: String,
    /// The cluster's name.
    pub cluster: String,
    /// The coordinator (DC), when one is elected.
    pub coordinator: Option<String>,
    /// Whether this part of the cluster has quorum.
    pub quorate: bool,
    /// What keeps the cluster from being settled, in a sentence; nothing when it is settled.
    pub waiting_for: Option<String>,
    /// The version of the configuration, `admin_epoch.epoch.num_updates`.
    pub version: String,
    /// The digest of the configuration.
    pub digest: String,
    /// All configured hosts.
    pub hosts: Vec<HostReport>,
    /// All resources.
    pub resources: Vec<ResourceReport>,
    /// Fencings in flight and the last ones.
    pub fencings: Vec<String>,
    /// Failed operations that are on record.
    pub failures: Vec<String>,
    /// Constraints left over from moves, each with what clears it.
    pub leftovers: Vec<String>,
    /// Warnings for the operator (no fencing, full disk, …).
    pub warnings: Vec<String>,
}

/// A host in the status.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HostReport {
    /// Its name.
    pub name: String,
    /// Its number.
    pub id: u32,
    /// `online`, `joining`, `standby`, `maintenance`, `daemon lost`, `unclean`, `offline`.
    pub state: String,
    /// Why it is so, if there is something to say.
    pub reason: String,
    /// Transient and permanent attributes.
    pub attributes: BTreeMap<String, String>,
}

/// A resource in the status.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ResourceReport {
    /// Its id.
    pub id: String,
    /// `ocf:hafen:qemu`.
    pub agent: String,
    /// Whether it is a virtual machine.
    pub virtual_machine: bool,
    /// `running`, `stopped`, `starting`, `stopping`, `migrating`, `failed`, `blocked`, `unknown`.
    pub state: String,
    /// Where it is active.
    pub hosts: Vec<String>,
    /// Why it is so, if there is something to say.
    pub reason: String,
}
