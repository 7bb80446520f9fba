//! A CIB as text.

mod compare;
mod difference;
mod filter;
mod json;
mod lists;
mod objects;

use std::collections::BTreeSet;

use hafen_cib::{Cib, Document, Element, NodeId};

pub use difference::difference;
pub use filter::{Filter, FilterError};
pub use json::show_json;

use crate::check::word_of;
use crate::grammar::WORDS;

/// An object of the configuration, as the language counts them: the levels of fencing are one object.
#[derive(Clone)]
pub struct Object<'c> {
    /// The word that its statement begins with.
    pub word: &'static str,
    /// Its name.
    pub id: String,
    elements: Vec<Element<'c>>,
}

/// What an object's text depends on beside its elements.
struct Context {
    /// Unames of the configured nodes.
    nodes: Vec<String>,
    /// Ids that an `id-ref` names.
    referenced: BTreeSet<String>,
    /// Rights are elements of their own.
    old_rights: bool,
}

/// The objects of a configuration, in the order in which they are shown.
#[must_use]
pub fn objects(cib: &Cib) -> Vec<Object<'_>> {
    let mut found: Vec<Object<'_>> = Vec::new();
    let Some(configuration) = cib.configuration() else { return found };
    let mut levels = Vec::new();
    for section in configuration.children() {
        for element in section.children() {
            match word(element, section.name()) {
                Some("fencing_topology") => levels.push(element),
                Some(word) => found.extend(with_members(element, word)),
                None => {}
            }
        }
    }
    if !levels.is_empty() {
        found.push(Object { word: "fencing_topology", id: "fencing_topology".to_string(), elements: levels });
    }
    // These stand among each other by their ids.
    let rank = |object: &Object<'_>| {
        let word = match object.word {
            "location" | "order" => "colocation",
            "rsc_ticket" => "fencing_topology",
            "acl_group" => "acl_target",
            word => word,
        };
        WORDS.iter().position(|known| known.word == word)
    };
    // Sets of options stay in their order: the first of two that say the same counts.
    let sorted = |object: &Object<'_>| match object.word {
        "property" | "rsc_defaults" | "op_defaults" => String::new(),
        "fencing_topology" => object.id.clone(),
        // Nodes are in the order of their ids, which may be numbers.
        _ => object.elements.first().and_then(|element| element.id()).unwrap_or("").to_string(),
    };
    found.sort_by_key(|object| (rank(object), sorted(object)));
    found
}

/// The word of the statement for an element of a section.
fn word(element: Element<'_>, section: &str) -> Option<&'static str> {
    let tag = match (element.name(), section) {
        ("meta_attributes", "rsc_defaults" | "op_defaults") => section,
        (tag, section) if crate::apply::section_of(tag) == Some(section) => word_of(tag),
        _ => return None,
    };
    WORDS.iter().map(|word| word.word).find(|word| *word == tag)
}

/// An object and the resources inside of it, each an object of its own.
fn with_members<'c>(element: Element<'c>, word: &'static str) -> Vec<Object<'c>> {
    let id = if word == "node" { element.attribute("uname") } else { element.id() };
    let mut found = vec![Object { word, id: id.unwrap_or("").to_string(), elements: vec![element] }];
    let mut open = vec![element];
    while let Some(holder) = open.pop() {
        for member in holder.children().filter(|child| crate::apply::is_resource(*child)) {
            if let Some(word) = self::word(member, "resources") {
                found.push(Object {
                    word,
                    id: member.id().unwrap_or("").to_string(),
                    elements: vec![member],
                });
                open.push(member);
            }
        }
    }
    found
}

/// The configuration, or what a filter lets through, as text that makes the same configuration again.
///
/// What the language has no words for is shown as `xml`: whether it has is tried out, by reading the text again.
#[must_use]
pub fn show(cib: &Cib, filter: &Filter) -> String {
    let context = Context::of(cib);
    let chosen = filter.over(cib);
    let mut text = String::new();
    for object in objects(cib).iter().filter(|object| chosen.lets(object)) {
        text += &object.text(&context, filter);
        text.push('\n');
    }
    text
}

/// The same as XML: a CIB that holds these objects alone, without its status.
#[must_use]
pub fn show_xml(cib: &Cib, filter: &Filter) -> String {
    let mut shown = Document::new("cib");
    let root = shown.root().node();
    for (name, value) in cib.root().attributes() {
        shown.set_attribute(root, name, value);
    }
    let configuration = shown.append_element(root, "configuration");
    for section in ALWAYS {
        shown.append_element(configuration, section);
    }
    let chosen = filter.over(cib);
    for object in objects(cib).iter().filter(|object| chosen.lets(object)) {
        for element in &object.elements {
            let section = element.parent().map_or("", Element::name);
            let place = shown.element(configuration).child(section).map(Element::node);
            let place = place.unwrap_or_else(|| shown.append_element(configuration, section));
            shown.append_copy(place, *element);
        }
    }
    obscure(&mut shown, root, filter);
    format!("<?xml version=\"1.0\" ?>\n{}\n", shown.root().to_xml().trim_end())
}

/// Sections that a configuration always has.
const ALWAYS: [&str; 4] = ["crm_config", "nodes", "resources", "constraints"];

impl Context {
    fn of(cib: &Cib) -> Context {
        let descendants =
            cib.configuration().into_iter().flat_map(|configuration| configuration.descendants());
        Context {
            nodes: cib.configured_nodes().map(|node| node.uname().to_string()).collect(),
            referenced: descendants
                .filter_map(|element| element.attribute("id-ref"))
                .map(str::to_string)
                .collect(),
            old_rights: crate::apply::has_old_rights(cib),
        }
    }
}

impl<'c> Object<'c> {
    /// Its elements.
    #[must_use]
    pub fn elements(&self) -> &[Element<'c>] {
        &self.elements
    }

    fn text(&self, context: &Context, filter: &Filter) -> String {
        let plain = objects::text(self, context, &Filter::default());
        if !compare::makes_the_same(&plain, self, context) {
            return self.xml(filter);
        }
        if filter.hides_values() { objects::text(self, context, filter) } else { plain }
    }

    /// What has no words. Members are part of it, and so not shown twice.
    fn xml(&self, filter: &Filter) -> String {
        let lines: Vec<String> = self.elements.iter().map(|element| obscured_xml(*element, filter)).collect();
        let statement = |xml: &String| {
            let xml = xml.trim_end().replace('\n', " \\\n");
            match self.word {
                section @ ("rsc_defaults" | "op_defaults") => {
                    format!("xml <{section}> \\\n{xml} \\\n</{section}>")
                }
                _ => format!("xml {xml}"),
            }
        };
        let statements: Vec<String> = lines.iter().map(statement).collect();
        statements.join("\n")
    }
}

/// An element as XML, with hidden values.
fn obscured_xml(element: Element<'_>, filter: &Filter) -> String {
    if !filter.hides_values() {
        return element.to_xml();
    }
    let mut holder = Document::new("holder");
    let root = holder.root().node();
    let copy = holder.append_copy(root, element);
    obscure(&mut holder, copy, filter);
    holder.element(copy).to_xml()
}

/// Hides the values that the filter hides.
fn obscure(document: &mut Document, top: NodeId, filter: &Filter) {
    let is_hidden = |pair: &Element<'_>| {
        pair.name() == "nvpair" && pair.attribute("name").is_some_and(|name| filter.hides(name))
    };
    let hidden: Vec<NodeId> =
        document.element(top).descendants().filter(is_hidden).map(Element::node).collect();
    for pair in hidden {
        document.set_attribute(pair, "value", filter::HIDDEN);
    }
}
