//! What can stand at the cursor.

mod names;
mod objects;
mod rules;

use std::sync::Arc;

use hafen_cib::metadata::AgentMetadata;
use hafen_cib::{Cib, Element};

use crate::grammar::WORDS;
use crate::text::{self, Span, Word};

/// What agents there are, and what they say of themselves.
pub trait Catalogue {
    /// The agents, as `CLASS:[PROVIDER:]TYPE`, each with one line about it.
    fn agents(&self) -> Vec<(String, String)>;
    /// What an agent says of itself, if that is known.
    fn metadata(&self, agent: &str) -> Option<Arc<AgentMetadata>>;
}

/// A word that can stand at the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The whole word.
    pub text: String,
    /// What it is, in a line.
    pub about: String,
}

/// What can stand at the cursor.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Completion {
    /// The word at the cursor, up to it: what a candidate takes the place of.
    pub span: Span,
    /// The candidates, the likeliest first.
    pub candidates: Vec<Candidate>,
}

/// More than that of a kind are not told: nobody reads them.
pub const CANDIDATES_MAXIMUM: usize = 10_000;

/// What is known where the cursor is.
pub(super) struct Place<'p> {
    pub(super) cib: &'p Cib,
    pub(super) catalogue: &'p dyn Catalogue,
    /// The words of the statement before the one at the cursor.
    pub(super) words: &'p [Word],
    /// What is written of the word at the cursor.
    pub(super) part: &'p str,
    found: Vec<Candidate>,
    /// The statement up to the word at the cursor.
    before: &'p str,
}

/// The words that can stand at the end of a text: those that begin as what is written there.
///
/// The text is a statement, or several, up to the cursor. No candidate makes a mistake where it stands.
#[must_use]
pub fn complete(text: &str, cib: &Cib, catalogue: &dyn Catalogue) -> Completion {
    let lines = text::lines(text, &mut Vec::new());
    let end = Span { start: text.len(), end: text.len() };
    let (start, words, part) = match lines.last().filter(|line| is_open(text, line.span.end)) {
        None if is_comment(text, lines.last().map_or(0, |line| line.span.end)) => {
            return Completion::default();
        }
        None => (text.len(), &[][..], None),
        Some(line) => match line.words.split_last() {
            Some((last, before)) if last.span.end == text.len() => (line.span.start, before, Some(last)),
            _ => (line.span.start, line.words.as_slice(), None),
        },
    };
    let span = part.map_or(end, |word| word.span);
    let written = text.get(span.start..).unwrap_or("");
    // Within quotes, and after a backslash, the word is not as it is written.
    if written.contains(['"', '\'', '\\']) {
        return Completion { span, candidates: Vec::new() };
    }
    let before = text.get(start..span.start).unwrap_or("");
    let mut place = Place { cib, catalogue, words, part: written, found: Vec::new(), before };
    match words.first() {
        None => place.offer(WORDS.iter().map(|word| (word.word.to_string(), word.help.to_string()))),
        Some(word) if !word.quoted => objects::statement(&mut place, &word.text),
        Some(_) => {}
    }
    Completion { span, candidates: place.found }
}

/// Whether the statement that ends at a byte goes on at the end of the text.
fn is_open(text: &str, end: usize) -> bool {
    let mut rest = text.get(end..).unwrap_or("");
    while let Some((line, next)) = rest.split_once('\n') {
        if !line.trim_end().ends_with('\\') {
            return false;
        }
        rest = next;
    }
    true
}

fn is_comment(text: &str, end: usize) -> bool {
    let rest = text.get(end..).unwrap_or("");
    rest.rsplit('\n').next().is_some_and(|line| line.trim_start().starts_with('#'))
}

impl<'p> Place<'p> {
    /// Words, each of which fits or not by itself.
    pub(super) fn offer(&mut self, words: impl IntoIterator<Item = (String, String)>) {
        for (text, about) in words {
            if text.starts_with(self.part) && self.fits(&text) {
                self.push(text, about);
            }
        }
    }

    /// Keywords.
    pub(super) fn keywords(&mut self, words: &[&str], about: &str) {
        self.offer(words.iter().map(|word| (word.to_string(), about.to_string())));
    }

    /// Words that fit all or none: names of the same kind.
    pub(super) fn alike(&mut self, words: impl IntoIterator<Item = (String, String)>) {
        let mut known = None;
        for (text, about) in words {
            if !text.starts_with(self.part) {
                continue;
            }
            if !*known.get_or_insert_with(|| self.fits(&text)) {
                return;
            }
            self.push(text, about);
        }
    }

    fn push(&mut self, text: String, about: String) {
        let about = about.lines().next().unwrap_or("").trim().to_string();
        if self.found.len() < CANDIDATES_MAXIMUM
            && !self.found.iter().rev().take(64).any(|known| known.text == text)
        {
            self.found.push(Candidate { text, about });
        }
    }

    /// Whether the statement has no mistake at the word, be it finished or not.
    fn fits(&self, word: &str) -> bool {
        // A set that is open is closed, so that only the word itself can be wrong.
        let open = self.words.iter().rev().find_map(|word| match word.text.as_str() {
            text if text.ends_with([')', ']']) => Some(""),
            text if text.starts_with('(') => Some(" )"),
            text if text.starts_with('[') => Some(" ]"),
            _ => None,
        });
        let tail = match (word, open) {
            ("(", _) => " x )",
            ("[", _) => " x ]",
            (")" | "]", _) | (_, None) => "",
            (_, Some(tail)) => tail,
        };
        let text = format!("{}{word}{tail}", self.before);
        let start = self.before.len();
        match crate::parse(&text) {
            Ok(_) => true,
            Err(problems) => {
                !problems
                    .iter()
                    .any(|problem| problem.span.start < start + word.len() && problem.span.end > start)
                    && !problems.iter().any(|problem| problem.span.end <= start && problem.span.end > 0)
            }
        }
    }

    /// The word that many before the cursor.
    pub(super) fn back(&self, count: usize) -> Option<&'p Word> {
        self.words.len().checked_sub(count).and_then(|at| self.words.get(at))
    }

    /// Whether a value of this name was given since a word.
    pub(super) fn given_since(&self, start: usize, name: &str) -> bool {
        self.words.iter().skip(start).any(|word| word.pair().is_some_and(|(known, _)| known == name))
    }

    /// Whether a word stands in the statement.
    pub(super) fn has(&self, text: &str) -> bool {
        self.words.iter().any(|word| word.text == text)
    }
}

/// An agent with its class and provider: `Xen` and `ocf:Xen` are `ocf:heartbeat:Xen`.
#[must_use]
pub fn full_agent(said: &str) -> String {
    match said.split(':').collect::<Vec<_>>().as_slice() {
        [kind] | ["ocf", kind] => format!("ocf:heartbeat:{kind}"),
        _ => said.to_string(),
    }
}

/// What an object is, in a word or two.
pub(super) fn about(element: Element<'_>) -> String {
    let word = crate::check::word_of(element.name());
    match (element.attribute("type"), element.attribute("template")) {
        (Some(kind), _) if element.name() != "node" => format!("{word} of {kind}"),
        (None, Some(template)) => format!("{word} of @{template}"),
        _ => word.to_string(),
    }
}
