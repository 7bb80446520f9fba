//! The executor's memory on disk: a line of JSON per record, appended, and rewritten as a whole now and then.
//!
//! The journal has to survive the executor, not the host: after a boot nothing that it tells of is left. So it is written
//! without `fsync`, which would put the slowness of a disk in front of every start: what a process has written to a file is
//! there for the next process, whatever becomes of the first one.
//!
//! A reserve of disk space is kept, so that on a full disk the journal can be written for some more time.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use hafen_agents::AnnounceTo;
use hafen_sys::{Announcement, boot_id, process_status};
use rustix::fs::{FallocateFlags, FlockOperation, fallocate, flock};

use crate::ledger::{JOURNAL_FORMAT, Ledger, Record};

/// Disk space that is kept free for the journal, in bytes.
const RESERVE_BYTES: u64 = 256 * 1024;
/// A journal shorter than this is not rewritten, in bytes.
const COMPACTION_MINIMUM_BYTES: u64 = 128 * 1024;
/// A journal is rewritten when it is this many times as long as after the last time.
const COMPACTION_FACTOR: u64 = 4;
/// How often, 50 ms apart, the lock is tried: another executor may just be about to end.
const LOCK_ATTEMPTS: u32 = 100;
/// Its records hold the parameters of operations, secrets among them.
const PRIVATE: u32 = 0o600;

/// The journal, opened to append, and locked: there is one executor for it.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    boot: String,
    file: Arc<File>,
    compact_at_bytes: u64,
    /// Something could not be appended since it was last rewritten.
    is_incomplete: bool,
    /// Held also by the children of this process until they have become their agents: so whoever gets the lock next
    /// finds their announcements in the journal.
    _lock: File,
}

/// What a journal told when it was opened.
#[derive(Debug, Default)]
pub struct Replay {
    /// The fold of its records, if it tells of this life of the host.
    pub ledger: Ledger,
    /// Records that could not be read. A torn last line is none: it was never acted upon.
    pub records_lost: u64,
}

/// Which life of the host this is. The kernel's boot id is not enough in a container: there the first process is part of it.
fn this_boot() -> io::Result<String> {
    Ok(format!("{} {}", boot_id()?, process_status(1)?.start_time_ticks))
}

fn lock(path: &Path) -> io::Result<File> {
    let file = File::options().create(true).append(true).mode(PRIVATE).open(path)?;
    for _ in 0..LOCK_ATTEMPTS {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(rustix::io::Errno::WOULDBLOCK) => sleep(Duration::from_millis(50)),
            Err(error) => return Err(error.into()),
        }
    }
    Err(io::Error::new(
        io::ErrorKind::ResourceBusy,
        format!("{} is locked: another executor runs", path.display()),
    ))
}

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Reads a journal: whatever is in it, there is a result.
pub fn replay(bytes: &[u8], boot: &str) -> Replay {
    let mut replay = Replay::default();
    let mut dated = false;
    for line in bytes.split_inclusive(|byte| *byte == b'\n').filter_map(|line| line.strip_suffix(b"\n")) {
        match serde_json::from_slice(line) {
            Ok(Record::Header { boot: other, format, .. }) if other != boot || format != JOURNAL_FORMAT => {
                return Replay::default();
            }
            Ok(record) => {
                dated |= matches!(record, Record::Header { .. });
                replay.ledger.apply(&record);
            }
            Err(_) => replay.records_lost += 1,
        }
    }
    if !dated {
        // Nobody knows from which life of the host it is. Processes are told by their start time, the rest is not used.
        let Ledger { runs, next_call_id, next_sequence, next_run, .. } = replay.ledger;
        replay.ledger = Ledger { runs, next_call_id, next_sequence, next_run, ..Ledger::default() };
    }
    replay
}

