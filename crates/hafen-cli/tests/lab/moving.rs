//! Moves that clean up behind themselves, and the history of a cluster, in a running one.

use std::process::Command;
use std::time::Duration;

use crate::support::{EXECUTABLE, Place, can_hold_a_lab, hosts, shell, up};

/// The shell of a host, with its exit status in the last line.
fn crm<'l>(lab: &'l hafen_lab::Lab) -> impl Fn(&str) -> String + 'l {
    |line: &str| shell(lab, "host1", &format!("timeout 120 {EXECUTABLE} crm {line} 2>&1; echo \"[$?]\""))
}

fn settled(crm: &dyn Fn(&str) -> String, wanted: &str) {
    let mut told = String::new();
    let is_so = (0..240).any(|_| {
        std::thread::sleep(Duration::from_millis(250));
        told = crm("resource locate d");
        told.contains(wanted)
    });
    assert!(is_so, "{wanted}: {told}\n{}", crm("status"));
}

/// `d` runs on host1, and does not mind where.
fn prepared(lab: &hafen_lab::Lab, agent: &str) {
    let crm = crm(lab);
    let made = (0..120).any(|_| {
        std::thread::sleep(Duration::from_millis(250));
        let line =
            format!("configure primitive d {agent} op start timeout=20min meta resource-stickiness=100");
        crm(&line).ends_with("[0]")
    });
    assert!(made, "{}", crm("status"));
    settled(&crm, "is running on:");
    if !crm("resource locate d").contains("on: host1") {
        let moved = crm("resource move d host1 --once");
        assert!(moved.ends_with("[0]"), "{moved}");
    }
    settled(&crm, "on: host1");
}

#[test]
fn once_leaves_nothing_behind() {
    if !can_hold_a_lab() {
        return;
    }
    let place = Place::new();
    let (lab, _lease) = up(&place, hosts(3));
    let crm = crm(&lab);
    prepared(&lab, "ocf:pacemaker:Dummy");
    let moved = crm("resource move d host2 --once");
    assert!(moved.contains("cli-prefer-d is placed for the move alone; d moves to host2"), "{moved}");
    assert!(
        moved.ends_with("d runs on host2; cli-prefer-d is taken away, nothing is left behind.\n[0]"),
        "{moved}"
    );
    assert!(crm("resource locate d").contains("on: host2"));
    assert!(!crm("configure show").contains("cli-prefer"), "{}", crm("configure show"));
    // What the policy would undo is refused, with nothing changed.
    assert!(crm("configure location home d 500: host2").ends_with("[0]"));
    let refused = crm("resource move d host3 --once");
    assert!(
        refused.contains("not stay there without the constraint") && refused.contains("home"),
        "{refused}"
    );
    assert!(refused.ends_with("[1]") && crm("resource locate d").contains("on: host2"), "{refused}");
    assert!(!crm("configure show").contains("cli-prefer"));
    // A move that stays is reminded of, by both ways of looking.
    assert!(crm("resource move d host3 --until 2h").ends_with("[0]"));
    settled(&crm, "on: host3");
    for line in ["crm status", "status"] {
        let shown = shell(&lab, "host1", &format!("{EXECUTABLE} {line}"));
        // Lines end where the screen does.
        let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            shown.contains("cli-prefer-d: d prefers host3 (INFINITY) until ")
                && shown.contains("`crm resource clear d` takes it away"),
            "{line}: {shown}"
        );
    }
}

/// An agent that cannot start where there is `/run/broken`, and takes its time where there is `/run/slow`.
fn install_agent(lab: &hafen_lab::Lab) {
    let script = "#!/bin/sh\ncase $1 in\nmeta-data) echo '<resource-agent name=\"here\"><version>1</version><parameters/>\
                  <actions/></resource-agent>';;\nmonitor) test -e /run/d || exit 7;;\nstart) test ! -e /run/broken || exit 1\n\
                  for i in $(seq 600); do test -e /run/slow || break; sleep 1; done; touch /run/d;;\nstop) rm -f /run/d;;\nesac\nexit 0\n";
    let folder = lab.layout().bin().join("resource.d/test");
    std::fs::create_dir_all(&folder).expect("made");
    std::fs::write(folder.join("here"), script).expect("written");
    assert!(Command::new("chmod").arg("755").arg(folder.join("here")).status().expect("it runs").success());
}

