//! A change of this host's own files as one step: collected beside, made known by one rename, then put in place.
//!
//! Killed before the rename, nothing has happened; killed after it, the next run goes on from what is collected. What is
//! replaced is kept until the end, so that a change that does not work can be taken back.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Paths, SetupError, clock, disk};

const MANIFEST: &str = "manifest.json";

/// Which command began the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Operation {
    /// `hafen init`
    Init,
    /// `hafen join`
    Join,
}

impl std::fmt::Display for Operation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Init => "hafen init",
            Self::Join => "hafen join",
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    operation: Operation,
    files: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// As the host sees it.
    path: String,
    mode: u32,
}

/// A change that is known: it will be completed, or taken back.
#[derive(Debug)]
pub(crate) struct Pending {
    paths: Paths,
    manifest: Manifest,
}

impl Pending {
    /// The change that an earlier run left, if any.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn load(paths: &Paths) -> Result<Option<Self>, SetupError> {
        disk::remove_folder(&paths.staging_dir())?;
        let path = paths.pending_dir().join(MANIFEST);
        let Some(bytes) = disk::read_optional(&path)? else { return Ok(None) };
        let manifest = serde_json::from_slice(&bytes).map_err(|error| {
            let folder = paths.pending_dir();
            SetupError::state(
                format!("{} cannot be read: {error}", path.display()),
                format!(
                    "It is left from a run that was interrupted: remove {} and try again",
                    folder.display()
                ),
            )
        })?;
        Ok(Some(Self { paths: paths.clone(), manifest }))
    }

    /// Makes a change known with its first files (path as the host sees it, bytes, mode).
    ///
    /// # Errors
    /// When it cannot be written; nothing is known of it then.
    pub(crate) fn begin(
        paths: &Paths,
        operation: Operation,
        files: &[(&str, &[u8], u32)],
    ) -> Result<Self, SetupError> {
        let staging = paths.staging_dir();
        disk::remove_folder(&staging)?;
        disk::create_folder(&staging, 0o700)?;
        let mut manifest = Manifest { operation, files: Vec::new() };
        for (path, bytes, mode) in files {
            disk::write_whole(&stored(&staging, path), bytes, 0o600)?;
            manifest.files.push(Entry { path: (*path).to_owned(), mode: *mode });
        }
        write_manifest(&staging, &manifest)?;
        let folder = paths.pending_dir();
        fs::rename(&staging, &folder).map_err(SetupError::system("rename into", &folder))?;
        disk::sync_folder(&paths.hafen_dir())?;
        Ok(Self { paths: paths.clone(), manifest })
    }

    /// Which command began it.
    pub(crate) fn operation(&self) -> Operation {
        self.manifest.operation
    }

    /// Adds or replaces a file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn add(&mut self, path: &str, bytes: &[u8], mode: u32) -> Result<(), SetupError> {
        let folder = self.paths.pending_dir();
        disk::write_whole(&stored(&folder, path), bytes, 0o600)?;
        self.manifest.files.retain(|entry| entry.path != path);
        self.manifest.files.push(Entry { path: path.to_owned(), mode });
        write_manifest(&folder, &self.manifest)
    }

    /// A file that was collected.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn read(&self, path: &str) -> Result<Option<Vec<u8>>, SetupError> {
        if !self.manifest.files.iter().any(|entry| entry.path == path) {
            return Ok(None);
        }
        disk::read_optional(&self.stored(path))
    }

    /// Where a file is kept until it is put in place.
    pub(crate) fn stored(&self, path: &str) -> PathBuf {
        stored(&self.paths.pending_dir(), path)
    }

    /// Puts all files in place. What was there is kept until [`Self::finish`].
    ///
    /// # Errors
    /// When one cannot be written; call it again, or [`Self::roll_back`].
    pub(crate) fn install(&self) -> Result<(), SetupError> {
        let old = self.old();
        for entry in &self.manifest.files {
            let place = self.paths.at(&entry.path);
            let bytes = disk::read(&self.stored(&entry.path))?;
            let kept = stored(&old, &entry.path);
            let before = disk::read_optional(&place)?;
            if before.as_deref() == Some(&bytes) && mode_of(&place) == Some(entry.mode) {
                continue;
            }
            if let Some(before) = before
                && !kept.exists()
                && before != bytes
            {
                disk::write_whole(&kept, &before, mode_of(&place).unwrap_or(0o600))?;
            }
            if entry.path.starts_with("/etc/hafen/pki/") {
                disk::create_folder(&self.paths.pki_dir(), 0o700)?;
            }
            disk::write_whole(&place, &bytes, entry.mode)?;
        }
        Ok(())
    }

    /// Puts back what was there before, and forgets the change.
    ///
    /// # Errors
    /// When a file cannot be put back.
    pub(crate) fn roll_back(self) -> Result<(), SetupError> {
        for entry in &self.manifest.files {
            let place = self.paths.at(&entry.path);
            let kept = stored(&self.old(), &entry.path);
            let ours = disk::read_optional(&place)? == Some(disk::read(&self.stored(&entry.path))?);
            match disk::read_optional(&kept)? {
                Some(before) => disk::write_whole(&place, &before, mode_of(&kept).unwrap_or(0o600))?,
                None if ours => disk::remove(&place)?,
                None => {}
            }
        }
        self.forget()
    }

    /// The change is done. What it replaced is kept among the replaced files.
    ///
    /// # Errors
    /// When that cannot be written.
    pub(crate) fn finish(self) -> Result<(), SetupError> {
        let old = self.old();
        if old.is_dir() {
            let kept = replaced(&self.paths, &format!("before-{}", self.manifest.operation))?;
            // The two folders may be on different file systems.
            for entry in &self.manifest.files {
                if let Some(bytes) = disk::read_optional(&stored(&old, &entry.path))? {
                    disk::write_whole(&stored(&kept, &entry.path), &bytes, 0o600)?;
                }
            }
        }
        self.forget()
    }

    /// Forgets the change without putting anything in place.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub(crate) fn forget(self) -> Result<(), SetupError> {
        let (pending, staging) = (self.paths.pending_dir(), self.paths.staging_dir());
        disk::remove_folder(&staging)?;
        // Gone by one rename: half of a pending change must never be seen.
        fs::rename(&pending, &staging).map_err(SetupError::system("rename", &pending))?;
        disk::remove_folder(&staging)
    }

    fn old(&self) -> PathBuf {
        self.paths.pending_dir().join("old")
    }
}

