//! The hosts' watchdogs: a host that arms its own and then does not feed it loses its power, and is switched on again.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use super::server::locked;

/// No watchdog waits longer.
const TIMEOUT_MAXIMUM: Duration = Duration::from_secs(600);

#[derive(Clone, Copy)]
struct Armed {
    timeout: Duration,
    until: Instant,
}

/// All watchdogs that are armed.
#[derive(Default)]
pub(super) struct Watchdogs {
    armed: Mutex<BTreeMap<String, Armed>>,
    changed: Condvar,
}

impl Watchdogs {
    /// From now on the host must feed it, each time within the timeout. Arming it again is allowed.
    pub(super) fn arm(&self, host: &str, timeout_ms: u64) -> Result<(), String> {
        let timeout = Duration::from_millis(timeout_ms);
        if timeout.is_zero() || timeout > TIMEOUT_MAXIMUM {
            let most = TIMEOUT_MAXIMUM.as_millis();
            return Err(format!("a watchdog's timeout is 1 to {most} ms, not {timeout_ms}"));
        }
        locked(&self.armed).insert(host.to_owned(), Armed { timeout, until: Instant::now() + timeout });
        self.changed.notify_all();
        Ok(())
    }

    /// The host lives.
    pub(super) fn feed(&self, host: &str) -> Result<(), String> {
        let mut all = locked(&self.armed);
        let armed = all.get_mut(host).ok_or_else(|| format!("the watchdog of {host} is not armed"))?;
        armed.until = Instant::now() + armed.timeout;
        Ok(())
    }

    /// The host need not feed it any more. Whether it was armed.
    pub(super) fn disarm(&self, host: &str) -> bool {
        locked(&self.armed).remove(host).is_some()
    }

    /// The timeouts of those that are armed, in milliseconds.
    pub(super) fn timeout_ms(&self, host: &str) -> Option<u64> {
        let armed = locked(&self.armed).get(host).copied()?;
        u64::try_from(armed.timeout.as_millis()).ok()
    }

    /// Waits for the next one that nobody fed in time; it is not armed any more.
    pub(super) fn next_expired(&self) -> String {
        let mut armed = locked(&self.armed);
        loop {
            let now = Instant::now();
            let first =
                armed.iter().min_by_key(|(_, one)| one.until).map(|(host, one)| (host.clone(), one.until));
            let pause = match first {
                Some((host, until)) if until <= now => {
                    armed.remove(&host);
                    return host;
                }
                Some((_, until)) => until - now,
                None => TIMEOUT_MAXIMUM,
            };
            let waited = self.changed.wait_timeout(armed, pause);
            armed = waited.map_or_else(|poison| poison.into_inner().0, |(guard, _)| guard);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_is_not_fed_expires() {
        let watchdogs = Watchdogs::default();
        watchdogs.arm("host1", 600_000).expect("armed");
        watchdogs.arm("host2", 30).expect("armed");
        assert_eq!(watchdogs.next_expired(), "host2");
        assert_eq!(watchdogs.timeout_ms("host1"), Some(600_000));
        assert!(watchdogs.feed("host2").expect_err("expired").contains("not armed"));
        assert!(watchdogs.disarm("host1") && !watchdogs.disarm("host1"));
    }

    #[test]
    fn feeding_puts_the_end_off() {
        let watchdogs = Watchdogs::default();
        watchdogs.arm("host1", 400).expect("armed");
        watchdogs.arm("host2", 200).expect("armed");
        std::thread::sleep(Duration::from_millis(150));
        watchdogs.feed("host2").expect("armed");
        watchdogs.arm("host1", 100).expect("armed anew");
        assert_eq!(watchdogs.next_expired(), "host1");
        assert_eq!(watchdogs.next_expired(), "host2");
    }

    #[test]
    fn senseless_timeouts_are_refused() {
        assert!(Watchdogs::default().arm("host1", 0).is_err());
        assert!(Watchdogs::default().arm("host1", 600_001).is_err());
    }
}
