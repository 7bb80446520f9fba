//! Running agents: process groups, time limits, captured output.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use hafen_sys::{Announcement, AsyncPidFd, CommandHooks, PidFd, Signal};
use tokio::net::unix::pipe;
use tokio::time::{Instant, timeout_at};

use crate::capture::{Capture, exit_reason, last_line};
use crate::external;
use crate::family::FenceFamily;
use crate::fence::{self, FenceInvocation};
use crate::human::{BuiltIn, Waiting, built_in};
use crate::init;
use crate::name::{AgentClass, AgentName};
use crate::ocf::{self, Invocation};
use crate::outcome::{OcfExitCode, OpStatus, Outcome};
use crate::paths::AgentPaths;
use crate::secrets::{self, Secrets};
use crate::systemd;

/// How much of an agent's standard output is kept, in bytes. Of metadata more: see `METADATA_LENGTH_LIMIT_BYTES`.
pub const STDOUT_LIMIT_BYTES: usize = 32 * 1024;
/// How much of an agent's standard error is kept, in bytes: a quarter from its beginning, the rest from its end.
pub const STDERR_LIMIT_BYTES: usize = 16 * 1024;
/// How long an agent that has used up its time may take to end after SIGTERM, before SIGKILL.
pub const TERMINATE_GRACE: Duration = Duration::from_secs(2);
/// How long the kernel may take to end an agent after SIGKILL, before the outcome is reported without its end.
pub const KILL_WAIT: Duration = Duration::from_secs(5);

/// Agents, and how they are run.
#[derive(Clone, Debug, Default)]
pub struct Agents {
    /// Where they are.
    pub paths: AgentPaths,
    /// Variables that every agent gets besides those of its class.
    pub environment: BTreeMap<String, String>,
}

/// Where an agent announces its process before it begins.
#[derive(Clone, Debug)]
pub struct AnnounceTo {
    /// The file, opened to append.
    pub file: Arc<OwnedFd>,
    /// The record around the numbers.
    pub record: Announcement,
}

/// Why an agent does not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotStarted {
    /// What follows for its operation: an error, or (of class `stonith`) success without a process.
    pub outcome: Outcome,
    /// Whether it was not started because its process could not announce itself.
    pub could_not_announce: bool,
}

impl From<Outcome> for Box<NotStarted> {
    fn from(outcome: Outcome) -> Self {
        Box::new(NotStarted { outcome, could_not_announce: false })
    }
}

/// An agent that has been started.
#[derive(Debug)]
pub struct RunningAgent {
    work: Work,
    stdout: Stream,
    stderr: Stream,
    class: AgentClass,
    started: Instant,
    timeout: Duration,
    /// How the exit status is read, where it is not OCF's.
    reading: Option<init::Reading>,
    /// What is to be told beside the agent's own words.
    note: Option<String>,
    /// What is to be told by nobody.
    secrets: Secrets,
}

/// Who does it.
#[derive(Debug)]
enum Work {
    Process { child: Child, handle: AsyncPidFd },
    Human(Waiting),
}

impl Agents {
    /// Starts an action of a resource's agent, in a process group of its own. Must be called in a tokio runtime.
    ///
    /// The error is the outcome of an action that could not be started, or (class `stonith`) that needs no process.
    pub fn start(
        &self,
        invocation: &Invocation,
        announce: Option<AnnounceTo>,
    ) -> Result<RunningAgent, Box<NotStarted>> {
        let mut invocation = invocation.clone();
        let secrets = secrets::prepare(
            &self.paths.secrets,
            &invocation.resource,
            &mut invocation.parameters,
            invocation.task == "stop",
        )?;
        let running = self.start_with(&invocation, announce)?;
        Ok(RunningAgent { secrets, ..running })
    }

