//! One connection of a host or a daemon to the hub.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hafen_protocol::MemberId;
use tokio::io::{AsyncWriteExt, BufReader, BufWriter};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::core::{ConnectionId, Event};
use crate::wire::{FromHub, ToHub, WireError, read_frame};

/// How long a new connection may take to say who it is.
const FIRST_FRAME_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an ending connection may take to read why.
const LAST_FRAME_TIMEOUT: Duration = Duration::from_secs(1);

/// No more connections at a time.
const CONNECTIONS_MAXIMUM: usize = 1024;

const BUFFER_BYTES: usize = 64 << 10;

/// The hub's end of a connection's queue. The connection ends when it is dropped, after what it holds is written.
#[derive(Debug)]
pub(super) struct Writer {
    queue: mpsc::UnboundedSender<Vec<u8>>,
    waiting: Arc<AtomicUsize>,
    maximum: usize,
    /// Dropped with the writer: then the connection must end soon, read by its peer or not.
    _alive: oneshot::Sender<Infallible>,
}

impl Writer {
    /// Queues a frame; false when too much waits already and the connection must end.
    pub(super) fn send(&self, frame: &FromHub) -> bool {
        let bytes = frame.to_bytes();
        let length = bytes.len();
        if self.waiting.fetch_add(length, Ordering::Relaxed) + length > self.maximum {
            return false;
        }
        self.queue.send(bytes).is_ok()
    }
}

pub(super) async fn accept(listener: UnixListener, events: mpsc::Sender<Event>, writer_bytes_maximum: usize) {
    let mut connections = JoinSet::new();
    let mut next = 0;
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) if connections.len() < CONNECTIONS_MAXIMUM => {
                    next += 1;
                    let connection = serve(ConnectionId(next), stream, events.clone(), writer_bytes_maximum);
                    connections.spawn(connection);
                }
                Ok(_) => tracing::warn!("more than {CONNECTIONS_MAXIMUM} connections: one refused"),
                Err(error) => {
                    tracing::warn!(%error, "accepting a connection failed");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(id: ConnectionId, stream: UnixStream, events: mpsc::Sender<Event>, maximum: usize) {
    let (read, write) = stream.into_split();
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, read);
    let (queue, frames) = mpsc::unbounded_channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    let (alive, ended) = oneshot::channel();
    let writer = Writer { queue, waiting: Arc::clone(&waiting), maximum, _alive: alive };
    let writing = write_frames(write, frames, waiting);
    let reading = async {
        let first = tokio::time::timeout(FIRST_FRAME_TIMEOUT, next(&mut reader)).await;
        let opened = match first {
            Ok(Ok(ToHub::Ring(host))) => Event::RingOpened { id, host, writer },
            Ok(Ok(ToHub::Process(member))) => Event::ProcessOpened { id, member, writer },
            Ok(Ok(ToHub::Transmit(_))) => return refuse(&writer, "it did not say who it is"),
            Ok(Err(error)) => return refuse(&writer, &error.to_string()),
            Err(_) => return refuse(&writer, "it did not say who it is in time"),
        };
        let member = match &opened {
            Event::ProcessOpened { member, .. } => Some(*member),
            _ => None,
        };
        if events.send(opened).await.is_err() {
            return;
        }
        let reason = read_all(id, member, &mut reader, &events).await;
        let _ = events.send(Event::Closed { id, reason }).await;
    };
    let patience = async {
        let _ = ended.await;
        tokio::time::sleep(LAST_FRAME_TIMEOUT).await;
    };
    tokio::select! {
        ((), ()) = async { tokio::join!(reading, writing) } => {}
        () = patience => {}
    }
}

fn refuse(writer: &Writer, reason: &str) {
    tracing::warn!(reason, "a connection is refused");
    writer.send(&FromHub::Refused(reason.to_owned()));
}

async fn next(reader: &mut BufReader<OwnedReadHalf>) -> Result<ToHub, WireError> {
    ToHub::parse(&read_frame(reader).await?)
}

/// Reads until the connection ends; says why it did.
async fn read_all(
    id: ConnectionId,
    member: Option<MemberId>,
    reader: &mut BufReader<OwnedReadHalf>,
    events: &mpsc::Sender<Event>,
) -> String {
    loop {
        match (next(reader).await, member) {
            (Ok(ToHub::Transmit(transmission)), Some(from)) => {
                if events.send(Event::Transmit { id, from, transmission }).await.is_err() {
                    return "the hub has ended".to_owned();
                }
            }
            (Ok(_), _) => return "it sent what it may not send".to_owned(),
            (Err(error), _) => return error.to_string(),
        }
    }
}

/// Writes until the hub drops its end or the peer is gone; then shuts the socket, so that the reading side ends too.
async fn write_frames(
    write: OwnedWriteHalf,
    mut frames: mpsc::UnboundedReceiver<Vec<u8>>,
    waiting: Arc<AtomicUsize>,
) {
    let mut writer = BufWriter::with_capacity(BUFFER_BYTES, write);
    while let Some(frame) = frames.recv().await {
        let bytes = frame.len();
        if writer.write_all(&frame).await.is_err() {
            break;
        }
        waiting.fetch_sub(bytes, Ordering::Relaxed);
        if frames.is_empty() && writer.flush().await.is_err() {
            break;
        }
    }
    let _ = writer.shutdown().await;
}
