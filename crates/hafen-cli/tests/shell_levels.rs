//! The shell's levels beside `configure` and `resource`: copies, agents, values, traces, preferences, the cluster; offline on a file.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a test of processes")]

mod common;
#[path = "common/terminal.rs"]
mod terminal;

use std::fs;
use std::process::Command;

use common::Cluster;
use terminal::Terminal;

const BASE: &str = "configure\nprimitive f stonith:null params hostlist=node1\n\
    primitive d ocf:pacemaker:Dummy params fake=1 op monitor interval=10s\n\
    primitive e ocf:pacemaker:Stateful meta target-role=Stopped op monitor interval=10s role=Promoted \
    op monitor interval=11s role=Unpromoted\nclone c e meta promotable=true\n\
    location l d 100: node1\ncommit\n";

fn cluster() -> Cluster {
    let cluster = Cluster::new();
    let said = cluster.script(BASE);
    assert_eq!((said.status, said.err.as_str()), (0, ""), "{said:?}");
    cluster
}

#[test]
fn changes_are_tried_on_a_copy_and_committed() {
    let cluster = cluster();
    let before = cluster.shown();
    let said = cluster.script(
        "cib new try\nconfigure\nproperty batch-limit=7\nlocation l2 d 5: node2\ncommit\nup\ncib list\ncib diff\n\
         cib use\nconfigure show\n",
    );
    assert_eq!(said.status, 0, "{said:?}");
    assert!(
        said.out.contains("copy try is made, and in use") && said.out.contains("try  (in use)\n"),
        "{said:?}"
    );
    assert!(said.out.contains("+   batch-limit=7\n") || said.out.contains("+ property"), "{said:?}");
    assert!(said.out.contains("+ location l2 d 5: node2\n"), "{said:?}");
    assert_eq!(cluster.shown(), before, "the cluster is as it was");
    let shown = cluster.done("-c try configure show");
    assert!(shown.contains("batch-limit=7") && shown.contains("location l2"), "{shown}");
    assert_eq!(cluster.done("cib diff try"), cluster.done("-c try cib diff"));
    cluster.done("cib commit try");
    assert!(cluster.shown().contains("batch-limit=7"));
    assert_eq!(cluster.done("cib diff try"), "");
    cluster.done("-c try configure delete l2");
    assert_eq!(cluster.done("cib diff try"), "- location l2 d 5: node2\n");
    cluster.done("cib reset try");
    assert_eq!(cluster.done("cib diff try"), "");
    cluster.done("cib delete try");
    assert_eq!(cluster.done("cib list"), "");
}

#[test]
fn a_copy_is_not_lost_and_not_left_with_changes() {
    let cluster = cluster();
    cluster.done("cib create one");
    let said = cluster.crm("cib new one");
    assert!(said.status == 1 && said.err.contains("there is a copy one already"), "{said:?}");
    cluster.done("cib new one empty force");
    assert_eq!(cluster.done("-c one configure show type:primitive"), "");
    for (words, expected) in [
        ("cib use ona", "did you mean `one`?"),
        ("cib use ../x", "is no name for a copy"),
        ("cib new .x", "is no name for a copy"),
        ("cib diff", "none is in use"),
        ("cib new x empty withstatus", "has no status"),
        ("-c none configure show", "no shadow copy none"),
        ("-c one cib delete one", "copy one is in use"),
    ] {
        let said = cluster.crm(words);
        assert!(said.status == 1 && said.err.contains(expected), "{words}: {said:?}");
    }
    // A change belongs to what it was made on.
    let before = cluster.cib();
    let said = cluster.script("configure\nproperty batch-limit=7\ncib use one\n");
    assert!(said.status == 1 && said.err.contains("standard input:3: error: there are changes"), "{said:?}");
    assert_eq!(cluster.cib(), before);
    // A copy with errors is committed by force alone.
    cluster.done("-F -c one configure primitive p ocf:pacemaker:Dummy");
    let said = cluster.crm("cib commit one");
    assert!(said.status == 1 && said.err.contains("commit one force"), "{said:?}");
}