#[test]
fn once_that_fails_or_is_given_up_says_what_stays() {
    if !can_hold_a_lab() {
        return;
    }
    let place = Place::new();
    let (lab, _lease) = up(&place, hosts(3));
    let crm = crm(&lab);
    install_agent(&lab);
    prepared(&lab, "ocf:test:here");
    // A start that fails leaves no constraint that would move the resource later.
    shell(&lab, "host2", "touch /run/broken");
    let failed = crm("resource move d host2 --once");
    assert!(failed.contains("d did not come to run on host2"), "{failed}");
    assert!(failed.contains("cli-prefer-d is taken away") && failed.ends_with("[1]"), "{failed}");
    assert!(!crm("configure show").contains("cli-prefer"));
    let home = crm("resource move d host1 --once");
    assert!(home.ends_with("[0]") || home.contains("already exists"), "{home}");
    // Ctrl-C ends the waiting alone.
    shell(&lab, "host3", "touch /run/slow");
    let script = format!(
        "{EXECUTABLE} crm resource move d host3 --once >/run/told 2>&1 & p=$!\n\
         for i in $(seq 600); do grep -q 'd moves to host3' /run/told && break; sleep 0.1; done\n\
         kill -INT $p; wait $p; echo \"[$?]\"; cat /run/told"
    );
    let told = shell(&lab, "host1", &script);
    assert!(told.starts_with("[130]") && told.contains("interrupted: d goes on moving to host3"), "{told}");
    assert!(told.contains("cli-prefer-d stays: `crm resource clear d` takes it away"), "{told}");
    assert!(crm("configure show").contains("cli-prefer-d"));
    shell(&lab, "host3", "rm /run/slow");
    settled(&crm, "on: host3");
    assert_eq!(crm("resource clear d"), "Removing constraint: cli-prefer-d\n[0]");
    let home = crm("resource move d host1 --once");
    assert!(home.ends_with("nothing is left behind.\n[0]"), "{home}");
    // One that takes too long goes on.
    shell(&lab, "host3", "touch /run/slow");
    let late = crm("resource move d host3 --once --timeout 2s");
    assert!(late.contains("d does not run on host3 yet"), "{late}");
    assert!(late.contains("cli-prefer-d stays: `crm resource clear d` takes it away"), "{late}");
    assert!(late.ends_with("[1]") && crm("configure show").contains("cli-prefer-d"), "{late}");
    shell(&lab, "host3", "rm /run/slow");
    settled(&crm, "on: host3");
}

/// A few transitions, read from outside, where all hosts tell, and in a host, which tells what it has.
#[test]
fn the_history_of_a_cluster_is_read() {
    if !can_hold_a_lab() {
        return;
    }
    let place = Place::new();
    let (lab, _lease) = up(&place, hosts(3));
    let inside = crm(&lab);
    prepared(&lab, "ocf:pacemaker:Dummy");
    assert!(inside("resource move d host2 --once").ends_with("[0]"));
    let history = |words: &[&str]| {
        let mut command = Command::new("timeout");
        command.args(["60", EXECUTABLE, "crm", "history"]).args(words);
        command.env("HAFEN_LAB", place.layout().root()).env_remove("HAFEN_SOCKET").env_remove("CIB_file");
        let output = command.output().expect("hafen runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{words:?}: {output:?}");
        text(&output.stdout)
    };
    let info = history(&["info"]);
    assert!(info.contains("logs of host1, host2, host3") && !info.contains("Not told by"), "{info}");
    let listed = history(&["transitions"]);
    assert!(listed.lines().count() >= 2 && listed.contains(" steps, is complete ["), "{listed}");
    // The move was planned when its constraint came; what was decided then is decided again.
    let about = history(&["resource", "d"]);
    assert!(about.contains("stop d on host1 ended: as expected"), "{about}");
    assert!(about.contains("start d on host2 ended: as expected"), "{about}");
    let moved = listed.lines().rev().find_map(|line| {
        let (host, number) = line.split_whitespace().nth(2)?.trim_end_matches(':').split_once('/')?;
        let name = format!("{host}/{number}");
        let shown = history(&["transition", &name]);
        (shown.contains("Move") && shown.contains("host1 -> host2")).then_some(name)
    });
    let moved = moved.expect("the transition of the move is kept");
    let log = history(&["transition", "log", &moved]);
    assert!(log.contains("stop d on host1 ended") && log.contains("start d on host2 ended"), "{log}");
    let differs = history(&["diff", &moved, "live"]);
    assert!(differs.contains("- location cli-prefer-d d role=Started inf: host2"), "{differs}");
    assert!(differs.contains("  d: host1 -> host2"), "{differs}");
    let now = history(&["at", "0s"]);
    assert!(now.starts_with("As transition ") && now.contains("From then until "), "{now}");
    let joined = history(&["node", "host3"]);
    assert!(joined.contains("host3") && !joined.contains(" result "), "{joined}");
    let here = inside("history info");
    assert!(here.contains("logs of host1\nNot told by: host2, host3"), "{here}");
}
