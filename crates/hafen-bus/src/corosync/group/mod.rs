//! The pure heart of the engine: views out of Corosync's closed process group.
//!
//! Corosync tells which processes are in the group, in the order of their messages, but not which runs of a daemon
//! they are, nor which of them came here together. So views are agreed by messages in that same order: after any
//! change one member sends a *query*; at that place of the order each member notes what it has delivered, and
//! answers with a *hello*; when all have answered the asker sends the *install*, which is the view. Any change in
//! between makes it void, for all alike, since all see the same order. From its hello to the install a member sends
//! no data; so nothing that was sent in a view is lost by the next one, unless the ring itself broke: with the ring a
//! view's order ends, since the next ring may hold others who have seen another rest of it.
//!
//! Members whose hellos name the same place pass together. If one that is still (or again) there does not, or a host
//! that was there left in between, those who pass together first get a view of themselves: nothing that was away is
//! ever hidden.

mod data;
mod passage;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hafen_protocol::{Delivery, HostId, MemberId, Now, RingId, View};

use super::packet::{Hello, Install, KnownRing, PROTOCOL_VERSION, Packet, PacketError, Stay, Token};

use data::Partial;
use passage::{Passage, compose, passage};

/// How long a group waits for the query of the member whose turn it is; each further one waits longer by `TURN_MS`.
const QUERY_PATIENCE_MS: u64 = 1000;
const TURN_MS: u64 = 300;

/// How long the asker waits for hellos; whoever has not answered by then is left out.
const HELLO_PATIENCE_MS: u64 = 2000;

/// How long a member waits, before its hello, for Corosync's other word about the ring.
const RING_PATIENCE_MS: u64 = 700;

/// How long an attempt may take before the next one.
const ATTEMPT_MS: u64 = 4000;

/// When a member that was left out asks to be let in again.
const LEFT_OUT_PAUSE_MS: u64 = 500;

/// Lists of hosts that left are kept for at most this many rings.
const RINGS_REMEMBERED_MAXIMUM: usize = 64;

/// A process in the group, as Corosync names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Address {
    pub(super) host: HostId,
    pub(super) process: u32,
}

/// What Corosync and the daemon tell.
#[derive(Debug)]
pub(super) enum Input {
    /// The processes in the group changed, in the order. With `ring_follows` the new ring's name comes next.
    Processes { processes: BTreeSet<Address>, ring_follows: bool },
    /// The ring changed, in the order.
    Ring { id: RingId, hosts: BTreeSet<HostId> },
    /// The ring changed, told beside the order.
    Hosts { ring: RingId, hosts: BTreeSet<HostId>, left: BTreeSet<HostId> },
    /// Whether a ring has quorum, told beside the order.
    Quorum { ring: RingId, quorate: bool },
    /// A packet, in the order.
    Packet { from: Address, bytes: Vec<u8> },
    /// The daemon sends.
    Send(Vec<u8>),
    /// The daemon has been told already that the view is lost.
    Reset,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Output {
    /// To the group.
    Cast(Vec<u8>),
    /// To the daemon.
    Deliver(Delivery),
    /// The group cannot be shared with one of its members: leave it for a while.
    Withdraw,
}

/// The view that this member is in.
#[derive(Debug)]
struct Current {
    token: Token,
    view: View,
    addresses: BTreeMap<HostId, u32>,
    count: u64,
    digest: u64,
    /// Its ring is over: nothing more is delivered in it.
    over: bool,
}

/// A running attempt.
#[derive(Debug)]
struct Attempt {
    token: Token,
    /// Where this member was when the query came.
    stay: Option<Stay>,
    greeted: bool,
    began_ms: u64,
    hellos: BTreeMap<Address, Hello>,
    installed: bool,
}

/// One member of the group.
#[derive(Debug)]
pub(super) struct Group {
    me: MemberId,
    process: u32,
    processes: BTreeSet<Address>,
    ring: Option<(RingId, BTreeSet<HostId>)>,
    ring_follows: bool,
    told: Option<(RingId, BTreeSet<HostId>)>,
    left: BTreeMap<RingId, BTreeSet<HostId>>,
    quorum: Option<(RingId, bool)>,
    quorum_delivered: Option<(RingId, bool)>,
    current: Option<Current>,
    attempt: Option<Attempt>,
    /// A view must be formed, since then.
    wanted_since: Option<u64>,
    query_at: u64,
    held: VecDeque<Vec<u8>>,
    held_bytes: usize,
    last_sequence: u64,
    last_number: u64,
    last_attempt: u64,
    partial: BTreeMap<HostId, Partial>,
    outputs: VecDeque<Output>,
}

impl Group {
    pub(super) fn new(me: MemberId, process: u32) -> Group {
        Group {
            me,
            process,
            processes: BTreeSet::new(),
            ring: None,
            ring_follows: false,
            told: None,
            left: BTreeMap::new(),
            quorum: None,
            quorum_delivered: None,
            current: None,
            attempt: None,
            wanted_since: None,
            query_at: 0,
            held: VecDeque::new(),
            held_bytes: 0,
            last_sequence: 0,
            last_number: 0,
            last_attempt: 0,
            partial: BTreeMap::new(),
            outputs: VecDeque::new(),
        }
    }

