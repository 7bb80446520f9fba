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
fn old_names_in_a_file_are_translated_with_a_note_each() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("cib.xml");
    let source = r#"<cib validate-with="pacemaker-3.0" admin_epoch="0" epoch="7" num_updates="0"><configuration>
<crm_config><cluster_property_set id="p"><nvpair id="s" name="default-resource-stickiness" value="100"/></cluster_property_set></crm_config>
<nodes/><resources><primitive id="gate" class="ocf" provider="heartbeat" type="pingd"><instance_attributes id="i"><nvpair id="h" name="host_list" value="10.0.0.1"/></instance_attributes><operations><op id="m" name="monitor" interval="10s"/></operations></primitive>
<primitive id="clvm" class="ocf" provider="lvm2" type="clvmd"/></resources><constraints/></configuration><status/></cib>"#;
    std::fs::write(&file, source).expect("written");
    let path = file.to_str().expect("text");
    let said = |words: &[&str]| {
        let output = hafen(words);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let tried = said(&["config", "translate", path, "--dry-run"]);
    assert!(tried.ends_with("2 would be translated, 1 left to do by hand\n"), "{tried}");
    assert_eq!(std::fs::read_to_string(&file).expect("read"), source);
    let done = said(&["config", "translate", path]);
    for part in [
        "line 2: `s`: the property `default-resource-stickiness` is now `resource-stickiness` of rsc_defaults",
        "line 3: `gate`: the agent ocf:heartbeat:pingd is now ocf:pacemaker:ping",
        "line 4: `clvm`: the agent ocf:lvm2:clvmd, ocf:heartbeat:lvmlockd today, is left as it is",
    ] {
        assert!(done.contains(part), "{done}");
    }
    let text = std::fs::read_to_string(&file).expect("read");
    let parts = [r#"epoch="8""#, r#"provider="pacemaker" type="ping""#, r#"type="clvmd""#, "rsc_defaults"];
    assert!(parts.iter().all(|part| text.contains(part)), "{text}");
    let again = said(&["config", "translate", path]);
    assert!(again.ends_with("0 translated, 1 left to do by hand\n"), "{again}");
    assert_eq!(std::fs::read_to_string(&file).expect("read"), text);
    let output = hafen(&["crm_verify", "-VV", "-x", path]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("ocf:heartbeat:lvmlockd today"), "{told}");
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
