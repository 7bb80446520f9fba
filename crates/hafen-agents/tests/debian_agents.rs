//! Agents of Debian's resource-agents and pacemaker-resource-agents, unchanged, through a whole life.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "tests of a shell")]

mod common;

use std::process::Command;

use common::{installed, invocation, run};
use hafen_agents::{Agents, Invocation, OcfExitCode, OpStatus};
use hafen_sys::{Namespaces, spawn_in_new};

async fn expect(agents: &Agents, call: &Invocation, task: &str, rc: OcfExitCode) {
    let call = Invocation { task: task.to_owned(), ..call.clone() };
    let outcome = run(agents, &call).await;
    assert_eq!((outcome.rc, outcome.status), (rc, OpStatus::Done), "{} {task}: {outcome:#?}", call.agent);
}

async fn whole_life(agents: &Agents, call: &Invocation) {
    use OcfExitCode as Rc;
    expect(agents, call, "validate-all", Rc::OK).await;
    for (task, rc) in [
        ("monitor", Rc::NOT_RUNNING),
        ("start", Rc::OK),
        ("start", Rc::OK),
        ("monitor", Rc::OK),
        ("stop", Rc::OK),
        ("stop", Rc::OK),
        ("monitor", Rc::NOT_RUNNING),
    ] {
        expect(agents, call, task, rc).await;
    }
    expect(agents, call, "no-such-action", Rc::UNIMPLEMENTED).await;
    let metadata = agents.describe(&call.agent).await.expect("metadata");
    assert_eq!(metadata.name, call.agent.kind);
    assert!(["start", "stop", "monitor"].iter().all(|name| metadata.action(name).is_some()), "{metadata:?}");
    assert!(call.parameters.keys().all(|name| metadata.parameter(name).is_some()), "{metadata:?}");
}

/// The tests write to `/run`, and make addresses: each runs again in namespaces of its own. Whether this is that run.
fn inside(test: &str) -> bool {
    const VARIABLE: &str = "HAFEN_TEST_INSIDE_NAMESPACES";
    if std::env::var_os(VARIABLE).is_some() {
        return true;
    }
    if !rustix::process::geteuid().is_root() {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "these tests need root");
        eprintln!("skipped: making namespaces needs root");
        return false;
    }
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    command.args(["--exact", test, "--nocapture"]).env(VARIABLE, "1");
    let namespaces = Namespaces { mount: true, network: true, ..Namespaces::default() };
    let status = spawn_in_new(command, namespaces).expect("namespaces").wait().expect("the test ends");
    assert!(status.success(), "the test failed in its namespaces");
    false
}

fn own_run_folder() {
    let script = "mount --make-rprivate / && mount -t tmpfs tmpfs /run";
    assert!(Command::new("sh").args(["-c", script]).status().expect("sh").success(), "cannot mount {script}");
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

#[test]
fn the_dummies_live_a_whole_life() {
    let agents = Agents::default();
    let names = ["ocf:heartbeat:Dummy", "ocf:pacemaker:Dummy"];
    if !installed(&agents, &names) || !inside("the_dummies_live_a_whole_life") {
        return;
    }
    own_run_folder();
    let folder = tempfile::tempdir().expect("a folder");
    for name in names {
        let state = folder.path().join(name.replace(':', "-"));
        let call = invocation(name, "start", &[("state", state.to_str().expect("text"))]);
        runtime().block_on(whole_life(&agents, &call));
    }
}

#[test]
fn a_wrong_parameter_is_told_with_its_reason() {
    let agents = Agents::default();
    if !installed(&agents, &["ocf:heartbeat:IPaddr2"]) || !inside("a_wrong_parameter_is_told_with_its_reason")
    {
        return;
    }
    own_run_folder();
    let call = invocation("ocf:heartbeat:IPaddr2", "start", &[("ip", "300.1.2.3")]);
    let outcome = runtime().block_on(run(&agents, &call));
    assert_eq!(outcome.status, OpStatus::Done);
    assert_ne!(outcome.rc, OcfExitCode::OK);
    assert!(outcome.exit_reason.is_some() && outcome.stderr.contains("300.1.2.3"), "{outcome:#?}");
}

#[test]
fn an_address_comes_and_goes() {
    let agents = Agents::default();
    if !installed(&agents, &["ocf:heartbeat:IPaddr2"]) || !inside("an_address_comes_and_goes") {
        return;
    }
    own_run_folder();
    let script = "ip link set lo up && ip link add left type veth peer name right \
        && ip link set left up && ip link set right up && ip address add 192.0.2.1/24 dev left";
    assert!(Command::new("sh").args(["-c", script]).status().expect("sh").success(), "{script}");
    let has_address = || {
        let output = Command::new("ip").args(["-4", "address", "show", "dev", "left"]).output().expect("ip");
        String::from_utf8_lossy(&output.stdout).contains("192.0.2.77/24")
    };
    let call = invocation("ocf:heartbeat:IPaddr2", "start", &[("ip", "192.0.2.77"), ("cidr_netmask", "24")]);
    runtime().block_on(async {
        expect(&agents, &call, "start", OcfExitCode::OK).await;
        assert!(has_address());
        expect(&agents, &call, "stop", OcfExitCode::OK).await;
        assert!(!has_address());
        whole_life(&agents, &call).await;
    });
}
