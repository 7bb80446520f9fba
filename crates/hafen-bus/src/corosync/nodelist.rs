//! The configured hosts, from Corosync's configuration map or, where it does not run, from its file.

use std::collections::BTreeMap;
use std::path::Path;

use hafen_protocol::HostId;
use rust_corosync::cmap;

use super::CorosyncError;
use super::handles::{failure, refusal};

/// Corosync's configuration, unless the environment names another (as Corosync's own tools do).
const CONFIGURATION: &str = "/etc/corosync/corosync.conf";

/// No configuration file is longer.
const CONFIGURATION_BYTES_MAXIMUM: u64 = 1 << 20;

/// A host in the node list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListedHost {
    /// Its name; its first address where the list names none.
    pub name: String,
    /// The addresses of its links, in their order.
    pub addresses: Vec<String>,
}

/// The configured hosts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeList {
    /// Each host by its nodeid.
    pub hosts: BTreeMap<HostId, ListedHost>,
    /// Which of them this host is, where Corosync itself says so.
    pub own: Option<HostId>,
}

impl NodeList {
    /// The hosts' names.
    pub fn names(&self) -> BTreeMap<HostId, String> {
        self.hosts.iter().map(|(&id, host)| (id, host.name.clone())).collect()
    }

    /// The host with this name: by itself, or without its domain.
    pub fn by_name(&self, name: &str) -> Option<HostId> {
        let short = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
        let find = |same: &dyn Fn(&str) -> bool| {
            self.hosts.iter().find(|(_, host)| same(&host.name)).map(|(&id, _)| id)
        };
        find(&|other| other == name).or_else(|| find(&|other| short(other) == short(name)))
    }

    fn from_fields(fields: impl Iterator<Item = (usize, String, String)>, own: Option<usize>) -> NodeList {
        let mut positions: BTreeMap<usize, Listed> = BTreeMap::new();
        for (position, field, value) in fields {
            let Listed { id, host, addresses } = positions.entry(position).or_default();
            let link = field.strip_prefix("ring").and_then(|rest| rest.strip_suffix("_addr"));
            match (field.as_str(), link.and_then(|link| link.parse().ok())) {
                ("nodeid", _) => *id = value.parse().ok().filter(|id| *id != 0).map(HostId),
                ("name", _) => host.name = value,
                (_, Some(link)) => {
                    addresses.insert(link, value);
                }
                _ => {}
            }
        }
        let mut list = NodeList::default();
        for (position, Listed { id, mut host, addresses }) in positions {
            let Some(id) = id else { continue };
            host.addresses = addresses.into_values().collect();
            if host.name.is_empty() {
                host.name = host.addresses.first().cloned().unwrap_or_else(|| format!("node{id}"));
            }
            if own == Some(position) {
                list.own = Some(id);
            }
            list.hosts.insert(id, host);
        }
        list
    }
}

/// What a position of the list holds.
#[derive(Default)]
struct Listed {
    id: Option<HostId>,
    host: ListedHost,
    /// By the number of the link.
    addresses: BTreeMap<usize, String>,
}

/// Reads the list from Corosync's configuration map.
pub(super) fn read(map: &cmap::Handle) -> Result<NodeList, CorosyncError> {
    let entries =
        cmap::CmapIterStart::new(map, "nodelist.").map_err(|error| failure("read the node list", error))?;
    let mut fields = Vec::new();
    let mut own = None;
    for entry in entries {
        let value = match entry.data() {
            cmap::Data::String(text) => text.clone(),
            cmap::Data::UInt32(number) => number.to_string(),
            _ => continue,
        };
        let mut parts = entry.key_name().split('.').skip(1);
        match (parts.next(), parts.next(), parts.next()) {
            (Some("local_node_pos"), ..) => own = value.parse().ok(),
            (Some("node"), Some(position), Some(field)) => {
                if let Ok(position) = position.parse() {
                    fields.push((position, field.to_owned(), value));
                }
            }
            _ => {}
        }
    }
    let list = NodeList::from_fields(fields.into_iter(), own);
    if list.hosts.is_empty() { Err(CorosyncError::NoNodeList) } else { Ok(list) }
}

/// The node list of this host's Corosync, or of its configuration file while it does not run. Blocks shortly.
///
/// # Errors
/// When Corosync does not run and its file cannot be read, or neither has a node list with nodeids.
pub fn configured_hosts() -> Result<NodeList, CorosyncError> {
    match cmap::initialize(cmap::Map::Icmap) {
        Ok(map) => read(&map),
        Err(error) => {
            let path = std::env::var("COROSYNC_MAIN_CONFIG_FILE");
            let path = path.unwrap_or_else(|_| CONFIGURATION.to_owned());
            from_file(Path::new(&path)).map_err(|problem| CorosyncError::NoConfiguration {
                path,
                problem,
                corosync: refusal(error).to_string(),
            })
        }
    }
}

fn from_file(path: &Path) -> Result<NodeList, String> {
    let length = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if length > CONFIGURATION_BYTES_MAXIMUM {
        return Err(format!("it has {length} bytes"));
    }
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let list = parse(&text);
    if list.hosts.is_empty() {
        return Err("it has no nodelist whose nodes have a nodeid".to_owned());
    }
    Ok(list)
}

/// Reads the section `nodelist` of a configuration file; all else is passed over.
fn parse(text: &str) -> NodeList {
    let mut sections: Vec<&str> = Vec::new();
    let mut nodes = 0;
    let mut fields = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_suffix('{') {
            sections.push(name.trim());
            if sections == ["nodelist", "node"] {
                nodes += 1;
            }
        } else if line.starts_with('}') {
            sections.pop();
        } else if sections == ["nodelist", "node"]
            && let Some((field, value)) = line.split_once(':')
        {
            fields.push((nodes, field.trim().to_owned(), value.trim().to_owned()));
        }
    }
    NodeList::from_fields(fields.into_iter(), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# ours\ntotem {\n  version: 2\n  interface {\n    linknumber: 0\n  }\n}\n\
        nodelist {\n  node {\n    ring1_addr: 10.1.0.1\n    ring0_addr: 10.0.0.1\n    name: ship1.example.org\n    nodeid: 1\n  }\n\
        node {\n    ring0_addr: fd00::2\n    nodeid: 2\n  }\n  node {\n    ring0_addr: 10.0.0.9\n    name: none\n  }\n}\n";

    #[test]
    fn the_node_list_of_a_file() {
        let list = parse(FILE);
        assert_eq!(list.hosts.len(), 2, "a node without nodeid is none");
        let one = &list.hosts[&HostId(1)];
        assert_eq!(
            (one.name.as_str(), &one.addresses[..]),
            ("ship1.example.org", &["10.0.0.1".to_owned(), "10.1.0.1".to_owned()][..])
        );
        assert_eq!(list.hosts[&HostId(2)].name, "fd00::2");
        assert_eq!(list.by_name("ship1"), Some(HostId(1)));
        assert_eq!(list.by_name("ship1.example.org"), Some(HostId(1)));
        assert_eq!(list.by_name("ship"), None);
    }

    #[test]
    fn garbage_is_no_node_list() {
        for text in [
            "",
            "}}}}",
            "nodelist {",
            "nodelist {\nnode {\nnodeid: x\n}\n}",
            "nodelist {\nnode {\nnodeid: 0\n}\n}",
        ] {
            assert_eq!(parse(text), NodeList::default(), "{text}");
        }
        assert!(from_file(Path::new("/nonexistent")).is_err());
    }
}
