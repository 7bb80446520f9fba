//! What is done to a cluster under test.

use super::harness::Harness;
use super::{Cluster, HOSTS};
use crate::message::Message;
use crate::sequencer::Dice;
use crate::transport::Transport;
use crate::view::{Delivery, HostId, MESSAGE_BYTES_MAXIMUM, Transmission, View};

/// A script: drives a fresh cluster, and says what was broken.
pub type Script = fn(&mut dyn Cluster) -> Result<(), String>;

/// All scripts by name.
pub const SCRIPTS: &[(&str, Script)] = &[
    ("one_after_the_other", one_after_the_other),
    ("messages_of_all_in_one_order", messages_of_all_in_one_order),
    ("a_process_lost_and_a_host_lost_are_told_apart", a_process_lost_and_a_host_lost_are_told_apart),
    ("leaving_in_good_order", leaving_in_good_order),
    ("partition_and_merge", partition_and_merge),
    ("a_reboot_is_never_hidden", a_reboot_is_never_hidden),
    ("streams_reach_one_member", streams_reach_one_member),
    ("longest_messages_and_garbage", longest_messages_and_garbage),
];

/// How often a storm's last message is sent again in another view.
const TRIES_MAXIMUM: u32 = 10;

fn ensure(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}

fn one_after_the_other(cluster: &mut dyn Cluster) -> Result<(), String> {
    let mut harness = Harness::new(cluster);
    for host in 1..=HOSTS {
        harness.host_up(HostId(host));
        harness.join(HostId(host));
        let present: Vec<u32> = (1..=host).collect();
        harness.wait_together("the daemons that run share a view", &present)?;
        harness.multicast(HostId(1));
    }
    harness.wait("the last message came", |harness| !harness.delivered(3).is_empty())?;
    harness.wait("the first daemon has all messages", |harness| harness.delivered(1).len() == 3)?;
    harness.check()
}

fn messages_of_all_in_one_order(cluster: &mut dyn Cluster) -> Result<(), String> {
    const EACH: usize = 100;
    let mut harness = Harness::new(cluster);
    harness.start()?;
    for _ in 0..EACH {
        for host in 1..=HOSTS {
            harness.multicast(HostId(host));
        }
    }
    let total = EACH * HOSTS as usize;
    harness.wait("all have all", |harness| (1..=HOSTS).all(|host| harness.delivered(host).len() == total))?;
    ensure(harness.delivered(1) == harness.delivered(3), "hosts 1 and 3 have another order")?;
    harness.check()
}

fn a_process_lost_and_a_host_lost_are_told_apart(cluster: &mut dyn Cluster) -> Result<(), String> {
    let mut harness = Harness::new(cluster);
    harness.start()?;
    let ring = harness.view(1).map(|view| view.ring);
    let without = |view: Option<&View>| view.is_some_and(|view| !view.members.contains_key(&HostId(3)));
    harness.kill(HostId(3));
    harness
        .wait("a view without daemon 3", |harness| without(harness.view(1)) && without(harness.view(2)))?;
    let view = harness.view(1).cloned().ok_or("no view")?;
    ensure(view.hosts.contains(&HostId(3)), "host 3 is still in the ring")?;
    ensure(Some(view.ring) == ring, "a lost process does not change the ring")?;
    harness.join(HostId(3));
    harness.wait_together("its next run is in", &[1, 2, 3])?;
    harness.host_down(HostId(3));
    harness.wait_together("a view without host 3", &[1, 2])?;
    let view = harness.view(2).cloned().ok_or("no view")?;
    ensure(!view.hosts.contains(&HostId(3)), "host 3 has left the ring")?;
    harness.check()
}

fn leaving_in_good_order(cluster: &mut dyn Cluster) -> Result<(), String> {
    let mut harness = Harness::new(cluster);
    harness.start()?;
    harness.multicast(HostId(2));
    harness.leave(HostId(2));
    harness.wait_together("the others go on", &[1, 3])?;
    ensure(harness.delivered(1).len() == 1 && harness.delivered(3).len() == 1, "what it sent before came")?;
    ensure(harness.view(1).is_some_and(|view| view.hosts.contains(&HostId(2))), "its host stays")?;
    harness.join(HostId(2));
    harness.wait_together("it may come back", &[1, 2, 3])?;
    harness.check()
}

