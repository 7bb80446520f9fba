//! What is on the disk, who else has it, and when a change counts as acknowledged.

use std::collections::VecDeque;

use hafen_protocol::MemberId;
use hafen_protocol::message::{Change, Message, ProofLevel};

use super::Node;
use crate::api::{Output, StorageError};
use crate::membership::Phase;
use crate::replica::Standing;
use crate::store::{ChangeRecord, Ticket};

/// This member's part in acknowledging.
#[derive(Debug, Default)]
pub(super) struct Disk {
    /// What waits for the disk: the store's ticket, and the position in the view that it stands for.
    waiting: VecDeque<(Ticket, u64)>,
    /// Up to which position everything is on this disk, and up to which the others were told.
    durable: u64,
    told: u64,
    /// Whether the others were told that the disk does not take writes.
    told_failed: bool,
}

impl Disk {
    /// Positions belong to a view.
    pub(super) fn view_changed(&mut self) {
        *self = Disk::default();
    }

    /// The state at this position was taken over; it is durable when what the store holds now is.
    /// `said_failed`: the others take this disk for failed, from this member's greeting.
    pub(super) fn synchronised(&mut self, position: u64, said_failed: bool) {
        self.told = position;
        self.durable = position;
        self.told_failed = said_failed;
    }
}

impl Node {
    /// Writes down the promise never to follow a lower term.
    pub(super) fn promise(&mut self, term: u64, position: u64) {
        let ticket = self.store.append_promise(term, self.replica.cib());
        self.disk.waiting.push_back((ticket, position));
    }

    /// Writes down a change that was applied.
    pub(super) fn persist_change(&mut self, change: &Change, position: u64) {
        let record = ChangeRecord {
            lineage: change.lineage,
            patchset: change.patchset.clone(),
            base_digest: change.base_digest.clone(),
            result_digest: change.result_digest.clone(),
            hosts: change.hosts.clone(),
        };
        let ticket = self.store.append_change(record, self.replica.cib());
        self.disk.waiting.push_back((ticket, position));
    }

    /// A storage effect ended.
    pub(super) fn storage_ended(&mut self, token: u64, result: Result<(), StorageError>) {
        let was_healthy = self.store.failure().is_none();
        self.store.completed(self.now, token, result);
        if was_healthy != self.store.failure().is_none() {
            let uname = self.identity.uname.clone();
            match self.store.failure().map(str::to_string) {
                Some(reason) => {
                    let text = format!("the disk of {uname} does not take writes: {reason}");
                    self.event("disk-failed", &uname, text, reason);
                }
                None => self.event(
                    "disk-healthy",
                    &uname,
                    format!("the disk of {uname} takes writes again"),
                    "retried",
                ),
            }
        }
    }

    /// Puts out what the store wants done, and tells the others what is done.
    pub(super) fn step_disk(&mut self) {
        self.store.handle_timeout(self.now, self.replica.cib());
        while let Some((token, effect)) = self.store.poll_effect() {
            self.outputs.push_back(Output::Storage { token, effect });
        }
        if self.membership.phase != Phase::Synchronised {
            return;
        }
        if let Some(reason) = self.store.failure().map(str::to_string) {
            if !self.disk.told_failed {
                self.disk.told_failed = self.say(&Message::DiskFailed { reason });
            }
            return;
        }
        if self.disk.told_failed && self.say(&Message::DiskHealthy) {
            self.disk.told_failed = false;
        }
        let through = self.store.durable_through();
        while let Some(&(ticket, position)) = self.disk.waiting.front()
            && ticket <= through
        {
            self.disk.waiting.pop_front();
            self.disk.durable = self.disk.durable.max(position);
        }
        if self.disk.durable > self.disk.told && self.say(&Message::Persisted { position: self.disk.durable })
        {
            self.disk.told = self.disk.durable;
        }
    }

    /// A member's disk does not take writes: it counts for no acknowledgement, and cannot coordinate.
    pub(super) fn member_disk_failed(&mut self, from: MemberId, reason: String) {
        let name = self.replica.uname(from.host);
        self.event("disk-failed", &name, format!("the disk of {name} does not take writes"), reason.clone());
        self.membership.failed_disks.insert(from.host, reason);
        if self.membership.coordinator == Some(from) {
            self.succeed("the coordinator's disk failed");
        }
    }

    /// A member's disk takes writes again.
    pub(super) fn member_disk_healthy(&mut self, from: MemberId) {
        self.membership.failed_disks.remove(&from.host);
        if self.membership.coordinator.is_none() {
            self.succeed("a disk takes writes again");
        }
    }

    /// Another member takes over coordination within the view: all synchronised members are at the same state.
    pub(super) fn succeed(&mut self, cause: &str) {
        self.membership.coordinator = self.membership.successor();
        self.membership.successions += 1;
        self.making = super::making::Making::default();
        self.ask_again();
        self.membership.coordinated = self.membership.coordinator == Some(self.me());
        self.membership.term = None;
        self.membership.term_open = false;
        self.planner.forget_plan();
        let name = self.membership.coordinator.map(|member| self.replica.uname(member.host));
        let text = match &name {
            Some(name) => format!("{name} coordinates"),
            None => "nobody can coordinate: no member's disk takes writes".to_string(),
        };
        self.event("coordinator", name.as_deref().unwrap_or(""), text, cause);
        self.planner.disturbed(cause);
    }

    /// Whether everything up to a position is on enough disks: on those of a majority of the configured hosts, or on
    /// those of all that are here while every other host is known to run nothing.
    pub(super) fn acknowledged(&self, position: u64, without_quorum: bool) -> bool {
        let Some(view) = &self.membership.view else { return false };
        let there = self.membership.persisted_at(position);
        let configured = &self.replica.configured;
        let majority =
            there.iter().filter(|host| configured.contains_key(host)).count() * 2 > configured.len();
        if majority {
            return true;
        }
        let all_here = view.members.keys().all(|host| there.contains(host));
        if !all_here {
            return false;
        }
        if without_quorum {
            return true;
        }
        if !self.met_majority {
            // Alone since it started: others may have gone on without it before, and this state may be an old one.
            return false;
        }
        let in_ring = view.hosts.iter().filter(|host| configured.contains_key(host)).count();
        if configured.len() > 2 && in_ring * 2 > configured.len() {
            // Quorum comes from hosts without a daemon: with others that are off now they could be a majority without
            // any disk that has this.
            return false;
        }
        let minimum = self.proof_minimum();
        let fencing = self.fencing_enabled();
        let absent_are_down = configured.keys().filter(|host| !view.members.contains_key(host)).all(|host| {
            match self.replica.hosts.get(host).map(|record| &record.standing) {
                Some(Standing::Down { proof: None }) => true,
                // Below the minimum, only the word of an operator brings a host here.
                Some(Standing::Down { proof: Some(proof) }) => {
                    *proof >= minimum || *proof == ProofLevel::Human
                }
                // A daemon that is gone from a host in the ring may come back at any time, with what it has.
                _ => !fencing && !view.hosts.contains(host),
            }
        });
        self.quorate() && absent_are_down
    }
}
