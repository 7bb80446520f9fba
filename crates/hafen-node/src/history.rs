//! What ended operations leave on record, as Pacemaker leaves it: `R_last_0`, `R_last_failure_0`, `R_monitor_MS`,
//! `R_migrate_to_0`, and the failure counts.
//!
//! All members record the same ordered results, so nothing here looks at a clock: times come from the results.

mod digest;
#[cfg(test)]
mod tests;

use hafen_protocol::message::{Execute, HostStatus, OperationRecord, OperationResult, ResourceHistory};

pub use digest::{operation_digest, restart_digest};

/// Pacemaker's `op-status` values that are told apart here.
const STATUS_DONE: i32 = 0;
const STATUS_CANCELLED: i32 = 1;
/// The result of an operation on a resource that is not active.
const RC_NOT_RUNNING: i32 = 7;
const RC_PROMOTED: i32 = 8;
/// Active, but about to fail: shown as a failure, not counted.
const RC_DEGRADED: i32 = 190;
const RC_DEGRADED_PROMOTED: i32 = 191;
/// What a failure count of `INFINITY` stands for.
const INFINITY: u64 = 1_000_000;

/// The result of an agent that failed for no special reason.
const RC_ERROR: i32 = 1;
/// The operation that stands for a failure that somebody reported.
const ASSERTED: &str = "asyncmon";

/// What a result led to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Consequence {
    /// The record is another one than before. A result that nobody waits for, and the same result of a recurring
    /// operation once more, change nothing.
    pub changed: bool,
    /// It is on record as a failure.
    pub failed: bool,
    /// The failure count that it raised, if any: the attribute's name.
    pub counted: Option<String>,
}

/// Records that an operation was ordered.
pub fn record_pending(status: &mut HostStatus, order: &Execute) {
    if is_recorded(&order.task) {
        history_of(status, order).pending.insert(order.operation_key.clone(), order.clone());
    }
}

/// Records on the target of a migration that the resource may be there from now on.
pub fn record_arriving(status: &mut HostStatus, order: &Execute) {
    status.arriving.insert(order.resource.clone(), order.clone());
}

/// The order was never carried out.
pub fn drop_pending(status: &mut HostStatus, order: &Execute) {
    if let Some(history) = status.resources.get_mut(&order.resource) {
        take_pending(history, order);
    }
    forget_if_empty(status, &order.resource);
}

/// Records how an operation ended. `uname` is the name of the host of `status`.
///
/// A result counts if its order is on record: as pending, or, of a recurring operation, as the one that set it up.
pub fn record_result(
    status: &mut HostStatus,
    result: &OperationResult,
    uname: &str,
    start_failure_is_fatal: bool,
) -> Consequence {
    let order = &result.order;
    let call_id = next_call_id(status);
    let Some(history) = status.resources.get_mut(&order.resource) else { return Consequence::default() };
    let was_pending = take_pending(history, order);
    if result.op_status == STATUS_CANCELLED {
        forget_if_empty(status, &order.resource);
        return Consequence { changed: was_pending, ..Consequence::default() };
    }
    let known = latest_of(history, order).map(|known| (known.rc, known.op_status, known.call_id));
    let is_awaited = was_pending || order.interval_ms > 0 && known.is_some();
    let is_repetition = order.interval_ms > 0
        && known.is_some_and(|(rc, op_status, _)| (rc, op_status) == (result.rc, result.op_status));
    if !is_recorded(&order.task) || !is_awaited || is_repetition {
        return Consequence { changed: was_pending, ..Consequence::default() };
    }
    let failed = is_failure(result);
    if order.interval_ms == 0 {
        status.arriving.remove(&order.resource);
    }
    // A recurring operation keeps its number through all of its results.
    let call_id = known.map_or(call_id, |(_, _, known)| known);
    write_record(history, record_of(result, uname, call_id), failed);
    if !failed {
        tidy_after_success(history, order);
    }
    // What a plan allows to fail (on-fail=ignore) is on record and not counted; a failure out of the blue is counted.
    let is_allowed = was_pending && order.meta.get("on_fail").is_some_and(|on_fail| on_fail == "ignore");
    let counted = match failed {
        true => count_failure(status, result, start_failure_is_fatal, is_allowed),
        false => None,
    };
    Consequence { changed: true, failed, counted }
}

