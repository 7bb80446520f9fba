//! What Pacemaker's scheduler complains of when it reads a configuration, in its words.

use std::collections::BTreeMap;

use hafen_cib::options::{CLUSTER_OPTIONS, canonical_property};
use hafen_cib::values::{Score, parse_boolean, parse_duration_ms};
use hafen_cib::xml::Element;
use hafen_cib::{Cib, Document};
use hafen_scheduler::{MonitorView, Sections};

use super::super::output;

const ROLES: [&str; 6] = ["Stopped", "Started", "Promoted", "Unpromoted", "Master", "Slave"];
const ACTIVE: [&str; 5] = ["block", "stop_only", "stop_start", "stop_unexpected", "default"];
const REQUIRES: [&str; 4] = ["nothing", "quorum", "fencing", "unfencing"];

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
struct Complaints(Vec<Complaint>);

impl Complaints {
    fn add(&mut self, is_error: bool, place: Option<(Element<'_>, &str)>, text: String) {
        let mend = place.map(|(element, mend)| {
            let id = element.id().unwrap_or_default();
            format!("line {}: <{} id=\"{id}\">: {mend}", element.line(), element.name())
        });
        self.0.push(Complaint { is_error, text, mend });
    }
}

/// What the scheduler complains of.
pub(super) fn complaints(cib: &Cib) -> Vec<Complaint> {
    let mut found = Complaints::default();
    properties(cib, &mut found);
    for element in cib.resources().into_iter().flat_map(|section| section.descendants()) {
        resource(element, &mut found);
    }
    for element in cib.constraints().into_iter().flat_map(|section| section.descendants()) {
        constraint(element, &mut found);
    }
    unclean(cib, &mut found);
    found.0
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

fn resource(element: Element<'_>, found: &mut Complaints) {
    match element.name() {
        "primitive" | "group" | "clone" | "bundle" => {
            let sets = element.children_named("meta_attributes");
            for pair in sets.flat_map(|set| set.children_named("nvpair")) {
                if let (Some(name), Some(value)) = (pair.attribute("name"), pair.attribute("value")) {
                    option(element, pair, (name, value), found);
                }
            }
        }
        "operations" => operations(element, found),
        _ => {}
    }
}

/// A meta attribute of a resource.
fn option(resource: Element<'_>, pair: Element<'_>, (name, value): (&str, &str), found: &mut Complaints) {
    let id = resource.id().unwrap_or_default();
    if value == "#default" {
        let text = format!(
            "Support for setting meta-attributes (such as {name}) to the explicit value '#default' is deprecated and \
             will be removed in a future release"
        );
        return found.add(false, Some((pair, "leave it out")), text);
    }
    match name {
        "ordered" | "collocated" if holds_group(resource) && parse_boolean(value) == Some(false) => {
            let text = format!(
                "Support for the '{name}' group meta-attribute is deprecated and will be removed in a future release \
                 (use a resource set instead)"
            );
            found.add(false, Some((pair, "use constraints with a resource set instead of a group")), text);
        }
        "target-role" if !ROLES.iter().any(|role| role.eq_ignore_ascii_case(value)) => {
            let text = format!("Ignoring 'target-role' for {id} because '{value}' is not valid");
            found.add(true, Some((pair, "set it to Started, Stopped, Unpromoted or Promoted")), text);
        }
        "target-role" => role(resource, pair, value, found),
        "multiple-active" if !ACTIVE.contains(&value) => {
            let text =
                format!("{value} is not a valid value for multiple-active, using default of \"stop_start\"");
            found.add(false, Some((pair, "set it to stop_start, stop_only, stop_unexpected or block")), text);
        }
        "requires" if !REQUIRES.contains(&value) => {
            let text = format!("Resetting 'requires' for {id} to 'quorum' because '{value}' is not valid");
            found.add(true, Some((pair, "set it to nothing, quorum, fencing or unfencing")), text);
        }
        "resource-stickiness" | "migration-threshold" if Score::parse(value).is_none() => {
            let (default, kind) =
                if name == "migration-threshold" { ("INFINITY", "meta-attribute ") } else { ("0", "") };
            let text = format!(
                "Using default ({default}) for resource {id} {kind}{name} because '{value}' is not a valid value: Bad \
                 input value provided"
            );
            found.add(false, Some((pair, "set it to a whole number, or INFINITY")), text);
        }
        _ => {}
    }
}

/// Whether a resource is a group, or a clone of one, which takes its options.
fn holds_group(resource: Element<'_>) -> bool {
    resource.name() == "group" || resource.name() == "clone" && resource.child("group").is_some()
}

/// Only what can be promoted has roles for that; what is inside of a resource has its role, too.
fn role(resource: Element<'_>, pair: Element<'_>, value: &str, found: &mut Complaints) {
    let is = |words: [&str; 2]| words.iter().any(|word| word.eq_ignore_ascii_case(value));
    let word = match (is(["Promoted", "Master"]), is(["Unpromoted", "Slave"])) {
        (true, _) => "Promoted",
        (_, true) => "Unpromoted",
        _ => return,
    };
    let is_promotable = |element: Element<'_>| {
        let sets = element.children_named("meta_attributes");
        let says = |pair: Element<'_>| {
            pair.attribute("name") == Some("promotable")
                && pair.attribute("value").and_then(parse_boolean) == Some(true)
        };
        element.name() == "bundle" || sets.flat_map(|set| set.children_named("nvpair")).any(says)
    };
    if std::iter::successors(Some(resource), |element| element.parent()).any(is_promotable) {
        return;
    }
    let within = resource.descendants().filter(|element| matches!(element.name(), "group" | "primitive"));
    let within = within.filter(|element| element.node() != resource.node());
    for element in std::iter::once(resource).chain(within) {
        let name = instance(element);
        let text = format!(
            "Ignoring 'target-role' for {name} because '{word}' only makes sense for promotable clones"
        );
        found.add(true, Some((pair, "make the clone promotable, or set Started")), text);
    }
}

