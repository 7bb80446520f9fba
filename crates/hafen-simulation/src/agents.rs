//! What really runs, and the agents that change it. The invariants look here, not at what nodes believe.
//!
//! An agent that lies (its stop says "stopped" and left the resource running, its probe says "not running" of a
//! running resource) can bring about a second active instance whatever a cluster does. Such an instance is marked
//! *hidden* from the moment of the lie until it is gone or started again on its host; `at_most_one_active` counts the
//! others. A recurring monitor's lie hides nothing: whatever it says, a stop comes before a start elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use hafen_protocol::HostId;
use hafen_protocol::message::Execute;

use crate::dice::{Bounds, Dice, bounds};

/// How long an honest operation takes, in milliseconds.
pub const OPERATION_MS: Bounds = bounds(20, 3_000);

/// How long an honest live migration takes, in milliseconds.
pub const MIGRATION_MS: Bounds = bounds(1_000, 12_000);

/// OCF: done; running.
pub const RC_OK: i32 = 0;
/// OCF: an error.
pub const RC_ERROR: i32 = 1;
/// OCF: cleanly not running.
pub const RC_NOT_RUNNING: i32 = 7;
/// Pacemaker's op-status: the agent ended by itself.
pub const STATUS_DONE: i32 = 0;
/// Pacemaker's op-status: called off before it began.
pub const STATUS_CANCELLED: i32 = 1;
/// Pacemaker's op-status: killed after its time-out.
pub const STATUS_TIMEOUT: i32 = 2;
/// Pacemaker's op-status: could not be run to its end.
pub const STATUS_ERROR: i32 = 4;

/// How agents misbehave at the moment: chances in a thousand for each operation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Conduct {
    /// A start ends with an error, and half of the times leaves the resource running.
    pub start_fails: u64,
    /// A start never ends.
    pub start_hangs: u64,
    /// A start says "running" of a resource that is not.
    pub start_lies: u64,
    /// A stop ends with an error, and the resource runs on.
    pub stop_fails: u64,
    /// A stop never ends.
    pub stop_hangs: u64,
    /// A stop says "stopped" of a resource that runs on.
    pub stop_lies: u64,
    /// A monitor ends with an error.
    pub monitor_fails: u64,
    /// A monitor never ends.
    pub monitor_hangs: u64,
    /// A monitor tells the opposite of the truth.
    pub monitor_lies: u64,
    /// A migration ends with an error; half of the times the resource has moved nevertheless.
    pub migrate_fails: u64,
    /// A migration never ends.
    pub migrate_hangs: u64,
}

/// One instance of a resource that really runs on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instance {
    /// Since when, in simulated milliseconds.
    pub since_ms: u64,
    /// An agent denied it while it ran.
    pub hidden: bool,
}

/// What an operation does to the world, and when; drawn when it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Course {
    /// After how many milliseconds the deed takes hold; `None`: it never does.
    pub holds_after_ms: Option<u64>,
    /// After how many milliseconds the agent answers or is killed.
    pub ends_after_ms: u64,
    /// What the agent answers.
    pub answer: Answer,
}

/// What an agent answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// What is the case when it ends.
    Truth,
    /// That all is well, whatever is the case.
    Good,
    /// The opposite of what is the case.
    Opposite,
    /// An error.
    Error,
    /// Nothing: it was killed when its time was over.
    Timeout,
}

/// What really runs, on all hosts.
#[derive(Debug, Clone, Default)]
pub struct Agents {
    active: BTreeMap<HostId, BTreeMap<String, Instance>>,
}

impl Agents {
    /// Draws what will become of an operation.
    pub fn begin(order: &Execute, conduct: &Conduct, dice: &mut Dice) -> Course {
        let migration = order.task.starts_with("migrate");
        let honest_ms = dice.within(if migration { MIGRATION_MS } else { OPERATION_MS });
        let ends_after_ms = honest_ms.min(order.timeout_ms.max(1));
        let holds_after_ms = Some(dice.within(bounds(0, ends_after_ms)));
        let half = dice.chance(500);
        let fails = |per_mille: u64, dice: &mut Dice| dice.chance(per_mille);
        let hang = Course {
            holds_after_ms: holds_after_ms.filter(|_| half),
            ends_after_ms: order.timeout_ms.max(1),
            answer: Answer::Timeout,
        };
        let honest = Course { holds_after_ms, ends_after_ms, answer: Answer::Truth };
        let lie = Course { holds_after_ms: None, ends_after_ms, answer: Answer::Good };
        let (hangs, failing, lying) = match order.task.as_str() {
            "start" => (conduct.start_hangs, conduct.start_fails, conduct.start_lies),
            "stop" => (conduct.stop_hangs, conduct.stop_fails, conduct.stop_lies),
            "monitor" => (conduct.monitor_hangs, conduct.monitor_fails, conduct.monitor_lies),
            "migrate_to" => (conduct.migrate_hangs, conduct.migrate_fails, 0),
            _ => (0, 0, 0),
        };
        if fails(hangs, dice) {
            return hang;
        }
        if fails(failing, dice) {
            let holds_after_ms = holds_after_ms.filter(|_| half && order.task != "stop");
            return Course { holds_after_ms, ends_after_ms, answer: Answer::Error };
        }
        if fails(lying, dice) {
            return if order.task == "monitor" { Course { answer: Answer::Opposite, ..honest } } else { lie };
        }
        honest
    }

