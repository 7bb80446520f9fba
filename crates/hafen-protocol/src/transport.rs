//! Between messages and the bus's frames: encoding, fragments, reassembly, flow control.
//!
//! Messages are JSON, not a binary format: in a rolling upgrade members of two versions share a view, and JSON with
//! named fields lets the older one skip a field that it does not know and the newer one fill in one that is missing
//! (`#[serde(default)]`). A binary format that is laid out by position does neither, and a captured frame could not
//! be read by a person. The price, some bytes, is small beside the patchsets' XML.
//!
//! A message longer than a frame travels in fragments. The bus keeps a sender's frames in order, so a sender has at
//! most one unfinished message at a time. At a change of the view both sides start afresh: what was sent in the old
//! view is void in the new one anyway, because every message names its view.

use std::collections::VecDeque;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::frame::{FRAGMENT_BYTES_MAXIMUM, Fragment, GarbageError};
use crate::message::{Envelope, Message, PROTOCOL_VERSION};
use crate::reassembly::Reassembly;
use crate::view::{MemberId, View, ViewId};

/// No encoded message is longer (64 MiB); a full copy of the largest configuration stays well below.
pub const WHOLE_MESSAGE_BYTES_MAXIMUM: usize = 64 << 20;

/// Own frames on the way (sent, not yet delivered back) hold at most this many bytes (4 MiB)…
pub const WINDOW_BYTES_MAXIMUM: usize = 4 << 20;

/// … and there are at most this many of them.
pub const WINDOW_FRAMES_MAXIMUM: usize = 256;

/// Frames that wait for the window hold at most this many bytes: one longest message, and as much again.
pub const QUEUE_BYTES_MAXIMUM: usize = 2 * WHOLE_MESSAGE_BYTES_MAXIMUM;

/// At most this many frames wait for the window.
pub const QUEUE_FRAMES_MAXIMUM: usize = 8192;

/// A message to one member, by the stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum StreamMessage {
    /// The coordinator's full copy of the replicated state.
    Copy(StateCopy),
}

/// A full copy of the replicated state, and the place in the total order at which it was taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StateCopy {
    /// The view in which it was taken. A receiver in another view ignores it.
    pub view: ViewId,
    /// The count of messages that the sender had delivered in that view when it took the copy; the receiver applies
    /// what it has buffered after this position.
    pub position: u64,
    /// The state, in the node's own encoding.
    pub payload: String,
}

/// Why a message was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Too much waits already. The producer must wait or drop its message.
    #[error("the queue of messages to the bus is full ({bytes} bytes in {frames} frames wait)")]
    QueueFull {
        /// Bytes that wait.
        bytes: usize,
        /// Frames that wait.
        frames: usize,
    },
    /// It would never fit.
    #[error("a message of {bytes} bytes is longer than {WHOLE_MESSAGE_BYTES_MAXIMUM}")]
    TooLong {
        /// Its encoded length.
        bytes: usize,
    },
}

/// One member's end of the transport. Pure: frames go in and come out as bytes.
#[derive(Debug)]
pub struct Transport {
    me: MemberId,
    next_number: u64,
    queue: VecDeque<Vec<u8>>,
    queue_bytes: usize,
    window: VecDeque<Outstanding>,
    window_bytes: usize,
    multicasts: Reassembly,
    streams: Reassembly,
}

/// An own frame that was handed to the bus and was not delivered back yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Outstanding {
    number: u64,
    index: u32,
    bytes: usize,
}

impl Transport {
    /// A transport for this run of the daemon.
    pub fn new(me: MemberId) -> Transport {
        Transport {
            me,
            next_number: 0,
            queue: VecDeque::new(),
            queue_bytes: 0,
            window: VecDeque::new(),
            window_bytes: 0,
            multicasts: Reassembly::default(),
            streams: Reassembly::default(),
        }
    }

