//! What twice the objects cost, in instructions that Valgrind counts: unlike time, that is the same on a busy machine.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a test measures itself")]

mod common;

use std::fmt::Write as _;
use std::process::Command;
use std::time::Instant;

use common::{EMPTY, make, shown};
use hafen_crm::{Filter, Mode, apply, parse, show};

/// How many machines, in what the test runs under Valgrind.
const MACHINES: &str = "HAFEN_MACHINES";
/// What twice the machines may take: what grows with their square takes four times.
const TWICE: f64 = 2.6;

/// Machines, each with a primitive and three constraints; every tenth is cloned.
fn book(machines: usize) -> String {
    let mut text = String::new();
    for node in 0..machines / 10 {
        let _ = writeln!(text, "node host{node} attributes rack=r{} utilization memory=65536", node % 7);
    }
    text += "primitive base Dummy\nprimitive st stonith:null hostlist=all op monitor interval=3600\n";
    for vm in 0..machines {
        let _ = writeln!(
            text,
            "primitive vm{vm} ocf:heartbeat:VirtualDomain \\\n\tparams config=/etc/vm{vm}.xml migration_transport=ssh \\\n\t\
             meta allow-migrate=true priority={} \\\n\tutilization memory=2048 \\\n\t\
             op start timeout=90s \\\n\top monitor interval=10s timeout=30s",
            vm % 9
        );
        let host = vm % (machines / 10);
        let _ = writeln!(text, "location loc{vm} vm{vm} rule 100: #uname eq host{host} or #uname eq host0");
        let _ = writeln!(text, "colocation col{vm} inf: vm{vm} base");
        let _ = writeln!(text, "order ord{vm} Mandatory: base vm{vm}");
        if vm % 10 == 0 {
            let _ = writeln!(text, "clone cl{vm} vm{vm} meta interleave=true");
        }
    }
    text += "fencing_topology";
    for node in 0..machines / 10 {
        let _ = write!(text, " host{node}: st");
    }
    text + "\n"
}

/// A text made, applied again, and a second one that takes what the first made into groups.
fn work(machines: usize) {
    let text = book(machines);
    let mut cib = make(EMPTY, &text).unwrap_or_else(|told| panic!("{told}"));
    let statements = parse(&text).expect("it parses");
    apply(&mut cib, &statements, Mode::Push).expect("it applies");
    let mut groups = String::new();
    for vm in (0..machines).filter(|vm| vm % 10 != 0) {
        let _ = writeln!(groups, "group grp{vm} vm{vm}");
    }
    apply(&mut cib, &parse(&groups).expect("it parses"), Mode::Update).expect("it applies");
    assert!(shown(&cib).lines().count() > machines * 10);
    let filter = Filter::parse(["related:VirtualDomain", "and", "type:location"]).expect("a filter");
    assert_eq!(
        show(&cib, &filter).lines().filter(|line| line.starts_with("location")).count(),
        machines / 10
    );
}

#[test]
fn work_of_machines() {
    // Valgrind runs it with more.
    let machines = std::env::var(MACHINES).ok().and_then(|text| text.parse().ok()).unwrap_or(20);
    let started = Instant::now();
    work(machines);
    println!("{machines} machines: {:?}", started.elapsed());
}

/// Millions of instructions.
fn count(machines: usize) -> f64 {
    let output = Command::new("valgrind")
        .args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"])
        .arg(std::env::current_exe().expect("a program"))
        .args(["--exact", "work_of_machines", "--test-threads=1"])
        .env(MACHINES, machines.to_string())
        .output()
        .expect("valgrind runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stdout));
    let line = said.lines().find(|line| line.contains("I   refs:")).unwrap_or_else(|| panic!("{said}"));
    let digits: String = line.rsplit(':').next().unwrap_or("").chars().filter(char::is_ascii_digit).collect();
    digits.parse::<f64>().expect("a number") / 1e6
}

#[test]
fn twice_the_objects_do_not_cost_four_times() {
    if !Command::new("valgrind").arg("--version").output().is_ok_and(|output| output.status.success()) {
        println!("skipped: there is no valgrind, which counts instructions: install the package valgrind");
        return;
    }
    let [once, twice] = [500, 1000].map(count);
    println!("{once:.0} million instructions for 2,000 objects, {twice:.0} for 4,000");
    assert!(twice < once * TWICE, "twice the objects take {:.2} times the instructions", twice / once);
}
