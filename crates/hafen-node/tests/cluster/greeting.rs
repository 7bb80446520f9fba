//! Daemons that hang, or cannot be understood, while a view begins.

use hafen_node::membership::Phase;
use hafen_node::replica::Standing;
use hafen_protocol::HostId;

use crate::world::World;
use crate::{MACHINES, all_synchronised, running_on, settled};

fn standing(world: &World, host: u32, of: u32) -> Standing {
    world.node(host).replica().hosts[&HostId(of)].standing.clone()
}

/// Three hosts, of which the third hangs while the second one's daemon is started again.
fn hanging() -> World {
    let mut world = World::new(3, MACHINES);
    world.until("all run", |world| {
        settled(world, 1) && running_on(world, "vm1").len() == 1 && running_on(world, "vm2").len() == 1
    });
    world.ran.clear();
    world.hang(3);
    world.kill_daemon(HostId(2));
    world.pass(200);
    world.start_daemon(HostId(2));
    let goes_on = |world: &World, host| {
        let membership = world.node(host).membership();
        membership.phase == Phase::Synchronised && membership.silent.contains(&HostId(3))
    };
    world.until("the others go on", |world| goes_on(world, 1) && goes_on(world, 2));
    world
}

#[test]
fn the_others_go_on_without_a_daemon_that_hangs_and_take_it_back() {
    let mut world = hanging();
    assert_eq!(standing(&world, 1, 3), Standing::DaemonLost);
    assert_eq!(standing(&world, 2, 3), Standing::DaemonLost);
    let status = world.status(1);
    let host3 = status.hosts.iter().find(|host| host.name == "host3").expect("host3");
    assert_eq!(host3.state, "daemon lost");
    assert!(host3.reason.contains("hangs"), "{}", host3.reason);
    world.pass(2_000);
    world.resume(3);
    world.until("it ends", |world| world.exits.iter().any(|(host, _)| *host == 3));
    world.start_daemon(HostId(3));
    world.until("three", |world| all_synchronised(world, &[1, 2, 3]) && settled(world, 1));
    let moved: Vec<_> = world.ran.iter().filter(|(_, task, _)| task != "monitor").collect();
    assert!(moved.is_empty(), "{moved:?}\n{}", world.story());
    assert!(!world.events.iter().any(|event| event.kind == "fence-start"), "{}", world.story());
}

#[test]
fn the_host_of_a_daemon_that_goes_on_hanging_is_fenced() {
    let mut world = hanging();
    let began = world.now_ms;
    world.until("it is fenced", |world| world.events.iter().any(|event| event.kind == "fence-result"));
    assert!(
        world.now_ms >= began + 15_000,
        "it had daemon-restart-timeout to come back: {}",
        world.now_ms - began
    );
    world.until("the machines run", |world| {
        settled(world, 1) && running_on(world, "vm1").len() == 1 && running_on(world, "vm2").len() == 1
    });
    assert!(!running_on(&world, "vm1").contains(&3) && !running_on(&world, "vm2").contains(&3));
    let cause =
        world.events.iter().find(|event| event.kind == "fence-start").map(|event| event.cause.clone());
    assert!(cause.as_deref().is_some_and(|cause| cause.contains("hangs")), "{cause:?}");
}

#[test]
fn a_coordinator_that_hangs_is_succeeded_and_its_host_fenced() {
    let mut world = World::new(3, MACHINES);
    let both_run = |world: &World| running_on(world, "vm1").len() == 1 && running_on(world, "vm2").len() == 1;
    world.until("all run", |world| settled(world, 1) && both_run(world));
    assert!(world.node(1).is_coordinator());
    world.hang(1);
    world.until("another coordinates", |world| world.node(2).is_coordinator());
    assert_eq!(
        (standing(&world, 2, 1), standing(&world, 3, 1)),
        (Standing::DaemonLost, Standing::DaemonLost)
    );
    let request = world.ask(3, crate::property("cluster-name", "harbour"));
    world.until("an answer", |world| world.replies.contains_key(&request));
    assert_eq!(world.replies[&request], hafen_protocol::client::Reply::Done { note: None });
    world.until("it is fenced", |world| world.events.iter().any(|event| event.kind == "fence-result"));
    world.until("all run", |world| settled(world, 2) && both_run(world));
}

#[test]
fn members_that_say_nothing_for_long_stay_members() {
    let mut world = World::new(3, MACHINES);
    world.until("all run", |world| settled(world, 1));
    world.pass(30 * 60_000);
    assert!(all_synchronised(&world, &[1, 2, 3]), "{}", world.story());
    assert!(world.exits.is_empty(), "{:?}", world.exits);
}

#[test]
fn a_change_made_without_the_silent_member_reaches_it_later() {
    let mut world = hanging();
    let request = world.ask(2, crate::property("cluster-name", "harbour"));
    world.until("an answer", |world| world.replies.contains_key(&request));
    world.resume(3);
    world.until("it ends", |world| world.exits.iter().any(|(host, _)| *host == 3));
    world.start_daemon(HostId(3));
    world.until("three", |world| all_synchronised(world, &[1, 2, 3]));
    assert!(world.node(3).replica().cib().to_xml().contains("harbour"));
    assert_eq!(world.node(3).replica().digest(), world.node(1).replica().digest());
}

#[test]
fn a_daemon_of_another_version_is_named_so_and_not_waited_for() {
    let mut world = World::new(3, MACHINES);
    world.until("three", |world| settled(world, 1));
    world.kill_daemon(HostId(3));
    world.pass(200);
    world.start_foreign_daemon(3, 0);
    let goes_on = |world: &World, host: u32| {
        let membership = world.node(host).membership();
        membership.phase == Phase::Synchronised && membership.silent.contains(&HostId(3))
    };
    let began = world.now_ms;
    world.until("the others go on", |world| goes_on(world, 1) && goes_on(world, 2));
    assert!(world.now_ms < began + 5_000, "at once: {} ms", world.now_ms - began);
    let status = world.status(2);
    let host3 = status.hosts.iter().find(|host| host.name == "host3").expect("host3");
    assert!(host3.reason.contains("speaks protocol 0"), "{host3:?}");
    world.pass(40_000);
    let fenced = world.events.iter().any(|event| event.kind == "fence-start");
    assert!(!fenced, "a version is mended by a human\n{}", world.story());
}
