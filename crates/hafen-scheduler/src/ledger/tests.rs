//! That the ledger tells the scores: at each moment at which they are shown, and at the end.

use std::path::Path;

use hafen_cib::Cib;

use super::*;
use crate::run::{Options, unpack};

fn contradictions(source: &str) -> Vec<String> {
    let Ok(cib) = Cib::parse(source) else { return Vec::new() };
    let options = Options { explain: true, scores: true, ..Options::default() };
    let mut cluster = unpack(&cib, 1_700_000_000, options);
    cluster.run_all();
    let ledger = cluster.ledger();
    for resource in cluster.resource_ids() {
        for node in cluster.node_indices() {
            let has = cluster.rsc(resource).allowed[node.at()].score;
            let told = cluster.journal.replay(resource, node, Measure::Placement);
            if has != told {
                let id = &cluster.rsc(resource).id;
                cluster.journal.contradictions.push(format!("at the end {id}: {has}, not {told}"));
            }
        }
    }
    for decision in &ledger.decisions {
        assert!(decision.entries <= ledger.entries.len());
    }
    std::mem::take(&mut cluster.journal.contradictions)
}

#[allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "tests read files")]
fn check(folder: &Path, depth: usize) -> usize {
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            seen += if depth > 0 { check(&path, depth - 1) } else { 0 };
        } else if path.extension().is_some_and(|ending| ending == "xml") {
            let source = std::fs::read_to_string(&path).expect("a CIB");
            let found = contradictions(&source);
            assert!(found.is_empty(), "{}: {found:?}", path.display());
            seen += 1;
        }
    }
    seen
}

#[test]
fn the_ledger_tells_the_scores_of_our_cases() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    assert!(check(&cases, 1) > 20);
}

/// Pacemaker's cases lie beside the project, where they are present.
#[test]
fn the_ledger_tells_the_scores_of_pacemakers_cases() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/scheduler-cases/xml");
    let seen = check(&cases, 0);
    eprintln!("{seen} cases");
}

const CIB: &str = r#"<cib validate-with="pacemaker-4.0" admin_epoch="0" epoch="1" num_updates="0" have-quorum="1">
<configuration><crm_config><cluster_property_set id="p"><nvpair id="p1" name="stonith-enabled" value="false"/>
</cluster_property_set></crm_config><nodes><node id="1" uname="a"/><node id="2" uname="b"/></nodes><resources>
<primitive id="disk" class="ocf" provider="pacemaker" type="Dummy"/>
<primitive id="vm" class="ocf" provider="pacemaker" type="Dummy"/></resources><constraints>
<rsc_location id="likes-b" rsc="vm" node="b" score="30"/>
<rsc_colocation id="vm-disk" rsc="vm" with-rsc="disk" score="INFINITY"/></constraints></configuration>
<status><node_state id="1" uname="a" in_ccm="true" crmd="online" join="member" expected="member"/>
<node_state id="2" uname="b" in_ccm="true" crmd="online" join="member" expected="member"/></status></cib>"#;

#[test]
fn entries_name_their_cause() {
    let cib = Cib::parse(CIB).expect("a CIB");
    let report = crate::run::report(&cib, 1_700_000_000, Options { explain: true, ..Options::default() });
    let ledger = report.plan.ledger;
    let of = |resource, node| -> Vec<(String, Change, Reason)> {
        ledger
            .of(resource, node, Measure::Placement)
            .map(|entry| (entry.source.clone(), entry.change, entry.reason.clone()))
            .collect()
    };
    let wish = Reason::Wish { of: "vm".to_owned() };
    assert_eq!(of("disk", "b"), [("vm-disk".to_owned(), Change::Add(30), wish)]);
    let with_disk = Reason::ColocatedWith { primary: "disk".to_owned() };
    assert_eq!(of("vm", "a"), [("vm-disk".to_owned(), Change::Add(-1_000_000), with_disk)]);
    assert_eq!(ledger.score("vm", "b", Measure::Placement), 30);
    assert_eq!(ledger.decision("vm").and_then(|decision| decision.node.as_deref()), Some("b"));
    let silent = crate::run::report(&cib, 1_700_000_000, Options::default());
    assert!(silent.plan.ledger.entries.is_empty() && silent.scores.is_empty());
    let mut cluster = unpack(&cib, 1_700_000_000, Options::default());
    cluster.run_all();
    let kept = (cluster.journal.notes.capacity(), cluster.journal.decisions.capacity());
    assert_eq!(kept, (0, 0), "nobody asks: nothing is allocated");
}
