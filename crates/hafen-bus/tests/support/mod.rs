//! A hub in a thread of its own, and hosts and daemons that speak to it over real sockets.
#![allow(
    dead_code,
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "support of several tests, a shell"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::mpsc as sync;
use std::thread::JoinHandle;
use std::time::Duration;

use hafen_bus::control::{self, Control, ControlReply};
use hafen_bus::hub::{Hub, HubSettings, WRITER_BYTES_MAXIMUM};
use hafen_bus::ring_agent::RingAgent;
use hafen_bus::{Bus, BusSender, EngineSettings};
use hafen_protocol::conformance::{Cluster, HOSTS};
use hafen_protocol::sequencer::Settings;
use hafen_protocol::{Delivery, HostId, Incarnation, MemberId, Transmission};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle as Task;

pub(crate) fn member(host: u32, incarnation: u64) -> MemberId {
    MemberId { host: HostId(host), incarnation: Incarnation(incarnation) }
}

pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

pub(crate) fn settings(directory: &Path) -> HubSettings {
    HubSettings {
        socket: directory.join("hub"),
        control: directory.join("control"),
        sequencer: Settings::calm((1..=HOSTS).map(HostId).collect()),
        seed: 1,
        writer_bytes_maximum: WRITER_BYTES_MAXIMUM,
    }
}

/// A hub; it ends when this is dropped.
pub(crate) struct HubThread {
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl HubThread {
    pub(crate) fn start(settings: HubSettings) -> HubThread {
        let (started, ready) = sync::channel();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let thread = std::thread::spawn(move || {
            runtime().block_on(async {
                let hub = Hub::start(settings).await.unwrap();
                started.send(()).unwrap();
                let _ = stopped.await;
                drop(hub);
            });
        });
        ready.recv().unwrap();
        HubThread { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for HubThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A daemon: its deliveries are gathered by a task.
struct Daemon {
    sender: BusSender,
    gather: Task<()>,
}

/// Three hosts at a hub.
pub(crate) struct SocketCluster {
    runtime: Runtime,
    socket: PathBuf,
    control: PathBuf,
    rings: BTreeMap<HostId, RingAgent>,
    daemons: BTreeMap<MemberId, Daemon>,
    gathered: tokio::sync::mpsc::UnboundedSender<(MemberId, Delivery)>,
    deliveries: tokio::sync::mpsc::UnboundedReceiver<(MemberId, Delivery)>,
    _hub: HubThread,
    _directory: tempfile::TempDir,
}

impl SocketCluster {
    pub(crate) fn new(sequencer: Settings, seed: u64) -> SocketCluster {
        let directory = tempfile::tempdir().unwrap();
        let mut hub = settings(directory.path());
        (hub.sequencer, hub.seed) = (sequencer, seed);
        let (gathered, deliveries) = tokio::sync::mpsc::unbounded_channel();
        SocketCluster {
            runtime: runtime(),
            socket: hub.socket.clone(),
            control: hub.control.clone(),
            rings: BTreeMap::new(),
            daemons: BTreeMap::new(),
            gathered,
            deliveries,
            _hub: HubThread::start(hub),
            _directory: directory,
        }
    }

    pub(crate) fn ask(&self, control: &Control) {
        assert_eq!(control::request(&self.control, control).unwrap(), ControlReply::Done);
    }

    fn end(&mut self, member: MemberId) {
        if let Some(daemon) = self.daemons.remove(&member) {
            daemon.gather.abort();
            let _ = self.runtime.block_on(daemon.gather);
        }
    }
}

impl Cluster for SocketCluster {
    fn host_up(&mut self, host: HostId) {
        if !self.rings.contains_key(&host) {
            self.rings.insert(host, RingAgent::connect(&self.socket, host).unwrap());
        }
    }
    fn host_down(&mut self, host: HostId) {
        // The power switch kills the host's first process, and everything else with it.
        if self.rings.remove(&host).is_some() {
            self.ask(&Control::HostDown { host });
        }
        let members: Vec<MemberId> = self.daemons.keys().filter(|m| m.host == host).copied().collect();
        members.into_iter().for_each(|member| self.end(member));
    }
    fn join(&mut self, member: MemberId) {
        let _inside = self.runtime.enter();
        let bus = Bus::open(EngineSettings::Local { socket: self.socket.clone() }, member);
        let (mut receiver, gathered) = (bus.receiver, self.gathered.clone());
        let gather = self.runtime.spawn(async move {
            while let Some(delivery) = receiver.receive().await {
                let _ = gathered.send((member, delivery));
            }
        });
        self.daemons.insert(member, Daemon { sender: bus.sender, gather });
    }
    fn kill(&mut self, member: MemberId) {
        self.end(member);
    }
    fn transmit(&mut self, from: MemberId, transmission: Transmission) {
        if let Some(daemon) = self.daemons.get(&from) {
            let _ = self.runtime.block_on(daemon.sender.send(transmission));
        }
    }
    fn partition(&mut self, parts: &[BTreeSet<HostId>]) {
        self.ask(&Control::Partition { parts: parts.to_vec() });
    }
    fn heal(&mut self) {
        self.ask(&Control::Heal { host: None, other: None });
    }
    fn advance(&mut self, milliseconds: u64) -> Vec<(MemberId, Delivery)> {
        self.runtime.block_on(async { tokio::time::sleep(Duration::from_millis(milliseconds)).await });
        std::iter::from_fn(|| self.deliveries.try_recv().ok()).collect()
    }
    fn exact_streams(&self) -> bool {
        false
    }
}
