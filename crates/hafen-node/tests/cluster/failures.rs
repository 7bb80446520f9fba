//! What a cluster does after a failure, for every value of `on-fail`, as a live Pacemaker 3.0 did with the same agents.

use hafen_protocol::HostId;
use hafen_protocol::client::{AttributeMode, Edit, Request};

use crate::world::World;
use crate::{MACHINES, running_on, settled};

/// `r`, whose operation has that `on-fail`, and `other`, both best on host1.
fn resources(task: &str, on_fail: &str) -> String {
    let interval = if task == "monitor" { "10s" } else { "0" };
    let watched = if task == "monitor" { "" } else { r#"<op id="r-m" name="monitor" interval="10s"/>"# };
    format!(
        r#"<cib validate-with="pacemaker-4.0" admin_epoch="0" epoch="1" num_updates="0"><configuration>
<crm_config><cluster_property_set id="options"><nvpair id="o1" name="stonith-enabled" value="true"/>
</cluster_property_set></crm_config><nodes/><resources>
<primitive id="switch" class="stonith" type="fence_test"><instance_attributes id="switch-i">
<nvpair id="switch-l" name="pcmk_host_list" value="host1 host2 host3"/></instance_attributes></primitive>
<primitive id="r" class="ocf" provider="test" type="vm"><operations>{watched}
<op id="r-o" name="{task}" interval="{interval}" on-fail="{on_fail}"/></operations></primitive>
<primitive id="other" class="ocf" provider="test" type="vm"/>
</resources><constraints><rsc_location id="l1" rsc="r" node="host1" score="100"/>
<rsc_location id="l2" rsc="other" node="host1" score="100"/><rsc_location id="l3" rsc="switch" node="host3" score="100"/>
</constraints></configuration><status/></cib>"#
    )
}

/// What was done to a resource, in order: host and task; probes are left out.
fn done(world: &World, resource: &str) -> Vec<(u32, String)> {
    let its = world.ran.iter().filter(|(_, task, of)| of == resource && task != "monitor");
    its.map(|(host, task, _)| (*host, task.clone())).collect()
}

fn steps(steps: &[(u32, &str)]) -> Vec<(u32, String)> {
    steps.iter().map(|(host, task)| (*host, (*task).to_string())).collect()
}

fn attribute(world: &World, host: u32, name: &str) -> Option<String> {
    world.node(2).replica().hosts[&HostId(host)].status.attributes.get(name).cloned()
}

fn was_fenced(world: &World) -> bool {
    world.events.iter().any(|event| event.kind == "fence-start")
}

/// Half a minute later, everything is done.
fn rest(world: &mut World) {
    world.pass(30_000);
}

/// The monitor of `r` finds it gone; it was on host1.
fn after_a_monitor(on_fail: &str) -> World {
    let mut world = World::new(3, &resources("monitor", on_fail));
    world.until("it runs", |world| settled(world, 2) && running_on(world, "r") == [1]);
    world.pass(1_000);
    world.ran.clear();
    world.monitor_finds(1, "r_monitor_10000", 7);
    rest(&mut world);
    assert_eq!(attribute(&world, 1, "fail-count-r#monitor_10000").as_deref(), Some("1"), "{}", world.story());
    world
}

/// `r` cannot start on host1.
fn after_a_start(on_fail: &str) -> World {
    let mut world = World::dark(3, &resources("start", on_fail), |_| ());
    world.agents.fail(1, "r", "start", 1);
    (1..=3).for_each(|host| world.boot(HostId(host)));
    world.until("it is tried", |world| !done(world, "r").is_empty());
    rest(&mut world);
    world
}

/// `r` cannot stop on host1, and is to.
fn after_a_stop(on_fail: &str) -> World {
    let mut world = World::new(3, &resources("stop", on_fail));
    world.until("it runs", |world| settled(world, 2) && running_on(world, "r") == [1]);
    world.ran.clear();
    world.agents.fail(1, "r", "stop", 1);
    let (resource, name, value) = ("r".to_string(), "target-role".to_string(), Some("Stopped".to_string()));
    let edits = vec![Edit::ResourceMeta { resource, name, value }];
    world.ask(
        2,
        Request::Change { edits, without_quorum: false, origin: "a test".to_string(), written: None },
    );
    rest(&mut world);
    world
}

#[test]
fn ignore_goes_on_as_if_nothing_had_failed() {
    let world = after_a_monitor("ignore");
    assert_eq!(done(&world, "r"), [], "{}", world.story());
    let world = after_a_start("ignore");
    // The monitor that follows finds that it does not run, and that is not ignored.
    let tries = done(&world, "r");
    assert_eq!(tries[..3], steps(&[(1, "start"), (1, "stop"), (1, "start")]), "{}", world.story());
    assert_eq!(attribute(&world, 1, "fail-count-r#start_0"), None, "an ignored failure is not counted");
    assert!(attribute(&world, 1, "last-failure-r#start_0").is_some(), "but kept");
    let world = after_a_stop("ignore");
    assert_eq!(done(&world, "r"), steps(&[(1, "stop")]), "{}", world.story());
    assert_eq!(attribute(&world, 1, "fail-count-r#stop_0"), None);
    assert!(!was_fenced(&world));
}

#[test]
fn block_touches_it_no_more() {
    let world = after_a_monitor("block");
    assert_eq!(done(&world, "r"), [], "{}", world.story());
    let world = after_a_start("block");
    assert_eq!(done(&world, "r"), steps(&[(1, "start")]), "{}", world.story());
    let mut world = after_a_stop("block");
    assert_eq!(done(&world, "r"), steps(&[(1, "stop")]), "{}", world.story());
    assert_eq!(attribute(&world, 1, "fail-count-r#stop_0").as_deref(), Some("INFINITY"));
    assert!(!was_fenced(&world) && world.runs(1, "other"));
    // A clean-up lifts it.
    world.agents.work(1, "r", "stop");
    world.ask(2, Request::Cleanup { resource: "r".to_string(), host: None, failures: None });
    world.until("it is stopped", |world| running_on(world, "r").is_empty());
}

#[test]
fn stop_stops_it_and_leaves_it_so() {
    let world = after_a_monitor("stop");
    assert_eq!(done(&world, "r"), steps(&[(1, "stop")]), "{}", world.story());
    let world = after_a_start("stop");
    assert_eq!(done(&world, "r"), steps(&[(1, "start"), (1, "stop")]), "{}", world.story());
    assert!(!was_fenced(&world));
}

#[test]
fn restart_begins_again_where_it_may() {
    let world = after_a_monitor("restart");
    assert_eq!(done(&world, "r"), steps(&[(1, "stop"), (1, "start")]), "{}", world.story());
    let world = after_a_start("restart");
    let begun = done(&world, "r");
    assert_eq!(begun[..2], steps(&[(1, "start"), (1, "stop")]), "{}", world.story());
    assert!(
        begun.len() == 3 && begun[2].1 == "start" && begun[2].0 != 1,
        "a failed start is fatal: {begun:?}"
    );
    assert_eq!(attribute(&world, 1, "fail-count-r#start_0").as_deref(), Some("INFINITY"));
    let world = after_a_stop("restart");
    let tries = done(&world, "r").len();
    assert!(done(&world, "r").iter().all(|(host, task)| *host == 1 && task == "stop"), "{}", world.story());
    // Pacemaker tries over and over, without a pause.
    assert!((3..60).contains(&tries), "again and again, but with pauses: {tries}");
}

#[test]
fn standby_empties_the_host() {
    let world = after_a_monitor("standby");
    for resource in ["r", "other"] {
        assert!(running_on(&world, resource).iter().all(|host| *host != 1), "{resource}: {}", world.story());
        assert_eq!(running_on(&world, resource).len(), 1, "{resource}: {}", world.story());
    }
    assert!(!was_fenced(&world));
    let world = after_a_start("standby");
    for resource in ["r", "other"] {
        assert!(!world.runs(1, resource) && running_on(&world, resource).len() == 1, "{}", world.story());
    }
    let world = after_a_stop("standby");
    // Pacemaker takes it for block, with fencing too: nothing of it is sure to be stopped.
    assert_eq!(done(&world, "r").first(), Some(&(1, "stop".to_string())), "{}", world.story());
}

#[test]
fn fence_takes_the_host_down() {
    let (monitor, start, stop) = (after_a_monitor_fences(), after_a_start("fence"), after_a_stop("fence"));
    for (world, what) in [(monitor, "monitor"), (start, "start"), (stop, "stop")] {
        let told =
            |event: &&hafen_protocol::client::Event| event.kind == "fence-start" && event.host == "host2";
        let fencings = world.events.iter().filter(told).count();
        assert_eq!(fencings, 1, "{what}: {}", world.story());
        assert_eq!(running_on(&world, "other").len(), 1, "{what}: {}", world.story());
        let wanted = usize::from(what != "stop");
        assert_eq!(running_on(&world, "r").len(), wanted, "{what}: {}", world.story());
        assert!(!world.runs(1, "r"), "{what}");
    }
}

fn after_a_monitor_fences() -> World {
    let mut world = World::new(3, &resources("monitor", "fence"));
    world.until("it runs", |world| settled(world, 2) && running_on(world, "r") == [1]);
    world.pass(1_000);
    world.monitor_finds(1, "r_monitor_10000", 1);
    rest(&mut world);
    assert!(
        done(&world, "r").iter().all(|(_, task)| task == "start"),
        "no stop is waited for: {}",
        world.story()
    );
    world
}

/// One promoted instance on host1; its monitor as promoted has that `on-fail`.
fn promoted(on_fail: &str) -> World {
    let cib = format!(
        r#"<cib validate-with="pacemaker-4.0" admin_epoch="0" epoch="1" num_updates="0"><configuration>
<crm_config><cluster_property_set id="options"><nvpair id="o1" name="stonith-enabled" value="false"/>
</cluster_property_set></crm_config><nodes/><resources><clone id="ms"><meta_attributes id="ms-m">
<nvpair id="ms-p" name="promotable" value="true"/></meta_attributes>
<primitive id="r" class="ocf" provider="test" type="vm"><operations>
<op id="r-p" name="monitor" interval="9s" role="Promoted" on-fail="{on_fail}"/>
<op id="r-m" name="monitor" interval="10s"/></operations></primitive></clone>
</resources><constraints/></configuration><status/></cib>"#
    );
    let mut world = World::new(3, &cib);
    world.until("it runs", |world| settled(world, 2) && running_on(world, "r").len() == 3);
    for (host, score) in [(1, "10"), (2, "5")] {
        let (name, value) = ("master-r".to_string(), Some(score.to_string()));
        world.ask(
            host,
            Request::SetAttribute { host: None, name, value, dampen_ms: None, mode: AttributeMode::Value },
        );
    }
    world.until("one is promoted", |world| {
        settled(world, 2) && world.ran.contains(&(1, "promote".to_string(), "r".to_string()))
    });
    world.pass(1_000);
    world.ran.clear();
    world
}

#[test]
fn demote_takes_the_role_and_keeps_it_running() {
    let mut world = promoted("demote");
    world.monitor_finds(1, "r_monitor_9000", 1);
    rest(&mut world);
    let on_first: Vec<_> = done(&world, "r").into_iter().filter(|(host, _)| *host == 1).collect();
    assert_eq!(on_first, steps(&[(1, "demote"), (1, "promote")]), "{}", world.story());
    // Where a plain restart stops it.
    let mut world = promoted("restart");
    world.monitor_finds(1, "r_monitor_9000", 1);
    rest(&mut world);
    let on_first: Vec<_> = done(&world, "r").into_iter().filter(|(host, _)| *host == 1).collect();
    let restarted = [(1, "demote"), (1, "stop"), (1, "start"), (1, "promote")];
    assert_eq!(on_first, steps(&restarted), "{}", world.story());
}

/// Without bundles there is no container: it is as `restart`.
#[test]
fn restart_container_without_a_container_restarts() {
    let world = after_a_monitor("restart-container");
    assert_eq!(done(&world, "r"), steps(&[(1, "stop"), (1, "start")]), "{}", world.story());
}

#[test]
fn what_cannot_be_driven_yet_is_said() {
    let more = r#"<bundle id="web"><podman image="x"/></bundle>
        <primitive id="far" class="ocf" provider="pacemaker" type="remote"/>
        <primitive id="guest" class="ocf" provider="test" type="vm"><meta_attributes id="guest-m">
        <nvpair id="guest-m-r" name="remote-node" value="inner"/></meta_attributes></primitive></resources>"#;
    let mut world = World::new(3, &MACHINES.replace("</resources>", more));
    let warnings = world.status(1).warnings;
    for text in ["bundle web is not started", "far is not connected", "guest does not become a node"] {
        assert!(warnings.iter().any(|line| line.starts_with(text)), "{text}: {warnings:?}");
    }
}
