//! Files that only their owner reads: what the daemon keeps holds the CIB, or parts of it, with its secrets.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

const MODE: u32 = 0o600;

/// An empty file in the place of what is there.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    closed(OpenOptions::new().write(true).create(true).truncate(true).mode(MODE).open(path)?)
}

/// A file to add to.
pub(crate) fn append(path: &Path) -> io::Result<File> {
    closed(OpenOptions::new().create(true).append(true).mode(MODE).open(path)?)
}

/// Takes the rights of others away from a file that an earlier version made.
fn closed(file: File) -> io::Result<File> {
    let metadata = file.metadata()?;
    if metadata.is_file() && metadata.permissions().mode() & 0o077 != 0 {
        let _ = file.set_permissions(std::fs::Permissions::from_mode(MODE));
    }
    Ok(file)
}
