//! Shell: the client side of a daemon's socket. Requests, the stream of events, and errors that say what was wrong,
//! where, and what to do.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a shell")]

mod connection;
mod error;
mod fencing;

pub use connection::{CTIME, Client, EventStream, written_now};
pub use error::ClientError;

/// Where the daemon of a host listens, seen from that host.
pub const SOCKET_PATH: &str = "/run/hafen/daemon.sock";
/// Names another socket than [`SOCKET_PATH`].
pub const SOCKET_VARIABLE: &str = "HAFEN_SOCKET";
/// No line of the protocol is longer (64 MiB: the CIB of 4,000 resources is a tenth of that).
pub const LINE_BYTES_MAXIMUM: u64 = 64 << 20;
