//! The daemon's side of the socket.

use std::io;
use std::path::Path;

use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use crate::frame::{FrameReader, encode};
use crate::wire::{Event, OperationKey, PROTOCOL_VERSION, Request};

/// Why the executor cannot be spoken to.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The socket.
    #[error("the connection to the executor: {0}")]
    Io(#[from] io::Error),
    /// The executor has ended, or another daemon has taken this one's place.
    #[error("the executor has closed the connection")]
    Closed,
    /// The executor does not want this daemon.
    #[error("the executor refuses the connection: {0}")]
    Rejected(String),
    /// The executor said something else than a welcome.
    #[error("the executor does not keep to the protocol: it began with {0}")]
    Unexpected(String),
}

/// What the executor says of itself first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// The executor's process id.
    pub executor_pid: u32,
    /// This boot of the kernel.
    pub boot_id: String,
    /// See [`Event::Welcome`].
    pub recovered: Vec<OperationKey>,
    /// Records of the journal that could not be read.
    pub journal_records_lost: u64,
}

/// Sends requests.
#[derive(Debug)]
pub struct RequestSender(OwnedWriteHalf);

/// Receives events.
#[derive(Debug)]
pub struct EventReceiver(FrameReader<OwnedReadHalf>);

/// Connects to the executor's socket. Returns after its welcome; unacknowledged results are the first events.
pub async fn connect(socket: &Path) -> Result<(RequestSender, EventReceiver, Welcome), ClientError> {
    let (read, write) = UnixStream::connect(socket).await?.into_split();
    let (mut sender, mut receiver) = (RequestSender(write), EventReceiver(FrameReader::new(read)));
    sender.send(&Request::Hello { protocol: PROTOCOL_VERSION }).await?;
    match receiver.receive().await? {
        Event::Welcome {
            protocol: PROTOCOL_VERSION,
            executor_pid,
            boot_id,
            recovered,
            journal_records_lost,
        } => Ok((sender, receiver, Welcome { executor_pid, boot_id, recovered, journal_records_lost })),
        Event::Rejected { reason } => Err(ClientError::Rejected(reason)),
        other => Err(ClientError::Unexpected(format!("{other:?}"))),
    }
}

impl RequestSender {
    /// Sends one request. Must not be dropped before its end: half a request would be left.
    pub async fn send(&mut self, request: &Request) -> Result<(), ClientError> {
        Ok(self.0.write_all(&encode(request)?).await?)
    }
}

impl EventReceiver {
    /// The next event. Nothing is lost when the future is dropped.
    pub async fn receive(&mut self) -> Result<Event, ClientError> {
        self.0.next().await?.ok_or(ClientError::Closed)
    }
}
