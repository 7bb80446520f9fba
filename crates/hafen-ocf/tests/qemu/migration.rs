//! Live migration, and every way in which it fails.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::Duration;

use hafen_ocf::deadline::Deadline;
use hafen_ocf::qmp::Qmp;
use hafen_sys::{Signal, kill_process};
use serde_json::{Value, json};

use crate::bench::{Bench, PATIENCE, wait_for};

/// The guest goes on at this host, as the same boot, and is nowhere else.
fn assert_goes_on(bench: &Bench, host: &str, boot: &str) {
    let other = if host == "a" { "b" } else { "a" };
    let seen = bench.heartbeats().len();
    bench.next_heartbeat(seen + 3);
    bench.assert_one_unbroken_boot(boot);
    bench.expect(host, "monitor", 0);
    bench.expect(other, "monitor", 7);
}

#[test]
fn a_guest_moves_there_and_back_without_noticing() {
    let Some(mut bench) = Bench::new("") else { return };
    bench.start_receiver("a");
    bench.start_receiver("b");
    let first = bench.boot("a");
    for (source, target) in [("a", "b"), ("b", "a")] {
        let process = bench.qemu(source).expect("QEMU runs");
        bench.expect(source, "migrate_to", 0);
        bench.expect(target, "migrate_from", 0);
        bench.expect(source, "stop", 0);
        assert!(!process.is_running());
        assert_goes_on(&bench, target, &first.boot);
    }
    bench.expect("a", "stop", 0);
    assert!(bench.serial().contains(&format!("BYE name=vm1 boot={}", first.boot)));
    let leftovers: Vec<_> = fs::read_dir(bench.path(".")).expect("the folder").flatten().collect();
    let leftovers = leftovers.iter().filter(|entry| entry.path().extension().is_some_and(|e| e == "in"));
    assert_eq!(leftovers.count(), 0, "no socket is left behind");
}

#[test]
fn a_target_that_cannot_receive_leaves_the_guest_alone() {
    let Some(mut bench) = Bench::new("") else { return };
    let first = bench.boot("a");
    let said = bench.expect("a", "migrate_to", 1);
    assert!(said.contains("b cannot receive"), "no receiver at all: {said}");
    assert_goes_on(&bench, "a", &first.boot);

    let receiver = bench.start_receiver("b");
    bench.kill(receiver);
    bench.expect("a", "migrate_to", 1);
    assert_goes_on(&bench, "a", &first.boot);

    bench.start_receiver("b");
    bench.expect("a", "migrate_to", 0);
    assert_goes_on(&bench, "b", &first.boot);
}

/// A migration that has begun and, at 1 MiB a second, lasts: the agent's process id.
fn begin_slow_migration(bench: &mut Bench) -> u32 {
    bench.set("migrate_bandwidth", "1");
    let agent = bench.agent("a", "migrate_to").stdout(Stdio::null()).spawn().expect("the agent starts");
    let agent = bench.adopt(agent);
    wait_for("the transfer", || {
        let deadline = Deadline::after(PATIENCE);
        let mut qmp = Qmp::connect(&bench.instance("a").monitor_socket(), deadline).ok()?;
        let answer = qmp.execute("query-migrate", Value::Null, deadline).ok()?;
        (answer.get("status")? == "active" && answer.pointer("/ram/transferred")?.as_u64()? > 0).then_some(())
    });
    bench.expect("a", "monitor", 0);
    bench.expect("b", "monitor", 7);
    agent
}

#[test]
fn a_receiving_qemu_that_dies_leaves_the_guest_running() {
    let Some(mut bench) = Bench::new("") else { return };
    bench.start_receiver("b");
    let first = bench.boot("a");
    let agent = begin_slow_migration(&mut bench);
    let process = bench.qemu("b").expect("QEMU waits");
    kill_process(process.pid, Signal::KILL).expect("it can be killed");
    let status = bench.await_end(agent);
    assert_eq!(status, Some(1));
    assert_goes_on(&bench, "a", &first.boot);
    bench.set("migrate_bandwidth", "0");
    bench.expect("a", "migrate_to", 0);
    assert_goes_on(&bench, "b", &first.boot);
}

#[test]
fn a_receiver_that_dies_and_comes_back_leaves_the_guest_running() {
    let Some(mut bench) = Bench::new("") else { return };
    let receiver = bench.start_receiver("b");
    let first = bench.boot("a");
    let agent = begin_slow_migration(&mut bench);
    bench.kill(receiver);
    bench.start_receiver("b");
    assert_eq!(bench.await_end(agent), Some(1));
    assert_goes_on(&bench, "a", &first.boot);
}

#[test]
fn a_sender_that_is_killed_leaves_the_guest_running() {
    let Some(mut bench) = Bench::new("") else { return };
    bench.start_receiver("b");
    let first = bench.boot("a");
    let agent = begin_slow_migration(&mut bench);
    bench.kill(agent);
    wait_for("the end of the QEMU that waits", || bench.qemu("b").is_none().then_some(()));
    assert_goes_on(&bench, "a", &first.boot);
    bench.set("migrate_bandwidth", "0");
    bench.expect("a", "migrate_to", 0);
    assert_goes_on(&bench, "b", &first.boot);
}

