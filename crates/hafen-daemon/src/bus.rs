//! Opening the bus: which engine, and what it needs before the daemon can be a member.

use std::io;

use hafen_bus::{Bus, EngineSettings};
use hafen_protocol::MemberId;

use crate::DaemonError;
use crate::config::{BusConfig, DaemonConfig};

/// An engine that can be opened.
#[derive(Debug)]
pub(crate) enum Engine {
    /// One that needs nothing else.
    Plain(EngineSettings),
    /// This host's Corosync.
    #[cfg(feature = "corosync")]
    Corosync(hafen_bus::corosync::CorosyncSettings, hafen_bus::streams::Streams),
}

impl Engine {
    /// Prepares the engine that the configuration names: on Corosync the streams between hosts are opened.
    pub(crate) async fn prepare(config: &DaemonConfig) -> Result<Self, DaemonError> {
        match &config.bus {
            BusConfig::Local { hub } => Ok(Self::Plain(EngineSettings::Local { socket: hub.clone() })),
            #[cfg(feature = "corosync")]
            BusConfig::Corosync { plain_streams } => {
                let settings = hafen_bus::corosync::CorosyncSettings { cluster: config.cluster.clone() };
                Ok(Self::Corosync(settings, corosync::streams(config, *plain_streams).await?))
            }
            #[cfg(not(feature = "corosync"))]
            BusConfig::Corosync { .. } => Err(without_corosync()),
        }
    }

    /// Joins the group.
    pub(crate) fn open(self, member: MemberId) -> io::Result<Bus> {
        match self {
            Self::Plain(settings) => Ok(Bus::open(settings, member)),
            #[cfg(feature = "corosync")]
            Self::Corosync(settings, streams) => Bus::open_corosync(&settings, member, streams),
        }
    }
}

/// Fills in what Corosync's configuration says: the hosts, and which of them this one is. Blocks shortly.
pub(crate) fn complete(config: DaemonConfig) -> Result<DaemonConfig, DaemonError> {
    if !matches!(config.bus, BusConfig::Corosync { .. }) || !config.hosts.is_empty() {
        return Ok(config);
    }
    #[cfg(feature = "corosync")]
    return corosync::complete(config);
    #[cfg(not(feature = "corosync"))]
    return Err(without_corosync());
}

#[cfg(not(feature = "corosync"))]
fn without_corosync() -> DaemonError {
    DaemonError::Hosts(
        "this build of hafen has no engine \"corosync\": use one that was built with it".to_owned(),
    )
}

#[cfg(feature = "corosync")]
mod corosync {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use hafen_bus::corosync::{NodeList, configured_hosts};
    use hafen_bus::streams::{PlainTransport, Streams};
    use hafen_protocol::HostId;

    use crate::DaemonError;
    use crate::config::{DaemonConfig, HostEntry};
    use crate::peer::{self, PeerSettings};

    pub(super) fn complete(mut config: DaemonConfig) -> Result<DaemonConfig, DaemonError> {
        let list = configured_hosts().map_err(|error| DaemonError::Hosts(error.to_string()))?;
        config.host = own_name(&list, &config.host).map_err(DaemonError::Hosts)?;
        config.hosts =
            list.hosts.iter().map(|(id, host)| HostEntry { id: id.0, name: host.name.clone() }).collect();
        config.check().map_err(|detail| DaemonError::Hosts(format!("Corosync's node list: {detail}")))?;
        Ok(config)
    }

    /// The name by which the node list knows this host.
    pub(super) fn own_name(list: &NodeList, uname: &str) -> Result<String, String> {
        let own = list.by_name(uname).or(list.own);
        if let (Some(own), Some(actual)) = (own, list.own)
            && own != actual
        {
            let name = |id: HostId| list.hosts.get(&id).map_or("", |host| host.name.as_str());
            return Err(format!(
                "this host is named '{uname}', which is host {own} in Corosync's node list, but by its addresses it is \
                 host {actual} ('{}'): mend the host's name or the node list",
                name(actual)
            ));
        }
        own.and_then(|own| list.hosts.get(&own)).map(|host| host.name.clone()).ok_or_else(|| {
            let names: Vec<&str> = list.hosts.values().map(|host| host.name.as_str()).collect();
            format!(
                "this host is named '{uname}' (uname -n), and Corosync's node list has no such host (it has {}): set the \
                 host's name, or mend the nodelist in /etc/corosync/corosync.conf",
                names.join(", ")
            )
        })
    }

    /// Opens the port between hosts, and gives its streams.
    pub(super) async fn streams(config: &DaemonConfig, plain: bool) -> Result<Streams, DaemonError> {
        let port = config.peer_port;
        if !plain {
            let mut settings = PeerSettings { port, ..PeerSettings::default() };
            if let Some(folder) = &config.pki_dir {
                settings.pki_dir.clone_from(folder);
            }
            return Ok(peer::open(&settings));
        }
        let own = config.own_id().unwrap_or(HostId(0));
        match PlainTransport::listen(own, Ipv6Addr::UNSPECIFIED.into(), port).await {
            Ok(streams) => Ok(streams),
            // A system without IPv6.
            Err(_) => PlainTransport::listen(own, Ipv4Addr::UNSPECIFIED.into(), port)
                .await
                .map_err(|error| DaemonError::Port { port, source: error }),
        }
    }

    #[cfg(test)]
    mod tests {
        use hafen_bus::corosync::ListedHost;

        use super::*;

        fn list(own: Option<u32>) -> NodeList {
            let host = |name: &str| ListedHost { name: name.to_owned(), addresses: Vec::new() };
            let hosts = [(HostId(1), host("one.example.org")), (HostId(2), host("two"))].into();
            NodeList { hosts, own: own.map(HostId) }
        }

        #[test]
        fn the_node_list_names_this_host() {
            assert_eq!(own_name(&list(None), "two").as_deref(), Ok("two"));
            assert_eq!(own_name(&list(Some(1)), "one").as_deref(), Ok("one.example.org"));
            assert_eq!(own_name(&list(Some(2)), "elsewhere").as_deref(), Ok("two"), "by its addresses");
            let error = own_name(&list(None), "three").unwrap_err();
            assert!(error.contains("three") && error.contains("one.example.org, two"), "{error}");
            let error = own_name(&list(Some(1)), "two").unwrap_err();
            assert!(error.contains("host 1"), "{error}");
        }
    }
}
