//! The node: its parts, and the way of an input through them.
//!
//! `handle` gives the input to the module that it concerns, then `step` lets each part say what follows from the new
//! state. A host's failure walks `view` (lost, unclean) → `plan` (schedule) → `drive` (fire) → `order` and `fence` (fence, proof,
//! execute, result) → `plan` (nothing left to do).

mod access;
mod alerts;
mod attributes;
mod changes;
mod disk;
mod drive;
mod fence;
mod greeting;
mod hosts;
mod load;
mod local;
mod making;
mod operator;
mod order;
mod overdue;
mod plan;
mod progress;
mod pulse;
mod report;
mod requests;
mod solo;
mod view;

use std::collections::{BTreeMap, VecDeque};

use hafen_cib::Cib;
use hafen_protocol::client::Event;
use hafen_protocol::frame::GarbageError;
use hafen_protocol::{
    Delivery, HostId, Machine, MemberId, Message, Now, QuorumJoiner, Transmission, Transport,
};

use crate::api::{Identity, Input, Output, Settings, StoredFiles};
use crate::fencing::Learned;
use crate::membership::{Membership, Phase};
use crate::replica::Replica;
use crate::store::Store;

pub use local::Remembered;

/// One member of a cluster.
pub struct Node {
    identity: Identity,
    settings: Settings,
    now: Now,
    outputs: VecDeque<Output>,
    transport: Transport,
    quorum: QuorumJoiner,
    membership: Membership,
    replica: Replica,
    /// Since when there is no quorum, on the monotonic clock.
    quorum_lost_at: Option<u64>,
    /// The last ring with quorum in which this member was synchronised.
    quorate_ring: u64,
    /// Whether this run of the daemon was synchronised with a majority of the configured hosts at least once.
    met_majority: bool,
    /// The hosts that the engine of the bus says are configured; nothing where it never says so.
    nodelist: Option<BTreeMap<HostId, String>>,
    /// What was lost, while there is no bus.
    lost: Option<solo::LostBus>,
    /// How often this host went on alone.
    alone_views: u64,
    /// How long the others' greetings are waited for.
    patience: greeting::Patience,
    /// How busy the hosts are.
    load: load::Load,
    /// Who of the view was heard of late.
    pulse: pulse::Pulse,
    /// Daemons of other hosts that speak another version of the messages, until they greet in this one.
    foreigners: BTreeMap<HostId, u32>,
    /// When a member that could not greet gives up, on the monotonic clock.
    greet_by: Option<u64>,
    /// False after the replicas were found to differ: then a full copy is needed.
    complete: bool,
    store: Store,
    disk: disk::Disk,
    local: local::Local,
    planner: plan::Planner,
    requests: requests::Requests,
    /// What this member was asked to change, where it coordinates.
    making: making::Making,
    /// What the fence devices told this host.
    learned: Learned,
}

impl Node {
    /// A daemon that starts: `files` is what its store's directory holds, `remembered` what an earlier run of the daemon
    /// in the same boot of the host put out as `Output::Remember`.
    ///
    /// # Errors
    /// When the initial configuration is no CIB.
    pub fn new(
        identity: Identity,
        settings: Settings,
        files: &StoredFiles,
        remembered: Option<&[u8]>,
        now: Now,
    ) -> Result<Node, String> {
        let mut initial =
            without_status(Cib::parse(&settings.initial_cib).map_err(|error| error.to_string())?);
        crate::edits::ensure_nodes(&mut initial, &settings.hosts);
        let (store, recovered) = Store::recover::<Cib>(files, &initial.to_xml())?;
        let configured = recovered.hosts.unwrap_or_else(|| settings.hosts.clone());
        let mut replica = Replica::new(recovered.state, recovered.lineage, &configured);
        let local = local::Local::recall(remembered, &identity, &mut replica);
        let me = MemberId { host: identity.host, incarnation: identity.incarnation };
        let mut node = Node {
            identity,
            settings,
            now,
            outputs: VecDeque::new(),
            transport: Transport::new(me),
            quorum: QuorumJoiner::new(),
            membership: Membership::default(),
            replica,
            quorum_lost_at: None,
            quorate_ring: 0,
            met_majority: false,
            nodelist: None,
            lost: None,
            alone_views: 0,
            patience: greeting::Patience::default(),
            load: load::Load::default(),
            pulse: pulse::Pulse::default(),
            foreigners: BTreeMap::new(),
            greet_by: None,
            complete: !recovered.damaged,
            store,
            disk: disk::Disk::default(),
            local,
            planner: plan::Planner::default(),
            requests: requests::Requests::default(),
            making: making::Making::default(),
            learned: Learned::default(),
        };
        for note in recovered.notes {
            node.event("store", "", note, "the daemon started");
        }
        node.step();
        Ok(node)
    }

    /// This run of this host's daemon.
    pub fn me(&self) -> MemberId {
        MemberId { host: self.identity.host, incarnation: self.identity.incarnation }
    }

