//! The fuzz target's body over the project's own cases, and over seeded mutations of them.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a test reads its cases")]

use std::path::Path;

use hafen_scheduler::fuzzing;

/// Mutations of each case; `HAFEN_FUZZ_MUTATIONS` asks for more.
const MUTATIONS: usize = 12;

/// Values that matter to a scheduler.
const VALUES: &[&str] = &[
    "",
    "0",
    "1",
    "-1",
    "7",
    "true",
    "false",
    "INFINITY",
    "-INFINITY",
    "99999999999999999999",
    "-99999999999999999999",
    "Promoted",
    "Stopped",
    "stop",
    "demote",
    "fence",
    "ignore",
    "block",
    "standby",
    "Serialize",
    "Optional",
    "P99999999Y",
    "9999-99-99",
    "2024-02-30T25:61:61Z",
    "10s",
    "0x10",
    "1e9",
    "((((",
    "#uname",
    ":",
    "host1",
    "vm1",
    "monitor",
    "start",
    "migrate_to",
    "0:0;1:2:3:x",
    "193",
    "notify",
    "clone-max",
    "clone-min",
    "target-role",
    "migration-threshold",
];

/// SplitMix64: a seed gives the same numbers everywhere.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % bound.max(1) as u64).unwrap_or(0)
    }
}

fn cases() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let mut cases: Vec<(String, String)> = std::fs::read_dir(folder)
        .expect("cases")
        .map(|entry| entry.expect("an entry").path())
        .map(|case| {
            let source = std::fs::read_to_string(case.join("cib.xml")).expect("a CIB");
            (case.file_name().expect("a name").to_string_lossy().into_owned(), source)
        })
        .collect();
    cases.sort();
    cases
}

/// The places of attributes' values.
fn values(source: &str) -> Vec<(usize, usize)> {
    let starts = source.match_indices("=\"").map(|(at, _)| at + 2);
    starts.filter_map(|at| Some((at, at + source[at..].find('"')?))).collect()
}

/// The places of elements without content.
fn leaves(source: &str) -> Vec<(usize, usize)> {
    let ends = source.match_indices("/>").map(|(at, _)| at + 2);
    ends.filter_map(|end| Some((source[..end].rfind('<')?, end))).collect()
}

fn mutated(source: &str, numbers: &mut Numbers) -> String {
    let mut text = source.to_owned();
    for _ in 0..=numbers.below(4) {
        let (values, leaves) = (values(&text), leaves(&text));
        match numbers.below(6) {
            // A value from the list, or from elsewhere in the same CIB.
            0..=3 if !values.is_empty() => {
                let (from, to) = values[numbers.below(values.len())];
                let new = if numbers.below(2) == 0 {
                    VALUES[numbers.below(VALUES.len())].to_owned()
                } else {
                    let (from, to) = values[numbers.below(values.len())];
                    text[from..to].to_owned()
                };
                text.replace_range(from..to, &new);
            }
            // An element gone, or there twice.
            4 if !leaves.is_empty() => {
                let (from, to) = leaves[numbers.below(leaves.len())];
                text.replace_range(from..to, "");
            }
            _ if !leaves.is_empty() => {
                let (from, to) = leaves[numbers.below(leaves.len())];
                let (other, _) = leaves[numbers.below(leaves.len())];
                let copy = text[from..to].to_owned();
                text.insert_str(other, &copy);
            }
            _ => {}
        }
    }
    text
}

#[test]
fn cases_and_their_mutations_are_borne() {
    let wanted = std::env::var("HAFEN_FUZZ_MUTATIONS").ok().and_then(|text| text.parse().ok());
    for (at, (name, source)) in cases().into_iter().enumerate() {
        fuzzing::run(source.as_bytes());
        let mut numbers = Numbers(at as u64);
        for number in 0..wanted.unwrap_or(MUTATIONS) {
            let text = mutated(&source, &mut numbers);
            let run = || fuzzing::run(text.as_bytes());
            if std::panic::catch_unwind(run).is_err() {
                panic!("mutation {number} of {name}:\n{text}");
            }
        }
    }
}

/// Inputs on which libFuzzer broke a promise once.
#[test]
fn what_was_found_once_is_borne() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("found");
    for entry in std::fs::read_dir(folder).expect("findings") {
        let path = entry.expect("an entry").path();
        eprintln!("{}", path.display());
        fuzzing::run(&std::fs::read(&path).expect("an input"));
    }
}
