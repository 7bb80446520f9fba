//! Devices, levels, delays and members chosen from configurations.

use std::collections::BTreeSet;

use super::*;

fn cib(properties: &str, resources: &str, rest: &str) -> Cib {
    let nodes: String = (1..=3).map(|id| format!("<node id=\"{id}\" uname=\"host{id}\"/>")).collect();
    let (constraints, topology) = rest.split_once("<!---->").unwrap_or((rest, ""));
    let text = format!(
        "<cib><configuration><crm_config><cluster_property_set id=\"cib-bootstrap-options\">{properties}\
         </cluster_property_set></crm_config><nodes>{nodes}</nodes><resources>{resources}</resources>\
         <constraints>{constraints}</constraints><fencing-topology>{topology}</fencing-topology></configuration>\
         <status/></cib>"
    );
    Cib::parse(&text).expect("a CIB")
}

fn topology(levels: &[(&str, u32, &str)]) -> String {
    let level = |(at, (target, index, devices)): (usize, &(&str, u32, &str))| {
        format!("<fencing-level id=\"l{at}\" {target} index=\"{index}\" devices=\"{devices}\"/>")
    };
    format!("<!---->{}", levels.iter().enumerate().map(level).collect::<String>())
}

fn pair(owner: &str, name: &str, value: &str) -> String {
    format!("<nvpair id=\"{owner}-{name}\" name=\"{name}\" value=\"{value}\"/>")
}

fn device_of(agent: &str, id: &str, parameters: &[(&str, &str)], meta: &str) -> String {
    let pairs: String = parameters.iter().map(|(name, value)| pair(id, name, value)).collect();
    format!(
        "<primitive id=\"{id}\" class=\"stonith\" type=\"{agent}\"><instance_attributes id=\"{id}-i\">{pairs}\
         </instance_attributes><meta_attributes id=\"{id}-m\">{meta}</meta_attributes></primitive>"
    )
}

fn device(id: &str, parameters: &[(&str, &str)], meta: &str) -> String {
    device_of("fence_x", id, parameters, meta)
}

fn never(id: &str, node: &str) -> String {
    format!("<rsc_location id=\"{id}-{node}\" rsc=\"{id}\" node=\"{node}\" score=\"-INFINITY\"/>")
}

/// Chooses, with the hosts 1 to 3 as members but those that are left out.
struct Asked<'a> {
    cib: &'a Cib,
    learned: Learned,
    facts: FencingFacts,
    coordinator: u32,
    members: Vec<u32>,
    majority: bool,
    random: u64,
}

impl<'a> Asked<'a> {
    fn of(cib: &'a Cib) -> Self {
        let facts = hafen_scheduler::fencing_facts(cib, 0);
        let members = vec![1, 2, 3];
        Asked { cib, learned: Learned::default(), facts, coordinator: 1, members, majority: true, random: 0 }
    }

    fn choose(&self, target: &str, action: &str) -> Result<Choice, String> {
        let members = self.members.iter().map(|host| (HostId(*host), format!("host{host}"))).collect();
        let situation = Situation {
            cib: self.cib,
            facts: &self.facts,
            learned: &self.learned,
            coordinator: HostId(self.coordinator),
            members: &members,
            hosts: 3,
            majority: self.majority,
            random: self.random,
        };
        choose(&situation, target, action)
    }
}

fn reboot(cib: &Cib, target: &str) -> Result<Choice, String> {
    Asked::of(cib).choose(target, "reboot")
}

fn ids(choice: &Choice) -> Vec<String> {
    let level = |level: &Vec<FenceDevice>| {
        level.iter().map(|device| device.id.as_str()).collect::<Vec<_>>().join("+")
    };
    choice.levels.iter().map(level).collect()
}

