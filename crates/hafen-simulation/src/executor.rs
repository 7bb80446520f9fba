//! The executor of one host: what it keeps in its journal outlives its daemon and, for the rest of the boot, itself.
//!
//! An order with a transition key that was seen before is not run again. Operations of one resource run one after
//! another. A recurring one reports its first end and every end that differs from the one before. A new executor
//! ends what it finds under way and reports it as failed; recurring operations go on.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hafen_protocol::message::{Execute, OperationResult};

use crate::agents::{Course, RC_ERROR, STATUS_CANCELLED, STATUS_ERROR};

/// Keys that tell recurring operations apart: resource, task, interval in milliseconds.
pub type RecurringKey = (String, String, u64);

/// An operation under way.
#[derive(Debug, Clone)]
pub struct Flight {
    /// What was ordered.
    pub order: Execute,
    /// Names this run on its host.
    pub serial: u64,
    /// When it began, in simulated milliseconds.
    pub began_ms: u64,
    /// What becomes of it.
    pub course: Course,
}

#[derive(Debug, Clone)]
struct Recurring {
    order: Execute,
    last: Option<(i32, i32)>,
    generation: u64,
}

/// What the world must do next for an executor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Begin this operation now.
    Begin(Box<Execute>),
    /// Begin the next run of a recurring operation after its interval, if it is still of that generation.
    Again(RecurringKey, u64),
}

/// The executor of one host.
#[derive(Debug, Clone, Default)]
pub struct Executor {
    /// Whether the process lives.
    pub alive: bool,
    serial: u64,
    sequence: u64,
    seen: BTreeSet<String>,
    waiting: BTreeMap<String, VecDeque<Execute>>,
    flights: BTreeMap<String, Flight>,
    recurring: BTreeMap<RecurringKey, Recurring>,
    results: BTreeMap<u64, OperationResult>,
    recovered: bool,
}

fn key_of(order: &Execute) -> RecurringKey {
    (order.resource.clone(), order.task.clone(), order.interval_ms)
}

impl Executor {
    /// The daemon orders an operation.
    pub fn run(&mut self, order: Execute) -> Option<Next> {
        if !self.alive || !self.seen.insert(order.transition_key.clone()) {
            return None;
        }
        if order.interval_ms > 0 {
            self.serial += 1;
            let recurring = Recurring { order: order.clone(), last: None, generation: self.serial };
            self.recurring.insert(key_of(&order), recurring);
        } else if matches!(order.task.as_str(), "start" | "stop" | "migrate_to" | "migrate_from") {
            self.recurring.retain(|key, _| key.0 != order.resource);
            self.forget_waiting_recurring(&order.resource);
        }
        self.enqueue(order)
    }

    fn forget_waiting_recurring(&mut self, resource: &str) {
        if let Some(queue) = self.waiting.get_mut(resource) {
            queue.retain(|order| order.interval_ms == 0);
        }
    }

    fn enqueue(&mut self, order: Execute) -> Option<Next> {
        if self.flights.contains_key(&order.resource) {
            self.waiting.entry(order.resource.clone()).or_default().push_back(order);
            return None;
        }
        Some(Next::Begin(Box::new(order)))
    }

    /// An operation begins. The number that names this run on its host.
    pub fn begun(&mut self, order: Execute, course: Course, now_ms: u64) -> u64 {
        self.serial += 1;
        let serial = self.serial;
        let flight = Flight { order, serial, began_ms: now_ms, course };
        self.flights.insert(flight.order.resource.clone(), flight);
        serial
    }

    /// The run of that number, if it is still under way.
    pub fn flight(&self, serial: u64) -> Option<&Flight> {
        self.flights.values().find(|flight| flight.serial == serial)
    }

    /// Results that no daemon has acknowledged.
    pub fn unacknowledged(&self) -> usize {
        self.results.len()
    }

    /// All operations under way.
    pub fn flights(&self) -> impl Iterator<Item = &Flight> {
        self.flights.values()
    }

