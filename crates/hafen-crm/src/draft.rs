//! An element that a statement makes, before it has its place and its ids in a CIB.

use std::collections::BTreeMap;

use hafen_cib::{Document, Element, NodeId};

use crate::text::Span;

/// Where an element's id comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Id {
    /// It has none.
    #[default]
    None,
    /// The text gives it.
    Given(String),
    /// It is made of the id above and these words, and made unique.
    Made(String),
}

/// An element without a place.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Draft {
    /// The tag; [`MEMBER`] stands for an object that moves here.
    pub name: String,
    /// Its id.
    pub id: Id,
    /// The other attributes in their order.
    pub attributes: Vec<(String, String)>,
    /// What is inside.
    pub children: Vec<Draft>,
    /// Where the text says it.
    pub span: Span,
}

/// The tag of a draft that stands for an object of its own, such as a primitive in a group.
pub const MEMBER: &str = "#member";

impl Draft {
    pub(crate) fn new(name: &str, id: Id, span: Span) -> Draft {
        Draft { name: name.to_string(), id, span, ..Draft::default() }
    }

    /// The object that stands in a group, clone or bundle.
    pub(crate) fn member(id: &str, span: Span) -> Draft {
        Draft::new(MEMBER, Id::Given(id.to_string()), span)
    }

    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        let value = value.into();
        match self.attributes.iter_mut().find(|(known, _)| known == name) {
            Some(pair) => pair.1 = value,
            None => self.attributes.push((name.to_string(), value)),
        }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Draft {
        self.set(name, value);
        self
    }

    /// The value of an attribute.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The id that the text gives.
    #[must_use]
    pub fn given_id(&self) -> Option<&str> {
        match &self.id {
            Id::Given(id) => Some(id),
            _ => None,
        }
    }

    /// A finished element as a draft: every id of it is given.
    pub(crate) fn of_element(element: Element<'_>, span: Span) -> Draft {
        let mut open = vec![(element, Draft::bare(element, span), element.children())];
        while let Some((_, _, children)) = open.last_mut() {
            if let Some(child) = children.next() {
                open.push((child, Draft::bare(child, span), child.children()));
                continue;
            }
            let Some((_, done, _)) = open.pop() else { break };
            match open.last_mut() {
                Some((_, parent, _)) => parent.children.push(done),
                None => return done,
            }
        }
        Draft::default()
    }

    fn bare(element: Element<'_>, span: Span) -> Draft {
        let id = element.id().map_or(Id::None, |id| Id::Given(id.to_string()));
        let mut draft = Draft::new(element.name(), id, span);
        for (name, value) in element.attributes().filter(|(name, _)| *name != "id") {
            draft.attributes.push((name.to_string(), value.to_string()));
        }
        draft
    }

    /// Make the element with all below it, last in `parent`; members are left out. `above` is the nearest id above.
    pub(crate) fn build(&self, builder: &mut Builder<'_>, parent: NodeId, above: &str) -> NodeId {
        let node = builder.document.append_element(parent, &self.name);
        self.fill(builder, node, above);
        node
    }

    /// Give an empty element what the draft says.
    ///
    /// Drafts are a few levels deep: the language cannot nest deeper, and `xml` is held to the limits of the parser of XML.
    pub(crate) fn fill(&self, builder: &mut Builder<'_>, node: NodeId, above: &str) {
        let mut own = above.to_string();
        if let Id::Given(id) = &self.id {
            builder.document.set_attribute(node, "id", id);
            own.clone_from(id);
        }
        for (name, value) in &self.attributes {
            builder.document.set_attribute(node, name, value);
        }
        if let Id::Made(words) = &self.id {
            own = builder.free_id(above, words);
            builder.document.set_attribute(node, "id", &own);
        }
        if let ("node", Some(uname)) = (self.name.as_str(), self.get("uname")) {
            // What is inside of a node is named for people.
            own = uname.to_string();
        }
        for child in self.children.iter().filter(|child| child.name != MEMBER) {
            child.build(builder, node, &own);
        }
    }
}

/// Makes elements. While it does, no id goes away: where numbers were taken, the next is not looked for from the start.
pub(crate) struct Builder<'d> {
    pub(crate) document: &'d mut Document,
    /// The next number to try behind a taken id.
    numbers: BTreeMap<String, usize>,
}

impl<'d> Builder<'d> {
    pub(crate) fn new(document: &'d mut Document) -> Builder<'d> {
        Builder { document, numbers: BTreeMap::new() }
    }

    /// The first free id of `above-words`, `above-words-0`, `above-words-1`, ...
    pub(crate) fn free_id(&mut self, above: &str, words: &str) -> String {
        let base = match (above, words) {
            (above, "") => above.to_string(),
            ("", words) => words.to_string(),
            (above, words) => format!("{above}-{words}"),
        };
        // An id is a name: what cannot be in one is left out.
        let base: String = base
            .chars()
            .map(|char| if char.is_alphanumeric() || "-_.#".contains(char) { char } else { '_' })
            .collect();
        if self.document.by_id(&base).is_none() {
            return base;
        }
        let number = self.numbers.entry(base.clone()).or_insert(0);
        loop {
            let id = format!("{base}-{number}");
            *number += 1;
            if self.document.by_id(&id).is_none() {
                return id;
            }
        }
    }
}
