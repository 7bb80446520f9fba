//! Running agents that behave well, badly, and not at all.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "tests of a shell")]

mod common;

use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{Folder, invocation, run};
use hafen_agents::{
    AgentClass, AnnounceTo, FenceInvocation, OcfExitCode, OpStatus, STDERR_LIMIT_BYTES, STDOUT_LIMIT_BYTES,
};
use hafen_sys::{Announcement, ProcessIdentity, Signal, is_running, process_status};

#[tokio::test]
async fn what_an_agent_tells_is_told_without_secrets() {
    let folder = Folder::new();
    let script = "echo \"in $OCF_RESKEY_passwd\"; echo \"err $OCF_RESKEY_user\" >&2; \
                  echo \"ocf-exit-reason:login $OCF_RESKEY_passwd/$OCF_RESKEY_user failed\" >&2; exit 1";
    folder.script("resource.d/test/leak", script);
    let mut agents = folder.agents();
    agents.paths.secrets = folder.path().join("secrets");
    let own = agents.paths.secrets.join("rsc1");
    std::fs::create_dir_all(&own).expect("made");
    std::fs::write(own.join("user"), "geheim").expect("written");
    std::fs::write(own.join("user.sign"), "e8636ea013e682faf61f56ce1cb1ab5c").expect("written");
    let parameters = [("passwd", "topsecret"), ("user", "lrm://")];
    let outcome = run(&agents, &invocation("ocf:test:leak", "start", &parameters)).await;
    assert_eq!(outcome.exit_reason.as_deref(), Some("login ******/****** failed"));
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.contains("geheim")), ("in ******\n", false));
    // A secret that this host does not have: nothing starts, but what runs is stopped.
    std::fs::remove_file(own.join("user")).expect("it was there");
    let outcome = run(&agents, &invocation("ocf:test:leak", "start", &parameters)).await;
    assert_eq!(outcome.rc, OcfExitCode::NOT_CONFIGURED);
    assert!(
        outcome.exit_reason.is_some_and(|why| why.starts_with("the secret user of rsc1 is not on this host"))
    );
    let outcome = run(&agents, &invocation("ocf:test:leak", "stop", &parameters)).await;
    assert_eq!(outcome.stdout, "in ******\n");
}

#[tokio::test]
async fn an_agent_gets_the_environment_of_resource_agents() {
    let folder = Folder::new();
    folder.script(
        "resource.d/test/env",
        "env; echo \"action $1 of $#\"; pwd; echo 'ocf-exit-reason:because' >&2; exit 7",
    );
    let mut call = invocation("ocf:test:env", "monitor", &[("ip", "10.0.0.1"), ("two", "x\ny")]);
    call.meta.insert("interval".to_owned(), "10000".to_owned());
    let outcome = run(&folder.agents(), &call).await;
    assert_eq!((outcome.rc, outcome.status), (OcfExitCode::NOT_RUNNING, OpStatus::Done));
    assert_eq!(outcome.exit_reason.as_deref(), Some("because"));
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    for expected in [
        "OCF_ROOT=/usr/lib/ocf",
        "OCF_RA_VERSION_MAJOR=1",
        "OCF_RA_VERSION_MINOR=1",
        "OCF_RESOURCE_INSTANCE=rsc1",
        "OCF_RESOURCE_TYPE=env",
        "OCF_RESOURCE_PROVIDER=test",
        "OCF_EXIT_REASON_PREFIX=ocf-exit-reason:",
        "OCF_RESKEY_ip=10.0.0.1",
        "OCF_RESKEY_two=x",
        "OCF_RESKEY_CRM_meta_timeout=20000",
        "OCF_RESKEY_CRM_meta_on_fail=block",
        "OCF_RESKEY_CRM_meta_interval=10000",
        "__OCF_ACTION=monitor",
        "HA_RSCTMP=/run/resource-agents",
        "LC_ALL=C",
        "action monitor of 1",
        "/",
    ] {
        assert!(lines.contains(&expected), "{expected} is missing in {lines:#?}");
    }
    assert!(!outcome.stdout.contains("CARGO"), "nothing of the caller's environment shows");
}

