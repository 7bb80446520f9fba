//! Plans made by hand, driven.

use std::collections::BTreeMap;
use std::sync::Arc;

use hafen_protocol::message::{HostLoad, LoadLevel};
use hafen_scheduler::{Action, FenceAction, NodeRef, ResourceRef};
use proptest::prelude::*;

use super::*;

const UUID: &str = "6149c21b-77ec-4d97-8b22-d39d97981ad1";

fn settings() -> DriverSettings {
    DriverSettings {
        transition: 7,
        uuid: UUID.into(),
        cluster_delay_ms: 60_000,
        batch_limit: 0,
        node_action_limit: 0,
        migration_limit: -1,
    }
}

fn now(monotonic_ms: u64) -> Now {
    Now { monotonic_ms, wall_ms: 1_700_000_000_000 + monotonic_ms }
}

fn node(host: u32) -> Arc<NodeRef> {
    Arc::new(NodeRef { id: host.to_string(), uname: format!("host{host}") })
}

fn action(id: u32, kind: ActionKind, node: Option<Arc<NodeRef>>, inputs: &[u32]) -> Action {
    Action {
        id,
        kind,
        node,
        router: None,
        inputs: inputs.to_vec(),
        priority: 0,
        can_fail: false,
        downed: Vec::new(),
        attributes: BTreeMap::from([
            ("CRM_meta_timeout".to_owned(), "20000".to_owned()),
            ("state".to_owned(), "/run/x".to_owned()),
        ])
        .into(),
    }
}

fn operation(id: u32, resource: &str, task: &str, host: u32, inputs: &[u32]) -> Action {
    let kind = ActionKind::Resource {
        resource: Arc::new(ResourceRef {
            id: resource.into(),
            long_id: None,
            class: "ocf".into(),
            provider: Some("hafen".into()),
            type_: "qemu".into(),
        }),
        task: task.into(),
        interval_ms: 0,
        timeout_ms: 20_000,
        operation_key: format!("{resource}_{task}_0"),
        internal_operation_key: None,
        expected_rc: 0,
    };
    action(id, kind, Some(node(host)), inputs)
}

fn pseudo(id: u32, inputs: &[u32]) -> Action {
    let kind = ActionKind::Pseudo { task: "all_stopped".into(), operation_key: "all_stopped".into() };
    action(id, kind, None, inputs)
}

fn fence(id: u32, host: u32, inputs: &[u32]) -> Action {
    let kind = ActionKind::Fence { target: node(host), action: FenceAction::Reboot };
    action(id, kind, Some(node(host)), inputs)
}

fn driver(actions: Vec<Action>) -> Driver {
    Driver::start(Plan { actions, ..Plan::default() }, settings()).expect("a sound plan")
}

fn drain(driver: &mut Driver) -> Vec<Firing> {
    std::iter::from_fn(|| driver.poll_action(now(0))).collect()
}

fn key(id: u32, expected: i32) -> String {
    format!("{id}:7:{expected}:{UUID}")
}

#[test]
fn a_failover_goes_step_by_step() {
    let mut driver = driver(vec![
        fence(1, 2, &[]),
        pseudo(2, &[1]),
        operation(3, "vm1", "start", 3, &[2]),
        operation(4, "vm1", "monitor", 3, &[3]),
    ]);
    let firings = drain(&mut driver);
    assert!(matches!(firings.as_slice(), [Firing::Fence { target: HostId(2), .. }]), "{firings:?}");
    assert!(!driver.is_finished());
    assert_eq!(driver.completed(&key(1, 0), Outcome::Done), Matched::AsPlanned);
    let firings = drain(&mut driver);
    let [Firing::Execute(start)] = firings.as_slice() else { panic!("{firings:?}") };
    assert_eq!((start.host, start.task.as_str()), (HostId(3), "start"));
    assert_eq!(start.parameters, BTreeMap::from([("state".to_owned(), "/run/x".to_owned())]));
    assert_eq!(start.meta, BTreeMap::from([("timeout".to_owned(), "20000".to_owned())]));
    assert_eq!(start.expected_rc(), Some(0));
    assert_eq!(driver.operation_ended(&start.transition_key, 0, 0), Matched::AsPlanned);
    assert_eq!(drain(&mut driver).len(), 1);
    assert_eq!(driver.operation_ended(&key(4, 0), 0, 0), Matched::AsPlanned);
    assert!(driver.is_finished());
    assert_eq!(driver.summary(), Summary { done: 4, ..Summary::default() });
    assert!(driver.explain_waiting().is_empty());
}