/// A resource as its first instance is called.
fn instance(resource: Element<'_>) -> String {
    let mut around = std::iter::successors(resource.parent(), |element| element.parent());
    let in_clone = around.any(|element| element.name() == "clone");
    format!("{}{}", resource.id().unwrap_or_default(), if in_clone { ":0" } else { "" })
}

/// A stop that failed cannot be answered by a stop.
fn on_fail(operation: Element<'_>, found: &mut Complaints) {
    let says = |name: &str| operation.attribute(name) == Some("stop");
    let Some(resource) = operation.parent().and_then(|operations| operations.parent()) else { return };
    if says("name") && says("on-fail") && resource.name() == "primitive" {
        let name = instance(resource);
        let text = format!(
            "Resetting 'on-fail' for {name} stop action to default value because 'stop' is not allowed for stop"
        );
        found.add(true, Some((operation, "set it to fence, block or ignore")), text);
    }
}

/// Two operations that are told apart by nothing.
fn operations(element: Element<'_>, found: &mut Complaints) {
    let mut known: BTreeMap<(&str, u64), Element<'_>> = BTreeMap::new();
    for operation in element.children_named("op") {
        on_fail(operation, found);
        let interval = operation.attribute("interval").and_then(parse_duration_ms).unwrap_or(0);
        let (Some(name), true) = (operation.attribute("name"), interval > 0) else { continue };
        let Some(first) = known.get(&(name, interval)) else {
            known.insert((name, interval), operation);
            continue;
        };
        let text = format!(
            "Operation {} is duplicate of {} (do not use same name and interval combination more than once per \
             resource)",
            operation.id().unwrap_or_default(),
            first.id().unwrap_or_default()
        );
        // Each of the two is looked for in turn.
        for _ in 0..2 {
            found.add(true, Some((operation, "give it an interval of its own")), text.clone());
        }
    }
}

/// What a constraint says that has no effect.
fn constraint(element: Element<'_>, found: &mut Complaints) {
    let id = element.id().unwrap_or_default();
    if let ("rsc_colocation", Some(value)) = (element.name(), element.attribute("influence"))
        && parse_boolean(value).is_none()
    {
        let text = format!("Constraint '{id}' has invalid value for influence (using default)");
        found.add(true, Some((element, "set it to true or false")), text);
    }
    if element.name() == "resource_set"
        && element.attribute("ordering").is_some_and(|ordering| ordering != "group")
    {
        let text = format!(
            "Support for 'ordering' other than 'group' in resource_set (such as {id}) is deprecated and will be removed \
             in a future release"
        );
        found.add(false, Some((element, "leave ordering out")), text);
    }
    order(element, found);
}

fn order(element: Element<'_>, found: &mut Complaints) {
    if element.name() != "rsc_order" {
        return;
    }
    let says = |name: &str, value: bool| element.attribute(name).and_then(parse_boolean) == Some(value);
    if says("require-all", false) {
        let text = "Support for require-all in ordering constraints is deprecated and will be removed in a future \
                    release (use clone-min clone meta-attribute instead)";
        found.add(false, Some((element, "set clone-min of the clone instead")), text.to_owned());
    }
    if element.attribute("kind") == Some("Serialize") && says("symmetrical", true) {
        let mut sets: Vec<&str> = element.children_named("resource_set").filter_map(Element::id).collect();
        let id = element.id().unwrap_or_default();
        if sets.is_empty() {
            sets.push(id);
        }
        for name in std::iter::once(id).chain(sets) {
            let text =
                format!("Ignoring symmetrical for '{name}' because not valid with kind of 'Serialize'");
            found.add(false, Some((element, "leave symmetrical out")), text);
        }
    }
}

/// Nodes that are to be fenced, which a partition without quorum may not do.
fn unclean(cib: &Cib, found: &mut Complaints) {
    let may = cib.root().attribute("have-quorum").and_then(parse_boolean) == Some(true)
        || property(cib, "no-quorum-policy") == Some("ignore");
    if !fencing(cib) || may {
        return;
    }
    let view = MonitorView { sections: Sections::NODES, ..MonitorView::default() };
    let Ok(shown) = Document::parse(&format!("<shown>{}</shown>", view.xml(cib, output::now(), ""))) else {
        return;
    };
    for node in shown.root().descendants().filter(|element| element.name() == "node") {
        let says = |name: &str, value: &str| node.attribute(name) == Some(value);
        if says("unclean", "true") && says("online", "false") {
            let name = node.attribute("name").unwrap_or_default();
            found.add(false, None, format!("Node {name} is unclean but cannot be fenced"));
        }
    }
}
