//! What begins now.

use hafen_agents::{AgentClass, OcfExitCode, OpStatus};

use super::{Engine, Now, Output, Run};
use crate::wire::{End, Operation, OperationKey};

/// What a resource does next.
enum Next {
    Queued(usize),
    Recurring((String, u64)),
}

impl Engine {
    pub(super) fn start_what_is_due(&mut self, now: Now) {
        let due =
            self.delayed_fencings.iter().filter(|(_, not_before_ms)| **not_before_ms <= now.monotonic_ms);
        let due: Vec<u64> = due.map(|(call_id, _)| *call_id).collect();
        for call_id in due {
            self.delayed_fencings.remove(&call_id);
            self.start_fencing(call_id);
        }
        let idle: Vec<String> = self.due_resources(now);
        for resource in idle {
            self.start_next_of(&resource, now);
        }
    }

    /// Resources of which something can begin, those that have waited longest first.
    fn due_resources(&self, now: Now) -> Vec<String> {
        if self.runs.len() >= self.concurrent_runs_limit {
            return Vec::new();
        }
        let mut due = Vec::new();
        for (name, resource) in self.resources.iter().filter(|(_, resource)| resource.running.is_none()) {
            let queued = resource.queue.iter().map(|queued| queued.not_before_ms);
            let since = queued.chain(resource.recurring.values().map(|recurring| recurring.due_ms)).min();
            if let Some(since) = since.filter(|since| *since <= now.monotonic_ms) {
                due.push((since, name));
            }
        }
        due.sort();
        due.into_iter().map(|(_, name)| name.clone()).collect()
    }

    fn start_fencing(&mut self, call_id: u64) {
        let Some(operation) = self.ledger.fencings.get(&call_id).cloned() else { return };
        let run = self.take_run(Run { call_id, operation: None, queue_time_ms: 0, dropped: false });
        self.send(Output::RunFence(run, call_id, operation));
    }

    fn take_run(&mut self, run: Run) -> u64 {
        let number = self.ledger.next_run;
        self.ledger.next_run = number.saturating_add(1);
        self.runs.insert(number, run);
        number
    }

    /// An operation that was asked for goes before those that recur.
    fn next_of(&self, name: &str, now: Now) -> Option<Next> {
        let resource = self.resources.get(name).filter(|resource| resource.running.is_none())?;
        if let Some(position) =
            resource.queue.iter().position(|queued| queued.not_before_ms <= now.monotonic_ms)
        {
            return Some(Next::Queued(position));
        }
        let due = resource.recurring.iter().filter(|(_, recurring)| recurring.due_ms <= now.monotonic_ms);
        due.min_by_key(|(_, recurring)| recurring.due_ms).map(|(key, _)| Next::Recurring(key.clone()))
    }

    fn start_next_of(&mut self, name: &str, now: Now) {
        while self.runs.len() < self.concurrent_runs_limit {
            let Some(next) = self.next_of(name, now) else { return };
            let Some(resource) = self.resources.get_mut(name) else { return };
            let (call_id, accepted_ms) = match next {
                Next::Queued(position) => match resource.queue.remove(position) {
                    Some(queued) => (queued.call_id, queued.accepted_ms.max(queued.not_before_ms)),
                    None => return,
                },
                Next::Recurring(key) => match resource.recurring.get_mut(&key) {
                    Some(recurring) => {
                        let due_ms = std::mem::replace(&mut recurring.due_ms, u64::MAX);
                        (recurring.call_id, due_ms)
                    }
                    None => return,
                },
            };
            let Some(operation) = self.ledger.operations.get(&call_id).cloned() else { continue };
            let queue_time_ms = now.monotonic_ms.saturating_sub(accepted_ms);
            if let Some(end) = self.end_without_agent(&operation, now) {
                self.finish_operation(None, call_id, operation, end, (queue_time_ms, now.wall_seconds));
                continue;
            }
            let run = Run { call_id, operation: Some(operation.clone()), queue_time_ms, dropped: false };
            let run = self.take_run(run);
            if let Some(resource) = self.resources.get_mut(name) {
                resource.running = Some(run);
            }
            self.send(Output::Run(run, call_id, operation));
            return;
        }
    }

    /// A probe of a fence device asks whether it was started here: no agent knows that.
    fn end_without_agent(&self, operation: &Operation, now: Now) -> Option<End> {
        if operation.agent.class != AgentClass::Stonith
            || operation.task != "monitor"
            || operation.interval_ms > 0
        {
            return None;
        }
        let last = |task: &str| {
            let key =
                OperationKey { resource: operation.resource.clone(), task: task.to_owned(), interval_ms: 0 };
            self.ledger.history.get(&key).and_then(|history| history.last.as_ref())
        };
        let started = last("start").filter(|start| !start.is_failure());
        let stopped = last("stop").map(|stop| stop.call_id);
        let running = started.is_some_and(|start| stopped.is_none_or(|stopped| stopped < start.call_id));
        let rc = if running { OcfExitCode::OK } else { OcfExitCode::NOT_RUNNING };
        Some(End::bare(rc, OpStatus::Done, None, now))
    }
}