#[test]
fn a_failure_aborts_and_what_is_in_flight_is_awaited() {
    let mut driver = driver(vec![
        operation(1, "a", "stop", 1, &[]),
        operation(2, "b", "stop", 1, &[]),
        operation(3, "a", "start", 2, &[1]),
        operation(4, "b", "start", 2, &[2]),
    ]);
    assert_eq!(drain(&mut driver).len(), 2);
    let matched = driver.operation_ended(&key(1, 0), 1, 0);
    assert_eq!(matched, Matched::Failed("a_stop_0 on host1 ended with 1, the plan expected 0".into()));
    assert!(!driver.is_finished());
    let reasons: Vec<WaitingFor> = driver.explain_waiting().into_iter().map(|w| w.reason).collect();
    assert_eq!(reasons[0], WaitingFor::Answer { since: now(0) });
    assert_eq!(reasons[1], WaitingFor::FailedInput(1));
    assert!(matches!(reasons[2], WaitingFor::Aborted(_)));
    assert_eq!(driver.operation_ended(&key(2, 0), 0, 0), Matched::AsPlanned);
    assert!(drain(&mut driver).is_empty());
    assert!(driver.is_finished());
    let summary = driver.summary();
    assert_eq!((summary.done, summary.failed, summary.not_begun), (1, 1, 2));
}

/// The promotion score that a start sets aborts its plan; its clone is notified of the start all the same.
#[test]
fn clones_are_notified_although_the_plan_is_aborted() {
    let told = |mut action: Action| {
        action.priority = 1_000_000;
        action
    };
    let mut driver = driver(vec![
        operation(1, "a", "start", 1, &[]),
        told(pseudo(2, &[1])),
        told(operation(3, "a", "notify", 1, &[2])),
        told(operation(4, "b", "start", 1, &[2])),
        operation(5, "a", "promote", 1, &[3]),
    ]);
    assert_eq!(drain(&mut driver).len(), 1);
    driver.abort("an attribute changed");
    assert!(drain(&mut driver).is_empty() && !driver.is_finished());
    assert_eq!(driver.operation_ended(&key(1, 0), 0, 0), Matched::AsPlanned);
    assert!(!driver.is_finished());
    let firings = drain(&mut driver);
    let [Firing::Execute(notify)] = firings.as_slice() else { panic!("{firings:?}") };
    assert_eq!(notify.task, "notify");
    assert_eq!(driver.operation_ended(&key(3, 0), 0, 0), Matched::AsPlanned);
    assert!(drain(&mut driver).is_empty() && driver.is_finished());
    assert_eq!(driver.summary().not_begun, 2);
}

#[test]
fn an_answer_that_does_not_come_is_a_failure() {
    let mut driver = driver(vec![operation(1, "a", "start", 1, &[]), fence(2, 3, &[])]);
    assert_eq!(drain(&mut driver).len(), 2);
    assert_eq!(driver.poll_timeout(), Some(80_000));
    assert!(driver.handle_timeout(now(79_999)).is_empty());
    assert_eq!(driver.handle_timeout(now(80_000)), [key(1, 0)]);
    assert_eq!(driver.aborted(), Some("no answer about a_start_0 on host1"));
    assert!(!driver.is_finished(), "the fencing is still in flight");
    assert_eq!(driver.operation_ended(&key(1, 0), 0, 0), Matched::Unknown);
    driver.completed(&key(2, 0), Outcome::Done);
    assert!(driver.is_finished());
}

#[test]
fn a_lost_host_fails_what_runs_there_and_not_its_fencing() {
    let mut driver = driver(vec![
        operation(1, "a", "start", 1, &[]),
        operation(2, "b", "start", 2, &[]),
        fence(3, 1, &[]),
    ]);
    assert_eq!(drain(&mut driver).len(), 3);
    driver.host_lost(HostId(1), "host1 is lost");
    assert_eq!(driver.aborted(), Some("host1 is lost"));
    assert_eq!(driver.in_flight().collect::<Vec<_>>(), [key(2, 0), key(3, 0)]);
}

#[test]
fn plans_that_cannot_be_carried_out_are_refused() {
    let start = |actions| Driver::start(Plan { actions, ..Plan::default() }, settings()).map(|_| ());
    assert!(start(vec![operation(1, "a", "start", 1, &[9])]).is_err_and(|what| what.contains("not in it")));
    let circle = vec![
        operation(1, "a", "start", 1, &[2]),
        operation(2, "b", "start", 1, &[1]),
        operation(3, "c", "start", 1, &[]),
    ];
    assert_eq!(
        start(circle),
        Err("actions of the plan wait for each other: a_start_0 (1), b_start_0 (2)".into())
    );
    assert!(start(vec![pseudo(2, &[]), pseudo(1, &[])]).is_err());
}

