//! Shell: setting a cluster up and keeping its hosts alike. corosync.conf, certificates, tokens, joining and leaving, agreed
//! files, timings from measured links, and the port over which hosts talk to each other.
//!
//! Every function can be called again: what is done already is left alone, what was interrupted is completed or named. The
//! functions block; only [`peer::PeerPort`] and [`peer::StreamConnector`] belong into an event loop.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a shell")]

pub mod agreed;
pub mod change;
pub mod check;
pub mod clock;
pub mod corosync_conf;
pub mod disk;
mod error;
pub mod facts;
pub mod fencing;
pub mod files;
mod host;
pub mod init;
pub mod join;
pub mod leave;
pub mod measure;
mod membership;
pub mod network;
mod paths;
pub mod peer;
mod pending;
pub mod pki;
pub mod request;
pub mod server;
pub mod services;
mod start;
pub mod timing;
pub mod token;
pub mod tune;

pub use error::{Kind, SetupError};
pub use host::{Host, SetupLock};
pub use membership::Membership;
pub use paths::Paths;
pub(crate) use peer::resolve;
