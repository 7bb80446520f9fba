//! Pure: the contract of closed-group messaging and the messages that travel on it.
//!
//! Delivery is *agreed*, not safe: the order is total, but a sender may deliver its own message just before a
//! partition and nobody else ever does. Members that pass together into the next view have delivered the same
//! messages in the old one; others may have delivered another prefix. A process that left is told apart from a
//! host that left. Quorum arrives separately from the view, before or after it, and names the ring that it means.

pub mod client;
pub mod conformance;
pub mod frame;
pub mod machine;
pub mod message;
pub mod quorum;
mod reassembly;
pub mod sequencer;
pub mod transport;
pub mod view;

pub use machine::{Machine, Now};
pub use message::Message;
pub use quorum::QuorumJoiner;
pub use reassembly::REASSEMBLY_BYTES_MAXIMUM;
pub use sequencer::Sequencer;
pub use transport::Transport;
pub use view::{Delivery, HostId, Incarnation, MemberId, RingId, Transmission, View, ViewId};
