//! Editing a document.

use super::NodeId;
use super::arena::{Kind, NONE, Node};
use super::chars::is_name;
use super::document::Document;
use super::element::Element;
use super::ids::is_id_reference;

impl Document {
    /// Set an attribute: in its place if it exists, else as the last.
    ///
    /// Characters that XML does not allow are replaced by U+FFFD. Panics if `name` is not a name
    /// ([`super::is_name`]) or the node is not an element.
    pub fn set_attribute(&mut self, node: NodeId, name: &str, value: &str) {
        self.assert_element(node.0);
        let symbol = match self.names.find(name) {
            Some(symbol) => symbol,
            None => {
                assert!(is_name(name), "{name:?} is not the name of an attribute");
                self.names.intern(name)
            }
        };
        let is_id = name == "id" && self.is_indexed(node.0);
        if is_id {
            self.unindex(node.0);
        }
        self.touch(node.0);
        match self.find_attribute(node.0, symbol) {
            Some(link) => {
                let old = self.attributes[link as usize].value;
                self.attributes[link as usize].value = self.restore(old, value);
            }
            None => {
                let value = self.store(value);
                let last = self.last_attribute(node.0);
                self.push_attribute(node.0, last, symbol, value);
            }
        }
        if is_id {
            self.index(node.0);
        }
    }

    /// Remove an attribute; `false` if the element has none of that name.
    pub fn remove_attribute(&mut self, node: NodeId, name: &str) -> bool {
        self.assert_element(node.0);
        let Some(link) = self.names.find(name).and_then(|symbol| self.find_attribute(node.0, symbol)) else {
            return false;
        };
        if name == "id" && self.is_indexed(node.0) {
            self.unindex(node.0);
        }
        self.unlink_attribute(node.0, link);
        self.touch(node.0);
        true
    }

    /// Add an empty element as the last child. Panics if `name` is not a name.
    pub fn append_element(&mut self, parent: NodeId, name: &str) -> NodeId {
        self.insert_element(parent, usize::MAX, name)
    }

    /// Add an empty element as a child, `position` nodes of any kind from the start (at the end, if
    /// there are fewer). Panics if `name` is not a name.
    pub fn insert_element(&mut self, parent: NodeId, position: usize, name: &str) -> NodeId {
        self.assert_element(parent.0);
        let node = self.new_element(name);
        let before = self.nth_child(parent.0, position);
        self.link(node, parent.0, before);
        NodeId(node)
    }

    /// Add an empty element in front of one that has a parent. Panics if `name` is not a name.
    pub fn insert_element_before(&mut self, sibling: NodeId, name: &str) -> NodeId {
        self.assert_element(sibling.0);
        let parent = self.node(sibling.0).parent;
        assert_ne!(sibling.0, self.root, "nothing stands beside the root element");
        let node = self.new_element(name);
        self.link(node, parent, sibling.0);
        NodeId(node)
    }

    /// Add a copy of an element, with all below it, as the last child.
    pub fn append_copy(&mut self, parent: NodeId, element: Element<'_>) -> NodeId {
        self.insert_copy(parent, usize::MAX, element)
    }

    /// Add a copy of an element of any document, with all below it, as a child at a position.
    pub fn insert_copy(&mut self, parent: NodeId, position: usize, element: Element<'_>) -> NodeId {
        self.assert_element(parent.0);
        let copy = self.copy_detached(element.document, element.node);
        let before = self.nth_child(parent.0, position);
        self.attach(copy, parent.0, before);
        NodeId(copy)
    }

    /// A copy of a node of another document, with all below it, not linked anywhere.
    pub(crate) fn copy_detached(&mut self, source: &Document, top: u32) -> u32 {
        let copy = self.copy_node(source, top);
        let mut into = copy;
        let mut from = top;
        // Walk the source in document order; `into` follows as the copy of `from`.
        while let Some(next) = source.following(from, top) {
            let mut walk = from;
            while source.node(next).parent != walk {
                walk = source.node(walk).parent;
                into = self.node(into).parent;
            }
            let child = self.copy_node(source, next);
            self.link(child, into, NONE);
            (from, into) = (next, child);
        }
        copy
    }

    /// Add a copy of a node of any kind, with all below it, as the last child.
    pub(crate) fn append_node_copy(&mut self, parent: NodeId, source: &Document, node: u32) {
        let copy = self.copy_detached(source, node);
        self.attach(copy, parent.0, NONE);
    }

    /// Put a copy of an element in the root's place.
    pub fn replace_root(&mut self, element: Element<'_>) {
        let old = self.root;
        let copy = self.copy_detached(element.document, element.node);
        self.detach(old);
        self.discard(old);
        self.root = copy;
        self.link(copy, 0, NONE);
        self.index_subtree(copy);
    }

