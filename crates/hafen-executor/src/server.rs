//! The executor's process: the loop that carries out what the engine decides.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hafen_agents::{Agents, FenceInvocation, Invocation, NotStarted, Outcome, RunningAgent, metadata_of};
use hafen_sys::{ProcessIdentity, become_subreaper, boot_id, reap_child};
use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::sleep_until;
use tracing::{error, info, warn};

use crate::connection::{DaemonConnection, Incoming, serve};
use crate::engine::{Engine, Input, Now, Output};
use crate::guard::Guard;
use crate::journal::Journal;
use crate::ledger::RunOfAgent;
use crate::recovery::end_left_processes;
use crate::watchdog::WatchdogConfig;
use crate::wire::{
    End, Event, FenceOperation, Operation, OperationKey, PROTOCOL_VERSION, Request, STDERR_EXCERPT_BYTES,
    STDOUT_EXCERPT_BYTES,
};

/// What an executor is to do.
#[derive(Clone, Debug)]
pub struct ExecutorConfig {
    /// Its socket. A file of that name that nobody listens on is replaced.
    pub socket: PathBuf,
    /// Its journal. Best on a file system that does not survive the host, such as `/run`.
    pub journal: PathBuf,
    /// Where agents are.
    pub agents: Agents,
    /// Agents of resources that run at the same time, at most. Fence agents do not count.
    pub concurrent_runs_limit: usize,
    /// The host's watchdog, if it has one.
    pub watchdog: Option<WatchdogConfig>,
    /// How long the watchdog is fed without a word of the daemon, in milliseconds.
    pub daemon_restart_timeout_ms: u64,
}

/// Why an executor cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ExecutorError {
    /// The journal.
    #[error("the executor's journal {}: {source}", .path.display())]
    Journal {
        /// Its file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The socket.
    #[error("the executor's socket {}: {source}", .path.display())]
    Socket {
        /// Its file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The system.
    #[error("the executor cannot be set up: {0}")]
    System(#[from] io::Error),
}

/// Runs an executor in this process until it is told to end. Blocks; to be called outside of any tokio runtime. It takes the exit
/// status of every child of this process.
pub fn run(config: ExecutorConfig) -> Result<(), ExecutorError> {
    become_subreaper()?;
    let journal_error = |source| ExecutorError::Journal { path: config.journal.clone(), source };
    let (mut journal, replay) = Journal::open(&config.journal).map_err(journal_error)?;
    if replay.records_lost > 0 {
        warn!(records = replay.records_lost, "records of the journal could not be read");
    }
    for group in end_left_processes(&replay.ledger)? {
        error!(group, "a process group of a lost executor does not end");
    }
    let clock = Clock(Instant::now());
    let (engine, recovered) = Engine::recover(replay.ledger, config.concurrent_runs_limit, clock.now());
    if let Err(error) = journal.compact(engine.ledger()) {
        warn!(%error, "the journal could not be rewritten");
    }
    let welcome = Event::Welcome {
        protocol: PROTOCOL_VERSION,
        executor_pid: std::process::id(),
        boot_id: boot_id()?,
        recovered: recovered.clone(),
        journal_records_lost: replay.records_lost,
    };
    log_recovered(&recovered);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = listen(&config.socket)
            .await
            .map_err(|source| ExecutorError::Socket { path: config.socket.clone(), source })?;
        let (ended, ends) = mpsc::unbounded_channel();
        let guard = Guard::start(&config, &boot_id()?)?;
        let shell = Shell {
            guard,
            engine,
            journal,
            agents: config.agents,
            clock,
            welcome,
            ended,
            daemon: None,
            own: BTreeSet::new(),
            metadata_runs: 0,
        };
        let result = shell.run(listener, ends).await;
        let _ = fs::remove_file(&config.socket);
        result
    })
}

fn log_recovered(recovered: &[OperationKey]) {
    for OperationKey { resource, task, interval_ms } in recovered {
        warn!(resource, task, interval_ms, "a lost executor left this operation under way");
    }
}

