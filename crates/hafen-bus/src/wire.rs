//! The bytes between a host and the lab's hub: a length, a kind, and the rest.

use hafen_protocol::view::MESSAGE_BYTES_MAXIMUM;
use hafen_protocol::{Delivery, HostId, Incarnation, MemberId, RingId, Transmission};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Both sides must speak this version.
pub const WIRE_VERSION: u8 = 1;

/// No frame is longer, its length not counted.
pub const FRAME_BYTES_MAXIMUM: usize = MESSAGE_BYTES_MAXIMUM + 64;

/// What a host says to the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToHub {
    /// The first frame of a host's ring connection: the host is in the ring as long as it is open.
    Ring(HostId),
    /// The first frame of a daemon's connection: it asks to join the group.
    Process(MemberId),
    /// The daemon sends.
    Transmit(Transmission),
}

/// What the hub says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromHub {
    /// The first frame was understood.
    Accepted,
    /// To a daemon.
    Delivery(Delivery),
    /// The connection ends because of this.
    Refused(String),
    /// The daemon has left as it asked to; the connection ends.
    Left,
}

/// What cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The connection ended or failed.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The length alone is wrong.
    #[error("a frame of {0} bytes")]
    Length(usize),
    /// No such kind, or too short for its kind.
    #[error("an unreadable frame of kind {kind:#04x} and {bytes} bytes")]
    Garbage {
        /// Its kind.
        kind: u8,
        /// Its length without the kind.
        bytes: usize,
    },
    /// Another version.
    #[error("it speaks version {0} of the hub's protocol, this is {WIRE_VERSION}")]
    Version(u8),
}

const RING: u8 = 0x01;
const PROCESS: u8 = 0x02;
const MULTICAST: u8 = 0x10;
const STREAM_TO: u8 = 0x11;
const LEAVE: u8 = 0x12;
const PROCEED: u8 = 0x13;
const ACCEPTED: u8 = 0x20;
const VIEW: u8 = 0x21;
const QUORUM: u8 = 0x22;
const MESSAGE: u8 = 0x23;
const STREAM_FROM: u8 = 0x24;
const REFUSED: u8 = 0x25;
const LEFT: u8 = 0x26;
const HOSTS: u8 = 0x27;

impl ToHub {
    /// The frame with its length.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            ToHub::Ring(host) => frame(RING, &[&[WIRE_VERSION], &host.0.to_be_bytes()]),
            ToHub::Process(member) => frame(PROCESS, &[&[WIRE_VERSION], &member_bytes(*member)]),
            ToHub::Transmit(Transmission::Multicast(bytes)) => frame(MULTICAST, &[bytes]),
            ToHub::Transmit(Transmission::Stream { to, bytes }) => {
                frame(STREAM_TO, &[&member_bytes(*to), bytes])
            }
            ToHub::Transmit(Transmission::ProceedWithout(hosts)) => {
                frame(PROCEED, &[&serde_json::to_vec(hosts).unwrap_or_default()])
            }
            ToHub::Transmit(Transmission::Leave) => frame(LEAVE, &[]),
        }
    }

    /// Reads a frame without its length.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(bytes: &[u8]) -> Result<ToHub, WireError> {
        let (&kind, body) = bytes.split_first().ok_or(WireError::Length(0))?;
        let garbage = || WireError::Garbage { kind, bytes: body.len() };
        match kind {
            RING | PROCESS => {
                let (&version, body) = body.split_first().ok_or_else(garbage)?;
                if version != WIRE_VERSION {
                    return Err(WireError::Version(version));
                }
                if kind == RING {
                    let host = u32::from_be_bytes(body.try_into().map_err(|_| garbage())?);
                    return Ok(ToHub::Ring(HostId(host)));
                }
                match split_member(body) {
                    Some((member, [])) => Ok(ToHub::Process(member)),
                    _ => Err(garbage()),
                }
            }
            MULTICAST => Ok(ToHub::Transmit(Transmission::Multicast(body.to_vec()))),
            STREAM_TO => {
                let (to, bytes) = split_member(body).ok_or_else(garbage)?;
                Ok(ToHub::Transmit(Transmission::Stream { to, bytes: bytes.to_vec() }))
            }
            PROCEED => {
                let hosts = serde_json::from_slice(body).map_err(|_| garbage())?;
                Ok(ToHub::Transmit(Transmission::ProceedWithout(hosts)))
            }
            LEAVE if body.is_empty() => Ok(ToHub::Transmit(Transmission::Leave)),
            _ => Err(garbage()),
        }
    }
}

