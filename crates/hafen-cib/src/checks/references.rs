//! References: what an element names must exist.

use super::{Checker, named, nearest};
use crate::xml::Element;

/// Elements that a constraint may name.
const CONSTRAINABLE: &[&str] = &["primitive", "group", "clone", "master", "bundle", "template", "tag"];

pub(super) fn check(checker: &mut Checker<'_>) {
    let known: Vec<&str> = checker
        .elements()
        .filter(|element| CONSTRAINABLE.contains(&element.name()))
        .filter_map(Element::id)
        .collect();
    for element in checker.elements() {
        if let Some(id) = element.attribute("id-ref") {
            reference(checker, element, "id-ref", id, element.name());
        }
        match element.name() {
            "rsc_location" => {
                resources(checker, element, &["rsc"], &known);
                pattern(checker, element, &known);
                node(checker, element, "node");
            }
            "rsc_colocation" => resources(checker, element, &["rsc", "with-rsc"], &known),
            "rsc_order" => resources(checker, element, &["first", "then"], &known),
            "rsc_ticket" => resources(checker, element, &["rsc"], &known),
            "resource_ref" => resources(checker, element, &["id"], &known),
            "obj_ref" => object(checker, element),
            "primitive" => {
                if let Some(id) = element.attribute("template") {
                    reference(checker, element, "template", id, "template");
                }
            }
            "fencing-level" => {
                devices(checker, element, &known);
                node(checker, element, "target");
            }
            "role" => role(checker, element),
            _ => {}
        }
    }
}

fn resources(checker: &mut Checker<'_>, element: Element<'_>, attributes: &[&str], known: &[&str]) {
    for attribute in attributes {
        if let Some(id) = element.attribute(attribute)
            && !is_resource(checker, id)
        {
            let owner =
                if element.name() == "resource_ref" { element.parent().unwrap_or(element) } else { element };
            let problem =
                format!("{} names the resource `{id}` in `{attribute}`, which does not exist", named(owner));
            checker.error(
                element,
                problem,
                nearest(id, known, "create the resource, or remove the reference"),
            );
        }
    }
}

fn is_resource(checker: &Checker<'_>, id: &str) -> bool {
    let found = checker.cib.document().all_by_id(id);
    found.iter().any(|found| CONSTRAINABLE.contains(&found.name()))
        || id.split_once(':').is_some_and(|(base, instance)| {
            instance.parse::<u32>().is_ok() && checker.cib.document().by_id(base).is_some()
        })
}

/// A pattern without special characters must be part of a resource's id to match anything.
fn pattern(checker: &mut Checker<'_>, element: Element<'_>, known: &[&str]) {
    let Some(pattern) = element.attribute("rsc-pattern") else { return };
    let text = pattern.strip_prefix('!').unwrap_or(pattern);
    let plain = text.trim_start_matches('^').trim_end_matches('$');
    let special = plain.contains(|c: char| ".[]()*+?{}|^$\\".contains(c));
    if pattern.is_empty() || !special && !known.iter().any(|id| id.contains(plain)) {
        let problem = format!("{} has the pattern `{pattern}`, which matches no resource", named(element));
        checker.warning(element, problem, nearest(plain, known, "change `rsc-pattern`"));
    }
}

fn node(checker: &mut Checker<'_>, element: Element<'_>, attribute: &str) {
    let Some(name) = element.attribute(attribute) else { return };
    let mut known: Vec<&str> = checker.cib.configured_nodes().map(|node| node.uname()).collect();
    known.extend(remote_nodes(checker));
    if !known.is_empty() && !known.iter().any(|node| node.eq_ignore_ascii_case(name)) {
        let problem =
            format!("{} names the node `{name}` in `{attribute}`, which does not exist", named(element));
        checker.warning(
            element,
            problem,
            nearest(name, &known, "check the node's name; until such a node joins this has no effect"),
        );
    }
}

/// Names of nodes that are resources: remote nodes and guests.
fn remote_nodes<'a>(checker: &Checker<'a>) -> Vec<&'a str> {
    let guests = checker
        .elements()
        .filter(|element| element.name() == "nvpair" && element.attribute("name") == Some("remote-node"));
    let guests = guests.filter_map(|pair| pair.attribute("value"));
    let remotes = checker.cib.primitives().filter(|resource| resource.agent_type() == "remote");
    guests.chain(remotes.map(|resource| resource.id())).collect()
}

fn reference(checker: &mut Checker<'_>, element: Element<'_>, attribute: &str, id: &str, name: &str) {
    let cib = checker.cib;
    if cib.document().all_by_id(id).iter().any(|found| found.name() == name) {
        return;
    }
    let known: Vec<&str> =
        checker.elements().filter(|found| found.name() == name).filter_map(Element::id).collect();
    let problem =
        format!("{} refers to <{name} id=\"{id}\"> in `{attribute}`, which does not exist", named(element));
    checker.error(element, problem, nearest(id, &known, "create it, or remove the reference"));
}

/// A tag's member may be any element.
fn object(checker: &mut Checker<'_>, element: Element<'_>) {
    if let Some(id) = element.id()
        && checker.cib.document().by_id(id).is_none()
    {
        let tag = element.parent().unwrap_or(element);
        let problem = format!("{} lists `{id}`, which does not exist", named(tag));
        checker.error(element, problem, "create it, or take it out of the tag".to_string());
    }
}

fn devices(checker: &mut Checker<'_>, element: Element<'_>, known: &[&str]) {
    let devices = element.attribute("devices").unwrap_or("");
    for id in devices.split(',').map(str::trim) {
        if is_resource(checker, id) {
            continue;
        }
        let problem = format!("{} lists the device `{id}`, which does not exist", named(element));
        checker.error(element, problem, nearest(id, known, "create the device, or take it out of `devices`"));
    }
}

fn role(checker: &mut Checker<'_>, element: Element<'_>) {
    let in_target =
        element.parent().is_some_and(|parent| matches!(parent.name(), "acl_target" | "acl_group"));
    if let (true, Some(id)) = (in_target, element.id()) {
        reference(checker, element, "id", id, "acl_role");
    }
}
