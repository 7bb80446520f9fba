//! The executor's process: daemons that come and go, executors that are killed, journals that are damaged.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "tests of a shell")]

mod common;

use std::fs::File;
use std::io::Write;

use common::{Host, short, until};
use hafen_executor::client::ClientError;
use hafen_executor::wire::{Event, FenceOperation, KnownOperation, PROTOCOL_VERSION, Request};
use hafen_sys::{Signal, process_status};
use std::collections::BTreeMap;

#[test]
fn executor_process() {
    common::executor_process();
}

#[tokio::test]
async fn a_resource_lives_and_its_results_carry_what_the_status_needs() {
    let mut host = Host::new();
    host.start();
    let mut daemon = host.connect().await;
    assert!(daemon.welcome.recovered.is_empty());
    host.behaviour("start", "sleep 0.05; echo told; echo 'ocf-exit-reason:odd' >&2");
    let mut operation = daemon.operation("vm1", "start", 0);
    operation.transition_key = "3:1:0:uuid".to_owned();
    daemon.send(Request::Execute(operation.clone())).await;
    let result = daemon.result().await;
    assert_eq!(short(&result), "vm1 start 0 0");
    assert_eq!((&result.operation, result.call_id), (&operation, 1));
    assert_eq!((result.end.stdout.as_str(), result.end.exit_reason.as_deref()), ("told\n", Some("odd")));
    assert!(result.end.exec_time_ms >= 50 && result.last_rc_change_seconds >= result.end.started_at_seconds);
    daemon.execute("vm1", "monitor", 20).await;
    assert_eq!(short(&daemon.result().await), "vm1 monitor 0 0");
    until(|| host.count("vm1 monitor end") >= 3, "the monitor to recur").await;
    host.behaviour("monitor", "rc=7");
    assert_eq!(short(&daemon.result().await), "vm1 monitor 7 0");
    daemon.execute("vm1", "stop", 0).await;
    assert_eq!(short(&daemon.result().await), "vm1 stop 0 0");
    assert_eq!(
        host.log().last().map(|line| line.starts_with("vm1 stop end")),
        Some(true),
        "the monitor has ended"
    );
}

#[tokio::test]
async fn a_daemon_that_comes_back_gets_what_it_missed() {
    let mut host = Host::new();
    host.start();
    let mut daemon = host.connect().await;
    host.behaviour("start", "while test ! -e go; do sleep 0.01; done");
    daemon.execute("vm1", "monitor", 20).await;
    assert_eq!(short(&daemon.result().await), "vm1 monitor 0 0");
    daemon.execute("vm2", "start", 0).await;
    host.process_at("vm2 start begin").await;
    drop(daemon);
    std::fs::write(host.path().join("go"), "").expect("written");
    until(|| host.count("vm2 start end") == 1, "the start to end without a daemon").await;
    let monitors = host.count("vm1 monitor end");
    until(|| host.count("vm1 monitor end") > monitors + 2, "the monitor to go on without a daemon").await;
    host.behaviour("monitor", "rc=7");
    let mut daemon = host.connect().await;
    let mut told = Vec::new();
    while !told.contains(&"vm1 monitor 7 0".to_owned()) || !told.contains(&"vm2 start 0 0".to_owned()) {
        let result = daemon.result().await;
        told.push(short(&result));
        daemon.acknowledge(result.sequence).await;
    }
    daemon.send(Request::List).await;
    let Event::Snapshot { operations, last: true } = daemon.event().await else { panic!("no snapshot") };
    let recurs = |known: &KnownOperation| {
        matches!(known,
        KnownOperation::Recurring { operation, .. } | KnownOperation::Running { operation, .. } if operation.resource == "vm1")
    };
    assert!(operations.iter().any(recurs));
    let results = operations.iter().filter(|known| matches!(known, KnownOperation::LastResult(_))).count();
    assert_eq!(results, 2);
    let mut next = host.connect().await;
    assert!(matches!(daemon.end().await, ClientError::Closed), "there is one daemon at a time");
    next.execute("vm3", "start", 0).await;
    assert_eq!(short(&next.result().await), "vm3 start 0 0", "what was acknowledged is not told again");
    assert_eq!(host.count("vm2 start begin"), 1);
}

