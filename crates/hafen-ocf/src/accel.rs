//! Whether KVM works here: on some machines `/dev/kvm` exists and hangs guests, so only a real boot can tell.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::fs::FlockOperation;

use crate::deadline::Deadline;
use crate::outcome::{AgentError, OcfCode};
use crate::qemu::parameters::Parameters;

/// How long the boot may take; under a KVM that works it takes less than two seconds.
const BOOT_LIMIT: Duration = Duration::from_secs(8);
/// How long to wait for another process's boot of the same kind.
const LOCK_LIMIT: Duration = Duration::from_secs(20);
/// Where verdicts are kept when there is no shared folder.
const VERDICT_DIR: &str = "/run/hafen";
/// The most that is read of what the guest says.
const OUTPUT_BYTES_LIMIT: usize = 1 << 20;

/// `kvm` or `tcg` for a virtual machine, by its parameter or by trying.
pub(crate) fn choose(parameters: &Parameters) -> Result<String, AgentError> {
    if parameters.accel != "auto" {
        return Ok(parameters.accel.clone());
    }
    let folder = parameters.migrate_dir.clone().unwrap_or_else(|| PathBuf::from(VERDICT_DIR));
    let works = kvm_works(&parameters.binary, parameters.kernel.as_deref(), &folder);
    Ok(if works { "kvm" } else { "tcg" }.into())
}

/// Whether a short boot of this kernel (or, without one, of the firmware) under KVM comes to its end.
///
/// The verdict is kept in `folder` for as long as the machine runs: hosts that share the folder and the machine share it.
/// When it cannot be kept, it is found out again.
pub fn kvm_works(binary: &str, kernel: Option<&Path>, folder: &Path) -> bool {
    if rustix::fs::access("/dev/kvm", rustix::fs::Access::READ_OK | rustix::fs::Access::WRITE_OK).is_err() {
        return false;
    }
    let Ok(boot_id) = hafen_sys::boot_id() else { return false };
    let path = folder.join("kvm-verdict");
    // One boot for all that ask at once.
    let _lock = lock(folder);
    if let Some(verdict) = fs::read_to_string(&path).ok().and_then(|text| known(&text, &boot_id)) {
        return verdict;
    }
    let verdict = boots(binary, "kvm", kernel, folder, BOOT_LIMIT).unwrap_or(false);
    let word = if verdict { "yes" } else { "no" };
    let keep = || -> io::Result<()> {
        let mut file = File::options().create(true).append(true).mode(0o644).open(&path)?;
        file.write_all(format!("{boot_id} {word}\n").as_bytes())
    };
    if let Err(error) = keep() {
        eprintln!("WARNING: {}: cannot keep whether KVM works: {error}", path.display());
    }
    verdict
}

/// The verdict for this boot of the machine, among those of all of its boots.
fn known(text: &str, boot_id: &str) -> Option<bool> {
    let words = text.lines().filter_map(|line| line.split_once(' '));
    words.filter(|(id, _)| *id == boot_id).map(|(_, word)| word.trim() == "yes").next_back()
}

fn lock(folder: &Path) -> Option<File> {
    fs::create_dir_all(folder).ok()?;
    let path = folder.join("kvm-verdict.lock");
    let file = File::options().create(true).append(true).mode(0o600).open(path).ok()?;
    Deadline::after(LOCK_LIMIT)
        .poll(|| rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).ok())
        .map(|()| file)
}

/// Whether QEMU with this acceleration boots: it ends by itself, within the limit, after the guest has said what it must.
/// A file in `folder` takes what the guest says. Fails when QEMU cannot be started, or the file not be written.
///
/// A kernel without a root file system panics at the end of its boot, and `-no-reboot` turns that into the end of QEMU:
/// so any kernel will do, without its initramfs. The firmware alone says on its debug port that it found nothing to boot.
pub fn boots(
    binary: &str,
    accel: &str,
    kernel: Option<&Path>,
    folder: &Path,
    limit: Duration,
) -> io::Result<bool> {
    let output_path = folder.join("kvm-verdict.log");
    let output = File::options().create(true).write(true).truncate(true).mode(0o600).open(&output_path)?;
    let mut command = Command::new(binary);
    command
        .args(["-accel", accel, "-m", "96", "-nodefaults", "-no-user-config", "-display", "none"])
        .args(["-nic", "none", "-no-reboot", "-chardev", "stdio,id=out,signal=off"])
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(Stdio::null());
    let proof = match kernel {
        Some(kernel) => {
            let append = "console=ttyS0 panic=-1 tsc=unstable";
            command.arg("-kernel").arg(kernel).args(["-append", append, "-serial", "chardev:out"]);
            "Kernel panic"
        }
        None => {
            command.args(["-boot", "reboot-timeout=0"]);
            command.args(["-device", "isa-debugcon,iobase=0x402,chardev=out"]);
            "No bootable device"
        }
    };
    let mut child = command.spawn()?;
    let ended = Deadline::after(limit).poll(|| child.try_wait().ok().flatten());
    end(&mut child);
    let output = fs::read(&output_path)?;
    let said = String::from_utf8_lossy(&output[..output.len().min(OUTPUT_BYTES_LIMIT)]).contains(proof);
    fs::remove_file(&output_path)?;
    Ok(ended.is_some_and(|status| status.success()) && said)
}

fn end(child: &mut Child) {
    // Fails only when it has ended, and was waited for, already.
    let _ = child.kill();
    let _ = child.wait();
}

/// Prints whether KVM works for a kernel (an empty path: for the firmware); the exit status.
pub(crate) fn main(kernel: &Path) -> i32 {
    let kernel = Some(kernel).filter(|path| !path.as_os_str().is_empty());
    let works = kvm_works("qemu-system-x86_64", kernel, Path::new(VERDICT_DIR));
    println!("{}", if works { "yes" } else { "no" });
    OcfCode::Success.exit_status()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_that_of_this_boot() {
        let text = "a yes\nb no\nbroken\nb yes\nc no\n";
        assert_eq!(known(text, "a"), Some(true));
        assert_eq!(known(text, "b"), Some(true), "the last one counts");
        assert_eq!(known(text, "c"), Some(false));
        assert_eq!(known(text, "d"), None);
    }

    #[test]
    fn a_qemu_that_hangs_does_not_work() {
        let folder = tempfile::tempdir().expect("folder");
        let never = boots("/nonexistent", "kvm", None, folder.path(), BOOT_LIMIT);
        assert!(never.is_err());
        let silent = boots("true", "kvm", None, folder.path(), BOOT_LIMIT).expect("starts");
        assert!(!silent, "ends well, but says nothing");
    }
}