async fn listen(socket: &Path) -> io::Result<UnixListener> {
    if UnixStream::connect(socket).await.is_ok() {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "another executor listens there"));
    }
    match fs::remove_file(socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    if let Some(folder) = socket.parent() {
        fs::create_dir_all(folder)?;
    }
    let listener = UnixListener::bind(socket)?;
    fs::set_permissions(socket, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

#[derive(Clone, Copy, Debug)]
struct Clock(Instant);

impl Clock {
    fn now(self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { monotonic_ms: self.0.elapsed().as_millis() as u64, wall_seconds: wall.as_secs() }
    }

    fn instant(self, monotonic_ms: u64) -> Instant {
        self.0 + Duration::from_millis(monotonic_ms)
    }
}

/// An agent has ended.
#[derive(Debug)]
enum Ended {
    Run { run: u64, pid: Option<u32>, end: End },
    Metadata { connection: u64, request_id: u64, pid: Option<u32>, outcome: Result<String, String> },
}

struct Shell {
    guard: Guard,
    engine: Engine,
    journal: Journal,
    agents: Agents,
    clock: Clock,
    welcome: Event,
    ended: mpsc::UnboundedSender<Ended>,
    daemon: Option<DaemonConnection>,
    /// Processes that somebody here waits for; other children are orphans that were adopted.
    own: BTreeSet<u32>,
    metadata_runs: usize,
}

/// Requests that wait to be handled, at most.
const QUEUED_REQUESTS_LIMIT: usize = 64;
/// Connections at the same time, at most.
const CONNECTIONS_LIMIT: usize = 16;
/// Agents that are asked for their metadata at the same time, at most.
const METADATA_RUNS_LIMIT: usize = 16;
/// How long the last events may take to be sent at the end.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(200);

impl Shell {
    async fn run(
        mut self,
        listener: UnixListener,
        mut ends: mpsc::UnboundedReceiver<Ended>,
    ) -> Result<(), ExecutorError> {
        let (incoming, mut requests) = mpsc::channel(QUEUED_REQUESTS_LIMIT);
        let mut connections: BTreeMap<u64, JoinHandle<()>> = BTreeMap::new();
        let mut next_connection = 0;
        let mut children = signal(SignalKind::child())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut terminations = 0;
        info!(pid = std::process::id(), "the executor accepts a daemon");
        loop {
            if self.carry_out() {
                tokio::time::sleep(FLUSH_TIMEOUT).await;
                return Ok(());
            }
            self.tend_watchdog();
            let due = self.engine.poll_timeout().into_iter().chain(self.guard.due_ms(self.clock.now())).min();
            let due = due.map(|at_ms| self.clock.instant(at_ms));
            tokio::select! {
                accepted = listener.accept(), if connections.len() < CONNECTIONS_LIMIT => {
                    if let Ok((stream, _)) = accepted && is_allowed(&stream) {
                        next_connection += 1;
                        connections.insert(next_connection, serve(next_connection, stream, incoming.clone()));
                    }
                }
                Some(request) = requests.recv() => {
                    if let Incoming::Closed(id, _) = &request {
                        connections.remove(id);
                    }
                    if let Some(id) = self.incoming(request) && let Some(task) = connections.remove(&id) {
                        task.abort();
                    }
                }
                Some(ended) = ends.recv() => self.ended(ended),
                _ = children.recv() => self.reap_orphans(),
                _ = terminate.recv() => {
                    terminations += 1;
                    if terminations > 1 {
                        return Ok(());
                    }
                    info!("told to end: operations under way are awaited");
                    self.feed(Input::Request(Request::Shutdown));
                }
                () = until(due) => self.feed(Input::Timeout),
            }
        }
    }

    fn feed(&mut self, input: Input) {
        self.engine.handle(self.clock.now(), input);
    }

    /// Arms, feeds or disarms the watchdog.
    fn tend_watchdog(&mut self) {
        let now = self.clock.now();
        let may_feed = self.engine.allows_watchdog(now, self.guard.daemon_restart_timeout_ms);
        if let Some(refusal) = self.guard.tend(now, may_feed) {
            self.feed(Input::StartsRefused(refusal));
        }
    }

    /// Handles what came from a connection. The connection that is to be ended, if any.
    fn incoming(&mut self, incoming: Incoming) -> Option<u64> {
        match incoming {
            Incoming::Daemon(id, write) => {
                let before = self.daemon.replace(DaemonConnection::new(id, write));
                info!(replaced = before.is_some(), "a daemon has connected");
                let welcome = self.welcome.clone();
                self.tell(&welcome);
                self.feed(Input::Connected);
                before.map(|before| before.id)
            }
            Incoming::Request(id, request) if self.daemon.as_ref().is_some_and(|daemon| daemon.id == id) => {
                match request {
                    Request::Metadata { request_id, agent } => self.start_metadata(id, request_id, &agent),
                    request => {
                        if let Request::Report { watchdog_timeout_ms: Some(timeout_ms), .. } = request {
                            self.guard.want(timeout_ms);
                        }
                        self.feed(Input::Request(request));
                        // What follows may be a start.
                        self.tend_watchdog();
                    }
                }
                None
            }
            Incoming::Request(..) => None,
            Incoming::Closed(id, reason) => {
                if self.daemon.as_ref().is_some_and(|daemon| daemon.id == id) {
                    info!(reason, "the daemon is gone; operations go on");
                    self.daemon = None;
                }
                None
            }
        }
    }

    fn tell(&mut self, event: &Event) {
        if let Some(daemon) = &self.daemon
            && let Err(error) = daemon.send(event)
        {
            warn!(%error, "the daemon does not take events: it loses its connection");
            self.daemon = None;
        }
    }

    /// Carries out what the engine wants. Whether the executor is to end.
    fn carry_out(&mut self) -> bool {
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::RecordAcceptance(call_id, record) => {
                    let written = self.journal.append(&record).map_err(|error| error.to_string());
                    self.feed(Input::Recorded(call_id, written));
                }
                Output::Record(record) => {
                    if let Err(error) = self.journal.append(&record) {
                        error!(%error, "the journal cannot be written");
                    }
                }
                Output::Run(run, call_id, operation) => self.run_agent(run, call_id, operation),
                Output::RunFence(run, call_id, operation) => self.run_fence_agent(run, call_id, operation),
                Output::Send(event) => self.tell(&event),
                Output::Exit => return true,
            }
        }
        if self.journal.wants_compaction()
            && let Err(error) = self.journal.compact(self.engine.ledger())
        {
            warn!(%error, "the journal could not be rewritten");
        }
        false
    }

    fn run_agent(&mut self, run: u64, call_id: u64, operation: Operation) {
        let may_run_unrecorded = operation.may_run_unrecorded();
        let Operation { resource, agent, task, timeout_ms, parameters, meta, .. } = operation;
        let timeout = Duration::from_millis(timeout_ms);
        let invocation = Invocation { agent, resource, task, parameters, meta, timeout };
        let agents = self.agents.clone();
        self.start(run, call_id, may_run_unrecorded, |announce| agents.start(&invocation, announce));
    }

    fn run_fence_agent(&mut self, run: u64, call_id: u64, operation: FenceOperation) {
        let FenceOperation { device, agent, action, target, port, parameters, timeout_ms, .. } = operation;
        let timeout = Duration::from_millis(timeout_ms);
        let fencing = FenceInvocation { agent, action, target, port, parameters, timeout };
        let agents = self.agents.clone();
        self.start(run, call_id, true, |announce| agents.start_device(&device, &fencing, announce));
    }

    fn start(
        &mut self,
        run: u64,
        call_id: u64,
        may_run_unrecorded: bool,
        start: impl Fn(Option<hafen_agents::AnnounceTo>) -> Result<RunningAgent, Box<NotStarted>>,
    ) {
        let started_at_seconds = self.clock.now().wall_seconds;
        let mut started = match self.journal.announcement(run, call_id) {
            Ok(announce) => start(Some(announce)),
            Err(error) => {
                return self.feed(Input::Ended(run, End::not_recorded(&error.to_string(), self.clock.now())));
            }
        };
        if started.as_ref().is_err_and(|not_started| not_started.could_not_announce) {
            let _ = self.journal.cut_torn_line();
            started = match started {
                _ if may_run_unrecorded => start(None),
                Err(not_started) => {
                    let reason = not_started.outcome.exit_reason.unwrap_or_default();
                    return self.feed(Input::Ended(run, End::not_recorded(&reason, self.clock.now())));
                }
                Ok(running) => Ok(running),
            };
        }
        match started {
            Ok(running) => self.watch(run, call_id, running, started_at_seconds),
            Err(not_started) => self.feed(Input::Ended(run, end_of(not_started.outcome, started_at_seconds))),
        }
    }

    fn watch(&mut self, run: u64, call_id: u64, running: RunningAgent, started_at_seconds: u64) {
        let pid = running.pid();
        self.own.extend(pid);
        if let Some(Ok(ProcessIdentity { pid, start_time_ticks })) = pid.map(ProcessIdentity::of) {
            self.feed(Input::Started(run, RunOfAgent { call_id, pid, start_time_ticks }));
        }
        let ended = self.ended.clone();
        tokio::spawn(async move {
            let end = end_of(running.end().await, started_at_seconds);
            let _ = ended.send(Ended::Run { run, pid, end });
        });
    }

    fn start_metadata(&mut self, connection: u64, request_id: u64, agent: &hafen_agents::AgentName) {
        if self.metadata_runs >= METADATA_RUNS_LIMIT {
            let outcome = Err("too many agents are asked for their metadata at the same time".to_owned());
            return self.tell(&Event::Metadata { request_id, outcome });
        }
        let ended = self.ended.clone();
        match self.agents.start_metadata(agent) {
            Ok(running) => {
                let (pid, agent) = (running.pid(), agent.clone());
                self.own.extend(pid);
                self.metadata_runs += 1;
                tokio::spawn(async move {
                    let outcome = metadata_of(&agent, running.end().await).map_err(|error| error.to_string());
                    let _ = ended.send(Ended::Metadata { connection, request_id, pid, outcome });
                });
            }
            Err(not_started) => {
                let outcome = metadata_of(agent, not_started.outcome).map_err(|error| error.to_string());
                self.tell(&Event::Metadata { request_id, outcome });
            }
        }
    }

    fn ended(&mut self, ended: Ended) {
        match ended {
            Ended::Run { run, pid, end } => {
                self.own.retain(|own| Some(*own) != pid);
                self.feed(Input::Ended(run, end));
            }
            Ended::Metadata { connection, request_id, pid, outcome } => {
                self.own.retain(|own| Some(*own) != pid);
                self.metadata_runs -= 1;
                if self.daemon.as_ref().is_some_and(|daemon| daemon.id == connection) {
                    self.tell(&Event::Metadata { request_id, outcome });
                }
            }
        }
        // An orphan may have ended while its parent was still waited for.
        self.reap_orphans();
    }

    /// Takes the exit status of adopted processes.
    fn reap_orphans(&self) {
        for pid in adopted_children().into_iter().filter(|pid| !self.own.contains(pid)) {
            let _ = reap_child(pid);
        }
    }
}