    /// An operation ended with these statuses: the result for the daemon, if one is due, and what comes next.
    pub fn ended(
        &mut self,
        serial: u64,
        (rc, op_status): (i32, i32),
        wall: (u64, u64),
    ) -> (Option<OperationResult>, Vec<Next>) {
        let Some(resource) = self.flight(serial).map(|flight| flight.order.resource.clone()) else {
            return (None, Vec::new());
        };
        let Some(flight) = self.flights.remove(&resource) else { return (None, Vec::new()) };
        let mut next = Vec::new();
        let report = if flight.order.interval_ms == 0 {
            true
        } else {
            let known = self.recurring.get_mut(&key_of(&flight.order));
            known.is_some_and(|recurring| {
                let changed = recurring.last != Some((rc, op_status));
                recurring.last = Some((rc, op_status));
                next.push(Next::Again(key_of(&flight.order), recurring.generation));
                changed
            })
        };
        let result = report.then(|| self.result(flight.order, (rc, op_status), wall));
        if let Some(order) = self.waiting.get_mut(&resource).and_then(VecDeque::pop_front) {
            next.push(Next::Begin(Box::new(order)));
        }
        (result, next)
    }

    fn result(&mut self, order: Execute, (rc, op_status): (i32, i32), wall: (u64, u64)) -> OperationResult {
        self.sequence += 1;
        let result = OperationResult {
            order,
            rc,
            op_status,
            exit_reason: String::new(),
            output: String::new(),
            started_wall_ms: wall.0,
            ended_wall_ms: wall.1,
            queue_time_ms: 0,
            restart_parameters: None,
            sequence: self.sequence,
        };
        self.results.insert(self.sequence, result.clone());
        result
    }

    /// The interval of a recurring operation is over: its next run, if it still recurs.
    pub fn again(&mut self, key: &RecurringKey, generation: u64) -> Option<Next> {
        let recurring = self.recurring.get(key).filter(|recurring| recurring.generation == generation)?;
        if !self.alive {
            // The next executor arms it again.
            return None;
        }
        let order = recurring.order.clone();
        self.enqueue(order)
    }

    /// The daemon ends a recurring operation.
    pub fn cancel(&mut self, key: &RecurringKey) {
        self.recurring.remove(key);
        if let Some(queue) = self.waiting.get_mut(&key.0) {
            queue.retain(|order| key_of(order) != *key);
        }
    }

    /// The daemon has recorded the results up to a sequence.
    pub fn acknowledge(&mut self, through: u64) {
        self.results.retain(|&sequence, _| sequence > through);
    }

    /// The process is killed; its journal stays. Agents that it ran are ended by the next one.
    pub fn kill(&mut self) {
        self.alive = false;
    }

    /// A new process takes over the journal: what was under way or waiting ends as failed. Those results.
    pub fn recover(&mut self, wall_ms: u64) -> Vec<OperationResult> {
        self.alive = true;
        self.recovered = true;
        let before = self.sequence;
        let flights = std::mem::take(&mut self.flights);
        let waiting = std::mem::take(&mut self.waiting);
        for flight in flights.into_values() {
            self.fail(flight.order, STATUS_ERROR, wall_ms);
        }
        for order in waiting.into_values().flatten() {
            self.fail(order, STATUS_CANCELLED, wall_ms);
        }
        self.results.range(before + 1..).map(|(_, result)| result.clone()).collect()
    }

    fn fail(&mut self, order: Execute, op_status: i32, wall_ms: u64) {
        if order.interval_ms == 0 {
            self.result(order, (RC_ERROR, op_status), (wall_ms, wall_ms));
        }
    }

    /// Runs of recurring operations that a new process must arm again; those of the old one are void.
    pub fn rearm(&mut self) -> Vec<Next> {
        let mut next = Vec::new();
        for (key, recurring) in &mut self.recurring {
            self.serial += 1;
            recurring.generation = self.serial;
            next.push(Next::Again(key.clone(), recurring.generation));
        }
        next
    }

    /// What a daemon that connects is told: accepted operations, unacknowledged results, whether a lost executor's
    /// operations had to be ended.
    pub fn connect(&mut self) -> (Vec<Execute>, Vec<OperationResult>, bool) {
        let mut accepted: Vec<Execute> = self.flights.values().map(|flight| flight.order.clone()).collect();
        accepted.extend(self.waiting.values().flatten().cloned());
        for recurring in self.recurring.values() {
            if !accepted.iter().any(|order| key_of(order) == key_of(&recurring.order)) {
                accepted.push(recurring.order.clone());
            }
        }
        let recovered = std::mem::take(&mut self.recovered);
        (accepted, self.results.values().cloned().collect(), recovered)
    }
}
