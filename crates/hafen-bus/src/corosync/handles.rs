//! The connections to this host's Corosync, by its libraries.
//!
//! One thread owns all of them. Callbacks only put an event into that thread's queue: the binding holds a lock while
//! they run, and cannot be called from there; and its context argument is broken, so the queue belongs to the thread.

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use hafen_protocol::{HostId, RingId};
use hafen_sys::ReadableDescriptor;
use rust_corosync::{CsError, DispatchFlags, NodeId, TrackFlags, cfg, cmap, cpg, quorum, votequorum};

use super::CorosyncError;
use super::group::Address;
use super::nodelist::{self, NodeList};

/// Corosync holds this file while it runs, and removes it when it is stopped in good order.
const PID_FILE: &str = "/run/corosync.pid";

/// Corosync's own default of `quorum.device.sync_timeout`, in milliseconds.
const SYNC_TIMEOUT_MS_DEFAULT: u64 = 30_000;

/// Whatever is configured, a Corosync that is silent for longer is taken for lost, in milliseconds.
const SYNC_TIMEOUT_MS_MAXIMUM: u64 = 120_000;

/// Events that one call takes at most from each connection.
const DISPATCHES_MAXIMUM: usize = 64;

/// What a callback was told.
#[derive(Debug)]
pub(super) enum Event {
    Processes { processes: BTreeSet<Address>, ring_follows: bool },
    Ring { id: RingId, hosts: BTreeSet<HostId> },
    Message { from: Address, bytes: Vec<u8> },
    Hosts { ring: RingId, hosts: BTreeSet<HostId>, left: BTreeSet<HostId> },
    Quorum { ring: RingId, quorate: bool },
    NodeListChanged,
    ShutdownAsked,
}

thread_local! {
    static EVENTS: RefCell<VecDeque<Event>> = const { RefCell::new(VecDeque::new()) };
}

fn push(event: Event) {
    EVENTS.with_borrow_mut(|events| events.push_back(event));
}

fn host(node: NodeId) -> HostId {
    HostId(node.into())
}

fn hosts(nodes: Vec<NodeId>) -> BTreeSet<HostId> {
    nodes.into_iter().map(host).collect()
}

fn on_message(_: &cpg::Handle, _: String, node: NodeId, process: u32, message: &[u8], _: usize) {
    push(Event::Message { from: Address { host: host(node), process }, bytes: message.to_vec() });
}

fn on_processes(
    _: &cpg::Handle,
    _: &str,
    members: Vec<cpg::Address>,
    left: Vec<cpg::Address>,
    joined: Vec<cpg::Address>,
) {
    let by_ring =
        |address: &cpg::Address| matches!(address.reason, cpg::Reason::NodeDown | cpg::Reason::NodeUp);
    let ring_follows = left.iter().chain(&joined).any(by_ring);
    let processes = members.iter().map(|member| Address { host: host(member.nodeid), process: member.pid });
    push(Event::Processes { processes: processes.collect(), ring_follows });
}

fn on_ring(_: &cpg::Handle, ring: cpg::RingId, members: Vec<NodeId>) {
    let id = RingId { sequence: ring.seq, representative: host(ring.nodeid) };
    push(Event::Ring { id, hosts: hosts(members) });
}

fn on_hosts(
    _: &quorum::Handle,
    ring: quorum::RingId,
    members: Vec<NodeId>,
    _joined: Vec<NodeId>,
    left: Vec<NodeId>,
) {
    let ring = RingId { sequence: ring.seq, representative: host(ring.nodeid) };
    push(Event::Hosts { ring, hosts: hosts(members), left: hosts(left) });
}

fn on_quorum(_: &quorum::Handle, quorate: bool, ring: quorum::RingId, _members: Vec<NodeId>) {
    let ring = RingId { sequence: ring.seq, representative: host(ring.nodeid) };
    push(Event::Quorum { ring, quorate });
}

fn on_shutdown(_: &cfg::Handle, _flags: u32) {
    push(Event::ShutdownAsked);
}

fn on_change(
    _: &cmap::Handle,
    _: &cmap::TrackHandle,
    _: cmap::TrackType,
    _: &str,
    _: &cmap::Data,
    _: &cmap::Data,
    _: u64,
) {
    push(Event::NodeListChanged);
}

fn readable(descriptor: Result<i32, CsError>) -> Result<ReadableDescriptor, CorosyncError> {
    let descriptor = descriptor.map_err(|error| failure("ask for a descriptor", error))?;
    ReadableDescriptor::watch(descriptor).map_err(|error| CorosyncError::Descriptor(error.to_string()))
}

/// Open connections.
pub(super) struct Handles {
    readable: [ReadableDescriptor; 4],
    group: String,
    cpg: cpg::Handle,
    quorum: quorum::Handle,
    cmap: cmap::Handle,
    cfg: cfg::Handle,
    /// Whether somebody has asked Corosync to stop.
    pub(super) stopping: bool,
}

/// What became of a packet.
pub(super) enum Sent {
    Done,
    /// Corosync has no room now: later.
    Later,
}

