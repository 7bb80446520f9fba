//! Members that hang: each says now and then that it lives, and one of which nothing is heard while another has said
//! so several times is gone without. The judge is the total order, not a clock: all members find it at the same place.

use std::collections::{BTreeMap, BTreeSet};

use hafen_protocol::message::Message;
use hafen_protocol::{HostId, MemberId};

use super::Node;
use crate::membership::Phase;

/// How often a member says that it lives, in milliseconds.
const ALIVE_EVERY_MS: u64 = 10_000;
/// A member of which nothing is heard while another one has said so many times that it lives hangs.
const ALIVES_MISSED_MAXIMUM: u32 = 2;

/// Who was heard since when.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    /// When this member says again that it lives, on the monotonic clock.
    say_at: Option<u64>,
    /// Of each member: how often each other one has said that it lives since it was heard.
    missed: BTreeMap<HostId, BTreeMap<HostId, u32>>,
}

impl Pulse {
    /// A view begins with its greetings; or there is none.
    pub(super) fn begin(&mut self, members: BTreeSet<HostId>) {
        self.say_at = None;
        self.missed = members.into_iter().map(|host| (host, BTreeMap::new())).collect();
    }

    /// A member was heard.
    pub(super) fn heard(&mut self, host: HostId) {
        if let Some(missed) = self.missed.get_mut(&host) {
            missed.clear();
        }
    }

    /// A member lives: those that hang, at this place of the order.
    fn alive(&mut self, host: HostId) -> BTreeSet<HostId> {
        let mut hanging = BTreeSet::new();
        for (&other, missed) in self.missed.iter_mut().filter(|(other, _)| **other != host) {
            let count = missed.entry(host).or_default();
            *count += 1;
            if *count > ALIVES_MISSED_MAXIMUM {
                hanging.insert(other);
            }
        }
        self.missed.retain(|other, _| !hanging.contains(other));
        hanging
    }
}

impl Node {
    /// Says now and then that this member lives.
    pub(super) fn step_pulse(&mut self) {
        let in_view = matches!(self.membership.phase, Phase::Copying | Phase::Synchronised);
        if !in_view || self.is_alone() {
            self.pulse.say_at = None;
            return;
        }
        let now_ms = self.now.monotonic_ms;
        let due = *self.pulse.say_at.get_or_insert(now_ms + ALIVE_EVERY_MS);
        let alone = self.membership.view.as_ref().is_none_or(|view| view.members.len() < 2);
        if now_ms >= due && (alone || self.say(&Message::Alive)) {
            self.pulse.say_at = Some(now_ms + ALIVE_EVERY_MS);
        }
    }

    /// When the node must be woken.
    pub(super) fn pulse_timeout(&self) -> Option<u64> {
        self.pulse.say_at
    }

    /// A member lives, and by that others are known to hang.
    pub(super) fn alive_ordered(&mut self, from: MemberId, position: u64) {
        let hanging = self.pulse.alive(from.host);
        if hanging.is_empty() {
            return;
        }
        if hanging.contains(&self.me().host) {
            let reason = "the other members went on without this daemon, since nothing was heard of it";
            return self.leave_for(reason.to_string());
        }
        self.fall_silent(&hanging);
        self.membership.silent.extend(&hanging);
        self.membership.synchronised.retain(|host| !hanging.contains(host));
        if self.membership.coordinator.is_some_and(|member| hanging.contains(&member.host)) {
            self.succeed("the coordinator hangs");
        }
        self.disturbed(position, "a daemon hangs");
    }
}
