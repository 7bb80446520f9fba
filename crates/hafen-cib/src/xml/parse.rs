//! Parsing: quick-xml finds the borders of the markup, the rest is checked and stored here.

use quick_xml::Reader;
use quick_xml::events::Event;

use super::arena::{Kind, NONE, Node, Span};
use super::chars::{first_forbidden, is_blank, is_name};
use super::document::Document;
use super::error::{ParseError, ParseErrorKind};
use super::limits::Limits;
use super::names::Symbol;
use super::scan::{Fault, IN_VALUE, fault, limit, name_end, reference, skip_blank, syntax};

/// Source per node and attribute in the status of a large cluster.
const BYTES_PER_NODE: usize = 128;
const BYTES_PER_ATTRIBUTE: usize = 20;
const BYTE_ORDER_MARK: &str = "\u{FEFF}";

pub(super) fn parse_bytes(source: &[u8], limits: &Limits) -> Result<Document, ParseError> {
    match std::str::from_utf8(source) {
        Ok(source) => parse(source, limits),
        Err(error) => Err(ParseError::at(source, error.valid_up_to(), ParseErrorKind::InvalidUtf8)),
    }
}

pub(super) fn parse(source: &str, limits: &Limits) -> Result<Document, ParseError> {
    let mark = if source.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    let body = &source[mark..];
    let result = if body.len() > limits.size_bytes.min(u32::MAX as usize / 2) {
        limit(0, "size_bytes", limits.size_bytes)
    } else if body.starts_with(BYTE_ORDER_MARK) {
        // One is a mark; a second one is text in front of the root, and quick-xml would swallow it.
        fault(0, ParseErrorKind::OutsideRoot)
    } else if let Some((offset, code)) = first_forbidden(body) {
        fault(offset, ParseErrorKind::ForbiddenCharacter(code))
    } else {
        Parser::new(body, limits).run()
    };
    result.map_err(|Fault { offset, kind }| ParseError::at(body.as_bytes(), offset, kind))
}

/// An open element.
#[derive(Clone, Copy)]
struct Open {
    node: u32,
    /// Where its start tag stands.
    offset: u32,
    /// Whether it holds text, so that blank text in it counts as well.
    mixed: bool,
    /// Its first entry of [`Parser::blanks`].
    blanks: u32,
    in_status: bool,
}

/// Blank text that is kept only if the element turns out to hold other text as well.
#[derive(Clone, Copy)]
struct Blank {
    /// The sibling before it.
    after: u32,
    span: Span,
    line: u32,
}

struct Parser<'a> {
    source: &'a str,
    limits: &'a Limits,
    document: Document,
    open: Vec<Open>,
    blanks: Vec<Blank>,
    /// For each name the attribute that came next the last time.
    followers: Vec<Option<Symbol>>,
    /// The start of a run of text and references that has not ended.
    text_start: Option<usize>,
    line: u32,
    /// The offset up to which `line` has been counted.
    line_offset: usize,
}

