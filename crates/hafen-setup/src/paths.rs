//! Where everything is on a host.

use std::path::{Path, PathBuf};

/// The files of a host, below a root folder (`/` except in tests).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    root: PathBuf,
}

impl Default for Paths {
    fn default() -> Self {
        Self::new("/")
    }
}

impl Paths {
    /// The files below this folder.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder that all the others are below.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// An absolute path as the host sees it, below the root.
    pub fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Corosync's configuration.
    pub fn corosync_conf(&self) -> PathBuf {
        self.at("/etc/corosync/corosync.conf")
    }

    /// A configuration that is agreed on and waits for its turn.
    pub fn corosync_conf_prepared(&self) -> PathBuf {
        self.at("/etc/corosync/corosync.conf.hafen-prepared")
    }

    /// The key that Corosync encrypts and authenticates with.
    pub fn authkey(&self) -> PathBuf {
        self.at("/etc/corosync/authkey")
    }

    /// Hafen's configuration.
    pub fn hafen_dir(&self) -> PathBuf {
        self.at("/etc/hafen")
    }

    /// The configuration of the daemon.
    pub fn daemon_json(&self) -> PathBuf {
        self.at("/etc/hafen/daemon.json")
    }

    /// What the configuration of the cluster begins with.
    pub fn initial_cib(&self) -> PathBuf {
        self.at("/etc/hafen/initial-cib.xml")
    }

    /// Certificates and keys.
    pub fn pki_dir(&self) -> PathBuf {
        self.at("/etc/hafen/pki")
    }

    /// The patterns of files that are the same on all hosts, beside those that always are.
    pub fn agreed_patterns(&self) -> PathBuf {
        self.at("/etc/hafen/files.conf")
    }

    /// Names the program that starts services where there is no systemd.
    pub fn service_command(&self) -> PathBuf {
        self.at("/etc/hafen/service-command")
    }

    /// A change of this host's files that is complete but perhaps not all in place.
    pub fn pending_dir(&self) -> PathBuf {
        self.at("/etc/hafen/pending")
    }

    /// A change of this host's files that is still being collected.
    pub fn staging_dir(&self) -> PathBuf {
        self.at("/etc/hafen/staging")
    }

    /// Tokens that this host has made; a boot empties it.
    pub fn tokens_dir(&self) -> PathBuf {
        self.at("/run/hafen/tokens")
    }

    /// Locks and what only the next boot empties.
    pub fn run_dir(&self) -> PathBuf {
        self.at("/run/hafen")
    }

    /// The daemon's socket for clients.
    pub fn daemon_socket(&self) -> PathBuf {
        self.at("/run/hafen/daemon.sock")
    }

    /// What the daemon must not lose.
    pub fn store_dir(&self) -> PathBuf {
        self.at("/var/lib/hafen")
    }

    /// The digests of agreed files when they were last the same on all hosts.
    pub fn agreed_record(&self) -> PathBuf {
        self.at("/var/lib/hafen/agreed-files.json")
    }

    /// Where replaced and left-over files are kept.
    pub fn replaced_dir(&self) -> PathBuf {
        self.at("/var/lib/hafen/replaced")
    }

    /// Corosync's own state.
    pub fn corosync_state_dir(&self) -> PathBuf {
        self.at("/var/lib/corosync")
    }
}
