//! Changes of the configuration that clients ask for: the coordinator is asked to make them (`making.rs`), and a client
//! is answered when its change is acknowledged.

use hafen_protocol::MemberId;
use hafen_protocol::client::{Failure, Reply};
use hafen_protocol::message::{Asking, ChangeAsked, Message};

use super::Node;
use super::requests::REQUESTS_MAXIMUM;
use crate::membership::Phase;

/// How long a change may take before its client is told that it did not come to pass, in milliseconds.
const CHANGE_TIMEOUT_MS: u64 = 30_000;

/// How far a change is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// The coordinator is to be asked, perhaps again.
    Waiting,
    /// The coordinator was asked.
    Sent,
    /// Applied at that position, and not acknowledged.
    Applied(u64),
    /// Applied in a view that has ended.
    Unsure,
}

/// A change that a client waits for.
#[derive(Debug, Clone)]
pub(super) struct ChangeRequest {
    pub(super) asking: Asking,
    pub(super) state: State,
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

    /// What was asked for came with a change at this position.
    pub(super) fn changes_applied(&mut self, answers: &[(MemberId, u64)], position: u64) {
        let me = self.me();
        for (_, request) in answers.iter().filter(|(member, _)| *member == me) {
            if let Some(change) = self.requests.changes.get_mut(request) {
                change.state = State::Applied(position);
            }
        }
    }

    /// The coordinator answers a client of this member: there is nothing to change, or it cannot be done.
    pub(super) fn change_answered(&mut self, request: u64, failure: Option<Failure>) {
        let Some(change) = self.requests.changes.get_mut(&request) else { return };
        let Some(failure) = failure else {
            // What is there already counts as done when it is acknowledged.
            change.state = State::Applied(self.requests.applied_at.unwrap_or(0));
            return;
        };
        let perhaps_applied = change.perhaps_applied;
        self.requests.changes.remove(&request);
        if perhaps_applied {
            self.outcome_unknown(request);
        } else {
            self.reply(request, Reply::Failed(failure));
        }
    }

    /// Another coordinator took over within the view: what the one before did not do, it never will.
    pub(super) fn ask_again(&mut self) {
        for change in self.requests.changes.values_mut().filter(|change| change.state == State::Sent) {
            change.state = State::Waiting;
        }
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

    /// Asks the coordinator for what waits.
    pub(super) fn send_changes(&mut self) {
        let changes = self.requests.changes.iter();
        let waiting =
            changes.filter(|(_, change)| change.state == State::Waiting).map(|(&request, _)| request);
        for request in waiting.collect::<Vec<u64>>() {
            if !self.send_change(request) {
                return;
            }
        }
    }

    /// Asks for one change, or refuses it. False: nobody can be asked now.
    fn send_change(&mut self, request: u64) -> bool {
        let Some(change) = self.requests.changes.get(&request) else { return true };
        let lost = self.quorum.quorate() == Some(false);
        if lost && !change.asking.without_quorum {
            self.change_answered(request, Some(no_quorum()));
            return true;
        }
        let coordinated =
            self.membership.phase == Phase::Synchronised && self.membership.coordinator.is_some();
        if !coordinated || !(lost || self.membership.term_open) {
            return false;
        }
        let succession = self.membership.successions;
        let asked = ChangeAsked { request, succession, asking: change.asking.clone() };
        if self.is_coordinator() {
            self.change_asked(self.me(), asked);
        } else if !self.say(&Message::ChangeAsked(Box::new(asked))) {
            return false;
        }
        if let Some(change) = self.requests.changes.get_mut(&request) {
            change.state = State::Sent;
        }
        true
    }
}

/// Why nothing can be changed without quorum.
pub(super) fn no_quorum() -> Failure {
    let mend = "bring more hosts back, or add --without-quorum if you know that the others are off";
    Failure {
        kind: "no-quorum".into(),
        message: "without quorum the configuration cannot be changed".into(),
        mend: mend.into(),
    }
}
