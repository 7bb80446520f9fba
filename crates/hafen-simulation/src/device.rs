//! The fence device: one for a cluster, out of reach of the cluster's network. It takes its time, may fail, hang or
//! answer late, and tells the truth: "done" means that the host was without power after the request had begun.

use std::collections::BTreeMap;

use hafen_protocol::message::FenceStart;
use hafen_protocol::{HostId, MemberId};

use crate::dice::{Bounds, Dice, bounds};

/// From the request to the host's loss of power, in milliseconds.
pub const OFF_AFTER_MS: Bounds = bounds(200, 4_000);
/// From the loss of power to its return in a reboot, in milliseconds.
pub const ON_AFTER_MS: Bounds = bounds(1_000, 5_000);
/// How much later a late answer comes, in milliseconds.
pub const LATE_BY_MS: Bounds = bounds(15_000, 100_000);

/// How the device misbehaves at the moment: chances in a thousand for each request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeviceConduct {
    /// It answers "failed"; half of the times after it has cut the power.
    pub fails: u64,
    /// It does nothing, and answers nothing until the request's time is over.
    pub hangs: u64,
    /// It does what it was asked, and says so much later.
    pub answers_late: u64,
}

/// What becomes of a request; times are milliseconds after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Course {
    /// When the power goes.
    pub off_after_ms: Option<u64>,
    /// When the power comes back.
    pub on_after_ms: Option<u64>,
    /// When the requester is answered.
    pub answer_after_ms: u64,
    /// Whether the answer is "done".
    pub done: bool,
}

/// One request, as the device's own log has it.
#[derive(Debug, Clone)]
pub struct Request {
    /// What was asked.
    pub start: FenceStart,
    /// Who asked.
    pub by: MemberId,
    /// When, in simulated milliseconds.
    pub asked_ms: u64,
    /// What becomes of it.
    pub course: Course,
    /// When it was answered, in simulated milliseconds.
    pub answered_ms: Option<u64>,
}

/// The device and its log.
#[derive(Debug, Clone, Default)]
pub struct Device {
    /// How it misbehaves.
    pub conduct: DeviceConduct,
    requests: BTreeMap<u64, Request>,
}

impl Device {
    /// Takes a request. Its number in the log.
    pub fn ask(&mut self, start: FenceStart, by: MemberId, now_ms: u64, dice: &mut Dice) -> u64 {
        let course = self.draw(&start, dice);
        let number = self.requests.last_key_value().map_or(0, |(number, _)| number + 1);
        self.requests.insert(number, Request { start, by, asked_ms: now_ms, course, answered_ms: None });
        number
    }

    fn draw(&self, start: &FenceStart, dice: &mut Dice) -> Course {
        let off = dice.within(OFF_AFTER_MS);
        let on = (start.action == "reboot").then(|| off + dice.within(ON_AFTER_MS));
        let answer_after_ms = on.unwrap_or(off) + 100;
        let late = answer_after_ms + dice.within(LATE_BY_MS);
        let half = dice.chance(500);
        let limit = start.timeout_ms.max(1);
        let mut course = Course { off_after_ms: Some(off), on_after_ms: on, answer_after_ms, done: true };
        if start.action == "on" {
            course.off_after_ms = None;
            course.on_after_ms = Some(off);
        }
        if dice.chance(self.conduct.hangs) {
            return Course { off_after_ms: None, on_after_ms: None, answer_after_ms: limit, done: false };
        }
        if dice.chance(self.conduct.fails) {
            course.done = false;
            course.off_after_ms = course.off_after_ms.filter(|_| half);
            course.on_after_ms = course.on_after_ms.filter(|_| half);
        } else if dice.chance(self.conduct.answers_late) {
            course.answer_after_ms = late;
        }
        if course.answer_after_ms >= limit {
            // Whoever asked has given up by then, and hears that it took too long.
            course.answer_after_ms = limit;
            course.done = false;
        }
        course
    }

    /// The request of that number.
    pub fn request(&self, number: u64) -> Option<&Request> {
        self.requests.get(&number)
    }

    /// The requester is answered now.
    pub fn answered(&mut self, number: u64, now_ms: u64) {
        if let Some(request) = self.requests.get_mut(&number) {
            request.answered_ms = Some(now_ms);
        }
    }

    /// Requests that were not answered yet.
    pub fn in_flight(&self) -> impl Iterator<Item = &Request> {
        self.requests.values().rev().take(32).filter(|request| request.answered_ms.is_none())
    }

    /// Whether a request about that host was not answered yet.
    pub fn is_fencing(&self, target: HostId) -> bool {
        self.in_flight().any(|request| request.start.target == target)
    }
}
