//! The direction of dependencies, and what pure crates must not reach.

#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a shell")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// A crate may depend only on crates before it.
const ORDER: [&str; 20] = [
    "hafen-cib",
    "hafen-scheduler",
    "hafen-differential",
    "hafen-vm",
    "hafen-crm",
    "hafen-protocol",
    "hafen-node",
    "hafen-simulation",
    "hafen-sys",
    "hafen-client",
    "hafen-setup",
    "hafen-agents",
    "hafen-executor",
    "hafen-bus",
    "hafen-daemon",
    "hafen-lab",
    "hafen-screen",
    "hafen-applets",
    "hafen-ocf",
    "hafen-cli",
];

const PURE: [&str; 6] =
    ["hafen-cib", "hafen-scheduler", "hafen-vm", "hafen-crm", "hafen-protocol", "hafen-node"];

/// Runtimes, sockets, processes and system calls.
const IMPURE_LIBRARIES: [&str; 8] =
    ["tokio", "mio", "socket2", "rustix", "nix", "libc", "getrandom", "process-wrap"];

struct Metadata {
    /// Normal dependencies of each package by name.
    dependencies: BTreeMap<String, BTreeSet<String>>,
    members: BTreeSet<String>,
}

fn metadata() -> Metadata {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_string());
    let output = Command::new(cargo)
        .args([
            "tree",
            "--workspace",
            "--edges",
            "normal",
            "--prefix",
            "depth",
            "--format",
            " {p}",
            "--no-dedupe",
        ])
        .current_dir(root)
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("cargo prints UTF-8");
    let mut dependencies: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut members = BTreeSet::new();
    let mut path: Vec<String> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let mut words = line.split_whitespace();
        let depth: usize = words.next().and_then(|word| word.parse().ok()).expect("a depth");
        let name = words.next().expect("a package").to_string();
        if depth == 0 {
            members.insert(name.clone());
        }
        path.truncate(depth);
        if let Some(parent) = path.last() {
            dependencies.entry(parent.clone()).or_default().insert(name.clone());
        }
        path.push(name);
    }
    Metadata { dependencies, members }
}

fn reachable(metadata: &Metadata, from: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![from.to_string()];
    while let Some(name) = open.pop() {
        for next in metadata.dependencies.get(&name).into_iter().flatten() {
            if found.insert(next.clone()) {
                open.push(next.clone());
            }
        }
    }
    found
}

#[test]
fn crates_depend_only_on_crates_above_them() {
    let metadata = metadata();
    let place = |name: &str| ORDER.iter().position(|known| *known == name);
    for member in metadata.members.iter().filter(|name| name.starts_with("hafen-")) {
        let own = place(member).unwrap_or_else(|| panic!("{member} has no place in the order"));
        for dependency in metadata.dependencies.get(member).into_iter().flatten() {
            if let Some(other) = place(dependency) {
                assert!(other < own, "{member} must not depend on {dependency}");
            }
        }
    }
}

#[test]
fn pure_crates_reach_no_runtime_socket_or_process() {
    let metadata = metadata();
    for name in PURE {
        assert!(metadata.members.contains(name), "{name} is not in the workspace");
        let reached = reachable(&metadata, name);
        for library in IMPURE_LIBRARIES {
            assert!(!reached.contains(library), "{name} reaches {library}");
        }
    }
}
