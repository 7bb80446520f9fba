//! Hosts with networks of their own: the stand itself, and the scenarios on it with real Corosyncs. One at a time: see
//! `.config/nextest.toml`. Tests whose names begin with `full_` are for `./dev full`.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "tests of a shell")]

mod support;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hafen_lab::net::{Link, ShapeChange};
use hafen_lab::power::{PowerSwitch, Request, power_events};
use hafen_lab::scenario::Scenario;
use hafen_lab::{Lab, LabSpec, Layout, NetSpec};

use support::{EXECUTABLE, Place, can_hold_a_lab, guest, hosts, shell, up};

/// The bound of every wait.
const PATIENCE: Duration = Duration::from_secs(60);

/// Hosts without Corosync and Hafen.
fn bare(count: u32) -> LabSpec {
    LabSpec { net: Some(NetSpec { bare: true, ..NetSpec::default() }), ..hosts(count) }
}

/// Waits until something holds.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "never came about: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Whether an address answers on the spot.
fn answers(lab: &Lab, host: &str, address: &str) -> bool {
    shell(lab, host, &format!("ping -c 1 -W 1 -q {address} >/dev/null 2>&1 && echo yes")) == "yes"
}

/// Whether it answers again: a kernel that has just given up on an address asks for it anew only after a while.
fn answers_again(lab: &Lab, host: &str, address: &str) -> bool {
    (0..15).any(|_| answers(lab, host, address))
}

#[test]
fn hosts_reach_each_other_as_the_switch_lets_them() {
    if !can_hold_a_lab() {
        return;
    }
    let place = Place::new();
    let (lab, _lease) = up(&place, bare(3));
    let switch = lab.frame_switch().expect("there is a switch");
    let second = |id: u32| Link::Eth1.address(id).to_string();
    assert!(answers(&lab, "host1", "host2") && answers(&lab, "host1", &second(2)));
    assert!(answers(&lab, "host3", "10.77.9.1") && answers(&lab, "host3", "10.77.9.9"));
    assert!(!answers(&lab, "host3", "10.77.9.10"), "the gateway has no more addresses");
    switch.cut("host1", Some("host2"), Some(Link::Eth0)).expect("cut");
    assert!(!answers(&lab, "host1", "host2") && answers(&lab, "host1", &second(2)));
    assert!(answers(&lab, "host1", "host3"));
    switch.cut("host1", Some("gateway"), None).expect("cut");
    assert!(!answers(&lab, "host1", "10.77.9.1") && answers(&lab, "host2", "10.77.9.1"));
    switch.heal(None).expect("healed");
    assert!(answers_again(&lab, "host1", "host2") && answers_again(&lab, "host1", "10.77.9.1"));
    let error = switch.cut("host1", Some("host9"), None).expect_err("unknown");
    assert!(error.to_string().contains("host9"), "{error}");
}

#[test]
fn frames_are_lost_and_delayed_as_told() {
    if !can_hold_a_lab() {
        return;
    }
    let place = Place::new();
    let (lab, _lease) = up(&place, bare(2));
    let switch = lab.frame_switch().expect("there is a switch");
    let ends = [Some("host1"), Some("host2")];
    let change = ShapeChange { delay_ms: Some(80), ..ShapeChange::default() };
    switch.shape(ends, Some(Link::Eth0), false, change).expect("shaped");
    let output = shell(&lab, "host1", "ping -c 3 -i 0.2 -q host2 | sed -n 's|.*= \\([0-9]*\\)[./].*|\\1|p'");
    assert!(output.parse::<u32>().is_ok_and(|least_ms| least_ms >= 80), "{output}");
    switch.heal(None).expect("healed");
    let change = ShapeChange { loss_percent: Some(100.0), ..ShapeChange::default() };
    switch.shape(ends, Some(Link::Eth0), false, change).expect("shaped");
    assert!(!answers(&lab, "host1", "host2") && !answers(&lab, "host2", "host1"));
    assert!(answers(&lab, "host2", &Link::Eth1.address(1).to_string()));
    let wrong = ShapeChange { loss_percent: Some(101.0), ..ShapeChange::default() };
    assert!(switch.shape(ends, None, false, wrong).is_err());
}