/// The children of this process, whichever of its threads got them.
fn adopted_children() -> Vec<u32> {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let children = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let pids =
        |line: String| line.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>();
    children.flat_map(pids).collect()
}

/// The socket's mode keeps others out already; this also holds where the file was made reachable.
fn is_allowed(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == 0 || peer.uid() == own)
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

/// An outcome as it goes over the wire.
fn end_of(outcome: Outcome, started_at_seconds: u64) -> End {
    let Outcome { rc, status: op_status, exit_reason, stdout, stderr, exec_time, .. } = outcome;
    let stdout = beginning(&stdout, STDOUT_EXCERPT_BYTES).to_owned();
    let stderr = ending(&stderr, STDERR_EXCERPT_BYTES).to_owned();
    End {
        rc,
        op_status,
        exit_reason,
        stdout,
        stderr,
        started_at_seconds,
        exec_time_ms: exec_time.as_millis() as u64,
    }
}

fn beginning(text: &str, limit_bytes: usize) -> &str {
    let cut = (0..=limit_bytes.min(text.len())).rev().find(|cut| text.is_char_boundary(*cut));
    &text[..cut.unwrap_or_default()]
}

fn ending(text: &str, limit_bytes: usize) -> &str {
    let cut = (text.len().saturating_sub(limit_bytes)..=text.len()).find(|cut| text.is_char_boundary(*cut));
    &text[cut.unwrap_or_default()..]
}
