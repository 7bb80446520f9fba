//! Each check finds its own kind of broken promise.

use std::collections::{BTreeMap, BTreeSet};

use super::{History, Payload, check};
use crate::view::{Delivery, HostId, Incarnation, MemberId, RingId, View};

fn member(host: u32) -> MemberId {
    MemberId { host: HostId(host), incarnation: Incarnation(1) }
}

fn view(ring: u64, hosts: &[u32]) -> Delivery {
    Delivery::View(View {
        ring: RingId { sequence: ring, representative: HostId(1) },
        sequence: 0,
        hosts: hosts.iter().copied().map(HostId).collect::<BTreeSet<_>>(),
        members: hosts.iter().map(|&host| (HostId(host), Incarnation(1))).collect::<BTreeMap<_, _>>(),
    })
}

fn payload(from: u32, number: u64) -> Payload {
    Payload { from: member(from), to: None, number, view: None }
}

fn message(from: u32, number: u64) -> Delivery {
    Delivery::Message { from: member(from), bytes: payload(from, number).to_bytes() }
}

/// Numbers 1 to 3 were sent by host 1, 4 by host 2.
fn verdict(deliveries: &[(u32, &[Delivery])]) -> String {
    let mut history = History::new(true);
    for number in 1..=3 {
        history.sent(payload(1, number));
    }
    history.sent(payload(2, 4));
    history.sent(Payload { to: Some(member(2)), ..payload(1, 5) });
    for (to, list) in deliveries {
        for delivery in *list {
            history.delivered(member(*to), delivery.clone());
        }
    }
    check(&history)
        .map_or_else(|error| error.split(':').next().unwrap_or_default().to_owned(), |()| String::new())
}

#[test]
fn good_histories_pass() {
    let both = [view(1, &[1, 2]), message(1, 1), message(2, 4), view(2, &[1, 2])];
    assert_eq!(verdict(&[(1, &both), (2, &both)]), "");
    // Another rest of the order on the other side of a partition.
    let one = [view(1, &[1, 2]), message(1, 1), message(1, 2), view(2, &[1])];
    assert_eq!(verdict(&[(1, &one), (2, &both[..2])]), "");
}

#[test]
fn each_check_finds_its_own() {
    let start = view(1, &[1, 2]);
    assert_eq!(verdict(&[(1, &[message(1, 1)])]), "within_views");
    assert_eq!(verdict(&[(1, &[view(1, &[2])])]), "views_agree");
    assert_eq!(verdict(&[(1, &[view(1, &[1])]), (2, &[view(1, &[1, 2])])]), "views_agree");
    assert_eq!(verdict(&[(1, &[view(2, &[1]), view(1, &[1])])]), "views_advance");
    assert_eq!(verdict(&[(1, &[view(1, &[1]), message(2, 4)])]), "senders_are_members");
    assert_eq!(verdict(&[(1, &[start.clone(), message(1, 9)])]), "sent_once_delivered_once");
    assert_eq!(verdict(&[(1, &[start.clone(), message(1, 1), message(1, 1)])]), "sent_once_delivered_once");
    assert_eq!(verdict(&[(1, &[start.clone(), message(1, 1), message(1, 3)])]), "senders_order_without_gaps");
    assert_eq!(
        verdict(&[
            (1, &[start.clone(), message(1, 1), message(2, 4)]),
            (2, &[start.clone(), message(2, 4), message(1, 1)]),
        ]),
        "total_order"
    );
    let next = view(2, &[1, 2]);
    assert_eq!(
        verdict(&[(1, &[start.clone(), message(1, 1), next.clone()]), (2, &[start.clone(), next.clone()])]),
        "pass_together"
    );
    assert_eq!(verdict(&[(1, &[start.clone(), next.clone()]), (2, &[next])]), "pass_together");
    let streamed = Payload { to: Some(member(2)), ..payload(1, 5) };
    let stream = Delivery::Stream { from: member(1), bytes: streamed.to_bytes() };
    assert_eq!(verdict(&[(2, &[start, stream])]), "streams");
}
