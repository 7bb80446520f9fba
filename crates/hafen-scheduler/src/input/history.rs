//! One operation of a history: what its result says about the resource.

use std::cmp::Ordering;

use hafen_cib::xml::Element;

use crate::model::{Cluster, NodeIndex, ResourceId, Role};
use crate::plan::TransitionKey;
use crate::score::{self, INFINITY};

/// What a failure leads to, from harmless to grave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum OnFail {
    Ignore,
    Demote,
    Restart,
    Stop,
    Ban,
    Block,
    Standby,
    Fence,
}

/// What reading a node's history of a resource has found so far.
pub(crate) struct NodeHistory<'a> {
    pub(crate) resource: ResourceId,
    pub(crate) node: NodeIndex,
    pub(crate) on_fail: OnFail,
    pub(crate) last_failure: Option<Element<'a>>,
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    Pending,
    Cancelled,
    Error,
    /// The agent cannot work on this node.
    Hard,
    /// The agent cannot work anywhere with this configuration.
    Fatal,
}

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
}

/// The facts of an `lrm_rsc_op`.
pub(crate) struct Record<'a> {
    pub(crate) element: Element<'a>,
    pub(crate) task: &'a str,
    pub(crate) interval_ms: u64,
    pub(crate) rc: i32,
    pub(crate) status: i32,
    pub(crate) expected: i32,
    pub(crate) last_change: i64,
}

impl<'a> Record<'a> {
    pub(crate) fn read(element: Element<'a>) -> Record<'a> {
        let number = |name: &str, default: i64| {
            element.attribute(name).and_then(score::leading_integer).unwrap_or(default)
        };
        let small = |number: i64| i32::try_from(number).unwrap_or(-1);
        let mut expected = element.attribute("transition-key").and_then(expected_rc).unwrap_or(0);
        let task = element.attribute("operation").unwrap_or("");
        let interval_ms = u64::try_from(number("interval", 0)).unwrap_or(0);
        if task == "monitor" && interval_ms == 0 && element.attribute("transition-key").is_none() {
            expected = rc::NOT_RUNNING;
        }
        Record {
            element,
            task,
            interval_ms,
            rc: small(number("rc-code", 0)),
            status: small(number("op-status", 0)),
            expected,
            last_change: number("last-rc-change", 0),
        }
    }

    pub(crate) fn is_probe(&self) -> bool {
        self.task == "monitor" && self.interval_ms == 0
    }
}

/// The result that a transition key names as success (a transition number of -1 occurs in such keys).
fn expected_rc(key: &str) -> Option<i32> {
    key.split(':').nth(2)?.parse().ok()
}

/// Oldest first.
pub(crate) fn by_age(left: Element<'_>, right: Element<'_>) -> Ordering {
    let call = |op: Element<'_>| op.attribute("call-id").and_then(score::leading_integer).unwrap_or(-1);
    let (left_call, right_call) = (call(left), call(right));
    if left_call >= 0 && right_call >= 0 && left_call != right_call {
        return left_call.cmp(&right_call);
    }
    let time = |op: Element<'_>| op.attribute("last-rc-change").and_then(score::leading_integer);
    if left_call >= 0 && right_call >= 0 {
        return time(left).cmp(&time(right));
    }
    if left_call == -1 && right_call == -1 {
        return Ordering::Equal;
    }
    if let (Some(left), Some(right)) = (time(left), time(right))
        && left != right
    {
        return left.cmp(&right);
    }
    let key = |op: Element<'_>| {
        op.attribute("transition-magic")
            .and_then(TransitionKey::parse_magic)
            .map(|(_, _, key)| key)
            .or_else(|| op.attribute("transition-key").and_then(TransitionKey::parse))
    };
    match (key(left), key(right)) {
        (Some(left_key), Some(right_key)) if left_key.uuid == right_key.uuid => left_key
            .transition
            .cmp(&right_key.transition)
            .then(if left_call == -1 { Ordering::Greater } else { Ordering::Less }),
        _ if left_call == -1 => Ordering::Greater,
        _ => Ordering::Less,
    }
}

