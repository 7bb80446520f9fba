//! What a status tells of the plan under way, and of what failed.

use hafen_protocol::client::FailedOperation;

use crate::world::World;
use crate::{MACHINES, settled};

#[test]
fn a_status_tells_how_far_the_plan_has_come() {
    let mut world = World::new(3, MACHINES);
    world.agents.takes_ms = Some(2_000);
    let started = |world: &World| world.ran.iter().any(|(_, task, _)| task == "monitor");
    world.until("probes run", started);
    world.pass(500);
    let coordinator = world.status(1).coordinator.expect("one is elected");
    let (mut known, mut heard) = (None, Vec::new());
    for host in 1..=3 {
        let status = world.status(host);
        let transition = status.transition.expect("a plan is under way");
        assert!(!transition.under_way.is_empty(), "{transition:?}");
        if status.host == coordinator {
            known = Some(transition);
        } else {
            heard.push(transition);
        }
    }
    let known = known.expect("the coordinator's own");
    let steps = known.steps.expect("it knows its plan");
    assert!(known.done < steps && known.failed == 0 && known.aborted.is_none(), "{known:?}");
    assert!(known.under_way.iter().any(|step| step.starts_with("probe of vm1 on host")), "{known:?}");
    for other in &heard {
        assert_eq!((other.number, other.steps), (known.number, None));
        let mut names = [other.under_way.clone(), known.under_way.clone()];
        names.iter_mut().for_each(|names| names.sort());
        assert_eq!(names[0], names[1], "who does not coordinate has heard the same orders");
    }
    world.pass(2_500);
    let coordinator: u32 = coordinator.trim_start_matches("host").parse().expect("a number");
    let later = world.status(coordinator).transition;
    let further = later.is_none_or(|later| later.number > known.number || later.done > known.done);
    assert!(further, "{known:?}");
    world.until("it is done", |world| settled(world, 2));
    assert!((1..=3).all(|host| world.status(host).transition.is_none()));
}

#[test]
fn a_status_tells_what_failed_with_its_reason_and_output() {
    let mut world = World::new(3, MACHINES);
    for host in 1..=3 {
        world.agents.fail(host, "vm1", "start", 1);
    }
    world.until("it is tried everywhere", |world| {
        let tries = world.ran.iter().filter(|(_, task, of)| of == "vm1" && task == "start");
        tries.count() == 3 && settled(world, 2)
    });
    let failed = world.status(2).failed_operations;
    let hosts: Vec<&str> = failed.iter().map(|one| one.host.as_str()).collect();
    assert_eq!(hosts, ["host1", "host2", "host3"], "{failed:?}");
    for one in &failed {
        let wanted = FailedOperation {
            resource: "vm1".to_string(),
            host: one.host.clone(),
            task: "start".to_string(),
            rc: 1,
            output: "what the agent wrote".to_string(),
            at: one.at,
            took_ms: one.took_ms,
            ..FailedOperation::default()
        };
        assert_eq!(*one, wanted);
        assert!(one.at > 0);
    }
}
