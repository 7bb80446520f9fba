//! Text that fits.

use ratatui::text::Span;

/// How many columns a text takes.
pub(crate) fn width(text: &str) -> usize {
    Span::raw(text).width()
}

/// Without what a terminal would obey; a tabulator is a space.
pub(crate) fn clean(text: &str) -> String {
    text.chars().map(|char| if char == '\t' { ' ' } else { char }).filter(|char| !char.is_control()).collect()
}

/// As much of it as fits; three dots say that there is more.
pub(crate) fn fitted(text: &str, columns: usize) -> String {
    let text = clean(text);
    if width(&text) <= columns {
        return text;
    }
    let dots = ".".repeat(columns.min(3));
    beginning(&text, columns - dots.len()).to_owned() + &dots
}

fn beginning(text: &str, columns: usize) -> &str {
    let mut taken = 0;
    for (at, char) in text.char_indices() {
        let mut buffer = [0; 4];
        taken += width(char.encode_utf8(&mut buffer));
        if taken > columns {
            return text.get(..at).unwrap_or_default();
        }
    }
    text
}

/// The text and spaces up to that width.
pub(crate) fn padded(text: &str, columns: usize) -> String {
    let text = fitted(text, columns);
    let missing = columns.saturating_sub(width(&text));
    text + &" ".repeat(missing)
}

/// Lines between words, of that width; all but the first begin with so many spaces. What a line begins with stays.
pub(crate) fn wrapped(text: &str, columns: usize, indent: usize) -> Vec<String> {
    let text = clean(text);
    if width(&text) <= columns {
        return vec![text];
    }
    let indent = indent.min(columns / 2);
    let (mut lines, mut line) = (Vec::new(), String::new());
    for (at, word) in text.split(' ').enumerate() {
        let mut word = word;
        let between = usize::from(at > 0 && !line.ends_with(' ') && !line.is_empty());
        if width(&line) + between + width(word) <= columns {
            line.push_str(if at > 0 && (between > 0 || line.trim().is_empty()) { " " } else { "" });
            line.push_str(word);
            continue;
        }
        if !line.trim().is_empty() {
            lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
        }
        // A word that no line holds is cut.
        while width(&line) + width(word) > columns {
            let part = beginning(word, columns.saturating_sub(width(&line)).max(1));
            if part.is_empty() {
                break;
            }
            word = word.get(part.len()..).unwrap_or_default();
            lines.push(std::mem::replace(&mut line, " ".repeat(indent)) + part);
        }
        line.push_str(word);
    }
    if !line.trim().is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_ends_with_dots() {
        assert_eq!(fitted("abc", 3), "abc");
        assert_eq!(fitted("abcdef", 5), "ab...");
        assert_eq!(fitted("abcdef", 2), "..");
        assert_eq!(fitted("日本語です", 7), "日本...", "a wide letter takes two columns");
        assert_eq!(padded("日", 4), "日  ");
        assert_eq!(clean("a\u{1b}[31m\tb\r"), "a[31m b");
    }

    #[test]
    fn lines_break_between_words_and_lose_nothing() {
        assert_eq!(wrapped("one two three", 8, 2), ["one two", "  three"]);
        assert_eq!(wrapped("  deep one two", 10, 4), ["  deep one", "    two"]);
        assert_eq!(wrapped("abcdefghij k", 4, 0), ["abcd", "efgh", "ij k"]);
        assert_eq!(wrapped("", 4, 0), [""]);
        let long = "word ".repeat(50);
        let lines = wrapped(&long, 17, 3);
        assert!(lines.iter().all(|line| width(line) <= 17), "{lines:?}");
        let words: Vec<&str> = lines.iter().flat_map(|line| line.split_whitespace()).collect();
        assert_eq!(words.len(), 50);
    }
}
