//! What clients ask: reads are answered from the replica, changes travel as patchsets and are answered when they are
//! acknowledged.

use std::collections::{BTreeMap, VecDeque};

use hafen_cib::{Patchset, Version};
use hafen_protocol::HostId;
use hafen_protocol::client::{Edit, Failure, Reply, Request};
use hafen_protocol::message::{Change, DampedUpdate, Lineage, Message, Operator};

use super::Node;
use crate::api::Output;
use crate::edits;
use crate::membership::Phase;
use crate::replica::Standing;

/// How long a change may take before its client is told that it did not come to pass, in milliseconds.
const CHANGE_TIMEOUT_MS: u64 = 30_000;
/// How often a change is made again because another one came first.
const ATTEMPTS_MAXIMUM: u32 = 20;
/// Requests that wait at one time.
const REQUESTS_MAXIMUM: usize = 1024;

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// Not sent, or to be sent again.
    Waiting,
    /// Sent, and not delivered.
    Sent,
    /// Applied at that position, and not acknowledged.
    Applied(u64),
    /// Applied in a view that has ended.
    Unsure,
}

#[derive(Debug, Clone)]
struct ChangeRequest {
    edits: Vec<Edit>,
    without_quorum: bool,
    origin: String,
    state: State,
    attempts: u32,
    deadline_ms: u64,
    /// It was sent in a view that ended before it came back: others may have applied it.
    perhaps_applied: bool,
}

/// What is asked of the coordinator.
#[derive(Debug, Clone)]
pub(super) enum Asked {
    Operator(Operator),
    Attribute(DampedUpdate),
    CleanUp { resource: String, host: Option<HostId> },
}

/// The requests that are not answered yet.
#[derive(Debug, Default)]
pub(super) struct Requests {
    changes: BTreeMap<u64, ChangeRequest>,
    awaiting_settled: Vec<u64>,
    awaiting_leave: Vec<u64>,
    /// What was asked of the coordinator and did not come back in the total order yet; one is said at a time.
    asked: VecDeque<(u64, Asked)>,
    asked_said: bool,
    leave_said: bool,
    /// The place in the view of the last change that was applied.
    applied_at: Option<u64>,
    /// The place in the view of the last thing that no plan knew of; what is settled before it is not settled.
    disturbed_at: u64,
    settled: bool,
}

impl Requests {
    /// Something happened at a position: what was settled is not any more.
    pub(super) fn disturbed(&mut self, position: u64) {
        self.disturbed_at = position;
        self.settled = false;
    }

    /// As `disturbed`, for what a plan itself does.
    pub(super) fn disturbed_quietly(&mut self, position: u64) {
        self.disturbed(position);
    }

    /// The coordinator found nothing to do at a position.
    pub(super) fn settled(&mut self, position: u64) {
        self.settled = position >= self.disturbed_at;
    }

    /// A change of the configuration was applied at a position.
    pub(super) fn applied_at(&mut self, position: u64) {
        self.applied_at = Some(position);
    }

    /// Whether nothing is left to do.
    pub(super) fn is_settled(&self) -> bool {
        self.settled
    }
}

impl Node {
    /// A client asks.
    pub(super) fn client_asks(&mut self, request: u64, body: Request) {
        match body {
            Request::Status => {
                let report = self.report();
                self.reply(request, Reply::Status(Box::new(report)));
            }
            Request::Cib { status } => {
                let xml = if status { self.live_cib().to_xml() } else { self.replica.cib().to_xml() };
                self.reply(request, Reply::Xml { xml });
            }
            Request::Change { edits, without_quorum, origin } => {
                let deadline_ms = self.now.monotonic_ms + CHANGE_TIMEOUT_MS;
                let (state, attempts) = (State::Waiting, 0);
                let perhaps_applied = false;
                let change = ChangeRequest {
                    edits,
                    without_quorum,
                    origin,
                    state,
                    attempts,
                    deadline_ms,
                    perhaps_applied,
                };
                if self.requests.changes.len() >= REQUESTS_MAXIMUM {
                    let text = "too many changes wait already".to_string();
                    return self.refuse(request, "busy", text, "try again later");
                }
                self.requests.changes.insert(request, change);
            }
            Request::Settled => self.requests.awaiting_settled.push(request),
            Request::Cleanup { resource, host } => self.clean_up(request, &resource, host.as_deref()),
            Request::Shutdown => self.ask_to_leave(request),
            Request::Fence { host, action, origin } => match self.replica.host_by_name(&host) {
                Some(host) => {
                    self.ask_coordinator(request, Asked::Operator(Operator::Fence { host, action, origin }));
                }
                None => self.refuse_host(request, &host),
            },
            Request::ConfirmOff { host, origin } => self.ask_to_confirm(request, &host, origin),
            Request::ProceedWithout { host, origin } => self.ask_to_proceed(request, &host, origin),
            Request::FenceHistory { host } => self.answer_fence_history(request, host.as_deref()),
            Request::SetAttribute { host, name, value, dampen_ms, mode } => {
                let host = match host {
                    Some(name) => self.replica.host_by_name(&name).ok_or(name),
                    None => Ok(self.me().host),
                };
                match host {
                    Ok(host) => {
                        if let Some(update) =
                            self.attribute_update(request, host, name, value, dampen_ms, mode)
                        {
                            self.ask_coordinator(request, Asked::Attribute(update));
                        }
                    }
                    Err(name) => self.refuse_host(request, &name),
                }
            }
            Request::QueryAttribute { name, host } => {
                let host = host.map(|name| self.replica.host_by_name(&name).ok_or(name)).transpose();
                match host {
                    Ok(host) => self.answer_attributes(request, name.as_deref(), host),
                    Err(name) => self.refuse_host(request, &name),
                }
            }
            Request::WhoAmI => {
                let (name, id) = (self.identity.uname.clone(), self.identity.host.0);
                let cluster = self.settings.cluster.clone();
                self.reply(request, Reply::Host { name, id, cluster });
            }
            Request::FenceDrill { .. } => {
                let text = "fence drills are done by the shell of the daemon".to_string();
                self.refuse(request, "invalid", text, "ask the daemon's socket");
            }
            Request::Events { .. } => {
                let text = "events are kept by the shell of the daemon".to_string();
                self.refuse(request, "invalid", text, "ask the daemon's socket");
            }
        }
    }

