//! The ordered messages of a synchronised member: each changes the replicated state alike on all of them.

use hafen_protocol::message::{Change, Execute, Message, OperationResult, Operator};
use hafen_protocol::{HostId, Incarnation, MemberId};

use super::Node;
use super::fence::OperatorFencing;
use crate::driver::{Matched, Outcome};
use crate::history;
use crate::replica::{Refusal, Standing};

impl Node {
    /// Applies one message of the total order.
    pub(super) fn ordered(&mut self, from: MemberId, position: u64, message: Message) {
        let by_coordinator = self.membership.coordinator == Some(from);
        self.pulse.heard(from.host);
        match message {
            Message::Hello(_) => {}
            Message::Synchronised => self.member_synchronised(from),
            Message::Term { term } if by_coordinator => self.term_proposed(term, position),
            Message::ChangeAsked(asked) => self.change_asked(from, *asked),
            Message::Change(change) if by_coordinator => self.change_ordered(from, position, &change),
            Message::ChangeAnswered { member, request, failure } if by_coordinator => {
                if member == self.me() {
                    self.change_answered(request, failure);
                }
            }
            Message::Persisted { position } => {
                let through = self.membership.persisted.entry(from.host).or_default();
                *through = position.max(*through);
            }
            Message::DiskFailed { reason } => self.member_disk_failed(from, reason),
            Message::DiskHealthy => self.member_disk_healthy(from),
            Message::Started if by_coordinator => self.replica.seasoned = true,
            Message::Settled { position } if by_coordinator => self.requests.settled(position),
            Message::Shutdown { host } if by_coordinator => self.shutdown_ordered(host),
            Message::Execute(order) if by_coordinator => self.execute_ordered(position, *order),
            Message::Result(result) => self.result_ordered(from, position, &result),
            Message::Forget { host, resource, operation, transition_key } => {
                self.forget_ordered(host, &resource, operation, transition_key.as_deref(), position);
            }
            Message::Attributes { host, values, transition_key } => {
                self.attributes_ordered(host, values, transition_key.as_deref(), position);
            }
            Message::Damped(update) => {
                if from == self.me() {
                    self.asked_delivered();
                }
                self.damped_ordered(*update, position);
            }
            Message::Undamp { names } if by_coordinator => self.undamp_ordered(&names, position),
            Message::Load(load) => self.load_ordered(from, load),
            Message::Alive => self.alive_ordered(from, position),
            Message::GoWithout { .. } => {}
            Message::DeclareUnclean { host, incarnation, cause } if by_coordinator => {
                self.unclean_declared(host, incarnation, cause, position);
            }
            Message::FenceStart(start) if by_coordinator => self.fence_started(*start),
            Message::FenceResult(result) => self.fence_result_ordered(&result, position),
            Message::Leaving => self.member_leaves(from, position),
            Message::Operator(operator) => {
                if from == self.me() {
                    self.asked_delivered();
                }
                self.operator_asks(from, operator, position);
            }
            Message::Term { .. }
            | Message::Change(_)
            | Message::ChangeAnswered { .. }
            | Message::Started
            | Message::Settled { .. }
            | Message::Shutdown { .. }
            | Message::Execute(_)
            | Message::Undamp { .. }
            | Message::DeclareUnclean { .. }
            | Message::FenceStart(_) => {
                let name = self.replica.uname(from.host);
                self.event(
                    "garbage",
                    &name,
                    "an order of a member that does not coordinate is ignored",
                    "ordered",
                );
            }
        }
    }

    /// Something happened that no plan knows of: the cluster is not settled, and must be planned again.
    pub(super) fn disturbed(&mut self, position: u64, cause: &str) {
        self.requests.disturbed(position);
        self.planner.disturbed(cause);
    }

    fn term_proposed(&mut self, term: u64, position: u64) {
        self.membership.term = Some((term, position));
        self.membership.term_open = false;
        self.promise(term, position);
    }

