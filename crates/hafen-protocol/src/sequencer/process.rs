//! A process's end of the bus: what it sends, and what is delivered to it at its own pace.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::{Event, Output, PENDING_BYTES_MAXIMUM, STREAM_BYTES_MAXIMUM, Sequencer};
use crate::view::{
    Delivery, HostId, Incarnation, MESSAGE_BYTES_MAXIMUM, MemberId, RingId, Transmission, View, ViewId,
};

/// What waits for its place in the order.
#[derive(Debug, Clone)]
pub(super) enum Pending {
    Message(Arc<Vec<u8>>),
    Leave,
}

/// A place in a ring's order.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) ring: RingId,
    pub(super) position: u64,
    pub(super) due: u64,
    pub(super) body: Body,
}

#[derive(Debug, Clone)]
pub(super) enum Body {
    View(Arc<View>),
    Message { from: MemberId, bytes: Arc<Vec<u8>> },
}

#[derive(Debug)]
struct StreamEntry {
    view: ViewId,
    due: u64,
    bytes: Vec<u8>,
}

/// A daemon that is connected to the bus.
#[derive(Debug, Default)]
pub(super) struct Process {
    /// When each was sent plus its delay, and what.
    pub(super) pending: VecDeque<(u64, Pending)>,
    pending_bytes: usize,
    pub(super) inbox: VecDeque<Entry>,
    /// Where its joining has its place; nothing before that.
    pub(super) joined: Option<(RingId, u64)>,
    /// The view that it was told last.
    view: Option<ViewId>,
    /// The last place that it delivered.
    delivered: Option<(RingId, u64)>,
    streams: BTreeMap<MemberId, VecDeque<StreamEntry>>,
    quorum: VecDeque<(u64, RingId, bool)>,
}

impl Process {
    /// The last position of that ring's order that it delivered; 0 for none.
    pub(super) fn delivered_in(&self, ring: RingId) -> u64 {
        self.delivered.filter(|(of, _)| *of == ring).map_or(0, |(_, position)| position)
    }

    /// Whether it was in the group at a position of that ring's order, or came into the ring with its first view.
    pub(super) fn had_joined(&self, ring: RingId, position: u64) -> bool {
        self.joined.is_some_and(|(of, at)| of != ring || at <= position)
    }

    /// When the last entry of the inbox is due.
    pub(super) fn last_due(&self) -> u64 {
        self.inbox.back().map_or(0, |entry| entry.due)
    }

    /// Forgets the messages that wait for their place; a wish to leave stays.
    pub(super) fn drop_pending(&mut self) {
        self.pending.retain(|(_, pending)| matches!(pending, Pending::Leave));
        self.pending_bytes = 0;
    }

    fn awaits(&self, view: ViewId) -> bool {
        self.inbox.iter().any(|entry| matches!(&entry.body, Body::View(next) if next.id() == view))
    }

    fn stream_bytes(&self) -> usize {
        self.streams.values().flatten().map(|entry| entry.bytes.len()).sum()
    }

    /// The next message of a stream that may be delivered now. Passes over those whose view is over.
    fn next_stream(&mut self, now: u64, reachable: impl Fn(HostId) -> bool) -> Option<(MemberId, Vec<u8>)> {
        let mut found = None;
        let awaited: Vec<ViewId> = self
            .streams
            .values()
            .flatten()
            .map(|entry| entry.view)
            .filter(|&view| self.awaits(view))
            .collect();
        for (&from, queue) in &mut self.streams {
            while queue.front().is_some_and(|e| Some(e.view) != self.view && !awaited.contains(&e.view)) {
                queue.pop_front();
            }
            let ready = |entry: &StreamEntry| {
                entry.due <= now && Some(entry.view) == self.view && reachable(from.host)
            };
            if queue.front().is_some_and(ready) {
                found = queue.pop_front().map(|entry| (from, entry.bytes));
                break;
            }
        }
        self.streams.retain(|_, queue| !queue.is_empty());
        found
    }
}

impl Sequencer {
    pub(super) fn process_join(&mut self, now: u64, member: MemberId) {
        let up = self.is_up(member.host);
        let former = self.hosts.get(&member.host).and_then(|host| host.process);
        if !up {
            return self.expel(now, member, "its host is not part of the cluster's ring");
        }
        match former {
            Some(former) if former == member.incarnation => return,
            Some(former) if former > member.incarnation => {
                return self.expel(now, member, "a later run of this host's daemon is in the group");
            }
            Some(former) => self.process_gone(now, MemberId { host: member.host, incarnation: former }),
            None => {}
        }
        if let Some(host) = self.hosts.get_mut(&member.host) {
            host.process = Some(member.incarnation);
        }
        self.processes.insert(member, Process::default());
        let delay = self.dice.span(self.settings.order_delay);
        self.schedule(now + delay, Event::Reconcile(member.host));
    }

