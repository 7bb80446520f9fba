//! The tools that agents call, against a daemon of the test: outputs and exit statuses as Pacemaker 3.0's tools were seen to
//! have them. And the agents that use them.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "tests of a shell")]

#[path = "applets/crm_mon.rs"]
mod crm_mon;
#[path = "support/daemon.rs"]
mod daemon;

use std::process::{Command, Output};

use daemon::FakeDaemon;
use hafen_cib::{Cib, Patchset};
use hafen_protocol::client::{AttributeMode, Edit, Request};

const HAFEN: &str = env!("CARGO_BIN_EXE_hafen");

fn run(daemon: Option<&FakeDaemon>, line: &str) -> Output {
    let mut command = Command::new(HAFEN);
    command
        .args(line.split(' ').map(|word| word.trim_matches('\'')))
        .env_remove("OCF_RESOURCE_INSTANCE")
        .env("TZ", "UTC");
    let nobody = "/nonexistent/daemon.sock".into();
    command.env("HAFEN_SOCKET", daemon.map_or(nobody, FakeDaemon::socket));
    command.output().expect("hafen runs")
}

fn outcome(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    (output.status.code().expect("an exit status"), text(&output.stdout), text(&output.stderr))
}

#[test]
fn questions_are_answered_as_pacemakers_tools_do() {
    let daemon = FakeDaemon::start();
    let cases = [
        ("attrd_updater -n x -Q", 0, "name=\"x\" host=\"host1\" value=\"5\""),
        ("attrd_updater -n x", 0, "name=\"x\" host=\"host1\" value=\"5\""),
        ("attrd_updater -n x -Q -N host2", 0, "name=\"x\" host=\"host2\" value=\"\""),
        ("attrd_updater -n x -Q -N nosuch", 0, "name=\"x\" host=\"nosuch\" value=\"\""),
        (
            "attrd_updater -n x -Q -A",
            0,
            "name=\"x\" host=\"host1\" value=\"5\"\nname=\"x\" host=\"host2\" value=\"\"",
        ),
        ("attrd_updater -n x -U 3 -Q", 0, "name=\"x\" host=\"host1\" value=\"5\""),
        ("attrd_updater -n y -Q", 78, ""),
        ("attrd_updater -R", 0, ""),
        ("crm_node -n", 0, "host1"),
        ("crm_node -i", 0, "1"),
        ("crm_node -n -i", 0, "1"),
        ("crm_node -l", 0, "1 host1 member\n2 host2 lost"),
        ("crm_node -p", 0, "host1"),
        ("crm_node -q", 0, "1"),
        ("crm_node --quorum -VVV", 0, "1"),
        ("crm_node -N 2", 0, "host2"),
        ("crm_node -N x", 0, "host1"),
        ("crm_node -N 7", 68, ""),
        ("crm_attribute -N host1 -n rack -G", 0, "scope=nodes name=rack value=7"),
        ("crm_attribute -Q -t nodes -N host1 -n rack", 0, "7"),
        ("crm_attribute -Q -t nodes -N host2 -n rack", 105, ""),
        ("crm_attribute --type nodes --node host1 -n rack -G -q", 0, "7"),
        ("crm_attribute -t nodes -N host1 -n nothing -G", 105, ""),
        ("crm_attribute -t nodes -N host1 -n nothing -G -d 9", 0, "scope=nodes name=nothing value=9"),
        ("crm_attribute -N nosuch -n rack -G", 105, ""),
        ("crm_attribute", 0, "scope=crm_config name=no-quorum-policy value=stop"),
        ("crm_attribute --type=crm_config --name=stonith-enabled --query --quiet --default=true", 0, "true"),
        (
            "crm_attribute --type=crm_config --name=no-quorum-policy --query",
            0,
            "scope=crm_config name=no-quorum-policy value=stop",
        ),
        ("crm_attribute --lifetime reboot --query --name x --quiet", 0, "5"),
        ("crm_attribute -l reboot -n x -N host2 -G", 0, "scope=status name=x value="),
        ("crm_attribute -l junk -n x -G", 76, ""),
        ("crm_attribute -t junk -n x -G", 76, ""),
    ];
    for (line, status, printed) in cases {
        let (code, out, err) = outcome(&run(Some(&daemon), line));
        assert_eq!((code, out.as_str()), (status, printed), "{line}: {err}");
        assert!(daemon.changes().is_empty(), "{line}: a question changes nothing");
    }
}

