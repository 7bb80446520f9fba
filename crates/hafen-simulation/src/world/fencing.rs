//! Fencing, from the node's order through the devices to the answer.

use hafen_node::Input;
use hafen_protocol::message::{FenceDevice, FenceResult, FenceStart, ProofLevel};
use hafen_protocol::{HostId, MemberId};

use super::{Happening, World};
use crate::configuration::fencing::Fencing;
use crate::configuration::uname;
use crate::device::Reach;
use crate::fencer::{Fencer, Step};
use crate::host::Host;
use crate::invariants::Invariant;
use crate::invariants::no_fencing_storm::{Asked, no_fencing_storm};
use crate::mutant::Mutant;
use crate::options::OPERATOR_MS;
use crate::situations::Situation;

/// How long after a failed stop a fencing counts as its consequence, in microseconds.
const STOP_TO_FENCE_US: u64 = 60_000_000;
/// How often it is looked whether a daemon that hangs takes its device's answer, in milliseconds.
const HANGING_MS: u64 = 250;

/// A request to a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// For which fencing.
    pub(crate) fencing: u64,
    /// What it has its hands on.
    pub(crate) reach: Reach,
    /// Whose power.
    pub(crate) target: HostId,
    /// Whether that is switched on.
    pub(crate) on: bool,
    /// Whether the answer is "done".
    pub(crate) done: bool,
}

impl World {
    /// Fencings whose nodes were not told yet how they ended.
    pub(super) fn fencings_in_flight(&self) -> impl Iterator<Item = &Fencer> {
        self.fencings.values().filter(|fencer| !fencer.told)
    }

    /// A node asks for a fencing.
    pub(super) fn fence_ordered(&mut self, from: MemberId, start: FenceStart) {
        let ids: Vec<Vec<&str>> = start
            .levels
            .iter()
            .map(|level| level.iter().map(|device| device.id.as_str()).collect())
            .collect();
        let text = format!(
            "fences {}: {} after {} ms by {ids:?} [{}]",
            start.target_uname, start.id, start.delay_ms, start.cause
        );
        self.note(Some(from.host), text);
        if self.mutant == Some(Mutant::SkipTheProof) {
            return self.fence_answered(from, &start, true, 0);
        }
        // Its id names the host that ordered it.
        let orders = start.id.split('-').next().and_then(|id| id.parse().ok()).map_or(from.host, HostId);
        // One that has lost its power since had seen its cluster before.
        let may = |id| self.hosts.get(&id).is_none_or(|host: &Host| host.may_fence || !host.powered);
        if start.action != "on" && start.target != orders && !may(orders) && !may(from.host) {
            let text = format!("host{orders} fences host{} before it has seen its cluster", start.target);
            return self.violate(Invariant::NoPingPong, text);
        }
        if self.fencings_in_flight().next().is_some() {
            self.reach(Situation::TwoFencingsInFlight);
        }
        if self.failed_stops.remove(&start.target).is_some_and(|us| us + STOP_TO_FENCE_US > self.now_us) {
            self.reach(Situation::FencedForFailedStop);
        }
        self.begin_fencing(from, start.clone());
        if self.mutant == Some(Mutant::FenceTwice) {
            self.begin_fencing(from, start);
        }
    }

    fn begin_fencing(&mut self, from: MemberId, start: FenceStart) {
        let asked = self.asked_now(from, &start);
        let boot = self.hosts.get(&start.target).filter(|host| host.powered).map(|host| host.boot);
        let delay_ms = start.delay_ms;
        self.fencing_number += 1;
        let number = self.fencing_number;
        self.fencings.insert(number, Fencer::new(start, from, self.now_ms(), asked, boot));
        self.after_ms(delay_ms, Happening::FencingBegins(number));
    }