#[test]
fn a_power_cut_keeps_what_an_installation_keeps() {
    if !can_hold_a_lab() {
        return;
    }
    let place = Place::new();
    let (lab, _lease) = up(&place, bare(2));
    assert_eq!(shell(&lab, "host1", "uname -n; ls -A /etc/corosync /var/lib/corosync | grep -v :"), "host1");
    let folders = "/etc/corosync /etc/hafen /etc/xen /var/lib/corosync /var/lib/hafen /root";
    shell(&lab, "host1", &format!("for folder in {folders} /run /tmp; do echo kept >$folder/kept; done"));
    let kept =
        format!("cat $(for folder in {folders} /run /tmp; do echo $folder/kept; done) 2>/dev/null | wc -l");
    assert_eq!(shell(&lab, "host1", &kept), "8");
    assert_eq!(shell(&lab, "host2", &kept), "0", "other hosts do not see them");
    lab.power().off("host1").expect("off");
    lab.boot("host1").expect("on");
    assert_eq!(shell(&lab, "host1", &kept), "6", "/run and /tmp are empty at a boot");
    assert!(!Path::new("/etc/hafen/kept").exists() && !Path::new("/root/kept").exists());
    assert!(answers(&lab, "host1", "host2"), "it is plugged in again");
}

#[test]
fn services_start_stop_and_come_back_at_a_boot() {
    if !can_hold_a_lab() {
        return;
    }
    let place = Place::new();
    let (lab, _lease) = up(&place, bare(1));
    let service = |words: &str| shell(&lab, "host1", &format!("lab-service {words} 2>&1; echo $?"));
    assert_eq!(shell(&lab, "host1", "cat /etc/hafen/service-command"), "/usr/bin/lab-service");
    assert!(service("start corosync").contains("exit status"), "it has no configuration");
    assert!(service("status corosync").ends_with('3'));
    assert!(service("start nothing").contains("there are corosync"));
    let conf = "totem {\\n version: 2\\n cluster_name: x\\n crypto_cipher: none\\n crypto_hash: none\\n}\\n\
        nodelist {\\n node {\\n nodeid: 1\\n name: host1\\n ring0_addr: 10.77.0.1\\n }\\n}\\n\
        quorum {\\n provider: corosync_votequorum\\n}\\nsystem {\\n sched_rr: no\\n move_to_root_cgroup: no\\n}\\n";
    shell(&lab, "host1", &format!("printf '{conf}' >/etc/corosync/corosync.conf"));
    assert_eq!(service("start corosync"), "0");
    assert!(shell(&lab, "host1", "corosync-quorumtool -s").contains("Quorate:          Yes"), "it is ready");
    lab.power().off("host1").expect("off");
    lab.boot("host1").expect("on");
    until("corosync runs again", || service("status corosync").ends_with('0'));
    assert_eq!(service("restart corosync"), "0");
    assert_eq!(service("stop corosync"), "0");
    lab.power().off("host1").expect("off");
    lab.boot("host1").expect("on");
    assert!(service("status corosync").ends_with('3'), "what was stopped stays stopped");
}

#[test]
fn an_unfed_watchdog_cuts_the_power() {
    if !can_hold_a_lab() {
        return;
    }
    let place = Place::new();
    let (lab, _lease) = up(&place, bare(2));
    let ask = |request: &str, host: &str, timeout_ms: Option<u64>| {
        lab.power().ask(&Request { timeout_ms, ..Request::about(request, host) }, PATIENCE)
    };
    assert!(ask("watchdog-feed", "host1", None).is_err(), "it is not armed");
    ask("watchdog-arm", "host1", Some(1_000)).expect("armed");
    ask("watchdog-arm", "host2", Some(1_000)).expect("armed");
    for _ in 0..20 {
        std::thread::sleep(Duration::from_millis(100));
        ask("watchdog-feed", "host2", None).expect("fed");
    }
    ask("watchdog-disarm", "host2", None).expect("disarmed");
    until("host1 is on again", || lab.power().list().is_ok_and(|all| all[0].on && all[0].boots == 2));
    let events = power_events(lab.layout()).expect("a journal");
    let told = |host: &str| -> Vec<String> {
        events.iter().filter(|event| event.host == host).map(|event| event.what.clone()).collect()
    };
    let cut = ["on-asked", "on", "watchdog-armed", "watchdog-expired", "off", "on"];
    assert_eq!(told("host1"), cut);
    assert_eq!(told("host2"), ["on-asked", "on", "watchdog-armed", "watchdog-disarmed"]);
}

