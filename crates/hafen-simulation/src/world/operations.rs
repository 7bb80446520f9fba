//! Operations of agents, from the order to the result.

use std::collections::BTreeMap;

use hafen_node::Input;
use hafen_protocol::message::{Execute, OperationResult};
use hafen_protocol::{HostId, MemberId};

use super::{Happening, World};
use crate::agents::Agents;
use crate::executor::{Next, RecurringKey};
use crate::invariants::Invariant;
use crate::invariants::at_most_one_active::at_most_one_active;

impl World {
    /// A daemon orders an operation of its executor.
    pub(super) fn operation_ordered(&mut self, from: MemberId, order: Execute) {
        let Some(host) = self.hosts.get_mut(&from.host) else { return };
        if !host.daemon.as_ref().is_some_and(|daemon| daemon.connected) {
            return;
        }
        let next = host.executor.run(order);
        self.executor_next(from.host, next);
    }

    fn executor_next(&mut self, id: HostId, next: impl IntoIterator<Item = Next>) {
        for next in next {
            let boot = self.hosts.get(&id).map_or(0, |host| host.boot);
            match next {
                Next::Begin(order) => self.operation_begins(id, *order),
                Next::Again(key, generation) => {
                    let interval_ms = key.2;
                    self.after_ms(interval_ms, Happening::Recurs(id, boot, key, generation));
                }
            }
        }
    }

    fn operation_begins(&mut self, id: HostId, order: Execute) {
        let now_ms = self.now_ms();
        let Some(host) = self.hosts.get_mut(&id) else { return };
        let course = Agents::begin(&order, &host.conduct, &mut self.agent_dice);
        let boot = host.boot;
        if order.interval_ms == 0 {
            let text = format!("runs {} {}", order.operation_key, order.transition_key);
            self.trace.note(now_ms, &host.uname, text);
        }
        let serial = host.executor.begun(order, course, now_ms);
        if let Some(ms) = course.holds_after_ms {
            self.after_ms(ms, Happening::OperationHolds(id, boot, serial));
        }
        self.after_ms(course.ends_after_ms, Happening::OperationEnds(id, boot, serial));
    }

    /// What an operation does takes hold.
    pub(super) fn operation_holds(&mut self, id: HostId, boot: u64, serial: u64) {
        let Some(host) = self.hosts.get(&id).filter(|host| host.powered && host.boot == boot) else { return };
        let Some(order) = host.executor.flight(serial).map(|flight| flight.order.clone()) else { return };
        let reachable = self.reachable(id);
        let now_ms = self.now_ms();
        self.agents.hold(&order, now_ms, &reachable);
        if self.options.configuration.fencing {
            let exclusive = &self.options.configuration.exclusive;
            if let Some(text) = at_most_one_active(&self.agents, exclusive, &order.resource) {
                self.violate(Invariant::AtMostOneActive, text);
            }
        }
    }

    /// Hosts with power that the network reaches from a host, by name.
    fn reachable(&self, from: HostId) -> BTreeMap<String, HostId> {
        let cuts = self.sequencer.cuts();
        let reaches = |to: HostId| !cuts.contains(&(from.min(to), from.max(to)));
        let hosts = self.hosts.values().filter(|host| host.powered && host.id != from && reaches(host.id));
        hosts.map(|host| (host.uname.clone(), host.id)).collect()
    }

    /// An operation ends.
    pub(super) fn operation_ends(&mut self, id: HostId, boot: u64, serial: u64) {
        let wall = self.now_of(id).wall_ms;
        let Some(host) = self.hosts.get_mut(&id).filter(|host| host.powered && host.boot == boot) else {
            return;
        };
        if !host.executor.alive {
            // Nobody is there to see it end; the next executor finds it in the journal.
            return;
        }
        let Some(flight) = host.executor.flight(serial).cloned() else { return };
        let statuses = self.agents.end(&flight.order, &flight.course);
        let began = wall.saturating_sub(self.now_us / 1_000 - flight.began_ms);
        let (result, next) = host.executor.ended(serial, statuses, (began, wall));
        self.executor_next(id, next);
        if let Some(result) = result {
            self.resulted(id, result);
        }
    }

    fn resulted(&mut self, id: HostId, result: OperationResult) {
        let order = &result.order;
        let text = format!("{} ended: rc {} status {}", order.operation_key, result.rc, result.op_status);
        self.note(Some(id), text);
        self.count_failed_stop(id, &result);
        let connected =
            self.hosts.get(&id).and_then(|host| host.daemon.as_ref()).filter(|daemon| daemon.connected);
        let Some(incarnation) = connected.map(|daemon| daemon.incarnation) else { return };
        self.feed(MemberId { host: id, incarnation }, Input::OperationEnded(Box::new(result)));
    }

    /// A stop that failed is a cause for fencing.
    pub(super) fn count_failed_stop(&mut self, id: HostId, result: &OperationResult) {
        if result.order.task == "stop" && (result.rc != 0 || result.op_status != 0) {
            let now_us = self.now_us;
            self.causes.record(id, now_us, format!("{} failed", result.order.operation_key));
            self.failed_stops.insert(id, now_us);
            if let Some(host) = self.hosts.get_mut(&id) {
                host.stop_failed = true;
            }
        }
    }

    /// The interval of a recurring operation is over.
    pub(super) fn recurs(&mut self, id: HostId, boot: u64, key: &RecurringKey, generation: u64) {
        let Some(host) = self.hosts.get_mut(&id).filter(|host| host.powered && host.boot == boot) else {
            return;
        };
        let next = host.executor.again(key, generation);
        self.executor_next(id, next);
    }

    /// A new executor takes over the journal of the one that died.
    pub(super) fn executor_starts(&mut self, id: HostId, boot: u64) {
        let wall_ms = self.now_of(id).wall_ms;
        let Some(host) = self.hosts.get_mut(&id).filter(|host| host.powered && host.boot == boot) else {
            return;
        };
        if host.executor.alive {
            return;
        }
        let failed = host.executor.recover(wall_ms);
        let again = host.executor.rearm();
        let run = host.daemon.as_ref().map(|daemon| daemon.incarnation);
        self.note(Some(id), format_args!("executor starts; {} operations ended by it", failed.len()));
        for result in &failed {
            self.count_failed_stop(id, result);
        }
        self.executor_next(id, again);
        self.disturbed(id);
        self.watchdog_looked_at(id);
        if let Some(run) = run {
            self.after_ms(5, Happening::Connect(id, run));
        }
    }

    /// An executor is killed.
    pub(super) fn executor_dies(&mut self, id: HostId, back_after_ms: u64) {
        let Some(host) = self.hosts.get_mut(&id) else { return };
        if !host.powered || !host.executor.alive {
            return;
        }
        host.executor.kill();
        let boot = host.boot;
        let daemon = host.daemon.as_mut();
        let run = daemon
            .and_then(|daemon| std::mem::replace(&mut daemon.connected, false).then_some(daemon.incarnation));
        self.note(Some(id), "executor is gone");
        self.disturbed(id);
        self.watchdog_looked_at(id);
        self.after_ms(back_after_ms, Happening::ExecutorStarts(id, boot));
        if let Some(incarnation) = run {
            self.feed(MemberId { host: id, incarnation }, Input::ExecutorLost);
        }
    }
}
