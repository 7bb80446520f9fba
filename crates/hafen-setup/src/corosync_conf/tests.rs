use super::*;

const HAND_EDITED: &str = "# our cluster\ntotem {\n  version: 2\n\tcluster_name:  c1 \n  interface {\n    linknumber: 0\n  }\n}\n\n\
    quorum {\n  provider: corosync_votequorum\n  two_node: 1\n  device {\n    model: net\n  }\n}\nmystery {\n a: b:c\n}\n\
    nodelist {\n  node {\n    name: host1\n    nodeid: 1\n    ring0_addr: 10.0.0.1\n    quorum_votes: 3\n  }\n}\n";

fn parsed(text: &str) -> CorosyncConf {
    text.parse().expect("a configuration")
}

fn node(id: u32) -> NodeEntry {
    let addresses = [(0, format!("10.0.0.{id}"))].into();
    NodeEntry { id, name: format!("host{id}"), addresses }
}

#[test]
fn what_is_not_known_survives_an_edit() {
    let mut conf = parsed(HAND_EDITED);
    conf.add_node(&node(2));
    conf.raise_config_version();
    let text = conf.to_string();
    for kept in ["# our cluster", "mystery {", "a: b:c", "quorum_votes: 3", "model: net", "linknumber: 0"] {
        assert!(text.contains(kept), "{kept} is lost in\n{text}");
    }
    assert!(text.contains("config_version: 1"), "{text}");
    assert_eq!(parsed(&text), conf, "what is written can be read again");
    assert_eq!(conf.node("host2"), Some(node(2)));
}

#[test]
fn text_that_is_no_configuration_is_refused_with_its_line() {
    for (text, line, part) in [
        ("totem {\nversion 2\n}\n", 2, "neither"),
        ("totem {\nversion: 2\n", 1, "not closed"),
        ("}\n", 1, "closes no section"),
        ("a b {\n}\n", 1, "no name of a section"),
        ("to tem: 1\n", 1, "no key"),
    ] {
        let error = text.parse::<CorosyncConf>().expect_err(text);
        assert_eq!(error.line, line, "{text}: {error}");
        assert!(error.detail.contains(part), "{text}: {error}");
    }
    let deep = "s {\n".repeat(1000);
    assert!(deep.parse::<CorosyncConf>().is_err());
}

#[test]
fn two_node_follows_the_number_of_hosts_and_the_device() {
    let mut conf = CorosyncConf::default();
    let mut seen = Vec::new();
    for id in 1..=3 {
        conf.add_node(&node(id));
        conf.derive_two_node();
        seen.push(conf.value("quorum", "two_node") == Some("1"));
    }
    assert!(conf.remove_node("host3"));
    conf.derive_two_node();
    seen.push(conf.value("quorum", "two_node") == Some("1"));
    conf.top("quorum").section_mut("device").set("model", "net");
    conf.derive_two_node();
    seen.push(conf.value("quorum", "two_node") == Some("1"));
    assert_eq!(seen, [false, true, false, true, false]);
}

#[test]
fn the_later_of_two_values_counts_and_is_changed() {
    let mut conf = parsed("totem {\n token: 1\n token: 2\n}\n");
    assert_eq!(conf.value("totem", "token"), Some("2"));
    conf.top("totem").set("token", "3");
    assert_eq!(conf.value("totem", "token"), Some("3"));
    conf.top("totem").unset("token");
    assert_eq!(conf.value("totem", "token"), None);
}

#[test]
fn mistakes_are_found() {
    let wrong = "totem {\n version: 3\n transport: udp\n crypto_cipher: aes256\n token: soon\n}\nquorum {\n two_node: 1\n}\n\
        nodelist {\n node {\n name: a\n nodeid: 1\n ring0_addr: x\n ring1_addr: y\n }\n node {\n name: a\n nodeid: 1\n \
        ring0_addr: x\n }\n node {\n }\n}\n";
    let found: Vec<String> = check(&parsed(wrong)).iter().map(ToString::to_string).collect();
    for part in [
        "version is '3'",
        "its transport cannot",
        "without crypto_hash",
        "several links",
        "token is 'soon'",
        "name a is there twice",
        "nodeid 1 is there twice",
        "address x is there twice",
        "a has no ring1_addr",
        "node 0 has no name",
        "no quorum",
        "two_node is set for 3",
    ] {
        assert!(found.iter().any(|text| text.contains(part)), "{part} is not in {found:#?}");
    }
}

#[test]
fn a_good_configuration_has_no_findings() {
    let mut conf = parsed(
        "totem {\n version: 2\n crypto_cipher: aes256\n crypto_hash: sha256\n}\nquorum {\n provider: corosync_votequorum\n}\n",
    );
    conf.add_node(&node(1));
    conf.add_node(&node(2));
    conf.derive_two_node();
    assert_eq!(check(&conf), []);
    assert_eq!(conf.next_id(), 3);
}

#[test]
fn garbage_never_panics() {
    let mut text = HAND_EDITED.to_owned();
    while let Some((index, _)) = text.char_indices().next_back() {
        text.truncate(index);
        let _ = text.parse::<CorosyncConf>().map(|conf| check(&conf));
    }
}
