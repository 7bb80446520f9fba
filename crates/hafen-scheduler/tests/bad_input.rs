//! Whatever a CIB says, a plan comes out, soon, and it is sound.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "tests read files")]

use std::path::Path;

use hafen_cib::Cib;
use hafen_scheduler::{lint, schedule};

fn cib(resources: &str, constraints: &str, status: &str) -> Cib {
    Cib::parse(&format!(
        r#"<cib crm_feature_set="3.20.0" validate-with="pacemaker-3.10" epoch="1" num_updates="0" admin_epoch="0" have-quorum="1">
<configuration><crm_config><cluster_property_set id="p"><nvpair id="s" name="stonith-enabled" value="false"/></cluster_property_set></crm_config>
<nodes><node id="1" uname="host1"/><node id="2" uname="host2"/></nodes>
<resources>{resources}</resources><constraints>{constraints}</constraints></configuration>
<status><node_state id="1" uname="host1" in_ccm="true" crmd="online" join="member" expected="member"/>
<node_state id="2" uname="host2" in_ccm="true" crmd="online" join="member" expected="member"/>{status}</status></cib>"#
    ))
    .expect("well-formed")
}

fn dummies(count: usize) -> String {
    (0..count)
        .map(|n| format!(r#"<primitive id="r{n}" class="ocf" provider="pacemaker" type="Dummy"/>"#))
        .collect()
}

fn planned(cib: &Cib) -> hafen_scheduler::Plan {
    let plan = schedule(cib, 1_700_000_000);
    assert_eq!(lint(&plan), Vec::new());
    plan
}

#[test]
fn references_to_nothing_are_warned_of() {
    let constraints = r#"<rsc_colocation id="c" rsc="r0" with-rsc="ghost" score="INFINITY"/>
        <rsc_order id="o" first="ghost" then="r0"/><rsc_location id="l" rsc="ghost" node="host1" score="1"/>
        <rsc_location id="l2" rsc="r0" node="nowhere" score="1"/><rsc_ticket id="t" rsc="ghost" ticket="T"/>"#;
    let plan = planned(&cib(&dummies(1), constraints, ""));
    assert!(plan.warnings.iter().any(|warning| warning.contains("ghost")), "{:?}", plan.warnings);
    assert!(plan.actions.iter().any(|action| action.operation_key() == "r0_start_0"));
}

#[test]
fn loops_end() {
    let count = 40;
    let mut constraints = String::new();
    for n in 0..count {
        let next = (n + 1) % count;
        constraints.push_str(&format!(r#"<rsc_order id="o{n}" first="r{n}" then="r{next}"/>"#));
        constraints.push_str(&format!(
            r#"<rsc_colocation id="c{n}" rsc="r{n}" with-rsc="r{next}" score="INFINITY"/>"#
        ));
    }
    planned(&cib(&dummies(count), &constraints, ""));
}

#[test]
fn long_chains_do_not_overflow_the_stack() {
    let count = 3000;
    let constraints: String = (1..count)
        .map(|n| format!(r#"<rsc_colocation id="c{n}" rsc="r{}" with-rsc="r{n}" score="10"/>"#, n - 1))
        .collect();
    planned(&cib(&dummies(count), &constraints, ""));
}

#[test]
fn absurd_values_are_survived() {
    let resources = r#"<primitive id="r0" class="ocf" provider="pacemaker" type="Dummy">
        <meta_attributes id="m"><nvpair id="a" name="resource-stickiness" value="999999999999999999999"/>
        <nvpair id="b" name="priority" value="-99999999999"/><nvpair id="d" name="failure-timeout" value="99999999999999999999"/>
        <nvpair id="e" name="migration-threshold" value="-5"/></meta_attributes>
        <operations><op id="o" name="monitor" interval="99999999999999999999999" timeout="-4"/><op id="o2" name="" interval="x"/></operations>
        </primitive><clone id="c"><meta_attributes id="cm"><nvpair id="ca" name="clone-max" value="-7"/>
        <nvpair id="cb" name="clone-node-max" value="99999999999"/></meta_attributes>
        <primitive id="p" class="ocf" provider="pacemaker" type="Dummy"/></clone>
        <clone id="empty"/><group id="nobody"/><primitive id="t" template="missing"/><primitive/>"#;
    let constraints = r#"<rsc_location id="l" rsc="r0"><rule id="r" score="1" boolean-op="nor"><date_expression id="d"
        operation="in_range" start="9999-99-99" end="0000-W99-9"/><expression id="e"/></rule></rsc_location>
        <rsc_location id="l2" rsc-pattern="((((" node="host1" score="1"/>"#;
    let status = r#"<node_state id="1" uname="host1"/><node_state/><node_state id="9" uname="stranger"><lrm id="9"><lrm_resources>
        <lrm_resource id="r0"><lrm_rsc_op id="x" operation="start" call-id="-99999999999999999" rc-code="seven" op-status="4"
        transition-key=":::" transition-magic=";;;" interval="-3" last-rc-change="99999999999999999999"/></lrm_resource></lrm_resources></lrm></node_state>"#;
    planned(&cib(resources, constraints, status));
}

/// Every committed case, damaged in many places: values swapped, elements gone, numbers out of range.
#[test]
fn damaged_cases_do_not_panic() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let mut cases: Vec<_> =
        std::fs::read_dir(folder).expect("cases").map(|entry| entry.expect("an entry").path()).collect();
    cases.sort();
    let words = [
        "",
        "0",
        "-1",
        "INFINITY",
        "-INFINITY",
        "99999999999999999999",
        "true",
        "vm1",
        "host1",
        ":",
        "7",
        "stop",
        "P",
    ];
    for case in cases {
        let source = std::fs::read_to_string(case.join("cib.xml")).expect("a CIB");
        // Each case has a stream of its own: a new case does not change what becomes of the others.
        let mut state = source.bytes().fold(0x9e37_79b9_7f4a_7c15_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mut random = move |limit: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap_or(0) % limit.max(1)
        };
        let values: Vec<(usize, usize)> = source
            .match_indices("=\"")
            .filter_map(|(at, _)| source[at + 2..].find('"').map(|length| (at + 2, at + 2 + length)))
            .collect();
        for _ in 0..200 {
            let mut damaged = source.clone();
            let mut spots: Vec<usize> = (0..1 + random(4)).map(|_| random(values.len())).collect();
            spots.sort_unstable();
            spots.dedup();
            for spot in spots.into_iter().rev() {
                let (from, to) = values[spot];
                damaged.replace_range(from..to, words[random(words.len())]);
            }
            if let Ok(cib) = Cib::parse(&damaged) {
                let plan = schedule(&cib, 1_700_000_000);
                // What breaks its schema is refused before it comes here; it must only not panic.
                if !hafen_cib::schema::validate(&cib).is_empty() {
                    continue;
                }
                assert_eq!(lint(&plan), Vec::new(), "{}:\n{damaged}", case.display());
            }
        }
    }
}
