//! What Pacemaker's scheduler complains of when it reads a configuration, in its words.

mod constraints;
mod operations;
mod resources;

use std::collections::BTreeSet;

use hafen_cib::options::{CLUSTER_OPTIONS, canonical_property};
use hafen_cib::values::parse_boolean;
use hafen_cib::xml::Element;
use hafen_cib::{Cib, Document};
use hafen_scheduler::{MonitorView, Sections, whereabouts};

use super::super::output;

/// One complaint.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Complaint {
    /// Whether it is no mere warning; the configuration is invalid in either case.
    pub is_error: bool,
    pub text: String,
    /// Where it stands, and what to do: not in Pacemaker's words.
    pub mend: Option<String>,
}

impl Complaint {
    pub(super) fn line(&self) -> String {
        format!("{}: {}", if self.is_error { "error" } else { "warning" }, self.text)
    }
}

#[derive(Default)]
struct Complaints {
    all: Vec<Complaint>,
    /// The kinds of what is told but once, wherever else it stands.
    told: BTreeSet<&'static str>,
}

impl Complaints {
    fn add(&mut self, is_error: bool, place: Option<(Element<'_>, &str)>, text: String) {
        let mend = place.map(|(element, mend)| {
            let id = element.id().unwrap_or_default();
            format!("line {}: <{} id=\"{id}\">: {mend}", element.line(), element.name())
        });
        self.all.push(Complaint { is_error, text, mend });
    }

    /// A warning that is told the first time alone.
    fn warn_once(&mut self, kind: &'static str, place: (Element<'_>, &str), text: String) {
        if self.told.insert(kind) {
            self.add(false, Some(place), text);
        }
    }

    /// Roles of old.
    fn role(&mut self, element: Element<'_>, role: &str) {
        for (old, today) in [("Master", "Promoted"), ("Slave", "Unpromoted")] {
            if role.eq_ignore_ascii_case(old) {
                let text = format!(
                    "Support for the {old} role is deprecated and will be removed in a future release. Use {today} \
                     instead."
                );
                let mend = format!("say {today}");
                self.warn_once(old, (element, mend.as_str()), text);
            }
        }
    }
}

/// What the scheduler complains of; and what it notices of the state, which makes nothing invalid.
pub(super) fn complaints(cib: &Cib) -> (Vec<Complaint>, Vec<String>) {
    let mut found = Complaints::default();
    let all = whereabouts(cib, output::now());
    properties(cib, &mut found);
    nodes(cib, &mut found);
    let instances = resources::instances(cib, &all);
    resources::check(&instances, fencing(cib), &mut found);
    for element in cib.constraints().into_iter().flat_map(|section| section.descendants()) {
        constraints::check(element, &instances, &mut found);
    }
    resources::roles_of_active(&instances, &mut found);
    operations::failure_timeouts(cib, &instances, &mut found);
    operations::check(cib, &instances, fencing(cib), &mut found);
    unclean(cib, &mut found);
    (found.all, resources::active_twice(&instances))
}

fn property<'c>(cib: &'c Cib, name: &str) -> Option<&'c str> {
    let sets =
        cib.crm_config().into_iter().flat_map(|section| section.children_named("cluster_property_set"));
    let mut pairs = sets.flat_map(|set| set.children_named("nvpair"));
    let is_it =
        |pair: &Element<'_>| pair.attribute("name").is_some_and(|given| canonical_property(given) == name);
    pairs.find(is_it).and_then(|pair| pair.attribute("value"))
}

fn fencing(cib: &Cib) -> bool {
    property(cib, "stonith-enabled").and_then(parse_boolean).unwrap_or(true)
}