impl<'a> Cluster<'a> {
    pub(crate) fn unpack_operation(&mut self, history: &mut NodeHistory<'a>, element: Element<'a>) {
        let mut record = Record::read(element);
        if matches!(record.task, "" | "notify" | "meta-data" | "delete" | "cancel") {
            return;
        }
        let mut outcome = self.outcome(history, &mut record);
        if matches!(outcome, Outcome::Error | Outcome::Hard | Outcome::Fatal) || record.rc != record.expected
        {
            let expired = self.failure_expired(history, &record);
            let is_last_failure = element.attribute("id").is_some_and(|id| id.contains("last_failure"));
            if is_last_failure
                && matches!(record.task, "start" | "monitor")
                && self.ran_with_other_parameters(history.resource, history.node, &record)
            {
                self.forget_failures(history.resource, history.node);
            }
            if expired && !matches!(outcome, Outcome::Done | Outcome::Pending) {
                if record.task == "migrate_from" {
                    return;
                }
                if record.task == "stop" {
                    // It failed long ago, and did not stop.
                    self.mark_active(history.resource);
                    return;
                }
                outcome = Outcome::Done;
                record.rc = record.expected;
                if !self.rsc(history.resource).role.is_active() && record.task == "start" {
                    self.rsc_mut(history.resource).role = Role::Stopped;
                    return;
                }
                if record.rc == rc::NOT_RUNNING {
                    self.rsc_mut(history.resource).role = Role::Stopped;
                    return;
                }
            }
        }
        match outcome {
            Outcome::Cancelled => {}
            Outcome::Pending => self.unpack_pending(history, &record),
            Outcome::Done => self.unpack_success(history, &record),
            Outcome::Error | Outcome::Hard | Outcome::Fatal => self.unpack_failure(history, &record, outcome),
        }
    }

    /// What an operation's result means, seen from what was expected of it.
    fn outcome(&mut self, history: &NodeHistory<'a>, record: &mut Record<'a>) -> Outcome {
        match record.rc {
            rc::DEGRADED => record.rc = rc::OK,
            rc::DEGRADED_PROMOTED => record.rc = rc::PROMOTED,
            _ => {}
        }
        match record.status {
            -1 => return Outcome::Pending,
            1 => return Outcome::Cancelled,
            0 | 4 | 3 | 5 => {}
            2 if record.rc == 0 => return Outcome::Error,
            _ => {}
        }
        if record.status == 0
            && record.rc == record.expected
            && record.rc != rc::NOT_RUNNING
            && record.rc != rc::PROMOTED
        {
            return Outcome::Done;
        }
        let probe = record.is_probe();
        match record.rc {
            rc::OK if record.status == 0 => Outcome::Done,
            rc::OK => Outcome::Error,
            rc::NOT_RUNNING if probe || record.expected == record.rc || record.task == "stop" => {
                self.rsc_mut(history.resource).role = Role::Stopped;
                Outcome::Done
            }
            rc::NOT_RUNNING => Outcome::Error,
            rc::PROMOTED => {
                let unexpected = record.rc != record.expected && !probe;
                self.rsc_mut(history.resource).role = Role::Promoted;
                if unexpected && record.task == "monitor" { Outcome::Error } else { Outcome::Done }
            }
            rc::FAILED_PROMOTED => {
                self.rsc_mut(history.resource).role = Role::Promoted;
                Outcome::Error
            }
            rc::NOT_CONFIGURED => Outcome::Fatal,
            rc::UNIMPLEMENTED if record.interval_ms > 0 => Outcome::Cancelled,
            rc::UNIMPLEMENTED | rc::NOT_INSTALLED | rc::INVALID_PARAM | rc::INSUFFICIENT_PRIVILEGES => {
                Outcome::Hard
            }
            _ => Outcome::Error,
        }
    }

    fn unpack_success(&mut self, history: &mut NodeHistory<'a>, record: &Record<'a>) {
        let resource = history.resource;
        let mut recovered = false;
        match (record.rc, record.task) {
            (rc::NOT_RUNNING, _) => recovered = true,
            (_, "monitor") => {
                if let Some(failed) = history.last_failure {
                    let failed = Record::read(failed);
                    recovered = failed.task == record.task && failed.interval_ms == record.interval_ms;
                }
                if record.rc == rc::PROMOTED {
                    self.rsc_mut(resource).role = Role::Promoted;
                } else {
                    self.mark_active(resource);
                }
            }
            (_, "start") => {
                self.rsc_mut(resource).role = self.base_role(resource);
                recovered = true;
            }
            (_, "stop") => {
                self.rsc_mut(resource).role = Role::Stopped;
                recovered = true;
            }
            (_, "promote") => {
                self.rsc_mut(resource).role = Role::Promoted;
                recovered = true;
            }
            (_, "demote") => {
                self.rsc_mut(resource).role = Role::Unpromoted;
                recovered = true;
            }
            (_, "migrate_from") => {
                self.rsc_mut(resource).role = Role::Started;
                recovered = true;
            }
            (_, "migrate_to") => self.unpack_migrated_away(history, record),
            _ => self.mark_active(resource),
        }
        if recovered
            && matches!(history.on_fail, OnFail::Ignore | OnFail::Demote | OnFail::Restart | OnFail::Block)
        {
            history.on_fail = OnFail::Ignore;
            let wanted = self.target_role(resource).filter(|role| *role != Role::Started);
            self.rsc_mut(resource).next_role = wanted.unwrap_or(Role::Unknown);
        }
    }

