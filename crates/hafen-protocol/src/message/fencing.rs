//! Fencing: what is to be done, and how it went.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::view::{HostId, Incarnation, MemberId};

/// How far an answer of a fence agent can be trusted, the better the higher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProofLevel {
    /// Nothing is proven (`ssh`, `null`).
    None,
    /// A person vouches for it.
    Human,
    /// The agent said so.
    AgentReported,
    /// The host was off, and the device's status was read back.
    OffVerified,
}

/// A fencing that is about to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FenceStart {
    /// Unique: the ordering member's run and a number.
    pub id: String,
    /// Whom.
    pub target: HostId,
    /// The target's name.
    pub target_uname: String,
    /// The run of the target's daemon that is meant, if one was known: a newer run is not what it proves off.
    pub target_incarnation: Option<Incarnation>,
    /// `reboot`, `off` or `on`.
    pub action: String,
    /// The recorded cause.
    pub cause: String,
    /// Which member does it.
    pub by: MemberId,
    /// Topology levels: they are tried in order until one succeeds, and all devices of a level must succeed. Without a
    /// topology each device is a level of its own.
    pub levels: Vec<Vec<FenceDevice>>,
    /// How long the executing member waits before the first device, in milliseconds: `priority-fencing-delay`,
    /// `pcmk_delay_base` and the random part of `pcmk_delay_max`. Only before `off` and `reboot`.
    #[serde(default)]
    pub delay_ms: u64,
    /// Of the whole attempt, the delay not counted, in milliseconds.
    pub timeout_ms: u64,
    /// Who asked: `operator NAME`, or nothing where the cluster did by itself.
    #[serde(default)]
    pub origin: Option<String>,
    /// When it was ordered, in milliseconds since the Unix epoch.
    pub wall_ms: u64,
    /// The action in the transition that this carries out.
    pub transition_key: Option<String>,
}

/// A configured fence device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FenceDevice {
    /// The resource's id.
    pub id: String,
    /// The agent (`fence_hafen_lab`).
    pub agent: String,
    /// Its parameters, without `pcmk_*`.
    pub parameters: BTreeMap<String, String>,
    /// The name of the target at the device (`pcmk_host_map`, else the host's name).
    pub port: String,
    /// What is special about an action (`off`, `status`, …) at this device; one that is not named has its own name, the
    /// fencing's time, and two tries.
    #[serde(default)]
    pub actions: BTreeMap<String, FenceAction>,
    /// How long this device waits at least before `off` or `reboot`, counted from the end of `FenceStart::delay_ms`, in
    /// milliseconds (a later level may have to wait longer than the first).
    #[serde(default)]
    pub delay_ms: u64,
    /// How many actions this device does at the same time (`pcmk_action_limit`); below 1: as many as are asked for.
    #[serde(default = "one")]
    pub action_limit: i64,
}

fn one() -> i64 {
    1
}

/// How a device does one action (`pcmk_off_action`, `pcmk_off_timeout`, `pcmk_off_retries`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FenceAction {
    /// What the agent is told to do.
    pub name: String,
    /// How long it may take, in milliseconds; nothing: `stonith-timeout`.
    pub timeout_ms: Option<u64>,
    /// How often it is tried in all, at least once.
    pub retries: u32,
}

/// How a fencing ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FenceResult {
    /// The fencing's id.
    pub id: String,
    /// The proof, or what went wrong.
    pub outcome: Result<ProofLevel, String>,
    /// The device that answered.
    pub device: Option<String>,
    /// Every device that was tried, in order, with its answer.
    #[serde(default)]
    pub tried: Vec<FenceTry>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// When it ended, in milliseconds since the Unix epoch.
    pub wall_ms: u64,
}

/// A device that was tried in a fencing, and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FenceTry {
    /// The device.
    pub device: String,
    /// The topology level, from 1.
    pub level: u32,
    /// What it was told to do (`off`, `status`, …).
    pub action: String,
    /// Whether it did.
    pub succeeded: bool,
    /// What it answered, at most `FENCE_ANSWER_BYTES_MAXIMUM` bytes of it.
    pub answer: String,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// No more of a device's answer is kept on record (bytes).
pub const FENCE_ANSWER_BYTES_MAXIMUM: usize = 400;
