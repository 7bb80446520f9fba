//! Crooked ways that once went wrong.

use std::collections::BTreeMap;

use hafen_node::replica::{Replica, Standing};
use hafen_protocol::client::{Reply, Request};
use hafen_protocol::message::{Lineage, ProofLevel};
use hafen_protocol::sequencer::{PerMille, Span};
use hafen_protocol::{HostId, Incarnation, RingId, View};

use crate::world::World;
use crate::{EMPTY, MACHINES, all_synchronised, property, running_on, settled};

fn machines_run(world: &World) -> bool {
    settled(world, 1) && running_on(world, "vm1").len() == 1 && running_on(world, "vm2").len() == 1
}

#[test]
fn a_full_disk_does_not_make_an_older_state_win() {
    let mut world = World::new(3, EMPTY);
    world.until("a cluster", |world| all_synchronised(world, &[1, 2, 3]));
    world.pass(1_000);
    world.power_off(HostId(3));
    world.until("two", |world| all_synchronised(world, &[1, 2]));
    let request = world.ask(1, property("cluster-name", "acknowledged"));
    world.until("an answer", |world| world.replies.contains_key(&request));
    assert_eq!(world.replies[&request], Reply::Done { note: None });
    world.fill_disk(2, true);
    world.ask(1, property("migration-limit", "2"));
    world.pass(2_000);
    world.power_off(HostId(1));
    world.pass(2_000);
    world.boot(HostId(3));
    world.until("two", |world| all_synchronised(world, &[2, 3]));
    world.fill_disk(2, false);
    world.pass(10_000);
    world.boot(HostId(1));
    world.until("three", |world| all_synchronised(world, &[1, 2, 3]));
    world.pass(2_000);
    let xml = world.node(1).replica().cib().to_xml();
    assert!(xml.contains("acknowledged"), "{}", world.story());
}

#[test]
fn nothing_is_stopped_while_quorum_is_not_known_yet() {
    let mut world = World::with(3, MACHINES, |settings| {
        settings.quorum_first = PerMille(0);
        settings.quorum_delay = Span::exactly(1_000);
    });
    world.until("all run", machines_run);
    world.pass(3_000);
    world.ran.clear();
    let busy = |host: &u32| !world.active(*host).is_empty();
    let victim = (1..=3).rev().find(|host| !busy(host)).unwrap_or(3);
    world.power_off(HostId(victim));
    world.pass(30_000);
    let stops: Vec<_> = world.ran.iter().filter(|(_, task, _)| task == "stop").collect();
    assert!(stops.is_empty(), "{stops:?}\n{}", world.story());
}

#[test]
fn a_clean_up_does_not_forget_what_runs_on_a_host_without_its_daemon() {
    let mut world = World::new(3, MACHINES);
    world.until("all run", machines_run);
    world.pass(2_000);
    let host = running_on(&world, "vm1")[0];
    world.kill_daemon(HostId(host));
    world.pass(3_000);
    let other = if host == 1 { 2 } else { 1 };
    world.ask(other, Request::Cleanup { resource: "vm1".to_string(), host: None, failures: None });
    world.pass(5_000);
    assert_eq!(running_on(&world, "vm1"), [host], "{}", world.story());
}

#[test]
fn a_host_that_asked_to_leave_leaves_although_the_view_changed() {
    let no_fencing = r#"<crm_config><cluster_property_set id="o"><nvpair id="o1" name="stonith-enabled" value="false"/></cluster_property_set></crm_config>"#;
    let cib = EMPTY.replace("<crm_config/>", no_fencing);
    let mut world = World::with(3, &cib, |settings| {
        settings.order_delay = Span::exactly(100);
        settings.lose_in_flight = PerMille(1000);
    });
    world.until("a cluster", |world| all_synchronised(world, &[1, 2, 3]));
    world.pass(5_000);
    world.power_off(HostId(2));
    let request = world.ask(3, Request::Shutdown);
    world.until("an answer", |world| world.replies.contains_key(&request));
    assert_eq!(world.replies[&request], Reply::Done { note: None });
}

#[test]
fn a_daemon_that_was_killed_while_it_left_stays_when_it_is_started_again() {
    let mut world = World::new(3, MACHINES);
    world.until("all run", |world| settled(world, 1) && running_on(world, "vm1").len() == 1);
    let leaves = |world: &World| {
        let record = &world.node(1).replica().hosts[&HostId(3)];
        record.status.attributes.contains_key("shutdown")
    };
    world.ask(3, Request::Shutdown);
    world.until("it leaves", leaves);
    world.kill_daemon(HostId(3));
    world.pass(1_000);
    world.start_daemon(HostId(3));
    world.until("it is back", |world| all_synchronised(world, &[1, 2, 3]) && settled(world, 1));
    world.pass(30_000);
    assert!(all_synchronised(&world, &[1, 2, 3]) && !leaves(&world), "{}", world.story());
}

#[test]
fn the_wait_at_the_start_begins_with_quorum() {
    let mut world = World::new(3, MACHINES);
    world.until("a cluster", |world| all_synchronised(world, &[1, 2, 3]));
    world.pass(5_000);
    for host in 1..=3 {
        world.power_off(HostId(host));
    }
    world.pass(1_000);
    for (host, later_ms) in [(1, 25_000), (2, 2_000), (3, 30_000)] {
        world.boot(HostId(host));
        world.pass(later_ms);
    }
    let fenced = world.events.iter().filter(|event| event.kind == "fence-start").count();
    assert_eq!(fenced, 0, "{}", world.story());
}

#[test]
fn a_member_of_a_view_is_not_taken_for_off_afterwards() {
    let cib = hafen_cib::Cib::parse(EMPTY).expect("a CIB");
    let hosts: BTreeMap<HostId, String> = (1..=3).map(|host| (HostId(host), format!("host{host}"))).collect();
    let mut replica = Replica::new(cib, Lineage::default(), &hosts);
    let view = |sequence: u64, hosts: &[u32]| View {
        ring: RingId { sequence, representative: HostId(1) },
        sequence: 1,
        hosts: hosts.iter().map(|&host| HostId(host)).collect(),
        members: hosts.iter().map(|&host| (HostId(host), Incarnation(sequence))).collect(),
    };
    replica.proven_off(HostId(3), None, ProofLevel::OffVerified);
    replica.enter_view(&view(1, &[1, 2, 3]));
    replica.enter_view(&view(2, &[1, 2]));
    assert!(matches!(replica.hosts[&HostId(3)].standing, Standing::Unclean { .. }));
}
