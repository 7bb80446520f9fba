//! The power switch: starts hosts, ends them, and says `off` only when nothing of a host is left.

mod client;
mod host;
mod server;
mod wire;

pub use client::PowerSwitch;
pub use host::{namespace_of, processes_in};
pub use server::run;
pub use wire::{Answer, HostPower, Request};
