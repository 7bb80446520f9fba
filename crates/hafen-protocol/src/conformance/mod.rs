//! The contract as tests, for every engine: scripts that drive a cluster, and named checks over all that was delivered.
//!
//! An engine's own tests implement [`Cluster`] and run [`SCRIPTS`] and [`storm`]. Nothing here panics: a broken promise
//! is an error that names the check.

mod harness;
mod history;
mod scripts;

use std::collections::BTreeSet;

use crate::view::{Delivery, HostId, MemberId, Transmission};

pub use harness::Harness;
pub use history::{History, check};
pub use scripts::{SCRIPTS, Script, storm};

/// Hosts that the scripts use, numbered from 1. A cluster under test has exactly these, all off at first, and a
/// majority as its quorum.
pub const HOSTS: u32 = 3;

/// What drives an engine.
pub trait Cluster {
    /// Boots a host: it takes part in rings, without a daemon yet.
    fn host_up(&mut self, host: HostId);
    /// Cuts a host's power: its daemon ends with it.
    fn host_down(&mut self, host: HostId);
    /// Starts a daemon on a host that is up.
    fn join(&mut self, member: MemberId);
    /// Kills a daemon.
    fn kill(&mut self, member: MemberId);
    /// Lets a daemon send.
    fn transmit(&mut self, from: MemberId, transmission: Transmission);
    /// Lets only hosts of the same part reach each other.
    fn partition(&mut self, parts: &[BTreeSet<HostId>]);
    /// Heals all links.
    fn heal(&mut self);
    /// Lets time pass, at most that many milliseconds, and gives what was delivered meanwhile: for each member in the
    /// order of its deliveries.
    fn advance(&mut self, milliseconds: u64) -> Vec<(MemberId, Delivery)>;
    /// Whether a stream's message arrives in exactly the view that the test had seen its sender in. Only an engine
    /// that is driven without concurrency can promise that.
    fn exact_streams(&self) -> bool;
}