impl FromHub {
    /// The frame with its length.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            FromHub::Accepted => frame(ACCEPTED, &[&[WIRE_VERSION]]),
            FromHub::Refused(reason) => frame(REFUSED, &[reason.as_bytes()]),
            FromHub::Left => frame(LEFT, &[]),
            FromHub::Delivery(Delivery::View(view)) => {
                frame(VIEW, &[&serde_json::to_vec(view).unwrap_or_default()])
            }
            FromHub::Delivery(Delivery::Quorum { ring, quorate }) => frame(
                QUORUM,
                &[&ring.sequence.to_be_bytes(), &ring.representative.0.to_be_bytes(), &[u8::from(*quorate)]],
            ),
            FromHub::Delivery(Delivery::Message { from, bytes }) => {
                frame(MESSAGE, &[&member_bytes(*from), bytes])
            }
            FromHub::Delivery(Delivery::Stream { from, bytes }) => {
                frame(STREAM_FROM, &[&member_bytes(*from), bytes])
            }
            FromHub::Delivery(Delivery::Hosts(hosts)) => {
                frame(HOSTS, &[&serde_json::to_vec(hosts).unwrap_or_default()])
            }
            FromHub::Delivery(Delivery::Lost { reason }) => frame(REFUSED, &[reason.as_bytes()]),
        }
    }

    /// Reads a frame without its length.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(bytes: &[u8]) -> Result<FromHub, WireError> {
        let (&kind, body) = bytes.split_first().ok_or(WireError::Length(0))?;
        let garbage = || WireError::Garbage { kind, bytes: body.len() };
        let from_member = || split_member(body).map(|(from, rest)| (from, rest.to_vec())).ok_or_else(garbage);
        Ok(match kind {
            ACCEPTED => match body {
                [WIRE_VERSION] => FromHub::Accepted,
                [version] => return Err(WireError::Version(*version)),
                _ => return Err(garbage()),
            },
            REFUSED => FromHub::Refused(String::from_utf8_lossy(body).into_owned()),
            LEFT => FromHub::Left,
            VIEW => FromHub::Delivery(Delivery::View(serde_json::from_slice(body).map_err(|_| garbage())?)),
            QUORUM => FromHub::Delivery(parse_quorum(body).ok_or_else(garbage)?),
            HOSTS => FromHub::Delivery(Delivery::Hosts(serde_json::from_slice(body).map_err(|_| garbage())?)),
            MESSAGE => {
                let (from, bytes) = from_member()?;
                FromHub::Delivery(Delivery::Message { from, bytes })
            }
            STREAM_FROM => {
                let (from, bytes) = from_member()?;
                FromHub::Delivery(Delivery::Stream { from, bytes })
            }
            _ => return Err(garbage()),
        })
    }
}

fn parse_quorum(body: &[u8]) -> Option<Delivery> {
    let (sequence, rest) = body.split_first_chunk::<8>()?;
    let (representative, rest) = rest.split_first_chunk::<4>()?;
    let [quorate] = rest else { return None };
    let representative = HostId(u32::from_be_bytes(*representative));
    let ring = RingId { sequence: u64::from_be_bytes(*sequence), representative };
    Some(Delivery::Quorum { ring, quorate: *quorate != 0 })
}

fn member_bytes(member: MemberId) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes[..4].copy_from_slice(&member.host.0.to_be_bytes());
    bytes[4..].copy_from_slice(&member.incarnation.0.to_be_bytes());
    bytes
}

fn split_member(bytes: &[u8]) -> Option<(MemberId, &[u8])> {
    let (host, rest) = bytes.split_first_chunk::<4>()?;
    let (incarnation, rest) = rest.split_first_chunk::<8>()?;
    let host = HostId(u32::from_be_bytes(*host));
    Some((MemberId { host, incarnation: Incarnation(u64::from_be_bytes(*incarnation)) }, rest))
}

fn frame(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = 1 + parts.iter().map(|part| part.len()).sum::<usize>();
    let mut bytes = Vec::with_capacity(4 + length);
    bytes.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    bytes.push(kind);
    for part in parts {
        bytes.extend_from_slice(part);
    }
    bytes
}

/// Reads the next frame, without its length.
///
/// # Errors
/// When the connection ends, or the length is beyond the limit.
pub async fn read_frame<R: AsyncRead + Unpin>(reader: &mut R) -> Result<Vec<u8>, WireError> {
    let length = reader.read_u32().await? as usize;
    if length == 0 || length > FRAME_BYTES_MAXIMUM {
        return Err(WireError::Length(length));
    }
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes).await?;
    Ok(bytes)
}
