//! The sequencer itself: what it promises to those who drive it.

use std::collections::BTreeSet;

use hafen_protocol::sequencer::{Input, Output, Settings};
use hafen_protocol::{Delivery, HostId, Incarnation, Machine, MemberId, Now, Sequencer, Transmission};

fn hosts(count: u32) -> BTreeSet<HostId> {
    (1..=count).map(HostId).collect()
}

fn member(host: u32, incarnation: u64) -> MemberId {
    MemberId { host: HostId(host), incarnation: Incarnation(incarnation) }
}

fn at(monotonic_ms: u64) -> Now {
    Now { monotonic_ms, wall_ms: 0 }
}

fn drain(sequencer: &mut Sequencer) -> Vec<Output> {
    std::iter::from_fn(|| sequencer.poll_output()).collect()
}

/// Runs it to a time, deadline by deadline.
fn run_to(sequencer: &mut Sequencer, end: u64) -> Vec<Output> {
    let mut outputs = Vec::new();
    for _ in 0..100_000 {
        match sequencer.poll_timeout() {
            Some(due) if due <= end => sequencer.handle_timeout(at(due)),
            _ => break,
        }
        outputs.extend(drain(sequencer));
    }
    outputs
}

fn three(settings: Settings, seed: u64) -> Sequencer {
    let mut sequencer = Sequencer::new(settings, seed);
    for host in 1..=3 {
        sequencer.handle(at(0), Input::HostUp(HostId(host)));
        sequencer.handle(at(0), Input::ProcessJoin(member(host, 1)));
    }
    sequencer
}

fn multicast(from: MemberId, text: &str) -> Input {
    Input::Transmit { from, transmission: Transmission::Multicast(text.as_bytes().to_vec()) }
}

