//! The loop's dealings with fence devices: fencings, what devices tell of themselves, drills.

use super::*;
use crate::fencing::agent::Kind;
use crate::fencing::drill::{Drills, Todo, failures};
use hafen_protocol::client::{Failure, FenceCheck};

/// How often it is looked whether the configuration has other devices.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);
/// The pause before a drill that could not begin is tried again.
const DRILL_RETRY: Duration = Duration::from_secs(60);

/// Everything about fence devices that is under way.
pub(super) struct Fences {
    fencings: Vec<Fencing>,
    drills: Drills,
    /// Agents that were asked to describe themselves, by the request's number.
    described: BTreeMap<u64, String>,
    pub(super) last_description: u64,
    look_due: Instant,
    /// When devices are looked at again.
    drill_due: Option<Instant>,
}

impl Fences {
    pub(super) fn new() -> Self {
        Self {
            fencings: Vec::new(),
            drills: Drills::default(),
            described: BTreeMap::new(),
            last_description: 0,
            look_due: Instant::now(),
            drill_due: None,
        }
    }

    /// When something is to be done without an input.
    pub(super) fn deadline(&self) -> Instant {
        let now_ms = clock::now().monotonic_ms;
        let waits = self.fencings.iter().filter_map(Fencing::deadline_ms);
        let instant = |at_ms: u64| Instant::now() + Duration::from_millis(at_ms.saturating_sub(now_ms));
        waits.map(instant).fold(self.look_due, Instant::min)
    }

    /// How many fencings keep a device busy.
    fn busy(&self, device: &str) -> usize {
        let runs = |fencing: &&Fencing| fencing.held.is_none() && fencing.deadline_ms().is_none();
        let here = |fencing: &&Fencing| fencing.device().is_some_and(|one| one.id == device);
        self.fencings.iter().filter(runs).filter(here).count()
    }
}

impl Shell {
    pub(super) fn fence(&mut self, start: FenceStart) {
        if self.fences.fencings.iter().any(|fencing| fencing.id() == start.id) {
            return;
        }
        let facts = self.fences.drills.facts();
        let (mut fencing, mut next) = Fencing::begin(start, facts, clock::now());
        if self.connection.is_none() {
            next = fencing.step_lost("there is no executor", clock::now());
        }
        self.fencing_goes_on(fencing, next);
    }

    /// Fencings that waited, and whether devices are to be looked at.
    pub(super) fn fences_timeout(&mut self) {
        let now = clock::now();
        let is_due = |fencing: &Fencing| fencing.deadline_ms().is_some_and(|at_ms| at_ms <= now.monotonic_ms);
        while let Some(index) = self.fences.fencings.iter().position(is_due) {
            let mut fencing = self.fences.fencings.swap_remove(index);
            let next = fencing.time_passed(now);
            self.fencing_goes_on(fencing, next);
        }
        if Instant::now() >= self.fences.look_due {
            self.fences.look_due = Instant::now() + LOOK_INTERVAL;
            self.look_at_devices();
        }
    }

    pub(super) fn fence_step_ended(&mut self, result: &wire::FenceResult) {
        self.ask_executor(wire::Request::Acknowledge { sequence: result.sequence });
        let step = &result.operation.id;
        if let Some(todo) = self.fences.drills.step_ended(step, &result.end) {
            return self.devices_told(todo);
        }
        let is_it = |fencing: &Fencing| fencing.operation_id() == *step;
        if let Some(index) = self.fences.fencings.iter().position(is_it) {
            let mut fencing = self.fences.fencings.swap_remove(index);
            let next = fencing.step_ended(result, clock::now());
            self.fencing_goes_on(fencing, next);
        }
        self.release_devices();
    }

    /// A step was not accepted by the executor.
    pub(super) fn fence_step_refused(&mut self, id: &str, reason: &str) {
        if let Some(todo) = self.fences.drills.step_lost(id, reason) {
            return self.devices_told(todo);
        }
        if let Some(index) = self.fences.fencings.iter().position(|fencing| fencing.operation_id() == id) {
            let mut fencing = self.fences.fencings.swap_remove(index);
            let next = fencing.step_lost(reason, clock::now());
            self.fencing_goes_on(fencing, next);
        }
        self.release_devices();
    }

