//! What can stand at the cursor: in each context, and never a mistake.

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use common::generate::Dialect;
use common::{EMPTY, generate, make};
use hafen_cib::Cib;
use hafen_cib::metadata::AgentMetadata;
use hafen_crm::{Catalogue, Mode, apply, complete, parse};

/// Two agents.
struct Agents(BTreeMap<String, AgentMetadata>);

const DUMMY: &str = r#"<resource-agent name="Dummy"><shortdesc lang="en">does nothing</shortdesc><parameters>
<parameter name="state"><shortdesc lang="en">a file</shortdesc><content type="string" default="/run/x"/></parameter>
<parameter name="fake" required="1"><content type="select"><option value="a"/><option value="b"/></content></parameter>
</parameters><actions><action name="start" timeout="20s"/><action name="monitor" timeout="20s" interval="10s"/>
<action name="meta-data" timeout="5s"/></actions></resource-agent>"#;

impl Agents {
    fn new() -> Agents {
        let dummy = AgentMetadata::parse(DUMMY).expect("it parses");
        let names = ["ocf:heartbeat:Dummy", "ocf:pacemaker:Dummy", "stonith:null"];
        Agents(names.map(|name| (name.to_string(), dummy.clone())).into())
    }
}

impl Catalogue for Agents {
    fn agents(&self) -> Vec<(String, String)> {
        self.0.iter().map(|(name, found)| (name.clone(), found.short_description.clone())).collect()
    }

    fn metadata(&self, agent: &str) -> Option<Arc<AgentMetadata>> {
        self.0.get(agent).cloned().map(Arc::new)
    }
}

const BOOK: &str = "node n1 attributes site=a utilization cpu=3\nnode n2:remote\nrsc_template tpl Dummy\n\
    primitive vm1 Dummy\nprimitive vm2 Dummy\nprimitive vm3 ocf:pacemaker:Dummy\nprimitive st stonith:null\n\
    group grp vm3\nlocation l1 vm1 100: n1\nrsc_ticket t1 tick: vm1\nrole ro read ref:vm1\nacl_target joe ro\n\
    tag tg vm1\nalert al /bin/x\n";

fn at(text: &str) -> Vec<String> {
    let cib = make(EMPTY, BOOK).expect("the book");
    complete(text, &cib, &Agents::new()).candidates.into_iter().map(|candidate| candidate.text).collect()
}

#[track_caller]
fn has(text: &str, some: &[&str], none: &[&str]) {
    let found = at(text);
    for word in some {
        assert!(found.iter().any(|known| known == word), "`{text}` lacks `{word}`: {found:?}");
    }
    for word in none {
        assert!(!found.iter().any(|known| known == word), "`{text}` has `{word}`: {found:?}");
    }
}

#[test]
fn statements_begin_with_keywords() {
    has("", &["primitive", "location", "xml"], &["params"]);
    assert_eq!(at("prim"), ["primitive"]);
    has("primitive vm1 Dummy\n", &["primitive"], &["params"]);
    has("primitive vm1 Dummy \\\n", &["params", "op"], &["primitive"]);
    assert!(at("# prim").is_empty());
    assert!(at("primitive vm1 Dummy params state=\"/va").is_empty());
    let cib = make(EMPTY, BOOK).expect("the book");
    let found = complete("node n1\nprim", &cib, &Agents::new());
    assert_eq!((found.span.start, found.span.end), (8, 12));
    assert_eq!(found.candidates[0].about, "a resource that an agent runs");
}

#[test]
fn primitives() {
    has("primitive ", &["vm1", "st"], &["grp", "tpl", "n1"]);
    has("primitive x ", &["ocf:heartbeat:Dummy", "Dummy", "stonith:null", "@tpl"], &["params"]);
    assert_eq!(at("primitive x ocf:p"), ["ocf:pacemaker:Dummy"]);
    has("rsc_template x ", &["Dummy"], &["@tpl"]);
    has("primitive x Dummy ", &["params", "meta", "op", "fake=", "description="], &["priority=", "op_meta"]);
    has("primitive x Dummy params fake=a ", &["state=", "op"], &["fake=", "priority=", "description="]);
    has("primitive x Dummy params fake=", &["fake=a", "fake=b"], &["state="]);
    has("primitive x @tpl params ", &["fake="], &[]);
    has("primitive x stonith:null params ", &["fake=", "pcmk_host_list="], &[]);
    has("primitive x Dummy meta ", &["priority=", "target-role="], &["fake=", "interleave="]);
    has("primitive x Dummy meta target-role=S", &["target-role=Started", "target-role=Stopped"], &[]);
    has("primitive x Dummy utilization ", &["cpu="], &["fake="]);
    has("primitive x Dummy operations ", &["$id="], &[]);
    has("primitive x Dummy op ", &["monitor", "start"], &["meta-data", "promote", "params"]);
    has("primitive x Dummy op monitor ", &["interval=", "timeout=", "op", "op_params"], &["fake="]);
    has("primitive x Dummy op monitor interval=", &["interval=10s"], &[]);
    has("primitive x Dummy op monitor interval=10s on-fail=", &["on-fail=restart"], &["interval="]);
    has("primitive x Dummy op monitor role=", &["role=Promoted"], &[]);
}