#[test]
fn calm_delivers_at_once_to_all() {
    let mut sequencer = three(Settings::calm(hosts(3)), 1);
    run_to(&mut sequencer, 1000);
    sequencer.handle(at(1000), multicast(member(2, 1), "x"));
    let expected: Vec<Output> = (1..=3)
        .map(|host| Output::Deliver {
            to: member(host, 1),
            delivery: Delivery::Message { from: member(2, 1), bytes: b"x".to_vec() },
        })
        .collect();
    assert_eq!(drain(&mut sequencer), expected);
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_one_another() {
    let run = |seed| {
        let mut sequencer = three(Settings::worst(hosts(3)), seed);
        let mut outputs = run_to(&mut sequencer, 5000);
        for round in 0..50 {
            sequencer.handle(at(5000 + round), multicast(member(1 + (round % 3) as u32, 1), "m"));
        }
        sequencer.handle(at(5040), Input::Isolate(HostId(3)));
        outputs.extend(run_to(&mut sequencer, 20_000));
        outputs
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

#[test]
fn a_sender_delivers_alone_just_before_a_partition_in_some_seeds() {
    let mut alone = 0;
    for seed in 0..200 {
        let mut sequencer = three(Settings::worst(hosts(3)), seed);
        run_to(&mut sequencer, 20_000);
        sequencer.handle(at(20_000), multicast(member(3, 1), "last words"));
        sequencer.handle(at(20_000), Input::Isolate(HostId(3)));
        let outputs = run_to(&mut sequencer, 60_000);
        let receivers: BTreeSet<u32> = outputs
            .iter()
            .filter_map(|output| match output {
                Output::Deliver { to, delivery: Delivery::Message { .. } } => Some(to.host.0),
                _ => None,
            })
            .collect();
        alone += usize::from(receivers == BTreeSet::from([3]));
        assert!(receivers.len() != 2, "hosts 1 and 2 pass on together, seed {seed}: {receivers:?}");
    }
    assert!(alone >= 10, "{alone} of 200");
}

#[test]
fn a_process_that_is_back_under_its_old_name_was_missing_from_a_view() {
    for broken in [false, true] {
        let mut sequencer = three(Settings::calm(hosts(3)), 3);
        run_to(&mut sequencer, 1000);
        if broken {
            sequencer.handle(at(1000), Input::Isolate(HostId(1)));
        }
        sequencer.handle(at(1000), Input::ProcessGone(member(3, 1)));
        sequencer.handle(at(1000), Input::ProcessJoin(member(3, 1)));
        let mut outputs = drain(&mut sequencer);
        outputs.extend(run_to(&mut sequencer, 5000));
        let views = |of: MemberId| -> Vec<bool> {
            let of_member = |output: &Output| match output {
                Output::Deliver { to, delivery: Delivery::View(view) } if *to == of => {
                    Some(view.contains(member(3, 1)))
                }
                _ => None,
            };
            outputs.iter().filter_map(of_member).collect()
        };
        assert_eq!(views(member(2, 1)), [false, true], "broken: {broken}");
        assert_eq!(views(member(3, 1)), [true], "broken: {broken}");
    }
}

#[test]
fn two_node_and_wait_for_all() {
    let mut settings = Settings::calm(hosts(2));
    settings.two_node = true;
    settings.wait_for_all = true;
    let mut sequencer = Sequencer::new(settings, 5);
    let quorate = |sequencer: &Sequencer| -> Vec<bool> { sequencer.rings().iter().map(|r| r.2).collect() };
    sequencer.handle(at(0), Input::HostUp(HostId(1)));
    run_to(&mut sequencer, 1000);
    assert_eq!(quorate(&sequencer), [false], "one of two waits for all");
    sequencer.handle(at(1000), Input::HostUp(HostId(2)));
    run_to(&mut sequencer, 2000);
    assert_eq!(quorate(&sequencer), [true]);
    sequencer.handle(at(2000), Input::HostDown(HostId(2)));
    run_to(&mut sequencer, 3000);
    assert_eq!(quorate(&sequencer), [true], "two_node");
    sequencer.handle(at(3000), Input::HostDown(HostId(1)));
    sequencer.handle(at(3000), Input::HostUp(HostId(2)));
    run_to(&mut sequencer, 4000);
    assert_eq!(quorate(&sequencer), [false], "booted alone");
}

#[test]
fn a_link_that_heals_in_time_breaks_nothing() {
    let mut sequencer = three(Settings::calm(hosts(3)), 1);
    run_to(&mut sequencer, 1000);
    let ring = sequencer.rings();
    sequencer.handle(at(1000), Input::Isolate(HostId(2)));
    sequencer.handle(at(1050), multicast(member(1, 1), "held"));
    assert_eq!(drain(&mut sequencer), []);
    sequencer.handle(at(1100), Input::HealAll);
    assert_eq!(run_to(&mut sequencer, 1100).len() + drain(&mut sequencer).len(), 3);
    run_to(&mut sequencer, 5000);
    assert_eq!(sequencer.rings(), ring);
}

#[test]
fn what_breaks_the_limits_is_expelled() {
    let mut sequencer = three(Settings::calm(hosts(3)), 1);
    run_to(&mut sequencer, 1000);
    let long = Transmission::Multicast(vec![0; (1 << 20) + 1]);
    sequencer.handle(at(1000), Input::Transmit { from: member(1, 1), transmission: long });
    sequencer.handle(at(1000), Input::ProcessJoin(member(2, 0)));
    sequencer.handle(at(1000), Input::ProcessJoin(member(9, 1)));
    let expelled: Vec<MemberId> = drain(&mut sequencer)
        .into_iter()
        .filter_map(|output| match output {
            Output::Expelled { member, .. } => Some(member),
            _ => None,
        })
        .collect();
    assert_eq!(expelled, [member(1, 1), member(2, 0), member(9, 1)]);
}

/// The last word that a member heard about quorum.
fn last_quorum(outputs: &[Output], to: MemberId) -> Option<bool> {
    let mut words = outputs.iter().filter_map(|output| match output {
        Output::Deliver { to: receiver, delivery: Delivery::Quorum { quorate, .. } } if *receiver == to => {
            Some(*quorate)
        }
        _ => None,
    });
    words.next_back()
}

#[test]
fn one_alone_proceeds_without_hosts_that_a_human_has_proven_off() {
    let settings = Settings { wait_for_all: true, ..Settings::calm(hosts(3)) };
    let mut sequencer = Sequencer::new(settings, 1);
    sequencer.handle(at(0), Input::HostUp(HostId(1)));
    sequencer.handle(at(0), Input::ProcessJoin(member(1, 1)));
    let outputs = run_to(&mut sequencer, 1000);
    assert_eq!(last_quorum(&outputs, member(1, 1)), Some(false));
    let proceed = |hosts: &[u32]| Input::Transmit {
        from: member(1, 1),
        transmission: Transmission::ProceedWithout(hosts.iter().copied().map(HostId).collect()),
    };
    sequencer.handle(at(1000), proceed(&[2]));
    let outputs = [drain(&mut sequencer), run_to(&mut sequencer, 2000)].concat();
    assert_eq!(last_quorum(&outputs, member(1, 1)), None, "one of two is still no majority");
    sequencer.handle(at(2000), proceed(&[3]));
    let outputs = [drain(&mut sequencer), run_to(&mut sequencer, 3000)].concat();
    assert_eq!(last_quorum(&outputs, member(1, 1)), Some(true));
    // One of them is seen again: its vote is expected again, and it is there.
    sequencer.handle(at(3000), Input::HostUp(HostId(2)));
    let outputs = run_to(&mut sequencer, 5000);
    assert_eq!(last_quorum(&outputs, member(1, 1)), Some(true));
}
