//! Processes that a host keeps running, and their states.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use hafen_sys::{CommandHooks, PidFd, Signal};
use rustix::process::WaitStatus;

use super::control::{ServiceAction, ServiceAnswer};
use super::ready::Notifications;

/// The first pause before a service is started again; each further one is twice as long.
const PAUSE_MINIMUM: Duration = Duration::from_millis(200);
/// No pause is longer.
const PAUSE_MAXIMUM: Duration = Duration::from_secs(5);
/// A service that ran this long begins with the shortest pause again.
const STEADY: Duration = Duration::from_secs(10);
/// How long a service may take until it is ready, and until it has ended.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(60);
/// Requests that wait for one service at the same time, at most.
const WAITERS_MAXIMUM: usize = 32;

/// A program that a host runs by a name.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its name in the host's console log, and to those who start and stop it.
    pub name: &'static str,
    /// Its executable.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Its whole environment.
    pub environment: Vec<(String, String)>,
    /// It is started again whenever it ends in another way than with exit status 0.
    pub restart: bool,
    /// It says when it is ready (`READY=1` to `NOTIFY_SOCKET`); else it is when it runs.
    pub notifies: bool,
    /// It starts at the first boot.
    pub enabled: bool,
    /// What ends it when it is to be started again at once.
    pub restart_signal: Signal,
}

enum State {
    Stopped { why: Option<String> },
    Starting { pid: u32, handle: PidFd, until: Instant, ready: Notifications },
    Running { pid: u32, handle: PidFd, since: Instant },
    Stopping { pid: u32, handle: PidFd, until: Instant, again: bool },
    Waiting { due: Instant },
}

/// A service and its present run.
pub(super) struct Supervised {
    pub(super) service: Service,
    host: String,
    state: State,
    pause: Duration,
    /// Whether it is to start at the next boot.
    pub(super) enabled: bool,
    waiters: Vec<SyncSender<ServiceAnswer>>,
}

impl Supervised {
    pub(super) fn new(service: Service, host: &str, enabled: bool) -> Self {
        let state =
            if enabled { State::Waiting { due: Instant::now() } } else { State::Stopped { why: None } };
        Self { service, host: host.to_owned(), state, pause: PAUSE_MINIMUM, enabled, waiters: Vec::new() }
    }

    /// When something is to be done at the latest.
    pub(super) fn due(&self) -> Option<Instant> {
        match self.state {
            State::Waiting { due } => Some(due),
            State::Starting { until, .. } | State::Stopping { until, .. } => Some(until),
            State::Stopped { .. } | State::Running { .. } => None,
        }
    }