impl<'a> Parser<'a> {
    fn new(source: &'a str, limits: &'a Limits) -> Parser<'a> {
        let mut document = Document::empty();
        document.text = String::with_capacity(source.len() + 64);
        document.text.push_str(source);
        // What a full status takes, so that the vectors are not copied while they grow.
        document.nodes.reserve(source.len() / BYTES_PER_NODE);
        document.attributes.reserve(source.len() / BYTES_PER_ATTRIBUTE);
        Parser {
            source,
            limits,
            document,
            open: Vec::new(),
            blanks: Vec::new(),
            followers: Vec::new(),
            text_start: None,
            line: 1,
            line_offset: 0,
        }
    }

    fn run(mut self) -> Result<Document, Fault> {
        let mut reader = Reader::from_str(self.source);
        let config = reader.config_mut();
        config.check_end_names = false;
        config.allow_unmatched_ends = true;
        config.allow_dangling_amp = true;
        loop {
            let start = reader.buffer_position() as usize;
            let event = reader.read_event();
            let end = reader.buffer_position() as usize;
            match event {
                Ok(Event::Eof) => return self.finish(start),
                Ok(event) => self.event(&event, start, end)?,
                Err(error) => return syntax(reader.error_position() as usize, &error.to_string()),
            }
        }
    }

    fn event(&mut self, event: &Event<'_>, start: usize, end: usize) -> Result<(), Fault> {
        if matches!(event, Event::Text(_) | Event::GeneralRef(_)) {
            self.text_start.get_or_insert(start);
            return Ok(());
        }
        if let Some(text_start) = self.text_start.take() {
            self.text(text_start, start)?;
        }
        match event {
            Event::Start(_) => self.start_tag(start, end - 1),
            Event::Empty(_) => {
                self.start_tag(start, end - 2)?;
                self.close();
                Ok(())
            }
            Event::End(_) => self.end_tag(start, end),
            Event::CData(_) => self.cdata(start, end),
            Event::Comment(_) => self.comment(start, end),
            Event::PI(_) => self.instruction(start, end),
            Event::Decl(_) => self.declaration(start, end),
            Event::DocType(_) => fault(start, ParseErrorKind::Doctype),
            Event::Text(_) | Event::GeneralRef(_) | Event::Eof => Ok(()),
        }
    }

    fn finish(mut self, end: usize) -> Result<Document, Fault> {
        if let Some(text_start) = self.text_start.take() {
            self.text(text_start, end)?;
        }
        if let Some(open) = self.open.last() {
            let name = self.document.names.text(self.document.node(open.node).name).to_string();
            return fault(open.offset as usize, ParseErrorKind::Unclosed(name));
        }
        if self.document.root == NONE {
            return fault(end, ParseErrorKind::Empty);
        }
        Ok(self.document)
    }

    /// The node that what comes next belongs to.
    fn parent(&self) -> u32 {
        self.open.last().map_or(0, |open| open.node)
    }

    fn line_at(&mut self, offset: usize) -> u32 {
        let passed = &self.source.as_bytes()[self.line_offset..offset];
        self.line += memchr::memchr_iter(b'\n', passed).count() as u32;
        self.line_offset = offset;
        self.line
    }

    fn add(&mut self, kind: Kind, offset: usize, text: Span) -> Result<u32, Fault> {
        if self.document.nodes.len() > self.limits.nodes {
            return limit(offset, "nodes", self.limits.nodes);
        }
        let line = self.line_at(offset);
        let parent = self.parent();
        let node = self.document.new_node(Node { text, ..Node::new(kind, line) });
        self.document.link(node, parent, NONE);
        Ok(node)
    }

    /// `<name attributes`, ending before `>` or `/>`.
    fn start_tag(&mut self, start: usize, end: usize) -> Result<(), Fault> {
        if self.open.len() >= self.limits.depth {
            return limit(start, "depth", self.limits.depth);
        }
        if self.open.is_empty() && self.document.root != NONE {
            return fault(start, ParseErrorKind::OutsideRoot);
        }
        let name_end = name_end(self.source, start + 1, end);
        let name = self.name(start + 1, name_end)?;
        let node = self.add(Kind::Element, start, Span::default())?;
        self.document.nodes[node as usize].name = name;
        self.attributes(node, name_end, end)?;
        let in_status = match self.open.as_slice() {
            [] => {
                self.document.root = node;
                false
            }
            [_] => self.document.is_status(node),
            [.., parent] => parent.in_status,
        };
        if !in_status {
            self.document.index(node);
        }
        let blanks = self.blanks.len() as u32;
        self.open.push(Open { node, offset: start as u32, mixed: false, blanks, in_status });
        Ok(())
    }

    fn close(&mut self) {
        if let Some(open) = self.open.pop() {
            self.blanks.truncate(open.blanks as usize);
        }
    }

    /// `</name>`.
    fn end_tag(&mut self, start: usize, end: usize) -> Result<(), Fault> {
        let found = self.source[start + 2..end - 1].trim_end_matches(|c: char| c.is_ascii_whitespace());
        let Some(open) = self.open.last() else {
            return syntax(start, &format!("`</{found}>` closes no element"));
        };
        let expected = self.document.names.text(self.document.node(open.node).name);
        if found != expected {
            let (expected, found) = (expected.to_string(), found.to_string());
            return fault(start, ParseErrorKind::MismatchedEnd { expected, found });
        }
        self.close();
        Ok(())
    }

    fn name(&mut self, start: usize, end: usize) -> Result<Symbol, Fault> {
        let text = &self.source[start..end];
        if let Some(symbol) = self.document.names.find(text) {
            return Ok(symbol);
        }
        if text.len() > self.limits.name_bytes {
            return limit(start, "name_bytes", self.limits.name_bytes);
        }
        if !is_name(text) {
            return fault(start, ParseErrorKind::BadName(text.to_string()));
        }
        if self.document.names.len() >= self.limits.names {
            return limit(start, "names", self.limits.names);
        }
        Ok(self.document.names.intern(text))
    }

    /// The attributes between the name and the end of a start tag.
    fn attributes(&mut self, node: u32, mut at: usize, end: usize) -> Result<(), Fault> {
        let bytes = self.source.as_bytes();
        let mut last = NONE;
        let mut before = self.document.node(node).name;
        for count in 0.. {
            let blank_start = at;
            at = skip_blank(bytes, at, end);
            if at == end {
                return Ok(());
            }
            if at == blank_start {
                return syntax(at, "expected a blank before the attribute");
            }
            if count == self.limits.attributes {
                return limit(at, "attributes", self.limits.attributes);
            }
            let (name, name_end) = self.attribute_name(before, at, end)?;
            before = name;
            if self.document.find_attribute(node, name).is_some() {
                let name = self.source[at..name_end].to_string();
                return fault(at, ParseErrorKind::DuplicateAttribute(name));
            }
            let equals = skip_blank(bytes, name_end, end);
            if equals == end || bytes[equals] != b'=' {
                return syntax(equals, "expected `=` after the name of the attribute");
            }
            let quote = skip_blank(bytes, equals + 1, end);
            let (value, value_end) = self.value(quote, end)?;
            last = self.document.push_attribute(node, last, name, value);
            at = value_end;
        }
        Ok(())
    }

    /// The name at an offset, and where it ends; tried first is what followed the same name before.
    fn attribute_name(&mut self, before: Symbol, at: usize, end: usize) -> Result<(Symbol, usize), Fault> {
        if let Some(Some(guess)) = self.followers.get(before.0 as usize) {
            let text = self.document.names.text(*guess).as_bytes();
            let rest = &self.source.as_bytes()[at..end];
            if rest.starts_with(text) && rest.get(text.len()) == Some(&b'=') {
                return Ok((*guess, at + text.len()));
            }
        }
        let name_end = name_end(self.source, at, end);
        let name = self.name(at, name_end)?;
        if self.followers.len() < self.document.names.len() {
            self.followers.resize(self.document.names.len(), None);
        }
        self.followers[before.0 as usize] = Some(name);
        Ok((name, name_end))
    }

    /// A quoted value: its place in the buffer, and the offset after the closing quote.
    fn value(&mut self, quote: usize, end: usize) -> Result<(Span, usize), Fault> {
        let bytes = self.source.as_bytes();
        let mark = match bytes.get(quote..end).and_then(<[u8]>::first) {
            Some(mark @ (b'"' | b'\'')) => *mark,
            _ => return syntax(quote, "expected the attribute's value in quotes"),
        };
        let start = quote + 1;
        let mut plain = true;
        let mut at = start;
        loop {
            let rest = &bytes[at..end];
            at += rest.iter().position(|byte| IN_VALUE[*byte as usize]).unwrap_or(rest.len());
            match bytes[..end].get(at) {
                Some(byte) if *byte == mark => break,
                Some(b'<') => return syntax(at, "`<` must be written as `&lt;` in a value"),
                Some(b'"' | b'\'') => {}
                Some(_) => plain = false,
                None => return syntax(quote, "the attribute's value is not closed"),
            }
            at += 1;
        }
        let span = if plain { Span::new(start, at) } else { self.decode(start, at, true)? };
        Ok((span, at + 1))
    }

    /// Resolve references and line ends of a piece of source into the buffer.
    fn decode(&mut self, start: usize, end: usize, is_value: bool) -> Result<Span, Fault> {
        let text = &mut self.document.text;
        let from = text.len();
        let mut at = start;
        while at < end {
            let rest = &self.source[at..end];
            let plain = rest.find(['&', '\r', '\n', '\t']).unwrap_or(rest.len());
            text.push_str(&rest[..plain]);
            at += plain;
            let bytes = &self.source.as_bytes()[at..end];
            match bytes {
                [] => break,
                [b'&', ..] => {
                    let (c, length) = reference(&self.source[at..end], at)?;
                    text.push(c);
                    at += length;
                }
                _ => {
                    let literal = if bytes[0] == b'\r' { b'\n' } else { bytes[0] };
                    text.push(if is_value { ' ' } else { char::from(literal) });
                    at += if bytes.starts_with(b"\r\n") { 2 } else { 1 };
                }
            }
        }
        Ok(Span::new(from, text.len()))
    }

    /// A run of text, up to the next markup.
    fn text(&mut self, start: usize, end: usize) -> Result<(), Fault> {
        let source = self.source;
        let raw = &source[start..end];
        if raw.bytes().all(is_blank) {
            return self.blank(start, end);
        }
        if self.open.is_empty() {
            let offset = start + raw.bytes().position(|byte| !is_blank(byte)).unwrap_or(0);
            return fault(offset, ParseErrorKind::OutsideRoot);
        }
        if let Some(found) = raw.find("]]>") {
            return syntax(start + found, "`]]>` must be written as `]]&gt;` in text");
        }
        self.make_mixed();
        let plain = !raw.bytes().any(|byte| matches!(byte, b'&' | b'\r'));
        let span = if plain { Span::new(start, end) } else { self.decode(start, end, false)? };
        self.add(Kind::Text, start, span)?;
        Ok(())
    }

    fn blank(&mut self, start: usize, end: usize) -> Result<(), Fault> {
        let Some(open) = self.open.last().copied() else { return Ok(()) };
        let line = self.line_at(start);
        let has_return = memchr::memchr(b'\r', &self.source.as_bytes()[start..end]).is_some();
        if open.mixed {
            let span = if has_return { self.decode(start, end, false)? } else { Span::new(start, end) };
            self.add(Kind::Text, start, span)?;
        } else {
            let after = self.document.node(open.node).last_child;
            self.blanks.push(Blank { after, span: Span::new(start, end), line });
        }
        Ok(())
    }

    /// Note that the open element holds text: what was taken for layout is text, too.
    fn make_mixed(&mut self) {
        let Some(open) = self.open.last_mut() else { return };
        if open.mixed {
            return;
        }
        open.mixed = true;
        let (node, first) = (open.node, open.blanks as usize);
        for blank in self.blanks.split_off(first) {
            let text = Node { text: blank.span, ..Node::new(Kind::Text, blank.line) };
            let text = self.document.new_node(text);
            let before = match blank.after {
                NONE => self.document.node(node).first_child,
                after => self.document.node(after).next,
            };
            self.document.link(text, node, before);
        }
    }

    fn cdata(&mut self, start: usize, end: usize) -> Result<(), Fault> {
        if self.open.is_empty() {
            return fault(start, ParseErrorKind::OutsideRoot);
        }
        self.make_mixed();
        let (from, to) = (start + "<![CDATA[".len(), end - "]]>".len());
        let has_return = memchr::memchr(b'\r', &self.source.as_bytes()[from..to]).is_some();
        let span = if has_return { self.cdata_lines(from, to) } else { Span::new(from, to) };
        self.add(Kind::CData, start, span)?;
        Ok(())
    }

    fn cdata_lines(&mut self, from: usize, to: usize) -> Span {
        let lines = self.source[from..to].replace("\r\n", "\n").replace('\r', "\n");
        let start = self.document.text.len();
        self.document.text.push_str(&lines);
        Span::new(start, self.document.text.len())
    }

    fn comment(&mut self, start: usize, end: usize) -> Result<(), Fault> {
        let (from, to) = (start + "<!--".len(), end - "-->".len());
        let text = &self.source[from..to];
        if let Some(found) = text.find("--") {
            return syntax(from + found, "`--` must not stand in a comment");
        }
        if text.ends_with('-') {
            return syntax(to - 1, "a comment must not end in `--->`");
        }
        self.add(Kind::Comment, start, Span::new(from, to))?;
        Ok(())
    }

    fn instruction(&mut self, start: usize, end: usize) -> Result<(), Fault> {
        let (from, to) = (start + "<?".len(), end - "?>".len());
        let name_end = name_end(self.source, from, to);
        let target = &self.source[from..name_end];
        if !is_name(target) || target.eq_ignore_ascii_case("xml") {
            return fault(from, ParseErrorKind::BadName(target.to_string()));
        }
        self.add(Kind::Instruction, start, Span::new(from, to))?;
        Ok(())
    }

    fn declaration(&mut self, start: usize, end: usize) -> Result<(), Fault> {
        if start != 0 {
            return syntax(start, "the XML declaration must be the first thing of the source");
        }
        let (from, to) = ("<?".len(), end - "?>".len());
        let text = &self.source[from..to];
        let part = |name: &str| {
            let rest = text.split_once(name)?.1.trim_start().strip_prefix('=')?.trim_start();
            let mark = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
            rest[1..].split_once(mark).map(|(value, _)| value)
        };
        let (version, encoding) = (part("version"), part("encoding").unwrap_or("UTF-8"));
        if version != Some("1.0") {
            let found = format!("version {:?}", version.unwrap_or(""));
            return fault(start, ParseErrorKind::Declaration(found));
        }
        if !["utf-8", "utf8", "us-ascii", "ascii"].contains(&encoding.to_ascii_lowercase().as_str()) {
            return fault(start, ParseErrorKind::Declaration(format!("the encoding {encoding:?}")));
        }
        self.add(Kind::Declaration, start, Span::new(from, to))?;
        Ok(())
    }
}
