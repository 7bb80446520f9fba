//! Hosts that join and hosts that are removed.

use hafen_protocol::HostId;
use hafen_protocol::sequencer;

use crate::world::World;
use crate::{EMPTY, MACHINES, all_synchronised, settled};

fn configured(world: &World, host: u32) -> Vec<u32> {
    world.node(host).replica().configured.keys().map(|host| host.0).collect()
}

fn named(world: &World, host: u32, uname: &str) -> bool {
    let cib = world.node(host).replica().cib();
    cib.configured_nodes().any(|node| node.uname() == uname)
}

/// How often a host's daemon said that the configured hosts changed.
fn changes(world: &World, host: &str) -> Vec<String> {
    let changed = |text: &str| text.ends_with(" is configured") || text.ends_with(" is removed");
    let events = world.events.iter().filter(|event| event.host == host && event.kind == "hosts");
    events.map(|event| event.text.clone()).filter(|text| changed(text)).collect()
}

#[test]
fn hosts_that_join_are_configured_one_after_the_other_and_for_good() {
    let mut world = World::dark(3, EMPTY, |_| ());
    for host in 1..=3 {
        world.boot(HostId(host));
    }
    world.until("three", |world| all_synchronised(world, &[1, 2, 3]));
    assert_eq!(configured(&world, 2), [1, 2, 3], "from the bus, at once");
    world.list_hosts(&[1, 2, 3, 4, 5]);
    world.until("five are configured", |world| configured(world, 3).len() == 5);
    assert_eq!(changes(&world, "host1"), ["host4 is configured", "host5 is configured"]);
    world.pass(1_000);
    for host in 1..=3 {
        assert!(named(&world, host, "host4") && named(&world, host, "host5"), "{}", world.story());
    }
    world.boot(HostId(4));
    world.until("four", |world| all_synchronised(world, &[1, 2, 3, 4]));
    assert_eq!(configured(&world, 4), [1, 2, 3, 4, 5]);
    for host in 1..=4 {
        world.power_off(HostId(host));
    }
    world.pass(1_000);
    for host in [2, 3, 4] {
        world.boot(HostId(host));
    }
    world.until("three of five", |world| all_synchronised(world, &[2, 3, 4]));
    assert_eq!(configured(&world, 2), [1, 2, 3, 4, 5]);
}

#[test]
fn a_host_that_was_never_here_is_not_fenced_when_it_is_added() {
    let mut world = World::dark(3, MACHINES, |_| ());
    for host in 1..=3 {
        world.boot(HostId(host));
    }
    world.until("three", |world| settled(world, 1));
    world.list_hosts(&[1, 2, 3, 4]);
    world.until("four are configured", |world| configured(world, 3).len() == 4 && settled(world, 1));
    world.pass(30_000);
    assert!(!world.events.iter().any(|event| event.kind == "fence-start"), "{}", world.story());
}

#[test]
fn a_host_is_removed_with_its_status_once_it_is_proven_off() {
    let mut world = World::dark(3, MACHINES, |_| ());
    for host in 1..=3 {
        world.boot(HostId(host));
    }
    world.until("three", |world| settled(world, 1));
    world.list_hosts(&[1, 2]);
    world.pass(10_000);
    assert_eq!(configured(&world, 1), [1, 2, 3], "it is still here");
    let warned = |world: &mut World| world.status(1).warnings.iter().any(|line| line.contains("host3"));
    assert!(warned(&mut world), "{:?}", world.status(1).warnings);
    world.fencing_fails = true;
    world.power_off(HostId(3));
    world.pass(10_000);
    assert_eq!(configured(&world, 1), [1, 2, 3], "nobody knows whether it is off");
    world.fencing_fails = false;
    world.until("it is gone", |world| configured(world, 1) == [1, 2] && settled(world, 1));
    assert!(!named(&world, 2, "host3"));
    let status = world.status(2);
    assert!(!status.hosts.iter().any(|host| host.name == "host3"), "{:?}", status.hosts);
    assert!(!world.node(1).live_cib().to_xml().contains("uname=\"host3\""), "neither in the status section");
    assert!(!warned(&mut world));
}

#[test]
fn hosts_do_not_change_without_quorum() {
    let mut world = World::dark(3, EMPTY, |_| ());
    for host in 1..=3 {
        world.boot(HostId(host));
    }
    world.until("three", |world| all_synchronised(world, &[1, 2, 3]));
    world.sequencer(sequencer::Input::Isolate(HostId(1)));
    world.until("two", |world| all_synchronised(world, &[2, 3]));
    world.list_hosts(&[1, 2, 3, 4]);
    world.until("four are configured", |world| configured(world, 3).len() == 4);
    world.pass(5_000);
    assert_eq!(configured(&world, 1), [1, 2, 3]);
    world.sequencer(sequencer::Input::HealAll);
    world.until("three", |world| all_synchronised(world, &[1, 2, 3]));
    assert_eq!(configured(&world, 1), [1, 2, 3, 4]);
}