/// Records that somebody says that a resource has failed: an operation of its own, `asyncmon`, that no agent did. Says
/// whether the host knows the resource. `uname` is the name of the host of `status`.
pub fn record_asserted_failure(
    status: &mut HostStatus,
    resource: &str,
    uname: &str,
    ended_wall_ms: u64,
) -> bool {
    let call_id = next_call_id(status);
    let Some(history) = status.resources.get_mut(resource) else { return false };
    let latest = history.operations.values().max_by_key(|record| record.call_id);
    let record = OperationRecord {
        operation_key: format!("{resource}_{ASSERTED}_0"),
        task: ASSERTED.to_owned(),
        interval_ms: 0,
        transition_key: format!("{call_id}:-1:0:00000000-0000-0000-0000-000000000000"),
        call_id,
        rc: RC_ERROR,
        op_status: STATUS_DONE,
        last_rc_change: ended_wall_ms / 1000,
        exec_time_ms: 0,
        queue_time_ms: 0,
        exit_reason: "Simulated failure".to_owned(),
        output: String::new(),
        op_digest: latest.map(|record| record.op_digest.clone()).unwrap_or_default(),
        restart: None,
        migration: None,
        on_node: uname.to_owned(),
    };
    // What the last real operation found stays on record.
    history.operations.insert(last_failure_id(resource), record);
    raise_count(status, &format!("{resource}#{ASSERTED}_0"), false, ended_wall_ms);
    true
}

/// Forgets a recurring operation that was ended.
pub fn forget_recurring(status: &mut HostStatus, resource: &str, task: &str, interval_ms: u64) {
    if let Some(history) = status.resources.get_mut(resource) {
        let key = format!("{resource}_{task}_{interval_ms}");
        history.operations.remove(&key);
        history.pending.remove(&key);
    }
    forget_if_empty(status, resource);
}

/// Forgets a resource's history, but not what is still being done.
pub fn forget(status: &mut HostStatus, resource: &str) {
    if let Some(history) = status.resources.get_mut(resource) {
        history.operations.clear();
        history.pending.retain(|_, order| order.interval_ms == 0);
    }
    forget_if_empty(status, resource);
}

/// An attribute was deleted: with a failure count the record of the failure that it counted goes too.
pub fn attribute_deleted(status: &mut HostStatus, name: &str) {
    let Some((resource, operation)) = name.strip_prefix("fail-count-").and_then(|name| name.rsplit_once('#'))
    else {
        return;
    };
    if let Some(history) = status.resources.get_mut(resource) {
        let id = last_failure_id(resource);
        let counted =
            |record: &OperationRecord| format!("{}_{}", record.task, record.interval_ms) == operation;
        if history.operations.get(&id).is_some_and(counted) {
            history.operations.remove(&id);
        }
    }
    forget_if_empty(status, resource);
}

/// Whether the resource is active on the host, as far as its history tells.
#[must_use]
pub fn is_active(history: &ResourceHistory) -> bool {
    let mut records: Vec<&OperationRecord> = history.operations.values().collect();
    records.sort_by_key(|record| (record.call_id, record.last_rc_change));
    let mut active = false;
    for record in records {
        active = match (record.task.as_str(), record.op_status, record.rc) {
            (_, STATUS_DONE, RC_NOT_RUNNING) => false,
            ("stop" | "migrate_to", STATUS_DONE, 0) => false,
            (_, STATUS_DONE, 0 | RC_PROMOTED | RC_DEGRADED | RC_DEGRADED_PROMOTED) => true,
            // Nobody knows what a failed start, stop or migration left behind.
            ("start" | "stop" | "migrate_to" | "migrate_from" | "promote" | "demote", _, _) => true,
            _ => active,
        };
    }
    active
}

/// The failure on record, if any.
#[must_use]
pub fn last_failure(history: &ResourceHistory) -> Option<&OperationRecord> {
    history.operations.iter().find(|(id, _)| id.ends_with("_last_failure_0")).map(|(_, record)| record)
}

/// The failure on record that people are told of: that a probe found out about the resource is none.
#[must_use]
pub fn told_failure(history: &ResourceHistory) -> Option<&OperationRecord> {
    last_failure(history).filter(|record| {
        let is_probe = record.task == "monitor" && record.interval_ms == 0;
        let found =
            matches!(record.rc, 0 | RC_NOT_RUNNING | RC_PROMOTED | RC_DEGRADED | RC_DEGRADED_PROMOTED);
        !(is_probe && record.op_status == STATUS_DONE && found)
    })
}

