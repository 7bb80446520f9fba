//! Corosync's quorum, as its manual describes it: votequorum with expected votes, `two_node`, `wait_for_all`, a quorum
//! device that splits evenly (`ffsplit`), and the two overrides of an operator.
//!
//! Each host has its own `corosync.conf` (a host that was off when the node list changed has the old one), its own
//! `wait_for_all`, which is set anew whenever its Corosync starts, and belongs to one ring at most. Every host has one
//! vote. The world tells which rings form; what this says of a host's ring is what its daemon hears.

use std::collections::{BTreeMap, BTreeSet};

use hafen_protocol::HostId;
use hafen_protocol::view::RingId;

/// What `corosync.conf` says of quorum, beside the node list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QuorumSettings {
    /// `two_node: 1` where the node list has two nodes and there is no device: one vote is enough, and `wait_for_all` is
    /// implied.
    pub two_node: bool,
    /// `wait_for_all: 1`: no quorum after a start until all nodes were seen at once, or one that has it.
    pub wait_for_all: bool,
    /// A `corosync-qnetd` with algorithm `ffsplit` and the tie-breaker `lowest`.
    pub device: bool,
}

/// A host's Corosync.
#[derive(Debug, Clone, Default)]
struct Corosync {
    running: bool,
    /// The node list of its `corosync.conf`.
    nodes: BTreeSet<HostId>,
    /// `wait_for_all` still waits.
    waiting: bool,
    /// Expected votes as an operator set them, until more votes are there or the node list is read again.
    expected: Option<usize>,
    ring: Option<RingId>,
    /// Whether its device client reaches the device's server.
    reaches_device: bool,
    /// What was said last of its ring.
    quorate: bool,
}

/// The quorum of a whole cluster.
#[derive(Debug, Clone)]
pub struct Votequorum {
    settings: QuorumSettings,
    hosts: BTreeMap<HostId, Corosync>,
    /// The ring that has the device's vote.
    granted: Option<RingId>,
    /// Nobody has the device's vote while its server makes up its mind.
    undecided: bool,
}

impl Votequorum {
    /// No Corosync runs. `nodes` is the node list of every host that is in it.
    pub fn new(settings: QuorumSettings, nodes: &BTreeSet<HostId>) -> Votequorum {
        let host = || Corosync { nodes: nodes.clone(), reaches_device: true, ..Corosync::default() };
        let hosts = nodes.iter().map(|&id| (id, host())).collect();
        Votequorum { settings, hosts, granted: None, undecided: false }
    }

    /// Whether there is a quorum device.
    pub fn has_device(&self) -> bool {
        self.settings.device
    }

    /// The node list of a host's `corosync.conf`.
    pub fn nodes(&self, host: HostId) -> BTreeSet<HostId> {
        self.hosts.get(&host).map(|host| host.nodes.clone()).unwrap_or_default()
    }

    /// A host's Corosync starts.
    pub fn started(&mut self, host: HostId) {
        let settings = self.settings;
        let host = self.hosts.entry(host).or_default();
        host.running = true;
        host.ring = None;
        host.expected = None;
        host.quorate = false;
        host.waiting = settings.wait_for_all || two_node(settings, host);
    }

    /// A host's Corosync ends, or the whole host.
    pub fn ended(&mut self, host: HostId) {
        if let Some(host) = self.hosts.get_mut(&host) {
            host.running = false;
            host.ring = None;
            host.quorate = false;
        }
        self.withdraw();
    }

    /// A ring forms of exactly these hosts.
    pub fn ring_formed(&mut self, ring: RingId, hosts: &BTreeSet<HostId>) {
        for id in hosts {
            if let Some(host) = self.hosts.get_mut(id).filter(|host| host.running) {
                host.ring = Some(ring);
            }
        }
        self.withdraw();
        self.see_each_other(ring);
    }

    /// A host reads a new node list: `corosync-cfgtool -R`, or before it starts.
    pub fn reload(&mut self, host: HostId, nodes: &BTreeSet<HostId>) {
        let host = self
            .hosts
            .entry(host)
            .or_insert_with(|| Corosync { reaches_device: true, ..Corosync::default() });
        if host.nodes != *nodes {
            host.nodes = nodes.clone();
            host.expected = None;
        }
    }

    /// A host is taken away.
    pub fn forget(&mut self, host: HostId) {
        self.hosts.remove(&host);
    }

    /// Cuts or mends a host's way to the device's server.
    pub fn set_reaches_device(&mut self, host: HostId, reaches: bool) {
        if let Some(host) = self.hosts.get_mut(&host) {
            host.reaches_device = reaches;
        }
        self.withdraw();
    }

