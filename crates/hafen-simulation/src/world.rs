//! The world: hosts, network, fence device and clients on one virtual clock, and one agenda of what happens next.

mod aims;
mod checks;
mod clients;
mod daemon;
mod disk;
mod faults;
mod fencing;
mod hang;
mod hosts;
mod links;
mod network;
mod operations;
mod operator;
mod power;
mod quorum;
mod watchdog;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use hafen_protocol::sequencer::{Output as NetworkOutput, Sequencer};
use hafen_protocol::view::{RingId, ViewId};
use hafen_protocol::{HostId, Incarnation, MemberId, Now};

use crate::agents::Agents;
use crate::clients::Clients;
use crate::configuration::uname;
use crate::device::Devices;
use crate::dice::{Dice, bounds};
use crate::executor::RecurringKey;
use crate::fault::Fault;
use crate::fencer::Fencer;
use crate::host::Host;
use crate::invariants::no_fencing_storm::Causes;
use crate::invariants::same_order_same_state::Observed;
use crate::invariants::{Invariant, Violation};
use crate::mutant::Mutant;
use crate::options::{FAULTS_UNTIL_MS, Options, SETTLES_WITHIN_MS, STAYS_SETTLED_MS};
use crate::situations::{Situation, Table};
use crate::trace::Trace;
use crate::votequorum::Votequorum;

/// The date at which every run begins: milliseconds since the Unix epoch.
pub const EPOCH_MS: u64 = 1_760_000_000_000;
/// A run in which more happens than this does not end by itself.
pub const HAPPENINGS_MAXIMUM: u64 = 20_000_000;

/// How many inputs of the scheduler are kept.
const INPUTS_MAXIMUM: usize = 6;

/// What happens at some time. What concerns a run of a daemon, or a boot, names it, and is void after its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Happening {
    /// The network has something due.
    Network,
    /// A node's time-out is due.
    Wake(HostId, Incarnation),
    /// The disk has carried out the first effect in a daemon's queue.
    EffectEnds(HostId, Incarnation),
    /// A daemon connects to its executor.
    Connect(HostId, Incarnation),
    /// A daemon's engine of the bus is back.
    Attach(HostId, Incarnation),
    /// A host has booted.
    Booted(HostId, u64),
    /// A daemon starts.
    DaemonStarts(HostId, u64),
    /// A new executor takes over.
    ExecutorStarts(HostId, u64),
    /// What an operation does takes hold.
    OperationHolds(HostId, u64, u64),
    /// An operation ends.
    OperationEnds(HostId, u64, u64),
    /// A recurring operation is due again.
    Recurs(HostId, u64, RecurringKey, u64),
    /// The delay before a fencing is over.
    FencingBegins(u64),
    /// A fence device does what it was asked.
    DeviceHolds(fencing::Request),
    /// A fence device answers.
    DeviceAnswers(fencing::Request),
    /// A host's watchdog resets it, unless it is fed.
    WatchdogExpires(HostId, u64),
    /// A host that lost quorum at that time must have stopped what it runs.
    MustHaveStopped(HostId, u64, u64),
    /// A host that was reset comes back.
    ComesBack(HostId),
    /// Somebody gives a host its power back, if it has none.
    PowerOn(HostId),
    /// A fault is armed.
    FaultArmed(usize),
    /// An aimed fault has waited long enough.
    PatienceEnds(usize),
    /// A fault ends.
    FaultEnds(usize),
    /// A client does something.
    Client,
    /// A client goes away without waiting for its answer.
    ClientGone(MemberId, u64),
    /// All faults end, whatever they are.
    Quiet,
    /// A daemon is told of the quorum of a ring.
    QuorumTold(MemberId, RingId),
    /// The server of the quorum device decides, unless something changed since it began to.
    DeviceDecides(u64),
    /// The ring of a host forms again, as long as a fault lasts.
    RingReforms(usize),
    /// A host's Corosync starts again.
    CorosyncStarts(HostId, u64),
    /// The operator looks at the status.
    OperatorLooks,
    /// A host reads the node list as it is now.
    ListReloads(HostId),
    /// A host that was to leave for good has not left in time.
    RemovalEnds(HostId),
    /// A host that has left for good is taken away.
    HostGone(HostId),
    /// A daemon that hung goes on.
    DaemonGoesOn(HostId, Incarnation),
    /// From now on the cluster must be settled.
    Settled,
    /// Look whether it still is.
    StillSettled,
    /// The run is over.
    End,
}

