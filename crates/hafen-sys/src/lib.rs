//! Shell: the one place of `unsafe`. Namespaces, pidfds, the subreaper, start hooks, tap devices, and what `/proc` says of processes.
//!
//! Process ids are `u32`, as [`std::process::Child::id`] gives them. Everything here works with
//! [`std::process::Command`]; `tokio::process::Command` lends one by `as_std_mut()`.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a shell")]

mod descriptor;
mod hooks;
mod namespace;
mod pidfd;
mod process;
mod tap;
mod watchdog;

pub use descriptor::ReadableDescriptor;
pub use hooks::{Announcement, CommandHooks};
pub use namespace::{Namespaces, spawn_in_new, spawn_inside};
pub use pidfd::{AsyncPidFd, PidFd};
pub use process::{
    ProcessIdentity, ProcessState, ProcessStatus, become_subreaper, boot_id, children_of, group_members,
    is_running, kill_group, kill_process, process_ids, process_status, reap_child, session_members,
};
pub use rustix::process::Signal;
pub use tap::create_tap;
pub use watchdog::WatchdogDevice;
