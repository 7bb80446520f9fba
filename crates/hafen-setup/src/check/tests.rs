//! Situations, and the lines that they must lead to.

use hafen_protocol::client::FenceCheck;

use super::*;
use crate::network::InterfaceAddress;

const CONF: &str = "totem {\n version: 2\n cluster_name: test\n config_version: 3\n crypto_cipher: aes256\n crypto_hash: sha256\n}\n\
    nodelist {\n node {\n name: host1\n nodeid: 1\n ring0_addr: 10.0.0.1\n ring1_addr: 10.0.1.1\n }\n\
    node {\n name: host2\n nodeid: 2\n ring0_addr: 10.0.0.2\n ring1_addr: 10.0.1.2\n }\n\
    node {\n name: host3\n nodeid: 3\n ring0_addr: 10.0.0.3\n ring1_addr: 10.0.1.3\n }\n}\n\
    quorum {\n provider: corosync_votequorum\n}\n";

const CIB: &str = r#"<cib admin_epoch="0" epoch="1" num_updates="0"><configuration><crm_config/>
    <nodes><node id="1" uname="host1"/><node id="2" uname="host2"/><node id="3" uname="host3"/></nodes>
    <resources><primitive id="st" class="stonith" type="fence_x"><instance_attributes id="st-ia">
    <nvpair id="st-l" name="pcmk_host_list" value="host1 host2 host3"/></instance_attributes></primitive>
    </resources><constraints/></configuration></cib>"#;

fn facts(name: &str, id: u8) -> Facts {
    let address = |link: u8| InterfaceAddress {
        interface: format!("eth{link}"),
        address: [10, 0, link, id].into(),
        prefix: 24,
    };
    let interface =
        |name: &str| InterfaceFacts { name: name.to_owned(), mtu: 1500, ..InterfaceFacts::default() };
    let names = (1..=3).map(|id: u8| (format!("host{id}"), vec![[10, 0, 0, id].into()]));
    let links = (1..=3)
        .filter(|to| *to != id)
        .flat_map(|to| (0..2).map(move |link| LinkState { link, to: to.into(), connected: true }));
    Facts {
        name: name.to_owned(),
        version: "1.0".to_owned(),
        addresses: vec![address(0), address(1)],
        check: CheckFacts {
            names: names.collect(),
            corosync_conf: Some("digest".to_owned()),
            running_config_version: Some(3),
            corosync: Some("3.1.7".to_owned()),
            interfaces: vec![interface("eth0"), interface("eth1")],
            links: links.collect(),
            ..CheckFacts::default()
        },
        ..Facts::default()
    }
}

fn check(device: &str, succeeded: bool) -> FenceCheck {
    FenceCheck {
        device: device.to_owned(),
        target: None,
        by: "host1".to_owned(),
        action: "monitor".to_owned(),
        succeeded,
        answer: "login failed".to_owned(),
        took_ms: 5,
    }
}

/// Three hosts, two links, one fence device: nothing wrong.
fn healthy() -> Situation {
    let answer = |name: &str, id| Answer::Facts { facts: Box::new(facts(name, id)), ahead_ms: 3, took_ms: 2 };
    let measure = |from: &str, to: &str, link| LinkMeasure {
        from: from.to_owned(),
        to: to.to_owned(),
        link,
        echoes: 3,
        shortest_us: 100,
        median_us: 100,
        longest_us: 100,
        failure: None,
    };
    Situation {
        own: "host1".to_owned(),
        facts: facts("host1", 1),
        conf: Some(CONF.parse().expect("sound")),
        others: [("host2".to_owned(), answer("host2", 2)), ("host3".to_owned(), answer("host3", 3))].into(),
        measures: vec![measure("host1", "host2", 0), measure("host2", "host1", 0)],
        peer_port: 5410,
        daemon: Some(DaemonView {
            quorate: true,
            drill: Some(Ok(vec![check("st", true)])),
            ..DaemonView::default()
        }),
        cib: Some(Cib::parse(CIB).expect("sound")),
        ..Situation::default()
    }
}

fn second(situation: &mut Situation) -> &mut Facts {
    match situation.others.get_mut("host2") {
        Some(Answer::Facts { facts, .. }) => facts,
        _ => panic!("host2 answers"),
    }
}

#[test]
fn a_healthy_cluster_has_a_line_for_every_topic_and_no_worse_than_advice() {
    let lines = judge(&healthy());
    assert!(worst(&lines) <= Level::Advice, "{lines:#?}");
    let topics: std::collections::BTreeSet<Topic> = lines.iter().map(|line| line.topic).collect();
    assert_eq!(topics.len(), 12, "{lines:#?}");
}

