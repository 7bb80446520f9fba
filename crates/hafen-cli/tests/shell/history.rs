//! The level `history`, on what a daemon has on record.

use std::process::Command;

use crate::daemon::FakeDaemon;

/// What a call printed on both ways, and whether it succeeded.
fn crm(daemon: &FakeDaemon, words: &[&str]) -> (bool, String) {
    let output = Command::new("timeout")
        .args(["60", env!("CARGO_BIN_EXE_hafen"), "crm", "history"])
        .args(words)
        .env("HAFEN_SOCKET", daemon.socket())
        .env("CIB_shadow_dir", daemon.folder())
        .env("TZ", "UTC")
        .env_remove("CIB_file")
        .output()
        .expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout) + &text(&output.stderr))
}

fn done(words: &[&str]) -> String {
    let (done, text) = crm(&FakeDaemon::start(), words);
    assert!(done, "{words:?}: {text}");
    text
}

fn refused(words: &[&str]) -> String {
    let (done, text) = crm(&FakeDaemon::start(), words);
    assert!(!done, "{words:?}: {text}");
    text
}

#[test]
fn events_are_found_by_pattern_subject_and_time() {
    assert_eq!(done(&["events"]).lines().count(), 11);
    let found = done(&["events", "Transition 2"]);
    assert_eq!(
        found,
        "2023-11-14 22:20:00.000 host1 plan transition 2 has 2 steps [the configuration changed to 0.2.0]\n\
         2023-11-14 22:20:03.000 host1 plan-ended transition 2 is complete [its last step ended]\n"
    );
    let about = done(&["resource", "r"]);
    assert_eq!(about.lines().count(), 3, "{about}");
    assert!(about.lines().all(|line| line.contains(" result r: ")), "{about}");
    let about = done(&["node", "host2"]);
    assert!(
        about.contains("the cluster's members are host1 host2") && about.contains("host2 is unclean"),
        "{about}"
    );
    assert!(!about.contains(" result "), "{about}");
    assert!(!done(&["node", "host"]).contains("host2"), "names are whole words");
    assert!(refused(&["events", "("]).contains("the pattern cannot be read"));
    assert!(refused(&["resource"]).contains("needs the id"));
}

#[test]
fn transitions_are_listed_with_cause_steps_and_end() {
    let listed = done(&["transitions"]);
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(lines.len(), 3, "{listed}");
    assert_eq!(
        lines[0],
        "2023-11-14 22:13:20.000 host1/1: 3 steps, is complete [the cluster starts] (its input is not kept)"
    );
    assert_eq!(
        lines[1],
        "2023-11-14 22:20:00.000 host1/2: 2 steps, 1 failed, is complete [the configuration changed to 0.2.0]"
    );
    assert!(
        lines[2].contains("host1/1: 1 steps, has no end on record [the daemon started anew]"),
        "{listed}"
    );
    let during = done(&["transition", "log", "2"]);
    assert_eq!(during.lines().count(), 4, "{during}");
    assert!(during.contains("status 1 (broken)"), "{during}");
}