    /// The role of a running resource of which no more is known.
    fn base_role(&self, resource: ResourceId) -> Role {
        let promotable = self
            .clone_of(resource)
            .and_then(|clone| self.rsc(clone).clone.as_ref())
            .is_some_and(|options| options.promotable);
        if promotable { Role::Unpromoted } else { Role::Started }
    }

    pub(crate) fn mark_active(&mut self, resource: ResourceId) {
        if self.rsc(resource).role < Role::Started {
            self.rsc_mut(resource).role = self.base_role(resource);
        }
    }

    fn unpack_pending(&mut self, history: &mut NodeHistory<'a>, record: &Record<'a>) {
        let (resource, node) = (history.resource, history.node);
        match record.task {
            "start" => {
                self.rsc_mut(resource).start_pending = true;
                self.mark_active(resource);
            }
            "promote" => self.rsc_mut(resource).role = Role::Promoted,
            "migrate_to" => {
                let target = record.element.attribute("migrate_target");
                let target = target.and_then(|name| self.node_by_name(name));
                match target.filter(|&target| self.node(target).online) {
                    // Nobody is left to tell whether it arrived.
                    Some(target) if self.node(node).unclean => self.add_running(resource, target),
                    Some(target) => {
                        self.rsc_mut(resource).migration_target = Some(target);
                        self.rsc_mut(resource).migration_source = Some(node);
                    }
                    None => {}
                }
                self.mark_active(resource);
            }
            _ => {}
        }
        let busy = if record.is_probe() { "probe".to_owned() } else { record.task.to_owned() };
        self.rsc_mut(resource).pending_task = Some((busy, node));
    }

    fn unpack_failure(&mut self, history: &mut NodeHistory<'a>, record: &Record<'a>, outcome: Outcome) {
        let (resource, node) = (history.resource, history.node);
        let not_installed = record.is_probe() && matches!(record.rc, rc::NOT_INSTALLED | rc::UNIMPLEMENTED);
        if not_installed && !self.rsc(resource).stonith_device {
            // A probe that finds no agent proves that nothing runs; the resource must stay away from there.
            self.rsc_mut(resource).role = Role::Stopped;
        }
        let on_fail = self.on_fail(resource, record.task, record.interval_ms);
        if on_fail == OnFail::Ignore && outcome == Outcome::Error {
            self.rsc_mut(resource).failure_ignored = true;
            if record.task == "stop" {
                self.rsc_mut(resource).role = Role::Stopped;
            } else {
                self.mark_active(resource);
            }
            return;
        }
        match outcome {
            Outcome::Hard => self.ban_family(resource, Some(node), "hard-error"),
            Outcome::Fatal => self.ban_family(resource, None, "fatal-error"),
            _ => {}
        }
        if not_installed {
            return;
        }
        history.last_failure = Some(record.element);
        history.on_fail = history.on_fail.max(on_fail);
        match record.task {
            "stop" => self.prefer(resource, node, -INFINITY, "__stop_fail__"),
            "migrate_to" => self.unpack_failed_to_leave(history, record),
            "migrate_from" => self.unpack_failed_to_arrive(history, record),
            "promote" => self.rsc_mut(resource).role = Role::Promoted,
            "demote" => {
                if history.on_fail == OnFail::Block {
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
        self.mark_active(resource);
    }

    fn ban_family(&mut self, resource: ResourceId, node: Option<NodeIndex>, why: &str) {
        let target = self.clone_of(resource).filter(|clone| !self.rsc(*clone).unique).unwrap_or(resource);
        match node {
            Some(node) => self.prefer(target, node, -INFINITY, why),
            None => {
                for node in self.node_indices() {
                    self.prefer(target, node, -INFINITY, why);
                }
            }
        }
    }

    /// What the configuration says about a failure of an operation.
    pub(crate) fn on_fail(&self, resource: ResourceId, task: &str, interval_ms: u64) -> OnFail {
        let stonith = self.properties.stonith;
        let configured = self.operation_value(resource, task, interval_ms, "on-fail");
        let default = if task == "stop" && stonith && !self.rsc(resource).stonith_device {
            OnFail::Fence
        } else if task == "stop" {
            OnFail::Block
        } else {
            OnFail::Restart
        };
        match configured.as_deref() {
            Some("ignore" | "nothing") => OnFail::Ignore,
            Some("block") => OnFail::Block,
            Some("fence") if stonith => OnFail::Fence,
            Some("fence") if task == "stop" => OnFail::Block,
            Some("fence" | "stop") => OnFail::Stop,
            Some("standby") => OnFail::Standby,
            Some("migrate" | "ban") => OnFail::Ban,
            Some("demote") => OnFail::Demote,
            Some("restart") if task == "stop" => default,
            Some("restart" | "restart-container") => OnFail::Restart,
            _ => default,
        }
    }
}
