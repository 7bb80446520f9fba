//! The engine `local`: a daemon's connection to the lab's hub.

use std::path::PathBuf;
use std::time::Duration;

use hafen_protocol::{Delivery, MemberId, Transmission};
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::wire::{FromHub, ToHub, WireError, read_frame};

/// The first wait before the hub is tried again; it doubles up to `BACKOFF_MAXIMUM`.
const BACKOFF_MINIMUM: Duration = Duration::from_millis(20);

/// The longest wait before the hub is tried again.
const BACKOFF_MAXIMUM: Duration = Duration::from_millis(500);

/// How much of the socket is read at once.
const READ_BYTES: usize = 64 << 10;

/// Runs as a task, until the member has left or the daemon drops its end.
pub(crate) struct LocalEngine {
    socket: PathBuf,
    member: MemberId,
    transmissions: mpsc::Receiver<Transmission>,
    deliveries: mpsc::Sender<Delivery>,
}

/// Why a connection ended.
enum End {
    /// The member has left, or the daemon has dropped its end.
    Over,
    /// The hub is lost; try again.
    Lost(String),
}

impl LocalEngine {
    pub(crate) fn new(
        socket: PathBuf,
        member: MemberId,
        transmissions: mpsc::Receiver<Transmission>,
        deliveries: mpsc::Sender<Delivery>,
    ) -> LocalEngine {
        LocalEngine { socket, member, transmissions, deliveries }
    }

    /// Connects again and again. A loss is reported once, not at every attempt.
    pub(crate) async fn run(mut self) {
        let mut backoff = BACKOFF_MINIMUM;
        let mut reported = String::new();
        loop {
            let mut joined = false;
            let End::Lost(reason) = self.connection(&mut joined).await else { return };
            if joined {
                backoff = BACKOFF_MINIMUM;
                reported.clear();
            }
            if reported != reason {
                reported.clone_from(&reason);
                let reason = format!("the lab's hub at {}: {reason}", self.socket.display());
                if self.deliveries.send(Delivery::Lost { reason }).await.is_err() {
                    return;
                }
            }
            if !self.wait(backoff).await {
                return;
            }
            backoff = BACKOFF_MAXIMUM.min(backoff * 2);
        }
    }

    /// Waits, and drops what is sent meanwhile: no view is known. False when the daemon is gone or leaves.
    async fn wait(&mut self, time: Duration) -> bool {
        let end = Instant::now() + time;
        loop {
            tokio::select! {
                () = sleep_until(end) => return true,
                transmission = self.transmissions.recv() => match transmission {
                    None | Some(Transmission::Leave) => return false,
                    Some(_) => {}
                },
            }
        }
    }

    async fn connection(&mut self, joined: &mut bool) -> End {
        let stream = match UnixStream::connect(&self.socket).await {
            Ok(stream) => stream,
            Err(error) => return End::Lost(error.to_string()),
        };
        let (read, mut write) = stream.into_split();
        if let Err(error) = write.write_all(&ToHub::Process(self.member).to_bytes()).await {
            return End::Lost(error.to_string());
        }
        let reader = BufReader::with_capacity(READ_BYTES, read);
        let deliveries = self.deliveries.clone();
        let transmissions = &mut self.transmissions;
        // The two directions are apart: a daemon that reads slowly must not keep its own messages back, nor the
        // other way round.
        tokio::select! {
            end = receive(reader, deliveries, joined) => end,
            end = transmit(write, transmissions) => end,
        }
    }
}

async fn receive(
    mut reader: BufReader<OwnedReadHalf>,
    deliveries: mpsc::Sender<Delivery>,
    joined: &mut bool,
) -> End {
    loop {
        let frame = match read_frame(&mut reader).await {
            Ok(frame) => frame,
            Err(WireError::Io(error)) => return End::Lost(format!("the connection ended ({error})")),
            Err(error) => return End::Lost(error.to_string()),
        };
        match FromHub::parse(&frame) {
            Ok(FromHub::Delivery(delivery)) => {
                *joined = true;
                if deliveries.send(delivery).await.is_err() {
                    return End::Over;
                }
            }
            Ok(FromHub::Accepted) => {}
            Ok(FromHub::Refused(reason)) => return End::Lost(format!("it refused this daemon: {reason}")),
            Ok(FromHub::Left) => return End::Over,
            Err(error) => return End::Lost(error.to_string()),
        }
    }
}

/// Sends until the daemon's end is dropped, or the connection fails. After a `Leave` it waits for the hub's answer.
async fn transmit(mut write: OwnedWriteHalf, transmissions: &mut mpsc::Receiver<Transmission>) -> End {
    while let Some(transmission) = transmissions.recv().await {
        let leave = transmission == Transmission::Leave;
        if write.write_all(&ToHub::Transmit(transmission).to_bytes()).await.is_err() {
            // Why it ended is told by the reading side, which has what the hub said last.
            break;
        }
        if leave {
            break;
        }
    }
    std::future::pending().await
}