    /// The client of a request is gone; what it asked for goes on.
    pub(super) fn client_gone(&mut self, request: u64) {
        self.requests.awaiting_settled.retain(|&waiting| waiting != request);
        self.requests.awaiting_leave.retain(|&waiting| waiting != request);
    }

    pub(super) fn reply(&mut self, request: u64, reply: Reply) {
        self.outputs.push_back(Output::Reply { request, reply: Box::new(reply) });
    }

    pub(super) fn refuse(&mut self, request: u64, kind: &str, message: String, mend: &str) {
        let failure = Failure { kind: kind.to_string(), message, mend: mend.to_string() };
        self.reply(request, Reply::Failed(failure));
    }

    pub(super) fn refuse_host(&mut self, request: u64, host: &str) {
        let known: Vec<&str> = self.replica.hosts.values().map(|record| record.uname.as_str()).collect();
        let mend = format!("name one of {}", known.join(", "));
        self.refuse(request, "not-found", format!("there is no host {host}"), &mend);
    }

    pub(super) fn ask_coordinator(&mut self, request: u64, asked: Asked) {
        if self.membership.phase == Phase::Detached || self.requests.asked.len() >= REQUESTS_MAXIMUM {
            return self.refuse_detached(request);
        }
        self.requests.asked.push_back((request, asked));
    }

    /// Says what is asked, one at a time, again in each view until it comes back in the total order.
    fn say_asked(&mut self) {
        if self.requests.asked_said || self.membership.phase != Phase::Synchronised {
            return;
        }
        let Some((_, asked)) = self.requests.asked.front().cloned() else { return };
        let operator = match asked {
            Asked::Operator(operator) => operator,
            Asked::Attribute(update) => {
                self.requests.asked_said = self.say(&Message::Damped(Box::new(update)));
                return;
            }
            Asked::CleanUp { resource, host } => {
                for message in self.clean_up_messages(&resource, host) {
                    self.say(&message);
                }
                Operator::Replan { cause: format!("clean-up of {resource}") }
            }
        };
        self.requests.asked_said = self.say(&Message::Operator(operator));
    }

    /// What was asked came back: all who are here know it.
    pub(super) fn asked_delivered(&mut self) {
        self.requests.asked_said = false;
        if let Some((request, asked)) = self.requests.asked.pop_front() {
            let note = match asked {
                Asked::Operator(_) => Some("asked; `hafen events` tells how it goes".to_string()),
                Asked::CleanUp { .. } | Asked::Attribute(_) => None,
            };
            self.reply(request, Reply::Done { note });
        }
    }

    fn refuse_detached(&mut self, request: u64) {
        let text = format!("{} is not joined to the cluster now", self.identity.uname);
        self.refuse(
            request,
            "no-coordinator",
            text,
            "wait, or ask another host; `hafen status` tells what it waits for",
        );
    }

    fn clean_up(&mut self, request: u64, resource: &str, host: Option<&str>) {
        let only = match host.map(|name| (name, self.replica.host_by_name(name))) {
            Some((name, None)) => return self.refuse_host(request, name),
            Some((_, found)) => found,
            None => None,
        };
        let known = self.replica.hosts.values().any(|record| record.status.resources.contains_key(resource));
        if !known && self.replica.cib().document().by_id(resource).is_none() {
            let text = format!("there is no resource {resource}");
            return self.refuse(request, "not-found", text, "see what there is with `hafen status`");
        }
        self.ask_coordinator(request, Asked::CleanUp { resource: resource.to_string(), host: only });
    }

