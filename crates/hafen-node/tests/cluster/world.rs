//! A small cluster in one thread: nodes, the sequencer, disks that do not fail, and agents that do as they are told.

mod agents;
mod faults;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hafen_node::api::{Identity, Input, Output, Settings, StorageError};
use hafen_node::node::Node;
use hafen_node::testing::SimulatedDisk;
use hafen_protocol::client::{Event, Reply, Request, StatusReport};
use hafen_protocol::message::{Execute, FenceResult, ProofLevel};
use hafen_protocol::sequencer::{self, Sequencer};
use hafen_protocol::{Delivery, HostId, Incarnation, Machine, MemberId, Now, Transmission};

use agents::Agents;

/// What is due at some time.
#[derive(Debug, Clone)]
enum Due {
    AgentEnds(HostId, Incarnation, Box<Execute>),
    FenceEnds(HostId, Incarnation, Box<FenceResult>),
}

struct Host {
    node: Option<Node>,
    member: MemberId,
    boot: u64,
    disk: SimulatedDisk,
    remembered: Option<Vec<u8>>,
    /// What runs here, by resource.
    active: BTreeSet<String>,
    promoted: BTreeSet<String>,
    sequence: u64,
    full: bool,
    /// What reaches its daemon while that one is stopped.
    hung: Option<VecDeque<Input>>,
}

/// The cluster.
pub(crate) struct World {
    pub(crate) now_ms: u64,
    pub(crate) events: Vec<Event>,
    pub(crate) replies: BTreeMap<u64, Reply>,
    /// Agents that were run: host, task, resource.
    pub(crate) ran: Vec<(u32, String, String)>,
    /// How agents behave, and what is under way.
    pub(crate) agents: Agents,
    sequencer: Sequencer,
    hosts: BTreeMap<HostId, Host>,
    due: BTreeMap<(u64, u64), Due>,
    counter: u64,
    cib: String,
    configured: BTreeSet<HostId>,
    /// The hosts that the bus lists; nothing: the daemons' settings have them.
    nodelist: Option<BTreeSet<HostId>>,
    /// A daemon of another version.
    foreign: Option<(MemberId, u32)>,
    /// Whether fence agents fail.
    pub(crate) fencing_fails: bool,
    /// What each host's executor was told last of its watchdog.
    pub(crate) watchdogs: BTreeMap<u32, (bool, u64)>,
    /// Hosts that engines were told to go on without: who said so, and whom.
    pub(crate) proceeded: Vec<(u32, BTreeSet<HostId>)>,
    /// Daemons that ended by themselves, and why.
    pub(crate) exits: Vec<(u32, String)>,
}

impl World {
    /// A cluster of so many hosts, all of them booted.
    pub(crate) fn new(count: u32, cib: &str) -> World {
        World::with(count, cib, |_| ())
    }

    /// As `new`, with a bus that is not as calm.
    pub(crate) fn with(count: u32, cib: &str, change: impl Fn(&mut sequencer::Settings)) -> World {
        let configured: BTreeSet<HostId> = (1..=count).map(HostId).collect();
        let mut settings = sequencer::Settings::calm(configured.clone());
        change(&mut settings);
        let mut world = World {
            now_ms: 1_000,
            events: Vec::new(),
            replies: BTreeMap::new(),
            ran: Vec::new(),
            agents: Agents::default(),
            sequencer: Sequencer::new(settings, 1),
            hosts: BTreeMap::new(),
            due: BTreeMap::new(),
            counter: 0,
            cib: cib.to_string(),
            configured: configured.clone(),
            nodelist: None,
            foreign: None,
            fencing_fails: false,
            watchdogs: BTreeMap::new(),
            proceeded: Vec::new(),
            exits: Vec::new(),
        };
        for host in configured {
            world.boot(host);
        }
        world
    }

