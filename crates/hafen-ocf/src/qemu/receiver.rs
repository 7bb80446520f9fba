//! The end of a live migration that receives: one small server a host, for all of its virtual machines.
//!
//! It listens on `MIGRATE_DIR/NODE.sock` and speaks [`Request`] and [`Answer`]. It keeps nothing in memory that matters:
//! what it promised stands in the instances' folders, so it may be killed and started again at any time. A guest whose
//! sender hangs up before `commit` is dropped.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rustix::fs::FlockOperation;
use serde_json::{Value, json};

use super::command::Arrival;
use super::instance::{Arriving, Fate, Instance, Launch, Note, Sight};
use super::lifecycle::{Meaning, meaning};
use super::migration::{Answer, Request};
use super::parameters::{STATE_DIR, STATE_DIR_VARIABLE};
use crate::deadline::Deadline;
use crate::json_lines;
use crate::outcome::{AgentError, OcfCode};
use crate::qmp::{Qmp, QmpError};

/// The most connections that are served at once; more are turned away.
const CONNECTIONS_LIMIT: usize = 64;
/// How long a request may take to arrive once its connection is made.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);
/// How long a request may take to be served.
const SERVICE_LIMIT: Duration = Duration::from_secs(10);
/// The longest transfer: a sender that says nothing for longer is taken for dead.
const TRANSFER_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// A receiver's place: its socket, and the folder of its host's virtual machines.
#[derive(Clone, Debug)]
struct Receiver {
    socket: PathBuf,
    state_dir: PathBuf,
}

/// Serves until the process ends; returns only when it cannot begin.
pub(crate) fn main(socket: &Path) -> i32 {
    let state_dir = std::env::var_os(STATE_DIR_VARIABLE).filter(|value| !value.is_empty());
    let state_dir = state_dir.map_or_else(|| PathBuf::from(STATE_DIR), PathBuf::from);
    match run(socket, &state_dir) {
        Ok(never) => match never {},
        Err(error) => error.report(),
    }
}