#[tokio::test]
async fn an_executor_killed_in_a_start_and_a_monitor() {
    let mut host = Host::new();
    host.start();
    let mut daemon = host.connect().await;
    host.behaviour("start", "setsid sh -c 'echo \"guest started $$\" >> log; exec sleep 600' & trap '' TERM; while :; do sleep 600; done");
    host.behaviour("monitor", "test -e first || { touch first; sleep 600; }");
    daemon.execute("vm1", "start", 0).await;
    daemon.execute("vm1", "stop", 0).await;
    daemon.execute("vm2", "monitor", 20).await;
    let agents = [host.process_at("vm1 start begin").await, host.process_at("vm2 monitor begin").await];
    let guest = host.process_at("guest started").await;
    host.kill();
    assert!(agents.iter().all(|agent| agent.is_running()), "agents do not die with the executor");
    host.start();
    let mut daemon = host.connect().await;
    assert!(!agents.iter().any(|agent| agent.is_running()), "they are ended before anybody is welcome");
    assert!(guest.is_running(), "what a start has put into a session of its own lives on");
    let recovered: Vec<String> =
        daemon.welcome.recovered.iter().map(|key| format!("{} {}", key.resource, key.task)).collect();
    assert_eq!(recovered, ["vm1 start", "vm2 monitor"]);
    let mut told = Vec::new();
    for _ in 0..3 {
        let result = daemon.result().await;
        if result.operation.task == "start" {
            assert!(
                result.end.exit_reason.as_deref().is_some_and(|reason| reason.contains("lost")),
                "{result:?}"
            );
        }
        told.push(short(&result));
    }
    told.sort();
    assert_eq!(told, ["vm1 start 1 4", "vm1 stop 0 0", "vm2 monitor 0 0"]);
    assert_eq!(host.count("vm1 start begin"), 1, "nothing is started twice");
    until(|| host.count("vm2 monitor end") >= 3, "the monitor to recur").await;
}

#[tokio::test]
async fn an_executor_killed_in_a_stop_repeats_it() {
    let mut host = Host::new();
    host.start();
    let mut daemon = host.connect().await;
    host.behaviour("stop", "test -e first || { touch first; sleep 600; }");
    daemon.execute("vm1", "stop", 0).await;
    let first = host.process_at("vm1 stop begin").await;
    host.kill();
    host.start();
    let mut daemon = host.connect().await;
    assert!(!first.is_running());
    assert_eq!(short(&daemon.result().await), "vm1 stop 0 0");
    assert_eq!((host.count("vm1 stop begin"), host.count("vm1 stop end")), (2, 1));
}

/// Kills executors at all moments of a storm of operations.
#[tokio::test]
async fn whenever_an_executor_is_killed_nothing_runs_unknown_or_twice() {
    let mut host = Host::new();
    host.behaviour("start", "sleep 0.01");
    let mut begun: Vec<String> = Vec::new();
    for round in 0..12_u64 {
        host.start();
        let mut daemon = host.connect().await;
        for line in &begun {
            let agent = line.rsplit(' ').next().and_then(|pid| pid.parse().ok()).expect("a process id");
            let lives =
                process_status(agent).is_ok_and(|status| status.group == agent && status.state.is_running());
            assert!(!lives, "round {round}: an agent of a lost executor runs: {line}");
        }
        for number in 0..8 {
            daemon.execute(&format!("r{round}-{number}"), "start", 0).await;
            daemon.execute(&format!("r{round}-{number}"), "monitor", 30).await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(round * 5)).await;
        host.kill();
        begun = host.log();
    }
    host.start();
    let mut daemon = host.connect().await;
    let log = host.log();
    for line in log.iter().filter(|line| line.contains("start begin")) {
        let resource = line.split(' ').next().expect("a resource");
        let begun = log.iter().filter(|other| other.starts_with(&format!("{resource} start begin"))).count();
        assert_eq!(begun, 1, "{resource} was started twice");
    }
    let mut told = 0;
    let started = log.iter().filter(|line| line.contains("start begin")).count();
    while told < started {
        told += usize::from(daemon.result().await.operation.task == "start");
    }
    assert_eq!(daemon.welcome.journal_records_lost, 0);
}

#[tokio::test]
async fn a_torn_or_broken_journal_stops_nobody() {
    let mut host = Host::new();
    let journal = host.path().join("journal/executor");
    for (damage, lost) in
        [(&b"{\"record\":\"acc"[..], 0), (b"\0\xff\xfe nonsense\n{\"record\":\"nothing\"}\n", 2)]
    {
        host.start();
        let mut daemon = host.connect().await;
        daemon.execute("vm1", "start", 0).await;
        let result = daemon.result().await;
        daemon.execute("vm1", "monitor", 20).await;
        daemon.result().await;
        host.kill();
        let monitors = host.count("vm1 monitor begin");
        File::options().append(true).open(&journal).expect("the journal").write_all(damage).expect("written");
        host.start();
        let mut daemon = host.connect().await;
        assert_eq!(daemon.welcome.journal_records_lost, lost);
        assert_eq!(daemon.result().await, result, "what stands before the damage counts");
        daemon.acknowledge(result.sequence).await;
        until(|| host.count("vm1 monitor begin") > monitors, "the monitor").await;
        daemon.send(Request::ForgetResource { resource: "vm1".to_owned(), only: None }).await;
        while !matches!(daemon.event().await, Event::Cancelled { .. }) {}
        host.kill();
    }
    std::fs::write(&journal, [0xff; 4096]).expect("written");
    host.start();
    let mut daemon = host.connect().await;
    daemon.execute("vm1", "stop", 0).await;
    assert_eq!(short(&daemon.result().await), "vm1 stop 0 0");
}

