//! Situations that a run must reach to be worth anything, counted.

use std::collections::BTreeMap;

/// Something awkward that clusters get into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Situation {
    /// The view changed while members greeted.
    ViewChangeDuringJoin,
    /// The view changed at a member that waited for a full copy.
    ViewChangeDuringTransfer,
    /// The coordinator was lost while the device was busy with a fencing.
    CoordinatorLostWithFencingInFlight,
    /// The member that carried out a fencing was lost before the device answered.
    FencerLostWithFencingInFlight,
    /// A daemon was killed while its host migrated a resource.
    DaemonKilledInMidMigration,
    /// Daemon and executor were killed while an operation was under way.
    ExecutorKilledToo,
    /// A daemon came back while an operation of its predecessor was still under way.
    DaemonBackBeforeOperationEnded,
    /// Two parts met again that each had changed the configuration since they parted.
    MergeAfterChangesOnBothSides,
    /// The coordinator's disk was full when it was to write.
    DiskFullOnCoordinator,
    /// The view changed after a term was proposed and before it was open.
    TermElectionInterrupted,
    /// All hosts lost their power at once.
    PowerCutOfAllHosts,
    /// A host lost its power with writes that were not synced, and its files came back other than they were seen.
    TornFilesOnRecovery,
    /// A fencing succeeded, and the answer came when its target was a member again.
    FenceResultAfterTargetRejoined,
    /// A member was ordered to fence a host, and the device failed it.
    FencingFailed,
    /// A stop failed, and the host was fenced for it.
    FencedForFailedStop,
    /// A migration was under way when its source or target lost power.
    PowerLostInMidMigration,
    /// The network fell apart while a configuration change waited for its acknowledgement.
    PartitionWithChangeInFlight,
    /// A daemon was killed with results that no other host had heard of.
    DaemonKilledWithUnheardResults,
    /// No part of the cluster had quorum.
    NobodyQuorate,
    /// A host was fenced while another fencing was in flight.
    TwoFencingsInFlight,
    /// Two parts of the cluster had quorum at once.
    TwoPartsQuorate,
    /// A host's Corosync died under its daemon.
    CorosyncDied,
    /// A ring formed again of the same hosts while somebody was heard that did not get in.
    RingReformed,
    /// A daemon hung, and went on.
    DaemonHung,
    /// A host was alone with power while all others had none.
    OneAlone,
    /// The power was back for all but one host.
    OneDead,
    /// A board was asked to fence a host that had no power, and it with it.
    BoardWithoutPower,
    /// The devices of a level failed, and the next level was tried.
    FencedByLaterLevel,
    /// An operator said that a host is off, since a status asked for it.
    OperatorProceeds,
    /// A host joined the running cluster.
    HostJoined,
    /// A host was removed from the running cluster.
    HostRemoved,
    /// A host booted with an old node list.
    OldNodeList,
    /// A watchdog reset its host.
    WatchdogReset,
    /// A host was without quorum for so long that it had to run nothing any more.
    LongWithoutQuorum,
}

/// All situations, with what they are called in the table.
pub const SITUATIONS: [(Situation, &str); 34] = [
    (Situation::ViewChangeDuringJoin, "view change during join"),
    (Situation::ViewChangeDuringTransfer, "view change during state transfer"),
    (Situation::CoordinatorLostWithFencingInFlight, "coordinator lost with fencing in flight"),
    (Situation::FencerLostWithFencingInFlight, "fencer lost with fencing in flight"),
    (Situation::DaemonKilledInMidMigration, "daemon killed in mid-migration"),
    (Situation::ExecutorKilledToo, "executor killed together with its daemon, operation under way"),
    (Situation::DaemonBackBeforeOperationEnded, "daemon back before an operation of its predecessor ended"),
    (Situation::MergeAfterChangesOnBothSides, "merge after changes on both sides"),
    (Situation::DiskFullOnCoordinator, "disk full on the coordinator"),
    (Situation::TermElectionInterrupted, "term election interrupted"),
    (Situation::PowerCutOfAllHosts, "power cut of all hosts"),
    (Situation::TornFilesOnRecovery, "torn files on recovery"),
    (Situation::FenceResultAfterTargetRejoined, "fence result after the target rejoined"),
    (Situation::FencingFailed, "fencing failed"),
    (Situation::FencedForFailedStop, "fenced for a failed stop"),
    (Situation::PowerLostInMidMigration, "power lost in mid-migration"),
    (Situation::PartitionWithChangeInFlight, "partition with a change in flight"),
    (Situation::DaemonKilledWithUnheardResults, "daemon killed with unheard results"),
    (Situation::NobodyQuorate, "no part quorate"),
    (Situation::TwoFencingsInFlight, "two fencings in flight"),
    (Situation::TwoPartsQuorate, "two parts quorate at once"),
    (Situation::CorosyncDied, "corosync died under its daemon"),
    (Situation::RingReformed, "ring formed again of the same hosts"),
    (Situation::DaemonHung, "daemon hung and went on"),
    (Situation::OneAlone, "one host alone with power"),
    (Situation::OneDead, "power back with one host dead"),
    (Situation::BoardWithoutPower, "fence device without power, as its target"),
    (Situation::FencedByLaterLevel, "fenced by a later level"),
    (Situation::OperatorProceeds, "an operator gave the word that a status asked for"),
    (Situation::HostJoined, "host joined"),
    (Situation::HostRemoved, "host removed"),
    (Situation::OldNodeList, "booted with an old node list"),
    (Situation::WatchdogReset, "reset by its own watchdog"),
    (Situation::LongWithoutQuorum, "long without quorum"),
];

/// How often each situation was reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    counts: BTreeMap<Situation, u64>,
}

impl Table {
    /// A situation is reached once more.
    pub fn reach(&mut self, situation: Situation) {
        *self.counts.entry(situation).or_default() += 1;
    }

    /// How often a situation was reached.
    pub fn count(&self, situation: Situation) -> u64 {
        self.counts.get(&situation).copied().unwrap_or(0)
    }

    /// Adds the counts of another run.
    pub fn add(&mut self, other: &Table) {
        for (&situation, &count) in &other.counts {
            *self.counts.entry(situation).or_default() += count;
        }
    }
}