impl Journal {
    /// Opens and reads the journal, waiting a moment for another executor to end. Makes its folder.
    pub fn open(path: &Path) -> io::Result<(Self, Replay)> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let lock = lock(&suffixed(path, ".lock"))?;
        let boot = this_boot()?;
        let mut file = File::options().create(true).read(true).append(true).mode(PRIVATE).open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let replay = replay(&bytes, &boot);
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        if whole < bytes.len() {
            file.set_len(whole as u64)?;
        }
        let path = path.to_owned();
        Ok((
            Self { path, boot, file: Arc::new(file), compact_at_bytes: 0, is_incomplete: false, _lock: lock },
            replay,
        ))
    }

    /// Appends a record. When it cannot be written whole, nothing of it stays.
    pub fn append(&mut self, record: &Record) -> io::Result<()> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        let before = self.file.metadata()?.len();
        let written = (&*self.file).write_all(&line);
        if written.is_err() {
            self.is_incomplete = true;
            self.file.set_len(before)?;
        } else if self.is_incomplete {
            // There may be room again: a rewritten journal has also what could not be appended.
            self.compact_at_bytes = 0;
        }
        written
    }

    /// Where the process of a run announces itself, and how.
    pub fn announcement(&self, run: u64, call_id: u64) -> io::Result<AnnounceTo> {
        let record = Announcement {
            prefix: format!("{{\"record\":\"started\",\"run\":{run},\"call_id\":{call_id},\"pid\":").into(),
            infix: b",\"start_time_ticks\":".into(),
            suffix: b"}\n".into(),
        };
        Ok(AnnounceTo { file: Arc::new(OwnedFd::from(self.file.try_clone()?)), record })
    }

    /// Cuts off what a process wrote that could not announce itself whole.
    pub fn cut_torn_line(&mut self) -> io::Result<()> {
        let bytes = fs::read(&self.path)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        self.file.set_len(whole as u64)
    }

    /// Whether it has become so long that [`Journal::compact`] pays.
    pub fn wants_compaction(&self) -> bool {
        self.file.metadata().is_ok_and(|file| file.len() > self.compact_at_bytes)
    }

    /// Rewrites the journal to the shortest one with this fold. When that fails, the old one stays and goes on.
    pub fn compact(&mut self, ledger: &Ledger) -> io::Result<()> {
        let new = suffixed(&self.path, ".new");
        let written = self.write_new(&new, ledger);
        match &written {
            Ok(file) => {
                let length = file.metadata()?.len();
                self.compact_at_bytes = (length * COMPACTION_FACTOR).max(COMPACTION_MINIMUM_BYTES);
                self.is_incomplete = false;
                self.file = Arc::new(file.try_clone()?);
            }
            Err(_) => {
                // Tried again when it has grown as much once more.
                let length = self.file.metadata()?.len();
                self.compact_at_bytes = (length * 2).max(COMPACTION_MINIMUM_BYTES);
                let _ = fs::remove_file(&new);
            }
        }
        written.map(drop)
    }

    fn write_new(&self, new: &Path, ledger: &Ledger) -> io::Result<File> {
        let _ = fs::remove_file(new);
        let mut file = File::options().create_new(true).read(true).append(true).mode(PRIVATE).open(new)?;
        let mut bytes = Vec::new();
        for record in ledger.to_records(&self.boot) {
            serde_json::to_writer(&mut bytes, &record)?;
            bytes.push(b'\n');
        }
        file.write_all(&bytes)?;
        // Where a file system cannot do it, there is no reserve.
        let _ = fallocate(&file, FallocateFlags::KEEP_SIZE, 0, bytes.len() as u64 + RESERVE_BYTES);
        fs::rename(new, &self.path)?;
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Operation;

    fn sample() -> Vec<u8> {
        let operation = Operation {
            resource: "vm1".to_owned(),
            agent: "ocf:test:x".parse().expect("a name"),
            task: "start".to_owned(),
            interval_ms: 0,
            timeout_ms: 1000,
            start_delay_ms: 0,
            parameters: [("config".to_owned(), "\u{e9}\n".to_owned())].into(),
            meta: Default::default(),
            transition_key: "1:2:0:u".to_owned(),
            user_data: String::new(),
        };
        let (pid, start_time_ticks) = (77, 99);
        let mut records = Ledger::default().to_records("boot");
        records.push(Record::Accepted { call_id: 1, operation: operation.clone() });
        records.push(Record::Started { run: 1, call_id: 1, pid, start_time_ticks });
        records.push(Record::Accepted { call_id: 2, operation });
        records.push(Record::Acknowledged { sequence: 5 });
        let lines = records.iter().map(|record| serde_json::to_string(record).expect("JSON") + "\n");
        lines.collect::<String>().into_bytes()
    }

    #[test]
    fn a_journal_cut_anywhere_is_a_shorter_journal() {
        let bytes = sample();
        let mut lengths = Vec::new();
        for cut in 0..=bytes.len() {
            let Replay { ledger, records_lost } = replay(&bytes[..cut], "boot");
            assert_eq!(records_lost, 0);
            lengths.push(ledger.operations.len() + ledger.runs.len());
        }
        assert!(lengths.is_sorted());
        assert_eq!(lengths.last(), Some(&3));
    }

    #[test]
    fn another_life_of_the_host_left_nothing() {
        let Replay { ledger, records_lost } = replay(&sample(), "later boot");
        assert_eq!((ledger, records_lost), (Ledger::default(), 0));
    }

    #[test]
    fn without_its_date_a_journal_tells_of_processes_only() {
        let bytes = sample();
        let header = bytes.iter().position(|byte| *byte == b'\n').expect("a line");
        let Replay { ledger, .. } = replay(&bytes[header + 1..], "boot");
        assert!(ledger.operations.is_empty());
        assert_eq!(ledger.runs.len(), 1);
        assert!(ledger.next_call_id > 2, "no number is used again");
    }

    #[test]
    fn no_damage_brings_the_reader_down() {
        let bytes = sample();
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % below as u64) as usize
        };
        for _ in 0..20_000 {
            let mut damaged = bytes.clone();
            for _ in 0..=random(4) {
                let position = random(damaged.len());
                match random(3) {
                    0 => damaged[position] = random(256) as u8,
                    1 => damaged[position] = b"0123456789\n\"{}"[random(14)],
                    _ => drop(damaged.remove(position)),
                }
            }
            let replay = replay(&damaged, "boot");
            let now = crate::engine::Now { monotonic_ms: 0, wall_seconds: 0 };
            let (engine, _) = crate::engine::Engine::recover(replay.ledger, 4, now);
            assert!(engine.ledger().runs.is_empty(), "what a lost executor ran has ended");
        }
    }
}