    /// The replicated state, for those who look from outside.
    pub fn replica(&self) -> &Replica {
        &self.replica
    }

    /// How far this member is in its view, for those who look from outside.
    pub fn membership(&self) -> &Membership {
        &self.membership
    }

    /// Whether this member coordinates its view.
    pub fn is_coordinator(&self) -> bool {
        self.membership.phase == Phase::Synchronised && self.membership.coordinator == Some(self.me())
    }

    /// Whether the coordinator has found nothing left to do.
    pub fn is_settled(&self) -> bool {
        self.membership.phase == Phase::Synchronised && self.requests.is_settled()
    }

    /// Whether the view has quorum; false while that is not known.
    pub fn quorate(&self) -> bool {
        self.quorum.quorate().unwrap_or(false)
    }

    /// Multicasts a message in the current view. False: there is no room or no view, and it must be said again later.
    fn say(&mut self, message: &Message) -> bool {
        let Some(view) = &self.membership.view else { return false };
        self.transport.send(message, view.id()).is_ok()
    }

    /// Tells the event log.
    fn event(&mut self, kind: &str, subject: &str, text: impl Into<String>, cause: impl Into<String>) {
        let event = Event {
            number: 0,
            wall_ms: self.now.wall_ms,
            host: self.identity.uname.clone(),
            kind: kind.to_string(),
            subject: subject.to_string(),
            text: text.into(),
            cause: cause.into(),
        };
        self.outputs.push_back(Output::Event(event));
    }

    fn bus(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::View(view) => self.view_changed(view),
            Delivery::Quorum { ring, quorate } => {
                let before = self.quorum.quorate();
                self.quorum.quorum_changed(ring, quorate);
                if self.quorum.quorate() != before {
                    self.quorum_changed();
                }
            }
            Delivery::Message { from, bytes } => match self.transport.receive(from, &bytes) {
                Ok(Some(envelope)) => self.delivered(from, envelope),
                Ok(None) => {}
                Err(GarbageError::Protocol(version)) => self.foreign_greeting(from, version),
                Err(GarbageError::Version(version)) => self.foreign_greeting(from, u32::from(version)),
                Err(error) => {
                    self.event("garbage", "", format!("dropped a frame: {error}"), from.host.to_string())
                }
            },
            Delivery::Stream { from, bytes } => match self.transport.receive_stream(from, &bytes) {
                Ok(Some(message)) => self.streamed(from, message),
                Ok(None) => {}
                Err(error) => {
                    self.event("garbage", "", format!("dropped a frame: {error}"), from.host.to_string())
                }
            },
            Delivery::Hosts(hosts) => self.hosts_configured(hosts),
            Delivery::Lost { reason } => self.bus_lost(&reason),
        }
    }

    /// What follows from the state, after every input.
    fn step(&mut self) {
        self.step_alone();
        self.step_greeting();
        self.step_disk();
        self.step_local();
        self.step_load();
        self.step_plan();
        self.step_dampings();
        self.step_pulse();
        self.step_requests();
        self.step_disk();
        while let Some(frame) = self.transport.poll_frame() {
            if !self.keep_to_oneself(&frame) {
                self.outputs.push_back(Output::Bus(Transmission::Multicast(frame)));
            }
        }
    }
}

impl Machine for Node {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, now: Now, input: Input) {
        self.now = now;
        match input {
            Input::Bus(delivery) => self.bus(delivery),
            Input::Storage { token, result } => self.storage_ended(token, result),
            Input::ExecutorConnected { accepted, results, recovered } => {
                self.executor_connected(&accepted, results, recovered);
            }
            Input::ExecutorLost => self.executor_lost(),
            Input::OperationEnded(result) => self.operation_ended(*result),
            Input::FenceEnded(result) => self.fence_ended_here(*result),
            Input::FenceDeviceLearned { device, knowledge } => {
                self.learned.devices.insert(device, knowledge);
                self.learned.devices.retain(|id, _| self.replica.cib().resource(id).is_some());
            }
            Input::Load { load_hundredths, cores } => self.load_measured(load_hundredths, cores),
            Input::FenceDevicesChecked { failures } => self.learned.failures = failures,
            Input::Client { request, body } => self.client_asks(request, body),
            Input::ClientAs { request, user, body } => self.user_asks(request, user, body),
            Input::ClientGone { request } => self.client_gone(request),
        }
        self.step();
    }

    fn handle_timeout(&mut self, now: Now) {
        self.now = now;
        self.hear_oneself();
        self.step();
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<u64> {
        let own = [self.store.poll_timeout(), self.plan_timeout(), self.requests_timeout(), self.greet_by];
        let waits =
            [self.alone_timeout(), self.patience_timeout(), self.damping_timeout(), self.pulse_timeout()];
        own.into_iter().chain(waits).flatten().min()
    }
}

/// The configuration, and the state of tickets: the rest of the status comes from the hosts, and is never kept.
pub(crate) fn without_status(mut cib: Cib) -> Cib {
    crate::status_xml::cleared(&mut cib);
    cib
}
