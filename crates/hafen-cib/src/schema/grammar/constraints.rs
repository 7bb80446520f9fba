//! Constraints.

use super::super::types::Type::{self, Boolean, Id, IdRef, Score, Text, Word};
use super::super::{Kind, Version};
use super::sets::{RULE, id_or_reference};
use super::{any, both, in_order, may, must, nothing, old_role, role, some, up_to_one};
use crate::xml::Element;

const ORDER_KINDS: Type = Word(&["Optional", "Mandatory", "Serialize"]);
const ACTIONS: Type = Word(&["start", "promote", "demote", "stop"]);
pub(super) static CONSTRAINTS: Kind = Kind {
    attributes: &[],
    children: &[
        any("rsc_location", &LOCATION),
        any("rsc_colocation", &COLOCATION),
        any("rsc_order", &ORDER),
        any("rsc_ticket", &TICKET).since(1, 2),
    ],
    also: nothing,
};
static LIFETIME: Kind = Kind { attributes: &[], children: &[some("rule", &RULE)], also: nothing };
static LOCATION: Kind = Kind {
    attributes: &[
        must("id", Id),
        may("rsc", IdRef),
        may("rsc-pattern", Text).since(2, 6),
        old_role("role").since(1, 2),
        role("role"),
        may("score", Score),
        may("node", Text),
        may("resource-discovery", Word(&["always", "never", "exclusive"])).since(2, 2),
    ],
    children: &[
        any("resource_set", &RESOURCE_SET).since(1, 2),
        any("rule", &RULE).until(4, 0),
        up_to_one("rule", &RULE).since(4, 0),
        up_to_one("lifetime", &LIFETIME).until(4, 0),
    ],
    also: location,
};
static COLOCATION: Kind = Kind {
    attributes: &[
        must("id", Id),
        may("score", Score),
        may("score-attribute", Text).until(3, 0),
        may("score-attribute-mangle", Text).until(3, 0),
        may("influence", Text).since(3, 6),
        may("rsc", IdRef),
        may("with-rsc", IdRef),
        may("node-attribute", Text),
        old_role("rsc-role"),
        role("rsc-role"),
        old_role("with-rsc-role"),
        role("with-rsc-role"),
    ],
    children: &[up_to_one("lifetime", &LIFETIME).until(4, 0), any("resource_set", &RESOURCE_SET)],
    also: |element, _| {
        both(element, "score", "score-attribute")
            .or_else(|| both(element, "score", "score-attribute-mangle"))
            .or_else(|| both(element, "score-attribute", "score-attribute-mangle"))
            .or_else(|| in_order(element, &["lifetime", "resource_set"]))
            .or_else(|| {
                let further = ["node-attribute", "rsc-role", "with-rsc-role"];
                pair_or_sets(element, &["rsc", "with-rsc"], &further)
            })
    },
};
static ORDER: Kind = Kind {
    attributes: &[
        must("id", Id),
        may("symmetrical", Boolean),
        may("require-all", Boolean).since(2, 3),
        may("score", Score),
        may("kind", ORDER_KINDS),
        may("first", IdRef),
        may("then", IdRef),
        may("first-action", ACTIONS),
        may("then-action", ACTIONS),
    ],
    children: &[up_to_one("lifetime", &LIFETIME).until(4, 0), any("resource_set", &RESOURCE_SET)],
    also: |element, _| {
        both(element, "score", "kind")
            .or_else(|| in_order(element, &["lifetime", "resource_set"]))
            .or_else(|| pair_or_sets(element, &["first", "then"], &["first-action", "then-action"]))
    },
};
static TICKET: Kind = Kind {
    attributes: &[
        must("id", Id),
        may("rsc", IdRef),
        old_role("rsc-role"),
        role("rsc-role"),
        must("ticket", Text),
        may("loss-policy", Word(&["stop", "demote", "fence", "freeze"])),
    ],
    children: &[any("resource_set", &RESOURCE_SET)],
    also: |element, _| pair_or_sets(element, &["rsc"], &["rsc-role"]),
};
static RESOURCE_SET: Kind = Kind {
    attributes: &[
        may("id", Id),
        may("id-ref", IdRef),
        may("sequential", Boolean),
        may("require-all", Boolean).since(1, 2),
        may("ordering", Word(&["group", "listed"])).since(2, 1),
        may("action", ACTIONS),
        old_role("role"),
        role("role"),
        may("score", Score),
        may("kind", ORDER_KINDS).since(3, 0),
    ],
    children: &[any("resource_ref", &RESOURCE_REFERENCE)],
    also: |element, version| {
        let empty = element.attribute("id-ref").is_none() && element.children().next().is_none();
        id_or_reference(element, version)
            .or_else(|| both(element, "score", "kind"))
            .or_else(|| empty.then(|| "has no <resource_ref>".to_owned()))
    },
};
static RESOURCE_REFERENCE: Kind = Kind { attributes: &[must("id", IdRef)], children: &[], also: nothing };

fn location(element: Element<'_>, _: Version) -> Option<String> {
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
    in_order(element, &["resource_set", "rule", "lifetime"])
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
