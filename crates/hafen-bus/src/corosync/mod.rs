//! The engine `corosync`: real hosts.
//!
//! A thread of its own owns all connections to this host's Corosync (`worker`, `handles`) and a pure state machine
//! that makes views out of its closed process group (`group`, `packet`). Beside it, in the daemon's runtime, run the
//! streams to single members (`links`) and a watch that notices a Corosync that no longer answers (`front`).

mod front;
mod group;
mod handles;
mod links;
mod nodelist;
mod packet;
mod pulse;
mod worker;

use hafen_protocol::{Delivery, HostId, MemberId, Transmission};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

pub use nodelist::{ListedHost, NodeList, configured_hosts};
pub use packet::PROTOCOL_VERSION;

use crate::streams::Streams;

/// The name of the group is this and the cluster's name, as much of it as fits.
const GROUP_PREFIX: &str = "hafen:";

/// Corosync's names of groups are shorter than 128 bytes.
const GROUP_BYTES_MAXIMUM: usize = 127;

/// What the engine needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorosyncSettings {
    /// The cluster's name: daemons of other clusters are in other groups.
    pub cluster: String,
}

/// Why Corosync cannot be used, or is lost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CorosyncError {
    /// Nothing answers.
    #[error("Corosync does not run on this host: start it (systemctl start corosync)")]
    NotRunning,
    /// It answers, but not now.
    #[error("Corosync on this host is busy or still starting")]
    Busy,
    /// The connection failed.
    #[error("the connection to Corosync on this host ended")]
    Gone,
    /// It ended without a word.
    #[error("Corosync on this host has died")]
    Died,
    /// Somebody stopped it.
    #[error("Corosync on this host was stopped")]
    Stopped,
    /// It ended, and the next one runs already.
    #[error("Corosync on this host was started anew")]
    StartedAnew,
    /// It does not move.
    #[error("Corosync on this host does not answer")]
    Hangs,
    /// The receiver of a stream takes nothing.
    #[error("too much waits on a stream to another host: see whether its port can be reached")]
    StreamStuck,
    /// This process may not use it.
    #[error(
        "Corosync on this host refuses this daemon: run it as root, or allow its user in /etc/corosync/uidgid.d"
    )]
    Access,
    /// Its library and it are of different versions.
    #[error(
        "Corosync on this host speaks another version of its protocol than the installed libraries ({0}): restart it after the upgrade"
    )]
    Version(String),
    /// No votes are counted.
    #[error(
        "Corosync on this host counts no votes: its configuration needs quorum {{ provider: corosync_votequorum }}"
    )]
    NoQuorumProvider,
    /// No host is listed.
    #[error("Corosync on this host has no node list: its configuration needs a nodelist with nodeids")]
    NoNodeList,
    /// Neither Corosync nor its file says who the hosts are.
    #[error("the hosts of the cluster are not known: {corosync}; and {path}: {problem}")]
    NoConfiguration {
        /// The file.
        path: String,
        /// What is wrong with it.
        problem: String,
        /// Why Corosync itself could not be asked.
        corosync: String,
    },
    /// The daemon was started as another host than Corosync runs as.
    #[error(
        "Corosync on this host has nodeid {actual}, this daemon was started as host {own}: restart the daemon"
    )]
    OtherHost {
        /// What the daemon was told.
        own: HostId,
        /// What Corosync says.
        actual: HostId,
    },
    /// The kernel refused.
    #[error("Corosync's connection cannot be watched: {0}")]
    Descriptor(String),
    /// A call failed.
    #[error("Corosync on this host failed to {what}: {error}")]
    Call {
        /// What was asked.
        what: &'static str,
        /// Its answer.
        error: String,
    },
}

/// Starts the engine.
pub(crate) fn start(
    settings: &CorosyncSettings,
    member: MemberId,
    streams: Streams,
    transmissions: mpsc::Receiver<Transmission>,
    deliveries: mpsc::Sender<Delivery>,
) -> std::io::Result<JoinHandle<()>> {
    let mut group = format!("{GROUP_PREFIX}{}", settings.cluster);
    let mut end = group.len().min(GROUP_BYTES_MAXIMUM);
    while !group.is_char_boundary(end) {
        end -= 1;
    }
    group.truncate(end);
    let worker = worker::start(group, member)?;
    let cluster = settings.cluster.clone();
    Ok(tokio::spawn(front::run(cluster, member, streams, worker, transmissions, deliveries)))
}
