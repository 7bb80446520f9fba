//! What a user sees of a document.

use super::{Permissions, Rights, User};
use crate::xml::{Document, Element, NodeId};

/// The part of a document that a user may read; nothing where that is nothing at all. Elements above what may be read stay,
/// with their ids alone.
#[must_use]
pub fn view(document: &Document, lists: &Document, user: &User) -> Option<Document> {
    let rights = Permissions::of(lists, user).on(document);
    let root = document.root();
    let shown = shown(document, &rights);
    if !is_shown(&shown, root) {
        return None;
    }
    let mut view = Document::new(root.name());
    let top = view.root().node();
    fill(&mut view, top, root, &rights, &shown);
    Some(view)
}

/// The same as tools can work with, of a CIB by its own lists: the version and the schema are told, for a change names the
/// version that it was made from; and sections that exist are there, if only empty.
#[must_use]
pub fn workable_view(document: &Document, user: &User) -> Option<Document> {
    let mut view = view(document, document, user)?;
    let root = view.root().node();
    for name in ["crm_feature_set", "validate-with", "epoch", "num_updates", "admin_epoch"] {
        if let Some(value) = document.root().attribute(name) {
            view.set_attribute(root, name, value);
        }
    }
    for part in document.root().children() {
        let place = ensure(&mut view, root, part.name());
        for section in part.children().filter(|_| part.name() == "configuration") {
            ensure(&mut view, place, section.name());
        }
    }
    Some(view)
}

/// The child of a name, which is made if it is missing.
fn ensure(view: &mut Document, parent: NodeId, name: &str) -> NodeId {
    match view.element(parent).child(name) {
        Some(child) => child.node(),
        None => view.append_element(parent, name),
    }
}

/// Which elements are there for the user: the readable ones, and all above them.
fn shown(document: &Document, rights: &Rights) -> Vec<bool> {
    let mut shown = vec![false; document.slots()];
    let root = document.root();
    for element in std::iter::once(root).chain(root.descendants()) {
        if !rights.right(element).read {
            continue;
        }
        let mut above = Some(element);
        while let Some(element) = above.filter(|element| !is_shown(&shown, *element)) {
            if let Some(shown) = shown.get_mut(element.node().0 as usize) {
                *shown = true;
            }
            above = element.parent();
        }
    }
    shown
}

fn is_shown(shown: &[bool], element: Element<'_>) -> bool {
    shown.get(element.node().0 as usize).copied().unwrap_or(false)
}

/// Copies what is shown of an element into a new one. The parser bounds how deep elements lie in each other.
fn fill(view: &mut Document, into: NodeId, from: Element<'_>, rights: &Rights, shown: &[bool]) {
    let readable = rights.right(from).read;
    for (name, value) in from.attributes().filter(|(name, _)| readable || *name == "id") {
        view.set_attribute(into, name, value);
    }
    let source = from.document();
    for child in source.child_nodes(from.node().0) {
        match source.as_element(child) {
            Some(child) if is_shown(shown, child) => {
                let copy = view.append_element(into, child.name());
                fill(view, copy, child, rights, shown);
            }
            None if readable => view.append_node_copy(into, source, child),
            _ => {}
        }
    }
}
