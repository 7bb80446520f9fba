//! Shell: a host's daemon. One event loop feeds one `Node` and carries out what comes out of it.
//!
//! Nothing is decided here. The parts: `shell` (the loop), `storage` (effects on the disk, in order), `executor` (the link to
//! the process that runs agents), `fencing` (fence agents of one fencing, one after the other), `clients` (the socket),
//! `log` (events and saved inputs), `bus` (its engine), `memory` (what outlives this process but not this boot), `config`.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a shell")]

mod alerts;
mod bus;
mod clients;
mod clock;
mod config;
mod error;
mod executor;
mod fencing;
mod log;
mod memory;
#[cfg(feature = "corosync")]
mod peer;
mod private;
mod shell;
mod storage;
mod users;

pub use config::{BusConfig, DaemonConfig, HostEntry, WatchdogSettings};
pub use error::DaemonError;
pub use shell::run;
