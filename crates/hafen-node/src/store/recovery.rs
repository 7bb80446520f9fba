//! What a restarted daemon makes of the files that it finds.

use std::collections::BTreeMap;

use hafen_protocol::HostId;
use hafen_protocol::message::Lineage;

use super::StoredState;
use super::format::{ChangeRecord, Record, decode_log, decode_snapshot};
use crate::api::StoredFiles;

/// What was on disk.
#[derive(Debug, Clone)]
pub struct Recovered<S> {
    /// The state after everything that could be read.
    pub state: S,
    /// Under which term and coordinator its last change was made.
    pub lineage: Lineage,
    /// The highest term that this host has promised.
    pub promised_term: u64,
    /// The configured hosts, where they are known.
    pub hosts: Option<BTreeMap<HostId, String>>,
    /// Something that was written is unreadable although it may have been reported durable: this host may have
    /// forgotten what it had acknowledged.
    pub damaged: bool,
    /// What was left out, and why, in sentences.
    pub notes: Vec<String>,
}

/// A file of the store by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileKind {
    Snapshot(u64),
    Temporary(u64),
    Log(u64),
    Conflict(u64),
}

impl FileKind {
    pub(super) fn of(name: &str) -> Option<FileKind> {
        if let Some(rest) = name.strip_prefix("cib-conflict-") {
            let number = rest.strip_suffix(".xml")?.split('-').next()?;
            return Some(FileKind::Conflict(number_of(number)?));
        }
        if let Some(number) = name.strip_prefix("log-") {
            return Some(FileKind::Log(number_of(number)?));
        }
        let (number, suffix) = name.strip_prefix("cib-")?.split_once('.')?;
        match suffix {
            "snapshot" => Some(FileKind::Snapshot(number_of(number)?)),
            "tmp" => Some(FileKind::Temporary(number_of(number)?)),
            _ => None,
        }
    }

    /// The generation that the file belongs to; conflicts belong to none.
    pub(super) fn generation(self) -> Option<u64> {
        match self {
            FileKind::Snapshot(generation) | FileKind::Temporary(generation) | FileKind::Log(generation) => {
                Some(generation)
            }
            FileKind::Conflict(_) => None,
        }
    }
}

/// At most 15 digits, so that counting on from a number that somebody made up cannot overflow.
fn number_of(text: &str) -> Option<u64> {
    (text.len() <= 15 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

/// The result, and the generation that it was read from.
pub(super) fn read<S: StoredState>(
    files: &StoredFiles,
    initial: &str,
) -> Result<(Recovered<S>, Option<u64>), String> {
    let mut notes = Vec::new();
    let mut damaged = false;
    let mut snapshots = BTreeMap::new();
    let mut logs = BTreeMap::new();
    for (name, bytes) in files {
        match FileKind::of(name) {
            Some(FileKind::Snapshot(generation)) => drop(snapshots.insert(generation, bytes)),
            Some(FileKind::Log(generation)) => drop(logs.insert(generation, bytes)),
            _ => {}
        }
    }
    for (&generation, bytes) in snapshots.iter().rev() {
        let read = decode_snapshot(bytes).and_then(|snapshot| Ok((S::parse(&snapshot.xml)?, snapshot)));
        match read {
            Ok((state, snapshot)) => {
                let mut recovered = Recovered {
                    state,
                    lineage: snapshot.lineage,
                    promised_term: snapshot.promised_term,
                    hosts: snapshot.hosts,
                    damaged,
                    notes,
                };
                replay(&mut recovered, snapshot.digest, generation, &logs);
                return Ok((recovered, Some(generation)));
            }
            Err(what) => {
                damaged = true;
                notes.push(format!("cib-{generation}.snapshot left out: {what}"));
            }
        }
    }
    if damaged {
        notes.push("no snapshot can be read: beginning with the initial configuration".into());
    }
    let recovered = Recovered {
        state: S::parse(initial)?,
        lineage: Lineage::default(),
        promised_term: 0,
        hosts: None,
        damaged,
        notes,
    };
    Ok((recovered, None))
}

/// Applies the log of the snapshot's generation, and goes on with later ones (whose snapshots were damaged) as long
/// as each begins where the one before it ended.
fn replay<S: StoredState>(
    recovered: &mut Recovered<S>,
    mut digest: String,
    generation: u64,
    logs: &BTreeMap<u64, &Vec<u8>>,
) {
    for (&generation, bytes) in logs.range(generation..) {
        let (records, note) = decode_log(generation, bytes);
        recovered.notes.extend(note.map(|note| format!("log-{generation}: {note}")));
        let mut records = records.into_iter();
        match records.next() {
            Some(Record::Base { lineage, promised_term, digest: base })
                if base == digest && lineage == recovered.lineage =>
            {
                recovered.promised_term = recovered.promised_term.max(promised_term);
            }
            None => continue,
            Some(_) => {
                recovered.notes.push(format!("log-{generation} left out: it starts from another state"));
                return;
            }
        }
        for record in records {
            if let Err(what) = replay_one(recovered, &mut digest, record) {
                recovered.damaged = true;
                recovered.notes.push(format!("log-{generation}: a change and all after it left out: {what}"));
                return;
            }
        }
    }
}

fn replay_one<S: StoredState>(
    recovered: &mut Recovered<S>,
    digest: &mut String,
    record: Record,
) -> Result<(), String> {
    match record {
        Record::Base { .. } => Err("a second beginning".into()),
        Record::Promise { term } => {
            recovered.promised_term = recovered.promised_term.max(term);
            Ok(())
        }
        Record::Change(ChangeRecord { lineage, patchset, base_digest, result_digest, hosts }) => {
            if base_digest != *digest {
                return Err(format!("it starts from {base_digest}, the state is {digest}"));
            }
            if let Some(patchset) = patchset {
                let mut state = recovered.state.clone();
                state.apply(&patchset)?;
                let reached = state.digest();
                if reached != result_digest {
                    return Err(format!("it should lead to {result_digest} and leads to {reached}"));
                }
                recovered.state = state;
            }
            if let (Some(known), Some(change)) = (&mut recovered.hosts, &hosts) {
                change.apply(known);
            }
            recovered.lineage = lineage;
            *digest = result_digest;
            Ok(())
        }
    }
}