/// The whole world of one run.
pub struct World {
    /// What the run is made of.
    pub options: Options,
    mutant: Option<Mutant>,
    now_us: u64,
    agenda: BTreeMap<(u64, u64), Happening>,
    agenda_counter: u64,
    network_due_us: Option<u64>,
    mail: VecDeque<NetworkOutput>,
    hosts: BTreeMap<HostId, Host>,
    sequencer: Sequencer,
    quorum: Votequorum,
    /// Counts what the server of the quorum device has to decide.
    decision: u64,
    agents: Agents,
    devices: Devices,
    fencings: BTreeMap<u64, Fencer>,
    fencing_number: u64,
    /// Hosts that lost their power by a fence device, and when, in simulated milliseconds.
    shot: Vec<(HostId, u64)>,
    clients: Clients,
    armed: BTreeSet<usize>,
    active: BTreeMap<usize, Option<HostId>>,
    struck: usize,
    quiet: bool,
    causes: Causes,
    failed_stops: BTreeMap<HostId, u64>,
    /// Hosts that have joined so far.
    joined: u32,
    /// An operator has said that hosts are off: others may have gone on without knowing it.
    word_given: bool,
    observed: Observed,
    /// When each view was first delivered to anybody.
    views: BTreeMap<ViewId, u64>,
    /// What was reached.
    pub table: Table,
    /// The log.
    pub trace: Trace,
    inputs: VecDeque<(String, String, u64)>,
    violation: Option<Violation>,
    dice: Dice,
    disk_dice: Dice,
    agent_dice: Dice,
    device_dice: Dice,
}

/// How a run ended.
#[derive(Debug)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// What did not hold, if anything.
    pub violation: Option<Violation>,
    /// What was reached.
    pub table: Table,
    /// The hash of the log.
    pub hash: u64,
    /// How many lines the log had.
    pub lines: u64,
    /// How many faults struck.
    pub faults: usize,
    /// How long it was, in simulated milliseconds.
    pub simulated_ms: u64,
    /// Changes that were acknowledged, refused, and of unknown outcome.
    pub changes: (u64, u64, u64),
    /// Hosts that lost their power by a fence device, and when, in simulated milliseconds.
    pub shot: Vec<(HostId, u64)>,
    /// The last inputs of the scheduler: the host's name and the transition's number, the CIB, and the date.
    pub inputs: Vec<(String, String, u64)>,
    /// The end of the log.
    pub tail: Vec<String>,
    /// The options, to read.
    pub options: String,
}

impl World {
    /// A world before its beginning.
    pub fn new(options: Options, mutant: Option<Mutant>, keep_all: bool) -> World {
        let seed = options.seed;
        let mut skew = Dice::new(seed, "clocks");
        let hosts = (1..=options.hosts)
            .map(|id| (HostId(id), Host::new(HostId(id), uname(id), skew.within(bounds(0, 1_500)))))
            .collect();
        let sequencer = network::sequencer(&options);
        let quorum = Votequorum::new(options.quorum, &(1..=options.hosts).map(HostId).collect());
        World {
            mutant,
            now_us: 0,
            agenda: BTreeMap::new(),
            agenda_counter: 0,
            network_due_us: None,
            mail: VecDeque::new(),
            hosts,
            sequencer,
            quorum,
            decision: 0,
            agents: Agents::default(),
            devices: Devices {
                takes_ms: options.moment.map(|moment| moment.device_takes_ms),
                ..Devices::default()
            },
            fencings: BTreeMap::new(),
            fencing_number: 0,
            shot: Vec::new(),
            clients: Clients::new(Dice::new(seed, "clients"), options.overrides),
            armed: BTreeSet::new(),
            active: BTreeMap::new(),
            struck: 0,
            quiet: false,
            causes: Causes::default(),
            failed_stops: BTreeMap::new(),
            joined: 0,
            word_given: false,
            observed: Observed::default(),
            views: BTreeMap::new(),
            table: Table::default(),
            trace: Trace::new(keep_all),
            inputs: VecDeque::new(),
            violation: None,
            dice: Dice::new(seed, "world"),
            disk_dice: Dice::new(seed, "disks"),
            agent_dice: Dice::new(seed, "agents"),
            device_dice: Dice::new(seed, "device"),
            options,
        }
    }

