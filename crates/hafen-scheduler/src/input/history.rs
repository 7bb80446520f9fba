//! One operation of a history: what its result says about the resource.

use super::record::{Record, key_of, rc, status};
use hafen_cib::xml::Element;

use crate::ledger::Cause;
use crate::model::{Cluster, NodeIndex, ResourceId, Role, Task};

/// What a failure leads to, from harmless to grave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum OnFail {
    Ignore,
    Demote,
    Restart,
    RestartContainer,
    Ban,
    Block,
    Stop,
    Standby,
    Fence,
}

/// What reading a node's history of a resource has found so far.
pub(crate) struct NodeHistory<'a> {
    pub(crate) resource: ResourceId,
    pub(crate) node: NodeIndex,
    pub(crate) on_fail: OnFail,
    pub(crate) last_failure: Option<Record<'a>>,
    /// Recurring operations whose failure has expired.
    pub(crate) expired_recurring: Vec<Record<'a>>,
}

impl<'a> Cluster<'a> {
    pub(crate) fn unpack_operation(&mut self, history: &mut NodeHistory<'a>, mut record: Record<'a>) {
        if record.id.is_empty()
            || matches!(record.task, "" | "notify")
            || !(status::PENDING..=status::NO_SECRETS).contains(&record.status)
            || record.status == status::CANCELLED
        {
            return;
        }
        let probed_nothing = record.probed_nothing();
        let found = record.rc;
        let expired = self.failure_expired(history, &record);
        self.judge(history, &mut record, expired);
        if expired && probed_nothing && found != record.expected {
            // So long ago that it is worth another probe.
            let known = self.rsc_mut(history.resource);
            if known.role <= Role::Stopped {
                known.role = Role::Unknown;
            }
            return;
        }
        if expired && record.rc != record.expected {
            let here = self.node(history.node);
            if record.interval_ms > 0 && here.online && !here.unclean {
                // It goes on; to see whether it still fails it is started afresh.
                history.expired_recurring.push(record);
                return;
            }
            if record.interval_ms == 0 {
                return;
            }
        }
        if probed_nothing {
            self.mask_probe_failure(history);
            // It is told only of records that say where they come from.
            if record.element.attribute("on_node").is_some() {
                let name = self.shown_name(history.resource).to_owned();
                self.failed_probes.entry(name).or_default().push((history.node, found));
            }
            return;
        }
        match record.status {
            status::PENDING => self.unpack_pending(history, &record),
            status::DONE => self.unpack_success(history, &record, record.rc),
            status::NOT_INSTALLED => {
                let on_fail = self.on_fail(history.resource, record.task, record.interval_ms);
                if on_fail == OnFail::Ignore {
                    // Nothing can make up for an agent that is not there.
                    history.on_fail = OnFail::Ban;
                }
                self.ban_family(history.resource, Some(history.node));
                self.unpack_failure(history, &record, on_fail);
            }
            _ => self.unpack_error(history, &mut record),
        }
    }

    fn unpack_error(&mut self, history: &mut NodeHistory<'a>, record: &mut Record<'a>) {
        if matches!(record.status, status::NO_FENCE_DEVICE | status::NO_SECRETS) {
            record.status = status::ERROR_HARD;
        }
        let on_fail = self.on_fail(history.resource, record.task, record.interval_ms);
        let contained_stop = on_fail == OnFail::RestartContainer && record.task == "stop";
        if on_fail == OnFail::Ignore || contained_stop {
            // Ignored: taken for what was expected.
            self.note_failed_operation(history.node, record);
            self.unpack_success(history, record, record.expected);
            self.rsc_mut(history.resource).failure_ignored = true;
            if contained_stop && history.on_fail <= OnFail::Restart {
                history.on_fail = on_fail;
            }
            return;
        }
        self.unpack_failure(history, record, on_fail);
        match record.status {
            status::ERROR_HARD => self.ban_family(history.resource, Some(history.node)),
            status::ERROR_FATAL => self.ban_family(history.resource, None),
            _ => {}
        }
    }

    /// A probe that finds no agent proves that nothing runs, and that nothing can run there.
    fn mask_probe_failure(&mut self, history: &mut NodeHistory<'a>) {
        self.rsc_mut(history.resource).role = Role::Stopped;
        self.ban_family(history.resource, Some(history.node));
    }