    /// What forgets the failures and the history of a resource. A host that is not a member keeps its history: it is
    /// all that is known of what runs there.
    fn clean_up_messages(&self, resource: &str, only: Option<HostId>) -> Vec<Message> {
        let prefixes = [format!("fail-count-{resource}#"), format!("last-failure-{resource}#")];
        let records = self.replica.hosts.iter().filter(|(id, record)| {
            only.is_none_or(|only| only == **id) && record.standing == Standing::Member
        });
        let mut messages = Vec::new();
        for (&host, record) in records {
            let is_its = |name: &&String| prefixes.iter().any(|prefix| name.starts_with(prefix.as_str()));
            let values: BTreeMap<String, Option<String>> =
                record.status.attributes.keys().filter(is_its).map(|name| (name.clone(), None)).collect();
            if !values.is_empty() {
                messages.push(Message::Attributes { host, values, transition_key: None });
            }
            if record.status.resources.contains_key(resource) {
                let resource = resource.to_string();
                messages.push(Message::Forget { host, resource, operation: None, transition_key: None });
            }
        }
        messages
    }

    fn ask_to_leave(&mut self, request: u64) {
        if self.membership.phase == Phase::Detached {
            return self.refuse_detached(request);
        }
        self.requests.awaiting_leave.push(request);
    }

    /// Says that this host wants to leave, in each view until it is on record.
    fn say_leave(&mut self) {
        let host = self.me().host;
        let on_record = self
            .replica
            .hosts
            .get(&host)
            .is_some_and(|record| record.status.attributes.contains_key("shutdown"));
        if self.requests.awaiting_leave.is_empty()
            || self.requests.leave_said
            || on_record
            || self.membership.phase != Phase::Synchronised
        {
            return;
        }
        let since = self.now.epoch_seconds().to_string();
        let values = BTreeMap::from([("shutdown".to_string(), Some(since))]);
        self.requests.leave_said = self.say(&Message::Attributes { host, values, transition_key: None });
    }

    /// This host has left in good order.
    pub(super) fn left(&mut self) {
        for request in std::mem::take(&mut self.requests.awaiting_leave) {
            self.reply(request, Reply::Done { note: None });
        }
    }

    /// Positions belong to a view; what was not delivered in the old one never will be.
    pub(super) fn requests_view_changed(&mut self) {
        self.requests.disturbed_at = 0;
        self.requests.settled = false;
        self.requests.asked_said = false;
        self.requests.leave_said = false;
        self.requests.applied_at = None;
        for change in self.requests.changes.values_mut() {
            change.perhaps_applied |= change.state == State::Sent;
            change.state = match change.state {
                State::Waiting | State::Sent => State::Waiting,
                State::Applied(_) | State::Unsure => State::Unsure,
            };
        }
    }

    /// In a new view, either this member's own state was the coordinator's, changes and all, or a copy replaced it.
    pub(super) fn requests_synchronised(&mut self) {
        let position = self.membership.position;
        let kept = self.membership.synchronised.contains(&self.me().host);
        let unsure: Vec<u64> = self
            .requests
            .changes
            .iter()
            .filter(|(_, change)| change.state == State::Unsure)
            .map(|(&request, _)| request)
            .collect();
        for request in unsure {
            if kept {
                if let Some(change) = self.requests.changes.get_mut(&request) {
                    change.state = State::Applied(position + 1);
                }
            } else {
                self.requests.changes.remove(&request);
                self.outcome_unknown(request);
            }
        }
    }

    fn outcome_unknown(&mut self, request: u64) {
        let text = "the cluster's membership changed before the change was acknowledged".to_string();
        self.refuse(request, "unknown-outcome", text, "look with `hafen config show` whether it is there");
    }

    /// An own change came back in the total order.
    pub(super) fn change_answered(&mut self, request: u64, position: u64, applied: bool) {
        let Some(change) = self.requests.changes.get_mut(&request) else { return };
        change.state = if applied { State::Applied(position) } else { State::Waiting };
    }

    /// Sends what can be sent and answers what can be answered.
    pub(super) fn step_requests(&mut self) {
        self.answer_changes();
        self.send_changes();
        self.say_asked();
        self.say_leave();
        if self.requests.settled && self.membership.phase == Phase::Synchronised {
            for request in std::mem::take(&mut self.requests.awaiting_settled) {
                self.reply(request, Reply::Done { note: None });
            }
        }
    }

