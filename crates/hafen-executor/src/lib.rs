//! Shell: the small process that runs agents and outlives the daemon.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a shell")]

pub mod wire;
