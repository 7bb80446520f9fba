//! Whole labs: hosts in namespaces, the power switch, and the scenarios with real guests. One at a time: see
//! `.config/nextest.toml`; within one process a lock does the same.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "tests of a shell")]

#[path = "lab/agents.rs"]
mod agents;
#[path = "lab/shell.rs"]
mod crm_shell;
#[path = "lab/levels.rs"]
mod levels;
#[path = "lab/moving.rs"]
mod moving;
#[path = "lab/rights.rs"]
mod rights;
#[path = "lab/screen.rs"]
mod screen;
mod support;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use hafen_lab::power::{Request, processes_in};
use hafen_lab::{Lab, LabSpec, Network};

use support::{EXECUTABLE, Place, can_hold_a_lab, guest, hosts, shell, up};

#[test]
fn a_host_has_its_own_names_files_and_processes() {
    if !can_hold_a_lab() {
        return;
    }
    let place = Place::new();
    let (lab, _lease) = up(&place, hosts(2));
    assert_eq!(shell(&lab, "host2", "uname -n; readlink /proc/1/exe | sed 's|.*/||'"), "host2\nhafen");
    let written = "echo x >/proc/sys/kernel/hostname && echo written";
    assert_eq!(shell(&lab, "host1", written), "", "/proc/sys is read-only");
    shell(
        &lab,
        "host1",
        "echo mine >/run/x; echo mine >/tmp/x; echo mine >/dev/shm/x; echo mine >/etc/corosync/x",
    );
    let foreign = "cat /run/x /tmp/x /dev/shm/x /etc/corosync/x 2>/dev/null";
    assert_eq!(shell(&lab, "host2", foreign), "", "other hosts do not see them");
    assert_eq!(shell(&lab, "host1", "ls /sys/class/net"), "lo");
    assert!(!Path::new("/run/hafen-lab-x").exists());
}

