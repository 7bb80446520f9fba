//! What two CIBs differ in, in words: the configuration in the crm language, and the status.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hafen_cib::{Cib, Element, merge};
use hafen_scheduler::whereabouts;

/// The differences, a line each; nothing where there are none. `then` and `now` are the times that the CIBs are of.
pub(super) fn difference(before: &Cib, then: u64, after: &Cib, now: u64) -> String {
    let mut text = configuration(before, after);
    let hosts = changes(&hosts(before), &hosts(after), "not known");
    let attributes = changes(&attributes(before), &attributes(after), "not set");
    let places = changes(&places(before, then), &places(after, now), "nowhere");
    for (title, lines) in [("Hosts", hosts), ("Resources", places), ("Attributes and failures", attributes)] {
        if !lines.is_empty() {
            let _ = write!(text, "{title}:\n{lines}");
        }
    }
    text
}

/// Objects of the configuration, before (`-`) and after (`+`).
fn configuration(before: &Cib, after: &Cib) -> String {
    let shown = |cib: &Cib, id: &str| {
        let filter = hafen_crm::Filter::parse([id]);
        filter.map(|filter| hafen_crm::show(cib, &filter)).unwrap_or_default()
    };
    let mut text = String::new();
    for (touch, object) in merge::touched(before, after) {
        let (old, new) = (shown(before, &object.id), shown(after, &object.id));
        if old == new {
            // Something that the language has no words for.
            let what = match touch {
                merge::Touch::Created => "is new",
                merge::Touch::Changed => "is another",
                merge::Touch::Deleted => "is gone",
            };
            let _ = writeln!(text, "  {} {} {what}", object.element, object.id);
            continue;
        }
        let marked = |mark: char, lines: &str| {
            lines.lines().map(|line| format!("{mark} {line}\n")).collect::<String>()
        };
        text += &(marked('-', &old) + &marked('+', &new));
    }
    if text.is_empty() { text } else { format!("Configuration:\n{text}") }
}

/// What differs between two tables.
fn changes(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>, none: &str) -> String {
    let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let mut text = String::new();
    for name in names {
        let (old, new) = (before.get(name), after.get(name));
        if old != new {
            let word = |value: Option<&String>| value.map_or_else(|| none.to_owned(), Clone::clone);
            let _ = writeln!(text, "  {name}: {} -> {}", word(old), word(new));
        }
    }
    text
}

fn states(cib: &Cib) -> Vec<Element<'_>> {
    let status = cib.root().child("status");
    status.into_iter().flat_map(|status| status.children_named("node_state")).collect()
}

/// How each host stands.
fn hosts(cib: &Cib) -> BTreeMap<String, String> {
    let state = |state: Element<'_>| {
        let is = |name: &str, wanted: &str| state.attribute(name) == Some(wanted);
        let word = match (is("crmd", "online"), is("join", "member")) {
            (true, true) => "online",
            (true, false) => "joining",
            _ if is("expected", "member") => "lost",
            _ => "offline",
        };
        Some((state.attribute("uname")?.to_owned(), word.to_owned()))
    };
    states(cib).into_iter().filter_map(state).collect()
}

/// Transient attributes, failure counts among them.
fn attributes(cib: &Cib) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for state in states(cib) {
        let Some(host) = state.attribute("uname") else { continue };
        let pairs = state.children_named("transient_attributes").flat_map(|all| all.descendants());
        for pair in pairs.filter(|pair| pair.name() == "nvpair") {
            if let (Some(name), Some(value)) = (pair.attribute("name"), pair.attribute("value")) {
                found.insert(format!("{host} {name}"), value.to_owned());
            }
        }
    }
    found
}

/// Where each primitive runs; instances that are alike are one.
fn places(cib: &Cib, now: u64) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for one in whereabouts(cib, now).into_iter().filter(|one| one.is_primitive && !one.hosts.is_empty()) {
        let name = if one.is_unique { one.id } else { one.name };
        let mark = if one.promoted { " (promoted)" } else { "" };
        found.entry(name).or_default().extend(one.hosts.into_iter().map(|host| host + mark));
    }
    found
        .into_iter()
        .map(|(name, mut hosts)| {
            hosts.sort();
            (name, hosts.join(", "))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cib(resources: &str, running: &str, crmd: &str, count: &str) -> Cib {
        let id = running.trim_start_matches("host");
        Cib::parse(&format!(
            r#"<cib crm_feature_set="3.20.0" validate-with="pacemaker-4.0" epoch="1" num_updates="0" admin_epoch="0"><configuration>
            <crm_config/><nodes><node id="1" uname="host1"/><node id="2" uname="host2"/></nodes><resources>{resources}</resources>
            <constraints/></configuration><status><node_state id="{id}" uname="{running}" in_ccm="true" crmd="online" join="member"
            expected="member"><lrm id="{id}"><lrm_resources><lrm_resource id="d" class="ocf" provider="pacemaker" type="Dummy">
            <lrm_rsc_op id="d_last_0" operation="start" call-id="1" rc-code="0" op-status="0" interval="0"
            transition-key="1:1:0:0a0a0a0a-0000-4000-8000-000000000000"/></lrm_resource></lrm_resources></lrm>
            <transient_attributes id="{id}"><instance_attributes id="s1"><nvpair id="s1-f" name="fail-count-d" value="{count}"/>
            </instance_attributes></transient_attributes></node_state>
            <node_state id="9" uname="host9" crmd="{crmd}" join="member" expected="member"/></status></cib>"#
        ))
        .expect("a CIB")
    }

    const D: &str = r#"<primitive id="d" class="ocf" provider="pacemaker" type="Dummy"/>"#;
    const E: &str = r#"<primitive id="e" class="ocf" provider="pacemaker" type="Dummy"/>"#;

    #[test]
    fn differences_are_told_in_words() {
        let before = cib(&(D.to_owned() + E), "host1", "online", "1");
        let changed = D.replace("Dummy\"/>", "Dummy\"><meta_attributes id=\"m\"><nvpair id=\"n\" name=\"target-role\" value=\"Stopped\"/></meta_attributes></primitive>");
        let after = cib(&changed, "host2", "offline", "3");
        assert_eq!(
            difference(&before, 0, &after, 0),
            "Configuration:\n- primitive d ocf:pacemaker:Dummy\n+ primitive d ocf:pacemaker:Dummy \\\n+ \tmeta target-role=Stopped\n\
             - primitive e ocf:pacemaker:Dummy\nHosts:\n  host1: online -> not known\n  host2: not known -> online\n  \
             host9: online -> lost\nResources:\n  d: host1 -> host2\nAttributes and failures:\n  host1 fail-count-d: 1 -> not set\n  \
             host2 fail-count-d: not set -> 3\n"
        );
        assert_eq!(difference(&before, 0, &before, 0), "");
    }
}
