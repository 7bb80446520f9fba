//! Sets of resources: `A B ( C D ) [ E F ]`, each with a role or an action, and what they say of themselves.

use super::{Cursor, Parsed};
use crate::draft::{Draft, Id};
use crate::statement::Kind;
use crate::text::Span;

/// What stands after the colon of a member, and in which attribute of a set it is kept.
#[derive(Clone, Copy)]
pub(crate) struct Suffix {
    pub(crate) attribute: &'static str,
    pub(crate) allowed: &'static [&'static str],
}

/// A member outside of a set.
pub(crate) struct Member {
    pub(crate) id: String,
    pub(crate) suffix: Option<String>,
}

/// Sets as they are read, and whether they can be written without sets.
pub(crate) struct Sets {
    pub(crate) sets: Vec<Draft>,
    /// All members, if there is no bracket and no attribute.
    pub(crate) plain: Option<Vec<Member>>,
}

/// A piece of a word: brackets may stick to names.
enum Piece<'w> {
    Open(char),
    Close(char),
    Name(&'w str),
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut rest = text;
    let mut pieces = Vec::new();
    while let Some(char) = rest.chars().next().filter(|char| "([".contains(*char)) {
        pieces.push(Piece::Open(char));
        rest = rest.get(1..).unwrap_or("");
    }
    let name = rest.trim_end_matches([')', ']']);
    if !name.is_empty() {
        pieces.push(Piece::Name(name));
    }
    pieces.extend(rest.get(name.len()..).unwrap_or("").chars().map(Piece::Close));
    pieces
}

/// Members within brackets or between them, of one set for each suffix. What it says of itself holds from there on.
#[derive(Default)]
struct Run {
    /// The first of its sets.
    start: usize,
    require_all: Option<bool>,
    sequential: Option<bool>,
}

impl Run {
    /// What is so anyway is not written.
    fn mark(&self, set: &mut Draft) {
        for (name, value) in [("sequential", self.sequential), ("require-all", self.require_all)] {
            set.attributes.retain(|(known, _)| known != name);
            if value == Some(false) {
                set.attributes.insert(0, (name.to_string(), "false".to_string()));
            }
        }
    }
}

struct Reading {
    suffix: Suffix,
    sets: Vec<Draft>,
    members: Vec<Member>,
    plain: bool,
    open: Option<(char, Span)>,
    run: Run,
}

/// The word that makes a set of what would be two resources.
pub(crate) const SET: &str = "_rsc_set_";

/// Sets up to the end of the statement, or to an attribute that is not theirs.
pub(crate) fn sets(cursor: &mut Cursor<'_>, suffix: Suffix, end: &str) -> Parsed<Sets> {
    let plain = !cursor.take(SET);
    let mut reading =
        Reading { suffix, sets: Vec::new(), members: Vec::new(), plain, open: None, run: Run::default() };
    while let Some(word) = cursor.peek().filter(|word| !word.is(end)) {
        if let Some((name, value)) = word.pair() {
            let value = value.trim_end_matches([')', ']']);
            if !["sequential", "require-all"].contains(&name) {
                break;
            }
            reading.attribute(cursor, name, value)?;
            let closing = word.text.get(name.len() + 1 + value.len()..).unwrap_or("").to_string();
            cursor.at += 1;
            for piece in pieces(&closing) {
                reading.piece(cursor, &piece, word.span)?;
            }
            continue;
        }
        cursor.at += 1;
        for piece in pieces(&word.text) {
            reading.piece(cursor, &piece, word.span)?;
        }
    }
    if let Some((bracket, span)) = reading.open {
        return cursor.fail_at(span, format!("`{bracket}` is not closed"), &[closing(bracket)]);
    }
    reading.end_run();
    Ok(Sets { sets: reading.sets, plain: reading.plain.then_some(reading.members) })
}

fn closing(bracket: char) -> &'static str {
    if bracket == '(' { ")" } else { "]" }
}

impl Reading {
    /// What the members that are being read say of themselves.
    fn attribute(&mut self, cursor: &mut Cursor<'_>, name: &str, value: &str) -> Parsed<()> {
        let Some(value) = boolean(value) else {
            return cursor.fail(format!("`{value}` is neither true nor false"), &["true", "false"]);
        };
        match name {
            "sequential" => self.run.sequential = Some(value),
            _ => self.run.require_all = Some(value),
        }
        self.plain = false;
        if let Some(set) = self.sets.get_mut(self.run.start..).and_then(<[Draft]>::last_mut) {
            self.run.mark(set);
        }
        Ok(())
    }

    fn end_run(&mut self) {
        self.run = Run { start: self.sets.len(), ..Run::default() };
    }

    fn piece(&mut self, cursor: &mut Cursor<'_>, piece: &Piece<'_>, span: Span) -> Parsed<()> {
        match *piece {
            Piece::Open(bracket) => {
                if self.open.is_some() {
                    return cursor.fail_at(span, "sets cannot stand within each other", &[]);
                }
                self.end_run();
                self.open = Some((bracket, span));
                self.plain = false;
                self.run.sequential = Some(false);
                self.run.require_all = (bracket == '[').then_some(false);
            }
            Piece::Close(bracket) => {
                let closes = self.open.is_some_and(|(open, _)| closing(open).starts_with(bracket));
                if !closes {
                    return cursor.fail_at(span, format!("`{bracket}` closes nothing"), &[]);
                }
                if self.run.start == self.sets.len() {
                    return cursor.fail_at(span, "the set is empty", &["RESOURCE"]);
                }
                self.open = None;
                self.end_run();
            }
            Piece::Name(name) => self.name(cursor, name, span)?,
        }
        Ok(())
    }

    fn name(&mut self, cursor: &mut Cursor<'_>, text: &str, span: Span) -> Parsed<()> {
        let (id, suffix) = match text.split_once(':') {
            Some((id, suffix)) => (id, Some(suffix)),
            None => (text, None),
        };
        if let Some(suffix) = suffix.filter(|suffix| !self.suffix.allowed.contains(suffix)) {
            let message = format!("`{suffix}` is no {} for `{id}`", self.suffix.attribute);
            let problem = crate::diagnostic::Diagnostic::new(span, message)
                .expected(self.suffix.allowed.iter().copied())
                .near(suffix, self.suffix.allowed.iter().copied());
            cursor.problems.push(problem);
            return Err(super::Failed);
        }
        if !super::is_id(id) {
            return cursor.fail_at(span, format!("`{id}` is no name of a resource"), &["RESOURCE"]);
        }
        cursor.refer(id, Kind::Resource, span);
        let attribute = self.suffix.attribute;
        let of_run = self.sets.get(self.run.start..).unwrap_or(&[]);
        if of_run.last().is_none_or(|set| set.get(attribute) != suffix) {
            let mut set = Draft::new("resource_set", Id::Made(String::new()), span);
            self.run.mark(&mut set);
            self.sets.push(set);
        }
        if let Some(set) = self.sets.last_mut() {
            if let Some(suffix) = suffix {
                set.set(attribute, suffix);
            }
            set.children.push(Draft::new("resource_ref", Id::Given(id.to_string()), span));
        }
        self.members.push(Member { id: id.to_string(), suffix: suffix.map(str::to_string) });
        Ok(())
    }
}

/// A word that is true or false.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "y" | "1" => Some(true),
        "false" | "no" | "off" | "n" | "0" => Some(false),
        _ => None,
    }
}
