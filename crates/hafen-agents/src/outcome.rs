//! How a run of an agent ended.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// An exit code in OCF's meaning. Agents may also exit with codes that OCF does not define: they count as errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OcfExitCode(pub u8);

impl OcfExitCode {
    /// Done; for a monitor: running.
    pub const OK: Self = Self(0);
    /// An error of no particular kind.
    pub const ERROR: Self = Self(1);
    /// A parameter is wrong for this host.
    pub const INVALID_PARAM: Self = Self(2);
    /// The agent does not know the action.
    pub const UNIMPLEMENTED: Self = Self(3);
    /// The agent may not do what it must.
    pub const INSUFFICIENT_PRIV: Self = Self(4);
    /// The agent or something that it needs is missing on this host.
    pub const NOT_INSTALLED: Self = Self(5);
    /// The configuration is wrong on every host.
    pub const NOT_CONFIGURED: Self = Self(6);
    /// Cleanly not running.
    pub const NOT_RUNNING: Self = Self(7);
    /// Running in the promoted role.
    pub const PROMOTED: Self = Self(8);
    /// Failed in the promoted role.
    pub const FAILED_PROMOTED: Self = Self(9);
    /// Running, and likely to fail soon.
    pub const DEGRADED: Self = Self(190);
    /// Running in the promoted role, and likely to fail soon.
    pub const DEGRADED_PROMOTED: Self = Self(191);

    /// Pacemaker's words for the code.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OK => "ok",
            Self::INVALID_PARAM => "invalid parameter",
            Self::UNIMPLEMENTED => "unimplemented feature",
            Self::INSUFFICIENT_PRIV => "insufficient privileges",
            Self::NOT_INSTALLED => "not installed",
            Self::NOT_CONFIGURED => "not configured",
            Self::NOT_RUNNING => "not running",
            Self::PROMOTED => "promoted",
            Self::FAILED_PROMOTED => "promoted (failed)",
            Self::DEGRADED => "OCF_DEGRADED",
            Self::DEGRADED_PROMOTED => "promoted (degraded)",
            _ => "error",
        }
    }
}

impl fmt::Display for OcfExitCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.as_str(), self.0)
    }
}

/// Whether an operation came to its end, with the numbers of the CIB's `op-status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "i8", try_from = "i8")]
#[repr(i8)]
pub enum OpStatus {
    /// Not ended yet.
    Pending = -1,
    /// The agent ended by itself: its exit code counts.
    Done = 0,
    /// Called off before it began.
    Cancelled = 1,
    /// Did not end in its time and was killed.
    Timeout = 2,
    /// The agent does not know the action.
    NotSupported = 3,
    /// It could not be run, or was killed.
    Error = 4,
    /// An error that lasts on this host.
    ErrorHard = 5,
    /// An error that lasts on all hosts.
    ErrorFatal = 6,
    /// There is no such agent on this host.
    NotInstalled = 7,
    /// There is nobody to run it.
    NotConnected = 8,
    /// The request makes no sense.
    Invalid = 9,
}

impl OpStatus {
    /// The number as it stands in `op-status`.
    pub fn code(self) -> i8 {
        self as i8
    }
}

impl From<OpStatus> for i8 {
    fn from(status: OpStatus) -> Self {
        status.code()
    }
}

impl TryFrom<i8> for OpStatus {
    type Error = String;

    fn try_from(code: i8) -> Result<Self, String> {
        use OpStatus::*;
        let all = [
            Pending,
            Done,
            Cancelled,
            Timeout,
            NotSupported,
            Error,
            ErrorHard,
            ErrorFatal,
            NotInstalled,
            NotConnected,
            Invalid,
        ];
        all.into_iter()
            .find(|status| status.code() == code)
            .ok_or_else(|| format!("{code} is no operation status"))
    }
}

/// How a run of an agent ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The agent's exit code, or the one that OCF has for what prevented it.
    pub rc: OcfExitCode,
    /// Whether the run came to its end.
    pub status: OpStatus,
    /// What went wrong, in the agent's words (`ocf-exit-reason:`) or ours.
    pub exit_reason: Option<String>,
    /// What it wrote to its standard output, as far as kept.
    pub stdout: String,
    /// What it wrote to its standard error, as far as kept: beginning and end.
    pub stderr: String,
    /// Whether it wrote more to its standard output than was kept.
    pub stdout_truncated: bool,
    /// From its start to its end.
    pub exec_time: Duration,
}

impl Outcome {
    /// The outcome of a run that never was.
    pub fn not_run(rc: OcfExitCode, status: OpStatus, reason: impl Into<String>) -> Self {
        Self {
            rc,
            status,
            exit_reason: Some(reason.into()),
            stdout: String::new(),
            stderr: String::new(),
            stdout_truncated: false,
            exec_time: Duration::ZERO,
        }
    }

    /// Whether the agent ended by itself with `OK`.
    pub fn is_ok(&self) -> bool {
        self.status == OpStatus::Done && self.rc == OcfExitCode::OK
    }
}