    /// What tells of its end, or that it is ready.
    pub(super) fn watched(&self) -> Vec<BorrowedFd<'_>> {
        match &self.state {
            State::Starting { handle, ready, .. } => {
                [Some(handle.as_fd()), ready.descriptor()].into_iter().flatten().collect()
            }
            State::Running { handle, .. } | State::Stopping { handle, .. } => vec![handle.as_fd()],
            State::Stopped { .. } | State::Waiting { .. } => Vec::new(),
        }
    }

    /// Does what is due.
    pub(super) fn look(&mut self, now: Instant) {
        match &mut self.state {
            State::Waiting { due } if now >= *due => self.start(now),
            State::Starting { ready, .. } if ready.is_ready() => self.is_ready(now),
            State::Starting { handle, until, .. } if now >= *until => {
                self.tell(&format!("is not ready after {} s: it is ended", CHANGE_TIMEOUT.as_secs()));
                let _ = self.signal(Signal::KILL);
                if let State::Starting { until, .. } = &mut self.state {
                    *until = now + CHANGE_TIMEOUT;
                }
            }
            State::Stopping { until, .. } if now >= *until => {
                self.tell("does not end: it is killed");
                let _ = self.signal(Signal::KILL);
                if let State::Stopping { until, .. } = &mut self.state {
                    *until = now + CHANGE_TIMEOUT;
                }
            }
            _ => {}
        }
    }

    fn is_ready(&mut self, now: Instant) {
        match std::mem::replace(&mut self.state, State::Stopped { why: None }) {
            State::Starting { pid, handle, .. } => {
                self.state = State::Running { pid, handle, since: now };
                self.answer(&ServiceAnswer::ok());
            }
            other => self.state = other,
        }
    }

    fn start(&mut self, now: Instant) {
        let started = Notifications::open(self.service.name, self.service.notifies).and_then(|ready| {
            let mut command = Command::new(&self.service.program);
            command.args(&self.service.arguments).env_clear();
            command.envs(self.service.environment.iter().map(|(name, value)| (name, value)));
            command.envs(ready.variable());
            command.stdin(Stdio::null()).current_dir("/").new_session();
            // The child is reaped with all others, by its id: its handle is not needed.
            let pid = command.spawn()?.id();
            Ok((pid, PidFd::open(pid)?, ready))
        });
        match started {
            Ok((pid, handle, ready)) => {
                self.state = State::Starting { pid, handle, until: now + CHANGE_TIMEOUT, ready };
                self.look(now);
            }
            Err(error) => self.failed(now, &format!("cannot be started: {error}")),
        }
    }

    /// A child has ended: perhaps this one.
    pub(super) fn ended(&mut self, child: u32, status: WaitStatus, now: Instant) {
        let (pid, since, again) = match &self.state {
            State::Starting { pid, .. } => (*pid, now, None),
            State::Running { pid, since, .. } => (*pid, *since, None),
            State::Stopping { pid, again, .. } => (*pid, now, Some(*again)),
            State::Stopped { .. } | State::Waiting { .. } => return,
        };
        if pid != child {
            return;
        }
        if let Some(again) = again {
            self.tell("was stopped");
            if again {
                self.start(now);
            } else {
                self.state = State::Stopped { why: None };
                self.answer(&ServiceAnswer::ok());
            }
            return;
        }
        let how = match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => format!("ended with exit status {code}"),
            (None, Some(signal)) => format!("was ended by signal {signal}"),
            (None, None) => "ended in an unknown way".to_owned(),
        };
        if now.duration_since(since) >= STEADY {
            self.pause = PAUSE_MINIMUM;
        }
        if status.exit_status() == Some(0) && matches!(self.state, State::Running { .. }) {
            self.tell("has ended in good order");
            self.state = State::Stopped { why: Some("it has ended in good order".to_owned()) };
            return;
        }
        self.failed(now, &how);
    }

    fn failed(&mut self, now: Instant, how: &str) {
        let error = ServiceAnswer::error(format!("{} {how}", self.service.name));
        self.answer(&error);
        if self.service.restart {
            self.tell(&format!("{how}; it starts again in {} ms", self.pause.as_millis()));
            self.state = State::Waiting { due: now + self.pause };
            self.pause = (self.pause * 2).min(PAUSE_MAXIMUM);
        } else {
            self.tell(how);
            self.state = State::Stopped { why: Some(how.to_owned()) };
        }
    }

    /// Does what somebody asks for, who is answered when it is done.
    pub(super) fn request(&mut self, action: ServiceAction, now: Instant, waiter: SyncSender<ServiceAnswer>) {
        if action == ServiceAction::Status {
            let _ = waiter.try_send(self.status());
            return;
        }
        if self.waiters.len() >= WAITERS_MAXIMUM {
            let _ = waiter.try_send(ServiceAnswer::error("too many wait for this service"));
            return;
        }
        self.waiters.push(waiter);
        self.enabled = action != ServiceAction::Stop;
        let stop = action != ServiceAction::Start;
        match &mut self.state {
            State::Running { .. } if !stop => self.answer(&ServiceAnswer::ok()),
            State::Starting { .. } if !stop => {}
            State::Running { .. } | State::Starting { .. } => {
                self.stop(now, action == ServiceAction::Restart)
            }
            State::Stopping { again, .. } => *again = action != ServiceAction::Stop,
            State::Stopped { .. } | State::Waiting { .. } if action == ServiceAction::Stop => {
                self.state = State::Stopped { why: None };
                self.answer(&ServiceAnswer::ok());
            }
            State::Stopped { .. } | State::Waiting { .. } => {
                self.pause = PAUSE_MINIMUM;
                self.start(now);
            }
        }
    }

    fn stop(&mut self, now: Instant, again: bool) {
        let _ = self.signal(if again { self.service.restart_signal } else { Signal::TERM });
        match std::mem::replace(&mut self.state, State::Stopped { why: None }) {
            State::Starting { pid, handle, .. } | State::Running { pid, handle, .. } => {
                self.state = State::Stopping { pid, handle, until: now + CHANGE_TIMEOUT, again };
            }
            other => self.state = other,
        }
    }

    fn signal(&self, signal: Signal) -> std::io::Result<()> {
        match &self.state {
            State::Starting { handle, .. }
            | State::Running { handle, .. }
            | State::Stopping { handle, .. } => handle.signal(signal),
            State::Stopped { .. } | State::Waiting { .. } => Ok(()),
        }
    }

    fn status(&self) -> ServiceAnswer {
        let (state, detail) = match &self.state {
            State::Running { pid, .. } => ("running", Some(format!("process {pid}"))),
            State::Starting { .. } => ("starting", None),
            State::Stopping { .. } => ("stopping", None),
            State::Waiting { .. } => ("restarting", None),
            State::Stopped { why } => ("stopped", why.clone()),
        };
        ServiceAnswer { result: state.to_owned(), detail }
    }

    fn answer(&mut self, answer: &ServiceAnswer) {
        for waiter in self.waiters.drain(..) {
            // Whoever asked may be gone.
            let _ = waiter.try_send(answer.clone());
        }
    }

    fn tell(&self, what: &str) {
        eprintln!("{}: {} {what}", self.host, self.service.name);
    }
}
