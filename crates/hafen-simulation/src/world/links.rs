//! Links that work one way only, Corosync that dies under its daemon, and a quorum device's server out of reach.

use hafen_protocol::HostId;
use hafen_protocol::sequencer::Input as NetworkInput;

use super::{Happening, World};
use crate::dice::{Bounds, Dice, bounds};
use crate::fault::FaultKind;
use crate::situations::Situation;

/// How often a ring forms again while somebody is heard that does not get in, in milliseconds.
const REFORM_MS: Bounds = bounds(800, 6_000);

impl World {
    /// A host is heard and does not hear, or hears and is not heard: it is alone, and who hears it, or what it hears,
    /// makes rings form again and again.
    pub(super) fn hear_one_way(&mut self, index: usize, victim: HostId) {
        for daemon in self.hosts.values_mut().filter_map(|host| host.daemon.as_mut()) {
            daemon.parted();
        }
        self.network(NetworkInput::Isolate(victim));
        let ms = self.dice.within(REFORM_MS);
        self.after_ms(ms, Happening::RingReforms(index));
    }

    /// The ring forms again, as long as the fault lasts.
    pub(super) fn ring_reforms(&mut self, index: usize) {
        let Some(&Some(victim)) = self.active.get(&index) else { return };
        let alone = self.fault(index).kind == FaultKind::Mute;
        let mut up = self.hosts.values().filter(|host| host.corosync && (host.id == victim) == alone);
        if let Some(host) = up.next().map(|host| host.id) {
            self.reach(Situation::RingReformed);
            self.network(NetworkInput::Reform(host));
        }
        let ms = self.dice.within(REFORM_MS);
        self.after_ms(ms, Happening::RingReforms(index));
    }

    /// A host's Corosync starts, if it does not run.
    pub(super) fn corosync_starts(&mut self, id: HostId, boot: u64) {
        let Some(host) = self.hosts.get_mut(&id).filter(|host| host.powered && host.boot == boot) else {
            return;
        };
        if std::mem::replace(&mut host.corosync, true) {
            return;
        }
        self.note(Some(id), "corosync starts");
        self.quorum.started(id);
        self.network(NetworkInput::HostUp(id));
    }

    /// A host's Corosync is gone, by itself or with the host.
    pub(super) fn corosync_ends(&mut self, id: HostId) {
        let Some(host) = self.hosts.get_mut(&id) else { return };
        if !std::mem::replace(&mut host.corosync, false) {
            return;
        }
        self.quorum.ended(id);
        self.network(NetworkInput::HostDown(id));
        self.quorum_moves();
    }

    /// Corosync is killed under a daemon, which hears of it and connects again when it can.
    pub(super) fn kill_corosync(&mut self, id: HostId, boot: u64, back_after_ms: u64) {
        if !self.hosts.get(&id).is_some_and(|host| host.corosync) {
            return;
        }
        self.note(Some(id), "corosync is gone");
        self.corosync_ends(id);
        self.after_ms(back_after_ms, Happening::CorosyncStarts(id, boot));
        let attached = |daemon: &&crate::host::Daemon| daemon.attached;
        let daemon = self.hosts.get(&id).and_then(|host| host.daemon.as_ref()).filter(attached);
        if daemon.is_some()
            && let Some(member) = self.hosts.get(&id).and_then(|host| host.member())
        {
            self.reach(Situation::CorosyncDied);
            self.lose_bus(member, "corosync on this host has died");
        }
    }

    /// The server of the quorum device is out of reach, for one host or for all.
    pub(super) fn lose_device_server(&mut self, victim: HostId, dice: &mut Dice) {
        let all = dice.chance(500);
        let ids: Vec<HostId> = self.hosts.keys().copied().filter(|&id| all || id == victim).collect();
        for id in ids {
            self.quorum.set_reaches_device(id, false);
        }
        self.quorum_moves();
    }

    /// It is within reach again.
    pub(super) fn find_device_server(&mut self) {
        if !self.quorum.has_device() {
            return;
        }
        let ids: Vec<HostId> = self.hosts.keys().copied().collect();
        for id in ids {
            self.quorum.set_reaches_device(id, true);
        }
        self.quorum_moves();
    }
}
