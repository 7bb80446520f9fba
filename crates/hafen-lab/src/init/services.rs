//! Processes that a host keeps running.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hafen_sys::CommandHooks;
use rustix::process::WaitStatus;

/// The first pause before a service is started again; each further one is twice as long.
const PAUSE_MINIMUM: Duration = Duration::from_millis(200);
/// No pause is longer.
const PAUSE_MAXIMUM: Duration = Duration::from_secs(5);
/// A service that ran this long begins with the shortest pause again.
const STEADY: Duration = Duration::from_secs(10);

/// A process that is started again whenever it ends in another way than with exit status 0.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its name in the host's console log.
    pub name: &'static str,
    /// Its executable.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Its whole environment.
    pub environment: Vec<(String, String)>,
}

/// A service and its present run.
pub(super) struct Running {
    service: Service,
    pid: Option<u32>,
    started: Option<Instant>,
    due: Option<Instant>,
    pause: Duration,
}

impl Running {
    pub(super) fn new(service: Service) -> Self {
        Self { service, pid: None, started: None, due: Some(Instant::now()), pause: PAUSE_MINIMUM }
    }

    /// When it is to be started; none while it runs.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    pub(super) fn start_if_due(&mut self, now: Instant, host: &str) {
        if self.due.is_none_or(|due| now < due) {
            return;
        }
        let mut command = Command::new(&self.service.program);
        command.args(&self.service.arguments).env_clear();
        command.envs(self.service.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).current_dir("/").new_session();
        // The child is reaped with all others, by its id: the handle is not needed.
        match command.spawn() {
            Ok(child) => {
                (self.pid, self.started, self.due) = (Some(child.id()), Some(now), None);
            }
            Err(error) => {
                eprintln!("{host}: {} cannot be started: {error}", self.service.name);
                self.delay(now);
            }
        }
    }

    pub(super) fn ended(&mut self, pid: u32, status: WaitStatus, now: Instant, host: &str) {
        if self.pid != Some(pid) {
            return;
        }
        let how = match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => format!("with exit status {code}"),
            (None, Some(signal)) => format!("by signal {signal}"),
            (None, None) => "in an unknown way".to_owned(),
        };
        if self.started.is_some_and(|started| now.duration_since(started) >= STEADY) {
            self.pause = PAUSE_MINIMUM;
        }
        self.pid = None;
        if status.exit_status() == Some(0) {
            eprintln!("{host}: {} has ended in good order", self.service.name);
            return;
        }
        eprintln!(
            "{host}: {} ended {how}; it starts again in {} ms",
            self.service.name,
            self.pause.as_millis()
        );
        self.delay(now);
    }

    fn delay(&mut self, now: Instant) {
        self.due = Some(now + self.pause);
        self.pause = (self.pause * 2).min(PAUSE_MAXIMUM);
    }
}
