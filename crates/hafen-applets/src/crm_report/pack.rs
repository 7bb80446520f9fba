//! A report as a folder and as an archive.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Component, Path};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::collect::File;
use super::mask::Masks;

/// What another host may send, at most.
const SENT_BYTES_MAXIMUM: u64 = 1 << 30;

/// Writes files below a folder, which only their owner may read.
pub(super) fn write(folder: &Path, files: &[File]) -> io::Result<()> {
    for (name, text) in files {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
        }
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes())?;
    }
    Ok(())
}

/// Files as an archive that is not compressed, for the host that asks.
pub(super) fn send(files: &[File], to: impl Write) -> io::Result<()> {
    let mut archive = tar::Builder::new(to);
    for (name, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o600);
        archive.append_data(&mut header, name, text.as_bytes())?;
    }
    archive.into_inner()?.flush()
}

/// The files that another host sent, masked once more; names that lead elsewhere are left out.
pub(super) fn receive(from: impl Read, masks: &Masks) -> io::Result<Vec<File>> {
    let mut archive = tar::Archive::new(from.take(SENT_BYTES_MAXIMUM));
    let mut files = Vec::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
        if !inside || !entry.header().entry_type().is_file() {
            continue;
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        files.push((path.to_string_lossy().into_owned(), masks.mask(&String::from_utf8_lossy(&bytes))));
    }
    Ok(files)
}

/// Packs a folder, below its own name, and removes it.
pub(super) fn pack(folder: &Path, archive: &Path) -> io::Result<()> {
    let file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(archive)?;
    let mut builder = tar::Builder::new(GzEncoder::new(file, Compression::default()));
    builder.follow_symlinks(false);
    builder.append_dir_all(folder.file_name().unwrap_or_default(), folder)?;
    builder.into_inner()?.finish()?.sync_all()?;
    fs::remove_dir_all(folder)
}
