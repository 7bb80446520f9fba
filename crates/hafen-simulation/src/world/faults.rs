//! Faults that strike and end.

use std::collections::BTreeSet;

use hafen_node::Input;
use hafen_protocol::client::Request;
use hafen_protocol::sequencer::{Input as NetworkInput, PerMille, Span};
use hafen_protocol::{HostId, MemberId};

use super::{Happening, World};
use crate::agents::Conduct;
use crate::device::DeviceConduct;
use crate::dice::{Dice, bounds};
use crate::fault::{AIM_PATIENCE_MS, Aim, Fault, FaultKind};
use crate::host::DiskCondition;
use crate::situations::Situation;

/// The number of a request to leave; nobody waits for its answer.
const LEAVE_REQUEST: u64 = u64::MAX - 1;

/// A fault that finds no host with power comes again after this time, in milliseconds.
const NOBODY_MS: u64 = 5_000;

impl World {
    /// A fault strikes, or waits for whom it is aimed at.
    pub(super) fn fault_armed(&mut self, index: usize) {
        let fault = self.fault(index);
        if matches!(fault.aim, Aim::Anyone | Aim::Coordinator) {
            return self.strike(index);
        }
        self.armed.insert(index);
        self.after_ms(AIM_PATIENCE_MS, Happening::PatienceEnds(index));
    }

    /// Strikes with those that have found their target.
    pub(super) fn strike_armed(&mut self) {
        let found = self.armed.iter().copied().find(|&index| !self.targets(self.fault(index).aim).is_empty());
        if let Some(index) = found {
            self.armed.remove(&index);
            self.strike(index);
        }
    }

    pub(super) fn patience_ends(&mut self, index: usize) {
        if self.armed.remove(&index) {
            self.strike(index);
        }
    }

    fn victim(&self, fault: &Fault, dice: &mut Dice) -> Option<HostId> {
        let aimed = self.targets(fault.aim);
        let anyone = if aimed.is_empty() { self.targets(Aim::Anyone) } else { aimed };
        dice.pick(&anyone).copied()
    }

    fn strike(&mut self, index: usize) {
        if self.quiet {
            return;
        }
        let fault = self.fault(index);
        let mut dice = Dice::new(fault.roll, "fault");
        let Some(victim) = self.victim(&fault, &mut dice) else {
            // All hosts are without power: it strikes the first one that has it again.
            return self.after_ms(NOBODY_MS, Happening::FaultArmed(index));
        };
        self.struck += 1;
        self.note(Some(victim), format_args!("FAULT {index}: {fault}"));
        let boot = self.hosts.get(&victim).map_or(0, |host| host.boot);
        match fault.kind {
            FaultKind::DaemonKilled | FaultKind::DaemonBlinks => {
                self.kill_daemon(victim, boot, fault.lasts_ms)
            }
            FaultKind::ExecutorKilled => self.executor_dies(victim, fault.lasts_ms),
            FaultKind::DaemonAndExecutorKilled => {
                let busy = self.targets(Aim::BusyHost).contains(&victim);
                self.kill_daemon(victim, boot, fault.lasts_ms);
                self.executor_dies(victim, dice.within(bounds(50, fault.lasts_ms.max(50))));
                if busy {
                    self.reach(Situation::ExecutorKilledToo);
                }
            }
            FaultKind::DaemonLeaves => self.leave(victim, fault.lasts_ms),
            FaultKind::PowerCut => {
                self.cut_power(victim, "power cut");
                self.after_ms(fault.lasts_ms, Happening::PowerOn(victim));
            }
            FaultKind::PowerCutOfAll => self.cut_all(&fault, &mut dice),
            FaultKind::OneAlone => self.leave_one_alone(&fault, victim, &mut dice),
            FaultKind::OneDead => self.leave_one_dead(victim, &mut dice),
            FaultKind::Partition | FaultKind::Isolation => self.part(&fault, victim, &mut dice),
            FaultKind::Mute | FaultKind::Deaf => self.hear_one_way(index, victim),
            FaultKind::CorosyncKilled => self.kill_corosync(victim, boot, fault.lasts_ms),
            FaultKind::DaemonHangs => self.hang_daemon(victim, Some(fault.lasts_ms)),
            FaultKind::DaemonHangsForGood => self.hang_daemon(victim, None),
            FaultKind::HostJoins => self.host_joins(),
            FaultKind::HostRemoved => self.host_is_removed(victim),
            FaultKind::DeviceServerLost => self.lose_device_server(victim, &mut dice),
            FaultKind::BusLost => {
                let member = self.hosts.get(&victim).and_then(|host| host.member());
                if let Some(member) = member {
                    self.network(NetworkInput::ProcessGone(member));
                    self.lose_bus(member, "the connection broke");
                }
            }
            FaultKind::ResourceDies => self.kill_resource(victim, &mut dice),
            _ => self.worsen(&fault, victim, &mut dice),
        }
        self.active.insert(index, Some(victim));
        self.after_ms(fault.lasts_ms, Happening::FaultEnds(index));
    }