#[tokio::test]
async fn what_cannot_run_says_why() {
    let folder = Folder::new();
    folder.script("resource.d/test/plain", "exit 0");
    std::fs::write(folder.path().join("resource.d/test/text"), "no program").expect("write");
    folder.script("resource.d/test/nobody", "exit 0");
    let broken = folder.path().join("resource.d/test/nobody");
    let script = "printf '#!/nowhere/sh\\n' > \"$0\"";
    assert!(
        std::process::Command::new("sh").args(["-c", script]).arg(&broken).status().expect("sh").success()
    );
    let agents = folder.agents();
    for (agent, rc, status, word) in [
        ("ocf:test:absent", OcfExitCode::NOT_INSTALLED, OpStatus::NotInstalled, "is not installed"),
        ("ocf:absent:plain", OcfExitCode::NOT_INSTALLED, OpStatus::NotInstalled, "is not installed"),
        ("stonith:fence_absent", OcfExitCode::NOT_INSTALLED, OpStatus::NotInstalled, "is not installed"),
        ("ocf:test:text", OcfExitCode::INSUFFICIENT_PRIV, OpStatus::Error, "not an executable file"),
        ("ocf:test:nobody", OcfExitCode::NOT_INSTALLED, OpStatus::NotInstalled, "cannot start"),
    ] {
        let outcome = run(&agents, &invocation(agent, "start", &[])).await;
        assert_eq!((outcome.rc, outcome.status), (rc, status), "{agent}");
        assert!(outcome.exit_reason.as_deref().expect("a reason").contains(word), "{agent}: {outcome:?}");
    }
    let found = agents.paths.list(AgentClass::Ocf).expect("the folders can be read");
    assert!(found.iter().any(|agent| agent.to_string() == "ocf:test:plain"));
    assert!(!found.iter().any(|agent| agent.kind == "text"));
}

#[tokio::test]
async fn an_agent_killed_by_a_signal_is_an_error() {
    let folder = Folder::new();
    folder.script("resource.d/test/suicide", "kill -9 $$");
    let outcome = run(&folder.agents(), &invocation("ocf:test:suicide", "start", &[])).await;
    assert_eq!((outcome.rc, outcome.status), (OcfExitCode::ERROR, OpStatus::Error));
    assert!(outcome.exit_reason.expect("a reason").contains("signal 9"));
}

#[tokio::test]
async fn huge_and_broken_output_is_cut_and_cleaned() {
    let folder = Folder::new();
    let body = "head -c 3000000 /dev/zero | tr '\\0' x; printf '\\377\\000\\033[2J'
        head -c 3000000 /dev/zero | tr '\\0' y >&2; printf '\\377\\nocf-exit-reason:late\\n' >&2; exit 1";
    folder.script("resource.d/test/loud", body);
    let outcome = run(&folder.agents(), &invocation("ocf:test:loud", "start", &[])).await;
    assert_eq!((outcome.rc, outcome.status), (OcfExitCode::ERROR, OpStatus::Done));
    assert_eq!(outcome.exit_reason.as_deref(), Some("late"));
    assert!(outcome.stdout_truncated);
    assert_eq!(outcome.stdout.len(), STDOUT_LIMIT_BYTES);
    assert!(outcome.stderr.len() <= STDERR_LIMIT_BYTES + 100 && outcome.stderr.contains("bytes left out"));
}

