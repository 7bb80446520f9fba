//! When the invariants are looked at.

use hafen_node::Input;
use hafen_node::membership::Phase;
use hafen_protocol::client::{Request, StatusReport};
use hafen_protocol::{HostId, MemberId};

use super::World;
use crate::invariants::Invariant;
use crate::invariants::acknowledged_changes_survive::acknowledged_changes_survive;
use crate::invariants::same_order_same_state::same_order_same_state;
use crate::invariants::settles::{as_reported, settles};

/// The number of the world's own request for a status.
const STATUS_REQUEST: u64 = u64::MAX - 2;
/// A client that waits longer than this in a quiet cluster waits for ever, in microseconds.
const PATIENCE_US: u64 = 300_000_000;

impl World {
    /// A member has delivered a message.
    pub(super) fn check_same_order(&mut self, member: MemberId) {
        let Some(daemon) = self.hosts.get(&member.host).and_then(|host| host.daemon.as_ref()) else { return };
        let delivered = daemon.delivered.value();
        if let Some(text) = same_order_same_state(&mut self.observed, member.host, delivered, &daemon.node) {
            self.violate(Invariant::SameOrderSameState, text);
        }
    }

    /// Whether changes that were acknowledged must survive in this cluster.
    fn survival_is_claimed(&self) -> bool {
        // A device lets a host go on alone that has an old state; so does an operator's word.
        if self.word_given || self.quorum.has_device() {
            return false;
        }
        !self.options.overrides && (self.hosts.len() > 2 || self.options.configuration.fencing)
    }

    /// A node may just have opened a term: then it has everything that was acknowledged before.
    pub(super) fn check_term(&mut self, member: MemberId) {
        let Some(host) = self.hosts.get_mut(&member.host) else { return };
        let Some(daemon) = host.daemon_mut(member.incarnation) else { return };
        let open = daemon.node.is_coordinator() && daemon.node.membership().term_open;
        let was_open = std::mem::replace(&mut daemon.term_was_open, open);
        if !open || was_open || self.hosts.len() == 2 || !self.majority_shares_view(member.host) {
            return;
        }
        // This member may lag behind others of its view: what they have acknowledged in it comes later here.
        let view = self.hosts.get(&member.host).and_then(|host| host.daemon.as_ref()?.view.as_ref());
        let Some(&began_us) = view.and_then(|view| self.views.get(&view.id())) else { return };
        self.check_survival(member.host, began_us);
    }

    /// Whether a majority of all hosts is in the same view as this one, and at its state: then no other part can
    /// have acknowledged anything since.
    fn majority_shares_view(&self, id: HostId) -> bool {
        let view_of = |id: &HostId| {
            let membership = self.hosts.get(id)?.node()?.membership();
            let view = membership.view.as_ref()?.id();
            (membership.phase == Phase::Synchronised).then_some(view)
        };
        let Some(view) = view_of(&id) else { return false };
        let sharing = self.hosts.keys().filter(|other| view_of(other) == Some(view)).count();
        sharing * 2 > self.hosts.len()
    }

    fn check_survival(&mut self, id: HostId, before_us: u64) {
        if !self.survival_is_claimed() {
            return;
        }
        let Some(host) = self.hosts.get(&id) else { return };
        let Some(node) = host.node() else { return };
        if let Some(text) =
            acknowledged_changes_survive(&self.clients, node.replica().cib(), &host.uname, before_us)
        {
            self.violate(Invariant::AcknowledgedChangesSurvive, text);
        }
    }

    /// The time that a cluster has to settle is over.
    pub(super) fn check_settled(&mut self) {
        self.note(None, "must be settled by now");
        self.still_settled();
        let waiting = self.clients.pending().find(|(member, pending)| {
            self.still_runs(*member) && pending.asked_us + PATIENCE_US < self.now_us
        });
        if let Some((member, pending)) = waiting {
            let text = format!("a client at host{} still waits for {:?}", member.host, pending.key);
            self.violate(Invariant::Settles, text);
        }
    }

    /// The cluster must be settled, and still have everything that was acknowledged.
    pub(super) fn still_settled(&mut self) {
        let coordinator =
            self.hosts.values().find(|host| host.node().is_some_and(|node| node.is_coordinator()));
        let coordinator = coordinator.and_then(|host| host.member());
        let now = self.now_of(coordinator.map_or(HostId(1), |member| member.host)).epoch_seconds();
        if let Some(text) = settles(&self.hosts, now) {
            return self.violate(Invariant::Settles, text);
        }
        let Some(member) = coordinator else { return };
        self.check_survival(member.host, self.now_us);
        self.feed(member, Input::Client { request: STATUS_REQUEST, body: Request::Status });
    }

    /// A coordinator reports what is active where.
    pub(super) fn status_reported(&mut self, report: &StatusReport) {
        if !self.options.configuration.fencing {
            // A stop that failed is never made good here: nobody can know what it left behind.
            return;
        }
        if let Some(text) = as_reported(report, &self.options.configuration.exclusive, &self.agents) {
            self.violate(Invariant::Settles, text);
        }
    }
}
