//! Fragments, windows and garbage.

use std::collections::{BTreeMap, BTreeSet};

use hafen_protocol::frame::{FRAGMENT_BYTES_MAXIMUM, GarbageError, HEADER_BYTES};
use hafen_protocol::message::Message;
use hafen_protocol::transport::{
    QUEUE_FRAMES_MAXIMUM, SendError, StateCopy, StreamMessage, WHOLE_MESSAGE_BYTES_MAXIMUM,
    WINDOW_BYTES_MAXIMUM, WINDOW_FRAMES_MAXIMUM,
};
use hafen_protocol::view::MESSAGE_BYTES_MAXIMUM;
use hafen_protocol::{HostId, Incarnation, MemberId, QuorumJoiner, RingId, Transport, View, ViewId};
use proptest::prelude::*;

fn member(host: u32) -> MemberId {
    MemberId { host: HostId(host), incarnation: Incarnation(1) }
}

fn ring(sequence: u64) -> RingId {
    RingId { sequence, representative: HostId(1) }
}

fn view(sequence: u64) -> View {
    View {
        ring: ring(sequence),
        sequence: 0,
        hosts: BTreeSet::from([HostId(1), HostId(2)]),
        members: BTreeMap::from([(HostId(1), Incarnation(1)), (HostId(2), Incarnation(1))]),
    }
}

fn long(bytes: usize) -> Message {
    Message::DiskFailed { reason: "x".repeat(bytes) }
}

fn drain(transport: &mut Transport) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| transport.poll_frame()).collect()
}

#[test]
fn a_short_message_is_one_frame_and_comes_back_equal() {
    let (mut one, mut two) = (Transport::new(member(1)), Transport::new(member(2)));
    one.send(&Message::Persisted { position: 7 }, view(1).id()).unwrap();
    let frames = drain(&mut one);
    assert_eq!(frames.len(), 1);
    let envelope = two.receive(member(1), &frames[0]).unwrap().unwrap();
    assert_eq!(envelope.view, view(1).id());
    assert_eq!(envelope.message, Message::Persisted { position: 7 });
}

#[test]
fn a_long_message_travels_in_fragments_through_the_window() {
    let (mut one, mut two) = (Transport::new(member(1)), Transport::new(member(2)));
    let message = long(10 * MESSAGE_BYTES_MAXIMUM);
    one.send(&message, view(1).id()).unwrap();
    let mut got = Vec::new();
    let mut rounds = 0;
    loop {
        let frames = drain(&mut one);
        if frames.is_empty() {
            break;
        }
        rounds += 1;
        assert!(one.window_bytes() <= WINDOW_BYTES_MAXIMUM);
        for frame in frames {
            assert!(frame.len() <= MESSAGE_BYTES_MAXIMUM);
            one.receive(member(1), &frame).unwrap();
            got.extend(two.receive(member(1), &frame).unwrap());
        }
    }
    assert!(rounds > 1, "ten frames of 1 MiB do not fit into one window");
    assert_eq!(got.len(), 1);
    assert_eq!(got[0].message, message);
    assert_eq!(one.window_bytes(), 0);
}

#[test]
fn the_window_also_counts_frames() {
    let mut one = Transport::new(member(1));
    for _ in 0..2 * WINDOW_FRAMES_MAXIMUM {
        one.send(&Message::Synchronised, view(1).id()).unwrap();
    }
    let frames = drain(&mut one);
    assert_eq!(frames.len(), WINDOW_FRAMES_MAXIMUM);
    // A lost frame in between does not keep the window shut: a later one that came back stands for all before it.
    one.receive(member(1), &frames[9]).unwrap();
    assert_eq!(drain(&mut one).len(), 10);
}

#[test]
fn a_full_queue_refuses_and_keeps_what_it_has() {
    let mut one = Transport::new(member(1));
    for _ in 0..QUEUE_FRAMES_MAXIMUM {
        one.send(&Message::Synchronised, view(1).id()).unwrap();
    }
    assert!(matches!(one.send(&Message::Synchronised, view(1).id()), Err(SendError::QueueFull { .. })));
    one.view_changed(&view(2));
    assert_eq!(one.queued_bytes(), 0);
    one.send(&Message::Synchronised, view(2).id()).unwrap();
}

#[test]
fn a_message_beyond_the_limit_is_refused() {
    let mut one = Transport::new(member(1));
    assert!(matches!(
        one.send(&long(WHOLE_MESSAGE_BYTES_MAXIMUM), view(1).id()),
        Err(SendError::TooLong { .. })
    ));
    assert_eq!(one.queued_bytes(), 0);
}

#[test]
fn fragments_of_the_old_view_are_passed_over_in_the_new_one() {
    let (mut one, mut two) = (Transport::new(member(1)), Transport::new(member(2)));
    one.send(&long(3 * MESSAGE_BYTES_MAXIMUM), view(1).id()).unwrap();
    let frames = drain(&mut one);
    two.receive(member(1), &frames[0]).unwrap();
    for transport in [&mut one, &mut two] {
        transport.view_changed(&view(2));
    }
    for frame in &frames[1..] {
        assert_eq!(two.receive(member(1), frame), Ok(None));
        assert_eq!(one.receive(member(1), frame), Ok(None));
    }
    one.send(&Message::Synchronised, view(2).id()).unwrap();
    let frames = drain(&mut one);
    assert_eq!(two.receive(member(1), &frames[0]).unwrap().unwrap().message, Message::Synchronised);
}