    fn answer_changes(&mut self) {
        let requests: Vec<u64> = self.requests.changes.keys().copied().collect();
        for request in requests {
            let Some(change) = self.requests.changes.get(&request).cloned() else { continue };
            if let State::Applied(position) = change.state
                && self.acknowledged(position, change.without_quorum && !self.quorate())
            {
                self.requests.changes.remove(&request);
                self.reply(request, Reply::Done { note: None });
            } else if self.now.monotonic_ms >= change.deadline_ms {
                self.requests.changes.remove(&request);
                match change.state {
                    State::Applied(_) | State::Unsure | State::Sent => self.outcome_unknown(request),
                    State::Waiting if change.perhaps_applied => self.outcome_unknown(request),
                    State::Waiting => {
                        let text = "the change could not be made in 30 s: no coordinator has a term open"
                            .to_string();
                        self.refuse(
                            request,
                            "timeout",
                            text,
                            "`hafen status` tells what the cluster waits for",
                        );
                    }
                }
            }
        }
    }

    /// One change at a time: each starts from the state that the one before led to.
    fn send_changes(&mut self) {
        if self.requests.changes.values().any(|change| change.state == State::Sent) {
            return;
        }
        let waiting = self.requests.changes.iter().find(|(_, change)| change.state == State::Waiting);
        let Some((&request, change)) = waiting else { return };
        let change = change.clone();
        let forced = change.without_quorum && self.quorum.quorate() == Some(false);
        if self.quorum.quorate() == Some(false) && !change.without_quorum {
            self.requests.changes.remove(&request);
            if change.perhaps_applied {
                return self.outcome_unknown(request);
            }
            let text = "without quorum the configuration cannot be changed".to_string();
            let mend = "bring more hosts back, or add --without-quorum if you know that the others are off";
            return self.refuse(request, "no-quorum", text, mend);
        }
        if self.membership.phase != Phase::Synchronised || !(forced || self.membership.term_open) {
            return;
        }
        match self.make_change(request, &change, forced) {
            Ok(None) => {
                // What is there already counts as done when it is acknowledged.
                let position = self.requests.applied_at.unwrap_or(0);
                if let Some(change) = self.requests.changes.get_mut(&request) {
                    change.state = State::Applied(position);
                }
                self.answer_changes();
            }
            Ok(Some(message)) if self.say(&message) => {
                if let Some(change) = self.requests.changes.get_mut(&request) {
                    change.state = State::Sent;
                    change.attempts += 1;
                }
            }
            Ok(Some(_)) => {}
            Err(_) if change.perhaps_applied => {
                self.requests.changes.remove(&request);
                self.outcome_unknown(request);
            }
            Err(failure) => {
                self.requests.changes.remove(&request);
                self.reply(request, Reply::Failed(failure));
            }
        }
    }

    /// The message of a change against the state as it is now; nothing where it changes nothing.
    fn make_change(
        &self,
        request: u64,
        change: &ChangeRequest,
        forced: bool,
    ) -> Result<Option<Message>, Failure> {
        if change.attempts >= ATTEMPTS_MAXIMUM {
            let message = format!("{ATTEMPTS_MAXIMUM} times another change came first");
            return Err(Failure { kind: "busy".into(), message, mend: "try again".into() });
        }
        let base = self.replica.cib();
        let mut next = base.clone();
        edits::apply(&mut next, &change.edits)?;
        let mut next = super::without_status(next);
        edits::ensure_nodes(&mut next, &self.replica.configured);
        if next.refresh_digest() == self.replica.digest() {
            return Ok(None);
        }
        edits::check(base, &next)?;
        let Version { admin_epoch, .. } = next.version();
        let epoch = base.version().epoch + 1;
        next.set_version(Version { admin_epoch, epoch, num_updates: 0 });
        let term = self.membership.term.map_or(0, |(term, _)| term);
        let coordinator = self.membership.coordinator.map_or(0, |member| member.host.0);
        let lineage = if forced { self.replica.lineage } else { Lineage { term, host: coordinator } };
        let patchset = Patchset::diff(base, &next);
        let result_digest = next.refresh_digest();
        let mut proof = base.clone();
        let applies = patchset.apply(&mut proof).is_ok() && proof.refresh_digest() == result_digest;
        if !applies {
            let message = "the change cannot be written as a patchset that leads to it".to_string();
            return Err(Failure { kind: "invalid".into(), message, mend: "make it in smaller steps".into() });
        }
        let message = Change {
            request,
            lineage,
            base_digest: self.replica.digest().to_string(),
            patchset: Some(patchset.to_xml()),
            result_digest,
            hosts: None,
            without_quorum: forced,
            origin: change.origin.clone(),
            wall_ms: self.now.wall_ms,
        };
        Ok(Some(Message::Change(Box::new(message))))
    }

    /// When the oldest change's patience ends.
    pub(super) fn requests_timeout(&self) -> Option<u64> {
        self.requests.changes.values().map(|change| change.deadline_ms).min()
    }
}
