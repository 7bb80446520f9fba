//! A host's watchdog, as its executor holds it: armed before the first start, fed while the daemon has lately said that it
//! may be, and not ended by the end of who feeds it.

/// A watchdog.
#[derive(Debug, Clone, Default)]
pub struct Watchdog {
    /// How long it waits after it was last fed, in microseconds, once it is armed.
    armed_us: Option<u64>,
    /// What the daemon said last: whether it may be fed.
    allowed: bool,
    /// Since when the daemon forbids it, in microseconds.
    forbidden_since: Option<u64>,
    /// Since when no daemon that lives reports to the executor.
    silent_since: Option<u64>,
    /// Since when there is no executor.
    unattended_since: Option<u64>,
}

impl Watchdog {
    /// The executor arms it.
    pub fn arm(&mut self, timeout_us: u64) {
        self.armed_us = Some(timeout_us);
    }

    /// Whether it is armed.
    pub fn is_armed(&self) -> bool {
        self.armed_us.is_some()
    }

    /// The daemon says whether it may be fed.
    pub fn report(&mut self, allowed: bool, now_us: u64) {
        self.allowed = allowed;
        self.forbidden_since = if allowed { None } else { self.forbidden_since.or(Some(now_us)) };
    }

    /// Whether a daemon that lives reports, and whether there is an executor.
    pub fn look(&mut self, daemon: bool, executor: bool, now_us: u64) {
        self.silent_since = if daemon { None } else { self.silent_since.or(Some(now_us)) };
        self.unattended_since = if executor { None } else { self.unattended_since.or(Some(now_us)) };
    }

    /// When it resets the host unless something changes, in microseconds; `patience_us` is how long the last report of a
    /// daemon counts.
    pub fn expires(&self, patience_us: u64) -> Option<u64> {
        let timeout_us = self.armed_us?;
        let silent = self.silent_since.map(|since| since + patience_us);
        let last_fed = [self.forbidden_since, silent, self.unattended_since].into_iter().flatten().min()?;
        Some(last_fed + timeout_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_waits_for_who_feeds_it() {
        let mut watchdog = Watchdog::default();
        watchdog.report(false, 5);
        assert_eq!(watchdog.expires(100), None, "it is not armed");
        watchdog.arm(10);
        assert_eq!(watchdog.expires(100), Some(15));
        watchdog.report(true, 6);
        watchdog.look(true, true, 6);
        assert_eq!(watchdog.expires(100), None, "it is fed");
        watchdog.look(false, true, 20);
        watchdog.look(false, true, 30);
        assert_eq!(watchdog.expires(100), Some(130), "the last report counts for a while");
        watchdog.look(false, false, 40);
        assert_eq!(watchdog.expires(100), Some(50));
    }
}