    /// The deed of an operation takes hold. `reachable` are the hosts that a migration from here can reach.
    pub fn hold(&mut self, order: &Execute, now_ms: u64, reachable: &BTreeMap<String, HostId>) {
        let instance = Instance { since_ms: now_ms, hidden: false };
        let here = self.active.entry(order.host).or_default();
        match order.task.as_str() {
            "start" => {
                here.entry(order.resource.clone()).or_insert(instance).hidden = false;
            }
            "stop" => {
                here.remove(&order.resource);
            }
            "migrate_to" => {
                let target = migration_target(order).and_then(|name| reachable.get(name)).copied();
                let Some(target) = target else { return };
                if let Some(moved) = here.remove(&order.resource) {
                    self.active.entry(target).or_default().insert(order.resource.clone(), moved);
                }
            }
            _ => {}
        }
    }

    /// An operation ends: its exit status and op-status. A lie hides the instance that it denies.
    pub fn end(&mut self, order: &Execute, course: &Course) -> (i32, i32) {
        let running = self.is_active(order.host, &order.resource);
        let truth = match order.task.as_str() {
            "monitor" if running => RC_OK,
            "monitor" => RC_NOT_RUNNING,
            "start" | "migrate_from" if !running => RC_ERROR,
            "stop" | "migrate_to" if running => RC_ERROR,
            _ => RC_OK,
        };
        let (rc, status) = match course.answer {
            Answer::Truth => (truth, STATUS_DONE),
            Answer::Good => (RC_OK, STATUS_DONE),
            Answer::Opposite => (if running { RC_NOT_RUNNING } else { RC_OK }, STATUS_DONE),
            Answer::Error => (RC_ERROR, STATUS_DONE),
            Answer::Timeout => (RC_ERROR, STATUS_TIMEOUT),
        };
        let probe = order.task == "monitor" && order.interval_ms == 0;
        let stopped = order.task == "stop" && rc == RC_OK;
        let denied = (probe && rc == RC_NOT_RUNNING) || (stopped && status == STATUS_DONE);
        if let Some(instance) = self.active.entry(order.host).or_default().get_mut(&order.resource) {
            instance.hidden |= denied;
        }
        (rc, status)
    }

    /// A resource dies by itself. Whether it ran.
    pub fn die(&mut self, host: HostId, resource: &str) -> bool {
        self.active.get_mut(&host).is_some_and(|here| here.remove(resource).is_some())
    }

    /// A host loses its power: nothing runs there any more.
    pub fn power_lost(&mut self, host: HostId) {
        self.active.remove(&host);
    }

    /// Whether a resource really runs on a host.
    pub fn is_active(&self, host: HostId, resource: &str) -> bool {
        self.active.get(&host).is_some_and(|here| here.contains_key(resource))
    }

    /// What really runs on a host.
    pub fn active_on(&self, host: HostId) -> impl Iterator<Item = (&str, Instance)> {
        self.active.get(&host).into_iter().flatten().map(|(name, &instance)| (name.as_str(), instance))
    }

    /// The hosts on which a resource runs.
    pub fn active(&self, resource: &str) -> BTreeSet<HostId> {
        self.active.iter().filter(|(_, here)| here.contains_key(resource)).map(|(&host, _)| host).collect()
    }

    /// The hosts on which a resource runs and no agent has denied it.
    pub fn openly_active(&self, resource: &str) -> BTreeSet<HostId> {
        let open = |here: &BTreeMap<String, Instance>| here.get(resource).is_some_and(|one| !one.hidden);
        self.active.iter().filter(|(_, here)| open(here)).map(|(&host, _)| host).collect()
    }
}

/// The name of the host that a resource migrates to.
pub fn migration_target(order: &Execute) -> Option<&str> {
    let named = |name: &str| name.trim_start_matches("CRM_meta_") == "migrate_target";
    order.meta.iter().find(|(name, _)| named(name)).map(|(_, value)| value.as_str())
}
