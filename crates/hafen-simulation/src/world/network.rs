//! The network: the seeded sequencer, which produces the contract's worst.

use std::collections::BTreeSet;

use hafen_node::Input;
use hafen_node::membership::Phase;
use hafen_protocol::sequencer::{
    Input as NetworkInput, Output as NetworkOutput, PerMille, Sequencer, Settings, Span,
};
use hafen_protocol::{Delivery, HostId, Incarnation, Machine, MemberId, Now, View};

use super::{Happening, World};
use crate::configuration::uname;
use crate::dice::{Bounds, bounds};
use crate::mutant::Mutant;
use crate::options::Options;
use crate::situations::Situation;
use crate::trace::Hash;

/// How long a daemon that lost its engine needs to have it back, in milliseconds.
const REATTACH_MS: Bounds = bounds(200, 5_000);

/// How the network of a cluster behaves while no fault makes it worse. What it says of quorum is not listened to: see
/// `quorum`.
pub(super) fn settings(options: &Options) -> Settings {
    let configured: BTreeSet<HostId> = (1..=options.hosts_at_most()).map(HostId).collect();
    if options.moment.is_some() {
        return Settings {
            order_delay: Span::between(0, 5),
            delivery_delay: Span::between(0, 10),
            stream_delay: Span::between(0, 20),
            // What Corosync needs with the timings that `hafen init` chooses, and how far two hosts are apart in it.
            detection_delay: Span::between(1_500, 2_500),
            quorum_delay: Span::between(0, 200),
            ..Settings::calm(configured)
        };
    }
    Settings { quorum_flap: PerMille(0), ..Settings::worst(configured) }
}

/// How often a daemon tries to connect to a Corosync that does not run, in milliseconds.
const ATTACH_AGAIN_MS: u64 = 1_000;

/// The network of a cluster.
pub(super) fn sequencer(options: &Options) -> Sequencer {
    Sequencer::new(settings(options), options.seed)
}

impl World {
    /// Gives the network an input. What it delivers is handed out from the agenda: no node is entered while another
    /// one is.
    pub(super) fn network(&mut self, input: NetworkInput) {
        let now = Now { monotonic_ms: self.now_ms(), wall_ms: 0 };
        self.sequencer.handle(now, input);
        while let Some(output) = self.sequencer.poll_output() {
            self.mail.push_back(output);
        }
        self.network_schedule();
    }

    fn network_schedule(&mut self) {
        let due_ms = if self.mail.is_empty() { self.sequencer.poll_timeout() } else { Some(0) };
        let Some(due_ms) = due_ms else { return };
        let at_us = (due_ms * 1_000).max(self.now_us);
        if self.network_due_us.is_none_or(|due_us| at_us < due_us) {
            self.network_due_us = Some(at_us);
            self.after_us(at_us - self.now_us, Happening::Network);
        }
    }

    pub(super) fn network_due(&mut self) {
        self.network_due_us = None;
        self.sequencer.handle_timeout(Now { monotonic_ms: self.now_ms(), wall_ms: 0 });
        while let Some(output) = self.sequencer.poll_output() {
            self.mail.push_back(output);
        }
        while let Some(output) = self.mail.pop_front() {
            if self.violation.is_some() {
                return;
            }
            self.network_output(output);
        }
        self.network_schedule();
    }

    fn network_output(&mut self, output: NetworkOutput) {
        match output {
            NetworkOutput::Deliver { to, delivery: Delivery::Quorum { ring, .. } } => {
                self.hear_of_quorum(to, ring)
            }
            NetworkOutput::Deliver { to, delivery } => self.deliver(to, delivery),
            NetworkOutput::Left(member) => {
                self.note(Some(member.host), "has left the group");
                self.set_attached(member, false);
            }
            NetworkOutput::Expelled { member, reason } => self.lose_bus(member, &reason),
            NetworkOutput::Ring { ring, hosts, .. } => self.ring_formed(ring, &hosts),
        }
    }

    fn set_attached(&mut self, member: MemberId, attached: bool) {
        let host = self.hosts.get_mut(&member.host);
        if let Some(daemon) = host.and_then(|host| host.daemon_mut(member.incarnation)) {
            daemon.attached = attached;
        }
    }

    /// A daemon loses its engine of the bus, and has it back a little later.
    pub(super) fn lose_bus(&mut self, member: MemberId, reason: &str) {
        self.set_attached(member, false);
        if let Some(view) = self.hosts.get(&member.host).and_then(|host| host.daemon.as_ref()?.view.clone()) {
            self.count_interruption(member.host, &view);
        }
        self.feed(member, Input::Bus(Delivery::Lost { reason: reason.to_owned() }));
        let ms = self.dice.within(REATTACH_MS);
        self.after_ms(ms, Happening::Attach(member.host, member.incarnation));
    }

    /// A daemon's engine joins the group.
    pub(super) fn attach(&mut self, host: HostId, incarnation: Incarnation) {
        let corosync = self.hosts.get(&host).is_some_and(|host| host.corosync);
        let Some(daemon) = self.hosts.get_mut(&host).and_then(|host| host.daemon_mut(incarnation)) else {
            return;
        };
        if daemon.attached {
            return;
        }
        if !corosync {
            return self.after_ms(ATTACH_AGAIN_MS, Happening::Attach(host, incarnation));
        }
        daemon.attached = true;
        self.tell_hosts(MemberId { host, incarnation });
        self.network(NetworkInput::ProcessJoin(MemberId { host, incarnation }));
    }