fn write_manifest(folder: &Path, manifest: &Manifest) -> Result<(), SetupError> {
    disk::write_whole(&folder.join(MANIFEST), &serde_json::to_vec(manifest).unwrap_or_default(), 0o600)
}

fn stored(folder: &Path, path: &str) -> PathBuf {
    folder.join("files").join(path.trim_start_matches('/'))
}

fn mode_of(path: &Path) -> Option<u32> {
    fs::metadata(path).ok().map(|metadata| metadata.permissions().mode() & 0o7777)
}

/// A new folder for replaced files, named after what replaced them.
///
/// # Errors
/// When it cannot be created.
pub(crate) fn replaced(paths: &Paths, what: &str) -> Result<PathBuf, SetupError> {
    let word: String =
        what.chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '-' }).collect();
    let folder = paths.replaced_dir().join(format!("{}-{word}", clock::wall_ms()));
    disk::create_folder(&paths.replaced_dir(), 0o700)?;
    disk::create_folder(&folder, 0o700)?;
    Ok(folder)
}

/// Puts aside what an earlier cluster left in the daemon's store, so that it is never taken for this cluster's.
///
/// # Errors
/// When it cannot be moved.
pub(crate) fn put_store_aside(paths: &Paths, what: &str) -> Result<Option<PathBuf>, SetupError> {
    let store = paths.store_dir();
    let entries = match fs::read_dir(&store) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(SetupError::system("list", &store)(error)),
    };
    let old: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| *path != paths.replaced_dir())
        .collect();
    if old.iter().all(|path| path.file_name().is_some_and(|name| name == "lost+found")) {
        return Ok(None);
    }
    let folder = replaced(paths, what)?;
    for path in old {
        let to = folder.join(path.file_name().unwrap_or_default());
        fs::rename(&path, &to).map_err(SetupError::system("move away", &path))?;
    }
    Ok(Some(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(paths: &Paths, path: &str, text: &str) {
        disk::write_whole(&paths.at(path), text.as_bytes(), 0o644).unwrap();
    }

    fn text(paths: &Paths, path: &str) -> Option<String> {
        disk::read_text_optional(&paths.at(path)).unwrap()
    }

    const FILES: [(&str, &[u8], u32); 2] = [("/etc/a", b"new", 0o644), ("/etc/hafen/pki/k", b"key", 0o600)];

    #[test]
    fn a_change_goes_on_where_it_was_interrupted() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::new(folder.path());
        write(&paths, "/etc/a", "old");
        Pending::begin(&paths, Operation::Init, &FILES).unwrap();
        assert_eq!(text(&paths, "/etc/a").as_deref(), Some("old"), "nothing is in place yet");
        // Another process, later.
        let pending = Pending::load(&paths).unwrap().expect("it is known");
        pending.install().unwrap();
        pending.install().unwrap();
        assert_eq!(text(&paths, "/etc/a").as_deref(), Some("new"));
        assert_eq!(mode_of(&paths.at("/etc/hafen/pki/k")), Some(0o600));
        pending.finish().unwrap();
        assert!(Pending::load(&paths).unwrap().is_none());
        let kept: Vec<_> = fs::read_dir(paths.replaced_dir()).unwrap().collect();
        assert_eq!(kept.len(), 1, "what was replaced is kept");
    }

    #[test]
    fn a_change_can_be_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::new(folder.path());
        write(&paths, "/etc/a", "old");
        let pending = Pending::begin(&paths, Operation::Join, &FILES).unwrap();
        pending.install().unwrap();
        pending.roll_back().unwrap();
        assert_eq!(text(&paths, "/etc/a").as_deref(), Some("old"));
        assert_eq!(text(&paths, "/etc/hafen/pki/k"), None);
        assert!(!paths.pending_dir().exists());
    }

    #[test]
    fn what_was_not_published_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::new(folder.path());
        disk::write_whole(&paths.staging_dir().join("files/etc/a"), b"x", 0o600).unwrap();
        assert!(Pending::load(&paths).unwrap().is_none());
        assert!(!paths.staging_dir().exists());
        disk::write_whole(&paths.pending_dir().join(MANIFEST), b"{", 0o600).unwrap();
        assert!(Pending::load(&paths).unwrap_err().to_string().contains("interrupted"));
    }
}
