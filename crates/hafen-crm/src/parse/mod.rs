//! Words to statements: a parser by hand, one function for each part of the grammar.

mod access;
mod alerts;
mod bundles;
mod constraints;
mod lists;
mod resources;
mod rules;
mod sets;

pub(crate) use rules::score_word;
pub(crate) use sets::SET;

use std::collections::BTreeMap;

use hafen_cib::Document;

use crate::diagnostic::{DIAGNOSTICS_MAXIMUM, Diagnostic};
use crate::draft::Draft;
use crate::grammar::{self, WORDS};
use crate::statement::{Kind, Reference, Statement};
use crate::text::{self, Line, Span, TEXT_BYTES_MAXIMUM, Word};

/// A mistake was found; it is in the list already.
pub(crate) struct Failed;

type Parsed<T> = Result<T, Failed>;

/// The words of one statement, read from left to right.
pub(crate) struct Cursor<'p> {
    words: &'p [Word],
    at: usize,
    end: Span,
    problems: &'p mut Vec<Diagnostic>,
    references: Vec<Reference>,
}

/// Parse a text: all of its statements, or all of its mistakes.
pub fn parse(text: &str) -> Result<Vec<Statement>, Vec<Diagnostic>> {
    if text.len() > TEXT_BYTES_MAXIMUM {
        let message = format!("the text has more than {TEXT_BYTES_MAXIMUM} bytes");
        return Err(vec![Diagnostic::new(Span::default(), message)]);
    }
    let mut problems = Vec::new();
    let mut statements = Vec::new();
    let mut names: BTreeMap<(&str, String), Span> = BTreeMap::new();
    for line in text::lines(text, &mut problems) {
        if problems.len() >= DIAGNOSTICS_MAXIMUM {
            break;
        }
        let Some(statement) = statement(&line, &mut problems) else { continue };
        if let (Some((id, span)), true) = (&statement.name, is_unique(statement.word.word)) {
            let space = match statement.draft.name.as_str() {
                "node" => "node",
                tag if tag.starts_with("acl_") => "acl",
                _ => "object",
            };
            if let Some(first) = names.insert((space, id.clone()), *span) {
                let line = Diagnostic::new(first, "").place(text).0;
                problems
                    .push(Diagnostic::new(*span, format!("`{id}` is defined twice: first in line {line}")));
            }
        }
        statements.push(statement);
    }
    problems.sort_by_key(|problem| problem.span);
    if problems.is_empty() { Ok(statements) } else { Err(problems) }
}

/// Options may be set, and monitors added, by several statements.
fn is_unique(word: &str) -> bool {
    !matches!(word, "property" | "rsc_defaults" | "op_defaults" | "monitor" | "fencing_topology")
}

fn statement(line: &Line, problems: &mut Vec<Diagnostic>) -> Option<Statement> {
    let first = line.words.first()?;
    let Some(word) = grammar::find(&first.text).filter(|_| !first.quoted) else {
        let known = || WORDS.iter().map(|word| word.word);
        let message = format!("`{}` begins no statement", first.text);
        problems.push(Diagnostic::new(first.span, message).expected(known()).near(&first.text, known()));
        return None;
    };
    let end = Span { start: line.span.end, end: line.span.end };
    let mut cursor = Cursor { words: &line.words, at: 1, end, problems, references: Vec::new() };
    let parsed = body(&mut cursor, word.word);
    let (name, mut draft) = parsed.ok()?;
    draft.span = line.span;
    if cursor.at < cursor.words.len() {
        let span = cursor.span();
        let said = cursor.peek().map(|word| word.text.clone()).unwrap_or_default();
        let known = word.sections.iter().copied();
        let problem =
            Diagnostic::new(span, format!("`{said}` does not belong here")).near(&said, known.clone());
        cursor.problems.push(problem.expected(known));
        return None;
    }
    Some(Statement { word, span: line.span, name, draft, references: cursor.references })
}

/// The object's name, and what is made.
type Body = (Option<(String, Span)>, Draft);

fn body(cursor: &mut Cursor<'_>, word: &str) -> Parsed<Body> {
    match word {
        "node" => resources::node(cursor),
        "primitive" | "rsc_template" => resources::primitive(cursor, word),
        "group" | "clone" | "ms" | "master" => resources::parent(cursor, word),
        "bundle" => bundles::bundle(cursor),
        "monitor" => resources::monitor(cursor),
        "location" => constraints::location(cursor),
        "colocation" => constraints::colocation(cursor),
        "order" => constraints::order(cursor),
        "rsc_ticket" => constraints::ticket(cursor),
        "fencing_topology" => constraints::fencing(cursor),
        "tag" => constraints::tag(cursor),
        "role" | "user" => access::rights(cursor, word),
        "acl_target" | "acl_group" => access::target(cursor, word),
        "alert" => alerts::alert(cursor),
        "xml" => xml(cursor),
        _ => lists::options(cursor, word),
    }
}

