//! The crm shell and a cluster that fails under it.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hafen_lab::Lab;

use crate::support::{EXECUTABLE, Place, can_hold_a_lab, hosts, shell, up};

/// Resources of the configuration that is committed.
const RESOURCES: usize = 300;
const WAIT: Duration = Duration::from_secs(60);

/// Waits until all hosts belong to a cluster, and tells its coordinator.
fn coordinator(lab: &Lab) -> String {
    let deadline = Instant::now() + WAIT;
    loop {
        let status = lab.client("host1", WAIT).ok().and_then(|mut client| client.status().ok());
        let whole = status.filter(|status| {
            status.quorate
                && status.hosts.len() == 3
                && status.hosts.iter().all(|host| host.state == "online")
        });
        if let Some(coordinator) = whole.and_then(|status| status.coordinator) {
            return coordinator;
        }
        assert!(Instant::now() < deadline, "the cluster is not whole");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The values that the resources have.
fn values(lab: &Lab) -> (usize, BTreeSet<String>) {
    let xml = lab.client("host1", WAIT).and_then(|mut client| Ok(client.cib(false)?)).expect("the CIB");
    let cib = hafen_cib::Cib::parse(&xml).expect("a CIB");
    let pairs = cib.resources().into_iter().flat_map(|resources| resources.descendants());
    let pairs = pairs.filter(|pair| pair.attribute("name") == Some("fake"));
    let values: Vec<String> = pairs.filter_map(|pair| Some(pair.attribute("value")?.to_owned())).collect();
    (values.len(), values.into_iter().collect())
}

/// A commit of the shell at host1, which begins.
fn commit(lab: &Lab, value: usize) -> std::process::Child {
    let mut text = String::from("configure\nproperty maintenance-mode=true\n");
    for number in 0..RESOURCES {
        text += &format!("primitive d{number} ocf:pacemaker:Dummy params fake={value}\n");
    }
    let file = lab.layout().root().join(format!("commit-{value}.crm"));
    std::fs::write(&file, text.replace("configure\n", "")).expect("written");
    let mut child = Command::new(EXECUTABLE)
        .args(["crm"])
        .env("HAFEN_SOCKET", lab.daemon_socket("host1").expect("a socket"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let line = format!("configure load update {}\n", file.display());
    child.stdin.take().expect("piped").write_all(line.as_bytes()).expect("it reads");
    child
}

/// A commit while the coordinator's daemon is killed counts whole or not at all, and once it is said to be made it stays.
#[test]
fn a_commit_is_whole_or_not_made_whoever_dies() {
    if !can_hold_a_lab() {
        return;
    }
    let place = Place::new();
    let (lab, _lease) = up(&place, hosts(3));
    coordinator(&lab);
    let made = commit(&lab, 0).wait_with_output().expect("it ends");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut before = String::from("0");
    for (round, delay_ms) in [0, 60, 120, 180, 240].into_iter().enumerate() {
        let value = round + 1;
        let victim = coordinator(&lab);
        let child = commit(&lab, value);
        std::thread::sleep(Duration::from_millis(delay_ms));
        // One that was killed the last time may not be back yet.
        let deadline = Instant::now() + WAIT;
        while lab.kill_processes(&victim, &["daemon"]).expect("a process list") == 0 {
            assert!(Instant::now() < deadline, "{victim} has no daemon");
            std::thread::sleep(Duration::from_millis(10));
        }
        let said = child.wait_with_output().expect("it ends");
        coordinator(&lab);
        let (count, values) = values(&lab);
        assert_eq!((count, values.len()), (RESOURCES, 1), "round {round}: {values:?}");
        let now = values.into_iter().next().expect("one");
        assert!(now == value.to_string() || now == before, "round {round}: {now}");
        let told = String::from_utf8_lossy(&said.stderr).into_owned();
        println!("round {round}, {victim} dies after {delay_ms} ms: {now}, {}, {told}", said.status);
        if said.status.success() {
            assert_eq!(now, value.to_string(), "round {round}: it was acknowledged: {told}");
        } else {
            assert!(!told.trim().is_empty(), "round {round}: a failure says why");
        }
        before = now;
    }
    let again = commit(&lab, 9).wait_with_output().expect("it ends");
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    assert_eq!(values(&lab).1, BTreeSet::from(["9".to_owned()]));
}

/// The names of old versions that the shell has put into a running cluster are translated there.
#[test]
fn old_names_are_translated_in_a_running_cluster() {
    if !can_hold_a_lab() {
        return;
    }
    let place = Place::new();
    let (lab, _lease) = up(&place, hosts(1));
    let hafen = |line: &str| shell(&lab, "host1", &format!("{EXECUTABLE} {line} 2>&1; echo \"[$?]\""));
    let deadline = Instant::now() + WAIT;
    while !hafen("crmadmin -S host1").contains("S_IDLE") {
        assert!(Instant::now() < deadline, "{}", hafen("status"));
        std::thread::sleep(Duration::from_millis(100));
    }
    for line in [
        "crm configure property maintenance-mode=true default-resource-stickiness=100",
        "crm configure primitive gate ocf:heartbeat:pingd params host_list=10.0.0.1 op monitor interval=10s",
    ] {
        assert!(hafen(line).ends_with("[0]"), "{line}: {}", hafen(line));
    }
    let tried = hafen("config translate --dry-run");
    assert!(tried.ends_with("2 would be translated, 0 left to do by hand\n[0]"), "{tried}");
    assert!(hafen("config show").contains("type=\"pingd\""));
    let done = hafen("config translate");
    assert!(done.ends_with("2 translated, 0 left to do by hand\n[0]"), "{done}");
    let shown = hafen("crm configure show");
    assert!(shown.contains("ocf:pacemaker:ping") && shown.contains("resource-stickiness=100"), "{shown}");
    assert!(!shown.contains("default-resource-stickiness") && !shown.contains("pingd \\"), "{shown}");
}
