//! Connections of daemons, as seen from the executor.

use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::frame::{FrameReader, encode};
use crate::wire::{Event, OPERATION_LENGTH_LIMIT_BYTES, PROTOCOL_VERSION, Request};

/// How long a connection may take until its `Hello`.
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);
/// Events that wait to be read by a daemon; one that does not read them loses its connection, and no result.
const QUEUED_EVENTS_LIMIT: usize = 8192;

/// What comes in from connections.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// A daemon has said hello: it takes the place of the one before.
    Daemon(u64, OwnedWriteHalf),
    /// It asks.
    Request(u64, Request),
    /// It is gone.
    Closed(u64, String),
}

/// The daemon that is connected.
#[derive(Debug)]
pub(crate) struct DaemonConnection {
    pub(crate) id: u64,
    events: mpsc::Sender<Vec<u8>>,
}

impl DaemonConnection {
    pub(crate) fn new(id: u64, mut write: OwnedWriteHalf) -> Self {
        let (events, mut queue) = mpsc::channel::<Vec<u8>>(QUEUED_EVENTS_LIMIT);
        tokio::spawn(async move {
            while let Some(frame) = queue.recv().await {
                if write.write_all(&frame).await.is_err() {
                    return;
                }
            }
        });
        Self { id, events }
    }

    /// Queues an event. The error: the daemon is gone, or does not read.
    pub(crate) fn send(&self, event: &Event) -> io::Result<()> {
        let frame = encode(event)?;
        self.events.try_send(frame).map_err(|error| io::Error::other(error.to_string()))
    }
}

/// Reads a connection's requests until it ends.
pub(crate) fn serve(id: u64, stream: UnixStream, incoming: mpsc::Sender<Incoming>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let reason = match read(id, stream, &incoming).await {
            Ok(()) => "closed".to_owned(),
            Err(error) => error.to_string(),
        };
        let _ = incoming.send(Incoming::Closed(id, reason)).await;
    })
}

async fn read(id: u64, stream: UnixStream, incoming: &mpsc::Sender<Incoming>) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut requests = FrameReader::new(read);
    let hello = timeout(HELLO_TIMEOUT, requests.next::<Request>()).await.map_err(io::Error::from)??;
    let reason = match hello {
        Some(Request::Hello { protocol: PROTOCOL_VERSION }) => None,
        Some(Request::Hello { protocol }) => {
            Some(format!("the daemon speaks protocol {protocol}, the executor {PROTOCOL_VERSION}"))
        }
        _ => Some("the first request must be a hello".to_owned()),
    };
    if let Some(reason) = reason {
        write.write_all(&encode(&Event::Rejected { reason: reason.clone() })?).await?;
        return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
    }
    let closed = || io::Error::from(io::ErrorKind::BrokenPipe);
    incoming.send(Incoming::Daemon(id, write)).await.map_err(|_| closed())?;
    while let Some(request) = requests.next::<Request>().await? {
        check(&request)?;
        incoming.send(Incoming::Request(id, request)).await.map_err(|_| closed())?;
    }
    Ok(())
}

/// Operations stay in memory and in the journal: they must not be long.
fn check(request: &Request) -> io::Result<()> {
    let length = match request {
        Request::Execute(operation) => serde_json::to_vec(operation)?.len(),
        Request::Fence(operation) => serde_json::to_vec(operation)?.len(),
        _ => 0,
    };
    if length > OPERATION_LENGTH_LIMIT_BYTES {
        let message = format!("an operation of {length} bytes is longer than {OPERATION_LENGTH_LIMIT_BYTES}");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(())
}
