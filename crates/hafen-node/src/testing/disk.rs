//! A disk that forgets what was not synced.
//!
//! It keeps apart what programs see and what a power cut leaves. A file's contents last from its `Sync` on, its
//! directory entry from the `SyncDirectory` on; until then a crash keeps, drops, tears or reorders each of them.

use std::collections::BTreeMap;

use crate::api::{StorageEffect, StorageError, StoredFiles};

/// Data is kept or lost in pieces of this size. Real disks have 512 bytes; less tears small files too.
pub const SECTOR_BYTES: usize = 32;

/// A change of the directory that no `SyncDirectory` has made lasting.
#[derive(Debug, Clone)]
enum EntryChange {
    Create { name: String, inode: u64 },
    Rename { from: String, to: String, inode: u64 },
    Remove { name: String },
}

/// A file's contents, as seen and as lasting.
#[derive(Debug, Clone, Default)]
struct Inode {
    live: Vec<u8>,
    durable: Vec<u8>,
    /// Bytes at the beginning that no write since the last sync has touched.
    untouched: usize,
}

/// The disk of one host, with one directory.
#[derive(Debug, Clone, Default)]
pub struct SimulatedDisk {
    live: BTreeMap<String, u64>,
    durable: BTreeMap<String, u64>,
    inodes: BTreeMap<u64, Inode>,
    pending: Vec<EntryChange>,
    next_inode: u64,
}

impl SimulatedDisk {
    /// An empty disk.
    #[must_use]
    pub fn new() -> SimulatedDisk {
        SimulatedDisk::default()
    }

    /// Carries out an effect.
    ///
    /// # Errors
    /// What a file system would refuse: a file that is not there.
    pub fn apply(&mut self, effect: &StorageEffect) -> Result<(), StorageError> {
        match effect {
            StorageEffect::Write { file, bytes } => {
                let inode = self.inode_or_new(file);
                inode.untouched = 0;
                inode.live.clone_from(bytes);
            }
            StorageEffect::Append { file, bytes } => self.inode_or_new(file).live.extend_from_slice(bytes),
            StorageEffect::Truncate { file, length } => {
                let inode = self.inode(file)?;
                inode.live.truncate(usize::try_from(*length).unwrap_or(usize::MAX));
                inode.untouched = inode.untouched.min(inode.live.len());
            }
            StorageEffect::Sync { file } => {
                let inode = self.inode(file)?;
                inode.durable.clone_from(&inode.live);
                inode.untouched = inode.live.len();
            }
            StorageEffect::Rename { from, to } => {
                let inode = self.live.remove(from).ok_or_else(|| missing(from))?;
                self.live.insert(to.clone(), inode);
                self.pending.push(EntryChange::Rename { from: from.clone(), to: to.clone(), inode });
            }
            StorageEffect::Remove { file } => {
                if self.live.remove(file).is_some() {
                    self.pending.push(EntryChange::Remove { name: file.clone() });
                }
            }
            StorageEffect::SyncDirectory => {
                self.durable.clone_from(&self.live);
                self.pending.clear();
                self.forget_lost_inodes();
            }
        }
        Ok(())
    }

    /// Carries out a part of a write or an append, as a full or failing disk does before it reports the error.
    pub fn apply_partly(&mut self, effect: &StorageEffect, random: &mut dyn FnMut() -> u64) {
        let part =
            |bytes: &[u8], random: &mut dyn FnMut() -> u64| bytes[..below(random, bytes.len() + 1)].to_vec();
        let effect = match effect {
            StorageEffect::Write { file, bytes } => {
                StorageEffect::Write { file: file.clone(), bytes: part(bytes, random) }
            }
            StorageEffect::Append { file, bytes } => {
                StorageEffect::Append { file: file.clone(), bytes: part(bytes, random) }
            }
            _ => return,
        };
        let done = self.apply(&effect);
        debug_assert!(done.is_ok(), "writing creates what is missing");
    }

    /// Cuts the power: keeps what was synced, and of the rest what `random` lets live.
    pub fn crash(&mut self, random: &mut dyn FnMut() -> u64) {
        let mut pending = std::mem::take(&mut self.pending);
        if random().is_multiple_of(4) {
            shuffle(&mut pending, random);
        }
        let survival = random() % 3;
        for change in pending {
            let survives = match survival {
                0 => false,
                1 => true,
                _ => random().is_multiple_of(2),
            };
            if survives {
                self.apply_entry(change);
            }
        }
        self.live.clone_from(&self.durable);
        self.forget_lost_inodes();
        for inode in self.inodes.values_mut() {
            let left = inode.after_crash(random);
            inode.untouched = left.len();
            inode.live.clone_from(&left);
            inode.durable = left;
        }
    }

    /// What a program that lists the directory now reads.
    #[must_use]
    pub fn files(&self) -> StoredFiles {
        let contents =
            |inode: &u64| self.inodes.get(inode).map(|inode| inode.live.clone()).unwrap_or_default();
        self.live.iter().map(|(name, inode)| (name.clone(), contents(inode))).collect()
    }

