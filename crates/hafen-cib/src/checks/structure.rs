//! Ids and the shape of resources and constraints.

use std::collections::BTreeMap;

use super::{Checker, named};
use crate::views::{Resource, ResourceKind};
use crate::xml::{Element, is_id_reference};

/// Elements that must have an id.
const WITH_ID: &[&str] = &[
    "cluster_property_set",
    "instance_attributes",
    "meta_attributes",
    "utilization",
    "nvpair",
    "node",
    "primitive",
    "group",
    "clone",
    "bundle",
    "template",
    "op",
    "rsc_location",
    "rsc_colocation",
    "rsc_order",
    "rsc_ticket",
    "resource_set",
    "rule",
    "expression",
    "date_expression",
    "fencing-level",
    "tag",
    "alert",
    "recipient",
];

pub(super) fn check(checker: &mut Checker<'_>) {
    ids(checker);
    node_names(checker);
    for element in checker.elements() {
        match element.name() {
            "primitive" => primitive(checker, element),
            "group" => children(checker, element, "<primitive>", |count| count >= 1, "at least one"),
            "clone" | "master" => {
                children(checker, element, "<primitive> or <group>", |count| count == 1, "exactly one")
            }
            "rsc_location" => location(checker, element),
            _ => {}
        }
    }
}

fn ids(checker: &mut Checker<'_>) {
    let mut seen: BTreeMap<&str, Element<'_>> = BTreeMap::new();
    for element in checker.elements() {
        // A remote node's id is the id of the resource that connects to it.
        if is_id_reference(element.name())
            || element.attribute("type") == Some("remote") && element.name() == "node"
        {
            continue;
        }
        match element.id() {
            None if WITH_ID.contains(&element.name()) && element.attribute("id-ref").is_none() => {
                checker.error(
                    element,
                    format!("{} has no id", named(element)),
                    "give it one that no other element has".to_string(),
                );
            }
            None => {}
            Some("") => checker.error(
                element,
                format!("<{}> has an empty id", element.name()),
                "give it one that no other element has".to_string(),
            ),
            Some(id) => match seen.get(id) {
                Some(first) => {
                    let first = format!("<{}>{}", first.name(), at_line(*first));
                    checker.error(
                        element,
                        format!("{} has the id of {first}", named(element)),
                        "give one of them another id".to_string(),
                    );
                }
                None => {
                    seen.insert(id, element);
                }
            },
        }
    }
}

fn at_line(element: Element<'_>) -> String {
    match element.line() {
        0 => String::new(),
        line => format!(" on line {line}"),
    }
}

fn node_names(checker: &mut Checker<'_>) {
    let mut seen = BTreeMap::new();
    for node in checker.cib.configured_nodes() {
        if node.uname().is_empty() {
            checker.error(
                node.element(),
                format!("{} has no name", named(node.element())),
                "set `uname` to the host's name".to_string(),
            );
        } else if seen.insert(node.uname(), ()).is_some() {
            checker.error(
                node.element(),
                format!("there are two nodes named `{}`", node.uname()),
                "remove one of them".to_string(),
            );
        }
    }
}

fn primitive(checker: &mut Checker<'_>, element: Element<'_>) {
    let Some(resource) = Resource::new(checker.cib, element) else { return };
    if element.attribute("template").is_none() {
        let needed: &[&str] =
            if resource.class() == "ocf" { &["class", "provider", "type"] } else { &["class", "type"] };
        for name in needed.iter().filter(|name| element.attribute(name).is_none_or(str::is_empty)) {
            checker.error(
                element,
                format!("{} has no `{name}`", named(element)),
                "name the agent by class, provider (for ocf) and type".to_string(),
            );
        }
    }
    let mut seen: Vec<(&str, u64)> = Vec::new();
    for operation in element.children_named("operations").flat_map(|block| block.children_named("op")) {
        let name = operation.attribute("name").unwrap_or("");
        let Some(interval) = crate::values::parse_duration_ms(operation.attribute("interval").unwrap_or("0"))
        else {
            continue;
        };
        let key = (name, interval);
        if seen.contains(&key) {
            let mend = "keep one, or give them different intervals".to_string();
            checker.error(
                operation,
                format!("{} has two operations `{name}` with the same interval", named(element)),
                mend,
            );
        }
        seen.push(key);
    }
}

fn children(
    checker: &mut Checker<'_>,
    element: Element<'_>,
    what: &str,
    fits: fn(usize) -> bool,
    how_many: &str,
) {
    let Some(resource) = Resource::new(checker.cib, element) else { return };
    let count = resource.children().filter(|child| child.kind() != ResourceKind::Template).count();
    if !fits(count) {
        checker.error(
            element,
            format!("{} holds {count} resources", named(element)),
            format!("put {how_many} {what} into it"),
        );
    }
}

fn location(checker: &mut Checker<'_>, element: Element<'_>) {
    let subjects = ["rsc", "rsc-pattern"].iter().filter(|name| element.attribute(name).is_some()).count()
        + usize::from(element.child("resource_set").is_some());
    if subjects != 1 {
        let mend = "name what it is about once: by `rsc`, by `rsc-pattern`, or by <resource_set>".to_string();
        checker.error(element, format!("{} names {subjects} kinds of resources", named(element)), mend);
    }
    let rules = element.child("rule").is_some();
    if !rules && (element.attribute("node").is_none() || element.attribute("score").is_none()) {
        checker.error(
            element,
            format!("{} says neither where nor how much", named(element)),
            "give it `node` and `score`, or a <rule>".to_string(),
        );
    }
}