#[test]
fn the_coordinator_fences_with_the_device_that_names_the_target() {
    let devices = [
        device("any", &[("address", "a")], ""),
        device("other", &[("pcmk_host_list", "host1, host3")], ""),
        device("own", &[("pcmk_host_list", "host1,host2"), ("address", "b"), ("pcmk_delay_base", "1s")], ""),
        device("off", &[], &pair("off", "target-role", "stopped")),
    ];
    let cib = cib("", &devices.concat(), "");
    let choice = Asked { coordinator: 3, ..Asked::of(&cib) }.choose("host2", "reboot").expect("a choice");
    assert_eq!((choice.by, choice.delay_ms), (HostId(3), 1000));
    assert_eq!(ids(&choice), ["own", "any"]);
    assert_eq!((choice.action.as_str(), choice.timeout_ms), ("reboot", 144_000));
    let own = &choice.levels[0][0];
    assert_eq!((own.agent.as_str(), own.port.as_str()), ("fence_x", "host2"));
    assert_eq!(own.parameters, BTreeMap::from([("address".to_owned(), "b".to_owned())]));
}

#[test]
fn a_host_fences_itself_only_where_nobody_else_can() {
    let cib = cib("", &device("any", &[], ""), "");
    assert_eq!(
        Asked { coordinator: 3, ..Asked::of(&cib) }.choose("host3", "off").expect("a choice").by,
        HostId(1)
    );
    let alone = Asked { members: vec![3], coordinator: 3, ..Asked::of(&cib) };
    assert_eq!(alone.choose("host3", "off").expect("a choice").by, HostId(3));
}

#[test]
fn a_member_that_must_not_use_the_device_is_passed_over() {
    let devices = [device("a", &[], ""), device("b", &[], "")].concat();
    let constraints = [never("a", "host1"), never("b", "host1"), never("a", "host2")].concat();
    let cib = cib("", &devices, &constraints);
    let choice = reboot(&cib, "host3").expect("a choice");
    assert_eq!(
        (choice.by, ids(&choice)),
        (HostId(3), vec!["a".into(), "b".into()]),
        "it can do the first level"
    );
    let two = Asked { members: vec![1, 2], ..Asked::of(&cib) };
    let choice = two.choose("host3", "reboot").expect("a choice");
    assert_eq!((choice.by, ids(&choice)), (HostId(2), vec!["b".to_owned()]));
    let one = Asked { members: vec![1], ..Asked::of(&cib) }.choose("host2", "reboot").expect_err("nobody");
    assert_eq!(one, "no device can fence host2: location constraints keep a, b off host1");
}

#[test]
fn rules_of_location_constraints_are_judged() {
    let rule = "<rsc_location id=\"r\" rsc=\"a\"><rule id=\"rr\" score=\"-INFINITY\" boolean-op=\"or\">\
                <expression id=\"e1\" attribute=\"#uname\" operation=\"eq\" value=\"host1\"/>\
                <expression id=\"e2\" attribute=\"#uname\" operation=\"eq\" value=\"host3\"/></rule></rsc_location>";
    let cib = cib("", &device("a", &[], ""), rule);
    assert_eq!(reboot(&cib, "host3").expect("a choice").by, HostId(2));
}

#[test]
fn a_member_where_the_device_is_started_is_preferred() {
    let cib = cib("", &device("a", &[], ""), "");
    let mut asked = Asked::of(&cib);
    asked.facts.started_on.insert("a".to_owned(), BTreeSet::from(["host2".to_owned()]));
    assert_eq!(asked.choose("host3", "reboot").expect("a choice").by, HostId(2));
    assert_eq!(asked.choose("host2", "reboot").expect("a choice").by, HostId(1), "but not for itself");
}

#[test]
fn names_at_the_device_come_from_the_map() {
    let map = r"host1:1;host2:2,3 host3:slot\ 4\;a";
    let cib = cib("", &device("m", &[("pcmk_host_map", map), ("pcmk_host_argument", "ip")], ""), "");
    let port = |target: &str| {
        let choice = reboot(&cib, target).ok()?;
        let device = &choice.levels[0][0];
        assert_eq!(device.parameters, BTreeMap::from([("pcmk_host_argument".to_owned(), "ip".to_owned())]));
        Some(device.port.clone())
    };
    assert_eq!(port("host1").as_deref(), Some("1"));
    assert_eq!(port("host2").as_deref(), Some("2,3"));
    assert_eq!(port("host3").as_deref(), Some("slot 4;a"));
    assert_eq!(port("host4"), None);
}

