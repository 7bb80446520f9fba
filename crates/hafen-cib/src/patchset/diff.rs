//! Finding the changes between two trees, level by level, without recursion.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::Patchset;
use super::path::{Step, joined};
use crate::cib::Cib;
use crate::xml::arena::Kind;
use crate::xml::{Document, Element, NodeId};

/// What was found, in the order in which it is written.
#[derive(Default)]
struct Found {
    deletions: Vec<(String, Option<usize>)>,
    modifications: Vec<(String, u32, u32)>,
    placements: Vec<Placement>,
}

enum Placement {
    Create { parent: String, position: usize, node: u32 },
    Move { path: String, position: usize },
}

pub(super) fn diff(old: &Cib, new: &Cib) -> Patchset {
    let mut patchset = Patchset::new(old.version(), new.version());
    let (old, new) = (hashed(old.document()), hashed(new.document()));
    let (old_root, new_root) = (old.root().node().0, new.root().node().0);
    if old.hash(old_root) == new.hash(new_root) {
        return patchset;
    }
    if is_opaque(&old, old_root) || is_opaque(&new, new_root) {
        let change = patchset.push("replace", "/cib", None);
        patchset.document.append_copy(change, new.root());
        return patchset;
    }
    let mut found = Found::default();
    let mut open = vec![(old_root, new_root, "/cib".to_string())];
    while let Some((old_node, new_node, path)) = open.pop() {
        if !attributes(&old, old_node).eq(attributes(&new, new_node)) {
            found.modifications.push((path.clone(), old_node, new_node));
        }
        let level = Level { old: &old, new: &new, path: &path };
        let mut deeper = level.diff(old_node, new_node, &mut found);
        deeper.reverse();
        open.append(&mut deeper);
    }
    write(&mut patchset, &old, &new, found);
    patchset
}

/// The document with all of its hashes known.
fn hashed(document: &Document) -> Cow<'_, Document> {
    if document.node(document.root().node().0).hashed {
        return Cow::Borrowed(document);
    }
    let mut document = document.clone();
    document.refresh_hashes();
    Cow::Owned(document)
}

fn attributes(document: &Document, node: u32) -> impl Iterator<Item = (&str, &str)> {
    document.element(NodeId(node)).attributes()
}

/// Whether an element holds what no path can name: text, instructions, ids with both kinds of quotes.
fn is_opaque(document: &Document, node: u32) -> bool {
    document.child_nodes(node).any(|child| match document.node(child).kind {
        Kind::Element => {
            let id = document.element(NodeId(child)).id().unwrap_or("");
            id.contains('\'') && id.contains('"')
        }
        Kind::Comment => false,
        _ => true,
    })
}

/// The children of one pair of elements that are the same element.
struct Level<'a> {
    old: &'a Document,
    new: &'a Document,
    path: &'a str,
}

/// The places of the children of one name.
#[derive(Default)]
struct Namesakes {
    old: Vec<usize>,
    new: Vec<usize>,
}

impl<'a> Level<'a> {
    /// Record what differs among the children, and give the pairs to look into.
    fn diff(&self, old_node: u32, new_node: u32, found: &mut Found) -> Vec<(u32, u32, String)> {
        let old: Vec<u32> = self.old.child_nodes(old_node).collect();
        let new: Vec<u32> = self.new.child_nodes(new_node).collect();
        let groups = self.groups(&old, &new);
        let mut pairs = self.pairs(&old, &new, &groups);
        let mut kept = vec![false; old.len()];
        for place in pairs.iter().flatten() {
            kept[*place] = true;
        }
        let steps = self.steps(&old, &groups);
        self.place(&old, &new, &mut pairs, &mut kept, &steps, found);
        for (place, node) in old.iter().enumerate().rev().filter(|(place, _)| !kept[*place]) {
            let position = (self.old.node(*node).kind == Kind::Comment).then_some(place);
            found.deletions.push((steps[place].clone(), position));
        }
        let mut deeper = Vec::new();
        for (place, pair) in pairs.iter().enumerate() {
            let Some(pair) = *pair else { continue };
            if self.old.hash(old[pair]) != self.new.hash(new[place]) {
                deeper.push((old[pair], new[place], steps[pair].clone()));
            }
        }
        deeper
    }

