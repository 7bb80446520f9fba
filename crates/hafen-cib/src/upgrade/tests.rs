use super::*;
use crate::schema::validate;

fn upgraded(schema: &str, configuration: &str) -> String {
    let source = format!(
        "<cib validate-with=\"{schema}\" admin_epoch=\"0\" epoch=\"1\" num_updates=\"0\">\
         <configuration>{configuration}</configuration><status/></cib>"
    );
    let mut cib = Cib::parse(&source).expect("a CIB");
    assert!(upgrade(&mut cib));
    assert_eq!(validate(&cib), Vec::new());
    let configuration = cib.configuration().expect("a configuration");
    configuration.to_xml_compact().replace("<configuration>", "").replace("</configuration>", "")
}

const AGENT: &str = r#"class="lsb" type="x""#;

#[test]
fn claims_are_read() {
    for (text, claim) in [
        ("pacemaker-3.10", Claim::Schema { major: 3, minor: 10 }),
        ("pacemaker-4.0", Claim::Schema { major: 4, minor: 0 }),
        ("none", Claim::Unchecked),
        ("pacemaker-3.11", Claim::Unknown),
        ("pacemaker-4.1", Claim::Unknown),
        ("pacemaker-1.1", Claim::Unknown),
        ("pacemaker-1.02", Claim::Unknown),
        ("pacemaker-next", Claim::Unknown),
        ("", Claim::Unknown),
    ] {
        let mut cib = Cib::new();
        let root = cib.root().node();
        cib.document_mut().set_attribute(root, "validate-with", text);
        assert_eq!(super::claim(&cib), claim, "{text}");
        assert_eq!(upgrade(&mut cib), claim == Claim::Schema { major: 3, minor: 10 });
    }
}

#[test]
fn old_cluster_options_find_their_places() {
    let source = r#"<crm_config><cluster_property_set id="p"><nvpair id="a" name="stonith_enabled" value="false"/>
        <nvpair id="b" name="default-resource-stickiness" value="7"/><nvpair id="c" name="default-action-timeout" value="9"/>
        <nvpair id="d" name="expected-quorum-votes" value="2"/><nvpair id="e" name="crmd-transition-delay" value="1"/>
        <nvpair id="f" name="stonith-action" value="poweroff"/></cluster_property_set></crm_config>
        <nodes><node id="n" uname="n" type="normal"/></nodes><resources/><constraints/>"#;
    assert_eq!(
        upgraded("pacemaker-2.5", source),
        r#"<crm_config><cluster_property_set id="p"><nvpair id="a" name="stonith-enabled" value="false"/>"#
            .to_owned()
            + r#"<nvpair id="e" name="transition-delay" value="1"/><nvpair id="f" name="stonith-action" value="off"/>"#
            + r#"</cluster_property_set></crm_config><nodes><node id="n" uname="n" type="member"/></nodes>"#
            + r#"<resources/><constraints/><rsc_defaults><meta_attributes id="_2TO3_-rsc-defaults">"#
            + r#"<nvpair id="b" name="resource-stickiness" value="7"/></meta_attributes></rsc_defaults>"#
            + r#"<op_defaults><meta_attributes id="_2TO3_-op-defaults"><nvpair id="c" name="timeout" value="9"/>"#
            + "</meta_attributes></op_defaults>"
    );
}

#[test]
fn masters_are_promotable_clones() {
    let source = format!(
        r#"<crm_config/><nodes/><resources><master id="m"><primitive id="p" {AGENT}/></master></resources><constraints/>"#
    );
    let set = "pcmk__3_10_upgrade-promotable-legacy-m-meta_attributes";
    assert_eq!(
        upgraded("pacemaker-3.0", &source),
        format!(
            r#"<crm_config/><nodes/><resources><clone id="m"><meta_attributes id="{set}" score="INFINITY"><nvpair id="{set}-promotable" name="promotable" value="true"/></meta_attributes><primitive id="p" {AGENT}/></clone></resources><constraints/>"#
        )
    );
}

#[test]
fn what_cannot_run_goes_with_all_that_names_it() {
    let source = format!(
        r#"<crm_config/><nodes/><resources><group id="g"><primitive id="p" class="nagios" type="x"/></group>
        <primitive id="q" {AGENT}/><bundle id="b"><rkt image="i"/></bundle></resources>
        <constraints><rsc_location id="l" rsc="g" node="n" score="1"/><rsc_order id="o" first="p" then="q"/>
        <rsc_colocation id="c"><resource_set id="s"><resource_ref id="g"/><resource_ref id="b"/></resource_set></rsc_colocation>
        <rsc_order id="o2"><resource_set id="s2"><resource_ref id="g"/><resource_ref id="q"/></resource_set></rsc_order>
        </constraints>"#
    );
    assert_eq!(
        upgraded("pacemaker-3.10", &source),
        format!(
            r#"<crm_config/><nodes/><resources><primitive id="q" {AGENT}/></resources><constraints><rsc_order id="o2"><resource_set id="s2"><resource_ref id="q"/></resource_set></rsc_order></constraints>"#
        )
    );
}

#[test]
fn a_location_has_one_rule() {
    let source = format!(
        r##"<crm_config/><nodes/><resources><primitive id="p" {AGENT}/></resources><constraints>
        <rsc_location id="l" rsc="p"><rule id="r1" score="1"><expression id="e1" attribute="x" operation="defined"/></rule>
        <rule id="r2" score="2"><expression id="e2" attribute="y" operation="defined"/></rule></rsc_location>
        <rsc_location id="k" rsc="p" node="n" score="3"><lifetime><rule id="t"><date_expression id="d" operation="gt" start="2024"/></rule></lifetime></rsc_location>
        </constraints>"##
    );
    let u = "pcmk__3_10_upgrade-";
    assert_eq!(
        upgraded("pacemaker-3.9", &source),
        format!(
            r##"<crm_config/><nodes/><resources><primitive id="p" {AGENT}/></resources><constraints><rsc_location id="{u}l-1" rsc="p"><rule id="r1" score="1"><expression id="e1" attribute="x" operation="defined"/></rule></rsc_location><rsc_location id="{u}l-2" rsc="p"><rule id="r2" score="2"><expression id="e2" attribute="y" operation="defined"/></rule></rsc_location><rsc_location id="k" rsc="p"><rule id="{u}k-lifetime-and-rule" boolean-op="and"><rule id="{u}k-node-score-rule" score="3"><expression id="{u}k-node-score-rule-expr" attribute="#uname" operation="eq" value="n"/></rule><rule id="t"><date_expression id="d" operation="gt" start="2024"/></rule></rule></rsc_location></constraints>"##
        )
    );
}

#[test]
fn access_control_gets_roles() {
    let source = r#"<crm_config/><nodes/><resources/><constraints/><acls><acl_user id="u"><read id="u1" xpath="/cib"/></acl_user></acls>"#;
    assert!(upgraded("pacemaker-1.2", source).ends_with(
        r#"<acls><acl_target id="u"><role id="auto-u"/></acl_target><acl_role id="auto-u"><acl_permission id="u1" xpath="/cib" kind="read"/></acl_role></acls>"#
    ));
}
