//! Hosts that join and hosts that are removed while the cluster runs, and the node lists that tell of it.

use std::collections::{BTreeMap, BTreeSet};

use hafen_node::Input;
use hafen_protocol::client::Request;
use hafen_protocol::{Delivery, HostId, MemberId};

use super::{Happening, World};
use crate::configuration::fencing::Fencing;
use crate::configuration::uname;
use crate::dice::{Bounds, bounds};
use crate::host::Host;
use crate::situations::Situation;

/// How long a reload of the node list takes to reach a host, in milliseconds.
const RELOAD_MS: Bounds = bounds(0, 2_000);
/// How often a host that was off has an old node list when it boots, in a thousand.
const OLD_LIST: u64 = 300;
/// How long until somebody gives it the new one, in milliseconds.
const OLD_LIST_MS: Bounds = bounds(2_000, 60_000);
/// The number of a request to leave for good; nobody waits for its answer.
const LEAVE_REQUEST: u64 = u64::MAX - 5;
/// How long a host that is removed has to leave, in milliseconds.
const LEAVES_WITHIN_MS: u64 = 180_000;
/// No cluster shrinks below this.
const HOSTS_MINIMUM: usize = 2;

impl World {
    /// The hosts that are configured now.
    fn nodes(&self) -> BTreeSet<HostId> {
        self.hosts.keys().copied().collect()
    }

    /// A host that was never there joins: `hafen join`.
    pub(super) fn host_joins(&mut self) {
        let next = self.joined + self.options.hosts + 1;
        if next > self.options.hosts_at_most() {
            return;
        }
        self.joined += 1;
        let id = HostId(next);
        let ahead_ms = self.dice.within(bounds(0, 1_500));
        self.hosts.insert(id, Host::new(id, uname(next), ahead_ms));
        self.note(Some(id), "is to join");
        self.reach(Situation::HostJoined);
        self.lists_change();
        self.after_ms(500, Happening::PowerOn(id));
    }

    /// A host is to leave for good: `hafen remove`.
    pub(super) fn host_is_removed(&mut self, victim: HostId) {
        let three = self.options.configuration.how == Fencing::Watchdogs;
        if self.hosts.len() <= HOSTS_MINIMUM + usize::from(three)
            || self.hosts.values().any(|host| host.leaves_for_good)
        {
            return;
        }
        let Some(host) = self.hosts.get_mut(&victim).filter(|host| host.powered) else { return };
        let Some(member) = host.member() else { return };
        host.leaves_for_good = true;
        self.note(Some(victim), "is to leave for good");
        self.feed(member, Input::Client { request: LEAVE_REQUEST, body: Request::Shutdown });
        self.after_ms(LEAVES_WITHIN_MS, Happening::RemovalEnds(victim));
    }

    /// A host could not leave in time: it stays.
    pub(super) fn removal_ends(&mut self, id: HostId) {
        if let Some(host) = self.hosts.get_mut(&id) {
            host.leaves_for_good = false;
        }
    }

    /// A host has left for good: it is taken away, and the others get a list without it.
    pub(super) fn host_is_gone(&mut self, id: HostId) {
        self.power_off(id, "it is taken away");
        self.hosts.remove(&id);
        self.quorum.forget(id);
        self.clients.host_removed(&uname(id.0));
        self.reach(Situation::HostRemoved);
        self.lists_change();
    }

    /// All hosts that run are given the node list as it is now.
    fn lists_change(&mut self) {
        let running: Vec<HostId> =
            self.hosts.values().filter(|host| host.corosync).map(|host| host.id).collect();
        for id in running {
            let ms = self.dice.within(RELOAD_MS);
            self.after_ms(ms, Happening::ListReloads(id));
        }
    }

    /// A host reads the node list as it is now.
    pub(super) fn list_reloads(&mut self, id: HostId) {
        let nodes = self.nodes();
        if !self.hosts.contains_key(&id) || self.quorum.nodes(id) == nodes {
            return;
        }
        self.quorum.reload(id, &nodes);
        self.quorum_moves();
        let attached = |daemon: &&crate::host::Daemon| daemon.attached;
        let daemon = self.hosts.get(&id).and_then(|host| host.daemon.as_ref()).filter(attached);
        if let Some(incarnation) = daemon.map(|daemon| daemon.incarnation) {
            self.tell_hosts(MemberId { host: id, incarnation });
        }
    }

    /// A host that boots has the list as it is now, or as it was when it ran last.
    pub(super) fn list_at_boot(&mut self, id: HostId) {
        let old = self.quorum.nodes(id);
        let nodes = self.nodes();
        if old == nodes {
            return;
        }
        if old.is_empty() || !self.dice.chance(OLD_LIST) {
            return self.quorum.reload(id, &nodes);
        }
        self.reach(Situation::OldNodeList);
        let ms = self.dice.within(OLD_LIST_MS);
        self.after_ms(ms, Happening::ListReloads(id));
    }

    /// A daemon is told the node list of its host.
    pub(super) fn tell_hosts(&mut self, to: MemberId) {
        let nodes = self.quorum.nodes(to.host);
        let hosts: BTreeMap<HostId, String> = nodes.into_iter().map(|id| (id, uname(id.0))).collect();
        self.feed(to, Input::Bus(Delivery::Hosts(hosts)));
    }
}
