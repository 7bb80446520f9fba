//! A model of Corosync, as unkind as its documents allow, with a group at each process.

use hafen_protocol::Transmission;
use hafen_protocol::conformance::{Cluster, HOSTS};

use super::*;

/// Draws from a seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((value ^ (value >> 31)) % bound.max(1) as u64) as usize
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// An entry in a ring's order.
#[derive(Clone)]
enum Entry {
    Packet(Address, Vec<u8>),
    Joined(Address),
    Left(Address),
}

struct Ring {
    id: RingId,
    hosts: BTreeSet<HostId>,
    log: Vec<Entry>,
}

struct Process {
    member: MemberId,
    group: Group,
    /// The processes that it was told last.
    known: BTreeSet<Address>,
    joined: bool,
    delivered: usize,
    /// Packets that have no place in the order yet.
    unsent: VecDeque<Vec<u8>>,
    /// What is told beside the order.
    beside: VecDeque<(u64, Side)>,
    leaving: bool,
    /// It does nothing until then.
    asleep_until: u64,
}

#[derive(Clone)]
enum Side {
    Hosts(RingId, BTreeSet<HostId>, BTreeSet<HostId>),
    Quorum(RingId, bool),
}

struct Host {
    ring: usize,
    process: Option<u32>,
}

/// Hosts, each with a Corosync and at most one process.
pub(super) struct Model {
    dice: Dice,
    now: u64,
    hosts: BTreeMap<HostId, Host>,
    rings: Vec<Ring>,
    processes: BTreeMap<Address, Process>,
    parts: Vec<BTreeSet<HostId>>,
    form_at: Option<u64>,
    next_process: u32,
    last_sequence: u64,
    out: Vec<(MemberId, Delivery)>,
    /// Processes that stop for seconds.
    pub(super) naps: bool,
}

impl Model {
    pub(super) fn new(seed: u64) -> Model {
        Model {
            dice: Dice(seed),
            now: 0,
            hosts: BTreeMap::new(),
            rings: Vec::new(),
            processes: BTreeMap::new(),
            parts: vec![(1..=HOSTS).map(HostId).collect()],
            form_at: None,
            next_process: 100,
            last_sequence: 4,
            out: Vec::new(),
            naps: false,
        }
    }

    fn clock(&self) -> Now {
        Now { monotonic_ms: self.now, wall_ms: 1_700_000_000_000 + self.now }
    }

    fn changed(&mut self) {
        let delay = 20 + self.dice.below(200) as u64;
        self.form_at.get_or_insert(self.now + delay);
    }

    /// Puts the hosts of a part into a new ring. Those who come from one ring first deliver the same of its order.
    fn form(&mut self, hosts: &BTreeSet<HostId>) {
        self.last_sequence += 4 + self.dice.below(3) as u64;
        let representative = hosts.first().copied().unwrap_or(HostId(0));
        let id = RingId { sequence: self.last_sequence, representative };
        let new = self.rings.len();
        let olds: BTreeSet<usize> = hosts.iter().map(|host| self.hosts[host].ring).collect();
        let mut entered: BTreeMap<usize, BTreeSet<HostId>> = BTreeMap::new();
        for &old in &olds {
            let together: BTreeSet<HostId> =
                hosts.iter().filter(|host| self.hosts[host].ring == old).copied().collect();
            self.finish(old, &together);
            entered.insert(old, together);
        }
        self.rings.push(Ring { id, hosts: hosts.clone(), log: Vec::new() });
        let members: BTreeSet<Address> = self
            .processes
            .iter()
            .filter(|(address, process)| hosts.contains(&address.host) && process.joined)
            .map(|(&address, _)| address)
            .collect();
        for (old, together) in entered {
            let left: BTreeSet<HostId> = self.rings[old].hosts.difference(&together).copied().collect();
            let addresses: Vec<Address> =
                self.processes.keys().filter(|address| together.contains(&address.host)).copied().collect();
            for address in addresses {
                self.enter(address, &members, &together, id, hosts, &left);
            }
        }
        for host in hosts {
            if let Some(host) = self.hosts.get_mut(host) {
                host.ring = new;
            }
        }
    }

    /// Corosync's words at a ring's change, to one process.
    fn enter(
        &mut self,
        address: Address,
        members: &BTreeSet<Address>,
        together: &BTreeSet<HostId>,
        id: RingId,
        hosts: &BTreeSet<HostId>,
        left: &BTreeSet<HostId>,
    ) {
        let now = self.clock();
        let quorate = hosts.len() * 2 > HOSTS as usize;
        let told = self.now + self.dice.below(60) as u64;
        let Some(process) = self.processes.get_mut(&address) else { return };
        process.delivered = 0;
        if process.joined {
            // First those who went, then those who came, then the ring.
            let stayed: BTreeSet<Address> =
                process.known.iter().filter(|other| together.contains(&other.host)).copied().collect();
            if stayed != process.known {
                let input = Input::Processes { processes: stayed.clone(), ring_follows: true };
                process.group.handle(now, input);
            }
            if stayed != *members {
                let input = Input::Processes { processes: members.clone(), ring_follows: true };
                process.group.handle(now, input);
            }
            process.known.clone_from(members);
            process.group.handle(now, Input::Ring { id, hosts: hosts.clone() });
        }
        process.beside.push_back((told, Side::Hosts(id, hosts.clone(), left.clone())));
        process.beside.push_back((told, Side::Quorum(id, quorate)));
        self.collect(address);
    }

