//! A host without its bus: after a pause it forms a view of its own, without quorum, and does there what
//! `no-quorum-policy` says. Its messages come back to itself; nothing of that view ever reaches the bus.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hafen_protocol::{Delivery, HostId, RingId, View};

use super::Node;
use crate::history;
use crate::membership::Phase;

/// How long a bus that was lost may stay away before this host acts as one without quorum, in milliseconds.
pub(super) const BUS_LOST_PAUSE_MS: u64 = 2_000;

/// The bus, while it is lost.
#[derive(Debug)]
pub(super) struct LostBus {
    /// What was lost, by name.
    pub(super) reason: String,
    /// When this host goes on alone, on the monotonic clock.
    alone_at: u64,
    /// Whether it does.
    pub(super) alone: bool,
    /// Frames on their way to this host itself.
    frames: VecDeque<Vec<u8>>,
}

impl Node {
    /// Whether this host is alone with itself, because its bus is lost.
    pub(super) fn is_alone(&self) -> bool {
        self.lost.as_ref().is_some_and(|lost| lost.alone)
    }

    /// The bus is gone; no view is known until it is back.
    pub(super) fn bus_lost(&mut self, reason: &str) {
        if let Some(lost) = &mut self.lost {
            if lost.reason != reason {
                lost.reason = reason.to_string();
                self.event("bus-lost", "", format!("the cluster's messaging is gone: {reason}"), reason);
            }
            return;
        }
        self.event("bus-lost", "", format!("the cluster's messaging is gone: {reason}"), reason);
        self.lost = Some(LostBus {
            reason: reason.to_string(),
            alone_at: self.now.monotonic_ms + BUS_LOST_PAUSE_MS,
            alone: false,
            frames: VecDeque::new(),
        });
        self.transport.reset();
        self.quorum.lost();
        self.planner.forget_plan();
        self.membership.detach();
        self.disk.view_changed();
        self.local.view_changed();
        self.requests_view_changed();
    }

    /// A host that runs something goes on alone when its bus stays away; one that runs nothing just waits.
    pub(super) fn step_alone(&mut self) {
        let due =
            self.lost.as_ref().is_some_and(|lost| !lost.alone && self.now.monotonic_ms >= lost.alone_at);
        if !due || self.membership.phase != Phase::Detached || !self.local.knows_its_host() {
            return;
        }
        let me = self.me();
        let record = self.replica.hosts.get(&me.host);
        if !record.is_some_and(|record| record.status.resources.values().any(history::is_active)) {
            return;
        }
        let Some(lost) = &mut self.lost else { return };
        lost.alone = true;
        let reason = lost.reason.clone();
        self.alone_views += 1;
        // No host has the number 0: this is never a view of the bus.
        let ring = RingId { sequence: 0, representative: HostId(0) };
        let view = View {
            ring,
            sequence: self.alone_views,
            hosts: BTreeSet::from([me.host]),
            members: BTreeMap::from([(me.host, me.incarnation)]),
        };
        let text = "this host goes on alone, as one without quorum".to_string();
        self.event("alone", "", text, reason);
        self.view_changed(view);
        self.quorum.quorum_changed(ring, false);
        self.quorum_changed();
    }

    /// What was said alone comes back.
    pub(super) fn hear_oneself(&mut self) {
        let frames = self.lost.as_mut().map(|lost| std::mem::take(&mut lost.frames)).unwrap_or_default();
        for bytes in frames {
            let from = self.me();
            self.bus(Delivery::Message { from, bytes });
        }
    }

    /// Takes a frame that would go to the bus. False: there is a bus.
    pub(super) fn keep_to_oneself(&mut self, frame: &[u8]) -> bool {
        match self.lost.as_mut().filter(|lost| lost.alone) {
            Some(lost) => {
                lost.frames.push_back(frame.to_vec());
                true
            }
            None => false,
        }
    }

    /// When the node must be woken.
    pub(super) fn alone_timeout(&self) -> Option<u64> {
        let lost = self.lost.as_ref()?;
        if !lost.frames.is_empty() {
            return Some(self.now.monotonic_ms);
        }
        Some(lost.alone_at).filter(|at| !lost.alone && *at > self.now.monotonic_ms)
    }
}
