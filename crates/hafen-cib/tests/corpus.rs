//! The fuzz target's body over its committed corpus, and over 100,000 seeded mutations of it.
#![allow(clippy::disallowed_methods, reason = "a test reads its corpus")]

use std::path::Path;

use hafen_cib::fuzzing;

const MUTATIONS: u64 = 100_000;

/// Pieces that random bytes would hardly make.
const PIECES: &[&str] = &[
    "<",
    ">",
    "/>",
    "</",
    "\"",
    "'",
    "&",
    ";",
    "&amp;",
    "&#0;",
    "&#xD800;",
    "&#10;",
    "<!--",
    "-->",
    "--",
    "<![CDATA[",
    "]]>",
    "<?",
    "?>",
    "<?xml version='1.0'?>",
    "<!DOCTYPE x>",
    "<!ENTITY a 'b'>",
    " id=\"vm1\"",
    " id-ref=\"m\"",
    "\n====\n",
    "\r\n",
    "\u{FEFF}",
    "\u{FFFF}",
    "\0",
    "</cib>",
    "<cib>",
    "<configuration/>",
    "<status/>",
    "<a>",
    "<a/>",
    "</a>",
    " x=''",
    "position=\"0\"",
    "position=\"9\"",
    "[2]",
    "/comment",
    "operation=\"delete\"",
    "operation=\"move\"",
    "path=\"/cib\"",
    "epoch=\"1\"",
];

/// The files of the corpus, sorted by name.
fn corpus() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let entries = std::fs::read_dir(&folder).expect("the corpus is there");
    let mut files: Vec<(String, Vec<u8>)> = entries
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, std::fs::read(&path).expect("a file"))
        })
        .collect();
    files.sort();
    files
}

/// SplitMix64: a seed gives the same numbers everywhere.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

fn mutate(numbers: &mut Numbers, bytes: &mut Vec<u8>, other: &[u8]) {
    let at = numbers.below(bytes.len() + 1);
    let end = (at + numbers.below(24)).min(bytes.len());
    match numbers.below(7) {
        0 if at < bytes.len() => bytes[at] = numbers.next() as u8,
        1 if at < bytes.len() => bytes[at] ^= 1 << numbers.below(8),
        2 => drop(bytes.drain(at..end)),
        3 => {
            let piece = PIECES[numbers.below(PIECES.len())].bytes();
            bytes.splice(at..at, piece);
        }
        4 => {
            let copy = bytes[at..end].to_vec();
            let to = numbers.below(bytes.len() + 1);
            bytes.splice(to..to, copy);
        }
        5 => {
            let from = numbers.below(other.len() + 1);
            let to = (from + numbers.below(200)).min(other.len());
            bytes.splice(at..end, other[from..to].iter().copied());
        }
        _ => {
            let piece = PIECES[numbers.below(PIECES.len())].bytes();
            bytes.splice(at..end, piece);
        }
    }
}

#[test]
fn the_corpus_holds() {
    let files = corpus();
    assert!(files.len() >= 30, "{} files", files.len());
    for (name, bytes) in files {
        let caught = std::panic::catch_unwind(|| fuzzing::run(&bytes));
        assert!(caught.is_ok(), "corpus/{name}");
    }
}

#[test]
fn a_hundred_thousand_mutations_hold() {
    let files = corpus();
    for seed in 0..MUTATIONS {
        let mut numbers = Numbers(seed);
        let mut bytes = files[numbers.below(files.len())].1.clone();
        let other = &files[numbers.below(files.len())].1;
        for _ in 0..1 + numbers.below(4) {
            mutate(&mut numbers, &mut bytes, other);
        }
        let caught = std::panic::catch_unwind(|| fuzzing::run(&bytes));
        assert!(caught.is_ok(), "seed {seed}: {:?}", String::from_utf8_lossy(&bytes));
    }
}
