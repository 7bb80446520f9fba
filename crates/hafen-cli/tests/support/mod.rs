//! What the tests of labs share.
#![allow(dead_code, reason = "each test binary takes what it needs")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hafen_lab::scenario::{Scenario, play};
use hafen_lab::{Lab, LabSpec, Layout, Lease};

/// The executable that the lab runs.
pub(crate) const EXECUTABLE: &str = env!("CARGO_BIN_EXE_hafen");

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Whether this machine can hold a lab. In CI it must.
pub(crate) fn can_hold_a_lab() -> bool {
    let can = rustix::process::geteuid().is_root();
    assert!(can || !in_ci(), "labs need root");
    if !can {
        eprintln!("SKIPPED: a lab needs root");
    }
    can
}

pub(crate) fn in_ci() -> bool {
    std::env::var("CI").as_deref() == Ok("true")
}

/// The guests' kernel, as `./dev test` names it. In CI it must be there.
pub(crate) fn guest() -> Option<PathBuf> {
    let folder =
        std::env::var_os("HAFEN_GUEST").map(PathBuf::from).filter(|folder| folder.join("kernel").exists());
    assert!(folder.is_some() || !in_ci(), "HAFEN_GUEST names no guest's kernel: ./dev test makes one");
    if folder.is_none() {
        eprintln!("SKIPPED: HAFEN_GUEST names no guest's kernel: ./dev test makes one");
    }
    folder
}

/// A lab's folder of its own, and the turn to use it. A lab is not put below `/tmp`, so that its disks are real ones.
pub(crate) struct Place {
    _turn: MutexGuard<'static, ()>,
    folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let folder =
            tempfile::Builder::new().prefix("hafen-lab-test-").tempdir_in("/var/tmp").expect("a folder");
        Self { _turn: turn, folder }
    }

    pub(crate) fn layout(&self) -> Layout {
        Layout::new(self.folder.path().join("lab"))
    }
}

pub(crate) fn up(place: &Place, spec: LabSpec) -> (Lab, Lease) {
    hafen_lab::up_leased(&place.layout(), spec, Path::new(EXECUTABLE)).expect("the lab comes up")
}

pub(crate) fn hosts(count: u32) -> LabSpec {
    LabSpec::with_hosts(count).expect("a spec")
}

/// The output of a shell command in a host.
pub(crate) fn shell(lab: &Lab, host: &str, script: &str) -> String {
    let mut command = Command::new("sh");
    command.args(["-c", script]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = lab.spawn_in(host, command).expect("the command starts");
    let output = child.wait_with_output().expect("the command ends");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Plays a scenario in a lab of its own.
pub(crate) fn scenario(name: &str, spec: LabSpec) {
    let place = Place::new();
    let (lab, _lease) = up(&place, spec);
    let scenario = Scenario::load(name).expect("the scenario is built in");
    let report = play(&lab, &scenario, &mut |step| println!("{step}"));
    for line in report.findings.iter().chain(&report.events) {
        println!("{line}");
    }
    println!("{:.1} s", report.took.as_secs_f32());
    assert_eq!(report.failure, None);
}