#[test]
fn controllers_and_fencings_are_told_as_by_a_live_pacemaker() {
    let daemon = FakeDaemon::start();
    let succeeded = "turning off of host2 successful: delegate=host1, client=hafen, origin=host1";
    let cases = [
        ("crmadmin -D", 0, "Designated Controller is: host1".to_owned()),
        ("crmadmin -D -q", 0, "host1".to_owned()),
        ("crmadmin -S host1", 0, "Controller on host1 in state S_IDLE: ok".to_owned()),
        ("crmadmin -t 5000 -S host2", 124, String::new()),
        ("crmadmin -N", 0, "cluster node: host1 (1)\ncluster node: host2 (2)".to_owned()),
        ("crmadmin -B -N", 0, "export host1=1\nexport host2=2".to_owned()),
        ("crmadmin -N guest,remote", 0, "No nodes configured".to_owned()),
        ("stonith_admin -L", 0, "0 fence devices found".to_owned()),
        ("stonith_admin -l host2", 0, "f1\n1 fence device found".to_owned()),
        ("stonith_admin -l host1", 0, "0 fence devices found".to_owned()),
        ("stonith_admin -s f1", 0, "host2\n1 fence target found".to_owned()),
        ("stonith_admin -s nosuch", 105, String::new()),
        ("stonith_admin -Q nosuch", 105, String::new()),
        (
            "stonith_admin -H host2",
            0,
            format!("{succeeded}, last-successful='2023-11-14 22:13:21.250000Z'\n1 event found"),
        ),
        (
            "stonith_admin -H '*' -V",
            0,
            format!(
                "reboot of host2 pending: delegate=host1, client=hafen, origin=host1\n{succeeded}, \
                 completed='2023-11-14 22:13:21.250000Z'\n2 events found"
            ),
        ),
        ("stonith_admin -H host1", 0, "0 events found".to_owned()),
        ("stonith_admin -h host2", 0, "Node host2 last fenced at: Tue Nov 14 22:13:21 2023".to_owned()),
        ("stonith_admin -h nosuch", 0, "Node nosuch has never been fenced".to_owned()),
        ("stonith_admin -R x -a fence_dummy", 3, String::new()),
        ("pacemakerd -S", 0, String::new()),
    ];
    for (line, status, printed) in cases {
        let (code, out, err) = outcome(&run(Some(&daemon), line));
        assert_eq!((code, out.as_str()), (status, printed.as_str()), "{line}: {err}");
    }
    let (_, version, _) = outcome(&run(None, "pacemakerd -$"));
    assert!(version.starts_with("Pacemaker 3."), "what agents parse: {version}");
    // By this ocf:pacemaker:controld waits for a fencing that is under way.
    let (_, xml, _) = outcome(&run(Some(&daemon), "stonith_admin -H '*' --output-as xml"));
    assert!(xml.contains("status=\"pending\" extended-status=\"pending\""), "{xml}");
    daemon.changes();
    let (code, _, said) = outcome(&run(Some(&daemon), "stonith_admin --reboot=host2 --tag controld -t 1"));
    assert_eq!((code, said.as_str()), (124, "stonith_admin: Couldn't fence host2: Timer expired"));
    let asked = daemon.changes();
    let [Request::Fence { host, action, origin }] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!((host.as_str(), action.as_str()), ("host2", "reboot"));
    assert!(origin.ends_with("stonith_admin (controld)"), "{origin}");
}

