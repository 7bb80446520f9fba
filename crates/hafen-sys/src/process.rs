//! What `/proc` says of processes, signals to groups, and the duties of a subreaper.

use std::fs;
use std::io;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

/// A process that cannot be mistaken for a later one with the same id, within one boot of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProcessIdentity {
    /// The process id, as seen in this PID namespace.
    pub pid: u32,
    /// When it was started, in clock ticks since boot (field 22 of `/proc/PID/stat`).
    pub start_time_ticks: u64,
}

impl ProcessIdentity {
    /// The identity of the process that has this id now. `NotFound` when there is none.
    pub fn of(pid: u32) -> io::Result<Self> {
        process_status(pid).map(|status| status.identity())
    }

    /// Whether this very process is still there and not a zombie.
    pub fn is_running(self) -> bool {
        process_status(self.pid).is_ok_and(|status| status.identity() == self && status.state.is_running())
    }
}

/// The state of a process, as far as it matters to whoever waits for its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessState {
    /// Running, sleeping, stopped or waiting for a disk.
    Alive,
    /// Ended, and not yet waited for by its parent.
    Zombie,
}

impl ProcessState {
    /// Whether the process can still do anything.
    pub fn is_running(self) -> bool {
        self == Self::Alive
    }
}

/// The fields of `/proc/PID/stat` that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessStatus {
    /// The process id.
    pub pid: u32,
    /// Whether it still runs.
    pub state: ProcessState,
    /// The parent's id (0 when the parent is outside of this PID namespace).
    pub parent: u32,
    /// The process group's id.
    pub group: u32,
    /// The session's id.
    pub session: u32,
    /// The start, in clock ticks since boot.
    pub start_time_ticks: u64,
}

impl ProcessStatus {
    /// The part that tells this process from all others of this boot.
    pub fn identity(&self) -> ProcessIdentity {
        ProcessIdentity { pid: self.pid, start_time_ticks: self.start_time_ticks }
    }
}

/// Reads a line of `/proc/PID/stat`. Allocates nothing, so that a start hook may use it.
///
/// The second field, the name, may hold blanks and brackets: the fields after it begin behind the last `)`.
pub(crate) fn parse_stat(line: &[u8]) -> Option<ProcessStatus> {
    let line = std::str::from_utf8(line.get(line.iter().rposition(|byte| *byte == b')')? + 1..)?).ok()?;
    let mut fields = line.split_ascii_whitespace();
    let state = match fields.next()? {
        "Z" | "X" | "x" => ProcessState::Zombie,
        _ => ProcessState::Alive,
    };
    let parent = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    let session = fields.next()?.parse().ok()?;
    // Field 6 is behind the session; field 22 is the start time.
    let start_time_ticks = fields.nth(22 - 7)?.parse().ok()?;
    Some(ProcessStatus { pid: 0, state, parent, group, session, start_time_ticks })
}

/// What `/proc` says of this process. `NotFound` when there is none.
pub fn process_status(pid: u32) -> io::Result<ProcessStatus> {
    let line = match fs::read(format!("/proc/{pid}/stat")) {
        // A process that ends while it is read.
        Err(error) if error.raw_os_error() == Some(Errno::SRCH.raw_os_error()) => {
            return Err(io::ErrorKind::NotFound.into());
        }
        other => other?,
    };
    let status = parse_stat(&line);
    let message =
        || io::Error::new(io::ErrorKind::InvalidData, format!("/proc/{pid}/stat has an unknown form"));
    status.map(|status| ProcessStatus { pid, ..status }).ok_or_else(message)
}

/// The ids of all processes of this PID namespace, in ascending order.
pub fn process_ids() -> io::Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        if let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) {
            found.push(pid);
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn matching(wanted: impl Fn(&ProcessStatus) -> bool) -> io::Result<Vec<ProcessStatus>> {
    let statuses = process_ids()?.into_iter().filter_map(|pid| process_status(pid).ok());
    Ok(statuses.filter(|status| wanted(status)).collect())
}

/// The members of a process group, zombies included.
pub fn group_members(group: u32) -> io::Result<Vec<ProcessStatus>> {
    matching(|status| status.group == group)
}

/// The members of a session, zombies included.
pub fn session_members(session: u32) -> io::Result<Vec<ProcessStatus>> {
    matching(|status| status.session == session)
}

/// The children of a process, zombies included: for a subreaper also those that it adopted.
pub fn children_of(parent: u32) -> io::Result<Vec<ProcessStatus>> {
    matching(|status| status.parent == parent)
}

/// Whether a process with this id runs (a zombie does not).
pub fn is_running(pid: u32) -> bool {
    process_status(pid).is_ok_and(|status| status.state.is_running())
}

pub(crate) fn checked_pid(pid: u32) -> io::Result<Pid> {
    let raw = i32::try_from(pid).ok().filter(|raw| *raw > 0);
    raw.and_then(Pid::from_raw).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidInput, format!("{pid} cannot be the id of a process"))
    })
}

/// Signals one process by its id. Prefer [`crate::PidFd::signal`], which cannot hit a later process.
pub fn kill_process(pid: u32, signal: Signal) -> io::Result<()> {
    Ok(rustix::process::kill_process(checked_pid(pid)?, signal)?)
}

/// Signals every member of a process group. Refuses group 1 and the caller's own group: both are always mistakes.
pub fn kill_group(group: u32, signal: Signal) -> io::Result<()> {
    let pid = checked_pid(group)?;
    if group == 1 || pid == rustix::process::getpgrp() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("will not signal process group {group}"),
        ));
    }
    Ok(rustix::process::kill_process_group(pid, signal)?)
}

/// Makes this process the one that orphans among its descendants are given to.
pub fn become_subreaper() -> io::Result<()> {
    Ok(rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?)
}

/// Takes the exit status of one ended child, without waiting. Whether there was one to take.
pub fn reap_child(pid: u32) -> io::Result<bool> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    match rustix::process::waitid(WaitId::Pid(checked_pid(pid)?), options) {
        Ok(status) => Ok(status.is_some()),
        Err(Errno::CHILD) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The id of this boot of the kernel: process ids and start times of another boot mean nothing.
pub fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_process_may_hold_brackets_and_blanks() {
        let line = b"42 (a) R b) S 7 8 9 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 123456 1 2 3";
        let status = parse_stat(line).expect("the line is well formed");
        assert_eq!((status.parent, status.group, status.session), (7, 8, 9));
        assert_eq!(status.start_time_ticks, 123_456);
        assert!(status.state.is_running());
    }

    #[test]
    fn nonsense_is_no_status() {
        for line in [&b""[..], b"42", b"42 (x)", b"42 (x) S 1 2", b"42 (x) S a b c", b"\xff) \xff"] {
            assert_eq!(parse_stat(line), None);
        }
    }

    #[test]
    fn this_process_is_found_everywhere() {
        let own = process_status(std::process::id()).expect("own status");
        assert!(own.identity().is_running());
        assert!(group_members(own.group).expect("group").iter().any(|member| member.pid == own.pid));
        assert!(session_members(own.session).expect("session").iter().any(|member| member.pid == own.pid));
        let later = ProcessIdentity { start_time_ticks: own.start_time_ticks + 1, ..own.identity() };
        assert!(!later.is_running(), "another start time is another process");
    }

    #[test]
    fn dangerous_groups_are_refused() {
        let own = process_status(std::process::id()).expect("own status").group;
        for group in [0, 1, own, u32::MAX] {
            let error = kill_group(group, Signal::TERM).expect_err("must be refused");
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        }
    }
}