    /// A process died: some of what it sent still gets its place, and then the ring learns that it is gone.
    pub(super) fn process_gone(&mut self, now: u64, member: MemberId) {
        let Some(process) = self.processes.get_mut(&member) else { return };
        let sent: Vec<Pending> = process.pending.drain(..).map(|(_, pending)| pending).collect();
        let kept = self.dice.part_of(sent.len());
        for pending in sent.into_iter().take(kept) {
            if let (Pending::Message(bytes), Some(ring)) = (pending, self.open_ring_of(member)) {
                self.append(now, ring, Body::Message { from: member, bytes });
            }
        }
        if let Some(host) = self.hosts.get_mut(&member.host) {
            host.process = None;
        }
        self.remove_process(member);
        let delay = self.dice.span(self.settings.order_delay);
        self.schedule(now + delay, Event::Reconcile(member.host));
    }

    /// Forgets a process, and a part of what its streams still hold.
    pub(super) fn remove_process(&mut self, member: MemberId) {
        self.processes.remove(&member);
        for process in self.processes.values_mut() {
            if let Some(queue) = process.streams.get_mut(&member) {
                queue.truncate(self.dice.part_of(queue.len()));
            }
        }
    }

    fn expel(&mut self, now: u64, member: MemberId, reason: &str) {
        self.process_gone(now, member);
        self.outputs.push_back(Output::Expelled { member, reason: reason.to_owned() });
    }

    pub(super) fn transmit(&mut self, now: u64, from: MemberId, transmission: Transmission) {
        let Some(process) = self.processes.get_mut(&from) else { return };
        let pending = match transmission {
            Transmission::Multicast(bytes) if bytes.len() > MESSAGE_BYTES_MAXIMUM => {
                return self.expel(now, from, "it sent a message longer than the bus allows");
            }
            Transmission::Multicast(bytes) => {
                process.pending_bytes += bytes.len();
                Pending::Message(Arc::new(bytes))
            }
            Transmission::Leave => Pending::Leave,
            Transmission::ProceedWithout(hosts) => return self.proceed_without(now, from, &hosts),
            Transmission::Stream { to, bytes } => return self.stream(now, from, to, bytes),
        };
        if process.pending_bytes > PENDING_BYTES_MAXIMUM {
            return self.expel(now, from, "too many of its messages wait for their place in the order");
        }
        let last = process.pending.back().map_or(0, |(due, _)| *due);
        let due = last.max(now + self.dice.span(self.settings.order_delay));
        process.pending.push_back((due, pending));
        self.schedule(due, Event::Order(from));
    }

    fn stream(&mut self, now: u64, from: MemberId, to: MemberId, bytes: Vec<u8>) {
        let view = self.processes.get(&from).and_then(|process| process.view);
        let (Some(view), Some(receiver)) = (view, self.processes.get_mut(&to)) else { return };
        if bytes.len() > MESSAGE_BYTES_MAXIMUM {
            return self.expel(now, from, "it sent a stream message longer than the bus allows");
        }
        if receiver.stream_bytes() + bytes.len() > STREAM_BYTES_MAXIMUM {
            return self.expel(now, from, "too much waits on its streams");
        }
        let queue = receiver.streams.entry(from).or_default();
        let last = queue.back().map_or(0, |entry| entry.due);
        let due = last.max(now + self.dice.span(self.settings.stream_delay));
        queue.push_back(StreamEntry { view, due, bytes });
        self.schedule(due, Event::Stream(to));
    }

    /// Gives a process's messages their places, as far as they are due and its ring orders.
    pub(super) fn order(&mut self, now: u64, member: MemberId) {
        while self.first_pending_is_due(now, member) {
            let Some(ring) = self.ring_that_orders(member) else { return };
            let process = self.processes.get_mut(&member);
            let Some(process) = process else { return };
            match process.pending.pop_front() {
                Some((_, Pending::Message(bytes))) => {
                    process.pending_bytes = process.pending_bytes.saturating_sub(bytes.len());
                    self.append(now, ring, Body::Message { from: member, bytes });
                }
                Some((_, Pending::Leave)) => {
                    process.pending.clear();
                    self.process_gone(now, member);
                    self.reconcile(now, member.host);
                    self.outputs.push_back(Output::Left(member));
                }
                None => return,
            }
        }
    }

