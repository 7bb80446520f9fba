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

struct Reading {
    suffix: Suffix,
    sets: Vec<Draft>,
    members: Vec<Member>,
    plain: bool,
    open: Option<(char, Span)>,
    /// The next member begins a set, though its suffix is the same.
    fresh: bool,
}

/// Sets up to the end of the statement, or to an attribute that is not theirs.
pub(crate) fn sets(cursor: &mut Cursor<'_>, suffix: Suffix, end: &str) -> Parsed<Sets> {
    let mut reading =
        Reading { suffix, sets: Vec::new(), members: Vec::new(), plain: true, open: None, fresh: true };
    while let Some(word) = cursor.peek().filter(|word| !word.is(end)) {
        if let Some((name, value)) = word.pair() {
            let value = value.trim_end_matches([')', ']']);
            if !reading.attribute(name, value) {
                break;
            }
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
    if let Some(empty) = reading.sets.iter().find(|set| set.children.is_empty()) {
        let span = empty.span;
        return cursor.fail_at(span, "the set is empty", &["RESOURCE"]);
    }
    Ok(Sets { sets: reading.sets, plain: reading.plain.then_some(reading.members) })
}

fn closing(bracket: char) -> &'static str {
    if bracket == '(' { ")" } else { "]" }
}

impl Reading {
    /// An attribute of the set that is being read; `false` if it is not one of a set.
    fn attribute(&mut self, name: &str, value: &str) -> bool {
        if !["sequential", "require-all"].contains(&name) || self.sets.is_empty() {
            return false;
        }
        let Some(set) = self.sets.last_mut() else { return false };
        // What is so anyway is not written.
        if value == "true" {
            set.attributes.retain(|(known, _)| known != name);
        } else if name == "require-all" {
            set.attributes.retain(|(known, _)| known != name);
            set.attributes.insert(0, (name.to_string(), value.to_string()));
        } else {
            set.attributes.retain(|(known, _)| known != name);
            let at = usize::from(set.get("require-all").is_some());
            set.attributes.insert(at, (name.to_string(), value.to_string()));
        }
        self.plain &= value == "true";
        self.fresh |= self.open.is_none();
        true
    }

    fn piece(&mut self, cursor: &mut Cursor<'_>, piece: &Piece<'_>, span: Span) -> Parsed<()> {
        match *piece {
            Piece::Open(bracket) => {
                if self.open.is_some() {
                    return cursor.fail_at(span, "sets cannot stand within each other", &[]);
                }
                self.open = Some((bracket, span));
                self.plain = false;
                let mut set = Draft::new("resource_set", Id::Made(String::new()), span);
                if bracket == '[' {
                    set.set("require-all", "false");
                }
                set.set("sequential", "false");
                self.sets.push(set);
            }
            Piece::Close(bracket) => {
                let closes = self.open.is_some_and(|(open, _)| closing(open).starts_with(bracket));
                if !closes {
                    return cursor.fail_at(span, format!("`{bracket}` closes nothing"), &[]);
                }
                self.open = None;
                self.fresh = true;
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
        let same = |set: &Draft| set.children.is_empty() || set.get(attribute) == suffix;
        let inside = self.open.is_some();
        match self.sets.last() {
            Some(set) if inside && !same(set) => {
                let message = format!("all members of a set in brackets have one {attribute}");
                return cursor.fail_at(span, message, &[]);
            }
            Some(set) if inside || (!self.fresh && same(set)) => {}
            _ => {
                self.sets.push(Draft::new("resource_set", Id::Made(String::new()), span));
                self.fresh = false;
            }
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
