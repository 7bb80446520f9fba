//! What Hafen reads and changes in corosync.conf.

use std::collections::BTreeMap;

use super::{CorosyncConf, Item, Section};

/// How Corosync's packets travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Up to eight links, encrypted and authenticated.
    Knet,
    /// Multicast on one link, in the clear.
    Udp,
    /// Unicast on one link, in the clear.
    Udpu,
}

/// A host of the nodelist.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeEntry {
    /// Its number, not 0; 0 here means that none is written.
    pub id: u32,
    /// Its name (`uname -n`), empty where none is written.
    pub name: String,
    /// Its address on each link, by the link's number.
    pub addresses: BTreeMap<u8, String>,
}

/// Corosync's limit with knet.
pub(crate) const LINKS_MAXIMUM: u8 = 8;

impl CorosyncConf {
    /// How packets travel; `Err` with the word that is none.
    pub fn transport(&self) -> Result<Transport, String> {
        match self.value("totem", "transport") {
            None | Some("knet") => Ok(Transport::Knet),
            Some("udp") => Ok(Transport::Udp),
            Some("udpu") => Ok(Transport::Udpu),
            Some(other) => Err(other.to_owned()),
        }
    }

    /// The cluster's name.
    pub fn cluster_name(&self) -> Option<&str> {
        self.value("totem", "cluster_name")
    }

    /// The version of the file; 0 where none is written.
    pub fn config_version(&self) -> u64 {
        self.value("totem", "config_version").and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// Counts the version up by one.
    pub fn raise_config_version(&mut self) {
        let next = self.config_version() + 1;
        self.top("totem").set("config_version", next.to_string());
    }

    /// The hosts, in the order of the file.
    pub fn nodes(&self) -> Vec<NodeEntry> {
        self.root
            .sections("nodelist")
            .flat_map(|list| list.sections("node").collect::<Vec<_>>())
            .map(entry)
            .collect()
    }

    /// The host of that name.
    pub fn node(&self, name: &str) -> Option<NodeEntry> {
        self.nodes().into_iter().find(|node| node.name == name)
    }

    /// Adds a host.
    pub fn add_node(&mut self, node: &NodeEntry) {
        let mut section = Section::new("node");
        section.set("name", &node.name);
        section.set("nodeid", node.id.to_string());
        for (link, address) in &node.addresses {
            section.set(&format!("ring{link}_addr"), address);
        }
        self.top("nodelist").items.push(Item::Section(section));
    }

    /// Removes the host of that name. Whether there was one.
    pub fn remove_node(&mut self, name: &str) -> bool {
        let before = self.nodes().len();
        for list in self.root.sections_mut("nodelist") {
            list.items.retain(|item| {
                !matches!(item, Item::Section(node) if node.name == "node" && node.get("name") == Some(name))
            });
        }
        self.nodes().len() < before
    }

    /// The links that hosts have addresses on.
    pub fn links(&self) -> Vec<u8> {
        let mut links: Vec<u8> =
            self.nodes().iter().flat_map(|node| node.addresses.keys().copied()).collect();
        links.sort_unstable();
        links.dedup();
        links
    }

    /// Whether a quorum device votes.
    pub fn has_quorum_device(&self) -> bool {
        self.root.sections("quorum").any(|quorum| quorum.section("device").is_some())
    }

    /// How long Corosync waits for its quorum device's vote when the ring changes, in milliseconds (`sync_timeout`; 30 s
    /// unless it is written). None without a device.
    pub fn quorum_device_sync_timeout_ms(&self) -> Option<u64> {
        let device = self.root.sections("quorum").find_map(|quorum| quorum.section("device"))?;
        Some(device.get("sync_timeout").and_then(|text| text.parse().ok()).unwrap_or(30_000))
    }

    /// Sets `two_node` as the number of hosts and a quorum device demand.
    pub fn derive_two_node(&mut self) {
        let two = self.nodes().len() == 2 && !self.has_quorum_device();
        let quorum = self.top("quorum");
        if two {
            quorum.set("two_node", "1");
        } else {
            quorum.unset("two_node");
        }
    }

    /// The number for a new host: above all others, so that nobody takes it for one that was there before.
    pub fn next_id(&self) -> u32 {
        self.nodes().iter().map(|node| node.id).max().unwrap_or(0) + 1
    }
}

fn entry(section: &Section) -> NodeEntry {
    let addresses = (0..LINKS_MAXIMUM)
        .filter_map(|link| Some((link, section.get(&format!("ring{link}_addr"))?.to_owned())))
        .collect();
    NodeEntry {
        id: section.get("nodeid").and_then(|text| text.parse().ok()).unwrap_or(0),
        name: section.get("name").unwrap_or_default().to_owned(),
        addresses,
    }
}
