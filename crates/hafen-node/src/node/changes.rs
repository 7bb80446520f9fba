//! Changes of the configuration that clients ask for: made here as patchsets against the state as it is, and answered when
//! they are acknowledged.

use hafen_cib::acl::{self, User};
use hafen_cib::{Cib, Patchset, Version};
use hafen_protocol::client::{Edit, Failure, Reply};
use hafen_protocol::message::{Change, Lineage, Message};

use super::requests::REQUESTS_MAXIMUM;
use super::{Node, access};
use crate::edits;
use crate::membership::Phase;

/// How long a change may take before its client is told that it did not come to pass, in milliseconds.
const CHANGE_TIMEOUT_MS: u64 = 30_000;
/// How often a change is made again because another one came first.
const ATTEMPTS_MAXIMUM: u32 = 20;

/// How far a change is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// Not sent, or to be sent again.
    Waiting,
    /// Sent, and not delivered.
    Sent,
    /// Applied at that position, and not acknowledged.
    Applied(u64),
    /// Applied in a view that has ended.
    Unsure,
}

/// What a client asks for.
#[derive(Debug, Clone)]
pub(super) struct Asking {
    pub(super) edits: Vec<Edit>,
    pub(super) without_quorum: bool,
    pub(super) origin: String,
    pub(super) written: Option<String>,
    /// Who asks, where access control lists may restrict that user.
    pub(super) user: Option<User>,
}

impl Asking {
    /// Writes into the CIB who changed it last, when and where, as Pacemaker does: no digest counts that. Without a time of the
    /// client's it stays as it was, whatever the client wrote there.
    fn sign(&self, cib: &mut Cib, before: &Cib, uname: &str) {
        let Some(written) = &self.written else { return cib.sign_as(before) };
        let (said, client) = self.origin.split_once(": ").unwrap_or(("", &self.origin));
        let user = self.user.as_ref().map_or(said, |user| user.name.as_str());
        cib.sign(written, uname, client, user);
    }
}

/// A change that a client waits for.
#[derive(Debug, Clone)]
pub(super) struct ChangeRequest {
    pub(super) asking: Asking,
    pub(super) state: State,
    pub(super) attempts: u32,
    pub(super) deadline_ms: u64,
    /// It was sent in a view that ended before it came back: others may have applied it.
    pub(super) perhaps_applied: bool,
}

impl Node {
    /// A client asks for a change; it waits for its turn.
    pub(super) fn ask_for_change(&mut self, request: u64, asking: Asking) {
        if self.requests.changes.len() >= REQUESTS_MAXIMUM {
            let text = "too many changes wait already".to_string();
            return self.refuse(request, "busy", text, "try again later");
        }
        let change = ChangeRequest {
            asking,
            state: State::Waiting,
            attempts: 0,
            deadline_ms: self.now.monotonic_ms + CHANGE_TIMEOUT_MS,
            perhaps_applied: false,
        };
        self.requests.changes.insert(request, change);
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

    pub(super) fn answer_changes(&mut self) {
        let requests: Vec<u64> = self.requests.changes.keys().copied().collect();
        for request in requests {
            let Some(change) = self.requests.changes.get(&request).cloned() else { continue };
            if let State::Applied(position) = change.state
                && self.acknowledged(position, change.asking.without_quorum && !self.quorate())
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
    pub(super) fn send_changes(&mut self) {
        if self.requests.changes.values().any(|change| change.state == State::Sent) {
            return;
        }
        let waiting = self.requests.changes.iter().find(|(_, change)| change.state == State::Waiting);
        let Some((&request, change)) = waiting else { return };
        let change = change.clone();
        let forced = change.asking.without_quorum && self.quorum.quorate() == Some(false);
        if self.quorum.quorate() == Some(false) && !change.asking.without_quorum {
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
        let restricted = change.asking.user.as_ref().filter(|user| acl::applies(base, user));
        match restricted {
            Some(_) => edits::apply(&mut next, &access::of_a_part(&change.asking.edits))?,
            None => edits::apply(&mut next, &change.asking.edits)?,
        }
        let mut next = super::without_status(next);
        if let Some(user) = restricted {
            acl::allowed(base, &next, user).map_err(|denied| access::refused(&denied))?;
        }
        edits::ensure_nodes(&mut next, &self.replica.configured);
        if next.refresh_digest() == self.replica.digest() {
            return Ok(None);
        }
        edits::check(base, &next)?;
        change.asking.sign(&mut next, base, &self.replica.uname(self.me().host));
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
            origin: change.asking.origin.clone(),
            wall_ms: self.now.wall_ms,
        };
        Ok(Some(Message::Change(Box::new(message))))
    }
}
