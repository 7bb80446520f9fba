//! Power: hosts that lose and get it, and the fence device that cuts it.

use hafen_node::Input;
use hafen_protocol::message::{FenceResult, FenceStart, ProofLevel};
use hafen_protocol::{HostId, MemberId};

use super::{Happening, World};
use crate::configuration::uname;
use crate::executor::Executor;
use crate::host::Host;
use crate::invariants::Invariant;
use crate::invariants::no_fencing_storm::{Asked, no_fencing_storm};
use crate::mutant::Mutant;
use crate::options::{BOOT_MS, OPERATOR_MS};
use crate::situations::Situation;

/// How long after a failed stop a fencing counts as its consequence, in microseconds.
const STOP_TO_FENCE_US: u64 = 60_000_000;

impl World {
    /// A host gets its power, unless it has it, and boots.
    pub(super) fn power_on(&mut self, id: HostId) {
        let now_us = self.now_us;
        let wanted = |host: &&mut Host| !host.powered && host.repairable;
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
        self.corosync_starts(id, boot);
        self.after_ms(100, Happening::DaemonStarts(id, boot));
    }

    /// A host loses its power at once. Whether it had any.
    pub(super) fn power_off(&mut self, id: HostId, why: &str) -> bool {
        if !self.hosts.get(&id).is_some_and(|host| host.powered) {
            return false;
        }
        self.note(Some(id), format_args!("loses its power: {why}"));
        if self.migrates(id) {
            self.reach(Situation::PowerLostInMidMigration);
        }
        self.daemon_dies(id);
        self.disk_loses_power(id);
        if let Some(host) = self.hosts.get_mut(&id) {
            host.powered = false;
            host.booted = false;
            host.returns_after_ms = None;
            host.remembered = None;
            host.executor = Executor::default();
        }
        self.agents.power_lost(id);
        self.corosync_ends(id);
        true
    }

    /// A node asks the fence device for something.
    pub(super) fn fence_ordered(&mut self, from: MemberId, start: FenceStart) {
        self.note(
            Some(from.host),
            format_args!("fences {}: {} [{}]", start.target_uname, start.id, start.cause),
        );
        if self.mutant == Some(Mutant::SkipTheProof) {
            self.fence_answered(from, &start, true, 0);
            return;
        }
        if self.device.in_flight().next().is_some() {
            self.reach(Situation::TwoFencingsInFlight);
        }
        if self.failed_stops.remove(&start.target).is_some_and(|us| us + STOP_TO_FENCE_US > self.now_us) {
            self.reach(Situation::FencedForFailedStop);
        }
        self.ask_device(from, start.clone());
        if self.mutant == Some(Mutant::FenceTwice) {
            self.ask_device(from, start);
        }
    }

    fn ask_device(&mut self, from: MemberId, start: FenceStart) {
        let now_ms = self.now_ms();
        let asked = self.asked_now(from, &start);
        let number = self.device.ask(start, from, now_ms, &mut self.device_dice);
        self.asked.insert(number, asked);
        let Some(course) = self.device.request(number).map(|request| request.course) else { return };
        if let Some(ms) = course.off_after_ms {
            self.after_ms(ms, Happening::DeviceOff(number));
        }
        if let Some(ms) = course.on_after_ms {
            self.after_ms(ms, Happening::DeviceOn(number));
        }
        self.after_ms(course.answer_after_ms, Happening::DeviceAnswers(number));
    }

    /// What those who ask know of earlier fencings of the same host.
    fn asked_now(&self, from: MemberId, start: &FenceStart) -> Asked {
        let asking = self.hosts.get(&from.host).and_then(|host| host.daemon.as_ref());
        let view = asking.and_then(|daemon| daemon.view.clone());
        let members = view.iter().flat_map(|view| view.member_ids());
        let nodes = members.filter_map(|member| {
            let daemon = self.hosts.get(&member.host)?.daemon.as_ref()?;
            (daemon.incarnation == member.incarnation).then_some(&daemon.node)
        });
        let known = nodes.flat_map(|node| {
            let replica = node.replica();
            let ended = replica.fence_history.iter().map(|entry| &entry.start);
            let all = replica.fencings.values().chain(ended);
            all.filter(|one| one.target == start.target).map(|one| one.id.clone()).collect::<Vec<_>>()
        });
        Asked {
            id: start.id.clone(),
            us: self.now_us,
            known: known.collect(),
            cause: self.causes.last(start.target),
            present: view.as_ref().is_some_and(|view| view.members.contains_key(&start.target)),
        }
    }

    /// The device cuts a host's power.
    pub(super) fn device_off(&mut self, number: u64) {
        let Some(request) = self.device.request(number) else { return };
        let (target, id, reboot) =
            (request.start.target, request.start.id.clone(), request.course.on_after_ms);
        self.power_off(target, &format!("fenced ({id})"));
        if reboot.is_none() {
            let ms = self.dice.within(OPERATOR_MS);
            self.after_ms(ms, Happening::PowerOn(target));
        }
    }

    /// The device gives a host its power back.
    pub(super) fn device_on(&mut self, number: u64) {
        let Some(target) = self.device.request(number).map(|request| request.start.target) else { return };
        self.power_on(target);
    }

    /// The device answers.
    pub(super) fn device_answers(&mut self, number: u64) {
        let now_ms = self.now_ms();
        self.device.answered(number, now_ms);
        let Some(request) = self.device.request(number).cloned() else { return };
        let target = request.start.target;
        if request.course.done && request.start.action != "on" {
            if let Some(asked) = self.asked.get(&number).cloned() {
                if let Some(text) = no_fencing_storm(&self.causes, target, &asked) {
                    self.violate(Invariant::NoFencingStorm, text);
                }
                self.causes.succeeded(target, asked);
            }
        } else {
            self.reach(Situation::FencingFailed);
        }
        let took_ms = now_ms - request.asked_ms;
        self.fence_answered(request.by, &request.start, request.course.done, took_ms);
    }

    fn fence_answered(&mut self, to: MemberId, start: &FenceStart, done: bool, took_ms: u64) {
        let asking = self.hosts.get(&to.host).and_then(|host| host.daemon.as_ref());
        let asking = asking.filter(|daemon| daemon.incarnation == to.incarnation);
        let asks_still = asking.is_some();
        let rejoined = asking.and_then(|daemon| daemon.node.membership().view.as_ref()).is_some_and(|view| {
            let now = view.members.get(&start.target);
            now.is_some() && now.copied() != start.target_incarnation
        });
        let text =
            format!("{} of {} {}", start.action, start.target_uname, if done { "done" } else { "failed" });
        self.note(None, format_args!("the device answers {}: {text}", uname(to.host.0)));
        if asks_still && done && rejoined {
            self.reach(Situation::FenceResultAfterTargetRejoined);
        }
        let outcome = if done {
            Ok(ProofLevel::OffVerified)
        } else {
            Err("the device does not answer as it should".to_owned())
        };
        let result = FenceResult {
            id: start.id.clone(),
            outcome,
            device: start.levels.iter().flatten().next().map(|device| device.id.clone()),
            tried: Vec::new(),
            took_ms,
            wall_ms: self.now_of(to.host).wall_ms,
        };
        self.feed(to, Input::FenceEnded(Box::new(result)));
    }
}
