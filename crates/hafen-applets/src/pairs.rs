//! Setting a pair in one of the sets of an element, in the old one where there is one.

use hafen_cib::Document;
use hafen_cib::xml::{Element, NodeId};

/// Where a value is to stand, if that is said.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ids<'a> {
    /// The set with this id.
    pub(super) set: Option<&'a str>,
    /// The pair with this id.
    pub(super) pair: Option<&'a str>,
}

/// What became of a pair.
pub(super) struct SetPair {
    pub(super) id: String,
    /// The set, if the pair is new in it.
    pub(super) set: Option<String>,
}

/// Sets the pair of that name among the sets `kind` of `holder`. `value` is asked with the old value, if there is one;
/// `default_set` is the id of the set that is made where there is none.
pub(super) fn set_pair(
    document: &mut Document,
    holder: NodeId,
    (kind, default_set): (&str, &str),
    ids: Ids<'_>,
    name: &str,
    value: impl Fn(Option<&str>) -> String,
) -> SetPair {
    // A set that is a reference has no pairs of its own.
    let is_own = |set: &Element<'_>| {
        ids.set.is_none_or(|id| set.id() == Some(id)) && set.attribute("id-ref").is_none()
    };
    let sets = document.element(holder).children_named(kind).filter(is_own);
    let sets: Vec<NodeId> = sets.map(|set| set.node()).collect();
    let fits = |pair: &Element<'_>| {
        pair.attribute("name") == Some(name) && ids.pair.is_none_or(|id| pair.id() == Some(id))
    };
    let old = sets.iter().find_map(|set| document.element(*set).children_named("nvpair").find(fits));
    if let Some(old) = old {
        let (node, id) = (old.node(), old.id().unwrap_or_default().to_owned());
        let value = value(Some(old.attribute("value").unwrap_or_default()));
        document.set_attribute(node, "value", &value);
        return SetPair { id, set: None };
    }
    let set = sets.first().copied().unwrap_or_else(|| {
        let set = document.append_element(holder, kind);
        document.set_attribute(set, "id", ids.set.unwrap_or(default_set));
        set
    });
    let set_id = document.element(set).id().unwrap_or_default().to_owned();
    let id = ids.pair.map_or_else(|| sanitized(&format!("{set_id}-{name}")), str::to_owned);
    let pair = document.append_element(set, "nvpair");
    for (attribute, value) in [("id", id.as_str()), ("name", name), ("value", &value(None))] {
        document.set_attribute(pair, attribute, value);
    }
    SetPair { id, set: Some(set_id) }
}

/// An id without what ids must not have.
fn sanitized(id: &str) -> String {
    let fits = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_' | '.');
    id.chars().map(|letter| if fits(letter) { letter } else { '.' }).collect()
}
