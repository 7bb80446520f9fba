//! What goes wrong in a lab.

use std::io;
use std::path::{Path, PathBuf};

use hafen_client::ClientError;

/// An error of the lab. Its text says what was wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The system refused something.
    #[error("cannot {what} {path}: {source}")]
    System {
        /// What was tried (`create`, `mount`, …).
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A program that the lab needs failed.
    #[error("`{command}` failed: {detail}")]
    Program {
        /// The command line.
        command: String,
        /// What it said.
        detail: String,
    },
    /// There is no lab, or there is one already, or it is not as asked.
    #[error("{0}")]
    State(String),
    /// The power switch refused or did not answer.
    #[error("the power switch at {path}: {detail}")]
    Switch {
        /// Its socket.
        path: PathBuf,
        /// What was wrong.
        detail: String,
    },
    /// A daemon refused or did not answer.
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl LabError {
    /// Wraps what the system said about a path.
    pub fn system(what: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_owned();
        move |source| Self::System { what, path, source }
    }

    /// For system calls that are wrapped by rustix.
    pub(crate) fn errno(
        what: &'static str,
        path: impl AsRef<Path>,
    ) -> impl FnOnce(rustix::io::Errno) -> Self {
        let path = path.as_ref().to_owned();
        move |source| Self::System { what, path, source: source.into() }
    }
}
