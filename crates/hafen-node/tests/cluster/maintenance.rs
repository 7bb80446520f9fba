//! Maintenance in every form: what still runs, what is left alone, and what happens when it ends.

use hafen_protocol::HostId;
use hafen_protocol::client::{Edit, Request};

use crate::world::World;
use crate::{running_on, settled};

/// `r` on host1 and `s` on host2, both watched.
fn cluster() -> World {
    let resource = |id: &str, host: u32| {
        (
            format!(
                r#"<primitive id="{id}" class="ocf" provider="test" type="vm"><operations>
<op id="{id}-o" name="monitor" interval="10s"/></operations></primitive>"#
            ),
            format!(r#"<rsc_location id="l-{id}" rsc="{id}" node="host{host}" score="100"/>"#),
        )
    };
    let ((r, on_first), (s, on_second)) = (resource("r", 1), resource("s", 2));
    let cib = format!(
        r#"<cib validate-with="pacemaker-4.0" admin_epoch="0" epoch="1" num_updates="0"><configuration>
<crm_config><cluster_property_set id="options"><nvpair id="o1" name="stonith-enabled" value="false"/>
</cluster_property_set></crm_config><nodes/><resources>{r}{s}</resources><constraints>{on_first}{on_second}</constraints>
</configuration><status/></cib>"#
    );
    let mut world = World::new(3, &cib);
    world.until("they run", |world| {
        settled(world, 3) && running_on(world, "r") == [1] && running_on(world, "s") == [2]
    });
    world.pass(1_000);
    assert_eq!((world.agents.watched(1, "r"), world.agents.watched(2, "s")), (vec![10_000], vec![10_000]));
    world.ran.clear();
    world
}

fn change(world: &mut World, edit: Edit) {
    let (edits, origin) = (vec![edit], "a test".to_string());
    world.ask(3, Request::Change { edits, without_quorum: false, origin, written: None });
    world.pass(5_000);
}

fn meta(resource: &str, name: &str, value: Option<&str>) -> Edit {
    let (resource, name, value) = (resource.to_string(), name.to_string(), value.map(str::to_string));
    Edit::ResourceMeta { resource, name, value }
}

fn node(name: &str, value: Option<&str>) -> Edit {
    let (name, value) = (name.to_string(), value.map(str::to_string));
    Edit::NodeAttribute { node: "host1".to_string(), name, value }
}

fn property(name: &str, value: Option<&str>) -> Edit {
    Edit::Property { name: name.to_string(), value: value.map(str::to_string) }
}

fn ran(world: &World) -> Vec<(u32, &str, &str)> {
    world.ran.iter().map(|(host, task, resource)| (*host, task.as_str(), resource.as_str())).collect()
}

/// Begins and ends a kind of maintenance of `r`: it is not watched then, and its role is obeyed only afterwards.
fn left_alone_until_the_end(world: &mut World, begin: Edit, end: Edit) {
    change(world, begin);
    assert!(world.agents.watched(1, "r").is_empty(), "nobody watches it: {}", world.story());
    change(world, meta("r", "target-role", Some("Stopped")));
    assert_eq!(ran(world), [], "it is left alone: {}", world.story());
    change(world, meta("r", "target-role", None));
    change(world, end.clone());
    assert_eq!(world.agents.watched(1, "r"), [10_000], "{}", world.story());
    let again = world.ran.iter().filter(|(_, _, resource)| resource == "r").count();
    assert_eq!(again, 1, "watched again, and not looked for afresh: {:?}", world.ran);
    change(world, meta("r", "target-role", Some("Stopped")));
    assert_eq!(ran(world).last(), Some(&(1, "stop", "r")), "{}", world.story());
}

#[test]
fn of_the_cluster() {
    let mut world = cluster();
    let (on, off) = (property("maintenance-mode", Some("true")), property("maintenance-mode", None));
    change(&mut world, on.clone());
    assert!(world.agents.watched(2, "s").is_empty(), "all of it");
    // Not even a lost host's resources are recovered.
    world.power_off(HostId(2));
    world.pass(30_000);
    assert_eq!(ran(&world), [], "{}", world.story());
    world.boot(HostId(2));
    world.until("it is back", |world| settled(world, 3));
    world.pass(5_000);
    assert!(ran(&world).iter().all(|(host, task, _)| (*host, *task) == (2, "monitor")), "{:?}", world.ran);
    change(&mut world, off.clone());
    world.until("s runs again", |world| running_on(world, "s") == [2]);
    world.pass(5_000);
    world.ran.clear();
    left_alone_until_the_end_of(&mut world, on, off);
}

/// As `left_alone_until_the_end`, where `s` is watched again as well.
fn left_alone_until_the_end_of(world: &mut World, begin: Edit, end: Edit) {
    left_alone_until_the_end(world, begin, end);
    assert!(ran(world).contains(&(2, "monitor", "s")), "{:?}", world.ran);
}

#[test]
fn of_a_host() {
    let mut world = cluster();
    left_alone_until_the_end(&mut world, node("maintenance", Some("true")), node("maintenance", None));
    assert!(ran(&world).iter().all(|(_, _, resource)| *resource == "r"), "the other host is not meant");
    assert_eq!(world.agents.watched(2, "s"), [10_000]);
    // What is not there does not come there either.
    change(&mut world, node("maintenance", Some("true")));
    world.ran.clear();
    change(&mut world, meta("r", "target-role", None));
    assert!(!ran(&world).contains(&(1, "start", "r")), "{:?}", world.ran);
}

#[test]
fn of_a_resource() {
    let mut world = cluster();
    left_alone_until_the_end(
        &mut world,
        meta("r", "maintenance", Some("true")),
        meta("r", "maintenance", None),
    );
    assert_eq!(world.agents.watched(2, "s"), [10_000]);
}

#[test]
fn what_is_not_managed_is_watched_and_not_touched() {
    let mut world = cluster();
    change(&mut world, meta("r", "is-managed", Some("false")));
    assert_eq!(world.agents.watched(1, "r"), [10_000]);
    change(&mut world, meta("r", "target-role", Some("Stopped")));
    assert!(running_on(&world, "r") == [1] && !ran(&world).iter().any(|(_, task, _)| *task == "stop"));
    change(&mut world, meta("r", "target-role", None));
    let key = "fail-count-r#monitor_10000";
    world.monitor_finds(1, "r_monitor_10000", 7);
    world.pass(5_000);
    assert!(ran(&world).iter().all(|(_, task, _)| *task == "monitor"), "{:?}", world.ran);
    let count = world.node(3).replica().hosts[&HostId(1)].status.attributes.get(key).cloned();
    assert_eq!(count.as_deref(), Some("1"), "the failure is on record");
    change(&mut world, meta("r", "is-managed", None));
    world.until("it is recovered", |world| running_on(world, "r") == [1] && settled(world, 3));
}

#[test]
fn of_an_operation() {
    let mut world = cluster();
    let put = |enabled: &str| Edit::Put {
        section: "resources".to_string(),
        xml: format!(
            r#"<primitive id="r" class="ocf" provider="test" type="vm"><operations>
<op id="r-o" name="monitor" interval="10s" enabled="{enabled}"/></operations></primitive>"#
        ),
    };
    change(&mut world, put("false"));
    assert!(world.agents.watched(1, "r").is_empty(), "{}", world.story());
    change(&mut world, put("true"));
    assert_eq!(world.agents.watched(1, "r"), [10_000]);
    assert_eq!(ran(&world), [(1, "monitor", "r")], "and nothing else");
}

#[test]
fn a_lifetime_ends_by_itself() {
    let mut world = cluster();
    let until = (world.now().wall_ms / 1000 + 60) as i64;
    let end = hafen_time(until);
    let xml = format!(
        r##"<rsc_location id="cli-ban-r-on-host1" rsc="r" role="Started"><rule id="ban-rule" score="-INFINITY" boolean-op="and">
<expression id="ban-e" attribute="#uname" operation="eq" value="host1" type="string"/>
<date_expression id="ban-d" operation="lt" end="{end}"/></rule></rsc_location>"##
    );
    change(&mut world, Edit::Create { section: "constraints".to_string(), xml });
    assert!(!world.runs(1, "r") && running_on(&world, "r").len() == 1, "{}", world.story());
    world.pass(45_000);
    assert!(!world.runs(1, "r"), "its time is not over");
    world.pass(20_000);
    assert_eq!(running_on(&world, "r"), [1], "nobody said anything: {}", world.story());
}

/// A time in seconds since the Unix epoch, as rules have it. All of this happens within one hour of one day.
fn hafen_time(seconds: i64) -> String {
    let of_day = seconds.rem_euclid(86_400);
    assert_eq!(seconds / 86_400, 1_700_000_000 / 86_400, "one day");
    format!("2023-11-14 {:02}:{:02}:{:02}Z", of_day / 3600, of_day / 60 % 60, of_day % 60)
}

#[test]
fn a_parameter_that_can_be_taken_while_running_is_reloaded() {
    let mut world = cluster();
    // What the agent cannot take while it runs, as its meta-data says.
    world.agents.restart_parameters = Some(vec!["state".to_string()]);
    let put = |fake: &str, state: &str| Edit::Put {
        section: "resources".to_string(),
        xml: format!(
            r#"<primitive id="q" class="ocf" provider="test" type="vm"><instance_attributes id="q-i"><nvpair id="q-f" name="fake"
value="{fake}"/><nvpair id="q-s" name="state" value="{state}"/></instance_attributes><operations>
<op id="q-o" name="monitor" interval="10s"/></operations></primitive>"#
        ),
    };
    change(&mut world, put("one", "x"));
    let [host] = running_on(&world, "q")[..] else { panic!("{}", world.story()) };
    world.ran.clear();
    change(&mut world, put("two", "x"));
    assert_eq!(ran(&world), [(host, "reload-agent", "q"), (host, "monitor", "q")], "{}", world.story());
    let given = &world.agents.parameters[&("q".to_string(), "reload-agent".to_string())];
    assert_eq!(given["fake"], "two");
    let record =
        world.node(3).replica().hosts[&HostId(host)].status.resources["q"].operations["q_last_0"].clone();
    // As Pacemaker keeps it.
    assert_eq!((record.task.as_str(), record.operation_key.as_str()), ("start", "q_start_0"));
    world.ran.clear();
    change(&mut world, put("two", "y"));
    let restarted = [(host, "stop", "q"), (host, "start", "q"), (host, "monitor", "q")];
    assert_eq!(ran(&world), restarted, "{}", world.story());
}