impl Handles {
    /// Connects, and watches quorum and the node list. `join` is next.
    pub(super) fn open(group: &str, own: HostId) -> Result<Handles, CorosyncError> {
        EVENTS.with_borrow_mut(VecDeque::clear);
        let model = cpg::ModelData::ModelV1(cpg::Model1Data {
            flags: cpg::Model1Flags::None,
            deliver_fn: Some(on_message),
            confchg_fn: Some(on_processes),
            totem_confchg_fn: Some(on_ring),
        });
        let cpg = cpg::initialize(&model, 0).map_err(refusal)?;
        let actual = cpg::local_get(&cpg).map_err(|error| failure("ask for this host's nodeid", error))?;
        if host(actual) != own {
            return Err(CorosyncError::OtherHost { own, actual: host(actual) });
        }
        let model = quorum::ModelData::ModelV1(quorum::Model1Data {
            flags: quorum::Model1Flags::None,
            quorum_notification_fn: Some(on_quorum),
            nodelist_notification_fn: Some(on_hosts),
        });
        let (quorum, kind) = quorum::initialize(&model, 0).map_err(refusal)?;
        if matches!(kind, quorum::QuorumType::Free) {
            return Err(CorosyncError::NoQuorumProvider);
        }
        quorum::trackstart(&quorum, TrackFlags::Changes).map_err(|error| failure("watch quorum", error))?;
        let cmap = cmap::initialize(cmap::Map::Icmap).map_err(refusal)?;
        let kinds = cmap::TrackType::ADD
            | cmap::TrackType::DELETE
            | cmap::TrackType::MODIFY
            | cmap::TrackType::PREFIX;
        let callback = cmap::NotifyCallback { notify_fn: Some(on_change) };
        cmap::track_add(&cmap, "nodelist.", kinds, &callback, 0)
            .map_err(|error| failure("watch the node list", error))?;
        let callbacks = cfg::Callbacks { corosync_cfg_shutdown_callback_fn: Some(on_shutdown) };
        let cfg = cfg::initialize(&callbacks).map_err(refusal)?;
        cfg::track_start(&cfg, cfg::TrackFlags::None).map_err(|error| failure("watch for its end", error))?;
        let readable = [
            readable(cpg::fd_get(&cpg))?,
            readable(quorum::fd_get(&quorum))?,
            readable(cmap::fd_get(&cmap))?,
            readable(cfg::fd_get(&cfg))?,
        ];
        Ok(Handles { readable, group: group.to_owned(), cpg, quorum, cmap, cfg, stopping: false })
    }

    /// Joins the group.
    pub(super) fn join(&self) -> Result<Sent, CorosyncError> {
        self.later(cpg::join(&self.cpg, &self.group), "join the group")
    }

    /// Leaves the group.
    pub(super) fn leave(&self) -> Result<Sent, CorosyncError> {
        self.later(cpg::leave(&self.cpg, &self.group), "leave the group")
    }

    /// Sends a packet to the group.
    pub(super) fn cast(&self, packet: &[u8]) -> Result<Sent, CorosyncError> {
        self.later(cpg::mcast_joined(&self.cpg, cpg::Guarantee::TypeAgreed, packet), "send to the group")
    }

    fn later(&self, result: Result<(), CsError>, what: &'static str) -> Result<Sent, CorosyncError> {
        match result {
            Ok(()) => Ok(Sent::Done),
            Err(CsError::CsErrTryAgain | CsError::CsErrBusy | CsError::CsErrQueueFull) => Ok(Sent::Later),
            Err(error) => Err(self.loss(what, error)),
        }
    }

    /// Waits until there may be something to dispatch.
    pub(super) async fn wait(&self) {
        let [cpg, quorum, cmap, cfg] = &self.readable;
        tokio::select! {
            _ = cpg.readable() => {}
            _ = quorum.readable() => {}
            _ = cmap.readable() => {}
            _ = cfg.readable() => {}
        }
    }

    /// Takes what has happened; true when there may be more. Without `group` the group's own events stay where they
    /// are.
    pub(super) fn dispatch(&mut self, group: bool) -> Result<(Vec<Event>, bool), CorosyncError> {
        let mut more = false;
        let one = DispatchFlags::OneNonblocking;
        more |= self.drain("quorum", || quorum::dispatch(&self.quorum, one))?;
        more |= self.drain("the configuration", || cmap::dispatch(&self.cmap, one))?;
        more |= self.drain("requests to stop", || cfg::dispatch(&self.cfg, one))?;
        if group {
            more |= self.drain("the group", || cpg::dispatch(&self.cpg, one))?;
        }
        let events: Vec<Event> = EVENTS.with_borrow_mut(|events| events.drain(..).collect());
        if events.iter().any(|event| matches!(event, Event::ShutdownAsked)) {
            self.stopping = true;
            if let Err(error) = cfg::reply_to_shutdown(&self.cfg, cfg::ShutdownReply::Yes) {
                tracing::warn!("Corosync's question whether it may stop cannot be answered: {error}");
            }
        }
        Ok((events, more))
    }

