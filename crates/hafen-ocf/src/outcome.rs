//! What an action of an agent reports.

use std::fmt;

/// The exit statuses of OCF's resource agents that ours use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OcfCode {
    /// Done; for a monitor: running.
    Success = 0,
    /// An error that may pass, or that only the resource's stop can end.
    Error = 1,
    /// A parameter is wrong on this host.
    Arguments = 2,
    /// The action is not known.
    Unimplemented = 3,
    /// Not permitted.
    NoPermission = 4,
    /// A program that is needed is missing.
    NotInstalled = 5,
    /// A parameter is wrong on every host.
    Configured = 6,
    /// Cleanly stopped.
    NotRunning = 7,
}

impl OcfCode {
    /// The number.
    pub fn exit_status(self) -> i32 {
        self as i32
    }
}

/// Why an action did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct AgentError {
    /// The exit status.
    pub code: OcfCode,
    /// What was wrong, where, and what to do, in one line.
    pub reason: String,
}

impl AgentError {
    /// An error with this exit status.
    pub fn new(code: OcfCode, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into() }
    }

    /// A generic error (status 1).
    pub fn generic(reason: impl Into<String>) -> Self {
        Self::new(OcfCode::Error, reason)
    }

    /// Tells the cluster manager the reason on standard error; the exit status to end with.
    pub fn report(&self) -> i32 {
        eprintln!("ocf-exit-reason:{self}");
        self.code.exit_status()
    }
}

impl fmt::Display for AgentError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The reason travels in one attribute of one line: keep it so.
        let words: Vec<&str> = self.reason.split_whitespace().collect();
        formatter.write_str(&words.join(" "))
    }
}