#[test]
fn parents_and_bundles() {
    has("group ", &["grp"], &["vm1"]);
    has("group g ", &["vm1", "vm2"], &["vm3", "grp", "n1"]);
    has("group g vm1 ", &["vm2", "meta", "params"], &["vm1"]);
    has("group grp ", &["vm3"], &[]);
    has("clone c ", &["vm1", "grp"], &["vm3"]);
    has("clone c vm1 ", &["meta"], &["vm2"]);
    has("clone c vm1 meta ", &["interleave=", "promotable=", "target-role="], &[]);
    has("clone c vm1 meta promotable=t", &["promotable=true"], &[]);
    has("group g vm1 meta ", &["priority="], &["interleave="]);
    has("bundle b ", &["docker", "podman"], &["port-mapping"]);
    has("bundle b podman ", &["image=", "network"], &["docker"]);
    has("bundle b podman image=x network ", &["ip-range-start=", "port-mapping", "storage"], &["image="]);
    has("bundle b podman image=x network port-mapping ", &["port="], &[]);
    has("bundle b podman image=x primitive ", &["vm1"], &["vm3"]);
}

#[test]
fn constraints() {
    has("location ", &["l1"], &["vm1"]);
    has("location l ", &["vm1", "grp", "{"], &["l1", "n1"]);
    has("location l vm1 ", &["inf:", "rule", "role=Promoted", "resource-discovery=never"], &["n1"]);
    has("location l vm1 100: ", &["n1", "n2"], &["vm1"]);
    has("location l { vm1 ", &["vm2", "}", "sequential=false"], &["vm1", "100:"]);
    has("location l vm1 rule ", &["inf:", "#uname", "defined", "date", "$role=Promoted"], &["and"]);
    has("location l vm1 rule inf: #uname ", &["eq", "number:lt"], &["n1"]);
    has("location l vm1 rule inf: #uname eq ", &["n1"], &["eq"]);
    has("location l vm1 rule inf: #uname eq n1 ", &["and", "or", "rule"], &["n1"]);
    has("location l vm1 rule inf: #uname eq n1 or defined x ", &["or"], &["and"]);
    has("location l vm1 rule date ", &["lt", "in", "spec"], &["eq"]);
    has("location l vm1 rule date in ", &["start=", "hours="], &[]);
    has("location l vm1 rule date in start=2024 ", &["end=", "hours="], &["start=", "and"]);
    has("location l vm1 rule date spec hours=9 ", &["weekdays=", "and"], &["hours="]);
    has("colocation c ", &["inf:", "-inf:"], &["vm1"]);
    has("colocation c inf: ", &["vm1", "grp"], &["n1"]);
    has("colocation c inf: vm1 ", &["vm2", "("], &["vm1"]);
    has("colocation c inf: vm1 vm2:", &["vm2:Promoted"], &["vm2:start"]);
    has("colocation c inf: vm1 vm2 ", &["node-attribute="], &["symmetrical=true"]);
    has("order o ", &["Mandatory:", "vm1"], &["inf:"]);
    has("order o vm1:", &["vm1:start"], &["vm1:Started"]);
    has("order o ( vm1 vm2 ", &[")", "vm3", "sequential=true"], &["]"]);
    has("order o vm1 vm2 ", &["symmetrical=false"], &["loss-policy=stop"]);
    has("rsc_ticket t ", &["tick:"], &["vm1"]);
    has("rsc_ticket t tick: vm1 ", &["loss-policy=fence", "vm2"], &[]);
    has("tag t ", &["vm1", "grp"], &["n1"]);
    has("fencing_topology ", &["n1:", "st"], &["vm1"]);
    has("fencing_topology n1: st ", &["n2:", "st"], &["n1:"]);
}

