use super::*;
use crate::forecast::tests::{cluster, dummy};

const NOW: u64 = 1_700_000_000;
const RUNNING: [(&str, &str); 2] = [("vm1", "host1"), ("vm2", "host2")];

fn told(preview: &Preview) -> Vec<String> {
    preview.consequences.iter().map(Consequence::to_string).collect()
}

fn both() -> String {
    dummy("vm1") + &dummy("vm2")
}

#[test]
fn a_new_resource_starts_and_interrupts_nothing() {
    let before = cluster(&both(), "", "", &RUNNING);
    let after = cluster(&(both() + &dummy("vm3")), "", "", &RUNNING);
    let preview = preview(&before, &after, NOW);
    assert_eq!(told(&preview), ["Start vm3 on host3"]);
    assert!(!preview.interrupts() && preview.idle.is_empty(), "{preview:?}");
    assert!(super::preview(&after, &after, NOW).is_empty(), "it is due anyway");
}

#[test]
fn what_stops_or_moves_interrupts() {
    let before = cluster(&both(), "", "", &RUNNING);
    let away = r#"<rsc_location id="away" rsc="vm1" node="host1" score="-INFINITY"/>"#;
    let moved = preview(&before, &cluster(&both(), away, "", &RUNNING), NOW);
    assert_eq!(told(&moved), ["Move vm1 from host1 to host2"]);
    assert!(moved.interrupts());
    let deleted = preview(&before, &cluster(&dummy("vm2"), "", "", &RUNNING), NOW);
    assert_eq!(told(&deleted), ["Stop vm1 on host1, due to node availability"]);
    assert!(deleted.interrupts() && deleted.idle.is_empty(), "it is wanted nowhere: {deleted:?}");
}

#[test]
fn what_would_run_nowhere_says_why() {
    let before = cluster(&both(), "", "", &RUNNING);
    let nowhere = (1..=3).map(|host| {
        format!(r#"<rsc_location id="not-{host}" rsc="vm1" node="host{host}" score="-INFINITY"/>"#)
    });
    let preview = preview(&before, &cluster(&both(), &nowhere.collect::<String>(), "", &RUNNING), NOW);
    let idle: Vec<String> = preview.idle.iter().map(Idle::to_string).collect();
    let reason = |host: u32| format!("host{host}: a location constraint keeps it off (not-{host})");
    assert_eq!(
        idle,
        [format!("vm1 would run nowhere: {}; {}; {}", reason(1), reason(2), reason(3))],
        "{preview:?}"
    );
    assert_eq!(preview.idle[0].from, ["host1"]);
}

#[test]
fn what_is_to_be_stopped_is_not_told_as_idle() {
    let before = cluster(&both(), "", "", &RUNNING);
    let stopped = dummy("vm1").replace(
        "/>",
        r#"><meta_attributes id="m"><nvpair id="m-t" name="target-role" value="Stopped"/></meta_attributes></primitive>"#,
    );
    let preview = preview(&before, &cluster(&(stopped + &dummy("vm2")), "", "", &RUNNING), NOW);
    assert!(preview.interrupts() && preview.idle.is_empty(), "{preview:?}");
}
