//! Debian's own agents, run by hosts of a lab.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hafen_lab::Lab;

use crate::support::{EXECUTABLE, Place, can_hold_a_lab, hosts, in_ci, shell, up};

/// The Debian root with agents that `.ci/oracle` makes, if it holds a file.
fn oracle(file: &str) -> Option<PathBuf> {
    let root = std::env::var_os("HAFEN_ORACLE").unwrap_or_else(|| "/var/cache/hafen-oracle".into());
    let path = PathBuf::from(root).join(file);
    assert!(path.exists() || !in_ci(), "{} is missing: .ci/oracle makes it", path.display());
    path.exists().then_some(path)
}

/// Gives the hosts an agent, and the functions that it shares with others.
fn install(lab: &Lab, provider: &str, files: &[PathBuf], change: impl Fn(&str) -> String) {
    use std::os::unix::fs::PermissionsExt as _;
    let (agents, shared) =
        (lab.layout().bin().join("resource.d").join(provider), lab.layout().bin().join("lib/heartbeat"));
    for folder in [&agents, &shared] {
        fs::create_dir_all(folder).expect("a folder");
    }
    let put = |from: &Path, folder: &Path, change: &dyn Fn(&str) -> String| {
        let to = folder.join(from.file_name().expect("a name"));
        fs::write(&to, change(&fs::read_to_string(from).expect("text"))).expect("written");
        fs::set_permissions(&to, fs::Permissions::from_mode(0o755)).expect("executable");
    };
    files.iter().for_each(|file| put(file, &agents, &change));
    let functions = oracle("usr/lib/ocf/lib/heartbeat").expect("agents need them");
    for entry in fs::read_dir(functions).expect("a folder").flatten() {
        if entry.file_name().to_string_lossy().starts_with("ocf-") {
            put(&entry.path(), &shared, &|text| text.to_owned());
        }
    }
}

fn hafen(lab: &Lab, host: &str, line: &str) -> String {
    shell(lab, host, &format!("{EXECUTABLE} {line} 2>&1; echo \"[$?]\""))
}