#[tokio::test]
async fn fencing_goes_through_the_agent_and_survives_a_daemon() {
    let mut host = Host::new();
    host.script(
        "fence/fence_test",
        "cat; test -e \"${0%/*}/../broken\" && { echo 'no power switch' >&2; exit 1; }; exit 0",
    );
    host.start();
    let mut daemon = host.connect().await;
    let mut operation = FenceOperation {
        id: "fencing-1".to_owned(),
        device: "power".to_owned(),
        agent: "fence_test".to_owned(),
        action: "off".to_owned(),
        target: Some("host2".to_owned()),
        port: None,
        parameters: BTreeMap::from([("ip".to_owned(), "10.0.0.9".to_owned())]),
        timeout_ms: 60_000,
        delay_ms: 0,
    };
    daemon.send(Request::Fence(operation.clone())).await;
    let Event::FenceResult(first) = daemon.event().await else { panic!("no result") };
    assert_eq!(first.end.stdout, "action=off\nip=10.0.0.9\nnodename=host2\nport=host2\n");
    assert!(first.end.is_ok());
    std::fs::write(host.path().join("broken"), "").expect("written");
    operation.id = "fencing-2".to_owned();
    daemon.send(Request::Fence(operation)).await;
    drop(daemon);
    let mut daemon = host.connect().await;
    let mut told = Vec::new();
    while told.len() < 2 {
        if let Event::FenceResult(result) = daemon.event().await {
            told.push((result.operation.id.clone(), result.end.rc.0, result.end.exit_reason.clone()));
        }
    }
    assert_eq!(told[0], ("fencing-1".to_owned(), 0, None));
    assert_eq!(told[1], ("fencing-2".to_owned(), 1, Some("no power switch".to_owned())));
}

#[tokio::test]
async fn strangers_and_second_executors_are_refused() {
    let mut host = Host::new();
    host.start();
    let mut daemon = host.connect().await;
    let socket = host.path().join("socket");
    let greet = |request: Request| {
        let socket = socket.clone();
        async move {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            let mut stream = tokio::net::UnixStream::connect(socket).await.expect("it listens");
            let text = serde_json::to_vec(&request).expect("JSON");
            stream.write_u32(text.len() as u32).await.expect("written");
            stream.write_all(&text).await.expect("written");
            let mut answer = vec![0; stream.read_u32().await.expect("an answer") as usize];
            stream.read_exact(&mut answer).await.expect("an answer");
            serde_json::from_slice::<Event>(&answer).expect("an event")
        }
    };
    for request in [Request::Hello { protocol: PROTOCOL_VERSION + 1 }, Request::List] {
        assert!(matches!(greet(request).await, Event::Rejected { .. }));
    }
    let first = host.executor.take();
    host.start();
    let status = host.executor.as_mut().expect("started").wait().expect("it ends");
    assert!(!status.success(), "the journal belongs to the first");
    host.executor = first;
    daemon.execute("vm1", "start", 0).await;
    assert_eq!(short(&daemon.result().await), "vm1 start 0 0", "none of this disturbed the daemon");
    let agent = "ocf:test:absent".parse().expect("a name");
    daemon.send(Request::Metadata { request_id: 7, agent }).await;
    let Event::Metadata { request_id: 7, outcome: Err(reason) } = daemon.event().await else {
        panic!("no answer")
    };
    assert!(reason.contains("is not installed"), "{reason}");
}

#[tokio::test]
async fn told_to_end_it_awaits_its_agents_and_reaps_orphans() {
    let mut host = Host::new();
    host.start();
    let mut daemon = host.connect().await;
    host.behaviour("start", "(setsid sh -c 'echo \"orphan is $$\" >> log; exec sleep 600' &) ; while test ! -e go; do sleep 0.01; done");
    daemon.execute("vm1", "start", 0).await;
    let orphan = host.process_at("orphan is").await;
    let executor = host.executor.as_ref().expect("it runs").id();
    until(
        || process_status(orphan.pid).is_ok_and(|status| status.parent == executor),
        "the orphan's adoption",
    )
    .await;
    hafen_sys::kill_process(orphan.pid, Signal::KILL).expect("it can be killed");
    until(|| process_status(orphan.pid).is_err(), "the orphan to be reaped").await;
    hafen_sys::kill_process(executor, Signal::TERM).expect("it can be told");
    // The signal needs its time to arrive.
    loop {
        daemon.execute("vm2", "monitor", 0).await;
        match daemon.event().await {
            Event::Refused { reason, .. } => break assert!(reason.contains("about to end"), "{reason}"),
            other => assert!(matches!(other, Event::Result(_)), "{other:?}"),
        }
    }
    std::fs::write(host.path().join("go"), "").expect("written");
    assert_eq!(short(&daemon.result().await), "vm1 start 0 0");
    assert!(matches!(daemon.end().await, ClientError::Closed));
    assert!(host.executor.take().expect("it runs").wait().expect("it ends").success());
}
