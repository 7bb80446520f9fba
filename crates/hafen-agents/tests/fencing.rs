//! Fence agents of every family: fence-agents, cluster-glue's `external/*`, `meatware`, `null`; unchanged ones of Debian too.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "tests of a shell")]

mod common;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use common::{Folder, installed, invocation, run};
use hafen_agents::{
    AgentClass, AgentPaths, Agents, ConfirmError, FenceInvocation, OcfExitCode, OpStatus, Outcome,
    meatclient_confirm, meatware_waiting,
};

fn fencing(agent: &str, action: &str, target: Option<&str>, parameters: &[(&str, &str)]) -> FenceInvocation {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    FenceInvocation {
        agent: agent.to_owned(),
        action: action.to_owned(),
        target: target.map(str::to_owned),
        port: None,
        parameters: parameters.iter().map(pair).collect(),
        timeout: Duration::from_secs(60),
    }
}

async fn fence(agents: &Agents, invocation: &FenceInvocation) -> Outcome {
    match agents.start_fence(invocation, None) {
        Ok(running) => running.end().await,
        Err(not_started) => not_started.outcome,
    }
}

fn agents(folder: &Folder) -> Agents {
    let paths = AgentPaths {
        external: vec![folder.path().join("plugins")],
        meatware: folder.path().join("meatware"),
        ..folder.agents().paths
    };
    Agents { paths, ..Agents::default() }
}

const PLUGIN: &str = r#"case $1 in
    getconfignames) echo hostlist; echo ip;;
    getinfo-devid) echo "test device";;
    getinfo-xml) echo '<parameters><parameter name="hostlist"/></parameters>';;
    getinfo-*) ;;
    gethosts) for host in $hostlist; do echo $host; done;;
    status) echo "status of $ip with PATH=$PATH"; exit $rc;;
    reset|off|on) echo "$1 $2 at $ip in ${hostlist}, ${pcmk_host_list-no list}";;
    *) exit 3;;
esac
exit 0"#;

#[tokio::test]
async fn a_plugin_gets_its_action_and_host_as_arguments_and_parameters_in_the_environment() {
    let folder = Folder::new();
    folder.script("plugins/external/test", PLUGIN);
    let agents = agents(&folder);
    let parameters =
        [("hostlist", "host1 host2"), ("ip", "10.0.0.9"), ("pcmk_host_list", "host2"), ("PATH", "/evil")];
    for (action, expected) in [("reboot", "reset"), ("off", "off"), ("on", "on")] {
        let outcome = fence(&agents, &fencing("external/test", action, Some("host2"), &parameters)).await;
        assert_eq!(outcome.stdout, format!("{expected} host2 at 10.0.0.9 in host1 host2, no list\n"));
        assert!(outcome.is_ok());
    }
    let mapped = FenceInvocation {
        port: Some("outlet 7".to_owned()),
        ..fencing("external/test", "off", Some("host2"), &parameters)
    };
    assert!(fence(&agents, &mapped).await.stdout.starts_with("off outlet 7 at"));
    let listed = fence(&agents, &fencing("external/test", "list", None, &parameters)).await;
    assert_eq!(listed.stdout, "host1\nhost2\n");
    let status = fence(&agents, &fencing("external/test", "status", None, &parameters)).await;
    assert!(status.stdout.contains("/usr/share/cluster-glue") && !status.stdout.contains("evil"));
}

#[tokio::test]
async fn a_plugin_is_a_resource_whose_parameters_are_checked() {
    let folder = Folder::new();
    folder.script("plugins/external/test", PLUGIN);
    let agents = agents(&folder);
    let whole = [("hostlist", "host1"), ("ip", "x"), ("rc", "0")];
    for task in ["start", "monitor", "stop"] {
        let outcome = run(&agents, &invocation("stonith:external/test", task, &whole)).await;
        assert!(outcome.is_ok(), "{task}: {outcome:?}");
    }
    let failing = [("hostlist", "host1"), ("ip", "x"), ("rc", "7")];
    assert_eq!(
        run(&agents, &invocation("stonith:external/test", "monitor", &failing)).await.rc,
        OcfExitCode(7)
    );
    let outcome = run(&agents, &invocation("stonith:external/test", "start", &whole[..1])).await;
    assert_eq!(outcome.rc, OcfExitCode::NOT_CONFIGURED);
    assert_eq!(outcome.exit_reason.as_deref(), Some("the parameter ip is not set"));
}

