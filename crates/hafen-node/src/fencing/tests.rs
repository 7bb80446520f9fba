//! Devices and members chosen from configurations.

use super::*;

fn cib(properties: &str, resources: &str, constraints: &str) -> Cib {
    let text = format!(
        "<cib><configuration><crm_config><cluster_property_set id=\"cib-bootstrap-options\">{properties}\
         </cluster_property_set></crm_config><nodes/><resources>{resources}</resources>\
         <constraints>{constraints}</constraints></configuration><status/></cib>"
    );
    Cib::parse(&text).expect("a CIB")
}

fn pair(owner: &str, name: &str, value: &str) -> String {
    format!("<nvpair id=\"{owner}-{name}\" name=\"{name}\" value=\"{value}\"/>")
}

fn device(id: &str, parameters: &[(&str, &str)], meta: &str) -> String {
    let pairs: String = parameters.iter().map(|(name, value)| pair(id, name, value)).collect();
    format!(
        "<primitive id=\"{id}\" class=\"stonith\" type=\"fence_x\"><instance_attributes id=\"{id}-i\">{pairs}\
         </instance_attributes><meta_attributes id=\"{id}-m\">{meta}</meta_attributes></primitive>"
    )
}

fn members() -> BTreeMap<HostId, String> {
    (1..=3).map(|host| (HostId(host), format!("host{host}"))).collect()
}

fn ids(choice: &Choice) -> Vec<&str> {
    choice.devices.iter().map(|device| device.id.as_str()).collect()
}

#[test]
fn the_coordinator_fences_with_the_device_that_names_the_target() {
    let devices = [
        device("any", &[("address", "a")], ""),
        device("other", &[("pcmk_host_list", "host1, host3")], ""),
        device("own", &[("pcmk_host_list", "host1,host2"), ("address", "b"), ("pcmk_delay_base", "1s")], ""),
        device("off", &[], &pair("off", "target-role", "stopped")),
    ];
    let choice = choose(&cib("", &devices.concat(), ""), "host2", HostId(3), &members()).expect("a choice");
    assert_eq!(choice.by, HostId(3));
    assert_eq!(ids(&choice), ["own", "any"]);
    assert_eq!((choice.action.as_str(), choice.timeout_ms), ("reboot", 144_000));
    let own = &choice.devices[0];
    assert_eq!((own.agent.as_str(), own.port.as_str()), ("fence_x", "host2"));
    assert_eq!(own.parameters, BTreeMap::from([("address".to_owned(), "b".to_owned())]));
}

#[test]
fn the_target_does_not_fence_itself() {
    let cib = cib("", &device("any", &[], ""), "");
    assert_eq!(choose(&cib, "host3", HostId(3), &members()).expect("a choice").by, HostId(1));
    let alone = BTreeMap::from([(HostId(3), "host3".to_owned())]);
    assert_eq!(choose(&cib, "host3", HostId(3), &alone), None);
}

#[test]
fn a_member_that_must_not_use_the_device_is_passed_over() {
    let never = |id: &str, node: &str| {
        format!("<rsc_location id=\"{id}-{node}\" rsc=\"{id}\" node=\"{node}\" score=\"-INFINITY\"/>")
    };
    let devices = [device("a", &[], ""), device("b", &[], "")].concat();
    let constraints = [never("a", "host1"), never("b", "host1"), never("a", "host2")].concat();
    let cib = cib("", &devices, &constraints);
    let choice = choose(&cib, "host3", HostId(1), &members()).expect("a choice");
    assert_eq!((choice.by, ids(&choice)), (HostId(2), vec!["b"]));
    let choice = choose(&cib, "host2", HostId(3), &members()).expect("a choice");
    assert_eq!((choice.by, ids(&choice)), (HostId(3), vec!["a", "b"]));
    assert_eq!(choose(&cib, "host2", HostId(1), &BTreeMap::from([(HostId(1), "host1".into())])), None);
}

#[test]
fn names_at_the_device_come_from_the_map() {
    let map = r"host1:1;host2:2,3 host3:slot\ 4\;a;broken";
    let cib = cib("", &device("m", &[("pcmk_host_map", map), ("pcmk_host_argument", "ip")], ""), "");
    let port = |target: &str| {
        let choice = choose(&cib, target, HostId(9), &members())?;
        assert_eq!(choice.devices[0].parameters["ip"], choice.devices[0].port);
        Some(choice.devices[0].port.clone())
    };
    assert_eq!(port("host1").as_deref(), Some("1"));
    assert_eq!(port("host2").as_deref(), Some("2,3"));
    assert_eq!(port("host3").as_deref(), Some("slot 4;a"));
    assert_eq!(port("host4"), None);
    assert_eq!(port("broken"), None);
}

#[test]
fn the_kind_of_check_decides_whom_a_device_can_fence() {
    let can = |parameters: &[(&str, &str)]| {
        choose(&cib("", &device("d", parameters, ""), ""), "host2", HostId(1), &members()).is_some()
    };
    assert!(can(&[]));
    assert!(!can(&[("pcmk_host_check", "static-list")]));
    assert!(!can(&[("pcmk_host_list", "host1")]));
    assert!(can(&[("pcmk_host_list", "host1"), ("pcmk_host_check", "none")]));
    assert!(can(&[("pcmk_host_list", "host1 host2"), ("pcmk_host_check", "static-list")]));
}

#[test]
fn times_and_actions_are_those_of_the_cluster_or_the_device() {
    let properties = [pair("p", "stonith-timeout", "2min"), pair("p", "fencing-action", "off")].concat();
    let choice = choose(&cib(&properties, &device("d", &[], ""), ""), "host2", HostId(1), &members());
    let choice = choice.expect("a choice");
    assert_eq!((choice.action.as_str(), choice.timeout_ms), ("off", 144_000));
    let own = device("d", &[("pcmk_off_timeout", "10"), ("pcmk_reboot_action", "off")], "");
    let choice = choose(&cib("", &own, ""), "host2", HostId(1), &members()).expect("a choice");
    assert_eq!((choice.action.as_str(), choice.timeout_ms), ("off", 12_000));
    assert_eq!(attempts_maximum(&cib("", "", "")), 10);
    assert_eq!(attempts_maximum(&cib(&pair("p", "stonith-max-attempts", "3"), "", "")), 3);
    assert_eq!(attempts_maximum(&cib(&pair("p", "stonith-max-attempts", "0"), "", "")), 10);
}
