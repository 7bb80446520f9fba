//! The event log and the saved inputs of transitions: bounded, numbered, and never in the way of the loop.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hafen_protocol::client::Event;

use crate::private;
use tokio::sync::watch;

/// Events that are kept in memory for clients.
const EVENTS_IN_MEMORY_MAXIMUM: usize = 4096;
/// The log's file is renamed to `events.jsonl.1` when it is this long (1 MiB).
const FILE_BYTES_MAXIMUM: u64 = 1 << 20;
/// What waits to be written; more is left out of the file, and the file says so.
const WAITING_MAXIMUM: usize = 512;
/// Saved inputs that are kept (as Pacemaker's `pe-input-series-max`, within the bounds of a small store).
const INPUTS_MAXIMUM: usize = 100;

/// The event log: what clients read, and the way into the file.
pub(crate) struct EventLog {
    shared: Arc<SharedEvents>,
    number: u64,
    latest: watch::Sender<u64>,
    writer: SyncSender<Item>,
    left_out: u64,
}

/// The events in memory, for the connections' tasks.
pub(crate) struct SharedEvents(Mutex<VecDeque<Event>>);

/// What is written to files.
enum Item {
    Event(Event),
    Input { number: u64, xml: String },
}

impl SharedEvents {
    fn locked(&self) -> MutexGuard<'_, VecDeque<Event>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// At most `count` events after a number, oldest first.
    pub(crate) fn after(&self, number: u64, count: usize) -> Vec<Event> {
        let events = self.locked();
        let first = events.partition_point(|event| event.number <= number);
        events.iter().skip(first).take(count).cloned().collect()
    }
}

impl EventLog {
    /// Goes on with the log in this folder. A log that cannot be read begins anew.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        let mut events = VecDeque::new();
        for name in ["events.jsonl.1", "events.jsonl"] {
            let Ok(file) = File::open(folder.join(name)) else { continue };
            let lines = BufReader::new(file).lines().map_while(Result::ok);
            events.extend(lines.filter_map(|line| serde_json::from_str::<Event>(&line).ok()));
        }
        let excess = events.len().saturating_sub(EVENTS_IN_MEMORY_MAXIMUM);
        events.drain(..excess);
        events.make_contiguous().sort_by_key(|event| event.number);
        let number = events.back().map_or(0, |event| event.number);
        let (writer, items) = sync_channel(WAITING_MAXIMUM);
        let folder = folder.to_owned();
        std::thread::Builder::new().name("log".to_owned()).spawn(move || write_items(&folder, &items))?;
        let (latest, _) = watch::channel(number);
        Ok(Self { shared: Arc::new(SharedEvents(Mutex::new(events))), number, latest, writer, left_out: 0 })
    }

    /// For a connection: the events, and the number of the latest one.
    pub(crate) fn reader(&self) -> (Arc<SharedEvents>, watch::Receiver<u64>) {
        (Arc::clone(&self.shared), self.latest.subscribe())
    }

    /// Numbers an event and adds it.
    pub(crate) fn add(&mut self, mut event: Event) {
        self.number += 1;
        event.number = self.number;
        let mut events = self.shared.locked();
        if events.len() == EVENTS_IN_MEMORY_MAXIMUM {
            events.pop_front();
        }
        events.push_back(event.clone());
        drop(events);
        self.latest.send_replace(self.number);
        self.write(Item::Event(event));
    }

    /// Saves the input of a transition, so that its decision can be made again later.
    pub(crate) fn save_input(&mut self, number: u64, xml: String, now_seconds: u64) {
        self.write(Item::Input { number, xml: dated(xml, now_seconds) });
    }

    /// A slow or full disk costs entries of the file, never the loop's time.
    fn write(&mut self, item: Item) {
        match self.writer.try_send(item) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.left_out += 1;
                if self.left_out.is_power_of_two() {
                    eprintln!("{} entries were not written to the log: the disk is slow", self.left_out);
                }
            }
        }
    }
}

/// The CIB with the time that the scheduler was told, as Pacemaker's tools expect it in a saved input.
fn dated(xml: String, now_seconds: u64) -> String {
    match xml.find("<cib ") {
        Some(at) if !xml.contains("execution-date=") => {
            let (head, rest) = xml.split_at(at + "<cib ".len());
            format!("{head}execution-date=\"{now_seconds}\" {rest}")
        }
        _ => xml,
    }
}

