//! Pacemaker's cases that hold must go on holding. The cases lie beside the project and are not part of it; without them
//! this test says so and does nothing. `HAFEN_UPDATE_RATCHET=1` adds what holds now.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "tests read files")]

mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use hafen_cib::Cib;
use hafen_scheduler::crm_simulate::{Arguments, run};
use hafen_scheduler::{lint, schedule};

const LEVELS: [&str; 4] = ["decisions", "graph", "full", "scores"];

fn cases() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/scheduler-cases");
    if folder.join("cases.json").exists() {
        return Some(folder);
    }
    eprintln!("skipped: no scheduler cases in {}", folder.display());
    None
}

fn list(level: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("ratchet").join(level)
}

/// The switches with which a case is run, from its line in the listing.
fn extra_arguments(listing: &str, name: &str) -> Vec<String> {
    let Some(at) = listing.find(&format!("\"name\": \"{name}\"")) else { return Vec::new() };
    let rest = &listing[at..];
    let rest = &rest[..rest.find('}').unwrap_or(rest.len())];
    let Some(start) = rest.find("\"args\": [") else { return Vec::new() };
    let rest = &rest[start + 9..];
    let inner = &rest[..rest.find(']').unwrap_or(0)];
    inner
        .split(',')
        .map(|word| word.trim().trim_matches('"').to_owned())
        .filter(|word| !word.is_empty())
        .collect()
}

fn levels_of(folder: &Path, listing: &str, name: &str) -> BTreeSet<&'static str> {
    let mut holding = BTreeSet::new();
    let read = |kind: &str, ending: &str| {
        std::fs::read_to_string(folder.join(kind).join(format!("{name}.{ending}")))
    };
    let Ok(source) = read("xml", "xml") else { return holding };
    let cib = Cib::parse(&source).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut words = vec!["-sSQ".to_owned()];
    words.extend(extra_arguments(listing, name));
    let arguments = Arguments::parse(words).expect("switches");
    let outcome = run(&arguments, &cib, 1_700_000_000);
    let (got, want) = (
        common::read_graph(&outcome.graph),
        common::read_graph(&read("exp", "exp").expect("an expected graph")),
    );
    if got.actions == want.actions {
        holding.insert("decisions");
        if got.edges == want.edges {
            holding.insert("graph");
            if got.details == want.details {
                holding.insert("full");
            }
        }
    }
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text
            .lines()
            .map(|line| line.trim_end().to_owned())
            .filter(|line| !line.trim().is_empty())
            .collect();
        lines.sort();
        lines
    };
    if sorted(&outcome.text) == sorted(&read("scores", "scores").expect("expected scores")) {
        holding.insert("scores");
    }
    holding
}

#[test]
fn no_case_that_held_is_lost() {
    let Some(folder) = cases() else { return };
    let listing = std::fs::read_to_string(folder.join("cases.json")).expect("a listing");
    let mut names: Vec<String> = std::fs::read_dir(folder.join("xml"))
        .expect("cases")
        .map(|entry| {
            entry.expect("an entry").path().file_stem().expect("a name").to_string_lossy().into_owned()
        })
        .collect();
    names.sort();
    let results: Vec<(String, BTreeSet<&str>)> = names
        .into_iter()
        .map(|name| {
            let levels = levels_of(&folder, &listing, &name);
            (name, levels)
        })
        .collect();
    for level in LEVELS {
        let holding: BTreeSet<&str> = results
            .iter()
            .filter(|(_, levels)| levels.contains(level))
            .map(|(name, _)| name.as_str())
            .collect();
        if std::env::var("HAFEN_UPDATE_RATCHET").is_ok() {
            let known = std::fs::read_to_string(list(level)).unwrap_or_default();
            let all: BTreeSet<&str> = known.lines().chain(holding.iter().copied()).collect();
            let text: String = all.iter().map(|name| format!("{name}\n")).collect();
            std::fs::write(list(level), text).expect("a file");
        }
        let known = std::fs::read_to_string(list(level)).expect("the ratchet's list");
        let lost: Vec<&str> = known.lines().filter(|name| !holding.contains(name)).collect();
        assert!(lost.is_empty(), "level {level} no longer holds for {lost:?}");
    }
}

/// What a driver relies on holds for every plan, right or not.
#[test]
fn every_plan_is_sound() {
    let Some(folder) = cases() else { return };
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder.join("xml"))
        .expect("cases")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    entries.sort();
    let mut bad = Vec::new();
    for entry in entries {
        let cib = Cib::parse(&std::fs::read_to_string(&entry).expect("a CIB")).expect("a CIB");
        let problems = lint(&schedule(&cib, 1_700_000_000));
        if !problems.is_empty() {
            bad.push(format!("{}: {}", entry.display(), problems[0]));
        }
    }
    assert!(bad.is_empty(), "{bad:#?}");
}
