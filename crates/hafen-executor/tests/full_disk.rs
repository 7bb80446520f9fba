//! A journal on a disk that fills up, and has room again.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "tests of a shell")]

mod common;

use std::process::Command;

use common::{Daemon, Host, short};
use hafen_executor::wire::Request;
use hafen_sys::{Namespaces, spawn_in_new};

#[test]
fn executor_process() {
    common::executor_process();
}

/// The test mounts: it runs again in a mount namespace of its own. Whether this is that run.
fn inside(test: &str) -> bool {
    const VARIABLE: &str = "HAFEN_TEST_INSIDE_NAMESPACES";
    if std::env::var_os(VARIABLE).is_some() {
        return true;
    }
    if !rustix::process::geteuid().is_root() {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "these tests need root");
        eprintln!("skipped: mounting needs root");
        return false;
    }
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    command.args(["--exact", test, "--nocapture"]).env(VARIABLE, "1");
    let child = spawn_in_new(command, Namespaces { mount: true, ..Namespaces::default() });
    assert!(
        child.expect("a namespace").wait().expect("the test ends").success(),
        "the test failed in its namespace"
    );
    false
}

/// An operation that fills the journal.
async fn long_start(daemon: &mut Daemon, number: u32) -> String {
    let mut operation = daemon.operation(&format!("vm{number}"), "start", 0);
    operation.parameters.insert("blob".to_owned(), "x".repeat(20_000));
    daemon.send(Request::Execute(operation)).await;
    let result = daemon.result().await;
    daemon.acknowledge(result.sequence).await;
    let reason = result.end.exit_reason.clone().unwrap_or_default();
    assert_eq!(result.end.is_ok(), reason.is_empty(), "{result:?}");
    assert!(reason.is_empty() || reason.contains("journal cannot be written"), "{reason}");
    short(&result)
}

#[test]
fn a_full_disk_refuses_starts_only_and_is_overcome() {
    if !inside("a_full_disk_refuses_starts_only_and_is_overcome") {
        return;
    }
    let mut host = Host::new();
    let disk = host.path().join("journal");
    let script = "mount --make-rprivate / && mkdir \"$0\" && mount -t tmpfs -o size=600k tmpfs \"$0\"";
    assert!(Command::new("sh").args(["-c", script]).arg(&disk).status().expect("sh").success(), "{script}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        host.start();
        let mut daemon = host.connect().await;
        assert_eq!(long_start(&mut daemon, 0).await, "vm0 start 0 0");
        assert!(std::fs::write(disk.join("filler"), vec![0; 1_000_000]).is_err(), "the disk is full");
        assert_eq!(long_start(&mut daemon, 1).await, "vm1 start 0 0", "the reserve is used");
        let mut number = 2;
        while long_start(&mut daemon, number).await.ends_with("start 0 0") {
            number += 1;
            assert!(number < 100, "the disk does not get full");
        }
        let refused = format!("vm{number}");
        assert_eq!(host.count(&format!("{refused} start")), 0, "what is refused does not begin");
        let mut stop = daemon.operation("vm0", "stop", 0);
        stop.parameters.insert("blob".to_owned(), "x".repeat(40_000));
        daemon.send(Request::Execute(stop)).await;
        assert_eq!(short(&daemon.result().await), "vm0 stop 0 0");
        daemon.execute("vm1", "monitor", 20).await;
        assert_eq!(short(&daemon.result().await), "vm1 monitor 0 0");
        std::fs::remove_file(disk.join("filler")).expect("removed");
        assert_eq!(long_start(&mut daemon, 200).await, "vm200 start 0 0", "there is room again");
        host.kill();
        host.start();
        let mut daemon = host.connect().await;
        assert_eq!(daemon.welcome.journal_records_lost, 0);
        assert_eq!(
            short(&daemon.result().await),
            "vm0 stop 0 0",
            "what could not be written then is known now"
        );
        drop(daemon);
        host.kill();
    });
    drop(host);
}
