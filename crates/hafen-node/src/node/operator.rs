//! What operators say about hosts: that they are off, and that the cluster goes on without them.

use std::collections::BTreeSet;

use hafen_protocol::client::{FenceOutcome, FenceRecord, Reply};
use hafen_protocol::message::{FenceResult, FenceStart, Operator, ProofLevel};
use hafen_protocol::{HostId, MemberId, Transmission};

use super::Node;
use super::requests::Asked;
use crate::api::Output;
use crate::replica::{FenceEntry, OUTCOME_UNKNOWN};

impl Node {
    /// Why this member must not fence a host by itself now.
    pub(super) fn fencing_held_back(&self, target: HostId, action: &str) -> Option<String> {
        if target == self.me().host || action == "on" {
            return None;
        }
        let name = self.replica.uname(target);
        if self.is_alone() {
            return Some(format!("without the cluster's messaging {name} is not fenced"));
        }
        if self.local.may_fence() {
            return None;
        }
        let me = &self.identity.uname;
        Some(format!(
            "{me} has booted and has not seen the cluster with quorum since, so it does not fence {name}: start {name}, or, when \
             {name} is off for good, say `hafen quorum proceed-without {name}`"
        ))
    }

    /// Tells once that a fencing is held back; the status goes on telling.
    pub(super) fn note_held_back(&mut self, target: HostId, why: String) {
        let name = self.replica.uname(target);
        if self.planner.held_back.insert(target, why.clone()).is_none() {
            self.event("fence-held", &name, why, "a host that has just booted may have been fenced itself");
        }
    }

    /// A human vouches that a host is off. False: it is here, so it is not.
    pub(super) fn vouched_off(
        &mut self,
        from: MemberId,
        host: HostId,
        (origin, wall_ms): (&str, u64),
        position: u64,
    ) -> bool {
        let name = self.replica.uname(host);
        let meant = self.replica.hosts.get(&host).and_then(|record| record.incarnation);
        let present = self.membership.present().contains(&host);
        if present || !self.replica.proven_off(host, meant, ProofLevel::Human) {
            return false;
        }
        self.local.seen_quorum_with_others();
        self.planner.held_back.clear();
        let text = format!("{origin} vouches that {name} is off");
        self.event("fence-result", &name, text.clone(), "human proof");
        let id = format!("human-{}-{}-{position}", from.host, from.incarnation.0);
        let start = FenceStart {
            id: id.clone(),
            target: host,
            target_uname: name.clone(),
            target_incarnation: meant,
            action: "off".to_string(),
            cause: text,
            by: from,
            levels: Vec::new(),
            delay_ms: 0,
            timeout_ms: 0,
            origin: Some(origin.to_string()),
            wall_ms,
            transition_key: None,
        };
        let outcome = Ok(ProofLevel::Human);
        let result = FenceResult { id, outcome, device: None, tried: Vec::new(), took_ms: 0, wall_ms };
        self.replica.keep_fencing(FenceEntry { start, result });
        self.disturbed(position, &format!("{name} is off, a human says"));
        true
    }

    /// A human vouches that a host is off and stays off: quorum need not wait for it.
    pub(super) fn proceed_without_ordered(
        &mut self,
        from: MemberId,
        host: HostId,
        (origin, wall_ms): (&str, u64),
        position: u64,
    ) {
        let in_ring = self.membership.view.as_ref().is_some_and(|view| view.hosts.contains(&host));
        let name = self.replica.uname(host);
        if in_ring || !self.vouched_off(from, host, (origin, wall_ms), position) {
            let text = format!("{name} is here: the cluster does not go on without it");
            return self.event("refused", &name, text, format!("{origin} asked for it"));
        }
        // What that host may have been told alone, while the others were off, is given up with it.
        self.met_majority = true;
        self.outputs.push_back(Output::Bus(Transmission::ProceedWithout(BTreeSet::from([host]))));
    }

    /// Asks that the cluster goes on without a host; a host that is here is refused.
    pub(super) fn ask_to_proceed(&mut self, request: u64, name: &str, origin: String) {
        let Some(host) = self.replica.host_by_name(name) else { return self.refuse_host(request, name) };
        let here = self.membership.view.as_ref().is_some_and(|view| view.hosts.contains(&host));
        if here || host == self.me().host {
            let text = format!("{name} is here: it is in the cluster's ring");
            return self.refuse(request, "present", text, "stop it, or fence it with `hafen fence now`");
        }
        let wall_ms = self.now.wall_ms;
        self.ask_coordinator(request, Asked::Operator(Operator::ProceedWithout { host, origin, wall_ms }));
    }

    /// Takes a human's word that a host is off; a host whose daemon is here is refused.
    pub(super) fn ask_to_confirm(&mut self, request: u64, name: &str, origin: String) {
        let Some(host) = self.replica.host_by_name(name) else { return self.refuse_host(request, name) };
        if self.membership.present().contains(&host) {
            let text = format!("{name} is not off: its daemon is a member of the cluster");
            return self.refuse(request, "present", text, "stop it, or fence it with `hafen fence now`");
        }
        let wall_ms = self.now.wall_ms;
        self.ask_coordinator(request, Asked::Operator(Operator::ConfirmOff { host, origin, wall_ms }));
    }

    /// The fencings on record.
    pub(super) fn answer_fence_history(&mut self, request: u64, host: Option<&str>) {
        let known = |name: &str| {
            let fenced = self.replica.fence_history.iter().any(|entry| entry.start.target_uname == name);
            fenced || self.replica.host_by_name(name).is_some()
        };
        if let Some(name) = host.filter(|name| !known(name)) {
            return self.refuse_host(request, name);
        }
        let wanted = |start: &FenceStart| host.is_none_or(|name| name == start.target_uname);
        let ended = self.replica.fence_history.iter().filter(|entry| wanted(&entry.start));
        let mut records: Vec<FenceRecord> =
            ended.map(|entry| self.fence_record(&entry.start, Some(&entry.result))).collect();
        let flying = self.replica.fencings.values().filter(|start| wanted(start));
        records.extend(flying.map(|start| self.fence_record(start, None)));
        self.reply(request, Reply::FenceHistory { records });
    }

    fn fence_record(&self, start: &FenceStart, result: Option<&FenceResult>) -> FenceRecord {
        let proof = result.and_then(|result| result.outcome.as_ref().ok().copied());
        let error = result.and_then(|result| result.outcome.as_ref().err().cloned());
        let outcome = match (result.is_some(), proof) {
            (false, _) => FenceOutcome::Pending,
            (true, None) if error.as_deref().is_some_and(|error| error.starts_with(OUTCOME_UNKNOWN)) => {
                FenceOutcome::Unknown
            }
            (true, None) => FenceOutcome::Failed,
            (true, Some(proof)) if proof < self.proof_minimum() && !start.levels.is_empty() => {
                FenceOutcome::TooWeak
            }
            (true, Some(_)) => FenceOutcome::Succeeded,
        };
        FenceRecord {
            id: start.id.clone(),
            target: start.target_uname.clone(),
            action: start.action.clone(),
            origin: start.origin.clone(),
            cause: start.cause.clone(),
            by: (!start.levels.is_empty()).then(|| self.replica.uname(start.by.host)),
            tried: result.map(|result| result.tried.clone()).unwrap_or_default(),
            proof,
            began_ms: start.wall_ms,
            ended_ms: result.map(|result| result.wall_ms),
            outcome,
            error,
        }
    }
}
