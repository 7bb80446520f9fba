//! Views: who is here, whose state counts, and how the others come to it.

use hafen_cib::{Cib, FEATURE_SET};
use hafen_protocol::message::{Envelope, Hello, Lineage, Message, PROTOCOL_VERSION};
use hafen_protocol::transport::{StateCopy, StreamMessage};
use hafen_protocol::{HostId, MemberId, Transmission, View};
use serde::{Deserialize, Serialize};

use super::Node;
use crate::api::Output;
use crate::membership::{Phase, Waiting};
use crate::replica::{Shared, Standing};

/// A quorum that is lost may be back at once: resources are not stopped before this has passed, in milliseconds.
const QUORUM_LOST_PAUSE_MS: u64 = 2_000;

/// A member whose executor does not answer holds up all others: after this it leaves, in milliseconds.
const GREETING_MAXIMUM_MS: u64 = 15_000;

/// What a full copy carries.
#[derive(Debug, Serialize, Deserialize)]
struct CopyPayload {
    cib: String,
    digest: String,
    lineage: Lineage,
    shared: Shared,
}

impl Node {
    /// A view was delivered: what it says by itself, then greet its members.
    pub(super) fn view_changed(&mut self, view: View) {
        self.transport.view_changed(&view);
        self.quorum.view_changed(&view);
        let names: Vec<String> = view.members.keys().map(|&host| self.replica.uname(host)).collect();
        let cause = format!("ring {}.{}", view.ring.sequence, view.ring.representative);
        self.event("view", "", format!("the cluster's members are {}", names.join(" ")), cause);
        self.note_interruption();
        if view.ring.representative != HostId(0) {
            self.lost = None;
        }
        let lost = self.lost_from(&view);
        for (host, text) in self.replica.enter_view(&view) {
            let subject = self.replica.uname(host);
            self.event("host-lost", &subject, text, "the view changed");
        }
        lost.into_iter().for_each(|host| self.alert_node(host, "lost"));
        self.planner.forget_plan();
        self.membership.enter(view);
        self.greet_by = Some(self.now.monotonic_ms + GREETING_MAXIMUM_MS);
        self.patience_anew();
        // Quorum may have been told before its view.
        self.pause_without_quorum();
        self.disk.view_changed();
        self.local.view_changed();
        self.requests_view_changed();
        self.greet_if_ready();
    }

    /// The members that a view leaves out, where this one is the first of those that stay.
    fn lost_from(&self, view: &View) -> Vec<HostId> {
        let members = || {
            let records = self.replica.hosts.iter();
            records.filter(|(_, record)| record.standing == Standing::Member).map(|(&host, _)| host)
        };
        let first = members().find(|host| view.members.contains_key(host));
        if first != Some(self.me().host) {
            return Vec::new();
        }
        members().filter(|host| !view.members.contains_key(host)).collect()
    }

    /// What the old view's end cut short, for those who read the story.
    fn note_interruption(&mut self) {
        let kind = match self.membership.phase {
            Phase::Greeting => "view-change-during-join",
            Phase::Copying => "view-change-during-transfer",
            Phase::Synchronised if self.membership.term.is_some() && !self.membership.term_open => {
                "view-change-during-term"
            }
            Phase::Detached | Phase::Synchronised => return,
        };
        self.event(kind, "", "the view changed before the last one was settled", "the view changed");
    }

    /// A member that cannot greet leaves, since all others wait for it.
    pub(super) fn step_greeting(&mut self) {
        self.step_waiting_for_greetings();
        if self.membership.phase != Phase::Greeting || self.local.knows_its_host() {
            self.greet_by = None;
        }
        if self.greet_by.is_some_and(|at| self.now.monotonic_ms >= at) {
            self.greet_by = None;
            let reason = "the executor does not answer, so this host cannot say what it runs".to_string();
            self.event("executor", "", reason.clone(), "the other members wait for it");
            self.outputs.push_back(Output::Bus(Transmission::Leave));
            self.outputs.push_back(Output::Exit { reason });
            self.membership.detach();
        }
    }

