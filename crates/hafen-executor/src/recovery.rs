//! Ending what a lost executor left running, before anything new begins.

use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

use hafen_sys::{Signal, group_members, kill_group};

use crate::ledger::{Ledger, RunOfAgent};

/// How long the processes may take to end after SIGTERM, before SIGKILL.
const TERMINATE_GRACE: Duration = Duration::from_secs(2);
/// How long the kernel may take to end them after SIGKILL, before the executor goes on without.
const KILL_WAIT: Duration = Duration::from_secs(10);
/// Between two looks at them.
const PAUSE: Duration = Duration::from_millis(10);

/// Whether anything of this run's process group still runs.
///
/// The kernel gives no process an id that is still that of a group, so a group of this id whose leader is gone is the same one.
/// A leader with another start time, or members older than it, are somebody else.
fn is_left(run: &RunOfAgent) -> io::Result<bool> {
    let members = group_members(run.pid)?;
    let other = members.iter().any(|member| {
        member.start_time_ticks < run.start_time_ticks
            || member.pid == run.pid && member.start_time_ticks != run.start_time_ticks
    });
    Ok(!other && members.iter().any(|member| member.state.is_running()))
}

/// Ends every process group that a lost executor's agents left, and waits for that. Blocks. Returns the groups that the kernel
/// did not end in time. Processes that went into sessions or groups of their own live on: they are what was to be started.
pub fn end_left_processes(ledger: &Ledger) -> io::Result<Vec<u32>> {
    let mut left: Vec<RunOfAgent> = ledger.runs.values().copied().collect();
    for (signal, patience) in [(Signal::TERM, TERMINATE_GRACE), (Signal::KILL, KILL_WAIT)] {
        left = still_left(left)?;
        for run in &left {
            // It may have ended just now.
            let _ = kill_group(run.pid, signal);
        }
        let deadline = Instant::now() + patience;
        while !left.is_empty() && Instant::now() < deadline {
            sleep(PAUSE);
            left = still_left(left)?;
        }
    }
    Ok(left.into_iter().map(|run| run.pid).collect())
}

fn still_left(runs: Vec<RunOfAgent>) -> io::Result<Vec<RunOfAgent>> {
    let mut left = Vec::new();
    for run in runs {
        if is_left(&run)? {
            left.push(run);
        }
    }
    Ok(left)
}
