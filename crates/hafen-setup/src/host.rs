//! This host: its files, name, addresses and services.

use std::fs::{File, TryLockError};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::corosync_conf::{CorosyncConf, NodeEntry};
use crate::network::{self, InterfaceAddress};
use crate::peer::{Connecting, Credentials, PORT_DEFAULT, PeerClient};
use crate::request::Target;
use crate::services::Services;
use crate::{Paths, SetupError, disk};

/// How long a command waits for another one that changes this host's set-up.
const LOCK_PATIENCE: Duration = Duration::from_secs(3);
/// Between two looks.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// This host, as the functions of this crate see it.
#[derive(Debug, Clone)]
pub struct Host {
    /// Its files.
    pub paths: Paths,
    /// Its name (`uname -n`).
    pub name: String,
    /// Its addresses.
    pub addresses: Vec<InterfaceAddress>,
    /// Its services.
    pub services: Services,
    /// The port of the daemons of this cluster.
    pub peer_port: u16,
}

/// What is read of the daemon's configuration.
#[derive(Deserialize)]
struct DaemonPart {
    peer_port: Option<u16>,
    pki_dir: Option<PathBuf>,
}

/// Held while one command changes this host's set-up; the kernel lets it go however the command ends.
#[derive(Debug)]
pub struct SetupLock {
    _file: File,
}

impl Host {
    /// The host that this process runs on, with its files below a root folder.
    ///
    /// # Errors
    /// When the system does not tell its addresses, or a file of the configuration is broken.
    pub fn this(paths: Paths) -> Result<Self, SetupError> {
        let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let services = Services::find(&paths)?;
        let mut host =
            Self { name, addresses: network::addresses()?, services, peer_port: PORT_DEFAULT, paths };
        if let Some(part) = host.daemon_part()? {
            host.peer_port = part.peer_port.unwrap_or(PORT_DEFAULT);
        }
        Ok(host)
    }

    fn daemon_part(&self) -> Result<Option<DaemonPart>, SetupError> {
        let path = self.paths.daemon_json();
        let Some(bytes) = disk::read_optional(&path)? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            SetupError::state(
                format!("{} cannot be read: {error}", path.display()),
                "Mend it, or restore it from another host",
            )
        })
    }

    /// Where this host's certificates are.
    ///
    /// # Errors
    /// When the daemon's configuration is broken.
    pub fn pki_dir(&self) -> Result<PathBuf, SetupError> {
        let named = self.daemon_part()?.and_then(|part| part.pki_dir);
        Ok(named.map_or_else(|| self.paths.pki_dir(), |folder| self.paths.at(folder)))
    }

    /// Lets no second command change this host's set-up at the same time.
    ///
    /// # Errors
    /// When another one does.
    pub fn lock(&self) -> Result<SetupLock, SetupError> {
        disk::create_folder(&self.paths.run_dir(), 0o755)?;
        let path = self.paths.run_dir().join("setup.lock");
        let file = File::create(&path).map_err(SetupError::system("create", &path))?;
        let end = Instant::now() + LOCK_PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(SetupLock { _file: file }),
                // A short while is nothing: a program that another thread starts holds all locks until it runs.
                Err(TryLockError::WouldBlock) if Instant::now() < end => thread::sleep(LOCK_PAUSE),
                Err(TryLockError::WouldBlock) => {
                    return Err(SetupError::unreachable(
                        format!("another command is changing the set-up of {} right now", self.name),
                        "Wait until it has ended, then try again",
                    ));
                }
                Err(TryLockError::Error(error)) => return Err(SetupError::system("lock", &path)(error)),
            }
        }
    }

    /// This host's corosync.conf as text; none when there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn corosync_text(&self) -> Result<Option<String>, SetupError> {
        disk::read_text_optional(&self.paths.corosync_conf())
    }

    /// This host's corosync.conf.
    ///
    /// # Errors
    /// When there is none, or it cannot be understood.
    pub fn corosync_conf(&self) -> Result<CorosyncConf, SetupError> {
        let path = self.paths.corosync_conf();
        let text = self.corosync_text()?.ok_or_else(|| {
            SetupError::state(
                format!("this host is in no cluster: {} is not there", path.display()),
                "Begin one with 'hafen init', or join one with 'hafen join HOST --token T'",
            )
        })?;
        parse_conf(&text, &path.display().to_string())
    }

    /// This host's certificate and key.
    ///
    /// # Errors
    /// When they are not there, or broken.
    pub fn credentials(&self) -> Result<Credentials, SetupError> {
        Credentials::load(&self.pki_dir()?)
    }

    /// The other hosts of the cluster.
    pub fn others(&self, conf: &CorosyncConf) -> Vec<NodeEntry> {
        conf.nodes().into_iter().filter(|node| node.name != self.name).collect()
    }

    /// Where the daemon of a host listens, on each link.
    ///
    /// # Errors
    /// When one of its addresses is a name that does not resolve.
    pub fn targets(&self, node: &NodeEntry) -> Result<Vec<Target>, SetupError> {
        let mut targets = Vec::new();
        for (&link, address) in &node.addresses {
            let resolved = crate::peer::resolve(address, self.peer_port)?;
            let address: Option<&SocketAddr> = resolved.first();
            targets.extend(address.map(|address| Target {
                id: node.id,
                name: node.name.clone(),
                link,
                address: *address,
            }));
        }
        Ok(targets)
    }

    /// A connection to the daemon of a host, over the first link that works.
    ///
    /// # Errors
    /// When none works; the error is that of the first link.
    pub fn connect(&self, credentials: &Credentials, node: &NodeEntry) -> Result<PeerClient, SetupError> {
        let mut first = None;
        for target in self.targets(node)? {
            let to = Connecting { id: node.id, name: node.name.clone(), address: target.address };
            match PeerClient::connect(credentials, &to) {
                Ok(client) => return Ok(client),
                Err(error) => first = first.or(Some(error)),
            }
        }
        Err(first.unwrap_or_else(|| {
            SetupError::state(format!("{} has no address in the nodelist", node.name), "Mend corosync.conf")
        }))
    }
}

/// Understands a corosync.conf, or says where it cannot be understood.
pub(crate) fn parse_conf(text: &str, place: &str) -> Result<CorosyncConf, SetupError> {
    text.parse().map_err(|error| {
        SetupError::state(
            format!("{place}, {error}"),
            "Mend that line, or run 'hafen files push --overwrite /etc/corosync/corosync.conf' on a host that has the right one",
        )
    })
}
