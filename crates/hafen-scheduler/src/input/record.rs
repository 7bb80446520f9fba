//! An `lrm_rsc_op` of the status section: one operation that a node recorded.

use std::cmp::Ordering;

use hafen_cib::xml::Element;

use crate::score;

/// The results that agents give.
pub(crate) mod rc {
    pub(crate) const OK: i32 = 0;
    pub(crate) const INVALID_PARAM: i32 = 2;
    pub(crate) const UNIMPLEMENTED: i32 = 3;
    pub(crate) const INSUFFICIENT_PRIVILEGES: i32 = 4;
    pub(crate) const NOT_INSTALLED: i32 = 5;
    pub(crate) const NOT_CONFIGURED: i32 = 6;
    pub(crate) const NOT_RUNNING: i32 = 7;
    pub(crate) const PROMOTED: i32 = 8;
    pub(crate) const FAILED_PROMOTED: i32 = 9;
    pub(crate) const DEGRADED: i32 = 190;
    pub(crate) const DEGRADED_PROMOTED: i32 = 191;
    /// The result of an operation that has not ended.
    pub(crate) const UNKNOWN: i32 = 193;
}

/// How the executor says that an operation went.
pub(crate) mod status {
    pub(crate) const PENDING: i32 = -1;
    pub(crate) const DONE: i32 = 0;
    pub(crate) const CANCELLED: i32 = 1;
    pub(crate) const NOT_SUPPORTED: i32 = 3;
    pub(crate) const ERROR: i32 = 4;
    /// The agent cannot work on this node.
    pub(crate) const ERROR_HARD: i32 = 5;
    /// The agent cannot work anywhere with this configuration.
    pub(crate) const ERROR_FATAL: i32 = 6;
    pub(crate) const NOT_INSTALLED: i32 = 7;
    pub(crate) const NO_FENCE_DEVICE: i32 = 10;
    pub(crate) const NO_SECRETS: i32 = 11;
}

/// The facts of an `lrm_rsc_op`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    pub(crate) element: Element<'a>,
    pub(crate) id: &'a str,
    pub(crate) task: &'a str,
    pub(crate) interval_ms: u64,
    pub(crate) rc: i32,
    pub(crate) status: i32,
    /// The result that the transition key names as success; -1 where there is none.
    pub(crate) expected: i32,
    /// -1 while the operation has not ended.
    pub(crate) call: i64,
    /// When the result changed, in seconds since 1970; -1 when that is not said.
    pub(crate) last_change: i64,
}

