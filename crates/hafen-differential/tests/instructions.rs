//! test: how many instructions planning takes, counted by Valgrind: unlike time, that is the same on a busy machine.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a shell")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hafen_differential::book::{State, cib};

/// Millions of instructions of each state, in the build that tests use: what gets slower there has become slower.
const COUNTS: &str = "tests/instructions.txt";
/// How far a count may go beyond the one that was written down.
const MORE: f64 = 1.05;
/// What twice the machines may take: what grows with their square takes four times.
const TWICE: f64 = 2.6;
/// Set to anything, it has the counts written down anew.
const RENEW: &str = "HAFEN_RENEW";

/// Files of one test, removed when it is over.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn have_valgrind() -> bool {
    let have = Command::new("valgrind").arg("--version").output().is_ok_and(|output| output.status.success());
    if !have {
        println!("skipped: there is no valgrind, which counts instructions: install the package valgrind");
    }
    have
}

/// The compiler, on which the counts depend.
fn compiler() -> String {
    let output = Command::new("rustc").arg("--version").output().expect("rustc runs");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Millions of instructions from a CIB in a file to its written graph.
fn count(hosts: usize, machines: usize, state: State) -> f64 {
    let name = format!("hafen-instructions-{}-{machines}-{}", std::process::id(), state.name());
    let folder = Folder(std::env::temp_dir().join(name));
    fs::create_dir_all(&folder.0).expect("a folder");
    let path = |name: &str| folder.0.join(name).to_string_lossy().into_owned();
    fs::write(path("cib.xml"), cib(hosts, machines, state)).expect("a file");
    let out = format!("--cachegrind-out-file={}", path("counts"));
    let output = Command::new("valgrind")
        .args(["--tool=cachegrind", "--cache-sim=no", &out])
        .args([env!("CARGO_BIN_EXE_hafen-bench"), "crm_simulate", "-x", &path("cib.xml")])
        .args(["-Q", "-G", &path("graph.xml")])
        .output()
        .expect("valgrind runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(fs::metadata(path("graph.xml")).is_ok_and(|graph| graph.len() > 0), "{said}");
    let line = said.lines().find(|line| line.contains("I   refs:")).unwrap_or_else(|| panic!("{said}"));
    let digits: String = line.rsplit(':').next().unwrap_or("").chars().filter(char::is_ascii_digit).collect();
    digits.parse::<f64>().expect("a number") / 1e6
}

#[test]
fn planning_takes_no_more_instructions_than_it_did() {
    if !have_valgrind() {
        return;
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(COUNTS);
    let counts: Vec<(State, f64)> =
        State::ALL.into_iter().map(|state| (state, count(16, 200, state))).collect();
    let compiler = compiler();
    if std::env::var_os(RENEW).is_some() {
        let mut text = format!("{compiler}\n");
        for (state, count) in &counts {
            let _ = writeln!(text, "{} {count:.1}", state.name());
        }
        fs::write(file, text).expect("a file");
        return;
    }
    let text = fs::read_to_string(&file).expect("the counts that were written down");
    let mut lines = text.lines();
    let before = lines.next().unwrap_or("");
    if before != compiler {
        println!(
            "skipped: the counts are of {before}, and this is {compiler}: `./dev bench instructions` renews them"
        );
        return;
    }
    let known: BTreeMap<&str, f64> = lines
        .filter_map(|line| line.split_once(' '))
        .map(|(name, count)| (name, count.parse().expect("a count")))
        .collect();
    let mut worse = String::new();
    for (state, count) in counts {
        let before = known[state.name()];
        println!("{}: {count:.1} million instructions, {before:.1} before", state.name());
        if count > before * MORE {
            let _ = writeln!(worse, "{}: {count:.1} million instructions, {before:.1} before", state.name());
        }
    }
    assert!(
        worse.is_empty(),
        "planning for 16 hosts and 200 machines has become slower:\n{worse}where that is worth it, write the counts \
         down anew: ./dev bench instructions"
    );
}

#[test]
fn planning_does_not_grow_with_the_square_of_the_machines() {
    if !have_valgrind() {
        return;
    }
    // The two in which most is done; the others take the same ways.
    for state in [State::Stopped, State::Changed] {
        let [once, twice] = [100, 200].map(|machines| count(16, machines, state));
        let times = twice / once;
        println!("{}: twice the machines take {times:.2} times the instructions", state.name());
        assert!(times < TWICE, "{}: twice the machines take {times:.2} times the instructions", state.name());
    }
}