    /// Settles what an operation's result means, seen from what was expected of it.
    fn judge(&mut self, history: &mut NodeHistory<'a>, record: &mut Record<'a>, expired: bool) {
        if matches!(record.rc, rc::DEGRADED | rc::DEGRADED_PROMOTED) {
            self.note_failed_operation(history.node, record);
        }
        record.rc = match record.rc {
            rc::DEGRADED => rc::OK,
            rc::DEGRADED_PROMOTED => rc::PROMOTED,
            other => other,
        };
        if record.probed_nothing() && (record.status != status::DONE || record.rc != rc::NOT_RUNNING) {
            record.status = status::DONE;
            record.rc = rc::NOT_RUNNING;
        }
        // Whatever else the executor says is final. Of these two, what was expected decides.
        if !matches!(record.status, status::DONE | status::ERROR) {
            return;
        }
        record.status =
            if record.expected >= 0 && record.rc == record.expected { status::DONE } else { status::ERROR };
        let resource = history.resource;
        let as_expected = record.rc == record.expected;
        match record.rc {
            rc::OK if record.is_probe() && record.expected == rc::NOT_RUNNING => {
                record.status = status::DONE;
            }
            rc::NOT_RUNNING if record.is_probe() || as_expected || !self.rsc(resource).managed => {
                record.status = status::DONE;
                let known = self.rsc_mut(resource);
                known.role = Role::Stopped;
                known.next_role = Role::Unknown;
                history.on_fail = OnFail::Ignore;
            }
            rc::PROMOTED => {
                if record.is_probe() && !as_expected {
                    record.status = status::DONE;
                }
                if !expired || as_expected {
                    self.rsc_mut(resource).role = Role::Promoted;
                }
            }
            rc::FAILED_PROMOTED => {
                if !expired {
                    self.rsc_mut(resource).role = Role::Promoted;
                }
                record.status = status::ERROR;
            }
            rc::NOT_CONFIGURED => record.status = status::ERROR_FATAL,
            rc::UNIMPLEMENTED if record.interval_ms > 0 => record.status = status::NOT_SUPPORTED,
            rc::UNIMPLEMENTED | rc::NOT_INSTALLED | rc::INVALID_PARAM | rc::INSUFFICIENT_PRIVILEGES => {
                if !expired {
                    self.block_if_unrecoverable(history, record);
                }
                record.status = status::ERROR_HARD;
            }
            rc::OK | rc::NOT_RUNNING => {}
            _ if record.status == status::DONE => record.status = status::ERROR,
            _ => {}
        }
    }

    /// A failed stop that no fencing can make up for: nobody touches the resource any more.
    fn block_if_unrecoverable(&mut self, history: &NodeHistory<'a>, record: &Record<'a>) {
        if record.task == "stop" && !self.can_fence(history.node) {
            let known = self.rsc_mut(history.resource);
            known.managed = false;
            known.blocked = true;
        }
    }

    /// Takes an operation for one that ended with a result.
    fn unpack_success(&mut self, history: &mut NodeHistory<'a>, record: &Record<'a>, result: i32) {
        let resource = history.resource;
        let mut recovered = false;
        if result == rc::NOT_RUNNING {
            recovered = true;
        } else {
            let role = match record.task {
                "monitor" => {
                    recovered = history.last_failure.is_some_and(|failed| failed.same_operation(record));
                    None
                }
                "start" | "migrate_from" => {
                    recovered = true;
                    // Also of what can be promoted: that it is unpromoted is known by a monitor or a demotion only.
                    Some(Role::Started)
                }
                "stop" => {
                    recovered = true;
                    Some(Role::Stopped)
                }
                "promote" => {
                    recovered = true;
                    Some(Role::Promoted)
                }
                "demote" => {
                    recovered = history.on_fail == OnFail::Demote;
                    Some(Role::Unpromoted)
                }
                "migrate_to" => {
                    self.unpack_migrated_away(history, record);
                    return;
                }
                _ => None,
            };
            match role {
                Some(role) => self.rsc_mut(resource).role = role,
                None => self.mark_active(resource),
            }
        }
        if recovered
            && !matches!(history.on_fail, OnFail::Stop | OnFail::Ban | OnFail::Standby | OnFail::Fence)
        {
            history.on_fail = OnFail::Ignore;
            self.rsc_mut(resource).next_role = Role::Unknown;
        }
    }

    /// The role of a running resource of which no more is known.
    fn base_role(&self, resource: ResourceId) -> Role {
        if self.is_promotable_part(resource) { Role::Unpromoted } else { Role::Started }
    }