    pub(super) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Whether the daemon has a view.
    pub(super) fn has_view(&self) -> bool {
        self.current.is_some()
    }

    /// Bytes that wait for the next view.
    pub(super) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Whether data waits for the next view.
    pub(super) fn holds_data(&self) -> bool {
        !self.held.is_empty()
    }

    /// The connection to Corosync is gone, and everything that was known by it.
    pub(super) fn disconnected(&mut self, reason: &str) {
        self.lose(reason);
        self.processes.clear();
        self.ring = None;
        self.ring_follows = false;
        self.told = None;
        self.left.clear();
        self.quorum = None;
        self.attempt = None;
        self.wanted_since = None;
    }

    pub(super) fn handle(&mut self, now: Now, input: Input) {
        match input {
            Input::Processes { processes, ring_follows } => {
                self.processes = processes;
                self.ring_follows |= ring_follows;
                if ring_follows {
                    self.ring_over();
                }
                self.partial.retain(|&host, _| self.processes.iter().any(|address| address.host == host));
                self.want(now, 0);
            }
            Input::Ring { id, hosts } => {
                self.ring = Some((id, hosts));
                self.ring_follows = false;
                self.ring_over();
                self.want(now, 0);
            }
            Input::Hosts { ring, hosts, left } => {
                self.left.entry(ring).or_default().extend(left);
                while self.left.len() > RINGS_REMEMBERED_MAXIMUM {
                    self.left.pop_first();
                }
                // A member that has joined a ring since it knows its name only from beside the order.
                let newer = self.current.as_ref().is_some_and(|now| now.view.ring.sequence < ring.sequence);
                self.told = Some((ring, hosts));
                if newer && self.ring.is_none() {
                    self.want(now, QUERY_PATIENCE_MS);
                }
            }
            Input::Quorum { ring, quorate } => {
                self.quorum = Some((ring, quorate));
                self.tell_quorum();
            }
            Input::Packet { from, bytes } => self.packet(now, from, &bytes),
            Input::Send(message) => self.send(now, message),
            Input::Reset => {
                self.forget_view();
                self.want(now, LEFT_OUT_PAUSE_MS);
            }
        }
        self.act(now);
    }

    pub(super) fn handle_timeout(&mut self, now: Now) {
        if let (Some(attempt), Some(_)) = (&self.attempt, self.wanted_since)
            && now.monotonic_ms >= self.query_at
            && now.monotonic_ms >= attempt.began_ms + ATTEMPT_MS
        {
            self.attempt = None;
        }
        self.act(now);
    }

    pub(super) fn poll_timeout(&self) -> Option<u64> {
        let since = self.wanted_since?;
        let mut due = vec![self.query_at];
        if self.ring_follows {
            due.push(since + RING_PATIENCE_MS);
        }
        if let Some(attempt) = &self.attempt {
            due = vec![self.query_at.max(attempt.began_ms + ATTEMPT_MS)];
            if !attempt.greeted {
                due.push(attempt.began_ms + RING_PATIENCE_MS);
            } else if attempt.token.by == self.me && !attempt.installed {
                due.push(attempt.began_ms + HELLO_PATIENCE_MS);
            }
        }
        due.into_iter().min()
    }

