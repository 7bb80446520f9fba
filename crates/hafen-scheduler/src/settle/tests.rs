use super::*;
use crate::forecast::tests::{cluster, dummy};

const NOW: u64 = 1_700_000_000;
const PREFER: &str =
    r#"<rsc_location id="cli-prefer-vm1" rsc="vm1" role="Started" node="host2" score="INFINITY"/>"#;

fn moving(resource: &str) -> Moving {
    Moving {
        resource: resource.to_owned(),
        host: "host2".to_owned(),
        promoted: false,
        constraints: vec![format!("cli-prefer-{resource}")],
    }
}

fn of(constraints: &str, running: &[(&str, &str)]) -> Settling {
    let resources = dummy("vm1") + &dummy("vm2") + &dummy("vm3");
    settle(&cluster(&resources, constraints, "", running), NOW, &moving("vm1")).expect("it exists")
}

const RUNNING: [(&str, &str); 3] = [("vm1", "host1"), ("vm2", "host2"), ("vm3", "host3")];

fn stays(settling: &Settling, parts: &[&str]) {
    let parts = parts.iter().map(|part| (*part).to_owned()).collect();
    assert_eq!(*settling, Settling::Stays(parts));
}

fn location(id: &str, host: &str, score: &str) -> String {
    format!(r#"<rsc_location id="{id}" rsc="vm1" node="{host}" score="{score}"/>"#)
}

#[test]
fn stickiness_lets_it_stay_and_a_stronger_preference_does_not() {
    stays(&of(PREFER, &RUNNING), &["vm1"]);
    // The stickiness is 100.
    stays(&of(&(location("home", "host1", "99") + PREFER), &RUNNING), &["vm1"]);
    let Settling::Leaves(why) = of(&(location("home", "host1", "150") + PREFER), &RUNNING) else {
        panic!("150 is more than 100")
    };
    assert_eq!(why.parts.len(), 1, "{why:#?}");
    assert_eq!(why.parts[0].running_on, ["host2"], "after the move");
    assert_eq!(why.parts[0].planned_on.as_deref(), Some("host1"));
    let score = |host: &str| why.parts[0].hosts.iter().find(|one| one.host == host).and_then(|one| one.score);
    assert_eq!((score("host1"), score("host2")), (Some(150), Some(100)));
    let text = why.to_text();
    assert!(text.contains("location constraint home") && text.contains("resource-stickiness"), "{text}");
}

#[test]
fn what_never_gets_there_says_why() {
    let banned = location("never", "host2", "-INFINITY");
    let Settling::NeverThere(why) = of(&(banned + PREFER), &RUNNING) else { panic!("it is banned") };
    assert_eq!(why.host.as_deref(), Some("host2"));
    assert!(why.to_text().contains("never"), "{}", why.to_text());
    let stopped = dummy("vm1").replace(
        "/>",
        r#"><meta_attributes id="m"><nvpair id="m-t" name="target-role" value="Stopped"/></meta_attributes></primitive>"#,
    );
    let cib = cluster(&stopped, PREFER, "", &[]);
    let settled = settle(&cib, NOW, &moving("vm1")).expect("it exists");
    assert!(matches!(settled, Settling::NeverThere(_)), "{settled:?}");
}

#[test]
fn what_runs_nowhere_yet_starts_there() {
    stays(&of(PREFER, &[("vm2", "host2"), ("vm3", "host3")]), &["vm1"]);
}

#[test]
fn a_colocation_that_calls_it_back_is_named() {
    let bond = r#"<rsc_colocation id="bond" rsc="vm1" with-rsc="vm3" score="500"/>"#;
    let running = [("vm1", "host3"), ("vm2", "host2"), ("vm3", "host3")];
    let pinned = r#"<rsc_location id="pin" rsc="vm3" node="host3" score="INFINITY"/>"#;
    let Settling::Leaves(why) = of(&format!("{bond}{pinned}{PREFER}"), &running) else {
        panic!("500 is more than the stickiness")
    };
    assert!(why.to_text().contains("colocation bond"), "{}", why.to_text());
}

fn group(constraints: &str) -> Settling {
    let group = format!("<group id=\"g\">{}{}</group>", dummy("vm1"), dummy("vm2"));
    let prefer = PREFER.replace("vm1", "g");
    let cib = cluster(&group, &(constraints.to_owned() + &prefer), "", &[("vm1", "host1"), ("vm2", "host1")]);
    settle(&cib, NOW, &moving("g")).expect("it exists")
}

#[test]
fn a_group_moves_whole_or_not_at_all() {
    stays(&group(""), &["vm1", "vm2"]);
    // Two members stick with 100 each.
    stays(&group(&location("home", "host1", "150").replace("vm1", "g")), &["vm1", "vm2"]);
    let home = location("home", "host1", "250").replace("vm1", "g");
    assert!(matches!(group(&home), Settling::Leaves(_)), "{:?}", group(&home));
    let half = location("half", "host2", "-INFINITY").replace("vm1", "vm2");
    let Settling::NeverThere(why) = group(&half) else { panic!("vm2 may not run there") };
    assert!(why.to_text().contains("half"), "{}", why.to_text());
}

#[test]
fn a_date_that_ends_the_constraint_counts_as_it_stands_now() {
    let end = |date: &str| {
        format!(
            r##"<rsc_location id="cli-prefer-vm1" rsc="vm1"><rule id="r" score="INFINITY" boolean-op="and">
            <expression id="e" attribute="#uname" operation="eq" value="host2"/>
            <date_expression id="d" operation="lt" end="{date}"/></rule></rsc_location>"##
        )
    };
    stays(&of(&end("2023-11-15"), &RUNNING), &["vm1"]);
    assert!(matches!(of(&end("2023-11-14"), &RUNNING), Settling::NeverThere(_)));
}

#[test]
fn arriving_is_seen_in_the_status() {
    let cib = |host: &str| cluster(&dummy("vm1"), PREFER, "", &[("vm1", host)]);
    let arrived = |cib: &Cib, resource: &str, expected: &[&str]| {
        let expected = expected.iter().map(|part| (*part).to_owned()).collect();
        has_arrived(cib, NOW, &moving(resource), &expected)
    };
    assert!(!arrived(&cib("host1"), "vm1", &["vm1"]));
    assert!(arrived(&cib("host2"), "vm1", &["vm1"]));
    // Half of a group is not all of it, wherever the other half is.
    let group = format!("<group id=\"g\">{}{}</group>", dummy("vm1"), dummy("vm2"));
    let half = |running: &[(&str, &str)]| cluster(&group, "", "", running);
    assert!(!arrived(&half(&[("vm1", "host2")]), "g", &["vm1", "vm2"]));
    assert!(!arrived(&half(&[("vm1", "host2"), ("vm2", "host1")]), "g", &["vm1", "vm2"]));
    assert!(arrived(&half(&[("vm1", "host2"), ("vm2", "host2")]), "g", &["vm1", "vm2"]));
    assert_eq!(leaves(&cib("host2"), NOW, &moving("vm1")), Ok(None));
    // One whose start is under way is not there yet.
    let started = cib("host2").document().root().to_xml();
    let starting = started.replace(r#"rc-code="0" op-status="0""#, r#"rc-code="-1" op-status="-1""#);
    assert_ne!(starting, started);
    assert!(!arrived(&Cib::parse(&starting).expect("a CIB"), "vm1", &["vm1"]));
}

/// A promotable clone, whose instance on the first of the hosts is promoted.
fn promotable(scores: [&str; 2], constraint: &str) -> Settling {
    let clone = format!(
        r#"<clone id="ms"><meta_attributes id="msm"><nvpair id="msp" name="promotable" value="true"/></meta_attributes>{}</clone>"#,
        dummy("vm1")
    );
    let running = [("vm1", "host1"), ("vm1", "host2")];
    let mut xml = cluster(&clone, constraint, "", &running).to_xml();
    for (host, score) in ["1", "2"].iter().zip(scores) {
        let attributes = format!(
            r#"<transient_attributes id="{host}"><instance_attributes id="s{host}"><nvpair id="s{host}m" name="master-vm1" value="{score}"/></instance_attributes></transient_attributes><lrm id="{host}">"#
        );
        xml = xml.replace(&format!(r#"<lrm id="{host}">"#), &attributes);
    }
    let cib = Cib::parse(&xml).expect("a CIB");
    let constraints = vec!["cli-prefer-ms".to_owned()];
    let moving = Moving { resource: "ms".to_owned(), host: "host2".to_owned(), promoted: true, constraints };
    settle(&cib, NOW, &moving).expect("it exists")
}

#[test]
fn a_promotion_moves_and_goes_back_to_the_better_instance() {
    let prefer =
        r#"<rsc_location id="cli-prefer-ms" rsc="ms" role="Promoted" node="host2" score="INFINITY"/>"#;
    stays(&promotable(["5", "10"], prefer), &["vm1"]);
    let back = promotable(["1000", "5"], prefer);
    assert!(matches!(back, Settling::Leaves(_)), "{back:#?}");
}

#[test]
fn what_does_not_exist_is_named() {
    let cib = cluster(&dummy("vm1"), "", "", &[]);
    let unknown = settle(&cib, NOW, &moving("vm9")).expect_err("there is none");
    assert_eq!(unknown.to_string(), "there is no resource vm9; did you mean vm1?");
}