    fn kill_daemon(&mut self, victim: HostId, boot: u64, back_after_ms: u64) {
        if self.daemon_dies(victim) {
            self.after_ms(back_after_ms, Happening::DaemonStarts(victim, boot));
        }
    }

    fn leave(&mut self, victim: HostId, back_after_ms: u64) {
        let Some(host) = self.hosts.get_mut(&victim) else { return };
        host.returns_after_ms = Some(back_after_ms);
        if let Some(member) = host.member() {
            self.feed(member, Input::Client { request: LEAVE_REQUEST, body: Request::Shutdown });
        }
    }

    fn cut_all(&mut self, fault: &Fault, dice: &mut Dice) {
        for id in self.all_lose_power() {
            let ms = fault.lasts_ms + dice.within(bounds(0, 20_000));
            self.after_ms(ms, Happening::PowerOn(id));
        }
    }

    fn all_lose_power(&mut self) -> Vec<HostId> {
        let ids: Vec<HostId> = self.hosts.keys().copied().collect();
        for &id in &ids {
            self.cut_power(id, "power cut of all");
        }
        self.reach(Situation::PowerCutOfAllHosts);
        ids
    }

    /// One host has its power back long before the others.
    fn leave_one_alone(&mut self, fault: &Fault, victim: HostId, dice: &mut Dice) {
        for id in self.all_lose_power() {
            let late_ms = if id == victim { 0 } else { fault.lasts_ms };
            let ms = late_ms + dice.within(bounds(2_000, 10_000));
            self.after_ms(ms, Happening::PowerOn(id));
        }
        self.reach(Situation::OneAlone);
    }

    /// All but one host have their power back; nothing but a repair brings that one back.
    fn leave_one_dead(&mut self, victim: HostId, dice: &mut Dice) {
        for id in self.all_lose_power() {
            let ms = dice.within(bounds(2_000, 30_000));
            self.after_ms(ms, Happening::PowerOn(id));
        }
        if let Some(host) = self.hosts.get_mut(&victim) {
            host.repairable = false;
        }
        self.reach(Situation::OneDead);
    }

    /// A dead host is repaired, and gets its power.
    fn repair(&mut self, id: HostId) {
        if let Some(host) = self.hosts.get_mut(&id) {
            host.repairable = true;
        }
        self.after_ms(1_000, Happening::PowerOn(id));
    }

