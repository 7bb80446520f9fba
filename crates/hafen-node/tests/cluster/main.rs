//! Whole clusters of nodes on a calm bus: the straight ways through the node. The simulation walks the crooked ones.

mod access;
mod attributes;
mod crooked;
mod failures;
mod greeting;
mod hosts;
mod limits;
mod loss;
mod maintenance;
mod operators;
mod progress;
mod together;
mod world;

use hafen_node::membership::Phase;
use hafen_protocol::HostId;
use hafen_protocol::client::{Edit, Reply, Request};
use hafen_protocol::sequencer::Input;
use world::World;

const EMPTY: &str = r#"<cib validate-with="pacemaker-4.0" admin_epoch="0" epoch="1" num_updates="0"><configuration>
<crm_config/><nodes/><resources/><constraints/></configuration><status/></cib>"#;

/// Two virtual machines and a device that fences.
const MACHINES: &str = r#"<cib validate-with="pacemaker-4.0" admin_epoch="0" epoch="1" num_updates="0"><configuration>
<crm_config><cluster_property_set id="options"><nvpair id="o1" name="stonith-enabled" value="true"/>
</cluster_property_set></crm_config><nodes/><resources>
<primitive id="switch" class="stonith" type="fence_test"><instance_attributes id="switch-i">
<nvpair id="switch-l" name="pcmk_host_list" value="host1 host2 host3"/></instance_attributes></primitive>
<primitive id="vm1" class="ocf" provider="test" type="vm"><operations><op id="vm1-m" name="monitor" interval="10s"/></operations></primitive>
<primitive id="vm2" class="ocf" provider="test" type="vm"/>
</resources><constraints/></configuration><status/></cib>"#;

fn property(name: &str, value: &str) -> Request {
    let edits = vec![Edit::Property { name: name.to_string(), value: Some(value.to_string()) }];
    Request::Change { edits, without_quorum: false, origin: "a test".to_string(), written: None }
}

fn all_synchronised(world: &World, hosts: &[u32]) -> bool {
    hosts.iter().all(|&host| {
        let membership = world.node(host).membership();
        membership.phase == Phase::Synchronised && membership.synchronised.len() == hosts.len()
    })
}

fn running_on(world: &World, resource: &str) -> Vec<u32> {
    (1..=3).filter(|&host| world.runs(host, resource)).collect()
}

fn settled(world: &World, host: u32) -> bool {
    world.node(host).membership().phase == Phase::Synchronised && world.node(host).is_settled()
}

#[test]
fn a_change_is_acknowledged_and_the_same_everywhere() {
    let mut world = World::new(3, EMPTY);
    world.until("a cluster", |world| all_synchronised(world, &[1, 2, 3]));
    let request = world.ask(2, property("cluster-name", "harbour"));
    world.until("an answer", |world| world.replies.contains_key(&request));
    assert_eq!(world.replies[&request], Reply::Done { note: None });
    world.pass(100);
    let digest = world.node(1).replica().digest().to_string();
    for host in [2, 3] {
        assert_eq!(world.node(host).replica().digest(), digest);
    }
    assert!(world.node(1).replica().cib().to_xml().contains("harbour"));
}

#[test]
fn a_minority_refuses_changes_and_catches_up_when_it_is_back() {
    let mut world = World::new(3, EMPTY);
    world.until("a cluster", |world| all_synchronised(world, &[1, 2, 3]));
    world.sequencer(Input::Isolate(HostId(1)));
    world.until("two", |world| all_synchronised(world, &[2, 3]));
    let refused = world.ask(1, property("cluster-name", "lost"));
    world.until("an answer", |world| world.replies.contains_key(&refused));
    let Reply::Failed(failure) = &world.replies[&refused] else { panic!("{:?}", world.replies[&refused]) };
    assert_eq!(failure.kind, "no-quorum");
    let request = world.ask(3, property("cluster-name", "kept"));
    world.until("an answer", |world| world.replies.contains_key(&request));
    assert_eq!(world.replies[&request], Reply::Done { note: None });
    world.sequencer(Input::HealAll);
    world.until("three", |world| all_synchronised(world, &[1, 2, 3]));
    assert!(world.node(1).replica().cib().to_xml().contains("kept"));
    assert_eq!(world.node(1).replica().digest(), world.node(3).replica().digest());
}

