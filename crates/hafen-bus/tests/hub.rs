//! The hub and its clients when things go wrong.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a shell")]

mod support;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use hafen_bus::control::{self, Control, ControlReply, HubStatus};
use hafen_bus::hub::Hub;
use hafen_bus::ring_agent::{self, RingAgent};
use hafen_bus::wire::{FRAME_BYTES_MAXIMUM, FromHub, ToHub};
use hafen_bus::{Bus, BusError, EngineSettings};
use hafen_protocol::{Delivery, HostId, MemberId, Transmission, View};
use support::{HubThread, member, runtime, settings};

/// Longer than anything here takes; only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(20);

async fn until<T>(bus: &mut Bus, mut wanted: impl FnMut(Delivery) -> Option<T>) -> T {
    let found = async {
        loop {
            let delivery = bus.receiver.receive().await.expect("the engine goes on");
            if let Some(found) = wanted(delivery) {
                return found;
            }
        }
    };
    tokio::time::timeout(PATIENCE, found).await.expect("it comes")
}

async fn view_of(bus: &mut Bus, members: usize) -> View {
    until(bus, |delivery| match delivery {
        Delivery::View(view) if view.members.len() == members => Some(view),
        _ => None,
    })
    .await
}

fn open(socket: &Path, member: MemberId) -> Bus {
    Bus::open(EngineSettings::Local { socket: socket.to_owned() }, member)
}

fn status(control: &Path) -> HubStatus {
    match control::request(control, &Control::Status).unwrap() {
        ControlReply::Status(status) => status,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_death_of_the_hub_is_told_once_and_a_new_hub_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let settings = settings(directory.path());
    let hub = HubThread::start(settings.clone());
    let socket = settings.socket.clone();
    let holder = socket.clone();
    // Ends with the test's process: `hold` never returns.
    std::thread::spawn(move || ring_agent::hold(&holder, HostId(1)));
    runtime().block_on(async {
        let mut bus = open(&socket, member(1, 1));
        let before = view_of(&mut bus, 1).await;
        tokio::task::spawn_blocking(move || drop(hub)).await.unwrap();
        let lost = |delivery| match delivery {
            Delivery::Lost { reason } => Some(reason),
            _ => None,
        };
        let reason = until(&mut bus, lost).await;
        assert!(reason.contains("hub"), "{reason}");
        bus.sender.send(Transmission::Multicast(b"to nobody".to_vec())).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let mut told = 0;
        while let Some(delivery) = bus.receiver.try_receive() {
            assert!(matches!(delivery, Delivery::Lost { .. }), "{delivery:?}");
            told += 1;
        }
        assert!(told <= 2, "each kind of loss is told once, not {told} times");
        let _hub = tokio::task::spawn_blocking(move || HubThread::start(settings)).await.unwrap();
        let after = view_of(&mut bus, 1).await;
        assert!(after.ring.sequence > before.ring.sequence, "{before:?} {after:?}");
    });
}

#[test]
fn garbage_ends_its_own_connection_only() {
    let directory = tempfile::tempdir().unwrap();
    let settings = settings(directory.path());
    let _hub = HubThread::start(settings.clone());
    let _ring = RingAgent::connect(&settings.socket, HostId(1)).unwrap();
    let frame = |body: &[u8]| [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], body].concat();
    let garbage: Vec<Vec<u8>> = vec![
        vec![0; 4],
        vec![0xff; 64],
        frame(&[0x99, 1, 2, 3]),
        frame(&[0x02, 1, 2, 3]),
        frame(&[0x01, 9, 0, 0, 0, 1]),
        ToHub::Transmit(Transmission::Multicast(vec![1])).to_bytes(),
        u32::try_from(FRAME_BYTES_MAXIMUM + 1).unwrap().to_be_bytes().to_vec(),
        [ToHub::Ring(HostId(2)).to_bytes(), ToHub::Transmit(Transmission::Leave).to_bytes()].concat(),
        [ToHub::Process(member(1, 7)).to_bytes(), frame(&[0x7f; 40])].concat(),
        ToHub::Ring(HostId(99)).to_bytes(),
    ];
    for bytes in garbage {
        let mut stream = UnixStream::connect(&settings.socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&bytes).unwrap();
        let mut said = Vec::new();
        let ended = stream.read_to_end(&mut said);
        assert!(ended.is_ok() || ended.is_err_and(|e| e.kind() == std::io::ErrorKind::ConnectionReset));
    }
    for line in ["\n", "{}\n", "[[[[\n", "{\"command\":\"cut\"}\n", "{\"command\":\"cut\",\"host\":99}\n"] {
        let mut stream = UnixStream::connect(&settings.control).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(line.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(
            matches!(serde_json::from_str(&answer), Ok(ControlReply::Failed { .. })),
            "{line:?}: {answer}"
        );
    }
    runtime().block_on(async {
        let mut bus = open(&settings.socket, member(1, 8));
        view_of(&mut bus, 1).await;
    });
    assert_eq!(status(&settings.control).up, [HostId(1)].into());
}

#[test]
fn a_daemon_that_does_not_read_is_disconnected_and_the_others_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let mut settings = settings(directory.path());
    settings.writer_bytes_maximum = 4 << 20;
    let _hub = HubThread::start(settings.clone());
    let _rings = [1, 2].map(|host| RingAgent::connect(&settings.socket, HostId(host)).unwrap());
    let mut deaf = UnixStream::connect(&settings.socket).unwrap();
    deaf.write_all(&ToHub::Process(member(2, 1)).to_bytes()).unwrap();
    runtime().block_on(async {
        let mut bus = open(&settings.socket, member(1, 1));
        view_of(&mut bus, 2).await;
        for _ in 0..16 {
            bus.sender.send(Transmission::Multicast(vec![0; 1 << 20])).await.unwrap();
            until(&mut bus, |delivery| matches!(delivery, Delivery::Message { .. }).then_some(())).await;
            if status(&settings.control).daemons.len() == 1 {
                break;
            }
        }
        let view = view_of(&mut bus, 1).await;
        assert!(view.hosts.contains(&HostId(2)), "its host is still there");
    });
    drop(deaf);
}

