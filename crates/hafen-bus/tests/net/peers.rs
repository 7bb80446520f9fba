//! Processes in the hosts of a net that each run one bus, and the contract's cluster made of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hafen_bus::corosync::CorosyncSettings;
use hafen_bus::streams::PlainTransport;
use hafen_bus::wire::{FromHub, ToHub, read_frame};
use hafen_bus::{Bus, BusError};
use hafen_protocol::conformance::Cluster;
use hafen_protocol::{Delivery, HostId, Incarnation, MemberId, Transmission};
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use crate::net::{Net, PATIENCE, path_in};

/// The environment of a process that runs a bus: where it reports, and who it is.
const SOCKET_VARIABLE: &str = "HAFEN_BUS_TEST_SOCKET";
const HOST_VARIABLE: &str = "HAFEN_BUS_TEST_HOST";
const INCARNATION_VARIABLE: &str = "HAFEN_BUS_TEST_INCARNATION";

/// The port of streams.
const PORT: u16 = 5410;

pub(crate) fn member(host: u32, incarnation: u64) -> MemberId {
    MemberId { host: HostId(host), incarnation: Incarnation(incarnation) }
}

pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// If this process was started as a bus, runs it to its end.
pub(crate) fn run_if_told() {
    let variable = |name| std::env::var(name).ok();
    let Some(socket) = variable(SOCKET_VARIABLE) else { return };
    let number = |name| variable(name).and_then(|text| text.parse::<u64>().ok()).expect("a number");
    let host = u32::try_from(number(HOST_VARIABLE)).expect("a host");
    runtime().block_on(peer(socket.into(), member(host, number(INCARNATION_VARIABLE))));
}

