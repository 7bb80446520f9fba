//! Shell: a whole cluster on one machine, in one folder. Hosts are processes in namespaces of their own; the hub is their
//! network; the power switch starts and ends them and tells the truth about it; guests are QEMU's.
//!
//! Two processes hold a lab: the hub, and the power switch. Everything else descends from the switch and ends with it,
//! mounts included, because they exist in the switch's mount namespace only.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a shell")]

mod boot;
mod control;
mod error;
pub mod guests;
pub mod heartbeat;
pub mod hub;
pub mod init;
pub mod layout;
pub mod measure;
pub mod net;
pub mod oracle;
pub mod power;
pub mod record;
pub mod scenario;
pub mod spec;

pub use control::{Lab, Lease, SWITCH_PROCESS, down, up_detached, up_leased};
pub use error::LabError;
pub use layout::Layout;
pub use spec::{HostSpec, LabSpec, NetSpec, Network};
