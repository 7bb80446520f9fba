//! What daemons hear of quorum: the model of votequorum, told of rings and operators, and late and flickering as
//! Corosync's quorum is.

use std::collections::BTreeSet;

use hafen_protocol::view::RingId;
use hafen_protocol::{Delivery, HostId, MemberId};

use super::{Happening, World};
use crate::dice::{Bounds, bounds};
use crate::situations::Situation;

/// How often a ring with quorum is first said to have none, in a thousand.
const FLAP: u64 = 100;
/// How long after that the truth is told, in milliseconds.
const FLAP_MS: Bounds = bounds(0, 1_500);
/// How long a change of quorum without one of the ring takes to be told, in milliseconds.
const CHANGE_MS: Bounds = bounds(0, 300);
/// How long the server of a quorum device needs to decide, in milliseconds.
const DECISION_MS: Bounds = bounds(100, 1_500);

impl World {
    /// A ring has formed.
    pub(super) fn ring_formed(&mut self, ring: RingId, hosts: &BTreeSet<HostId>) {
        self.quorum.ring_formed(ring, hosts);
        // The network tells of each new ring; what changes without one is told below.
        self.quorum.changes();
        let names: Vec<String> = hosts.iter().map(|host| host.0.to_string()).collect();
        let quorate: Vec<String> = hosts
            .iter()
            .filter(|&&host| self.quorum.is_quorate(host))
            .map(|host| host.0.to_string())
            .collect();
        let text = match quorate.len() {
            0 => "not quorate".to_owned(),
            all if all == hosts.len() => "quorate".to_owned(),
            _ => format!("quorate at {}", quorate.join(" ")),
        };
        self.note(
            None,
            format_args!("ring {}.{} of {}, {text}", ring.sequence, ring.representative, names.join(" ")),
        );
        self.count_quorum();
        self.quorum_moves();
    }

    fn count_quorum(&mut self) {
        let quorate: Vec<RingId> = self
            .hosts
            .keys()
            .filter(|&&host| self.quorum.is_quorate(host))
            .filter_map(|&host| self.quorum.ring(host))
            .collect();
        let rings: BTreeSet<RingId> = quorate.into_iter().collect();
        match rings.len() {
            0 => self.reach(Situation::NobodyQuorate),
            1 => {}
            _ => self.reach(Situation::TwoPartsQuorate),
        }
    }

    /// Something other than a ring changed what counts: it is told where it makes a difference.
    pub(super) fn quorum_moves(&mut self) {
        for (host, ring, quorate) in self.quorum.changes() {
            self.note(
                Some(host),
                format_args!("quorum of ring {}.{}: {quorate}", ring.sequence, ring.representative),
            );
            if let Some(member) = self.hosts.get(&host).and_then(|host| host.member()) {
                let ms = self.dice.within(CHANGE_MS);
                self.after_ms(ms, Happening::QuorumTold(member, ring));
            }
        }
        if self.quorum.is_undecided() {
            self.decision += 1;
            let ms = self.dice.within(DECISION_MS);
            self.after_ms(ms, Happening::DeviceDecides(self.decision));
        }
    }

    /// The server of the quorum device decides, unless something has changed since.
    pub(super) fn device_decides(&mut self, decision: u64) {
        if decision != self.decision {
            return;
        }
        self.quorum.decide();
        self.count_quorum();
        self.quorum_moves();
    }

    /// The network tells a daemon about the quorum of a ring: at times the wrong thing first.
    pub(super) fn hear_of_quorum(&mut self, to: MemberId, ring: RingId) {
        let quorate = self.quorum_of(to, ring);
        if quorate && self.dice.chance(FLAP) {
            self.deliver(to, Delivery::Quorum { ring, quorate: false });
            let ms = self.dice.within(FLAP_MS);
            return self.after_ms(ms, Happening::QuorumTold(to, ring));
        }
        self.deliver(to, Delivery::Quorum { ring, quorate });
    }

    /// A daemon is told what is the case.
    pub(super) fn quorum_told(&mut self, to: MemberId, ring: RingId) {
        let quorate = self.quorum_of(to, ring);
        self.deliver(to, Delivery::Quorum { ring, quorate });
    }

    /// A host that hears of quorum in a ring with others may fence from now on.
    pub(super) fn note_quorate_view(&mut self, to: MemberId, delivery: &Delivery) {
        let quorate = match delivery {
            Delivery::Quorum { quorate, .. } => *quorate,
            Delivery::View(_) => self.quorum.is_quorate(to.host),
            _ => return,
        };
        let Some(host) = self.hosts.get_mut(&to.host) else { return };
        let others = |view: &hafen_protocol::View| view.hosts.len() > 1;
        let known = host.daemon.as_ref().and_then(|daemon| daemon.view.as_ref()).is_some_and(others);
        let new = matches!(delivery, Delivery::View(view) if others(view));
        host.may_fence |= quorate && (known || new);
    }

    /// A ring that is not the host's any more has no quorum.
    fn quorum_of(&self, to: MemberId, ring: RingId) -> bool {
        self.quorum.ring(to.host) == Some(ring) && self.quorum.is_quorate(to.host)
    }
}
