//! Statements that add to what is there: options, monitors, levels of fencing.

use std::collections::BTreeMap;

use hafen_cib::{Cib, Element, NodeId};

use crate::apply::replace;
use crate::diagnostic::Diagnostic;
use crate::draft::{Builder, Draft, Id};
use crate::statement::Statement;

/// The id of the set that options go to if the text names none.
fn default_set(word: &str) -> (&'static str, &'static str) {
    match word {
        "property" => ("crm_config", "cib-bootstrap-options"),
        "rsc_defaults" => ("rsc_defaults", "rsc-options"),
        _ => ("op_defaults", "op-options"),
    }
}

/// Set options: those of the text are changed, others stay.
pub(crate) fn set(cib: &mut Cib, statement: &Statement) {
    let (section, default) = default_set(statement.word.word);
    let id = statement.id().unwrap_or(default);
    let section = cib.section_or_new(section);
    let document = cib.document();
    let set = |set: &Element<'_>| set.name() == statement.draft.name;
    let sets = || document.element(section).children().filter(set);
    // Without a name, values go to the set of the usual name, or to the first that there is.
    let first = || sets().next().filter(|_| statement.name.is_none());
    let found = sets().find(|set| set.id() == Some(id)).or_else(first).map(Element::node);
    let document = cib.document_mut();
    let Some(node) = found else {
        let mut draft = statement.draft.clone();
        draft.id = Id::Given(id.to_string());
        draft.build(&mut Builder::new(document), section, "");
        return;
    };
    for (name, value) in &statement.draft.attributes {
        document.set_attribute(node, name, value);
    }
    let rules: Vec<&Draft> = statement.draft.children.iter().filter(|child| child.name == "rule").collect();
    if !rules.is_empty() {
        let old: Vec<NodeId> = document.element(node).children_named("rule").map(Element::node).collect();
        for rule in old {
            document.remove(rule);
        }
        for (position, rule) in rules.into_iter().enumerate() {
            let place = document.insert_element(node, position, "rule");
            rule.fill(&mut Builder::new(document), place, id);
        }
    }
    for pair in statement.draft.children.iter().filter(|child| child.name == "nvpair") {
        let name = pair.get("name");
        let old = document
            .element(node)
            .children_named("nvpair")
            .find(|old| name.is_some() && old.attribute("name") == name);
        match (old.map(Element::node), pair.get("value")) {
            (Some(old), Some(value)) => document.set_attribute(old, "value", value),
            _ => drop(pair.build(&mut Builder::new(document), node, id)),
        }
    }
}

/// Put sets that are written as XML in place of those of the same id.
pub(crate) fn raw_sets(cib: &mut Cib, draft: &Draft) {
    let section = cib.section_or_new(&draft.name);
    let document = cib.document_mut();
    for set in &draft.children {
        let old = document.element(section).children().find(|old| old.id() == set.given_id());
        let old = old.map(Element::node);
        replace(document, old, section, set);
    }
}

/// Add a monitor to a primitive or a template.
pub(crate) fn monitor(cib: &mut Cib, statement: &Statement) -> Result<(), Diagnostic> {
    let wrong = |message: String| Err(Diagnostic::new(statement.draft.span, message));
    let Some(id) = statement.id() else { return Ok(()) };
    let owner = cib
        .document()
        .all_by_id(id)
        .into_iter()
        .find(|found| matches!(found.name(), "primitive" | "template"));
    let Some(owner) = owner else {
        return wrong(format!("`{id}` is no primitive: only those have monitors"));
    };
    let interval = statement.draft.get("interval");
    let operations = owner.child("operations");
    let same =
        |op: Element<'_>| op.attribute("name") == Some("monitor") && op.attribute("interval") == interval;
    if operations.is_some_and(|set| set.children_named("op").any(same)) {
        return wrong(format!("`{id}` has a monitor with the interval {} already", interval.unwrap_or("")));
    }
    let (owner, operations) = (owner.node(), operations.map(Element::node));
    let document = cib.document_mut();
    let operations = operations.unwrap_or_else(|| document.append_element(owner, "operations"));
    statement.draft.build(&mut Builder::new(document), operations, id);
    Ok(())
}

/// Put levels of fencing in place of those that there are; a level that stays as it is keeps its id.
pub(crate) fn fencing(cib: &mut Cib, draft: &Draft) {
    let nodes: Vec<String> = cib.configured_nodes().map(|node| node.uname().to_string()).collect();
    let section = cib.section_or_new("fencing-topology");
    let document = cib.document_mut();
    let old: Vec<NodeId> = document.element(section).children().map(Element::node).collect();
    // What the levels say, in the order of the names; the first of those that say the same keeps its id.
    let mut kept: BTreeMap<Vec<(String, String)>, String> = BTreeMap::new();
    for node in old.iter().rev() {
        let element = document.element(*node);
        let pairs = element.attributes().filter(|(name, _)| *name != "id");
        let mut said: Vec<_> = pairs.map(|(name, value)| (name.to_string(), value.to_string())).collect();
        said.sort_unstable();
        kept.extend(element.id().map(|id| (said, id.to_string())));
    }
    let mut builder = Builder::new(document);
    for level in levels(draft, &nodes) {
        let mut said: Vec<(String, String)> = level.attributes.clone();
        said.sort_unstable();
        let id = kept.get(&said).cloned().unwrap_or_else(|| builder.free_id("", "fencing"));
        let node = Draft { id: Id::None, ..level }.build(&mut builder, section, "");
        builder.document.set_attribute(node, "id", &id);
    }
    for node in old {
        document.remove(node);
    }
}

/// The levels; those without a target are made for each node.
pub(crate) fn levels(draft: &Draft, nodes: &[String]) -> Vec<Draft> {
    let targeted = |level: &&Draft| level.attributes.iter().any(|(name, _)| name.starts_with("target"));
    let mut levels = Vec::new();
    for node in nodes {
        for level in draft.children.iter().filter(|level| !targeted(level)) {
            let mut level = level.clone();
            level.attributes.insert(0, ("target".to_string(), node.clone()));
            levels.push(level);
        }
    }
    levels.extend(draft.children.iter().filter(targeted).cloned());
    levels
}
