//! Rings that break, mend and form.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::process::Body;
use super::ring::Ring;
use super::{Event, Output, Sequencer, ordered};
use crate::view::{HostId, Incarnation, MemberId, RingId};

impl Sequencer {
    /// Hosts or links changed: breaks and mends rings, and plans new ones.
    pub(super) fn topology_changed(&mut self, now: u64) {
        let sides = self.sides();
        let ids: Vec<RingId> = self.rings.keys().copied().collect();
        for id in ids {
            if !self.is_whole(id, &sides) {
                self.break_ring(id, &sides);
            } else if self.rings.get(&id).is_some_and(|ring| ring.broken) {
                self.mend_ring(now, id);
            }
        }
        self.plan_rings(now, sides);
        let members: Vec<MemberId> = self.processes.keys().copied().collect();
        for member in members {
            self.schedule(now, Event::Stream(member));
        }
    }

    /// Sets of hosts that can all reach each other. Where links are cut unevenly a host goes with the first set, by
    /// the lowest host, that it reaches as a whole.
    fn sides(&self) -> Vec<BTreeSet<HostId>> {
        let mut sides: Vec<BTreeSet<HostId>> = Vec::new();
        for (&id, _) in self.hosts.iter().filter(|(_, host)| host.up) {
            let reaches =
                |side: &BTreeSet<HostId>| !side.iter().any(|&o| self.cuts.contains(&ordered(o, id)));
            match sides.iter_mut().find(|side| reaches(side)) {
                Some(side) => {
                    side.insert(id);
                }
                None => sides.push(BTreeSet::from([id])),
            }
        }
        sides
    }

    /// The hosts of a set that are in that ring now.
    fn present(&self, id: RingId, among: &BTreeSet<HostId>) -> BTreeSet<HostId> {
        let in_ring = |host: &&HostId| self.hosts.get(host).is_some_and(|host| host.ring == Some(id));
        among.iter().filter(in_ring).copied().collect()
    }

    fn is_whole(&self, id: RingId, sides: &[BTreeSet<HostId>]) -> bool {
        let Some(ring) = self.rings.get(&id) else { return false };
        self.present(id, &ring.hosts) == ring.hosts && sides.iter().any(|side| ring.hosts.is_subset(side))
    }

    /// The ring orders nothing more. One host may still order for its side; what had reached the other sides by now
    /// is drawn for each.
    fn break_ring(&mut self, id: RingId, sides: &[BTreeSet<HostId>]) {
        let Some(ring) = self.rings.get(&id) else { return };
        let present: Vec<HostId> = self.present(id, &ring.hosts).into_iter().collect();
        let (was_broken, end, mut holder) = (ring.broken, ring.end, ring.holder);
        if !was_broken && !present.is_empty() {
            let draw = self.dice.between(0, present.len() as u64 - 1);
            holder = usize::try_from(draw).ok().and_then(|index| present.get(index)).copied();
        }
        let holder = holder.filter(|host| present.contains(host));
        if !was_broken || holder.is_some() {
            for side in sides.iter().filter(|side| holder.is_none_or(|holder| !side.contains(&holder))) {
                let side: BTreeSet<HostId> = self.present(id, side);
                self.limit_reach(id, &side, end);
            }
        }
        if let Some(ring) = self.rings.get_mut(&id) {
            ring.broken = true;
            ring.holder = holder;
        }
    }

    /// Draws how much of a broken ring's order has reached this side: at least what one of it has delivered, and the
    /// ring's first view.
    fn limit_reach(&mut self, id: RingId, side: &BTreeSet<HostId>, end: u64) {
        let delivered = self
            .processes
            .iter()
            .filter(|(m, _)| side.contains(&m.host))
            .map(|(_, p)| p.delivered_in(id))
            .max();
        let mut reach = end;
        if self.dice.chance(self.settings.cut_short) {
            reach = self.dice.between(delivered.unwrap_or(0).max(1), end);
        }
        for host in side {
            if let Some(host) = self.hosts.get_mut(host)
                && host.reach.is_none()
            {
                host.reach = Some(reach);
            }
        }
    }

    /// The loss was mended before anybody had noticed it: the ring goes on.
    fn mend_ring(&mut self, now: u64, id: RingId) {
        let Some(ring) = self.rings.get_mut(&id) else { return };
        ring.broken = false;
        ring.holder = None;
        for host in ring.hosts.clone() {
            if let Some(host) = self.hosts.get_mut(&host) {
                host.reach = None;
            }
            self.resume(now, host);
        }
    }

