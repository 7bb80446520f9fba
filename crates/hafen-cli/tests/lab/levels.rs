//! The shell's levels on a cluster that runs.

use std::process::Command;
use std::time::Duration;

use crate::support::{EXECUTABLE, Place, can_hold_a_lab, hosts, up};

/// A copy is made of the cluster, changed, and committed; the cluster goes on from that. What hafen does, the levels reach.
#[test]
fn a_copy_of_a_running_cluster_is_committed() {
    if !can_hold_a_lab() {
        return;
    }
    let place = Place::new();
    let (_lab, _lease) = up(&place, hosts(2));
    let copies = tempfile::tempdir().expect("a folder");
    let crm = |words: &str| {
        let mut command = Command::new(EXECUTABLE);
        command.arg("crm").args(words.split(' '));
        command.env("HAFEN_LAB", place.layout().root()).env_remove("HAFEN_SOCKET").env_remove("CIB_file");
        command.env("CIB_shadow_dir", copies.path()).env("XDG_CONFIG_HOME", copies.path());
        let output = command.output().expect("hafen runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.success(), text(&output.stdout) + &text(&output.stderr))
    };
    let done = |words: &str| {
        let (is_done, text) = crm(words);
        assert!(is_done, "crm {words}: {text}");
        text
    };
    done("cluster wait_for_startup 120");
    assert_eq!(done("node list"), "host1\nhost2\n");
    assert!(done("cluster status").contains("quorate"));
    assert!(done("corosync status").contains("2 of 2 hosts"));
    let both = "Online: [ host1 host2 ]";
    let are_online = (0..240).any(|_| {
        std::thread::sleep(Duration::from_millis(250));
        crm("status").1.contains(both)
    });
    assert!(are_online, "{}", done("status"));
    done("cib new try");
    done("-c try configure primitive d ocf:pacemaker:Dummy op monitor interval=10s");
    done("configure property batch-limit=4");
    assert!(!done("configure show").contains("primitive d "));
    // The copy has the cluster's status: it can be told what would come of it.
    let status = done("-c try status");
    assert!(status.contains(both), "{status}");
    done("-w cib commit try");
    let shown = done("configure show");
    assert!(shown.contains("primitive d ") && shown.contains("batch-limit=4"), "{shown}");
    done("resource trace d");
    assert_eq!(done("configure show d").matches("trace_ra=1").count(), 3);
    done("resource untrace d");
    done("cib import 1 first");
    assert!(done("-c first cib diff").contains("- primitive d ocf:pacemaker:Dummy"));
    let (is_done, text) = crm("cib import 999999 x");
    assert!(!is_done && !copies.path().join("shadow.x").exists(), "{text}");
}
