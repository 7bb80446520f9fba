//! Hosts with network interfaces of their own, on a switch that is a process: each frame that a host sends is a read of its
//! tap device, and what becomes of it is decided here. Loss, delay, jitter, cuts, for each direction of each pair on each link.

pub mod address;
mod client;
mod configuration;
mod fabric;
mod frame;
pub(crate) mod image;
mod pass;
mod server;
mod shape;
mod wire;

pub use address::Link;
pub use client::FrameSwitch;
pub use pass::Attachment;
pub use server::run;
pub use shape::{Direction, GATEWAY, Shape};
pub use wire::{PortStatus, ShapeChange, SwitchAnswer, SwitchRequest};
