//! Hosts that lose their quorum, or their bus.

use hafen_protocol::HostId;
use hafen_protocol::sequencer::Input;

use crate::world::World;
use crate::{MACHINES, all_synchronised, running_on, settled};

fn with_options(options: &str) -> String {
    MACHINES.replace("</cluster_property_set>", &format!("{options}</cluster_property_set>"))
}

fn option(name: &str, value: &str) -> String {
    format!(r#"<nvpair id="o-{name}" name="{name}" value="{value}"/>"#)
}

/// A cluster in which both machines run, with the host that runs the first; what fences fails.
fn running(cib: &str) -> (World, u32) {
    let mut world = World::new(3, cib);
    world.until("all run", |world| {
        settled(world, 1) && running_on(world, "vm1").len() == 1 && running_on(world, "vm2").len() == 1
    });
    let host = running_on(&world, "vm1")[0];
    world.fencing_fails = true;
    world.ran.clear();
    (world, host)
}

fn stopped(world: &World, host: u32) -> bool {
    world.ran.contains(&(host, "stop".to_string(), "vm1".to_string()))
}

#[test]
fn a_host_without_quorum_stops_what_it_runs_within_seconds() {
    for policy in ["stop", "demote"] {
        let (mut world, host) = running(&with_options(&option("no-quorum-policy", policy)));
        let began = world.now_ms;
        world.sequencer(Input::Isolate(HostId(host)));
        world.until("it is stopped", |world| stopped(world, host) && !world.runs(host, "vm1"));
        assert!(world.now_ms < began + 5_000, "{policy}: {} ms", world.now_ms - began);
    }
}

#[test]
fn a_host_without_quorum_keeps_what_it_runs_where_the_policy_says_so() {
    for policy in ["freeze", "ignore"] {
        let (mut world, host) = running(&with_options(&option("no-quorum-policy", policy)));
        world.sequencer(Input::Isolate(HostId(host)));
        world.pass(60_000);
        assert!(!stopped(&world, host) && world.active(host).contains("vm1"), "{policy}\n{}", world.story());
    }
}

#[test]
fn a_part_without_quorum_fences_itself_where_the_policy_says_so() {
    for policy in ["fence", "suicide"] {
        let (mut world, host) = running(&with_options(&option("no-quorum-policy", policy)));
        let name = format!("host{host}");
        world.sequencer(Input::Isolate(HostId(host)));
        let fences_itself = |world: &World| {
            let mut events = world.events.iter();
            events.any(|event| event.host == name && event.kind == "fence-start" && event.subject == name)
        };
        world.until("it fences itself", fences_itself);
    }
}

#[test]
fn a_host_whose_bus_dies_says_so_by_name_and_stops_what_it_runs() {
    let (mut world, host) = running(MACHINES);
    let began = world.now_ms;
    world.lose_bus(host, "corosync on this host has died");
    let status = world.status(host);
    assert_eq!(status.bus_lost.as_deref(), Some("corosync on this host has died"));
    assert!(status.waiting_for.expect("a reason").contains("corosync on this host has died"));
    world.until("it is stopped", |world| stopped(world, host));
    assert!(world.now_ms < began + 5_000, "{} ms", world.now_ms - began);
    world.until("nothing runs", |world| world.active(host).is_empty());
    assert!(!world.status(host).quorate);
    world.restore_bus(host);
    world.until("three", |world| all_synchronised(world, &[1, 2, 3]));
    assert_eq!(world.status(host).bus_lost, None);
}

#[test]
fn a_host_whose_bus_dies_keeps_what_it_runs_and_begins_nothing_where_the_policy_says_so() {
    for policy in ["freeze", "ignore"] {
        let (mut world, host) = running(&with_options(&option("no-quorum-policy", policy)));
        world.events.clear();
        world.lose_bus(host, "corosync on this host was stopped");
        world.pass(60_000);
        assert!(world.active(host).contains("vm1"), "{policy}\n{}", world.story());
        let name = format!("host{host}");
        let fences = |kind: &str| world.events.iter().any(|event| event.host == name && event.kind == kind);
        assert!(!fences("fence-start"), "{policy}: a host without its bus shoots nobody\n{}", world.story());
        let begun = world.ran.iter().filter(|(on, task, _)| *on == host && task == "start").count();
        assert_eq!(begun, 0, "{policy}\n{}", world.story());
    }
}

#[test]
fn a_bus_that_is_back_at_once_stops_nothing() {
    let (mut world, host) = running(MACHINES);
    world.fencing_fails = true;
    world.lose_bus(host, "corosync on this host has died");
    world.pass(1_000);
    world.restore_bus(host);
    world.until("three", |world| all_synchronised(world, &[1, 2, 3]));
    world.pass(20_000);
    assert!(!stopped(&world, host), "{}", world.story());
}

#[test]
fn the_watchdog_is_fed_while_there_is_quorum_or_nothing_runs() {
    let watchdog = option("stonith-watchdog-timeout", "60s") + &option("watchdog-timeout", "7s");
    let (mut world, host) = running(&with_options(&watchdog));
    assert_eq!(world.watchdogs[&host], (true, 7_000));
    world.sequencer(Input::Isolate(HostId(host)));
    world.until("it is not fed", |world| world.watchdogs[&host] == (false, 7_000));
    assert!(
        world.active(host).contains("vm1"),
        "it ends before its machines have, if they do not stop in time"
    );
    world.until("it is fed again", |world| world.watchdogs[&host] == (true, 7_000));
    assert!(world.active(host).is_empty());
}

#[test]
fn no_policy_feeds_a_watchdog_that_others_count_on() {
    let watchdog = option("stonith-watchdog-timeout", "60s") + &option("no-quorum-policy", "freeze");
    let (mut world, host) = running(&with_options(&watchdog));
    world.lose_bus(host, "corosync on this host has died");
    world.pass(60_000);
    assert!(!world.watchdogs[&host].0, "{}", world.story());
    let (mut world, host) = running(&with_options(&option("no-quorum-policy", "freeze")));
    world.lose_bus(host, "corosync on this host has died");
    world.pass(60_000);
    assert_eq!(world.watchdogs[&host], (true, 0), "nobody counts on it");
}
