use super::*;

fn findings(configuration: &str) -> Vec<String> {
    let source = format!("<cib>\n<configuration>\n{configuration}\n</configuration></cib>");
    check(&Cib::parse(&source).expect("parses")).iter().map(ToString::to_string).collect()
}

/// A finding of the given line holds all the parts.
fn expect(configuration: &str, line: u32, parts: &[&str]) {
    let all = findings(configuration);
    let found = all.iter().any(|finding| {
        finding.starts_with(&format!("line {line}: ")) && parts.iter().all(|part| finding.contains(part))
    });
    assert!(found, "{parts:?} on line {line} not in {all:#?}");
}

const VM: &str = r#"<resources><primitive id="vm1" class="ocf" provider="hafen" type="qemu"/></resources>"#;

#[test]
fn a_sound_configuration_has_no_findings() {
    let sound = r#"<crm_config><cluster_property_set id="p"><nvpair id="p1" name="fencing-enabled" value="yes"/></cluster_property_set></crm_config>
<nodes><node id="1" uname="n1"/></nodes>
<resources><clone id="c"><primitive id="vm1" class="ocf" provider="hafen" type="qemu"><meta_attributes id="m"><nvpair id="m1" name="migration-threshold" value="3"/></meta_attributes>
<operations><op id="o" name="monitor" interval="10s" timeout="PT30S"/></operations></primitive></clone></resources>
<constraints><rsc_location id="l" rsc="vm1" node="n1" score="INFINITY"/><rsc_location id="l2" rsc-pattern="^vm.*" node="N1" score="1"/>
<rsc_order id="r"><resource_set id="s"><resource_ref id="vm1"/><resource_ref id="c"/></resource_set></rsc_order></constraints>
<tags><tag id="t"><obj_ref id="vm1"/></tag></tags>"#;
    assert_eq!(findings(sound), Vec::<String>::new());
}

#[test]
fn references_must_exist() {
    for (constraint, parts) in [
        (r#"<rsc_location id="l" rsc="vm2" node="n" score="1"/>"#, ["`vm2`", "did you mean `vm1`"]),
        (r#"<rsc_location id="l" rsc-pattern="db" node="n" score="1"/>"#, ["`db`", "no resource"]),
        (
            r#"<rsc_colocation id="l" rsc="vm1" with-rsc="storage" score="1"/>"#,
            ["`with-rsc`", "create the resource"],
        ),
        (r#"<rsc_order id="l" first="vm" then="vm1"/>"#, ["`first`", "`vm`"]),
        (r#"<rsc_order id="l" first="vm1" then="x"/>"#, ["`then`", "`x`"]),
        (
            r#"<rsc_order id="l"><resource_set id="s"><resource_ref id="x"/></resource_set></rsc_order>"#,
            ["id=\"s\"", "`x`"],
        ),
        (
            r#"<rsc_order id="l"><resource_set id-ref="s"/></rsc_order>"#,
            ["<resource_set id=\"s\">", "does not exist"],
        ),
    ] {
        expect(&format!("{VM}\n<constraints>{constraint}</constraints>"), 4, &parts);
    }
    expect(
        &format!(
            "{VM}\n<nodes><node id=\"1\" uname=\"host1\"/></nodes><constraints><rsc_location id=\"l\" rsc=\"vm1\" node=\"host2\" score=\"1\"/></constraints>"
        ),
        4,
        &["warning", "did you mean `host1`"],
    );
    expect("<resources><primitive id=\"a\" template=\"t\"/></resources>", 3, &["<template id=\"t\">"]);
    expect("<tags><tag id=\"t\"><obj_ref id=\"x\"/></tag></tags>", 3, &["<tag id=\"t\">", "`x`"]);
    expect(
        "<fencing-topology><fencing-level id=\"f\" index=\"1\" target=\"n\" devices=\"a,b\"/></fencing-topology>",
        3,
        &["`b`"],
    );
    expect("<acls><acl_target id=\"a\"><role id=\"r\"/></acl_target></acls>", 3, &["acl_role"]);
}

#[test]
fn ids_and_structure() {
    expect(
        &format!("{VM}\n<tags><tag id=\"vm1\"/></tags>"),
        4,
        &["has the id of <primitive> on line 3", "another id"],
    );
    expect("<resources><primitive class=\"ocf\" type=\"x\"/></resources>", 3, &["no id"]);
    expect("<resources><primitive id=\"a\" class=\"ocf\" type=\"x\"/></resources>", 3, &["`provider`"]);
    expect("<resources><primitive id=\"\"/></resources>", 3, &["empty id"]);
    expect("<resources><group id=\"g\"/></resources>", 3, &["0 resources", "at least one"]);
    expect("<resources>\n<clone id=\"g\"/></resources>", 4, &["exactly one"]);
    expect(
        "<nodes><node id=\"1\" uname=\"a\"/>\n<node id=\"2\" uname=\"a\"/></nodes>",
        4,
        &["two nodes named `a`"],
    );
    expect("<constraints><rsc_location id=\"l\" node=\"n\" score=\"1\"/></constraints>", 3, &["0 kinds"]);
    expect(
        &format!("{VM}\n<constraints><rsc_location id=\"l\" rsc=\"vm1\"/></constraints>"),
        4,
        &["neither where"],
    );
    expect(
        "<resources><primitive id=\"a\" class=\"lsb\" type=\"x\"><operations><op id=\"1\" name=\"monitor\" interval=\"60s\"/>\n<op id=\"2\" name=\"monitor\" interval=\"1min\"/></operations></primitive></resources>",
        4,
        &["same interval"],
    );
}

#[test]
fn values_must_fit() {
    for (source, parts) in [
        (
            r#"<constraints><rsc_colocation id="l" score="lots"/></constraints>"#,
            ["score=\"lots\"", "INFINITY"],
        ),
        (r#"<constraints><rsc_order id="l" kind="Must"/></constraints>"#, ["kind=\"Must\"", "Mandatory"]),
        (
            r#"<constraints><rsc_order id="l"><resource_set id="s" sequential="perhaps"/></rsc_order></constraints>"#,
            ["perhaps", "true or false"],
        ),
        (
            r#"<resources><primitive id="a"><operations><op id="o" name="monitor" interval="soon"/></operations></primitive></resources>"#,
            ["soon", "a time"],
        ),
        (
            r#"<crm_config><cluster_property_set id="p"><nvpair id="n" name="stonith-enabled" value="maybe"/></cluster_property_set></crm_config>"#,
            ["maybe", "true or false"],
        ),
        (
            r#"<crm_config><cluster_property_set id="p"><nvpair id="n" name="stonith-enabeld" value="true"/></cluster_property_set></crm_config>"#,
            ["warning", "did you mean `stonith-enabled`"],
        ),
        (
            r#"<rsc_defaults><meta_attributes id="p"><nvpair id="n" name="target-role" value="Up"/></meta_attributes></rsc_defaults>"#,
            ["`Up`", "Started"],
        ),
        (
            r#"<op_defaults><meta_attributes id="p"><nvpair id="n" name="timeout" value="x"/></meta_attributes></op_defaults>"#,
            ["timeout", "a time"],
        ),
    ] {
        expect(source, 3, &parts);
    }
}
