//! Indented XML, as Pacemaker's tools print it: two blanks a level, elements without children closed at once.

use super::graph::escape;

/// An XML text under construction.
#[derive(Clone, Debug, Default)]
pub(crate) struct XmlWriter {
    text: String,
    open: Vec<&'static str>,
    /// The last start tag still lacks its end.
    unfinished: bool,
}

impl XmlWriter {
    fn indent(&mut self) {
        for _ in 0..self.open.len() {
            self.text.push_str("  ");
        }
    }

    fn finish_tag(&mut self) {
        if std::mem::take(&mut self.unfinished) {
            self.text.push_str(">\n");
        }
    }

    /// Begins an element.
    pub(crate) fn open(&mut self, name: &'static str) {
        self.finish_tag();
        self.indent();
        self.text.push('<');
        self.text.push_str(name);
        self.open.push(name);
        self.unfinished = true;
    }

    /// Adds an attribute to the element that was begun last.
    pub(crate) fn attribute(&mut self, name: &str, value: &str) {
        self.text.push(' ');
        self.text.push_str(name);
        self.text.push_str("=\"");
        self.text.push_str(&escape(value));
        self.text.push('"');
    }

    /// Adds a yes or no.
    pub(crate) fn flag(&mut self, name: &str, value: bool) {
        self.attribute(name, if value { "true" } else { "false" });
    }

    /// Ends the innermost element.
    pub(crate) fn close(&mut self) {
        let Some(name) = self.open.pop() else { return };
        if std::mem::take(&mut self.unfinished) {
            self.text.push_str("/>\n");
        } else {
            self.indent();
            self.text.push_str("</");
            self.text.push_str(name);
            self.text.push_str(">\n");
        }
    }

    /// The text; what is still open is closed.
    pub(crate) fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.close();
        }
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nests_and_escapes() {
        let mut xml = XmlWriter::default();
        xml.open("nodes");
        xml.open("node");
        xml.attribute("name", "a<b");
        xml.flag("online", true);
        xml.close();
        assert_eq!(xml.finish(), "<nodes>\n  <node name=\"a&lt;b\" online=\"true\"/>\n</nodes>\n");
    }
}
