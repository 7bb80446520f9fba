//! The hub's control socket: a request in JSON on a line, and its answer on the next.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::core::Event;
use crate::control::{ControlReply, LINE_BYTES_MAXIMUM};

/// No more control connections at a time.
const CONNECTIONS_MAXIMUM: usize = 64;

/// A control connection that says nothing for this long is ended.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

pub(super) async fn accept(listener: UnixListener, events: mpsc::Sender<Event>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAXIMUM => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream, events.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "accepting a control connection failed");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: UnixStream, events: mpsc::Sender<Event>) {
    let (read, mut write) = stream.into_split();
    let mut reader = BufReader::new(read);
    loop {
        let mut line = Vec::new();
        let mut limited = (&mut reader).take(LINE_BYTES_MAXIMUM as u64);
        let read = tokio::time::timeout(IDLE_TIMEOUT, limited.read_until(b'\n', &mut line)).await;
        if !matches!(read, Ok(Ok(length)) if length > 0) {
            return;
        }
        let whole = line.ends_with(b"\n");
        let reply = match serde_json::from_slice(&line) {
            Ok(control) if whole => super::ask(&events, control).await,
            Ok(_) => ControlReply::Failed { message: "the request has no end of line".to_owned() },
            Err(error) => ControlReply::Failed { message: format!("not a request: {error}") },
        };
        let mut answer = serde_json::to_vec(&reply).unwrap_or_default();
        answer.push(b'\n');
        if write.write_all(&answer).await.is_err() || !whole {
            return;
        }
    }
}
