//! Explanations: a folder a case, with a CIB, the questions, and the texts that answer them. What is said to change the
//! decision is applied, and must change it.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "tests read files")]

use std::collections::BTreeSet;
use std::path::Path;

use hafen_cib::Cib;
use hafen_scheduler::explain::{Edit, Explanation, RUNS_MAXIMUM, Unknown, explain};

const NOW: u64 = 1_700_000_000;

fn cib(case: &str) -> Cib {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("explain").join(case).join("cib.xml");
    Cib::parse(&std::fs::read_to_string(file).expect("a CIB")).expect("a CIB")
}

fn places(explanation: &Explanation) -> BTreeSet<String> {
    explanation.parts.iter().filter_map(|part| part.planned_on.clone()).collect()
}

#[test]
fn every_question_has_its_answer() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("explain");
    let mut cases: Vec<_> =
        std::fs::read_dir(folder).expect("cases").map(|entry| entry.expect("an entry").path()).collect();
    cases.sort();
    assert!(cases.len() >= 30, "the cases are there");
    for case in cases {
        let name = case.file_name().expect("a name").to_string_lossy().into_owned();
        let cib = cib(&name);
        let questions = std::fs::read_to_string(case.join("questions")).expect("questions");
        let mut got = String::new();
        for question in questions.lines() {
            let words: Vec<&str> = question.split_whitespace().collect();
            let explanation = explain(&cib, NOW, words[0], words.get(1).copied()).expect("an answer");
            let text = explanation.to_text();
            assert!(text.lines().all(|line| line.chars().count() <= 80), "{name}: {text}");
            assert!(
                explanation.complete && explanation.runs <= RUNS_MAXIMUM,
                "{name}: {} runs",
                explanation.runs
            );
            got += &format!("$ hafen explain {}\n{text}\n", words.join(" --host "));
            hold_true(&name, &cib, &explanation);
        }
        let file = case.join("expected");
        if std::env::var("HAFEN_UPDATE_CASES").is_ok() {
            std::fs::write(&file, &got).expect("a file");
        }
        assert_eq!(got, std::fs::read_to_string(&file).expect("an expectation"), "{name}");
    }
}

/// Applies what is said to change the decision.
fn hold_true(name: &str, cib: &Cib, explanation: &Explanation) {
    // Conditions are about all instances, which are interchangeable.
    let subject = explanation.resource.split(':').next().expect("a name");
    let explanation = &Explanation {
        counterfactuals: explanation.counterfactuals.clone(),
        ..explain(cib, NOW, subject, None).expect("an answer")
    };
    for counterfactual in &explanation.counterfactuals {
        let changed = counterfactual.edit.apply(cib).expect("a change");
        let then = explain(&changed, NOW, subject, None).expect("an answer");
        let said: BTreeSet<String> = counterfactual.hosts.iter().cloned().collect();
        assert_eq!(places(&then), said, "{name}: {counterfactual:?}");
        let before: Vec<_> =
            explanation.parts.iter().map(|part| (&part.planned_on, part.planned_role)).collect();
        let after: Vec<_> = then.parts.iter().map(|part| (&part.planned_on, part.planned_role)).collect();
        let waited = explanation.parts.iter().any(|part| part.headline.contains("cannot yet"));
        assert!(before != after || waited, "{name}: {counterfactual:?} changes nothing");
    }
}

#[test]
fn a_bound_of_stickiness_is_exact() {
    let cib = cib("stickiness");
    let explanation = explain(&cib, NOW, "vm1", None).expect("an answer");
    let found = explanation.counterfactuals.iter().find_map(|found| match &found.edit {
        Edit::StickinessUnder { primitives, bound } => Some((primitives.clone(), *bound)),
        _ => None,
    });
    let (primitives, bound) = found.expect("a bound");
    assert_eq!(bound, 50);
    let place = |bound: i32| {
        let changed =
            Edit::StickinessUnder { primitives: primitives.clone(), bound }.apply(&cib).expect("a CIB");
        places(&explain(&changed, NOW, "vm1", None).expect("an answer"))
    };
    assert_eq!(place(bound), BTreeSet::from(["host3".to_owned()]), "at 49 it moves");
    assert_eq!(place(bound + 1), BTreeSet::from(["host2".to_owned()]), "at 50 it stays");
}

#[test]
fn the_contributions_add_up() {
    let explanation = explain(&cib("promotable"), NOW, "c", None).expect("an answer");
    for standing in explanation.parts.iter().flat_map(|part| &part.hosts) {
        let sum = standing.contributions.iter().fold(0, |score, step| step.change.apply(score));
        assert_eq!(standing.score.unwrap_or(sum), sum, "{standing:?}");
    }
}

#[test]
fn what_does_not_exist_is_told_with_the_nearest_name() {
    let cib = cib("stickiness");
    let unknown = explain(&cib, NOW, "vmm1", None).expect_err("no such resource");
    assert_eq!(unknown, Unknown::Resource { name: "vmm1".into(), nearest: Some("vm1".into()) });
    let unknown = explain(&cib, NOW, "vm1", Some("hots3")).expect_err("no such host");
    assert_eq!(unknown.to_string(), "there is no host hots3; did you mean host3?");
    assert_eq!(
        explain(&cib, NOW, "storage", None).expect_err("no such").to_string(),
        "there is no resource storage"
    );
}