    /// An operator's word, given at a host: nobody in its ring waits any more, and where that is not enough the votes
    /// that are there are all that is expected.
    pub fn proceed(&mut self, at: HostId) {
        let Some(ring) = self.hosts.get(&at).and_then(|host| host.ring) else { return };
        for host in self.hosts.values_mut().filter(|host| host.ring == Some(ring)) {
            host.waiting = false;
        }
        if self.is_quorate(at) {
            return;
        }
        let votes = self.members(ring).len();
        for host in self.hosts.values_mut().filter(|host| host.ring == Some(ring)) {
            host.expected = Some(votes);
        }
    }

    /// The hosts whose `wait_for_all` keeps this one from quorum: those of its node list that are not in its ring.
    pub fn waits_for(&self, at: HostId) -> BTreeSet<HostId> {
        let Some(host) = self.hosts.get(&at) else { return BTreeSet::new() };
        let Some(ring) = host.ring else { return BTreeSet::new() };
        let members = self.members(ring);
        host.nodes.difference(&members).copied().collect()
    }

    /// The server makes up its mind: the ring with the most hosts gets the vote, then the one with the most that reach
    /// it, then the one with the lowest host. Nobody gets it who does not reach it.
    pub fn decide(&mut self) {
        if !self.settings.device || !self.undecided {
            return;
        }
        self.undecided = false;
        let rings: BTreeSet<RingId> = self.hosts.values().filter_map(|host| host.ring).collect();
        let rank = |ring: &RingId| {
            let members = self.members(*ring);
            let reaching = members.iter().filter(|id| self.reaches_device(**id)).count();
            (members.len(), reaching, std::cmp::Reverse(members.first().copied()))
        };
        self.granted = rings.into_iter().filter(|ring| rank(ring).1 > 0).max_by_key(rank);
        if let Some(ring) = self.granted {
            self.see_each_other(ring);
        }
    }

    /// Whether the device's server still has to decide.
    pub fn is_undecided(&self) -> bool {
        self.settings.device && self.undecided
    }

    /// A host's ring.
    pub fn ring(&self, host: HostId) -> Option<RingId> {
        self.hosts.get(&host)?.ring
    }

    /// Whether a host's ring has quorum, as its own Corosync counts.
    pub fn is_quorate(&self, at: HostId) -> bool {
        let Some(host) = self.hosts.get(&at).filter(|host| host.running && !host.waiting) else {
            return false;
        };
        let Some(ring) = host.ring else { return false };
        self.votes(host, ring, at) >= self.needed(host, ring)
    }

    /// Hosts of which something else is to be said than before: each with its ring and whether that has quorum.
    pub fn changes(&mut self) -> Vec<(HostId, RingId, bool)> {
        let ids: Vec<HostId> = self.hosts.keys().copied().collect();
        let mut changes = Vec::new();
        for id in ids {
            let quorate = self.is_quorate(id);
            let Some(host) = self.hosts.get_mut(&id) else { continue };
            if std::mem::replace(&mut host.quorate, quorate) != quorate
                && let Some(ring) = host.ring
            {
                changes.push((id, ring, quorate));
            }
        }
        changes
    }

    fn reaches_device(&self, id: HostId) -> bool {
        self.hosts.get(&id).is_some_and(|host| host.reaches_device)
    }

    fn members(&self, ring: RingId) -> BTreeSet<HostId> {
        self.hosts.iter().filter(|(_, host)| host.ring == Some(ring)).map(|(&id, _)| id).collect()
    }

    /// Votes of those in the ring that the host's node list knows, and the device's, where the host itself reaches it.
    fn votes(&self, host: &Corosync, ring: RingId, at: HostId) -> usize {
        let known = self.members(ring).intersection(&host.nodes).count();
        let device = self.settings.device && self.granted == Some(ring) && self.reaches_device(at);
        known + usize::from(device)
    }

    fn needed(&self, host: &Corosync, ring: RingId) -> usize {
        if two_node(self.settings, host) {
            return 1;
        }
        let present = self.members(ring).intersection(&host.nodes).count();
        let configured = host.nodes.len() + usize::from(self.settings.device);
        // Where more are there than an operator expected, more are expected.
        let expected = host.expected.map_or(configured, |expected| expected.max(present));
        expected / 2 + 1
    }

    /// Something changed: the device's vote is nobody's until its server has decided anew.
    fn withdraw(&mut self) {
        if self.settings.device {
            self.granted = None;
            self.undecided = true;
        }
    }

    /// `wait_for_all` ends for hosts that see all nodes, and then for those that share a ring with one that has quorum.
    fn see_each_other(&mut self, ring: RingId) {
        let members = self.members(ring);
        for id in &members {
            if let Some(host) = self.hosts.get_mut(id)
                && host.nodes.is_subset(&members)
            {
                host.waiting = false;
            }
        }
        if members.iter().any(|&id| self.is_quorate(id)) {
            for id in &members {
                if let Some(host) = self.hosts.get_mut(id) {
                    host.waiting = false;
                }
            }
        }
    }
}

