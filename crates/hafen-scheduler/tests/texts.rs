//! What `crm_simulate` prints: a folder a case, with a CIB, Pacemaker's own text and XML, and the command line where that
//! is not `-S`.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "tests read files")]

use std::path::Path;

use hafen_cib::Cib;
use hafen_scheduler::crm_simulate::{Arguments, run};

/// The time of what is played out; the CIBs have an execution date of their own.
const NOW: u64 = 1_700_000_000;

#[test]
fn every_text_is_pacemakers() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("texts");
    let mut names: Vec<_> =
        std::fs::read_dir(&folder).expect("texts").map(|entry| entry.expect("an entry").path()).collect();
    names.sort();
    assert!(names.len() >= 5, "the texts are there");
    for case in names {
        let source = std::fs::read_to_string(case.join("cib.xml")).expect("a CIB");
        let cib = Cib::parse(&source).expect("a CIB");
        for (file, format) in [("text", None), ("xml", Some("--output-as=xml"))] {
            let switches = std::fs::read_to_string(case.join("arguments")).unwrap_or("-S".to_owned());
            let words = ["-x", "cib.xml"].into_iter().chain(switches.split_whitespace()).chain(format);
            let arguments = Arguments::parse(words.map(str::to_owned)).expect("a command line");
            // Pacemaker 3.0.0 loses what follows upon injections in XML: there is nothing to compare with.
            if file == "xml" && switches.contains("-d ") {
                continue;
            }
            let expected = std::fs::read_to_string(case.join(file)).expect("an expectation");
            assert_eq!(run(&arguments, &cib, NOW).text, expected, "{} as {file}", case.display());
        }
    }
}
