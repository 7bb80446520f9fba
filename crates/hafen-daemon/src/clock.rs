//! The two clocks of the host.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hafen_protocol::Now;
use rustix::time::{ClockId, clock_gettime};

/// What the clocks say.
pub(crate) fn now() -> Now {
    let monotonic = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(monotonic.tv_sec).unwrap_or_default();
    let nanoseconds = u64::try_from(monotonic.tv_nsec).unwrap_or_default();
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Now { monotonic_ms: seconds * 1000 + nanoseconds / 1_000_000, wall_ms: milliseconds(wall) }
}

/// A span in whole milliseconds.
pub(crate) fn milliseconds(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
