//! The lab's hub: the seeded sequencer with a real clock, behind Unix sockets.
//!
//! One task owns the sequencer. Each connection has a reading task, which waits when the hub is busy, and a writing
//! task with a bounded queue: who does not read is disconnected, and never holds up the others.

mod connection;
mod control_socket;
mod core;

use std::io;
use std::path::{Path, PathBuf};

use hafen_protocol::sequencer::Settings;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::control::{Control, ControlReply};

/// Events that wait for the hub's task; a reading task that finds the queue full waits.
const EVENTS_MAXIMUM: usize = 64;

/// Bytes that may wait for one slow reader before it is disconnected (192 MiB).
pub const WRITER_BYTES_MAXIMUM: usize = 192 << 20;

/// How the hub runs.
#[derive(Debug, Clone)]
pub struct HubSettings {
    /// Where hosts and daemons connect.
    pub socket: PathBuf,
    /// Where people and tests connect.
    pub control: PathBuf,
    /// What the sequencer may do. `first_ring_sequence` is replaced by the time in milliseconds, so that rings of
    /// a hub that was started again are later than those of the one before.
    pub sequencer: Settings,
    /// The sequencer's seed.
    pub seed: u64,
    /// Bytes that may wait for one slow reader; `WRITER_BYTES_MAXIMUM` if there is no reason for less.
    pub writer_bytes_maximum: usize,
}

/// A running hub. It ends, and its sockets are removed, when this is dropped.
#[derive(Debug)]
pub struct Hub {
    tasks: JoinSet<()>,
    events: mpsc::Sender<core::Event>,
    sockets: [PathBuf; 2],
}

impl Hub {
    /// Starts a hub as tasks of the current tokio runtime.
    ///
    /// # Errors
    /// When a socket cannot be made, or another hub answers on it.
    pub async fn start(mut settings: HubSettings) -> io::Result<Hub> {
        settings.sequencer.first_ring_sequence = core::wall_ms();
        let listener = listen(&settings.socket).await?;
        let control = listen(&settings.control).await?;
        let sockets = [settings.socket.clone(), settings.control.clone()];
        let (events, queue) = mpsc::channel(EVENTS_MAXIMUM);
        let mut tasks = JoinSet::new();
        tasks.spawn(core::Core::new(&settings, queue).run());
        tasks.spawn(connection::accept(listener, events.clone(), settings.writer_bytes_maximum));
        tasks.spawn(control_socket::accept(control, events.clone()));
        Ok(Hub { tasks, events, sockets })
    }

    /// Does what the control socket does.
    pub async fn control(&self, control: Control) -> ControlReply {
        ask(&self.events, control).await
    }

    /// Waits until the hub ends by itself, which is a fault.
    pub async fn ended(&mut self) {
        self.tasks.join_next().await;
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        for socket in &self.sockets {
            let _ = std::fs::remove_file(socket);
        }
    }
}

async fn ask(events: &mpsc::Sender<core::Event>, control: Control) -> ControlReply {
    let (answer, reply) = oneshot::channel();
    let gone = || ControlReply::Failed { message: "the hub has ended".to_owned() };
    if events.send(core::Event::Control { control, answer }).await.is_err() {
        return gone();
    }
    reply.await.unwrap_or_else(|_| gone())
}

/// Binds a socket; one that is left over from a dead hub is replaced.
async fn listen(path: &Path) -> io::Result<UnixListener> {
    if UnixStream::connect(path).await.is_ok() {
        let message = format!("another hub answers on {}", path.display());
        return Err(io::Error::new(io::ErrorKind::AddrInUse, message));
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    UnixListener::bind(path)
}
