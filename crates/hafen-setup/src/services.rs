//! Starting, stopping and asking after `corosync`, `corosync-qdevice` and `hafen`, and the tools of Corosync.

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::{Paths, SetupError, disk};

/// How long starting or stopping a service may take.
const SERVICE_TIMEOUT: Duration = Duration::from_secs(90);
/// How long a tool of Corosync may take.
const TOOL_TIMEOUT: Duration = Duration::from_secs(20);
/// Between two looks at a program that runs.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);
/// No more is read of what a program prints (64 KiB).
const OUTPUT_BYTES_MAXIMUM: u64 = 64 << 10;

/// A service of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Corosync itself.
    Corosync,
    /// Its link to a quorum device.
    QuorumDevice,
    /// Hafen's daemon.
    Hafen,
}

impl Service {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Corosync => "corosync",
            Self::QuorumDevice => "corosync-qdevice",
            Self::Hafen => "hafen",
        }
    }
}

/// Who starts services on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Manager {
    /// systemd runs.
    Systemd,
    /// The program that `/etc/hafen/service-command` names: `PROGRAM start|stop|restart|status NAME`.
    Program(PathBuf),
    /// Nobody: the user must.
    Nobody,
}

/// Services and tools of this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Services {
    manager: Manager,
    /// Searched for tools before `PATH`.
    tools: Option<PathBuf>,
}

/// What a program said.
#[derive(Debug, Clone)]
pub struct Said {
    /// How it ended.
    pub status: ExitStatus,
    /// Its output, and behind it what it wrote to standard error.
    pub text: String,
}

impl Services {
    /// Looks who starts services here.
    ///
    /// # Errors
    /// When the file that names a program cannot be read.
    pub fn find(paths: &Paths) -> Result<Self, SetupError> {
        let file = paths.service_command();
        let manager = if let Some(text) = disk::read_text_optional(&file)? {
            let program = PathBuf::from(text.trim());
            if !program.is_absolute() {
                return Err(SetupError::state(
                    format!("{} names no program: '{}'", file.display(), text.trim()),
                    "It holds the absolute path of a program that takes 'start NAME', 'stop NAME', 'status NAME'",
                ));
            }
            Manager::Program(program)
        } else if paths.at("/run/systemd/system").is_dir() {
            Manager::Systemd
        } else {
            Manager::Nobody
        };
        Ok(Self { manager, tools: None })
    }

    /// With tools of Corosync in this folder, where they are there.
    #[must_use]
    pub fn with_tools(mut self, folder: impl Into<PathBuf>) -> Self {
        self.tools = Some(folder.into());
        self
    }

    /// Who starts services here.
    pub fn manager(&self) -> &Manager {
        &self.manager
    }

    /// Starts a service, now and at every boot; one that runs stays as it is.
    ///
    /// # Errors
    /// When it does not start, with what was said about it.
    pub fn start(&self, service: Service) -> Result<(), SetupError> {
        if self.runs(service)? {
            return Ok(());
        }
        if self.manager == Manager::Systemd {
            self.order(&["enable"], service)?;
        }
        self.order(&["start"], service)
    }

    /// Stops a service that may have stopped already; it does not come back at a boot.
    ///
    /// # Errors
    /// When it does not stop.
    pub fn stop(&self, service: Service) -> Result<(), SetupError> {
        if self.manager == Manager::Systemd {
            self.order(&["disable"], service)?;
        } else if !self.runs(service)? {
            return Ok(());
        }
        self.order(&["stop"], service)
    }

    /// Stops and starts a service.
    ///
    /// # Errors
    /// When that fails.
    pub fn restart(&self, service: Service) -> Result<(), SetupError> {
        self.order(&["restart"], service)
    }

    /// Whether a service runs.
    ///
    /// # Errors
    /// When nobody can tell.
    pub fn runs(&self, service: Service) -> Result<bool, SetupError> {
        let said = match &self.manager {
            Manager::Systemd => run("systemctl", &["is-active", "--quiet", service.name()], SERVICE_TIMEOUT)?,
            Manager::Program(program) => run(program, &["status", service.name()], SERVICE_TIMEOUT)?,
            Manager::Nobody => return Err(nobody("look after", service)),
        };
        Ok(said.status.success())
    }

    fn order(&self, words: &[&str], service: Service) -> Result<(), SetupError> {
        let mut arguments = words.to_vec();
        arguments.push(service.name());
        let program: &Path = match &self.manager {
            Manager::Systemd => Path::new("systemctl"),
            Manager::Program(program) => program,
            Manager::Nobody => return Err(nobody(words[0], service)),
        };
        let said = run(program, &arguments, SERVICE_TIMEOUT)?;
        if said.status.success() {
            return Ok(());
        }
        let look = match self.manager {
            Manager::Systemd => format!("Look at 'systemctl status {}' and its log", service.name()),
            _ => format!("Look at the log of {}", service.name()),
        };
        Err(SetupError::state(
            format!("{} {}: {}", program.display(), arguments.join(" "), summary(&said)),
            look,
        ))
    }