    /// Greets once per view, as soon as it is known what runs here.
    pub(super) fn greet_if_ready(&mut self) {
        let me = self.me();
        if self.membership.phase != Phase::Greeting || !self.local.take_greeting() {
            return;
        }
        let mut status =
            self.replica.hosts.get(&me.host).map(|record| record.status.clone()).unwrap_or_default();
        // As Pacemaker's controller does: tools tell which versions a cluster mixes.
        status.attributes.insert("#feature-set".to_string(), FEATURE_SET.to_string());
        let hello = Hello {
            protocol: PROTOCOL_VERSION,
            uname: self.identity.uname.clone(),
            version: self.replica.version(),
            digest: self.replica.digest().to_string(),
            shared_digest: shared_digest(&self.replica.shared(&self.membership.present())),
            promised_term: self.store.promised_term(),
            disk_healthy: self.store.failure().is_none(),
            complete: self.complete,
            seasoned: self.replica.seasoned,
            quorate_ring: self.quorate_ring,
            coordinated: self.membership.coordinated,
            status,
            boot_id: self.identity.boot_id.clone(),
            proven_off: self.replica.all_proven_off(),
        };
        self.say(&Message::Hello(Box::new(hello)));
    }

    /// A message of the total order. Those of other views are nobody's concern any more.
    pub(super) fn delivered(&mut self, from: MemberId, envelope: Envelope) {
        let Some(view) = &self.membership.view else { return };
        if envelope.view != view.id() || !view.contains(from) {
            return;
        }
        self.membership.position += 1;
        let position = self.membership.position;
        if self.membership.silent.contains(&from.host) {
            return self.silent_speaks(from);
        }
        match (self.membership.phase, envelope.message) {
            (Phase::Greeting, Message::GoWithout { members }) => self.go_without(from, &members),
            (Phase::Greeting, Message::Hello(hello)) => {
                if !Node::speaks(hello.protocol) {
                    return self.foreign_greeting(from, hello.protocol);
                }
                self.foreigners.remove(&from.host);
                self.membership.hellos.insert(from, *hello);
                self.greetings_changed();
            }
            (Phase::Copying, message) => {
                self.membership.waiting.push(Waiting { position, from, message });
            }
            (_, message) => self.ordered(from, position, message),
        }
    }

    /// All have greeted: the same greetings in the same order lead all members to the same coordinator.
    pub(super) fn elect(&mut self) {
        let Some(base) = self.membership.elect() else { return };
        for (member, hello) in &self.membership.hellos {
            if !hello.disk_healthy {
                let reason = "its disk did not take writes when it joined".to_string();
                self.membership.failed_disks.insert(member.host, reason);
            }
        }
        self.membership.synchronised = self.membership.equal_to(base);
        self.membership.coordinator = self.first_coordinator(base);
        let name = self.membership.coordinator.map(|member| self.greeted_name(member)).unwrap_or_default();
        let text = if name.is_empty() {
            "nobody can coordinate yet: no member has a complete state and a disk that takes writes"
                .to_string()
        } else {
            format!("{name} coordinates")
        };
        self.event("coordinator", &name, text, "all members have greeted");
        if self.membership.synchronised.contains(&self.me().host) {
            self.replica.take_proofs(&self.membership.hellos);
        }
        if let Some(view) = self.membership.view.clone() {
            if base == self.me() {
                self.send_copies(&view);
            }
            if let Some(note) = self.keep_what_loses(base) {
                self.event("conflict", "", note, "the members' configurations differ");
            }
        }
        let knows = self.membership.synchronised.contains(&self.me().host);
        self.replica.greet(&self.membership.hellos, &self.membership.synchronised, knows);
        self.membership.coordinated = self.membership.coordinator == Some(self.me());
        self.load.begin(&self.membership.present());
        self.pulse.begin(self.membership.present());
        if self.membership.synchronised.contains(&self.me().host) {
            self.membership.phase = Phase::Synchronised;
            self.became_synchronised(self.membership.position);
        } else {
            self.membership.phase = Phase::Copying;
            if let Some((from, copy)) = self.membership.early_copy.take() {
                self.copy_arrived(from, copy);
            }
        }
    }