    /// A cluster of so many hosts whose daemons learn from the bus which hosts there are; none of them is booted.
    pub(crate) fn dark(count: u32, cib: &str, change: impl Fn(&mut sequencer::Settings)) -> World {
        let mut world = World::with(0, cib, |_| ());
        world.configured = (1..=count).map(HostId).collect();
        let mut settings = sequencer::Settings::calm(world.configured.clone());
        change(&mut settings);
        world.sequencer = Sequencer::new(settings, 1);
        world.nodelist = Some(world.configured.clone());
        world
    }

    /// The bus lists other hosts from now on.
    pub(crate) fn list_hosts(&mut self, hosts: &[u32]) {
        let hosts: BTreeSet<HostId> = hosts.iter().copied().map(HostId).collect();
        self.sequencer.settings_mut().configured.clone_from(&hosts);
        self.nodelist = Some(hosts);
        let running: Vec<HostId> = self.hosts.keys().copied().collect();
        for host in running {
            self.tell_hosts(host);
        }
    }

    fn tell_hosts(&mut self, host: HostId) {
        let Some(listed) = &self.nodelist else { return };
        let hosts = listed.iter().map(|&host| (host, format!("host{host}"))).collect();
        self.input(host, Input::Bus(Delivery::Hosts(hosts)));
    }

