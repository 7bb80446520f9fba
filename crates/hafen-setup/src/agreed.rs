//! Files that are the same on all hosts: keys, corosync.conf, the definitions of virtual machines, and what the user adds.
//!
//! Each host remembers the digest of each file when all hosts had the same (`agreed-files.json`). A copy that still is what was
//! agreed may be replaced by a newer one; a copy that was changed since is a conflict, and is only replaced when the user says
//! so. What is replaced is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path};

use crate::host::Host;
use crate::request::{FileContent, FileState};
use crate::{SetupError, disk};
use crate::{change, pending};

/// These are always agreed.
pub const PATTERNS: [&str; 6] = [
    "/etc/corosync/authkey",
    "/etc/corosync/corosync.conf",
    "/etc/hafen/files.conf",
    "/etc/hafen/pki/ca-key.pem",
    "/etc/hafen/pki/ca.pem",
    "/etc/xen/vm/*",
];
/// Patterns beside those, at most.
pub const PATTERNS_MAXIMUM: usize = 256;
/// Agreed files of a host, at most.
pub const FILES_MAXIMUM: usize = 2000;
/// What differs from host to host by its nature.
const OWN: [&str; 6] = [
    "/etc/hafen/pki/host.pem",
    "/etc/hafen/pki/host-key.pem",
    "/etc/hafen/daemon.json",
    "/etc/hostname",
    "/etc/machine-id",
    "/etc/fstab",
];
/// No agreed file is below these.
const NOWHERE: [&str; 6] = ["/proc", "/sys", "/dev", "/run", "/var/lib/hafen", "/etc/hafen/pending"];
/// The content of these is never shown.
const SECRETS: [&str; 2] = ["/etc/corosync/authkey", "/etc/hafen/pki/ca-key.pem"];

/// Whether the content of a file must not be shown.
pub fn is_secret(path: &str) -> bool {
    SECRETS.contains(&path)
}

/// Whether a pattern can be one: an absolute path, whose last part may have `*`.
///
/// # Errors
/// When it is none, or means files that differ by their nature.
pub fn check_pattern(pattern: &str) -> Result<(), SetupError> {
    let wrong = |why: &str| {
        let mend = "Give an absolute path such as /etc/xen/vm/web or /etc/multipath/*.conf";
        SetupError::input(format!("'{pattern}' cannot be an agreed file: {why}"), mend)
    };
    let path = Path::new(pattern);
    let plain = |part: Component<'_>| matches!(part, Component::RootDir | Component::Normal(_));
    if !path.is_absolute() || !path.components().all(plain) || pattern.contains(['\n', '\0']) {
        return Err(wrong("it is no plain absolute path"));
    }
    let folder = path.parent().ok_or_else(|| wrong("it is a folder"))?;
    if pattern.ends_with('/') || folder.to_string_lossy().contains('*') {
        return Err(wrong("only the last part of the path may have a *"));
    }
    if NOWHERE.iter().any(|folder| path.starts_with(folder)) {
        return Err(wrong("files there belong to one host"));
    }
    if OWN.iter().any(|own| matches(pattern, own)) {
        return Err(wrong("it differs from host to host by its nature"));
    }
    Ok(())
}

/// Whether a path is meant by a pattern.
fn matches(pattern: &str, path: &str) -> bool {
    let (Some((folder, last)), Some((own_folder, name))) = (pattern.rsplit_once('/'), path.rsplit_once('/'))
    else {
        return false;
    };
    folder == own_folder && matches_name(last, name)
}

/// `*` stands for any number of characters.
fn matches_name(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = name.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(index) = rest.find(part) else { return false };
        rest = &rest[index + part.len()..];
    }
    rest.ends_with(last)
}

/// The patterns that users of this cluster added.
///
/// # Errors
/// When the file that holds them is wrong.
pub fn patterns(host: &Host) -> Result<Vec<String>, SetupError> {
    let text = disk::read_text_optional(&host.paths.agreed_patterns())?.unwrap_or_default();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let patterns: Vec<String> = lines.map(str::to_owned).collect();
    for pattern in &patterns {
        check_pattern(pattern)?;
    }
    if patterns.len() > PATTERNS_MAXIMUM {
        let path = host.paths.agreed_patterns();
        return Err(SetupError::state(
            format!("{} has more than {PATTERNS_MAXIMUM} lines", path.display()),
            "Shorten it",
        ));
    }
    Ok(patterns)
}

/// Adds a pattern. Whether it is new.
///
/// # Errors
/// When it cannot be one.
pub fn add_pattern(host: &Host, pattern: &str) -> Result<bool, SetupError> {
    check_pattern(pattern)?;
    let mut all = patterns(host)?;
    if all.iter().any(|own| own == pattern) || PATTERNS.contains(&pattern) {
        return Ok(false);
    }
    all.push(pattern.to_owned());
    write_patterns(host, &all)?;
    Ok(true)
}

/// Removes a pattern; the files stay where they are. Whether it was there.
///
/// # Errors
/// When it is one of those that always are agreed.
pub fn remove_pattern(host: &Host, pattern: &str) -> Result<bool, SetupError> {
    if PATTERNS.contains(&pattern) {
        return Err(SetupError::input(format!("'{pattern}' is always the same on all hosts"), ""));
    }
    let mut all = patterns(host)?;
    let before = all.len();
    all.retain(|own| own != pattern);
    if all.len() < before {
        write_patterns(host, &all)?;
    }
    Ok(all.len() < before)
}

