//! Hygiene of the sources: leftover markers, allowed `unsafe`, file and line lengths, first doc lines.

#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a shell")]

use std::fs;
use std::path::{Path, PathBuf};

/// No file may grow past this; those that are longer today may only shrink.
const FILE_LINES_MAXIMUM: usize = 500;
/// Tests and agents' meta-data with their documents aside, no line is longer.
const LINE_CHARACTERS_MAXIMUM: usize = 180;
/// Files that are longer than the maximum, with their lengths: a ratchet.
const LONG_FILES: [(&str, usize); 0] = [];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open = vec![root().join("crates"), root().join("xtask")];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of sources").flatten() {
            let path = entry.path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root()).expect("below the root").display().to_string();
                found.push((name, fs::read_to_string(&path).expect("a readable source")));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn no_leftover_markers() {
    let markers = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("#[ig", "nore")];
    for (name, text) in sources() {
        for (number, line) in text.lines().enumerate() {
            for marker in markers {
                assert!(!line.contains(marker), "{name}:{}: {marker}", number + 1);
            }
        }
    }
}

#[test]
fn unsafe_lives_in_one_crate() {
    for (name, text) in sources() {
        let allowed = name.starts_with("crates/hafen-sys/") || name.starts_with("xtask/");
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or("");
            let uses =
                code.contains("unsafe {") || code.contains("unsafe fn") || code.contains("unsafe impl");
            assert!(allowed || !uses, "{name}:{}: unsafe", number + 1);
        }
    }
}

#[test]
fn files_and_lines_stay_short() {
    for (name, text) in sources() {
        let limit =
            LONG_FILES.iter().find(|(file, _)| *file == name).map_or(FILE_LINES_MAXIMUM, |(_, lines)| *lines);
        let lines = text.lines().count();
        assert!(lines <= limit, "{name} has {lines} lines, {limit} are allowed: what does it hide?");
        let is_test = name.contains("/tests") || name.ends_with("tests.rs") || name.ends_with("metadata.rs");
        let code = text.lines().take_while(|line| !line.starts_with("mod tests {"));
        for (number, line) in code.enumerate().filter(|_| !is_test) {
            let length = line.chars().count();
            assert!(length <= LINE_CHARACTERS_MAXIMUM, "{name}:{} has {length} characters", number + 1);
        }
    }
}

#[test]
fn every_crate_says_whether_it_is_pure() {
    for (name, text) in sources() {
        let is_root = name.ends_with("src/lib.rs") && name.starts_with("crates/");
        if is_root {
            let first = text.lines().next().unwrap_or("");
            let first_word = first.to_lowercase();
            let said = ["pure", "shell", "test"]
                .iter()
                .any(|kind| first_word.trim_start_matches("//! ").trim_start_matches('`').starts_with(kind));
            assert!(said, "{name} begins with `{first}`");
        }
    }
}
