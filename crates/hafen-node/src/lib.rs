//! Pure: one member of a cluster as a state machine.
//!
//! `Node` takes what the bus, the disk, the executor, fence agents and clients say, and answers with what must be
//! sent, written, run and told. It does no input or output itself; see `api` for the boundary.

pub mod api;
mod digest;
pub mod driver;
pub mod fencing;
pub mod history;
pub mod status_xml;
pub mod store;
#[doc(hidden)]
pub mod testing;

mod edits;
pub mod membership;
pub mod node;
mod properties;
pub mod replica;
mod stored;

pub use api::{Identity, Input, Output, Settings};
pub use node::Node;