#[test]
fn a_sender_may_be_killed_at_any_point() {
    let Some(mut bench) = Bench::new("") else { return };
    bench.start_receiver("a");
    bench.start_receiver("b");
    let first = bench.boot("a");
    let mut source = "a";
    let mut arrivals = 0;
    for round in 0..12 {
        let agent =
            bench.agent(source, "migrate_to").stdout(Stdio::null()).spawn().expect("the agent starts");
        let agent = bench.adopt(agent);
        std::thread::sleep(Duration::from_millis(80 * round));
        bench.kill(agent);
        // What a new executor does: ask both hosts, until each knows.
        let target = if source == "a" { "b" } else { "a" };
        let now_at = wait_for("the end of the doubt", || {
            match (bench.run(source, "monitor").0, bench.run(target, "monitor").0) {
                (0, 7) => Some(source),
                (7, 0) => Some(target),
                (0, 0) => panic!("it runs twice"),
                _ => None,
            }
        });
        arrivals += u32::from(now_at == target);
        assert_goes_on(&bench, now_at, &first.boot);
        source = now_at;
    }
    eprintln!("killed 12 senders, {arrivals} guests had arrived");
}

/// A sender by hand, which can stop where no agent could be caught.
struct Sender {
    lines: BufReader<UnixStream>,
    qmp: Qmp,
}

impl Sender {
    /// Brings the guest from `a` to `b` until `a` has given it up, and `b` has not been told to run it.
    fn give_up_at_source(bench: &Bench) -> Self {
        let deadline = Deadline::after(PATIENCE);
        let stream = UnixStream::connect(bench.path("b.sock")).expect("the receiver listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let qmp = Qmp::connect(&bench.instance("a").control_socket(), deadline).expect("QEMU answers");
        let mut sender = Self { lines: BufReader::new(stream), qmp };
        let folder = bench.path("a").join("vm1");
        let launch = fs::read(folder.join("launch.json")).expect("how it was started");
        let launch: Value = serde_json::from_slice(&launch).expect("JSON");
        let answer = sender.say(&json!({ "request": "receive", "token": "t1", "launch": launch }));
        assert_eq!(answer["result"], "ready", "{answer}");
        let outgoing = json!({ "token": "t1", "receiver": bench.path("b.sock") });
        fs::write(folder.join("outgoing.json"), outgoing.to_string()).expect("the note");
        let capability = json!({ "capabilities": [{ "capability": "return-path", "state": true }] });
        for (command, arguments) in
            [("migrate-set-capabilities", capability), ("migrate", json!({ "uri": answer["uri"] }))]
        {
            sender.qmp.execute(command, arguments, deadline).expect(command);
        }
        wait_for("the transfer", || {
            let run_state = sender.qmp.run_state(deadline).expect("QEMU answers");
            (run_state == "postmigrate").then_some(())
        });
        sender
    }

    fn say(&mut self, request: &Value) -> Value {
        self.lines.get_mut().write_all(format!("{request}\n").as_bytes()).expect("the receiver listens");
        let mut answer = String::new();
        self.lines.read_line(&mut answer).expect("the receiver answers");
        serde_json::from_str(&answer).expect("JSON")
    }
}

#[test]
fn a_guest_given_up_but_not_committed_goes_on_at_its_source() {
    let Some(mut bench) = Bench::new("") else { return };
    bench.start_receiver("b");
    let first = bench.boot("a");
    let sender = Sender::give_up_at_source(&bench);
    bench.expect("b", "monitor", 7);
    bench.expect("b", "migrate_from", 1);
    drop(sender);
    bench.expect("a", "monitor", 0);
    assert_eq!(bench.qemu("b"), None);
    assert_goes_on(&bench, "a", &first.boot);
}

#[test]
fn a_guest_that_was_committed_is_ended_at_its_source() {
    let Some(mut bench) = Bench::new("") else { return };
    bench.start_receiver("b");
    let first = bench.boot("a");
    let mut sender = Sender::give_up_at_source(&bench);
    let answer = sender.say(&json!({ "request": "commit" }));
    assert_eq!(answer["result"], "running");
    drop(sender);
    bench.expect("a", "monitor", 7);
    assert_eq!(bench.qemu("a"), None);
    assert_goes_on(&bench, "b", &first.boot);
}

#[test]
fn a_guest_of_which_nobody_knows_is_an_error_and_not_run() {
    let Some(mut bench) = Bench::new("") else { return };
    let receiver = bench.start_receiver("b");
    bench.boot("a");
    let mut sender = Sender::give_up_at_source(&bench);
    assert_eq!(sender.say(&json!({ "request": "commit" }))["result"], "running");
    drop(sender);
    // The target loses its memory: it may have run the guest and lost it since.
    bench.kill(receiver);
    bench.expect("b", "stop", 0);
    fs::remove_dir_all(bench.path("b")).expect("the state of b");
    bench.start_receiver("b");
    bench.set("qmp_timeout", "5s");
    let said = bench.expect("a", "monitor", 1);
    assert!(said.contains("not known whether it arrived"), "{said}");
    let seen = bench.heartbeats().len();
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(bench.heartbeats().len(), seen, "it does not run");
    bench.expect("a", "stop", 0);
    bench.expect("a", "monitor", 7);
}
