//! Carries out effects on the disk: one after the other, on a thread of its own, because a disk may take its time.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use hafen_node::api::{StorageEffect, StorageError, StoredFiles};
use tokio::sync::mpsc;

use crate::{DaemonError, private};

/// Effects that wait for the disk, at most.
pub(crate) const EFFECTS_MAXIMUM: usize = 256;
/// A store's file of more than this is none of ours (1 GiB).
const FILE_BYTES_MAXIMUM: u64 = 1 << 30;

/// An effect on its way to the disk.
pub(crate) struct Order {
    pub(crate) token: u64,
    pub(crate) effect: StorageEffect,
    /// Counts the failures that the node had been told when it gave the effect: one that was given in ignorance of a
    /// failure before it is not carried out.
    pub(crate) failures_known: u64,
}

/// How an effect ended.
pub(crate) struct Ended {
    pub(crate) token: u64,
    pub(crate) result: Result<(), StorageError>,
}

/// The disk's thread, seen from the loop.
pub(crate) struct Storage {
    pub(crate) orders: mpsc::Sender<Order>,
    pub(crate) ended: mpsc::Receiver<Ended>,
}

/// Starts the thread. It ends with the receiver of its answers.
pub(crate) fn start(folder: PathBuf) -> io::Result<Storage> {
    let (orders, mut incoming) = mpsc::channel::<Order>(EFFECTS_MAXIMUM);
    let (answers, ended) = mpsc::channel(EFFECTS_MAXIMUM);
    std::thread::Builder::new().name("storage".to_owned()).spawn(move || {
        let mut disk = Disk { folder, failures: 0 };
        while let Some(order) = incoming.blocking_recv() {
            let token = order.token;
            let result = disk.carry_out(order);
            if answers.blocking_send(Ended { token, result }).is_err() {
                return;
            }
        }
    })?;
    Ok(Storage { orders, ended })
}

struct Disk {
    folder: PathBuf,
    failures: u64,
}

impl Disk {
    fn carry_out(&mut self, order: Order) -> Result<(), StorageError> {
        if order.failures_known < self.failures {
            return Err(StorageError::Cancelled);
        }
        apply(&self.folder, &order.effect).map_err(|error| {
            self.failures += 1;
            match error.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StorageError::Full,
                _ => StorageError::Failed(format!("{}: {error}", describe(&order.effect))),
            }
        })
    }
}

fn describe(effect: &StorageEffect) -> String {
    match effect {
        StorageEffect::Write { file, .. } => format!("write {file}"),
        StorageEffect::Append { file, .. } => format!("append to {file}"),
        StorageEffect::Truncate { file, .. } => format!("truncate {file}"),
        StorageEffect::Sync { file } => format!("sync {file}"),
        StorageEffect::Rename { from, to } => format!("rename {from} to {to}"),
        StorageEffect::Remove { file } => format!("remove {file}"),
        StorageEffect::SyncDirectory => "sync the folder".to_owned(),
    }
}

fn apply(folder: &Path, effect: &StorageEffect) -> io::Result<()> {
    match effect {
        StorageEffect::Write { file, bytes } => private::create(&path(folder, file)?)?.write_all(bytes),
        StorageEffect::Append { file, bytes } => private::append(&path(folder, file)?)?.write_all(bytes),
        StorageEffect::Truncate { file, length } => {
            OpenOptions::new().write(true).open(path(folder, file)?)?.set_len(*length)
        }
        StorageEffect::Sync { file } => OpenOptions::new().write(true).open(path(folder, file)?)?.sync_data(),
        StorageEffect::Rename { from, to } => fs::rename(path(folder, from)?, path(folder, to)?),
        StorageEffect::Remove { file } => match fs::remove_file(path(folder, file)?) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        },
        StorageEffect::SyncDirectory => File::open(folder)?.sync_all(),
    }
}

/// A file of the store: a plain name in its folder.
fn path(folder: &Path, file: &str) -> io::Result<PathBuf> {
    if file.is_empty() || file.contains('/') || file.starts_with('.') {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("'{file}' is no file of the store")));
    }
    Ok(folder.join(file))
}

/// Everything that the store's folder holds; the folder is created where it is missing.
pub(crate) fn load(folder: &Path) -> Result<StoredFiles, DaemonError> {
    fs::create_dir_all(folder).map_err(DaemonError::system("create", folder))?;
    let mut files = StoredFiles::new();
    for entry in fs::read_dir(folder).map_err(DaemonError::system("read", folder))? {
        let entry = entry.map_err(DaemonError::system("read", folder))?;
        let metadata = entry.metadata().map_err(DaemonError::system("look at", entry.path()))?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if metadata.is_file() && metadata.len() <= FILE_BYTES_MAXIMUM && !name.starts_with('.') {
            let bytes = fs::read(entry.path()).map_err(DaemonError::system("read", entry.path()))?;
            files.insert(name, bytes);
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(token: u64, effect: StorageEffect, failures_known: u64) -> Order {
        Order { token, effect, failures_known }
    }

    fn write(file: &str, bytes: &[u8]) -> StorageEffect {
        StorageEffect::Write { file: file.into(), bytes: bytes.into() }
    }

    #[test]
    fn effects_do_what_they_say() {
        let folder = tempfile::tempdir().expect("a folder");
        let effects = [
            write("log", b"abc"),
            StorageEffect::Append { file: "log".into(), bytes: b"def".into() },
            StorageEffect::Truncate { file: "log".into(), length: 4 },
            StorageEffect::Sync { file: "log".into() },
            StorageEffect::Rename { from: "log".into(), to: "new".into() },
            StorageEffect::SyncDirectory,
            StorageEffect::Remove { file: "missing".into() },
        ];
        for effect in effects {
            apply(folder.path(), &effect).expect("done");
        }
        let files = load(folder.path()).expect("read");
        assert_eq!(files.into_iter().collect::<Vec<_>>(), [("new".to_owned(), b"abcd".to_vec())]);
    }

    #[test]
    fn names_stay_in_the_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["../x", "", ".hidden", "a/b"] {
            apply(folder.path(), &write(name, b"x")).expect_err("refused");
        }
    }

    #[test]
    fn what_was_given_in_ignorance_of_a_failure_is_cancelled() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut disk = Disk { folder: folder.path().to_owned(), failures: 0 };
        let missing = StorageEffect::Sync { file: "missing".into() };
        assert!(matches!(disk.carry_out(order(1, missing, 0)), Err(StorageError::Failed(_))));
        assert_eq!(disk.carry_out(order(2, write("a", b"x"), 0)), Err(StorageError::Cancelled));
        assert_eq!(disk.carry_out(order(3, write("b", b"x"), 1)), Ok(()));
        let names: Vec<String> = load(folder.path()).expect("read").into_keys().collect();
        assert_eq!(names, ["b"]);
    }

    #[test]
    fn a_full_disk_is_told_from_a_broken_one() {
        let folder = tempfile::tempdir().expect("a folder");
        std::os::unix::fs::symlink("/dev/full", folder.path().join("log")).expect("a link");
        let mut disk = Disk { folder: folder.path().to_owned(), failures: 0 };
        let append = StorageEffect::Append { file: "log".into(), bytes: b"x".into() };
        assert_eq!(disk.carry_out(order(1, append, 0)), Err(StorageError::Full));
    }
}
