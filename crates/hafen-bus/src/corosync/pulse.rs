//! What the thread that owns the connections to Corosync and the tasks that watch it share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Whether the thread moves.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    beats: AtomicU64,
    reset: AtomicBool,
    given_up: AtomicBool,
    /// How long the thread may stand still because Corosync synchronises, in milliseconds.
    synchronising_ms: AtomicU64,
}

impl Pulse {
    /// The thread has moved.
    pub(super) fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
    }

    /// Changes whenever the thread moves.
    pub(super) fn beats(&self) -> u64 {
        self.beats.load(Ordering::Relaxed)
    }

    /// How long Corosync may be silent for a reason: while it waits for its quorum device's vote.
    pub(super) fn synchronising(&self) -> Duration {
        Duration::from_millis(self.synchronising_ms.load(Ordering::Relaxed))
    }

    /// Corosync may be silent for that long.
    pub(super) fn set_synchronising(&self, milliseconds: u64) {
        self.synchronising_ms.store(milliseconds, Ordering::Relaxed);
    }

    /// Everything that the thread knows is taken for lost; it answers by `Report::Reset`.
    pub(super) fn reset(&self) {
        self.reset.store(true, Ordering::Relaxed);
    }

    /// Whether that happened since this was asked last.
    pub(super) fn was_reset(&self) -> bool {
        self.reset.swap(false, Ordering::Relaxed)
    }

    /// A stream gives its view up.
    pub(super) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }

    /// Whether a stream has given its view up since this was asked last.
    pub(super) fn was_given_up(&self) -> bool {
        self.given_up.swap(false, Ordering::Relaxed)
    }
}
