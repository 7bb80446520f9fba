//! Faults: each a named kind with bounds, aimed at somebody, drawn from the seed before the run begins.

use std::fmt;

use crate::dice::{Bounds, Dice, bounds};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// A host's daemon is killed, and starts again after the fault's time.
    DaemonKilled,
    /// The same, for an instant.
    DaemonBlinks,
    /// A host's executor is killed, and starts again after the fault's time.
    ExecutorKilled,
    /// Both at once.
    DaemonAndExecutorKilled,
    /// A host leaves in good order, and its daemon starts again after the fault's time.
    DaemonLeaves,
    /// A host loses its power, and gets it back after the fault's time.
    PowerCut,
    /// All hosts lose their power at once.
    PowerCutOfAll,
    /// The network falls into two or three parts.
    Partition,
    /// One host is cut off.
    Isolation,
    /// A daemon loses its engine of the bus.
    BusLost,
    /// A host's Corosync is killed under its daemon, and starts again after the fault's time.
    CorosyncKilled,
    /// A host hears the others and is not heard: it is alone, and its ring forms again and again.
    Mute,
    /// A host is heard and does not hear: it is alone, and the others' ring forms again and again.
    Deaf,
    /// A daemon hangs for the fault's time.
    DaemonHangs,
    /// A daemon hangs until its host is reset or somebody kills it.
    DaemonHangsForGood,
    /// All hosts lose their power, and one has it back long before the others.
    OneAlone,
    /// All hosts lose their power, and one gets it back only at the end.
    OneDead,
    /// The server of the quorum device is out of reach, for one host or for all.
    DeviceServerLost,
    /// A host joins.
    HostJoins,
    /// A host is removed.
    HostRemoved,
    /// Messages take long.
    SlowNetwork,
    /// A host's disk takes its time for everything.
    SlowDisk,
    /// A host's disk fails at everything.
    FailingDisk,
    /// A host's disk is full.
    FullDisk,
    /// Agents fail.
    FailingAgents,
    /// Agents hang.
    HangingAgents,
    /// Agents lie.
    LyingAgents,
    /// A resource dies by itself.
    ResourceDies,
    /// The fence device fails.
    FailingDevice,
    /// The fence device hangs.
    HangingDevice,
    /// The fence device answers late.
    LateDevice,
}

/// Whom or what a fault waits for, so that it strikes where it hurts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aim {
    /// Any host, at once.
    Anyone,
    /// The coordinator, at once.
    Coordinator,
    /// A host that greets in a new view.
    JoiningHost,
    /// A host that a full copy is on its way to.
    ReceiverOfCopy,
    /// The coordinator, while a fencing is in flight.
    FencingCoordinator,
    /// The host that carries out a fencing.
    Fencer,
    /// A host that a resource migrates from.
    MigrationSource,
    /// The coordinator, while a term is being opened.
    ElectedOfNewTerm,
    /// A host that has accepted an operation.
    BusyHost,
    /// A host with unsynced writes.
    WritingHost,
    /// A host whose client waits for a change.
    ChangingHost,
}

/// One fault of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// When it is armed, in simulated milliseconds.
    pub at_ms: u64,
    /// What goes wrong.
    pub kind: FaultKind,
    /// Whom it waits for, at most `AIM_PATIENCE_MS`.
    pub aim: Aim,
    /// How long it lasts, in milliseconds.
    pub lasts_ms: u64,
    /// Decides between what is still open when it strikes.
    pub roll: u64,
}

/// An aimed fault strikes somebody else when nobody fits for this long.
pub const AIM_PATIENCE_MS: u64 = 90_000;

/// How many faults a run has.
pub const FAULTS: Bounds = bounds(21, 34);

/// The kinds with the weights with which they are drawn, and how long each lasts in milliseconds.
const KINDS: &[(FaultKind, u64, Bounds)] = &[
    (FaultKind::DaemonKilled, 14, bounds(100, 45_000)),
    (FaultKind::DaemonBlinks, 5, bounds(10, 400)),
    (FaultKind::ExecutorKilled, 5, bounds(100, 5_000)),
    (FaultKind::DaemonAndExecutorKilled, 7, bounds(100, 30_000)),
    (FaultKind::DaemonLeaves, 4, bounds(5_000, 120_000)),
    (FaultKind::PowerCut, 12, bounds(3_000, 120_000)),
    (FaultKind::PowerCutOfAll, 3, bounds(3_000, 60_000)),
    (FaultKind::Partition, 9, bounds(2_000, 180_000)),
    (FaultKind::Isolation, 8, bounds(500, 120_000)),
    (FaultKind::BusLost, 3, bounds(500, 20_000)),
    (FaultKind::CorosyncKilled, 5, bounds(300, 40_000)),
    (FaultKind::Mute, 3, bounds(2_000, 90_000)),
    (FaultKind::Deaf, 3, bounds(2_000, 90_000)),
    (FaultKind::DaemonHangs, 6, bounds(500, 60_000)),
    (FaultKind::DaemonHangsForGood, 3, bounds(1, 1)),
    (FaultKind::OneAlone, 2, bounds(60_000, 240_000)),
    (FaultKind::OneDead, 2, bounds(400_000, 1_200_000)),
    (FaultKind::HostJoins, 2, bounds(1, 1)),
    (FaultKind::HostRemoved, 2, bounds(1, 1)),
    (FaultKind::DeviceServerLost, 6, bounds(5_000, 240_000)),
    (FaultKind::SlowNetwork, 3, bounds(10_000, 60_000)),
    (FaultKind::SlowDisk, 4, bounds(10_000, 90_000)),
    (FaultKind::FailingDisk, 4, bounds(5_000, 90_000)),
    (FaultKind::FullDisk, 6, bounds(5_000, 120_000)),
    (FaultKind::FailingAgents, 5, bounds(20_000, 120_000)),
    (FaultKind::HangingAgents, 4, bounds(20_000, 120_000)),
    (FaultKind::LyingAgents, 4, bounds(20_000, 120_000)),
    (FaultKind::ResourceDies, 5, bounds(1, 1)),
    (FaultKind::FailingDevice, 4, bounds(60_000, 240_000)),
    (FaultKind::HangingDevice, 4, bounds(60_000, 240_000)),
    (FaultKind::LateDevice, 7, bounds(60_000, 300_000)),
];

