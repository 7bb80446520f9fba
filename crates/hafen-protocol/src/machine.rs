//! The one contract of every state machine: an input in, outputs drained, a deadline known.

use serde::{Deserialize, Serialize};

/// What the clocks said when an input arrived. Two clocks, because time-outs must not jump when an administrator
/// sets the date, and records must name a date that people understand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Now {
    /// Milliseconds of a clock that never goes back (`CLOCK_MONOTONIC`); only differences mean anything.
    pub monotonic_ms: u64,
    /// Milliseconds since the Unix epoch (`CLOCK_REALTIME`), for records and rules with dates.
    pub wall_ms: u64,
}

impl Now {
    /// Whole seconds since the Unix epoch, as Pacemaker writes times into the status.
    pub fn epoch_seconds(self) -> u64 {
        self.wall_ms / 1000
    }
}

/// A state machine without input or output of its own.
///
/// The shell calls `handle(now, input)`, then `poll_output()` until it answers `None`, then sleeps until
/// `poll_timeout()` or the next input. When the deadline passes it calls `handle_timeout(now)`, and drains again.
pub trait Machine {
    /// What the world tells the machine.
    type Input;
    /// What the machine wants done.
    type Output;

    /// Takes one input. Never blocks, never fails: what is wrong with the input becomes an output.
    fn handle(&mut self, now: Now, input: Self::Input);

    /// Tells the machine that its deadline has passed. Calling it early is harmless.
    fn handle_timeout(&mut self, now: Now);

    /// The next thing to do, in the order in which it must be done.
    fn poll_output(&mut self) -> Option<Self::Output>;

    /// The monotonic time in milliseconds at which `handle_timeout` is wanted, if any.
    fn poll_timeout(&self) -> Option<u64>;
}
