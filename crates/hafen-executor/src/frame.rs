//! Frames: a length, and that many bytes of JSON.

use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::wire::FRAME_LENGTH_LIMIT_BYTES;

/// Bytes of a frame's length.
const PREFIX_BYTES: usize = 4;

/// A message as a frame.
pub(crate) fn encode(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; PREFIX_BYTES];
    serde_json::to_writer(&mut frame, message)?;
    let length = frame.len() - PREFIX_BYTES;
    if length > FRAME_LENGTH_LIMIT_BYTES {
        return Err(too_long(length));
    }
    frame[..PREFIX_BYTES].copy_from_slice(&(length as u32).to_be_bytes());
    Ok(frame)
}

fn too_long(length: usize) -> io::Error {
    let message = format!("a frame of {length} bytes is longer than {FRAME_LENGTH_LIMIT_BYTES}");
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// Reads frames from a stream.
#[derive(Debug)]
pub(crate) struct FrameReader<R> {
    stream: R,
    buffer: Vec<u8>,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub(crate) fn new(stream: R) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    /// The next message; none when the stream has ended between two. Nothing is lost when the future is dropped.
    pub(crate) async fn next<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        loop {
            if let Some(message) = self.take()? {
                return Ok(Some(message));
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return match self.buffer.is_empty() {
                    true => Ok(None),
                    false => Err(io::ErrorKind::UnexpectedEof.into()),
                };
            }
        }
    }

    fn take<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        let Some((prefix, rest)) = self.buffer.split_first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
        let length = u32::from_be_bytes(*prefix) as usize;
        if length > FRAME_LENGTH_LIMIT_BYTES {
            return Err(too_long(length));
        }
        let Some(frame) = rest.get(..length) else {
            self.buffer.reserve(length + PREFIX_BYTES - self.buffer.len());
            return Ok(None);
        };
        let message = serde_json::from_slice(frame)?;
        self.buffer.drain(..PREFIX_BYTES + length);
        if self.buffer.is_empty() {
            // One long frame must not cost its memory for ever.
            self.buffer.shrink_to(16 * 1024);
        }
        Ok(Some(message))
    }
}