#[tokio::test]
async fn a_plugin_that_others_may_write_or_that_is_missing_is_not_run() {
    let folder = Folder::new();
    folder.script("plugins/external/loose", PLUGIN);
    let path = folder.path().join("plugins/external/loose");
    let chmod = std::process::Command::new("chmod").arg("o+w").arg(&path).status().expect("chmod");
    assert!(chmod.success());
    let agents = agents(&folder);
    let reason = async |agent: &str| {
        let outcome = fence(&agents, &fencing(agent, "off", Some("host2"), &[])).await;
        assert!(!outcome.is_ok());
        outcome.exit_reason.expect("a reason")
    };
    assert!(reason("external/loose").await.contains("chmod go-w"));
    assert!(reason("external/absent").await.contains("is not installed: it is in none of"));
    assert!(reason("external/../../bin/true").await.contains("cannot be part of an agent's name"));
    assert!(reason("ipmilan").await.contains("use stonith:fence_ipmilan"));
    assert!(reason("baytech").await.contains("there is no agent"));
}

#[tokio::test]
async fn a_plugin_describes_itself_and_one_that_writes_garbage_is_told() {
    let folder = Folder::new();
    folder.script("plugins/external/test", PLUGIN);
    folder.script("plugins/external/garbage", "head -c 1000 /dev/urandom; exit 0");
    folder.script("plugins/external/silent", "exit 1");
    let agents = agents(&folder);
    let described =
        agents.describe(&"stonith:external/test".parse().expect("a name")).await.expect("metadata");
    assert!(described.parameter("hostlist").is_some() && described.action("off").is_some());
    for agent in ["stonith:external/garbage", "stonith:external/silent"] {
        agents.describe(&agent.parse().expect("a name")).await.expect_err("no metadata");
    }
    let found = agents.paths.list(AgentClass::Stonith).expect("the folders can be read");
    let names: Vec<String> = found.iter().map(ToString::to_string).collect();
    for name in ["stonith:external/test", "stonith:meatware", "stonith:null"] {
        assert!(names.iter().any(|found| found == name), "{name} is missing in {names:?}");
    }
}