    /// A view must be formed: what was under way is void. Who is first in the group asks.
    fn want(&mut self, now: Now, pause_ms: u64) {
        self.attempt = None;
        self.wanted_since = Some(now.monotonic_ms);
        let turn = self.turn();
        let patience = if turn == 0 { 0 } else { QUERY_PATIENCE_MS + turn * TURN_MS };
        self.query_at = now.monotonic_ms + patience.max(pause_ms);
    }

    fn ring_over(&mut self) {
        if let Some(current) = &mut self.current {
            current.over = true;
        }
        self.partial.clear();
    }

    /// How many processes are before this one.
    fn turn(&self) -> u64 {
        self.processes.iter().position(|address| *address == self.address()).unwrap_or(0) as u64
    }

    fn address(&self) -> Address {
        Address { host: self.me.host, process: self.process }
    }

    /// Does what is due.
    fn act(&mut self, now: Now) {
        let Some(since) = self.wanted_since else { return };
        let ring_missing = self.ring_follows && now.monotonic_ms < since + RING_PATIENCE_MS;
        if self.attempt.is_none()
            && now.monotonic_ms >= self.query_at
            && !ring_missing
            && self.processes.contains(&self.address())
        {
            self.last_attempt += 1;
            let token = Token { by: self.me, number: self.last_attempt };
            self.query_at = now.monotonic_ms + ATTEMPT_MS;
            self.outputs.push_back(Output::Cast(Packet::Query(token).to_bytes()));
        }
        self.greet(now);
        self.install_if_complete(now);
    }

    /// Whether both words of Corosync about the ring are there, and mean the same ring.
    fn knows_ring(&self) -> bool {
        match (&self.ring, &self.told) {
            (Some((ring, _)), Some((told, _))) => told.sequence >= ring.sequence,
            (None, Some(_)) => true,
            (_, None) => false,
        }
    }

    fn greet(&mut self, now: Now) {
        let ready = self.knows_ring();
        let Some(attempt) = &mut self.attempt else { return };
        if attempt.greeted || (!ready && now.monotonic_ms < attempt.began_ms + RING_PATIENCE_MS) {
            return;
        }
        attempt.greeted = true;
        let ring = match (&self.ring, &self.told) {
            (Some((id, hosts)), _) => Some(KnownRing { id: *id, hosts: hosts.clone(), in_order: true }),
            (None, Some((id, hosts))) => Some(KnownRing { id: *id, hosts: hosts.clone(), in_order: false }),
            (None, None) => None,
        };
        let since = self.current.as_ref().map(|current| current.view.ring.sequence);
        let gone = self
            .left
            .iter()
            .filter(|(ring, _)| since.is_some_and(|since| ring.sequence > since))
            .flat_map(|(_, left)| left.iter().copied())
            .collect();
        let hello = Hello {
            token: attempt.token,
            member: self.me,
            ring,
            previous: attempt.stay,
            gone,
            // Two views of one ring may be formed by members that never met: time keeps their names apart.
            sequence: (self.last_sequence + 2).max(now.wall_ms * 2),
        };
        self.outputs.push_back(Output::Cast(Packet::Hello(Box::new(hello)).to_bytes()));
    }

    fn install_if_complete(&mut self, now: Now) {
        let Some(attempt) = &mut self.attempt else { return };
        let complete = self.processes.iter().all(|address| attempt.hellos.contains_key(address));
        let late = now.monotonic_ms >= attempt.began_ms + HELLO_PATIENCE_MS;
        if attempt.token.by != self.me || attempt.installed || !attempt.greeted || !(complete || late) {
            return;
        }
        attempt.installed = true;
        if let Some(install) = compose(attempt.token, &attempt.hellos) {
            self.outputs.push_back(Output::Cast(Packet::Install(Box::new(install)).to_bytes()));
        }
    }

