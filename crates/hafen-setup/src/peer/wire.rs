//! Frames: four bytes of length, then JSON.

use std::io::{self, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// No frame is longer (8 MiB): a file of the greatest size fits.
pub const FRAME_BYTES_MAXIMUM: usize = 8 << 20;
/// No frame of somebody without a certificate is longer (256 KiB).
pub(crate) const STRANGER_BYTES_MAXIMUM: usize = 256 << 10;

fn length(bytes: [u8; 4], maximum: usize) -> io::Result<usize> {
    let length = u32::from_be_bytes(bytes) as usize;
    if length == 0 || length > maximum {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a frame of {length} bytes")));
    }
    Ok(length)
}

pub(crate) fn encode<T: Serialize>(body: &T) -> io::Result<Vec<u8>> {
    let json = serde_json::to_vec(body)?;
    if json.len() > FRAME_BYTES_MAXIMUM {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{} bytes do not fit", json.len())));
    }
    let mut frame = u32::try_from(json.len()).unwrap_or(u32::MAX).to_be_bytes().to_vec();
    frame.extend_from_slice(&json);
    Ok(frame)
}

pub(crate) fn read<T: DeserializeOwned>(reader: &mut impl Read) -> io::Result<T> {
    let mut head = [0; 4];
    reader.read_exact(&mut head)?;
    let mut bytes = vec![0; length(head, FRAME_BYTES_MAXIMUM)?];
    reader.read_exact(&mut bytes)?;
    Ok(serde_json::from_slice(&bytes)?)
}

pub(crate) fn write<T: Serialize>(writer: &mut impl Write, body: &T) -> io::Result<()> {
    writer.write_all(&encode(body)?)?;
    writer.flush()
}

/// The next frame's bytes; none at the end of the connection.
pub(crate) async fn receive<R: AsyncRead + Unpin>(
    reader: &mut R,
    maximum: usize,
) -> io::Result<Option<Vec<u8>>> {
    let mut head = [0; 4];
    if reader.read(&mut head[..1]).await? == 0 {
        return Ok(None);
    }
    reader.read_exact(&mut head[1..]).await?;
    let length = length(head, maximum)?;
    // Grows with what really comes, not with what was promised.
    let mut bytes = Vec::new();
    reader.take(length as u64).read_to_end(&mut bytes).await?;
    if bytes.len() < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(bytes))
}

pub(crate) async fn send<W: AsyncWrite + Unpin>(writer: &mut W, frame: &[u8]) -> io::Result<()> {
    writer.write_all(frame).await?;
    writer.flush().await
}
