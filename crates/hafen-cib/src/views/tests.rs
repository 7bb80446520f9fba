use super::*;
use crate::cib::Cib;

const CIB: &str = r#"<cib epoch="1" num_updates="0" admin_epoch="0"><configuration>
<crm_config>
  <cluster_property_set id="late" score="5"><nvpair id="late-a" name="batch-limit" value="7"/><nvpair id="l-b" name="cluster-name" value="x"/></cluster_property_set>
  <cluster_property_set id="ruled"><rule id="rule"/><nvpair id="r-a" name="cluster-delay" value="1s"/></cluster_property_set>
  <cluster_property_set id="cib-bootstrap-options">
    <nvpair id="b-a" name="batch-limit" value="3"/><nvpair id="b-b" name="fencing-enabled" value="off"/>
    <nvpair id="b-c" name="no-quorum-policy" value="nonsense"/></cluster_property_set>
</crm_config>
<nodes><node id="1" uname="n1"><instance_attributes id="n1-i"><nvpair id="n1-s" name="standby" value="on"/></instance_attributes>
  <utilization id="n1-u"><nvpair id="n1-m" name="memory" value="4096"/></utilization></node></nodes>
<resources>
  <template id="t" class="ocf" provider="hafen" type="qemu">
    <meta_attributes id="t-m"><nvpair id="t-m-a" name="allow-migrate" value="true"/></meta_attributes>
    <instance_attributes id="t-i"><nvpair id="t-i-a" name="memory" value="96"/><nvpair id="t-i-b" name="disk" value="d"/></instance_attributes>
    <operations><op id="t-o" name="monitor" interval="10s" timeout="7s"/><op id="t-p" name="start" interval="0"/></operations>
  </template>
  <clone id="c"><meta_attributes id="c-m"><nvpair id="c-m-a" name="target-role" value="Stopped"/></meta_attributes>
    <group id="g"><primitive id="vm" template="t">
      <instance_attributes id="vm-i" score="1"><nvpair id="vm-i-a" name="memory" value="128"/></instance_attributes>
      <instance_attributes id-ref="shared"/>
      <operations><op id="vm-o" name="monitor" interval="PT10S" on-fail="fence"/></operations>
    </primitive></group></clone>
  <primitive id="f" class="stonith" type="fence_x"><instance_attributes id="shared"><nvpair id="s-a" name="port" value="9"/></instance_attributes></primitive>
</resources>
<constraints>
  <rsc_location id="l" rsc="vm" node="n1" score="-INFINITY"/>
  <rsc_order id="o" first="f" then="c" score="0"/>
  <rsc_colocation id="k" score="5"><resource_set id="k-0" sequential="false"><resource_ref id="vm"/><resource_ref id="f"/></resource_set></rsc_colocation>
  <rsc_ticket id="x" rsc="vm" ticket="y"/>
</constraints>
<rsc_defaults><meta_attributes id="d"><nvpair id="d-a" name="resource-stickiness" value="10"/></meta_attributes></rsc_defaults>
<op_defaults><meta_attributes id="e"><nvpair id="e-a" name="timeout" value="33s"/></meta_attributes></op_defaults>
</configuration>
<status><node_state id="1" uname="n1" in_ccm="1718744075" crmd="online" join="member" expected="member">
  <transient_attributes id="1"><instance_attributes id="s"><nvpair id="s-f" name="fail-count-vm#start_0" value="INFINITY"/></instance_attributes></transient_attributes>
  <lrm id="1"><lrm_resources><lrm_resource id="vm" type="qemu" class="ocf" provider="hafen">
    <lrm_rsc_op id="vm_last_0" operation_key="vm_start_0" operation="start" transition-key="5:12:0:a-b" transition-magic="0:1;5:12:0:a-b" call-id="8" rc-code="1" op-status="0" interval="0" last-rc-change="1700000000" exit-reason="no disk"/>
  </lrm_resource></lrm_resources></lrm></node_state></status></cib>"#;

fn cib() -> Cib {
    Cib::parse(CIB).expect("parses")
}

#[test]
fn properties_have_order_aliases_and_defaults() {
    let cib = cib();
    assert_eq!(cib.property("batch-limit"), Some("3"), "the bootstrap set comes first");
    assert_eq!(cib.property("cluster-name"), Some("x"));
    assert!(!cib.property_boolean("stonith-enabled"));
    assert!(!cib.property_boolean("fencing-enabled"));
    assert_eq!(cib.configured_property("no-quorum-policy"), Some("nonsense"));
    assert_eq!(cib.property("no-quorum-policy"), Some("stop"), "what does not fit is not configured");
    assert_eq!(cib.property_duration_ms("cluster-delay"), 60_000, "a set with a rule does not count");
    assert_eq!(cib.configured_property_with("cluster-delay", &|_| true), Some("1s"));
    assert_eq!(cib.property("unheard-of"), None);
    assert_eq!(cib.property_score("node-health-red").value(), -1_000_000);
    assert_eq!(cib.property_timeout_ms("stonith-watchdog-timeout"), 0);
}

