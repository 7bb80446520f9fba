//! The file systems of a host: those of the machine, with its own ones over what a host must have for itself.

use std::fs;
use std::os::fd::AsRawFd;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::{
    MountFlags, MountPropagationFlags, mount, mount_bind, mount_bind_recursive, mount_change, mount_remount,
};

use crate::layout::{RUN, STORE};
use crate::{LabError, Layout};

/// Folders that are each host's own, empty at every boot, with the size of their file system.
const OWN_FOLDERS: [(&str, &std::ffi::CStr); 4] = [
    ("/run", c"mode=755,size=128m"),
    ("/tmp", c"mode=1777,size=256m"),
    ("/dev/shm", c"mode=1777,size=256m"),
    ("/etc/corosync", c"mode=755,size=4m"),
];
/// What a host must not reach, because there is only one of it for all.
const MASKED: [&str; 3] = ["/proc/sysrq-trigger", "/dev/watchdog", "/dev/watchdog0"];

/// Makes the mounts of this (new) mount namespace those of a host.
pub(super) fn prepare(layout: &Layout, name: &str) -> Result<(), LabError> {
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).map_err(LabError::errno("make private", "/"))?;
    // Held open across the mounts below: the lab's folder may lie under one of them.
    let root = open_folder(layout.root())?;
    let disk = open_folder(&layout.disk(name))?;
    for (path, options) in OWN_FOLDERS {
        mount("tmpfs", path, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, options)
            .map_err(LabError::errno("mount a tmpfs at", path))?;
    }
    bind_open(&root, layout.root())?;
    bind_open(&disk, Path::new(STORE))?;
    fs::create_dir_all(RUN).map_err(LabError::system("create", RUN))?;
    prepare_proc()
}

fn open_folder(path: &Path) -> Result<rustix::fd::OwnedFd, LabError> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(CWD, path, flags, Mode::empty()).map_err(LabError::errno("open", path))
}

/// Binds an open folder at a path, which is created where it is missing.
fn bind_open(folder: &rustix::fd::OwnedFd, path: &Path) -> Result<(), LabError> {
    fs::create_dir_all(path).map_err(LabError::system("create", path))?;
    let source = format!("/proc/self/fd/{}", folder.as_raw_fd());
    mount_bind(source, path).map_err(LabError::errno("bind at", path))
}

/// `/proc` shows this PID namespace; its switches for the whole machine are out of reach.
fn prepare_proc() -> Result<(), LabError> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", "/proc", "proc", flags, None).map_err(LabError::errno("mount", "/proc"))?;
    let switches = "/proc/sys";
    mount_bind_recursive(switches, switches).map_err(LabError::errno("bind", switches))?;
    mount_remount(switches, MountFlags::BIND | MountFlags::RDONLY | flags, c"")
        .map_err(LabError::errno("make read-only", switches))?;
    for path in MASKED.into_iter().filter(|path| Path::new(path).exists()) {
        mount_bind("/dev/null", path).map_err(LabError::errno("mask", path))?;
    }
    // The interfaces that /sys shows are those of the namespace that mounts it. Agents that look there find their own.
    if let Err(error) = mount("sysfs", "/sys", "sysfs", flags, None) {
        eprintln!("{}: /sys stays the machine's: {error}", Path::new("/sys").display());
    }
    Ok(())
}