impl<'a> Record<'a> {
    pub(crate) fn read(element: Element<'a>) -> Record<'a> {
        let mut record = Record {
            element,
            id: "",
            task: "",
            interval_ms: 0,
            rc: rc::OK,
            status: status::DONE,
            expected: -1,
            call: -1,
            last_change: -1,
        };
        let small = |text: &str, default: i32| {
            score::leading_integer(text).and_then(|number| i32::try_from(number).ok()).unwrap_or(default)
        };
        for (name, value) in element.attributes() {
            match name {
                "id" => record.id = value,
                "operation" => record.task = value,
                // Here, other than in the configuration, without a unit: milliseconds.
                "interval" => {
                    let number = score::leading_integer(value).unwrap_or(0);
                    record.interval_ms = u64::try_from(number).unwrap_or(0);
                }
                "rc-code" => record.rc = small(value, -1),
                "op-status" => record.status = small(value, -2),
                "transition-key" => record.expected = expected_rc(value).unwrap_or(-1),
                "call-id" => record.call = score::leading_integer(value).unwrap_or(-1),
                "last-rc-change" => record.last_change = score::leading_integer(value).unwrap_or(-1),
                _ => {}
            }
        }
        record
    }

    pub(crate) fn is_probe(&self) -> bool {
        self.task == "monitor" && self.interval_ms == 0
    }

    /// Whether a probe only found out that the agent cannot work here, which is as good as "not running".
    pub(crate) fn probed_nothing(&self) -> bool {
        self.is_probe()
            && (matches!(self.rc, rc::NOT_INSTALLED | rc::INVALID_PARAM)
                || self.status == status::NOT_INSTALLED)
    }

    /// Whether both are the same operation of the same resource.
    pub(crate) fn same_operation(&self, other: &Record<'_>) -> bool {
        self.task == other.task && self.interval_ms == other.interval_ms
    }
}

/// The name of an operation (`RESOURCE_TASK_INTERVAL`); old histories have it in the id.
pub(crate) fn key_of(operation: Element<'_>) -> &str {
    operation.attribute("operation_key").or(operation.attribute("id")).unwrap_or_default()
}

/// The result that a transition key (`ACTION:TRANSITION:RESULT:UUID`) names as success.
fn expected_rc(key: &str) -> Option<i32> {
    let mut parts = key.splitn(4, ':');
    let _action: i64 = parts.next()?.parse().ok()?;
    let _transition: i64 = parts.next()?.parse().ok()?;
    let expected = parts.next()?.parse().ok()?;
    parts.next().map(|_| expected)
}

/// The transition and the scheduler's uuid that an operation belongs to.
fn transition_of(element: Element<'_>) -> Option<(i64, &str)> {
    let magic = element.attribute("transition-magic")?;
    let (_, key) = magic.split_once(';')?;
    let mut parts = key.splitn(4, ':');
    let _action: i64 = parts.next()?.parse().ok()?;
    let transition = parts.next()?.parse().ok()?;
    let _expected: i64 = parts.next()?.parse().ok()?;
    Some((transition, parts.next()?))
}

/// How old two operations are, seen from each other; equal where that cannot be known. `same_node`: both histories are of
/// the same node, unless the operations say otherwise.
pub(crate) fn compare_age(left: &Record<'_>, right: &Record<'_>, same_node: bool) -> Ordering {
    let nodes = (left.element.attribute("on_node"), right.element.attribute("on_node"));
    let same_node = match nodes {
        (Some(left), Some(right)) => left.eq_ignore_ascii_case(right),
        _ => same_node,
    };
    if same_node && left.id == right.id || left.call == -1 && right.call == -1 {
        return Ordering::Equal;
    }
    if same_node && left.call != right.call && left.call >= 0 && right.call >= 0 {
        return left.call.cmp(&right.call);
    }
    if left.call >= 0 && right.call >= 0 {
        return if left.last_change < 0 || right.last_change < 0 {
            Ordering::Equal
        } else {
            left.last_change.cmp(&right.last_change)
        };
    }
    // One has not ended. Which transition ordered them tells what came first; a shutdown, without a number, is the last.
    let (Some((left_number, left_uuid)), Some((right_number, right_uuid))) =
        (transition_of(left.element), transition_of(right.element))
    else {
        return Ordering::Equal;
    };
    if left_uuid != right_uuid || left_number == right_number {
        return if right.call == -1 { Ordering::Less } else { Ordering::Greater };
    }
    match (left_number, right_number) {
        (_, -1) => Ordering::Less,
        (-1, _) => Ordering::Greater,
        _ => left_number.cmp(&right_number),
    }
}

/// A history's operations, oldest first; of those whose order is not known, the later in the CIB comes first.
pub(crate) fn sorted(history: Element<'_>) -> Vec<Record<'_>> {
    let mut records: Vec<Record<'_>> = history.children_named("lrm_rsc_op").map(Record::read).collect();
    records.reverse();
    if records.len() > 1 {
        merge_sort(&mut records);
    }
    records
}

/// Where in a history, oldest first, the last start and the last successful stop are. What is not known to have started
/// has with its first promotion, demotion or successful monitor.
pub(crate) fn active_range(operations: &[Record<'_>]) -> (Option<usize>, Option<usize>) {
    let (mut start, mut stop, mut monitored, mut changed) = (None, None, None, None);
    for (at, operation) in operations.iter().enumerate() {
        match operation.task {
            "stop" if operation.status == status::DONE => stop = Some(at),
            "start" | "migrate_from" => start = Some(at),
            "monitor" if monitored <= stop => {
                if matches!(operation.rc, rc::OK | rc::PROMOTED) {
                    monitored = Some(at);
                }
            }
            "promote" | "demote" => changed = Some(at),
            _ => {}
        }
    }
    (start.or(changed).or(monitored), stop)
}

/// The comparison is no total order where transitions of several schedulers meet, so that the result depends on the
/// algorithm (and the standard library's may panic): halves, the smaller first, are sorted and merged.
fn merge_sort(records: &mut [Record<'_>]) {
    if records.len() < 2 {
        return;
    }
    let half = records.len() / 2;
    let (left, right) = records.split_at_mut(half);
    merge_sort(left);
    merge_sort(right);
    let (mut at, mut other) = (0, 0);
    let mut merged = Vec::with_capacity(left.len() + right.len());
    while at < left.len() && other < right.len() {
        if compare_age(&left[at], &right[other], true).is_gt() {
            merged.push(right[other]);
            other += 1;
        } else {
            merged.push(left[at]);
            at += 1;
        }
    }
    merged.extend_from_slice(&left[at..]);
    merged.extend_from_slice(&right[other..]);
    records.copy_from_slice(&merged);
}
