//! The log of changes and its recovery, as storage effects that a shell carries out.
//!
//! A *generation* is a snapshot `cib-N.snapshot` and the changes since, `log-N`. A snapshot is written under another
//! name, synced, renamed, and the directory synced, before anything counts as stored in its generation; the generation
//! before it stays until the next one is complete. Appends that come while a sync is under way share the next one.
//! Recovery takes the newest snapshot that can be read and the part of the log that is as it was written.
//!
//! When the disk fails, the store puts out nothing until [`RETRY_MS`] have passed, then tries to write a fresh
//! snapshot of the state as it is by then, again and again until one succeeds.

mod format;
mod recovery;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hafen_protocol::message::Lineage;
use hafen_protocol::{HostId, Now};

use crate::api::{StorageEffect, StorageError, StoredFiles};

pub use format::ChangeRecord;
use format::{Chain, Record, Snapshot, encode_record, encode_snapshot};
use recovery::FileKind;
pub use recovery::Recovered;

/// A log with more records than this is replaced by a snapshot.
pub const LOG_RECORDS_MAXIMUM: usize = 256;
/// A log longer than this, and longer than its snapshot, is replaced by a snapshot.
pub const LOG_BYTES_MAXIMUM: usize = 1 << 20;
/// The store keeps the newest of the states that lost a merge, so many of them.
pub const CONFLICTS_MAXIMUM: usize = 16;
/// How long a disk that failed is left alone before it is tried again.
pub const RETRY_MS: u64 = 5_000;

/// What the store keeps: a state that patchsets change.
pub trait StoredState: Clone {
    /// Reads a state from its XML.
    ///
    /// # Errors
    /// What is wrong with the text.
    fn parse(xml: &str) -> Result<Self, String>;
    /// The state as XML.
    fn to_xml(&self) -> String;
    /// The digest of the state.
    fn digest(&self) -> String;
    /// Applies a patchset.
    ///
    /// # Errors
    /// Why it does not apply; the state may then be half changed.
    fn apply(&mut self, patchset: &str) -> Result<(), String>;
}

/// A point in the sequence of what was given to the store: everything up to it is on disk when
/// [`Store::durable_through`] has reached it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Ticket(u64);

/// What the end of an effect brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Everything up to here is on disk. After a failure this means that the disk takes writes again.
    Durable(Ticket),
    /// The disk does not take what it is given.
    Failed(String),
}

/// Whether the disk takes writes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Health {
    Healthy,
    /// Nothing is put out before that time.
    Failed {
        reason: String,
        retry_at: u64,
    },
    /// A fresh snapshot is on its way.
    Retrying {
        reason: String,
    },
}

/// What it means that an effect has succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Meaning {
    Nothing,
    Durable(Ticket),
    /// A generation is complete, with everything up to the ticket.
    Complete(u64, Ticket),
    Removed(String),
}

/// The store of one host.
#[derive(Debug)]
pub struct Store {
    lineage: Lineage,
    promised_term: u64,
    hosts: Option<BTreeMap<HostId, String>>,
    generation: u64,
    /// The newest generation that is known to be on disk as a whole.
    complete: Option<u64>,
    /// The generation before the one that is being written: it stays, should that one become unreadable.
    kept: Option<u64>,
    snapshot_bytes: usize,
    log_records: usize,
    log_bytes: usize,
    chain: Chain,
    /// Records that wait for the sync under way to end.
    gathered: Vec<u8>,
    /// Names of files that may exist.
    files: BTreeSet<String>,
    queued: VecDeque<(StorageEffect, Meaning)>,
    in_flight: VecDeque<(u64, Meaning)>,
    next_token: u64,
    given: Ticket,
    durable: Ticket,
    health: Health,
    next_conflict: u64,
}

