//! What only a human can say, and what a cluster that waits for it says.

use std::collections::BTreeSet;

use hafen_protocol::HostId;
use hafen_protocol::client::{Edit, FenceOutcome, FenceRecord, Reply, Request};
use hafen_protocol::message::ProofLevel;

use crate::world::World;
use crate::{MACHINES, running_on, settled};

fn proceed_without(host: &str) -> Request {
    Request::ProceedWithout { host: host.to_string(), origin: "alice".to_string() }
}

fn history(world: &mut World, host: u32) -> Vec<FenceRecord> {
    let request = world.ask(host, Request::FenceHistory { host: None });
    match world.replies.remove(&request) {
        Some(Reply::FenceHistory { records }) => records,
        other => panic!("{other:?}"),
    }
}

fn both_run(world: &World) -> bool {
    running_on(world, "vm1").len() == 1 && running_on(world, "vm2").len() == 1
}

#[test]
fn a_host_that_has_just_booted_shoots_nobody_until_a_human_says_so() {
    let mut world = World::dark(2, MACHINES, |settings| settings.two_node = true);
    world.boot(HostId(1));
    world.until("quorum", |world| world.node(1).quorate());
    world.pass(60_000);
    assert!(!world.events.iter().any(|event| event.kind == "fence-start"), "{}", world.story());
    assert!(world.ran.iter().all(|(_, task, _)| task == "monitor"), "{:?}", world.ran);
    let waits = world.status(1).waiting_for.expect("it waits");
    assert!(waits.contains("host2") && waits.contains("hafen quorum proceed-without host2"), "{waits}");
    let request = world.ask(1, proceed_without("host2"));
    world.until("the machines run", both_run);
    assert!(matches!(world.replies[&request], Reply::Done { .. }));
    assert_eq!(world.proceeded, [(1, BTreeSet::from([HostId(2)]))]);
    let records = history(&mut world, 1);
    let [record] = &records[..] else { panic!("{records:?}") };
    assert_eq!((record.target.as_str(), record.origin.as_deref()), ("host2", Some("alice")));
    assert_eq!((record.proof, record.outcome), (Some(ProofLevel::Human), FenceOutcome::Succeeded));
    assert_eq!(record.by, None);
}

#[test]
fn the_word_of_a_human_counts_whatever_proof_devices_must_give() {
    let asked = r#"<nvpair id="minimum" name="fencing-proof-minimum" value="agent-reported"/></cluster_property_set>"#;
    let machines = MACHINES.replacen("</cluster_property_set>", asked, 1);
    let mut world = World::dark(2, &machines, |settings| settings.two_node = true);
    world.boot(HostId(1));
    world.until("quorum", |world| world.node(1).quorate());
    world.ask(1, proceed_without("host2"));
    world.until("the machines run", both_run);
    assert_eq!(history(&mut world, 1)[0].outcome, FenceOutcome::Succeeded);
    let edits = vec![Edit::Property { name: "batch-limit".to_string(), value: Some("7".to_string()) }];
    let change = Request::Change { edits, without_quorum: false, origin: "alice".to_string(), written: None };
    let request = world.ask(1, change);
    world.until("the change is acknowledged", |world| {
        matches!(world.replies.get(&request), Some(Reply::Done { .. }))
    });
}

#[test]
fn two_hosts_that_have_seen_each_other_shoot() {
    let mut world = World::dark(2, MACHINES, |settings| settings.two_node = true);
    world.boot(HostId(1));
    world.boot(HostId(2));
    world.until("the machines run", |world| settled(world, 1) && both_run(world));
    world.power_off(HostId(2));
    world.until("the machines run", |world| settled(world, 1) && both_run(world));
    let records = history(&mut world, 1);
    assert_eq!(records.len(), 1, "{records:?}");
    assert_eq!((records[0].target.as_str(), records[0].outcome), ("host2", FenceOutcome::Succeeded));
    assert_eq!((records[0].by.as_deref(), records[0].cause.as_str()), (Some("host1"), "lost from the view"));
    // A daemon that is started again in the same boot knows that its host has seen the cluster.
    world.kill_daemon(HostId(1));
    world.pass(100);
    world.start_daemon(HostId(1));
    world.pass(30_000);
    assert_eq!(running_on(&world, "vm1"), [1], "{}", world.story());
}

#[test]
fn a_cluster_that_waits_for_all_names_whom_and_goes_on_without_it() {
    let mut world = World::dark(3, MACHINES, |settings| settings.wait_for_all = true);
    world.boot(HostId(1));
    world.boot(HostId(2));
    world.pass(60_000);
    assert!(!world.node(1).quorate() && !both_run(&world));
    let waits = world.status(2).waiting_for.expect("it waits");
    assert!(waits.contains("host3") && waits.contains("hafen quorum proceed-without host3"), "{waits}");
    world.ask(2, proceed_without("host3"));
    world.until("the machines run", both_run);
    assert!(
        !world.events.iter().any(|event| event.kind == "fence-start"),
        "it is proven off\n{}",
        world.story()
    );
    let said: BTreeSet<u32> = world.proceeded.iter().map(|(host, _)| *host).collect();
    assert_eq!(said, BTreeSet::from([1, 2]), "every engine is told");
}

