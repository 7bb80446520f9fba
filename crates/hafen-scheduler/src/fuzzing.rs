//! The body of the fuzz target over the whole of reading, planning and printing, which the ordinary tests run as well.

use hafen_cib::{Cib, Document, schema, upgrade};

use crate::crm_simulate::{self, Arguments};
use crate::{Problem, lint, schedule};

/// When a fuzzed cluster lives, unless its CIB says otherwise.
const NOW: u64 = 1_700_000_000;

/// Takes an input through everything that `crm_simulate` does. Panics if a promise is broken: every plan is sound, what is
/// written can be read again, the same input leads to the same output, and where a plan leads can be planned for again.
pub fn run(input: &[u8]) {
    let Ok(document) = Document::parse_bytes(input) else { return };
    let Ok(mut cib) = Cib::from_document(document) else { return };
    check_plan(&cib);
    play(&cib, &["-S", "-s", "-U", "-A", "-c", "-a"]);
    // What its schema refuses must not bring the scheduler down either.
    let root = cib.root().node();
    cib.document_mut().set_attribute(root, "validate-with", "none");
    let host = cib.configured_nodes().next().map_or("host1", |node| node.uname()).to_owned();
    let failing = cib.primitives().next().map_or("vm1", |resource| resource.id()).to_owned();
    let injected = format!("{failing}_monitor_10000@{host}=7");
    let failed = format!("{failing}_start_0@{host}=1");
    play(
        &cib,
        &[
            "-S",
            "--output-as=xml",
            "-u",
            "new",
            "-f",
            &host,
            "-g",
            "T",
            "-w",
            "1",
            "-i",
            &injected,
            "-F",
            &failed,
        ],
    );
}

fn play(cib: &Cib, switches: &[&str]) {
    let arguments = Arguments::parse(switches.iter().map(|word| (*word).to_owned()))
        .unwrap_or_else(|error| panic!("{error}: {switches:?}"));
    let outcome = crm_simulate::run(&arguments, cib, NOW);
    let is_xml = arguments.output_as.is_some();
    for (what, text) in [
        ("graph", &outcome.graph),
        ("input", &outcome.input),
        ("output", &outcome.output),
        ("text", if is_xml { &outcome.text } else { &outcome.graph }),
    ] {
        if let Err(error) = Document::parse(text)
            && !text.is_empty()
        {
            panic!("{what}: {error}\n{text}\n{}", cib.to_xml());
        }
    }
    assert_eq!(crm_simulate::run(&arguments, cib, NOW), outcome, "two runs differ\n{}", cib.to_xml());
    if let Ok(after) = Cib::parse(&outcome.output) {
        check_plan(&after);
    }
}

/// What drives a plan relies on its form. That nothing starts before its stop holds where an id means one resource.
fn check_plan(cib: &Cib) {
    let mut problems = lint(&schedule(cib, NOW));
    problems.retain(|problem| !matches!(problem, Problem::StartsBeforeStop(_)) || is_valid(cib));
    assert!(problems.is_empty(), "{problems:?}\n{}", cib.to_xml());
}

fn is_valid(cib: &Cib) -> bool {
    let mut cib = cib.clone();
    upgrade::upgrade(&mut cib);
    schema::validate(&cib).is_empty()
}
