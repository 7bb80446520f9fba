//! Records compared with those that Pacemaker leaves.

use std::collections::BTreeMap;

use hafen_protocol::HostId;

use super::*;

fn order(task: &str, interval_ms: u64, action: u32, expected: i32) -> Execute {
    Execute {
        host: HostId(1),
        resource: "vm".into(),
        class: "ocf".into(),
        provider: Some("hafen".into()),
        agent: "qemu".into(),
        task: task.into(),
        interval_ms,
        timeout_ms: 20_000,
        operation_key: format!("vm_{task}_{interval_ms}"),
        transition_key: format!("{action}:1:{expected}:6149c21b-77ec-4d97-8b22-d39d97981ad1"),
        parameters: BTreeMap::new(),
        meta: BTreeMap::new(),
        ordered_at: 1_700_000_000,
    }
}

fn result(order: &Execute, rc: i32, op_status: i32, ended_s: u64) -> OperationResult {
    OperationResult {
        order: order.clone(),
        rc,
        op_status,
        exit_reason: if rc == 0 { String::new() } else { "it said so".into() },
        output: String::new(),
        started_wall_ms: ended_s * 1000 - 250,
        ended_wall_ms: ended_s * 1000,
        queue_time_ms: 3,
        restart_parameters: None,
        sequence: 0,
    }
}

/// Orders an operation and gives its result.
fn run(status: &mut HostStatus, order: &Execute, rc: i32, op_status: i32, ended_s: u64) -> Consequence {
    record_pending(status, order);
    assert_eq!(status.resources["vm"].pending.len(), 1);
    record_result(status, &result(order, rc, op_status, ended_s), "host1", true)
}

fn ids(status: &HostStatus) -> Vec<&str> {
    status
        .resources
        .get("vm")
        .map(|history| history.operations.keys().map(String::as_str).collect())
        .unwrap_or_default()
}

/// A host where the resource was probed, started and is watched.
fn running() -> HostStatus {
    let mut status = HostStatus::default();
    run(&mut status, &order("monitor", 0, 1, 7), 7, 0, 100);
    run(&mut status, &order("start", 0, 2, 0), 0, 0, 110);
    run(&mut status, &order("monitor", 10_000, 3, 0), 0, 0, 111);
    status
}

#[test]
fn digests_are_those_of_pacemaker() {
    // As in the histories that Pacemaker 2.1 wrote for ocf:pacemaker:Dummy without parameters.
    assert_eq!(operation_digest(&order("start", 0, 1, 0)), "f2317cad3d54cec5d7d7aa7d0bf35cf8");
    assert_eq!(operation_digest(&order("monitor", 10_000, 1, 0)), "4811cef7f7f94e3a35a70be7916cb2fd");
    let mut with = order("start", 0, 1, 0);
    with.parameters.insert("state".into(), "a".into());
    with.parameters.insert("other".into(), "b".into());
    assert_eq!(restart_digest(&with, &["none".into()]), "f2317cad3d54cec5d7d7aa7d0bf35cf8");
    assert_ne!(restart_digest(&with, &["state".into()]), operation_digest(&with));
    // Pacemaker 3.0's crm_simulate sees no change of these parameters under this digest.
    let mut strange = order("start", 0, 1, 0);
    strange.parameters.insert("state".into(), "/run/a & <b> \"c\" 'd'\ttab é\nline".into());
    strange.parameters.insert("fake".into(), "x".into());
    assert_eq!(operation_digest(&strange), "6c0fe5dd59db00cd7830c0f084a8d43b");
}