#[test]
fn senders_do_not_disturb_each_other_and_streams_are_apart() {
    let (mut one, mut two) = (Transport::new(member(1)), Transport::new(member(2)));
    let mut three = Transport::new(member(3));
    one.send(&long(2 * MESSAGE_BYTES_MAXIMUM), view(1).id()).unwrap();
    two.send(&long(2 * MESSAGE_BYTES_MAXIMUM), view(1).id()).unwrap();
    let copy = StreamMessage::Copy(StateCopy {
        view: view(1).id(),
        position: 3,
        payload: "s".repeat(3 * MESSAGE_BYTES_MAXIMUM),
    });
    let stream = one.stream_frames(&copy).unwrap();
    assert!(stream.len() >= 3);
    let (ones, twos) = (drain(&mut one), drain(&mut two));
    let mut whole = 0;
    let mut copies = Vec::new();
    for index in 0..4 {
        for (from, frames) in [(1, &ones), (2, &twos)] {
            if let Some(frame) = frames.get(index) {
                whole += usize::from(three.receive(member(from), frame).unwrap().is_some());
            }
        }
        if let Some(frame) = stream.get(index) {
            copies.extend(three.receive_stream(member(1), frame).unwrap());
        }
    }
    assert_eq!(whole, 2);
    assert_eq!(copies, [copy]);
}

#[test]
fn contradictions_are_errors_and_the_next_message_is_read() {
    let (mut one, mut two) = (Transport::new(member(1)), Transport::new(member(2)));
    one.send(&long(3 * MESSAGE_BYTES_MAXIMUM), view(1).id()).unwrap();
    one.send(&Message::Synchronised, view(1).id()).unwrap();
    let frames = drain(&mut one);
    two.receive(member(1), &frames[0]).unwrap();
    assert!(matches!(two.receive(member(1), &frames[2]), Err(GarbageError::Sequence { expected: 1, .. })));
    assert_eq!(two.receive(member(1), &frames[1]), Ok(None));
    let last = frames.last().unwrap();
    assert!(two.receive(member(1), last).unwrap().is_some());
    let mut torn = last.clone();
    torn.truncate(HEADER_BYTES + 3);
    assert!(matches!(two.receive(member(1), &torn), Err(GarbageError::Message(_))));
    let mut other = last.clone();
    other[0] = 9;
    assert_eq!(two.receive(member(1), &other), Err(GarbageError::Version(9)));
    assert!(matches!(
        two.receive(member(1), &vec![1; MESSAGE_BYTES_MAXIMUM + 1]),
        Err(GarbageError::Length(_))
    ));
    let deep = [last[..HEADER_BYTES].to_vec(), vec![b'['; 100_000]].concat();
    assert!(matches!(two.receive(member(1), &deep), Err(GarbageError::Message(_))));
    assert_eq!(FRAGMENT_BYTES_MAXIMUM + HEADER_BYTES, MESSAGE_BYTES_MAXIMUM);
}

proptest! {
    #[test]
    fn garbage_never_panics(frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..32)) {
        let mut two = Transport::new(member(2));
        for frame in frames {
            let _ = two.receive(member(1), &frame);
            let _ = two.receive_stream(member(2), &frame);
        }
    }

    #[test]
    fn damaged_frames_never_panic(at in 0_usize..200, value in any::<u8>(), cut in 0_usize..200) {
        let (mut one, mut two) = (Transport::new(member(1)), Transport::new(member(2)));
        one.send(&long(120), ViewId { ring: ring(1), sequence: 4 }).unwrap();
        let mut frame = drain(&mut one).remove(0);
        if let Some(byte) = frame.get_mut(at) {
            *byte = value;
        }
        frame.truncate(cut);
        let _ = two.receive(member(1), &frame);
    }
}

#[test]
fn quorum_counts_only_for_the_ring_of_the_view() {
    let mut joiner = QuorumJoiner::new();
    assert_eq!(joiner.quorate(), None);
    joiner.quorum_changed(ring(2), true);
    assert_eq!(joiner.quorate(), None);
    joiner.view_changed(&view(1));
    assert_eq!(joiner.quorate(), None, "nothing was said of ring 1");
    joiner.view_changed(&view(2));
    assert_eq!(joiner.quorate(), Some(true), "it was said before the view came");
    joiner.quorum_changed(ring(1), false);
    assert_eq!(joiner.quorate(), Some(true), "late word of an old ring");
    joiner.quorum_changed(ring(2), false);
    assert_eq!(joiner.quorate(), Some(false));
    for sequence in 3..100 {
        joiner.quorum_changed(ring(sequence), true);
    }
    assert_eq!(joiner.quorate(), Some(false), "the current ring is never forgotten");
    joiner.view_changed(&view(99));
    assert_eq!(joiner.quorate(), Some(true));
    joiner.lost();
    assert_eq!(joiner.quorate(), None);
}

#[test]
fn a_greeting_of_another_version_tells_its_version() {
    let frame = |body: &str| {
        let number = 0_u64.to_be_bytes();
        let (index, count) = (0_u32.to_be_bytes(), 1_u32.to_be_bytes());
        [&[1][..], &number, &index, &count, body.as_bytes()].concat()
    };
    let mut transport = Transport::new(member(1));
    let greeting = r#"{"view":"of tomorrow","message":{"Hello":{"protocol":7,"uname":"host2"}}}"#;
    assert_eq!(transport.receive(member(2), &frame(greeting)), Err(GarbageError::Protocol(7)));
    let other = r#"{"view":"of tomorrow","message":{"Gesture":{"protocol":7}}}"#;
    assert!(matches!(transport.receive(member(2), &frame(other)), Err(GarbageError::Message(_))));
}
