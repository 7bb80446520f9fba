//! What daemons hear of quorum: the model of votequorum, told of rings and operators, and late and flickering as
//! Corosync's quorum is.

use std::collections::BTreeSet;

use hafen_protocol::view::RingId;
use hafen_protocol::{Delivery, HostId, MemberId};

use super::{Happening, World};
use crate::configuration::fencing::Fencing;
use crate::dice::{Bounds, bounds};
use crate::host::DiskCondition;
use crate::invariants::Invariant;
use crate::invariants::stops_in_time::{RESET_MARGIN_MS, STOPS_WITHIN_MS, stops_in_time};
use crate::situations::Situation;

/// `watchdog-timeout`, in milliseconds.
const WATCHDOG_MS: u64 = 5_000;
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
        // The network tells those who are in the new ring; the others are told here.
        let changes = self.quorum.changes();
        self.tell_changes(changes.into_iter().filter(|(host, ..)| !hosts.contains(host)));
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

    /// Something kept a host, or may have, from doing what it should.
    pub(super) fn disturbed(&mut self, id: HostId) {
        let now_us = self.now_us;
        if let Some(host) = self.hosts.get_mut(&id) {
            host.disturbed_us = now_us;
        }
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

    /// Who has lost quorum is looked at when the stated time is over.
    fn watch_quorum(&mut self) {
        let mut lost = Vec::new();
        let now_us = self.now_us;
        for host in self.hosts.values_mut() {
            if self.quorum.is_quorate(host.id) {
                host.without_quorum_us = None;
            } else if host.without_quorum_us.is_none() {
                host.without_quorum_us = Some(now_us);
                lost.push((host.id, host.boot));
            }
        }
        let by_watchdog = self.options.configuration.how == Fencing::Watchdogs;
        let within_ms = if by_watchdog {
            self.options.daemon_restart_timeout_ms + WATCHDOG_MS + RESET_MARGIN_MS
        } else {
            STOPS_WITHIN_MS
        };
        for (id, boot) in lost {
            self.after_ms(within_ms, Happening::MustHaveStopped(id, boot, now_us));
        }
    }

    /// The stated time is over in which a host without quorum stops what it runs.
    pub(super) fn must_have_stopped(&mut self, id: HostId, boot: u64, since_us: u64) {
        let Some(host) = self.hosts.get(&id).filter(|host| host.powered && host.boot == boot) else { return };
        if host.without_quorum_us != Some(since_us) {
            return;
        }
        let configuration = &self.options.configuration;
        let watched = configuration.how == Fencing::Watchdogs && host.watchdog.is_armed();
        let undisturbed = host.disturbed_us < since_us
            && host.conduct == crate::agents::Conduct::default()
            && !self.hosts.values().any(|host| host.stop_failed || host.condition != DiskCondition::Healthy)
            && host.daemon.is_some();
        let claimed = watched || (configuration.stops && undisturbed);
        if !claimed {
            return;
        }
        self.reach(Situation::LongWithoutQuorum);
        let Some(host) = self.hosts.get(&id) else { return };
        if let Some(text) = stops_in_time(host, &self.options.configuration.exclusive, &self.agents) {
            self.violate(Invariant::StopsInTime, text);
        }
    }

    /// Something other than a ring changed what counts: it is told where it makes a difference.
    pub(super) fn quorum_moves(&mut self) {
        self.watch_quorum();
        let changes = self.quorum.changes();
        self.tell_changes(changes);
        if self.quorum.is_undecided() {
            self.decision += 1;
            let ms = self.dice.within(DECISION_MS);
            self.after_ms(ms, Happening::DeviceDecides(self.decision));
        }
    }

    fn tell_changes(&mut self, changes: impl IntoIterator<Item = (HostId, RingId, bool)>) {
        for (host, ring, quorate) in changes {
            self.note(
                Some(host),
                format_args!("quorum of ring {}.{}: {quorate}", ring.sequence, ring.representative),
            );
            if let Some(member) = self.hosts.get(&host).and_then(|host| host.member()) {
                let ms = self.dice.within(CHANGE_MS);
                self.after_ms(ms, Happening::QuorumTold(member, ring));
            }
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
