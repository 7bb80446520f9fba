//! The configured hosts: the bus says which there are, the coordinator brings the replicated ones after, one at a time.

use std::collections::BTreeMap;

use hafen_cib::{Patchset, Version};
use hafen_protocol::HostId;
use hafen_protocol::message::{Change, HostChange, Lineage, Message};

use super::Node;
use crate::edits;
use crate::membership::Phase;
use crate::replica::Standing;

/// How far the change of the configured hosts is that the coordinator makes now.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    /// It was said, and did not come back.
    said: bool,
    /// The place in the view of the last one that was applied.
    applied_at: Option<u64>,
}

impl Node {
    /// The engine of the bus says which hosts are configured.
    pub(super) fn hosts_configured(&mut self, hosts: BTreeMap<HostId, String>) {
        if self.nodelist.as_ref() == Some(&hosts) {
            return;
        }
        let names: Vec<&str> = hosts.values().map(String::as_str).collect();
        let text = format!("the bus is configured for {}", names.join(" "));
        self.event("hosts", "", text, "the bus said so");
        if self.replica.configured.is_empty() && self.membership.phase == Phase::Detached {
            let mut cib = self.replica.cib().clone();
            edits::ensure_nodes(&mut cib, &hosts);
            self.replica.begin_with(&hosts, cib);
            let promised = self.store.promised_term();
            self.store.install_copy(self.replica.cib(), self.replica.lineage, promised, &hosts);
        }
        self.nodelist = Some(hosts);
    }

    /// What the configured hosts are to become: the engine's list, or the settings' where the engine has none.
    fn hosts_wanted(&self) -> &BTreeMap<HostId, String> {
        self.nodelist.as_ref().unwrap_or(&self.settings.hosts)
    }

    /// The coordinator makes the next change of the configured hosts when the one before is acknowledged.
    pub(super) fn step_hosts(&mut self) {
        if !self.quorate() || !self.membership.term_open || self.planner.hosts.said {
            return;
        }
        if self.planner.hosts.applied_at.is_some_and(|position| !self.acknowledged(position, false)) {
            return;
        }
        let Some(change) = self.next_host_change() else { return };
        let base = self.replica.cib();
        let mut next = base.clone();
        match &change {
            HostChange::Join { host, uname } => edits::put_node(&mut next, *host, uname),
            HostChange::Remove { host } => edits::remove_node(&mut next, *host, &self.replica.uname(*host)),
        }
        let Version { admin_epoch, epoch, .. } = base.version();
        next.set_version(Version { admin_epoch, epoch: epoch + 1, num_updates: 0 });
        let patchset = Patchset::diff(base, &next).to_xml();
        let Some((term, _)) = self.membership.term else { return };
        let message = Change {
            answers: Vec::new(),
            lineage: Lineage { term, host: self.me().host.0 },
            base_digest: self.replica.digest().to_string(),
            patchset: Some(patchset),
            result_digest: next.refresh_digest(),
            hosts: Some(change),
            without_quorum: false,
            origin: "the bus's list of hosts".to_string(),
            wall_ms: self.now.wall_ms,
        };
        self.planner.hosts.said = self.say(&Message::Change(Box::new(message)));
    }

    fn next_host_change(&self) -> Option<HostChange> {
        let wanted = self.hosts_wanted();
        if wanted.is_empty() {
            return None;
        }
        let configured = &self.replica.configured;
        let joins = wanted.iter().find(|(host, uname)| configured.get(host) != Some(uname));
        if let Some((&host, uname)) = joins {
            return Some(HostChange::Join { host, uname: uname.clone() });
        }
        let removed =
            configured.keys().find(|host| !wanted.contains_key(host) && self.may_be_removed(**host));
        removed.map(|&host| HostChange::Remove { host })
    }

    /// A host is removed when it is known to run nothing: with its record goes what would have it fenced.
    fn may_be_removed(&self, host: HostId) -> bool {
        let in_ring = self.membership.view.as_ref().is_some_and(|view| view.hosts.contains(&host));
        let down = match self.replica.hosts.get(&host).map(|record| &record.standing) {
            None | Some(Standing::Down { .. }) => true,
            Some(Standing::Unseen) => !self.replica.cib().property_boolean("startup-fencing"),
            Some(_) => !self.fencing_enabled(),
        };
        !in_ring && down
    }

    /// A change of the configured hosts came back in the total order.
    pub(super) fn host_change_ordered(&mut self, change: &HostChange, position: u64, applied: bool) {
        self.planner.hosts.said = false;
        if !applied {
            return;
        }
        self.planner.hosts.applied_at = Some(position);
        let text = match change {
            HostChange::Join { uname, .. } => format!("{uname} is configured"),
            HostChange::Remove { host } => format!("host {host} is removed"),
        };
        self.event("hosts", "", text, "the bus's list of hosts");
    }

    /// What keeps the configured hosts from being those that the bus lists, for the status.
    pub(super) fn host_warnings(&self) -> Vec<String> {
        let wanted = self.hosts_wanted();
        let kept = self.replica.configured.iter().filter(|(host, _)| !wanted.contains_key(host));
        let line = |(&host, uname): (&HostId, &String)| {
            let in_ring = self.membership.view.as_ref().is_some_and(|view| view.hosts.contains(&host));
            let why = match in_ring {
                true => format!("is still in the ring: stop the cluster on {uname}"),
                false => format!(
                    "is not proven off: when you are sure that it is, say `hafen fence confirm {uname}`"
                ),
            };
            format!("{uname} was taken off the bus's list of hosts and {why}")
        };
        if wanted.is_empty() { Vec::new() } else { kept.map(line).collect() }
    }
}