fn partition_and_merge(cluster: &mut dyn Cluster) -> Result<(), String> {
    let mut harness = Harness::new(cluster);
    harness.start()?;
    for round in 0..3 {
        for host in 1..=HOSTS {
            harness.multicast(HostId(host));
        }
        harness.partition(&[&[1, 2], &[3]]);
        for host in 1..=HOSTS {
            harness.multicast(HostId(host));
        }
        harness.wait_together("most go on with quorum", &[1, 2])?;
        harness.wait_together("one goes on without quorum", &[3])?;
        let (most, one) = (harness.multicast(HostId(1)), harness.multicast(HostId(3)));
        let has = |harness: &Harness<'_>, host, bytes: &Option<Vec<u8>>| {
            harness.delivered(host).contains(&bytes.as_deref().unwrap_or_default())
        };
        harness.wait("host 2 has host 1's", |harness| has(harness, 2, &most))?;
        harness.wait("host 3 has its own", |harness| has(harness, 3, &one))?;
        ensure(!has(&harness, 3, &most) && !has(&harness, 1, &one), "nothing crosses a cut")?;
        harness.heal();
        harness.wait_together("they merge", &[1, 2, 3]).map_err(|error| format!("round {round}: {error}"))?;
    }
    harness.check()
}

fn a_reboot_is_never_hidden(cluster: &mut dyn Cluster) -> Result<(), String> {
    let mut harness = Harness::new(cluster);
    harness.start()?;
    let (one, two, old) = (harness.member(1)?, harness.member(2)?, harness.member(3)?);
    harness.host_down(HostId(3));
    harness.host_up(HostId(3));
    let new = harness.join(HostId(3));
    ensure(old != new, "another run")?;
    harness.wait_together("it is back", &[1, 2, 3])?;
    for member in [one, two] {
        let views: Vec<&View> = harness
            .history
            .of(member)
            .iter()
            .filter_map(|delivery| match delivery {
                Delivery::View(view) => Some(view),
                _ => None,
            })
            .collect();
        let with = views.iter().position(|view| view.contains(old)).ok_or("it was in")?;
        let away = views[with..].iter().any(|view| !view.hosts.contains(&HostId(3)));
        ensure(away, "a view without the host lies between its two boots")?;
    }
    harness.check()
}

fn streams_reach_one_member(cluster: &mut dyn Cluster) -> Result<(), String> {
    const EACH: usize = 50;
    let mut harness = Harness::new(cluster);
    harness.start()?;
    for _ in 0..EACH {
        harness.stream(HostId(1), HostId(2));
        harness.stream(HostId(3), HostId(2));
        harness.stream(HostId(2), HostId(1));
    }
    harness.wait("all came", |harness| {
        harness.streamed(2).len() == 2 * EACH && harness.streamed(1).len() == EACH
    })?;
    ensure(harness.streamed(3).is_empty(), "nothing for host 3")?;
    harness.partition(&[&[1], &[2, 3]]);
    harness.wait_together("they are apart", &[2, 3])?;
    harness.wait_together("and host 1 is alone", &[1])?;
    harness.stream(HostId(1), HostId(2));
    harness.stream(HostId(2), HostId(3));
    harness.wait("the one that shares a view came", |harness| harness.streamed(3).len() == 1)?;
    harness.heal();
    harness.wait_together("they are together", &[1, 2, 3])?;
    harness.advance(1000);
    ensure(harness.streamed(2).len() == 2 * EACH, "what was sent across the cut never comes")?;
    harness.check()
}

