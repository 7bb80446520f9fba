//! Constraints.

use super::super::Kind;
use super::super::types::Type::{self, Boolean, Id, IdRef, Score, Text, Word};
use super::sets::{RULE, id_or_reference};
use super::{ROLES, any, both, may, must, nothing, up_to_one};
use crate::xml::Element;

const ORDER_KINDS: Type = Word(&["Optional", "Mandatory", "Serialize"]);
const ACTIONS: Type = Word(&["start", "promote", "demote", "stop"]);
pub(super) static CONSTRAINTS: Kind = Kind {
    attributes: &[],
    children: &[
        any("rsc_location", &LOCATION),
        any("rsc_colocation", &COLOCATION),
        any("rsc_order", &ORDER),
        any("rsc_ticket", &TICKET),
    ],
    also: nothing,
};
static LOCATION: Kind = Kind {
    attributes: &[
        must("id", Id),
        may("rsc", IdRef),
        may("rsc-pattern", Text),
        may("role", ROLES),
        may("score", Score),
        may("node", Text),
        may("resource-discovery", Word(&["always", "never", "exclusive"])),
    ],
    children: &[any("resource_set", &RESOURCE_SET), up_to_one("rule", &RULE)],
    also: location,
};
static COLOCATION: Kind = Kind {
    attributes: &[
        must("id", Id),
        may("score", Score),
        may("influence", Text),
        may("rsc", IdRef),
        may("with-rsc", IdRef),
        may("node-attribute", Text),
        may("rsc-role", ROLES),
        may("with-rsc-role", ROLES),
    ],
    children: &[any("resource_set", &RESOURCE_SET)],
    also: |element| {
        pair_or_sets(element, &["rsc", "with-rsc"], &["node-attribute", "rsc-role", "with-rsc-role"])
    },
};
static ORDER: Kind = Kind {
    attributes: &[
        must("id", Id),
        may("symmetrical", Boolean),
        may("require-all", Boolean),
        may("score", Score),
        may("kind", ORDER_KINDS),
        may("first", IdRef),
        may("then", IdRef),
        may("first-action", ACTIONS),
        may("then-action", ACTIONS),
    ],
    children: &[any("resource_set", &RESOURCE_SET)],
    also: |element| {
        both(element, "score", "kind")
            .or_else(|| pair_or_sets(element, &["first", "then"], &["first-action", "then-action"]))
    },
};
static TICKET: Kind = Kind {
    attributes: &[
        must("id", Id),
        may("rsc", IdRef),
        may("rsc-role", ROLES),
        must("ticket", Text),
        may("loss-policy", Word(&["stop", "demote", "fence", "freeze"])),
    ],
    children: &[any("resource_set", &RESOURCE_SET)],
    also: |element| pair_or_sets(element, &["rsc"], &["rsc-role"]),
};
static RESOURCE_SET: Kind = Kind {
    attributes: &[
        may("id", Id),
        may("id-ref", IdRef),
        may("sequential", Boolean),
        may("require-all", Boolean),
        may("ordering", Word(&["group", "listed"])),
        may("action", ACTIONS),
        may("role", ROLES),
        may("score", Score),
        may("kind", ORDER_KINDS),
    ],
    children: &[any("resource_ref", &RESOURCE_REFERENCE)],
    also: |element| {
        let empty = element.attribute("id-ref").is_none() && element.children().next().is_none();
        id_or_reference(element)
            .or_else(|| both(element, "score", "kind"))
            .or_else(|| empty.then(|| "has no <resource_ref>".to_owned()))
    },
};
static RESOURCE_REFERENCE: Kind = Kind { attributes: &[must("id", IdRef)], children: &[], also: nothing };

fn location(element: Element<'_>) -> Option<String> {
    let has = |name: &str| element.attribute(name).is_some();
    let sets = element.child("resource_set").is_some();
    let subjects = usize::from(has("rsc")) + usize::from(has("rsc-pattern")) + usize::from(sets);
    if subjects != 1 {
        return Some("needs one of `rsc`, `rsc-pattern` and <resource_set>".to_owned());
    }
    if sets && has("role") {
        return Some("has both <resource_set> and `role`".to_owned());
    }
    let rule = element.child("rule").is_some();
    if rule == (has("score") && has("node")) || rule && (has("score") || has("node")) {
        return Some("needs either `node` and `score`, or a <rule>".to_owned());
    }
    None
}

/// A constraint is either about what attributes name, or about sets.
fn pair_or_sets(element: Element<'_>, needed: &[&str], further: &[&str]) -> Option<String> {
    let has = |name: &&&str| element.attribute(name).is_some();
    if element.child("resource_set").is_some() {
        let more = needed.iter().chain(further).find(has)?;
        return Some(format!("has both <resource_set> and `{more}`"));
    }
    let missing = needed.iter().find(|name| !has(name))?;
    Some(format!("has no `{missing}`"))
}
