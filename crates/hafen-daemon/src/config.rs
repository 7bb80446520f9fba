//! What a daemon is told before it starts.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use hafen_protocol::HostId;
use serde::{Deserialize, Serialize};

use crate::DaemonError;

/// The configuration of a host's daemon: a JSON file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DaemonConfig {
    /// The cluster's name.
    pub cluster: String,
    /// This host's name; it is one of `hosts`. Without it: what `uname -n` says.
    #[serde(default = "default_host")]
    pub host: String,
    /// All hosts of the cluster: majorities are counted over these. On Corosync it stays empty: its node list holds.
    #[serde(default)]
    pub hosts: Vec<HostEntry>,
    /// How the hosts reach each other.
    pub bus: BusConfig,
    /// What a power cut must not take.
    #[serde(default = "default_store")]
    pub store_dir: PathBuf,
    /// What only the next boot empties: sockets, and what a next run of the daemon must know.
    #[serde(default = "default_run")]
    pub run_dir: PathBuf,
    /// A file with the id of this boot of the host; none: the kernel's own.
    #[serde(default)]
    pub boot_id_file: Option<PathBuf>,
    /// A CIB to begin with where nothing is stored yet.
    #[serde(default)]
    pub initial_cib_file: Option<PathBuf>,
    /// How long a host may be without its daemon until its resources count as unaccounted for, in milliseconds.
    #[serde(default = "default_restart_timeout")]
    pub daemon_restart_timeout_ms: u64,
    /// How long a cluster that starts waits for all of its hosts, in milliseconds.
    #[serde(default = "default_startup_wait")]
    pub startup_wait_ms: u64,
    /// The port of all daemons of the cluster, for everything between hosts (only on Corosync).
    #[serde(default = "default_peer_port")]
    pub peer_port: u16,
    /// The folder of this host's certificates (only on Corosync).
    #[serde(default)]
    pub pki_dir: Option<PathBuf>,
    /// This host's watchdog; none: the host must not run with `stonith-watchdog-timeout`.
    #[serde(default)]
    pub watchdog: Option<WatchdogSettings>,
    /// The command that starts an executor where none runs; empty: `hafen executor` of this executable.
    #[serde(default)]
    pub executor_command: Vec<String>,
}

/// Where a host's watchdog is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum WatchdogSettings {
    /// The kernel's device, `/dev/watchdog`.
    Device(PathBuf),
    /// The socket of a power switch that stands for one, in labs.
    Socket(PathBuf),
}

/// A configured host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostEntry {
    /// Its number, unique and not 0.
    pub id: u32,
    /// Its name (`uname -n`).
    pub name: String,
}

/// The engine of the bus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "engine", deny_unknown_fields)]
pub enum BusConfig {
    /// The hub of a lab on this machine.
    Local {
        /// Its socket.
        hub: PathBuf,
    },
    /// This host's Corosync.
    Corosync {
        /// Streams between hosts without certificates: whoever reaches the port may say that it is a host. Only for
        /// networks that nobody else can reach.
        #[serde(default)]
        plain_streams: bool,
    },
}

fn default_host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn default_peer_port() -> u16 {
    hafen_setup::peer::PORT_DEFAULT
}

fn default_store() -> PathBuf {
    "/var/lib/hafen".into()
}

fn default_run() -> PathBuf {
    "/run/hafen".into()
}

fn default_restart_timeout() -> u64 {
    20_000
}

fn default_startup_wait() -> u64 {
    20_000
}

impl DaemonConfig {
    /// Reads and checks a file.
    pub fn load(path: &Path) -> Result<Self, DaemonError> {
        let text = fs::read(path).map_err(DaemonError::system("read", path))?;
        let wrong = |detail: String| DaemonError::Config { path: path.to_owned(), detail };
        let config: Self = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
        config.check().map_err(wrong)?;
        Ok(config)
    }

    /// What is wrong with it, in a sentence.
    pub fn check(&self) -> Result<(), String> {
        if matches!(self.bus, BusConfig::Corosync { .. }) && self.hosts.is_empty() {
            return Ok(());
        }
        let names: BTreeMap<u32, &str> =
            self.hosts.iter().map(|host| (host.id, host.name.as_str())).collect();
        if names.len() != self.hosts.len() || names.contains_key(&0) {
            return Err("\"hosts\": each needs an \"id\" of its own, and not 0".to_owned());
        }
        let twice = |name: &str| self.hosts.iter().filter(|host| host.name == name).count() > 1;
        if let Some(host) = self.hosts.iter().find(|host| host.name.is_empty() || twice(&host.name)) {
            return Err(format!("\"hosts\": the name '{}' is empty or there twice", host.name));
        }
        if self.own_id().is_none() {
            return Err(format!("\"host\": '{}' is none of \"hosts\"", self.host));
        }
        Ok(())
    }

    /// This host's number.
    pub fn own_id(&self) -> Option<HostId> {
        self.hosts.iter().find(|host| host.name == self.host).map(|host| HostId(host.id))
    }

    /// The daemon's socket for clients.
    pub fn socket(&self) -> PathBuf {
        self.run_dir.join("daemon.sock")
    }

    /// The executor's socket.
    pub fn executor_socket(&self) -> PathBuf {
        self.run_dir.join("executor.sock")
    }

    /// The folder that belongs to the node's store alone.
    pub(crate) fn state_dir(&self) -> PathBuf {
        self.store_dir.join("cib")
    }
}