    fn start_with(
        &self,
        invocation: &Invocation,
        announce: Option<AnnounceTo>,
    ) -> Result<RunningAgent, Box<NotStarted>> {
        if let Some(unit) = systemd::instead(&self.paths, &invocation.agent) {
            return self.start_with(&Invocation { agent: unit, ..invocation.clone() }, announce);
        }
        match invocation.agent.class {
            AgentClass::Ocf => {
                let executable = self.paths.find(&invocation.agent).map_err(|error| error.outcome())?;
                let mut command = ocf::command(&executable, &self.paths.ocf_root, invocation);
                command.envs(&self.environment);
                spawn(command, &invocation.agent, invocation.timeout, STDOUT_LIMIT_BYTES, announce)
            }
            AgentClass::Lsb | AgentClass::Service | AgentClass::Heartbeat => {
                let executable = self.paths.find(&invocation.agent).map_err(|error| error.outcome())?;
                let (mut command, reading) = init::command(&executable, invocation)?;
                command.envs(&self.environment);
                let running =
                    spawn(command, &invocation.agent, invocation.timeout, STDOUT_LIMIT_BYTES, announce)?;
                Ok(RunningAgent { reading: Some(reading), ..running })
            }
            AgentClass::Systemd => {
                let mut command = systemd::command(&self.paths, &invocation.agent, &invocation.task);
                command.envs(&self.environment);
                spawn(command, &invocation.agent, invocation.timeout, STDOUT_LIMIT_BYTES, announce)
            }
            AgentClass::Stonith => match FenceInvocation::of_resource(invocation) {
                Some(fencing) => self.start_fence(&fencing, announce),
                None => Err(Outcome {
                    exit_reason: None,
                    ..Outcome::not_run(OcfExitCode::OK, OpStatus::Done, String::new())
                }
                .into()),
            },
        }
    }

    /// Starts an action of a configured fence device, as [`Agents::start_fence`] does; its secrets are kept.
    pub fn start_device(
        &self,
        device: &str,
        fencing: &FenceInvocation,
        announce: Option<AnnounceTo>,
    ) -> Result<RunningAgent, Box<NotStarted>> {
        let mut fencing = fencing.clone();
        let secrets = secrets::prepare(&self.paths.secrets, device, &mut fencing.parameters, false)?;
        let running = self.start_fence(&fencing, announce)?;
        Ok(RunningAgent { secrets, ..running })
    }

    /// Starts an action of a fence agent, in a process group of its own. Must be called in a tokio runtime.
    pub fn start_fence(
        &self,
        fencing: &FenceInvocation,
        announce: Option<AnnounceTo>,
    ) -> Result<RunningAgent, Box<NotStarted>> {
        let limit = if fencing.action == "metadata" {
            crate::METADATA_LENGTH_LIMIT_BYTES
        } else {
            STDOUT_LIMIT_BYTES
        };
        let (fencing, note) = fencing.of_today();
        let agent = AgentName::new("stonith", None, &fencing.agent).map_err(|error| {
            Outcome::not_run(OcfExitCode::NOT_CONFIGURED, OpStatus::Invalid, error.to_string())
        })?;
        let family = FenceFamily::of(&fencing.agent);
        if matches!(family, FenceFamily::Meatware | FenceFamily::Null) {
            return self.start_built_in(family, &agent, &fencing);
        }
        let executable = self.paths.find(&agent).map_err(|error| error.outcome())?;
        let command = match family {
            FenceFamily::External => external::command(&executable, &fencing),
            _ => fence::command(&executable, &fencing),
        };
        let command = command.map_err(|error| cannot_start(&agent, &error))?;
        let running = spawn(command, &agent, fencing.timeout, limit, announce)?;
        Ok(RunningAgent { note, ..running })
    }

    /// Starts an action of a device that needs no process.
    fn start_built_in(
        &self,
        family: FenceFamily,
        agent: &AgentName,
        fencing: &FenceInvocation,
    ) -> Result<RunningAgent, Box<NotStarted>> {
        let host = match built_in(family, fencing) {
            BuiltIn::Ended(outcome) => return Err(outcome.into()),
            BuiltIn::Human(host) => host,
        };
        let waiting = Waiting::begin(&self.paths.meatware, &host).map_err(|error| {
            let reason = format!("cannot wait for a human: {error}");
            Outcome::not_run(OcfExitCode::ERROR, OpStatus::Error, reason)
        })?;
        let nothing = || Stream { pipe: None, capture: Capture::new(STDOUT_LIMIT_BYTES, 0) };
        Ok(RunningAgent {
            work: Work::Human(waiting),
            stdout: nothing(),
            stderr: nothing(),
            class: agent.class,
            started: Instant::now(),
            timeout: fencing.timeout,
            reading: None,
            note: None,
            secrets: Secrets::default(),
        })
    }
}

fn cannot_start(agent: &AgentName, error: &io::Error) -> Outcome {
    let reason = format!("cannot start {agent}: {error}");
    match error.kind() {
        // The file was there a moment ago: its interpreter is missing.
        io::ErrorKind::NotFound => {
            Outcome::not_run(OcfExitCode::NOT_INSTALLED, OpStatus::NotInstalled, reason)
        }
        io::ErrorKind::PermissionDenied => {
            Outcome::not_run(OcfExitCode::INSUFFICIENT_PRIV, OpStatus::Error, reason)
        }
        _ => Outcome::not_run(OcfExitCode::ERROR, OpStatus::Error, reason),
    }
}