    fn groups(&self, old: &[u32], new: &[u32]) -> BTreeMap<&'a str, Namesakes> {
        let mut groups: BTreeMap<&str, Namesakes> = BTreeMap::new();
        for (place, node) in old.iter().enumerate() {
            groups.entry(key(self.old, *node)).or_default().old.push(place);
        }
        for (place, node) in new.iter().enumerate() {
            groups.entry(key(self.new, *node)).or_default().new.push(place);
        }
        groups
    }

    /// For each new child its place among the old ones, if it was there.
    fn pairs(&self, old: &[u32], new: &[u32], groups: &BTreeMap<&str, Namesakes>) -> Vec<Option<usize>> {
        let mut pairs = vec![None; new.len()];
        let equal = |(a, b): (&usize, &usize)| self.old.hash(old[*a]) == self.new.hash(new[*b]);
        let all_equal = |a: &[usize], b: &[usize]| a.len() == b.len() && a.iter().zip(b).all(equal);
        let replaceable = |a: usize, b: usize| {
            let opaque = is_opaque(self.old, old[a]) || is_opaque(self.new, new[b]);
            !opaque || equal((&a, &b))
        };
        for group in groups.values() {
            if all_equal(&group.old, &group.new) {
                group.new.iter().zip(&group.old).for_each(|(b, a)| pairs[*b] = Some(*a));
                continue;
            }
            let mut ids: BTreeMap<&str, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
            for place in &group.old {
                if let Some(id) = id(self.old, old[*place]) {
                    ids.entry(id).or_default().0.push(*place);
                }
            }
            for place in &group.new {
                if let Some(id) = id(self.new, new[*place]) {
                    ids.entry(id).or_default().1.push(*place);
                }
            }
            for (a, b) in ids.values() {
                match (a.as_slice(), b.as_slice()) {
                    ([a], [b]) if replaceable(*a, *b) => pairs[*b] = Some(*a),
                    ([_], [_]) => {}
                    _ if all_equal(a, b) => b.iter().zip(a).for_each(|(b, a)| pairs[*b] = Some(*a)),
                    _ => {}
                }
            }
            if let ([a], [b]) = (group.old.as_slice(), group.new.as_slice())
                && id(self.old, old[*a]).is_none()
                && id(self.new, new[*b]).is_none()
                && self.old.node(old[*a]).kind == Kind::Element
                && self.new.node(new[*b]).kind == Kind::Element
                && replaceable(*a, *b)
            {
                pairs[*b] = Some(*a);
            }
        }
        pairs
    }

    /// The path of each old child, as long as nothing after it was deleted.
    fn steps(&self, old: &[u32], groups: &BTreeMap<&str, Namesakes>) -> Vec<String> {
        let mut paths = vec![String::new(); old.len()];
        for group in groups.values() {
            let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
            for (index, place) in group.old.iter().enumerate() {
                let node = old[*place];
                if self.old.node(node).kind != Kind::Element {
                    paths[*place] = format!("{}/comment", self.path);
                    continue;
                }
                let element = self.old.element(NodeId(node));
                let nth = match element.id() {
                    Some(id) => {
                        let nth = seen.entry(id).or_default();
                        *nth += 1;
                        *nth
                    }
                    None => index + 1,
                };
                let mut path = joined(self.path, Step { name: element.name(), id: element.id(), nth });
                if nth > 1 {
                    path.push_str(&format!("[{nth}]"));
                }
                paths[*place] = path;
            }
        }
        paths
    }

    /// Walk the new order beside the old one: what is not next is created, or moved to its place.
    fn place(
        &self,
        old: &[u32],
        new: &[u32],
        pairs: &mut [Option<usize>],
        kept: &mut [bool],
        steps: &[String],
        found: &mut Found,
    ) {
        let mut passed: Vec<bool> = kept.iter().map(|kept| !kept).collect();
        let mut next = 0;
        for (position, node) in new.iter().enumerate() {
            while next < old.len() && passed[next] {
                next += 1;
            }
            match pairs[position] {
                Some(place) if place == next => passed[place] = true,
                // No path names a comment to move.
                Some(place) if self.old.node(old[place]).kind == Kind::Comment => {
                    passed[place] = true;
                    kept[place] = false;
                    pairs[position] = None;
                    found.placements.push(Placement::Create {
                        parent: self.path.to_string(),
                        position,
                        node: *node,
                    });
                }
                Some(place) => {
                    passed[place] = true;
                    found.placements.push(Placement::Move { path: steps[place].clone(), position });
                }
                None => {
                    found.placements.push(Placement::Create {
                        parent: self.path.to_string(),
                        position,
                        node: *node,
                    });
                }
            }
        }
    }
}

/// What groups the children: an element's name; for a comment a key that no element has.
fn key(document: &Document, node: u32) -> &str {
    match document.node(node).kind {
        Kind::Element => document.element(NodeId(node)).name(),
        _ => "",
    }
}

fn id(document: &Document, node: u32) -> Option<&str> {
    match document.node(node).kind {
        Kind::Element => document.element(NodeId(node)).id(),
        // Comments of the same text are the same.
        _ => Some(document.span(document.node(node).text)),
    }
}

fn write(patchset: &mut Patchset, old: &Document, new: &Document, found: Found) {
    for (path, position) in found.deletions {
        patchset.push("delete", &path, position);
    }
    for (path, old_node, new_node) in found.modifications {
        let change = patchset.push("modify", &path, None);
        let (old, new) = (old.element(NodeId(old_node)), new.element(NodeId(new_node)));
        write_attributes(&mut patchset.document, change, old, new);
    }
    for placement in found.placements {
        match placement {
            Placement::Create { parent, position, node } => {
                let change = patchset.push("create", &parent, Some(position));
                patchset.document.append_node_copy(change, new, node);
            }
            Placement::Move { path, position } => {
                patchset.push("move", &path, Some(position));
            }
        }
    }
}

fn write_attributes(document: &mut Document, change: NodeId, old: Element<'_>, new: Element<'_>) {
    let list = document.append_element(change, "change-list");
    let mut entry = |name: &str, value: Option<&str>| {
        let attribute = document.append_element(list, "change-attr");
        document.set_attribute(attribute, "name", name);
        document.set_attribute(attribute, "operation", if value.is_some() { "set" } else { "unset" });
        if let Some(value) = value {
            document.set_attribute(attribute, "value", value);
        }
    };
    // What stays must stand in the same order and first; from where it does not, all is set anew.
    let stays = |name: &str| new.attribute(name).is_some();
    let kept: Vec<&str> = old.attributes().map(|(name, _)| name).filter(|name| stays(name)).collect();
    let in_order = kept.iter().zip(new.attributes()).take_while(|(kept, (name, _))| *kept == name).count();
    for (name, _) in old.attributes().filter(|(name, _)| !stays(name) || kept[in_order..].contains(name)) {
        entry(name, None);
    }
    for (index, (name, value)) in new.attributes().enumerate() {
        if index >= in_order || old.attribute(name) != Some(value) {
            entry(name, Some(value));
        }
    }
    let result = document.append_element(change, "change-result");
    let copy = document.append_element(result, new.name());
    for (name, value) in new.attributes() {
        document.set_attribute(copy, name, value);
    }
}