#[test]
fn the_kind_of_check_and_the_devices_own_word_decide_whom_it_can_fence() {
    let can = |parameters: &[(&str, &str)], learned: Option<bool>| {
        let cib = cib("", &device("d", parameters, ""), "");
        let mut asked = Asked::of(&cib);
        let targets = learned.map(|able| ("host2".to_owned(), able)).into_iter().collect();
        asked
            .learned
            .devices
            .insert("d".to_owned(), DeviceKnowledge { targets, ..DeviceKnowledge::default() });
        asked.choose("host2", "reboot").is_ok()
    };
    assert!(can(&[], None));
    assert!(!can(&[], Some(false)));
    assert!(can(&[("pcmk_host_check", "dynamic-list")], Some(true)));
    assert!(!can(&[("pcmk_host_check", "static-list")], None));
    assert!(!can(&[("pcmk_host_list", "host1")], None));
    assert!(can(&[("pcmk_host_list", "host1"), ("pcmk_host_check", "none")], None));
    assert!(can(&[("pcmk_host_list", "host1 host2"), ("pcmk_host_check", "static-list")], None));
    let cib = cib("", &device_of("external/ssh", "s", &[("hostlist", "host1 host3")], ""), "");
    assert!(reboot(&cib, "host3").is_ok());
    assert_eq!(
        reboot(&cib, "host2").expect_err("no device"),
        "no device can fence host2: s is for host1, host3"
    );
}

#[test]
fn actions_times_and_tries_are_those_of_the_cluster_or_the_device() {
    let properties = [pair("p", "stonith-timeout", "2min"), pair("p", "fencing-action", "off")].concat();
    let choice = reboot(&cib(&properties, &device("d", &[], ""), ""), "host2").expect("a choice");
    assert_eq!((choice.action.as_str(), choice.timeout_ms), ("off", 144_000));
    let own = [
        ("pcmk_reboot_timeout", "10"),
        ("pcmk_reboot_action", "cycle"),
        ("pcmk_off_retries", "5"),
        ("pcmk_action_limit", "-1"),
    ];
    let choice = reboot(&cib("", &device("d", &own, ""), ""), "host2").expect("a choice");
    let device = &choice.levels[0][0];
    assert_eq!((choice.action.as_str(), choice.timeout_ms, device.action_limit), ("reboot", 12_000, -1));
    let action = |name: &str| device.actions[name].clone();
    assert_eq!((action("reboot").name.as_str(), action("reboot").timeout_ms), ("cycle", Some(10_000)));
    assert_eq!(
        (action("off").name.as_str(), action("off").timeout_ms, action("off").retries),
        ("off", Some(60_000), 5)
    );
    assert_eq!(action("status").retries, 2);
    assert_eq!(attempts_maximum(&cib("", "", "")), 10);
    assert_eq!(attempts_maximum(&cib(&pair("p", "stonith-max-attempts", "3"), "", "")), 3);
    assert_eq!(attempts_maximum(&cib(&pair("p", "stonith-max-attempts", "0"), "", "")), 10);
}

#[test]
fn levels_are_tried_by_index_and_hold_several_devices() {
    let devices: String = ["ipmi", "pdu1", "pdu2"].map(|id| device(id, &[], "")).concat();
    let levels = topology(&[
        ("target=\"host2\"", 2, "pdu1, pdu2"),
        ("target=\"HOST2\"", 1, "ipmi"),
        ("target=\"host3\"", 1, "ipmi,missing"),
        ("target=\"host3\"", 12, "ipmi"),
    ]);
    let cib = cib("", &devices, &levels);
    let choice = reboot(&cib, "host2").expect("a choice");
    assert_eq!(ids(&choice), ["ipmi", "pdu1+pdu2"]);
    assert_eq!(choice.timeout_ms, 3 * 72_000);
    let error = reboot(&cib, "host3").expect_err("the only level lacks a device");
    assert_eq!(error, "no device can fence host3: level 1 needs missing, which cannot");
    assert_eq!(
        ids(&reboot(&cib, "host1").expect("a choice")),
        ["ipmi", "pdu1", "pdu2"],
        "it has no topology"
    );
}