#[test]
fn nobody_goes_on_without_a_host_that_is_here() {
    let mut world = World::new(3, MACHINES);
    world.until("all run", |world| settled(world, 1));
    for request in [
        proceed_without("host2"),
        proceed_without("host1"),
        Request::ConfirmOff { host: "host2".to_string(), origin: "alice".to_string() },
    ] {
        let request = world.ask(1, request);
        let Reply::Failed(failure) = &world.replies[&request] else {
            panic!("{:?}", world.replies[&request])
        };
        assert_eq!(failure.kind, "present", "{failure:?}");
    }
    let request = world.ask(1, proceed_without("host9"));
    let Reply::Failed(failure) = &world.replies[&request] else { panic!("{:?}", world.replies[&request]) };
    assert_eq!(failure.kind, "not-found");
    world.kill_daemon(HostId(2));
    world.pass(1_000);
    let request = world.ask(1, proceed_without("host2"));
    let Reply::Failed(failure) = &world.replies[&request] else { panic!("{:?}", world.replies[&request]) };
    assert_eq!(failure.kind, "present", "its host is in the ring: {failure:?}");
}

#[test]
fn when_all_devices_fail_the_status_says_what_unblocks() {
    let mut world = World::new(3, MACHINES);
    world.until("all run", |world| settled(world, 1) && both_run(world));
    world.fencing_fails = true;
    let lost = running_on(&world, "vm1")[0];
    let asked = if lost == 1 { 2 } else { 1 };
    let name = format!("host{lost}");
    world.power_off(HostId(lost));
    world.pass(30_000);
    assert!(running_on(&world, "vm1").is_empty(), "nothing is recovered");
    let status = world.status(asked);
    let host = status.hosts.iter().find(|host| host.name == name).expect("the lost host");
    assert_eq!(host.state, "unclean");
    let unblocks = format!("hafen fence confirm {name}");
    assert!(host.reason.contains("does not answer") && host.reason.contains(&unblocks), "{}", host.reason);
    let failed = history(&mut world, asked);
    assert!(
        failed.len() > 1 && failed.iter().all(|record| record.outcome == FenceOutcome::Failed),
        "{failed:?}"
    );
    world.ask(asked, Request::ConfirmOff { host: name.clone(), origin: "alice".to_string() });
    world.until("vm1 runs", |world| !running_on(world, "vm1").is_empty());
    let last = history(&mut world, asked).pop().expect("a record");
    assert_eq!((last.target, last.proof), (name, Some(ProofLevel::Human)));
}

#[test]
fn the_history_of_fencing_is_bounded() {
    let mut world = World::new(3, MACHINES);
    world.until("all run", |world| settled(world, 1));
    world.fencing_fails = true;
    world.power_off(HostId(3));
    world.pass(60 * 60_000);
    assert_eq!(history(&mut world, 1).len(), 50);
}

#[test]
fn an_operator_s_fencing_is_recorded_with_who_asked() {
    let mut world = World::new(3, MACHINES);
    world.until("all run", |world| settled(world, 1));
    let (host, action, origin) = ("host3".to_string(), "reboot".to_string(), "bob".to_string());
    world.ask(2, Request::Fence { host, action, origin });
    world.until("it is fenced", |world| world.events.iter().any(|event| event.kind == "fence-result"));
    let records = history(&mut world, 2);
    assert_eq!(records[0].origin.as_deref(), Some("bob"), "{records:?}");
}

/// Whether a change is acknowledged that sets the batch limit through a host.
fn changes(world: &mut World, host: u32, limit: &str) -> u64 {
    let edits = vec![Edit::Property { name: "batch-limit".to_string(), value: Some(limit.to_string()) }];
    world.ask(
        host,
        Request::Change { edits, without_quorum: false, origin: "alice".to_string(), written: None },
    )
}

fn is_done(world: &World, request: u64) -> bool {
    matches!(world.replies.get(&request), Some(Reply::Done { .. }))
}

fn limit(world: &World, host: u32) -> Option<String> {
    world.node(host).replica().cib().configured_property("batch-limit").map(str::to_string)
}

#[test]
fn a_host_that_joins_stands_for_none_of_those_that_may_know_more() {
    let mut world = World::dark(2, MACHINES, |settings| settings.two_node = true);
    world.boot(HostId(1));
    world.boot(HostId(2));
    world.until("the machines run", |world| settled(world, 1) && both_run(world));
    world.power_off(HostId(1));
    world.until("the machines run", |world| settled(world, 2) && both_run(world));
    let alone = changes(&mut world, 2, "7");
    world.until("the change is acknowledged", |world| is_done(world, alone));
    world.power_off(HostId(2));
    // The bus lists a third host, and has quorum with it and the host that missed the change.
    world.list_hosts(&[1, 2, 3]);
    world.boot(HostId(3));
    world.boot(HostId(1));
    world.until("quorum", |world| world.node(1).quorate());
    let blind = changes(&mut world, 1, "9");
    world.pass(60_000);
    assert!(!is_done(&world, blind), "{}", world.story());
    world.boot(HostId(2));
    world.until("three are configured", |world| world.node(1).replica().configured.len() == 3);
    world.until("the machines run", |world| settled(world, 1) && both_run(world));
    for host in 1..=3 {
        assert_eq!(limit(&world, host).as_deref(), Some("7"), "{}", world.story());
    }
}
