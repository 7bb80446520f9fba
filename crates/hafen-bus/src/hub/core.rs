//! The hub's one task: the sequencer, the clock, and who is connected.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hafen_protocol::sequencer::{Input, Output, Span};
use hafen_protocol::{HostId, Machine, MemberId, Now, Sequencer, Transmission};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use super::HubSettings;
use super::connection::Writer;
use crate::control::{Control, ControlReply, HubStatus, RingStatus};
use crate::wire::FromHub;

/// A daemon whose connection ended is declared gone after this time, unless its host is gone too by then: when the
/// power of a host is cut, nobody would have seen its daemon die first.
const PROCESS_GONE_GRACE_MS: u64 = 15;

/// Names a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ConnectionId(pub(super) u64);

/// What the connections tell the hub's task.
#[derive(Debug)]
pub(super) enum Event {
    RingOpened { id: ConnectionId, host: HostId, writer: Writer },
    ProcessOpened { id: ConnectionId, member: MemberId, writer: Writer },
    Transmit { id: ConnectionId, from: MemberId, transmission: Transmission },
    Closed { id: ConnectionId, reason: String },
    Control { control: Control, answer: oneshot::Sender<ControlReply> },
}

#[derive(Debug)]
struct Connection {
    id: ConnectionId,
    writer: Writer,
}

/// The hub's state.
#[derive(Debug)]
pub(super) struct Core {
    sequencer: Sequencer,
    seed: u64,
    configured: BTreeSet<HostId>,
    started: Instant,
    events: mpsc::Receiver<Event>,
    rings: BTreeMap<HostId, Connection>,
    processes: BTreeMap<MemberId, Connection>,
    /// Daemons whose connection has ended, and when they are declared gone.
    ending: BTreeMap<MemberId, u64>,
}

impl Core {
    pub(super) fn new(settings: &HubSettings, events: mpsc::Receiver<Event>) -> Core {
        Core {
            sequencer: Sequencer::new(settings.sequencer.clone(), settings.seed),
            seed: settings.seed,
            configured: settings.sequencer.configured.clone(),
            started: Instant::now(),
            events,
            rings: BTreeMap::new(),
            processes: BTreeMap::new(),
            ending: BTreeMap::new(),
        }
    }

