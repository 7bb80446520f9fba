//! Mistakes, told so that one can mend them.

use std::fmt::Write as _;

use crate::text::Span;

/// A mistake in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Where it is.
    pub span: Span,
    /// What is wrong.
    pub message: String,
    /// What was expected there.
    pub expected: Vec<String>,
    /// The nearest known word.
    pub suggestion: Option<String>,
}

/// No more mistakes of one text are told.
pub const DIAGNOSTICS_MAXIMUM: usize = 100;
/// More than that of a line is not shown.
const SHOWN_CHARACTERS: usize = 120;
/// No more expected words are listed.
const EXPECTED_SHOWN: usize = 12;

impl Diagnostic {
    pub(crate) fn new(span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic { span, message: message.into(), expected: Vec::new(), suggestion: None }
    }

    pub(crate) fn expected<'w>(mut self, words: impl IntoIterator<Item = &'w str>) -> Diagnostic {
        self.expected = words.into_iter().map(str::to_string).collect();
        self
    }

    /// Suggest the nearest of the words that are near enough.
    pub(crate) fn near<'w>(mut self, word: &str, known: impl IntoIterator<Item = &'w str>) -> Diagnostic {
        self.suggestion = nearest(word, known).map(str::to_string);
        self
    }

    /// Line and column, from 1; the column counts characters.
    #[must_use]
    pub fn place(&self, text: &str) -> (usize, usize) {
        let before = text.get(..self.span.start).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        (line, before.get(start..).unwrap_or("").chars().count() + 1)
    }

    /// The mistake with its place, its line and a mark under the words.
    #[must_use]
    pub fn render(&self, source_name: &str, text: &str) -> String {
        let (line, column) = self.place(text);
        let mut told = format!("{source_name}:{line}:{column}: error: {}\n", self.message);
        let start = text.get(..self.span.start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
        let whole = text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or("");
        let whole = whole.trim_end();
        let marked = text.get(self.span.start..self.span.end).unwrap_or("");
        let width = marked.lines().next().unwrap_or("").chars().count().max(1);
        // A long line is shown around the mark.
        let skip = column.saturating_sub(SHOWN_CHARACTERS / 2);
        let shown: String = whole
            .chars()
            .skip(skip)
            .take(SHOWN_CHARACTERS)
            .map(|char| if char == '\t' { ' ' } else { char })
            .collect();
        let gutter = " ".repeat(line.to_string().len());
        let indent = " ".repeat((column - 1).saturating_sub(skip));
        let mark = "^".repeat(width.min(SHOWN_CHARACTERS));
        let _ = writeln!(told, "{gutter} |\n{line} | {shown}\n{gutter} | {indent}{mark}");
        if !self.expected.is_empty() {
            let shown: Vec<&str> = self.expected.iter().take(EXPECTED_SHOWN).map(String::as_str).collect();
            let more = if self.expected.len() > EXPECTED_SHOWN { ", ..." } else { "" };
            let _ = writeln!(told, "{gutter} = expected {}{more}", shown.join(", "));
        }
        if let Some(word) = &self.suggestion {
            let _ = writeln!(told, "{gutter} = did you mean `{word}`?");
        }
        told
    }
}

/// A text that is not UTF-8, with the place of the first wrong byte.
#[must_use]
pub fn wrong_encoding(source_name: &str, bytes: &[u8]) -> Option<String> {
    let error = std::str::from_utf8(bytes).err()?;
    let before = bytes.get(..error.valid_up_to()).unwrap_or(&[]);
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let byte = bytes.get(error.valid_up_to()).copied().unwrap_or(0);
    let cut = if error.error_len().is_none() {
        "the text ends within a character"
    } else {
        "the text is not UTF-8"
    };
    Some(format!(
        "{source_name}:{line}: error: {cut} (byte 0x{byte:02x}, {} bytes from the start)\n",
        before.len()
    ))
}

/// The nearest of some words, if it is near enough to be a slip of the keyboard.
pub fn nearest<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    if word.len() > 64 {
        return None;
    }
    let limit = match word.chars().count() {
        0..=2 => 1,
        3..=5 => 2,
        _ => 3,
    };
    known
        .into_iter()
        .filter(|known| known.len().abs_diff(word.len()) <= limit && *known != word)
        .map(|known| (distance(word, known), known))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// How many letters must be put in, taken away, changed or swapped with their neighbour.
fn distance(one: &str, other: &str) -> usize {
    let one: Vec<char> = one.chars().collect();
    let other: Vec<char> = other.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (row, char) in one.iter().enumerate() {
        let mut next = vec![row + 1];
        for (column, letter) in other.iter().enumerate() {
            let at = |cells: &[usize], index: usize| cells.get(index).copied().unwrap_or(usize::MAX / 2);
            let mut best = (at(&last, column) + usize::from(char != letter))
                .min(at(&last, column + 1) + 1)
                .min(at(&next, column) + 1);
            let swapped = row > 0
                && column > 0
                && one.get(row - 1) == Some(letter)
                && other.get(column - 1) == Some(char);
            if swapped {
                best = best.min(at(&before, column - 1) + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut last, next);
    }
    last.last().copied().unwrap_or(usize::MAX)
}
