//! Text to lines of words.

use crate::diagnostic::Diagnostic;

/// A range of bytes of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

/// A word: quotes are taken away, `name="a b"` is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) text: String,
    pub(crate) span: Span,
    /// Where in `text` the first `=` outside of quotes is.
    pub(crate) equals: Option<usize>,
    /// It begins with a quote: it is no keyword and no bracket.
    pub(crate) quoted: bool,
}

impl Word {
    /// `name` and `value` of `name=value`.
    pub(crate) fn pair(&self) -> Option<(&str, &str)> {
        let equals = self.equals?;
        Some((self.text.get(..equals)?, self.text.get(equals + 1..)?))
    }

    /// Whether it is exactly this keyword.
    pub(crate) fn is(&self, keyword: &str) -> bool {
        !self.quoted && self.text == keyword
    }
}

/// One statement's words, continued lines joined.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) words: Vec<Word>,
    pub(crate) span: Span,
}

/// The longest text that is read.
pub const TEXT_BYTES_MAXIMUM: usize = 64 << 20;

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at..)?.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let char = self.peek()?;
        self.at += char.len_utf8();
        Some(char)
    }

    /// A backslash at the end of a line continues it: step over both.
    fn continuation(&mut self) -> bool {
        let Some(rest) = self.text.get(self.at..) else { return false };
        let Some(after) = rest.strip_prefix('\\') else { return false };
        let blank = after.len() - after.trim_start_matches([' ', '\t', '\r']).len();
        if after.as_bytes().get(blank) == Some(&b'\n') {
            self.at += 1 + blank + 1;
            return true;
        }
        // A backslash that ends the text continues nothing, and hides nothing.
        if blank == after.len() {
            self.at = self.text.len();
            return true;
        }
        false
    }

    fn skip_blank(&mut self) {
        loop {
            match self.peek() {
                Some(' ' | '\t' | '\r') => self.at += 1,
                Some('\\') if self.continuation() => {}
                _ => return,
            }
        }
    }

    /// Step over a comment. It can be continued: who comments out the first line of a statement means all of it.
    fn skip_comment(&mut self) {
        while let Some(char) = self.peek().filter(|char| *char != '\n') {
            if char != '\\' || !self.continuation() {
                self.at += char.len_utf8();
            }
        }
    }

    fn word(&mut self, problems: &mut Vec<Diagnostic>) -> Word {
        let start = self.at;
        let mut word = Word { text: String::new(), span: Span::default(), equals: None, quoted: false };
        while let Some(char) = self.peek() {
            match char {
                ' ' | '\t' | '\r' | '\n' => break,
                '\\' if self.continuation() => break,
                '"' | '\'' => {
                    word.quoted |= self.at == start;
                    if !self.quoted(char, &mut word.text) {
                        let opening = Span { start, end: self.at };
                        problems.push(Diagnostic::new(opening, format!("the quote {char} is not closed")));
                        break;
                    }
                }
                '\\' => {
                    self.at += 1;
                    word.text.extend(self.next());
                }
                _ => {
                    if char == '=' && word.equals.is_none() {
                        word.equals = Some(word.text.len());
                    }
                    word.text.push(char);
                    self.at += char.len_utf8();
                }
            }
        }
        word.span = Span { start, end: self.at };
        word
    }

    /// What is inside of quotes; `false` if they are not closed before the end of the statement.
    fn quoted(&mut self, quote: char, into: &mut String) -> bool {
        self.at += 1;
        while let Some(char) = self.peek() {
            if char == quote {
                self.at += 1;
                return true;
            }
            if char == '\n' {
                return false;
            }
            if char == '\\' && self.continuation() {
                continue;
            }
            self.at += char.len_utf8();
            if char == '\\' && quote == '"' && matches!(self.peek(), Some('"' | '\\')) {
                into.extend(self.next());
            } else {
                into.push(char);
            }
        }
        false
    }
}

/// The lines of a text that say something. A line that begins with `#` is a comment.
pub(crate) fn lines(text: &str, problems: &mut Vec<Diagnostic>) -> Vec<Line> {
    let mut reader = Reader { text, at: 0 };
    let mut lines = Vec::new();
    if text.starts_with('\u{feff}') {
        reader.at = '\u{feff}'.len_utf8();
    }
    while reader.at < text.len() {
        reader.skip_blank();
        match reader.peek() {
            None => break,
            Some('\n') => {
                reader.at += 1;
                continue;
            }
            Some('#') => {
                reader.skip_comment();
                continue;
            }
            Some(_) => lines.push(line(&mut reader, problems)),
        }
    }
    lines
}

fn line(reader: &mut Reader<'_>, problems: &mut Vec<Diagnostic>) -> Line {
    let start = reader.at;
    let mut words = Vec::new();
    // What follows `xml` is not in words of ours: quotes and brackets there are XML's.
    let raw = reader.text.get(start..).is_some_and(|rest| {
        rest.strip_prefix("xml")
            .is_some_and(|rest| rest.trim_start_matches([' ', '\t', '\\', '\n']).starts_with('<'))
    });
    if raw {
        words.push(Word {
            text: "xml".into(),
            span: Span { start, end: start + 3 },
            equals: None,
            quoted: false,
        });
        reader.at += 3;
        reader.skip_blank();
        words.push(raw_word(reader));
    }
    loop {
        reader.skip_blank();
        match reader.peek() {
            None | Some('\n') => break,
            Some(_) => words.push(reader.word(problems)),
        }
    }
    let end = words.last().map_or(reader.at, |word| word.span.end);
    Line { words, span: Span { start, end } }
}

fn raw_word(reader: &mut Reader<'_>) -> Word {
    let start = reader.at;
    let mut text = String::new();
    while let Some(char) = reader.peek() {
        if char == '\n' {
            break;
        }
        if char == '\\' && reader.continuation() {
            text.push('\n');
            continue;
        }
        text.push(char);
        reader.at += char.len_utf8();
    }
    Word { text, span: Span { start, end: reader.at }, equals: None, quoted: true }
}
