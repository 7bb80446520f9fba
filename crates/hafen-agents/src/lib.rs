//! Shell: finding, describing and running agents: OCF resource agents, and fence agents in the protocol of fence-agents.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a shell")]

mod name;
mod outcome;

pub use name::{AgentClass, AgentName, AgentNameError};
pub use outcome::{OcfExitCode, OpStatus, Outcome};
