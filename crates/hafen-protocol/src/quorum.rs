//! Joining views and quorum: they arrive separately, and each names the ring that it means.

use std::collections::BTreeMap;

use crate::view::{RingId, View};

/// Statuses of rings whose view has not arrived are kept for at most this many rings.
pub const RINGS_REMEMBERED_MAXIMUM: usize = 16;

/// Knows whether the current view has quorum, and knows when it does not know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QuorumJoiner {
    ring: Option<RingId>,
    statuses: BTreeMap<RingId, bool>,
}

impl QuorumJoiner {
    /// Knows of no view.
    pub fn new() -> QuorumJoiner {
        QuorumJoiner::default()
    }

    /// A view was delivered. Rings before its own are forgotten: what is still said of them comes too late.
    pub fn view_changed(&mut self, view: &View) {
        self.ring = Some(view.ring);
        self.statuses.retain(|ring, _| ring.sequence >= view.ring.sequence);
    }

    /// The quorum of a ring was delivered; the last word about a ring counts.
    pub fn quorum_changed(&mut self, ring: RingId, quorate: bool) {
        if self.ring.is_some_and(|current| ring.sequence < current.sequence) {
            return;
        }
        self.statuses.insert(ring, quorate);
        while self.statuses.len() > RINGS_REMEMBERED_MAXIMUM {
            let oldest = self.statuses.keys().find(|&&ring| Some(ring) != self.ring).copied();
            let Some(oldest) = oldest else { break };
            self.statuses.remove(&oldest);
        }
    }

    /// The bus was lost: nothing is known any more.
    pub fn lost(&mut self) {
        *self = QuorumJoiner::new();
    }

    /// Whether the current view's ring has quorum; `None` while that has not been said of this very ring.
    pub fn quorate(&self) -> Option<bool> {
        self.statuses.get(&self.ring?).copied()
    }
}
