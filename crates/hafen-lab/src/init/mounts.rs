//! The file systems of a host: those of the machine, with its own ones over what a host must have for itself.

use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::{
    MountFlags, MountPropagationFlags, mount, mount_bind, mount_bind_recursive, mount_change, mount_remount,
};

use crate::layout::{RUN, STORE};
use crate::{LabError, LabSpec, Layout};

/// Folders that are each host's own, empty at every boot, with the size of their file system.
const OWN_FOLDERS: [(&str, &std::ffi::CStr); 3] =
    [("/run", c"mode=755,size=128m"), ("/tmp", c"mode=1777,size=256m"), ("/dev/shm", c"mode=1777,size=256m")];
/// Also empty at every boot where hosts have no networks of their own.
const COROSYNC_FOLDER: (&str, &std::ffi::CStr) = ("/etc/corosync", c"mode=755,size=4m");
/// Folders of which a host with a network of its own sees the machine's, and keeps what it changes on its own disk.
const INSTALLED_FOLDERS: [&str; 4] = ["/etc", "/root", "/usr", "/var/lib"];
/// Folders that services expect, empty at every boot.
const RUN_FOLDERS: [&str; 4] = ["/run/corosync", "/run/corosync-qdevice", "/run/corosync-qnetd", "/run/lock"];
/// Folders in those that begin empty, whatever the machine has in there.
const EMPTY_FOLDERS: [&str; 5] =
    ["/etc/corosync", "/etc/hafen", "/etc/xen", "/var/lib/corosync", "/var/lib/hafen"];
/// Where a host with a network of its own sees its whole disk.
pub(super) const DISK: &str = "/run/disk";
/// Where OCF agents keep their state; a real host's boot makes it (tmpfiles.d of resource-agents).
const AGENTS_RUN: &str = "/run/resource-agents";
/// What a host must not reach, because there is only one of it for all.
const MASKED: [&str; 3] = ["/proc/sysrq-trigger", "/dev/watchdog", "/dev/watchdog0"];

/// Makes the mounts of this (new) mount namespace those of a host.
pub(super) fn prepare(layout: &Layout, spec: &LabSpec, name: &str) -> Result<(), LabError> {
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).map_err(LabError::errno("make private", "/"))?;
    // Held open across the mounts below: the lab's folder may lie under one of them.
    let root = open_folder(layout.root())?;
    let disk = open_folder(&layout.disk(name))?;
    let is_installed = spec.net.is_some();
    for (path, options) in OWN_FOLDERS.into_iter().chain((!is_installed).then_some(COROSYNC_FOLDER)) {
        mount("tmpfs", path, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, options)
            .map_err(LabError::errno("mount a tmpfs at", path))?;
    }
    if is_installed {
        bind_open(&disk, Path::new(DISK))?;
        let image = layout.image(name);
        let image = image.strip_prefix(layout.root()).unwrap_or(&image);
        lay_over(&Path::new("/proc/self/fd").join(root.as_raw_fd().to_string()).join(image))?;
        for path in RUN_FOLDERS {
            fs::create_dir_all(path).map_err(LabError::system("create", path))?;
        }
    } else {
        bind_open(&disk, Path::new(STORE))?;
    }
    bind_open(&root, layout.root())?;
    for path in [RUN, AGENTS_RUN] {
        fs::create_dir_all(path).map_err(LabError::system("create", path))?;
    }
    prepare_proc()
}

/// Lays the host's disk over what the machine has installed. At its first boot the host is "installed".
fn lay_over(image: &Path) -> Result<(), LabError> {
    let installed = Path::new(DISK).join("installed");
    let is_first = !installed.exists();
    // A first boot that was cut off begins anew.
    for folder in INSTALLED_FOLDERS {
        let part = format!("{DISK}/{}", folder.trim_start_matches('/').replace('/', "-"));
        let [upper, work] = ["upper", "work"].map(|kind| format!("{part}/{kind}"));
        if is_first && Path::new(&part).exists() {
            fs::remove_dir_all(&part).map_err(LabError::system("remove", &part))?;
        }
        for path in [&upper, &work] {
            fs::create_dir_all(path).map_err(LabError::system("create", path))?;
        }
        let options = format!("lowerdir={folder},upperdir={upper},workdir={work}");
        let options = std::ffi::CString::new(options).unwrap_or_default();
        mount("overlay", folder, "overlay", MountFlags::empty(), &*options)
            .map_err(LabError::errno("lay the host's disk over", folder))?;
    }
    if is_first {
        for folder in EMPTY_FOLDERS.map(Path::new) {
            if folder.exists() {
                fs::remove_dir_all(folder).map_err(LabError::system("empty", folder))?;
            }
            fs::create_dir_all(folder).map_err(LabError::system("create", folder))?;
        }
        super::image::install(image, Path::new("/"))?;
        fs::write(&installed, "").map_err(LabError::system("write", &installed))?;
    }
    Ok(())
}

fn open_folder(path: &Path) -> Result<OwnedFd, LabError> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(CWD, path, flags, Mode::empty()).map_err(LabError::errno("open", path))
}

/// Binds an open folder at a path, which is created where it is missing.
fn bind_open(folder: &OwnedFd, path: &Path) -> Result<(), LabError> {
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