async fn peer(socket: PathBuf, me: MemberId) {
    let (read, mut write) = UnixStream::connect(socket).await.expect("the test listens").into_split();
    write.write_all(&ToHub::Process(me).to_bytes()).await.expect("the test listens");
    let everywhere = std::net::Ipv4Addr::UNSPECIFIED.into();
    // The run before this one may still be leaving.
    let begin = Instant::now();
    let streams = loop {
        match PlainTransport::listen(me.host, everywhere, PORT).await {
            Ok(streams) => break streams,
            Err(error) => assert!(begin.elapsed() < PATIENCE, "no port: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let settings = CorosyncSettings { cluster: "test".to_owned() };
    let Bus { sender, mut receiver } = Bus::open_corosync(&settings, me, streams).expect("a bus");
    let mut read = BufReader::with_capacity(1 << 16, read);
    let orders = async {
        while let Ok(frame) = read_frame(&mut read).await {
            let Ok(ToHub::Transmit(transmission)) = ToHub::parse(&frame) else { return };
            if sender.send(transmission).await == Err(BusError::Ended) {
                break;
            }
        }
    };
    let deliveries = async {
        while let Some(delivery) = receiver.receive().await {
            if write.write_all(&FromHub::Delivery(delivery).to_bytes()).await.is_err() {
                return;
            }
        }
        let _ = write.write_all(&FromHub::Left.to_bytes()).await;
    };
    tokio::select! {
        // The test's end.
        () = orders => {}
        () = deliveries => {}
    }
}

/// A process that runs a bus.
struct Peer {
    process: Child,
    write: Option<OwnedWriteHalf>,
}

/// The contract's cluster: real Corosyncs, and a process for each daemon.
pub(crate) struct Peers {
    pub(crate) net: Net,
    runtime: Runtime,
    listener: UnixListener,
    peers: BTreeMap<MemberId, Peer>,
    gathered: mpsc::UnboundedSender<(MemberId, Delivery)>,
    deliveries: mpsc::UnboundedReceiver<(MemberId, Delivery)>,
    /// The test of this binary that calls `run_if_told`.
    entry: &'static str,
}

impl Drop for Peers {
    fn drop(&mut self) {
        let members: Vec<MemberId> = self.peers.keys().copied().collect();
        members.into_iter().for_each(|member| self.kill(member));
    }
}

impl Peers {
    pub(crate) fn new(net: Net, entry: &'static str) -> Peers {
        let runtime = runtime();
        let listener = {
            let _inside = runtime.enter();
            UnixListener::bind(path_in(&net, "peers")).expect("a socket")
        };
        let (gathered, deliveries) = mpsc::unbounded_channel();
        Peers { net, runtime, listener, peers: BTreeMap::new(), gathered, deliveries, entry }
    }

    /// Starts a daemon on a host, whoever it takes itself for.
    pub(crate) fn join_on(&mut self, host: HostId, member: MemberId) {
        if !self.net.is_up(host) {
            return;
        }
        let mut command = Command::new(std::env::current_exe().expect("this test"));
        command.args(["--exact", self.entry, "--nocapture", "--test-threads=1"]);
        command.env(SOCKET_VARIABLE, path_in(&self.net, "peers"));
        command.env(HOST_VARIABLE, member.host.to_string());
        command.env(INCARNATION_VARIABLE, member.incarnation.0.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let process = self.net.spawn(host, command);
        let accepting = async { tokio::time::timeout(PATIENCE, self.accept()).await };
        let (connected, write) = self.runtime.block_on(accepting).expect("the process connects");
        assert_eq!(connected, member);
        self.peers.insert(member, Peer { process, write: Some(write) });
    }

    async fn accept(&self) -> (MemberId, OwnedWriteHalf) {
        let (stream, _) = self.listener.accept().await.expect("a connection");
        let (read, write) = stream.into_split();
        let mut read = BufReader::with_capacity(1 << 16, read);
        let first = read_frame(&mut read).await.expect("a first frame");
        let Ok(ToHub::Process(member)) = ToHub::parse(&first) else { panic!("it does not say who it is") };
        let gathered = self.gathered.clone();
        tokio::spawn(async move {
            while let Ok(frame) = read_frame(&mut read).await {
                let delivery = match FromHub::parse(&frame).expect("a delivery") {
                    FromHub::Delivery(delivery) => delivery,
                    FromHub::Refused(reason) => Delivery::Lost { reason },
                    _ => return,
                };
                let _ = gathered.send((member, delivery));
            }
        });
        (member, write)
    }
}

impl Cluster for Peers {
    fn host_up(&mut self, host: HostId) {
        if !self.net.is_up(host) {
            self.net.host_up(host);
        }
    }

    fn host_down(&mut self, host: HostId) {
        self.net.cut_power(host);
        let members: Vec<MemberId> = self.peers.keys().filter(|m| m.host == host).copied().collect();
        members.into_iter().for_each(|member| self.kill(member));
        self.net.host_down(host);
    }

    fn join(&mut self, member: MemberId) {
        self.join_on(member.host, member);
    }

    fn kill(&mut self, member: MemberId) {
        if let Some(mut peer) = self.peers.remove(&member) {
            let _ = peer.process.kill();
            let _ = peer.process.wait();
        }
    }

    fn transmit(&mut self, from: MemberId, transmission: Transmission) {
        let Some(peer) = self.peers.get_mut(&from) else { return };
        let Some(write) = &mut peer.write else { return };
        let bytes = ToHub::Transmit(transmission).to_bytes();
        let _ = self.runtime.block_on(write.write_all(&bytes));
    }

    fn partition(&mut self, parts: &[BTreeSet<HostId>]) {
        self.net.partition(parts);
    }

    fn heal(&mut self) {
        self.net.heal();
    }

    fn advance(&mut self, milliseconds: u64) -> Vec<(MemberId, Delivery)> {
        self.runtime.block_on(async { tokio::time::sleep(Duration::from_millis(milliseconds)).await });
        std::iter::from_fn(|| self.deliveries.try_recv().ok()).collect()
    }

    fn exact_streams(&self) -> bool {
        false
    }
}