    pub(super) async fn run(mut self) {
        loop {
            let deadline = [self.sequencer.poll_timeout(), self.ending.values().min().copied()];
            let deadline = deadline.into_iter().flatten().min();
            let sleep = async {
                match deadline {
                    Some(due) => sleep_until(self.started + Duration::from_millis(due)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                event = self.events.recv() => match event {
                    Some(event) => self.handle(event),
                    None => return,
                },
                () = sleep => self.time_passed(),
            }
            self.drain();
        }
    }

    fn now(&self) -> Now {
        let monotonic_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        Now { monotonic_ms, wall_ms: wall_ms() }
    }

    fn input(&mut self, input: Input) {
        let now = self.now();
        self.sequencer.handle(now, input);
    }

    fn time_passed(&mut self) {
        let now = self.now();
        let gone: Vec<MemberId> = self
            .ending
            .iter()
            .filter(|(_, due)| **due <= now.monotonic_ms)
            .map(|(&member, _)| member)
            .collect();
        for member in gone {
            self.ending.remove(&member);
            self.input(Input::ProcessGone(member));
        }
        self.sequencer.handle_timeout(now);
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::RingOpened { id, host, writer } => self.ring_opened(id, host, writer),
            Event::ProcessOpened { id, member, writer } => self.process_opened(id, member, writer),
            Event::Transmit { id, from, transmission } => {
                if self.processes.get(&from).is_some_and(|connection| connection.id == id) {
                    self.input(Input::Transmit { from, transmission });
                }
            }
            Event::Closed { id, reason } => self.closed(id, &reason),
            Event::Control { control, answer } => {
                let reply = self.control(control);
                let _ = answer.send(reply);
            }
        }
    }

    fn ring_opened(&mut self, id: ConnectionId, host: HostId, writer: Writer) {
        if !self.configured.contains(&host) {
            writer.send(&FromHub::Refused(self.unknown(host)));
            return;
        }
        writer.send(&FromHub::Accepted);
        if let Some(former) = self.rings.insert(host, Connection { id, writer }) {
            former.writer.send(&FromHub::Refused("the host has opened another ring connection".to_owned()));
            // The host has booted again before the end of its former life was seen.
            self.host_down(host);
        }
        tracing::info!(%host, "the host is in the ring");
        self.input(Input::HostUp(host));
    }

    fn process_opened(&mut self, id: ConnectionId, member: MemberId, writer: Writer) {
        if self.ending.remove(&member).is_some() || self.processes.contains_key(&member) {
            self.input(Input::ProcessGone(member));
        }
        writer.send(&FromHub::Accepted);
        if let Some(former) = self.processes.insert(member, Connection { id, writer }) {
            former.writer.send(&FromHub::Refused("the daemon has opened another connection".to_owned()));
        }
        tracing::info!(?member, "a daemon is connected");
        self.input(Input::ProcessJoin(member));
    }

    fn closed(&mut self, id: ConnectionId, reason: &str) {
        let ring = self.rings.iter().find(|(_, connection)| connection.id == id).map(|(&host, _)| host);
        if let Some(host) = ring {
            tracing::info!(%host, reason, "the host has left the ring");
            self.rings.remove(&host);
            self.host_down(host);
        }
        let process = self.processes.iter().find(|(_, connection)| connection.id == id).map(|(&m, _)| m);
        if let Some(member) = process {
            tracing::info!(?member, reason, "a daemon is disconnected");
            self.processes.remove(&member);
            self.ending.insert(member, self.now().monotonic_ms + PROCESS_GONE_GRACE_MS);
        }
    }

    /// A host is gone, with all of its connections but a new ring connection.
    fn host_down(&mut self, host: HostId) {
        self.ending.retain(|member, _| member.host != host);
        let members: Vec<MemberId> = self.processes.keys().filter(|m| m.host == host).copied().collect();
        for member in members {
            if let Some(connection) = self.processes.remove(&member) {
                connection.writer.send(&FromHub::Refused("its host has left the ring".to_owned()));
            }
        }
        self.input(Input::HostDown(host));
    }

    fn drain(&mut self) {
        while let Some(output) = self.sequencer.poll_output() {
            match output {
                Output::Deliver { to, delivery } => {
                    let frame = FromHub::Delivery(delivery);
                    let slow =
                        self.processes.get(&to).is_some_and(|connection| !connection.writer.send(&frame));
                    if slow {
                        tracing::warn!(member = ?to, "a daemon does not read: it is disconnected");
                        self.processes.remove(&to);
                        self.input(Input::ProcessGone(to));
                    }
                }
                Output::Left(member) => self.end(member, &FromHub::Left),
                Output::Expelled { member, reason } => {
                    tracing::warn!(?member, reason, "a daemon is expelled");
                    self.end(member, &FromHub::Refused(reason));
                }
                Output::Ring { ring, hosts, quorate } => {
                    tracing::info!(?ring, ?hosts, quorate, "a ring has formed");
                }
            }
        }
    }

    fn end(&mut self, member: MemberId, last: &FromHub) {
        if let Some(connection) = self.processes.remove(&member) {
            connection.writer.send(last);
        }
    }

    fn unknown(&self, host: HostId) -> String {
        let known: Vec<String> = self.configured.iter().map(ToString::to_string).collect();
        format!("host {host} is not one of the configured hosts {}", known.join(", "))
    }

    fn control(&mut self, control: Control) -> ControlReply {
        let named: Vec<HostId> = match &control {
            Control::Cut { host, other } => [Some(*host), *other].into_iter().flatten().collect(),
            Control::Heal { host, other } => [*host, *other].into_iter().flatten().collect(),
            Control::HostDown { host } => vec![*host],
            Control::Partition { parts } => parts.iter().flatten().copied().collect(),
            Control::Status | Control::Detection { .. } => Vec::new(),
        };
        if let Some(&host) = named.iter().find(|host| !self.configured.contains(host)) {
            return ControlReply::Failed { message: self.unknown(host) };
        }
        match control {
            Control::Status => return ControlReply::Status(self.status()),
            Control::Cut { host, other: Some(other) } => self.input(Input::Cut(host, other)),
            Control::Cut { host, other: None } => self.input(Input::Isolate(host)),
            Control::Heal { host: Some(host), other: Some(other) } => self.input(Input::Heal(host, other)),
            Control::Heal { host: Some(host), other: None }
            | Control::Heal { host: None, other: Some(host) } => {
                self.input(Input::Reconnect(host));
            }
            Control::Heal { host: None, other: None } => self.input(Input::HealAll),
            Control::Partition { parts } => self.input(Input::Partition(parts)),
            Control::HostDown { host } => {
                self.rings.remove(&host);
                self.host_down(host);
            }
            Control::Detection { minimum_ms, maximum_ms } => {
                self.sequencer.settings_mut().detection_delay = Span::between(minimum_ms, maximum_ms);
            }
        }
        ControlReply::Done
    }

    fn status(&self) -> HubStatus {
        let rings = self.sequencer.rings().into_iter();
        HubStatus {
            seed: self.seed,
            configured: self.configured.clone(),
            up: self.rings.keys().copied().collect(),
            daemons: self.processes.keys().map(|member| (member.host, member.incarnation)).collect(),
            rings: rings
                .map(|(ring, hosts, quorate)| RingStatus {
                    sequence: ring.sequence,
                    representative: ring.representative,
                    hosts,
                    quorate,
                })
                .collect(),
            cuts: self.sequencer.cuts().iter().copied().collect(),
        }
    }
}

/// Milliseconds since the Unix epoch.
pub(super) fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
