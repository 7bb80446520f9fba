//! What the tests share: graphs as multisets of actions and of edges between them.

use std::collections::BTreeMap;

use hafen_cib::xml::{Document, Element};

/// What makes an action the same in two graphs: kind, operation, key, place.
pub(crate) type Identity = (String, String, String, String);

/// An action with its attributes and its synapse's priority.
pub(crate) type Detail = (Identity, Vec<(String, String)>, String);

/// A graph without its numbers.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Graph {
    pub(crate) actions: BTreeMap<Identity, usize>,
    pub(crate) edges: BTreeMap<(Identity, Identity), usize>,
    pub(crate) details: BTreeMap<Detail, usize>,
}

fn identity(event: Element<'_>) -> Identity {
    let text = |name: &str| event.attribute(name).unwrap_or("").to_owned();
    let key =
        if event.attribute("operation_key").is_some() { text("operation_key") } else { text("operation") };
    let mut place = text("on_node");
    if event.name() == "crm_event" && event.attribute("operation") == Some("stonith") {
        let target =
            event.child("attributes").and_then(|attributes| attributes.attribute("CRM_meta_on_node"));
        if let Some(target) = target {
            target.clone_into(&mut place);
        }
    }
    (event.name().to_owned(), text("operation"), key, place)
}

fn event_of(synapse: Element<'_>) -> Option<Element<'_>> {
    synapse.child("action_set")?.children().next()
}

/// Reads a transition graph.
pub(crate) fn read_graph(source: &str) -> Graph {
    let document = Document::parse(source).expect("a graph is XML");
    let mut graph = Graph::default();
    let mut by_id = BTreeMap::new();
    for synapse in document.root().children_named("synapse") {
        if let Some(event) = event_of(synapse) {
            by_id.insert(event.attribute("id").unwrap_or("").to_owned(), identity(event));
        }
    }
    for synapse in document.root().children_named("synapse") {
        let Some(event) = event_of(synapse) else { continue };
        let me = identity(event);
        *graph.actions.entry(me.clone()).or_default() += 1;
        let mut attributes: Vec<(String, String)> = event
            .child("attributes")
            .into_iter()
            .flat_map(|attributes| attributes.attributes().collect::<Vec<_>>())
            .filter(|(name, _)| !matches!(*name, "crm_feature_set" | "batch-limit"))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        attributes.sort();
        let priority = synapse.attribute("priority").unwrap_or("").to_owned();
        *graph.details.entry((me.clone(), attributes, priority)).or_default() += 1;
        for trigger in
            synapse.child("inputs").into_iter().flat_map(|inputs| inputs.children().collect::<Vec<_>>())
        {
            for first in trigger.children() {
                let known = by_id.get(first.attribute("id").unwrap_or(""));
                let first = known.cloned().unwrap_or_else(|| identity(first));
                *graph.edges.entry((first, me.clone())).or_default() += 1;
            }
        }
    }
    graph
}

/// A graph as lines for people: each action, then what it waits for.
#[allow(dead_code, reason = "not every test prints")]
pub(crate) fn describe(graph: &Graph) -> String {
    let name = |identity: &Identity| {
        let (kind, _, key, place) = identity;
        let what = if kind == "pseudo_event" { format!("({key})") } else { key.clone() };
        if place.is_empty() { what } else { format!("{what} on {place}") }
    };
    let mut text = String::new();
    for (action, count) in &graph.actions {
        for _ in 0..*count {
            text.push_str(&name(action));
            text.push('\n');
        }
        for (first, then) in graph.edges.keys() {
            if then == action {
                text.push_str(&format!("    after {}\n", name(first)));
            }
        }
    }
    text
}
