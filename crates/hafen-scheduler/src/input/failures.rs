//! Failure counts, their expiry, and the settings of operations.

use std::collections::BTreeMap;

use super::history::NodeHistory;
use super::record::{Record, rc, status};
use super::status::base_name;
use crate::actions::operation_key;
use crate::ledger::Cause;
use crate::model::{Cluster, NodeIndex, Operation, ResourceId, Variant};
use crate::score;

/// What a node's attributes say about failures of operations of one resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Failures {
    pub(crate) count: i32,
    /// The latest, in seconds since 1970; 0 when unknown.
    pub(crate) last: i64,
}

/// The failures that a node's attributes (`fail-count-RESOURCE#TASK_INTERVAL`) record, by resource; instances of anonymous
/// clones with or without a number.
pub(crate) type FailuresByName = BTreeMap<String, Failures>;

impl<'a> Cluster<'a> {
    /// Reads the failure counts out of the attributes of all nodes.
    pub(crate) fn unpack_failures(&mut self) {
        for node in &mut self.nodes {
            for (attribute, value) in &node.attributes {
                if let Some(name) = attribute.strip_prefix("fail-count-").and_then(failed) {
                    let known = node.failures.entry(name.to_owned()).or_default();
                    known.count = score::add(known.count, score::parse(value).unwrap_or(0));
                } else if let Some(name) = attribute.strip_prefix("last-failure-").and_then(failed) {
                    let known = node.failures.entry(name.to_owned()).or_default();
                    known.last = known.last.max(score::leading_integer(value).unwrap_or(0));
                }
            }
        }
    }

    /// What a node's attributes say about failures of a primitive.
    pub(crate) fn recorded_failures(&self, resource: ResourceId, node: NodeIndex) -> Failures {
        let failures = &self.node(node).failures;
        if failures.is_empty() {
            return Failures::default();
        }
        let name = &self.rsc(resource).history_id;
        if name.contains('.') {
            return self.failures_by_pattern(name, self.rsc(resource).unique, node);
        }
        if self.rsc(resource).unique {
            return failures.get(name).copied().unwrap_or_default();
        }
        let base = base_name(name);
        let mut sum = failures.get(base).copied().unwrap_or_default();
        let numbered = format!("{base}:");
        let instances =
            failures.range(numbered.clone()..).take_while(|(subject, _)| subject.starts_with(&numbered));
        for (subject, part) in instances {
            if base_name(subject) == base {
                sum.count = score::add(sum.count, part.count);
                sum.last = sum.last.max(part.last);
            }
        }
        sum
    }

    /// The same for a name with dots, each of which stands for any character: Pacemaker takes it for a regular expression.
    fn failures_by_pattern(&self, name: &str, unique: bool, node: NodeIndex) -> Failures {
        let name = if unique { name } else { base_name(name) };
        let fits = |subject: &str| {
            let subject = if unique { subject } else { base_name(subject) };
            subject.len() == name.len()
                && name.bytes().zip(subject.bytes()).all(|(wanted, byte)| wanted == b'.' || wanted == byte)
        };
        let mut sum = Failures::default();
        for (_, part) in self.node(node).failures.iter().filter(|(subject, _)| fits(subject)) {
            sum.count = score::add(sum.count, part.count);
            sum.last = sum.last.max(part.last);
        }
        sum
    }

    /// How often a primitive has failed on a node. `effective`: failures that have expired do not count. A failure that
    /// blocks the resource never expires, from then on.
    pub(crate) fn fail_count(&mut self, resource: ResourceId, node: NodeIndex, effective: bool) -> Failures {
        let mut found = self.recorded_failures(resource, node);
        if found.count > 0
            && self.rsc(resource).failure_timeout_seconds > 0
            && self.is_blocked_by_failure(resource, node)
        {
            self.rsc_mut(resource).failure_timeout_seconds = 0;
        }
        let timeout = self.rsc(resource).failure_timeout_seconds;
        if effective
            && found.count > 0
            && found.last > 0
            && timeout > 0
            && self.now > found.last.saturating_add(timeout)
        {
            found.count = 0;
        }
        if found.count <= 0 {
            found.last = 0;
        }
        found
    }