    pub(crate) fn mark_active(&mut self, resource: ResourceId) {
        if self.rsc(resource).role < Role::Started {
            self.rsc_mut(resource).role = self.base_role(resource);
        }
    }

    fn unpack_pending(&mut self, history: &mut NodeHistory<'a>, record: &Record<'a>) {
        let (resource, node) = (history.resource, history.node);
        // A recurring monitor counts as pending until its first result; a failure stands in a record of its own.
        let failed_since = history.last_failure.is_some_and(|failed| {
            failed.same_operation(record)
                && record.last_change >= 0
                && failed.last_change >= record.last_change
        });
        if failed_since {
            return;
        }
        match record.task {
            "start" => {
                self.rsc_mut(resource).start_pending = true;
                self.mark_active(resource);
            }
            "promote" => self.rsc_mut(resource).role = Role::Promoted,
            "migrate_to" if self.node(node).unclean => {
                // Nobody is left to tell whether it arrived.
                let target = record.element.attribute("migrate_target");
                if let Some(target) = target.and_then(|name| self.node_by_name(name)) {
                    self.resource_action(resource, Task::Stop, Some(target), false);
                }
            }
            _ => {}
        }
        // A probe does not make the resource busy.
        if self.rsc(resource).pending_task.is_none() && !record.is_probe() {
            self.rsc_mut(resource).pending_task = Some((record.task.to_owned(), node));
        }
    }

    /// Takes an operation for a failure with a consequence.
    fn unpack_failure(&mut self, history: &mut NodeHistory<'a>, record: &Record<'a>, on_fail: OnFail) {
        let (resource, node) = (history.resource, history.node);
        history.last_failure = Some(*record);
        self.note_failed_operation(node, record);
        history.on_fail = history.on_fail.max(on_fail);
        match record.task {
            "stop" => self.ban(resource, node, Cause::FailedStop),
            "migrate_to" => self.unpack_failed_to_leave(history, record),
            "migrate_from" => self.unpack_failed_to_arrive(history, record),
            "promote" => self.rsc_mut(resource).role = Role::Promoted,
            "demote" => {
                if on_fail == OnFail::Block {
                    self.rsc_mut(resource).role = Role::Promoted;
                    self.rsc_mut(resource).next_role = Role::Stopped;
                } else if record.rc == rc::NOT_RUNNING {
                    self.rsc_mut(resource).role = Role::Stopped;
                } else {
                    self.rsc_mut(resource).role = Role::Unpromoted;
                }
            }
            _ => {}
        }
        if record.is_probe() && record.rc == rc::NOT_INSTALLED {
            self.rsc_mut(resource).role = Role::Stopped;
        } else {
            self.mark_active(resource);
        }
        self.apply_role_after_failure(resource, record, on_fail);
    }

    /// Keeps a failure for those who ask what failed; an operation may stand in its history twice. Those of one history come
    /// one after the other.
    fn note_failed_operation(&mut self, node: NodeIndex, record: &Record<'a>) {
        let history = |operation: Element<'a>| operation.parent().map(Element::node);
        let here = history(record.element);
        let mut earlier = self
            .failed_operations
            .iter()
            .rev()
            .map(|(_, known)| *known)
            .take_while(|known| history(*known) == here);
        if self.node(node).online && !earlier.any(|known| key_of(known) == key_of(record.element)) {
            self.failed_operations.push((node, record.element));
        }
    }

    /// What the resource may become after a failure.
    fn apply_role_after_failure(&mut self, resource: ResourceId, record: &Record<'a>, on_fail: OnFail) {
        let role = if on_fail == OnFail::Stop {
            Role::Stopped
        } else if record.task == "promote" {
            Role::Unpromoted
        } else {
            Role::Started
        };
        if role != Role::Started && self.rsc(resource).next_role < role {
            self.rsc_mut(resource).next_role = role;
        }
        if role == Role::Stopped {
            self.ban_family(resource, None);
        }
    }

    /// Keeps a resource, or the anonymous clone that it is an instance of, from one node or all.
    fn ban_family(&mut self, resource: ResourceId, node: Option<NodeIndex>) {
        let target = self.clone_of(resource).filter(|clone| !self.rsc(*clone).unique).unwrap_or(resource);
        match node {
            Some(node) => self.ban(target, node, Cause::FailedOperation),
            None => {
                for node in self.node_indices() {
                    self.ban(target, node, Cause::FailedOperation);
                }
            }
        }
    }
}