/// What is asked from outside reaches the lab: an explanation of a past decision, by whichever host planned it, and an applet.
#[test]
fn a_past_decision_is_explained_from_outside() {
    if !can_hold_a_lab() {
        return;
    }
    let place = Place::new();
    let (_lab, _lease) = up(&place, hosts(2));
    let hafen = |words: &[&str]| {
        let mut command = Command::new(EXECUTABLE);
        command.args(words).env("HAFEN_LAB", place.layout().root()).env_remove("HAFEN_SOCKET");
        let output = command.output().expect("hafen runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.success(), text(&output.stdout) + &text(&output.stderr))
    };
    let explained = (0..120).find_map(|_| {
        let (is_there, text) = hafen(&["explain", "fencing", "--at", "1"]);
        if !is_there {
            std::thread::sleep(Duration::from_millis(250));
        }
        is_there.then_some(text)
    });
    let text = explained.expect("the first transition is planned within half a minute");
    assert!(text.starts_with("Transition 1, 20") && text.contains("fencing does not run yet"), "{text}");
    let (is_there, text) = hafen(&["explain", "fencing", "--at", "99999"]);
    assert!(!is_there && text.contains("no input of a transition 99999"), "{text}");
    let (simulated, text) = hafen(&["crm_simulate", "-L"]);
    assert!(simulated && text.contains("* Online: [ host1 host2 ]"), "{text}");
}

/// Pacemaker's tools change a running cluster: options, permanent and transient attributes, standby and tickets.
#[test]
fn pacemakers_tools_change_a_running_cluster() {
    if !can_hold_a_lab() {
        return;
    }
    let place = Place::new();
    let (lab, _lease) = up(&place, hosts(2));
    let hafen = |line: &str| shell(&lab, "host1", &format!("{EXECUTABLE} {line} 2>&1; echo \"[$?]\""));
    let settled = (0..120).any(|_| {
        std::thread::sleep(Duration::from_millis(250));
        hafen("crmadmin -S host1").contains("S_IDLE") || hafen("crmadmin -S host2").contains("S_IDLE")
    });
    assert!(settled, "{}", hafen("status"));
    let cases = [
        ("crm_attribute -n cluster-delay -v 30s", "[0]"),
        ("crm_attribute -n cluster-delay -G -q", "30s\n[0]"),
        (
            "crm_attribute -n cluster-delay -D",
            "Deleted crm_config option: id=cib-bootstrap-options-cluster-delay name=cluster-delay\n[0]",
        ),
        ("crm_attribute -t rsc_defaults -n resource-stickiness -v 7", "[0]"),
        ("crm_attribute -N host2 -n rack -v 7", "[0]"),
        ("crm_attribute -N host2 -n rack -v value++", "[0]"),
        ("crm_attribute -N host2 -n rack -G -q", "8\n[0]"),
        ("crm_attribute -N host2 -z -n cpu -v 4", "[0]"),
        ("crm_attribute -N host2 -l reboot -n pingd -v 100", "[0]"),
        ("crm_attribute -N host2 -l reboot -n pingd -G -q", "100\n[0]"),
        ("crm_standby -N host2 -v on", "[0]"),
        ("crm_standby -N host2 -G -q", "on\n[0]"),
        ("crm_failcount -G -r nothing -N host2 -q", "0\n[0]"),
        ("crm_ticket -t site -g --force", "[0]"),
        ("crm_ticket -t site -G granted", "true\n[0]"),
        ("crm_ticket -t site -s", "[0]"),
    ];
    for (line, wanted) in cases {
        assert_eq!(hafen(line), wanted, "{line}");
    }
    let dummy = r#"-X '<primitive id="d" class="ocf" provider="pacemaker" type="Dummy"/>'"#;
    assert_eq!(hafen(&format!("cibadmin -C -o resources {dummy}")), "[0]");
    let again = hafen(&format!("cibadmin -C -o resources {dummy}"));
    assert!(again.contains("Call cib_create failed: File exists") && again.ends_with("[108]"), "{again}");
    assert_eq!(hafen(r#"cibadmin -M -X '<primitive id="d" description="x"/>'"#), "[0]");
    assert!(hafen("cibadmin -Q --xpath \"//primitive[@id='d']\"").contains("description=\"x\""));
    assert_eq!(hafen("cibadmin -B"), "[0]");
    assert_eq!(hafen("cibadmin -S"), "[0]");
    let shown = hafen("crm_mon -1r");
    for part in
        ["* Stack: corosync", "(version 3.0.0-hafen) - partition with quorum", "* d\t(ocf:pacemaker:Dummy)"]
    {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    // Root and the group haclient may ask, nobody else.
    if shell(&lab, "host1", "grep -c ^haclient: /etc/group") == "1" {
        assert_eq!(shell(&lab, "host1", "stat -c '%U %G %a' /run/hafen/daemon.sock"), "root haclient 660");
        let asked = "setpriv --reuid nobody --regid nogroup --clear-groups";
        let told = shell(&lab, "host1", &format!("{asked} {EXECUTABLE} crm_node -n 2>&1; echo \"[$?]\""));
        assert!(told.contains("Permission denied") && told.ends_with("[102]"), "{told}");
        let asked = "setpriv --reuid nobody --regid nogroup --groups haclient";
        assert_eq!(shell(&lab, "host1", &format!("{asked} {EXECUTABLE} crm_node -n")), "host1");
    }
    // All hosts have it, and the scheduler as well.
    let told = shell(&lab, "host2", &format!("{EXECUTABLE} crm_ticket -w; {EXECUTABLE} crm_simulate -L"));
    assert!(told.starts_with("site\n") && told.contains("Node host2: standby"), "{told}");
}

/// An alert's program is told what happens, as user `hacluster` or `nobody`, once for each recipient.
#[test]
fn alerts_are_told_once() {
    if !can_hold_a_lab() {
        return;
    }
    let place = Place::new();
    let (lab, _lease) = up(&place, hosts(2));
    let program = "mkdir -m 777 /tmp/told; printf '#!/bin/sh\n{ id -u; env; } | tr \"\\n\" \" \" >/tmp/told/$CRM_alert_node_sequence\n' \
                   >/tmp/told/alert.sh; chmod 755 /tmp/told/alert.sh";
    for host in ["host1", "host2"] {
        shell(&lab, host, program);
    }
    let alert = "<alert id=\"a\" path=\"/tmp/told/alert.sh\"><instance_attributes id=\"i\"><nvpair id=\"ia\" name=\"color\" \
                 value=\"blue\"/></instance_attributes><select><select_attributes/><select_nodes/></select>\
                 <recipient id=\"r\" value=\"me\"/></alert>";
    let request =
        hafen_protocol::client::Edit::Create { section: "alerts".to_owned(), xml: alert.to_owned() };
    let change = |request: &hafen_protocol::client::Edit| {
        let done = (0..60).any(|_| {
            std::thread::sleep(Duration::from_millis(500));
            let client = lab.client("host1", Duration::from_secs(30));
            client.is_ok_and(|mut client| client.change(vec![request.clone()], false, "test").is_ok())
        });
        assert!(done, "the configuration takes {request:?}");
    };
    change(&request);
    // Debian's sample agent, unchanged, where it is at hand.
    let oracle = std::env::var("HAFEN_ORACLE").unwrap_or_else(|_| "/var/cache/hafen-oracle".to_owned());
    let sample = Path::new(&oracle).join("usr/share/pacemaker/alerts/alert_file.sh.sample");
    let has_sample = sample.exists();
    if has_sample {
        let copy = format!(
            "cp {} /tmp/told/sample.sh; chmod 755 /tmp/told/sample.sh; touch /tmp/told/log; chmod 666 /tmp/told/log",
            sample.display()
        );
        shell(&lab, "host2", &copy);
        let alert = "<alert id=\"s\" path=\"/tmp/told/sample.sh\"><select><select_attributes/></select>\
                     <recipient id=\"sr\" value=\"/tmp/told/log\"/></alert>";
        let request =
            hafen_protocol::client::Edit::Create { section: "alerts".to_owned(), xml: alert.to_owned() };
        change(&request);
    }
    shell(&lab, "host2", &format!("{EXECUTABLE} crm_attribute -N host2 -l reboot -n pingd -v 100"));
    let told = (0..60).find_map(|_| {
        std::thread::sleep(Duration::from_millis(250));
        let text = shell(&lab, "host2", "cat /tmp/told/[0-9]* 2>/dev/null");
        text.contains("CRM_alert_attribute_value=100").then_some(text)
    });
    let told = told.expect("the host that it is about tells it");
    for part in [
        "CRM_alert_kind=attribute",
        "CRM_alert_attribute_name=pingd",
        "CRM_alert_node=host2",
        "CRM_alert_recipient=me",
        "color=blue",
        "CRM_alert_version=3.",
        "CRM_alert_timestamp_epoch=1",
    ] {
        assert!(told.contains(part), "{part} in {told}");
    }
    let logged = (0..40).any(|_| {
        std::thread::sleep(Duration::from_millis(250));
        shell(&lab, "host2", "cat /tmp/told/log")
            .contains("Attribute 'pingd' on node 'host2' was updated to '100'")
    });
    assert!(logged || !has_sample, "{}", shell(&lab, "host2", "cat /tmp/told/log"));
    assert!(!told.starts_with("0 "), "not as root: {told}");
    assert_eq!(shell(&lab, "host1", "grep -l pingd /tmp/told/[0-9]* 2>/dev/null"), "", "and nobody else");
    lab.power().off("host2").expect("off");
    let told = (0..120).find_map(|_| {
        std::thread::sleep(Duration::from_millis(250));
        let text = shell(&lab, "host1", "cat /tmp/told/[0-9]* 2>/dev/null");
        text.contains("CRM_alert_desc=lost").then_some(text)
    });
    assert!(told.is_some_and(|told| told.contains("CRM_alert_node=host2") && told.contains("CRM_alert_kind=node")));
}

/// A promotable clone that wants notifications is called as by a live Pacemaker 3.0, whose calls with all meta variables the
/// same agent recorded (`support/promotable`).
#[test]
fn a_promotable_clone_is_called_as_by_pacemaker() {
    if !can_hold_a_lab() {
        return;
    }
    let place = Place::new();
    let (lab, _lease) = up(&place, hosts(1));
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/promotable");
    let install = format!(
        "mkdir -p {0}/resource.d/test; cp {1}/agent {0}/resource.d/test/rec",
        lab.layout().bin().display(),
        data.display()
    );
    let installed = Command::new("sh").args(["-c", &install]).status().expect("sh runs");
    assert!(installed.success());
    let recorded = || shell(&lab, "host1", "cat /run/rec.log 2>/dev/null").replace("host1", "node1");
    // Monitors may follow.
    let wait_for = |file: &str| {
        let wanted = std::fs::read_to_string(data.join(file)).expect("recorded by Pacemaker");
        let found = (0..120).any(|_| {
            std::thread::sleep(Duration::from_millis(250));
            recorded().contains(wanted.trim_end())
        });
        assert!(found, "wanted:\n{wanted}\nfound:\n{}", recorded());
    };
    let load = format!("{EXECUTABLE} config load {}/cib.xml", data.display());
    assert!((0..60).any(|_| {
        std::thread::sleep(Duration::from_millis(500));
        shell(&lab, "host1", &load).contains("is replaced")
    }));
    wait_for("start.txt");
    shell(&lab, "host1", &format!("{EXECUTABLE} crm_standby -N host1 -v on"));
    wait_for("standby.txt");
    let hafen = |line: &str| shell(&lab, "host1", &format!("{EXECUTABLE} {line} 2>&1; echo \"[$?]\""));
    hafen("crm_standby -N host1 -D");
    let cases = [
        ("crm_resource --wait -T 60s", "[0]"),
        // What the agent of DRBD parses.
        ("crm_resource --resource r --locate", "resource r is running on: host1 Promoted\n[0]"),
        (
            "crm_resource --restart -r r -T 60s",
            "Performing update of 'target-role' on 'ms', the parent of 'r'\nSet 'ms' option: \
             id=ms-meta_attributes-target-role set=ms-meta_attributes name=target-role value=stopped\nWaiting for 1 resources \
             to stop:\n * ms\nPerforming delete of 'target-role' on 'ms', the parent of 'r'\nDeleted 'ms' option: \
             id=ms-meta_attributes-target-role name=target-role\nWaiting for 1 resources to start again:\n * ms\n[0]",
        ),
        ("crm_resource -W -r ms -Q", "host1\n[0]"),
        ("crm_resource -R -r r", "Cleaned up r:0 on host1\n[0]"),
        ("crm_resource --wait -T 60s", "[0]"),
        ("crm_resource -r ms -B -N host1 -Q", "[0]"),
        ("crm_resource --wait -T 60s", "[0]"),
        ("crm_resource -W -r r", "resource r is NOT running\n[0]"),
        ("crm_resource -r ms -U", "Removing constraint: cli-ban-ms-on-host1\n[0]"),
        (
            "crm_resource -r r -m -p resource-stickiness -v 5",
            "Performing update of 'resource-stickiness' on 'ms', the parent of 'r'\nSet 'ms' option: \
             id=ms-meta_attributes-resource-stickiness set=ms-meta_attributes name=resource-stickiness value=5\n[0]",
        ),
        ("crm_resource --wait -T 60s", "[0]"),
    ];
    for (line, wanted) in cases {
        assert_eq!(hafen(line), wanted, "{line}");
    }
    failures_are_made_and_forgotten(&hafen);
}

/// A failure that is reported counts, and of what failed only that is forgotten which is meant.
fn failures_are_made_and_forgotten(hafen: &dyn Fn(&str) -> String) {
    let cases = [
        ("crm_resource -F -r r -N host1", "[0]"),
        ("crm_resource --wait -T 60s", "[0]"),
        ("crm_failcount -G -r r -N host1 -q", "1\n[0]"),
        ("crm_resource -C -r r -n monitor -I 10s", "Cleaned up r:0 on host1\n[0]"),
        ("crm_failcount -G -r r -N host1 -q", "1\n[0]"),
        ("crm_resource -W -r r", "resource r is running on: host1 Promoted\n[0]"),
        ("crm_resource -C -r r -n asyncmon", "Cleaned up r:0 on host1\n[0]"),
        ("crm_resource --wait -T 60s", "[0]"),
        ("crm_failcount -G -r r -N host1 -q", "0\n[0]"),
        ("crm_resource -F -r r -N host1", "[0]"),
        ("crm_resource --wait -T 60s", "[0]"),
        ("crm_resource -C", "Cleaned up all resources on all nodes\n[0]"),
        ("crm_resource --wait -T 60s", "[0]"),
        ("crm_failcount -G -r r -N host1 -q", "0\n[0]"),
        (
            "crm_resource -F -r ms -N host1",
            "We can only process primitive resources, not ms\ncrm_resource: Error performing operation: Internal software \
             bug\n[70]",
        ),
        (
            "crm_resource -R -r r -n monitor",
            "crm_resource: -n and -I go with -C alone: -R forgets all operations\n[64]",
        ),
    ];
    for (line, wanted) in cases {
        assert_eq!(hafen(line), wanted, "{line}");
        if line == "crm_resource -F -r r -N host1" {
            let shown = hafen("cibadmin -Q -o status");
            assert!(shown.contains("\"Simulated failure\"") && shown.contains("r_asyncmon_0"), "{shown}");
        }
    }
}

#[test]
fn a_power_cut_takes_all_but_the_disk() {
    if !can_hold_a_lab() {
        return;
    }
    let place = Place::new();
    let (lab, _lease) = up(&place, hosts(1));
    shell(
        &lab,
        "host1",
        "echo kept >/var/lib/hafen/x; sync /var/lib/hafen/x; echo lost >/run/x; setsid sleep 600 >/dev/null 2>&1 & echo started",
    );
    let boot_id = std::fs::read_to_string(lab.layout().boot_id("host1")).expect("a boot id");
    lab.power().off("host1").expect("off");
    lab.power().on("host1").expect("on");
    assert_eq!(shell(&lab, "host1", "cat /var/lib/hafen/x 2>&1; cat /run/x 2>/dev/null"), "kept");
    let next = std::fs::read_to_string(lab.layout().boot_id("host1")).expect("a boot id");
    assert_ne!(boot_id, next, "each boot has an id of its own");
    let free = lab.fill_disk("host1").expect("filled");
    assert!(free < 64 << 20, "the disk is limited, and {free} bytes were free");
    // The daemon may give a block back in between, when it replaces a file of its own.
    let is_full = (0..5).any(|_| {
        shell(&lab, "host1", "rm -f /var/lib/hafen/y");
        lab.fill_disk("host1").expect("filled");
        shell(&lab, "host1", "echo x >/var/lib/hafen/y && cat /var/lib/hafen/y") != "x"
    });
    assert!(is_full, "a full disk takes nothing");
    lab.free_disk("host1").expect("freed");
}

#[test]
fn the_switch_says_off_when_nothing_is_left() {
    if !can_hold_a_lab() {
        return;
    }
    let place = Place::new();
    let (lab, _lease) = up(&place, hosts(1));
    let init = lab.power().init_of("host1").expect("on");
    let namespace = hafen_lab::power::namespace_of(init).expect("a namespace");
    shell(&lab, "host1", "setsid sh -c 'trap \"\" TERM HUP; sleep 600' >/dev/null 2>&1 & echo started");
    assert!(processes_in(&namespace).expect("/proc").len() > 1);
    lab.power().off("host1").expect("off");
    assert_eq!(processes_in(&namespace).expect("/proc"), Vec::<u32>::new());
    assert!(!lab.power().is_on("host1").expect("an answer"));
    assert!(lab.power().off("host9").is_err(), "nothing is plugged in there");
    lab.power().set(Some("host1"), Duration::ZERO, true).expect("set");
    assert!(lab.power().on("host1").is_err(), "a switch that fails says so");
    assert!(!lab.power().is_on("host1").expect("an answer"));
}

#[test]
fn a_slow_socket_does_not_hold_up_the_others() {
    if !can_hold_a_lab() {
        return;
    }
    let place = Place::new();
    let (lab, _lease) = up(&place, hosts(2));
    let switch = lab.power();
    let slow = {
        let switch = switch.clone();
        std::thread::spawn(move || {
            let request = Request { delay_ms: Some(5_000), ..Request::about("off", "host1") };
            switch.ask(&request, Duration::from_secs(60))
        })
    };
    switch.off("host2").expect("off");
    assert!(!slow.is_finished(), "host2 did not wait for host1");
    assert!(switch.is_on("host1").expect("an answer"), "host1 is on until its time has come");
    slow.join().expect("the thread ends").expect("host1 is off");
    assert!(!switch.is_on("host1").expect("an answer"));
}

#[test]
fn nothing_is_left_of_a_lab() {
    if !can_hold_a_lab() {
        return;
    }
    let place = Place::new();
    let layout = place.layout();
    let (lab, lease) = up(&place, hosts(2));
    let inits: Vec<u32> =
        lab.power().list().expect("hosts").into_iter().filter_map(|host| host.init).collect();
    let second = hafen_lab::up_leased(&layout, hosts(1), Path::new(EXECUTABLE));
    assert!(second.expect_err("one lab in a folder").to_string().contains("hafen lab down"));
    drop(lease);
    assert!(!layout.root().exists());
    assert!(inits.iter().all(|init| !hafen_sys::is_running(*init)));
    let mounts = std::fs::read_to_string("/proc/self/mounts").expect("mounts");
    assert!(!mounts.contains(&*layout.root().to_string_lossy()));
}

#[test]
fn a_lab_that_cannot_come_up_or_broke_is_removed() {
    if !can_hold_a_lab() {
        return;
    }
    let place = Place::new();
    let layout = place.layout();
    let spec = LabSpec { vms: 1, guest_dir: Some("/nonexistent".into()), ..hosts(1) };
    let error = hafen_lab::up_leased(&layout, spec, Path::new(EXECUTABLE)).expect_err("no guest");
    assert!(error.to_string().contains("guest/build.sh"), "{error}");
    assert!(!layout.root().exists());
    let lab = hafen_lab::up_detached(&layout, hosts(1), Path::new(EXECUTABLE)).expect("the lab comes up");
    let init = lab.power().init_of("host1").expect("on");
    let record = hafen_lab::record::Record::load(&layout);
    let switch = record.running().next().expect("the switch runs").pid;
    let handle = hafen_sys::PidFd::open(switch).expect("the switch runs");
    let host = hafen_sys::PidFd::open(init).expect("the host runs");
    handle.signal(hafen_sys::Signal::KILL).expect("killed");
    assert!(host.wait(Some(Duration::from_secs(30))).expect("poll"), "hosts end with their switch");
    assert!(Lab::open(&layout).expect_err("a left-over").to_string().contains("left-over"));
    let (_, _lease) = up(&place, hosts(1));
}

/// Plays a scenario in a lab of its own, whose hosts share the hub.
fn scenario(name: &str, vms: u32, network: Network) {
    if !can_hold_a_lab() {
        return;
    }
    let Some(guest) = guest() else { return };
    support::scenario(name, LabSpec { vms, guest_dir: Some(guest), network, ..hosts(3) });
}

#[test]
fn failover() {
    scenario("failover", 4, Network::Calm);
}

#[test]
fn failover_on_the_worst_network() {
    scenario("failover", 2, Network::Worst);
}

#[test]
fn migrate() {
    scenario("migrate", 4, Network::Calm);
}

#[test]
fn daemon_killed() {
    scenario("daemon-killed", 4, Network::Calm);
}

#[test]
fn power_cut() {
    scenario("power-cut", 4, Network::Calm);
}

#[test]
fn cut() {
    scenario("cut", 2, Network::Calm);
}

#[test]
fn guest_killed() {
    scenario("guest-killed", 2, Network::Calm);
}

#[test]
fn disk_full() {
    scenario("disk-full", 2, Network::Calm);
}

#[test]
fn broken_input() {
    scenario("broken-input", 1, Network::Calm);
}
