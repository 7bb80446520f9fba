//! Points in time until which something may take.

use std::thread;
use std::time::{Duration, Instant};

/// The pause between two looks at something that announces nothing.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A point in time until which something may take.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// From now on this long.
    pub fn after(span: Duration) -> Self {
        Self(Instant::now() + span)
    }

    /// The earlier of this one and `span` from now.
    pub fn at_most(self, span: Duration) -> Self {
        Self(self.0.min(Instant::now() + span))
    }

    /// What is left; zero when it has passed.
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Whether it has passed.
    pub fn has_passed(self) -> bool {
        self.left().is_zero()
    }

    /// Looks again and again until there is an answer; `None` when the deadline passes first. Looks at least once.
    pub fn poll<T>(self, mut look: impl FnMut() -> Option<T>) -> Option<T> {
        loop {
            if let Some(answer) = look() {
                return Some(answer);
            }
            let left = self.left();
            if left.is_zero() {
                return None;
            }
            thread::sleep(left.min(POLL_INTERVAL));
        }
    }
}
