//! How far the plan has come that is carried out, and what has failed: for the report of the status.

use hafen_protocol::client::{FailedOperation, TransitionReport, UNDER_WAY_MAXIMUM};
use hafen_scheduler::{Action, ActionKind, TransitionKey};

use super::Node;
use crate::driver::{Driver, WaitingFor};
use crate::history;

impl Node {
    /// The coordinator knows its plan; any other member what it has heard to be ordered.
    pub(super) fn transition_report(&self) -> Option<TransitionReport> {
        match &self.planner.driver {
            Some(driver) if self.is_coordinator() => Some(of_driver(driver)),
            _ if self.is_coordinator() => None,
            _ => self.orders_under_way(),
        }
    }

    fn orders_under_way(&self) -> Option<TransitionReport> {
        let mut number = None;
        let mut under_way = Vec::new();
        for start in self.replica.fencings.values() {
            under_way.push(fencing(&start.target_uname, &start.action));
        }
        for record in self.replica.hosts.values() {
            let pending =
                record.status.resources.iter().flat_map(|(id, history)| {
                    history.pending.values().map(move |order| (id.as_str(), order))
                });
            for (resource, order) in pending {
                let key = TransitionKey::parse(&order.transition_key);
                number = number.max(key.map(|key| key.transition));
                under_way.push(operation(&order.task, order.interval_ms, resource, &record.uname));
            }
        }
        if under_way.is_empty() {
            return None;
        }
        under_way.truncate(UNDER_WAY_MAXIMUM);
        Some(TransitionReport { number: number.unwrap_or(0), under_way, ..TransitionReport::default() })
    }

    /// The failures that are on record, host by host.
    pub(super) fn failed_operations(&self) -> Vec<FailedOperation> {
        let records = self.replica.hosts.values().flat_map(|record| {
            let histories = record.status.resources.iter();
            histories.map(move |(id, history)| (record.uname.as_str(), id, history))
        });
        let failed = records.filter_map(|(host, id, history)| {
            let failure = history::told_failure(history)?;
            Some(FailedOperation {
                resource: id.clone(),
                host: host.to_owned(),
                task: failure.task.clone(),
                interval_ms: failure.interval_ms,
                rc: failure.rc,
                op_status: failure.op_status,
                reason: failure.exit_reason.clone(),
                output: failure.output.clone(),
                at: failure.last_rc_change,
                took_ms: failure.exec_time_ms,
            })
        });
        failed.collect()
    }
}

fn of_driver(driver: &Driver) -> TransitionReport {
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let summary = driver.summary();
    let waiting = driver.explain_waiting().into_iter();
    let begun = waiting.filter(|step| matches!(step.reason, WaitingFor::Answer { .. }));
    let under_way = begun.filter_map(|step| driver.plan().action(step.action)).map(words);
    TransitionReport {
        number: driver.transition(),
        steps: Some(count(driver.plan().actions.len())),
        done: count(summary.done),
        failed: count(summary.failed),
        under_way: under_way.take(UNDER_WAY_MAXIMUM).collect(),
        aborted: summary.aborted,
    }
}

/// What a step does.
fn words(action: &Action) -> String {
    let host = action.node.as_ref().map_or("", |node| node.uname.as_str());
    match &action.kind {
        ActionKind::Resource { resource, task, interval_ms, .. } => {
            operation(task, *interval_ms, &resource.id, host)
        }
        ActionKind::Fence { target, action } => fencing(&target.uname, action.as_str()),
        ActionKind::Pseudo { .. } | ActionKind::Cluster { .. } => action.operation_key().into_owned(),
    }
}

fn fencing(target: &str, action: &str) -> String {
    format!("fencing of {target} ({action})")
}

fn operation(task: &str, interval_ms: u64, resource: &str, host: &str) -> String {
    let task = if task == "monitor" && interval_ms == 0 { "probe" } else { task };
    format!("{task} of {resource} on {host}")
}