    pub(super) fn fences_lost_executor(&mut self) {
        let reason = "the executor was lost";
        let (waiting, running): (Vec<_>, Vec<_>) = std::mem::take(&mut self.fences.fencings)
            .into_iter()
            .partition(|fencing| fencing.deadline_ms().is_some());
        self.fences.fencings = waiting;
        for mut fencing in running {
            let next = fencing.step_lost(reason, clock::now());
            self.fencing_goes_on(fencing, next);
        }
        self.fences.described.clear();
        let todo = self.fences.drills.lost(reason);
        self.devices_told(todo);
    }

    fn fencing_goes_on(&mut self, mut fencing: Fencing, next: Next) {
        let (result, operation) = match next {
            Next::Run(operation) => (None, Some(operation)),
            Next::Tell(result) => (Some(result), None),
            Next::TellAndRun(result, operation) => (Some(result), Some(operation)),
            Next::Wait(_) => return self.fences.fencings.push(fencing),
            Next::Finished(note) => {
                if let Some(text) = note {
                    let (target, id) = (fencing.target().to_owned(), fencing.id().to_owned());
                    self.event("fence-on", &target, text, &id);
                }
                (None, None)
            }
        };
        if let Some(result) = result {
            self.feed(Input::FenceEnded(Box::new(result)));
        }
        let Some(operation) = operation else { return };
        let limit = fencing.device().map_or(0, |device| device.action_limit);
        let is_busy = usize::try_from(limit)
            .is_ok_and(|limit| limit > 0 && self.fences.busy(&operation.device) >= limit);
        if is_busy {
            fencing.hold(operation, clock::now());
            return self.fences.fencings.push(fencing);
        }
        self.run_fence_agent(fencing, operation);
    }

    fn run_fence_agent(&mut self, mut fencing: Fencing, operation: FenceOperation) {
        if fencing.device().is_some_and(|device| Kind::of(device) == Kind::Human) && operation.action != "on"
        {
            let target = fencing.target().to_owned();
            let text = format!(
                "OPERATOR INTERVENTION REQUIRED to reset {target}. Run \"meatclient -c {target}\" on {} \
                 AFTER power-cycling the machine",
                self.host
            );
            self.event("fence-human", &target, text, fencing.id());
        }
        if self.ask_executor(wire::Request::Fence(operation)) {
            return self.fences.fencings.push(fencing);
        }
        match fencing.step_lost("the executor is too busy", clock::now()) {
            Next::Tell(result) => self.feed(Input::FenceEnded(Box::new(result))),
            Next::Finished(Some(text)) => {
                let target = fencing.target().to_owned();
                self.event("fence-on", &target, text, fencing.id());
            }
            _ => {}
        }
    }

    /// Fencings whose device is no longer busy.
    fn release_devices(&mut self) {
        let is_free = |fences: &Fences, fencing: &Fencing| {
            let device = fencing.device().filter(|_| fencing.held.is_some());
            device.is_some_and(|device| {
                usize::try_from(device.action_limit)
                    .map_or(true, |limit| fences.busy(&device.id) < limit.max(1))
            })
        };
        while let Some(index) = self.fences.fencings.iter().position(|fencing| is_free(&self.fences, fencing))
        {
            let mut fencing = self.fences.fencings.swap_remove(index);
            if let Some(operation) = fencing.release(clock::now()) {
                self.run_fence_agent(fencing, operation);
            }
        }
    }

    /// Learns of the devices of another configuration, and drills when it is time.
    fn look_at_devices(&mut self) {
        if self.connection.is_none() {
            return;
        }
        let version = self.node.replica().version();
        if self.fences.drills.is_of_other(version) {
            let checks = self.node.fence_checks();
            let todo = self.fences.drills.configured(version, checks, &self.host);
            self.devices_told(todo);
        }
        let interval_ms = self.node.replica().cib().property_duration_ms("fencing-check-interval");
        let interval = Duration::from_millis(interval_ms);
        if interval.is_zero() {
            self.fences.drill_due = None;
            return;
        }
        let due = *self.fences.drill_due.get_or_insert_with(|| Instant::now() + interval);
        // A shorter interval counts at once.
        let due = due.min(Instant::now() + interval);
        self.fences.drill_due = Some(due);
        if Instant::now() >= due && !self.fences.drills.is_drilling() {
            let checks = self.node.fence_checks();
            let began = self.fences.drills.drill(None, checks, &self.host, None);
            let pause = if began.is_ok() { interval } else { DRILL_RETRY };
            self.fences.drill_due = Some(Instant::now() + pause);
            self.devices_told(began.unwrap_or_default());
        }
    }