#[test]
fn a_life_without_failures() {
    let mut status = HostStatus::default();
    assert!(run(&mut status, &order("monitor", 0, 1, 7), 7, 0, 100).changed);
    assert_eq!(ids(&status), ["vm_last_0"]);
    assert!(!is_active(&status.resources["vm"]));
    let status = running();
    assert_eq!(ids(&status), ["vm_last_0", "vm_monitor_10000"]);
    let history = &status.resources["vm"];
    assert!(is_active(history) && last_failure(history).is_none() && history.pending.is_empty());
    let start = &history.operations["vm_last_0"];
    assert_eq!(
        (start.call_id, start.task.as_str(), start.exec_time_ms, start.queue_time_ms),
        (2, "start", 250, 3)
    );
    assert_eq!((start.on_node.as_str(), start.last_rc_change), ("host1", 110));
    assert_eq!(history.operations["vm_monitor_10000"].call_id, 3);
    let mut status = status;
    assert_eq!(
        run(&mut status, &order("stop", 0, 4, 0), 0, 0, 120),
        Consequence { changed: true, ..Consequence::default() }
    );
    assert_eq!(ids(&status), ["vm_last_0"], "the monitor's record ends with the resource");
    assert!(!is_active(&status.resources["vm"]));
    assert!(status.attributes.is_empty());
}

#[test]
fn a_failed_monitor_is_counted_once_and_keeps_the_last_success() {
    let mut status = running();
    let monitor = order("monitor", 10_000, 3, 0);
    let failed = record_result(&mut status, &result(&monitor, 7, 0, 200), "host1", true);
    assert!(failed.failed && failed.changed);
    assert_eq!(failed.counted.as_deref(), Some("fail-count-vm#monitor_10000"));
    assert_eq!(ids(&status), ["vm_last_0", "vm_last_failure_0", "vm_monitor_10000"]);
    let history = &status.resources["vm"];
    assert_eq!(history.operations["vm_monitor_10000"].rc, 0);
    let failure = last_failure(history).expect("on record");
    assert_eq!((failure.rc, failure.call_id, failure.last_rc_change), (7, 3, 200));
    assert!(!is_active(history));
    assert_eq!(status.attributes["fail-count-vm#monitor_10000"], "1");
    assert_eq!(status.attributes["last-failure-vm#monitor_10000"], "200");
    let again = record_result(&mut status, &result(&monitor, 7, 0, 210), "host1", true);
    assert_eq!(again, Consequence::default());
    assert_eq!(status.attributes["fail-count-vm#monitor_10000"], "1");
    // It recovers by itself, and fails once more.
    assert!(record_result(&mut status, &result(&monitor, 0, 0, 220), "host1", true).changed);
    assert!(is_active(&status.resources["vm"]));
    assert!(record_result(&mut status, &result(&monitor, 7, 0, 230), "host1", true).failed);
    assert_eq!(status.attributes["fail-count-vm#monitor_10000"], "2");
    // Deleting the count forgets the failure.
    attribute_deleted(&mut status, "fail-count-vm#start_0");
    assert!(last_failure(&status.resources["vm"]).is_some());
    attribute_deleted(&mut status, "fail-count-vm#monitor_10000");
    assert!(last_failure(&status.resources["vm"]).is_none());
}

#[test]
fn failed_starts_and_stops_are_final() {
    let mut status = HostStatus::default();
    let failed = run(&mut status, &order("start", 0, 1, 0), 1, 0, 100);
    assert_eq!(failed.counted.as_deref(), Some("fail-count-vm#start_0"));
    assert_eq!(status.attributes["fail-count-vm#start_0"], "INFINITY");
    assert_eq!(ids(&status), ["vm_last_0", "vm_last_failure_0"]);
    assert!(is_active(&status.resources["vm"]), "nobody knows what it left behind");
    run(&mut status, &order("stop", 0, 2, 0), 1, 2, 110);
    assert_eq!(status.attributes["fail-count-vm#stop_0"], "INFINITY");

    let mut lenient = HostStatus::default();
    let start = order("start", 0, 1, 0);
    for count in 1..=2 {
        record_pending(&mut lenient, &start);
        record_result(&mut lenient, &result(&start, 1, 0, 100), "host1", false);
        assert_eq!(lenient.attributes["fail-count-vm#start_0"], count.to_string());
    }
}

#[test]
fn what_a_probe_finds_is_on_record_and_not_counted() {
    let mut status = HostStatus::default();
    let found = run(&mut status, &order("monitor", 0, 1, 7), 0, 0, 100);
    assert_eq!(found, Consequence { changed: true, failed: true, counted: None });
    assert_eq!(ids(&status), ["vm_last_0", "vm_last_failure_0"]);
    let history = &status.resources["vm"];
    assert!(is_active(history) && last_failure(history).is_some() && told_failure(history).is_none());
    assert!(status.attributes.is_empty());
    attribute_deleted(&mut status, "fail-count-vm#monitor_0");
    assert_eq!(ids(&status), ["vm_last_0"]);
}

