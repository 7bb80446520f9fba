//! Shell: the small process that runs agents and outlives the daemon.
//!
//! [`run`] is the process, [`client`] the daemon's way to it, [`wire`] what they say. [`engine`] decides what is run when, and is
//! pure; [`ledger`] is what must not be lost, pure as well; [`journal`] keeps it.
//!
//! What holds whatever is killed when:
//! - The operations of one resource run one after another.
//! - No agent runs whose process is not in the journal: the process itself writes the record, before it becomes the agent. The
//!   exception is a journal that cannot be written: then starts are refused, and stops, demotes, monitors and fencing are run
//!   all the same ([`wire::Operation::may_run_unrecorded`]).
//! - A new executor ends what a lost one left running before it listens. Only the agent's process group is ended: what it put
//!   into a session of its own, such as a virtual machine, is not touched.
//! - Nothing starts while the other hosts count on a watchdog that is not armed here ([`watchdog`]).
//! - A result is kept until the daemon has acknowledged it.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a shell")]

pub mod client;
mod connection;
pub mod engine;
mod frame;
mod guard;
pub mod journal;
pub mod ledger;
pub mod recovery;
mod server;
pub mod watchdog;
pub mod wire;

pub use server::{ExecutorConfig, ExecutorError, run};