    /// The same, with the failures of what runs inside of it.
    pub(crate) fn fail_count_with_fillers(&mut self, resource: ResourceId, node: NodeIndex) -> i32 {
        let mut count = self.fail_count(resource, node, true).count;
        for filler in self.rsc(resource).fillers.clone() {
            count = score::add(count, self.fail_count_with_fillers(filler, node));
        }
        count
    }

    /// Whether a failure of an operation that is configured to block is known on the node.
    fn is_blocked_by_failure(&self, resource: ResourceId, node: NodeIndex) -> bool {
        let name = base_name(&self.rsc(resource).id);
        let blocking: Vec<&Operation<'a>> = self
            .rsc(resource)
            .ops
            .iter()
            .filter(|op| op.element.attribute("on-fail") == Some("block"))
            .collect();
        if blocking.is_empty() {
            return false;
        }
        let matches = |record: &Record<'a>| {
            blocking.iter().any(|op| {
                op.interval_ms == record.interval_ms
                    && op.name.eq_ignore_ascii_case(record.task)
                    && (record.id.strip_prefix(name) == Some("_last_failure_0")
                        || record.id == operation_key(name, &op.name, op.interval_ms)
                            && record.rc != record.expected)
            })
        };
        self.history_on(node, name)
            .is_some_and(|history| history.children_named("lrm_rsc_op").any(|op| matches(&Record::read(op))))
    }

    /// Whether an operation's result is old enough to be forgotten. Schedules forgetting the failure count where all that
    /// it counts has expired, or where the failure says nothing any more because the parameters have changed.
    pub(crate) fn failure_expired(&mut self, history: &NodeHistory<'a>, record: &Record<'a>) -> bool {
        if record.status == status::NOT_INSTALLED {
            return false;
        }
        let (resource, node) = (history.resource, history.node);
        let timeout = self.rsc(resource).failure_timeout_seconds;
        let (mut expired, mut unexpired_count) = (false, 0);
        if timeout > 0 && record.last_change >= 0 {
            expired = self.now >= record.last_change.saturating_add(timeout);
            let failures = self.fail_count(resource, node, true);
            unexpired_count = failures.count;
            let due = failures.last.saturating_add(timeout).saturating_add(1);
            if failures.count > 0 && self.now < due {
                self.next_change.note(self.now, due);
            }
        }
        let is_last_failure = record.id.ends_with("_last_failure_0");
        let mut forget = false;
        if expired && self.fail_count(resource, node, false).count > 0 {
            if unexpired_count == 0 {
                forget = true;
            } else {
                expired = false;
            }
        }
        if !expired
            && is_last_failure
            && matches!(record.task, "start" | "monitor")
            && self.ran_with_other_parameters(resource, node, record)
        {
            forget = true;
        }
        if forget {
            self.forget_failures(resource, node);
        }
        let kept = record.is_probe()
            && matches!(
                record.rc,
                rc::OK | rc::NOT_RUNNING | rc::PROMOTED | rc::DEGRADED | rc::DEGRADED_PROMOTED
            );
        expired && !kept
    }

    /// Keeps resources away from where they failed too often; a failure count that is about to be cleared does not count.
    pub(crate) fn apply_failure_bans(&mut self) {
        for node in self.node_indices() {
            if self.node(node).failures.is_empty() {
                continue;
            }
            for resource in self.resource_ids() {
                let known = self.rsc(resource);
                if known.variant != Variant::Primitive
                    || known.migration_threshold == 0
                    || known.failure_ignored
                {
                    continue;
                }
                if self.clears_failures(resource, node) {
                    continue;
                }
                let count = self.fail_count_with_fillers(resource, node);
                if count > 0 && count >= self.rsc(resource).migration_threshold {
                    let target =
                        self.clone_of(resource).filter(|_| !self.rsc(resource).unique).unwrap_or(resource);
                    self.ban(target, node, Cause::FailureThreshold);
                }
            }
        }
    }
}

/// The resource of a failure attribute, whose name goes on after the prefix.
fn failed(rest: &str) -> Option<&str> {
    let (name, operation) = rest.split_once('#')?;
    let (task, interval) = operation.rsplit_once('_')?;
    let numeric = !interval.is_empty() && interval.bytes().all(|byte| byte.is_ascii_digit());
    (!task.is_empty() && numeric).then_some(name)
}