    /// A client wants to know whether the devices would work. A real drill is a fencing that an operator asks for.
    pub(super) fn drill(&mut self, request: u64, host: Option<String>, real: bool) {
        let known = |name: &str| self.node.replica().host_by_name(name).is_some();
        let failure = match &host {
            Some(name) if !known(name) => {
                Some(("not-found", format!("there is no host {name}"), "see `hafen status`"))
            }
            None if real => {
                Some(("invalid", "a real drill needs a host".to_owned(), "name the host to fence"))
            }
            _ if self.connection.is_none() => Some((
                "no-executor",
                "there is no executor to run fence agents".to_owned(),
                "try again in a moment",
            )),
            _ => None,
        };
        if let Some((kind, message, mend)) = failure {
            let failure = Failure { kind: kind.to_owned(), message, mend: mend.to_owned() };
            return self.reply(request, Reply::Failed(failure));
        }
        if let (Some(host), true) = (&host, real) {
            let body = Request::Fence {
                host: host.clone(),
                action: "reboot".to_owned(),
                origin: "a fence drill".to_owned(),
            };
            return self.feed(Input::Client { request, body });
        }
        let checks = self.node.fence_checks();
        match self.fences.drills.drill(Some(request), checks, &self.host, host.as_deref()) {
            Ok(todo) => self.devices_told(todo),
            Err(message) => {
                let mend = "wait until they have ended".to_owned();
                self.reply(request, Reply::Failed(Failure { kind: "busy".to_owned(), message, mend }));
            }
        }
    }

    pub(super) fn agent_described(&mut self, request_id: u64, metadata: &Result<String, String>) {
        let Some(agent) = self.fences.described.remove(&request_id) else { return };
        let metadata = metadata.as_ref().map(String::as_str).map_err(String::as_str);
        let todo = self.fences.drills.described(&agent, metadata, &self.host);
        if let Some(facts) = self.fences.drills.facts().get(&agent) {
            self.fences.fencings.iter_mut().for_each(|fencing| fencing.learn(&agent, facts));
        }
        self.devices_told(todo);
    }

    fn devices_told(&mut self, todo: Vec<Todo>) {
        let mut todo: std::collections::VecDeque<Todo> = todo.into();
        while let Some(next) = todo.pop_front() {
            match next {
                Todo::Run(operation) => {
                    let id = operation.id.clone();
                    if !self.ask_executor(wire::Request::Fence(*operation)) {
                        let lost = self.fences.drills.step_lost(&id, "the executor is too busy");
                        todo.extend(lost.into_iter().flatten());
                    }
                }
                Todo::Describe(kind) => self.describe(&kind),
                Todo::Learned { device, knowledge } => {
                    self.feed(Input::FenceDeviceLearned { device, knowledge });
                }
                Todo::Drilled { request, checks } => self.drilled(request, checks),
            }
        }
    }

    fn describe(&mut self, kind: &str) {
        let Ok(agent) = hafen_agents::AgentName::new("stonith", None, kind) else { return };
        self.fences.last_description += 1;
        let request_id = self.fences.last_description;
        self.fences.described.insert(request_id, kind.to_owned());
        self.ask_executor(wire::Request::Metadata { request_id, agent });
    }

    fn drilled(&mut self, request: Option<u64>, checks: Vec<FenceCheck>) {
        let wrong = failures(&checks);
        if let Some(request) = request {
            return self.reply(request, Reply::FenceDrill { checks });
        }
        for text in &wrong {
            self.event("fence-check", "", text.clone(), "fencing-check-interval");
        }
        self.feed(Input::FenceDevicesChecked { failures: wrong });
    }
}
