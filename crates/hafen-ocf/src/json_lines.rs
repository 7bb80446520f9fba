//! Requests and answers over a Unix socket: one JSON object a line, one answer for each request.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::deadline::Deadline;

/// The longest line, in bytes.
const LINE_BYTES_LIMIT: usize = 256 * 1024;

/// Sends one line.
pub(crate) fn send<T: Serialize>(stream: &mut UnixStream, message: &T, deadline: Deadline) -> io::Result<()> {
    let mut line = serde_json::to_vec(message).map_err(io::Error::other)?;
    line.push(b'\n');
    stream.set_write_timeout(Some(deadline.left().max(Duration::from_millis(1))))?;
    stream.write_all(&line).map_err(timed_out)
}

/// Reads one line; `None` when the peer has hung up before it. Fails with `TimedOut` at the deadline, with `InvalidData`
/// when the line is too long or of another form. What the peer sends ahead of its turn is refused.
pub(crate) fn receive<T: DeserializeOwned>(
    stream: &mut UnixStream,
    deadline: Deadline,
) -> io::Result<Option<T>> {
    let mut line = Vec::new();
    let mut buffer = [0; 4096];
    while !line.ends_with(b"\n") {
        let left = deadline.left();
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut buffer) {
            Ok(0) if line.is_empty() => return Ok(None),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(length) => line.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(timed_out(error)),
        }
        if line.len() > LINE_BYTES_LIMIT {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a line is too long"));
        }
    }
    let message = serde_json::from_slice(&line).map_err(|error| {
        let text: String = String::from_utf8_lossy(&line).chars().take(200).collect();
        io::Error::new(io::ErrorKind::InvalidData, format!("'{}': {error}", text.trim_end()))
    })?;
    Ok(Some(message))
}

/// Sends a request and reads its answer; a peer that hangs up instead is `UnexpectedEof`.
pub(crate) fn exchange<Q: Serialize, A: DeserializeOwned>(
    stream: &mut UnixStream,
    request: &Q,
    deadline: Deadline,
) -> io::Result<A> {
    send(stream, request, deadline)?;
    receive(stream, deadline)?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// A socket's own timeout looks like a socket that would block.
fn timed_out(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::WouldBlock { io::ErrorKind::TimedOut.into() } else { error }
}
