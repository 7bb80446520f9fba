//! One virtual machine on this host: its folder, its lock, its process, and what is known about them.
//!
//! ```text
//! STATE_DIR/NAME/lock            held by whoever changes something
//!                process         QEMU's process id and start time, written by QEMU's process itself before it becomes QEMU
//!                launch.json     how it was started
//!                control.sock    QMP for whoever acts         monitor.sock   QMP for whoever only looks
//!                arrival.json    the last live migration to here, and how it ended
//!                outgoing.json   a live migration from here that has not been settled
//!                qemu.log        what QEMU said
//! ```
//! An agent may be killed at any point. Whatever it was doing, the next one finds the process by its record, or, without
//! one, by the command line, and decides by what QEMU says.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use hafen_sys::{Announcement, CommandHooks, PidFd, ProcessIdentity, Signal};
use rustix::fs::FlockOperation;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::command::{self, Arrival};
use super::parameters::Parameters;
use crate::deadline::Deadline;
use crate::outcome::{AgentError, OcfCode};
use crate::qmp::{Qmp, QmpError};

/// How much of QEMU's last words goes into an error.
const LOG_TAIL_BYTES: usize = 600;
/// How long a killed process may take to end.
const KILL_LIMIT: Duration = Duration::from_secs(10);
/// Where QEMU's program is looked for.
const PROGRAM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The place of one virtual machine on this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    name: String,
    folder: PathBuf,
}

/// How a virtual machine was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// The parameters then; the configuration may have changed since.
    pub parameters: Parameters,
    /// `kvm` or `tcg`.
    pub accel: String,
}

/// What became of a guest that was to arrive by live migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// It is on its way, and may not run here yet.
    Waiting,
    /// It was allowed to run here.
    Arrived,
    /// It never ran here, and never will.
    Abandoned,
}

/// A live migration to this host. This note outlives QEMU: a sender that lost its receiver may still ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arriving {
    /// Tells this migration from all others of the same virtual machine.
    pub token: String,
    /// What became of it.
    pub fate: Fate,
}

/// A live migration from this host that has not been settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outgoing {
    /// Tells this migration from all others of the same virtual machine.
    pub token: String,
    /// The address of the other host's receiver.
    pub receiver: PathBuf,
}

/// A note in an instance's folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// A [`Launch`].
    Launch,
    /// An [`Arriving`].
    Arrival,
    /// An [`Outgoing`].
    Outgoing,
}

impl Note {
    fn file_name(self) -> &'static str {
        match self {
            Self::Launch => "launch.json",
            Self::Arrival => "arrival.json",
            Self::Outgoing => "outgoing.json",
        }
    }
}

/// The right to change an instance, until it is dropped or its process ends.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "held for its lock")] File);

/// What can be seen of an instance.
#[derive(Debug)]
pub enum Sight {
    /// There is no QEMU.
    Absent,
    /// There is a QEMU, and it does not answer.
    Unreachable(ProcessIdentity, QmpError),
    /// The guest's run state in QEMU's words, and the connection that it was read over.
    Seen(ProcessIdentity, String, Qmp),
}

impl Instance {
    /// The place of the virtual machine with these parameters.
    pub fn of(parameters: &Parameters) -> Self {
        Self { name: parameters.name.clone(), folder: parameters.instance_dir() }
    }

    /// The place of a name in a folder of states.
    pub fn in_state_dir(state_dir: &Path, name: &str) -> Self {
        Self { name: name.into(), folder: state_dir.join(name) }
    }

    /// The virtual machine's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// QMP for whoever acts.
    pub fn control_socket(&self) -> PathBuf {
        self.folder.join("control.sock")
    }

    /// QMP for whoever only looks.
    pub fn monitor_socket(&self) -> PathBuf {
        self.folder.join("monitor.sock")
    }

    fn io_error(&self, what: &str, error: &io::Error) -> AgentError {
        AgentError::generic(format!("{}: {what}: {error}", self.folder.display()))
    }

