//! The seeded sequencer: a whole cluster's engine of the bus as one machine, which produces the contract's worst.
//!
//! It is the model of Corosync that the lab's hub and the simulation share. Hosts that can all reach each other form
//! a *ring*; a ring orders messages and the coming and going of processes; each process delivers that order at its
//! own pace. When a link or a host is lost the ring is *broken*: it orders nothing more, except that one host may
//! still order its own messages for its own side. After the detection delay each side forms a new ring. Those that
//! pass into it together first deliver the same rest of the old order; how long that rest is differs from side to
//! side (`formation`). What had no place in the order yet gets one in the new ring, or is lost.
//!
//! What it guarantees beyond the total order: a sender's messages keep their order; a host or process that went away
//! and came back was missing from a view in between; a stream's message arrives in the view in which it was sent.

mod formation;
mod process;
mod ring;
mod settings;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::machine::{Machine, Now};
use crate::view::{Delivery, HostId, Incarnation, MemberId, RingId, Transmission};

use process::Process;
use ring::Ring;
pub(crate) use settings::Dice;
pub use settings::{PerMille, Settings, Span};

/// Messages of one process that wait for their place in the order hold at most this many bytes (64 MiB).
pub const PENDING_BYTES_MAXIMUM: usize = 64 << 20;

/// Stream messages that wait for one receiver hold at most this many bytes (192 MiB).
pub const STREAM_BYTES_MAXIMUM: usize = 192 << 20;

/// What happens to the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A host has booted and takes part in rings.
    HostUp(HostId),
    /// A host is gone, with its process: crashed, off, or its part of the bus ended.
    HostDown(HostId),
    /// A daemon asks to join the group. A former one of the same host that is still there is taken for dead.
    ProcessJoin(MemberId),
    /// A daemon is gone without a word.
    ProcessGone(MemberId),
    /// A daemon sends.
    Transmit {
        /// Which one.
        from: MemberId,
        /// What.
        transmission: Transmission,
    },
    /// The link between two hosts is cut.
    Cut(HostId, HostId),
    /// The link between two hosts is healed.
    Heal(HostId, HostId),
    /// All links of a host are cut.
    Isolate(HostId),
    /// All links of a host are healed.
    Reconnect(HostId),
    /// Only hosts of the same part reach each other; a host that is in no part is alone.
    Partition(Vec<BTreeSet<HostId>>),
    /// All links are healed.
    HealAll,
    /// The ring of a host forms anew of the same hosts: somebody is heard that does not get in.
    Reform(HostId),
}

/// What the sequencer wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// A delivery to a process.
    Deliver {
        /// To whom.
        to: MemberId,
        /// What.
        delivery: Delivery,
    },
    /// A process has left as it asked to; nothing more is delivered to it.
    Left(MemberId),
    /// A process is thrown out of the group; nothing more is delivered to it.
    Expelled {
        /// Which one.
        member: MemberId,
        /// Why.
        reason: String,
    },
    /// A ring has formed: for logs.
    Ring {
        /// Its name.
        ring: RingId,
        /// Its hosts.
        hosts: BTreeSet<HostId>,
        /// Whether it has quorum.
        quorate: bool,
    },
}

/// A host, up or not.
#[derive(Debug, Default)]
struct Host {
    up: bool,
    ring: Option<RingId>,
    /// The highest ring sequence that this host took part in; it outlives a boot, as Corosync keeps it on disk.
    ring_sequence: u64,
    process: Option<Incarnation>,
    /// In a broken ring: the last position of the order that has reached this side.
    reach: Option<u64>,
    /// Has been in a ring with quorum since it booted (`wait_for_all`), or was told to wait no more.
    released: bool,
    /// Hosts whose votes are not expected any more, because a human has proven them off; until they are seen again.
    without: BTreeSet<HostId>,
}

/// What is due at some time.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Event {
    /// Give this process's waiting messages their places.
    Order(MemberId),
    /// Deliver from this process's inbox.
    Deliver(MemberId),
    /// Deliver what streams hold for this process.
    Stream(MemberId),
    /// Tell this process about quorum.
    Quorum(MemberId),
    /// Let the ring know which process this host has.
    Reconcile(HostId),
    /// Form a ring of exactly these hosts, if that is still wanted.
    Form(BTreeSet<HostId>),
}

/// The engine of a whole cluster.
#[derive(Debug)]
pub struct Sequencer {
    settings: Settings,
    dice: Dice,
    hosts: BTreeMap<HostId, Host>,
    processes: BTreeMap<MemberId, Process>,
    rings: BTreeMap<RingId, Ring>,
    /// Cut links, the lower host first.
    cuts: BTreeSet<(HostId, HostId)>,
    /// Rings that are about to form, and when.
    forming: BTreeMap<BTreeSet<HostId>, u64>,
    agenda: BTreeMap<(u64, u64), Event>,
    agenda_counter: u64,
    outputs: VecDeque<Output>,
}

