//! The section as text.

use std::collections::BTreeMap;

use hafen_protocol::message::{Execute, OperationResult};

use super::*;
use crate::history;

const UUID: &str = "6149c21b-77ec-4d97-8b22-d39d97981ad1";

fn order(task: &str, interval_ms: u64, action: u32, expected: i32) -> Execute {
    Execute {
        host: HostId(1),
        resource: "dummy".into(),
        class: "ocf".into(),
        provider: Some("pacemaker".into()),
        agent: "Dummy".into(),
        task: task.into(),
        interval_ms,
        timeout_ms: 20_000,
        operation_key: format!("dummy_{task}_{interval_ms}"),
        transition_key: format!("{action}:1:{expected}:{UUID}"),
        parameters: BTreeMap::new(),
        meta: BTreeMap::new(),
        ordered_at: 1_687_308_300,
    }
}

fn ended(status: &mut HostStatus, order: &Execute, rc: i32) {
    history::record_pending(status, order);
    let result = OperationResult {
        order: order.clone(),
        rc,
        op_status: 0,
        exit_reason: String::new(),
        output: String::new(),
        started_wall_ms: 1_687_308_299_000,
        ended_wall_ms: 1_687_308_299_020,
        queue_time_ms: 0,
        restart_parameters: None,
        sequence: 0,
    };
    history::record_result(status, &result, "node1", true);
}

fn written(standing: &Standing, status: &HostStatus) -> Cib {
    let mut cib =
        Cib::parse("<cib><configuration/><status><node_state id=\"9\" uname=\"gone\"/></status></cib>")
            .expect("a CIB");
    write(&mut cib, [HostSnapshot { host: HostId(1), uname: "node1", standing, status }]);
    cib
}

/// The ids of a status are not those of a configuration: each host has its own.
fn by_id<'a>(cib: &'a Cib, id: &str) -> Option<hafen_cib::Element<'a>> {
    cib.status()?.descendants().find(|element| element.attribute("id") == Some(id))
}

fn attributes(element: hafen_cib::Element<'_>) -> Vec<String> {
    element.attributes().map(|(name, value)| format!("{name}={value}")).collect()
}

#[test]
fn a_member_is_written_as_pacemaker_writes_it() {
    let mut status = HostStatus::default();
    ended(&mut status, &order("monitor", 0, 2, 7), 7);
    ended(&mut status, &order("monitor", 10_000, 3, 0), 0);
    status.attributes.insert("fail-count-dummy#start_0".into(), "INFINITY".into());
    let cib = written(&Standing::Member, &status);
    let states: Vec<_> = cib.node_states().collect();
    assert_eq!(states.len(), 1, "the old state is replaced");
    assert_eq!(
        attributes(states[0]),
        [
            "id=1",
            "uname=node1",
            "in_ccm=true",
            "crmd=online",
            "crm-debug-origin=hafen",
            "join=member",
            "expected=member"
        ]
    );
    let count = by_id(&cib, "status-1-fail-count-dummy.start_0").expect("the count");
    assert_eq!(
        attributes(count)[1..],
        ["name=fail-count-dummy#start_0", "value=INFINITY"].map(str::to_owned)
    );
    let probe = by_id(&cib, "dummy_last_0").expect("the probe");
    let key = format!("2:1:7:{UUID}");
    let expected = [
        "id=dummy_last_0".to_owned(),
        "operation_key=dummy_monitor_0".into(),
        "operation=monitor".into(),
        "crm-debug-origin=hafen".into(),
        "crm_feature_set=3.20.0".into(),
        format!("transition-key={key}"),
        format!("transition-magic=0:7;{key}"),
        "exit-reason=".into(),
        "on_node=node1".into(),
        "call-id=1".into(),
        "rc-code=7".into(),
        "op-status=0".into(),
        "interval=0".into(),
        "last-rc-change=1687308299".into(),
        "exec-time=20".into(),
        "queue-time=0".into(),
        "op-digest=f2317cad3d54cec5d7d7aa7d0bf35cf8".into(),
    ];
    assert_eq!(attributes(probe), expected);
    let monitor = by_id(&cib, "dummy_monitor_10000").expect("the monitor");
    assert_eq!(monitor.attribute("op-digest"), Some("4811cef7f7f94e3a35a70be7916cb2fd"));
    let resource = probe.parent().expect("its resource");
    assert_eq!(attributes(resource), ["id=dummy", "class=ocf", "provider=pacemaker", "type=Dummy"]);
    Cib::parse(&cib.to_xml()).expect("it can be read again");
}