#[test]
fn resources_inherit() {
    let cib = cib();
    let vm = cib.resource("vm").expect("vm");
    assert_eq!((vm.class(), vm.provider(), vm.agent_type()), ("ocf", "hafen", "qemu"));
    assert!(vm.meta_boolean("allow-migrate"), "from the template");
    assert_eq!(vm.meta("target-role"), Some("Stopped"), "from the clone");
    assert_eq!(vm.meta("resource-stickiness"), Some("10"), "from rsc_defaults");
    assert_eq!(vm.meta("migration-threshold"), Some("INFINITY"), "Pacemaker's default");
    assert_eq!(vm.instance_attributes(), [("disk", "d"), ("memory", "128"), ("port", "9")]);
    assert_eq!(
        vm.parent().and_then(Resource::parent).map(|r| (r.id(), r.kind())),
        Some(("c", ResourceKind::Clone))
    );
    assert_eq!(cib.top_resources().map(Resource::id).collect::<Vec<_>>(), ["c", "f"]);
    assert_eq!(cib.primitives().map(Resource::id).collect::<Vec<_>>(), ["vm", "f"]);
    assert!(cib.resource("f").expect("f").is_fencing_device());
}

#[test]
fn operations_are_merged_and_have_defaults() {
    let cib = cib();
    let vm = cib.resource("vm").expect("vm");
    let operations: Vec<_> =
        vm.operations().iter().map(|op| (op.id(), op.interval_ms(), op.timeout_ms())).collect();
    assert_eq!(operations, [("vm-o", 10_000, 33_000), ("t-p", 0, 33_000)]);
    let monitor = vm.operation("monitor", 10_000).expect("monitor");
    assert_eq!(monitor.option("on-fail"), Some("fence"));
    assert_eq!(monitor.option("record-pending"), Some("true"));
    assert!(monitor.is_enabled());
    assert_eq!(vm.operation_timeout_ms("stop", 0), 33_000);
    assert_eq!(Cib::new().property_duration_ms("stonith-timeout"), 60_000);
}

#[test]
fn nodes_and_constraints() {
    let cib = cib();
    let node = cib.configured_node("n1").expect("n1");
    assert!(node.is_standby() && !node.is_maintenance());
    assert_eq!(node.utilization().get("memory"), Some("4096"));
    let constraints: Vec<Constraint<'_>> = cib.configured_constraints().collect();
    let Constraint::Location(location) = constraints[0] else { panic!("{constraints:?}") };
    assert_eq!((location.resource(), location.node()), (Some("vm"), Some("n1")));
    assert_eq!(location.score().map(|score| score.to_string()), Some("-INFINITY".to_string()));
    let Constraint::Order(order) = constraints[1] else { panic!("{constraints:?}") };
    assert_eq!((order.kind(), order.then_action()), ("Optional", "start"));
    let Constraint::Colocation(colocation) = constraints[2] else { panic!("{constraints:?}") };
    let set = colocation.sets().next().expect("set");
    assert!(!set.sequential() && set.require_all());
    assert_eq!(set.members().map(|member| member.resource).collect::<Vec<_>>(), ["vm", "f"]);
    assert!(matches!(constraints[3], Constraint::Other(_)));
}

#[test]
fn the_status_is_read() {
    let cib = cib();
    let state = cib.node_state("n1").expect("n1");
    assert!(state.is_member() && state.is_peer());
    assert_eq!((state.join(), state.expected()), ("member", "member"));
    assert_eq!(state.transient_attribute("fail-count-vm#start_0"), Some("INFINITY"));
    let operation = state.resource("vm").expect("vm").operations().next().expect("operation");
    assert_eq!((operation.rc_code(), operation.call_id(), operation.interval_ms()), (1, 8, 0));
    let magic = operation.transition_magic().expect("magic");
    assert_eq!((magic.rc, magic.key.transition), (1, 12));
    assert_eq!(Some(magic.key.clone()), operation.transition_key());
    assert_eq!(magic.to_string(), "0:1;5:12:0:a-b");
    assert_eq!(operation.exit_reason(), Some("no disk"));
    assert_eq!(TransitionMagic::parse("0:1;5:12:a-b"), None);
}
