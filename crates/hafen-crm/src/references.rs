//! References from one object to another, when objects change.

use std::collections::BTreeSet;

use hafen_cib::{Cib, Element, NodeId};

use crate::apply::{Adopted, Nodes};
use crate::statement::Statement;

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
