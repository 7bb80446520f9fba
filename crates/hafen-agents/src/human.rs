//! `meatware` and `null`: fencing by a human, and no fencing at all.
//!
//! `meatware` says in the log what a human has to do, and waits at a FIFO named like the host. `meatclient -c HOST` writes to
//! it. A FIFO that nobody reads belongs to nobody: so a host that nobody has to fence cannot be confirmed.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, OpenOptionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, Mode, OFlags};
use tokio::net::unix::pipe;

use crate::external::wrapped;
use crate::family::FenceFamily;
use crate::fence::FenceInvocation;
use crate::outcome::{OcfExitCode, OpStatus, Outcome};

/// Where fencings wait for a human.
pub const MEATWARE_DIR: &str = "/run/hafen/meatware";
/// How long a confirmation may take to be seen.
const SEEN_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two looks whether it was seen.
const SEEN_PAUSE: Duration = Duration::from_millis(20);
/// The longest confirmation, in bytes.
const CONFIRMATION_BYTES_LIMIT: usize = 512;
/// The longest host name, in bytes.
const NAME_BYTES_LIMIT: usize = 255;
/// The log's socket.
const LOG_SOCKET: &str = "/dev/log";
/// `LOG_DAEMON` and `LOG_CRIT`.
const LOG_PRIORITY: u8 = 3 << 3 | 2;

/// What an operator is told on each look at a device that does nothing.
pub(crate) const NULL_WARNING: &str =
    "stonith:null fences nothing and says that it did: a host that still runs destroys shared data";

/// Why a host was not confirmed.
#[derive(Debug, thiserror::Error)]
pub enum ConfirmError {
    /// The name is none.
    #[error("{0:?} is no host's name")]
    Name(String),
    /// Nothing waits for this host.
    #[error("nobody waits for {host} to be fenced by hand{}", waiting_text(.waiting))]
    NotWaiting {
        /// The host.
        host: String,
        /// The hosts that are waited for.
        waiting: Vec<String>,
    },
    /// The confirmation was written, and not taken.
    #[error("the confirmation for {0} was not taken: look into the log, and try again")]
    NotSeen(String),
    /// The system's words.
    #[error("cannot confirm {host}: {source}")]
    Io {
        /// The host.
        host: String,
        /// What went wrong.
        source: io::Error,
    },
}

fn waiting_text(waiting: &[String]) -> String {
    match waiting {
        [] => String::new(),
        hosts => format!("; waited for: {}", hosts.join(", ")),
    }
}

/// The hosts that somebody has to fence by hand, on this host.
pub fn meatware_waiting(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let fifos = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_fifo()));
    let mut names: Vec<String> = fifos.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.retain(|name| has_reader(&folder.join(name)));
    names.sort();
    names
}

fn has_reader(path: &Path) -> bool {
    open_to_write(path).is_ok()
}

fn open_to_write(path: &Path) -> io::Result<fs::File> {
    let flags = (OFlags::NONBLOCK | OFlags::NOFOLLOW).bits().cast_signed();
    let file = fs::OpenOptions::new().write(true).custom_flags(flags).open(path)?;
    // Anything else of that name would take the words and tell nobody.
    if file.metadata()?.file_type().is_fifo() { Ok(file) } else { Err(io::ErrorKind::NotFound.into()) }
}

/// Tells the fencing that waits for it that a human has made sure that the host is off (`meatclient -c HOST`). Returns when
/// that is taken. Blocks for a few seconds at most.
pub fn meatclient_confirm(folder: &Path, host: &str) -> Result<(), ConfirmError> {
    if !is_host_name(host) {
        return Err(ConfirmError::Name(host.to_owned()));
    }
    let path = folder.join(host);
    let failed = |source| ConfirmError::Io { host: host.to_owned(), source };
    let not_waiting =
        || ConfirmError::NotWaiting { host: host.to_owned(), waiting: meatware_waiting(folder) };
    let mut fifo = match open_to_write(&path) {
        Ok(fifo) => fifo,
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => {
            return Err(not_waiting());
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(not_waiting()),
        Err(error) => return Err(failed(error)),
    };
    fifo.write_all(confirmation(host).as_bytes()).map_err(failed)?;
    let deadline = Instant::now() + SEEN_TIMEOUT;
    while path.exists() {
        if Instant::now() >= deadline {
            return Err(ConfirmError::NotSeen(host.to_owned()));
        }
        sleep(SEEN_PAUSE);
    }
    Ok(())
}

fn confirmation(host: &str) -> String {
    format!("meatware confirms {host}\n")
}

fn is_host_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= NAME_BYTES_LIMIT
        && !name.starts_with(['.', '-'])
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter))
}

/// What a human has to do.
fn message(host: &str) -> String {
    format!(
        "OPERATOR INTERVENTION REQUIRED to reset {host}. Run \"meatclient -c {host}\" AFTER power-cycling the machine, \
         and never before: it would be taken for off while it still writes"
    )
}

