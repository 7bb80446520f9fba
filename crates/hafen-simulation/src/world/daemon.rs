//! Daemons: the shell around a node, which only feeds it and carries out what it puts out.

use std::collections::BTreeMap;

use hafen_node::api::{Identity, Settings};
use hafen_node::{Input, Node, Output};
use hafen_protocol::client::Reply;
use hafen_protocol::sequencer::Input as NetworkInput;
use hafen_protocol::{HostId, Incarnation, Machine, MemberId};

use super::{Happening, World};
use crate::dice::bounds;
use crate::host::Daemon;
use crate::invariants::Invariant;
use crate::mutant::Mutant;
use crate::situations::Situation;

/// A node that puts out more than this for one input does not stop.
const OUTPUTS_MAXIMUM: usize = 100_000;
/// A node that asks for more time-outs than this in one millisecond spins.
const WAKES_MAXIMUM: u32 = 50;

impl World {
    /// A daemon starts, with what its disk and `/run` hold.
    pub(super) fn daemon_starts(&mut self, id: HostId, boot: u64) {
        let now = self.now_of(id);
        let settings = self.settings(id);
        let (now_us, cluster_seed) = (self.now_us, self.options.seed);
        let Some(host) = self.hosts.get_mut(&id) else { return };
        if !host.booted || host.boot != boot || host.daemon.is_some() {
            return;
        }
        host.incarnations += 1;
        let incarnation = Incarnation(host.incarnations);
        let boot_id = format!("{cluster_seed:08x}-{:04x}-{boot:04x}", id.0);
        let identity = Identity { host: id, uname: host.uname.clone(), incarnation, boot_id };
        let files = host.disk.files();
        let mut node = match Node::new(identity, settings, &files, host.remembered.as_deref(), now) {
            Ok(node) => node,
            Err(error) => return self.violate(Invariant::Sound, format!("host{id} does not start: {error}")),
        };
        if self.mutant == Some(Mutant::ForgetToPlanAgain) {
            node.forget_to_plan_again();
        }
        let busy = host.executor.flights().any(|flight| flight.order.interval_ms == 0);
        host.daemon = Some(Daemon::new(node, incarnation, now_us));
        self.note(Some(id), format_args!("daemon starts, run {}", incarnation.0));
        if busy {
            self.reach(Situation::DaemonBackBeforeOperationEnded);
        }
        let connect_ms = self.dice.within(bounds(1, 60));
        let attach_ms = self.dice.within(bounds(1, 200));
        self.after_ms(connect_ms, Happening::Connect(id, incarnation));
        self.after_ms(attach_ms, Happening::Attach(id, incarnation));
        self.drain(MemberId { host: id, incarnation });
    }

    fn settings(&self, id: HostId) -> Settings {
        let run = self.hosts.get(&id).map_or(0, |host| host.incarnations + 1);
        Settings {
            cluster: "simulated".to_owned(),
            // Corosync's node list says which there are.
            hosts: BTreeMap::new(),
            daemon_restart_timeout_ms: self.options.daemon_restart_timeout_ms,
            startup_wait_ms: self.options.startup_wait_ms,
            initial_cib: self.options.configuration.xml.clone(),
            transition_uuid: format!("{:08x}-0000-4000-8000-{run:012x}", id.0),
        }
    }

    /// A daemon is killed: what it had not handed on yet is gone.
    pub(super) fn daemon_dies(&mut self, id: HostId) -> bool {
        let Some(member) = self.hosts.get(&id).and_then(|host| host.member()) else { return false };
        self.count_daemon_loss(id);
        self.disk_interrupted(id);
        if let Some(host) = self.hosts.get_mut(&id) {
            host.daemon = None;
        }
        let now_us = self.now_us;
        self.clients.daemon_gone(member, now_us);
        self.note(Some(id), "daemon is gone");
        self.disturbed(id);
        self.watchdog_looked_at(id);
        self.network(NetworkInput::ProcessGone(member));
        true
    }

    /// A daemon connects to its executor.
    pub(super) fn connect(&mut self, id: HostId, incarnation: Incarnation) {
        let Some(host) = self.hosts.get_mut(&id) else { return };
        if !host.executor.alive {
            return;
        }
        let Some(daemon) = host.daemon.as_mut().filter(|daemon| daemon.incarnation == incarnation) else {
            return;
        };
        if std::mem::replace(&mut daemon.connected, true) {
            return;
        }
        let (accepted, results, recovered) = host.executor.connect();
        self.watchdog_looked_at(id);
        let text =
            format!("connects to its executor: {} accepted, {} results", accepted.len(), results.len());
        self.note(Some(id), text);
        self.feed(
            MemberId { host: id, incarnation },
            Input::ExecutorConnected { accepted, results, recovered },
        );
    }

    /// Gives a node an input, and carries out what it wants.
    pub(super) fn feed(&mut self, to: MemberId, input: Input) {
        let now = self.now_of(to.host);
        let Some(host) = self.hosts.get_mut(&to.host) else { return };
        let Some(daemon) = host.daemon_mut(to.incarnation) else { return };
        if daemon.hangs {
            return daemon.waiting.push_back(input);
        }
        daemon.node.handle(now, input);
        daemon.note_digest();
        self.drain(to);
    }