#[test]
fn what_is_being_done_takes_the_place_of_what_was_done() {
    let mut status = HostStatus::default();
    ended(&mut status, &order("start", 0, 2, 0), 0);
    let mut migrate_to = order("migrate_to", 0, 4, 0);
    migrate_to.meta.insert("migrate_source".into(), "node1".into());
    migrate_to.meta.insert("migrate_target".into(), "node2".into());
    history::record_pending(&mut status, &migrate_to);
    history::record_pending(&mut status, &order("stop", 0, 5, 0));
    let cib = written(&Standing::Member, &status);
    let stop = by_id(&cib, "dummy_last_0").expect("the stop");
    assert_eq!(stop.attribute("operation"), Some("stop"));
    assert_eq!(stop.attribute("transition-magic"), Some(format!("-1:193;5:1:0:{UUID}").as_str()));
    assert_eq!((stop.attribute("call-id"), stop.attribute("op-status")), (Some("-1"), Some("-1")));
    assert_eq!(stop.attribute("last-rc-change"), Some("1687308300"));
    let migration = by_id(&cib, "dummy_migrate_to_0").expect("the migration");
    assert_eq!(migration.attribute("migrate_target"), Some("node2"));
}

#[test]
fn each_standing_has_its_place() {
    let mut status = HostStatus::default();
    ended(&mut status, &order("start", 0, 2, 0), 0);
    let cause = "lost".to_owned();
    for (standing, join, expected, maintenance, history) in [
        (Standing::Joining, "pending", "member", true, true),
        (Standing::DaemonLost, "pending", "member", true, true),
        (Standing::Unclean { cause }, "down", "member", false, true),
        (Standing::Down { proof: None }, "down", "down", false, false),
    ] {
        let cib = written(&standing, &status);
        let state = cib.node_states().next().expect("a state");
        assert_eq!(state.attribute("join"), Some(join), "{standing:?}");
        assert_eq!(state.attribute("expected"), Some(expected), "{standing:?}");
        assert_eq!(by_id(&cib, "status-1-maintenance").is_some(), maintenance, "{standing:?}");
        assert_eq!(by_id(&cib, "dummy_last_0").is_some(), history, "{standing:?}");
    }
    assert_eq!(written(&Standing::Unseen, &status).node_states().count(), 0);
}

/// A host that asked to leave and was lost before it did is as unclean as another: what it ran may run.
#[test]
fn a_host_that_is_lost_while_it_leaves_is_fenced() {
    let mut status = HostStatus::default();
    ended(&mut status, &order("start", 0, 2, 0), 0);
    status.attributes.insert("shutdown".to_owned(), "1687308400".to_owned());
    assert!(by_id(&written(&Standing::Member, &status), "status-1-shutdown").is_some());
    let cib = written(&Standing::Unclean { cause: "lost".to_owned() }, &status);
    assert!(by_id(&cib, "status-1-shutdown").is_none());
    assert!(by_id(&cib, "dummy_last_0").is_some());
}

/// Without fencing a host that is not a full member counts as running nothing; one whose daemon is only away for a moment
/// still runs what it ran.
#[test]
fn what_runs_on_a_host_that_is_left_alone_starts_nowhere_else() {
    let mut active = HostStatus::default();
    ended(&mut active, &order("start", 0, 2, 0), 0);
    let mut idle = HostStatus::default();
    ended(&mut idle, &order("monitor", 0, 2, 7), 7);
    for fencing in ["true", "false"] {
        for (standing, starts) in [
            (Standing::DaemonLost, false),
            (Standing::Joining, false),
            (Standing::Unclean { cause: "lost".into() }, fencing == "false"),
        ] {
            let mut cib = Cib::parse(
                r#"<cib have-quorum="1"><configuration><crm_config/><nodes><node id="1" uname="node1"/><node id="2" uname="node2"/></nodes>
<resources><primitive id="dummy" class="ocf" provider="pacemaker" type="Dummy"/></resources><constraints/></configuration><status/></cib>"#,
            )
            .expect("a CIB");
            cib.set_property("stonith-enabled", fencing);
            let lost = HostSnapshot { host: HostId(1), uname: "node1", standing: &standing, status: &active };
            let here =
                HostSnapshot { host: HostId(2), uname: "node2", standing: &Standing::Member, status: &idle };
            write(&mut cib, [lost, here]);
            let plan = hafen_scheduler::schedule(&cib, 1_687_308_400);
            let started = plan.actions.iter().any(|action| action.operation_key() == "dummy_start_0");
            let fenced = plan.actions.iter().any(|action| action.task() == "stonith");
            assert_eq!(started && !fenced, starts, "fencing {fencing}, {standing:?}: {plan:?}");
        }
    }
}

#[test]
fn tickets_are_kept_and_nothing_else() {
    let source = "<cib><configuration/><status a=\"b\"><!-- c --><tickets><ticket_state id=\"t\" granted=\"true\"/></tickets>\
                  <node_state id=\"9\"/></status></cib>";
    let mut cib = Cib::parse(source).expect("a CIB");
    let status = cleared(&mut cib);
    let kept = cib.document().element(status).to_xml_compact();
    assert_eq!(kept, "<status><tickets><ticket_state id=\"t\" granted=\"true\"/></tickets></status>");
    write(&mut cib, []);
    assert!(by_id(&cib, "t").is_some());
}
