use std::sync::Arc;

use hafen_cib::metadata::AgentMetadata;

use super::super::levels::NODE;
use super::*;

const CIB: &str = r#"<cib validate-with="pacemaker-4.0"><configuration><crm_config/><nodes>
<node id="1" uname="host1"/><node id="2" uname="host2"/></nodes><resources>
<primitive id="vm1" class="ocf" provider="heartbeat" type="Xen"/><group id="web"><primitive id="ip" class="ocf" provider="heartbeat" type="IPaddr2"/></group>
</resources><constraints><rsc_location id="loc" rsc="vm1" node="host1" score="1"/></constraints></configuration><status/></cib>"#;
const XEN: &str = r#"<resource-agent name="Xen"><parameters><parameter name="xmfile" required="1"><content type="string"/></parameter>
<parameter name="mode"><content type="select"><option value="slow"/><option value="swift"/></content></parameter></parameters>
<actions><action name="start" timeout="60s"/><action name="monitor" timeout="30s" interval="10s"/></actions></resource-agent>"#;

struct Agents;

impl Catalogue for Agents {
    fn agents(&self) -> Vec<(String, String)> {
        ["ocf:heartbeat:Xen", "ocf:pacemaker:ping", "stonith:fence_apc"]
            .map(|name| (name.to_owned(), String::new()))
            .into()
    }

    fn metadata(&self, agent: &str) -> Option<Arc<AgentMetadata>> {
        (agent == "ocf:heartbeat:Xen").then(|| Arc::new(AgentMetadata::parse(XEN).expect("it parses")))
    }
}

fn at_level(level: &'static Level, line: &str) -> Vec<String> {
    let cib = Cib::parse(CIB).expect("it parses");
    let found = complete(level, line, Known { cib: &cib, agents: &Agents });
    let part = line.get(found.span.start..).expect("a place in the line");
    assert!(found.candidates.iter().all(|one| one.text.starts_with(part)), "{line}: {found:?}");
    found.candidates.into_iter().map(|one| one.text).collect()
}

#[track_caller]
fn is(line: &str, expected: &[&str]) {
    assert_eq!(at_level(&ROOT, line), expected, "{line}");
}

#[test]
fn levels_and_commands() {
    is("conf", &["configure"]);
    is("resource mov", &["move"]);
    is("res mig", &["migrate"]);
    is("configure prim", &["primitive"]);
    is("help conf", &["configure"]);
    is("help resource uns", &[]);
    is("help resource unm", &["unmove", "unmigrate", "unmanage"]);
    is("nonsense x", &[]);
    assert!(at_level(&ROOT, "").contains(&"quit".to_owned()));
    assert!(at_level(&CONFIGURE, "").contains(&"location".to_owned()));
    assert!(!at_level(&NODE, "").contains(&"location".to_owned()));
}

#[test]
fn what_a_usage_asks_for() {
    is("resource move ", &["ip", "vm1", "web"]);
    is("resource move vm1 h", &["host1", "host2"]);
    is("resource move vm1 host1 P", &["PT30M", "PT2H", "P1D"]);
    is("node standby host2", &["host2"]);
    is("configure delete l", &["loc"]);
    is("configure modgroup ", &["web"]);
    is("configure modgroup web add vm1 be", &["before"]);
    is("resource start \"v", &[]);
    assert_eq!(at_level(&CONFIGURE, "show type:prim"), ["type:primitive"]);
}

#[test]
fn names_and_values_of_an_agent() {
    is("resource param vm1 s", &["set", "show"]);
    is("resource param vm1 set ", &["xmfile", "mode"]);
    is("resource param vm1 set mode ", &["slow", "swift"]);
    is("resource meta vm1 set target-r", &["target-role"]);
    is("resource failcount vm1 delete ", &["host1", "host2"]);
    is("configure primitive new ocf:heartbeat:Xen params mode=s", &["mode=slow", "mode=swift"]);
    assert!(at_level(&CONFIGURE, "primitive new ocf:p").contains(&"ocf:pacemaker:ping".to_owned()));
}

#[test]
fn a_statement_over_several_lines() {
    let found = at_level(&CONFIGURE, "primitive new Xen \\\n  params xm");
    assert_eq!(found, ["xmfile="]);
}

#[test]
fn files_and_folders() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("below")).expect("made");
    std::fs::write(folder.path().join("before.crm"), "").expect("written");
    let start = format!("{}/be", folder.path().display());
    let expected = [format!("{start}fore.crm"), format!("{start}low/")];
    assert_eq!(at_level(&ROOT, &format!("configure load update {start}")), expected);
}

#[test]
fn what_other_levels_ask_for() {
    is("options set edi", &["editor"]);
    is("configure get-property batch-l", &["batch-limit"]);
    is("ra info ocf:h", &["ocf:heartbeat:Xen"]);
    is("ra validate ocf:heartbeat:Xen mo", &["mode="]);
    is("ra providers fence", &["fence_apc"]);
    is("resource trace vm1 mon", &["monitor"]);
}

/// What no list can tell.
const FREE: [&str; 12] = [
    "VALUE", "NEW", "PATH", "PROGRAM", "INTERVAL", "SECONDS", "TOKEN", "FOLDER", "OPTION", "TIME", "PATTERN",
    "NUMBER",
];

#[test]
fn every_placeholder_is_known() {
    const OFFERED: [&str; 17] = [
        "ID",
        "OLD",
        "GROUP",
        "HOST",
        "NODE",
        "FILTER",
        "FILE",
        "SHADOW",
        "AGENT",
        "CLASS",
        "PROVIDER",
        "LIFETIME",
        "LEVEL",
        "TYPE",
        "OPERATION",
        "NAME=VALUE",
        "NAME",
    ];
    for level in std::iter::once(&ROOT).chain(ROOT.levels.iter().copied()) {
        for command in level.commands {
            for word in usage::placeholders(command.usage) {
                assert!(
                    OFFERED.contains(&word) || FREE.contains(&word),
                    "{} {:?}: {word}",
                    level.word,
                    command.words
                );
            }
        }
    }
}
