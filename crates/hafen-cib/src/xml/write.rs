//! Writing XML.

use super::arena::{Kind, NONE};
use super::chars::is_blank;
use super::document::Document;
use super::element::Element;

/// Deeper elements are indented no further, so that hostile nesting does not blow up the output.
const INDENTED_LEVELS_MAXIMUM: usize = 32;

impl Document {
    /// The whole document, an element to a line, indented by two blanks, with a newline at the end.
    pub fn to_xml(&self) -> String {
        let mut writer = Writer::new(self, true, self.text.len());
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
        let mut writer = Writer::new(self.document, pretty, 0);
        writer.subtree(self.node);
        writer.output
    }
}

struct Writer<'a> {
    document: &'a Document,
    output: String,
    pretty: bool,
    /// For each open element whether it holds text that is not blank: then blank text beside it
    /// is written as it is.
    solid: Vec<bool>,
    /// The depth of the outermost element around here that holds text: inside, blanks count.
    inline_from: Option<usize>,
}

impl<'a> Writer<'a> {
    fn new(document: &'a Document, pretty: bool, capacity_bytes: usize) -> Writer<'a> {
        let inline_from = if pretty { None } else { Some(0) };
        Writer {
            document,
            output: String::with_capacity(capacity_bytes),
            pretty,
            solid: Vec::new(),
            inline_from,
        }
    }

    /// Write a node and all below it.
    fn subtree(&mut self, top: u32) {
        let mut node = top;
        loop {
            let child = self.open(node);
            if child != NONE {
                self.enter(child);
                node = child;
                continue;
            }
            while node != top && self.document.node(node).next == NONE {
                node = self.document.node(node).parent;
                self.leave(node);
            }
            if node == top {
                return;
            }
            self.new_line();
            node = self.document.node(node).next;
        }
    }

    /// Go down to the first child of the element whose start tag was written.
    fn enter(&mut self, first_child: u32) {
        let (mut text, mut solid) = (false, false);
        let mut child = first_child;
        while child != NONE {
            let node = self.document.node(child);
            text |= matches!(node.kind, Kind::Text | Kind::CData);
            solid |= node.kind == Kind::CData
                || node.kind == Kind::Text && !self.document.span(node.text).bytes().all(is_blank);
            child = node.next;
        }
        if text && self.inline_from.is_none() {
            self.inline_from = Some(self.solid.len());
        }
        self.solid.push(solid);
        self.new_line();
    }

    /// Write the end tag of an element.
    fn leave(&mut self, element: u32) {
        self.solid.pop();
        self.new_line();
        if self.pretty && self.inline_from == Some(self.solid.len()) {
            self.inline_from = None;
        }
        let name = self.document.names.text(self.document.node(element).name);
        self.wrapped("</", name, ">");
    }

    fn new_line(&mut self) {
        if self.inline_from.is_none() {
            self.output.push('\n');
            for _ in 0..self.solid.len().min(INDENTED_LEVELS_MAXIMUM) {
                self.output.push_str("  ");
            }
        }
    }

    /// Write a leaf or a start tag, and give the first child that comes next.
    fn open(&mut self, index: u32) -> u32 {
        let document = self.document;
        let node = document.node(index);
        let text = document.span(node.text);
        match node.kind {
            Kind::Element => return self.start_tag(index),
            Kind::Text if text.bytes().all(is_blank) && self.solid.last() != Some(&true) => {
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