impl Store {
    /// Reads what is there, and begins a new generation with it.
    ///
    /// # Errors
    /// When the initial configuration is needed and is no state.
    pub fn recover<S: StoredState>(
        files: &StoredFiles,
        initial: &str,
    ) -> Result<(Store, Recovered<S>), String> {
        let (recovered, complete) = recovery::read::<S>(files, initial)?;
        let kinds = || files.keys().filter_map(|name| FileKind::of(name));
        let conflict = |kind| if let FileKind::Conflict(number) = kind { Some(number) } else { None };
        let generation = kinds().filter_map(FileKind::generation).max().unwrap_or(0);
        let mut store = Store {
            lineage: recovered.lineage,
            promised_term: recovered.promised_term,
            hosts: recovered.hosts.clone(),
            generation,
            complete,
            kept: complete,
            snapshot_bytes: 0,
            log_records: 0,
            log_bytes: 0,
            chain: Chain::of_generation(generation),
            gathered: Vec::new(),
            files: files.keys().filter(|name| FileKind::of(name).is_some()).cloned().collect(),
            queued: VecDeque::new(),
            in_flight: VecDeque::new(),
            next_token: 0,
            given: Ticket::default(),
            durable: Ticket::default(),
            health: Health::Healthy,
            next_conflict: kinds().filter_map(conflict).max().map_or(1, |number| number + 1),
        };
        store.next_ticket();
        store.begin_generation(&recovered.state);
        Ok((store, recovered))
    }

    /// Stores a change; `after` is the state that it leads to.
    pub fn append_change<S: StoredState>(&mut self, change: ChangeRecord, after: &S) -> Ticket {
        self.lineage = change.lineage;
        if let (Some(hosts), Some(change)) = (&mut self.hosts, &change.hosts) {
            change.apply(hosts);
        }
        self.append(&Record::Change(change), after)
    }

    /// Stores the promise not to follow a lower term; `state` is the state as it is.
    pub fn append_promise<S: StoredState>(&mut self, term: u64, state: &S) -> Ticket {
        self.promised_term = self.promised_term.max(term);
        self.append(&Record::Promise { term }, state)
    }

    /// Stores a state that was taken over as a whole, with the configured hosts that belong to it. A promise is never taken back.
    pub fn install_copy<S: StoredState>(
        &mut self,
        state: &S,
        lineage: Lineage,
        promised_term: u64,
        hosts: &BTreeMap<HostId, String>,
    ) -> Ticket {
        self.lineage = lineage;
        self.hosts = Some(hosts.clone());
        self.promised_term = self.promised_term.max(promised_term);
        let ticket = self.next_ticket();
        if !self.is_failed() {
            self.begin_generation(state);
        }
        ticket
    }

    /// Keeps a state that lost a merge as `cib-conflict-NUMBER-LABEL.xml` (of the label only letters, digits and `-`),
    /// and removes the oldest beyond [`CONFLICTS_MAXIMUM`]. Says the file's name; a disk that has failed keeps nothing.
    pub fn keep_conflict(&mut self, label: &str, xml: &str) -> Option<String> {
        if self.is_failed() {
            return None;
        }
        let label: String =
            label.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(64).collect();
        let file = format!("cib-conflict-{:06}-{label}.xml", self.next_conflict);
        self.next_conflict += 1;
        self.files.insert(file.clone());
        self.flush();
        self.put(StorageEffect::Write { file: file.clone(), bytes: xml.as_bytes().to_vec() });
        self.put(StorageEffect::Sync { file: file.clone() });
        self.put(StorageEffect::SyncDirectory);
        let mut conflicts: Vec<(u64, String)> = self
            .files
            .iter()
            .filter_map(|name| match FileKind::of(name) {
                Some(FileKind::Conflict(number)) => Some((number, name.clone())),
                _ => None,
            })
            .collect();
        conflicts.sort();
        for (_, old) in conflicts.iter().take(conflicts.len().saturating_sub(CONFLICTS_MAXIMUM)) {
            self.put_removal(old.clone());
        }
        Some(file)
    }

    /// The next effect to carry out, with its token. Effects must be carried out in this order.
    pub fn poll_effect(&mut self) -> Option<(u64, StorageEffect)> {
        if self.queued.is_empty() && self.in_flight.is_empty() {
            self.flush();
        }
        let (effect, meaning) = self.queued.pop_front()?;
        self.next_token += 1;
        self.in_flight.push_back((self.next_token, meaning));
        Some((self.next_token, effect))
    }