#[test]
fn migrations_have_records_of_their_own() {
    let mut source = running();
    let mut migrate_to = order("migrate_to", 0, 5, 0);
    migrate_to.meta.insert("migrate_source".into(), "host1".into());
    migrate_to.meta.insert("migrate_target".into(), "host2".into());
    run(&mut source, &migrate_to, 0, 0, 300);
    assert_eq!(ids(&source), ["vm_last_0", "vm_migrate_to_0", "vm_monitor_10000"]);
    let record = &source.resources["vm"].operations["vm_migrate_to_0"];
    assert_eq!(record.migration, Some(("host1".into(), "host2".into())));
    assert!(!is_active(&source.resources["vm"]));
    run(&mut source, &order("stop", 0, 6, 0), 0, 0, 301);
    assert_eq!(ids(&source), ["vm_last_0"], "the stop ends the migration's story here");
    run(&mut source, &order("start", 0, 7, 0), 0, 0, 400);
    assert_eq!(ids(&source), ["vm_last_0"]);
}

#[test]
fn results_that_nobody_waits_for_change_nothing() {
    let mut status = running();
    let before = status.clone();
    let stray = result(&order("stop", 0, 99, 0), 0, 0, 500);
    assert_eq!(record_result(&mut status, &stray, "host1", true), Consequence::default());
    let old_monitor = result(&order("monitor", 10_000, 98, 0), 7, 0, 500);
    assert_eq!(record_result(&mut status, &old_monitor, "host1", true), Consequence::default());
    assert_eq!(status, before);
    run(&mut status, &order("stop", 0, 4, 0), 0, 0, 120);
    let stopped = status.clone();
    let late = result(&order("monitor", 10_000, 3, 0), 0, 0, 119);
    assert_eq!(record_result(&mut status, &late, "host1", true), Consequence::default());
    assert_eq!(status, stopped, "a late monitor does not revive a stopped resource");
}

#[test]
fn a_cancelled_operation_leaves_no_record() {
    let mut status = HostStatus::default();
    assert!(run(&mut status, &order("monitor", 10_000, 3, 0), 0, STATUS_CANCELLED, 100).changed);
    assert!(status.resources.is_empty());
}

#[test]
fn forgetting_keeps_what_is_being_done() {
    let mut status = running();
    forget_recurring(&mut status, "vm", "monitor", 10_000);
    assert_eq!(ids(&status), ["vm_last_0"]);
    let stop = order("stop", 0, 4, 0);
    record_pending(&mut status, &stop);
    forget(&mut status, "vm");
    assert_eq!(status.resources["vm"].pending.len(), 1);
    assert!(record_result(&mut status, &result(&stop, 0, 0, 120), "host1", true).changed);
    forget(&mut status, "vm");
    assert!(status.resources.is_empty());
    let start = order("start", 0, 5, 0);
    record_pending(&mut status, &start);
    drop_pending(&mut status, &start);
    assert!(status.resources.is_empty());
}

#[test]
fn restart_parameters_are_on_record_of_what_brings_the_resource_up() {
    let mut status = HostStatus::default();
    let mut start = order("start", 0, 1, 0);
    start.parameters.insert("state".into(), "/run/x".into());
    for (order, expected) in [(start, true), (order("stop", 0, 2, 0), false)] {
        record_pending(&mut status, &order);
        let with = OperationResult {
            restart_parameters: Some(vec!["state".into(), "more".into()]),
            ..result(&order, 0, 0, 100)
        };
        record_result(&mut status, &with, "host1", true);
        let record = &status.resources["vm"].operations["vm_last_0"];
        assert_eq!(record.restart.is_some(), expected);
        if let Some((list, digest)) = &record.restart {
            assert_eq!(list, "  state more  ");
            assert_eq!(digest, &record.op_digest, "all parameters that are set force a restart");
        }
    }
}
