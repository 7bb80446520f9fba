//! The project's own cases: a folder a case, with a CIB and the plan that it must lead to.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "tests read files")]

mod common;

use std::path::Path;

use hafen_cib::Cib;
use hafen_scheduler::{Options, lint, report, schedule};

/// The time of all cases, seconds since 1970.
const NOW: u64 = 1_700_000_000;

#[test]
fn every_case_leads_to_its_plan() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let mut names: Vec<_> =
        std::fs::read_dir(&folder).expect("cases").map(|entry| entry.expect("an entry").path()).collect();
    names.sort();
    assert!(names.len() >= 10, "the cases are there");
    for case in names {
        let source = std::fs::read_to_string(case.join("cib.xml")).expect("a CIB");
        let cib = Cib::parse(&source).expect("a CIB");
        let plan = schedule(&cib, NOW);
        assert_eq!(lint(&plan), Vec::new(), "{}", case.display());
        // What waits in vain, and joints alone, are part of the graph, but not of what is carried out.
        let whole = report(&cib, NOW, Options::default()).plan;
        let shown = if whole.outside.is_empty() && !plan.is_empty() { &plan } else { &whole };
        let got = common::describe(&common::read_graph(&shown.to_graph_xml(1, None)));
        let expected_file = case.join("expected");
        if std::env::var("HAFEN_UPDATE_CASES").is_ok() {
            std::fs::write(&expected_file, &got).expect("a file");
        }
        let expected = std::fs::read_to_string(&expected_file).expect("an expectation");
        assert_eq!(got, expected, "{}", case.display());
        assert_eq!(schedule(&cib, NOW), plan, "{}: the same input gives the same plan", case.display());
    }
}

/// Pacemaker's graph has the stop wait for one that nobody can carry out; a part without quorum must stop all the same.
#[test]
fn without_quorum_a_stop_waits_for_nothing_that_never_comes() {
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/no-quorum-stop-does-not-wait/cib.xml");
    let source = std::fs::read_to_string(case).expect("a CIB");
    let plan = schedule(&Cib::parse(&source).expect("a CIB"), NOW);
    assert_eq!(lint(&plan), Vec::new());
    assert!(plan.actions.iter().any(|action| action.operation_key() == "A_stop_0"), "{plan:?}");
}