    fn change_ordered(&mut self, from: MemberId, position: u64, change: &Change) {
        let coordinator = self.membership.coordinator.map_or(0, |member| member.host.0);
        let term = self.membership.term.map(|(term, _)| term);
        let opens = change.patchset.is_none();
        let in_term = term == Some(change.lineage.term)
            && change.lineage.host == coordinator
            && (self.membership.term_open || opens);
        let forced = change.without_quorum && change.lineage == self.replica.lineage;
        let applied = if in_term || forced { self.replica.apply_change(change) } else { Err(Refusal::Stale) };
        match applied {
            Ok(()) => {
                self.persist_change(change, position);
                self.requests.applied_at(position);
                if opens {
                    self.membership.term_open = true;
                } else {
                    let version = self.replica.cib().version();
                    let text = format!("the configuration is now {version}");
                    self.event("change", "", text, change.origin.clone());
                    self.disturbed(position, &format!("the configuration changed to {version}"));
                }
            }
            Err(Refusal::Stale) if opens && from == self.me() => self.planner.opening_refused(),
            Err(Refusal::Stale) => {}
            Err(Refusal::Diverged(text)) => return self.diverged(&text),
        }
        if let Some(hosts) = &change.hosts {
            self.host_change_ordered(hosts, position, applied.is_ok());
        }
        if applied.is_ok() {
            self.changes_applied(&change.answers, position);
        }
        if from == self.me() {
            self.change_came_back(&change.answers, applied.is_ok());
        }
    }

    fn execute_ordered(&mut self, position: u64, order: Execute) {
        let Some(record) = self.replica.hosts.get_mut(&order.host) else { return };
        history::record_pending(&mut record.status, &order);
        self.expect_arrival(&order);
        self.requests.disturbed_quietly(position);
        if order.host == self.me().host {
            let text = format!("{} {} begins", order.task, order.resource);
            self.event("execute", &order.resource, text, order.transition_key.clone());
            self.run_here(order);
        }
    }

    /// A migration begins: from now on the resource may be at its target.
    fn expect_arrival(&mut self, order: &Execute) {
        if order.task != "migrate_to" {
            return;
        }
        let target = history::migration_of(order).and_then(|(_, target)| self.replica.host_by_name(&target));
        let record = target.and_then(|target| self.replica.hosts.get_mut(&target));
        if let Some(record) = record {
            history::record_arriving(&mut record.status, order);
            self.local.changed();
        }
    }

    fn result_ordered(&mut self, from: MemberId, position: u64, result: &OperationResult) {
        if from == self.me() {
            self.local.result_delivered(result.sequence);
        }
        if !self.replica.is_new_result(from.host, result) {
            return;
        }
        let start_failure_is_fatal = self.start_failure_is_fatal();
        let Some(record) = self.replica.hosts.get_mut(&from.host) else { return };
        record.status.results_through = result.sequence;
        let uname = record.uname.clone();
        let consequence = history::record_result(&mut record.status, result, &uname, start_failure_is_fatal);
        if from == self.me() {
            // Remembered first: what the executor may forget must be on record here.
            self.remember();
            self.outputs.push_back(crate::api::Output::AcknowledgeResults { through: result.sequence });
        }
        if from == self.me() {
            self.alert_operation(result);
        }
        let order = &result.order;
        let reason =
            if result.exit_reason.is_empty() { String::new() } else { format!(" ({})", result.exit_reason) };
        let text = format!("{} {} on {uname} ended: {}{reason}", order.task, order.resource, outcome(result));
        self.event("result", &order.resource, text, order.transition_key.clone());
        let matched = self.planner.operation_ended(result);
        if matched == Matched::AsPlanned || consequence.changed {
            self.requests.disturbed_quietly(position);
        }
        let cause = || format!("{} {} on {uname}: {}", order.task, order.resource, outcome(result));
        match matched {
            Matched::Unknown if consequence.changed => self.disturbed(position, &cause()),
            Matched::Failed(_) if consequence.changed => self.planner.step_failed(&cause()),
            _ => {}
        }
    }

    fn forget_ordered(
        &mut self,
        host: HostId,
        resource: &str,
        operation: Option<(String, u64)>,
        transition_key: Option<&str>,
        position: u64,
    ) {
        let Some(record) = self.replica.hosts.get_mut(&host) else { return };
        let uname = record.uname.clone();
        if operation.is_none() && record.standing != Standing::Member {
            // A host that cannot be probed afresh keeps its history: it is all that is known of what runs there.
            return;
        }
        match &operation {
            Some((task, interval_ms)) => {
                history::forget_recurring(&mut record.status, resource, task, *interval_ms)
            }
            None => history::forget(&mut record.status, resource),
        }
        if host == self.me().host {
            self.forget_here(resource, operation.as_ref());
        }
        match transition_key {
            Some(key) => {
                self.planner.step_ended(key, Outcome::Done);
            }
            None => self.disturbed(position, &format!("the history of {resource} on {uname} is forgotten")),
        }
    }