/// Whether a failure is on record: of one operation (`TASK_MS`), or of any.
pub(crate) fn failed_operation(history: &ResourceHistory, operation: Option<&str>) -> bool {
    told_failure(history).is_some_and(|record| {
        operation.is_none_or(|operation| operation == format!("{}_{}", record.task, record.interval_ms))
    })
}

/// The id of the record for an operation that did not fail.
pub(crate) fn record_id(resource: &str, task: &str, interval_ms: u64) -> String {
    match (task, interval_ms) {
        // Migrations are kept beside what came before and after them: both hosts' halves are needed to judge them.
        ("migrate_to" | "migrate_from", _) => format!("{resource}_{task}_0"),
        (_, 0) => format!("{resource}_last_0"),
        _ => format!("{resource}_{task}_{interval_ms}"),
    }
}

/// Source and target of a migration, from its order.
pub(crate) fn migration_of(order: &Execute) -> Option<(String, String)> {
    let source = order.meta.get("migrate_source")?;
    let target = order.meta.get("migrate_target")?;
    Some((source.clone(), target.clone()))
}

/// The parameters that force a restart, as the record names them, and their digest. Only operations that bring the
/// resource up, or that find it, have them.
fn restart_of(result: &OperationResult) -> Option<(String, String)> {
    let order = &result.order;
    if order.interval_ms > 0 || matches!(order.task.as_str(), "stop" | "demote") {
        return None;
    }
    let names = result.restart_parameters.as_ref()?;
    let list = if names.is_empty() { String::new() } else { format!("  {}  ", names.join(" ")) };
    Some((list, restart_digest(order, names)))
}

fn last_failure_id(resource: &str) -> String {
    format!("{resource}_last_failure_0")
}

/// Notifications, and what only changes the history itself, leave no record.
fn is_recorded(task: &str) -> bool {
    !matches!(task, "notify" | "cancel" | "delete" | "meta-data" | "validate-all")
}

fn history_of<'a>(status: &'a mut HostStatus, order: &Execute) -> &'a mut ResourceHistory {
    let history = status.resources.entry(order.resource.clone()).or_default();
    history.class.clone_from(&order.class);
    history.provider.clone_from(&order.provider);
    history.agent.clone_from(&order.agent);
    history
}

/// Whether that very order was pending; it is not any more.
fn take_pending(history: &mut ResourceHistory, order: &Execute) -> bool {
    let is_it = |pending: &Execute| pending.transition_key == order.transition_key;
    let was_pending = history.pending.get(&order.operation_key).is_some_and(is_it);
    if was_pending {
        history.pending.remove(&order.operation_key);
    }
    was_pending
}

fn forget_if_empty(status: &mut HostStatus, resource: &str) {
    let is_empty = |history: &ResourceHistory| history.operations.is_empty() && history.pending.is_empty();
    if status.resources.get(resource).is_some_and(is_empty) {
        status.resources.remove(resource);
    }
}

fn next_call_id(status: &HostStatus) -> u64 {
    let records = status.resources.values().flat_map(|history| history.operations.values());
    records.map(|record| record.call_id).max().unwrap_or(0) + 1
}

/// The last result that is on record for this very order.
fn latest_of<'a>(history: &'a ResourceHistory, order: &Execute) -> Option<&'a OperationRecord> {
    let records =
        history.operations.iter().filter(|(_, record)| record.transition_key == order.transition_key);
    let is_failure = |id: &str| id.ends_with("_last_failure_0");
    records.max_by_key(|(id, record)| (record.last_rc_change, is_failure(id))).map(|(_, record)| record)
}

fn is_failure(result: &OperationResult) -> bool {
    result.op_status != STATUS_DONE || result.order.expected_rc() != Some(result.rc)
}

fn record_of(result: &OperationResult, uname: &str, call_id: u64) -> OperationRecord {
    let order = &result.order;
    // A reload leaves the record of a start with the new parameters; one that failed, of a look at the resource.
    let (task, operation_key) = match order.task.as_str() {
        "reload" | "reload-agent" => {
            let task = if is_failure(result) { "monitor" } else { "start" };
            (task.to_owned(), format!("{}_{task}_0", order.resource))
        }
        _ => (order.task.clone(), order.operation_key.clone()),
    };
    OperationRecord {
        operation_key,
        task,
        interval_ms: order.interval_ms,
        transition_key: order.transition_key.clone(),
        call_id,
        rc: result.rc,
        op_status: result.op_status,
        last_rc_change: result.ended_wall_ms / 1000,
        exec_time_ms: result.ended_wall_ms.saturating_sub(result.started_wall_ms),
        queue_time_ms: result.queue_time_ms,
        exit_reason: result.exit_reason.clone(),
        output: if is_failure(result) { result.output.clone() } else { String::new() },
        op_digest: operation_digest(order),
        restart: restart_of(result),
        migration: migration_of(order),
        on_node: uname.to_owned(),
    }
}