    /// The member whose state the view begins with coordinates, or another one at that state when its disk takes no
    /// writes. An incomplete state is accepted only where every configured host is here and none has a better one.
    fn first_coordinator(&mut self, base: MemberId) -> Option<MemberId> {
        let present = self.membership.present();
        let all_here = self.replica.configured.keys().all(|host| present.contains(host));
        let complete = self.membership.hellos.get(&base).is_some_and(|hello| hello.complete);
        if !complete && !all_here {
            return None;
        }
        self.complete |= base == self.me();
        if self.membership.failed_disks.contains_key(&base.host) {
            return self.membership.successor();
        }
        Some(base)
    }

    fn greeted_name(&self, member: MemberId) -> String {
        self.membership.hellos.get(&member).map(|hello| hello.uname.clone()).unwrap_or_default()
    }

    /// Sends a full copy to each member that needs one. The place in the order is right after the last greeting.
    fn send_copies(&mut self, view: &View) {
        let here = self.membership.present();
        let is_behind = |member: &MemberId| {
            here.contains(&member.host) && !self.membership.synchronised.contains(&member.host)
        };
        let behind: Vec<MemberId> = view.member_ids().filter(is_behind).collect();
        if behind.is_empty() {
            return;
        }
        let payload = CopyPayload {
            cib: self.replica.cib().to_xml(),
            digest: self.replica.digest().to_string(),
            lineage: self.replica.lineage,
            shared: self.replica.shared(&here),
        };
        let Ok(payload) = serde_json::to_string(&payload) else { return };
        let copy = StateCopy { view: view.id(), position: self.membership.position, payload };
        let Ok(frames) = self.transport.stream_frames(&StreamMessage::Copy(copy)) else { return };
        for to in behind {
            let name = self.replica.uname(to.host);
            self.event("copy", &name, format!("sending {name} a full copy"), "it is at another state");
            for bytes in frames.clone() {
                self.outputs.push_back(Output::Bus(Transmission::Stream { to, bytes }));
            }
        }
    }

    /// Keeps this member's configuration in a file where the coordinator's replaces it and it may hold something that
    /// the coordinator's does not.
    fn keep_what_loses(&mut self, base: MemberId) -> Option<String> {
        let best = self.membership.hellos.get(&base)?;
        let mine = self.replica.version();
        if best.digest == self.replica.digest() {
            return None;
        }
        let older = (mine.admin_epoch, mine.epoch, mine.num_updates)
            < (best.version.admin_epoch, best.version.epoch, best.version.num_updates);
        if older && mine.lineage == best.version.lineage || mine.epoch == 0 {
            return None;
        }
        let version = self.replica.cib().version().to_string();
        let label = version.replace('.', "-");
        let kept = match self.store.keep_conflict(&label, &self.replica.cib().to_xml()) {
            Some(file) => format!("it is kept as {file}"),
            None => "it could not be kept, since this disk takes no writes".to_string(),
        };
        Some(format!("this host's configuration {version} loses the merge; {kept}"))
    }

    /// A message to this member alone.
    pub(super) fn streamed(&mut self, from: MemberId, message: StreamMessage) {
        let StreamMessage::Copy(copy) = message;
        if self.membership.view.as_ref().map(View::id) != Some(copy.view) {
            return;
        }
        match self.membership.phase {
            Phase::Greeting => self.membership.early_copy = Some((from, copy)),
            Phase::Copying => self.copy_arrived(from, copy),
            Phase::Detached | Phase::Synchronised => {}
        }
    }

    /// The coordinator's copy is here: take it over, then catch up with what was ordered since.
    fn copy_arrived(&mut self, from: MemberId, copy: StateCopy) {
        let (cib, payload) = match read_copy(&copy.payload) {
            Ok(parsed) => parsed,
            Err(error) => {
                let name = self.replica.uname(from.host);
                return self.diverged(&format!("the copy from {name} is unreadable: {error}"));
            }
        };
        let promised = self.store.promised_term();
        self.store.install_copy(&cib, payload.lineage, promised, &payload.shared.configured);
        self.replica.install(cib, payload.lineage, payload.shared);
        self.complete = true;
        self.membership.phase = Phase::Synchronised;
        let name = self.replica.uname(from.host);
        self.event(
            "copied",
            &name,
            format!("took over the full copy of {name}"),
            "this host was at another state",
        );
        self.became_synchronised(copy.position);
        for Waiting { position, from, message } in std::mem::take(&mut self.membership.waiting) {
            if position > copy.position {
                self.ordered(from, position, message);
            }
        }
        self.say(&Message::Synchronised);
    }