    /// Queues a message for all members of the view. Its frames come out of `poll_frame`.
    ///
    /// # Errors
    /// When the queue is full or the message too long; nothing is queued then.
    pub fn send(&mut self, message: &Message, view: ViewId) -> Result<(), SendError> {
        /// An `Envelope` that borrows its message.
        #[derive(Serialize)]
        struct Borrowed<'a> {
            view: ViewId,
            message: &'a Message,
        }
        let frames = self.encode(&Borrowed { view, message })?;
        let bytes: usize = frames.iter().map(Vec::len).sum();
        if self.queue_bytes + bytes > QUEUE_BYTES_MAXIMUM
            || self.queue.len() + frames.len() > QUEUE_FRAMES_MAXIMUM
        {
            return Err(SendError::QueueFull { bytes: self.queue_bytes, frames: self.queue.len() });
        }
        self.queue_bytes += bytes;
        self.queue.extend(frames);
        Ok(())
    }

    /// The next frame to multicast, if the window has room for it.
    pub fn poll_frame(&mut self) -> Option<Vec<u8>> {
        let bytes = self.queue.front()?.len();
        let full =
            self.window.len() >= WINDOW_FRAMES_MAXIMUM || self.window_bytes + bytes > WINDOW_BYTES_MAXIMUM;
        if full && !self.window.is_empty() {
            return None;
        }
        let frame = self.queue.pop_front()?;
        self.queue_bytes -= bytes;
        if let Ok(fragment) = Fragment::parse(&frame) {
            self.window.push_back(Outstanding { number: fragment.number, index: fragment.index, bytes });
            self.window_bytes += bytes;
        }
        Some(frame)
    }

    /// Takes a delivered frame; gives a message when its last fragment has arrived. Own frames must come here too:
    /// they open the window.
    ///
    /// # Errors
    /// When the bytes are none of this transport's. The frame is dropped, and the sender's unfinished message with it.
    pub fn receive(&mut self, from: MemberId, bytes: &[u8]) -> Result<Option<Envelope>, GarbageError> {
        if from == self.me {
            self.open_window(bytes);
        }
        take(&mut self.multicasts, from, bytes)
    }

    /// The frames of a message to one member, to be handed to the bus in this order.
    ///
    /// # Errors
    /// When the message is too long.
    pub fn stream_frames(&mut self, message: &StreamMessage) -> Result<Vec<Vec<u8>>, SendError> {
        self.encode(message)
    }

    /// Takes a frame of a stream; gives a message when its last fragment has arrived.
    ///
    /// # Errors
    /// When the bytes are none of this transport's. The frame is dropped, and the sender's unfinished message with it.
    pub fn receive_stream(
        &mut self,
        from: MemberId,
        bytes: &[u8],
    ) -> Result<Option<StreamMessage>, GarbageError> {
        take(&mut self.streams, from, bytes)
    }

    /// Starts afresh for a new view: drops unfinished messages of all senders and what waits in the own queue (it was
    /// meant for the old view, and would be ignored), and opens the window (what was on the way may be lost).
    pub fn view_changed(&mut self, _view: &View) {
        self.reset();
    }

    /// Starts afresh because the bus was lost.
    pub fn reset(&mut self) {
        self.queue.clear();
        self.queue_bytes = 0;
        self.window.clear();
        self.window_bytes = 0;
        self.multicasts.clear();
        self.streams.clear();
    }

    /// Bytes that wait for the window.
    pub fn queued_bytes(&self) -> usize {
        self.queue_bytes
    }

    /// Own bytes that are on the way.
    pub fn window_bytes(&self) -> usize {
        self.window_bytes
    }

    fn encode<T: Serialize>(&mut self, message: &T) -> Result<Vec<Vec<u8>>, SendError> {
        // Serialization into memory fails only for maps without string keys; the types of this crate have none, and
        // the tests encode each of them.
        let body = serde_json::to_vec(message).unwrap_or_default();
        if body.len() > WHOLE_MESSAGE_BYTES_MAXIMUM {
            return Err(SendError::TooLong { bytes: body.len() });
        }
        let number = self.next_number;
        self.next_number += 1;
        let count = u32::try_from(body.len().div_ceil(FRAGMENT_BYTES_MAXIMUM).max(1)).unwrap_or(u32::MAX);
        let mut pieces = body.chunks(FRAGMENT_BYTES_MAXIMUM);
        Ok((0..count)
            .map(|index| {
                Fragment { number, index, count, payload: pieces.next().unwrap_or_default() }.to_bytes()
            })
            .collect())
    }

    /// An own frame came back: it and all before it are no longer on the way (the bus keeps the order). A frame that
    /// is not in the window is one of an earlier view.
    fn open_window(&mut self, bytes: &[u8]) {
        let Ok(fragment) = Fragment::parse(bytes) else { return };
        let same = |own: &Outstanding| own.number == fragment.number && own.index == fragment.index;
        let Some(position) = self.window.iter().position(same) else { return };
        for own in self.window.drain(..=position) {
            self.window_bytes -= own.bytes;
        }
    }
}

fn take<T: DeserializeOwned>(
    reassembly: &mut Reassembly,
    from: MemberId,
    bytes: &[u8],
) -> Result<Option<T>, GarbageError> {
    let Some(body) = reassembly.add(from, bytes)? else { return Ok(None) };
    match serde_json::from_slice(&body) {
        Ok(message) => Ok(Some(message)),
        Err(error) => Err(match protocol_of(&body) {
            Some(protocol) if protocol != PROTOCOL_VERSION => GarbageError::Protocol(protocol),
            _ => GarbageError::Message(error.to_string()),
        }),
    }
}

/// The version that a greeting claims. Of all that may change, this place in a greeting does not.
fn protocol_of(body: &[u8]) -> Option<u32> {
    let envelope: serde_json::Value = serde_json::from_slice(body).ok()?;
    let version = envelope.pointer("/message/Hello/protocol")?.as_u64()?;
    u32::try_from(version).ok()
}
