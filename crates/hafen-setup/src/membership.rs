//! Whether this host is in a cluster, and in whose.

use crate::corosync_conf::CorosyncConf;
use crate::host::Host;
use crate::pending::{Operation, Pending};
use crate::pki::Authority;
use crate::{SetupError, disk, pki};

/// What this host is.
#[derive(Debug)]
pub enum Membership {
    /// In no cluster. Corosync's own example configuration may be there.
    None,
    /// In a cluster that Hafen set up.
    Ours {
        /// Its configuration.
        conf: Box<CorosyncConf>,
        /// The SHA-256 of its authority's certificate; none when that cannot be read.
        fingerprint: Option<[u8; 32]>,
    },
    /// In a cluster that something else set up.
    Foreign {
        /// Its name.
        cluster: String,
    },
}

impl Membership {
    /// What this host is.
    ///
    /// # Errors
    /// When its configuration cannot be understood.
    pub fn of(host: &Host) -> Result<Self, SetupError> {
        let certificate = host.pki_dir()?.join(pki::HOST_FILE);
        let Some(_) = host.corosync_text()? else { return Ok(Self::None) };
        let known = disk::read_optional(&certificate)?.is_some();
        let conf = host.corosync_conf()?;
        if known {
            let fingerprint =
                Authority::load(&host.pki_dir()?).and_then(|authority| authority.fingerprint()).ok();
            return Ok(Self::Ours { conf: Box::new(conf), fingerprint });
        }
        if is_example(&conf) {
            return Ok(Self::None);
        }
        Ok(Self::Foreign { cluster: conf.cluster_name().unwrap_or("without a name").to_owned() })
    }
}

/// Whether it is a configuration as Corosync's package brings it: one host, on the loopback interface.
fn is_example(conf: &CorosyncConf) -> bool {
    let nodes = conf.nodes();
    let own = |address: &String| address.starts_with("127.") || address == "::1" || address == "localhost";
    nodes.len() <= 1 && nodes.iter().all(|node| node.addresses.values().all(own))
}

/// That this host is in another cluster.
pub(crate) fn in_foreign_cluster(cluster: &str) -> SetupError {
    SetupError::state(
        format!("this host is in the cluster '{cluster}' already, which Hafen did not set up"),
        "Stop that cluster's services and move /etc/corosync/corosync.conf away, if it is not wanted any more",
    )
}

/// An interrupted run of this command; one of another command is refused.
pub(crate) fn interrupted(host: &Host, wanted: Operation) -> Result<Option<Pending>, SetupError> {
    match Pending::load(&host.paths)? {
        Some(pending) if pending.operation() != wanted => Err(SetupError::state(
            format!("'{}' was begun on this host and interrupted", pending.operation()),
            format!("Run '{}' again to complete it, or 'hafen leave' to drop it", pending.operation()),
        )),
        other => Ok(other),
    }
}
