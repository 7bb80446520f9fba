//! Daemons that hang, as stopped processes do: nothing that comes in is taken, time passes, and then all of it at once.

use hafen_protocol::{HostId, Incarnation, MemberId};

use super::{Happening, World};
use crate::situations::Situation;

impl World {
    /// A daemon hangs, for a time or until something ends it.
    pub(super) fn hang_daemon(&mut self, id: HostId, for_ms: Option<u64>) {
        let Some(daemon) = self.hosts.get_mut(&id).and_then(|host| host.daemon.as_mut()) else { return };
        if std::mem::replace(&mut daemon.hangs, true) {
            return;
        }
        let incarnation = daemon.incarnation;
        self.note(Some(id), "daemon hangs");
        self.disturbed(id);
        self.watchdog_looked_at(id);
        let now_us = self.now_us;
        self.causes.record(id, now_us, "its daemon hung");
        if let Some(ms) = for_ms {
            self.after_ms(ms, Happening::DaemonGoesOn(id, incarnation));
        }
    }

    /// A daemon goes on where it was.
    pub(super) fn daemon_goes_on(&mut self, id: HostId, incarnation: Incarnation) {
        let Some(daemon) = self.hosts.get_mut(&id).and_then(|host| host.daemon_mut(incarnation)) else {
            return;
        };
        if !std::mem::replace(&mut daemon.hangs, false) {
            return;
        }
        let waiting = std::mem::take(&mut daemon.waiting);
        daemon.wake_us = None;
        let text = format!("daemon goes on, {} inputs have waited", waiting.len());
        self.note(Some(id), text);
        self.disturbed(id);
        self.watchdog_looked_at(id);
        self.reach(Situation::DaemonHung);
        let member = MemberId { host: id, incarnation };
        for input in waiting {
            self.feed(member, input);
        }
        self.drain(member);
    }
}
