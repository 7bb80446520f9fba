//! What a configuration says, whatever its inner ids are.

use std::collections::BTreeMap;

use hafen_cib::{Cib, Element};

/// What an `id-ref` names, by its place: the object above, and which of the elements in it.
type Places<'c> = BTreeMap<&'c str, String>;

/// The configuration without the ids inside of objects, sections and objects in an order of their own.
pub fn shape(cib: &Cib) -> Vec<String> {
    let objects = || cib.configuration().into_iter().flat_map(Element::children).flat_map(Element::children);
    let mut places = Places::new();
    for object in objects() {
        let above = object.id().unwrap_or("");
        for (at, element) in ordered(object).into_iter().enumerate() {
            places.extend(element.id().map(|id| (id, format!("{above}/{at}"))));
        }
    }
    let mut shapes: Vec<String> = objects()
        .map(|object| {
            let mut text = String::new();
            write(object, true, &places, &mut text);
            text
        })
        .collect();
    shapes.sort();
    shapes
}

fn is_member(element: &Element<'_>) -> bool {
    matches!(element.name(), "primitive" | "group")
}

/// The children, members last: where these stand among lists does not matter.
fn children(element: Element<'_>) -> impl Iterator<Item = Element<'_>> {
    let lists = element.children().filter(|child| !is_member(child));
    lists.chain(element.children().filter(is_member))
}

/// An element and all below it, in the order of [`children`].
fn ordered(element: Element<'_>) -> Vec<Element<'_>> {
    std::iter::once(element).chain(children(element).flat_map(ordered)).collect()
}

fn write(element: Element<'_>, top: bool, places: &Places<'_>, into: &mut String) {
    let keeps_id = top
        || is_member(&element)
        || matches!(element.name(), "resource_ref" | "obj_ref" | "role" | "role_ref");
    let mut attributes: Vec<(&str, &str)> = element
        .attributes()
        .filter(|(name, _)| keeps_id && element.name() != "fencing-level" || *name != "id")
        .map(|(name, value)| match places.get(value).filter(|_| name == "id-ref") {
            Some(place) => (name, place.as_str()),
            None => (name, value),
        })
        .collect();
    attributes.retain(|(name, value)| element.name() != "node" || (*name, *value) != ("type", "member"));
    // What holds without it.
    let for_strings = matches!(element.attribute("operation"), Some("eq" | "ne"));
    attributes.retain(|pair| *pair != ("boolean-op", "and") && !(for_strings && *pair == ("type", "string")));
    attributes.sort_unstable();
    *into += &format!("<{} {attributes:?}", element.name());
    for child in children(element) {
        write(child, false, places, into);
    }
    into.push('>');
}
