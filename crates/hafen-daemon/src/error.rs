//! Why a daemon cannot go on.

use std::io;
use std::path::{Path, PathBuf};

/// An error that ends the daemon. Its text says what was wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The system refused something.
    #[error("cannot {what} {path}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The configuration file is wrong.
    #[error("{path}: {detail}")]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong in it, and how it should be.
        detail: String,
    },
    /// Another daemon of this host runs.
    #[error("a daemon of this host runs already (it holds {0}): stop it first")]
    Running(PathBuf),
    /// Who the cluster's hosts are is not known, or this host is none of them.
    #[error("{0}")]
    Hosts(String),
    /// The port between hosts cannot be opened.
    #[error("port {port} between hosts cannot be opened: {source}")]
    Port {
        /// The port.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// What is stored or configured makes no node.
    #[error("the cluster's state in {path} cannot be used: {detail}")]
    State {
        /// The store.
        path: PathBuf,
        /// Why.
        detail: String,
    },
}

impl DaemonError {
    pub(crate) fn system(what: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_owned();
        move |source| Self::System { what, path, source }
    }
}