#[test]
fn a_level_belongs_to_a_name_then_a_pattern_then_an_attribute() {
    let devices: String = ["a", "b", "c"].map(|id| device(id, &[], "")).concat();
    let levels = topology(&[
        ("target-attribute=\"rack\" target-value=\"7\"", 1, "c"),
        ("target-pattern=\"^host(1|2)$\"", 1, "b"),
        ("target-pattern=\"(((\"", 1, "c"),
        ("target=\"host1\"", 1, "a"),
    ]);
    let mut text = cib("", &devices, &levels).to_xml();
    let node = "<node id=\"3\" uname=\"host3\"/>";
    assert!(text.contains(node));
    let rack = format!(
        "<node id=\"3\" uname=\"host3\"><instance_attributes id=\"n3\">{}</instance_attributes></node>",
        pair("n3", "rack", "7")
    );
    text = text.replace(node, &rack);
    let cib = Cib::parse(&text).expect("a CIB");
    let chosen =
        ["host1", "host2", "host3"].map(|target| ids(&reboot(&cib, target).expect("a choice")).concat());
    assert_eq!(chosen, ["a", "b", "c"]);
}

#[test]
fn delays_add_up_and_stay_below_their_maximum() {
    let parameters = [("pcmk_delay_base", "host1:2s;host2:5s"), ("pcmk_delay_max", "8s")];
    let of_map = cib("", &device("d", &parameters, ""), "");
    let mut seen = BTreeSet::new();
    for random in 0..200 {
        let delay_ms =
            Asked { random, ..Asked::of(&of_map) }.choose("host2", "off").expect("a choice").delay_ms;
        assert!((5000..8000).contains(&delay_ms), "{delay_ms}");
        seen.insert(delay_ms);
    }
    assert!(seen.len() > 100, "they differ: {}", seen.len());
    assert!((0..8000).contains(&reboot(&of_map, "host3").expect("a choice").delay_ms));
    assert_eq!(Asked::of(&of_map).choose("host2", "on").expect("a choice").delay_ms, 0);
    let later = [device("now", &[], ""), device("late", &[("pcmk_delay_base", "3s")], "")].concat();
    let choice = reboot(&cib("", &later, ""), "host2").expect("a choice");
    assert_eq!((choice.delay_ms, choice.levels[1][0].delay_ms), (0, 3000));
}

#[test]
fn the_most_valuable_host_is_shot_later_by_a_part_without_a_majority() {
    let properties = pair("p", "priority-fencing-delay", "10s");
    let cib = cib(&properties, &device("d", &[("pcmk_delay_base", "1s")], ""), "");
    let delay_ms = |members: &[u32], worth: [i32; 3], target: &str| {
        let mut asked = Asked { members: members.to_vec(), ..Asked::of(&cib) };
        asked.facts.priorities = (1..).zip(worth).map(|(id, worth)| (format!("host{id}"), worth)).collect();
        asked.choose(target, "reboot").expect("a choice").delay_ms
    };
    assert_eq!(delay_ms(&[1], [0, 7, 0], "host2"), 11_000);
    assert_eq!(delay_ms(&[1], [0, 7, 0], "host3"), 1000, "it is worth less");
    assert_eq!(delay_ms(&[1], [4, 4, 4], "host2"), 1000, "all are worth the same");
    assert_eq!(delay_ms(&[1, 3], [0, 7, 0], "host2"), 1000, "two of three are the majority");
}

