//! Shell: finding, describing and running agents: OCF resource agents, fence agents in the protocol of fence-agents, and
//! cluster-glue's `external/*`; `meatware` and `null` are built in.
//!
//! [`AgentPaths`] finds agents, [`Invocation`] and [`FenceInvocation`] say what to run, [`Agents::start`] and
//! [`Agents::start_fence`] start it, and [`RunningAgent::end`] gives the [`Outcome`].
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a shell")]

mod capture;
mod external;
mod family;
mod fence;
mod human;
mod init;
mod metadata;
mod name;
mod ocf;
mod outcome;
mod paths;
mod run;
pub mod secrets;
mod systemd;

pub use family::{FenceFamily, translated};
pub use fence::FenceInvocation;
pub use human::{ConfirmError, MEATWARE_DIR, meatclient_confirm, meatware_waiting};
pub use metadata::{METADATA_LENGTH_LIMIT_BYTES, MetadataError, metadata_of};
pub use name::{AgentClass, AgentName, AgentNameError};
pub use ocf::{Invocation, TOOL_PATH};
pub use outcome::{OcfExitCode, OpStatus, Outcome};
pub use paths::{AgentPaths, FindError};
pub use run::{
    Agents, AnnounceTo, KILL_WAIT, NotStarted, RunningAgent, STDERR_LIMIT_BYTES, STDOUT_LIMIT_BYTES,
    TERMINATE_GRACE,
};
