//! One host at the switch: its init, and the proof that it is off.

use std::fs::{self, OpenOptions};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hafen_sys::{CommandHooks, Namespaces, PidFd, Signal};

use crate::{LabError, Layout};

/// How long the kernel may take to end everything in a namespace.
const END_TIMEOUT: Duration = Duration::from_secs(30);

/// A host that runs.
pub(super) struct RunningHost {
    child: Child,
    handle: PidFd,
    namespace: String,
}

impl RunningHost {
    /// Starts a host's init. Must be called on the switch's main thread: the host ends with the thread that started it.
    pub(super) fn boot(layout: &Layout, name: &str) -> Result<Self, LabError> {
        write_boot_id(layout, name)?;
        let console_path = layout.console(name);
        let console = OpenOptions::new().create(true).append(true).open(&console_path);
        let console = console.map_err(LabError::system("open", &console_path))?;
        let second = console.try_clone().map_err(LabError::system("open", &console_path))?;
        let mut command = Command::new(layout.executable());
        command.args(["lab", "init", "--host", name, "--lab"]).arg(layout.root());
        command.stdin(Stdio::null()).stdout(console).stderr(second).current_dir("/");
        command.new_session().die_with_parent(Signal::KILL);
        let mut child = hafen_sys::spawn_in_new(command, Namespaces::HOST)
            .map_err(LabError::system("start a host with", layout.executable()))?;
        let opened = PidFd::open(child.id()).and_then(|handle| Ok((handle, namespace_of(child.id())?)));
        match opened {
            Ok((handle, namespace)) => Ok(Self { child, handle, namespace }),
            Err(error) => {
                // What cannot be held must not run.
                let _ = child.kill();
                let _ = child.wait();
                Err(LabError::system("hold the init of", name)(error))
            }
        }
    }

    /// The process id of its init.
    pub(super) fn init(&self) -> u32 {
        self.child.id()
    }

    /// Whether its init runs.
    pub(super) fn is_running(&self) -> bool {
        !self.handle.wait(Some(Duration::ZERO)).unwrap_or(false)
    }

    /// Ends its init, and with it everything in there; returns when nothing of it is left. On an error the host is not off.
    pub(super) fn end(&mut self) -> Result<(), String> {
        match self.handle.signal(Signal::KILL) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(format!("its init cannot be killed: {error}")),
        }
        let deadline = Instant::now() + END_TIMEOUT;
        if !self.handle.wait(Some(END_TIMEOUT)).map_err(|error| error.to_string())? {
            let left = processes_in(&self.namespace).unwrap_or_default();
            return Err(format!("{} of its processes do not end: {left:?}", left.len()));
        }
        let _ = self.child.wait();
        // The kernel ends an init only after all others; the look at /proc proves that this is so.
        loop {
            let left =
                processes_in(&self.namespace).map_err(|error| format!("/proc cannot be read: {error}"))?;
            if left.is_empty() {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("{} of its processes are left: {left:?}", left.len()));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// The PID namespace of a process, by the kernel's name for it (`pid:[4026532281]`).
pub fn namespace_of(pid: u32) -> std::io::Result<String> {
    Ok(fs::read_link(format!("/proc/{pid}/ns/pid"))?.to_string_lossy().into_owned())
}

/// The processes in a PID namespace, by their ids as seen here. A zombie has ended: it is none of them.
pub fn processes_in(namespace: &str) -> std::io::Result<Vec<u32>> {
    let mut found = hafen_sys::process_ids()?;
    found.retain(|&pid| namespace_of(pid).is_ok_and(|own| own == namespace) && hafen_sys::is_running(pid));
    Ok(found)
}

fn write_boot_id(layout: &Layout, name: &str) -> Result<(), LabError> {
    let source = Path::new("/proc/sys/kernel/random/uuid");
    let id = fs::read_to_string(source).map_err(LabError::system("read", source))?;
    let path = layout.boot_id(name);
    fs::write(&path, id).map_err(LabError::system("write", &path))
}