#[test]
fn a_second_hub_is_refused_and_a_leftover_socket_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let settings = settings(directory.path());
    drop(std::os::unix::net::UnixListener::bind(&settings.socket).unwrap());
    let _hub = HubThread::start(settings.clone());
    let error = runtime().block_on(Hub::start(settings.clone())).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse, "{error}");
    assert!(settings.socket.exists(), "the first hub keeps its socket");
}

#[test]
fn a_host_that_is_cut_from_power_is_lost_at_once_and_not_its_daemon_first() {
    let directory = tempfile::tempdir().unwrap();
    let settings = settings(directory.path());
    let _hub = HubThread::start(settings.clone());
    let _one = RingAgent::connect(&settings.socket, HostId(1)).unwrap();
    let two = RingAgent::connect(&settings.socket, HostId(2)).unwrap();
    runtime().block_on(async {
        let mut bus = open(&settings.socket, member(1, 1));
        let mut dying = open(&settings.socket, member(2, 1));
        view_of(&mut bus, 2).await;
        view_of(&mut dying, 2).await;
        drop(dying);
        drop(two);
        let view = view_of(&mut bus, 1).await;
        assert!(!view.hosts.contains(&HostId(2)), "the first word of it is the host's loss: {view:?}");
        let status = status(&settings.control);
        assert_eq!((status.up, status.daemons.len()), ([HostId(1)].into(), 1));
    });
}

#[test]
fn who_has_left_gets_nothing_more_and_a_full_queue_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let settings = settings(directory.path());
    let _hub = HubThread::start(settings.clone());
    let _one = RingAgent::connect(&settings.socket, HostId(1)).unwrap();
    runtime().block_on(async {
        let mut bus = open(&settings.socket, member(1, 1));
        view_of(&mut bus, 1).await;
        bus.sender.send(Transmission::Leave).await.unwrap();
        let end = async { while bus.receiver.receive().await.is_some() {} };
        tokio::time::timeout(PATIENCE, end).await.expect("it ends");
        assert_eq!(bus.sender.try_send(Transmission::Leave), Err(BusError::Ended));
        // Nothing else runs in this thread between these, so nothing is taken from the queue.
        let bus = open(&settings.socket, member(1, 2));
        let mut refused = 0;
        for _ in 0..=hafen_bus::OUTGOING_MAXIMUM {
            refused += usize::from(matches!(
                bus.sender.try_send(Transmission::Multicast(vec![1])),
                Err(BusError::Full(_))
            ));
        }
        assert_eq!(refused, 1);
    });
}

/// Prints the time of a multicast's round trip; asserts only that all came back.
#[test]
fn round_trips() {
    const ROUNDS: usize = 500;
    let directory = tempfile::tempdir().unwrap();
    let settings = settings(directory.path());
    let _hub = HubThread::start(settings.clone());
    let _one = RingAgent::connect(&settings.socket, HostId(1)).unwrap();
    runtime().block_on(async {
        let mut bus = open(&settings.socket, member(1, 1));
        view_of(&mut bus, 1).await;
        let mut times = Vec::new();
        for round in 0..ROUNDS {
            let bytes = round.to_be_bytes().to_vec();
            let start = Instant::now();
            bus.sender.send(Transmission::Multicast(bytes.clone())).await.unwrap();
            let wanted = Delivery::Message { from: member(1, 1), bytes };
            until(&mut bus, |delivery| (delivery == wanted).then_some(())).await;
            times.push(start.elapsed());
        }
        times.sort_unstable();
        println!("round trip: median {:?}, 99 % {:?}", times[ROUNDS / 2], times[ROUNDS * 99 / 100]);
        assert_eq!(times.len(), ROUNDS);
    });
}

#[test]
fn every_frame_of_the_wire_comes_back_equal() {
    let frames = [
        FromHub::Accepted,
        FromHub::Left,
        FromHub::Refused("no".to_owned()),
        FromHub::Delivery(Delivery::Message { from: member(3, 4), bytes: vec![1, 2] }),
        FromHub::Delivery(Delivery::Stream { from: member(3, 4), bytes: Vec::new() }),
        FromHub::Delivery(Delivery::Quorum {
            ring: hafen_protocol::RingId { sequence: 5, representative: HostId(2) },
            quorate: true,
        }),
    ];
    for frame in frames {
        assert_eq!(FromHub::parse(&frame.to_bytes()[4..]).unwrap(), frame);
        for cut in 5..frame.to_bytes().len() {
            let _ = FromHub::parse(&frame.to_bytes()[4..cut]);
        }
    }
}
