//! Writing XML.

use super::arena::{Kind, NONE, Node};
use super::chars::is_blank;
use super::document::Document;
use super::element::Element;

/// Deeper elements are indented no further, so that hostile nesting does not blow up the output.
const INDENTED_LEVELS_MAXIMUM: usize = 32;

impl Document {
    /// The whole document, an element to a line, indented by two blanks, with a newline at the end.
    pub fn to_xml(&self) -> String {
        let mut writer =
            Writer { document: self, output: String::with_capacity(self.text.len()), pretty: true };
        let mut child = self.node(0).first_child;
        while child != NONE {
            writer.subtree(child);
            writer.output.push('\n');
            child = self.node(child).next;
        }
        writer.output
    }
}

impl<'a> Element<'a> {
    /// The element with all below it, indented by two blanks, without a newline at the end.
    pub fn to_xml(self) -> String {
        self.write(true)
    }

    /// The element with all below it, without any layout.
    pub fn to_xml_compact(self) -> String {
        self.write(false)
    }

    fn write(self, pretty: bool) -> String {
        let mut writer = Writer { document: self.document, output: String::new(), pretty };
        writer.subtree(self.node);
        writer.output
    }
}

struct Writer<'a> {
    document: &'a Document,
    output: String,
    pretty: bool,
}

impl Writer<'_> {
    /// Write a node and all below it.
    fn subtree(&mut self, top: u32) {
        let mut node = top;
        let mut depth = 0;
        // The depth of the outermost element around here that holds text: inside, blanks count.
        let mut inline: Option<usize> = if self.pretty { None } else { Some(0) };
        loop {
            let child = self.open(node);
            if child != NONE {
                if inline.is_none() && self.holds_text(node) {
                    inline = Some(depth);
                }
                depth += 1;
                self.indent(depth, inline);
                node = child;
                continue;
            }
            while node != top && self.document.node(node).next == NONE {
                node = self.document.node(node).parent;
                depth -= 1;
                if self.pretty && inline == Some(depth) {
                    inline = None;
                    self.close(node);
                    continue;
                }
                self.indent(depth, inline);
                self.close(node);
            }
            if node == top {
                return;
            }
            self.indent(depth, inline);
            node = self.document.node(node).next;
        }
    }

    fn indent(&mut self, depth: usize, inline: Option<usize>) {
        if inline.is_none() {
            self.output.push('\n');
            for _ in 0..depth.min(INDENTED_LEVELS_MAXIMUM) {
                self.output.push_str("  ");
            }
        }
    }

    fn holds_text(&self, node: u32) -> bool {
        let mut child = self.document.node(node).first_child;
        while child != NONE {
            let node = self.document.node(child);
            if matches!(node.kind, Kind::Text | Kind::CData) {
                return true;
            }
            child = node.next;
        }
        false
    }

    /// Write a leaf or a start tag, and give the first child that comes next.
    fn open(&mut self, index: u32) -> u32 {
        let document = self.document;
        let node = document.node(index);
        let text = document.span(node.text);
        match node.kind {
            Kind::Element => return self.start_tag(index),
            Kind::Text if text.bytes().all(is_blank) && !self.has_solid_text(node) => {
                for c in text.bytes() {
                    self.output.push_str(&format!("&#{c};"));
                }
            }
            Kind::Text => escape(text, false, &mut self.output),
            Kind::CData => self.wrapped("<![CDATA[", text, "]]>"),
            Kind::Comment => self.wrapped("<!--", text, "-->"),
            Kind::Instruction | Kind::Declaration => self.wrapped("<?", text, "?>"),
            Kind::Document | Kind::Free => {}
        }
        NONE
    }

    /// Whether a text has a sibling that makes the reader keep blank text.
    fn has_solid_text(&self, node: &Node) -> bool {
        let mut child = self.document.node(node.parent).first_child;
        while child != NONE {
            let node = self.document.node(child);
            let solid = match node.kind {
                Kind::CData => true,
                Kind::Text => !self.document.span(node.text).bytes().all(is_blank),
                _ => false,
            };
            if solid {
                return true;
            }
            child = node.next;
        }
        false
    }

    fn wrapped(&mut self, before: &str, text: &str, after: &str) {
        self.output.push_str(before);
        self.output.push_str(text);
        self.output.push_str(after);
    }

    fn start_tag(&mut self, index: u32) -> u32 {
        let element = Element { document: self.document, node: index };
        self.output.push('<');
        self.output.push_str(element.name());
        for (name, value) in element.attributes() {
            self.output.push(' ');
            self.output.push_str(name);
            self.output.push_str("=\"");
            escape(value, true, &mut self.output);
            self.output.push('"');
        }
        let child = self.document.node(index).first_child;
        self.output.push_str(if child == NONE { "/>" } else { ">" });
        child
    }

    fn close(&mut self, index: u32) {
        let name = self.document.names.text(self.document.node(index).name);
        self.wrapped("</", name, ">");
    }
}

/// Write a text with what XML would misread turned into references.
fn escape(text: &str, is_value: bool, output: &mut String) {
    let bytes = text.as_bytes();
    let mut written = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let replacement = match byte {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'\r' => "&#13;",
            b'"' if is_value => "&quot;",
            b'\n' if is_value => "&#10;",
            b'\t' if is_value => "&#9;",
            _ => continue,
        };
        output.push_str(&text[written..at]);
        output.push_str(replacement);
        written = at + 1;
    }
    output.push_str(&text[written..]);
}