    fn packet(&mut self, now: Now, from: Address, bytes: &[u8]) {
        match Packet::parse(bytes) {
            Ok(Packet::Query(token)) => self.query(now, token),
            Ok(Packet::Hello(hello)) => {
                if let Some(attempt) = &mut self.attempt
                    && attempt.token == hello.token
                {
                    attempt.hellos.insert(from, *hello);
                }
            }
            Ok(Packet::Install(install)) => {
                if self.attempt.as_ref().is_some_and(|attempt| attempt.token == install.token) {
                    self.install(now, &install);
                }
            }
            Ok(Packet::Data(data)) => self.data(from, data),
            Err(PacketError::Version(version)) if version < PROTOCOL_VERSION => {
                let host = from.host;
                self.lose_by_name(&format!(
                    "the daemon of host {host} speaks protocol {version} of the bus, this one speaks \
                     {PROTOCOL_VERSION}: give all hosts the same version of Hafen"
                ));
                self.outputs.push_back(Output::Withdraw);
            }
            // Who speaks a later version withdraws by itself.
            Err(error) => tracing::warn!(host = %from.host, "a packet of the group cannot be read: {error}"),
        }
    }

    fn query(&mut self, now: Now, token: Token) {
        let stay = self.current.as_ref().map(|current| Stay {
            view: current.view.id(),
            count: current.count,
            digest: current.digest,
        });
        self.wanted_since.get_or_insert(now.monotonic_ms);
        self.query_at = now.monotonic_ms + ATTEMPT_MS + self.turn() * TURN_MS;
        let began_ms = now.monotonic_ms;
        let hellos = BTreeMap::new();
        self.attempt = Some(Attempt { token, stay, greeted: false, began_ms, hellos, installed: false });
    }

    fn install(&mut self, now: Now, install: &Install) {
        self.attempt = None;
        self.wanted_since = None;
        self.partial.clear();
        let own = install.members.get(&self.me.host);
        if own.is_none_or(|own| (own.incarnation, own.process) != (self.me.incarnation, self.process)) {
            let reason = match own {
                Some(own) => format!(
                    "another daemon runs on this host (run {}, process {}): end one of them",
                    own.incarnation.0, own.process
                ),
                None => {
                    "the other members went on without this one, since it did not answer in time".to_owned()
                }
            };
            self.lose(&reason);
            self.want(now, LEFT_OUT_PAUSE_MS);
            return;
        }
        let view = View {
            ring: install.ring,
            sequence: install.sequence,
            hosts: install.hosts.clone(),
            members: install.members.iter().map(|(&host, joined)| (host, joined.incarnation)).collect(),
        };
        if let Some(before) = &self.current {
            match passage(self.me.host, &before.view, &view, &install.members) {
                Passage::Direct => {}
                Passage::Through(between) => {
                    self.outputs.push_back(Output::Deliver(Delivery::View(between)));
                }
                Passage::Broken => {
                    self.lose("the ring changed faster than its members could tell each other")
                }
            }
        }
        self.last_sequence = self.last_sequence.max(install.sequence);
        self.left.retain(|ring, _| ring.sequence > install.ring.sequence);
        let addresses = install.members.iter().map(|(&host, joined)| (host, joined.process)).collect();
        self.tell_quorum();
        self.outputs.push_back(Output::Deliver(Delivery::View(view.clone())));
        self.current =
            Some(Current { token: install.token, view, addresses, count: 0, digest: 0, over: false });
        self.held_bytes = 0;
        for message in std::mem::take(&mut self.held) {
            self.cast(&message);
        }
    }

    /// The last word about quorum is given again after a loss, which forgets it.
    fn tell_quorum(&mut self) {
        let Some((ring, quorate)) = self.quorum else { return };
        if self.quorum_delivered != self.quorum {
            self.quorum_delivered = self.quorum;
            self.outputs.push_back(Output::Deliver(Delivery::Quorum { ring, quorate }));
        }
    }

    /// Says why there is no view, also when there was none.
    fn lose_by_name(&mut self, reason: &str) {
        self.outputs.push_back(Output::Deliver(Delivery::Lost { reason: reason.to_owned() }));
        self.forget_view();
    }

    /// Leaves the view, and says why.
    fn lose(&mut self, reason: &str) {
        if self.current.is_some() {
            self.outputs.push_back(Output::Deliver(Delivery::Lost { reason: reason.to_owned() }));
        }
        self.forget_view();
    }

    fn forget_view(&mut self) {
        self.current = None;
        self.quorum_delivered = None;
        self.partial.clear();
        self.held.clear();
        self.held_bytes = 0;
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