#[test]
fn what_is_wrong_is_said_in_pacemakers_words() {
    let daemon = FakeDaemon::start();
    let cases = [
        (
            None,
            "attrd_updater -n x -Q",
            102,
            "attrd_updater: Could not connect to attribute manager: Connection refused",
        ),
        (
            None,
            "attrd_updater -n x -U 1",
            102,
            "attrd_updater: Could not update x=1: Connection refused (111)",
        ),
        (
            None,
            "attrd_updater -n x -D",
            102,
            "attrd_updater: Could not update x=(null): Connection refused (111)",
        ),
        (None, "crm_node -l", 102, "crm_node: Could not connect to controller: Connection refused"),
        (
            None,
            "crm_attribute",
            102,
            "crm_attribute: Could not connect to the CIB: Transport endpoint is not connected",
        ),
        (None, "attrd_updater -Q", 64, "attrd_updater: Command requires --name or --pattern argument"),
        (None, "attrd_updater --nonsense", 64, "attrd_updater: Unknown option --nonsense"),
        (None, "attrd_updater -n x -U", 64, "attrd_updater: Missing argument for -U"),
        (
            None,
            "attrd_updater -n x -U 4 -W junk",
            64,
            "attrd_updater: --wait= must be one of 'no', 'local', 'cluster'",
        ),
        (
            None,
            "attrd_updater -P x -Q",
            64,
            "attrd_updater: Error: pattern can only be used with delete or update",
        ),
        (
            None,
            "crm_attribute -p -v 10",
            64,
            "must be called from an OCF resource agent or with a resource ID",
        ),
        (None, "crm_node -R host2", 64, "the --force flag is required"),
        (None, "crm_node", 64, "Usage: crm_node"),
        (None, "meatclient", 3, "usage: meatclient -c node [-w]"),
        (None, "meatclient -c host9 -w", 4, "nobody waits for host9"),
        (
            Some(()),
            "attrd_updater -n y -Q",
            78,
            "attrd_updater: Could not query value of y: attribute does not exist",
        ),
        (Some(()), "crm_node -N 7", 68, "Node is not known to cluster"),
        (
            Some(()),
            "crm_attribute -N nosuch -n a -v 5",
            105,
            "crm_attribute: Could not map name=nosuch to a UUID",
        ),
        (
            Some(()),
            "crm_attribute -n y -G",
            105,
            "crm_attribute: Error performing operation: No such device or address",
        ),
        (Some(()), "attrd_updater -P ( -U 4", 65, "'(' is no pattern"),
    ];
    for (there, line, status, wanted) in cases {
        let (code, _, said) = outcome(&run(there.map(|()| &daemon), line));
        assert_eq!(code, status, "{line}: {said}");
        assert!(said.contains(wanted), "{line}: {said}");
    }
    assert!(daemon.changes().is_empty());
}

fn set(
    host: Option<&str>,
    name: &str,
    value: Option<&str>,
    dampen_ms: Option<u64>,
    mode: AttributeMode,
) -> Request {
    let text = |value: &str| value.to_owned();
    Request::SetAttribute { host: host.map(text), name: text(name), value: value.map(text), dampen_ms, mode }
}

#[test]
fn changes_ask_the_daemon_for_what_was_meant() {
    use AttributeMode::{Both, Dampening, Value};
    let daemon = FakeDaemon::start();
    let cases = [
        // By DRBD's crm-fence-peer.
        (
            "crm_attribute -t status -N host2 -n terminate -v 1",
            set(Some("host2"), "terminate", Some("1"), None, Value),
        ),
        ("attrd_updater -n a -U 1", set(None, "a", Some("1"), None, Value)),
        ("attrd_updater -n a -v 1 -q", set(None, "a", Some("1"), None, Value)),
        ("attrd_updater -n a -B 2 -d 5s", set(None, "a", Some("2"), Some(5_000), Both)),
        ("attrd_updater --name a --delay 7 --update-both 2", set(None, "a", Some("2"), Some(7_000), Both)),
        ("attrd_updater -n a -B 2", set(None, "a", Some("2"), Some(0), Both)),
        ("attrd_updater -n a --update-delay --delay 0", set(None, "a", None, Some(0), Dampening)),
        ("attrd_updater -D -n a -d 5s", set(None, "a", None, Some(5_000), Value)),
        ("attrd_updater -n a -N host2 -U 1", set(Some("host2"), "a", Some("1"), None, Value)),
        ("attrd_updater -n a -U value++", set(None, "a", Some("value++"), None, Value)),
        ("crm_attribute -l reboot -n a -v 3", set(Some("host1"), "a", Some("3"), None, Value)),
        (
            "crm_attribute -t status -N host2 -n terminate -v 1",
            set(Some("host2"), "terminate", Some("1"), None, Value),
        ),
        ("crm_attribute -p drbd -v 10", set(Some("host1"), "master-drbd", Some("10"), None, Value)),
        ("crm_attribute --promotion=drbd -D", set(Some("host1"), "master-drbd", None, None, Value)),
    ];
    for (line, wanted) in cases {
        let (code, _, said) = outcome(&run(Some(&daemon), line));
        assert_eq!((code, daemon.changes()), (0, vec![wanted]), "{line}: {said}");
    }
}