    /// Add a copy of one of this document's own elements as a child at a position.
    pub fn duplicate(&mut self, parent: NodeId, position: usize, node: NodeId) -> NodeId {
        let mut holder = Document::new("copy");
        let top = NodeId(holder.root);
        let copy = holder.append_copy(top, self.element(node));
        self.insert_copy(parent, position, holder.element(copy))
    }

    /// Remove an element with all below it. Panics for the root.
    pub fn remove(&mut self, node: NodeId) {
        self.assert_element(node.0);
        self.remove_node(node.0);
    }

    /// Remove everything inside an element; its attributes stay.
    pub fn clear(&mut self, node: NodeId) {
        self.assert_element(node.0);
        while self.node(node.0).first_child != NONE {
            self.remove_node(self.node(node.0).first_child);
        }
    }

    /// Move an element below `parent`, to a position counted without the element itself.
    /// Panics if `parent` is the element or lies below it.
    pub fn move_to(&mut self, node: NodeId, parent: NodeId, position: usize) {
        self.assert_element(node.0);
        self.assert_element(parent.0);
        let mut ancestor = parent.0;
        while ancestor != NONE {
            assert_ne!(ancestor, node.0, "an element cannot be moved into itself");
            ancestor = self.node(ancestor).parent;
        }
        let previous = self.node(node.0).previous;
        self.detach(node.0);
        self.join_next(previous);
        let before = self.nth_child(parent.0, position);
        self.attach(node.0, parent.0, before);
    }

    /// Take a node with all below it out of the tree, without freeing it; gives its old parent.
    pub(crate) fn detach(&mut self, node: u32) -> u32 {
        self.unindex_subtree(node);
        let parent = self.node(node).parent;
        self.unlink(node);
        parent
    }

    /// Put a detached node in front of `before` (at the end, if that is `NONE`).
    pub(crate) fn attach(&mut self, node: u32, parent: u32, before: u32) {
        self.link(node, parent, before);
        self.index_subtree(node);
    }

    /// Free a detached node with all below it.
    pub(crate) fn discard(&mut self, node: u32) {
        // From the bottom, so that every slot is left only after those below it.
        let mut current = node;
        loop {
            while self.node(current).first_child != NONE {
                current = self.node(current).first_child;
            }
            let Node { parent, next, .. } = *self.node(current);
            self.free(current);
            if current == node {
                return;
            }
            if next == NONE {
                self.nodes[parent as usize].first_child = NONE;
                current = parent;
            } else {
                current = next;
            }
        }
    }

    /// Make one text of neighbouring ones, as a reader of the written document would.
    pub(crate) fn join_texts(&mut self, parent: u32) {
        let mut node = self.node(parent).first_child;
        while node != NONE {
            if !self.join_next(node) {
                node = self.node(node).next;
            }
        }
    }

    /// Make one text of a node and the next, if both are texts.
    fn join_next(&mut self, node: u32) -> bool {
        let next = if node == NONE { NONE } else { self.node(node).next };
        if next == NONE || self.node(node).kind != Kind::Text || self.node(next).kind != Kind::Text {
            return false;
        }
        let joined = [self.span(self.node(node).text), self.span(self.node(next).text)].concat();
        self.dead_text += self.node(node).text.length as usize;
        self.nodes[node as usize].text = self.store(&joined);
        self.unlink(next);
        self.discard(next);
        self.touch(node);
        true
    }

    /// Forget the hashes of a node and all above it.
    pub(super) fn touch(&mut self, mut node: u32) {
        while node != NONE && self.node(node).hashed {
            self.nodes[node as usize].hashed = false;
            node = self.node(node).parent;
        }
    }

    /// Replace everything inside an element by a text; an empty text leaves the element empty.
    pub fn set_text(&mut self, node: NodeId, text: &str) {
        self.clear(node);
        if !text.is_empty() {
            self.append_leaf(node.0, Kind::Text, text);
        }
    }

    /// Add a comment as the last child; `--` inside of it becomes `- -`.
    pub fn append_comment(&mut self, parent: NodeId, text: &str) {
        self.assert_element(parent.0);
        let mut text = text.replace("--", "- -").replace("--", "- -");
        if text.ends_with('-') {
            text.push(' ');
        }
        self.append_leaf(parent.0, Kind::Comment, &text);
    }

    fn append_leaf(&mut self, parent: u32, kind: Kind, text: &str) {
        let span = self.store(text);
        let leaf = self.new_node(Node { text: span, ..Node::new(kind, 0) });
        self.link(leaf, parent, NONE);
    }

    fn assert_element(&self, node: u32) {
        assert_eq!(self.node(node).kind, Kind::Element, "node {node} is no element (any more)");
    }

    pub(super) fn new_node(&mut self, node: Node) -> u32 {
        let slot = self.free_node;
        if slot == NONE {
            self.nodes.push(node);
            return self.nodes.len() as u32 - 1;
        }
        self.free_node = self.node(slot).next;
        self.nodes[slot as usize] = node;
        slot
    }

