//! A ring of hosts: the order of its messages and of the coming and going of its processes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::process::Body;
use super::{Event, Sequencer};
use crate::view::{HostId, Incarnation, MemberId, RingId, View};

/// A ring.
#[derive(Debug)]
pub(super) struct Ring {
    /// The hosts that formed it.
    pub(super) hosts: BTreeSet<HostId>,
    /// The processes in the group, as of the end of the order.
    pub(super) members: BTreeMap<HostId, Incarnation>,
    /// The last position given; the first view has position 1.
    pub(super) end: u64,
    /// Views of this ring with their positions, the older ones forgotten that all have delivered.
    pub(super) views: Vec<(u64, Arc<View>)>,
    /// A host or link of it was lost: it orders nothing more.
    pub(super) broken: bool,
    /// While it is broken: the host that may still order its own messages for its side.
    pub(super) holder: Option<HostId>,
    pub(super) quorate: bool,
}

impl Ring {
    pub(super) fn new(hosts: BTreeSet<HostId>, quorate: bool) -> Ring {
        Ring {
            hosts,
            members: BTreeMap::new(),
            end: 0,
            views: Vec::new(),
            broken: false,
            holder: None,
            quorate,
        }
    }

    /// Who was in the group at a position of the order.
    pub(super) fn members_at(&self, position: u64) -> BTreeMap<HostId, Incarnation> {
        let view = self.views.iter().rev().find(|(at, _)| *at <= position);
        view.map(|(_, view)| view.members.clone()).unwrap_or_default()
    }
}

impl Sequencer {
    /// The member's ring, if it is whole and the member is in its group.
    pub(super) fn open_ring_of(&self, member: MemberId) -> Option<RingId> {
        let id = self.hosts.get(&member.host)?.ring?;
        let ring = self.rings.get(&id)?;
        let inside = ring.members.get(&member.host) == Some(&member.incarnation) && self.is_joined(member);
        (inside && !ring.broken).then_some(id)
    }

    /// The ring that gives the member's next message a place: its ring if that is whole; if it is broken, then by
    /// chance, while its host is the one that may order for its side.
    pub(super) fn ring_that_orders(&mut self, member: MemberId) -> Option<RingId> {
        if let Some(open) = self.open_ring_of(member) {
            return Some(open);
        }
        let id = self.hosts.get(&member.host)?.ring?;
        let joined = self.is_joined(member);
        let ring = self.rings.get_mut(&id)?;
        let inside = ring.members.get(&member.host) == Some(&member.incarnation) && joined;
        if ring.holder != Some(member.host) || !inside {
            return None;
        }
        if !self.dice.chance(self.settings.order_alone) {
            ring.holder = None;
            return None;
        }
        Some(id)
    }

    /// Gives an entry the next place of a ring's order, for all processes that are in its group.
    pub(super) fn append(&mut self, now: u64, id: RingId, body: Body) -> BTreeMap<MemberId, u64> {
        let Some(ring) = self.rings.get_mut(&id) else { return BTreeMap::new() };
        ring.end += 1;
        let position = ring.end;
        let receivers: Vec<MemberId> = ring
            .members
            .iter()
            .map(|(&host, &incarnation)| MemberId { host, incarnation })
            .filter(|member| self.hosts.get(&member.host).is_some_and(|host| host.ring == Some(id)))
            .collect();
        let mut dues = BTreeMap::new();
        for to in receivers {
            dues.insert(to, self.push(now, to, id, position, body.clone()));
        }
        dues
    }

    /// Gives the ring's present group a place in the order as its next view.
    pub(super) fn append_view(&mut self, now: u64, id: RingId) -> BTreeMap<MemberId, u64> {
        let Some(ring) = self.rings.get_mut(&id) else { return BTreeMap::new() };
        let sequence = ring.views.last().map_or(0, |(_, view)| view.sequence + 1);
        let view = View { ring: id, sequence, hosts: ring.hosts.clone(), members: ring.members.clone() };
        let view = Arc::new(view);
        ring.views.push((ring.end + 1, Arc::clone(&view)));
        let dues = self.append(now, id, Body::View(view));
        self.forget_old_views(id);
        dues
    }

    /// Keeps the views that some process has not delivered yet, and the one before.
    fn forget_old_views(&mut self, id: RingId) {
        let in_ring = |member: &MemberId| self.hosts.get(&member.host).is_some_and(|h| h.ring == Some(id));
        let delivered = self
            .processes
            .iter()
            .filter(|(member, _)| in_ring(member))
            .map(|(_, process)| process.delivered_in(id));
        let lowest = delivered.min().unwrap_or(u64::MAX);
        let Some(ring) = self.rings.get_mut(&id) else { return };
        let known = ring.views.iter().filter(|(position, _)| *position <= lowest).count();
        ring.views.drain(..known.saturating_sub(1));
    }

    /// Lets a whole ring know which process its host has: first the old one's leaving, then the new one's joining,
    /// each with its own view.
    pub(super) fn reconcile(&mut self, now: u64, host: HostId) {
        let Some(id) = self.hosts.get(&host).and_then(|host| host.ring) else { return };
        let alive = self.alive(host);
        let joined = alive.is_none_or(|incarnation| self.is_joined(MemberId { host, incarnation }));
        let Some(ring) = self.rings.get_mut(&id) else { return };
        if ring.broken || (joined && ring.members.get(&host).copied() == alive) {
            return;
        }
        if ring.members.remove(&host).is_some() {
            self.append_view(now, id);
        }
        let Some(incarnation) = alive else { return };
        let Some(ring) = self.rings.get_mut(&id) else { return };
        ring.members.insert(host, incarnation);
        let (quorate, position) = (ring.quorate, ring.end + 1);
        let member = MemberId { host, incarnation };
        if let Some(process) = self.processes.get_mut(&member) {
            process.joined = Some((id, position));
        }
        let dues = self.append_view(now, id);
        let view_due = dues.get(&member).copied().unwrap_or(now);
        self.tell_quorum(now, member, id, quorate, view_due);
        self.schedule(now, Event::Order(member));
    }
}