    /// The end of a ring's order for those who stay together: all deliver up to the same place, and beyond it what is
    /// their own.
    fn finish(&mut self, old: usize, together: &BTreeSet<HostId>) {
        let addresses: Vec<Address> =
            self.processes.keys().filter(|address| together.contains(&address.host)).copied().collect();
        let farthest = addresses.iter().map(|address| self.processes[address].delivered).max().unwrap_or(0);
        let end = farthest + self.dice.below(self.rings[old].log.len() - farthest + 1);
        for address in addresses {
            while self.processes.get(&address).is_some_and(|process| process.delivered < end) {
                self.deliver(address, old);
            }
            for at in end..self.rings[old].log.len() {
                let (Entry::Packet(from, _) | Entry::Joined(from) | Entry::Left(from)) =
                    &self.rings[old].log[at];
                if together.contains(&from.host)
                    && let Some(process) = self.processes.get_mut(&address)
                {
                    process.delivered = at;
                    self.deliver(address, old);
                }
            }
        }
    }

    /// Delivers the next entry of its ring's order to a process.
    fn deliver(&mut self, address: Address, ring: usize) {
        let now = self.clock();
        let Some(process) = self.processes.get_mut(&address) else { return };
        let Some(entry) = self.rings[ring].log.get(process.delivered).cloned() else { return };
        process.delivered += 1;
        match entry {
            Entry::Packet(from, bytes) if process.joined => {
                process.group.handle(now, Input::Packet { from, bytes });
            }
            Entry::Packet(..) => {}
            Entry::Joined(other) => {
                if other == address {
                    process.joined = true;
                    // Who joins is told of all who were there before.
                    let mut processes = BTreeSet::new();
                    for entry in &self.rings[ring].log[..process.delivered] {
                        match entry {
                            Entry::Joined(address) => drop(processes.insert(*address)),
                            Entry::Left(address) => drop(processes.remove(address)),
                            Entry::Packet(..) => {}
                        }
                    }
                    process.known.extend(processes);
                } else if process.joined {
                    process.known.insert(other);
                }
                if process.joined {
                    let input = Input::Processes { processes: process.known.clone(), ring_follows: false };
                    process.group.handle(now, input);
                } else {
                    process.known.insert(other);
                }
            }
            Entry::Left(other) => {
                process.known.remove(&other);
                if process.joined {
                    let input = Input::Processes { processes: process.known.clone(), ring_follows: false };
                    process.group.handle(now, input);
                }
            }
        }
        self.collect(address);
    }

    /// Takes what a process wants.
    fn collect(&mut self, address: Address) {
        let Some(process) = self.processes.get_mut(&address) else { return };
        while let Some(output) = process.group.poll_output() {
            match output {
                Output::Cast(packet) => process.unsent.push_back(packet),
                Output::Deliver(delivery) => self.out.push((process.member, delivery)),
                Output::Withdraw => panic!("all speak the same protocol"),
            }
        }
    }

    /// Whether a ring is still one.
    fn whole(&self, ring: usize) -> bool {
        let ring = &self.rings[ring];
        ring.hosts.iter().all(|host| self.hosts.contains_key(host))
            && self.parts.iter().any(|part| ring.hosts.is_subset(part))
    }

    fn step(&mut self) {
        self.now += 1;
        if self.form_at.is_some_and(|due| due <= self.now) {
            self.form_at = None;
            let up: BTreeSet<HostId> = self.hosts.keys().copied().collect();
            let mut parts: Vec<BTreeSet<HostId>> =
                self.parts.iter().map(|part| part.intersection(&up).copied().collect()).collect();
            let alone = up.iter().filter(|host| !self.parts.iter().any(|part| part.contains(host)));
            parts.extend(alone.map(|&host| BTreeSet::from([host])));
            for part in parts {
                let rings: BTreeSet<usize> = part.iter().map(|host| self.hosts[host].ring).collect();
                let same = rings.len() == 1 && rings.iter().all(|&ring| self.rings[ring].hosts == part);
                if !part.is_empty() && !same {
                    self.form(&part);
                }
            }
        }
        let addresses: Vec<Address> = self.processes.keys().copied().collect();
        for address in addresses {
            self.turn(address);
        }
    }