    /// What those who ask know of earlier fencings of the same host.
    fn asked_now(&self, from: MemberId, start: &FenceStart) -> Asked {
        let asking = self.hosts.get(&from.host).and_then(|host| host.daemon.as_ref());
        let view = asking.and_then(|daemon| daemon.view.clone());
        // Whom the others went on without told them nothing.
        let present = asking.map(|daemon| daemon.node.membership().present()).unwrap_or_default();
        let members = view.iter().flat_map(|view| view.member_ids());
        let nodes = members.filter(|member| present.contains(&member.host)).filter_map(|member| {
            let daemon = self.hosts.get(&member.host)?.daemon.as_ref()?;
            (daemon.incarnation == member.incarnation).then_some(&daemon.node)
        });
        let known = nodes.flat_map(|node| {
            let replica = node.replica();
            let succeeded = replica.fence_history.iter().filter(|entry| entry.result.outcome.is_ok());
            let ended = succeeded.map(|entry| &entry.start);
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

    /// Whether whoever does a fencing can go on with it: nothing, if it is gone, and with it what it did.
    fn fences_still(&mut self, number: u64) -> Option<bool> {
        let by = self.fencings.get(&number)?.by;
        let daemon = self.hosts.get(&by.host).and_then(|host| host.daemon.as_ref());
        match daemon.filter(|daemon| daemon.incarnation == by.incarnation) {
            Some(daemon) => Some(!daemon.hangs),
            None => {
                self.fencings.remove(&number);
                None
            }
        }
    }

    /// The delay before a fencing is over.
    pub(super) fn fencing_begins(&mut self, number: u64) {
        match self.fences_still(number) {
            None => {}
            Some(false) => self.after_ms(HANGING_MS, Happening::FencingBegins(number)),
            Some(true) => {
                let now_ms = self.now_ms();
                let step = self.fencings.get_mut(&number).map(|fencer| fencer.step(now_ms));
                self.fencing_steps(number, step);
            }
        }
    }

    fn fencing_steps(&mut self, number: u64, step: Option<Step>) {
        match step {
            Some(Step::Ask(device, on, limit_ms)) => self.ask_device(number, &device, on, limit_ms),
            Some(Step::Tell(fenced)) => {
                self.fencing_told(number, fenced);
                let now_ms = self.now_ms();
                let step = self.fencings.get_mut(&number).map(|fencer| fencer.after(fenced, now_ms));
                self.fencing_steps(number, step);
            }
            Some(Step::End) => {
                self.fencings.remove(&number);
            }
            None => {}
        }
    }

    fn ask_device(&mut self, number: u64, device: &FenceDevice, on: bool, limit_ms: u64) {
        let Some(target) = self.fencings.get(&number).map(|fencer| fencer.start.target) else { return };
        let Some(reach) = Reach::of(device) else {
            let text = format!("{} is no device of this world ({})", device.id, device.agent);
            return self.violate(Invariant::Sound, text);
        };
        let mut course = self.devices.draw(reach, limit_ms, &mut self.device_dice);
        let supplied = self.hosts.get(&target).is_some_and(|host| host.supplied());
        if reach == Reach::Board && !supplied {
            // It is as dead as its host.
            course.holds_after_ms = None;
            course.done = false;
            self.reach(Situation::BoardWithoutPower);
        }
        if self.fencings.get(&number).is_some_and(|fencer| fencer.level() > 0) {
            self.reach(Situation::FencedByLaterLevel);
        }
        let request = Request { fencing: number, reach, target, on, done: course.done };
        if let Some(ms) = course.holds_after_ms {
            self.after_ms(ms, Happening::DeviceHolds(request.clone()));
        }
        self.after_ms(course.answer_after_ms, Happening::DeviceAnswers(request));
    }

    /// A device does what it was asked.
    pub(super) fn device_holds(&mut self, request: &Request) {
        let now_ms = self.now_ms();
        let Some(host) = self.hosts.get_mut(&request.target) else { return };
        if request.on {
            host.supplied_at_ms = Some(now_ms);
        }
        match (request.reach, request.on) {
            (Reach::Supplies, false) => host.supplies_off = host.supplies.clone(),
            (Reach::Supplies, true) => host.supplies_off.clear(),
            (Reach::Supply(supply), false) => {
                host.supplies_off.insert(supply);
            }
            (Reach::Supply(supply), true) => {
                host.supplies_off.remove(&supply);
            }
            (Reach::Board, false) => {
                self.fenced_off(request.target);
                return;
            }
            (Reach::Board, true) | (Reach::Watchdog, _) => {}
        }
        if request.on {
            self.power_on(request.target);
        } else if self.hosts.get(&request.target).is_some_and(|host| !host.supplied()) {
            self.fenced_off(request.target);
        }
    }

    fn fenced_off(&mut self, target: HostId) {
        if self.power_off(target, "fenced") {
            self.shot.push((target, self.now_ms()));
            // Whatever becomes of the one who shot it: an operator finds it without power.
            let ms = self.dice.within(OPERATOR_MS) + 60_000;
            self.after_ms(ms, Happening::PowerOn(target));
        }
    }

    /// A device answers.
    pub(super) fn device_answers(&mut self, request: Request) {
        match self.fences_still(request.fencing) {
            None => {}
            Some(false) => self.after_ms(HANGING_MS, Happening::DeviceAnswers(request)),
            Some(true) => {
                let now_ms = self.now_ms();
                let fencer = self.fencings.get_mut(&request.fencing);
                let step = fencer.map(|fencer| fencer.answered(request.done, now_ms));
                self.fencing_steps(request.fencing, step);
            }
        }
    }

    /// The node that ordered a fencing is told how it ended.
    fn fencing_told(&mut self, number: u64, fenced: bool) {
        let Some(fencer) = self.fencings.get(&number).cloned() else { return };
        let (start, target) = (&fencer.start, fencer.start.target);
        if fenced && start.action != "on" {
            let boot = self.hosts.get(&target).filter(|host| host.powered).map(|host| host.boot);
            if boot.is_some() && boot == fencer.boot {
                self.check_said_off(&fencer);
            }
            if let Some(text) = no_fencing_storm(&self.causes, target, &fencer.asked) {
                self.violate(Invariant::NoFencingStorm, text);
            }
            self.causes.succeeded(target, fencer.asked.clone());
        } else if !fenced {
            self.reach(Situation::FencingFailed);
        }
        let took_ms = self.now_ms() - fencer.asked_ms;
        self.fence_answered(fencer.by, start, fenced, took_ms);
    }

    /// A host that is said to be off has power, and has had it all the time. A watchdog ends only hosts that run
    /// something, and that have not come back; once one has, nobody asks for the answer any more. Not claimed where
    /// somebody switches an outlet on by hand between its off and that of the second one, while the fencing is under way:
    /// then some of the supplies are off, and others on.
    fn check_said_off(&mut self, fencer: &Fencer) {
        let (target, by, id) = (fencer.start.target, fencer.by, &fencer.start.id);
        let undone = |host: &Host| {
            !host.supplies_off.is_empty() && host.supplied_at_ms.is_some_and(|at_ms| at_ms >= fencer.asked_ms)
        };
        if self.hosts.get(&target).is_some_and(undone) {
            return;
        }
        let mut running: Vec<String> = Vec::new();
        if self.options.configuration.how == Fencing::Watchdogs {
            let daemon = self.hosts.get(&by.host).and_then(|host| host.daemon.as_ref());
            let view = daemon.and_then(|daemon| daemon.view.as_ref());
            let back = view.is_some_and(|view| view.members.contains_key(&target))
                || daemon.is_some_and(|daemon| !daemon.node.replica().fencings.contains_key(id));
            let open = self.agents.active_on(target).filter(|(_, instance)| !instance.hidden);
            running.extend(open.map(|(name, _)| name.to_owned()));
            if back || running.is_empty() {
                return;
            }
        }
        let text = format!("host{target} is said to be off and is not; it runs {running:?}");
        self.violate(Invariant::Sound, text);
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
        self.note(None, format_args!("{} is told: {text}", uname(to.host.0)));
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
