//! Class `systemd` with a real systemd: a Debian in a guest runs `debian-guest/hafen-test`.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a test of processes")]

use std::fs;
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

mod support;

use support::{EXECUTABLE, guest};

/// How long the guest may take, emulated on a machine that does other things too.
const LIMIT: Duration = Duration::from_secs(900);
/// The most that is read of what the guest says.
const OUTPUT_BYTES_LIMIT: u64 = 4 << 20;
/// The guest makes at least so many checks.
const CHECKS_MINIMUM: usize = 30;

/// A process that does not outlive its test.
struct Owned(Child);

impl Drop for Owned {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
}

/// Puts a file that the guest can execute there.
fn put(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().expect("a folder")).expect("made");
    fs::copy(from, to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    fs::set_permissions(to, fs::Permissions::from_mode(0o755)).expect("executable");
}

/// The guest's RAM disk: a Debian, and behind it an archive with hafen, the units and the test.
fn ram_disk(debian: &Path, folder: &Path) -> PathBuf {
    let root = folder.join("root");
    let given = Path::new(env!("CARGO_MANIFEST_DIR")).join("debian-guest");
    let units = root.join("etc/systemd/system");
    fs::create_dir_all(units.join("multi-user.target.wants")).expect("made");
    for unit in fs::read_dir(given.join("units")).expect("units") {
        let unit = unit.expect("a unit");
        fs::copy(unit.path(), units.join(unit.file_name())).expect("copied");
    }
    symlink("/dev/null", units.join("masked.service")).expect("masked");
    symlink("../hafen-test.service", units.join("multi-user.target.wants/hafen-test.service"))
        .expect("wanted");
    put(&given.join("hafen-test"), &root.join("usr/local/sbin/hafen-test"));
    fs::create_dir_all(root.join("usr/bin")).expect("made");
    run(Command::new("strip").arg("-o").arg(root.join("usr/bin/hafen")).arg(EXECUTABLE));
    let disk = folder.join("initrd");
    fs::copy(debian, &disk).expect("copied");
    let pack = "find . | cpio --quiet -o -H newc >>\"$0\"";
    run(Command::new("sh").args(["-euc", pack]).arg(&disk).current_dir(&root));
    disk
}

/// What a guest says until it powers itself off.
fn boot(kernel: &Path, disk: &Path, accel: &str) -> String {
    let child = Command::new("qemu-system-x86_64")
        .args(["-accel", accel, "-m", "1024", "-nodefaults", "-no-user-config", "-display", "none"])
        .args(["-no-reboot", "-serial", "stdio", "-kernel"])
        .arg(kernel)
        .arg("-initrd")
        .arg(disk)
        .args(["-append", "console=ttyS0 rdinit=/lib/systemd/systemd panic=-1 quiet systemd.show_status=0"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("QEMU starts");
    let mut child = Owned(child);
    let output = child.0.stdout.take().expect("piped");
    let reader = std::thread::spawn(move || {
        let mut said = Vec::new();
        let _ = output.take(OUTPUT_BYTES_LIMIT).read_to_end(&mut said);
        String::from_utf8_lossy(&said).into_owned()
    });
    let deadline = Instant::now() + LIMIT;
    while child.0.try_wait().expect("it is a child").is_none() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(100));
    }
    drop(child);
    reader.join().expect("it ends")
}

#[test]
fn full_units_of_a_real_systemd_are_resources() {
    let Some(guest) = guest() else { return };
    let debian = guest.join("debian.cpio");
    if !debian.exists() {
        assert!(!support::in_ci(), "guest/debian.sh makes {}", debian.display());
        eprintln!("SKIPPED: guest/debian.sh makes {}", debian.display());
        return;
    }
    let folder = tempfile::tempdir_in("/var/tmp").expect("a folder");
    let kernel = guest.join("kernel");
    let works = hafen_ocf::accel::kvm_works("qemu-system-x86_64", Some(&kernel), folder.path());
    let disk = ram_disk(&debian, folder.path());
    let said = boot(&kernel, &disk, if works { "kvm" } else { "tcg" });
    let lines: Vec<&str> = said.lines().map(str::trim).collect();
    let count = |prefix: &str| lines.iter().filter(|line| line.starts_with(prefix)).count();
    let planned = lines.iter().find_map(|line| line.strip_prefix("1..")?.parse::<usize>().ok());
    assert_eq!((Some(count("ok ")), count("not ok ")), (planned, 0), "{said}");
    assert!(planned.is_some_and(|planned| planned >= CHECKS_MINIMUM), "{said}");
}
