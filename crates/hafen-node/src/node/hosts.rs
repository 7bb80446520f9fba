//! The configured hosts: joining and removal, one at a time.

use std::collections::BTreeMap;

use hafen_protocol::HostId;
use hafen_protocol::message::HostChange;

use super::Node;

impl Node {
    /// The engine of the bus says which hosts are configured.
    pub(super) fn hosts_configured(&mut self, hosts: BTreeMap<HostId, String>) {
        if self.nodelist.as_ref() != Some(&hosts) {
            let names: Vec<&str> = hosts.values().map(String::as_str).collect();
            let text = format!("the bus is configured for {}", names.join(" "));
            self.event("hosts", "", text, "the bus said so");
            self.nodelist = Some(hosts);
        }
    }

    /// A host joins or is removed.
    pub(super) fn host_change_ordered(&mut self, change: &HostChange, position: u64) {
        let text = match change {
            HostChange::Join { uname, .. } => format!("{uname} is configured"),
            HostChange::Remove { host } => format!("{} is removed", self.replica.uname(*host)),
        };
        self.event("hosts", "", text.clone(), "the coordinator says so");
        self.disturbed(position, &text);
    }
}
