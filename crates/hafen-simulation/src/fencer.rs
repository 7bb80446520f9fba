//! What a member's shell does with a fencing that its node puts out: it waits for the delay, then tries level after level;
//! all devices of a level are switched off one after the other; that is the proof, and a reboot switches them on again.

use hafen_protocol::MemberId;
use hafen_protocol::message::{FenceDevice, FenceStart};

use crate::invariants::no_fencing_storm::Asked;

/// How often a device is asked where it is not said.
const TRIES: u32 = 2;

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Ask a device to switch the target off (`false`) or on, and wait for so many milliseconds at most.
    Ask(Box<FenceDevice>, bool, u64),
    /// Tell the node whether the target is fenced.
    Tell(bool),
    /// Nothing more is to do.
    End,
}

/// A fencing under way at a member.
#[derive(Debug, Clone)]
pub struct Fencer {
    /// What was ordered.
    pub start: FenceStart,
    /// Who does it.
    pub by: MemberId,
    /// When it was ordered, in simulated milliseconds.
    pub asked_ms: u64,
    /// What was known then.
    pub asked: Asked,
    /// The boot of the target at that time, if it had power.
    pub boot: Option<u64>,
    /// Whether the node was told how it ended.
    pub told: bool,
    level: usize,
    device: usize,
    tries: u32,
    switches_on: bool,
}

impl Fencer {
    /// A fencing that is ordered now.
    pub fn new(start: FenceStart, by: MemberId, asked_ms: u64, asked: Asked, boot: Option<u64>) -> Fencer {
        let switches_on = start.action == "on";
        Fencer { start, by, asked_ms, asked, boot, told: false, level: 0, device: 0, tries: 0, switches_on }
    }

    /// Which level is tried, from 0.
    pub fn level(&self) -> usize {
        self.level
    }

    /// The next request, or the end.
    pub fn step(&mut self, now_ms: u64) -> Step {
        let spent_ms = now_ms.saturating_sub(self.asked_ms + self.start.delay_ms);
        let left_ms = self.start.timeout_ms.saturating_sub(spent_ms);
        let device = self.start.levels.get(self.level).and_then(|level| level.get(self.device));
        match device {
            Some(device) if left_ms > 0 || self.told => {
                let own = device.actions.get(if self.switches_on { "on" } else { "off" });
                let limit_ms = own.and_then(|action| action.timeout_ms).unwrap_or(self.start.timeout_ms);
                let limit_ms = if self.told { limit_ms } else { limit_ms.min(left_ms) };
                Step::Ask(Box::new(device.clone()), self.switches_on, limit_ms.max(1))
            }
            _ if self.told => Step::End,
            _ => self.tell(false),
        }
    }

    fn tell(&mut self, fenced: bool) -> Step {
        self.told = true;
        Step::Tell(fenced)
    }

    /// A device answered.
    pub fn answered(&mut self, done: bool, now_ms: u64) -> Step {
        let level = self.start.levels.get(self.level).map_or(0, Vec::len);
        if self.told {
            // It is switched on again: whether that works does not matter to the cluster.
            self.device += 1;
            return self.step(now_ms);
        }
        self.tries += 1;
        if !done && self.tries < TRIES {
            return self.step(now_ms);
        }
        self.tries = 0;
        if !done {
            (self.level, self.device) = (self.level + 1, 0);
            return self.step(now_ms);
        }
        self.device += 1;
        if self.device < level { self.step(now_ms) } else { self.tell(true) }
    }

    /// The node has been told: what is to be done still.
    pub fn after(&mut self, fenced: bool, now_ms: u64) -> Step {
        if !fenced || self.start.action != "reboot" {
            return Step::End;
        }
        (self.device, self.switches_on) = (0, true);
        self.step(now_ms)
    }
}
