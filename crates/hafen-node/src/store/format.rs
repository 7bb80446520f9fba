//! How snapshots and records of the log look as bytes. Every piece carries a checksum; a log's checksums are chained,
//! so that a record of another generation or of an earlier life of the file never counts.

use std::collections::BTreeMap;

use hafen_protocol::HostId;
use hafen_protocol::message::{HostChange, Lineage};
use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};

/// Begins every snapshot; the last digit is the format's version.
const SNAPSHOT_MAGIC: &[u8; 8] = b"HAFSNAP1";
/// Magic, length of the payload, checksum.
const SNAPSHOT_HEADER_BYTES: usize = 8 + 8 + 16;
/// Length of the payload, checksum.
const RECORD_HEADER_BYTES: usize = 4 + 16;
/// No record is longer; a longer change is stored as a snapshot.
pub(super) const RECORD_BYTES_MAXIMUM: usize = 4 << 20;

/// A whole state on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Snapshot {
    pub(super) lineage: Lineage,
    pub(super) promised_term: u64,
    /// The configured hosts, where they are known.
    #[serde(default)]
    pub(super) hosts: Option<BTreeMap<HostId, String>>,
    pub(super) digest: String,
    pub(super) xml: String,
}

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Record {
    /// The first of each log: the state that it goes on from.
    Base { lineage: Lineage, promised_term: u64, digest: String },
    /// A change of the configuration.
    Change(ChangeRecord),
    /// No coordinator of a lower term is followed any more.
    Promise { term: u64 },
}

/// A change of the configuration as the log keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeRecord {
    /// Under which term and coordinator it was made.
    pub lineage: Lineage,
    /// The patchset as XML; nothing where the change only opens a term.
    pub patchset: Option<String>,
    /// The digest of the state that it starts from.
    pub base_digest: String,
    /// The digest of the state that it leads to.
    pub result_digest: String,
    /// The change of the configured hosts that came with it.
    #[serde(default)]
    pub hosts: Option<HostChange>,
}

/// The running checksum of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chain([u8; 16]);

impl Chain {
    /// The chain of an empty log.
    pub(super) fn of_generation(generation: u64) -> Chain {
        let mut hasher = Md5::new();
        hasher.update(b"hafen log");
        hasher.update(generation.to_le_bytes());
        Chain(hasher.finalize().into())
    }

    fn next(self, payload: &[u8]) -> Chain {
        let mut hasher = Md5::new();
        hasher.update(self.0);
        hasher.update(payload);
        Chain(hasher.finalize().into())
    }
}

/// The bytes of a snapshot's file.
pub(super) fn encode_snapshot(snapshot: &Snapshot) -> Vec<u8> {
    let payload = to_json(snapshot);
    let mut bytes = Vec::with_capacity(SNAPSHOT_HEADER_BYTES + payload.len());
    bytes.extend_from_slice(SNAPSHOT_MAGIC);
    bytes.extend_from_slice(&u64::try_from(payload.len()).unwrap_or(u64::MAX).to_le_bytes());
    bytes.extend_from_slice(&Md5::digest(&payload));
    bytes.extend_from_slice(&payload);
    bytes
}

/// Reads a snapshot's file.
pub(super) fn decode_snapshot(bytes: &[u8]) -> Result<Snapshot, String> {
    let (header, payload) =
        bytes.split_at_checked(SNAPSHOT_HEADER_BYTES).ok_or("it is shorter than its header")?;
    if &header[..8] != SNAPSHOT_MAGIC {
        return Err("it does not begin as a snapshot does".into());
    }
    let length = u64::from_le_bytes(array(&header[8..16]));
    if u64::try_from(payload.len()).ok() != Some(length) {
        return Err(format!("it should hold {length} bytes and holds {}", payload.len()));
    }
    if Md5::digest(payload).as_slice() != &header[16..] {
        return Err("its checksum is wrong".into());
    }
    serde_json::from_slice(payload).map_err(|error| format!("it cannot be read: {error}"))
}

/// The bytes of a record that follows `chain`, and the chain after it; `None` when it is too long for the log.
pub(super) fn encode_record(record: &Record, chain: Chain) -> Option<(Vec<u8>, Chain)> {
    let payload = to_json(record);
    if payload.len() > RECORD_BYTES_MAXIMUM {
        return None;
    }
    let next = chain.next(&payload);
    let mut bytes = Vec::with_capacity(RECORD_HEADER_BYTES + payload.len());
    bytes.extend_from_slice(&u32::try_from(payload.len()).ok()?.to_le_bytes());
    bytes.extend_from_slice(&next.0);
    bytes.extend_from_slice(&payload);
    Some((bytes, next))
}

/// Reads a log up to its end or to the first byte that is not as it was written. The second part says what was left
/// out, if anything.
pub(super) fn decode_log(generation: u64, bytes: &[u8]) -> (Vec<Record>, Option<String>) {
    let mut records = Vec::new();
    let mut chain = Chain::of_generation(generation);
    let mut rest = bytes;
    while !rest.is_empty() {
        match decode_record(rest, chain) {
            Ok((record, next, after)) => {
                records.push(record);
                chain = next;
                rest = after;
            }
            Err(what) => {
                let note = format!("{} bytes after record {} left out: {what}", rest.len(), records.len());
                return (records, Some(note));
            }
        }
    }
    (records, None)
}

fn decode_record(bytes: &[u8], chain: Chain) -> Result<(Record, Chain, &[u8]), String> {
    let (header, rest) = bytes.split_at_checked(RECORD_HEADER_BYTES).ok_or("a torn header")?;
    let length = usize::try_from(u32::from_le_bytes(array(&header[..4]))).unwrap_or(usize::MAX);
    if length > RECORD_BYTES_MAXIMUM {
        return Err("an impossible length".into());
    }
    let (payload, rest) = rest.split_at_checked(length).ok_or("a torn record")?;
    let next = chain.next(payload);
    if next.0 != header[4..] {
        return Err("a wrong checksum".into());
    }
    let record =
        serde_json::from_slice(payload).map_err(|error| format!("a record that cannot be read: {error}"))?;
    Ok((record, next, rest))
}

fn to_json<T: Serialize>(value: &T) -> Vec<u8> {
    // The types here have string keys and no floats: nothing in them can fail to serialise.
    serde_json::to_vec(value).unwrap_or_default()
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(bytes);
    array
}
