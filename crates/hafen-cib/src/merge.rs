//! Two changes of one configuration brought together, as long as they touch different objects.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Cib, Element, NodeId};

/// What both changes touch, differently: its element and its id, for example `primitive vm1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Conflict {
    /// The element's name.
    pub element: String,
    /// The object's id.
    pub id: String,
}

/// An object's changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// It is new.
    Created,
    /// It is another one now.
    Changed,
    /// It is gone.
    Deleted,
}

/// Below these, each child is an object of its own; everything else is one as a whole.
const CONTAINERS: [&str; 14] = [
    "configuration",
    "crm_config",
    "nodes",
    "resources",
    "constraints",
    "fencing-topology",
    "rsc_defaults",
    "op_defaults",
    "acls",
    "tags",
    "alerts",
    "cluster_property_set",
    "meta_attributes",
    "instance_attributes",
];

/// A set is a container where it is no part of an object: in these sections.
const SECTIONS_OF_SETS: [&str; 3] = ["crm_config", "rsc_defaults", "op_defaults"];

/// Makes the changes from `base` to `ours` in `theirs`, which came from `base` too.
///
/// # Errors
///
/// What both changed differently; `theirs` is as it was then.
pub fn merge(base: &Cib, ours: &Cib, theirs: &mut Cib) -> Result<(), Vec<Conflict>> {
    let mut merged = theirs.clone();
    let mut conflicts = BTreeSet::new();
    if let (Some(base), Some(ours)) = (base.configuration(), ours.configuration()) {
        match merged.configuration().map(Element::node) {
            Some(place) => merge_children(base, ours, &mut merged, place, &mut conflicts),
            None => merged.replace_configuration(ours),
        }
    }
    if conflicts.is_empty() {
        *theirs = merged;
        return Ok(());
    }
    Err(conflicts.into_iter().collect())
}

/// Which objects differ between two configurations: what happened to them, their elements and ids.
#[must_use]
pub fn touched(before: &Cib, after: &Cib) -> Vec<(Touch, Conflict)> {
    let mut found = Vec::new();
    if let (Some(before), Some(after)) = (before.configuration(), after.configuration()) {
        add_touched(before, after, &mut found);
    }
    found
}

fn add_touched(before: Element<'_>, after: Element<'_>, found: &mut Vec<(Touch, Conflict)>) {
    let (old_ones, new_ones) = (index(before), index(after));
    for old in before.children() {
        match new_ones.get(&key(old)).map(|new| after.document().element(*new)) {
            None => found.push((Touch::Deleted, named(old))),
            Some(new) if is_same(old, new) => {}
            Some(new) if is_container(old) && same_attributes(old, new) => add_touched(old, new, found),
            Some(_) => found.push((Touch::Changed, named(old))),
        }
    }
    let new = after.children().filter(|new| !old_ones.contains_key(&key(*new)));
    found.extend(new.map(|new| (Touch::Created, named(new))));
}

fn merge_children(
    base: Element<'_>,
    ours: Element<'_>,
    merged: &mut Cib,
    place: NodeId,
    conflicts: &mut BTreeSet<Conflict>,
) {
    let (bases, mines) = (index(base), index(ours));
    let finds = index(merged.document().element(place));
    for old in base.children() {
        let mine = mines.get(&key(old)).map(|mine| ours.document().element(*mine));
        match (mine, finds.get(&key(old)).copied()) {
            (Some(mine), _) if is_same(old, mine) => {}
            (None, None) => {}
            (None, Some(found)) if is_same(old, merged.document().element(found)) => {
                merged.document_mut().remove(found);
            }
            (Some(mine), Some(found)) => {
                let theirs = merged.document().element(found);
                if is_same(theirs, mine) {
                    continue;
                }
                if is_same(old, theirs) {
                    let position = theirs.position();
                    merged.document_mut().insert_copy(place, position, mine);
                    merged.document_mut().remove(found);
                } else if is_container(old) && same_attributes(old, mine) && same_attributes(old, theirs) {
                    merge_children(old, mine, merged, found, conflicts);
                } else {
                    conflicts.insert(named(old));
                }
            }
            (None, Some(_)) | (Some(_), None) => {
                conflicts.insert(named(old));
            }
        }
    }
    for mine in ours.children().filter(|mine| !bases.contains_key(&key(*mine))) {
        match finds.get(&key(mine)).map(|found| merged.document().element(*found)) {
            Some(theirs) if is_same(theirs, mine) => {}
            Some(_) => _ = conflicts.insert(named(mine)),
            None => add_new(merged, place, mine),
        }
    }
}

/// Puts a new object behind the one that it stands behind in its own configuration, or at the end.
fn add_new(merged: &mut Cib, place: NodeId, mine: Element<'_>) {
    let siblings = mine.parent().into_iter().flat_map(Element::children);
    let before = siblings.take_while(|child| child.node() != mine.node()).last();
    let is_it = |child: &Element<'_>| before.is_some_and(|before| key(*child) == key(before));
    let neighbour = merged.document().element(place).children().find(is_it);
    match neighbour.map(Element::position) {
        Some(position) => _ = merged.document_mut().insert_copy(place, position + 1, mine),
        None => _ = merged.document_mut().append_copy(place, mine),
    }
}