fn two_node(settings: QuorumSettings, host: &Corosync) -> bool {
    settings.two_node && !settings.device && host.nodes.len() == 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(ids: &[u32]) -> BTreeSet<HostId> {
        ids.iter().copied().map(HostId).collect()
    }

    struct Cluster {
        quorum: Votequorum,
        sequence: u64,
    }

    impl Cluster {
        fn new(settings: QuorumSettings, count: u32) -> Cluster {
            let nodes: BTreeSet<HostId> = (1..=count).map(HostId).collect();
            Cluster { quorum: Votequorum::new(settings, &nodes), sequence: 0 }
        }

        fn start(&mut self, ids: &[u32]) {
            for host in hosts(ids) {
                self.quorum.started(host);
            }
        }

        fn ring(&mut self, ids: &[u32]) {
            self.sequence += 1;
            let ring = RingId { sequence: self.sequence, representative: HostId(ids[0]) };
            self.quorum.ring_formed(ring, &hosts(ids));
        }

        fn quorate(&self, id: u32) -> bool {
            self.quorum.is_quorate(HostId(id))
        }
    }

    const TWO_NODE: QuorumSettings = QuorumSettings { two_node: true, wait_for_all: false, device: false };
    const PLAIN: QuorumSettings = QuorumSettings { two_node: false, wait_for_all: false, device: false };
    const DEVICE: QuorumSettings = QuorumSettings { two_node: false, wait_for_all: false, device: true };

    #[test]
    fn a_majority_has_quorum() {
        let mut cluster = Cluster::new(PLAIN, 3);
        cluster.start(&[1, 2, 3]);
        cluster.ring(&[1]);
        assert!(!cluster.quorate(1));
        cluster.ring(&[1, 2]);
        assert!(cluster.quorate(1) && cluster.quorate(2) && !cluster.quorate(3));
    }

    #[test]
    fn of_two_nodes_each_half_has_quorum_once_they_have_seen_each_other() {
        let mut cluster = Cluster::new(TWO_NODE, 2);
        cluster.start(&[1, 2]);
        cluster.ring(&[1]);
        assert!(!cluster.quorate(1), "it waits for all");
        cluster.ring(&[1, 2]);
        cluster.ring(&[1]);
        cluster.ring(&[2]);
        assert!(cluster.quorate(1) && cluster.quorate(2));
        cluster.quorum.ended(HostId(2));
        cluster.start(&[2]);
        cluster.ring(&[2]);
        assert!(!cluster.quorate(2), "a new start waits anew");
        cluster.ring(&[1, 2]);
        assert!(cluster.quorate(2), "one that has quorum releases it");
    }

    #[test]
    fn an_operator_ends_the_wait_and_lowers_what_is_expected() {
        let mut cluster = Cluster::new(TWO_NODE, 2);
        cluster.start(&[1]);
        cluster.ring(&[1]);
        assert_eq!(cluster.quorum.waits_for(HostId(1)), hosts(&[2]));
        cluster.quorum.proceed(HostId(1));
        assert!(cluster.quorate(1));
        let mut cluster = Cluster::new(PLAIN, 3);
        cluster.start(&[1, 2, 3]);
        cluster.ring(&[1]);
        cluster.quorum.proceed(HostId(1));
        assert!(cluster.quorate(1), "alone it is expected alone");
        cluster.ring(&[2]);
        assert!(!cluster.quorate(2), "the word was given in another ring");
        cluster.quorum.reload(HostId(1), &hosts(&[1, 2, 3, 4]));
        assert!(!cluster.quorate(1), "a new node list counts again");
    }

    #[test]
    fn a_device_splits_evenly_and_goes_to_the_lowest() {
        let mut cluster = Cluster::new(DEVICE, 2);
        cluster.start(&[1, 2]);
        cluster.ring(&[1, 2]);
        assert!(cluster.quorate(1), "two of three votes without the device");
        cluster.ring(&[1]);
        cluster.ring(&[2]);
        assert!(!cluster.quorate(1) && !cluster.quorate(2), "the server has not decided");
        cluster.quorum.decide();
        assert!(cluster.quorate(1) && !cluster.quorate(2));
        cluster.quorum.set_reaches_device(HostId(1), false);
        assert!(!cluster.quorate(1));
        cluster.quorum.decide();
        assert!(!cluster.quorate(1) && cluster.quorate(2));
    }

    #[test]
    fn a_third_node_ends_the_rule_of_two() {
        let mut cluster = Cluster::new(TWO_NODE, 2);
        cluster.start(&[1, 2]);
        cluster.ring(&[1, 2]);
        cluster.ring(&[1]);
        assert!(cluster.quorate(1));
        cluster.quorum.changes();
        cluster.quorum.reload(HostId(1), &hosts(&[1, 2, 3]));
        assert!(!cluster.quorate(1));
        let alone = RingId { sequence: 2, representative: HostId(1) };
        assert_eq!(cluster.quorum.changes(), [(HostId(1), alone, false)]);
    }
}
