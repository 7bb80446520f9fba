use super::*;

/// Three hosts; of `running` each resource runs on the host after its name.
pub(crate) fn cluster(resources: &str, constraints: &str, properties: &str, running: &[(&str, &str)]) -> Cib {
    let mut states = String::new();
    for (id, host) in [("1", "host1"), ("2", "host2"), ("3", "host3")] {
        let mut records = String::new();
        for (call, name) in ["vm1", "vm2", "vm3", "web"].iter().enumerate() {
            let runs = running.contains(&(name, host));
            let (operation, rc) = if runs { ("start", 0) } else { ("monitor", 7) };
            records.push_str(&format!(
                r#"<lrm_resource id="{name}" class="ocf" provider="pacemaker" type="Dummy"><lrm_rsc_op id="{name}_last_0" operation="{operation}" call-id="{call}" rc-code="{rc}" op-status="0" interval="0" transition-key="1:1:{rc}:0a0a0a0a-0000-4000-8000-000000000000"/></lrm_resource>"#
            ));
        }
        states.push_str(&format!(
            r#"<node_state id="{id}" uname="{host}" in_ccm="true" crmd="online" join="member" expected="member"><lrm id="{id}"><lrm_resources>{records}</lrm_resources></lrm></node_state>"#
        ));
    }
    Cib::parse(&format!(
        r#"<cib crm_feature_set="3.20.0" validate-with="pacemaker-3.10" epoch="1" num_updates="0" admin_epoch="0" have-quorum="1"><configuration>
<crm_config><cluster_property_set id="p"><nvpair id="s" name="stonith-enabled" value="true"/>{properties}</cluster_property_set></crm_config>
<nodes><node id="1" uname="host1"/><node id="2" uname="host2"/><node id="3" uname="host3"><instance_attributes id="h3"/></node></nodes>
<resources><primitive id="power" class="stonith" type="fence_x"/>{resources}</resources><constraints>{constraints}</constraints>
<rsc_defaults><meta_attributes id="rd"><nvpair id="rds" name="resource-stickiness" value="100"/></meta_attributes></rsc_defaults></configuration><status>{states}</status></cib>"#
    ))
    .expect("a CIB")
}

pub(crate) fn dummy(id: &str) -> String {
    format!(r#"<primitive id="{id}" class="ocf" provider="pacemaker" type="Dummy"/>"#)
}

fn of(cib: &Cib, hosts: &[&str]) -> Forecast {
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    forecast(cib, 1_700_000_000, &hosts)
}

fn fate<'f>(forecast: &'f Forecast, resource: &str) -> &'f Fate {
    let found = forecast.resources.iter().find(|entry| entry.resource == resource);
    &found.unwrap_or_else(|| panic!("{resource} in {forecast:#?}")).fate
}

#[test]
fn what_a_lost_host_ran_starts_elsewhere() {
    let resources = dummy("vm1") + &dummy("vm2") + &dummy("vm3");
    let running = [("vm1", "host1"), ("vm2", "host2"), ("vm3", "host3")];
    let cib = cluster(&resources, "", "", &running);
    let forecast = of(&cib, &["HOST2", "host9"]);
    assert_eq!(forecast.lost_hosts, ["host2"]);
    assert_eq!(forecast.unknown_hosts, ["host9"]);
    assert_eq!(forecast.resources.len(), 1, "the others stay: {forecast:#?}");
    assert!(forecast.resources[0].lost && forecast.resources[0].from == "host2");
    assert!(
        matches!(fate(&forecast, "vm2"), Fate::Starts { host } if host == "host3"),
        "the emptier one: {forecast:#?}"
    );
    let both = of(&cib, &["host2", "host3"]);
    assert_eq!(fate(&both, "vm3"), &Fate::Starts { host: "host1".into() });
    assert_eq!(of(&cib, &[]).resources, Vec::new(), "nothing is lost, nothing changes");
}

#[test]
fn what_can_run_nowhere_says_why() {
    let constraints = r#"<rsc_location id="not-on-1" rsc="vm1" node="host1" score="-INFINITY"/>
<rsc_colocation id="apart" rsc="vm1" with-rsc="vm2" score="-INFINITY"/>"#;
    let cib =
        cluster(&(dummy("vm2") + &dummy("vm1")), constraints, "", &[("vm1", "host2"), ("vm2", "host3")]);
    let forecast = of(&cib, &["host2"]);
    let Fate::Nowhere { reasons } = fate(&forecast, "vm1") else { panic!("{forecast:#?}") };
    let why = |host: &str| {
        reasons
            .iter()
            .find(|reason| reason.host.as_deref() == Some(host))
            .unwrap_or_else(|| panic!("{reasons:#?}"))
    };
    assert_eq!(why("host1").source.as_deref(), Some("not-on-1"));
    assert_eq!(why("host2").reason, "the host is offline");
    assert_eq!(why("host3").source.as_deref(), Some("apart"));
}

#[test]
fn capacity_and_standby_are_causes() {
    let utilization = |id: &str| {
        format!(
            r#"<primitive id="{id}" class="ocf" provider="pacemaker" type="Dummy"><utilization id="u-{id}"><nvpair id="n-{id}" name="memory" value="8"/></utilization></primitive>"#
        )
    };
    let strategy = r#"<nvpair id="ps" name="placement-strategy" value="balanced"/>"#;
    let mut cib = cluster(
        &(utilization("vm1") + &utilization("vm2")),
        "",
        strategy,
        &[("vm1", "host1"), ("vm2", "host2")],
    );
    for (id, host, memory) in [("1", "host1", "10"), ("2", "host2", "10"), ("3", "host3", "99")] {
        let node = cib.configured_node(host).expect("a node").element().node();
        cib.set_pair(node, "utilization", &format!("nu{id}"), "memory", memory);
        if host == "host3" {
            cib.set_pair(node, "instance_attributes", "h3", "standby", "on");
        }
    }
    let forecast = of(&cib, &["host2"]);
    let Fate::Nowhere { reasons } = fate(&forecast, "vm2") else { panic!("{forecast:#?}") };
    let words: Vec<&str> = reasons.iter().map(|reason| reason.reason.as_str()).collect();
    assert_eq!(words, ["not enough capacity left", "the host is offline", "the host is in standby"]);
}

#[test]
fn clones_go_on_and_without_quorum_everything_waits() {
    let clone = format!(r#"<clone id="c">{}</clone>"#, dummy("web"));
    let running = [("web", "host1"), ("web", "host2"), ("web", "host3"), ("vm1", "host2")];
    let mut cib = cluster(&(clone + &dummy("vm1")), "", "", &running);
    let forecast = of(&cib, &["host2"]);
    assert_eq!(
        fate(&forecast, "web"),
        &Fate::GoesOnWithout { hosts: vec!["host1".into(), "host3".into()] },
        "{forecast:#?}"
    );
    let root = cib.root().node();
    cib.document_mut().set_attribute(root, "have-quorum", "0");
    cib.set_property("no-quorum-policy", "freeze");
    let forecast = of(&cib, &["host2"]);
    assert!(!forecast.have_quorum);
    assert!(
        matches!(fate(&forecast, "vm1"), Fate::Waits { reason, .. } if reason.contains("quorum")),
        "{forecast:#?}"
    );
}
