//! Whole labs: hosts in namespaces, the power switch, and the scenarios with real guests. One at a time: see
//! `.config/nextest.toml`; within one process a lock does the same.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "tests of a shell")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hafen_lab::power::{Request, processes_in};
use hafen_lab::scenario::{Scenario, play};
use hafen_lab::{Lab, LabSpec, Layout, Lease, Network};

/// The executable that the lab runs.
const EXECUTABLE: &str = env!("CARGO_BIN_EXE_hafen");

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Whether this machine can hold a lab. In CI it must.
fn can_hold_a_lab() -> bool {
    let can = rustix::process::geteuid().is_root();
    assert!(can || !in_ci(), "labs need root");
    if !can {
        eprintln!("SKIPPED: a lab needs root");
    }
    can
}

fn in_ci() -> bool {
    std::env::var("CI").as_deref() == Ok("true")
}

/// The guests' kernel, as `./dev test` names it. In CI it must be there.
fn guest() -> Option<PathBuf> {
    let folder =
        std::env::var_os("HAFEN_GUEST").map(PathBuf::from).filter(|folder| folder.join("kernel").exists());
    assert!(folder.is_some() || !in_ci(), "HAFEN_GUEST names no guest's kernel: ./dev test makes one");
    if folder.is_none() {
        eprintln!("SKIPPED: HAFEN_GUEST names no guest's kernel: ./dev test makes one");
    }
    folder
}

/// A lab's folder of its own, and the turn to use it. A lab is not put below `/tmp`, so that its disks are real ones.
struct Place {
    _turn: MutexGuard<'static, ()>,
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let folder =
            tempfile::Builder::new().prefix("hafen-lab-test-").tempdir_in("/var/tmp").expect("a folder");
        Self { _turn: turn, folder }
    }

    fn layout(&self) -> Layout {
        Layout::new(self.folder.path().join("lab"))
    }
}

fn up(place: &Place, spec: LabSpec) -> (Lab, Lease) {
    hafen_lab::up_leased(&place.layout(), spec, Path::new(EXECUTABLE)).expect("the lab comes up")
}

fn hosts(count: u32) -> LabSpec {
    LabSpec::with_hosts(count).expect("a spec")
}

/// The output of a shell command in a host.
fn shell(lab: &Lab, host: &str, script: &str) -> String {
    let mut command = Command::new("sh");
    command.args(["-c", script]).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let child = lab.spawn_in(host, command).expect("the command starts");
    let output = child.wait_with_output().expect("the command ends");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

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
        "echo kept >/var/lib/hafen/x; echo lost >/run/x; setsid sleep 600 >/dev/null 2>&1 & echo started",
    );
    let boot_id = std::fs::read_to_string(lab.layout().boot_id("host1")).expect("a boot id");
    lab.power().off("host1").expect("off");
    lab.power().on("host1").expect("on");
    assert_eq!(shell(&lab, "host1", "cat /var/lib/hafen/x; cat /run/x 2>/dev/null"), "kept");
    let next = std::fs::read_to_string(lab.layout().boot_id("host1")).expect("a boot id");
    assert_ne!(boot_id, next, "each boot has an id of its own");
    let free = lab.fill_disk("host1").expect("filled");
    assert!(free < 64 << 20, "the disk is limited, and {free} bytes were free");
    assert_ne!(shell(&lab, "host1", "echo x >/var/lib/hafen/y && cat /var/lib/hafen/y"), "x");
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

/// Plays a scenario in a lab of its own.
fn scenario(name: &str, vms: u32, network: Network) {
    if !can_hold_a_lab() {
        return;
    }
    let Some(guest) = guest() else { return };
    let place = Place::new();
    let spec = LabSpec { vms, guest_dir: Some(guest), network, ..hosts(3) };
    let (lab, _lease) = up(&place, spec);
    let scenario = Scenario::load(name).expect("the scenario is built in");
    let report = play(&lab, &scenario, &mut |step| println!("{step}"));
    for line in report.findings.iter().chain(&report.events) {
        println!("{line}");
    }
    assert_eq!(report.failure, None);
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