#[test]
fn permanent_attributes_and_options_are_changes_of_the_configuration() {
    let daemon = FakeDaemon::start();
    let cases = [
        ("crm_attribute -N host1 -n rack -v value+=3", "", Some(("nodes-1-rack", "10"))),
        (
            "crm_attribute --type crm_config --name stop-all-resources --update true",
            "",
            Some(("cib-bootstrap-options-stop-all-resources", "true")),
        ),
        ("crm_attribute -N host1 -n rack -D", "Deleted nodes attribute: id=nodes-1-rack name=rack", None),
    ];
    for (line, printed, wanted) in cases {
        let (code, out, said) = outcome(&run(Some(&daemon), line));
        assert_eq!((code, out.as_str()), (0, printed), "{line}: {said}");
        let changes = daemon.changes();
        let [Request::Change { edits, without_quorum: false, .. }] = changes.as_slice() else {
            panic!("{line}: {changes:?}")
        };
        let [Edit::Patch { xml }] = edits.as_slice() else { panic!("{line}: {edits:?}") };
        let mut cib = Cib::parse(daemon::CIB).expect("sound");
        Patchset::from_xml(xml).expect("a patchset").apply(&mut cib).expect("it applies");
        let pair = cib.document().by_id(wanted.map_or("nodes-1-rack", |(id, _)| id));
        assert_eq!(pair.and_then(|pair| pair.attribute("value")), wanted.map(|(_, value)| value), "{line}");
    }
    let (code, out, _) = outcome(&run(Some(&daemon), "crm_attribute -N host2 -n nothing -D"));
    assert_eq!((code, out.as_str()), (0, ""), "twice without harm");
    assert!(daemon.changes().is_empty());
}

#[test]
fn the_xml_is_pacemakers() {
    let daemon = FakeDaemon::start();
    let (code, out, _) = outcome(&run(Some(&daemon), "crm_node -l --output-as=xml"));
    let wanted = "<pacemaker-result api-version=\"2.38\" request=\"crm_node -l --output-as=xml\">\n  <nodes>\n    \
        <node id=\"1\" name=\"host1\" state=\"member\"/>\n    <node id=\"2\" name=\"host2\" state=\"lost\"/>\n  \
        </nodes>\n  <status code=\"0\" message=\"OK\"/>\n</pacemaker-result>";
    assert_eq!((code, out.as_str()), (0, wanted));
    let (code, out, said) = outcome(&run(None, "crm_node -l --output-as=xml"));
    assert_eq!((code, said.as_str()), (102, ""));
    assert!(out.contains("<status code=\"102\" message=\"Not connected\">\n    <errors>"), "{out}");
}

#[test]
fn every_tool_tells_its_options_within_80_columns() {
    for tool in ["attrd_updater", "crm_node", "crm_attribute", "meatclient"] {
        let (code, out, _) = outcome(&run(None, &format!("{tool} --help")));
        assert_eq!(code, 0, "{tool}");
        assert!(out.contains("Example") && out.lines().all(|line| line.chars().count() <= 80), "{out}");
    }
}