#[test]
fn whatever_is_wrong_is_said_with_what_mends_it() {
    type Break = fn(&mut Situation);
    let cases: [(Break, Topic, Level, &str); 25] = [
        (
            |s| second(s).check.names.get_mut("host3").expect("known").clear(),
            Topic::Names,
            Level::Warning,
            "on host2, the name host3 does not resolve",
        ),
        (
            |s| drop(s.facts.check.names.insert("host1".into(), vec![[127, 0, 1, 1].into()])),
            Topic::Names,
            Level::Warning,
            "127.0.1.1",
        ),
        (
            |s| drop(s.facts.check.names.insert("host2".into(), vec![[10, 9, 9, 9].into()])),
            Topic::Names,
            Level::Warning,
            "10.9.9.9",
        ),
        (
            |s| {
                if let Some(Answer::Facts { ahead_ms, .. }) = s.others.get_mut("host2") {
                    *ahead_ms = -5_000;
                }
            },
            Topic::Clocks,
            Level::Warning,
            "host2 is 4.9 s behind",
        ),
        (
            |s| {
                if let Some(Answer::Facts { ahead_ms, .. }) = s.others.get_mut("host2") {
                    *ahead_ms = 3_600_000;
                }
            },
            Topic::Clocks,
            Level::Error,
            "ahead of",
        ),
        (|s| second(s).version = "0.9".into(), Topic::Versions, Level::Warning, "0.9 on host2"),
        (
            |s| second(s).check.corosync = Some("3.1.5".into()),
            Topic::Versions,
            Level::Warning,
            "several versions of corosync",
        ),
        (
            |s| second(s).check.corosync_conf = Some("other".into()),
            Topic::Configuration,
            Level::Error,
            "corosync.conf of host2 differs",
        ),
        (
            |s| second(s).check.corosync_conf = None,
            Topic::Configuration,
            Level::Error,
            "host2 has no corosync.conf",
        ),
        (
            |s| second(s).check.running_config_version = Some(2),
            Topic::Configuration,
            Level::Warning,
            "runs version 2",
        ),
        (
            |s| {
                s.measures[1].echoes = 0;
                s.measures[1].failure = Some("refused".into());
            },
            Topic::Ports,
            Level::Error,
            "from host2 to host1 on link 0, TCP port 5410: refused",
        ),
        (
            |s| second(s).check.links[1].connected = false,
            Topic::Ports,
            Level::Error,
            "Corosync on host2 has no connection to host1 on link 1 (UDP 5406)",
        ),
        (|s| s.facts.check.links.clear(), Topic::Ports, Level::Ok, "ways open"),
        (
            |s| second(s).check.interfaces[1].mtu = 9000,
            Topic::Mtu,
            Level::Error,
            "link 1 differs: 1500 on host1, host3; 9000 on host2",
        ),
        (
            |s| s.cib = Some(Cib::parse(&CIB.replace("host1 host2 host3", "host1 host2")).expect("sound")),
            Topic::Fencing,
            Level::Error,
            "no device can fence host3",
        ),
        (
            |s| {
                s.daemon = Some(DaemonView {
                    quorate: true,
                    drill: Some(Ok(vec![check("st", false)])),
                    ..DaemonView::default()
                })
            },
            Topic::Fencing,
            Level::Error,
            "login failed",
        ),
        (
            |s| {
                s.cib = Some(Cib::parse(&CIB.replace("<crm_config/>", r#"<crm_config><cluster_property_set id="o"><nvpair id="o-s" name="stonith-enabled" value="false"/></cluster_property_set></crm_config>"#)).expect("sound"))
            },
            Topic::Fencing,
            Level::Error,
            "stonith-enabled is false",
        ),
        (
            |s| s.cib = Some(Cib::parse(&CIB.replace("fence_x", "external/ssh")).expect("sound")),
            Topic::Fencing,
            Level::Warning,
            "proves nothing",
        ),
        (
            |s| {
                second(s).check.watchdog =
                    WatchdogFacts { configured: Some("/dev/watchdog".into()), ..WatchdogFacts::default() }
            },
            Topic::Watchdog,
            Level::Error,
            "which is not there",
        ),
        (
            |s| {
                s.conf
                    .as_mut()
                    .expect("a configuration")
                    .top("quorum")
                    .section_mut("device")
                    .set("model", "net");
                s.cib = Some(Cib::parse(&CIB.replace(
                    "<crm_config/>",
                    r#"<crm_config><cluster_property_set id="o"><nvpair id="o-w" name="stonith-watchdog-timeout" value="20s"/></cluster_property_set></crm_config>"#,
                )).expect("a CIB"));
            },
            Topic::Watchdog,
            Level::Error,
            "after the others take it for reset",
        ),
        (
            |s| s.daemon = Some(DaemonView { silent: Some("refused".into()), ..DaemonView::default() }),
            Topic::Cluster,
            Level::Error,
            "does not answer",
        ),
        (|s| s.daemon = Some(DaemonView::default()), Topic::Cluster, Level::Error, "no quorum"),
        (
            |s| {
                drop(s.others.insert(
                    "host3".into(),
                    Answer::Silent { what: "host3 does not answer".into(), mend: "Start it".into() },
                ))
            },
            Topic::Hosts,
            Level::Error,
            "host3 does not answer; it is not checked",
        ),
        (
            |s| {
                second(s).check.storage.insert("iqn.a".into(), 1);
            },
            Topic::SinglePoint,
            Level::Warning,
            "host2 reaches the storage iqn.a by 1 path",
        ),
        (
            |s| s.conf = Some(CONF.replace(" ring1_addr", " # ring1_addr").parse().expect("sound")),
            Topic::SinglePoint,
            Level::Warning,
            "there is one link",
        ),
    ];
    for (spoil, topic, level, wanted) in cases {
        let mut situation = healthy();
        spoil(&mut situation);
        let lines = judge(&situation);
        let found = lines.iter().find(|line| line.what.contains(wanted));
        let found = found.unwrap_or_else(|| panic!("{wanted} in {lines:#?}"));
        assert_eq!((found.topic, found.level), (topic, level), "{wanted}");
        assert!(level == Level::Ok || !found.mend.is_empty(), "{wanted}");
        if level >= Level::Warning {
            let fine = lines.iter().any(|line| line.topic == topic && line.level == Level::Ok);
            assert!(
                !fine || matches!(topic, Topic::Cluster | Topic::Ports | Topic::SinglePoint),
                "{wanted}: {lines:#?}"
            );
        }
    }
}

#[test]
fn links_that_share_something_are_no_redundancy() {
    let mut situation = healthy();
    for address in &mut situation.facts.addresses {
        address.interface = "eth0".to_owned();
    }
    let text = format!("{:#?}", judge(&situation));
    assert!(text.contains("links 0 and 1 use the same interface eth0"), "{text}");
    let mut situation = healthy();
    for interface in &mut situation.facts.check.interfaces {
        interface.hardware = vec!["0000:03:00".to_owned()];
    }
    assert!(format!("{:#?}", judge(&situation)).contains("two ports of one network card"));
}

#[test]
fn the_arithmetic_of_votes() {
    let conf = |hosts: usize, quorum: &str| {
        let node =
            |id: usize| format!("node {{\n name: h{id}\n nodeid: {id}\n ring0_addr: 10.0.0.{id}\n }}\n");
        let nodes: String = (1..=hosts).map(node).collect();
        format!("nodelist {{\n{nodes}}}\nquorum {{\n provider: corosync_votequorum\n{quorum}}}\n")
    };
    let cases = [
        (1, "", Level::Advice, "one host"),
        (2, "two_node: 1\n", Level::Ok, "two hosts, two_node: one may be lost"),
        (2, "", Level::Error, "two hosts without two_node"),
        (2, "two_node: 1\nwait_for_all: 0\n", Level::Error, "shoot each other"),
        (2, "device {\n model: net\n }\n", Level::Ok, "quorum device: one of the three"),
        (3, "", Level::Ok, "2 of 3 votes are needed, 1 may be lost"),
        (4, "", Level::Advice, "4 votes bear the loss of no more than 3 do"),
        (5, "", Level::Ok, "3 of 5 votes are needed, 2 may be lost"),
        (3, "expected_votes: 5\n", Level::Error, "expected_votes is 5, and there are 3 hosts"),
    ];
    for (hosts, quorum, level, wanted) in cases {
        let situation =
            Situation { conf: Some(conf(hosts, quorum).parse().expect("sound")), ..Situation::default() };
        let lines = judge(&situation);
        let found = lines.iter().find(|line| line.topic == Topic::Quorum && line.what.contains(wanted));
        let found = found.unwrap_or_else(|| panic!("{wanted} in {lines:#?}"));
        assert_eq!(found.level, level, "{wanted}");
    }
}

#[test]
fn before_there_is_a_cluster_it_says_how_to_begin_one() {
    let mut facts = facts("host1", 1);
    facts.check.links.clear();
    let lines = judge(&Situation { own: "host1".into(), facts, ..Situation::default() });
    assert!(lines.iter().any(|line| line.mend.contains("hafen init")), "{lines:#?}");
    assert!(worst(&lines) < Level::Error, "{lines:#?}");
}

#[test]
fn a_host_that_is_off_is_told_once() {
    let mut situation = healthy();
    let silent = Answer::Silent { what: "host3 does not answer".into(), mend: "Start it".into() };
    situation.others.insert("host3".into(), silent);
    let cut = |facts: &mut Facts| {
        facts.check.links.iter_mut().filter(|link| link.to == 3).for_each(|link| link.connected = false);
    };
    cut(&mut situation.facts);
    cut(second(&mut situation));
    situation.measures[0].to = "host3".into();
    situation.measures[0].failure = Some("refused".into());
    let errors: Vec<Line> = judge(&situation).into_iter().filter(|line| line.level == Level::Error).collect();
    assert_eq!(errors.len(), 1, "{errors:#?}");
}