    fn drain(
        &self,
        what: &'static str,
        dispatch: impl Fn() -> Result<(), CsError>,
    ) -> Result<bool, CorosyncError> {
        for _ in 0..DISPATCHES_MAXIMUM {
            let before = EVENTS.with_borrow(VecDeque::len);
            match dispatch() {
                Ok(()) | Err(CsError::CsErrTryAgain) => {}
                Err(error) => return Err(self.loss(what, error)),
            }
            if EVENTS.with_borrow(VecDeque::len) == before {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Asks Corosync something that it must answer: this blocks while it hangs.
    pub(super) fn ping(&self) -> Result<(), CorosyncError> {
        match quorum::getquorate(&self.quorum) {
            Ok(_) | Err(CsError::CsErrTryAgain) => Ok(()),
            Err(error) => Err(self.loss("ask about quorum", error)),
        }
    }

    /// How long Corosync may answer nothing while it synchronises: with a quorum device, it waits for that one's vote
    /// (`quorum.device.sync_timeout`, see corosync-qdevice(8)).
    pub(super) fn synchronising(&self) -> Duration {
        if cmap::get(&self.cmap, "quorum.device.model").is_err() {
            return Duration::ZERO;
        }
        let configured = match cmap::get(&self.cmap, "quorum.device.sync_timeout") {
            Ok(cmap::Data::UInt32(number)) => Some(u64::from(number)),
            Ok(cmap::Data::String(text)) => text.parse().ok(),
            _ => None,
        };
        Duration::from_millis(configured.unwrap_or(SYNC_TIMEOUT_MS_DEFAULT).min(SYNC_TIMEOUT_MS_MAXIMUM))
    }

    /// The configured hosts.
    pub(super) fn node_list(&self) -> Result<NodeList, CorosyncError> {
        nodelist::read(&self.cmap)
    }

    /// A human has proven `without` off: nobody waits for them any more, and their votes are not expected.
    pub(super) fn proceed_without(&self, without: &BTreeSet<HostId>) -> Result<(), CorosyncError> {
        cmap::set_number(&self.cmap, "quorum.cancel_wait_for_all", 1_u8)
            .map_err(|error| failure("cancel the wait for all hosts", error))?;
        let callbacks = votequorum::Callbacks {
            quorum_notification_fn: None,
            nodelist_notification_fn: None,
            expectedvotes_notification_fn: None,
        };
        let votes = votequorum::initialize(&callbacks).map_err(refusal)?;
        let own = cpg::local_get(&self.cpg).map_err(|error| failure("ask for this host's nodeid", error))?;
        let info = votequorum::get_info(&votes, own).map_err(|error| failure("ask for votes", error))?;
        if info.flags.contains(votequorum::NodeInfoFlags::VOTEQUORUM_INFO_QUORATE) {
            return Ok(());
        }
        let absent: u32 = without
            .iter()
            .map(|host| {
                let known = votequorum::get_info(&votes, NodeId::from(host.0));
                known.map_or(1, |info| info.node_votes.max(1))
            })
            .sum();
        let expected = info.highest_expected.max(info.node_expected_votes).saturating_sub(absent).max(1);
        votequorum::set_expected(&votes, expected).map_err(|error| failure("lower the expected votes", error))
    }

    /// Why a connection that worked has ended.
    fn loss(&self, what: &'static str, error: CsError) -> CorosyncError {
        match error {
            CsError::CsErrLibrary | CsError::CsErrBadHandle | CsError::CsErrNotExist if self.stopping => {
                CorosyncError::Stopped
            }
            CsError::CsErrLibrary | CsError::CsErrBadHandle => CorosyncError::Gone,
            error => failure(what, error),
        }
    }
}

/// The process that is this host's Corosync, by its own word.
pub(super) fn corosync_process() -> Option<u32> {
    std::fs::read_to_string(PID_FILE).ok()?.trim().parse().ok()
}

/// How the Corosync ended to which a connection was; none while it has not.
pub(super) fn ending(process: Option<u32>) -> Option<CorosyncError> {
    if process.is_some_and(hafen_sys::is_running) {
        return None;
    }
    match corosync_process() {
        None => Some(CorosyncError::Stopped),
        now if now == process => Some(CorosyncError::Died),
        Some(_) => Some(CorosyncError::StartedAnew),
    }
}

/// Why Corosync cannot be connected to.
pub(super) fn refusal(error: CsError) -> CorosyncError {
    match error {
        CsError::CsErrLibrary | CsError::CsErrNotExist => CorosyncError::NotRunning,
        CsError::CsErrTryAgain | CsError::CsErrBusy => CorosyncError::Busy,
        CsError::CsErrAccess | CsError::CsErrSecurity => CorosyncError::Access,
        CsError::CsErrVersion | CsError::CsErrNotSupported | CsError::CsErrMessageError => {
            CorosyncError::Version(error.to_string())
        }
        error => failure("connect", error),
    }
}

pub(super) fn failure(what: &'static str, error: CsError) -> CorosyncError {
    CorosyncError::Call { what, error: error.to_string() }
}
