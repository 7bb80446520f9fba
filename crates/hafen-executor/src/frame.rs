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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Request;

    fn frames() -> Vec<u8> {
        let request = |sequence| encode(&Request::Acknowledge { sequence }).expect("a frame");
        [request(1), request(2), encode(&Request::List).expect("a frame")].concat()
    }

    #[tokio::test]
    async fn frames_may_come_in_any_pieces() {
        for piece in 1..frames().len() {
            let mut stream = in_pieces(piece);
            let expected =
                [Request::Acknowledge { sequence: 1 }, Request::Acknowledge { sequence: 2 }, Request::List];
            for request in expected {
                assert_eq!(stream.next::<Request>().await.expect("a frame"), Some(request));
            }
            assert_eq!(stream.next::<Request>().await.expect("an end"), None);
        }
    }

    /// The frames, in pieces of this length.
    fn in_pieces(piece: usize) -> FrameReader<impl AsyncRead + Unpin> {
        let (mut write, read) = tokio::io::duplex(piece);
        tokio::spawn(async move {
            use tokio::io::AsyncWriteExt;
            write.write_all(&frames()).await.expect("the reader reads");
        });
        FrameReader::new(read)
    }

    #[tokio::test]
    async fn a_torn_long_or_foreign_frame_is_an_error() {
        let mut long = frames();
        long[0] = 0xff;
        for (bytes, kind) in [
            (&frames()[..frames().len() - 1], io::ErrorKind::UnexpectedEof),
            (&long[..], io::ErrorKind::InvalidData),
            (&b"\0\0\0\x02{]"[..], io::ErrorKind::InvalidData),
        ] {
            let mut reader = FrameReader::new(bytes);
            let error = loop {
                match reader.next::<Request>().await {
                    Ok(request) => assert!(request.is_some()),
                    Err(error) => break error,
                }
            };
            assert_eq!(error.kind(), kind, "{error}");
        }
        let text = "x".repeat(FRAME_LENGTH_LIMIT_BYTES);
        assert!(encode(&text).is_err());
    }
}
