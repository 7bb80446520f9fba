//! What the engines of a group say to each other: pure bytes.
//!
//! Every packet begins with `HFN`, the protocol's version and a kind. What forms views is JSON; data has a binary header.

use std::collections::{BTreeMap, BTreeSet};

use hafen_protocol::{HostId, Incarnation, MemberId, RingId, ViewId};
use serde::{Deserialize, Serialize};

/// The version of this protocol; all members of a group speak the same.
pub const PROTOCOL_VERSION: u8 = 1;

/// How much of a message one data packet carries: small enough that a token's round is never held up by one of them.
pub(super) const PIECE_BYTES_MAXIMUM: usize = 60 << 10;

const MAGIC: [u8; 3] = *b"HFN";
const KIND_QUERY: u8 = 1;
const KIND_HELLO: u8 = 2;
const KIND_INSTALL: u8 = 3;
const KIND_DATA: u8 = 4;

/// Names one attempt to form a view, and then the view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Token {
    /// Who asked for it.
    pub(super) by: MemberId,
    /// Counts the attempts of that member.
    pub(super) number: u64,
}

/// What a member has delivered in its view up to a place of the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Stay {
    pub(super) view: ViewId,
    /// How many messages.
    pub(super) count: u64,
    /// Which ones.
    pub(super) digest: u64,
}

/// A ring as a member knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KnownRing {
    pub(super) id: RingId,
    pub(super) hosts: BTreeSet<HostId>,
    /// Told in the group's own order, and not beside it.
    pub(super) in_order: bool,
}

/// A member's answer to a query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hello {
    pub(super) token: Token,
    pub(super) member: MemberId,
    pub(super) ring: Option<KnownRing>,
    /// Where the member was when the query came; none if it was in no view.
    pub(super) previous: Option<Stay>,
    /// Hosts that left the ring since that view, also those that are back.
    pub(super) gone: BTreeSet<HostId>,
    /// The lowest sequence that the next view may have.
    pub(super) sequence: u64,
}

/// A member of a new view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Joined {
    pub(super) incarnation: Incarnation,
    pub(super) process: u32,
    pub(super) previous: Option<Stay>,
    pub(super) gone: BTreeSet<HostId>,
}

/// The new view; it holds for all who deliver this with nothing in between since the query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Install {
    pub(super) token: Token,
    pub(super) ring: RingId,
    pub(super) hosts: BTreeSet<HostId>,
    pub(super) sequence: u64,
    pub(super) members: BTreeMap<HostId, Joined>,
}

/// A piece of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Data<'a> {
    /// The view that the message belongs to.
    pub(super) token: Token,
    /// Counts the sender's messages.
    pub(super) number: u64,
    /// From 0.
    pub(super) index: u32,
    /// How many pieces, at least 1.
    pub(super) count: u32,
    pub(super) piece: &'a [u8],
}

/// A packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Packet<'a> {
    Query(Token),
    Hello(Box<Hello>),
    Install(Box<Install>),
    Data(Data<'a>),
}

/// What cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum PacketError {
    /// Another version of this protocol.
    #[error("version {0} of the bus's protocol")]
    Version(u8),
    /// None of ours.
    #[error("garbage")]
    Garbage,
}

impl Packet<'_> {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        // Serialization into memory fails only for maps without string keys; these types have none.
        match self {
            Packet::Query(token) => packet(KIND_QUERY, &[&serde_json::to_vec(token).unwrap_or_default()]),
            Packet::Hello(hello) => packet(KIND_HELLO, &[&serde_json::to_vec(hello).unwrap_or_default()]),
            Packet::Install(install) => {
                packet(KIND_INSTALL, &[&serde_json::to_vec(install).unwrap_or_default()])
            }
            Packet::Data(data) => packet(
                KIND_DATA,
                &[
                    &data.token.by.host.0.to_be_bytes(),
                    &data.token.by.incarnation.0.to_be_bytes(),
                    &data.token.number.to_be_bytes(),
                    &data.number.to_be_bytes(),
                    &data.index.to_be_bytes(),
                    &data.count.to_be_bytes(),
                    data.piece,
                ],
            ),
        }
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Packet<'_>, PacketError> {
        let (magic, rest) = bytes.split_first_chunk::<3>().ok_or(PacketError::Garbage)?;
        let [version, kind, body @ ..] = rest else { return Err(PacketError::Garbage) };
        if *magic != MAGIC {
            return Err(PacketError::Garbage);
        }
        if *version != PROTOCOL_VERSION {
            return Err(PacketError::Version(*version));
        }
        let garbage = |_| PacketError::Garbage;
        match *kind {
            KIND_QUERY => Ok(Packet::Query(serde_json::from_slice(body).map_err(garbage)?)),
            KIND_HELLO => Ok(Packet::Hello(serde_json::from_slice(body).map_err(garbage)?)),
            KIND_INSTALL => Ok(Packet::Install(serde_json::from_slice(body).map_err(garbage)?)),
            KIND_DATA => Data::parse(body).map(Packet::Data).ok_or(PacketError::Garbage),
            _ => Err(PacketError::Garbage),
        }
    }
}