    /// Goes on with what a host's process had to wait for.
    fn resume(&mut self, now: u64, host: HostId) {
        self.schedule(now, Event::Reconcile(host));
        if let Some(incarnation) = self.alive(host) {
            let member = MemberId { host, incarnation };
            self.schedule(now, Event::Deliver(member));
            self.schedule(now, Event::Order(member));
        }
    }

    /// Plans a ring for each side that is not one already. A side that was planned for keeps its time.
    fn plan_rings(&mut self, now: u64, sides: Vec<BTreeSet<HostId>>) {
        let before = std::mem::take(&mut self.forming);
        for side in sides {
            let rings: BTreeSet<Option<RingId>> =
                side.iter().filter_map(|host| self.hosts.get(host)).map(|host| host.ring).collect();
            let whole =
                |id: &Option<RingId>| id.and_then(|id| self.rings.get(&id)).is_some_and(|r| r.hosts == side);
            if rings.len() == 1 && rings.first().is_some_and(whole) {
                continue;
            }
            let due = before.get(&side).copied().unwrap_or_else(|| {
                let broken = |id: &RingId| self.rings.get(id).is_some_and(|ring| ring.broken);
                let lost = rings.iter().flatten().any(broken);
                let delay = if lost { self.settings.detection_delay } else { self.settings.merge_delay };
                now + self.dice.span(delay)
            });
            if !before.contains_key(&side) {
                self.schedule(due, Event::Form(side.clone()));
            }
            self.forming.insert(side, due);
        }
    }

    /// A planned ring forms. Hosts of one old ring from which others of this side were gone in the meantime first
    /// form a ring of their own, so that they see a view without those others.
    pub(super) fn form(&mut self, now: u64, side: &BTreeSet<HostId>) {
        let absent = |id: &RingId, group: &BTreeSet<HostId>| {
            let Some(ring) = self.rings.get(id) else { return false };
            side.intersection(&ring.hosts).copied().collect::<BTreeSet<_>>() != *group
        };
        let groups = self.groups(side);
        let first: Vec<BTreeSet<HostId>> =
            groups.into_iter().filter(|(id, group)| absent(id, group)).map(|(_, group)| group).collect();
        if first.is_empty() {
            self.install(now, side);
        }
        for group in &first {
            self.install(now, group);
        }
        self.topology_changed(now);
    }

    /// The ring of a host ends, and another one begins with the same hosts. A broken ring has a better reason to end.
    pub(super) fn reform(&mut self, now: u64, host: HostId) {
        let Some(id) = self.hosts.get(&host).and_then(|host| host.ring) else { return };
        let Some(hosts) = self.rings.get(&id).filter(|ring| !ring.broken).map(|ring| ring.hosts.clone())
        else {
            return;
        };
        self.install(now, &hosts);
        self.topology_changed(now);
    }

    /// The hosts of a side by the ring that they are in.
    fn groups(&self, side: &BTreeSet<HostId>) -> BTreeMap<RingId, BTreeSet<HostId>> {
        let mut groups: BTreeMap<RingId, BTreeSet<HostId>> = BTreeMap::new();
        for id in side {
            if let Some(ring) = self.hosts.get(id).and_then(|host| host.ring) {
                groups.entry(ring).or_default().insert(*id);
            }
        }
        groups
    }

    /// Ends the old rings for these hosts and puts them into a new one.
    fn install(&mut self, now: u64, hosts: &BTreeSet<HostId>) {
        let mut members = BTreeMap::new();
        for (old, group) in self.groups(hosts) {
            members.extend(self.conclude(now, old, &group));
        }
        let highest = hosts.iter().filter_map(|host| self.hosts.get(host)).map(|h| h.ring_sequence).max();
        let Some((&representative, highest)) = hosts.first().zip(highest) else { return };
        let id = RingId { sequence: highest + 1, representative };
        let quorate = self.has_quorum(hosts);
        for host in hosts {
            if let Some(host) = self.hosts.get_mut(host) {
                host.ring = Some(id);
                host.ring_sequence = id.sequence;
                host.reach = None;
                host.released |= quorate;
                host.without.retain(|absent| !hosts.contains(absent));
            }
        }
        let mut ring = Ring::new(hosts.clone(), quorate);
        ring.members = members;
        self.rings.insert(id, ring);
        let used: BTreeSet<RingId> = self.hosts.values().filter_map(|host| host.ring).collect();
        self.rings.retain(|id, _| used.contains(id));
        self.outputs.push_back(Output::Ring { ring: id, hosts: hosts.clone(), quorate });
        for (member, due) in self.append_view(now, id) {
            self.tell_quorum(now, member, id, quorate, due);
        }
        for &host in hosts {
            self.resume(now, host);
        }
    }

