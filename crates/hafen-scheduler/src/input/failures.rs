//! Failure counts, their expiry, and the settings of operations.

use hafen_cib::xml::Element;

use super::history::{NodeHistory, OnFail, Record};
use super::nvpairs::{self, Values};
use super::rules::{NextChange, RuleInput};
use crate::model::{Cluster, NodeIndex, Operation, ResourceId, Variant};
use crate::score::{self, INFINITY};

/// What is known of a resource's failures on a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FailCount {
    pub(crate) count: i32,
    /// Seconds since 1970; 0 when unknown.
    pub(crate) last: i64,
    /// Whether it is older than the failure timeout.
    pub(crate) expired: bool,
}

impl<'a> Cluster<'a> {
    /// Sums the failures that a node's attributes record for a resource (and, for a group or clone, of its parts).
    pub(crate) fn fail_count(&self, resource: ResourceId, node: NodeIndex) -> FailCount {
        let mut found = FailCount::default();
        for member in self.family(resource) {
            if self.rsc(member).variant == Variant::Primitive {
                let part = self.own_fail_count(member, node);
                found.count = score::add(found.count, part.count);
                found.last = found.last.max(part.last);
            }
        }
        let timeout = self.rsc(resource).failure_timeout_seconds;
        found.expired = found.count > 0
            && timeout > 0
            && found.last > 0
            && self.now >= found.last.saturating_add(timeout)
            && !self.blocked_by_failure(resource, node);
        found
    }

    fn own_fail_count(&self, resource: ResourceId, node: NodeIndex) -> FailCount {
        let mut found = FailCount::default();
        let name = &self.rsc(resource).history_id;
        let base = super::status::base_name(name);
        let unique = self.rsc(resource).unique;
        let matches = |rest: &str| {
            let subject = rest.rsplit_once('#').map_or(rest, |(subject, _)| subject);
            subject == name || (!unique && super::status::base_name(subject) == base)
        };
        for (attribute, value) in &self.node(node).attributes {
            if let Some(rest) = attribute.strip_prefix("fail-count-") {
                if matches(rest) {
                    found.count = score::add(found.count, score::parse(value).unwrap_or(0));
                }
            } else if let Some(rest) = attribute.strip_prefix("last-failure-")
                && matches(rest)
            {
                found.last = found.last.max(score::leading_integer(value).unwrap_or(0));
            }
        }
        found
    }

    /// Whether a failure on this node blocks the resource; such failures do not expire.
    fn blocked_by_failure(&self, resource: ResourceId, node: NodeIndex) -> bool {
        self.record_of(resource, node).is_some_and(|history| {
            history.children_named("lrm_rsc_op").any(|op| {
                let known = Record::read(op);
                known.rc != known.expected
                    && known.status != -1
                    && self.on_fail(resource, known.task, known.interval_ms) == OnFail::Block
            })
        })
    }

    /// Whether a failed operation is old enough to be forgotten; schedules forgetting its count.
    pub(crate) fn failure_expired(&mut self, history: &NodeHistory<'a>, record: &Record<'a>) -> bool {
        let (resource, node) = (history.resource, history.node);
        let timeout = self.rsc(resource).failure_timeout_seconds;
        if timeout <= 0 || record.last_change <= 0 {
            return false;
        }
        let due = record.last_change.saturating_add(timeout);
        if self.now < due {
            self.next_change.note(self.now, due);
            return false;
        }
        let count = self.fail_count(resource, node);
        if count.count > 0 && !count.expired {
            let due = count.last.saturating_add(timeout);
            self.next_change.note(self.now, due);
            return false;
        }
        if count.count > 0 {
            self.forget_failures(resource, node);
        }
        !(record.is_probe() && matches!(record.rc, 0 | 7 | 8 | 190 | 191))
    }

    /// Schedules clearing a failure count.
    pub(crate) fn forget_failures(&mut self, resource: ResourceId, node: NodeIndex) {
        if !self.cleared_failures.contains(&(resource, node)) {
            self.cleared_failures.push((resource, node));
        }
    }

