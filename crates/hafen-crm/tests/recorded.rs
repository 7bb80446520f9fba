//! What Debian 13's crmsh made of the same texts.
//!
//! A case is a folder `cases/NAME`: `text`; `before.xml` if it does not begin with an empty CIB; `after.xml`, the configuration that
//! crmsh made of it, and `shown`, what `crm configure show` printed then; or `refused`, if crmsh did not take it. Where we differ on
//! purpose, `ours.after.xml` or `ours.shown` has what we make, and `reason` says why.
//!
//! `HAFEN_RECORD=NAME` (the beginning of the names, or `all`) writes what crmsh answers anew, in the root that `HAFEN_ORACLE` names.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a test reads its cases")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::oracle::{self, Oracle, complaints};
use common::{EMPTY, canonical, difference};
use hafen_cib::Cib;
use hafen_crm::{Filter, Mode, apply, parse, show};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/cases");
const NAMES: [&str; 2] = ["crmsh", "hafen"];

fn read(case: &Path, name: &str) -> Option<String> {
    fs::read_to_string(case.join(name)).ok()
}

fn before(case: &Path) -> String {
    read(case, "before.xml").unwrap_or_else(|| EMPTY.to_string())
}

fn ours(case: &Path) -> Result<(String, String, String), String> {
    let text = read(case, "text").expect("a text");
    let mut cib = Cib::parse(&before(case)).expect("a CIB");
    let tell = |problems: Vec<hafen_crm::Diagnostic>| {
        problems.iter().map(|problem| problem.render("text", &text)).collect::<String>()
    };
    let statements = parse(&text).map_err(tell)?;
    apply(&mut cib, &statements, Mode::Update).map_err(tell)?;
    let configuration = cib.configuration().expect("a configuration");
    let filter = Filter::default().hiding("passw*");
    Ok((canonical(configuration), show(&cib, &filter), configuration.to_xml()))
}

/// Run crmsh on the case.
fn record(case: &Path) {
    let root = oracle::root().expect("a root with crmsh");
    let oracle = Oracle::new(&root);
    oracle.write("cib.xml", &before(case));
    oracle.write("text", &read(case, "text").expect("a text"));
    let (taken, out, err) = oracle.run("crm -F configure load update text", 120);
    for name in ["after.xml", "shown", "refused"] {
        let _ = fs::remove_file(case.join(name));
    }
    if !taken {
        fs::write(case.join("refused"), complaints(&out, &err) + "\n").expect("written");
        return;
    }
    fs::write(case.join("after.xml"), oracle.run("cibadmin -Q -o configuration", 120).1).expect("written");
    fs::write(case.join("shown"), oracle.run("crm configure show", 120).1).expect("written");
}

fn compare(case: &Path) -> Result<(), String> {
    let expected_of = |name: &str| read(case, &format!("ours.{name}")).or_else(|| read(case, name));
    let refused = read(case, "refused").is_some() && read(case, "ours.after.xml").is_none();
    match ours(case) {
        Err(_) if refused || read(case, "ours.refused").is_some() => Ok(()),
        Err(told) => Err(format!("refused, but crmsh takes it:\n{told}")),
        Ok((_, shown, _)) if refused => Err(format!("taken, but crmsh refuses it:\n{shown}")),
        Ok((after, shown, _)) => {
            let xml = expected_of("after.xml").unwrap_or_default();
            let document = hafen_cib::Document::parse(&xml).map_err(|error| format!("after.xml: {error}"))?;
            let expected = canonical(document.root());
            if expected != after {
                return Err(difference("the configuration", NAMES, &expected, &after));
            }
            let expected = expected_of("shown").unwrap_or_default();
            if expected != shown { Err(difference("the text", NAMES, &expected, &shown)) } else { Ok(()) }
        }
    }
}

#[test]
fn the_same_text_makes_what_crmsh_makes() {
    let wanted = std::env::var("HAFEN_RECORD").ok();
    let mut failures = Vec::new();
    let mut count = 0;
    let mut cases: Vec<PathBuf> =
        fs::read_dir(FOLDER).expect("cases").flatten().map(|entry| entry.path()).collect();
    cases.sort();
    for case in cases {
        let name = case.file_name().expect("a name").to_string_lossy().into_owned();
        if let Some(wanted) = &wanted {
            if wanted == "all" || name.starts_with(wanted.as_str()) {
                record(&case);
            }
            continue;
        }
        count += 1;
        if let Err(told) = compare(&case) {
            failures.push(format!("== {name}: {told}"));
        }
    }
    let total = failures.len();
    assert!(failures.is_empty(), "{}\n{total} of {count} cases differ", failures.join("\n"));
}