impl Sequencer {
    /// All hosts off, all links whole. The same seed, settings and inputs give the same outputs.
    pub fn new(settings: Settings, seed: u64) -> Sequencer {
        let host =
            || Host { ring_sequence: settings.first_ring_sequence.saturating_sub(1), ..Host::default() };
        let hosts = settings.configured.iter().map(|&id| (id, host())).collect();
        Sequencer {
            settings,
            dice: Dice::new(seed),
            hosts,
            processes: BTreeMap::new(),
            rings: BTreeMap::new(),
            cuts: BTreeSet::new(),
            forming: BTreeMap::new(),
            agenda: BTreeMap::new(),
            agenda_counter: 0,
            outputs: VecDeque::new(),
        }
    }

    /// The settings; changes apply to what happens from now on.
    pub fn settings_mut(&mut self) -> &mut Settings {
        &mut self.settings
    }

    /// The rings that have hosts, in the order of their names: hosts that are still in it, and whether it has quorum.
    pub fn rings(&self) -> Vec<(RingId, BTreeSet<HostId>, bool)> {
        let present = |ring: RingId| {
            self.hosts.iter().filter(|(_, host)| host.ring == Some(ring)).map(|(&id, _)| id).collect()
        };
        self.rings.iter().map(|(&id, ring)| (id, present(id), ring.quorate)).collect()
    }

    /// The links that are cut, the lower host first.
    pub fn cuts(&self) -> &BTreeSet<(HostId, HostId)> {
        &self.cuts
    }

    /// Whether a host is up.
    pub fn is_up(&self, host: HostId) -> bool {
        self.hosts.get(&host).is_some_and(|host| host.up)
    }

    fn schedule(&mut self, at: u64, event: Event) {
        self.agenda_counter += 1;
        self.agenda.insert((at, self.agenda_counter), event);
    }

    /// Carries out everything that is due, in the order of its times.
    fn run(&mut self, now: u64) {
        while let Some(entry) = self.agenda.first_entry() {
            let (due, _) = *entry.key();
            if due > now {
                break;
            }
            match entry.remove() {
                Event::Order(member) => self.order(due, member),
                Event::Deliver(member) => self.deliver(due, member),
                Event::Stream(member) => self.deliver_streams(due, member),
                Event::Quorum(member) => self.deliver_quorum(due, member),
                Event::Reconcile(host) => self.reconcile(due, host),
                Event::Form(hosts) => {
                    if self.forming.get(&hosts) == Some(&due) {
                        self.forming.remove(&hosts);
                        self.form(due, &hosts);
                    }
                }
            }
        }
    }

    fn set_links(&mut self, now: u64, cut: impl Fn(HostId, HostId, bool) -> bool) {
        let ids: Vec<HostId> = self.hosts.keys().copied().collect();
        for (index, &low) in ids.iter().enumerate() {
            for &high in &ids[index + 1..] {
                let pair = (low, high);
                if cut(low, high, self.cuts.contains(&pair)) {
                    self.cuts.insert(pair);
                } else {
                    self.cuts.remove(&pair);
                }
            }
        }
        self.topology_changed(now);
    }

    fn links_changed(&mut self, now: u64, input: &Input) {
        match input {
            Input::Cut(one, two) => {
                self.set_links(now, |a, b, was| was || (a, b) == ordered(*one, *two));
            }
            Input::Heal(one, two) => {
                self.set_links(now, |a, b, was| was && (a, b) != ordered(*one, *two));
            }
            Input::Isolate(host) => self.set_links(now, |a, b, was| was || a == *host || b == *host),
            Input::Reconnect(host) => self.set_links(now, |a, b, was| was && a != *host && b != *host),
            Input::Partition(parts) => {
                self.set_links(now, |a, b, _| {
                    !parts.iter().any(|part| part.contains(&a) && part.contains(&b))
                });
            }
            _ => self.set_links(now, |_, _, _| false),
        }
    }

    fn host_up(&mut self, now: u64, id: HostId) {
        let first = self.settings.first_ring_sequence.saturating_sub(1);
        let host = self.hosts.entry(id).or_insert_with(|| Host { ring_sequence: first, ..Host::default() });
        if host.up {
            return;
        }
        host.up = true;
        host.released = false;
        self.topology_changed(now);
    }

    fn host_down(&mut self, now: u64, id: HostId) {
        let Some(host) = self.hosts.get_mut(&id) else { return };
        if !host.up {
            return;
        }
        host.up = false;
        host.ring = None;
        host.reach = None;
        if let Some(incarnation) = host.process.take() {
            self.remove_process(MemberId { host: id, incarnation });
        }
        self.topology_changed(now);
    }
}

fn ordered(one: HostId, two: HostId) -> (HostId, HostId) {
    if one < two { (one, two) } else { (two, one) }
}

impl Machine for Sequencer {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, now: Now, input: Input) {
        let now = now.monotonic_ms;
        self.run(now);
        match input {
            Input::HostUp(host) => self.host_up(now, host),
            Input::HostDown(host) => self.host_down(now, host),
            Input::ProcessJoin(member) => self.process_join(now, member),
            Input::ProcessGone(member) => self.process_gone(now, member),
            Input::Transmit { from, transmission } => self.transmit(now, from, transmission),
            Input::Reform(host) => self.reform(now, host),
            links => self.links_changed(now, &links),
        }
        self.run(now);
    }

    fn handle_timeout(&mut self, now: Now) {
        self.run(now.monotonic_ms);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<u64> {
        self.agenda.keys().next().map(|&(due, _)| due)
    }
}
