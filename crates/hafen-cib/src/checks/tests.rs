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

const HOSTS: &str =
    r#"<nodes><node id="1" uname="h1"/><node id="2" uname="h2"/><node id="3" uname="h3"/></nodes>"#;

fn device(id: &str, parameters: &[(&str, &str)]) -> String {
    let pairs: String = parameters
        .iter()
        .map(|(name, value)| format!("<nvpair id=\"{id}-{name}\" name=\"{name}\" value=\"{value}\"/>"))
        .collect();
    format!(
        "<primitive id=\"{id}\" class=\"stonith\" type=\"fence_x\"><instance_attributes id=\"{id}-i\">{pairs}</instance_attributes></primitive>"
    )
}

#[test]
fn a_device_is_kept_off_the_host_that_it_shoots() {
    let all = device("f", &[("pcmk_host_list", "h1 h2 h3")]);
    let for_one = |constraint: &str| {
        let one = device("g", &[("pcmk_host_map", "h1:7")]);
        findings(&format!("{HOSTS}<resources>{all}{one}</resources><constraints>{constraint}</constraints>"))
    };
    let bare = for_one("");
    assert_eq!(bare.len(), 1, "{bare:#?}");
    assert!(bare[0].contains("error") && bare[0].contains("`g` shoots `h1`"), "{bare:#?}");
    // What the finding says is what mends it.
    let (_, mend) = bare[0].split_once("; add ").expect("a mend");
    assert_eq!(for_one(mend), Vec::<String>::new());
    let elsewhere = r#"<rsc_location id="l" rsc="g" node="h2" score="-INFINITY"/><rsc_location id="m" rsc="g" node="h3" score="-INFINITY"/>"#;
    assert!(for_one(elsewhere)[0].contains("no other host may run it"));
}