#[test]
fn unfencing_is_done_by_all_devices_that_give_access_back() {
    let devices = [
        device("power", &[], ""),
        device("scsi", &[], ""),
        device("fabric", &[], &pair("f", "provides", "unfencing")),
    ];
    let cib = cib("", &devices.concat(), "");
    let mut asked = Asked::of(&cib);
    let known = DeviceKnowledge { unfences: true, on_target: true, ..DeviceKnowledge::default() };
    asked.learned.devices.insert("scsi".to_owned(), known);
    let choice = asked.choose("host3", "on").expect("a choice");
    assert_eq!((ids(&choice), choice.by), (vec!["scsi+fabric".to_owned()], HostId(3)));
    let choice = Asked { members: vec![3, 2], ..Asked::of(&cib) }.choose("host3", "on").expect("a choice");
    assert_eq!((ids(&choice), choice.by), (vec!["fabric".to_owned()], HostId(2)));
}

#[test]
fn a_hosts_own_watchdog_is_the_last_resort() {
    let properties = pair("p", "stonith-watchdog-timeout", "40s");
    let nobody = cib(&properties, "", "");
    let choice = reboot(&nobody, "host2").expect("a choice");
    assert_eq!((ids(&choice), choice.timeout_ms), (vec!["watchdog".to_owned()], 48_000));
    assert_eq!(choice.levels[0][0].agent, WATCHDOG_AGENT);
    let both = cib(&properties, &device("d", &[], ""), &never("d", "host1"));
    let one = Asked { members: vec![1], ..Asked::of(&both) }.choose("host2", "off").expect("a choice");
    assert_eq!(ids(&one), ["watchdog"]);
    let half = Asked { members: vec![1], majority: false, ..Asked::of(&nobody) }.choose("host2", "off");
    assert!(half.expect_err("both halves would count on it").contains("more than half"));
    assert_eq!(ids(&reboot(&both, "host3").expect("a choice")), ["d", "watchdog"]);
    let limited = cib(&properties, &device_of(WATCHDOG_AGENT, "w", &[("pcmk_host_list", "host1")], ""), "");
    assert_eq!(ids(&reboot(&limited, "host1").expect("a choice")), ["w"]);
    assert!(reboot(&limited, "host2").expect_err("none").contains("w is for host1"));
    let unset = cib("", &device_of(WATCHDOG_AGENT, "w", &[], ""), "");
    assert!(reboot(&unset, "host2").expect_err("none").contains("stonith-watchdog-timeout"));
}

#[test]
fn what_cannot_fence_says_why() {
    assert_eq!(
        reboot(&cib("", "", ""), "host2").expect_err("none"),
        "no device can fence host2: none is configured"
    );
    let stopped = device("d", &[], &pair("d", "target-role", "Stopped"));
    let error = reboot(&cib("", &stopped, ""), "host2").expect_err("none");
    assert_eq!(error, "no device can fence host2: d is switched off (target-role=Stopped)");
}

#[test]
fn checks_name_devices_targets_and_how_they_are_found() {
    let devices = [
        device("list", &[("pcmk_host_map", "host1:1;host2:2")], ""),
        device("ask", &[("pcmk_host_check", "status")], ""),
        device("off", &[], &pair("off", "target-role", "Stopped")),
    ];
    let cib = cib("", &devices.concat(), &never("list", "host1"));
    let facts = hafen_scheduler::fencing_facts(&cib, 0);
    let hosts = ["host1", "host2", "host3"].map(str::to_owned);
    let found = checks(&cib, &facts, &hosts, "host1");
    let kinds: Vec<_> =
        found.iter().map(|check| (check.device.id.as_str(), check.kind, check.allowed)).collect();
    assert_eq!(kinds, [("list", CheckKind::Static, false), ("ask", CheckKind::Status, true)]);
    assert_eq!(found[0].targets, [("host1", "1"), ("host2", "2")].map(|(a, b)| (a.to_owned(), b.to_owned())));
    assert_eq!(found[1].targets.len(), 3);
}

#[test]
fn devices_that_prove_nothing_are_warned_of() {
    let devices =
        [device_of("external/ssh", "s", &[], ""), device_of("null", "n", &[], ""), device("real", &[], "")];
    let lines = warnings(&cib("", &devices.concat(), ""));
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("s: ssh") && lines[1].starts_with("n: null"), "{lines:?}");
}