/// Errors that writing gives and that starting a program does not.
fn is_of_a_full_or_broken_disk(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    let known = matches!(
        error.kind(),
        Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge | Kind::ReadOnlyFilesystem
    );
    known || error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
}

/// Starts the command. `stdout_limit` in bytes.
pub(crate) fn spawn(
    mut command: Command,
    agent: &AgentName,
    timeout: Duration,
    stdout_limit: usize,
    announce: Option<AnnounceTo>,
) -> Result<RunningAgent, Box<NotStarted>> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).new_process_group();
    let announces = announce.is_some();
    if let Some(AnnounceTo { file, record }) = announce {
        command.announce(file, record);
    }
    let started = Instant::now();
    let child = command.spawn().map_err(|error| NotStarted {
        outcome: cannot_start(agent, &error),
        could_not_announce: announces && is_of_a_full_or_broken_disk(&error),
    });
    let mut child = child.map_err(Box::new)?;
    let mut parts = || -> io::Result<_> {
        let handle = AsyncPidFd::new(PidFd::open(child.id())?)?;
        let stdout = Stream::new(child.stdout.take().map(OwnedFd::from), Capture::new(stdout_limit, 0))?;
        let head = STDERR_LIMIT_BYTES / 4;
        let stderr = Stream::new(
            child.stderr.take().map(OwnedFd::from),
            Capture::new(head, STDERR_LIMIT_BYTES - head),
        )?;
        Ok((handle, stdout, stderr))
    };
    match parts() {
        Ok((handle, stdout, stderr)) => {
            let work = Work::Process { child, handle };
            Ok(RunningAgent {
                work,
                stdout,
                stderr,
                class: agent.class,
                started,
                timeout,
                reading: None,
                note: None,
                secrets: Secrets::default(),
            })
        }
        Err(error) => {
            // Out of descriptors: a process that cannot be watched must not go on.
            let _ = hafen_sys::kill_group(child.id(), Signal::KILL);
            let _ = child.wait();
            Err(cannot_start(agent, &error).into())
        }
    }
}

/// What ended first.
enum Waited {
    Ended,
    TimedOut,
}

impl RunningAgent {
    /// The id of the agent's process and of its process group; none where a human is waited for.
    pub fn pid(&self) -> Option<u32> {
        match &self.work {
            Work::Process { child, .. } => Some(child.id()),
            Work::Human(_) => None,
        }
    }

    /// Waits for the agent's end, at most for its time: then its whole process group gets SIGTERM, and SIGKILL after
    /// [`TERMINATE_GRACE`]. Processes that it put into other groups or sessions live on, and so do those in its group when
    /// it ended by itself: they are what it was to start.
    pub async fn end(mut self) -> Outcome {
        let secrets = std::mem::take(&mut self.secrets);
        let outcome = self.end_unmasked().await;
        let mask = |text: String| secrets.mask(&text);
        Outcome {
            exit_reason: outcome.exit_reason.map(mask),
            stdout: mask(outcome.stdout),
            stderr: mask(outcome.stderr),
            ..outcome
        }
    }

    async fn end_unmasked(mut self) -> Outcome {
        let deadline = self.started + self.timeout;
        match self.read_until_end(deadline).await {
            Waited::Ended => {
                let status = match &mut self.work {
                    Work::Process { child, .. } => child.wait(),
                    Work::Human(_) => Ok(ExitStatus::default()),
                };
                self.stdout.drain();
                self.stderr.drain();
                self.outcome_of(status)
            }
            Waited::TimedOut => {
                self.kill().await;
                let reason = match &self.work {
                    Work::Process { .. } => format!("timed out after {} ms", self.timeout.as_millis()),
                    Work::Human(waiting) => {
                        let (host, time_ms) = (&waiting.host, self.timeout.as_millis());
                        format!("nobody ran `meatclient -c {host}` within {time_ms} ms")
                    }
                };
                self.outcome(OcfExitCode::ERROR, OpStatus::Timeout, Some(reason))
            }
        }
    }

    async fn read_until_end(&mut self, deadline: Instant) -> Waited {
        loop {
            let ended = async {
                match &mut self.work {
                    Work::Process { handle, .. } => handle.ended().await.map(drop),
                    Work::Human(waiting) => waiting.confirmed().await,
                }
            };
            tokio::select! {
                biased;
                ready = ended => match ready {
                    Ok(()) => return Waited::Ended,
                    Err(_) => return Waited::TimedOut,
                },
                () = tokio::time::sleep_until(deadline) => return Waited::TimedOut,
                () = self.stdout.read(), if self.stdout.is_open() => {}
                () = self.stderr.read(), if self.stderr.is_open() => {}
            }
        }
    }

