//! Shell: engines of the bus, which give a daemon its views, its ordered messages and its quorum.
//!
//! The contract is `hafen_protocol`'s; each engine passes its conformance tests. `local` talks to the lab's hub, which
//! is the seeded sequencer behind a Unix socket; `corosync` (a cargo feature) is for real hosts. An engine runs as a
//! task beside the daemon's loop and is joined to it by two bounded queues.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a shell")]

pub mod control;
#[cfg(feature = "corosync")]
pub mod corosync;
pub mod hub;
mod local;
pub mod ring_agent;
pub mod streams;
pub mod wire;

use std::path::PathBuf;

use hafen_protocol::{Delivery, MemberId, Transmission};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Transmissions that wait for the engine; each holds at most 1 MiB.
pub const OUTGOING_MAXIMUM: usize = 128;

/// Deliveries that wait for the daemon; each holds at most 1 MiB. An engine that finds the queue full stops reading.
pub const DELIVERIES_MAXIMUM: usize = 128;

/// Which engine, and what it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EngineSettings {
    /// The lab's hub.
    Local {
        /// The hub's socket.
        socket: PathBuf,
    },
}

/// The daemon's end of the bus.
#[derive(Debug)]
pub struct Bus {
    /// Where transmissions go in.
    pub sender: BusSender,
    /// Where deliveries come out.
    pub receiver: BusReceiver,
}

/// Takes transmissions.
#[derive(Debug, Clone)]
pub struct BusSender {
    queue: mpsc::Sender<Transmission>,
}

/// Gives deliveries. The engine ends when this is dropped.
#[derive(Debug)]
pub struct BusReceiver {
    queue: mpsc::Receiver<Delivery>,
    engine: JoinHandle<()>,
}

/// The engine's queue is full, or the engine has ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BusError {
    /// Send again later: here is the transmission.
    #[error("{OUTGOING_MAXIMUM} transmissions wait for the bus already")]
    Full(Transmission),
    /// This member has left the group.
    #[error("the bus has ended")]
    Ended,
}

impl Bus {
    /// Starts an engine for this run of the daemon, as a task of the current tokio runtime. It joins the group at
    /// once; when its substrate is lost it delivers `Delivery::Lost` and tries again, without end.
    pub fn open(settings: EngineSettings, member: MemberId) -> Bus {
        let (outgoing, transmissions) = mpsc::channel(OUTGOING_MAXIMUM);
        let (deliveries, incoming) = mpsc::channel(DELIVERIES_MAXIMUM);
        let engine = match settings {
            EngineSettings::Local { socket } => {
                tokio::spawn(local::LocalEngine::new(socket, member, transmissions, deliveries).run())
            }
        };
        Bus { sender: BusSender { queue: outgoing }, receiver: BusReceiver { queue: incoming, engine } }
    }

    /// Starts the engine `corosync` for this run of the daemon, as a thread and tasks of the current tokio runtime. It
    /// joins the group as soon as this host's Corosync lets it; while that is not so it says why by `Delivery::Lost`,
    /// and tries again, without end.
    ///
    /// # Errors
    /// When the thread cannot be started.
    #[cfg(feature = "corosync")]
    pub fn open_corosync(
        settings: &corosync::CorosyncSettings,
        member: MemberId,
        streams: streams::Streams,
    ) -> std::io::Result<Bus> {
        let (outgoing, transmissions) = mpsc::channel(OUTGOING_MAXIMUM);
        let (deliveries, incoming) = mpsc::channel(DELIVERIES_MAXIMUM);
        let engine = corosync::start(settings, member, streams, transmissions, deliveries)?;
        Ok(Bus { sender: BusSender { queue: outgoing }, receiver: BusReceiver { queue: incoming, engine } })
    }
}

impl BusSender {
    /// Hands a transmission to the engine, and waits while its queue is full. What is sent while no view is known is
    /// dropped.
    ///
    /// # Errors
    /// When the engine has ended.
    pub async fn send(&self, transmission: Transmission) -> Result<(), BusError> {
        self.queue.send(transmission).await.map_err(|_| BusError::Ended)
    }

    /// Hands a transmission to the engine, or gives it back when its queue is full.
    ///
    /// # Errors
    /// When the queue is full or the engine has ended.
    pub fn try_send(&self, transmission: Transmission) -> Result<(), BusError> {
        self.queue.try_send(transmission).map_err(|error| match error {
            mpsc::error::TrySendError::Full(transmission) => BusError::Full(transmission),
            mpsc::error::TrySendError::Closed(_) => BusError::Ended,
        })
    }
}

impl BusReceiver {
    /// The next delivery; `None` after this member has left. Dropping the future loses nothing.
    pub async fn receive(&mut self) -> Option<Delivery> {
        self.queue.recv().await
    }

    /// The next delivery, if one waits already.
    pub fn try_receive(&mut self) -> Option<Delivery> {
        self.queue.try_recv().ok()
    }
}

impl Drop for BusReceiver {
    fn drop(&mut self) {
        self.engine.abort();
    }
}