    fn part(&mut self, fault: &Fault, victim: HostId, dice: &mut Dice) {
        if self.clients.pending().next().is_some() {
            self.reach(Situation::PartitionWithChangeInFlight);
        }
        for daemon in self.hosts.values_mut().filter_map(|host| host.daemon.as_mut()) {
            daemon.parted();
        }
        if fault.kind == FaultKind::Isolation {
            return self.network(NetworkInput::Isolate(victim));
        }
        let mut ids: Vec<HostId> = self.hosts.keys().copied().collect();
        dice.shuffle(&mut ids);
        let parts = if ids.len() > 2 && dice.chance(250) { 3 } else { 2 };
        let mut sides: Vec<BTreeSet<HostId>> = vec![BTreeSet::new(); parts];
        for (index, id) in ids.into_iter().enumerate() {
            let any = dice.within(bounds(0, parts as u64 - 1));
            let side = if index < parts { index } else { usize::try_from(any).unwrap_or(0) };
            sides[side].insert(id);
        }
        self.note(None, format_args!("partition {sides:?}"));
        self.network(NetworkInput::Partition(sides));
    }

    fn kill_resource(&mut self, victim: HostId, dice: &mut Dice) {
        let running: Vec<String> = self.agents.active_on(victim).map(|(name, _)| name.to_owned()).collect();
        if let Some(resource) = dice.pick(&running)
            && self.agents.die(victim, resource)
        {
            self.note(Some(victim), format_args!("{resource} dies"));
        }
    }

    /// Faults that make something behave badly for a time.
    fn worsen(&mut self, fault: &Fault, victim: HostId, dice: &mut Dice) {
        let often = dice.within(bounds(150, 700));
        if self.devices.conduct == DeviceConduct::default() {
            self.devices.conduct.boards_only = dice.chance(500);
        }
        match fault.kind {
            FaultKind::SlowNetwork => {
                let settings = self.sequencer.settings_mut();
                settings.stall = PerMille(200);
                settings.order_delay = Span::between(0, 150);
                settings.delivery_delay = Span::between(0, 400);
            }
            FaultKind::SlowDisk => self.set_disk(victim, DiskCondition::Slow),
            FaultKind::FailingDisk => self.set_disk(victim, DiskCondition::Failing),
            FaultKind::FullDisk => self.set_disk(victim, DiskCondition::Full),
            FaultKind::FailingAgents => self.set_conduct(victim, dice, |conduct, dice| {
                conduct.start_fails = dice.within(bounds(0, often));
                conduct.stop_fails = dice.within(bounds(0, often));
                conduct.monitor_fails = dice.within(bounds(0, often));
                conduct.migrate_fails = often;
            }),
            FaultKind::HangingAgents => self.set_conduct(victim, dice, |conduct, dice| {
                conduct.start_hangs = dice.within(bounds(0, often));
                conduct.stop_hangs = dice.within(bounds(0, often));
                conduct.monitor_hangs = dice.within(bounds(0, often));
                conduct.migrate_hangs = often;
            }),
            FaultKind::LyingAgents => self.set_conduct(victim, dice, |conduct, dice| {
                conduct.start_lies = dice.within(bounds(0, often));
                conduct.stop_lies = dice.within(bounds(0, often));
                conduct.monitor_lies = dice.within(bounds(0, often));
            }),
            FaultKind::FailingDevice => self.devices.conduct.fails = often,
            FaultKind::HangingDevice => self.devices.conduct.hangs = often,
            FaultKind::LateDevice => self.devices.conduct.answers_late = often,
            _ => {}
        }
    }

    fn set_disk(&mut self, id: HostId, condition: DiskCondition) {
        if let Some(host) = self.hosts.get_mut(&id) {
            host.condition = condition;
        }
        let now_us = self.now_us;
        self.hosts.values_mut().for_each(|host| host.disturbed_us = now_us);
    }

    /// Changes the conduct of the agents on a host, or half of the times on all.
    fn set_conduct(&mut self, victim: HostId, dice: &mut Dice, change: impl FnOnce(&mut Conduct, &mut Dice)) {
        let all = dice.chance(500);
        let mut conduct = Conduct::default();
        change(&mut conduct, dice);
        for host in self.hosts.values_mut().filter(|host| all || host.id == victim) {
            host.conduct = conduct;
            host.disturbed_us = self.now_us;
        }
    }

