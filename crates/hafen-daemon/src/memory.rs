//! What outlives this process, but not this boot of the host.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use hafen_protocol::{Incarnation, Now};

use crate::private;

/// Where the node's memory is kept, in the run folder.
const MEMORY_FILE: &str = "node-memory";
/// The number of the last run, in the run folder and in the store.
const RUN_FILE: &str = "incarnation";

/// The node's memory: a file on a file system that a boot empties, headed by the boot's id in case it is not emptied.
pub(crate) struct Memory {
    path: PathBuf,
    boot_id: String,
}

impl Memory {
    pub(crate) fn new(run_dir: &Path, boot_id: &str) -> Self {
        Self { path: run_dir.join(MEMORY_FILE), boot_id: boot_id.to_owned() }
    }

    /// What an earlier run in this boot kept.
    pub(crate) fn load(&self) -> Option<Vec<u8>> {
        let bytes = fs::read(&self.path).ok()?;
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        (bytes[..end] == *self.boot_id.as_bytes()).then(|| bytes[end + 1..].to_vec())
    }

    /// Replaces what is kept, all or nothing.
    pub(crate) fn save(&self, bytes: &[u8]) -> io::Result<()> {
        let mut whole = Vec::with_capacity(self.boot_id.len() + 1 + bytes.len());
        whole.extend_from_slice(self.boot_id.as_bytes());
        whole.push(b'\n');
        whole.extend_from_slice(bytes);
        replace(&self.path, &whole)
    }
}

/// Writes a file beside the old one and renames it over it.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = private::create(&new)?;
    file.write_all(bytes)?;
    drop(file);
    fs::rename(&new, path)
}

/// A number for this run that is higher than those of all earlier ones on this host, also when the date was set back: then
/// the files know better. A store that is full or lost leaves the date.
pub(crate) fn next_incarnation(run_dir: &Path, store_dir: &Path, now: Now) -> Incarnation {
    let files = [run_dir.join(RUN_FILE), store_dir.join(RUN_FILE)];
    let last =
        files.iter().filter_map(|path| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok()).max();
    let next = now.wall_ms.max(last.map_or(1, |last| last.saturating_add(1)));
    for path in files {
        if let Err(error) = replace(&path, next.to_string().as_bytes()) {
            eprintln!("the number of this run is not kept in {}: {error}", path.display());
        }
    }
    Incarnation(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_belongs_to_a_boot() {
        let folder = tempfile::tempdir().expect("a folder");
        let memory = Memory::new(folder.path(), "boot-1");
        assert_eq!(memory.load(), None);
        memory.save(b"a\nb").expect("kept");
        assert_eq!(memory.load().as_deref(), Some(&b"a\nb"[..]));
        assert_eq!(Memory::new(folder.path(), "boot-2").load(), None);
    }

    #[test]
    fn runs_are_numbered_upwards_even_when_the_date_goes_back() {
        let (run, store) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let at = |wall_ms| Now { monotonic_ms: 0, wall_ms };
        let first = next_incarnation(run.path(), store.path(), at(5000));
        let second = next_incarnation(run.path(), store.path(), at(100));
        fs::remove_file(run.path().join(RUN_FILE)).expect("a boot empties the run folder");
        let third = next_incarnation(run.path(), store.path(), at(100));
        assert_eq!((first, second, third), (Incarnation(5000), Incarnation(5001), Incarnation(5002)));
    }
}
