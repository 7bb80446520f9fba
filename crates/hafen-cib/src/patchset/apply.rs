//! Applying a patchset, with a way back.

use super::path::Path;
use super::{Change, PatchError, Patchset};
use crate::cib::Cib;
use crate::xml::arena::{Kind, NONE};
use crate::xml::{Document, Element, NodeId};

/// What takes one step back.
enum Undo {
    Attributes { node: NodeId, before: Vec<(String, String)> },
    Created { node: u32 },
    Deleted { node: u32, parent: u32, next: u32 },
    Detached { node: u32, parent: u32, next: u32 },
    Attached { node: u32 },
}

/// A creation or a move, its place found.
struct Placement<'a> {
    position: usize,
    parent: u32,
    what: Placed<'a>,
}

enum Placed<'a> {
    New(Element<'a>),
    Moved(u32),
}

pub(super) fn apply(patchset: &Patchset, cib: &mut Cib) -> Result<(), PatchError> {
    let (expected, found) = (patchset.source(), cib.version());
    if expected != found {
        return Err(PatchError::Base { expected, found });
    }
    if let Some(root) = patchset.changes().find_map(|change| match change {
        Change::Replace { root } => Some(root),
        _ => None,
    }) {
        return replace(patchset, cib, root);
    }
    let mut work = Work { document: cib.document_mut(), done: Vec::new() };
    let result = work.run(patchset);
    let done = work.done;
    match result.and_then(|()| check(patchset, cib)) {
        Ok(()) => {
            finish(cib.document_mut(), &done);
            Ok(())
        }
        Err(error) => {
            undo(cib.document_mut(), done);
            Err(error)
        }
    }
}

/// Whether the result is what the patchset says.
fn check(patchset: &Patchset, cib: &mut Cib) -> Result<(), PatchError> {
    let (expected, found) = (patchset.target(), cib.version());
    if expected != found {
        return Err(PatchError::Target { expected, found });
    }
    if let Some(expected) = patchset.digest() {
        cib.document_mut().refresh_hashes();
        compare(expected, cib.digest())?;
    }
    if let Some(expected) = patchset.digest_v3() {
        compare(expected, cib.digest_v3())?;
    }
    Ok(())
}

fn compare(expected: &str, found: String) -> Result<(), PatchError> {
    if expected == found {
        return Ok(());
    }
    Err(PatchError::Digest { expected: expected.to_string(), found })
}

fn replace(patchset: &Patchset, cib: &mut Cib, root: Element<'_>) -> Result<(), PatchError> {
    let mut new = cib.clone();
    new.document_mut().replace_root(root);
    check(patchset, &mut new)?;
    *cib = new;
    Ok(())
}

struct Work<'d> {
    document: &'d mut Document,
    done: Vec<Undo>,
}