#[test]
fn the_rest() {
    has("node ", &["n1", "n2"], &["vm1"]);
    has("node n1 ", &["attributes", "utilization"], &[]);
    has("node n1 attributes ", &["site=", "standby="], &["cpu="]);
    has("node n1 utilization ", &["cpu="], &["site="]);
    has("property ", &["stonith-enabled=", "no-quorum-policy="], &["dc-version="]);
    has("property stonith-enabled=", &["stonith-enabled=true"], &[]);
    has("property no-quorum-policy=f", &["no-quorum-policy=freeze"], &["no-quorum-policy=stop"]);
    has("rsc_defaults ", &["resource-stickiness=", "rule"], &[]);
    has("op_defaults ", &["timeout="], &["resource-stickiness="]);
    has("role r ", &["read", "deny"], &["ref:vm1"]);
    has("role r read ref:", &["ref:vm1"], &["meta:vm1"]);
    has("role r read ", &["property", "status"], &["xpath:"]);
    has("user u ", &["role:ro", "read"], &[]);
    has("acl_target ", &["joe"], &["ro"]);
    has("acl_target u ", &["ro"], &["joe"]);
    has("alert a /bin/x ", &["to", "select", "attributes"], &[]);
    has("alert a /bin/x select ", &["nodes", "fencing"], &[]);
    has("alert a /bin/x meta ", &["timeout="], &[]);
    has("monitor ", &["vm1"], &["grp"]);
    has("monitor vm1:", &["vm1:Promoted"], &[]);
    has("monitor vm1 ", &["10s:20s"], &["vm2"]);
    assert!(at("xml ").is_empty() && at("nonsense ").is_empty());
}

/// The mistakes that are told at a word.
fn mistakes_at(cib: &Cib, text: &str, start: usize, end: usize) -> Vec<String> {
    let problems = match parse(text) {
        Ok(statements) => apply(&mut cib.clone(), &statements, Mode::Update).err().unwrap_or_default(),
        Err(problems) => problems,
    };
    let at = problems.iter().filter(|problem| problem.span.start < end && problem.span.end > start);
    at.map(|problem| problem.message.clone()).collect()
}

#[test]
fn no_candidate_makes_a_mistake() {
    let agents = Agents::new();
    let mut tried = 0;
    for seed in 0..6 {
        let text = generate::text(seed, Dialect::Whole);
        let cib = make(EMPTY, &text).expect("a configuration");
        for line in text.replace("\\\n\t", " ").lines().filter(|line| !line.starts_with(['#', 'x'])) {
            let ends = line.char_indices().filter(|(_, char)| *char == ' ').map(|(at, _)| at + 1);
            for end in ends {
                let before = line.get(..end).expect("a place");
                let found = complete(before, &cib, &agents);
                // Of many names one in some is tried.
                for candidate in found.candidates.iter().step_by(1 + found.candidates.len() / 6) {
                    let start = found.span.start;
                    let tail = match candidate.text.as_str() {
                        "(" => " zz )",
                        "[" => " zz ]",
                        _ => "",
                    };
                    let whole = format!("{}{}{tail}", &before[..start], candidate.text);
                    let told = mistakes_at(&cib, &whole, start, start + candidate.text.len());
                    assert!(told.is_empty(), "seed {seed}: {whole}\n{told:?}");
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 2000, "only {tried} candidates");
}

#[test]
#[allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "it measures")]
fn full_how_long_completion_takes() {
    let mut text = String::from("node n1\n");
    for vm in 0..1000 {
        text += &format!("primitive vm{vm} Dummy\nlocation l{vm} vm{vm} 100: n1\n");
        text += &format!("colocation c{vm} inf: vm{vm} vm0x\norder o{vm} vm0x vm{vm}\n");
    }
    let cib = make(EMPTY, &(text + "primitive vm0x Dummy\n")).expect("a configuration");
    for line in [
        "group g ",
        "tag t ",
        "order o vm",
        "primitive x Dummy meta ",
        "location l vm1 rule ",
        "role r read ref:",
    ] {
        let started = std::time::Instant::now();
        let count = complete(line, &cib, &Agents::new()).candidates.len();
        println!("`{line}`: {count} candidates in {:?}", started.elapsed());
    }
}