#[test]
fn what_was_acknowledged_is_there_after_all_hosts_lost_power() {
    let mut world = World::new(3, EMPTY);
    world.until("a cluster", |world| all_synchronised(world, &[1, 2, 3]));
    let request = world.ask(1, property("cluster-name", "durable"));
    world.until("an answer", |world| world.replies.contains_key(&request));
    for host in 1..=3 {
        world.power_off(HostId(host));
    }
    world.pass(1_000);
    for host in 1..=3 {
        world.boot(HostId(host));
    }
    world.until("a cluster", |world| all_synchronised(world, &[1, 2, 3]));
    assert!(world.node(2).replica().cib().to_xml().contains("durable"));
}

#[test]
fn another_member_coordinates_when_the_disk_of_the_coordinator_is_full() {
    let mut world = World::new(3, EMPTY);
    world.until("a cluster", |world| all_synchronised(world, &[1, 2, 3]));
    assert!(world.node(1).is_coordinator());
    world.fill_disk(1, true);
    let request = world.ask(1, property("cluster-name", "full"));
    world.until("another coordinator", |world| world.node(2).is_coordinator());
    world.until("an answer", |world| world.replies.contains_key(&request));
    assert_eq!(world.replies[&request], Reply::Done { note: None }, "two disks of three are a majority");
    world.fill_disk(1, false);
    let healthy = |world: &World| world.node(3).membership().failed_disks.is_empty();
    world.until("the disk is used again", healthy);
}

#[test]
fn the_machines_of_a_lost_host_start_elsewhere_after_it_is_fenced() {
    let mut world = World::new(3, MACHINES);
    world.until("all run", |world| {
        settled(world, 1) && running_on(world, "vm1").len() == 1 && running_on(world, "vm2").len() == 1
    });
    let lost = running_on(&world, "vm1")[0];
    let survivor = if lost == 1 { 2 } else { 1 };
    world.ran.clear();
    world.events.clear();
    world.power_off(HostId(lost));
    world.until("vm1 runs again", |world| settled(world, survivor) && !running_on(world, "vm1").is_empty());
    assert_ne!(running_on(&world, "vm1"), [lost]);
    let at = |kind: &str| world.events.iter().position(|event| event.kind == kind);
    let started = world.events.iter().position(|event| {
        event.kind == "execute" && event.subject == "vm1" && event.text.starts_with("start")
    });
    assert!(at("host-lost") < at("fence-start"), "{}", world.story());
    assert!(at("fence-result").is_some() && at("fence-result") < started, "{}", world.story());
}

#[test]
fn nothing_moves_while_a_daemon_is_started_again() {
    let mut world = World::new(3, MACHINES);
    world.until("all run", |world| settled(world, 1) && running_on(world, "vm1").len() == 1);
    let host = running_on(&world, "vm1")[0];
    world.ran.clear();
    world.kill_daemon(HostId(host));
    world.pass(5_000);
    world.start_daemon(HostId(host));
    world.until("a cluster", |world| all_synchronised(world, &[1, 2, 3]) && settled(world, 1));
    world.pass(30_000);
    let moved: Vec<_> = world.ran.iter().filter(|(_, task, _)| task != "monitor").collect();
    assert!(moved.is_empty(), "{moved:?}\n{}", world.story());
    assert_eq!(running_on(&world, "vm1"), [host]);
}

#[test]
fn a_constraint_on_what_does_not_exist_is_refused_with_a_mend() {
    let mut world = World::new(3, EMPTY);
    world.until("a cluster", |world| all_synchronised(world, &[1, 2, 3]));
    let xml = r#"<rsc_location id="l1" rsc="nothing" node="host1" score="100"/>"#.to_string();
    let edits = vec![Edit::Create { section: "constraints".to_string(), xml }];
    let request = world.ask(
        1,
        Request::Change { edits, without_quorum: false, origin: "a test".to_string(), written: None },
    );
    world.until("an answer", |world| world.replies.contains_key(&request));
    let Reply::Failed(failure) = &world.replies[&request] else { panic!("{:?}", world.replies[&request]) };
    assert_eq!(failure.kind, "invalid");
    assert!(failure.message.contains("nothing"), "{failure:?}");
    assert!(!failure.mend.is_empty());
}
