//! The small pieces of XML: blanks, names, references, and the faults in them.

use super::chars::{is_allowed, is_blank, is_name};
use super::error::ParseErrorKind;

/// An error and its offset in the source.
pub(super) struct Fault {
    pub(super) offset: usize,
    pub(super) kind: ParseErrorKind,
}

pub(super) fn fault<T>(offset: usize, kind: ParseErrorKind) -> Result<T, Fault> {
    Err(Fault { offset, kind })
}

pub(super) fn syntax<T>(offset: usize, what: &str) -> Result<T, Fault> {
    fault(offset, ParseErrorKind::Syntax(what.to_string()))
}

pub(super) fn limit<T>(offset: usize, limit: &'static str, maximum: usize) -> Result<T, Fault> {
    fault(offset, ParseErrorKind::Limit { limit, maximum })
}

/// The bytes that mean something in a quoted value.
pub(super) const IN_VALUE: [bool; 256] = {
    let mut table = [false; 256];
    let mut marks: &[u8] = b"\"'<&\n\r\t";
    while let [mark, rest @ ..] = marks {
        table[*mark as usize] = true;
        marks = rest;
    }
    table
};

pub(super) fn skip_blank(bytes: &[u8], mut at: usize, end: usize) -> usize {
    while at < end && is_blank(bytes[at]) {
        at += 1;
    }
    at
}

/// Where a name ends that starts at an offset: at the next blank, `=`, quote, `/` or `<`.
pub(super) fn name_end(source: &str, start: usize, end: usize) -> usize {
    let rest = &source.as_bytes()[start..end];
    let stop = |byte: &u8| is_blank(*byte) || matches!(*byte, b'=' | b'"' | b'\'' | b'/' | b'<' | b'&');
    start + rest.iter().position(stop).unwrap_or(rest.len())
}

/// The character of the reference that a piece of source starts with, and the reference's length.
pub(super) fn reference(rest: &str, offset: usize) -> Result<(char, usize), Fault> {
    const LENGTH_MAXIMUM_BYTES: usize = 64;
    let window = &rest.as_bytes()[..rest.len().min(LENGTH_MAXIMUM_BYTES)];
    let Some(semicolon) = memchr::memchr(b';', window) else {
        return syntax(offset, "`&` must be written as `&amp;`");
    };
    let name = &rest[1..semicolon];
    let c = match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        _ => match name.strip_prefix('#') {
            Some(number) => match character(number) {
                Some(c) => c,
                None => return fault(offset, ParseErrorKind::CharacterReference(name.to_string())),
            },
            None if is_name(name) => return fault(offset, ParseErrorKind::Entity(name.to_string())),
            None => return syntax(offset, "`&` must be written as `&amp;`"),
        },
    };
    Ok((c, semicolon + 1))
}

fn character(number: &str) -> Option<char> {
    let (digits, radix) = match number.strip_prefix('x') {
        Some(digits) => (digits, 16),
        None => (number, 10),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    char::from_u32(u32::from_str_radix(digits, radix).ok()?).filter(|c| is_allowed(*c))
}
