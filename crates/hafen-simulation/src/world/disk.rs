//! Disks: effects one after another, each in its time; slow, full or failing now and then.

use hafen_node::Input;
use hafen_node::api::{StorageEffect, StorageError};
use hafen_protocol::{HostId, Incarnation, MemberId};

use super::{Happening, World};
use crate::host::DiskCondition;
use crate::mutant::Mutant;
use crate::options::{DISK_US, SLOW_DISK_US};
use crate::situations::Situation;

impl World {
    /// A daemon hands an effect to its disk.
    pub(super) fn effect_begins(&mut self, from: MemberId, token: u64, effect: StorageEffect) {
        let Some(host) = self.hosts.get_mut(&from.host) else { return };
        let condition = host.condition;
        let Some(daemon) = host.daemon_mut(from.incarnation) else { return };
        daemon.effects.push_back((token, effect));
        let coordinates = daemon.node.is_coordinator();
        if daemon.effects.len() == 1 {
            self.effect_takes_its_time(from.host, from.incarnation);
        }
        if condition == DiskCondition::Full && coordinates {
            self.reach(Situation::DiskFullOnCoordinator);
        }
    }

    fn effect_takes_its_time(&mut self, id: HostId, incarnation: Incarnation) {
        let slow = self.hosts.get(&id).is_some_and(|host| host.condition == DiskCondition::Slow);
        let us = self.disk_dice.within(if slow { SLOW_DISK_US } else { DISK_US });
        self.after_us(us, Happening::EffectEnds(id, incarnation));
    }

    /// The disk has carried out, or failed, the first effect in a daemon's queue.
    pub(super) fn effect_ends(&mut self, id: HostId, incarnation: Incarnation) {
        let lies = self.mutant == Some(Mutant::AcknowledgeBeforeSync);
        let Some(host) = self.hosts.get_mut(&id) else { return };
        let Some(daemon) = host.daemon.as_mut().filter(|daemon| daemon.incarnation == incarnation) else {
            return;
        };
        let Some((token, effect)) = daemon.effects.pop_front() else { return };
        let writes = matches!(effect, StorageEffect::Write { .. } | StorageEffect::Append { .. });
        let syncs = matches!(effect, StorageEffect::Sync { .. } | StorageEffect::SyncDirectory);
        let dice = &mut self.disk_dice;
        let result = match host.condition {
            DiskCondition::Full if writes => Err(StorageError::Full),
            DiskCondition::Failing => Err(StorageError::Failed("input/output error".to_owned())),
            _ if syncs && lies => Ok(()),
            _ => host.disk.apply(&effect),
        };
        if result.is_err() {
            host.disk.apply_partly(&effect, &mut || dice.number());
        }
        let failed = result.is_err();
        let cancelled: Vec<u64> =
            if failed { daemon.effects.drain(..).map(|(token, _)| token).collect() } else { Vec::new() };
        if !daemon.effects.is_empty() {
            self.effect_takes_its_time(id, incarnation);
        }
        if let Err(error) = &result {
            self.note(Some(id), format_args!("disk: {error:?}"));
        }
        let to = MemberId { host: id, incarnation };
        self.feed(to, Input::Storage { token, result });
        for token in cancelled {
            self.feed(to, Input::Storage { token, result: Err(StorageError::Cancelled) });
        }
    }

    /// A daemon dies: the effect under way may have been carried out, those behind it not.
    pub(super) fn disk_interrupted(&mut self, id: HostId) {
        let done = self.disk_dice.chance(500);
        let Some(host) = self.hosts.get_mut(&id) else { return };
        let healthy = matches!(host.condition, DiskCondition::Healthy | DiskCondition::Slow);
        let Some(daemon) = host.daemon.as_mut() else { return };
        if let Some((_, effect)) = daemon.effects.pop_front()
            && done
            && healthy
        {
            // A file that is not there is an error for a daemon that still lives, and for nobody else.
            let _ = host.disk.apply(&effect);
        }
        daemon.effects.clear();
    }

    /// A host loses its power.
    pub(super) fn disk_loses_power(&mut self, id: HostId) {
        let dice = &mut self.disk_dice;
        let Some(host) = self.hosts.get_mut(&id) else { return };
        let before = host.disk.files();
        host.disk.crash(&mut || dice.number());
        if host.disk.files() != before {
            self.reach(Situation::TornFilesOnRecovery);
        }
    }
}