#[test]
fn devices_and_levels() {
    let of =
        |parameters: &[(&str, &str)]| format!("{HOSTS}\n<resources>{}</resources>", device("f", parameters));
    for (name, value, parts) in [
        ("pcmk_host_check", "guess", ["`guess`", "static-list"]),
        ("pcmk_host_check", "static-list", ["can shoot no host", "`pcmk_host_list`"]),
        ("pcmk_host_map", "h1:1;h2", ["cannot be read at `h2`", "HOST:PORT"]),
        ("pcmk_host_list", "h1,h4", ["`h4`", "did you mean"]),
        ("pcmk_delay_base", "soon", ["`soon`", "a time"]),
        ("pcmk_delay_max", "soon", ["`soon`", "a time"]),
        ("pcmk_reboot_timeout", "x", ["`pcmk_reboot_timeout`", "a time"]),
        ("pcmk_off_retries", "many", ["`many`", "whole number"]),
        ("pcmk_host_lsit", "h1", ["no parameter", "did you mean `pcmk_host_list`"]),
    ] {
        expect(&of(&[(name, value)]), 4, &parts);
    }
    expect(
        &of(&[("pcmk_delay_base", "5s"), ("pcmk_delay_max", "2s")]),
        4,
        &["larger than its `pcmk_delay_max`"],
    );
    expect(&of(&[("pcmk_host_list", "h1,h2")]), 4, &["no fence device shoots `h3`"]);
    for (level, part) in [
        (r#"index="0" target="h1" devices="f""#, "index=\"0\""),
        (r#"index="1" devices="f""#, "in 0 ways"),
        (r#"index="1" target="h1" devices="vm1""#, "no fence device"),
        (r#"index="1" target="h1" devices="nobody""#, "does not exist"),
        (r#"index="1" target="h1" devices="""#, "no devices"),
        (r#"index="1" target="h3" devices="f""#, "does not list"),
    ] {
        let source = format!(
            "{HOSTS}<resources>{}<primitive id=\"vm1\" class=\"lsb\" type=\"x\"/></resources>\n<fencing-topology><fencing-level id=\"l\" {level}/></fencing-topology>",
            device("f", &[("pcmk_host_list", "h1 h2")])
        );
        expect(&source, 4, &[part]);
    }
}

fn with_properties(properties: &[(&str, &str)], rest: &str) -> String {
    let pairs: String = properties
        .iter()
        .map(|(name, value)| format!("<nvpair id=\"{name}\" name=\"{name}\" value=\"{value}\"/>"))
        .collect();
    format!("<crm_config><cluster_property_set id=\"p\">{pairs}</cluster_property_set></crm_config>{rest}")
}

#[test]
fn a_watchdog_has_time_to_act() {
    let of = |value: &str| findings(&with_properties(&[("fencing-watchdog-timeout", value)], ""));
    for value in ["25s", "10", "-1", "PT20S"] {
        assert!(
            of(value).iter().any(|finding| finding.contains("more than 25 s")),
            "{value}: {:?}",
            of(value)
        );
    }
    for value in ["0", "26s", "35s"] {
        assert_eq!(of(value), Vec::<String>::new(), "{value}");
    }
    let quick = with_properties(
        &[("stonith-watchdog-timeout", "10s"), ("daemon-restart-timeout", "3s"), ("watchdog-timeout", "2s")],
        "",
    );
    assert_eq!(findings(&quick), Vec::<String>::new());
}

#[test]
fn shared_storage_wants_fencing() {
    let two = HOSTS.replace(r#"<node id="3" uname="h3"/>"#, "");
    let off = [("stonith-enabled", "false")];
    expect(&with_properties(&off, &format!("{two}{VM}")), 3, &["error", "`vm1`", "switched off"]);
    expect(&format!("{two}{VM}"), 3, &["error", "`vm1`", "no fence device"]);
    let nfs = r#"<resources><primitive id="d" class="ocf" provider="heartbeat" type="Filesystem"><instance_attributes id="i"><nvpair id="t" name="fstype" value="nfs4"/></instance_attributes></primitive></resources>"#;
    assert_eq!(findings(&with_properties(&off, &format!("{two}{nfs}"))), Vec::<String>::new());
    // It is the operator's word: a change that leads there is not refused.
    let source =
        format!("<cib><configuration>{}</configuration></cib>", with_properties(&off, &format!("{two}{VM}")));
    let found = check(&Cib::parse(&source).expect("parses"));
    assert!(found.iter().all(|finding| finding.severity < Severity::Error), "{found:?}");
}

#[test]
fn two_hosts_do_not_shoot_each_other() {
    let two = HOSTS.replace(r#"<node id="3" uname="h3"/>"#, "");
    let of = |delay: &str, properties: &[(&str, &str)]| {
        let device = device("f", &[("pcmk_host_list", "h1 h2"), ("pcmk_delay_base", delay)]);
        findings(&with_properties(properties, &format!("{two}<resources>{device}</resources>")))
    };
    assert!(of("2s", &[]).iter().any(|finding| finding.contains("both may die")), "{:?}", of("2s", &[]));
    assert_eq!(of("h1:5s;h2:0s", &[]), Vec::<String>::new());
    assert_eq!(of("2s", &[("priority-fencing-delay", "10s")]), Vec::<String>::new());
    assert!(of("2s", &[("priority-fencing-delay", "3s")])[0].contains("twice as long"));
    let ignored = of("h1:5s", &[("no-quorum-policy", "ignore"), ("stonith-enabled", "false")]);
    assert!(ignored.iter().any(|finding| finding.contains("run everything twice")), "{ignored:?}");
}

#[test]
fn names_of_old_are_told_with_what_translates_them() {
    let clvmd = r#"<resources><primitive id="a" class="ocf" provider="lvm2" type="clvmd"/></resources>"#;
    expect(clvmd, 3, &["`a` has the agent ocf:lvm2:clvmd", "ocf:heartbeat:lvmlockd today", "use_lvmlockd"]);
    let parameter = r#"<resources><primitive id="vm1" class="ocf" provider="heartbeat" type="Xen"><instance_attributes id="i">
<nvpair id="n" name="allow_migrate" value="true"/></instance_attributes></primitive></resources>"#;
    expect(parameter, 4, &["`allow_migrate`", "meta attribute `allow-migrate`", "hafen config translate"]);
    expect_none(VM, "today");
}

/// No finding holds the text.
fn expect_none(configuration: &str, text: &str) {
    let all = findings(configuration);
    assert!(all.iter().all(|finding| !finding.contains(text)), "{all:#?}");
}