    /// A process's turn: what is told beside the order, its time, its sending, its deliveries.
    fn turn(&mut self, address: Address) {
        let (now, ring) = (self.clock(), self.hosts[&address.host].ring);
        if self.naps && self.dice.below(15_000) == 0 {
            let until = self.now + 1000 + self.dice.below(4000) as u64;
            self.processes.entry(address).and_modify(|process| process.asleep_until = until);
        }
        let Some(process) = self.processes.get_mut(&address) else { return };
        if process.asleep_until > self.now {
            return;
        }
        while process.beside.front().is_some_and(|(due, _)| *due <= now.monotonic_ms) {
            match process.beside.pop_front() {
                Some((_, Side::Hosts(ring, hosts, left))) => {
                    process.group.handle(now, Input::Hosts { ring, hosts, left });
                }
                Some((_, Side::Quorum(ring, quorate))) => {
                    process.group.handle(now, Input::Quorum { ring, quorate });
                }
                None => {}
            }
        }
        if process.group.poll_timeout().is_some_and(|due| due <= now.monotonic_ms) {
            process.group.handle_timeout(now);
        }
        self.collect(address);
        let whole = self.whole(ring);
        // A broken ring may still order for one of its hosts.
        if whole || self.dice.chance(3) {
            self.order(address, ring);
        }
        for _ in 0..self.dice.below(4) {
            // What is ordered in a broken ring reaches its sender alone.
            if whole || self.dice.chance(10) {
                self.deliver(address, ring);
            }
        }
    }

    fn order(&mut self, address: Address, ring: usize) {
        for _ in 0..self.dice.below(3) {
            let Some(process) = self.processes.get_mut(&address) else { return };
            if !process.joined {
                return;
            }
            if let Some(packet) = process.unsent.pop_front() {
                self.rings[ring].log.push(Entry::Packet(address, packet));
            } else if process.leaving && !process.group.holds_data() {
                self.remove(address);
                return;
            }
        }
    }

    fn remove(&mut self, address: Address) {
        let ring = self.hosts.get(&address.host).map(|host| host.ring);
        self.processes.remove(&address);
        if let Some(ring) = ring {
            self.rings[ring].log.push(Entry::Left(address));
        }
        if let Some(host) = self.hosts.get_mut(&address.host) {
            host.process = None;
        }
    }
}

impl Cluster for Model {
    fn host_up(&mut self, host: HostId) {
        if self.hosts.contains_key(&host) {
            return;
        }
        self.last_sequence += 4;
        let id = RingId { sequence: self.last_sequence, representative: host };
        self.rings.push(Ring { id, hosts: BTreeSet::from([host]), log: Vec::new() });
        self.hosts.insert(host, Host { ring: self.rings.len() - 1, process: None });
        self.changed();
    }
    fn host_down(&mut self, host: HostId) {
        if self.hosts.remove(&host).is_some() {
            self.processes.retain(|address, _| address.host != host);
            self.changed();
        }
    }
    fn join(&mut self, member: MemberId) {
        let Some(host) = self.hosts.get_mut(&member.host) else { return };
        self.next_process += 1;
        let address = Address { host: member.host, process: self.next_process };
        host.process = Some(address.process);
        let ring = &mut self.rings[host.ring];
        let (id, hosts) = (ring.id, ring.hosts.clone());
        let quorate = hosts.len() * 2 > HOSTS as usize;
        // The members that came along from former rings are in nobody's log of this one.
        let mut known: BTreeSet<Address> = BTreeSet::new();
        for (&other, process) in &self.processes {
            let here = hosts.contains(&other.host) && process.joined;
            let logged = ring.log.iter().any(|entry| matches!(entry, Entry::Joined(a) if *a == other));
            if here && !logged {
                known.insert(other);
            }
        }
        let process = Process {
            member,
            group: Group::new(member, address.process),
            known,
            joined: false,
            delivered: ring.log.len(),
            unsent: VecDeque::new(),
            beside: VecDeque::from([
                (self.now + 5, Side::Hosts(id, hosts, BTreeSet::new())),
                (self.now + 5, Side::Quorum(id, quorate)),
            ]),
            leaving: false,
            asleep_until: 0,
        };
        ring.log.push(Entry::Joined(address));
        self.processes.insert(address, process);
    }
    fn kill(&mut self, member: MemberId) {
        let found = self.processes.iter().find(|(_, process)| process.member == member);
        if let Some(address) = found.map(|(&address, _)| address) {
            self.remove(address);
        }
    }
    fn transmit(&mut self, from: MemberId, transmission: Transmission) {
        let now = self.clock();
        let found = self.processes.iter_mut().find(|(_, process)| process.member == from);
        let Some((&address, process)) = found else { return };
        match transmission {
            Transmission::Multicast(bytes) => process.group.handle(now, Input::Send(bytes)),
            Transmission::Leave => process.leaving = true,
            Transmission::Stream { .. } | Transmission::ProceedWithout(_) => {}
        }
        self.collect(address);
    }
    fn partition(&mut self, parts: &[BTreeSet<HostId>]) {
        self.parts = parts.to_vec();
        self.changed();
    }
    fn heal(&mut self) {
        self.parts = vec![(1..=HOSTS).map(HostId).collect()];
        self.changed();
    }
    fn advance(&mut self, milliseconds: u64) -> Vec<(MemberId, Delivery)> {
        for _ in 0..milliseconds {
            self.step();
        }
        std::mem::take(&mut self.out)
    }
    fn exact_streams(&self) -> bool {
        false
    }
}