    /// How many bytes the files hold.
    #[must_use]
    pub fn used_bytes(&self) -> usize {
        self.live.values().filter_map(|inode| self.inodes.get(inode)).map(|inode| inode.live.len()).sum()
    }

    /// Whether the file is there.
    #[must_use]
    pub fn contains(&self, file: &str) -> bool {
        self.live.contains_key(file)
    }

    /// Overwrites a file behind the programs' back, lastingly: damage that no sync prevents.
    pub fn damage(&mut self, file: &str, bytes: &[u8]) {
        let inode = self.inode_or_new(file);
        inode.live = bytes.to_vec();
        inode.durable = bytes.to_vec();
        inode.untouched = bytes.len();
    }

    fn apply_entry(&mut self, change: EntryChange) {
        match change {
            EntryChange::Create { name, inode } => {
                self.durable.insert(name, inode);
            }
            EntryChange::Rename { from, to, inode } => {
                if self.durable.get(&from) == Some(&inode) {
                    self.durable.remove(&from);
                }
                self.durable.insert(to, inode);
            }
            EntryChange::Remove { name } => {
                self.durable.remove(&name);
            }
        }
    }

    fn inode(&mut self, file: &str) -> Result<&mut Inode, StorageError> {
        let number = self.live.get(file).ok_or_else(|| missing(file))?;
        self.inodes.get_mut(number).ok_or_else(|| missing(file))
    }

    fn inode_or_new(&mut self, file: &str) -> &mut Inode {
        let number = match self.live.get(file) {
            Some(&number) => number,
            None => {
                self.next_inode += 1;
                let number = self.next_inode;
                self.live.insert(file.to_owned(), number);
                self.pending.push(EntryChange::Create { name: file.to_owned(), inode: number });
                number
            }
        };
        self.inodes.entry(number).or_default()
    }

    fn forget_lost_inodes(&mut self) {
        let (live, durable) = (&self.live, &self.durable);
        self.inodes.retain(|number, _| {
            live.values().any(|other| other == number) || durable.values().any(|other| other == number)
        });
    }
}

impl Inode {
    /// What a crash leaves of the contents.
    fn after_crash(&self, random: &mut dyn FnMut() -> u64) -> Vec<u8> {
        let untouched = self.untouched.min(self.durable.len()).min(self.live.len());
        let longest = self.live.len().max(self.durable.len());
        let length = match random() % 4 {
            0 => self.durable.len(),
            1 => untouched + below(random, longest - untouched + 1),
            _ => self.live.len(),
        };
        let length = length.max(untouched);
        let mut left = Vec::with_capacity(length);
        left.extend_from_slice(&self.durable[..untouched]);
        let kindly = random().is_multiple_of(2);
        while left.len() < length {
            let sector_end = (left.len() / SECTOR_BYTES + 1) * SECTOR_BYTES;
            let end = sector_end.min(length);
            let choice = if kindly { 3 } else { random() % 8 };
            for at in left.len()..end {
                left.push(match choice {
                    0 => 0,
                    1 => u8::try_from(random() % 256).unwrap_or_default(),
                    2 => self.durable.get(at).copied().unwrap_or_default(),
                    _ => self.live.get(at).copied().unwrap_or_default(),
                });
            }
        }
        left
    }
}

fn missing(file: &str) -> StorageError {
    StorageError::Failed(format!("{file}: no such file"))
}

fn below(random: &mut dyn FnMut() -> u64, bound: usize) -> usize {
    let bound = u64::try_from(bound).unwrap_or(u64::MAX).max(1);
    usize::try_from(random() % bound).unwrap_or_default()
}

fn shuffle<T>(items: &mut [T], random: &mut dyn FnMut() -> u64) {
    for last in (1..items.len()).rev() {
        items.swap(last, below(random, last + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(file: &str, bytes: &[u8]) -> StorageEffect {
        StorageEffect::Write { file: file.into(), bytes: bytes.to_vec() }
    }

    fn sequence(mut seed: u64) -> impl FnMut() -> u64 {
        move || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            seed >> 33
        }
    }

    #[test]
    fn what_is_synced_survives_every_crash() {
        for seed in 0..200 {
            let mut random = sequence(seed);
            let mut disk = SimulatedDisk::new();
            for effect in [
                write("a", b"kept"),
                StorageEffect::Sync { file: "a".into() },
                StorageEffect::SyncDirectory,
                StorageEffect::Append { file: "a".into(), bytes: b" and more".to_vec() },
                write("b", b"not synced"),
            ] {
                disk.apply(&effect).expect("carried out");
            }
            disk.crash(&mut random);
            let files = disk.files();
            assert!(files["a"].starts_with(b"kept"), "seed {seed}: {files:?}");
        }
    }

    #[test]
    fn what_is_not_synced_is_lost_by_some_crash_and_kept_by_another() {
        let mut outcomes = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let mut random = sequence(seed);
            let mut disk = SimulatedDisk::new();
            disk.apply(&write("b", b"not synced")).expect("carried out");
            disk.crash(&mut random);
            outcomes.insert(disk.files().get("b").map(|bytes| bytes.as_slice() == b"not synced"));
        }
        assert_eq!(outcomes.len(), 3, "absent, damaged and whole: {outcomes:?}");
    }
}
