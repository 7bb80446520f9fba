//! One host: what it is made of, and what survives what.
//!
//! The disk survives all. `/run` (what the daemon remembers, the executor's journal) lasts for a boot. The daemon is a
//! process on it.

use std::collections::{BTreeSet, VecDeque};

use hafen_node::api::StorageEffect;
use hafen_node::testing::disk::SimulatedDisk;
use hafen_node::{Input, Node};
use hafen_protocol::{Delivery, HostId, Incarnation, MemberId, View};

use crate::agents::Conduct;
use crate::executor::Executor;
use crate::trace::Hash;
use crate::watchdog::Watchdog;

/// How a disk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskCondition {
    /// It does what it should.
    Healthy,
    /// It does so late.
    Slow,
    /// It has no space left.
    Full,
    /// It fails at everything.
    Failing,
}

/// A run of the daemon.
pub struct Daemon {
    /// The node in it.
    pub node: Node,
    /// Which run.
    pub incarnation: Incarnation,
    /// When it was started, in simulated microseconds.
    pub started_us: u64,
    /// When its next time-out is due, in simulated microseconds, as far as one is scheduled.
    pub wake_us: Option<u64>,
    /// Storage effects that wait for the disk, with their tokens; the first one is under way.
    pub effects: VecDeque<(u64, StorageEffect)>,
    /// Whether it is connected to its executor.
    pub connected: bool,
    /// Whether it is a part of the group of the bus.
    pub attached: bool,
    /// The last view that it was given.
    pub view: Option<View>,
    /// A message that is held back so that it comes after the next one (a mutant).
    pub held_back: Option<Delivery>,
    /// Whether its node was seen to coordinate with an open term.
    pub term_was_open: bool,
    /// The digests that its configuration has had since the network was last parted, the latest one last.
    pub since_parted: Option<Vec<String>>,
    /// The hash over the messages that the network has delivered to it in its view, in their order.
    pub delivered: Hash,
    /// When its last time-out was, in simulated microseconds.
    pub woken_us: u64,
    /// How many time-outs came before that in the same millisecond.
    pub wakes: u32,
    /// It hangs: what comes in waits.
    pub hangs: bool,
    /// What came in while it hung.
    pub waiting: VecDeque<Input>,
}

/// So many digests are kept of what a daemon went through in one parting.
const DIGESTS_MAXIMUM: usize = 256;

impl Daemon {
    /// The network is parted: from now on what becomes of its configuration is kept.
    pub fn parted(&mut self) {
        let digest = self.node.replica().digest().to_owned();
        self.since_parted.get_or_insert_with(|| vec![digest]);
    }

    /// Keeps the configuration's digest if it changed, while the network is parted.
    pub fn note_digest(&mut self) {
        let Some(digests) = &mut self.since_parted else { return };
        let digest = self.node.replica().digest();
        if digests.len() < DIGESTS_MAXIMUM && digests.last().is_none_or(|last| last != digest) {
            digests.push(digest.to_owned());
        }
    }

    /// A daemon that has just been started.
    pub fn new(node: Node, incarnation: Incarnation, now_us: u64) -> Daemon {
        Daemon {
            node,
            incarnation,
            started_us: now_us,
            wake_us: None,
            effects: VecDeque::new(),
            connected: false,
            attached: false,
            view: None,
            held_back: None,
            term_was_open: false,
            since_parted: None,
            delivered: Hash::new(),
            woken_us: 0,
            wakes: 0,
            hangs: false,
            waiting: VecDeque::new(),
        }
    }
}

/// A host.
pub struct Host {
    /// Its number.
    pub id: HostId,
    /// Its name.
    pub uname: String,
    /// Whether it has power.
    pub powered: bool,
    /// Counts its boots; what was planned for an earlier boot is void.
    pub boot: u64,
    /// Whether it has booted.
    pub booted: bool,
    /// Whether its Corosync runs.
    pub corosync: bool,
    /// When it lost its power, in simulated microseconds.
    pub dark_us: u64,
    /// Whether a daemon on it may fence: since it booted it has been in a quorate view with another host, or heard an
    /// operator's word.
    pub may_fence: bool,
    /// Since when its Corosync has no quorum, in simulated microseconds.
    pub without_quorum_us: Option<u64>,
    /// When something last kept it, or may have, from doing what it should, in simulated microseconds.
    pub disturbed_us: u64,
    /// A stop has failed on it since it booted.
    pub stop_failed: bool,
    /// It is to leave for good.
    pub leaves_for_good: bool,
    /// Its watchdog.
    pub watchdog: Watchdog,
    /// Its power supplies.
    pub supplies: BTreeSet<u8>,
    /// Those that a switch has switched off.
    pub supplies_off: BTreeSet<u8>,
    /// When a device or somebody last switched one of them on, in simulated milliseconds.
    pub supplied_at_ms: Option<u64>,
    /// Its mains are cut.
    pub cut: bool,
    /// Whether somebody can give it its power back; else it is dead until the faults end.
    pub repairable: bool,
    /// After how many milliseconds its daemon starts again when it has left.
    pub returns_after_ms: Option<u64>,
    /// When it got its power, in simulated microseconds.
    pub powered_us: u64,
    /// Its disk.
    pub disk: SimulatedDisk,
    /// How its disk is.
    pub condition: DiskCondition,
    /// What its daemon put into `/run`.
    pub remembered: Option<Vec<u8>>,
    /// Its executor.
    pub executor: Executor,
    /// Its daemon, while it runs.
    pub daemon: Option<Daemon>,
    /// The number of the last run of its daemon.
    pub incarnations: u64,
    /// How its agents behave.
    pub conduct: Conduct,
    /// How far its clock is ahead, in milliseconds.
    pub ahead_ms: u64,
}

impl Host {
    /// A host without power and with an empty disk.
    pub fn new(id: HostId, uname: String, ahead_ms: u64) -> Host {
        Host {
            id,
            uname,
            powered: false,
            boot: 0,
            booted: false,
            corosync: false,
            dark_us: 0,
            may_fence: false,
            without_quorum_us: None,
            disturbed_us: 0,
            stop_failed: false,
            leaves_for_good: false,
            watchdog: Watchdog::default(),
            supplies: BTreeSet::from([0, 1]),
            supplies_off: BTreeSet::new(),
            supplied_at_ms: None,
            cut: false,
            repairable: true,
            returns_after_ms: None,
            powered_us: 0,
            disk: SimulatedDisk::new(),
            condition: DiskCondition::Healthy,
            remembered: None,
            executor: Executor::default(),
            daemon: None,
            incarnations: 0,
            conduct: Conduct::default(),
            ahead_ms,
        }
    }

    /// Whether current reaches it.
    pub fn supplied(&self) -> bool {
        !self.cut && self.supplies_off != self.supplies
    }

    /// The run of its daemon, if it runs.
    pub fn member(&self) -> Option<MemberId> {
        self.daemon.as_ref().map(|daemon| MemberId { host: self.id, incarnation: daemon.incarnation })
    }

    /// Its node, if its daemon runs.
    pub fn node(&self) -> Option<&Node> {
        self.daemon.as_ref().map(|daemon| &daemon.node)
    }

    /// Its daemon, if it is still that run of it.
    pub fn daemon_mut(&mut self, incarnation: Incarnation) -> Option<&mut Daemon> {
        self.daemon.as_mut().filter(|daemon| daemon.incarnation == incarnation)
    }
}