fn longest_messages_and_garbage(cluster: &mut dyn Cluster) -> Result<(), String> {
    const BYTES: usize = 5 * MESSAGE_BYTES_MAXIMUM / 2;
    let mut harness = Harness::new(cluster);
    harness.start()?;
    let (one, two) = (harness.member(1)?, harness.member(2)?);
    let garbage: Vec<Vec<u8>> = vec![Vec::new(), vec![0], vec![0xff; 17], vec![7; MESSAGE_BYTES_MAXIMUM]];
    for bytes in &garbage {
        harness.send(two, Transmission::Multicast(bytes.clone()));
    }
    harness.wait("garbage is delivered as it is", |harness| {
        (1..=HOSTS).all(|host| harness.delivered(host).len() == garbage.len())
    })?;
    ensure(harness.delivered(1) == garbage, "in its order, unchanged")?;
    let view = harness.view(1).ok_or("no view")?.id();
    let message = Message::DiskFailed { reason: "x".repeat(BYTES) };
    let (mut sender, mut receiver) = (Transport::new(one), Transport::new(two));
    sender.send(&message, view).map_err(|error| error.to_string())?;
    let mut fragments = 0;
    while let Some(frame) = sender.poll_frame() {
        fragments += 1;
        harness.send(one, Transmission::Multicast(frame));
    }
    ensure(fragments == 3, "three fragments")?;
    harness.wait("all fragments came", |h| h.delivered(2).len() == garbage.len() + fragments)?;
    let mut got = None;
    for delivery in harness.history.of(two) {
        if let Delivery::Message { from, bytes } = delivery {
            let result = receiver.receive(*from, bytes);
            ensure(*from == one || result.is_err(), "garbage is an error")?;
            got = result.ok().flatten().or(got);
        }
    }
    ensure(got.is_some_and(|envelope| envelope.message == message), "the message is whole again")?;
    harness.check()
}

/// Does at random whatever can be done, checks, mends everything, and checks that the cluster works again.
///
/// # Errors
/// The first broken promise.
pub fn storm(cluster: &mut dyn Cluster, seed: u64, steps: u32) -> Result<(), String> {
    let mut dice = Dice::new(seed);
    let mut harness = Harness::new(cluster);
    harness.start()?;
    for _ in 0..steps {
        storm_step(&mut harness, &mut dice);
    }
    harness.heal();
    for host in 1..=HOSTS {
        harness.host_up(HostId(host));
        harness.join(HostId(host));
    }
    // What breaks may be noticed only now: what was sent before may be lost then, what is sent after it not.
    for _ in 0..TRIES_MAXIMUM {
        harness.wait_together("after the storm all are together", &[1, 2, 3])?;
        let view = harness.view(2).map(View::id);
        let last = harness.multicast(HostId(2)).unwrap_or_default();
        let reached = |harness: &Harness<'_>| {
            (1..=HOSTS).all(|host| harness.delivered(host).contains(&last.as_slice()))
        };
        harness.wait("a message reaches all", |harness| {
            reached(harness) || harness.view(2).map(View::id) != view
        })?;
        if reached(&harness) {
            return harness.check();
        }
    }
    Err("after the storm the view never stays".to_owned())
}

fn storm_step(harness: &mut Harness<'_>, dice: &mut Dice) {
    let mut host = || HostId(u32::try_from(dice.between(1, u64::from(HOSTS))).unwrap_or(1));
    let (one, two) = (host(), host());
    match dice.between(0, 99) {
        0..=1 => harness.host_down(one),
        2..=5 => {
            harness.host_up(one);
            harness.join(one);
        }
        6..=7 => harness.kill(one),
        8 => harness.leave(one),
        9..=10 => harness.host_up(one),
        11..=13 => {
            let others: Vec<u32> = (1..=HOSTS).filter(|&other| other != one.0).collect();
            harness.partition(&[&[one.0], &others]);
        }
        14 => harness.partition(&[]),
        15..=18 => harness.heal(),
        19..=30 => {
            harness.stream(one, two);
        }
        31..=80 => {
            for _ in 0..dice.between(1, 4) {
                harness.multicast(one);
            }
        }
        81..=97 => harness.advance(dice.between(1, 50)),
        _ => harness.advance(dice.between(50, 3000)),
    }
}