    /// This member is at the coordinator's state, at this place of the order.
    fn became_synchronised(&mut self, position: u64) {
        self.local.synchronised();
        let said_failed = self.membership.failed_disks.contains_key(&self.me().host);
        self.disk.synchronised(position, said_failed);
        self.note_quorate_ring();
        self.met_majority |= self.majority_is_here();
        self.planner.disturbed("the view changed");
        self.requests_synchronised();
    }

    /// Whether the members are a majority of the configured hosts. One that only joins has nothing that the others know,
    /// and stands for none of them.
    fn majority_is_here(&self) -> bool {
        let Some(view) = &self.membership.view else { return false };
        let configured = &self.replica.configured;
        view.members.keys().filter(|host| configured.contains_key(host)).count() * 2 > configured.len()
    }

    /// Quorum was won or lost in the current view.
    pub(super) fn quorum_changed(&mut self) {
        let text = if self.quorate() { "the cluster has quorum" } else { "the cluster has no quorum" };
        self.event("quorum", "", text, "the bus said so");
        self.note_quorate_ring();
        self.pause_without_quorum();
        self.planner.disturbed("quorum changed");
    }

    /// When plans may be made again after quorum was lost. It is over at once when quorum is back.
    pub(super) fn quorum_pause_ends(&self) -> Option<u64> {
        self.quorum_lost_at.map(|since| since + QUORUM_LOST_PAUSE_MS).filter(|&at| at > self.now.monotonic_ms)
    }

    /// Holds plans back for a pause after quorum was lost. The pause is not longer where the ring forms again and again.
    fn pause_without_quorum(&mut self) {
        match self.quorum.quorate() {
            Some(false) => {
                self.quorum_lost_at.get_or_insert(self.now.monotonic_ms);
            }
            Some(true) => self.quorum_lost_at = None,
            None => {}
        }
    }

    /// What this member knows about absent hosts is as new as the last quorate ring in which it was synchronised.
    fn note_quorate_ring(&mut self) {
        if let Some(view) = &self.membership.view
            && self.membership.phase == Phase::Synchronised
            && self.quorum.quorate() == Some(true)
        {
            self.quorate_ring = self.quorate_ring.max(view.ring.sequence);
            if view.hosts.len() > 1 {
                self.local.seen_quorum_with_others();
            }
        }
    }

    /// The replicas were found to differ: stop applying, and come back by a full copy.
    pub(super) fn diverged(&mut self, text: &str) {
        self.complete = false;
        self.event(
            "diverged",
            "",
            format!("this host's state differs from its peers': {text}"),
            "a digest differs",
        );
        self.outputs.push_back(Output::Bus(Transmission::Leave));
        self.outputs.push_back(Output::Exit { reason: format!("state differs: {text}") });
        self.membership.detach();
    }

    /// A member has caught up.
    pub(super) fn member_synchronised(&mut self, from: MemberId) {
        self.membership.synchronised.insert(from.host);
        if let Some(record) = self.replica.hosts.get_mut(&from.host)
            && record.standing == Standing::Joining
        {
            record.standing = Standing::Member;
        }
        if self.membership.coordinator.is_none() {
            self.succeed("a member has caught up");
        }
        if self.is_coordinator() {
            self.alert_node(from.host, "member");
        }
        let name = self.replica.uname(from.host);
        self.event("joined", &name, format!("{name} has joined"), "it caught up with the coordinator");
        self.planner.disturbed(&format!("{name} joined"));
    }
}

/// A copy as it was sent: its configuration has the digest that its sender gave it.
fn read_copy(text: &str) -> Result<(Cib, CopyPayload), String> {
    let payload: CopyPayload = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut cib = Cib::parse(&payload.cib).map_err(|error| error.to_string())?;
    let digest = cib.refresh_digest();
    if digest != payload.digest {
        return Err(format!("its digest is {digest}, not {}", payload.digest));
    }
    Ok((cib, payload))
}

fn shared_digest(shared: &Shared) -> String {
    crate::digest::hexadecimal(serde_json::to_string(shared).unwrap_or_default().as_bytes())
}
