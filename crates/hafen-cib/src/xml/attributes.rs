//! The attribute chains of elements, and the text buffer behind them.

use super::arena::{Attribute, Kind, NONE, Span};
use super::chars;
use super::document::Document;
use super::names::Symbol;

/// Text that edits left behind is dropped from this size on, once it outweighs the text in use.
const DEAD_TEXT_MINIMUM_BYTES: usize = 64 << 10;

impl Document {
    /// The link of an attribute in its element's chain.
    pub(super) fn find_attribute(&self, node: u32, name: Symbol) -> Option<u32> {
        let mut link = self.node(node).attributes;
        while link != NONE {
            let attribute = &self.attributes[link as usize];
            if attribute.name == name {
                return Some(link);
            }
            link = attribute.next;
        }
        None
    }

    /// Add an attribute after `last` (or as the first, if that is `NONE`) and give its link.
    pub(super) fn push_attribute(&mut self, node: u32, last: u32, name: Symbol, value: Span) -> u32 {
        let attribute = Attribute { name, value, next: NONE };
        let link = self.free_attribute;
        let link = if link == NONE {
            self.attributes.push(attribute);
            self.attributes.len() as u32 - 1
        } else {
            self.free_attribute = self.attributes[link as usize].next;
            self.attributes[link as usize] = attribute;
            link
        };
        if last == NONE {
            self.nodes[node as usize].attributes = link;
        } else {
            self.attributes[last as usize].next = link;
        }
        link
    }

    /// The last link of an element's chain, or `NONE`.
    pub(super) fn last_attribute(&self, node: u32) -> u32 {
        let mut last = NONE;
        let mut link = self.node(node).attributes;
        while link != NONE {
            last = link;
            link = self.attributes[link as usize].next;
        }
        last
    }

    /// Take an attribute out of the chain.
    pub(super) fn unlink_attribute(&mut self, node: u32, link: u32) {
        let next = self.attributes[link as usize].next;
        let mut before = self.node(node).attributes;
        if before == link {
            self.nodes[node as usize].attributes = next;
        } else {
            while self.attributes[before as usize].next != link {
                before = self.attributes[before as usize].next;
            }
            self.attributes[before as usize].next = next;
        }
        self.dead_text += self.attributes[link as usize].value.length as usize;
        self.attributes[link as usize].next = self.free_attribute;
        self.free_attribute = link;
    }

    /// Give back the whole chain of an element.
    pub(super) fn free_attributes(&mut self, node: u32) {
        let mut link = self.node(node).attributes;
        while link != NONE {
            let next = self.attributes[link as usize].next;
            self.dead_text += self.attributes[link as usize].value.length as usize;
            self.attributes[link as usize].next = self.free_attribute;
            self.free_attribute = link;
            link = next;
        }
        self.nodes[node as usize].attributes = NONE;
    }

    /// Put text into the buffer; characters that XML does not allow become U+FFFD.
    pub(super) fn store(&mut self, text: &str) -> Span {
        let text = chars::sanitized(text);
        self.compact_if_worthwhile();
        assert!(
            self.text.len() + text.len() < u32::MAX as usize,
            "the text of a document must stay under 4 GiB"
        );
        let start = self.text.len();
        self.text.push_str(&text);
        Span::new(start, self.text.len())
    }

    /// Replace the text of a span: in place if it fits, else at the end of the buffer.
    pub(super) fn restore(&mut self, span: Span, text: &str) -> Span {
        if self.span(span) == text {
            return span;
        }
        self.dead_text += span.length as usize;
        self.store(text)
    }

    fn compact_if_worthwhile(&mut self) {
        if self.dead_text > DEAD_TEXT_MINIMUM_BYTES && self.dead_text > self.text.len() / 2 {
            self.compact();
        }
    }

    /// Copy all the text in use into a new buffer.
    fn compact(&mut self) {
        let old = std::mem::take(&mut self.text);
        let mut text = String::with_capacity(old.len() - self.dead_text.min(old.len()));
        let mut moved = |span: Span| {
            let start = text.len();
            text.push_str(&old[span.start as usize..(span.start + span.length) as usize]);
            Span::new(start, text.len())
        };
        for node in &mut self.nodes {
            if node.kind == Kind::Free {
                continue;
            }
            node.text = moved(node.text);
            let mut link = node.attributes;
            while link != NONE {
                let attribute = &mut self.attributes[link as usize];
                attribute.value = moved(attribute.value);
                link = attribute.next;
            }
        }
        self.text = text;
        self.dead_text = 0;
    }
}