#[test]
fn what_another_changed_in_the_cluster_meanwhile_is_merged_or_refused() {
    let cluster = cluster();
    cluster.done("cib new try");
    cluster.done("-c try configure property batch-limit=7");
    cluster.done("configure primitive other stonith:null params hostlist=node2");
    cluster.done("cib commit try");
    let shown = cluster.shown();
    assert!(shown.contains("batch-limit=7") && shown.contains("primitive other"), "{shown}");
    // The copy begins anew at what was committed.
    cluster.done("cib reset try");
    cluster.done("-c try configure set d.fake 2");
    cluster.done("configure set d.fake 3");
    let said = cluster.crm("cib commit try");
    assert!(
        said.status == 103 && said.err.contains("primitive d was changed in the cluster meanwhile"),
        "{said:?}"
    );
    assert!(cluster.shown().contains("fake=3"));
    cluster.done("cib commit try force");
    assert!(cluster.shown().contains("fake=2"));
    cluster.done("cib delete try");
    assert!(!cluster.path("shadow-base.try").exists() && !cluster.path("shadow.try").exists());
}

#[test]
fn a_file_becomes_a_copy() {
    let cluster = cluster();
    fs::copy(cluster.path("cib.xml"), cluster.path("saved.xml")).expect("copied");
    cluster.done("configure property batch-limit=9");
    cluster.done("cib import saved.xml");
    assert!(cluster.done("cib diff saved").contains("batch-limit=9"));
    assert!(cluster.crm("cib import saved.xml").err.contains("there is a copy saved already"));
    fs::write(cluster.path("bad.xml"), "<cib").expect("written");
    for (words, expected) in [
        ("cib import bad.xml", "bad.xml:"),
        ("cib import none.xml", "none.xml:"),
        ("cib import 17 x", "there is no file 17"),
    ] {
        let said = cluster.crm(words);
        assert!(said.status == 1 && said.err.contains(expected), "{words}: {said:?}");
    }
}

#[test]
fn the_prompt_names_the_copy_in_use() {
    let cluster = cluster();
    let mut terminal = Terminal::start(cluster.folder.path());
    terminal.line("cib new try", "crm(try)# ");
    terminal.line("configure", "crm(try)configure# ");
    terminal.line("property batch-limit=3", "crm(try)configure*# ");
    terminal.keys("up\r");
    terminal.see("Commit them? (y/n) ");
    terminal.keys("y\r");
    terminal.see("crm(try)# ");
    terminal.line("cib use", "crm(live)# ");
    terminal.keys("quit\r");
    assert_eq!(terminal.end(), 0);
    assert!(cluster.done("-c try configure show").contains("batch-limit=3"));
    assert!(!cluster.shown().contains("batch-limit"));
}