fn write_patterns(host: &Host, all: &[String]) -> Result<(), SetupError> {
    let mut text =
        "# Files that are the same on all hosts, beside Hafen's own; see 'hafen files'.\n".to_owned();
    for pattern in all {
        text.push_str(pattern);
        text.push('\n');
    }
    disk::write_whole(&host.paths.agreed_patterns(), text.as_bytes(), 0o644)
}

/// All agreed files of this host, and those that were agreed and are gone.
///
/// # Errors
/// When one cannot be read, or there are too many.
pub fn list(host: &Host) -> Result<Vec<FileState>, SetupError> {
    let record = record(host)?;
    let own = patterns(host)?;
    let all: Vec<&str> = PATTERNS.into_iter().chain(own.iter().map(String::as_str)).collect();
    let mut paths: BTreeSet<String> = BTreeSet::new();
    for pattern in &all {
        paths.extend(existing(host, pattern)?);
    }
    paths.extend(record.keys().filter(|path| all.iter().any(|pattern| matches(pattern, path))).cloned());
    if paths.len() > FILES_MAXIMUM {
        return Err(SetupError::state(
            format!("{} has more than {FILES_MAXIMUM} agreed files", host.name),
            "Narrow the patterns with 'hafen files remove PATTERN'",
        ));
    }
    paths
        .into_iter()
        .map(|path| {
            let digest = disk::read_optional(&host.paths.at(&path))?.map(|bytes| disk::sha256_hex(&bytes));
            Ok(FileState { digest, agreed: record.get(&path).cloned(), path })
        })
        .collect()
}

fn existing(host: &Host, pattern: &str) -> Result<Vec<String>, SetupError> {
    let Some((folder, last)) = pattern.rsplit_once('/') else { return Ok(Vec::new()) };
    if !last.contains('*') {
        return Ok(if host.paths.at(pattern).is_file() { vec![pattern.to_owned()] } else { Vec::new() });
    }
    let place = host.paths.at(folder);
    let entries = match fs::read_dir(&place) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(SetupError::system("list", &place)(error)),
    };
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let partial = name.ends_with(disk::PARTIAL_SUFFIX) || name.starts_with('.');
        if !partial && matches_name(last, &name) && entry.path().is_file() {
            found.push(format!("{folder}/{name}"));
        }
    }
    Ok(found)
}

fn must_be_agreed(host: &Host, path: &str) -> Result<(), SetupError> {
    let own = patterns(host)?;
    let known =
        PATTERNS.into_iter().chain(own.iter().map(String::as_str)).any(|pattern| matches(pattern, path));
    if known {
        return Ok(());
    }
    Err(SetupError::input(
        format!("{path} is not among the agreed files of {}", host.name),
        format!("Add it with 'hafen files add {path}'"),
    ))
}

/// The bytes of an agreed file; none when it is not there.
///
/// # Errors
/// When the file is not agreed, or cannot be read.
pub fn fetch(host: &Host, path: &str) -> Result<Option<FileContent>, SetupError> {
    must_be_agreed(host, path)?;
    let place = host.paths.at(path);
    let Some(bytes) = disk::read_optional(&place)? else { return Ok(None) };
    let metadata = fs::metadata(&place).map_err(SetupError::system("look at", &place))?;
    Ok(Some(FileContent::new(&bytes, metadata.permissions().mode() & 0o7777)))
}

/// Replaces an agreed file if it still is what the asker takes it for; what was there is kept.
///
/// # Errors
/// When the file is not agreed, or is something else meanwhile.
pub fn put(
    host: &Host,
    path: &str,
    content: Option<&FileContent>,
    expected: Option<&str>,
) -> Result<(), SetupError> {
    must_be_agreed(host, path)?;
    let place = host.paths.at(path);
    let before = disk::read_optional(&place)?;
    let digest = before.as_deref().map(disk::sha256_hex);
    if digest.as_deref() != expected {
        return Err(SetupError::conflict(
            format!("{path} was changed on {} meanwhile", host.name),
            "See what differs with 'hafen files diff', then try again",
        ));
    }
    if let (change::PATH, Some(bytes)) = (path, content.and_then(FileContent::bytes)) {
        change::test(host, &bytes)?;
    }
    if let Some(before) = before {
        let kept = pending::replaced(&host.paths, "files")?.join(path.trim_start_matches('/'));
        disk::write_whole(&kept, &before, 0o600)?;
    }
    match content {
        None => disk::remove(&place),
        Some(content) => {
            let bytes = content.bytes().ok_or_else(|| {
                SetupError::unreachable(format!("{path} was damaged on its way"), "Try again")
            })?;
            disk::write_whole(&place, &bytes, content.mode & 0o777)
        }
    }
}

fn record(host: &Host) -> Result<BTreeMap<String, String>, SetupError> {
    let path = host.paths.agreed_record();
    let Some(bytes) = disk::read_optional(&path)? else { return Ok(BTreeMap::new()) };
    // A record that is lost makes conflicts of what differs: nothing is overwritten without being asked for.
    Ok(serde_json::from_slice(&bytes).unwrap_or_default())
}

/// Remembers that all hosts have these files with these digests.
///
/// # Errors
/// When it cannot be written.
pub fn agree_here(host: &Host, digests: &BTreeMap<String, String>) -> Result<(), SetupError> {
    let mut all = record(host)?;
    let before = all.clone();
    all.extend(digests.clone());
    if all == before {
        return Ok(());
    }
    disk::write_whole(&host.paths.agreed_record(), &serde_json::to_vec(&all).unwrap_or_default(), 0o600)
}