    /// Runs it to its end, or to the first violation.
    pub fn run(&mut self) {
        self.begin();
        let mut count = 0;
        while self.violation.is_none() {
            let Some(((at_us, _), happening)) = self.agenda.pop_first() else { break };
            debug_assert!(at_us >= self.now_us, "time does not go back");
            self.now_us = at_us;
            self.happen(happening);
            self.strike_armed();
            count += 1;
            if count > HAPPENINGS_MAXIMUM {
                self.violate(Invariant::Sound, "too much happens");
            }
        }
    }

    fn begin(&mut self) {
        let ids: Vec<HostId> = self.hosts.keys().copied().collect();
        for host in ids {
            let after_ms = self.dice.within(bounds(0, 5_000));
            self.after_ms(after_ms, Happening::PowerOn(host));
        }
        for index in 0..self.options.faults.len() {
            let at_ms = self.options.faults[index].at_ms;
            self.after_ms(at_ms, Happening::FaultArmed(index));
        }
        if let Some(moment) = self.options.moment {
            return self.after_ms(moment.ends_ms, Happening::End);
        }
        self.after_ms(30_000, Happening::Client);
        self.after_ms(60_000, Happening::OperatorLooks);
        let last_ms = self.options.faults.iter().map(|fault| fault.at_ms + fault.lasts_ms).max().unwrap_or(0);
        let quiet_ms = FAULTS_UNTIL_MS.max(last_ms.min(FAULTS_UNTIL_MS + 60_000));
        self.after_ms(quiet_ms, Happening::Quiet);
        self.after_ms(quiet_ms + SETTLES_WITHIN_MS, Happening::Settled);
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Network => self.network_due(),
            Happening::Wake(host, run) => self.wake(host, run),
            Happening::EffectEnds(host, run) => self.effect_ends(host, run),
            Happening::Connect(host, run) => self.connect(host, run),
            Happening::Attach(host, run) => self.attach(host, run),
            Happening::Booted(host, boot) => self.booted(host, boot),
            Happening::DaemonStarts(host, boot) => self.daemon_starts(host, boot),
            Happening::ExecutorStarts(host, boot) => self.executor_starts(host, boot),
            Happening::OperationHolds(host, boot, serial) => self.operation_holds(host, boot, serial),
            Happening::OperationEnds(host, boot, serial) => self.operation_ends(host, boot, serial),
            Happening::Recurs(host, boot, key, generation) => self.recurs(host, boot, &key, generation),
            Happening::FencingBegins(number) => self.fencing_begins(number),
            Happening::DeviceHolds(request) => self.device_holds(&request),
            Happening::DeviceAnswers(request) => self.device_answers(request),
            Happening::PowerOn(host) => self.restore_power(host),
            Happening::FaultArmed(index) => self.fault_armed(index),
            Happening::PatienceEnds(index) => self.patience_ends(index),
            Happening::FaultEnds(index) => self.fault_ends(index),
            Happening::Client => self.client_acts(),
            Happening::ClientGone(to, request) => self.client_gone(to, request),
            Happening::Quiet => self.quiet(),
            Happening::QuorumTold(member, ring) => self.quorum_told(member, ring),
            Happening::DeviceDecides(decision) => self.device_decides(decision),
            Happening::RingReforms(index) => self.ring_reforms(index),
            Happening::WatchdogExpires(host, boot) => self.watchdog_expires(host, boot),
            Happening::MustHaveStopped(host, boot, since) => self.must_have_stopped(host, boot, since),
            Happening::ComesBack(host) => self.power_on(host),
            Happening::OperatorLooks => self.operator_looks(),
            Happening::ListReloads(host) => self.list_reloads(host),
            Happening::RemovalEnds(host) => self.removal_ends(host),
            Happening::HostGone(host) => self.host_is_gone(host),
            Happening::CorosyncStarts(host, boot) => self.corosync_starts(host, boot),
            Happening::DaemonGoesOn(host, run) => self.daemon_goes_on(host, run),
            Happening::Settled => {
                self.check_settled();
                for half_minutes in 1..=STAYS_SETTLED_MS / 30_000 {
                    self.after_ms(half_minutes * 30_000, Happening::StillSettled);
                }
                self.agenda.retain(|_, next| !matches!(next, Happening::Client | Happening::OperatorLooks));
                self.after_ms(STAYS_SETTLED_MS + 1, Happening::End);
            }
            Happening::End => self.agenda.clear(),
            Happening::StillSettled => self.still_settled(),
        }
    }

    fn after_us(&mut self, us: u64, happening: Happening) {
        self.agenda_counter += 1;
        self.agenda.insert((self.now_us + us, self.agenda_counter), happening);
    }

    fn after_ms(&mut self, ms: u64, happening: Happening) {
        self.after_us(ms * 1_000, happening);
    }

    fn now_ms(&self) -> u64 {
        self.now_us / 1_000
    }

    /// What the clocks of a host say.
    fn now_of(&self, host: HostId) -> Now {
        let (powered_us, ahead_ms) =
            self.hosts.get(&host).map_or((0, 0), |host| (host.powered_us, host.ahead_ms));
        Now {
            monotonic_ms: (self.now_us / 1_000).saturating_sub(powered_us / 1_000) + 1_000,
            wall_ms: EPOCH_MS + self.now_ms() + ahead_ms,
        }
    }

    fn note(&mut self, host: Option<HostId>, what: impl fmt::Display) {
        let who = host.map_or_else(|| "world".to_owned(), |host| uname(host.0));
        let now_ms = self.now_ms();
        self.trace.note(now_ms, &who, what);
    }

    fn violate(&mut self, invariant: Invariant, text: impl Into<String>) {
        let text = text.into();
        self.note(None, format_args!("VIOLATION of {invariant}: {text}"));
        if self.violation.is_none() {
            self.violation = Some(Violation { invariant, at_ms: self.now_ms(), text });
        }
    }

    fn reach(&mut self, situation: Situation) {
        self.table.reach(situation);
        self.note(None, format_args!("reached {situation:?}"));
    }

    /// Keeps an input of the scheduler for whoever plays the seed again.
    fn save_input(&mut self, host: HostId, number: u64, xml: String, now: u64) {
        if self.inputs.len() >= INPUTS_MAXIMUM {
            self.inputs.pop_front();
        }
        self.inputs.push_back((format!("{}-{number}", uname(host.0)), xml, now));
    }

    fn fault(&self, index: usize) -> Fault {
        self.options.faults[index]
    }

    /// What came out of it.
    pub fn report(&self) -> Report {
        Report {
            seed: self.options.seed,
            violation: self.violation.clone(),
            table: self.table.clone(),
            hash: self.trace.hash(),
            lines: self.trace.lines(),
            faults: self.struck,
            simulated_ms: self.now_ms(),
            changes: (self.clients.acknowledged, self.clients.refused, self.clients.unknown),
            shot: self.shot.clone(),
            inputs: self.inputs.iter().cloned().collect(),
            tail: self.trace.tail().map(str::to_owned).collect(),
            options: self.options.to_string(),
        }
    }
}