fn write_items(folder: &Path, items: &Receiver<Item>) {
    let mut failed = false;
    while let Ok(item) = items.recv() {
        let outcome = match item {
            Item::Event(event) => append(folder, &event),
            Item::Input { number, xml } => save(folder, number, &xml),
        };
        if let Err(error) = &outcome
            && !failed
        {
            eprintln!("the log in {} cannot be written: {error}", folder.display());
        }
        failed = outcome.is_err();
    }
}

fn append(folder: &Path, event: &Event) -> io::Result<()> {
    let path = folder.join("events.jsonl");
    let mut file = private::append(&path)?;
    if file.metadata()?.len() >= FILE_BYTES_MAXIMUM {
        fs::rename(&path, folder.join("events.jsonl.1"))?;
        file = private::append(&path)?;
    }
    let mut line = serde_json::to_vec(event)?;
    line.push(b'\n');
    file.write_all(&line)
}

fn save(folder: &Path, number: u64, xml: &str) -> io::Result<()> {
    let inputs = folder.join("pengine");
    fs::create_dir_all(&inputs)?;
    crate::memory::replace(&input_path(folder, number), xml.as_bytes())?;
    let known = fs::read_dir(&inputs)?.filter_map(Result::ok);
    let mut known: Vec<_> =
        known.filter_map(|file| Some((file.metadata().ok()?.modified().ok()?, file.path()))).collect();
    known.sort();
    let surplus = known.len().saturating_sub(INPUTS_MAXIMUM);
    known[..surplus].iter().try_for_each(|(_, path)| fs::remove_file(path))
}

/// The input of a transition that this host planned.
pub(crate) fn input(folder: &Path, number: u64) -> io::Result<String> {
    fs::read_to_string(input_path(folder, number))
}

fn input_path(folder: &Path, number: u64) -> PathBuf {
    folder.join("pengine").join(format!("pe-input-{number}.xml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str) -> Event {
        let word = |text: &str| text.to_owned();
        let (host, kind) = (word("host1"), word("view"));
        Event { number: 0, wall_ms: 1, host, kind, subject: word(""), text: word(text), cause: word("") }
    }

    /// Waits for the writer's thread, which ends when the log is dropped.
    fn lines(path: &Path, count: usize) -> usize {
        for _ in 0..1000 {
            let found = fs::read_to_string(path).unwrap_or_default().lines().count();
            if found >= count {
                return found;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        0
    }

    #[test]
    fn numbers_go_on_after_a_restart() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut log = EventLog::open(folder.path()).expect("open");
        log.add(event("a"));
        log.add(event("b"));
        assert_eq!(lines(&folder.path().join("events.jsonl"), 2), 2);
        drop(log);
        let mut log = EventLog::open(folder.path()).expect("open");
        log.add(event("c"));
        let (shared, latest) = log.reader();
        let read: Vec<_> = shared.after(1, 10).into_iter().map(|event| (event.number, event.text)).collect();
        assert_eq!(read, [(2, "b".to_owned()), (3, "c".to_owned())]);
        assert_eq!(*latest.borrow(), 3);
        assert_eq!(shared.after(0, 1).len(), 1);
    }

    #[test]
    fn memory_is_bounded() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut log = EventLog::open(folder.path()).expect("open");
        for _ in 0..EVENTS_IN_MEMORY_MAXIMUM + 10 {
            log.add(event("x"));
        }
        let (shared, _) = log.reader();
        let all = shared.after(0, usize::MAX);
        assert_eq!((all.len(), all[0].number), (EVENTS_IN_MEMORY_MAXIMUM, 11));
    }

    #[test]
    fn saved_inputs_carry_their_time() {
        assert_eq!(dated("<cib epoch=\"1\"/>".into(), 7), "<cib execution-date=\"7\" epoch=\"1\"/>");
        let folder = tempfile::tempdir().expect("a folder");
        save(folder.path(), 3, "<cib/>").expect("saved");
        assert_eq!(input(folder.path(), 3).expect("it is there"), "<cib/>");
    }

    #[test]
    fn the_newest_inputs_are_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        // A daemon that was started anew counts from 1 again.
        for number in (500..520).chain(1..=INPUTS_MAXIMUM as u64) {
            save(folder.path(), number, "<cib/>").expect("saved");
            let file = File::open(input_path(folder.path(), number)).expect("it is there");
            let moment =
                std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1000 + number % 500);
            file.set_modified(moment + std::time::Duration::from_secs(u64::from(number < 500) * 100))
                .expect("dated");
        }
        assert_eq!(fs::read_dir(folder.path().join("pengine")).expect("a folder").count(), INPUTS_MAXIMUM);
        assert!(input(folder.path(), 519).is_err());
        assert!(input(folder.path(), 1).is_ok());
    }
}