    pub(super) fn new_element(&mut self, name: &str) -> u32 {
        assert!(is_name(name), "{name:?} is not the name of an element");
        let name = self.names.intern(name);
        self.new_node(Node { name, ..Node::new(Kind::Element, 0) })
    }

    /// A copy of one node without its children, not linked anywhere.
    pub(crate) fn copy_node(&mut self, source: &Document, node: u32) -> u32 {
        let original = source.node(node);
        if original.kind != Kind::Element {
            let text = self.store(source.span(original.text));
            return self.new_node(Node { text, ..Node::new(original.kind, original.line) });
        }
        let name = self.names.intern(source.names.text(original.name));
        let copy = self.new_node(Node { name, ..Node::new(Kind::Element, original.line) });
        let mut last = NONE;
        for (name, value) in Element::new(source, node).attributes() {
            let name = self.names.intern(name);
            let value = self.store(value);
            last = self.push_attribute(copy, last, name, value);
        }
        copy
    }

    /// The child before which something goes that is to stand at a position.
    pub(crate) fn nth_child(&self, parent: u32, position: usize) -> u32 {
        let mut child = if position == usize::MAX { NONE } else { self.node(parent).first_child };
        let mut left = position;
        while child != NONE && left > 0 {
            child = self.node(child).next;
            left -= 1;
        }
        child
    }

    /// Put a node below `parent`, in front of `before` (at the end, if that is `NONE`).
    pub(super) fn link(&mut self, node: u32, parent: u32, before: u32) {
        self.touch(parent);
        let previous = if before == NONE { self.node(parent).last_child } else { self.node(before).previous };
        let slot = &mut self.nodes[node as usize];
        (slot.parent, slot.previous, slot.next) = (parent, previous, before);
        match previous {
            NONE => self.nodes[parent as usize].first_child = node,
            _ => self.nodes[previous as usize].next = node,
        }
        match before {
            NONE => self.nodes[parent as usize].last_child = node,
            _ => self.nodes[before as usize].previous = node,
        }
    }

    fn unlink(&mut self, node: u32) {
        let Node { parent, previous, next, .. } = *self.node(node);
        self.touch(parent);
        match previous {
            NONE => self.nodes[parent as usize].first_child = next,
            _ => self.nodes[previous as usize].next = next,
        }
        match next {
            NONE => self.nodes[parent as usize].last_child = previous,
            _ => self.nodes[next as usize].previous = previous,
        }
        let slot = &mut self.nodes[node as usize];
        (slot.parent, slot.previous, slot.next) = (NONE, NONE, NONE);
    }

    fn remove_node(&mut self, node: u32) {
        assert_ne!(node, self.root, "the root element cannot be removed");
        let previous = self.node(node).previous;
        self.detach(node);
        self.discard(node);
        self.join_next(previous);
    }

    fn free(&mut self, node: u32) {
        self.free_attributes(node);
        self.dead_text += self.node(node).text.length as usize;
        self.nodes[node as usize] = Node { next: self.free_node, ..Node::new(Kind::Free, 0) };
        self.free_node = node;
    }

    /// Whether the id index covers a node: everything but what is below `/cib/status`.
    fn is_indexed(&self, mut node: u32) -> bool {
        if node == self.root {
            return true;
        }
        loop {
            let parent = self.node(node).parent;
            if parent == NONE {
                return false;
            }
            if parent == self.root {
                return !self.is_status(node);
            }
            node = parent;
        }
    }

    /// Whether a child of the root is the CIB's status.
    pub(super) fn is_status(&self, node: u32) -> bool {
        let node = self.node(node);
        node.kind == Kind::Element
            && self.names.text(node.name) == "status"
            && self.names.text(self.node(self.root).name) == "cib"
    }

    pub(super) fn index(&mut self, node: u32) {
        if let Some(id) = self.own_id(node) {
            self.ids.add(&self.text[id], node);
        }
    }

    fn unindex(&mut self, node: u32) {
        if let Some(id) = self.own_id(node) {
            self.ids.remove(&self.text[id], node);
        }
    }

    /// Where the text of an element's own id stands in the buffer.
    fn own_id(&self, node: u32) -> Option<std::ops::Range<usize>> {
        let link = self.find_attribute(node, self.names.find("id")?)?;
        if is_id_reference(self.names.text(self.node(node).name)) {
            return None;
        }
        let span = self.attributes[link as usize].value;
        Some(span.start as usize..(span.start + span.length) as usize)
    }

    fn index_subtree(&mut self, top: u32) {
        self.for_indexed(top, Document::index);
    }

    fn unindex_subtree(&mut self, top: u32) {
        self.for_indexed(top, Document::unindex);
    }

    fn for_indexed(&mut self, top: u32, visit: fn(&mut Document, u32)) {
        if !self.is_indexed(top) {
            return;
        }
        let mut node = Some(top);
        while let Some(current) = node {
            visit(self, current);
            node = self.following(current, top);
        }
    }
}
