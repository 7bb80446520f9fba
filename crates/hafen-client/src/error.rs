//! What can go wrong between a client and a daemon.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use hafen_protocol::client::Failure;

/// An error of a request. Its text says what was wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens at the socket.
    #[error("no daemon answers at {path}: {source}. {}", connect_hint(source))]
    Connect {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The connection broke.
    #[error(
        "the connection to the daemon at {path} broke: {source}. The daemon may have ended; whether the request was carried out is \
         not known: look with `hafen status`, then ask again"
    )]
    Broken {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No answer in time.
    #[error(
        "the daemon at {path} did not answer within {} s. It may be waiting for quorum or for other hosts: look with \
         `hafen status` and `hafen events`, or allow more time with --timeout",
        .after.as_secs_f32()
    )]
    TimedOut {
        /// The socket.
        path: PathBuf,
        /// How long was waited.
        after: Duration,
    },
    /// The daemon speaks another language.
    #[error(
        "the daemon at {path} answered what this program does not understand ({what}). Use a program of the daemon's version"
    )]
    Nonsense {
        /// The socket.
        path: PathBuf,
        /// What it was.
        what: String,
    },
    /// The daemon refused, or failed.
    #[error("{}{}{}", .0.message, if .0.mend.is_empty() { "" } else { ". " }, .0.mend)]
    Refused(Failure),
}

impl ClientError {
    /// A stable word for programs: the daemon's own word where it refused.
    pub fn kind(&self) -> &str {
        match self {
            Self::Connect { .. } => "no-daemon",
            Self::Broken { .. } => "unknown-outcome",
            Self::TimedOut { .. } => "timeout",
            Self::Nonsense { .. } => "version",
            Self::Refused(failure) => &failure.kind,
        }
    }
}

fn connect_hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => {
            "Start it (`hafen daemon`, or a lab with `hafen lab up`), or name a lab's host with --host"
        }
        io::ErrorKind::PermissionDenied => "Only root may talk to it: try again as root or with sudo",
        io::ErrorKind::ConnectionRefused => "It has ended or is being restarted: try again in a few seconds",
        _ => "Look whether it runs, and at its log",
    }
}