fn xml(cursor: &mut Cursor<'_>) -> Parsed<Body> {
    let Some(word) = cursor.next() else { return cursor.fail("an element is missing after `xml`", &["<"]) };
    let document = match Document::parse(&word.text) {
        Ok(document) => document,
        Err(error) => return cursor.fail_at(word.span, format!("this is not XML: {error}"), &[]),
    };
    let element = document.root();
    // Two sections hold sets of the same tag: these are written with their section.
    if matches!(element.name(), "rsc_defaults" | "op_defaults") {
        return Ok((None, Draft::of_element(element, word.span)));
    }
    if crate::apply::section_of(element.name()).is_none() {
        return cursor.fail_at(
            word.span,
            format!("`<{}>` is no object of a configuration", element.name()),
            &[],
        );
    }
    let name = element.id().map(|id| (id.to_string(), word.span));
    if name.is_none() {
        return cursor.fail_at(word.span, "the element has no id".to_string(), &[]);
    }
    Ok((name, Draft::of_element(element, word.span)))
}

impl<'p> Cursor<'p> {
    pub(crate) fn peek(&self) -> Option<&'p Word> {
        self.words.get(self.at)
    }

    pub(crate) fn next(&mut self) -> Option<&'p Word> {
        let word = self.words.get(self.at)?;
        self.at += 1;
        Some(word)
    }

    /// Step over a keyword.
    pub(crate) fn take(&mut self, keyword: &str) -> bool {
        let found = self.peek().is_some_and(|word| word.is(keyword));
        self.at += usize::from(found);
        found
    }

    /// The next word is one of these.
    pub(crate) fn at_any(&self, keywords: &[&str]) -> bool {
        self.peek().is_some_and(|word| !word.quoted && keywords.contains(&word.text.as_str()))
    }

    /// Where the next word is, or the statement's end.
    pub(crate) fn span(&self) -> Span {
        self.peek().map_or(self.end, |word| word.span)
    }

    pub(crate) fn fail<T>(&mut self, message: impl Into<String>, expected: &[&str]) -> Parsed<T> {
        let span = self.span();
        self.fail_at(span, message, expected)
    }

    pub(crate) fn fail_at<T>(
        &mut self,
        span: Span,
        message: impl Into<String>,
        expected: &[&str],
    ) -> Parsed<T> {
        let said = self.words.iter().find(|word| word.span == span).map_or("", |word| word.text.as_str());
        let problem = Diagnostic::new(span, message)
            .expected(expected.iter().copied())
            .near(said, expected.iter().copied());
        self.problems.push(problem);
        Err(Failed)
    }

    /// A word that must be there.
    pub(crate) fn need(&mut self, what: &str) -> Parsed<&'p Word> {
        match self.next() {
            Some(word) => Ok(word),
            None => self.fail(format!("{what} is missing"), &[what]),
        }
    }

    /// The name of an object: a name of XML without a colon.
    pub(crate) fn name(&mut self, what: &str) -> Parsed<(String, Span)> {
        let word = self.need(what)?;
        if !is_id(&word.text) {
            let message = format!(
                "`{}` is no {what}: it begins with a letter or `_`, and has letters, digits, `-`, `_`, `.`",
                word.text
            );
            return self.fail_at(word.span, message, &[]);
        }
        Ok((word.text.clone(), word.span))
    }

    /// The name of something that must exist.
    pub(crate) fn refer(&mut self, id: &str, kind: Kind, span: Span) {
        self.references.push(Reference { id: id.to_string(), kind, span });
    }

    /// Take `name=value` pairs of this name away, wherever they come next.
    pub(crate) fn take_pair(&mut self, name: &str) -> Option<&'p str> {
        let (found, value) = self.peek()?.pair()?;
        if found != name {
            return None;
        }
        self.at += 1;
        Some(value)
    }
}

/// Whether a text can be an id.
pub(crate) fn is_id(text: &str) -> bool {
    let first = text.chars().next();
    first.is_some_and(|char| char.is_alphabetic() || char == '_')
        && text.chars().all(|char| char.is_alphanumeric() || "-_.".contains(char))
}