/// A failure of a recurring operation leaves the record of its last success as it is.
fn write_record(history: &mut ResourceHistory, record: OperationRecord, failed: bool) {
    let resource = record.operation_key.strip_suffix(&format!("_{}_{}", record.task, record.interval_ms));
    let resource = resource.unwrap_or(&record.operation_key).to_owned();
    if failed {
        history.operations.insert(last_failure_id(&resource), record.clone());
    }
    if !failed || record.interval_ms == 0 {
        history.operations.insert(record_id(&resource, &record.task, record.interval_ms), record);
    }
}

fn tidy_after_success(history: &mut ResourceHistory, order: &Execute) {
    match order.task.as_str() {
        // What watched the active resource has ended; what watches that it stays inactive has not.
        "stop" => {
            let watches_active = |interval_ms: u64, transition_key: &str| {
                let expected = transition_key.split(':').nth(2).and_then(|rc| rc.parse().ok());
                interval_ms > 0 && expected != Some(RC_NOT_RUNNING)
            };
            history.operations.retain(|id, record| {
                id.ends_with("_last_failure_0") || !watches_active(record.interval_ms, &record.transition_key)
            });
            history.pending.retain(|_, order| !watches_active(order.interval_ms, &order.transition_key));
            // What arrived here or left from here before is over: kept, it would answer for the next migration.
            forget_migration(history, "migrate_to");
            forget_migration(history, "migrate_from");
        }
        "start" => history.operations.retain(|_, record| !record.task.starts_with("migrate_")),
        // The other half of an earlier migration says nothing about this one.
        "migrate_to" => forget_migration(history, "migrate_from"),
        "migrate_from" => forget_migration(history, "migrate_to"),
        _ => {}
    }
}

/// Forgets the record of a migration's half, unless it is that of a failure.
fn forget_migration(history: &mut ResourceHistory, task: &str) {
    history.operations.retain(|id, record| record.task != task || id.ends_with("_last_failure_0"));
}

/// Raises the failure count of the operation. Probes only look, and what they find is no failure of the host's doing.
fn count_failure(
    status: &mut HostStatus,
    result: &OperationResult,
    start_failure_is_fatal: bool,
    is_allowed: bool,
) -> Option<String> {
    let order = &result.order;
    let is_probe = order.task == "monitor" && order.interval_ms == 0;
    let is_degraded =
        result.op_status == STATUS_DONE && matches!(result.rc, RC_DEGRADED | RC_DEGRADED_PROMOTED);
    if is_probe || is_degraded {
        return None;
    }
    let operation = format!("{}#{}_{}", order.resource, order.task, order.interval_ms);
    if is_allowed {
        note_failure(status, &operation, result.ended_wall_ms);
        return None;
    }
    let is_fatal = order.task == "stop" || order.task == "start" && start_failure_is_fatal;
    Some(raise_count(status, &operation, is_fatal, result.ended_wall_ms))
}

/// Counts one more failure of an operation (`RESOURCE#TASK_MS`), or so many that there is no more hope. Says the attribute.
fn raise_count(status: &mut HostStatus, operation: &str, is_fatal: bool, ended_wall_ms: u64) -> String {
    let name = format!("fail-count-{operation}");
    let before = match status.attributes.get(&name).map(String::as_str) {
        None => 0,
        Some("INFINITY") => INFINITY,
        Some(count) => count.parse().unwrap_or(0),
    };
    let count = if is_fatal { INFINITY } else { before.saturating_add(1).min(INFINITY) };
    let value = if count == INFINITY { "INFINITY".to_owned() } else { count.to_string() };
    status.attributes.insert(name.clone(), value);
    note_failure(status, operation, ended_wall_ms);
    name
}

/// Keeps when an operation failed last.
fn note_failure(status: &mut HostStatus, operation: &str, ended_wall_ms: u64) {
    let when = ended_wall_ms / 1000;
    status.attributes.insert(format!("last-failure-{operation}"), when.to_string());
}
