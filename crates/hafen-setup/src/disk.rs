//! Files that are whole or not there: written beside their place, synced, and renamed into it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::SetupError;

/// The ending of a file that is not whole yet.
pub const PARTIAL_SUFFIX: &str = ".hafen-new";
/// No file that Hafen handles is longer (4 MiB).
pub const FILE_BYTES_MAXIMUM: u64 = 4 << 20;

/// Writes a file as a whole: afterwards the path holds either what it held before or all of `bytes`.
///
/// # Errors
/// When the system refuses; the old content is still there then.
pub fn write_whole(path: &Path, bytes: &[u8], mode: u32) -> Result<(), SetupError> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    create_folder(folder, 0o755)?;
    let mut partial = path.as_os_str().to_owned();
    partial.push(PARTIAL_SUFFIX);
    let partial = PathBuf::from(partial);
    let written = write_new(&partial, bytes, mode).and_then(|()| fs::rename(&partial, path));
    if let Err(error) = written {
        let _ = fs::remove_file(&partial);
        return Err(SetupError::system("write", path)(error));
    }
    sync_folder(folder)
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    // What a killed run left is not trusted to have the right mode.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes the names in a folder durable.
///
/// # Errors
/// When the system refuses.
pub fn sync_folder(folder: &Path) -> Result<(), SetupError> {
    File::open(folder).and_then(|file| file.sync_all()).map_err(SetupError::system("sync", folder))
}

/// Creates a folder and those above it; its own mode is set when it was not there.
///
/// # Errors
/// When the system refuses.
pub fn create_folder(folder: &Path, mode: u32) -> Result<(), SetupError> {
    if folder.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(folder).map_err(SetupError::system("create", folder))?;
    fs::set_permissions(folder, fs::Permissions::from_mode(mode))
        .map_err(SetupError::system("set the mode of", folder))
}

/// A file's bytes; `None` when there is none.
///
/// # Errors
/// When it cannot be read, or is longer than [`FILE_BYTES_MAXIMUM`].
pub fn read_optional(path: &Path) -> Result<Option<Vec<u8>>, SetupError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(SetupError::system("read", path)(error)),
    };
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAXIMUM + 1).read_to_end(&mut bytes).map_err(SetupError::system("read", path))?;
    if bytes.len() as u64 > FILE_BYTES_MAXIMUM {
        return Err(SetupError::input(
            format!("{} is longer than {FILE_BYTES_MAXIMUM} bytes", path.display()),
            "Nothing of that size belongs there: look what it is",
        ));
    }
    Ok(Some(bytes))
}

/// A file's bytes.
///
/// # Errors
/// When it is not there, cannot be read, or is too long.
pub fn read(path: &Path) -> Result<Vec<u8>, SetupError> {
    read_optional(path)?.ok_or_else(|| SetupError::system("read", path)(io::ErrorKind::NotFound.into()))
}

/// A text file; `None` when there is none.
///
/// # Errors
/// As [`read_optional`], and when it is not UTF-8.
pub fn read_text_optional(path: &Path) -> Result<Option<String>, SetupError> {
    let Some(bytes) = read_optional(path)? else { return Ok(None) };
    String::from_utf8(bytes).map(Some).map_err(|_| {
        SetupError::input(format!("{} is not text (UTF-8)", path.display()), "Mend or restore it")
    })
}

/// Removes a file that may be gone already.
///
/// # Errors
/// When it is there and cannot be removed.
pub fn remove(path: &Path) -> Result<(), SetupError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(SetupError::system("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// Removes a folder with all in it; it may be gone already.
///
/// # Errors
/// When it is there and cannot be removed.
pub fn remove_folder(path: &Path) -> Result<(), SetupError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(SetupError::system("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// The SHA-256 of some bytes in hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Random bytes of the kernel.
///
/// # Errors
/// When the kernel gives none.
pub fn random<const N: usize>() -> Result<[u8; N], SetupError> {
    let mut bytes = [0; N];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes).map_err(|_| {
        SetupError::state("the system gives no random numbers", "Look whether /dev/urandom is there")
    })?;
    Ok(bytes)
}