    pub(super) fn attributes_ordered(
        &mut self,
        host: HostId,
        values: std::collections::BTreeMap<String, Option<String>>,
        transition_key: Option<&str>,
        position: u64,
    ) {
        let Some(record) = self.replica.hosts.get_mut(&host) else { return };
        let uname = record.uname.clone();
        let mut changed = Vec::new();
        for (name, value) in values {
            if value.is_none() {
                history::attribute_deleted(&mut record.status, &name);
            }
            if record.status.attributes.get(&name) == value.as_ref() {
                continue;
            }
            changed.push((name.clone(), value.clone()));
            match value {
                Some(value) => record.status.attributes.insert(name, value),
                None => record.status.attributes.remove(&name),
            };
        }
        if host == self.me().host {
            self.local.changed();
            for (name, value) in &changed {
                self.alert_attribute(host, name, value.as_deref());
            }
        }
        let changed: Vec<String> = changed.into_iter().map(|(name, _)| name).collect();
        match transition_key {
            Some(key) => {
                self.planner.step_ended(key, Outcome::Done);
            }
            None if changed.is_empty() => {}
            None => {
                self.requests.disturbed(position);
                let cause = format!("{} of {uname} changed", changed.join(", "));
                self.planner.attributes_changed(&cause, self.now.monotonic_ms);
            }
        }
    }

    fn unclean_declared(
        &mut self,
        host: HostId,
        incarnation: Option<Incarnation>,
        cause: String,
        position: u64,
    ) {
        let Some(record) = self.replica.hosts.get_mut(&host) else { return };
        let answerable =
            matches!(record.standing, Standing::DaemonLost | Standing::Member | Standing::Joining);
        if !answerable || record.incarnation != incarnation {
            return;
        }
        record.standing = Standing::Unclean { cause: cause.clone() };
        let uname = record.uname.clone();
        self.event("host-lost", &uname, format!("{uname} is unclean"), cause.clone());
        self.disturbed(position, &format!("{uname}: {cause}"));
    }

    fn member_leaves(&mut self, from: MemberId, position: u64) {
        if let Some(record) = self.replica.hosts.get_mut(&from.host) {
            record.standing = Standing::Down { proof: None };
            record.status = hafen_protocol::message::HostStatus::default();
        }
        let name = self.replica.uname(from.host);
        self.event("left", &name, format!("{name} leaves in good order"), "it runs nothing any more");
        if from == self.me() {
            self.left();
            // Before the daemon ends: its next run must not find the wish to leave again.
            self.remember();
            let reason = "left the cluster in good order".to_string();
            self.outputs.push_back(crate::api::Output::Bus(hafen_protocol::Transmission::Leave));
            self.outputs.push_back(crate::api::Output::Exit { reason });
        }
        self.disturbed(position, &format!("{name} left"));
    }

    fn operator_asks(&mut self, from: MemberId, operator: Operator, position: u64) {
        match operator {
            Operator::Fence { host, action, origin } => {
                let asked_at_ms = self.now.monotonic_ms;
                let asked = OperatorFencing { action, origin, asked_at_ms, said: false };
                self.planner.operator_fencings.insert(host, asked);
            }
            Operator::ConfirmOff { host, origin, wall_ms } => {
                self.vouched_off(from, host, (&origin, wall_ms), position);
            }
            Operator::ProceedWithout { host, origin, wall_ms } => {
                self.proceed_without_ordered(from, host, (&origin, wall_ms), position);
            }
            Operator::Fail { host, resource, wall_ms } => {
                self.failure_asserted(host, &resource, wall_ms, position)
            }
            Operator::Replan { cause } => self.disturbed(position, &cause),
        }
    }
}

impl Node {
    /// Somebody said that a resource has failed.
    fn failure_asserted(&mut self, host: HostId, resource: &str, wall_ms: u64, position: u64) {
        let Some(record) = self.replica.hosts.get_mut(&host) else { return };
        let uname = record.uname.clone();
        if !history::record_asserted_failure(&mut record.status, resource, &uname, wall_ms) {
            return;
        }
        if host == self.me().host {
            self.remember();
        }
        let text = format!("{resource} on {uname} is said to have failed");
        self.event("result", resource, text.clone(), String::new());
        self.disturbed(position, &text);
    }
}

/// A result in words.
fn outcome(result: &OperationResult) -> String {
    match result.op_status {
        0 if result.order.expected_rc() == Some(result.rc) => "as expected".to_string(),
        0 => format!("status {}", result.rc),
        1 => "cancelled".to_string(),
        2 => "timed out".to_string(),
        status => format!("status {}, operation status {status}", result.rc),
    }
}