    pub(super) fn deliver(&mut self, to: MemberId, delivery: Delivery) {
        self.note_quorate_view(to, &delivery);
        let attached = |daemon: &crate::host::Daemon| daemon.incarnation == to.incarnation && daemon.attached;
        if !self.hosts.get(&to.host).and_then(|host| host.daemon.as_ref()).is_some_and(attached) {
            return;
        }
        if let Delivery::View(view) = &delivery {
            self.view_delivered(to, view);
        }
        self.count_delivered(to, &delivery);
        if self.mutant == Some(Mutant::ApplyOutOfOrder) && self.hold_back(to, &delivery) {
            return;
        }
        let message = matches!(delivery, Delivery::Message { .. });
        self.feed(to, Input::Bus(delivery));
        if message {
            self.check_same_order(to);
        }
        let host = self.hosts.get_mut(&to.host);
        let held =
            host.and_then(|host| host.daemon_mut(to.incarnation)).and_then(|daemon| daemon.held_back.take());
        if let Some(held) = held {
            self.feed(to, Input::Bus(held));
            self.check_same_order(to);
        }
    }

    /// Members that were given the same messages in the same order have the same hash over them.
    fn count_delivered(&mut self, to: MemberId, delivery: &Delivery) {
        let Some(daemon) = self.hosts.get_mut(&to.host).and_then(|host| host.daemon_mut(to.incarnation))
        else {
            return;
        };
        match delivery {
            Delivery::View(_) => daemon.delivered = Hash::new(),
            Delivery::Message { from, bytes } => {
                daemon.delivered.add(&from.host.0.to_be_bytes());
                daemon.delivered.add(bytes);
            }
            _ => {}
        }
    }

    /// The mutant that applies out of order: host 1 gets a message after the one that follows it, now and then. Whether
    /// this one was held back.
    fn hold_back(&mut self, to: MemberId, delivery: &Delivery) -> bool {
        if to.host != HostId(1) || !matches!(delivery, Delivery::Message { .. }) || !self.dice.chance(20) {
            return false;
        }
        let host = self.hosts.get_mut(&to.host);
        let Some(daemon) = host.and_then(|host| host.daemon_mut(to.incarnation)) else { return false };
        if daemon.held_back.is_some() || daemon.node.membership().phase != Phase::Synchronised {
            return false;
        }
        daemon.held_back = Some(delivery.clone());
        true
    }

    /// A member is told of a new view: whom it lost, and what that cuts short.
    fn view_delivered(&mut self, to: MemberId, view: &View) {
        let Some(daemon) = self.hosts.get(&to.host).and_then(|host| host.daemon.as_ref()) else { return };
        let before = daemon.view.clone();
        self.count_merge(view);
        if let Some(before) = &before {
            self.count_interruption(to.host, before);
            for member in before.member_ids().filter(|member| !view.contains(*member)) {
                let now_us = self.now_us;
                self.causes.record(
                    member.host,
                    now_us,
                    format!("lost from the view of {}", uname(to.host.0)),
                );
            }
        }
        let host = self.hosts.get_mut(&to.host);
        let Some(daemon) = host.and_then(|host| host.daemon_mut(to.incarnation)) else { return };
        daemon.view = Some(view.clone());
        daemon.term_was_open = false;
        daemon.held_back = None;
    }

    fn count_interruption(&mut self, host: HostId, before: &View) {
        let Some(node) = self.hosts.get(&host).and_then(|host| host.node()) else { return };
        let membership = node.membership();
        if membership.view.as_ref().map(View::id) != Some(before.id()) {
            return;
        }
        let situation = match membership.phase {
            Phase::Greeting => Situation::ViewChangeDuringJoin,
            Phase::Copying => Situation::ViewChangeDuringTransfer,
            Phase::Synchronised if membership.term.is_some() && !membership.term_open => {
                Situation::TermElectionInterrupted
            }
            Phase::Detached | Phase::Synchronised => return,
        };
        self.reach(situation);
    }

    /// The first member is told of a view: whether parts meet in it that each have changed the configuration since
    /// they parted.
    fn count_merge(&mut self, view: &View) {
        if self.views.contains_key(&view.id()) {
            return;
        }
        self.views.insert(view.id(), self.now_us);
        let mut histories: Vec<Vec<String>> = Vec::new();
        for member in view.member_ids() {
            let host = self.hosts.get_mut(&member.host);
            let Some(daemon) = host.and_then(|host| host.daemon_mut(member.incarnation)) else { continue };
            if daemon.view.as_ref().is_some_and(|before| before.members.len() < view.members.len()) {
                histories.extend(daemon.since_parted.take());
            }
        }
        let apart = |one: &Vec<String>, other: &Vec<String>| {
            one.last().is_some_and(|last| !other.contains(last))
                && other.last().is_some_and(|last| !one.contains(last))
        };
        let meets = |one: &Vec<String>| histories.iter().any(|other| apart(one, other));
        if histories.iter().any(meets) {
            self.reach(Situation::MergeAfterChangesOnBothSides);
        }
    }
}