#[tokio::test]
async fn a_plugin_that_never_returns_is_killed_with_its_children() {
    let folder = Folder::new();
    folder.script(
        "plugins/external/hang",
        "sh -c 'trap \"\" TERM; while :; do sleep 600; done' & echo $!; wait",
    );
    let call = FenceInvocation {
        timeout: Duration::from_millis(300),
        ..fencing("external/hang", "off", Some("host2"), &[])
    };
    let outcome = fence(&agents(&folder), &call).await;
    assert_eq!(outcome.status, OpStatus::Timeout);
    let child: u32 = outcome.stdout.trim().parse().expect("its child's id");
    let deadline = Instant::now() + Duration::from_secs(30);
    while hafen_sys::is_running(child) {
        assert!(Instant::now() < deadline, "its child lives on");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until somebody is to fence this host by hand.
async fn asked_for(folder: &std::path::Path, host: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !meatware_waiting(folder).iter().any(|name| name == host) {
        assert!(Instant::now() < deadline, "nobody waits for {host}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn confirm(folder: PathBuf, host: &'static str) -> Result<(), ConfirmError> {
    tokio::task::spawn_blocking(move || meatclient_confirm(&folder, host)).await.expect("no panic")
}

#[tokio::test]
async fn meatware_waits_for_the_human_and_refuses_a_wrong_host() {
    let folder = Folder::new();
    let agents = agents(&folder);
    let dir = agents.paths.meatware.clone();
    let error = confirm(dir.clone(), "host2").await.expect_err("nobody waits yet");
    assert_eq!(error.to_string(), "nobody waits for host2 to be fenced by hand");
    let call = fencing("meatware", "reboot", Some("host2"), &[("hostlist", "host1,host2")]);
    let waiting = agents.start_fence(&call, None).expect("it waits");
    assert_eq!(waiting.pid(), None);
    let (outcome, ()) = tokio::join!(waiting.end(), async {
        asked_for(&dir, "host2").await;
        let error = confirm(dir.clone(), "host1").await.expect_err("the wrong host");
        assert_eq!(error.to_string(), "nobody waits for host1 to be fenced by hand; waited for: host2");
        assert!(matches!(confirm(dir.clone(), "../host2").await, Err(ConfirmError::Name(_))));
        let mut fifo = std::fs::OpenOptions::new().write(true).open(dir.join("host2")).expect("the FIFO");
        fifo.write_all(b"meatware confirms host1\nno\n").expect("written");
        fifo.write_all(&[b'x'; 2000]).expect("written");
        fifo.write_all(b"\n").expect("written");
        let second = fence(&agents, &call).await;
        assert!(second.exit_reason.expect("a reason").contains("host2 is waited for already"));
        confirm(dir.clone(), "host2").await.expect("it waits");
    });
    assert!(outcome.is_ok(), "{outcome:?}");
    assert!(meatware_waiting(&dir).is_empty() && !dir.join("host2").exists());
}

#[tokio::test]
async fn meatware_without_a_human_fails_and_can_be_asked_again() {
    let folder = Folder::new();
    let agents = agents(&folder);
    let dir = agents.paths.meatware.clone();
    let call = FenceInvocation {
        timeout: Duration::from_millis(200),
        ..fencing("meatware", "off", Some("host2"), &[("hostlist", "host2")])
    };
    let outcome = fence(&agents, &call).await;
    assert_eq!(outcome.status, OpStatus::Timeout);
    assert!(outcome.exit_reason.expect("a reason").contains("nobody ran `meatclient -c host2`"));
    // What a killed process left does not stand for anybody, and does not hinder the next one.
    let mkfifo = std::process::Command::new("mkfifo").arg(dir.join("host2")).status().expect("mkfifo");
    assert!(mkfifo.success());
    assert!(matches!(confirm(dir.clone(), "host2").await, Err(ConfirmError::NotWaiting { .. })));
    let again =
        agents.start_fence(&fencing("meatware", "off", Some("host2"), &[("hostlist", "host2")]), None);
    let (outcome, ()) = tokio::join!(again.expect("it waits").end(), async {
        asked_for(&dir, "host2").await;
        confirm(dir.clone(), "host2").await.expect("it waits");
    });
    assert!(outcome.is_ok());
}

#[tokio::test]
async fn meatware_and_null_know_their_hosts_and_actions() {
    let folder = Folder::new();
    let agents = agents(&folder);
    let hosts = [("hostlist", "host1 host2")];
    let refused = fence(&agents, &fencing("meatware", "off", Some("host3"), &hosts)).await;
    assert_eq!(refused.exit_reason.as_deref(), Some("host3 is not in hostlist (host1 host2)"));
    let unset = run(&agents, &invocation("stonith:meatware", "start", &[])).await;
    assert_eq!(unset.rc, OcfExitCode::NOT_CONFIGURED);
    assert!(run(&agents, &invocation("stonith:meatware", "start", &hosts)).await.is_ok());
    assert_eq!(fence(&agents, &fencing("meatware", "list", None, &hosts)).await.stdout, "host1\nhost2\n");
    for (task, warns) in [("start", true), ("monitor", true), ("stop", false)] {
        let outcome = run(&agents, &invocation("stonith:null", task, &hosts)).await;
        assert_eq!((outcome.is_ok(), outcome.stderr.contains("fences nothing")), (true, warns), "{task}");
    }
    assert!(fence(&agents, &fencing("null", "reboot", Some("host2"), &hosts)).await.is_ok());
    for agent in ["stonith:meatware", "stonith:null"] {
        let described = agents.describe(&agent.parse().expect("a name")).await.expect("metadata");
        assert!(described.parameter("hostlist").is_some(), "{agent}");
    }
}

#[tokio::test]
async fn plugins_of_debian_describe_themselves_and_list_their_hosts() {
    let agents = Agents::default();
    if !installed(&agents, &["stonith:external/ssh", "stonith:external/rackpdu", "stonith:external/drac5"]) {
        return;
    }
    for (agent, parameter) in [("ssh", "hostlist"), ("rackpdu", "community"), ("drac5", "userid")] {
        let name = format!("stonith:external/{agent}").parse().expect("a name");
        let described = agents.describe(&name).await.unwrap_or_else(|error| panic!("{error}"));
        assert!(described.parameter(parameter).is_some(), "{agent}");
    }
    let listed =
        fence(&agents, &fencing("external/ssh", "list", None, &[("hostlist", "host1, host2")])).await;
    let hosts: Vec<&str> = listed.stdout.split_whitespace().collect();
    assert_eq!(hosts, ["host1", "host2"]);
    let unset = fence(&agents, &fencing("external/rackpdu", "monitor", None, &[("hostlist", "AUTO")])).await;
    assert_eq!(unset.exit_reason.as_deref(), Some("the parameter pduip is not set"));
}

#[tokio::test]
async fn fence_dummy_of_debian_is_switched_off_read_back_and_switched_on() {
    let agents = Agents::default();
    if !installed(&agents, &["stonith:fence_dummy"]) {
        return;
    }
    let folder = Folder::new();
    let file = folder.path().join("status");
    std::fs::write(&file, "on").expect("written");
    let parameters = [("status_file", file.to_str().expect("text"))];
    let run = async |action: &str| {
        fence(&agents, &fencing("fence_dummy", action, Some("host2"), &parameters)).await
    };
    for (action, rc) in [("monitor", 0), ("status", 0), ("off", 0), ("status", 2), ("on", 0), ("status", 0)] {
        let outcome = run(action).await;
        assert_eq!((outcome.rc, outcome.status), (OcfExitCode(rc), OpStatus::Done), "{action}: {outcome:?}");
    }
    let described = agents.describe(&"stonith:fence_dummy".parse().expect("a name")).await.expect("metadata");
    let default: BTreeMap<&str, bool> =
        ["plug", "port", "status_file"].map(|name| (name, described.parameter(name).is_some())).into();
    assert_eq!(default, BTreeMap::from([("plug", false), ("port", false), ("status_file", true)]));
}