fn named(element: Element<'_>) -> Conflict {
    let name = element.attribute("name").filter(|_| element.name() == "nvpair");
    let id = name.or(element.id()).unwrap_or_default().to_owned();
    Conflict { element: element.name().to_owned(), id }
}

/// What an object is known by among its siblings.
fn key(element: Element<'_>) -> (String, Option<String>) {
    (element.name().to_owned(), element.id().map(str::to_owned))
}

fn index(parent: Element<'_>) -> BTreeMap<(String, Option<String>), NodeId> {
    parent.children().map(|child| (key(child), child.node())).collect()
}

fn is_container(element: Element<'_>) -> bool {
    let in_section = |parent: Element<'_>| SECTIONS_OF_SETS.contains(&parent.name());
    CONTAINERS.contains(&element.name())
        && (!element.name().ends_with("_attributes") || element.parent().is_some_and(in_section))
}

fn same_attributes(one: Element<'_>, other: Element<'_>) -> bool {
    one.attributes().collect::<BTreeSet<_>>() == other.attributes().collect::<BTreeSet<_>>()
}

fn is_same(one: Element<'_>, other: Element<'_>) -> bool {
    one.to_xml_compact() == other.to_xml_compact()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cib(properties: &str, resources: &str) -> Cib {
        let xml = format!(
            r#"<cib epoch="1" num_updates="0" admin_epoch="0"><configuration><crm_config>
            <cluster_property_set id="options">{properties}</cluster_property_set></crm_config><nodes/>
            <resources>{resources}</resources><constraints/></configuration><status/></cib>"#
        );
        Cib::parse(&xml).expect("a CIB")
    }

    fn pair(name: &str, value: &str) -> String {
        format!(r#"<nvpair id="options-{name}" name="{name}" value="{value}"/>"#)
    }

    fn vm(id: &str, agent: &str) -> String {
        format!(r#"<primitive id="{id}" class="ocf" provider="x" type="{agent}"/>"#)
    }

    fn ids(cib: &Cib) -> Vec<String> {
        let resources = cib.resources().expect("resources").children();
        resources
            .map(|one| format!("{} {}", one.id().unwrap_or(""), one.attribute("type").unwrap_or("")))
            .collect()
    }

    #[test]
    fn changes_of_different_objects_come_together() {
        let three = vm("a", "one") + &vm("b", "one") + &vm("c", "one");
        let base = cib(&pair("batch-limit", "1"), &three);
        let ours = cib(
            &(pair("batch-limit", "1") + &pair("maintenance-mode", "true")),
            &(vm("a", "one") + &vm("new", "ours") + &vm("b", "two")),
        );
        let mut theirs = cib(
            &pair("batch-limit", "2"),
            &(vm("a", "two") + &three[vm("a", "one").len()..] + &vm("d", "theirs")),
        );
        merge(&base, &ours, &mut theirs).expect("nothing is touched twice");
        assert_eq!(ids(&theirs), ["a two", "new ours", "b two", "d theirs"]);
        assert_eq!(theirs.configured_property("batch-limit"), Some("2"));
        assert_eq!(theirs.configured_property("maintenance-mode"), Some("true"));
    }

    #[test]
    fn what_both_touch_is_told_and_nothing_is_changed() {
        let base = cib(&pair("batch-limit", "1"), &(vm("a", "one") + &vm("b", "one")));
        let ours = cib(&pair("batch-limit", "2"), &(vm("a", "ours") + &vm("c", "ours")));
        let mut theirs = cib(&pair("batch-limit", "3"), &(vm("b", "theirs") + &vm("c", "theirs")));
        let before = theirs.to_xml();
        let conflicts = merge(&base, &ours, &mut theirs).expect_err("they meet");
        let told: Vec<String> = conflicts.iter().map(|one| format!("{} {}", one.element, one.id)).collect();
        assert_eq!(told, ["nvpair batch-limit", "primitive a", "primitive b", "primitive c"]);
        assert_eq!(theirs.to_xml(), before);
    }

    #[test]
    fn the_same_change_twice_is_none() {
        let base = cib("", &vm("a", "one"));
        let ours = cib(&pair("batch-limit", "2"), &vm("b", "new"));
        let mut theirs = ours.clone();
        merge(&base, &ours, &mut theirs).expect("the same");
        assert_eq!(theirs.to_xml(), ours.to_xml());
        let names = touched(&base, &ours).into_iter().map(|(touch, one)| (touch, one.id));
        let expected = [
            (Touch::Created, "batch-limit".to_owned()),
            (Touch::Deleted, "a".to_owned()),
            (Touch::Created, "b".to_owned()),
        ];
        assert_eq!(names.collect::<Vec<_>>(), expected);
    }
}