/// Waits until the file holds a line with a process id.
async fn process_in(path: std::path::PathBuf) -> ProcessIdentity {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(pid) =
            std::fs::read_to_string(&path).ok().and_then(|text| text.strip_suffix('\n')?.parse().ok())
        {
            return ProcessIdentity::of(pid).expect("the process runs");
        }
        assert!(Instant::now() < deadline, "no process in {}", path.display());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn at_the_time_limit_the_whole_group_ends_and_what_left_it_lives() {
    let folder = Folder::new();
    let body = "cd \"$OCF_RESKEY_dir\"; trap '' TERM
        setsid sh -c 'echo $$ > daemon; exec sleep 600' > /dev/null 2>&1 &
        sh -c 'trap \"\" TERM; sh -c \"trap : TERM; echo \\$\\$ > grandchild; while :; do sleep 600; done\" & wait; sleep 600' &
        echo waiting; echo 'ocf-exit-reason:still starting' >&2; while :; do sleep 600; done";
    folder.script("resource.d/test/hang", body);
    let dir = folder.path().to_str().expect("text").to_owned();
    let mut call = invocation("ocf:test:hang", "start", &[("dir", &dir)]);
    call.timeout = Duration::from_millis(700);
    let running = folder.agents().start(&call, None).expect("it starts");
    let leader = ProcessIdentity::of(running.pid().expect("a process")).expect("it runs");
    assert_eq!(process_status(leader.pid).expect("it runs").group, leader.pid, "it leads its own group");
    let (grandchild, daemon, outcome) = tokio::join!(
        process_in(folder.path().join("grandchild")),
        process_in(folder.path().join("daemon")),
        running.end()
    );
    let daemon_lives = daemon.is_running();
    // A killed process takes its time to end, and who killed it need not wait for a grandchild.
    let mut grandchild_lives = grandchild.is_running();
    for _ in 0..200 {
        if !grandchild_lives {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
        grandchild_lives = grandchild.is_running();
    }
    hafen_sys::kill_process(daemon.pid, Signal::KILL).expect("the daemon can be killed");
    assert_eq!((outcome.rc, outcome.status), (OcfExitCode::ERROR, OpStatus::Timeout));
    assert_eq!(outcome.exit_reason.as_deref(), Some("timed out after 700 ms: still starting"));
    assert_eq!(outcome.stdout, "waiting\n");
    assert!(!is_running(leader.pid));
    assert!(!grandchild_lives, "ignoring SIGTERM saves nobody");
    assert!(daemon_lives, "a process in a session of its own is what the agent was to start");
}

#[tokio::test]
async fn a_process_left_behind_keeps_nobody_waiting() {
    let folder = Folder::new();
    folder.script("resource.d/test/daemon", "sleep 600 & echo $!; exit 0");
    let outcome = run(&folder.agents(), &invocation("ocf:test:daemon", "start", &[])).await;
    let left = ProcessIdentity::of(outcome.stdout.trim().parse().expect("its id")).expect("it lives on");
    hafen_sys::kill_process(left.pid, Signal::KILL).expect("it can be killed");
    assert!(outcome.is_ok());
    assert!(outcome.exec_time < Duration::from_secs(300), "it holds the pipe open for 600 s");
}

fn fencing(action: &str, target: Option<&str>) -> FenceInvocation {
    FenceInvocation {
        agent: "fence_test".to_owned(),
        action: action.to_owned(),
        target: target.map(str::to_owned),
        port: None,
        parameters: [("ip", "10.0.0.9"), ("pcmk_host_list", "host2")]
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .into(),
        timeout: Duration::from_secs(60),
    }
}

const FENCE_AGENT: &str = "while read -r line; do case $line in action=*) action=${line#*=};; esac; echo \"$line\"; done
    case $action in metadata) echo '<resource-agent name=\"fence_test\"/>'; exit 0;; status) exit 2;; monitor|off) exit 0;; esac
    echo 'cannot do that' >&2; exit 1";

#[tokio::test]
async fn a_fence_agent_gets_its_options_on_standard_input() {
    let folder = Folder::new();
    folder.script("fence/fence_test", FENCE_AGENT);
    let agents = folder.agents();
    for (action, rc, reason) in [
        ("off", OcfExitCode::OK, None),
        ("status", OcfExitCode(2), None),
        ("reboot", OcfExitCode::ERROR, Some("cannot do that")),
    ] {
        let outcome =
            agents.start_fence(&fencing(action, Some("host2")), None).expect("it starts").end().await;
        assert_eq!((outcome.rc, outcome.status), (rc, OpStatus::Done), "{action}");
        let reason =
            reason.or((action == "status").then_some("cannot do that")).filter(|_| action == "reboot");
        assert_eq!(outcome.exit_reason.as_deref(), reason, "{action}");
        assert_eq!(outcome.stdout, format!("action={action}\nip=10.0.0.9\nnodename=host2\nport=host2\n"));
    }
    let described = agents.metadata(&"stonith:fence_test".parse().expect("a name")).await.expect("metadata");
    assert!(described.contains("<resource-agent"));
}

#[tokio::test]
async fn a_fence_device_is_a_resource_that_is_monitored() {
    let folder = Folder::new();
    folder.script("fence/fence_test", FENCE_AGENT);
    let agents = folder.agents();
    for (task, stdout) in
        [("start", "action=monitor\nip=x\n"), ("monitor", "action=monitor\nip=x\n"), ("stop", "")]
    {
        let outcome = run(&agents, &invocation("stonith:fence_test", task, &[("ip", "x")])).await;
        assert!(outcome.is_ok(), "{task}: {outcome:?}");
        assert_eq!(outcome.stdout, stdout, "{task}");
    }
}

