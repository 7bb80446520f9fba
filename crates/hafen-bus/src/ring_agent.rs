//! A lab host's place in the ring: a connection to the hub that is open as long as the host runs.
//!
//! A host whose daemon is dead is still in the ring, as it is where Corosync runs beside the daemon. So the host's
//! first process holds this connection; when the power is cut, it ends, and the hub knows that the host is gone.

use std::convert::Infallible;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::Duration;

use hafen_protocol::HostId;

use crate::wire::{FRAME_BYTES_MAXIMUM, FromHub, ToHub};

/// The wait before a lost hub is tried again.
const RETRY: Duration = Duration::from_millis(50);

/// A host's place in the ring, until it is dropped.
#[derive(Debug)]
pub struct RingAgent {
    stream: UnixStream,
}

impl RingAgent {
    /// Puts the host into the ring; returns when the hub has accepted it.
    ///
    /// # Errors
    /// When the hub cannot be reached, or refuses (its reason is in the error).
    pub fn connect(socket: &Path, host: HostId) -> io::Result<RingAgent> {
        let mut stream = UnixStream::connect(socket)?;
        stream.write_all(&ToHub::Ring(host).to_bytes())?;
        let mut agent = RingAgent { stream };
        match agent.read()? {
            FromHub::Accepted => Ok(agent),
            FromHub::Refused(reason) => Err(io::Error::other(reason)),
            _ => Err(io::Error::from(io::ErrorKind::InvalidData)),
        }
    }

    /// Blocks until the hub ends the connection; says why.
    pub fn wait(mut self) -> String {
        match self.read() {
            Ok(FromHub::Refused(reason)) => reason,
            Ok(_) => "the hub sent what no ring connection expects".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    fn read(&mut self) -> io::Result<FromHub> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length) as usize;
        if length > FRAME_BYTES_MAXIMUM {
            return Err(io::Error::from(io::ErrorKind::InvalidData));
        }
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes)?;
        FromHub::parse(&bytes).map_err(io::Error::other)
    }
}

/// Holds the host's place for ever, through deaths of the hub. Blocks: give it a thread of the host's first process.
pub fn hold(socket: &Path, host: HostId) -> Infallible {
    loop {
        if let Ok(agent) = RingAgent::connect(socket, host) {
            let reason = agent.wait();
            tracing::warn!(%host, reason, "the ring connection ended");
        }
        thread::sleep(RETRY);
    }
}
