//! Debian 13's crmsh, pcs and exporter against a cluster of Hafen: none of them knows that it is not Pacemaker's. What they do
//! and must see is in `clients/`.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "tests of a shell")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use hafen_lab::{Lab, LabSpec, NetSpec};

use support::{EXECUTABLE, Place, can_hold_a_lab, hosts, in_ci, up};

/// How long all commands of a client may take, in seconds.
const PATIENCE_S: u32 = 400;
/// Stands before each command's output, and before its exit status.
const MARK: &str = "@@@@";

/// The Debian root with the clients. In CI it must be there.
fn root() -> Option<PathBuf> {
    let named = std::env::var_os("HAFEN_ORACLE").unwrap_or_else(|| "/var/cache/hafen-oracle".into());
    let root = Some(PathBuf::from(named)).filter(|root| root.join("usr/sbin/pcs").exists());
    assert!(root.is_some() || !in_ci(), "there is no root with pcs: .ci/oracle makes one");
    if root.is_none() {
        eprintln!("SKIPPED: there is no root with pcs: .ci/oracle makes one");
    }
    root
}

/// A command, and what must be true of it.
#[derive(Debug)]
struct Step {
    command: String,
    status: i32,
    printed: Vec<String>,
    not_printed: Vec<String>,
}

fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (sign, rest) = line.split_once(' ').expect("a sign and a text");
        if sign == "$" {
            let command = rest.to_owned();
            steps.push(Step { command, status: 0, printed: Vec::new(), not_printed: Vec::new() });
            continue;
        }
        let step = steps.last_mut().expect("a command first");
        match sign {
            "=" => step.printed.push(rest.to_owned()),
            "!" => step.not_printed.push(rest.to_owned()),
            "?" => step.status = rest.parse().expect("an exit status"),
            _ => panic!("what is this: {line}"),
        }
    }
    assert!(steps.len() > 1);
    steps
}

/// Waits until all runs that a lab begins with.
const READY: &str = "for try in $(seq 200); do crm_mon -1 | grep -q 'r2.*Started' && break; sleep 0.2; done >/dev/null 2>&1\n\
                     crm_resource --wait\n";

/// All commands in one shell; before each output and each exit status stands a mark.
fn script(steps: &[Step]) -> String {
    let each = |step: &Step| format!("echo '{MARK}'\n{{ {}\n}} 2>&1\necho \"{MARK}$?\"\n", step.command);
    READY.to_owned() + &steps.iter().map(each).collect::<String>()
}

fn run(lab: &Lab, files: &Path, root: &Path, script: &str) -> String {
    let script_file = files.join("script");
    fs::write(&script_file, script).expect("the script");
    let mut command = Command::new("env");
    command
        .args(["-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "TERM=dumb", "LANG=C.UTF-8"])
        .args(["timeout", &PATIENCE_S.to_string(), "unshare", "--mount"])
        .args([files.join("enter").as_path(), root, &files.join("hafen")])
        .args(["bash", "-c", script])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = lab.spawn_in("host1", command).expect("the client starts");
    let output = child.wait_with_output().expect("the client ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs a client's commands against two hosts with two resources, and says all that went otherwise.
fn client(name: &str) {
    let Some(root) = root().filter(|_| can_hold_a_lab()) else { return };
    let place = Place::new();
    let spec = LabSpec { net: Some(NetSpec { recorders: 2, ..NetSpec::default() }), ..hosts(2) };
    let (lab, _lease) = up(&place, spec);
    let files = place.layout().root().join("clients");
    fs::create_dir(&files).expect("a folder");
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients");
    for file in ["enter", "foreign", "systemctl"] {
        fs::copy(sources.join(file), files.join(file)).expect("a copy");
    }
    fs::copy(EXECUTABLE, files.join("hafen")).expect("a copy");
    let steps = steps(&fs::read_to_string(sources.join(name)).expect("the client's commands"));
    let last = "wc -l < /run/client/replaced; cat /run/foreign 2>/dev/null";
    let output = run(&lab, &files, &root, &(script(&steps) + &format!("echo '{MARK}'\n{last}; true\n")));
    let mut parts = output.split(MARK).skip(1);
    let mut wrong = Vec::new();
    for step in &steps {
        let printed = parts.next().unwrap_or_default();
        let status = parts.next().unwrap_or_default().trim();
        let missing = step.printed.iter().filter(|text| !printed.contains(text.as_str()));
        let present = step.not_printed.iter().filter(|text| printed.contains(text.as_str()));
        if status != step.status.to_string() || missing.count() + present.count() > 0 {
            wrong.push(format!("{step:#?}\nended with {status} and printed:\n{printed}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} went wrong:\n{}", wrong.len(), steps.len(), wrong.join("\n"));
    let called = parts.next().unwrap_or_default().trim();
    let (replaced, foreign) = called.split_once('\n').unwrap_or((called, ""));
    assert!(replaced.parse::<u32>().is_ok_and(|count| count > 20), "programs replaced: {replaced}");
    assert_eq!(foreign, "", "programs of Pacemaker's own were called");
}

#[test]
fn crmsh_finds_a_pacemaker() {
    client("crmsh");
}

#[test]
fn pcs_finds_a_pacemaker() {
    client("pcs");
}

#[test]
fn the_exporter_finds_a_pacemaker() {
    client("exporter");
}
