//! Power: hosts that lose and get it.

use hafen_protocol::HostId;

use super::{Happening, World};
use crate::executor::Executor;
use crate::host::Host;
use crate::options::BOOT_MS;
use crate::situations::Situation;
use crate::watchdog::Watchdog;

impl World {
    /// A host loses its mains: what is in it is dead too.
    pub(super) fn cut_power(&mut self, id: HostId, why: &str) {
        if let Some(host) = self.hosts.get_mut(&id) {
            host.cut = true;
        }
        self.power_off(id, why);
    }

    /// Somebody gives a host back all that it lacks, unless it is beyond repair.
    pub(super) fn restore_power(&mut self, id: HostId) {
        let now_ms = self.now_ms();
        if let Some(host) = self.hosts.get_mut(&id).filter(|host| host.repairable) {
            host.cut = false;
            host.supplies_off.clear();
            host.supplied_at_ms = Some(now_ms);
        }
        self.power_on(id);
    }

    /// A host gets its power, unless it has it, and boots.
    pub(super) fn power_on(&mut self, id: HostId) {
        let now_us = self.now_us;
        let wanted = |host: &&mut Host| !host.powered && host.supplied();
        let Some(host) = self.hosts.get_mut(&id).filter(wanted) else { return };
        host.powered = true;
        host.boot += 1;
        host.powered_us = now_us;
        let boot = host.boot;
        self.note(Some(id), format_args!("has power, boot {boot}"));
        let ms = self.dice.within(BOOT_MS);
        self.after_ms(ms, Happening::Booted(id, boot));
    }

    /// A host has booted: its network and executor are there, and its daemon starts.
    pub(super) fn booted(&mut self, id: HostId, boot: u64) {
        let Some(host) = self.hosts.get_mut(&id).filter(|host| host.powered && host.boot == boot) else {
            return;
        };
        host.booted = true;
        host.executor.alive = true;
        self.note(Some(id), "has booted");
        self.list_at_boot(id);
        self.corosync_starts(id, boot);
        self.after_ms(100, Happening::DaemonStarts(id, boot));
    }

    /// A host loses its power at once. Whether it had any.
    pub(super) fn power_off(&mut self, id: HostId, why: &str) -> bool {
        if !self.hosts.get(&id).is_some_and(|host| host.powered) {
            return false;
        }
        let now_us = self.now_us;
        self.note(Some(id), format_args!("loses its power: {why}"));
        if self.migrates(id) {
            self.reach(Situation::PowerLostInMidMigration);
        }
        self.daemon_dies(id);
        self.disk_loses_power(id);
        if let Some(host) = self.hosts.get_mut(&id) {
            host.powered = false;
            host.dark_us = now_us;
            host.may_fence = false;
            // Without fencing what failed to stop is blocked for good, on all hosts.
            host.stop_failed &= !self.options.configuration.fencing;
            host.disturbed_us = now_us;
            host.watchdog = Watchdog::default();
            host.booted = false;
            host.returns_after_ms = None;
            host.remembered = None;
            host.executor = Executor::default();
        }
        self.agents.power_lost(id);
        self.corosync_ends(id);
        true
    }
}
