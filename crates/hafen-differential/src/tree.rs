//! XML that is easy to build and to take apart.

use std::fmt::Write as _;

use hafen_cib::xml::{Document, Element};

/// An element with all that is in it; text does not occur in what is generated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// The element's name.
    pub name: String,
    /// Its attributes, in their order.
    pub attributes: Vec<(String, String)>,
    /// What is in it.
    pub children: Vec<Tree>,
}

impl Tree {
    /// An empty element.
    #[must_use]
    pub fn new(name: &str) -> Tree {
        Tree { name: name.to_owned(), ..Tree::default() }
    }

    /// The same with one more attribute.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Tree {
        self.attributes.push((name.to_owned(), value.to_string()));
        self
    }

    /// The same with one more element in it.
    #[must_use]
    pub fn holding(mut self, child: Tree) -> Tree {
        self.children.push(child);
        self
    }

    /// The value of an attribute.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether an attribute has that value.
    #[must_use]
    pub fn says(&self, name: &str, value: &str) -> bool {
        self.attribute(name) == Some(value)
    }

    /// The elements of that name anywhere within, this one included.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<&Tree> {
        let mut found = Vec::new();
        self.collect(name, &mut found);
        found
    }

    fn collect<'a>(&'a self, name: &str, found: &mut Vec<&'a Tree>) {
        if self.name == name {
            found.push(self);
        }
        for child in &self.children {
            child.collect(name, found);
        }
    }

    /// Reads XML.
    ///
    /// # Errors
    ///
    /// What is not well-formed.
    pub fn parse(source: &str) -> Result<Tree, String> {
        let document = Document::parse(source).map_err(|error| error.to_string())?;
        Ok(Tree::from_element(document.root()))
    }

    fn from_element(element: Element<'_>) -> Tree {
        Tree {
            name: element.name().to_owned(),
            attributes: element
                .attributes()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            children: element.children().map(Tree::from_element).collect(),
        }
    }

    /// The element as indented text.
    #[must_use]
    pub fn to_xml(&self) -> String {
        let mut text = String::new();
        self.write(&mut text, 0);
        text
    }

    fn write(&self, text: &mut String, depth: usize) {
        let _ = write!(text, "{:depth$}<{}", "", self.name, depth = depth * 2);
        for (name, value) in &self.attributes {
            let _ = write!(text, " {name}=\"{}\"", escape(value));
        }
        if self.children.is_empty() {
            text.push_str("/>\n");
            return;
        }
        text.push_str(">\n");
        for child in &self.children {
            child.write(text, depth + 1);
        }
        let _ = writeln!(text, "{:depth$}</{}>", "", self.name, depth = depth * 2);
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