    /// A node's time-out is due, if it still is.
    pub(super) fn wake(&mut self, id: HostId, incarnation: Incarnation) {
        let now = self.now_of(id);
        let now_us = self.now_us;
        let Some(daemon) = self.hosts.get_mut(&id).and_then(|host| host.daemon_mut(incarnation)) else {
            return;
        };
        if daemon.hangs || daemon.wake_us.is_some_and(|wake_us| wake_us > now_us) {
            return;
        }
        daemon.wake_us = None;
        if daemon.node.poll_timeout().is_some_and(|due_ms| due_ms <= now.monotonic_ms) {
            daemon.wakes = if daemon.woken_us / 1_000 == now_us / 1_000 { daemon.wakes + 1 } else { 0 };
            daemon.woken_us = now_us;
            let spins = daemon.wakes > WAKES_MAXIMUM;
            daemon.node.handle_timeout(now);
            if spins {
                self.violate(Invariant::Sound, format!("the node of host{id} spins"));
            }
        }
        self.drain(MemberId { host: id, incarnation });
    }

    pub(super) fn drain(&mut self, from: MemberId) {
        for count in 0.. {
            let Some(daemon) =
                self.hosts.get_mut(&from.host).and_then(|host| host.daemon_mut(from.incarnation))
            else {
                return;
            };
            let Some(output) = daemon.node.poll_output() else { break };
            self.carry_out(from, output);
            if count > OUTPUTS_MAXIMUM {
                self.violate(Invariant::Sound, format!("the node of host{} does not stop", from.host));
                return;
            }
        }
        self.schedule_wake(from);
        self.check_term(from);
    }

    fn schedule_wake(&mut self, of: MemberId) {
        let now_ms = self.now_of(of.host).monotonic_ms;
        let now_us = self.now_us;
        let Some(daemon) = self.hosts.get_mut(&of.host).and_then(|host| host.daemon_mut(of.incarnation))
        else {
            return;
        };
        let Some(due_ms) = daemon.node.poll_timeout() else { return };
        let at_us = now_us + due_ms.saturating_sub(now_ms) * 1_000;
        if daemon.wake_us.is_none_or(|wake_us| at_us < wake_us) {
            daemon.wake_us = Some(at_us);
            self.after_us(at_us - now_us, Happening::Wake(of.host, of.incarnation));
        }
    }

    fn carry_out(&mut self, from: MemberId, output: Output) {
        match output {
            Output::Bus(transmission) => self.network(NetworkInput::Transmit { from, transmission }),
            Output::Storage { token, effect } => self.effect_begins(from, token, effect),
            Output::Remember(bytes) => {
                if let Some(host) = self.hosts.get_mut(&from.host) {
                    host.remembered = Some(bytes);
                }
            }
            Output::Run(order) => self.operation_ordered(from, *order),
            Output::Cancel { resource, task, interval_ms } => {
                if let Some(host) = self.hosts.get_mut(&from.host) {
                    host.executor.cancel(&(resource, task, interval_ms));
                }
            }
            Output::AcknowledgeResults { through } => {
                if let Some(host) = self.hosts.get_mut(&from.host) {
                    host.executor.acknowledge(through);
                }
            }
            Output::Fence(start) => self.fence_ordered(from, *start),
            Output::Reply { request, reply } => self.replied(from, request, *reply),
            Output::Event(event) => {
                let text = format!("{}: {} {} [{}]", event.kind, event.subject, event.text, event.cause);
                self.note(Some(from.host), text);
            }
            Output::Alert(_) => {}
            Output::Exit { reason } => {
                self.note(Some(from.host), format_args!("exits: {reason}"));
                self.exited(from);
            }
            Output::SaveInput { number, xml, now } => self.save_input(from.host, number, xml, now),
            Output::Watchdog { feed, timeout_ms } => self.watchdog_reported(from.host, feed, timeout_ms),
        }
    }

    /// A daemon ended by its own will; whoever supervises it starts it again.
    fn exited(&mut self, member: MemberId) {
        let Some(host) = self.hosts.get_mut(&member.host) else { return };
        let boot = host.boot;
        if host.leaves_for_good {
            return self.after_ms(1_000, Happening::HostGone(member.host));
        }
        let after_ms = host.returns_after_ms.take();
        self.daemon_dies(member.host);
        let ms = after_ms.unwrap_or_else(|| self.dice.within(bounds(500, 20_000)));
        self.after_ms(ms, Happening::DaemonStarts(member.host, boot));
    }

    fn replied(&mut self, from: MemberId, request: u64, reply: Reply) {
        match reply {
            Reply::Status(report) if request == super::operator::LOOK_REQUEST => {
                self.operator_reads(from, &report);
            }
            Reply::Status(report) => self.status_reported(&report),
            Reply::Done { .. } => self.client_answered(from, request, Some(true), "done"),
            Reply::Failed(failure) => {
                let unknown = matches!(failure.kind.as_str(), "unknown-outcome" | "timeout");
                let outcome = if unknown { None } else { Some(false) };
                self.client_answered(from, request, outcome, &failure.kind);
            }
            Reply::Xml { .. }
            | Reply::FenceHistory { .. }
            | Reply::Attributes { .. }
            | Reply::Host { .. }
            | Reply::FenceDrill { .. }
            | Reply::Event(_) => {}
        }
    }
}