#[tokio::test]
async fn an_agent_that_reads_nothing_and_one_without_metadata() {
    let folder = Folder::new();
    folder.script("fence/fence_test", "exit 0");
    folder.script("resource.d/test/mute", "exit 3");
    folder.script(
        "resource.d/test/endless",
        "while :; do head -c 100000 /dev/zero | tr '\\0' x || exit 0; done",
    );
    let mut call = fencing("off", Some("host2"));
    call.parameters.insert("blob".to_owned(), "x".repeat(300_000));
    let agents = folder.agents();
    assert!(agents.start_fence(&call, None).expect("it starts").end().await.is_ok());
    let error = agents.metadata(&"ocf:test:mute".parse().expect("a name")).await.expect_err("no metadata");
    assert_eq!(error.to_string(), "ocf:test:mute gives no metadata: it ended with unimplemented feature (3)");
    let mut call = invocation("ocf:test:endless", "monitor", &[]);
    call.timeout = Duration::from_millis(300);
    assert_eq!(
        run(&agents, &call).await.status,
        OpStatus::Timeout,
        "output without end does not hide the time limit"
    );
}

#[tokio::test]
async fn an_agent_announces_its_process_or_does_not_begin() {
    let folder = Folder::new();
    folder.script("resource.d/test/print", "echo $$; cat \"$OCF_RESKEY_file\"");
    let path = folder.path().join("announcements");
    let call = invocation("ocf:test:print", "start", &[("file", path.to_str().expect("text"))]);
    let announce_to = |file: File| {
        let record = Announcement { prefix: b"pid ".into(), infix: b" since ".into(), suffix: b"\n".into() };
        Some(AnnounceTo { file: Arc::new(file.into()), record })
    };
    let file = File::options().create(true).append(true).open(&path).expect("a file");
    let running = folder.agents().start(&call, announce_to(file)).expect("it starts");
    let ProcessIdentity { pid, start_time_ticks } =
        ProcessIdentity::of(running.pid().expect("a process")).expect("it runs");
    let outcome = running.end().await;
    assert_eq!(
        outcome.stdout,
        format!("{pid}\npid {pid} since {start_time_ticks}\n"),
        "it finds its announcement"
    );
    let full = File::options().append(true).open("/dev/full").expect("/dev/full");
    let not_started = folder.agents().start(&call, announce_to(full)).expect_err("it must not start");
    assert!(not_started.could_not_announce && !not_started.outcome.is_ok(), "{not_started:?}");
}

/// Classes `lsb`, `service` and `heartbeat`: the action `monitor` is the script's `status`; the book's `drbddisk r0`.
#[tokio::test]
async fn init_scripts_are_resources() {
    let folder = Folder::new();
    let state = folder.path().join("state");
    let body = format!(
        "# Short-Description: a daemon & its <pid>\n# Description: long\ncase $1 in start) touch {0};; stop) rm -f {0};; \
         status) test -e {0} || exit 3;; esac",
        state.display()
    );
    folder.script("init.d/daemon", &body);
    folder.script("init.d/failing", "exit 150");
    folder.script("ha.d/drbddisk", "echo \"$*\"; [ $2 = status ] && echo running; exit 0");
    let agents = folder.agents();
    for class in ["lsb", "service"] {
        let name = format!("{class}:daemon");
        for (task, rc) in
            [("monitor", 7), ("start", 0), ("monitor", 0), ("stop", 0), ("stop", 0), ("monitor", 7)]
        {
            let outcome = run(&agents, &invocation(&name, task, &[])).await;
            assert_eq!((outcome.rc.0, outcome.status), (rc, OpStatus::Done), "{name} {task}");
        }
        let described = agents.describe(&name.parse().expect("a name")).await.expect("metadata");
        assert!(described.parameters.is_empty(), "{described:?}");
    }
    let (monitor, start) =
        (invocation("lsb:failing", "monitor", &[]), invocation("lsb:failing", "start", &[]));
    assert_eq!(run(&agents, &monitor).await.rc, OcfExitCode::NOT_INSTALLED);
    assert_eq!(run(&agents, &start).await.rc, OcfExitCode::ERROR);
    let promote = run(&agents, &invocation("lsb:daemon", "promote", &[])).await;
    assert_eq!(promote.rc, OcfExitCode::UNIMPLEMENTED);
    let nowhere = run(&agents, &invocation("lsb:nosuch", "start", &[])).await;
    assert_eq!(nowhere.rc, OcfExitCode::NOT_INSTALLED);
    let words = [("1", "r0"), ("2", "x"), ("other", "y")];
    let started = run(&agents, &invocation("heartbeat:drbddisk", "start", &words)).await;
    assert_eq!((started.rc, started.stdout.trim()), (OcfExitCode::OK, "r0 x start"));
    let monitored = run(&agents, &invocation("heartbeat:drbddisk", "monitor", &words[..1])).await;
    assert_eq!(monitored.rc, OcfExitCode::OK);
    assert_eq!(agents.paths.list(AgentClass::Lsb).expect("listed").len(), 2);
}