impl Data<'_> {
    fn parse(body: &[u8]) -> Option<Data<'_>> {
        let (host, rest) = body.split_first_chunk::<4>()?;
        let (incarnation, rest) = rest.split_first_chunk::<8>()?;
        let (attempt, rest) = rest.split_first_chunk::<8>()?;
        let (number, rest) = rest.split_first_chunk::<8>()?;
        let (index, rest) = rest.split_first_chunk::<4>()?;
        let (count, piece) = rest.split_first_chunk::<4>()?;
        let by = MemberId {
            host: HostId(u32::from_be_bytes(*host)),
            incarnation: Incarnation(u64::from_be_bytes(*incarnation)),
        };
        let (index, count) = (u32::from_be_bytes(*index), u32::from_be_bytes(*count));
        (index < count).then_some(Data {
            token: Token { by, number: u64::from_be_bytes(*attempt) },
            number: u64::from_be_bytes(*number),
            index,
            count,
            piece,
        })
    }
}

/// The packets of one message.
pub(super) fn pieces(token: Token, number: u64, message: &[u8]) -> Vec<Vec<u8>> {
    let count = u32::try_from(message.len().div_ceil(PIECE_BYTES_MAXIMUM).max(1)).unwrap_or(u32::MAX);
    let mut rest = message.chunks(PIECE_BYTES_MAXIMUM);
    (0..count)
        .map(|index| {
            let piece = rest.next().unwrap_or_default();
            Packet::Data(Data { token, number, index, count, piece }).to_bytes()
        })
        .collect()
}

fn packet(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut bytes = Vec::with_capacity(MAGIC.len() + 2 + length);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&[PROTOCOL_VERSION, kind]);
    for part in parts {
        bytes.extend_from_slice(part);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> Token {
        Token { by: MemberId { host: HostId(3), incarnation: Incarnation(9) }, number: 7 }
    }

    #[test]
    fn a_message_comes_in_pieces_and_is_whole_again() {
        let message: Vec<u8> = (0..=255).cycle().take(PIECE_BYTES_MAXIMUM * 2 + 1).collect();
        let packets = pieces(token(), 5, &message);
        assert_eq!(packets.len(), 3);
        let mut whole = Vec::new();
        for (index, bytes) in packets.iter().enumerate() {
            let Ok(Packet::Data(data)) = Packet::parse(bytes) else { panic!("no data") };
            assert_eq!((data.token, data.number, data.index as usize, data.count), (token(), 5, index, 3));
            whole.extend_from_slice(data.piece);
        }
        assert_eq!(whole, message);
        assert_eq!(pieces(token(), 5, &[]).len(), 1, "an empty message is a message");
    }

    #[test]
    fn other_versions_and_garbage_are_told_apart() {
        let query = Packet::Query(token()).to_bytes();
        assert_eq!(Packet::parse(&query), Ok(Packet::Query(token())));
        let mut other = query.clone();
        other[3] = 9;
        assert_eq!(Packet::parse(&other), Err(PacketError::Version(9)));
        for length in 0..query.len() {
            assert!(Packet::parse(&query[..length]).is_err(), "{length} bytes");
        }
        let data = &pieces(token(), 1, b"")[0];
        for length in 0..data.len() {
            assert!(Packet::parse(&data[..length]).is_err(), "{length} bytes");
        }
    }
}