    /// The status that a host's daemon tells.
    pub(crate) fn status(&mut self, host: u32) -> StatusReport {
        let request = self.ask(host, Request::Status);
        match self.replies.remove(&request) {
            Some(Reply::Status(report)) => *report,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn now(&self) -> Now {
        Now { monotonic_ms: self.now_ms, wall_ms: 1_700_000_000_000 + self.now_ms }
    }

    pub(crate) fn node(&self, host: u32) -> &Node {
        self.hosts[&HostId(host)].node.as_ref().expect("a daemon")
    }

    pub(crate) fn active(&self, host: u32) -> &BTreeSet<String> {
        &self.hosts[&HostId(host)].active
    }

    /// Whether a host runs a resource.
    pub(crate) fn runs(&self, host: u32, resource: &str) -> bool {
        self.hosts.get(&HostId(host)).is_some_and(|host| host.active.contains(resource))
    }

    /// Fills a host's disk, or makes room on it.
    pub(crate) fn fill_disk(&mut self, host: u32, full: bool) {
        self.hosts.get_mut(&HostId(host)).expect("a host").full = full;
    }

    /// Boots a host and starts its daemon.
    pub(crate) fn boot(&mut self, host: HostId) {
        self.counter += 1;
        let member = MemberId { host, incarnation: Incarnation(self.counter) };
        let disk = self.hosts.remove(&host).map(|old| old.disk).unwrap_or_default();
        let boot = self.counter;
        let state = Host {
            node: None,
            member,
            boot,
            disk,
            remembered: None,
            active: BTreeSet::new(),
            promoted: BTreeSet::new(),
            sequence: 0,
            full: false,
            hung: None,
        };
        self.hosts.insert(host, state);
        self.sequencer(sequencer::Input::HostUp(host));
        self.start_daemon(host);
    }

    /// Starts a daemon in the boot that the host is in.
    pub(crate) fn start_daemon(&mut self, host: HostId) {
        self.counter += 1;
        let now = self.now();
        let configured = if self.nodelist.is_some() { BTreeSet::new() } else { self.configured.clone() };
        let hosts: BTreeMap<HostId, String> =
            configured.into_iter().map(|host| (host, format!("host{host}"))).collect();
        let state = self.hosts.get_mut(&host).expect("a host");
        state.member.incarnation = Incarnation(self.counter);
        let identity = Identity {
            host,
            uname: format!("host{host}"),
            incarnation: state.member.incarnation,
            boot_id: format!("boot-{}", state.boot),
        };
        let settings = Settings {
            cluster: "test".to_string(),
            hosts,
            daemon_restart_timeout_ms: 20_000,
            startup_wait_ms: 20_000,
            initial_cib: self.cib.clone(),
            transition_uuid: format!("00000000-0000-0000-0000-{:012}", self.counter),
        };
        let files = state.disk.files();
        let node = Node::new(identity, settings, &files, state.remembered.as_deref(), now).expect("a node");
        state.node = Some(node);
        state.hung = None;
        let member = state.member;
        self.tell_hosts(host);
        let connected =
            Input::ExecutorConnected { accepted: Vec::new(), results: Vec::new(), recovered: false };
        self.input(host, connected);
        self.sequencer(sequencer::Input::ProcessJoin(member));
    }

    /// Cuts a host's power.
    pub(crate) fn power_off(&mut self, host: HostId) {
        let state = self.hosts.get_mut(&host).expect("a host");
        state.node = None;
        state.active.clear();
        state.promoted.clear();
        self.agents.power_off(host);
        state.remembered = None;
        state.disk.crash(&mut || 1);
        self.sequencer(sequencer::Input::HostDown(host));
    }

    /// Ends a host's daemon without a word.
    pub(crate) fn kill_daemon(&mut self, host: HostId) {
        let state = self.hosts.get_mut(&host).expect("a host");
        state.node = None;
        let member = state.member;
        self.sequencer(sequencer::Input::ProcessGone(member));
    }

    pub(crate) fn sequencer(&mut self, input: sequencer::Input) {
        let now = self.now();
        self.sequencer.handle(now, input);
        self.drain_sequencer();
    }

    /// Asks a host's daemon.
    pub(crate) fn ask(&mut self, host: u32, body: Request) -> u64 {
        let request = self.number();
        self.input(HostId(host), Input::Client { request, body });
        request
    }

    /// A number for a request.
    pub(crate) fn number(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// Lets time pass until a condition holds; panics with the story when it does not within a minute.
    pub(crate) fn until(&mut self, what: &str, condition: impl Fn(&World) -> bool) {
        let end = self.now_ms + 60_000;
        loop {
            // What is said now is heard now, before any time passes.
            self.drain_sequencer();
            if condition(self) {
                return;
            }
            assert!(self.now_ms < end, "not within a minute: {what}\n{}", self.story());
            self.step(end);
        }
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, milliseconds: u64) {
        let end = self.now_ms + milliseconds;
        while self.now_ms < end {
            self.step(end);
        }
    }

    /// The events so far, a line each.
    pub(crate) fn story(&self) -> String {
        let line = |event: &Event| {
            format!("{} {} {} {} ({})", event.number, event.host, event.kind, event.text, event.cause)
        };
        self.events.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn step(&mut self, end: u64) {
        self.drain_sequencer();
        let awake = |host: &&Host| host.hung.is_none();
        let timers = self.hosts.values().filter(awake).filter_map(|host| host.node.as_ref()?.poll_timeout());
        let next = timers
            .chain(self.sequencer.poll_timeout())
            .chain(self.due.first_key_value().map(|((at, _), _)| *at))
            .min()
            .unwrap_or(end)
            .clamp(self.now_ms, end);
        self.now_ms = next.max(self.now_ms + u64::from(next == self.now_ms));
        let now = self.now();
        while let Some(entry) = self.due.first_entry().filter(|entry| entry.key().0 <= now.monotonic_ms) {
            let due = entry.remove();
            self.happen(due);
        }
        self.sequencer.handle_timeout(now);
        self.drain_sequencer();
        let late: Vec<HostId> = self
            .hosts
            .iter()
            .filter(|(_, host)| {
                let due = host.node.as_ref().and_then(Machine::poll_timeout);
                host.hung.is_none() && due.is_some_and(|at| at <= now.monotonic_ms)
            })
            .map(|(&host, _)| host)
            .collect();
        for host in late {
            if let Some(node) = self.hosts.get_mut(&host).and_then(|host| host.node.as_mut()) {
                node.handle_timeout(now);
            }
            self.drain(host);
        }
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::AgentEnds(host, boot, order) => {
                if self.hosts.get(&host).is_some_and(|state| state.boot == boot.0) {
                    self.agent_ends(host, order);
                }
            }
            Due::FenceEnds(host, boot, result) => {
                if self.hosts.get(&host).is_some_and(|state| state.boot == boot.0) {
                    self.input(host, Input::FenceEnded(result));
                }
            }
        }
    }

    fn drain_sequencer(&mut self) {
        while let Some(output) = self.sequencer.poll_output() {
            if let sequencer::Output::Deliver { to, delivery: Delivery::View(view) } = &output
                && let Some((member, protocol)) = self.foreign.filter(|(member, _)| member == to)
            {
                self.greet_as_foreigner(member, protocol, view);
                continue;
            }
            if let sequencer::Output::Deliver { to, delivery } = output
                && self.hosts.get(&to.host).is_some_and(|host| host.node.is_some() && host.member == to)
            {
                self.input(to.host, Input::Bus(delivery));
            }
        }
    }

    pub(crate) fn input(&mut self, host: HostId, input: Input) {
        let now = self.now();
        let Some(state) = self.hosts.get_mut(&host) else { return };
        if let Some(backlog) = &mut state.hung {
            return backlog.push_back(input);
        }
        let Some(node) = state.node.as_mut() else { return };
        node.handle(now, input);
        self.drain(host);
    }

    fn drain(&mut self, host: HostId) {
        let mut answers = VecDeque::new();
        for _ in 0..10_000 {
            let Some(state) = self.hosts.get_mut(&host) else { return };
            let Some(node) = state.node.as_mut() else { return };
            let Some(output) = node.poll_output() else {
                let Some(input) = answers.pop_front() else { return };
                let now = Now { monotonic_ms: self.now_ms, wall_ms: 1_700_000_000_000 + self.now_ms };
                node.handle(now, input);
                continue;
            };
            let (member, boot) = (state.member, Incarnation(state.boot));
            match output {
                Output::Bus(transmission) => {
                    let now = self.now();
                    if let Transmission::ProceedWithout(hosts) = &transmission {
                        self.proceeded.push((host.0, hosts.clone()));
                    }
                    self.sequencer.handle(now, sequencer::Input::Transmit { from: member, transmission });
                }
                Output::Storage { token, effect } => {
                    let result = if state.full { Err(StorageError::Full) } else { state.disk.apply(&effect) };
                    answers.push_back(Input::Storage { token, result });
                }
                Output::Remember(bytes) => state.remembered = Some(bytes),
                Output::Run(order) => {
                    self.agent_begins(host, boot, order);
                }
                Output::Fence(start) => {
                    let outcome = if self.fencing_fails {
                        Err("the device does not answer".to_string())
                    } else {
                        self.power_off(start.target);
                        Ok(ProofLevel::OffVerified)
                    };
                    let device = start.levels.iter().flatten().next().map(|device| device.id.clone());
                    let wall_ms = self.now().wall_ms;
                    let result = FenceResult {
                        id: start.id,
                        outcome,
                        device,
                        tried: Vec::new(),
                        took_ms: 100,
                        wall_ms,
                    };
                    self.later(100, Due::FenceEnds(host, boot, Box::new(result)));
                }
                Output::Reply { request, reply } => {
                    self.replies.insert(request, *reply);
                }
                Output::Event(event) => self.events.push(Event { number: self.now_ms, ..event }),
                Output::Cancel { resource, task, interval_ms } => {
                    self.agents.cancelled(host, resource, task, interval_ms);
                }
                Output::AcknowledgeResults { .. } | Output::SaveInput { .. } | Output::Alert(_) => {}
                Output::Watchdog { feed, timeout_ms } => {
                    self.watchdogs.insert(host.0, (feed, timeout_ms));
                }
                Output::Exit { reason } => {
                    self.exits.push((host.0, reason));
                    return self.kill_daemon(host);
                }
            }
        }
        panic!("host {host} never stops putting out");
    }

    fn later(&mut self, milliseconds: u64, due: Due) {
        self.counter += 1;
        self.due.insert((self.now_ms + milliseconds, self.counter), due);
    }
}