    /// A fault's time is over.
    pub(super) fn fault_ends(&mut self, index: usize) {
        let Some(victim) = self.active.remove(&index).flatten() else { return };
        let kind = self.fault(index).kind;
        let goes_on =
            |same: &dyn Fn(FaultKind) -> bool| self.active.keys().any(|&other| same(self.fault(other).kind));
        match kind {
            FaultKind::Partition | FaultKind::Isolation | FaultKind::Mute | FaultKind::Deaf => {
                let links = |kind| {
                    matches!(
                        kind,
                        FaultKind::Partition | FaultKind::Isolation | FaultKind::Mute | FaultKind::Deaf
                    )
                };
                if !goes_on(&links) {
                    self.network(NetworkInput::HealAll);
                }
            }
            FaultKind::SlowNetwork => self.mend_network(),
            FaultKind::DeviceServerLost => self.find_device_server(),
            FaultKind::OneDead => self.repair(victim),
            FaultKind::SlowDisk | FaultKind::FailingDisk | FaultKind::FullDisk => {
                self.set_disk(victim, DiskCondition::Healthy);
            }
            FaultKind::FailingAgents | FaultKind::HangingAgents | FaultKind::LyingAgents => {
                for host in self.hosts.values_mut() {
                    host.disturbed_us = self.now_us;
                    host.conduct = Conduct::default();
                }
            }
            FaultKind::FailingDevice | FaultKind::HangingDevice | FaultKind::LateDevice => {
                self.devices.conduct = DeviceConduct::default();
            }
            _ => return,
        }
        self.note(Some(victim), format_args!("fault {index} ends: {kind:?}"));
    }

    fn mend_network(&mut self) {
        let mended = super::network::settings(&self.options);
        *self.sequencer.settings_mut() = mended;
    }

    /// From now on nothing goes wrong any more.
    pub(super) fn quiet(&mut self) {
        self.quiet = true;
        self.armed.clear();
        self.active.clear();
        self.note(None, "QUIET: no faults from now on");
        self.devices.conduct = DeviceConduct::default();
        self.mend_network();
        self.network(NetworkInput::HealAll);
        self.find_device_server();
        let ids: Vec<HostId> = self.hosts.keys().copied().collect();
        for id in ids {
            let Some(host) = self.hosts.get_mut(&id) else { continue };
            host.repairable = true;
            host.conduct = Conduct::default();
            host.condition = DiskCondition::Healthy;
            let (boot, booted) = (host.boot, host.booted);
            self.after_ms(1_000, Happening::PowerOn(id));
            if booted {
                self.after_ms(1_000, Happening::CorosyncStarts(id, boot));
                self.after_ms(1_000, Happening::ExecutorStarts(id, boot));
                self.after_ms(2_000, Happening::DaemonStarts(id, boot));
            }
        }
    }

    /// What the loss of a daemon cuts short.
    pub(super) fn count_daemon_loss(&mut self, id: HostId) {
        let Some(host) = self.hosts.get(&id) else { return };
        let Some(member) = host.member() else { return };
        let coordinates = host.node().is_some_and(|node| node.is_coordinator());
        let fencing = self.fencings_in_flight().next().is_some();
        let fences = self.fencings_in_flight().any(|request| request.by == member);
        let unheard = host.executor.unacknowledged() > 0;
        let powered = host.powered;
        if coordinates && fencing {
            self.reach(Situation::CoordinatorLostWithFencingInFlight);
        }
        if fences {
            self.reach(Situation::FencerLostWithFencingInFlight);
        }
        if powered && self.migrates(id) {
            self.reach(Situation::DaemonKilledInMidMigration);
        }
        if unheard {
            self.reach(Situation::DaemonKilledWithUnheardResults);
        }
    }

    /// The member that a request names, if it still runs.
    pub(super) fn still_runs(&self, member: MemberId) -> bool {
        self.hosts.get(&member.host).and_then(|host| host.member()) == Some(member)
    }
}