impl Work<'_> {
    fn run(&mut self, patchset: &Patchset) -> Result<(), PatchError> {
        let mut placements = Vec::new();
        for change in patchset.changes() {
            match change {
                Change::Delete { path, position } => self.delete(path, position)?,
                Change::Modify { path, attributes } => {
                    let node = self.find(path)?;
                    self.modify(NodeId(node), &attributes);
                }
                Change::Create { parent, position, holder } => {
                    let parent = self.find(parent)?;
                    placements.push(Placement { position, parent, what: Placed::New(holder) });
                }
                Change::Move { path, position } => {
                    let node = self.find(path)?;
                    let parent = self.document.node(node).parent;
                    self.not_root(node, path)?;
                    placements.push(Placement { position, parent, what: Placed::Moved(node) });
                }
                Change::Replace { .. } => {}
            }
        }
        placements.sort_by_key(|placement| placement.position);
        self.place(&placements)
    }

    fn find(&self, path: &str) -> Result<u32, PatchError> {
        let found = Path::parse(path).and_then(|path| path.find(self.document).map(|found| found.node().0));
        found.ok_or_else(|| PatchError::NoSuchPath(path.to_string()))
    }

    fn not_root(&self, node: u32, path: &str) -> Result<(), PatchError> {
        if node == self.document.root().node().0 {
            return Err(PatchError::NoSuchPath(format!("{path}, that can be moved or deleted,")));
        }
        Ok(())
    }

    fn delete(&mut self, path: &str, position: Option<usize>) -> Result<(), PatchError> {
        let node = match (path.strip_suffix("/comment"), position) {
            (Some(parent), Some(position)) => {
                let parent = self.find(parent)?;
                let node = self.document.nth_child(parent, position);
                if node == NONE || self.document.node(node).kind != Kind::Comment {
                    return Err(PatchError::NoSuchPath(format!("{path} at position {position}")));
                }
                node
            }
            _ => self.find(path)?,
        };
        self.not_root(node, path)?;
        let next = self.document.node(node).next;
        let parent = self.document.detach(node);
        self.done.push(Undo::Deleted { node, parent, next });
        Ok(())
    }

    fn modify(&mut self, node: NodeId, attributes: &[(&str, Option<&str>)]) {
        self.done.push(Undo::Attributes { node, before: owned_attributes(self.document.element(node)) });
        for (name, value) in attributes {
            match value {
                Some(value) => self.document.set_attribute(node, name, value),
                None => {
                    self.document.remove_attribute(node, name);
                }
            }
        }
    }

    /// Take out all that moves, then put everything where it goes, from the first position on.
    fn place(&mut self, placements: &[Placement<'_>]) -> Result<(), PatchError> {
        for placement in placements {
            let Placed::Moved(node) = placement.what else { continue };
            if self.document.node(node).parent == NONE {
                let what = self.document.element(NodeId(node)).name();
                return Err(PatchError::NoSuchPath(format!("{what} (deleted or moved twice)")));
            }
            let next = self.document.node(node).next;
            let parent = self.document.detach(node);
            self.done.push(Undo::Detached { node, parent, next });
        }
        for Placement { position, parent, what } in placements {
            let before = self.document.nth_child(*parent, *position);
            match what {
                Placed::Moved(node) => {
                    self.document.attach(*node, *parent, before);
                    self.done.push(Undo::Attached { node: *node });
                }
                Placed::New(holder) => {
                    let source = holder.document();
                    let kinds = [Kind::Element, Kind::Comment];
                    for content in source.child_nodes(holder.node().0) {
                        if !kinds.contains(&source.node(content).kind) {
                            continue;
                        }
                        let node = self.document.copy_detached(source, content);
                        self.document.attach(node, *parent, before);
                        self.done.push(Undo::Created { node });
                    }
                }
            }
        }
        Ok(())
    }
}

fn owned_attributes(element: Element<'_>) -> Vec<(String, String)> {
    element.attributes().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

/// Let go of what was deleted.
fn finish(document: &mut Document, done: &[Undo]) {
    for step in done {
        if let Undo::Deleted { parent, .. } = step {
            document.join_texts(*parent);
        }
    }
    for step in done {
        if let Undo::Deleted { node, .. } = step {
            document.discard(*node);
        }
    }
}

/// Take all steps back, the last one first.
fn undo(document: &mut Document, done: Vec<Undo>) {
    for step in done.into_iter().rev() {
        match step {
            Undo::Attributes { node, before } => {
                for (name, _) in owned_attributes(document.element(node)) {
                    document.remove_attribute(node, &name);
                }
                for (name, value) in before {
                    document.set_attribute(node, &name, &value);
                }
            }
            Undo::Created { node } => {
                document.detach(node);
                document.discard(node);
            }
            Undo::Deleted { node, parent, next } | Undo::Detached { node, parent, next } => {
                document.attach(node, parent, next);
            }
            Undo::Attached { node } => {
                document.detach(node);
            }
        }
    }
}