#[test]
fn nothing_is_left_when_the_starter_is_killed() {
    if !can_hold_a_lab() {
        return;
    }
    let place = Place::new();
    let layout = place.layout();
    // The scenario waits for longer than this test lives.
    let folder = layout.root().with_extension("scenario");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("stand"), "hosts 2\n").expect("written");
    std::fs::write(folder.join("commands"), "pause 100\n").expect("written");
    let mut command = Command::new(EXECUTABLE);
    command.args(["net", "--lab"]).arg(layout.root()).arg("scenario").arg(&folder).stdout(Stdio::null());
    let mut starter = command.spawn().expect("it starts");
    let switch = PowerSwitch::at(layout.power_socket());
    until("both hosts are on", || switch.list().is_ok_and(|all| all.iter().all(|host| host.init.is_some())));
    let inits: Vec<u32> = switch.list().expect("hosts").into_iter().filter_map(|host| host.init).collect();
    starter.kill().expect("killed");
    starter.wait().expect("ended");
    until("the hosts have ended", || !inits.iter().any(|init| hafen_sys::is_running(*init)));
    until("the switch has ended", || Lab::open(&layout).is_err());
    assert!(hafen_lab::down(&layout).expect("removed"));
    assert!(!layout.root().exists());
    assert_eq!(mounted_below(&layout), "");
}

fn mounted_below(layout: &Layout) -> String {
    let mounts = std::fs::read_to_string("/proc/self/mounts").expect("mounts");
    let root = layout.root().display().to_string();
    mounts.lines().filter(|line| line.contains(&root)).collect()
}

#[test]
fn a_switch_that_was_killed_is_started_again() {
    if !can_hold_a_lab() {
        return;
    }
    let place = Place::new();
    let (lab, _lease) = up(&place, bare(2));
    let record = hafen_lab::record::Record::load(lab.layout());
    let power = record.running().next().expect("the power switch runs").pid;
    let children = hafen_sys::children_of(power).expect("/proc can be read");
    let is_switch = |pid: u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains("lab\0switch\0")
    };
    let switch = children.iter().find(|child| is_switch(child.pid)).expect("the frame switch runs");
    hafen_sys::kill_process(switch.pid, hafen_sys::Signal::KILL).expect("killed");
    until("frames pass again", || answers(&lab, "host1", "host2"));
}

#[test]
fn eight_hosts_form_a_ring() {
    if !can_hold_a_lab() {
        return;
    }
    let place = Place::new();
    let (lab, _lease) = up(&place, LabSpec { net: Some(NetSpec::default()), ..hosts(8) });
    until("all eight are in the ring", || {
        shell(&lab, "host8", "corosync-quorumtool -s | grep -x 'Nodes: *8'").starts_with("Nodes")
    });
}

/// Plays a scenario on its own stand.
fn scenario(name: &str) {
    if !can_hold_a_lab() {
        return;
    }
    let stand = Scenario::load(name).expect("it is built in").stand.expect("it has a stand");
    let guest = if stand.vms > 0 {
        let Some(guest) = guest() else { return };
        Some(guest)
    } else {
        None
    };
    support::scenario(name, stand.spec(guest).expect("a spec"));
}

macro_rules! scenarios {
    ($($test:ident: $name:literal),+ $(,)?) => {
        $(#[test] fn $test() { scenario($name); })+
    };
}

scenarios! {
    host_killed: "net-host-killed",
    corosync_killed: "net-corosync-killed",
    daemon_killed: "net-daemon-killed",
    partition_of_three: "net-partition-three",
    partition_of_two: "net-partition-two",
    quorum_lost: "net-quorum-lost",
    second_link: "net-second-link",
    rejoin: "net-rejoin",
    rolling_restart: "net-rolling-restart",
    quorum_device: "net-qdevice",
    one_dead_for_good: "net-one-dead",
    lan_lost: "net-lan-lost",
    double_shoot: "net-double-shoot",
    double_shoot_without_delays: "net-double-shoot-bare",
    full_watchdog: "net-watchdog",
    full_asymmetric_loss: "net-asymmetric-loss",
    full_lossy: "net-lossy",
    full_all_at_once: "net-all-at-once",
    full_alone: "net-alone",
}