/// Writes to the system's log, if there is one.
fn log(text: &str) {
    let line = format!("<{LOG_PRIORITY}>hafen: {text}");
    let sent = UnixDatagram::unbound().and_then(|socket| {
        socket.set_nonblocking(true)?;
        socket.send_to(line.as_bytes(), LOG_SOCKET)
    });
    // The executor's own output and the event log say the same.
    if sent.is_err() {
        eprintln!("{text}");
    }
}

/// A fencing that waits for a human.
#[derive(Debug)]
pub(crate) struct Waiting {
    path: PathBuf,
    pub(crate) host: String,
    fifo: pipe::Receiver,
    heard: Vec<u8>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl Waiting {
    /// Says what has to be done, and opens the FIFO.
    pub(crate) fn begin(folder: &Path, host: &str) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let path = folder.join(host);
        if path.exists() && has_reader(&path) {
            let text = format!("{host} is waited for already");
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
        }
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
        // Opened for both, so that its end is not seen when a writer goes.
        let fifo = pipe::OpenOptions::new().read_write(true).open_receiver(&path)?;
        log(&message(host));
        Ok(Self { path, host: host.to_owned(), fifo, heard: Vec::new() })
    }

    /// Waits until the host is confirmed. Nothing is lost when the future is dropped.
    pub(crate) async fn confirmed(&mut self) -> io::Result<()> {
        let wanted = confirmation(&self.host);
        loop {
            self.fifo.readable().await?;
            let mut buffer = [0; CONFIRMATION_BYTES_LIMIT];
            match self.fifo.try_read(&mut buffer) {
                Ok(length) => self.heard.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            }
            while let Some(end) = self.heard.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.heard.drain(..=end).collect();
                if line == wanted.as_bytes() {
                    log(&format!("{} was confirmed by a human", self.host));
                    return Ok(());
                }
            }
            // What has no end is no confirmation.
            if self.heard.len() > CONFIRMATION_BYTES_LIMIT {
                self.heard.clear();
            }
        }
    }
}

/// What an action of a built-in device comes to.
pub(crate) enum BuiltIn {
    /// It is done.
    Ended(Outcome),
    /// A human has to do it for this host.
    Human(String),
}

/// An action of `meatware` or `null`.
pub(crate) fn built_in(family: FenceFamily, invocation: &FenceInvocation) -> BuiltIn {
    let setting = |name: &str| invocation.parameters.get(name).map_or("", String::as_str);
    let hosts: Vec<&str> =
        setting("hostlist").split([',', ' ', ';']).filter(|name| !name.is_empty()).collect();
    let done = |stdout: String, stderr: &str| {
        let mut outcome = Outcome::not_run(OcfExitCode::OK, OpStatus::Done, "");
        (outcome.exit_reason, outcome.stdout, outcome.stderr) = (None, stdout, stderr.to_owned());
        BuiltIn::Ended(outcome)
    };
    let refused =
        |text: String| BuiltIn::Ended(Outcome::not_run(OcfExitCode::NOT_CONFIGURED, OpStatus::Done, text));
    let name = if family == FenceFamily::Null { "null" } else { "meatware" };
    let warning = if family == FenceFamily::Null { NULL_WARNING } else { "" };
    let target = invocation.port.as_ref().filter(|port| !port.is_empty()).or(invocation.target.as_ref());
    match (invocation.word(), target) {
        ("metadata", _) => done(metadata(name), ""),
        _ if hosts.is_empty() && family == FenceFamily::Meatware => {
            refused("the parameter hostlist is not set: name the hosts that a human fences".to_owned())
        }
        ("list", _) => done(hosts.iter().map(|host| format!("{host}\n")).collect(), warning),
        ("off" | "reboot", Some(host)) => {
            if !hosts.is_empty() && !hosts.iter().any(|name| name.eq_ignore_ascii_case(host)) {
                return refused(format!("{host} is not in hostlist ({})", hosts.join(" ")));
            }
            match family {
                FenceFamily::Null => done(String::new(), warning),
                _ if !is_host_name(host) => refused(format!("{host:?} is no host's name")),
                _ => BuiltIn::Human(host.clone()),
            }
        }
        ("off" | "reboot", None) => refused("no host is named".to_owned()),
        ("on" | "status" | "monitor" | "start", _) => done(String::new(), warning),
        (other, _) => {
            let text = format!("{name} does not know the action {other}");
            BuiltIn::Ended(Outcome::not_run(OcfExitCode::UNIMPLEMENTED, OpStatus::Done, text))
        }
    }
}

fn metadata(name: &str) -> String {
    let required = u8::from(name == "meatware");
    let parameters = format!(
        "<parameters><parameter name=\"hostlist\" unique=\"1\" required=\"{required}\"><content type=\"string\"/>\
         <shortdesc lang=\"en\">The hosts, with blanks or commas between them</shortdesc></parameter></parameters>"
    );
    match name {
        "meatware" => {
            let long = "Says in the log that a host has to be power-cycled, and waits until somebody says that it is done: \
                        meatclient -c HOST. Give it a long time (pcmk_off_timeout, pcmk_reboot_timeout).";
            wrapped(name, "Fencing by a human", long, &parameters)
        }
        _ => wrapped(name, "No fencing, for tests only", NULL_WARNING, &parameters),
    }
}
