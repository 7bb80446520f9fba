//! The state of the cluster, as clients are told it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

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
    /// Why this host has no view of its cluster, where it has none: what was lost, by name.
    #[serde(default)]
    pub bus_lost: Option<String>,
    /// What keeps the cluster from being settled, in a sentence; nothing when it is settled.
    pub waiting_for: Option<String>,
    /// The version of the configuration, `admin_epoch.epoch.num_updates`.
    pub version: String,
    /// The digest of the configuration.
    pub digest: String,
    /// The plan that is carried out, if one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transition: Option<TransitionReport>,
    /// All configured hosts.
    pub hosts: Vec<HostReport>,
    /// All resources.
    pub resources: Vec<ResourceReport>,
    /// Fencings in flight and the last ones.
    pub fencings: Vec<String>,
    /// Failed operations that are on record.
    pub failures: Vec<String>,
    /// The same as they are on record.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_operations: Vec<FailedOperation>,
    /// Constraints left over from moves, each with what clears it.
    pub leftovers: Vec<String>,
    /// Warnings for the operator (no fencing, full disk, …).
    pub warnings: Vec<String>,
}

/// How far a plan has come.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TransitionReport {
    /// Its number, as its coordinator counts.
    pub number: u64,
    /// How many steps it has; nothing where a host answers that does not coordinate: it knows what it is ordered to do.
    pub steps: Option<u64>,
    /// How many of them ended as planned.
    pub done: u64,
    /// How many ended otherwise.
    pub failed: u64,
    /// What has begun and not ended, in words: [`UNDER_WAY_MAXIMUM`] at most.
    pub under_way: Vec<String>,
    /// Why nothing more of it begins, where it was aborted.
    pub aborted: Option<String>,
}

/// So many steps that are under way a report names.
pub const UNDER_WAY_MAXIMUM: usize = 16;

/// An operation that failed, as it is on record.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FailedOperation {
    /// The resource, by its name in the host's history.
    pub resource: String,
    /// Where.
    pub host: String,
    /// `start`, `monitor`, ….
    pub task: String,
    /// 0 for one that does not recur.
    pub interval_ms: u64,
    /// The agent's exit status.
    pub rc: i32,
    /// Pacemaker's `op-status`.
    pub op_status: i32,
    /// What the agent gave as its reason.
    pub reason: String,
    /// The end of what it wrote.
    pub output: String,
    /// When it was first seen, in seconds since the Unix epoch.
    pub at: u64,
    /// How long the agent ran, in milliseconds.
    pub took_ms: u64,
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
