//! Starting and stopping a host's services: a Unix socket of its first process, one JSON object a line.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use rustix::event::EventfdFlags;
use rustix::fd::BorrowedFd;
use serde::{Deserialize, Serialize};

use crate::LabError;

/// Where a host's first process listens.
pub(crate) const SOCKET: &str = "/run/services.sock";
/// Requests that wait to be looked at, at most.
const REQUESTS_MAXIMUM: usize = 64;
/// Connections that are served at once; more are refused.
const CONNECTIONS_MAXIMUM: usize = 64;
/// The longest line, in bytes.
const LINE_BYTES_LIMIT: u64 = 64 * 1024;
/// How long an answer may take: a restart is a stop and a start.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(150);

/// What is done with a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServiceAction {
    /// It runs, and is started at each boot; done when it is ready.
    Start,
    /// It does not run, and is not started at a boot; done when it has ended.
    Stop,
    /// Stopped, then started.
    Restart,
    /// What it does.
    Status,
}

/// An action and the service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ServiceRequest {
    pub(super) action: ServiceAction,
    pub(super) name: String,
}

/// How it went.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceAnswer {
    /// `ok`, `error`, or the state that was asked for: `running`, `starting`, `stopping`, `restarting`, `stopped`.
    pub result: String,
    /// More about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl ServiceAnswer {
    pub(super) fn ok() -> Self {
        Self { result: "ok".to_owned(), detail: None }
    }

    pub(super) fn error(detail: impl Into<String>) -> Self {
        Self { result: "error".to_owned(), detail: Some(detail.into()) }
    }
}

/// A request and who waits for its answer.
pub(super) type Order = (ServiceRequest, SyncSender<ServiceAnswer>);

/// The requests to a host's services.
pub(super) struct Requests {
    orders: Receiver<Order>,
    wake: Arc<OwnedFd>,
}

impl Requests {
    /// Listens.
    pub(super) fn open() -> Result<Self, LabError> {
        let wake = rustix::event::eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC);
        let wake = Arc::new(wake.map_err(LabError::errno("make", "an event"))?);
        let listener = UnixListener::bind(SOCKET).map_err(LabError::system("listen at", SOCKET))?;
        let (sender, orders) = sync_channel(REQUESTS_MAXIMUM);
        let door = Arc::new((sender, Arc::clone(&wake), AtomicUsize::new(0)));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if door.2.fetch_add(1, Ordering::SeqCst) >= CONNECTIONS_MAXIMUM {
                    door.2.fetch_sub(1, Ordering::SeqCst);
                    continue;
                }
                let door = Arc::clone(&door);
                std::thread::spawn(move || {
                    let _ = converse(&stream, &door.0, &door.1);
                    door.2.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Ok(Self { orders, wake })
    }

    /// What can be waited for.
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    /// The next request.
    pub(super) fn next(&self) -> Option<Order> {
        let _ = rustix::io::read(&*self.wake, &mut [0; 8]);
        self.orders.try_recv().ok()
    }
}

fn converse(stream: &UnixStream, orders: &SyncSender<Order>, wake: &OwnedFd) -> io::Result<()> {
    let mut line = Vec::new();
    BufReader::new(stream.take(LINE_BYTES_LIMIT)).read_until(b'\n', &mut line)?;
    let answer = match serde_json::from_slice(&line) {
        Ok(request) => {
            let (sender, answers) = sync_channel(1);
            let gone = |_| io::Error::other("the host ends");
            orders.send((request, sender)).map_err(gone)?;
            rustix::io::write(wake, &1u64.to_ne_bytes())?;
            answers.recv().unwrap_or_else(|_| ServiceAnswer::error("the host ends"))
        }
        Err(error) => ServiceAnswer::error(format!("this is no request: {error}")),
    };
    let mut line = serde_json::to_vec(&answer)?;
    line.push(b'\n');
    (&mut &*stream).write_all(&line)
}

/// Asks the first process of the host that this process is in.
pub fn ask(action: ServiceAction, name: &str) -> Result<ServiceAnswer, LabError> {
    if !fs::exists(SOCKET).unwrap_or(false) {
        return Err(LabError::State(
            "this is no host of `hafen net`: use the service manager of this system".to_owned(),
        ));
    }
    let exchange = || -> io::Result<ServiceAnswer> {
        let mut stream = UnixStream::connect(SOCKET)?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        let mut line = serde_json::to_vec(&ServiceRequest { action, name: name.to_owned() })?;
        line.push(b'\n');
        stream.write_all(&line)?;
        let mut answer = Vec::new();
        BufReader::new(stream.take(LINE_BYTES_LIMIT)).read_until(b'\n', &mut answer)?;
        serde_json::from_slice(&answer).map_err(io::Error::from)
    };
    exchange().map_err(LabError::system("ask the host's first process at", SOCKET))
}
