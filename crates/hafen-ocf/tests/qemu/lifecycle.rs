//! start, stop, monitor, and agents that are killed in the middle.

use std::fs;
use std::process::{Command, Stdio};

use hafen_sys::{Signal, kill_process};

use crate::bench::{Bench, PATIENCE, guest, wait_for};

#[test]
fn a_guest_starts_counts_and_ends_by_its_power_button() {
    let Some(bench) = Bench::new("") else { return };
    bench.expect("a", "validate-all", 0);
    bench.expect("a", "monitor", 7);
    bench.expect("a", "stop", 0);
    let first = bench.boot("a");
    let process = bench.qemu("a").expect("QEMU runs");
    bench.expect("a", "monitor", 0);
    bench.expect("a", "start", 0);
    assert_eq!(bench.qemu("a"), Some(process), "a second start changes nothing");

    bench.expect("a", "stop", 0);
    assert!(!process.is_running());
    bench.expect("a", "monitor", 7);
    bench.expect("a", "stop", 0);
    let bye = format!("BYE name=vm1 boot={}", first.boot);
    assert!(bench.serial().contains(&bye), "the guest shut itself down");

    let before = bench.disk_record();
    let second = bench.boot("a");
    assert_ne!(second.boot, first.boot, "another start is another boot");
    assert_eq!(second.count, before.count + 1, "the count goes on from the disk");
}

#[test]
fn a_guest_that_ignores_its_power_button_is_ended_by_force() {
    let Some(mut bench) = Bench::new("hafen.ignore_button=1") else { return };
    bench.set("shutdown_timeout", "1s");
    let first = bench.boot("a");
    let process = bench.qemu("a").expect("QEMU runs");
    let said = bench.expect("a", "stop", 0);
    assert!(said.contains("by force"), "{said}");
    assert!(!process.is_running());
    assert!(!bench.serial().iter().any(|line| line.starts_with("BYE")), "{}", first.boot);
    bench.expect("a", "monitor", 7);
}

#[test]
fn a_lost_qemu_is_not_running_and_a_silent_one_is_an_error() {
    let Some(mut bench) = Bench::new("") else { return };
    bench.boot("a");
    bench.set("qmp_timeout", "500ms");
    let process = bench.qemu("a").expect("QEMU runs");
    kill_process(process.pid, Signal::STOP).expect("it can be stopped");
    // More often than QEMU's sockets have room for visitors that nobody lets in.
    for _ in 0..4 {
        let said = bench.expect("a", "monitor", 1);
        assert!(said.contains("ocf-exit-reason:QEMU") && said.contains("does not answer"), "{said}");
    }
    kill_process(process.pid, Signal::CONT).expect("it can go on");
    bench.set("qmp_timeout", "60s");
    bench.expect("a", "monitor", 0);
    kill_process(process.pid, Signal::KILL).expect("it can be killed");
    wait_for("QEMU's end", || (!process.is_running()).then_some(()));
    bench.expect("a", "monitor", 7);
    bench.boot("a");
}

#[test]
fn a_silent_qemu_can_be_stopped() {
    let Some(bench) = Bench::new("") else { return };
    bench.expect("a", "start", 0);
    let process = bench.qemu("a").expect("QEMU runs");
    kill_process(process.pid, Signal::STOP).expect("it can be stopped");
    bench.expect("a", "stop", 0);
    assert!(!process.is_running());
    bench.expect("a", "monitor", 7);
}

#[test]
fn a_disk_in_use_elsewhere_prevents_a_second_start() {
    let Some(bench) = Bench::new("") else { return };
    let first = bench.boot("a");
    let said = bench.expect("b", "start", 1);
    assert!(said.contains("lock"), "{said}");
    assert_eq!(bench.qemu("b"), None, "a failed start leaves nothing behind");
    bench.expect("b", "monitor", 7);
    bench.expect("a", "monitor", 0);
    let seen = bench.heartbeats().len();
    bench.next_heartbeat(seen);
    bench.assert_one_unbroken_boot(&first.boot);
}

