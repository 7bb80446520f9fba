//! Changes of the configuration that many ask for at once.

use hafen_protocol::HostId;
use hafen_protocol::client::{Edit, Reply, Request};

use crate::world::World;
use crate::{EMPTY, all_synchronised, property, settled};

fn cluster() -> World {
    let mut world = World::new(3, EMPTY);
    world.until("a cluster", |world| all_synchronised(world, &[1, 2, 3]) && settled(world, 1));
    world
}

/// How many times the configuration changed, as a host tells it.
fn changes(world: &World, host: &str) -> usize {
    world.events.iter().filter(|event| event.host == host && event.kind == "change").count()
}

fn answered(world: &World, requests: &[u64]) -> bool {
    requests.iter().all(|request| world.replies.contains_key(request))
}

#[test]
fn changes_of_all_hosts_come_together_and_none_is_lost() {
    let mut world = cluster();
    let before = changes(&world, "host1");
    let mut requests = Vec::new();
    for number in 0..30 {
        let host = 1 + number % 3;
        requests.push(world.ask(host, property(&format!("p{number}"), "1")));
    }
    world.until("answers", |world| answered(world, &requests));
    for request in &requests {
        assert_eq!(world.replies[request], Reply::Done { note: None });
    }
    let xml = world.node(2).replica().cib().to_xml();
    assert!((0..30).all(|number| xml.contains(&format!("name=\"p{number}\""))), "{xml}");
    let made = changes(&world, "host1") - before;
    assert!(made < 10, "{made} changes for 30 requests");
    assert_eq!(world.node(1).replica().digest(), world.node(3).replica().digest());
}

#[test]
fn one_that_cannot_be_made_fails_alone() {
    let mut world = cluster();
    let unknown = |id: &str| Request::Change {
        edits: vec![Edit::Delete { id: id.to_string(), missing_ok: false }],
        without_quorum: false,
        origin: "a test".to_string(),
        written: None,
    };
    // What is wrong only with all of the configuration in view: a constraint on nothing.
    let dangling = Request::Change {
        edits: vec![Edit::Create {
            section: "constraints".to_string(),
            xml: r#"<rsc_location id="l" rsc="nobody" node="host1" score="1"/>"#.to_string(),
        }],
        without_quorum: false,
        origin: "a test".to_string(),
        written: None,
    };
    let mut good = Vec::new();
    let mut bad = Vec::new();
    for number in 0..12 {
        let host = 1 + number % 3;
        good.push(world.ask(host, property(&format!("p{number}"), "1")));
        match number % 4 {
            1 => bad.push(world.ask(host, unknown("nothing"))),
            3 => bad.push(world.ask(host, dangling.clone())),
            _ => {}
        }
    }
    world.until("answers", |world| answered(world, &good) && answered(world, &bad));
    for request in &good {
        assert_eq!(world.replies[request], Reply::Done { note: None });
    }
    for request in &bad {
        assert!(matches!(world.replies[request], Reply::Failed(_)), "{:?}", world.replies[request]);
    }
}

#[test]
fn of_two_patches_against_one_version_the_second_is_refused() {
    let mut world = cluster();
    let request = world.ask(2, Request::Cib { status: false });
    let Some(Reply::Xml { xml }) = world.replies.remove(&request) else { panic!("no CIB") };
    let base = hafen_cib::Cib::parse(&xml).expect("a CIB");
    let patch = |name: &str| {
        let mut next = base.clone();
        let section = next.section_or_new("crm_config");
        let set = next.document_mut().append_element(section, "cluster_property_set");
        next.document_mut().set_attribute(set, "id", name);
        let mut version = next.version();
        version.epoch += 1;
        next.set_version(version);
        Request::Change {
            edits: vec![Edit::Patch { xml: hafen_cib::Patchset::diff(&base, &next).to_xml() }],
            without_quorum: false,
            origin: "a test".to_string(),
            written: None,
        }
    };
    let requests = [world.ask(2, patch("a")), world.ask(3, patch("b")), world.ask(1, patch("c"))];
    world.until("answers", |world| answered(world, &requests));
    let done = requests.iter().filter(|request| matches!(world.replies[request], Reply::Done { .. })).count();
    assert_eq!(done, 1, "{:?}", world.replies);
    let changed = |reply: &Reply| matches!(reply, Reply::Failed(failure) if failure.kind == "changed");
    assert_eq!(requests.iter().filter(|request| changed(&world.replies[request])).count(), 2);
}

#[test]
fn a_coordinator_that_goes_leaves_no_request_without_an_answer() {
    let mut world = cluster();
    let coordinator = world.node(1).membership().coordinator.expect("one").host;
    let other = (1..=3).find(|&host| HostId(host) != coordinator).expect("another");
    let requests: Vec<u64> =
        (0..5).map(|number| world.ask(other, property(&format!("p{number}"), "1"))).collect();
    world.power_off(coordinator);
    world.until("answers", |world| answered(world, &requests));
    let xml = world.node(other).replica().cib().to_xml();
    for (number, request) in requests.iter().enumerate() {
        let is_there = xml.contains(&format!("name=\"p{number}\""));
        match &world.replies[request] {
            Reply::Done { .. } => assert!(is_there, "p{number} was acknowledged"),
            Reply::Failed(failure) => assert_eq!(failure.kind, "unknown-outcome"),
            reply => panic!("{reply:?}"),
        }
    }
}

#[test]
fn a_coordinator_with_a_full_disk_hands_over_what_is_asked() {
    let mut world = cluster();
    let coordinator = world.node(1).membership().coordinator.expect("one").host;
    world.fill_disk(coordinator.0, true);
    let requests: Vec<u64> =
        (0..9).map(|number| world.ask(1 + number % 3, property(&format!("p{number}"), "1"))).collect();
    world.until("answers", |world| answered(world, &requests));
    let xml = world.node(2).replica().cib().to_xml();
    for (number, request) in requests.iter().enumerate() {
        assert_eq!(world.replies[request], Reply::Done { note: None }, "p{number}");
        assert!(xml.contains(&format!("name=\"p{number}\"")));
    }
}
