//! How much is under way at once: never more than the cluster's properties and the hosts' load allow.

use hafen_node::api::Input;
use hafen_protocol::HostId;
use hafen_protocol::message::{HostLoad, LoadLevel};

use crate::world::World;
use crate::{all_synchronised, property, settled};

/// How many resources each cluster here has.
const RESOURCES: usize = 30;

/// Many resources that run nowhere yet, with such properties.
fn cluster(properties: &[(&str, &str)], load_hundredths: &[(u32, u64)]) -> World {
    let pairs: String = properties
        .iter()
        .map(|(name, value)| format!(r#"<nvpair id="o-{name}" name="{name}" value="{value}"/>"#))
        .collect();
    let resources: String = (1..=RESOURCES)
        .map(|number| format!(r#"<primitive id="r{number}" class="ocf" provider="test" type="vm"/>"#))
        .collect();
    let cib = format!(
        r#"<cib validate-with="pacemaker-4.0" admin_epoch="0" epoch="1" num_updates="0"><configuration>
<crm_config><cluster_property_set id="options"><nvpair id="o1" name="stonith-enabled" value="false"/>
<nvpair id="o2" name="stop-all-resources" value="true"/>{pairs}</cluster_property_set></crm_config><nodes/>
<resources>{resources}</resources><constraints/></configuration><status/></cib>"#
    );
    let mut world = World::new(3, &cib);
    world.until("a cluster", |world| all_synchronised(world, &[1, 2, 3]) && settled(world, 1));
    for &(host, load_hundredths) in load_hundredths {
        // A level counts when it was found twice; what was found first of all counts at once.
        for _ in 0..2 {
            world.input(HostId(host), Input::Load { load_hundredths, cores: 2 });
        }
    }
    world.pass(1_000);
    world.agents.takes_ms = Some(100);
    world
}

/// All of them start; says the most that were under way at a time: on each host, and in all.
fn start_all(world: &mut World) -> ([usize; 3], usize) {
    world.agents.forget_most();
    world.ask(2, property("stop-all-resources", "false"));
    let all_run = |world: &World| {
        (1..=3).map(|host| world.active(host).len()).sum::<usize>() == RESOURCES && settled(world, 2)
    };
    world.until("all run", all_run);
    let most = |host: u32| world.agents.most.get(&host).copied().unwrap_or_default();
    ([most(1), most(2), most(3)], world.agents.most_at_all)
}

#[test]
fn a_host_does_no_more_at_once_than_node_action_limit() {
    let mut world = cluster(&[("node-action-limit", "3")], &[]);
    assert_eq!(start_all(&mut world), ([3, 3, 3], 9), "{}", world.story());
}

#[test]
fn a_host_does_two_things_for_each_of_its_cores() {
    let mut world = cluster(&[], &[(1, 10), (2, 10), (3, 10)]);
    assert_eq!(start_all(&mut world), ([4, 4, 4], 12), "{}", world.story());
}

#[test]
fn the_cluster_does_no_more_at_once_than_batch_limit() {
    let mut world = cluster(&[("batch-limit", "2")], &[(1, 10), (2, 10), (3, 10)]);
    assert_eq!(start_all(&mut world).1, 2, "{}", world.story());
}

#[test]
fn a_busy_host_is_given_less() {
    // With 2 cores and load-threshold=80%: beyond 1.92 low, beyond 2.56 medium, beyond 3.2 high.
    let properties = [("node-action-limit", "8"), ("batch-limit", "-1")];
    let mut world = cluster(&properties, &[(1, 200), (2, 300), (3, 400)]);
    assert_eq!(start_all(&mut world).0, [4, 2, 1], "{}", world.story());
    // Another threshold, and none of them is busy.
    let mut world = cluster(
        &[("node-action-limit", "8"), ("batch-limit", "-1"), ("load-threshold", "500%")],
        &[(1, 200), (2, 300), (3, 400)],
    );
    assert_eq!(start_all(&mut world).0, [8, 8, 8], "{}", world.story());
}

#[test]
fn one_very_busy_host_slows_the_cluster_down() {
    let mut world = cluster(&[], &[(1, 10), (2, 10), (3, 400)]);
    assert_eq!(start_all(&mut world).1, 1, "{}", world.story());
}

#[test]
fn a_load_is_told_when_it_lasts_and_known_to_the_next_coordinator() {
    let mut world = cluster(&[("batch-limit", "-1")], &[(1, 10), (2, 10), (3, 10)]);
    let level = |world: &World| world.node(2).loads()[&HostId(3)].level;
    world.input(HostId(3), Input::Load { load_hundredths: 900, cores: 2 });
    world.pass(1_000);
    assert_eq!(level(&world), LoadLevel::None, "a peak");
    world.input(HostId(3), Input::Load { load_hundredths: 900, cores: 2 });
    world.pass(1_000);
    assert_eq!(level(&world), LoadLevel::High);
    world.kill_daemon(HostId(1));
    world.until("another coordinator", |world| world.node(2).is_coordinator());
    world.start_daemon(HostId(1));
    world.until("a cluster", |world| all_synchronised(world, &[1, 2, 3]) && settled(world, 1));
    world.pass(1_000);
    let told = world.node(1).loads()[&HostId(3)].clone();
    assert_eq!(told, HostLoad { level: LoadLevel::High, cores: 2 }, "who comes later is told too");
    assert_eq!(start_all(&mut world).0[2], 1, "{}", world.story());
}
