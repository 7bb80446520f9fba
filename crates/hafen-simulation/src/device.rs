//! Fence devices, out of reach of the cluster's network: a switch with an outlet for each power supply, and a board in each
//! host. They take their time, serve requests side by side, may fail, hang or answer late, and tell the truth: "done" means
//! that it was done after the request had begun. A board has its host's power: where that is cut, it answers nothing.

use hafen_node::fencing::WATCHDOG_AGENT;
use hafen_protocol::message::FenceDevice;

use crate::dice::{Bounds, Dice, bounds};

/// From the request to its deed, in milliseconds.
pub const TAKES_MS: Bounds = bounds(200, 4_000);
/// How much later a late answer comes, in milliseconds.
pub const LATE_BY_MS: Bounds = bounds(15_000, 100_000);

/// The agent of a switch that cuts all of a host's supplies at once.
pub const SWITCH: &str = "fence_simulated";
/// The agent of a switch that cuts one of two supplies, by its parameter `supply` (`a` or `b`).
pub const OUTLET: &str = "fence_simulated_outlet";
/// The agent of a board in its host.
pub const BOARD: &str = "fence_simulated_board";

/// What a device has its hands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// All supplies of a host.
    Supplies,
    /// One supply of a host.
    Supply(u8),
    /// The host, from within.
    Board,
    /// Nothing: the host ends by its own watchdog, and all that is done is to wait.
    Watchdog,
}

impl Reach {
    /// What a configured device has its hands on; nothing where no such device is known.
    pub fn of(device: &FenceDevice) -> Option<Reach> {
        match device.agent.as_str() {
            SWITCH => Some(Reach::Supplies),
            OUTLET => {
                let second = device.parameters.get("supply").is_some_and(|supply| supply == "b");
                Some(Reach::Supply(u8::from(second)))
            }
            BOARD => Some(Reach::Board),
            WATCHDOG_AGENT => Some(Reach::Watchdog),
            _ => None,
        }
    }
}

/// How devices misbehave at the moment: chances in a thousand for each request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeviceConduct {
    /// It answers "failed"; half of the times after it has done it.
    pub fails: u64,
    /// It does nothing, and answers nothing until the request's time is over.
    pub hangs: u64,
    /// It does what it was asked, and says so much later.
    pub answers_late: u64,
    /// Only boards do so, not switches.
    pub boards_only: bool,
}

/// What becomes of a request; times are milliseconds after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Course {
    /// When it is done; `None`: never.
    pub holds_after_ms: Option<u64>,
    /// When whoever asked is answered.
    pub answer_after_ms: u64,
    /// Whether the answer is "done".
    pub done: bool,
}

/// All fence devices of a cluster.
#[derive(Debug, Clone, Copy, Default)]
pub struct Devices {
    /// How they misbehave.
    pub conduct: DeviceConduct,
    /// How long a request takes, in milliseconds, where that is not drawn.
    pub takes_ms: Option<u64>,
}

impl Devices {
    /// Draws what becomes of a request that whoever asks waits for so long, in milliseconds.
    pub fn draw(&self, reach: Reach, limit_ms: u64, dice: &mut Dice) -> Course {
        if reach == Reach::Watchdog {
            return Course { holds_after_ms: None, answer_after_ms: limit_ms, done: true };
        }
        let drawn_ms = dice.within(TAKES_MS);
        let late_ms = dice.within(LATE_BY_MS);
        let half = dice.chance(500);
        let takes_ms = self.takes_ms.unwrap_or(drawn_ms);
        let mut course =
            Course { holds_after_ms: Some(takes_ms), answer_after_ms: takes_ms + 50, done: true };
        let conduct = self.conduct;
        if !conduct.boards_only || reach == Reach::Board {
            if dice.chance(conduct.hangs) {
                return Course { holds_after_ms: None, answer_after_ms: limit_ms, done: false };
            }
            if dice.chance(conduct.fails) {
                course.done = false;
                course.holds_after_ms = course.holds_after_ms.filter(|_| half);
            } else if dice.chance(conduct.answers_late) {
                course.answer_after_ms += late_ms;
            }
        }
        if course.answer_after_ms >= limit_ms {
            // Whoever asked has given up by then.
            course.answer_after_ms = limit_ms;
            course.done = false;
        }
        course
    }
}