/// What a command prints in the end, within a minute.
fn until(lab: &Lab, host: &str, line: &str, is_it: impl Fn(&str) -> bool) -> String {
    let mut last = String::new();
    for _ in 0..240 {
        last = hafen(lab, host, line);
        if is_it(&last) {
            return last;
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    panic!(
        "{line} at last: {last}\n{}\n{}",
        hafen(lab, host, "crm_mon -1rfA"),
        hafen(lab, host, "events | tail -n 60")
    );
}

const DUMMY: &str = r#"<primitive id="d" class="ocf" provider="pacemaker" type="Dummy"><instance_attributes id="d-i">
<nvpair id="d-s" name="state" value="/run/d.state"/><nvpair id="d-f" name="fake" value="one"/></instance_attributes><operations>
<op id="d-o" name="monitor" interval="1s" on-fail="standby"/></operations></primitive>"#;

/// What the agent can take while it runs is reloaded, anything else restarts it; a failure with on-fail=standby empties the host.
#[test]
fn debians_dummy_is_reloaded_and_its_failure_obeyed() {
    let Some(dummy) = oracle("usr/lib/ocf/resource.d/pacemaker/Dummy").filter(|_| can_hold_a_lab()) else {
        return;
    };
    let place = Place::new();
    let (lab, _lease) = up(&place, hosts(2));
    install(&lab, "pacemaker", &[dummy], str::to_owned);
    until(&lab, "host1", "crmadmin -D", |told| told.contains("is: host"));
    assert_eq!(hafen(&lab, "host1", &format!("cibadmin -C -o resources -X '{DUMMY}'")), "[0]");
    let told = until(&lab, "host1", "crm_resource -W -r d", |told| told.contains("running on"));
    let host = if told.contains("host1") { "host1" } else { "host2" };
    hafen(&lab, host, "crm_resource --wait -T 60s");
    let status = hafen(&lab, host, "cibadmin -Q -o status");
    assert!(status.contains("op-force-restart=\"  state  \""), "as Pacemaker writes it: {status}");
    let begun = |task: &str| hafen(&lab, host, "events").matches(&format!("{task} d begins")).count();
    assert_eq!((begun("reload-agent"), begun("stop")), (0, 0));
    for (parameter, value, reloads, stops) in [("fake", "two", 1, 0), ("state", "/run/other.state", 1, 1)] {
        let changed = hafen(&lab, host, &format!("crm_resource -r d -p {parameter} -v {value}"));
        assert!(changed.ends_with("[0]"), "{changed}");
        hafen(&lab, host, "crm_resource --wait -T 60s");
        assert_eq!(
            (begun("reload-agent"), begun("stop")),
            (reloads, stops),
            "{parameter}: {}",
            hafen(&lab, host, "events")
        );
    }
    shell(&lab, host, "rm /run/other.state");
    let other = if host == "host1" { "host2" } else { "host1" };
    until(&lab, host, "crm_resource -W -r d", |told| told.contains(other));
    let shown = hafen(&lab, host, "crm_mon -1");
    assert!(shown.contains(&format!("Node {host}: standby (on-fail)")), "{shown}");
}

/// DRBD as a promotable clone on host1 and host2.
fn drbd(state: &Path) -> String {
    format!(
        r#"<clone id="ms"><meta_attributes id="ms-m"><nvpair id="ms-p" name="promotable" value="true"/>
<nvpair id="ms-n" name="notify" value="true"/><nvpair id="ms-c" name="clone-max" value="2"/></meta_attributes>
<primitive id="drbd0" class="ocf" provider="linbit" type="drbd"><instance_attributes id="drbd0-i">
<nvpair id="drbd0-r" name="drbd_resource" value="data"/><nvpair id="drbd0-c" name="drbdconf" value="{}/drbd.conf"/>
</instance_attributes><operations><op id="drbd0-p" name="monitor" interval="3s" role="Promoted"/>
<op id="drbd0-u" name="monitor" interval="4s" role="Unpromoted"/></operations></primitive></clone>"#,
        state.display()
    )
}

/// Debian's agent for DRBD, unchanged but for the place of `/proc/drbd`, with recorded answers of the tools
/// (`support/drbd/tool`): one host is promoted, by the score that the agent gives, and the other one when that host is lost.
#[test]
fn drbds_agent_is_promoted_and_moves_to_the_survivor() {
    let folder = "opt/drbd-utils/usr/lib/ocf/resource.d/linbit";
    let Some(folder) = oracle(folder).filter(|_| can_hold_a_lab()) else { return };
    let place = Place::new();
    let (lab, _lease) = up(&place, hosts(3));
    let files = ["drbd", "drbd.shellfuncs.sh"].map(|file| folder.join(file));
    install(&lab, "linbit", &files, |text| text.replace("/proc/drbd", "/run/drbd.proc"));
    let state = lab.layout().root().join("drbd");
    fs::create_dir_all(&state).expect("a folder");
    fs::write(state.join("drbd.conf"), "").expect("written");
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/drbd/tool");
    let prepare = format!(
        "[ -b {0}/drbd0 ] || mknod {0}/drbd0 b 147 0; echo 'version: 9.2.0' >/run/drbd.proc; for tool in drbdadm drbdsetup modprobe \
         modinfo; do sed 's|@STATE@|{0}|' {1} >/run/hafen/tools/$tool; chmod 755 /run/hafen/tools/$tool; done; ls /run/hafen/tools/drbdadm",
        state.display(),
        data.display()
    );
    until(&lab, "host1", "crmadmin -D", |told| told.contains("is: host"));
    for host in ["host1", "host2"] {
        assert_eq!(shell(&lab, host, &prepare), "/run/hafen/tools/drbdadm", "{host}");
    }
    let away = r#"<rsc_location id="l" rsc="ms" node="host3" score="-INFINITY" resource-discovery="never"/>"#;
    assert_eq!(hafen(&lab, "host3", &format!("cibadmin -C -o resources -X '{}'", drbd(&state))), "[0]");
    assert_eq!(hafen(&lab, "host3", &format!("cibadmin -C -o constraints -X '{away}'")), "[0]");
    let locate = "crm_resource --resource drbd0 --locate";
    let told = until(&lab, "host3", locate, |told| told.contains("Promoted"));
    let promoted = if told.contains("host1 Promoted") { "host1" } else { "host2" };
    let other = if promoted == "host1" { "host2" } else { "host1" };
    let calls = |host: &str| fs::read_to_string(state.join(format!("{host}.calls"))).unwrap_or_default();
    // Who is to be promoted counts as promoted already, as with Pacemaker.
    hafen(&lab, "host3", "crm_resource --wait -T 60s");
    let promotions = |host: &str| calls(host).contains(" primary data");
    let all = || {
        format!(
            "{told}\nhost1:\n{}host2:\n{}{}",
            calls("host1"),
            calls("host2"),
            hafen(&lab, "host3", "events")
        )
    };
    assert!(promotions(promoted) && !promotions(other), "{}", all());
    let score = format!("crm_attribute -N {promoted} -l reboot -n master-drbd0 -G -q");
    until(&lab, "host3", &score, |told| told == "10000\n[0]");
    hafen(&lab, "host3", "crm_resource --wait -T 60s");
    assert_eq!(hafen(&lab, "host3", locate).matches("running on").count(), 2);
    lab.power().off(promoted).expect("off");
    fs::remove_file(state.join(format!("{promoted}.role"))).expect("its DRBD is gone with it");
    let is_promoted = |told: &str| told.contains(&format!("{other} Promoted")) && promotions(other);
    until(&lab, "host3", locate, is_promoted);
    let events = hafen(&lab, "host3", "events");
    assert!(events.contains(promoted) && events.contains("fence"), "it was fenced before: {events}");
}
