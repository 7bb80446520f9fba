//! Watchdogs: what changes whether they are fed, and hosts that they reset.

use hafen_protocol::HostId;

use super::{Happening, World};
use crate::dice::{Bounds, bounds};
use crate::situations::Situation;

/// From a reset to the power of the next boot, in milliseconds.
const RESET_MS: Bounds = bounds(500, 3_000);

impl World {
    /// A daemon said whether its host's watchdog may be fed.
    pub(super) fn watchdog_reported(&mut self, id: HostId, feed: bool, timeout_ms: u64) {
        let now_us = self.now_us;
        if let Some(host) = self.hosts.get_mut(&id) {
            if timeout_ms > 0 && !host.watchdog.is_armed() {
                // Before anything begins or arrives here.
                host.watchdog.arm(timeout_ms * 1_000);
            }
            host.watchdog.report(feed, now_us);
        }
        self.watchdog_looked_at(id);
    }

    /// Something changed that decides whether the watchdog is fed.
    pub(super) fn watchdog_looked_at(&mut self, id: HostId) {
        let now_us = self.now_us;
        let patience_us = self.options.daemon_restart_timeout_ms * 1_000;
        let Some(host) = self.hosts.get_mut(&id) else { return };
        let reports = host.daemon.as_ref().is_some_and(|daemon| daemon.connected && !daemon.hangs);
        host.watchdog.look(reports, host.executor.alive, now_us);
        let boot = host.boot;
        if let Some(at_us) = host.watchdog.expires(patience_us) {
            self.after_us(at_us.saturating_sub(now_us), Happening::WatchdogExpires(id, boot));
        }
    }

    /// A watchdog resets its host, if it was not fed since.
    pub(super) fn watchdog_expires(&mut self, id: HostId, boot: u64) {
        let patience_us = self.options.daemon_restart_timeout_ms * 1_000;
        let Some(host) = self.hosts.get(&id).filter(|host| host.powered && host.boot == boot) else { return };
        if host.watchdog.expires(patience_us).is_none_or(|at_us| at_us > self.now_us) {
            return;
        }
        self.reach(Situation::WatchdogReset);
        self.power_off(id, "its watchdog resets it");
        let ms = self.dice.within(RESET_MS);
        self.after_ms(ms, Happening::ComesBack(id));
    }
}
