//! What a run is made of, all drawn from its seed before it begins.

use std::fmt;

use crate::configuration::fencing::Fencing;
use crate::configuration::{self, Configuration};
use crate::dice::{Bounds, Dice, bounds};
use crate::fault::{self, Aim, Exposed, Fault, FaultKind};
use crate::votequorum::QuorumSettings;

/// How many hosts a cluster has.
pub const HOSTS: Bounds = bounds(2, 8);
/// So many hosts join a running cluster at most.
pub const JOINING_AT_MOST: u32 = 2;
/// When the first fault may come, in simulated milliseconds.
pub const CALM_START_MS: u64 = 90_000;
/// When the last fault may come, in simulated milliseconds.
pub const FAULTS_UNTIL_MS: u64 = 60 * 60_000;
/// After this time without faults the cluster must have settled, in milliseconds.
pub const SETTLES_WITHIN_MS: u64 = 10 * 60_000;
/// For this time it must stay so, in milliseconds.
pub const STAYS_SETTLED_MS: u64 = 3 * 60_000;
/// How often a client changes something, in milliseconds.
pub const CLIENT_EVERY_MS: Bounds = bounds(5_000, 60_000);
/// How long a host needs from power to its daemon, in milliseconds.
pub const BOOT_MS: Bounds = bounds(8_000, 45_000);
/// How long an operator lets a host lie that was fenced with `off`, in milliseconds.
pub const OPERATOR_MS: Bounds = bounds(20_000, 180_000);
/// How long a healthy disk needs for an effect, in microseconds.
pub const DISK_US: Bounds = bounds(20, 4_000);
/// How long a slow one needs, in microseconds.
pub const SLOW_DISK_US: Bounds = bounds(20_000, 2_500_000);

/// What a run is made of.
#[derive(Debug, Clone)]
pub struct Options {
    /// The seed.
    pub seed: u64,
    /// How many hosts, numbered from 1.
    pub hosts: u32,
    /// `daemon-restart-timeout`.
    pub daemon_restart_timeout_ms: u64,
    /// How long a starting cluster waits for its configured hosts.
    pub startup_wait_ms: u64,
    /// Whether clients override a missing quorum now and then: then `acknowledged_changes_survive` is not claimed.
    pub overrides: bool,
    /// What `corosync.conf` says of quorum.
    pub quorum: QuorumSettings,
    /// The cluster.
    pub configuration: Configuration,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// Nothing but one moment is looked at: the run ends then, whether the cluster has settled or not.
    pub moment: Option<Moment>,
}

/// A run that is about one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// When the run ends, in simulated milliseconds.
    pub ends_ms: u64,
    /// How long each request to a fence device takes, in milliseconds.
    pub device_takes_ms: u64,
}

impl Options {
    /// Draws the options of a seed.
    pub fn draw(seed: u64) -> Options {
        let mut dice = Dice::new(seed, "options");
        let hosts = u32::try_from(dice.within(HOSTS)).unwrap_or(3);
        let fencing = dice.chance(880);
        let overrides = dice.chance(100);
        let daemon_restart_timeout_ms = 20_000;
        let startup_wait_ms = dice.within(bounds(10, 40)) * 1_000;
        let quorum = draw_quorum(hosts, &mut Dice::new(seed, "quorum"));
        let how = match Fencing::draw(fencing, &mut Dice::new(seed, "fencing")) {
            // Both halves of two hosts may have quorum: then no watchdog ends either.
            Fencing::Watchdogs if hosts == 2 && !quorum.device => Fencing::Boards,
            how => how,
        };
        let at_most = hosts + JOINING_AT_MOST;
        let configuration = configuration::draw(hosts, at_most, how, &mut Dice::new(seed, "configuration"));
        let exposed =
            Exposed { fencing, device: fencing && how != Fencing::Watchdogs, quorum_device: quorum.device };
        let until_ms = FAULTS_UNTIL_MS - 120_000;
        let faults = fault::draw(CALM_START_MS, until_ms, exposed, &mut Dice::new(seed, "faults"));
        Options {
            seed,
            hosts,
            daemon_restart_timeout_ms,
            startup_wait_ms,
            overrides,
            quorum,
            configuration,
            faults,
            moment: None,
        }
    }

    /// Two hosts that lose sight of each other, and shoot: each request to the switch takes two seconds, and it serves both
    /// side by side. `delay_ms` is the `pcmk_delay_base` of the device that shoots the host with the lower number.
    pub fn double_shoot(seed: u64, delay_ms: Option<u64>) -> Options {
        let mut dice = Dice::new(seed, "double shoot");
        let parted_ms = dice.within(bounds(100_000, 130_000));
        let fault = Fault {
            at_ms: parted_ms,
            kind: FaultKind::Partition,
            aim: Aim::Anyone,
            lasts_ms: 1_000_000,
            roll: dice.number(),
        };
        Options {
            hosts: 2,
            overrides: false,
            startup_wait_ms: 10_000,
            quorum: QuorumSettings { two_node: true, ..QuorumSettings::default() },
            configuration: configuration::double_shoot(delay_ms),
            faults: vec![fault],
            moment: Some(Moment { ends_ms: parted_ms + 150_000, device_takes_ms: 2_000 }),
            ..Options::draw(seed)
        }
    }

    /// The highest number that a host may have.
    pub fn hosts_at_most(&self) -> u32 {
        self.hosts + JOINING_AT_MOST
    }
}

/// Two hosts have `two_node` or a device. More have neither, or a device where they are even, and wait for all at times.
fn draw_quorum(hosts: u32, dice: &mut Dice) -> QuorumSettings {
    let even = hosts.is_multiple_of(2);
    let device = even && dice.chance(300);
    QuorumSettings { two_node: !device, wait_for_all: hosts > 2 && dice.chance(150), device }
}

impl fmt::Display for Options {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} hosts ({:?}), {} exclusive resources, fencing {:?}, daemon-restart-timeout {} ms, start-up wait {} ms, {} faults",
            self.hosts,
            self.quorum,
            self.configuration.exclusive.len(),
            self.configuration.how,
            self.daemon_restart_timeout_ms,
            self.startup_wait_ms,
            self.faults.len()
        )
    }
}