    /// Makes the folder and takes its lock, waiting for another holder until the deadline.
    pub fn lock(&self, deadline: Deadline) -> Result<Lock, AgentError> {
        let make = || -> io::Result<File> {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
            File::options().create(true).append(true).mode(0o600).open(self.folder.join("lock"))
        };
        let file = make().map_err(|error| self.io_error("cannot make the lock", &error))?;
        let attempt = || match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Some(Ok(())),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => None,
            Err(error) => Some(Err(io::Error::from(error))),
        };
        match deadline.poll(attempt) {
            Some(Ok(())) => Ok(Lock(file)),
            Some(Err(error)) => Err(self.io_error("cannot lock", &error)),
            None => Err(AgentError::generic(format!("{}: another action still works on it", self.name))),
        }
    }

    /// A note, if it is there and sound.
    pub fn note<T: DeserializeOwned>(&self, note: Note) -> Option<T> {
        let text = fs::read(self.folder.join(note.file_name())).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Whether a guest is to arrive here and must not run yet.
    pub fn awaits_arrival(&self) -> bool {
        self.note::<Arriving>(Note::Arrival).is_some_and(|arrival| arrival.fate == Fate::Waiting)
    }

    /// Writes a note as a whole: a reader finds the old one or the new one.
    pub fn write_note<T: Serialize>(&self, note: Note, content: &T) -> Result<(), AgentError> {
        let path = self.folder.join(note.file_name());
        let write = || -> io::Result<()> {
            let new = path.with_extension("new");
            let mut file = File::options().create(true).write(true).truncate(true).mode(0o600).open(&new)?;
            file.write_all(&serde_json::to_vec(content)?)?;
            fs::rename(&new, &path)
        };
        write().map_err(|error| self.io_error("cannot write a note", &error))
    }

    /// Removes a note.
    pub fn remove_note(&self, note: Note) -> Result<(), AgentError> {
        self.remove_file(note.file_name())
    }

    fn remove_file(&self, name: &str) -> Result<(), AgentError> {
        match fs::remove_file(self.folder.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(self.io_error(&format!("cannot remove {name}"), &error))
            }
            _ => Ok(()),
        }
    }

    /// Removes all that a QEMU that has ended leaves behind, except its log and the fate of who was to arrive.
    pub fn clean(&self) -> Result<(), AgentError> {
        if let Some(arrival) = self.note::<Arriving>(Note::Arrival)
            && arrival.fate == Fate::Waiting
        {
            self.write_note(Note::Arrival, &Arriving { fate: Fate::Abandoned, ..arrival })?;
        }
        self.remove_note(Note::Launch)?;
        self.remove_note(Note::Outgoing)?;
        ["control.sock", "monitor.sock", "process"].into_iter().try_for_each(|name| self.remove_file(name))
    }

    fn recorded_process(&self) -> Option<ProcessIdentity> {
        let text = fs::read_to_string(self.folder.join("process")).ok()?;
        let (pid, start_time_ticks) = text.trim_end().split_once(' ')?;
        Some(ProcessIdentity { pid: pid.parse().ok()?, start_time_ticks: start_time_ticks.parse().ok()? })
    }

    /// This instance's QEMU, by its record or else by its command line.
    pub fn process(&self) -> Result<Option<ProcessIdentity>, AgentError> {
        if let Some(recorded) = self.recorded_process().filter(|recorded| recorded.is_running()) {
            return Ok(Some(recorded));
        }
        let mark = command::mark(self);
        let pids =
            hafen_sys::process_ids().map_err(|error| AgentError::generic(format!("/proc: {error}")))?;
        let is_ours = |pid: &u32| {
            let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            words.split(|byte| *byte == 0).any(|word| word == mark.as_bytes())
        };
        let ours = pids.into_iter().filter(is_ours).filter_map(|pid| ProcessIdentity::of(pid).ok());
        Ok(ours.into_iter().find(|identity| identity.is_running()))
    }

    /// Looks at the guest over one of the sockets. A QEMU that has not made its sockets yet is waited for.
    pub fn look(&self, socket: &Path, deadline: Deadline) -> Result<Sight, AgentError> {
        let mut last = None;
        let answer = deadline.poll(|| {
            let process = match self.process() {
                Ok(Some(process)) => process,
                Ok(None) => return Some(Ok(Sight::Absent)),
                Err(error) => return Some(Err(error)),
            };
            let seen = Qmp::connect(socket, deadline)
                .and_then(|mut qmp| qmp.run_state(deadline).map(|state| (state, qmp)));
            match seen {
                Ok((state, qmp)) => Some(Ok(Sight::Seen(process, state, qmp))),
                // Not there yet, or just ended: the next look knows.
                Err(error @ QmpError::Io(_)) => {
                    last = Some((process, error));
                    None
                }
                Err(error) => Some(Ok(Sight::Unreachable(process, error))),
            }
        });
        match (answer, last) {
            (Some(answer), _) => answer,
            (None, Some((process, error))) => Ok(Sight::Unreachable(process, error)),
            (None, None) => Err(AgentError::generic(format!("{}: no time to look", self.name))),
        }
    }

    /// Starts QEMU in a session of its own, so that it outlives whoever starts it.
    pub fn launch(&self, launch: &Launch, arrival: Arrival) -> Result<Child, AgentError> {
        self.write_note(Note::Launch, launch)?;
        let parameters = &launch.parameters;
        let make = |name: &str| {
            File::options().create(true).write(true).truncate(true).mode(0o600).open(self.folder.join(name))
        };
        let files = || -> io::Result<(File, File, File)> {
            let log = make("qemu.log")?;
            Ok((log.try_clone()?, log, make("process")?))
        };
        let (output, error_output, process) =
            files().map_err(|error| self.io_error("cannot make the records", &error))?;
        let record = Announcement { prefix: Vec::new(), infix: b" ".into(), suffix: b"\n".into() };
        let mut command = Command::new(&parameters.binary);
        command
            .args(command::arguments(self, parameters, &launch.accel, arrival))
            .env_clear()
            .env("PATH", PROGRAM_PATH)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(error_output)
            .new_session()
            .announce(Arc::new(OwnedFd::from(process)), record);
        command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                let reason = format!("{}: not found: install qemu-system-x86", parameters.binary);
                AgentError::new(OcfCode::NotInstalled, reason)
            }
            _ => AgentError::generic(format!("{}: {error}", parameters.binary)),
        })
    }

    /// QEMU's last words, in one line.
    pub fn last_words(&self) -> String {
        let log = fs::read(self.folder.join("qemu.log")).unwrap_or_default();
        let tail = &log[log.len().saturating_sub(LOG_TAIL_BYTES)..];
        let text = String::from_utf8_lossy(tail);
        let words =
            text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ");
        if words.is_empty() { "it said nothing".into() } else { words }
    }

    /// Ends QEMU by force, and forgets it once it has ended.
    pub fn kill(&self, process: ProcessIdentity) -> Result<(), AgentError> {
        signal(process, Signal::KILL);
        if !has_ended(process, Deadline::after(KILL_LIMIT)) {
            let pid = process.pid;
            return Err(AgentError::generic(format!("QEMU (process {pid}) does not end even when killed")));
        }
        self.clean()
    }
}

/// Signals the process if it is still the same one.
fn signal(process: ProcessIdentity, signal: Signal) {
    if let Ok(handle) = PidFd::open(process.pid)
        && process.is_running()
    {
        // It may end meanwhile; whether it has is looked at next.
        let _ = handle.signal(signal);
    }
}

/// Waits for the end of a process until the deadline. Whether it has ended.
pub fn has_ended(process: ProcessIdentity, deadline: Deadline) -> bool {
    match PidFd::open(process.pid) {
        Ok(handle) if process.is_running() => {
            handle.wait(Some(deadline.left())).unwrap_or(false) || !process.is_running()
        }
        _ => !process.is_running(),
    }
}