#[test]
fn what_is_wrong_is_said() {
    let Some(mut bench) = Bench::new("") else { return };
    bench.set("extra", "-no-such-option");
    let said = bench.expect("a", "start", 1);
    assert!(said.contains("no-such-option"), "QEMU's own words: {said}");
    bench.set("extra", "");
    bench.set("binary", "no-such-qemu");
    bench.expect("a", "start", 5);
    bench.set("binary", "qemu-system-x86_64");
    bench.set("disk", "/no/such/disk");
    let said = bench.expect("a", "start", 2);
    assert!(said.contains("/no/such/disk"), "{said}");
    bench.set("memory", "lots");
    let said = bench.expect("a", "validate-all", 6);
    assert!(said.contains("memory='lots'"), "{said}");
    bench.expect("a", "dance", 6);
    bench.set("memory", "96");
    bench.expect("a", "dance", 3);
    bench.expect("a", "meta-data", 0);
}

#[test]
fn a_start_that_is_killed_in_the_middle_is_taken_up() {
    let Some(mut bench) = Bench::new("") else { return };
    let record = bench.path("a").join("vm1/process");
    let agent = bench.agent("a", "start").stdout(Stdio::null()).spawn().expect("the agent starts");
    let agent = bench.adopt(agent);
    // The record is QEMU's process's own, and stands before there is a QEMU in it.
    let process = wait_for("a process", || {
        let text = fs::read_to_string(&record).ok()?;
        text.ends_with('\n').then(|| bench.qemu("a"))?
    });
    bench.kill(agent);
    bench.expect("a", "start", 0);
    assert_eq!(bench.qemu("a"), Some(process), "it is not started twice");
    fs::remove_file(&record).expect("the record");
    assert_eq!(bench.qemu("a"), Some(process), "without its record it is found by its command line");
    bench.expect("a", "monitor", 0);
    let first = bench.next_heartbeat(0);
    bench.expect("a", "stop", 0);
    bench.assert_one_unbroken_boot(&first.boot);
    assert!(!process.is_running());
}

#[test]
fn an_acceleration_that_works_is_told_by_a_boot() {
    let Some(guest) = guest() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let kernel = guest.join("kernel");
    for kernel in [Some(kernel.as_path()), None] {
        let boots = hafen_ocf::accel::boots("qemu-system-x86_64", "tcg", kernel, folder.path(), PATIENCE);
        assert!(boots.expect("QEMU starts"), "emulation always works: {kernel:?}");
    }
    let refused = hafen_ocf::accel::boots("qemu-system-x86_64", "nonsense", None, folder.path(), PATIENCE);
    assert!(!refused.expect("QEMU starts"));
    let left = fs::read_dir(folder.path()).expect("the folder").count();
    assert_eq!(left, 0);
}

/// The proof of all proofs that nothing runs twice: two guests on one disk do tell.
#[test]
fn two_guests_on_one_disk_report_each_other() {
    let Some(mut bench) = Bench::new("") else { return };
    bench.expect("a", "start", 0);
    let parameters = "console=ttyS0 quiet panic=-1 hafen.name=intruder hafen.interval=0.1";
    let guest = guest().expect("QEMU is there");
    let drive = format!("file={},format=raw,if=virtio,file.locking=off", bench.path("vm1.raw").display());
    let mut command = Command::new("qemu-system-x86_64");
    command.args(["-accel", "tcg", "-m", "96", "-nodefaults", "-display", "none", "-append", parameters]);
    command.arg("-kernel").arg(guest.join("kernel")).arg("-initrd").arg(guest.join("initrd"));
    command.args(["-drive", &drive, "-serial", "null"]).stdin(Stdio::null());
    let intruder = command.spawn().expect("QEMU starts");
    bench.adopt(intruder);
    wait_for("a conflict", || bench.serial().iter().any(|line| line.starts_with("CONFLICT")).then_some(()));
}
