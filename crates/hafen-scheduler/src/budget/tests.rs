use super::*;

const SOURCE: &str = r#"<cib crm_feature_set="3.20.0" validate-with="pacemaker-3.10" epoch="1" num_updates="0" admin_epoch="0" have-quorum="1"><configuration>
<crm_config><cluster_property_set id="p"><nvpair id="s" name="stonith-enabled" value="true"/></cluster_property_set></crm_config>
<nodes><node id="1" uname="host1"/><node id="2" uname="host2"/></nodes>
<resources><primitive id="pdu" class="stonith" type="fence_x"><instance_attributes id="i"><nvpair id="l" name="pcmk_host_list" value="host1 host2"/>
<nvpair id="d" name="pcmk_delay_base" value="host1:4s"/><nvpair id="t" name="pcmk_reboot_timeout" value="30s"/></instance_attributes></primitive>
<primitive id="disk" class="ocf" provider="pacemaker" type="Dummy"/><primitive id="vm1" class="ocf" provider="pacemaker" type="Dummy">
<operations><op id="o" name="start" interval="0" timeout="90s"/></operations></primitive>
<primitive id="alone" class="ocf" provider="pacemaker" type="Dummy"/></resources>
<constraints><rsc_order id="order" first="disk" then="vm1"/></constraints></configuration>
<status><node_state id="1" uname="host1" in_ccm="true" crmd="online" join="member" expected="member"><lrm id="1"><lrm_resources>
<lrm_resource id="disk" class="ocf" provider="pacemaker" type="Dummy"><lrm_rsc_op id="disk_last_0" operation="start" call-id="3" rc-code="0" op-status="0" interval="0" exec-time="1500" transition-key="1:1:0:0a0a0a0a-0000-4000-8000-000000000000"/></lrm_resource>
<lrm_resource id="vm1" class="ocf" provider="pacemaker" type="Dummy"><lrm_rsc_op id="vm1_last_0" operation="start" call-id="4" rc-code="0" op-status="0" interval="0" exec-time="700" transition-key="1:1:0:0a0a0a0a-0000-4000-8000-000000000000"/></lrm_resource>
<lrm_resource id="alone" class="ocf" provider="pacemaker" type="Dummy"><lrm_rsc_op id="alone_last_0" operation="start" call-id="5" rc-code="0" op-status="0" interval="0" exec-time="10" transition-key="1:1:0:0a0a0a0a-0000-4000-8000-000000000000"/></lrm_resource>
</lrm_resources></lrm></node_state>
<node_state id="2" uname="host2" in_ccm="true" crmd="online" join="member" expected="member"><lrm id="2"><lrm_resources>
<lrm_resource id="disk" class="ocf" provider="pacemaker" type="Dummy"><lrm_rsc_op id="disk_last_0" operation="monitor" call-id="3" rc-code="7" op-status="0" interval="0" transition-key="1:1:7:0a0a0a0a-0000-4000-8000-000000000000"/></lrm_resource>
<lrm_resource id="vm1" class="ocf" provider="pacemaker" type="Dummy"><lrm_rsc_op id="vm1_last_0" operation="monitor" call-id="4" rc-code="7" op-status="0" interval="0" transition-key="1:1:7:0a0a0a0a-0000-4000-8000-000000000000"/></lrm_resource>
<lrm_resource id="alone" class="ocf" provider="pacemaker" type="Dummy"><lrm_rsc_op id="alone_last_0" operation="monitor" call-id="5" rc-code="7" op-status="0" interval="0" transition-key="1:1:7:0a0a0a0a-0000-4000-8000-000000000000"/></lrm_resource>
<lrm_resource id="pdu" class="stonith" type="fence_x"><lrm_rsc_op id="pdu_last_0" operation="start" call-id="2" rc-code="0" op-status="0" interval="0" exec-time="5" transition-key="1:1:0:0a0a0a0a-0000-4000-8000-000000000000"/></lrm_resource>
</lrm_resources></lrm></node_state></status></cib>"#;

