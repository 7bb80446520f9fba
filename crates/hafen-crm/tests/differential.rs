//! Generated configurations, of which crmsh and we must make the same.
//!
//! A part of `./dev full`; `HAFEN_FIRST` is the first seed and `HAFEN_COUNT` how many there are. Fifty take some 25 s.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a test runs another program")]

mod common;

use common::generate::Dialect;
use common::oracle::{self, Oracle, complaints};
use common::{EMPTY, difference, generate, make, shown, sorted};
use hafen_cib::{Cib, Document};

/// So many configurations go to one process: it takes its time to start.
const BATCH: u64 = 50;
const NAMES: [&str; 2] = ["crmsh", "hafen"];

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn compare(seed: u64, text: &str, oracle: &Oracle, told: &str) -> Result<(), String> {
    let xml = oracle.read(&format!("{seed}.xml")).ok_or("crmsh wrote nothing")?;
    let document = Document::parse(&xml).map_err(|error| error.to_string())?;
    let configuration = Cib::from_document(document).map_err(|error| error.to_string())?;
    let theirs = sorted(configuration.configuration().expect("a configuration"));
    let cib = match make(EMPTY, text) {
        Ok(cib) if told.is_empty() => cib,
        Ok(_) => return Err(format!("taken, but crmsh refuses it:\n{told}")),
        Err(_) if !told.is_empty() => return Ok(()),
        Err(why) => return Err(format!("refused, but crmsh takes it:\n{why}")),
    };
    let ours = sorted(cib.configuration().expect("a configuration"));
    if theirs != ours {
        return Err(difference("the configuration", NAMES, &theirs, &ours));
    }
    let theirs = oracle.read(&format!("{seed}.shown")).unwrap_or_default();
    // It keeps comments.
    let theirs: String =
        theirs.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect();
    let ours = shown(&cib);
    if theirs != ours { Err(difference("the text", NAMES, &theirs, &ours)) } else { Ok(()) }
}

/// One process of crmsh on some seeds.
fn batch(oracle: &Oracle, seeds: std::ops::Range<u64>, failures: &mut Vec<String>) {
    let texts: Vec<(u64, String)> = seeds.map(|seed| (seed, generate::text(seed, Dialect::Common))).collect();
    // Nothing is committed: what the schema does not allow is not what is compared here.
    let mut script = "configure\n".to_string();
    for (seed, text) in &texts {
        oracle.write(&format!("{seed}.text"), text);
        script += &format!(
            "load update {seed}.text\nsave xml {seed}.xml\nsave {seed}.shown\nrefresh\nshow mark-{seed}\n"
        );
    }
    oracle.write("cib.xml", EMPTY);
    oracle.write("script", &script);
    let (_, out, err) = oracle.run("crm -F -f script", 300);
    let told = complaints(&out, &err);
    let mut rest = told.as_str();
    for (seed, text) in &texts {
        let mark = format!("mark-{seed} ");
        let (before, after) = rest.split_once(&mark).unwrap_or((rest, ""));
        let refused: Vec<&str> = before.lines().filter(|line| is_refusal(line)).collect();
        if let Err(told) = compare(*seed, text, oracle, &refused.join("\n")) {
            failures.push(format!("== seed {seed}: {told}"));
        }
        rest = after;
    }
}

/// Whether a complaint is about the text: others are about agents, and whether a resource will run.
fn is_refusal(line: &str) -> bool {
    let of_agents = [
        "meta-data",
        "Reference not found",
        "no such resource agent",
        "is not known",
        "not defined",
        "object ",
    ];
    line.contains("ERROR") && !of_agents.iter().any(|words| line.contains(words))
}

#[test]
fn full_crmsh_makes_the_same_of_generated_configurations() {
    let Some(root) = oracle::root() else {
        println!("skipped: there is no crmsh (.ci/oracle makes a root with it)");
        return;
    };
    let (first, count) = (number("HAFEN_FIRST", 0), number("HAFEN_COUNT", 50));
    let mut failures = Vec::new();
    let mut seed = first;
    while seed < first + count {
        let end = (seed + BATCH).min(first + count);
        batch(&Oracle::new(&root), seed..end, &mut failures);
        seed = end;
    }
    println!("{} of {count} agree", count - failures.len() as u64);
    assert!(failures.is_empty(), "{}\n{} of {count} differ", failures.join("\n"), failures.len());
}