/// Serves on `socket` for the virtual machines of the host whose states are in `state_dir`.
///
/// Fails when the socket cannot be made, or another receiver serves it.
pub fn run(socket: &Path, state_dir: &Path) -> Result<std::convert::Infallible, AgentError> {
    if !socket.is_absolute() {
        let reason = format!("'{}': the receiver needs the absolute path of its socket", socket.display());
        return Err(AgentError::new(OcfCode::Arguments, reason));
    }
    let failed = |error: io::Error| AgentError::generic(format!("{}: {error}", socket.display()));
    let (listener, _lock) = listen(socket).map_err(failed)?;
    let receiver = Arc::new(Receiver { socket: socket.into(), state_dir: state_dir.into() });
    receiver.drop_leftovers();
    let busy = Arc::new(AtomicUsize::new(0));
    loop {
        let (stream, _) = match listener.accept() {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely; it passes.
                eprintln!("WARNING: receiver: accept: {error}");
                thread::sleep(Duration::from_millis(100));
                continue;
            }
        };
        if busy.fetch_add(1, Ordering::Relaxed) >= CONNECTIONS_LIMIT {
            busy.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let (receiver, busy) = (Arc::clone(&receiver), Arc::clone(&busy));
        thread::spawn(move || {
            receiver.serve(stream);
            busy.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

/// Makes the socket, for root alone. The lock beside it tells a dead receiver's socket from a live one's.
fn listen(socket: &Path) -> io::Result<(UnixListener, File)> {
    let lock_path = socket.with_extension("lock");
    let lock = File::options().create(true).append(true).mode(0o600).open(lock_path)?;
    rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| io::Error::new(io::ErrorKind::AddrInUse, "another receiver serves this socket"))?;
    match fs::remove_file(socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(socket)?;
    fs::set_permissions(socket, fs::Permissions::from_mode(0o600))?;
    Ok((listener, lock))
}

impl Receiver {
    /// Guests that a killed receiver was waiting for: their senders have seen the connection end.
    fn drop_leftovers(&self) {
        let Ok(entries) = fs::read_dir(&self.state_dir) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let instance = Instance::in_state_dir(&self.state_dir, &name);
            if let Some(arrival) = instance.note::<Arriving>(Note::Arrival)
                && arrival.fate == Fate::Waiting
                && let Err(error) = self.abandon(&instance, &arrival.token)
            {
                eprintln!("WARNING: receiver: {name}: {error}");
            }
        }
    }

    /// One connection: either one question, or a whole migration.
    fn serve(&self, mut stream: UnixStream) {
        match json_lines::receive(&mut stream, Deadline::after(REQUEST_LIMIT)) {
            Ok(Some(Request::Receive { token, launch })) => {
                self.serve_migration(&mut stream, &token, *launch)
            }
            Ok(Some(Request::Abandon { name, token })) => {
                let answer = if is_file_name(&name) {
                    let instance = Instance::in_state_dir(&self.state_dir, &name);
                    self.abandon(&instance, &token)
                        .unwrap_or_else(|error| Answer::Error { detail: error.reason })
                } else {
                    Answer::Error { detail: format!("'{name}' is no virtual machine's name") }
                };
                reply(&mut stream, &answer);
            }
            Ok(Some(Request::Commit)) => {
                reply(&mut stream, &Answer::Error { detail: "commit without receive".into() });
            }
            Ok(None) => {}
            Err(error) => reply(&mut stream, &Answer::Error { detail: format!("request: {error}") }),
        }
    }

    fn serve_migration(&self, stream: &mut UnixStream, token: &str, mut launch: Launch) {
        launch.parameters.state_dir.clone_from(&self.state_dir);
        let instance = Instance::of(&launch.parameters);
        let uri = match self.prepare(&instance, token, &launch) {
            Ok(uri) => uri,
            Err(error) => return reply(stream, &Answer::Error { detail: error.reason }),
        };
        reply(stream, &Answer::Ready { uri });
        let word = json_lines::receive(stream, Deadline::after(TRANSFER_LIMIT));
        if let Ok(Some(Request::Commit)) = word {
            let answer = self.commit(&instance, token);
            reply(stream, &answer.unwrap_or_else(|error| Answer::Error { detail: error.reason }));
        } else if let Err(error) = self.abandon(&instance, token) {
            eprintln!("WARNING: receiver: {}: {error}", instance.name());
        }
        // QEMU removes its socket when it has accepted; a migration that never began leaves it behind.
        let _ = fs::remove_file(self.incoming_socket(token));
    }

    /// Where QEMU waits for the guest of this migration.
    fn incoming_socket(&self, token: &str) -> PathBuf {
        self.socket.with_file_name(format!("{token}.in"))
    }

    /// Starts a QEMU that waits for the guest; its address in QEMU's form.
    fn prepare(&self, instance: &Instance, token: &str, launch: &Launch) -> Result<String, AgentError> {
        launch.parameters.check()?;
        launch.parameters.check_files()?;
        if !is_file_name(token) {
            return Err(AgentError::generic("the migration's token is not sound"));
        }
        let deadline = Deadline::after(SERVICE_LIMIT);
        let _lock = instance.lock(deadline)?;
        match instance.look(&instance.control_socket(), deadline)? {
            Sight::Absent => instance.clean()?,
            Sight::Seen(process, run_state, _) => match meaning(&run_state, instance.awaits_arrival()) {
                // What is left of an earlier migration. The sender has the guest now, so it is not here.
                Meaning::NotHere(_) | Meaning::SentAway => instance.kill(process)?,
                Meaning::Running | Meaning::Broken(_) => {
                    return Err(AgentError::generic(format!(
                        "it is here already, in the run state '{run_state}'"
                    )));
                }
            },
            Sight::Unreachable(process, error) => {
                let pid = process.pid;
                return Err(AgentError::generic(format!("a QEMU (process {pid}) of it is here: {error}")));
            }
        }
        instance.write_note(Note::Arrival, &Arriving { token: token.into(), fate: Fate::Waiting })?;
        let mut child = instance.launch(launch, Arrival::Migration)?;
        // QEMU outlives this thread and, if need be, this process; while both last, somebody must take its exit status.
        thread::spawn(move || child.wait());
        let waiting = self.await_waiting(instance, token, deadline);
        if waiting.is_err() {
            drop_process(instance)?;
        }
        waiting
    }

    fn await_waiting(
        &self,
        instance: &Instance,
        token: &str,
        deadline: Deadline,
    ) -> Result<String, AgentError> {
        let mut qmp = match instance.look(&instance.control_socket(), deadline)? {
            Sight::Seen(_, run_state, qmp) if run_state == "inmigrate" => qmp,
            Sight::Seen(_, run_state, _) => {
                return Err(AgentError::generic(format!("QEMU does not wait, it is '{run_state}'")));
            }
            Sight::Absent => {
                return Err(AgentError::generic(format!("QEMU ended: {}", instance.last_words())));
            }
            Sight::Unreachable(_, error) => return Err(AgentError::generic(format!("QEMU: {error}"))),
        };
        let uri = format!("unix:{}", self.incoming_socket(token).display());
        let capability = json!({ "capabilities": [{ "capability": "return-path", "state": true }] });
        let commands =
            [("migrate-set-capabilities", capability), ("migrate-incoming", json!({ "uri": uri }))];
        for (command, arguments) in commands {
            let done = qmp.execute(command, arguments, deadline);
            done.map_err(|error| AgentError::generic(format!("QEMU: {error}")))?;
        }
        Ok(uri)
    }

    /// Runs the guest: its source has given it up. `Absent` when it could not be run, and is dead for certain.
    fn commit(&self, instance: &Instance, token: &str) -> Result<Answer, AgentError> {
        let deadline = Deadline::after(SERVICE_LIMIT);
        let _lock = instance.lock(deadline)?;
        let arrival = Arriving { token: token.into(), fate: Fate::Waiting };
        if instance.note::<Arriving>(Note::Arrival).as_ref() != Some(&arrival) {
            return self.abandon_locked(instance, token);
        }
        let ran = await_loaded(instance, deadline).and_then(|mut qmp| {
            instance.write_note(Note::Arrival, &Arriving { fate: Fate::Arrived, ..arrival })?;
            run_guest(&mut qmp, deadline)
        });
        let Err(error) = ran else { return Ok(Answer::Running) };
        drop_process(instance)?;
        // It was allowed to run, but QEMU refused or is dead without having run it.
        instance.write_note(Note::Arrival, &Arriving { token: token.into(), fate: Fate::Abandoned })?;
        Ok(Answer::Absent { detail: error.reason })
    }

    /// Drops the guest unless it was committed. Says what is known about the migration; `Error` when that is nothing.
    fn abandon(&self, instance: &Instance, token: &str) -> Result<Answer, AgentError> {
        let _lock = instance.lock(Deadline::after(SERVICE_LIMIT))?;
        self.abandon_locked(instance, token)
    }

    fn abandon_locked(&self, instance: &Instance, token: &str) -> Result<Answer, AgentError> {
        let known = instance.note::<Arriving>(Note::Arrival).filter(|arrival| arrival.token == token);
        match known.map(|arrival| arrival.fate) {
            Some(Fate::Waiting) => {
                drop_process(instance)?;
                Ok(Answer::Absent { detail: "the guest was dropped".into() })
            }
            Some(Fate::Abandoned) => Ok(Answer::Absent { detail: "the guest had been dropped".into() }),
            Some(Fate::Arrived) => {
                resume_committed(instance);
                Ok(Answer::Running)
            }
            None => Err(AgentError::generic("this host knows nothing of that migration (any more)")),
        }
    }
}

/// Whether this is the name of a file in a folder, and of nothing else.
fn is_file_name(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('.') && !text.contains('/') && text.len() <= 64
}

fn reply(stream: &mut UnixStream, answer: &Answer) {
    // A sender that has hung up asks again, or has been told by the end of its connection.
    let _ = json_lines::send(stream, answer, Deadline::after(REQUEST_LIMIT));
}

/// Ends the QEMU that waits, and notes that its guest was dropped.
fn drop_process(instance: &Instance) -> Result<(), AgentError> {
    match instance.process()? {
        Some(process) => instance.kill(process),
        None => instance.clean(),
    }
}

/// Waits until QEMU has loaded the guest, which it then keeps paused.
fn await_loaded(instance: &Instance, deadline: Deadline) -> Result<Qmp, AgentError> {
    let failed = |error: QmpError| AgentError::generic(format!("QEMU on the target: {error}"));
    let mut qmp = Qmp::connect(&instance.control_socket(), deadline).map_err(failed)?;
    let loaded = deadline.poll(|| match qmp.run_state(deadline) {
        Ok(run_state) if run_state == "inmigrate" => None,
        Ok(run_state) if run_state == "paused" => Some(Ok(())),
        Ok(run_state) => Some(Err(format!("QEMU on the target is in the run state '{run_state}'"))),
        Err(error) => Some(Err(failed(error).reason)),
    });
    match loaded {
        Some(Ok(())) => Ok(qmp),
        Some(Err(reason)) => Err(AgentError::generic(reason)),
        None => Err(AgentError::generic("QEMU on the target did not load the guest in time")),
    }
}

fn run_guest(qmp: &mut Qmp, deadline: Deadline) -> Result<(), AgentError> {
    let failed =
        |error: QmpError| AgentError::generic(format!("QEMU on the target cannot run the guest: {error}"));
    qmp.execute("cont", Value::Null, deadline).map_err(failed)?;
    match qmp.run_state(deadline).map_err(failed)?.as_str() {
        "paused" | "prelaunch" | "inmigrate" => {
            Err(AgentError::generic("QEMU on the target keeps the guest paused"))
        }
        _ => Ok(()),
    }
}

/// A receiver that was killed between the permission and the act leaves the guest paused.
fn resume_committed(instance: &Instance) {
    let deadline = Deadline::after(SERVICE_LIMIT);
    if let Ok(Sight::Seen(_, run_state, mut qmp)) = instance.look(&instance.control_socket(), deadline)
        && run_state == "paused"
        && let Err(error) = qmp.execute("cont", Value::Null, deadline)
    {
        eprintln!("WARNING: receiver: {}: cannot resume the guest: {error}", instance.name());
    }
}
