//! Members that do not greet: the others go on without them, in the total order, so that all of them begin alike.

use std::collections::BTreeSet;

use hafen_protocol::message::{Message, PROTOCOL_VERSION, PROTOCOL_VERSION_MINIMUM};
use hafen_protocol::{MemberId, Transmission};

use super::Node;
use crate::api::Output;
use crate::membership::Phase;

/// How long the members of a view wait for each other's greetings, in milliseconds.
pub(super) const GREETINGS_WAIT_MS: u64 = 8_000;
/// How much longer each member waits than the one with the next lower number before it says so itself.
const GREETINGS_TURN_MS: u64 = 1_000;

/// How long this member has waited for the others of its view.
#[derive(Debug, Default)]
pub(super) struct Patience {
    since: Option<u64>,
    said: bool,
}

impl Node {
    /// A greeting was delivered, or will not be: once all are accounted for, the view begins.
    pub(super) fn greetings_changed(&mut self) {
        let foreign = |host| self.membership.foreign.contains_key(host);
        let missing = self.membership.missing();
        if !missing.iter().all(|member| foreign(&member.host)) {
            return;
        }
        if missing.is_empty() {
            return self.elect();
        }
        self.meet_other_versions();
    }

    /// Everyone has greeted, some of them in a version that this daemon cannot read. The larger part goes on, of two
    /// equal ones that with the lowest host; the others leave.
    fn meet_other_versions(&mut self) {
        let mut parts: std::collections::BTreeMap<u32, BTreeSet<hafen_protocol::HostId>> =
            std::collections::BTreeMap::new();
        for member in self.membership.hellos.keys() {
            parts.entry(PROTOCOL_VERSION).or_default().insert(member.host);
        }
        for (host, version) in &self.membership.foreign {
            parts.entry(*version).or_default().insert(*host);
        }
        let rank = |hosts: &BTreeSet<hafen_protocol::HostId>| {
            (hosts.len(), std::cmp::Reverse(hosts.first().copied()))
        };
        let best = parts.iter().max_by_key(|(_, hosts)| rank(hosts)).map(|(version, _)| *version);
        match best {
            Some(version) if version != PROTOCOL_VERSION => {
                let reason = format!(
                    "this daemon speaks protocol {PROTOCOL_VERSION}, the cluster speaks protocol {version}: install the \
                     cluster's version of hafen on this host"
                );
                self.leave_for(reason);
            }
            _ => {
                let silent = self.membership.missing().iter().map(|member| member.host).collect();
                self.begin_without(silent);
            }
        }
    }

    /// A member greets in another version of the messages.
    pub(super) fn foreign_greeting(&mut self, from: MemberId, version: u32) {
        let name = self.replica.uname(from.host);
        let text = format!("the daemon of {name} speaks protocol {version}, this one {PROTOCOL_VERSION}");
        self.event("protocol", &name, text, "its greeting cannot be read");
        self.foreigners.insert(from.host, version);
        let here = self.membership.view.as_ref().is_some_and(|view| view.contains(from));
        if here && self.membership.phase == Phase::Greeting {
            self.membership.foreign.insert(from.host, version);
            self.greetings_changed();
        }
    }

    /// Whether a version can be spoken to.
    pub(super) fn speaks(version: u32) -> bool {
        version >= PROTOCOL_VERSION_MINIMUM
    }

    /// When this member's patience with the others ends, it says so; the lowest member first.
    pub(super) fn step_waiting_for_greetings(&mut self) {
        if self.membership.phase != Phase::Greeting {
            self.patience = Patience::default();
            return;
        }
        let since = *self.patience.since.get_or_insert(self.now.monotonic_ms);
        let Some(due) = self.patience_ends(since) else { return };
        if self.now.monotonic_ms >= due && !self.patience.said {
            let members = self.membership.missing();
            let names: Vec<String> = members.iter().map(|member| self.replica.uname(member.host)).collect();
            let text = format!("{} did not greet within {} s", names.join(", "), GREETINGS_WAIT_MS / 1000);
            self.patience.said = self.say(&Message::GoWithout { members });
            self.event("greeting-timeout", "", text, "its daemon hangs, or does not come to its turn");
        }
    }

    /// The end of this member's patience, if it has greeted itself.
    fn patience_ends(&self, since: u64) -> Option<u64> {
        let turn = self.membership.hellos.keys().position(|member| *member == self.me())?;
        let turns_ms = u64::try_from(turn).unwrap_or(u64::MAX).saturating_mul(GREETINGS_TURN_MS);
        Some(since + GREETINGS_WAIT_MS + turns_ms)
    }

    /// When the node must be woken.
    pub(super) fn patience_timeout(&self) -> Option<u64> {
        if self.membership.phase != Phase::Greeting || self.patience.said {
            return None;
        }
        self.patience_ends(self.patience.since?)
    }

    /// A new view: patience begins anew.
    pub(super) fn patience_anew(&mut self) {
        self.patience = Patience { since: Some(self.now.monotonic_ms), said: false };
    }

    /// A member goes on without those that have not greeted up to this place of the order.
    pub(super) fn go_without(&mut self, from: MemberId, members: &BTreeSet<MemberId>) {
        let missing = self.membership.missing();
        if missing.is_empty() || !missing.is_subset(members) || !self.membership.hellos.contains_key(&from) {
            return;
        }
        if missing.contains(&self.me()) {
            let reason = "the other members went on without this daemon, since it did not greet them in time";
            return self.leave_for(reason.to_string());
        }
        self.begin_without(missing.iter().map(|member| member.host).collect());
    }

    fn begin_without(&mut self, silent: BTreeSet<hafen_protocol::HostId>) {
        self.fall_silent(&silent);
        self.membership.silent = silent;
        self.elect();
    }

    /// The cluster goes on without these daemons.
    pub(super) fn fall_silent(&mut self, silent: &BTreeSet<hafen_protocol::HostId>) {
        for host in silent {
            let name = self.replica.uname(*host);
            let why = match self.foreigners.get(host) {
                Some(version) => format!("speaks protocol {version}"),
                None if self.membership.phase == Phase::Greeting => "did not greet".to_string(),
                None => "was not heard any more".to_string(),
            };
            let text = format!("the cluster goes on without the daemon of {name}");
            self.event("host-lost", &name, text, format!("it {why}"));
        }
        for (host, text) in self.replica.go_without(silent) {
            let subject = self.replica.uname(host);
            self.event("host-lost", &subject, text, "its daemon is silent");
        }
    }

    /// A member without which the others went on says something. To itself that means that it must begin anew.
    pub(super) fn silent_speaks(&mut self, from: MemberId) {
        if from == self.me() {
            self.leave_for("the other members went on without this daemon".to_string());
        }
    }

    /// Leaves the group and ends; the next run of the daemon begins anew.
    pub(super) fn leave_for(&mut self, reason: String) {
        self.event("leaving", "", reason.clone(), "it cannot be part of this view");
        self.outputs.push_back(Output::Bus(Transmission::Leave));
        self.outputs.push_back(Output::Exit { reason });
        self.membership.detach();
    }
}
