//! Each entry of the table, and that nothing else changes.

use super::*;
use crate::schema::{validate, validate_and_upgrade};

fn cib(configuration: &str) -> Cib {
    let source = format!(
        "<cib validate-with=\"pacemaker-3.0\" admin_epoch=\"0\" epoch=\"1\" num_updates=\"0\"><configuration>\
         <crm_config/><nodes/>{configuration}<constraints/></configuration><status/></cib>"
    );
    Cib::parse(&source).expect("a CIB")
}

/// The configuration between nodes and constraints afterwards, and the notes; a second time changes nothing.
fn translated(configuration: &str) -> (String, Vec<Note>) {
    let before = cib(configuration);
    assert_eq!(validate(&before), Vec::new());
    let (after, notes) = translate(&before);
    assert_eq!(validate(&after), Vec::new());
    let (again, more) = translate(&after);
    assert_eq!(again.to_xml(), after.to_xml());
    assert!(more.iter().all(|note| !note.done), "{more:?}");
    let text = after.configuration().expect("one").to_xml_compact();
    let from = text.find("<nodes/>").expect("nodes") + "<nodes/>".len();
    (text[from..].replace("<constraints/>", "").replace("</configuration>", ""), notes)
}

/// A primitive of an agent with parameters and a recurring monitor.
fn primitive(agent: &str, parameters: &[(&str, &str)]) -> String {
    let parts: Vec<&str> = agent.split(':').collect();
    let names = match parts[..] {
        [class, provider, kind] => format!(r#"class="{class}" provider="{provider}" type="{kind}""#),
        _ => format!(r#"class="{}" type="{}""#, parts[0], parts[1]),
    };
    let mut pairs = String::new();
    for (number, (name, value)) in parameters.iter().enumerate() {
        pairs += &format!(r#"<nvpair id="p{number}" name="{name}" value="{value}"/>"#);
    }
    format!(
        r#"<primitive id="a" {names}><instance_attributes id="i">{pairs}</instance_attributes><operations><op id="m" name="monitor" interval="10s"/></operations></primitive>"#
    )
}

fn resources(inside: &str) -> String {
    format!("<resources>{inside}</resources>")
}

/// The one agent is exchanged and its parameters renamed, or nothing changes, by the words of the note.
fn expect(before: &str, after: Option<&str>, words: &[&str]) {
    let (found, notes) = translated(&resources(before));
    assert_eq!(found, resources(after.unwrap_or(before)));
    let [note] = &notes[..] else { panic!("{notes:?}") };
    assert_eq!((note.id.as_str(), note.done), ("a", after.is_some()), "{note}");
    for word in words {
        assert!(note.to_string().contains(word), "{note}");
    }
}

#[test]
fn pings_are_sent_at_each_monitor() {
    let hosts = [("host_list", "10.0.0.1"), ("multiplier", "100")];
    for old in ["ocf:heartbeat:pingd", "ocf:pacemaker:pingd"] {
        let after = primitive("ocf:pacemaker:ping", &hosts);
        expect(&primitive(old, &hosts), Some(&after), &["is now ocf:pacemaker:ping", "`pingd`"]);
        expect(&primitive(old, &hosts[1..]), None, &["`host_list`"]);
        let idle = primitive(old, &hosts).replace("10s", "0");
        expect(&idle, None, &["recurring monitor"]);
        expect(&primitive(old, &[hosts[0], ("options", "-x")]), None, &["`options`"]);
    }
}

#[test]
fn addresses_have_the_width_of_their_network() {
    let old = |netmask, nic| {
        let parameters = [("ip", "10.0.0.9"), ("netmask", netmask), ("nic", nic), ("ARP_REPEAT", "5")];
        primitive("ocf:heartbeat:IPaddr", &parameters)
    };
    let today = [("ip", "10.0.0.9"), ("cidr_netmask", "24"), ("nic", "eth0"), ("arp_count", "5")];
    let after = primitive("ocf:heartbeat:IPaddr2", &today);
    expect(&old("255.255.255.0", "eth0"), Some(&after), &["ocf:heartbeat:IPaddr2"]);
    expect(&old("24", "eth0"), Some(&after), &["ocf:heartbeat:IPaddr2"]);
    expect(&old("255.0.255.0", "eth0"), None, &["`netmask`"]);
    expect(&old("24", "eth0:1"), None, &["`iflabel`"]);
    let script = [("ip", "10.0.0.9"), ("local_stop_script", "x")];
    expect(&primitive("ocf:heartbeat:IPaddr", &script), None, &["`local_stop_script`"]);
    let both = [("ip", "10.0.0.9"), ("netmask", "24"), ("cidr_netmask", "16")];
    expect(&primitive("ocf:heartbeat:IPaddr", &both), None, &["remove one"]);
}

#[test]
fn drbd_is_promoted_and_notified() {
    let around = |inside: &str, notify: &str| {
        format!(
            r#"<clone id="c"><meta_attributes id="n"><nvpair id="n1" name="promotable" value="true"/><nvpair id="n2" name="notify" value="{notify}"/></meta_attributes>{inside}</clone>"#
        )
    };
    let parameters = [("drbd_resource", "r0")];
    let (old, today) =
        (primitive("ocf:heartbeat:drbd", &parameters), primitive("ocf:linbit:drbd", &parameters));
    expect(&around(&old, "true"), Some(&around(&today, "true")), &["ocf:linbit:drbd"]);
    expect(&around(&old, "false"), None, &["`notify=true`"]);
    expect(&old, None, &["promotable clone"]);
}

#[test]
fn fence_devices_have_todays_agents() {
    let old = [("ipaddr", "10.0.0.9"), ("port", "161"), ("community", "private")];
    let today = [("ip", "10.0.0.9"), ("udpport", "161"), ("community", "private")];
    let after = primitive("stonith:fence_apc_snmp", &today);
    expect(&primitive("stonith:apcmastersnmp", &old), Some(&after), &["fence_apc_snmp"]);
    let hosts = [("hostlist", "a b")];
    let after = primitive("stonith:external/ssh", &hosts);
    expect(&primitive("stonith:ssh", &hosts), Some(&after), &["external/ssh"]);
}

#[test]
fn what_behaves_differently_is_left_as_it_is() {
    for (agent, words) in [
        ("ocf:lvm2:clvmd", ["ocf:heartbeat:lvmlockd today", "--lock-type dlm"]),
        ("ocf:heartbeat:clvm", ["ocf:heartbeat:lvmlockd today", "use_lvmlockd"]),
        ("ocf:lvm2:cmirrord", ["left as it is", "raid1"]),
        ("ocf:ocfs2:o2cb", ["ocf:pacemaker:controld", "then remove this one"]),
        ("ocf:pacemaker:o2cb", ["ocf:pacemaker:controld", "then remove this one"]),
        ("ocf:heartbeat:LVM", ["ocf:heartbeat:LVM-activate", "vg_access_mode"]),
        ("heartbeat:drbddisk", ["ocf:linbit:drbd", "promotable clone"]),
        ("lsb:iscsitarget", ["ocf:heartbeat:iSCSITarget", "iSCSILogicalUnit"]),
        ("lsb:open-iscsi", ["ocf:heartbeat:iscsi", "`portal`"]),
    ] {
        expect(&primitive(agent, &[("daemon_timeout", "30")]), None, &words);
    }
    let today = primitive("ocf:heartbeat:Xen", &[("xmfile", "/etc/xen/vm/a"), ("allow_mem_management", "1")]);
    assert_eq!(translated(&resources(&today)), (resources(&today), Vec::new()));
}

#[test]
fn a_template_is_translated_for_all_that_are_made_from_it() {
    let of = |agent: &str, name: &str| {
        let template = primitive(agent, &[("ip", "10.0.0.9")]).replace("primitive", "template");
        let user = |number: u8, name: &str| {
            format!(
                r#"<primitive id="u{number}" template="a"><instance_attributes id="j{number}"><nvpair id="k{number}" name="{name}" value="8"/></instance_attributes></primitive>"#
            )
        };
        format!("{template}{}{}", user(1, name), user(2, "nic"))
    };
    let (old, today) = (of("ocf:heartbeat:IPaddr", "netmask"), of("ocf:heartbeat:IPaddr2", "cidr_netmask"));
    expect(&old, Some(&today), &["is now ocf:heartbeat:IPaddr2"]);
    let other = of("ocf:heartbeat:IPaddr", "local_stop_script");
    expect(&other, None, &["`local_stop_script`"]);
}

#[test]
fn parameters_of_old_are_meta_attributes() {
    for (old, today) in
        [("allow_migrate", "allow-migrate"), ("target_role", "target-role"), ("is_managed", "is-managed")]
    {
        let before = primitive("ocf:heartbeat:Xen", &[("xmfile", "x"), (old, "true")]);
        let pair = format!(r#"<nvpair id="p1" name="{today}" value="true"/>"#);
        let after = primitive("ocf:heartbeat:Xen", &[("xmfile", "x")]).replacen(
            "<instance_attributes",
            &format!(
                r#"<meta_attributes id="a-meta_attributes">{pair}</meta_attributes><instance_attributes"#
            ),
            1,
        );
        let (found, notes) = translated(&resources(&before));
        assert_eq!(found, resources(&after));
        assert!(notes[0].done && notes[0].today.contains(today), "{notes:?}");
    }
}

#[test]
fn what_is_set_today_counts() {
    let of = |old: &str, meta: &str| {
        format!(
            r#"<primitive id="a" class="lsb" type="x"><meta_attributes id="n">{meta}</meta_attributes><instance_attributes id="i">{old}</instance_attributes></primitive>"#
        )
    };
    let old = r#"<nvpair id="o" name="allow_migrate" value="true"/>"#;
    let today = r#"<nvpair id="t" name="allow-migrate" value="false"/>"#;
    let (found, notes) = translated(&resources(&of(old, today)));
    assert_eq!(found, resources(&of("", today).replace("></instance_attributes>", "/>")));
    assert!(notes[0].done && notes[0].why.contains("counts"), "{notes:?}");
    // The set that is there takes it, and an old spelling in it is renamed.
    let underscored = r#"<nvpair id="u" name="resource_stickiness" value="7"/>"#;
    let (found, notes) = translated(&resources(&of(old, underscored)));
    let both = r#"<nvpair id="u" name="resource-stickiness" value="7"/><nvpair id="o" name="allow-migrate" value="true"/>"#;
    assert_eq!(found, resources(&of("", both).replace("></instance_attributes>", "/>")));
    assert_eq!(notes.len(), 2);
}

#[test]
fn what_others_refer_to_is_left_as_it_is() {
    let shared = r#"<primitive id="a" class="lsb" type="x"><instance_attributes id="i"><nvpair id="o" name="allow_migrate" value="true"/></instance_attributes></primitive><primitive id="b" class="lsb" type="x"><instance_attributes id-ref="i"/></primitive>"#;
    let ruled = r##"<primitive id="a" class="lsb" type="x"><instance_attributes id="i"><rule id="r" score="1"><expression id="e" attribute="#uname" operation="eq" value="n"/></rule><nvpair id="o" name="allow_migrate" value="true"/></instance_attributes></primitive>"##;
    for (source, word) in [(shared, "id-ref"), (ruled, "rule")] {
        let (found, notes) = translated(&resources(source));
        assert_eq!(found, resources(source));
        assert!(notes.iter().all(|note| !note.done && note.why.contains(word)), "{notes:?}");
        assert_eq!(notes.len(), 1);
    }
}

#[test]
fn properties_find_their_places() {
    let source = r#"<cib validate-with="pacemaker-2.5" admin_epoch="0" epoch="1" num_updates="0"><configuration><crm_config><cluster_property_set id="p">
        <nvpair id="a" name="default-resource-stickiness" value="7"/><nvpair id="b" name="default-action-timeout" value="9"/>
        <nvpair id="c" name="stonith_enabled" value="false"/><nvpair id="d" name="no_quorum_policy" value="freeze"/>
        <nvpair id="e" name="no-quorum-policy" value="stop"/><nvpair id="f" name="expected-quorum-votes" value="2"/>
        <nvpair id="g" name="default-resource-failure-stickiness" value="-1"/></cluster_property_set></crm_config>
        <nodes/><resources/><constraints/></configuration><status/></cib>"#;
    let before = Cib::parse(source).expect("a CIB");
    let (mut after, notes) = translate(&before);
    let told: Vec<(&str, bool)> = notes.iter().map(|note| (note.id.as_str(), note.done)).collect();
    let done = [("a", true), ("b", true), ("c", true), ("d", true), ("f", false), ("g", false)];
    assert_eq!(told, done);
    let text = after.configuration().expect("one").to_xml_compact();
    assert!(text.starts_with(
        r#"<configuration><crm_config><cluster_property_set id="p"><nvpair id="c" name="stonith-enabled" value="false"/><nvpair id="e" name="no-quorum-policy" value="stop"/><nvpair id="f" "#
    ), "{text}");
    assert!(text.contains(
        r#"<rsc_defaults><meta_attributes id="rsc-options"><nvpair id="a" name="resource-stickiness" value="7"/></meta_attributes></rsc_defaults>"#
    ), "{text}");
    assert!(text.contains(
        r#"<op_defaults><meta_attributes id="op-options"><nvpair id="b" name="timeout" value="9"/></meta_attributes></op_defaults>"#
    ), "{text}");
    assert_eq!(translate(&after).0.to_xml(), after.to_xml());
    assert_eq!(validate_and_upgrade(&mut after), Vec::new());
}