fn timings() -> Timings {
    Timings { token_ms: 1000, consensus_ms: 1200, ..Timings::default() }
}

fn of(source: &str, timings: &Timings) -> Budget {
    budget(&Cib::parse(source).expect("a CIB"), 1_700_000_000, "host1", timings).expect("a host")
}

#[test]
fn the_longest_chain_is_the_time() {
    let budget = of(SOURCE, &timings());
    assert_eq!(budget.gaps, Vec::<String>::new());
    let names: Vec<&str> = budget.recoveries.iter().map(|recovery| recovery.resource.as_str()).collect();
    assert_eq!(names, ["vm1", "disk", "alone"], "{budget:#?}");
    let longest = budget.longest().expect("a recovery");
    // Seen: 1 + 1.2 until it is noticed, 4 of delay, 30 for the device, then the disk and the machine.
    assert_eq!(longest.expected.total_ms, 1000 + 1200 + 4000 + 30_000 + 1500 + 700);
    assert_eq!(longest.worst.total_ms, 1000 + 1200 + 4000 + 30_000 + 20_000 + 90_000);
    assert_eq!(longest.host, "host2");
    let largest = longest.expected.largest().expect("a part");
    assert_eq!((largest.kind, largest.what.as_str()), (PartKind::Fencing, "pdu"));
    assert!(largest.setting.contains("pcmk_reboot_timeout of pdu"), "{largest:?}");
    assert_eq!(longest.worst.largest().expect("a part").what, "start of vm1");
    let alone = &budget.recoveries[2];
    assert_eq!(alone.expected.total_ms, 1000 + 1200 + 4000 + 30_000 + 10, "it waits for no other resource");
}

#[test]
fn what_was_seen_counts_more_than_what_is_allowed() {
    let mut timings = timings();
    timings.fencing_seen_ms.insert("host1".into(), 6000);
    let budget = of(SOURCE, &timings);
    let longest = budget.longest().expect("a recovery");
    assert_eq!(longest.expected.total_ms, 1000 + 1200 + 6000 + 1500 + 700);
    assert!(longest.expected.parts.iter().any(|part| part.kind == PartKind::Fencing && part.seen));
    assert_eq!(longest.worst.total_ms, 1000 + 1200 + 4000 + 30_000 + 20_000 + 90_000);
}

#[test]
fn gaps_are_named() {
    let unlisted = SOURCE.replace("host1 host2", "host2");
    assert!(of(&unlisted, &timings()).gaps[0].contains("no fence device shoots host1"));
    let off =
        SOURCE.replace(r#"name="stonith-enabled" value="true""#, r#"name="stonith-enabled" value="false""#);
    let budget = of(&off, &timings());
    assert!(budget.gaps[0].contains("switched off"), "{budget:#?}");
    assert_eq!(budget.longest().expect("a recovery").expected.total_ms, 1000 + 1200 + 1500 + 700);
    assert!(super::budget(&Cib::parse(SOURCE).expect("a CIB"), 0, "nobody", &timings()).is_none());
}

#[test]
fn levels_are_tried_one_after_the_other() {
    let topology = r#"</constraints><fencing-topology><fencing-level id="l2" index="2" target="host1" devices="pdu"/>
<fencing-level id="l1" index="1" target="host1" devices="bmc"/></fencing-topology>"#;
    let bmc = r#"<primitive id="bmc" class="stonith" type="fence_y"/><primitive id="disk""#;
    let source = SOURCE.replace("</constraints>", topology).replace(r#"<primitive id="disk""#, bmc);
    let budget = of(&source, &timings());
    let longest = budget.longest().expect("a recovery");
    assert_eq!(longest.expected.total_ms, 2200 + 60_000 + 1500 + 700, "the first level is expected to do it");
    assert_eq!(longest.worst.total_ms, 2200 + 60_000 + 4000 + 30_000 + 110_000);
}