#[test]
fn limits_hold_actions_back() {
    let many: Vec<Action> =
        (1..=40).map(|id| operation(id, &format!("r{id}"), "start", 1 + id % 2, &[])).collect();
    let mut unlimited = driver(many.clone());
    assert_eq!(drain(&mut unlimited).len(), 2 * OPERATIONS_PER_HOST_MAXIMUM);
    let waiting = unlimited.explain_waiting();
    assert!(waiting.iter().any(|w| w.reason == WaitingFor::HostLimit(HostId(1))));
    let six = HostLoad { level: LoadLevel::None, cores: 3 };
    let busy = HostLoad { level: LoadLevel::Low, cores: 3 };
    let mut by_load = driver(many.clone());
    by_load.set_loads(&Loads::from([(HostId(1), six), (HostId(2), busy)]));
    assert_eq!(drain(&mut by_load).len(), 6 + 3);
    let limited = DriverSettings { batch_limit: 3, ..settings() };
    let mut limited =
        Driver::start(Plan { actions: many, ..Plan::default() }, limited).expect("a sound plan");
    assert_eq!(drain(&mut limited).len(), 3);
    assert_eq!(limited.operation_ended(&key(1, 0), 0, 0), Matched::AsPlanned);
    assert_eq!(drain(&mut limited).len(), 1, "one place is free again");

    let migrations = vec![operation(1, "a", "migrate_to", 1, &[]), operation(2, "b", "migrate_to", 1, &[])];
    let one = DriverSettings { migration_limit: 1, ..settings() };
    let mut one = Driver::start(Plan { actions: migrations, ..Plan::default() }, one).expect("sound");
    assert_eq!(drain(&mut one).len(), 1);
    assert_eq!(one.explain_waiting()[1].reason, WaitingFor::MigrationLimit(HostId(1)));
}

#[test]
fn the_controllers_own_actions_become_orders() {
    let mut cancel = operation(1, "a_b", "cancel", 1, &[]);
    if let ActionKind::Resource { operation_key, .. } = &mut cancel.kind {
        *operation_key = "a_b_monitor_10000".into();
    }
    let cluster = |id, task: &str| {
        let ActionKind::Resource { resource, .. } = operation(0, "a_b", "start", 1, &[]).kind else {
            panic!("an operation")
        };
        let kind = ActionKind::Cluster {
            task: task.into(),
            operation_key: format!("a_b_{task}_0"),
            resource: Some(resource),
            maintenance: Vec::new(),
        };
        action(id, kind, Some(node(2)), &[])
    };
    let mut driver = driver(vec![
        cancel,
        operation(2, "a_b", "delete", 1, &[]),
        cluster(3, "clear_failcount"),
        cluster(4, "do_shutdown"),
        cluster(5, "maintenance_nodes"),
    ]);
    let firings = drain(&mut driver);
    assert_eq!(firings.len(), 4);
    assert!(
        matches!(&firings[0], Firing::Forget { operation: Some((task, 10_000)), .. } if task == "monitor")
    );
    assert!(matches!(&firings[1], Firing::Forget { operation: None, resource, .. } if resource == "a_b"));
    assert!(matches!(&firings[2], Firing::ClearFailcount { host: HostId(2), .. }));
    assert!(matches!(&firings[3], Firing::Shutdown { host: HostId(2), .. }));
    for firing in &firings {
        assert_eq!(driver.completed(firing.transition_key(), Outcome::Done), Matched::AsPlanned);
    }
    assert!(driver.is_finished());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any plan without circles: each action begins once, after all of its inputs have ended, and the plan ends.
    #[test]
    fn every_action_begins_once_and_after_its_inputs(
        shape in prop::collection::vec((0_u32..4, prop::collection::vec(any::<prop::sample::Index>(), 0..4)), 1..60),
        order in prop::collection::vec(any::<prop::sample::Index>(), 400),
        failing in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let actions: Vec<Action> = shape.iter().enumerate().map(|(at, (host, inputs))| {
            let id = u32::try_from(at).expect("few") + 1;
            let inputs: Vec<u32> = if at == 0 { Vec::new() } else {
                inputs.iter().map(|index| u32::try_from(index.index(at)).expect("few") + 1).collect()
            };
            if *host == 0 { pseudo(id, &inputs) } else { operation(id, &format!("r{id}"), "start", *host, &inputs) }
        }).collect();
        let failing = failing.map(|index| key(u32::try_from(index.index(actions.len())).expect("few") + 1, 0));
        let plan = Plan { actions: actions.clone(), ..Plan::default() };
        let mut driver = Driver::start(plan, settings()).expect("a sound plan");
        let mut in_flight: Vec<String> = Vec::new();
        let mut ended: BTreeSet<String> = BTreeSet::new();
        let mut begun: BTreeSet<String> = BTreeSet::new();
        for index in order {
            for firing in drain(&mut driver) {
                let Firing::Execute(execute) = firing else { panic!("only operations") };
                prop_assert!(begun.insert(execute.transition_key.clone()), "begun twice");
                let id = hafen_scheduler::TransitionKey::parse(&execute.transition_key).expect("a key").action;
                for input in &actions[usize::try_from(id).expect("few") - 1].inputs {
                    let is_pseudo = shape[usize::try_from(*input).expect("few") - 1].0 == 0;
                    prop_assert!(is_pseudo || ended.contains(&key(*input, 0)), "{} before {}", id, input);
                }
                in_flight.push(execute.transition_key);
            }
            if in_flight.is_empty() {
                break;
            }
            let ending = in_flight.swap_remove(index.index(in_flight.len()));
            let rc = i32::from(failing.as_ref() == Some(&ending));
            driver.operation_ended(&ending, rc, 0);
            if rc == 0 {
                ended.insert(ending);
            }
        }
        prop_assert!(driver.is_finished());
        if driver.aborted().is_none() {
            prop_assert_eq!(driver.summary().done, actions.len());
        }
    }
}