    /// Runs a tool of Corosync (`corosync-cfgtool`, ...).
    ///
    /// # Errors
    /// When it is not installed, or does not end in time.
    pub fn tool(&self, name: &str, arguments: &[&str]) -> Result<Said, SetupError> {
        let own = self.tools.as_ref().map(|folder| folder.join(name)).filter(|path| path.exists());
        run(own.unwrap_or_else(|| PathBuf::from(name)), arguments, TOOL_TIMEOUT)
    }

    /// Has the Corosync of every host read its corosync.conf again.
    ///
    /// # Errors
    /// When Corosync does not take it.
    pub fn reload_corosync(&self) -> Result<(), SetupError> {
        let said = self.tool("corosync-cfgtool", &["-R"])?;
        if said.status.success() {
            return Ok(());
        }
        Err(SetupError::state(
            format!("Corosync did not take the new configuration: {}", summary(&said)),
            "Look at Corosync's log",
        ))
    }

    /// Has Corosync read a configuration without acting on it.
    ///
    /// # Errors
    /// With what Corosync finds wrong in it.
    pub fn test_corosync_conf(&self, file: &Path) -> Result<(), SetupError> {
        let file = file.to_string_lossy();
        let said = self.tool("corosync", &["-t", "-c", &file])?;
        if said.status.success() {
            return Ok(());
        }
        Err(SetupError::state(
            format!("Corosync refuses the configuration: {}", summary(&said)),
            "Nothing was changed",
        ))
    }

    /// The numbers of the hosts that this host's Corosync sees, itself among them; none while it does not answer.
    ///
    /// # Errors
    /// When its tool is not installed.
    pub fn ring_members(&self) -> Result<Vec<u32>, SetupError> {
        let said = self.tool("corosync-cmapctl", &["-b", "runtime.members."])?;
        let joined = said.text.lines().filter_map(|line| {
            let (key, value) = line.split_once(" (str) = ")?;
            let id = key.strip_prefix("runtime.members.")?.strip_suffix(".status")?;
            (value.trim() == "joined").then(|| id.parse().ok())?
        });
        let mut ids: Vec<u32> = joined.collect();
        ids.sort_unstable();
        Ok(ids)
    }

    /// Whether this host's Corosync has quorum; none while it does not answer.
    ///
    /// # Errors
    /// When its tool is not installed.
    pub fn quorate(&self) -> Result<Option<bool>, SetupError> {
        let said = self.tool("corosync-quorumtool", &["-s"])?;
        let line = said.text.lines().find_map(|line| line.strip_prefix("Quorate:"));
        Ok(line.map(|word| word.trim() == "Yes"))
    }
}

fn nobody(verb: &str, service: Service) -> SetupError {
    let name = service.name();
    SetupError::state(
        format!("no systemd runs here, and /etc/hafen/service-command names no program to {verb} {name}"),
        format!(
            "Do that by hand, or name a program there that is called as 'PROGRAM start {name}', then try again"
        ),
    )
}

/// What a program said, in one line.
fn summary(said: &Said) -> String {
    let lines: Vec<&str> = said.text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let tail = lines[lines.len().saturating_sub(3)..].join("; ");
    if tail.is_empty() { said.status.to_string() } else { tail }
}

/// Runs a program to its end, or ends it.
fn run(program: impl AsRef<OsStr>, arguments: &[&str], timeout: Duration) -> Result<Said, SetupError> {
    let path = PathBuf::from(program.as_ref());
    let child = Command::new(&path)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.map_err(SetupError::system("run", &path))?;
    let output = gather(child.stdout.take());
    let errors = gather(child.stderr.take());
    let status = wait(&mut child, timeout).map_err(SetupError::system("await", &path))?;
    let Some(status) = status else {
        return Err(SetupError::unreachable(
            format!("{} {} did not end within {} s", path.display(), arguments.join(" "), timeout.as_secs()),
            "Look whether it hangs, then try again",
        ));
    };
    let take =
        |reader: mpsc::Receiver<String>| reader.recv_timeout(Duration::from_secs(1)).unwrap_or_default();
    Ok(Said { status, text: take(output) + &take(errors) })
}

/// Reads a pipe in a thread of its own: a service may keep it open longer than its starter lives.
fn gather(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe {
            let _ = pipe.take(OUTPUT_BYTES_MAXIMUM).read_to_end(&mut bytes);
        }
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}

fn wait(child: &mut Child, timeout: Duration) -> std::io::Result<Option<ExitStatus>> {
    let end = Instant::now() + timeout;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= end {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(LOOK_INTERVAL);
    }
}