impl FaultKind {
    /// The aims that make sense for it, with weights.
    fn aims(self) -> &'static [(Aim, u64)] {
        use Aim::*;
        match self {
            // While something runs: the next daemon finds it under way.
            FaultKind::DaemonBlinks => &[(BusyHost, 1)],
            FaultKind::DaemonKilled => &[
                (Anyone, 3),
                (Coordinator, 2),
                (JoiningHost, 1),
                (ReceiverOfCopy, 2),
                (FencingCoordinator, 2),
                (Fencer, 2),
                (MigrationSource, 4),
                (ElectedOfNewTerm, 2),
                (BusyHost, 3),
            ],
            FaultKind::DaemonHangs | FaultKind::DaemonHangsForGood => &[
                (Anyone, 3),
                (Coordinator, 3),
                (JoiningHost, 3),
                (ReceiverOfCopy, 1),
                (Fencer, 1),
                (MigrationSource, 1),
                (ElectedOfNewTerm, 1),
                (BusyHost, 2),
            ],
            FaultKind::DaemonAndExecutorKilled | FaultKind::ExecutorKilled => {
                &[(Anyone, 1), (BusyHost, 4), (MigrationSource, 2)]
            }
            FaultKind::PowerCut | FaultKind::Isolation => &[
                (Anyone, 4),
                (Coordinator, 2),
                (JoiningHost, 2),
                (ReceiverOfCopy, 2),
                (FencingCoordinator, 2),
                (Fencer, 1),
                (MigrationSource, 1),
                (ElectedOfNewTerm, 2),
                (WritingHost, 2),
            ],
            FaultKind::PowerCutOfAll => &[(Anyone, 1), (WritingHost, 2)],
            FaultKind::Partition => {
                &[(Anyone, 4), (WritingHost, 3), (ChangingHost, 6), (JoiningHost, 1), (FencingCoordinator, 1)]
            }
            FaultKind::SlowDisk | FaultKind::FailingDisk | FaultKind::FullDisk => {
                &[(Anyone, 1), (Coordinator, 2)]
            }
            _ => &[(Anyone, 1)],
        }
    }
}

/// What a cluster has that faults can strike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exposed {
    /// Hosts are fenced.
    pub fencing: bool,
    /// There are devices to fence them.
    pub device: bool,
    /// There is a quorum device.
    pub quorum_device: bool,
}

impl Exposed {
    fn to(self, kind: FaultKind) -> bool {
        match kind {
            FaultKind::FailingDevice | FaultKind::HangingDevice | FaultKind::LateDevice => self.device,
            // Without fencing nobody ends it.
            FaultKind::DaemonHangsForGood => self.fencing,
            FaultKind::DeviceServerLost => self.quorum_device,
            _ => true,
        }
    }
}

impl Fault {
    fn draw(at_ms: u64, exposed: Exposed, dice: &mut Dice) -> Fault {
        let fencing = exposed.fencing;
        let weights: Vec<(usize, u64)> = KINDS
            .iter()
            .enumerate()
            .map(|(index, &(kind, weight, _))| (index, if exposed.to(kind) { weight } else { 0 }))
            .collect();
        let index = dice.pick_weighted(&weights).unwrap_or(0);
        let (kind, _, lasting) = KINDS[index];
        let aim = dice.pick_weighted(kind.aims()).unwrap_or(Aim::Anyone);
        let aim =
            if fencing || !matches!(aim, Aim::FencingCoordinator | Aim::Fencer) { aim } else { Aim::Anyone };
        Fault { at_ms, kind, aim, lasts_ms: dice.within(lasting), roll: dice.number() }
    }
}

/// Draws the faults of a run between two simulated times, in the order of their times. Some come in bursts: a fault
/// in the middle of what another one set off is where clusters break.
pub fn draw(from_ms: u64, to_ms: u64, exposed: Exposed, dice: &mut Dice) -> Vec<Fault> {
    let count = dice.within(FAULTS);
    let mut faults: Vec<Fault> = Vec::new();
    let mut previous_ms = from_ms;
    for _ in 0..count {
        let burst = dice.chance(350);
        let soon = bounds(previous_ms, (previous_ms + 25_000).min(to_ms));
        let at_ms = dice.within(if burst { soon } else { bounds(from_ms, to_ms) });
        previous_ms = at_ms;
        faults.push(Fault::draw(at_ms, exposed, dice));
    }
    faults.sort_by_key(|fault| fault.at_ms);
    faults
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} aimed at {:?} for {} ms", self.kind, self.aim, self.lasts_ms)
    }
}
