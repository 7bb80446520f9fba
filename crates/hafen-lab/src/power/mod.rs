//! The power switch: starts hosts, ends them, and says `off` only when nothing of a host is left.

mod client;
mod host;
mod journal;
mod server;
mod watchdog;
mod wire;

pub use client::PowerSwitch;
pub use host::{namespace_of, processes_in};
pub use journal::{PowerEvent, power_events};
pub use server::run;
pub use wire::{Answer, HostPower, Request};