#[test]
fn a_transition_is_decided_again() {
    let shown = done(&["transition", "2"]);
    assert!(shown.starts_with("2023-11-14 22:20:00.000 host1/2: "), "{shown}");
    for part in ["Transition Summary:", "Start      r", "( host1 )", "Executing Cluster Transition:"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert_eq!(done(&["transition", "show", "-1"]), shown, "counted from the last one");
    assert_eq!(done(&["transition", "host1/2"]), shown);
    assert!(refused(&["transition", "7"]).contains("no transition 7 is on record"));
    assert!(refused(&["transition", "host2/2"]).contains("no transition host2/2"));
    assert!(refused(&["transition", "x"]).contains("'x' is no transition"));
    // The file of this number is that of another transition.
    assert!(refused(&["transition", "1"]).contains("not kept any more"));
}

#[test]
fn two_transitions_are_compared() {
    let (first, now) = ("2", "live");
    let told = done(&["diff", first, now]);
    assert!(told.contains("- primitive r ocf:pacemaker:Dummy"), "{told}");
    assert_eq!(done(&["transition", "diff", first, now]), told);
    assert_eq!(done(&["diff", "2", "2"]), "They do not differ.\n");
    assert!(done(&["show", "2"]).contains("primitive r ocf:pacemaker:Dummy"));
    assert!(refused(&["diff", "2"]).contains("takes two transitions"));
}

#[test]
fn a_time_shows_the_cluster_as_it_was() {
    let then = done(&["at", "2023-11-14", "22:20:01"]);
    assert!(then.starts_with("As transition host1/2 found it at 2023-11-14 22:20:00.000:\n\n"), "{then}");
    assert!(
        then.contains("* Online: [ host1 ]") && then.contains("* r\t(ocf:pacemaker:Dummy):\t Stopped"),
        "{then}"
    );
    assert!(then.contains("From then until 2023-11-14 22:20:01.000:"), "{then}");
    assert!(then.contains("status 1 (broken)") && !then.contains("22:20:03"), "{then}");
    assert!(refused(&["at", "2023-11-14 22:15"]).contains("nothing tells how the cluster was"));
    assert!(refused(&["at", "sometime"]).contains("is no time"));
    assert!(refused(&["at"]).contains("needs a time"));
}

#[test]
fn a_frame_of_time_holds_for_what_comes_after_it() {
    let daemon = FakeDaemon::start();
    let script = "history\ntimeframe '2023-11-14 22:20' '2023-11-14 22:21'\nevents\ninfo\ntransition log 0\n";
    let mut child = Command::new("timeout")
        .args(["60", env!("CARGO_BIN_EXE_hafen"), "crm"])
        .env("HAFEN_SOCKET", daemon.socket())
        .env("TZ", "UTC")
        .env_remove("CIB_file")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    std::io::Write::write_all(&mut child.stdin.take().expect("piped"), script.as_bytes()).expect("written");
    let text = String::from_utf8(child.wait_with_output().expect("it ends").stdout).expect("text");
    let (before, after) = text.split_once("Told by:").expect("info was printed");
    assert_eq!(before.lines().count(), 4, "{text}");
    assert!(after.contains("the daemons' logs of host1") && after.contains("Not told by: host2"), "{text}");
    assert!(after.contains("Transitions: 3, with the input of 1"), "{text}");
    assert!(after.contains("from 2023-11-14 22:20:00.000 to 2023-11-14 22:21:00.000"), "{text}");
    assert!(after.contains("transition 2 has 2 steps"), "0 is the last one of that time: {text}");
    assert!(refused(&["timeframe", "10:00", "9:00"]).contains("before its beginning"));
}

#[test]
fn a_transition_becomes_a_shadow_copy() {
    use std::os::unix::fs::PermissionsExt as _;
    let daemon = FakeDaemon::start();
    let (is_done, text) = crm(&daemon, &["transition", "save", "2", "then"]);
    assert!(is_done && text.contains("`crm --cib then` works on it"), "{text}");
    let file = daemon.folder().join("shadow.then");
    let saved = std::fs::read_to_string(&file).expect("it is there");
    assert!(saved.contains("<primitive id=\"r\""), "{saved}");
    let mode = std::fs::metadata(&file).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "it holds what only root may read");
    let (again, text) = crm(&daemon, &["transition", "save", "2", "then"]);
    assert!(!again && text.contains("is there already"), "{text}");
}

#[test]
fn a_file_has_no_history() {
    let daemon = FakeDaemon::start();
    let file = daemon.folder().join("cib.xml");
    std::fs::write(&file, crate::daemon::CIB).expect("written");
    let output = Command::new(env!("CARGO_BIN_EXE_hafen"))
        .args(["crm", "history", "events"])
        .env("CIB_file", &file)
        .output()
        .expect("it runs");
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("a file has no history"), "{output:?}");
}
