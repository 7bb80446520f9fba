//! References from one object to another, when objects change.

use std::collections::BTreeSet;

use hafen_cib::{Cib, Element, NodeId};

use crate::apply::{Adopted, Nodes};
use crate::diagnostic::{DIAGNOSTICS_MAXIMUM, Diagnostic};
use crate::statement::{Kind, Reference, Statement};

/// What an `id-ref` may name.
const LISTS: [&str; 7] = [
    "instance_attributes",
    "meta_attributes",
    "utilization",
    "operations",
    "rule",
    "nvpair",
    "cluster_property_set",
];

/// A list may be referred to by its object: then the object's first list of that kind is meant.
pub(crate) fn resolve(cib: &mut Cib, statement: &Statement, nodes: &Nodes) {
    let Some(object) = nodes.existing(cib, statement) else { return };
    let mut changes: Vec<(NodeId, String)> = Vec::new();
    for element in object.descendants() {
        let Some(reference) = element.attribute("id-ref") else { continue };
        let Some(target) = cib.document().by_id(reference).filter(|target| target.name() != element.name())
        else {
            continue;
        };
        if let Some(id) = target.child(element.name()).and_then(Element::id) {
            changes.push((element.node(), id.to_string()));
        }
    }
    for (node, id) in changes {
        cib.document_mut().set_attribute(node, "id-ref", &id);
    }
}

/// Whether the lists and rules that statements refer to are there, now that all of them are made.
pub(crate) fn lists_exist(cib: &Cib, statements: &[Statement]) -> Result<(), Vec<Diagnostic>> {
    let document = cib.document();
    let references = statements.iter().flat_map(|statement| &statement.references);
    let missing = references
        .filter(|reference| reference.kind == Kind::List && document.by_id(&reference.id).is_none())
        .take(DIAGNOSTICS_MAXIMUM);
    let problem = |reference: &Reference| {
        let configuration =
            cib.configuration().into_iter().flat_map(|configuration| configuration.descendants());
        let lists = configuration.filter(|element| LISTS.contains(&element.name())).filter_map(Element::id);
        let message = format!("there is no list and no rule `{}`", reference.id);
        Diagnostic::new(reference.span, message).near(&reference.id, lists)
    };
    let problems: Vec<Diagnostic> = missing.map(problem).collect();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// Constraints on a resource that was put into a new clone, group or bundle are on that from now on, unless the text says them anew.
pub(crate) fn follow_parents(cib: &mut Cib, adopted: &Adopted, statements: &[Statement]) {
    if adopted.is_empty() {
        return;
    }
    let said: BTreeSet<&str> = statements.iter().filter_map(Statement::id).collect();
    let Some(constraints) = cib.constraints() else { return };
    let mut changes: Vec<(NodeId, &'static str, String)> = Vec::new();
    for constraint in
        constraints.children().filter(|constraint| !constraint.id().is_some_and(|id| said.contains(id)))
    {
        for element in std::iter::once(constraint).chain(constraint.descendants()) {
            let names: &[&'static str] = if element.name() == "resource_ref" {
                &["id"]
            } else {
                &["rsc", "with-rsc", "first", "then"]
            };
            for name in names {
                let Some(value) = element.attribute(name) else { continue };
                if let Some(parent) = adopted.get(value) {
                    changes.push((element.node(), name, parent.clone()));
                }
            }
        }
    }
    for (node, name, parent) in changes {
        cib.document_mut().set_attribute(node, name, &parent);
    }
}