    /// Takes the end of an effect. Tokens that the store does not know are passed over.
    pub fn completed(&mut self, now: Now, token: u64, result: Result<(), StorageError>) -> Option<Progress> {
        let at = self.in_flight.iter().position(|(known, _)| *known == token)?;
        let (_, meaning) = self.in_flight.remove(at)?;
        match result {
            Ok(()) => self.succeeded(meaning),
            Err(error) if !self.is_failed() => Some(self.fail(now, &error)),
            Err(_) => None,
        }
    }

    /// Tries a disk that has failed again, when its time has come. `state` is the state as it is.
    pub fn handle_timeout<S: StoredState>(&mut self, now: Now, state: &S) {
        let Health::Failed { reason, retry_at } = &self.health else { return };
        if now.monotonic_ms < *retry_at || !self.in_flight.is_empty() {
            return;
        }
        self.health = Health::Retrying { reason: reason.clone() };
        let kept = self.kept;
        for file in self.files_except(|generation| Some(generation) == kept) {
            self.put_removal(file);
        }
        self.begin_generation(state);
    }

    /// When [`Store::handle_timeout`] is wanted, on the monotonic clock.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<u64> {
        match &self.health {
            Health::Failed { retry_at, .. } if self.in_flight.is_empty() => Some(*retry_at),
            _ => None,
        }
    }

    /// The highest term that was promised, on disk or on its way there.
    #[must_use]
    pub fn promised_term(&self) -> u64 {
        self.promised_term
    }

    /// Up to here everything is on disk.
    #[must_use]
    pub fn durable_through(&self) -> Ticket {
        self.durable
    }

    /// The ticket of what was given to the store last.
    #[must_use]
    pub fn last_ticket(&self) -> Ticket {
        self.given
    }

    /// Whether everything that was given to the store is on disk.
    #[must_use]
    pub fn is_durable(&self) -> bool {
        self.durable == self.given
    }

    /// Why the disk counts as failed, if it does. It does until a retry has succeeded.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        match &self.health {
            Health::Healthy => None,
            Health::Failed { reason, .. } | Health::Retrying { reason } => Some(reason),
        }
    }

    fn append<S: StoredState>(&mut self, record: &Record, state: &S) -> Ticket {
        let ticket = self.next_ticket();
        if self.is_failed() {
            return ticket;
        }
        let Some((bytes, chain)) = encode_record(record, self.chain) else {
            self.begin_generation(state);
            return ticket;
        };
        self.chain = chain;
        self.log_records += 1;
        self.log_bytes += bytes.len();
        self.gathered.extend_from_slice(&bytes);
        if self.log_records >= LOG_RECORDS_MAXIMUM
            || self.log_bytes > LOG_BYTES_MAXIMUM.max(self.snapshot_bytes)
        {
            self.begin_generation(state);
        }
        ticket
    }

    /// Queues the gathered records and a sync, which covers everything given so far.
    fn flush(&mut self) {
        let given = self.given;
        self.flush_as(Meaning::Durable(given));
    }

    fn flush_as(&mut self, meaning: Meaning) {
        if self.gathered.is_empty() {
            return;
        }
        let file = log_name(self.generation);
        let bytes = std::mem::take(&mut self.gathered);
        self.put(StorageEffect::Append { file: file.clone(), bytes });
        self.queued.push_back((StorageEffect::Sync { file }, meaning));
    }

    /// Queues a snapshot of the state and an empty log; everything given so far is durable with it.
    fn begin_generation<S: StoredState>(&mut self, state: &S) {
        // The records gathered before are in the state. They still go to the old log, so that it leads to the new
        // snapshot, should that one ever become unreadable.
        self.flush_as(Meaning::Nothing);
        self.generation += 1;
        let generation = self.generation;
        let digest = state.digest();
        let snapshot = Snapshot {
            lineage: self.lineage,
            promised_term: self.promised_term,
            hosts: self.hosts.clone(),
            digest: digest.clone(),
            xml: state.to_xml(),
        };
        let bytes = encode_snapshot(&snapshot);
        self.snapshot_bytes = bytes.len();
        let base = Record::Base { lineage: self.lineage, promised_term: self.promised_term, digest };
        let (first, chain) =
            encode_record(&base, Chain::of_generation(generation)).unwrap_or((Vec::new(), self.chain));
        self.chain = chain;
        self.log_records = 0;
        self.log_bytes = first.len();

        let temporary = format!("cib-{generation}.tmp");
        let (final_name, log) = (snapshot_name(generation), log_name(generation));
        self.files.extend([temporary.clone(), final_name.clone(), log.clone()]);
        self.put(StorageEffect::Write { file: temporary.clone(), bytes });
        self.put(StorageEffect::Sync { file: temporary.clone() });
        self.put(StorageEffect::Write { file: log, bytes: first });
        self.queued.push_back((
            StorageEffect::Rename { from: temporary.clone(), to: final_name },
            Meaning::Removed(temporary),
        ));
        let complete = Meaning::Complete(generation, self.given);
        self.queued.push_back((StorageEffect::SyncDirectory, complete));
        let kept = self.kept.replace(generation);
        for file in self.files_except(|other| other == generation || Some(other) == kept) {
            self.put_removal(file);
        }
    }

    /// The files of all generations but one, and what is left over of that one's making.
    fn files_except(&self, kept: impl Fn(u64) -> bool) -> Vec<String> {
        let unwanted = |name: &&String| match FileKind::of(name) {
            Some(FileKind::Snapshot(generation) | FileKind::Log(generation)) => !kept(generation),
            Some(FileKind::Temporary(generation)) => generation != self.generation,
            Some(FileKind::Conflict(_)) | None => false,
        };
        self.files.iter().filter(unwanted).cloned().collect()
    }

    fn put(&mut self, effect: StorageEffect) {
        self.queued.push_back((effect, Meaning::Nothing));
    }

    fn put_removal(&mut self, file: String) {
        self.queued.push_back((StorageEffect::Remove { file: file.clone() }, Meaning::Removed(file)));
    }

    fn succeeded(&mut self, meaning: Meaning) -> Option<Progress> {
        match meaning {
            Meaning::Nothing => None,
            Meaning::Removed(file) => {
                self.files.remove(&file);
                None
            }
            Meaning::Durable(ticket) => {
                self.durable = ticket;
                Some(Progress::Durable(ticket))
            }
            Meaning::Complete(generation, ticket) => {
                self.complete = Some(generation);
                self.durable = ticket;
                self.health = Health::Healthy;
                Some(Progress::Durable(ticket))
            }
        }
    }

    /// Forgets what was queued: the next snapshot holds it all. What is in flight counts for nothing any more, because
    /// a sync that succeeds after a write that failed proves nothing.
    fn fail(&mut self, now: Now, error: &StorageError) -> Progress {
        let reason = match error {
            StorageError::Full => "no space left on the disk".to_owned(),
            StorageError::Failed(what) => what.clone(),
            StorageError::Cancelled => "an effect before this one failed".to_owned(),
        };
        self.kept = self.complete;
        self.queued.clear();
        self.gathered.clear();
        for (_, meaning) in &mut self.in_flight {
            *meaning = Meaning::Nothing;
        }
        self.health =
            Health::Failed { reason: reason.clone(), retry_at: now.monotonic_ms.saturating_add(RETRY_MS) };
        Progress::Failed(reason)
    }

    fn is_failed(&self) -> bool {
        matches!(self.health, Health::Failed { .. })
    }

    fn next_ticket(&mut self) -> Ticket {
        self.given.0 += 1;
        self.given
    }
}

fn snapshot_name(generation: u64) -> String {
    format!("cib-{generation}.snapshot")
}

fn log_name(generation: u64) -> String {
    format!("log-{generation}")
}
