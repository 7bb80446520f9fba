//! What can be wrong with a source, and where.

/// An error in an XML source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {kind}")]
pub struct ParseError {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// What is wrong.
    pub kind: ParseErrorKind,
}

/// What is wrong with an XML source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// The bytes are not UTF-8.
    #[error("the text is not valid UTF-8")]
    InvalidUtf8,
    /// The declaration names an encoding other than UTF-8, or a version other than 1.0.
    #[error("the XML declaration asks for {0}: only version 1.0 in UTF-8 is read")]
    Declaration(String),
    /// A character that XML does not allow, such as a null byte.
    #[error("the character U+{0:04X} is not allowed in XML")]
    ForbiddenCharacter(u32),
    /// The markup is malformed.
    #[error("{0}")]
    Syntax(String),
    /// Not a name of an element or attribute.
    #[error("`{0}` is not a name")]
    BadName(String),
    /// An end tag that does not match the open element.
    #[error("`</{found}>` does not close the open element `<{expected}>`")]
    MismatchedEnd {
        /// The name of the open element.
        expected: String,
        /// The name in the end tag.
        found: String,
    },
    /// The source ends inside an element.
    #[error("`<{0}>` is not closed")]
    Unclosed(String),
    /// An attribute appears twice in one element.
    #[error("the attribute `{0}` appears twice in this element")]
    DuplicateAttribute(String),
    /// A document type definition; these are refused.
    #[error("a document type definition (`<!DOCTYPE`) is not accepted")]
    Doctype,
    /// A reference to an entity other than the five of XML.
    #[error("the entity `&{0};` is not accepted: only &lt; &gt; &amp; &quot; &apos; and &#N; are")]
    Entity(String),
    /// A character reference that names no allowed character.
    #[error("`&{0};` names no character that XML allows")]
    CharacterReference(String),
    /// There is no root element.
    #[error("there is no element")]
    Empty,
    /// Something other than comments follows or precedes the root element.
    #[error("there is something outside of the root element")]
    OutsideRoot,
    /// A limit of [`super::Limits`] is exceeded.
    #[error("the limit `{limit}` is {maximum}, and the source exceeds it")]
    Limit {
        /// The limit's name.
        limit: &'static str,
        /// Its value.
        maximum: usize,
    },
    /// The root element is not the one expected here.
    #[error("the root element is `<{found}>`, expected `<{expected}>`")]
    Root {
        /// The expected name.
        expected: &'static str,
        /// The name found.
        found: String,
    },
}

impl ParseError {
    /// An error at a byte offset of `source`.
    pub(super) fn at(source: &[u8], offset: usize, kind: ParseErrorKind) -> Self {
        let before = &source[..offset.min(source.len())];
        let line = memchr::memchr_iter(b'\n', before).count() as u32 + 1;
        let start = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
        // Count the bytes that start a character, which also works in front of broken UTF-8.
        let column = before[start..].iter().filter(|byte| (**byte & 0xC0) != 0x80).count() as u32 + 1;
        ParseError { line, column, kind }
    }
}
