//! What clients ask: reads are answered from the replica, what concerns all travels in the total order.

use std::collections::{BTreeMap, VecDeque};

use hafen_protocol::HostId;
use hafen_protocol::client::{Failure, FailuresOf, Reply, Request};
use hafen_protocol::message::{Asking, DampedUpdate, Message, Operator};

use super::Node;
use super::changes::{ChangeRequest, State};
use super::making::Making;
use crate::api::Output;
use crate::history;
use crate::membership::Phase;
use crate::replica::Standing;

/// Requests that wait at one time.
pub(super) const REQUESTS_MAXIMUM: usize = 1024;

/// What is asked of the coordinator.
#[derive(Debug, Clone)]
pub(super) enum Asked {
    Operator(Operator),
    Attribute(DampedUpdate),
    CleanUp { resource: String, host: Option<HostId>, failures: Option<FailuresOf> },
}

/// The requests that are not answered yet.
#[derive(Debug, Default)]
pub(super) struct Requests {
    pub(super) changes: BTreeMap<u64, ChangeRequest>,
    awaiting_settled: Vec<u64>,
    awaiting_leave: Vec<u64>,
    /// What was asked of the coordinator and did not come back in the total order yet; one is said at a time.
    asked: VecDeque<(u64, Asked)>,
    asked_said: bool,
    leave_said: bool,
    /// The place in the view of the last change that was applied.
    pub(super) applied_at: Option<u64>,
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
            Request::Change { edits, without_quorum, origin, written } => {
                self.ask_for_change(request, Asking { edits, without_quorum, origin, written, user: None });
            }
            Request::Settled => self.requests.awaiting_settled.push(request),
            Request::Cleanup { resource, host, failures } => {
                self.clean_up(request, &resource, host.as_deref(), failures);
            }
            Request::Fail { resource, host } => self.ask_to_fail(request, resource, &host),
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
                    Ok(host) => {
                        let attributes = self.latest_attributes(name.as_deref(), host);
                        self.reply(request, Reply::Attributes { attributes });
                    }
                    Err(name) => self.refuse_host(request, &name),
                }
            }
            Request::WhoAmI => {
                let (name, id) = (self.identity.uname.clone(), self.identity.host.0);
                let cluster = self.settings.cluster.clone();
                self.reply(request, Reply::Host { name, id, cluster });
            }
            Request::As { .. } => {
                let text = "who asks is known to the shell of the daemon".to_string();
                self.refuse(request, "invalid", text, "ask the daemon's socket");
            }
            Request::FenceDrill { .. } => {
                let text = "fence drills are done by the shell of the daemon".to_string();
                self.refuse(request, "invalid", text, "ask the daemon's socket");
            }
            Request::Events { .. } | Request::TransitionInput { .. } => {
                let text = "events and inputs are kept by the shell of the daemon".to_string();
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
            Asked::CleanUp { resource, host, failures } => {
                for message in self.clean_up_messages(&resource, host, failures.as_ref()) {
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

    /// A failure is recorded only where the host knows the resource: else nothing of it could have failed there.
    fn ask_to_fail(&mut self, request: u64, resource: String, host: &str) {
        let Some(id) = self.replica.host_by_name(host) else { return self.refuse_host(request, host) };
        let record = self.replica.hosts.get(&id);
        if !record.is_some_and(|record| record.status.resources.contains_key(&resource)) {
            let text = format!("{host} knows nothing of {resource}");
            return self.refuse(request, "not-found", text, "see what runs where with `hafen status`");
        }
        let wall_ms = self.now.wall_ms;
        self.ask_coordinator(request, Asked::Operator(Operator::Fail { host: id, resource, wall_ms }));
    }

    fn clean_up(&mut self, request: u64, resource: &str, host: Option<&str>, failures: Option<FailuresOf>) {
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
        self.ask_coordinator(
            request,
            Asked::CleanUp { resource: resource.to_string(), host: only, failures },
        );
    }

    /// What forgets the failures and the history of a resource (where only failures are meant, the history goes as far as
    /// there are such: with it the cluster would know of the failure still). A host that is not a member keeps its history: it is
    /// all that is known of what runs there.
    fn clean_up_messages(
        &self,
        resource: &str,
        only: Option<HostId>,
        failures: Option<&FailuresOf>,
    ) -> Vec<Message> {
        let operation = match failures {
            Some(FailuresOf::Operation { task, interval_ms }) => Some(format!("{task}_{interval_ms}")),
            _ => None,
        };
        let prefixes = ["fail-count", "last-failure"].map(|kind| format!("{kind}-{resource}#"));
        let records = self.replica.hosts.iter().filter(|(id, record)| {
            only.is_none_or(|only| only == **id) && record.standing == Standing::Member
        });
        let mut messages = Vec::new();
        for (&host, record) in records {
            let is_its = |name: &&String| {
                let rest = prefixes.iter().find_map(|prefix| name.strip_prefix(prefix.as_str()));
                rest.is_some_and(|rest| operation.as_ref().is_none_or(|operation| rest == operation))
            };
            let values: BTreeMap<String, Option<String>> =
                record.status.attributes.keys().filter(is_its).map(|name| (name.clone(), None)).collect();
            if !values.is_empty() {
                messages.push(Message::Attributes { host, values, transition_key: None });
            }
            let is_meant =
                |history| failures.is_none() || history::failed_operation(history, operation.as_deref());
            if record.status.resources.get(resource).is_some_and(is_meant) {
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
        self.making = Making::default();
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

    /// Sends what can be sent and answers what can be answered.
    pub(super) fn step_requests(&mut self) {
        self.answer_changes();
        self.send_changes();
        self.step_making();
        self.answer_changes();
        self.say_asked();
        self.say_leave();
        if self.requests.settled && self.membership.phase == Phase::Synchronised {
            for request in std::mem::take(&mut self.requests.awaiting_settled) {
                self.reply(request, Reply::Done { note: None });
            }
        }
    }

    /// When the oldest change's patience ends.
    pub(super) fn requests_timeout(&self) -> Option<u64> {
        self.requests.changes.values().map(|change| change.deadline_ms).min()
    }
}