    /// Ends an old ring's order for the hosts that pass on together: all of them deliver up to the same position,
    /// then the same further messages of their own (which the others may never see), or some of these are lost. What
    /// had no place yet goes into the new ring's order or is lost; what had one never gets another, because the other
    /// side may have delivered it. Answers which processes pass on.
    fn conclude(&mut self, now: u64, old: RingId, group: &BTreeSet<HostId>) -> BTreeMap<HostId, Incarnation> {
        let Some(ring) = self.rings.get(&old) else { return BTreeMap::new() };
        let reach = |host: &HostId| self.hosts.get(host).and_then(|host| host.reach).unwrap_or(ring.end);
        let cut = group.iter().map(reach).max().unwrap_or(ring.end);
        let mut members = ring.members_at(cut);
        members.retain(|&host, &mut incarnation| {
            let process = self.processes.get(&MemberId { host, incarnation });
            group.contains(&host) && process.is_some_and(|process| process.had_joined(old, cut))
        });
        let mut further: BTreeMap<u64, (MemberId, Arc<Vec<u8>>)> = BTreeMap::new();
        for &host in group {
            let Some(incarnation) = self.alive(host) else { continue };
            let member = MemberId { host, incarnation };
            let mut own = self.take_beyond(member, old, cut);
            let passes = members.contains_key(&host);
            let lost = self.dice.chance(self.settings.lose_in_flight);
            let kept = match (passes, lost) {
                (false, _) => 0,
                (true, true) => self.dice.part_of(own.len()),
                (true, false) => own.len(),
            };
            own.truncate(kept);
            further.extend(own.into_iter().map(|(position, bytes)| (position, (member, bytes))));
            let Some(process) = self.processes.get_mut(&member) else { continue };
            if !passes {
                process.joined = None;
            }
            if lost {
                process.drop_pending();
            }
        }
        for (position, (from, bytes)) in further {
            for (&host, &incarnation) in &members {
                let body = Body::Message { from, bytes: Arc::clone(&bytes) };
                self.push(now, MemberId { host, incarnation }, old, position, body);
            }
        }
        members
    }

    /// Removes from a process's inbox what lies beyond a position of a ring's order; answers its own messages there.
    fn take_beyond(&mut self, member: MemberId, ring: RingId, cut: u64) -> Vec<(u64, Arc<Vec<u8>>)> {
        let mut own = Vec::new();
        let Some(process) = self.processes.get_mut(&member) else { return own };
        process.inbox.retain(|entry| {
            let beyond = entry.ring == ring && entry.position > cut;
            if beyond
                && let Body::Message { from, bytes } = &entry.body
                && *from == member
            {
                own.push((entry.position, Arc::clone(bytes)));
            }
            !beyond
        });
        own
    }

    /// Votequorum's arithmetic: a majority of the configured hosts, `two_node`, `wait_for_all`. Votes of hosts that a
    /// human has proven off are not expected.
    fn has_quorum(&self, hosts: &BTreeSet<HostId>) -> bool {
        let here = || hosts.iter().filter_map(|host| self.hosts.get(host));
        let without: BTreeSet<HostId> =
            here().flat_map(|host| &host.without).filter(|host| !hosts.contains(host)).copied().collect();
        let expected = self.settings.configured.difference(&without).count();
        let votes = hosts.intersection(&self.settings.configured).count();
        let enough = if self.settings.two_node && expected == 2 { 1 } else { expected / 2 + 1 };
        let released = here().any(|host| host.released);
        votes >= enough && (!self.settings.wait_for_all || votes == expected || released)
    }

    /// A human has proven hosts off: the sender's ring waits for them no more, and counts its quorum anew.
    pub(super) fn proceed_without(&mut self, now: u64, from: MemberId, absent: &BTreeSet<HostId>) {
        let Some(id) = self.open_ring_of(from) else { return };
        let Some(hosts) = self.rings.get(&id).map(|ring| ring.hosts.clone()) else { return };
        for id in &hosts {
            if let Some(host) = self.hosts.get_mut(id) {
                host.without.extend(absent.difference(&hosts));
            }
        }
        // Whoever must wait for all waits for those who are left.
        let quorate = self.has_quorum(&hosts);
        let Some(ring) = self.rings.get_mut(&id) else { return };
        if !quorate || ring.quorate {
            return;
        }
        ring.quorate = true;
        let members: Vec<MemberId> =
            ring.members.iter().map(|(&host, &incarnation)| MemberId { host, incarnation }).collect();
        for id in &hosts {
            if let Some(host) = self.hosts.get_mut(id) {
                host.released = true;
            }
        }
        self.outputs.push_back(Output::Ring { ring: id, hosts, quorate });
        for member in members {
            self.tell_quorum(now, member, id, quorate, now);
        }
    }
}
