//! Sets of name-value pairs (`meta_attributes`, `instance_attributes`, `utilization`, properties), with their rules.

use std::collections::BTreeMap;

use hafen_cib::xml::Element;

use super::rules::{self, NextChange, RuleInput};
use crate::score;

/// Values by name.
pub(crate) type Values = BTreeMap<String, String>;

/// Adds the values of all sets of a kind below `parent`; what is already there, or comes from a set of higher score, stays.
pub(crate) fn unpack(
    parent: Element<'_>,
    kind: &str,
    first: Option<&str>,
    input: &RuleInput<'_>,
    next: &mut NextChange,
    into: &mut Values,
) {
    let mut sets: Vec<(bool, i32, Element<'_>)> = Vec::new();
    for set in parent.children_named(kind) {
        let set = match set.attribute("id-ref") {
            Some(id) => match set.document().by_id(id) {
                Some(target) => target,
                None => continue,
            },
            None => set,
        };
        let special = first.is_some() && set.attribute("id") == first;
        let weight = set.attribute("score").and_then(score::parse).unwrap_or(0);
        sets.push((special, weight, set));
    }
    // Of sets with the same score, the last one counts.
    sets.reverse();
    sets.sort_by(|left, right| right.0.cmp(&left.0).then(right.1.cmp(&left.1)));
    for (_, _, set) in sets {
        if rules::holds(set, input, next) {
            take(set, into);
        }
    }
}

/// Whether any set of a kind below `parent` holds only where its rule does.
pub(crate) fn have_rules(parent: Element<'_>, kind: &str) -> bool {
    parent.children_named(kind).any(|set| {
        let target = set.attribute("id-ref").and_then(|id| set.document().by_id(id)).unwrap_or(set);
        target.child("rule").is_some()
    })
}

fn take(set: Element<'_>, into: &mut Values) {
    let holder = set.child("attributes").unwrap_or(set);
    for pair in holder.children_named("nvpair") {
        let target = pair.attribute("id-ref").and_then(|id| pair.document().by_id(id)).unwrap_or(pair);
        let Some(name) = pair.attribute("name").or_else(|| target.attribute("name")) else { continue };
        let Some(value) = target.attribute("value") else { continue };
        if value == "#default" || into.contains_key(name) {
            continue;
        }
        into.insert(name.to_owned(), value.to_owned());
    }
}

/// The amounts of a `utilization`, in the order in which the configuration names them.
pub(crate) fn amounts(values: Values, holders: [Option<Element<'_>>; 2]) -> Vec<(String, i64)> {
    let mut amounts: Vec<(String, i64)> =
        values.into_iter().map(|(name, value)| (name, score::leading_integer(&value).unwrap_or(0))).collect();
    let sets = holders.into_iter().flatten().flat_map(|holder| holder.children_named("utilization"));
    let names: Vec<&str> =
        sets.flat_map(|set| set.children_named("nvpair").filter_map(|pair| pair.attribute("name"))).collect();
    amounts.sort_by_key(|(name, _)| names.iter().position(|known| known == name));
    amounts
}
