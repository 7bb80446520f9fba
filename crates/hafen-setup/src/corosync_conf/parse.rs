//! Text to a tree and back.

use std::fmt::{self, Write};
use std::str::FromStr;

use super::{CorosyncConf, Item, ParseError, Section};

/// No file is nested deeper; Corosync's own have three levels.
const DEPTH_MAXIMUM: usize = 8;
/// No file has more lines: 32 hosts with 8 links take 500.
const LINES_MAXIMUM: usize = 20_000;

impl FromStr for CorosyncConf {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut open = vec![(Section::default(), 0)];
        for (index, line) in text.lines().enumerate() {
            let number = index + 1;
            let wrong = |detail: String| ParseError { line: number, detail };
            if number > LINES_MAXIMUM {
                return Err(wrong(format!("more than {LINES_MAXIMUM} lines")));
            }
            let line = line.trim();
            if let Some(item) = plain_item(line).map_err(wrong)? {
                if let Some((section, _)) = open.last_mut() {
                    section.items.push(item);
                }
            } else if let Some(name) = line.strip_suffix('{') {
                if open.len() > DEPTH_MAXIMUM {
                    return Err(wrong(format!("sections are nested deeper than {DEPTH_MAXIMUM}")));
                }
                open.push((Section::new(section_name(name).map_err(wrong)?), number));
            } else {
                close(&mut open).ok_or_else(|| wrong("'}' closes no section".to_owned()))?;
            }
        }
        match open.pop() {
            Some((root, 0)) if open.is_empty() => Ok(Self { root }),
            Some((section, line)) => {
                Err(ParseError { line, detail: format!("the section '{}' is not closed", section.name) })
            }
            None => Ok(Self::default()),
        }
    }
}

/// A comment or a pair; none where a section begins or ends.
fn plain_item(line: &str) -> Result<Option<Item>, String> {
    if line.is_empty() || line.starts_with('#') {
        return Ok(Some(Item::Comment(line.to_owned())));
    }
    if line == "}" || (line.ends_with('{') && !line.contains(':')) {
        return Ok(None);
    }
    let Some((key, value)) = line.split_once(':') else {
        return Err(format!("'{line}' is neither 'key: value' nor a section's begin or end"));
    };
    let key = key.trim();
    if key.is_empty() || key.contains(char::is_whitespace) || key.contains(['{', '}']) {
        return Err(format!("'{key}' is no key"));
    }
    Ok(Some(Item::Pair { key: key.to_owned(), value: value.trim().to_owned() }))
}

fn section_name(text: &str) -> Result<&str, String> {
    let name = text.trim();
    if name.is_empty() || !name.chars().all(|char| char.is_ascii_alphanumeric() || "_-".contains(char)) {
        return Err(format!("'{name}' is no name of a section"));
    }
    Ok(name)
}

fn close(open: &mut Vec<(Section, usize)>) -> Option<()> {
    if open.len() < 2 {
        return None;
    }
    let (section, _) = open.pop()?;
    let (parent, _) = open.last_mut()?;
    parent.items.push(Item::Section(section));
    Some(())
}

impl fmt::Display for CorosyncConf {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        write_items(&mut text, &self.root, 0)?;
        formatter.write_str(&text)
    }
}

fn write_items(text: &mut String, section: &Section, depth: usize) -> fmt::Result {
    let indent = "\t".repeat(depth);
    for item in &section.items {
        match item {
            Item::Comment(line) if line.is_empty() => writeln!(text)?,
            Item::Comment(line) => writeln!(text, "{indent}{line}")?,
            Item::Pair { key, value } => writeln!(text, "{indent}{key}: {value}")?,
            Item::Section(inner) => {
                writeln!(text, "{indent}{} {{", inner.name)?;
                write_items(text, inner, depth + 1)?;
                writeln!(text, "{indent}}}")?;
            }
        }
    }
    Ok(())
}
