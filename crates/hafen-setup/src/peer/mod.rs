//! One TCP port of every host for everything between hosts, over TLS 1.3 with the cluster's certificates.
//!
//! What a connection is for is told by ALPN: `hafen-stream/1` (the bus's streams; handed on as they are), `hafen-peer/1`
//! (requests between hosts), both with a client certificate of a host that is in the nodelist; `hafen-join/1` (a host that
//! has a token and no certificate yet). Requests and answers are JSON behind a length of four bytes.

mod client;
mod listener;
mod tls;
mod wire;

pub(crate) use client::resolve;
pub use client::{Connecting, PeerClient};
pub use listener::{AcceptedStream, Handler, PeerPort, StreamConnector};
pub use tls::{Credentials, JOIN_ALPN, PEER_ALPN, STREAM_ALPN};
pub use wire::FRAME_BYTES_MAXIMUM;

/// The port, unless the daemon's configuration names another one.
pub const PORT_DEFAULT: u16 = 5410;