#[test]
fn agents_are_listed_and_described() {
    let cluster = cluster();
    // Those that are there everywhere: they are part of hafen.
    assert!(cluster.done("ra classes").lines().any(|line| line == "stonith"));
    let list = cluster.done("ra list stonith");
    assert!(list.lines().any(|line| line == "meatware") && list.lines().any(|line| line == "null"), "{list}");
    let text = cluster.done("ra info stonith:meatware");
    assert!(text.starts_with("stonith:meatware") && text.contains("\nhostlist* (string"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert_eq!(cluster.done("ra info meatware"), text);
    assert_eq!(
        cluster.done("configure ra info meatware stonith"),
        text,
        "the old order, and below configure"
    );
    assert!(cluster.done("ra info pacemaker-fenced").contains("\npcmk_host_map (string)"));
    for (words, expected) in [
        ("ra list stonit", "did you mean `stonith`?"),
        ("ra list ocf no-such-provider", "has no provider no-such-provider"),
        ("ra info ocf:nobody:nothing", "is not installed"),
        ("ra info a:b:c:d", "is no agent"),
        ("ra providers nothing", "there is no agent nothing"),
        ("ra providers null stonith", "have no providers"),
        ("ra validate", "needs an agent"),
        ("ra validate stonith:null hostlist", "it is NAME=VALUE"),
    ] {
        let said = cluster.crm(words);
        assert!(said.status == 1 && said.err.contains(expected), "{words}: {said:?}");
    }
    let said = cluster.crm("ra validate ocf:nobody:nothing a=b");
    assert!(said.status != 0 && said.err.contains("not a known resource"), "{said:?}");
}

#[test]
fn the_json_of_a_configuration_loads_again_by_its_texts() {
    let cluster = cluster();
    let before = cluster.shown();
    let json = cluster.done("configure show json");
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["schema"], "pacemaker-4.0");
    let objects = json["objects"].as_array().expect("a list");
    let d = objects.iter().find(|object| object["id"] == "d").expect("d");
    assert_eq!(d["type"], "primitive");
    assert_eq!(d["params"][0]["values"]["fake"], "1");
    let texts: Vec<&str> = objects.iter().filter_map(|object| object["text"].as_str()).collect();
    fs::write(cluster.path("again.crm"), texts.join("\n") + "\n").expect("written");
    cluster.done("-y configure erase");
    cluster.done("configure load replace again.crm");
    assert_eq!(cluster.shown(), before);
    let one = cluster.done("configure show json l");
    assert!(one.contains("\"location\"") && !one.contains("\"primitive\""), "{one}");
    for words in ["configure show json none", "configure show xml none", "configure show none"] {
        let said = cluster.crm(words);
        assert!(said.status == 1 && said.err.contains("object none does not exist"), "{words}: {said:?}");
    }
    cluster.done("configure save json all.json type:primitive");
    let saved = fs::read_to_string(cluster.path("all.json")).expect("a file");
    assert!(saved.contains("\"objects\"") && !saved.contains("\"location\""), "{saved}");
    let changed = cluster.script("configure\nproperty batch-limit=3\nshow json changed\n").out;
    let changed: serde_json::Value = serde_json::from_str(&changed).expect("JSON");
    assert_eq!(changed["objects"].as_array().map(Vec::len), Some(1), "{changed}");
}

/// Paths and refusals as crmsh 5.0 has them.
#[test]
fn values_are_set_by_their_paths() {
    let cluster = cluster();
    for (words, expected) in [
        ("d.fake 2", "params fake=2"),
        ("e.target-role Started", "meta target-role=Started"),
        ("d.monitor.interval 20s", "op monitor interval=20s"),
        ("e.monitor.10s.timeout 33s", "op monitor interval=10s role=Promoted timeout=33s"),
    ] {
        cluster.done(&format!("configure set {words}"));
        assert!(cluster.shown().contains(expected), "{words}: {}", cluster.shown());
    }
    for (words, expected) in [
        ("d.nothing x", "d has no nothing"),
        ("none.x y", "object none does not exist"),
        ("d.start.timeout 10s", "has no operation start"),
        ("e.monitor.interval 20s", "say which one (e.monitor.10s, e.monitor.11s)"),
        ("d.fake", "needs a path"),
    ] {
        let said = cluster.crm(&format!("configure set {words}"));
        assert!(said.status == 1 && said.err.contains(expected), "{words}: {said:?}");
    }
}

#[test]
fn options_have_their_values_or_defaults() {
    let cluster = cluster();
    assert_eq!(cluster.done("configure get-property stonith-enabled"), "true\n");
    assert_eq!(cluster.done("configure get_property batch-limit"), "0\n");
    cluster.done("configure property batch-limit=4 mine=yes");
    assert_eq!(cluster.done("configure get-property batch-limit"), "4\n");
    assert_eq!(cluster.done("configure get-property mine"), "yes\n");
    assert_eq!(cluster.done("configure get-property -t mine"), "true\n");
    assert_eq!(cluster.done("configure get-property -t nothing"), "false\n");
    assert!(cluster.crm("configure get-property batch-limi").err.contains("did you mean `batch-limit`?"));
    assert!(cluster.done("configure get-property").lines().any(|line| line == "no-quorum-policy"));
    assert_eq!(cluster.done("configure schema"), "pacemaker-4.0\n");
    assert!(cluster.crm("configure upgrade").err.contains("upgrade force"));
    let said = cluster.crm("configure validate-all none");
    assert!(said.status != 0 && said.err.contains("Resource 'none' not found"), "{said:?}");
    assert!(cluster.crm("configure default-timeouts c").err.contains("c is not a primitive"));
}

#[test]
fn a_graph_is_printed_or_written() {
    let cluster = cluster();
    let text = cluster.done("configure graph");
    assert!(text.contains("\"d\" -> \"host:node1\" [label=\"l\\n100\""), "{text}");
    assert_eq!(cluster.done("configure graph dot"), text);
    cluster.done("configure graph dot a.dot");
    cluster.done("configure graph b.gv");
    for file in ["a.dot", "b.gv"] {
        assert_eq!(fs::read_to_string(cluster.path(file)).expect("a file"), text);
    }
    assert_eq!(cluster.crm("configure graph dot none/a.dot").status, 1);
}

#[test]
fn agents_are_traced_and_nothing_is_left_of_it() {
    let cluster = cluster();
    let before = cluster.shown();
    let out = cluster.done("resource trace d");
    assert!(out.contains("traced of d: monitor 10s, start, stop.") && out.contains("untrace d"), "{out}");
    assert_eq!(cluster.shown().matches("trace_ra=1").count(), 3, "{}", cluster.shown());
    cluster.done("resource untrace d start");
    assert_eq!(cluster.shown().matches("trace_ra=1").count(), 2, "{}", cluster.shown());
    cluster.done("resource untrace d");
    assert_eq!(cluster.shown(), before);
    cluster.done("resource trace e monitor 10s /tmp/x");
    assert!(cluster.shown().contains("trace_dir=\"/tmp/x\"") || cluster.shown().contains("trace_dir=/tmp/x"));
    assert!(cluster.done("resource untrace e").contains("monitor 10s"));
    assert!(cluster.done("resource untrace e").contains("nothing of e was traced"));
    for (words, expected) in [
        ("trace c", "c is not a primitive"),
        ("trace none", "none does not exist"),
        ("trace d monitor 55s", "no operation monitor with that interval"),
        ("trace f", "only agents of class ocf"),
        ("trace d monitor soon", "it is `trace ID"),
    ] {
        let said = cluster.crm(&format!("resource {words}"));
        assert!(said.status != 0 && said.err.contains(expected), "{words}: {said:?}");
    }
    let scores = cluster.done("resource scores");
    assert!(scores.contains("d allocation score on node1: 100"), "{scores}");
    assert_eq!(cluster.crm("resource operations d").status, 0);
    assert_eq!(cluster.done("node list"), "node1\nnode2\n");
    assert!(cluster.crm("node server node3").err.contains("there is no host node3"));
}

#[test]
fn preferences_are_kept_in_a_file() {
    let cluster = cluster();
    assert!(cluster.done("options show").contains("output = color\n"));
    fs::write(cluster.path("edit"), "#!/bin/sh\nsed -i s/fake=1/fake=3/ \"$1\"\n").expect("written");
    cluster.done("options editor sh ./edit");
    let file = cluster.path("config/hafen/crm.conf");
    assert_eq!(fs::read_to_string(&file).expect("a file"), "editor = sh ./edit\n");
    cluster.done("configure edit d");
    assert!(cluster.shown().contains("fake=3"), "the editor that is preferred, not $EDITOR");
    cluster.done("options set output color-always");
    assert!(cluster.done("configure show d").starts_with("\u{1b}[1mprimitive\u{1b}[0m d "));
    cluster.done("options output plain");
    assert!(cluster.crm("configure erase").err.contains("say --yes"));
    // What cuts power or takes everything away is not said yes to once and for all.
    assert!(cluster.crm("options set yes on").err.contains("there is no option yes"));
    cluster.done("options set wait on");
    assert_eq!(cluster.done("options show wait"), "yes\n");
    cluster.done("options reset wait");
    assert_eq!(cluster.done("options show wait"), "no\n");
    for (words, expected) in [
        ("options set editr vi", "did you mean `editor`?"),
        ("options output red", "output is plain or color or color-always"),
        ("options set wait perhaps", "wait is yes or no"),
        ("options set wait", "needs an option and a value"),
    ] {
        let said = cluster.crm(words);
        assert!(said.status == 1 && said.err.contains(expected), "{words}: {said:?}");
    }
    fs::write(&file, "output = plain\nnonsense\n").expect("written");
    let said = cluster.crm("options show output");
    assert!(said.status == 0 && said.out == "plain\n" && said.err.contains("crm.conf:2:"), "{said:?}");
    cluster.done("options reset");
    assert_eq!(fs::read_to_string(&file).expect("a file"), "");
}

#[test]
fn the_cluster_as_a_whole_is_for_hafen_itself() {
    let cluster = cluster();
    for (words, expected) in [
        ("cluster start", "systemctl start corosync hafen"),
        ("cluster stop", "crm node standby HOST"),
        ("cluster run uptime", "ssh HOST COMMAND"),
        ("cluster remove node2", "say --yes"),
        ("cluster add node3", "hafen join"),
        ("cluster wait_for_startup 0", "a number of seconds"),
        ("corosync set totem.token 5", "hafen quorum tune --apply"),
        ("corosync push node2", "takes no names"),
    ] {
        let said = cluster.crm(words);
        assert!(said.status == 1 && said.err.contains(expected), "{words}: {said:?}");
    }
    // What hafen says of its own words comes through.
    assert!(cluster.done("cluster init --help").contains("Begin a cluster on this host"));
    assert!(cluster.done("cluster health --help").contains("hafen check"));
    assert_eq!(cluster.done("cluster maintenance"), "scope=crm_config name=maintenance-mode value=false\n");
    cluster.done("cluster maintenance on");
    assert!(cluster.shown().contains("maintenance-mode=true"));
    cluster.done("cluster maintenance off");
    assert!(cluster.shown().contains("maintenance-mode=false"));
}

#[test]
fn corosync_conf_is_read() {
    let cluster = cluster();
    let file = cluster.path("corosync.conf");
    let text = "totem {\n    version: 2\n}\nnodelist {\n    node {\n        ring0_addr: 10.0.0.1\n    }\n    \
        node {\n        ring0_addr: 10.0.0.2\n    }\n}\nlogging {\n    logfile: LOG\n}\n";
    let log = cluster.path("corosync.log");
    fs::write(&log, "it said so\n").expect("written");
    fs::write(&file, text.replace("LOG", &log.to_string_lossy())).expect("written");
    let corosync = |words: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_hafen"))
            .args(["crm", "corosync"])
            .args(words)
            .env("COROSYNC_MAIN_CONFIG_FILE", &file)
            .env("XDG_CONFIG_HOME", cluster.path("config"))
            .output()
            .expect("it starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (text(&output.stdout), text(&output.stderr), output.status.success())
    };
    assert_eq!(corosync(&["get", "nodelist.node.ring0_addr"]).0, "10.0.0.1\n10.0.0.2\n");
    assert_eq!(corosync(&["get", "totem"]).0, "version: 2\n");
    assert_eq!(corosync(&["log"]).0, "it said so\n");
    assert!(corosync(&["show"]).0.starts_with("totem {\n    version: 2\n"));
    let (_, err, done) = corosync(&["get", "totem.nothing"]);
    assert!(!done && err.contains("there is nothing at totem.nothing"), "{err}");
    fs::write(&file, "totem {\n").expect("written");
    let (_, err, done) = corosync(&["get", "totem.version"]);
    assert!(!done && err.contains("line "), "{err}");
}

#[test]
fn every_level_has_a_help_that_fits_the_screen() {
    let cluster = Cluster::new();
    for level in ["cib", "ra", "options", "cluster", "corosync", "resource", "node", "configure"] {
        let text = cluster.done(&format!("help {level}"));
        let commands: Vec<&str> = text
            .lines()
            .take_while(|line| !line.starts_with("and statements"))
            .filter(|line| line.starts_with("  ") && !line.starts_with("   ") && !line.contains("(a level)"))
            .filter_map(|line| line.split_whitespace().next())
            .collect();
        assert!(commands.len() > 4, "{level}: {text}");
        for command in commands {
            let text = cluster.done(&format!("help {level} {command}"));
            assert!(text.lines().all(|line| line.chars().count() <= 80), "{level} {command}: {text}");
        }
    }
}
