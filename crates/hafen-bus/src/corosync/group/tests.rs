//! The contract's tests over groups in a model of Corosync.

use hafen_protocol::Incarnation;
use hafen_protocol::conformance::{SCRIPTS, storm};

use super::model::Model;
use super::*;

#[test]
fn scripts_hold_in_the_model() {
    for (name, script) in SCRIPTS.iter().filter(|(name, _)| *name != "streams_reach_one_member") {
        for seed in 0..3 {
            script(&mut Model::new(seed)).unwrap_or_else(|error| panic!("{name}, seed {seed}: {error}"));
        }
    }
}

#[test]
fn storms_hold_in_the_model() {
    let count = std::env::var("HAFEN_STORMS").ok().and_then(|count| count.parse().ok()).unwrap_or(40);
    for seed in 0..count {
        storm(&mut Model::new(seed), seed, 120).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
}

#[test]
fn storms_hold_with_processes_that_stop_for_seconds() {
    let count = std::env::var("HAFEN_STORMS").ok().and_then(|count| count.parse().ok()).unwrap_or(40);
    for seed in 0..count {
        let mut model = Model::new(seed);
        model.naps = true;
        storm(&mut model, seed, 120).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
}

fn alone() -> Group {
    let me = MemberId { host: HostId(1), incarnation: Incarnation(1) };
    Group::new(me, 7)
}

#[test]
fn who_meets_an_older_protocol_withdraws_and_says_why() {
    let mut group = alone();
    let now = Now { monotonic_ms: 1, wall_ms: 1 };
    let from = Address { host: HostId(2), process: 9 };
    let mut bytes = Packet::Query(Token { by: group.me, number: 1 }).to_bytes();
    bytes[3] = PROTOCOL_VERSION + 1;
    group.handle(now, Input::Packet { from, bytes: bytes.clone() });
    assert_eq!(group.poll_output(), None, "who speaks a later one withdraws itself");
    bytes[3] = PROTOCOL_VERSION - 1;
    group.handle(now, Input::Packet { from, bytes });
    let Some(Output::Deliver(Delivery::Lost { reason })) = group.poll_output() else {
        panic!("no word of it")
    };
    assert!(reason.contains("host 2") && reason.contains("protocol 0"), "{reason}");
    assert_eq!(group.poll_output(), Some(Output::Withdraw));
}

#[test]
fn garbage_changes_nothing() {
    let mut group = alone();
    let now = Now { monotonic_ms: 1, wall_ms: 1 };
    let from = Address { host: HostId(2), process: 9 };
    for bytes in [vec![], vec![0xff; 40], b"HFN\x01\x02{}".to_vec(), b"HFN\x01\x03[]".to_vec()] {
        group.handle(now, Input::Packet { from, bytes });
        assert_eq!(group.poll_output(), None);
    }
}