fn properties(cib: &Cib, found: &mut Complaints) {
    for option in CLUSTER_OPTIONS {
        if let Some(value) = property(cib, option.name)
            && option.values.fault(value).is_some()
        {
            let text = format!(
                "Using default value for cluster option '{}' because '{value}' is invalid",
                option.name
            );
            found.add(true, None, text);
        }
    }
    if !fencing(cib) && property(cib, "no-quorum-policy").is_some_and(|policy| policy == "suicide") {
        found.add(true, None, "Resetting no-quorum-policy to 'stop' because fencing is disabled".to_owned());
    }
    let mut resources = cib.resources().into_iter().flat_map(|section| section.descendants());
    let any = cib.resources().is_some_and(|section| section.children().next().is_some());
    let devices = resources.any(|element| element.attribute("class") == Some("stonith"));
    if fencing(cib) && any && !devices {
        let lines = [
            "Resource start-up disabled since no STONITH resources have been defined",
            "Either configure some or disable STONITH with the stonith-enabled option",
            "NOTE: Clusters with shared data need STONITH to ensure data integrity",
        ];
        lines.into_iter().for_each(|line| found.add(true, None, line.to_owned()));
    }
}

/// Nodes that are to be fenced, and cannot be: without quorum, or because fencing is disabled.
fn unclean(cib: &Cib, found: &mut Complaints) {
    let may = cib.root().attribute("have-quorum").and_then(parse_boolean) == Some(true)
        || property(cib, "no-quorum-policy") == Some("ignore");
    if fencing(cib) && may {
        return;
    }
    let view = MonitorView { sections: Sections::NODES, ..MonitorView::default() };
    let Ok(shown) = Document::parse(&format!("<shown>{}</shown>", view.xml(cib, output::now(), ""))) else {
        return;
    };
    let mut any = false;
    for node in shown.root().descendants().filter(|element| element.name() == "node") {
        let says = |name: &str, value: &str| node.attribute(name) == Some(value);
        if says("unclean", "true") && says("online", "false") {
            let name = node.attribute("name").unwrap_or_default();
            found.add(false, None, format!("Node {name} is unclean but cannot be fenced"));
            any = true;
        }
    }
    if any && !fencing(cib) {
        let text = "Resource functionality and data integrity cannot be guaranteed (configure, enable, and test fencing to \
                    correct this)";
        found.add(false, None, text.to_owned());
    }
}

const DISCOVERY: &str = "resource-discovery-enabled";

/// Attributes of nodes that have no effect.
fn nodes(cib: &Cib, found: &mut Complaints) {
    let configured = cib.nodes().into_iter().flat_map(|section| section.children());
    let is_member = |node: &Element<'_>| !matches!(node.attribute("type"), Some("remote" | "ping"));
    for node in configured.filter(is_member) {
        let name = node.attribute("uname").unwrap_or_default();
        let state = cib.node_states().find(|state| state.attribute("uname") == Some(name));
        let passing = state.and_then(|state| state.child("transient_attributes"));
        if let Some(pair) = passing.and_then(denied_discovery).or_else(|| denied_discovery(node)) {
            let text = format!(
                "Ignoring {DISCOVERY} attribute for {name} because disabling resource discovery is not allowed for \
                 cluster nodes"
            );
            found.add(false, Some((pair, "remove it")), text);
        }
    }
    let is_remote =
        |state: &Element<'_>| state.attribute("remote_node").and_then(parse_boolean) == Some(true);
    for state in cib.node_states().filter(is_remote) {
        if let Some(pair) = state.child("transient_attributes").and_then(denied_discovery) {
            let text = format!(
                "Support for the {DISCOVERY} node attribute is deprecated and will be removed (and behave as 'true') \
                 in a future release."
            );
            found.warn_once(
                DISCOVERY,
                (pair, "say resource-discovery of location constraints instead"),
                text,
            );
        }
    }
}

/// The attribute by which a node says that nobody is to look for resources on it.
fn denied_discovery(owner: Element<'_>) -> Option<Element<'_>> {
    let mut pairs = owner.descendants().filter(|pair| pair.attribute("name") == Some(DISCOVERY));
    pairs.find(|pair| pair.attribute("value").and_then(parse_boolean) != Some(true))
}
