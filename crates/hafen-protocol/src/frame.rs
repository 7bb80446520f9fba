//! The layout of a frame: a short header, then a piece of an encoded message.

use crate::message::PROTOCOL_VERSION;
use crate::view::MESSAGE_BYTES_MAXIMUM;

/// The first byte of every frame; another layout would get another number.
pub const FRAME_VERSION: u8 = 1;

/// Version (1), message number (8), index of the fragment (4), count of fragments (4); numbers are big-endian.
pub const HEADER_BYTES: usize = 17;

/// How much of a message fits into one frame.
pub const FRAGMENT_BYTES_MAXIMUM: usize = MESSAGE_BYTES_MAXIMUM - HEADER_BYTES;

/// What cannot be a frame or a message of this transport.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GarbageError {
    /// Shorter than a header, or longer than the bus allows.
    #[error("a frame of {0} bytes")]
    Length(usize),
    /// The first byte is none that this build knows.
    #[error("frame version {0}, known is {FRAME_VERSION}")]
    Version(u8),
    /// A greeting in another version of the messages, which this build cannot read.
    #[error("it speaks protocol {0}, this daemon speaks {PROTOCOL_VERSION}")]
    Protocol(u32),
    /// An index beyond the count, a count that no message needs, or a short piece before the last.
    #[error("fragment {index} of {count} with {bytes} bytes")]
    Header {
        /// The claimed index.
        index: u32,
        /// The claimed count.
        count: u32,
        /// The length of the piece.
        bytes: usize,
    },
    /// A fragment that contradicts those before it.
    #[error("fragment {index} of message {number} where {expected} was next")]
    Sequence {
        /// The message's number.
        number: u64,
        /// The index that came.
        index: u32,
        /// The index that was due.
        expected: u32,
    },
    /// All unfinished messages together are too long.
    #[error("unfinished messages of all senders exceed {0} bytes")]
    TooMuch(usize),
    /// The whole message is not what it should be.
    #[error("unreadable message: {0}")]
    Message(String),
}

/// A piece of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fragment<'a> {
    /// Counts the sender's messages.
    pub(crate) number: u64,
    /// From 0.
    pub(crate) index: u32,
    /// At least 1.
    pub(crate) count: u32,
    /// Full in all fragments but the last.
    pub(crate) payload: &'a [u8],
}

impl<'a> Fragment<'a> {
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.payload.len());
        bytes.push(FRAME_VERSION);
        bytes.extend_from_slice(&self.number.to_be_bytes());
        bytes.extend_from_slice(&self.index.to_be_bytes());
        bytes.extend_from_slice(&self.count.to_be_bytes());
        bytes.extend_from_slice(self.payload);
        bytes
    }

    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Fragment<'a>, GarbageError> {
        if bytes.len() > MESSAGE_BYTES_MAXIMUM {
            return Err(GarbageError::Length(bytes.len()));
        }
        let short = || GarbageError::Length(bytes.len());
        let (&version, rest) = bytes.split_first().ok_or_else(short)?;
        if version != FRAME_VERSION {
            return Err(GarbageError::Version(version));
        }
        let (number, rest) = rest.split_first_chunk::<8>().ok_or_else(short)?;
        let (index, rest) = rest.split_first_chunk::<4>().ok_or_else(short)?;
        let (count, payload) = rest.split_first_chunk::<4>().ok_or_else(short)?;
        let fragment = Fragment {
            number: u64::from_be_bytes(*number),
            index: u32::from_be_bytes(*index),
            count: u32::from_be_bytes(*count),
            payload,
        };
        fragment.check().then_some(fragment).ok_or(GarbageError::Header {
            index: fragment.index,
            count: fragment.count,
            bytes: payload.len(),
        })
    }

    fn check(&self) -> bool {
        let last = self.index.checked_add(1) == Some(self.count);
        self.index < self.count && (last || self.payload.len() == FRAGMENT_BYTES_MAXIMUM)
    }
}
