//! Drives a cluster and remembers everything.

use std::collections::{BTreeMap, BTreeSet};

use super::history::{History, Payload, check};
use super::{Cluster, HOSTS};
use crate::quorum::QuorumJoiner;
use crate::view::{Delivery, HostId, Incarnation, MemberId, Transmission, View};

/// How often time is let pass before a wait is given up …
const ROUNDS_MAXIMUM: u32 = 1500;

/// … and how much of it each time, in milliseconds.
const ROUND_MS: u64 = 20;

/// A cluster under test.
pub struct Harness<'a> {
    cluster: &'a mut dyn Cluster,
    /// All that was delivered.
    pub history: History,
    views: BTreeMap<MemberId, View>,
    quorum: BTreeMap<MemberId, QuorumJoiner>,
    /// The daemon of each host that runs, and the last incarnation used.
    running: BTreeMap<HostId, MemberId>,
    incarnations: BTreeMap<HostId, u64>,
    next_number: u64,
}

impl<'a> Harness<'a> {
    /// All hosts are off.
    pub fn new(cluster: &'a mut dyn Cluster) -> Harness<'a> {
        let exact_streams = cluster.exact_streams();
        Harness {
            cluster,
            history: History::new(exact_streams),
            views: BTreeMap::new(),
            quorum: BTreeMap::new(),
            running: BTreeMap::new(),
            incarnations: BTreeMap::new(),
            next_number: 0,
        }
    }

    /// Boots all hosts, starts all daemons, and waits until they share a view with quorum.
    ///
    /// # Errors
    /// When that does not come about.
    pub fn start(&mut self) -> Result<(), String> {
        for host in 1..=HOSTS {
            self.host_up(HostId(host));
            self.join(HostId(host));
        }
        self.wait_together("all daemons share a view", &[1, 2, 3])
    }

    /// Boots a host.
    pub fn host_up(&mut self, host: HostId) {
        self.cluster.host_up(host);
    }

    /// Cuts a host's power.
    pub fn host_down(&mut self, host: HostId) {
        self.running.remove(&host);
        self.cluster.host_down(host);
    }

    /// Starts a new run of a host's daemon, unless one runs.
    pub fn join(&mut self, host: HostId) -> MemberId {
        if let Some(&member) = self.running.get(&host) {
            return member;
        }
        let incarnation = self.incarnations.entry(host).or_default();
        *incarnation += 1;
        let member = MemberId { host, incarnation: Incarnation(*incarnation) };
        self.running.insert(host, member);
        self.cluster.join(member);
        member
    }

    /// Kills a host's daemon.
    pub fn kill(&mut self, host: HostId) {
        if let Some(member) = self.running.remove(&host) {
            self.cluster.kill(member);
        }
    }

    /// Lets a host's daemon leave in good order.
    pub fn leave(&mut self, host: HostId) {
        if let Some(member) = self.running.remove(&host) {
            self.cluster.transmit(member, Transmission::Leave);
        }
    }

    /// Lets only hosts of the same part reach each other.
    pub fn partition(&mut self, parts: &[&[u32]]) {
        let parts: Vec<BTreeSet<HostId>> =
            parts.iter().map(|part| part.iter().copied().map(HostId).collect()).collect();
        self.cluster.partition(&parts);
    }

    /// Heals all links.
    pub fn heal(&mut self) {
        self.cluster.heal();
    }

    /// A host's daemon sends its next numbered message to all.
    pub fn multicast(&mut self, host: HostId) -> Option<Vec<u8>> {
        let from = *self.running.get(&host)?;
        let payload = Payload { from, to: None, number: self.number(), view: None };
        let bytes = payload.to_bytes();
        self.history.sent(payload);
        self.send(from, Transmission::Multicast(bytes.clone()));
        Some(bytes)
    }

    /// A host's daemon sends its next numbered message to another host's daemon.
    pub fn stream(&mut self, host: HostId, to: HostId) -> Option<Vec<u8>> {
        let (from, to) = (*self.running.get(&host)?, *self.running.get(&to)?);
        let view = self.views.get(&from)?.id();
        let payload = Payload { from, to: Some(to), number: self.number(), view: Some(view) };
        let bytes = payload.to_bytes();
        self.history.sent(payload);
        self.send(from, Transmission::Stream { to, bytes: bytes.clone() });
        Some(bytes)
    }

    /// Hands over a transmission as it is.
    pub fn send(&mut self, from: MemberId, transmission: Transmission) {
        self.cluster.transmit(from, transmission);
    }

    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    /// The daemon that runs on a host.
    ///
    /// # Errors
    /// When none does.
    pub fn member(&self, host: u32) -> Result<MemberId, String> {
        self.running.get(&HostId(host)).copied().ok_or_else(|| format!("no daemon runs on host {host}"))
    }

    /// The view that a host's daemon was told last.
    pub fn view(&self, host: u32) -> Option<&View> {
        self.views.get(self.running.get(&HostId(host))?)
    }

    /// What a host's daemon knows of its view's quorum.
    pub fn quorate(&self, host: u32) -> Option<bool> {
        self.quorum.get(self.running.get(&HostId(host))?)?.quorate()
    }

    /// The messages (of the total order) that a host's daemon has delivered.
    pub fn delivered(&self, host: u32) -> Vec<&[u8]> {
        self.running.get(&HostId(host)).map(|&member| self.history.messages_of(member)).unwrap_or_default()
    }

    /// The stream messages that a host's daemon has got.
    pub fn streamed(&self, host: u32) -> Vec<&[u8]> {
        self.running.get(&HostId(host)).map(|&member| self.history.streams_of(member)).unwrap_or_default()
    }

    /// Lets some time pass.
    pub fn advance(&mut self, milliseconds: u64) {
        for (to, delivery) in self.cluster.advance(milliseconds) {
            match &delivery {
                Delivery::View(view) => {
                    self.quorum.entry(to).or_default().view_changed(view);
                    self.views.insert(to, view.clone());
                }
                Delivery::Quorum { ring, quorate } => {
                    self.quorum.entry(to).or_default().quorum_changed(*ring, *quorate);
                }
                Delivery::Lost { .. } => {
                    self.quorum.entry(to).or_default().lost();
                    self.views.remove(&to);
                }
                Delivery::Hosts(_) | Delivery::Message { .. } | Delivery::Stream { .. } => {}
            }
            self.history.delivered(to, delivery);
        }
    }

    /// Lets time pass until something holds.
    ///
    /// # Errors
    /// When it does not within 30 seconds of the cluster's time.
    pub fn wait(&mut self, what: &str, holds: impl Fn(&Harness<'_>) -> bool) -> Result<(), String> {
        for _ in 0..ROUNDS_MAXIMUM {
            if holds(self) {
                return Ok(());
            }
            self.advance(ROUND_MS);
        }
        Err(format!("never came about: {what}; views: {:?}", self.views.values().collect::<Vec<_>>()))
    }

    /// Waits until the daemons of exactly these hosts share a view, and know whether it has quorum: if they are most.
    ///
    /// # Errors
    /// When that does not come about.
    pub fn wait_together(&mut self, what: &str, hosts: &[u32]) -> Result<(), String> {
        let set: BTreeSet<HostId> = hosts.iter().copied().map(HostId).collect();
        let most = hosts.len() * 2 > HOSTS as usize;
        self.wait(what, |harness| {
            let first = hosts.first().and_then(|&host| harness.view(host)).cloned();
            let together = |view: &View| view.members.keys().copied().collect::<BTreeSet<_>>() == set;
            first.as_ref().is_some_and(together)
                && hosts.iter().all(|&host| harness.view(host) == first.as_ref())
                && hosts.iter().all(|&host| harness.quorate(host) == Some(most))
        })
    }

    /// Runs all checks over everything that was delivered so far.
    ///
    /// # Errors
    /// The first broken promise.
    pub fn check(&self) -> Result<(), String> {
        check(&self.history)
    }
}