    fn first_pending_is_due(&self, now: u64, member: MemberId) -> bool {
        let first = self.processes.get(&member).and_then(|process| process.pending.front());
        first.is_some_and(|(due, _)| *due <= now)
    }

    /// Puts an entry at the end of a process's inbox, with a seeded delay.
    pub(super) fn push(&mut self, now: u64, to: MemberId, ring: RingId, position: u64, body: Body) -> u64 {
        let Some(process) = self.processes.get_mut(&to) else { return now };
        let mut delay = self.dice.span(self.settings.delivery_delay);
        if self.dice.chance(self.settings.stall) {
            delay += self.dice.span(self.settings.stall_delay);
        }
        let due = process.last_due().max(now + delay);
        process.inbox.push_back(Entry { ring, position, due, body });
        self.schedule(due, Event::Deliver(to));
        due
    }

    /// Delivers from a process's inbox, as far as it is due and has reached this side of a broken ring.
    pub(super) fn deliver(&mut self, now: u64, to: MemberId) {
        let Some(host) = self.hosts.get(&to.host) else { return };
        let (ring, reach) = (host.ring, host.reach.unwrap_or(u64::MAX));
        let Some(process) = self.processes.get_mut(&to) else { return };
        let ready = |entry: &Entry| entry.due <= now && (Some(entry.ring) != ring || entry.position <= reach);
        let mut viewed = false;
        while process.inbox.front().is_some_and(ready) {
            let Some(entry) = process.inbox.pop_front() else { break };
            process.delivered = Some((entry.ring, entry.position));
            let delivery = match entry.body {
                Body::View(view) => {
                    process.view = Some(view.id());
                    viewed = true;
                    Delivery::View(View::clone(&view))
                }
                Body::Message { from, bytes } => {
                    Delivery::Message { from, bytes: Arc::unwrap_or_clone(bytes) }
                }
            };
            self.outputs.push_back(Output::Deliver { to, delivery });
        }
        if viewed {
            self.schedule(now, Event::Stream(to));
        }
    }

    pub(super) fn deliver_streams(&mut self, now: u64, to: MemberId) {
        let cuts = &self.cuts;
        let reachable = |host: HostId| !cuts.contains(&super::ordered(host, to.host));
        let Some(process) = self.processes.get_mut(&to) else { return };
        while let Some((from, bytes)) = process.next_stream(now, reachable) {
            self.outputs.push_back(Output::Deliver { to, delivery: Delivery::Stream { from, bytes } });
        }
    }

    /// Will tell a process about its ring's quorum: at once, or after `view_due`.
    pub(super) fn tell_quorum(&mut self, now: u64, to: MemberId, ring: RingId, quorate: bool, view_due: u64) {
        let first = self.dice.chance(self.settings.quorum_first);
        let start = if first { now } else { view_due + self.dice.span(self.settings.quorum_delay) };
        let flap = quorate && self.dice.chance(self.settings.quorum_flap);
        let later = start + if flap { self.dice.span(self.settings.quorum_delay) } else { 0 };
        let Some(process) = self.processes.get_mut(&to) else { return };
        let last = process.quorum.back().map_or(0, |(due, _, _)| *due);
        let mut dues = Vec::new();
        if flap {
            process.quorum.push_back((last.max(start), ring, false));
            dues.push(last.max(start));
        }
        process.quorum.push_back((last.max(later), ring, quorate));
        dues.push(last.max(later));
        for due in dues {
            self.schedule(due, Event::Quorum(to));
        }
    }

    pub(super) fn deliver_quorum(&mut self, now: u64, to: MemberId) {
        let Some(process) = self.processes.get_mut(&to) else { return };
        while let Some(&(due, ring, quorate)) = process.quorum.front() {
            if due > now {
                break;
            }
            process.quorum.pop_front();
            self.outputs.push_back(Output::Deliver { to, delivery: Delivery::Quorum { ring, quorate } });
        }
    }

    /// The host's process that is alive, if any.
    pub(super) fn alive(&self, host: HostId) -> Option<Incarnation> {
        self.hosts.get(&host).and_then(|host| host.process)
    }

    /// Whether this connection of the process has its place in the group: it may be gone and back under its old
    /// name before its leaving got a place.
    pub(super) fn is_joined(&self, member: MemberId) -> bool {
        self.processes.get(&member).is_some_and(|process| process.joined.is_some())
    }
}