    /// Keeps resources away from where they failed too often.
    pub(crate) fn apply_failure_bans(&mut self) {
        for resource in self.resource_ids() {
            if self.rsc(resource).variant != Variant::Primitive {
                continue;
            }
            for node in self.node_indices() {
                let failures = self.fail_count(resource, node);
                if failures.count <= 0 {
                    continue;
                }
                if failures.expired {
                    self.forget_failures(resource, node);
                    continue;
                }
                if self.rsc(resource).failure_ignored {
                    continue;
                }
                let threshold = self.rsc(resource).migration_threshold;
                if threshold == 0 || self.rsc(resource).orphan && self.rsc(resource).running_on.is_empty() {
                    continue;
                }
                let left = if failures.count >= INFINITY {
                    0
                } else {
                    threshold.saturating_sub(failures.count).max(0)
                };
                if left == 0 {
                    let target =
                        self.clone_of(resource).filter(|clone| !self.rsc(*clone).unique).unwrap_or(resource);
                    self.prefer(target, node, -INFINITY, "__fail_limit__");
                }
            }
        }
    }

    /// The configured operation of that name and interval.
    pub(crate) fn configured_operation(
        &self,
        resource: ResourceId,
        task: &str,
        interval_ms: u64,
    ) -> Option<&Operation<'a>> {
        let (task, alternative) = match task {
            "migrate_to" | "migrate_from" => (task, "migrate"),
            "reload-agent" => (task, "reload"),
            other => (other, other),
        };
        let ops = &self.rsc(resource).ops;
        let find =
            |name: &str| ops.iter().find(|op| op.enabled && op.name == name && op.interval_ms == interval_ms);
        find(task).or_else(|| find(alternative))
    }

    /// All settings of an operation: from its element, its meta attributes and the defaults.
    pub(crate) fn operation_settings(&self, resource: ResourceId, task: &str, interval_ms: u64) -> Values {
        let mut settings = Values::new();
        let mut next = NextChange::default();
        let known = self.rsc(resource);
        let provider = known.provider.as_deref().unwrap_or("");
        let input = RuleInput {
            now: self.now,
            agent: Some((&known.class, provider, &known.type_)),
            operation: Some((task, interval_ms)),
            ..RuleInput::default()
        };
        let element = self.configured_operation(resource, task, interval_ms).map(|op| op.element);
        if let Some(element) = element {
            for (name, value) in element.attributes() {
                if !matches!(name, "id" | "id-ref" | "description") {
                    settings.insert(name.to_owned(), value.to_owned());
                }
            }
            nvpairs::unpack(element, "meta_attributes", None, &input, &mut next, &mut settings);
        }
        if task == "monitor"
            && interval_ms == 0
            && !settings.contains_key("timeout")
            && let Some(timeout) = self.probe_timeout(resource)
        {
            settings.insert("timeout".into(), timeout);
        }
        if let Some(defaults) = self.operation_defaults() {
            nvpairs::unpack(defaults, "meta_attributes", None, &input, &mut next, &mut settings);
        }
        settings
    }

    /// The settings of an operation that belongs to no primitive: what `op_defaults` says about all.
    pub(crate) fn default_settings(&self, task: &str, interval_ms: u64) -> Values {
        let mut settings = Values::new();
        let input = RuleInput { now: self.now, operation: Some((task, interval_ms)), ..RuleInput::default() };
        if let Some(defaults) = self.operation_defaults() {
            nvpairs::unpack(
                defaults,
                "meta_attributes",
                None,
                &input,
                &mut NextChange::default(),
                &mut settings,
            );
        }
        settings
    }

    fn operation_defaults(&self) -> Option<Element<'a>> {
        self.document
            .root()
            .child("configuration")
            .and_then(|configuration| configuration.child("op_defaults"))
    }

    /// A probe without a timeout of its own uses that of the most frequent monitor.
    fn probe_timeout(&self, resource: ResourceId) -> Option<String> {
        let monitors = self
            .rsc(resource)
            .ops
            .iter()
            .filter(|op| op.name == "monitor" && op.interval_ms > 0 && op.enabled);
        let fastest = monitors.min_by_key(|op| op.interval_ms)?;
        fastest.element.attribute("timeout").map(str::to_owned).or_else(|| {
            let set = fastest.element.children_named("meta_attributes");
            set.flat_map(|set| set.children_named("nvpair").collect::<Vec<_>>())
                .find(|pair| pair.attribute("name") == Some("timeout"))
                .and_then(|pair| pair.attribute("value"))
                .map(str::to_owned)
        })
    }

    /// One setting of an operation.
    pub(crate) fn operation_value(
        &self,
        resource: ResourceId,
        task: &str,
        interval_ms: u64,
        name: &str,
    ) -> Option<String> {
        self.operation_settings(resource, task, interval_ms).remove(name)
    }
}
