//! The command line: exit statuses and texts of what a user gets wrong, without any daemon.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "tests of a shell")]

use std::process::{Command, Output};

fn hafen(words: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_hafen"));
    command.args(words).env("HAFEN_LAB", folder.path().join("lab"));
    command.env("HAFEN_SOCKET", folder.path().join("daemon.sock"));
    command.output().expect("hafen runs")
}

fn refusal(words: &[&str]) -> (i32, String) {
    let output = hafen(words);
    (output.status.code().expect("an exit status"), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn help_is_no_error_and_names_the_exit_statuses() {
    let output = hafen(&["--help"]);
    assert!(output.status.success());
    let text = String::from_utf8_lossy(&output.stdout);
    for wanted in ["status", "vm", "events", "lab", "Exit statuses", "75"] {
        assert!(text.contains(wanted), "{wanted} in {text}");
    }
}

#[test]
fn a_wrong_command_line_is_64() {
    for words in
        [&["nonsense"][..], &["vm", "migrate", "vm1"], &["status", "--wach"], &["--timeout", "0", "status"]]
    {
        let (status, said) = refusal(words);
        assert_eq!(status, 64, "{words:?}: {said}");
        assert!(said.contains("--help"), "{said}");
    }
}

#[test]
fn no_daemon_is_69_and_says_how_to_get_one() {
    for words in [&["status"][..], &["events"], &["vm", "list"], &["config", "show"]] {
        let (status, said) = refusal(words);
        assert_eq!(status, 69, "{words:?}: {said}");
        assert!(said.contains("daemon.sock") && said.contains("hafen lab up"), "{said}");
    }
}

#[test]
fn wrong_input_is_65_or_66_before_anything_is_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("cib.xml");
    std::fs::write(&file, "<cib>\n <a></b>\n</cib>").expect("written");
    let path = file.to_str().expect("text");
    let (status, said) = refusal(&["config", "load", path]);
    assert_eq!(status, 65, "{said}");
    assert!(said.contains("cib.xml") && said.contains('2'), "names the line: {said}");
    let (status, said) = refusal(&["config", "load", "/nonexistent/cib.xml"]);
    assert_eq!(status, 66, "{said}");
    let (status, said) = refusal(&["vm", "create", "9", "--disk", "/x"]);
    assert_eq!(status, 65, "{said}");
    let (status, said) = refusal(&["vm", "migrate", "vm1", "host1", "--until", "yesterday"]);
    assert_eq!(status, 65, "{said}");
}

#[test]
fn explanations_of_a_file_need_no_daemon() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../hafen-scheduler/explain/stickiness/cib.xml");
    let output = hafen(&["explain", "vm1", "--host", "host3", "--file", file]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("if resource-stickiness of vm1 were under 50"),
        "{text}"
    );
    let output = hafen(&["explain", "vm1", "--file", file, "--json"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("\"planned_on\": \"host2\""));
    for (words, hint) in [(["vmm1", "--host", "host3"], "vm1?"), (["vm1", "--host", "hots3"], "host3?")] {
        let (status, said) = refusal(&[&["explain", "--file", file][..], &words].concat());
        assert!(status == 65 && said.contains(hint), "{status}: {said}");
    }
    let output =
        Command::new(env!("CARGO_BIN_EXE_hafen")).args(["explain", "vm1"]).env("CIB_file", file).output();
    let text = String::from_utf8_lossy(&output.expect("hafen runs").stdout).into_owned();
    assert!(text.contains("host2"), "{text}");
    let (status, said) = refusal(&["explain", "vm1", "--at", "7", "-x", file]);
    assert!(status == 64 && said.contains("--at"), "{status}: {said}");
}

#[test]
fn an_agent_is_chosen_by_the_folder_of_its_link() {
    let folder = tempfile::tempdir().expect("a folder");
    let agents = folder.path().join("resource.d/hafen");
    std::fs::create_dir_all(&agents).expect("a folder");
    let link = agents.join("qemu");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_hafen"), &link).expect("a link");
    let output = Command::new(&link).arg("meta-data").output().expect("the agent runs");
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains("<resource-agent"));
}