    /// Ends the whole process group. The leader is taken last: as long as it is a zombie, nobody else can get its id.
    async fn kill(&mut self) {
        let Some(group) = self.pid() else { return };
        let _ = hafen_sys::kill_group(group, Signal::TERM);
        let _ = self.read_until_end(Instant::now() + TERMINATE_GRACE).await;
        let _ = hafen_sys::kill_group(group, Signal::KILL);
        if let Work::Process { child, handle } = &mut self.work
            && timeout_at(Instant::now() + KILL_WAIT, handle.ended()).await.is_ok()
        {
            let _ = child.wait();
        }
        self.stdout.drain();
        self.stderr.drain();
    }

    fn outcome_of(self, status: io::Result<ExitStatus>) -> Outcome {
        let (class, reading) = (self.class, self.reading);
        let (rc, op_status, reason) = match status.map(|status| (status.code(), status.signal())) {
            Ok((Some(code), _)) => (OcfExitCode(code as u8), OpStatus::Done, None),
            Ok((None, signal)) => {
                let reason = format!("the agent was killed by signal {}", signal.unwrap_or_default());
                (OcfExitCode::ERROR, OpStatus::Error, Some(reason))
            }
            Err(error) => {
                (OcfExitCode::ERROR, OpStatus::Error, Some(format!("the agent's end was lost: {error}")))
            }
        };
        let note = self.note.clone();
        let mut outcome = self.outcome(rc, op_status, reason);
        if let (Some(reading), OpStatus::Done) = (reading, op_status) {
            outcome.rc = reading(&outcome);
        }
        if let Some(note) = note {
            outcome.stderr = format!("{note}\n{}", outcome.stderr);
        }
        if class == AgentClass::Stonith && rc != OcfExitCode::OK && outcome.exit_reason.is_none() {
            outcome.exit_reason = last_line(&outcome.stderr);
        }
        outcome
    }

    fn outcome(self, rc: OcfExitCode, status: OpStatus, reason: Option<String>) -> Outcome {
        let stdout_truncated = self.stdout.capture.is_truncated();
        let (stdout, stderr) = (self.stdout.capture.into_text(), self.stderr.capture.into_text());
        let exit_reason = match (reason, exit_reason(&stderr)) {
            (Some(ours), Some(theirs)) => Some(format!("{ours}: {theirs}")),
            (ours, theirs) => ours.or(theirs),
        };
        Outcome {
            rc,
            status,
            exit_reason,
            stdout,
            stderr,
            stdout_truncated,
            exec_time: self.started.elapsed(),
        }
    }
}

/// The reading end of a pipe that an agent, or what it leaves behind, writes to.
#[derive(Debug)]
struct Stream {
    pipe: Option<pipe::Receiver>,
    capture: Capture,
}

/// How much is read at once, in bytes.
const READ_LENGTH: usize = 4096;
/// How much is still read after the agent's end, in bytes: a pipe's content, and not what a left process goes on to write.
const DRAIN_LIMIT_BYTES: usize = 128 * 1024;

impl Stream {
    fn new(pipe: Option<OwnedFd>, capture: Capture) -> io::Result<Self> {
        Ok(Self { pipe: pipe.map(pipe::Receiver::from_owned_fd).transpose()?, capture })
    }

    fn is_open(&self) -> bool {
        self.pipe.is_some()
    }

    async fn read(&mut self) {
        if let Some(pipe) = &self.pipe
            && pipe.readable().await.is_err()
        {
            self.pipe = None;
        }
        self.take();
    }

    /// Takes what is there, at most [`READ_LENGTH`]. How many bytes, 0 when nothing is there now or ever.
    fn take(&mut self) -> usize {
        let mut buffer = [0; READ_LENGTH];
        let Some(pipe) = &self.pipe else { return 0 };
        match pipe.try_read(&mut buffer) {
            Ok(length) if length > 0 => {
                self.capture.push(&buffer[..length]);
                length
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => 0,
            _ => {
                self.pipe = None;
                0
            }
        }
    }

    fn drain(&mut self) {
        let mut taken = 0;
        while taken < DRAIN_LIMIT_BYTES {
            match self.take() {
                0 => return,
                length => taken += length,
            }
        }
    }
}