/// Runs an agent's action as the executor does, with links to the tools before its path.
fn agent(daemon: &FakeDaemon, program: &str, words: &[&str], pairs: &[(&str, &str)]) -> (i32, String) {
    let tools = daemon.folder().join("tools");
    std::fs::create_dir_all(&tools).expect("a folder");
    for tool in ["attrd_updater", "crm_attribute", "crm_node"] {
        let link = tools.join(tool);
        if !link.exists() {
            std::os::unix::fs::symlink(HAFEN, link).expect("linked");
        }
    }
    let mut command = Command::new(program);
    command.args(words).env_clear().env("HAFEN_SOCKET", daemon.socket()).env("OCF_ROOT", "/usr/lib/ocf");
    command
        .env("PATH", format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", tools.display()))
        .env("HA_SBIN_DIR", &tools);
    command.env("HA_RSCTMP", daemon.folder()).env("OCF_RESOURCE_INSTANCE", "ping");
    command.env("OCF_RESKEY_pidfile", daemon.folder().join("ping.pid"));
    command.env("OCF_RESKEY_CRM_meta_timeout", "20000").env("OCF_RESKEY_CRM_meta_interval", "0");
    for (name, value) in pairs {
        command.env(format!("OCF_RESKEY_{name}"), value);
    }
    let output = command.output().expect("the agent runs");
    (output.status.code().expect("an exit status"), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// An address that takes nothing from anybody: the kernel refuses to send there.
const SILENT: &str = "240.0.0.1";

#[test]
fn our_ping_counts_addresses_of_both_families() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let daemon = FakeDaemon::start();
    let hosts = format!("127.0.0.1 ::1 {SILENT} no.such.name.invalid");
    let pairs = [
        ("host_list", hosts.as_str()),
        ("multiplier", "100"),
        ("dampen", "3s"),
        ("timeout", "1"),
        ("attempts", "1"),
    ];
    let act = |action: &str, more: &[(&str, &str)]| {
        agent(&daemon, HAFEN, &["ocf", "ping", action], &[&pairs[..], more].concat())
    };
    assert_eq!(act("monitor", &[]).0, 7, "not started");
    assert_eq!(act("start", &[]).0, 0);
    let told = set(None, "pingd", Some("200"), Some(3_000), AttributeMode::Both);
    assert_eq!(daemon.changes(), std::slice::from_ref(&told));
    let (code, said) = act("monitor", &[]);
    assert_eq!((code, daemon.changes()), (0, vec![told.clone()]), "{said}");
    assert!(said.contains(SILENT) && said.contains("no.such.name.invalid"), "{said}");
    let (code, said) = act("monitor", &[("failure_score", "300")]);
    assert_eq!((code, daemon.changes()), (1, vec![told]));
    assert!(said.contains("ocf-exit-reason:the score 200 is less than failure_score=300"), "{said}");
    assert_eq!(act("stop", &[]).0, 0);
    assert_eq!(daemon.changes(), [set(None, "pingd", None, Some(3_000), AttributeMode::Value)]);
    assert_eq!((act("stop", &[]).0, act("monitor", &[]).0), (0, 7), "stopped stays stopped");
    assert_eq!((act("validate-all", &[]).0, act("nonsense", &[]).0), (0, 3));
    assert_eq!(act("validate-all", &[("host_list", " ")]).0, 6);
    assert!(daemon.changes().is_empty());
}

#[test]
fn our_ping_bears_a_daemon_that_is_away() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let daemon = FakeDaemon::start();
    let pairs = [("host_list", "127.0.0.1"), ("CRM_meta_timeout", "2000")];
    assert_eq!(agent(&daemon, HAFEN, &["ocf", "ping", "start"], &pairs).0, 0);
    std::fs::remove_file(daemon.socket()).expect("removed");
    let (code, said) = agent(&daemon, HAFEN, &["ocf", "ping", "monitor"], &pairs);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("pingd stays as it is"), "{said}");
}

#[test]
fn pacemakers_ping_works_unchanged() {
    let program = "/usr/lib/ocf/resource.d/pacemaker/ping";
    let there = |path: &str| std::path::Path::new(path).exists();
    if !rustix::process::geteuid().is_root() || !there(program) || !there("/usr/bin/ping") {
        eprintln!("SKIPPED: {program} or ping is not installed");
        return;
    }
    let daemon = FakeDaemon::start();
    let pairs = [
        ("host_list", "127.0.0.1 ::1"),
        ("multiplier", "100"),
        ("dampen", "3s"),
        ("timeout", "1"),
        ("attempts", "1"),
        ("name", "pingd"),
        ("use_fping", "0"),
    ];
    let act = |action: &str| agent(&daemon, program, &[action], &pairs);
    assert_eq!(act("monitor").0, 7, "not started");
    let (code, said) = act("start");
    assert_eq!(code, 0, "{said}");
    let told = set(None, "pingd", Some("200"), Some(3_000), AttributeMode::Both);
    assert_eq!(daemon.changes().last(), Some(&told), "{said}");
    let again = set(None, "pingd", Some("200"), Some(3_000), AttributeMode::Value);
    assert_eq!((act("monitor").0, daemon.changes().last()), (0, Some(&again)), "monitor");
    assert_eq!(act("stop").0, 0);
    let gone = set(None, "pingd", None, Some(3_000), AttributeMode::Value);
    assert_eq!(daemon.changes().last(), Some(&gone));
    assert_eq!(act("monitor").0, 7);
}
