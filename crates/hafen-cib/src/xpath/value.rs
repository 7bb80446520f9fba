//! What an expression gives.

use super::node::XPathNode;

/// The value of an expression.
#[derive(Debug, Clone)]
pub enum XPathValue<'a> {
    /// Nodes, in document order, each once.
    Nodes(Vec<XPathNode<'a>>),
    /// A string.
    Text(String),
    /// A number.
    Number(f64),
    /// A truth value.
    Boolean(bool),
}

impl XPathValue<'_> {
    /// As a truth value (XPath 1.0, section 4.3).
    #[must_use]
    pub fn boolean(&self) -> bool {
        match self {
            XPathValue::Nodes(nodes) => !nodes.is_empty(),
            XPathValue::Text(text) => !text.is_empty(),
            XPathValue::Number(number) => *number != 0.0 && !number.is_nan(),
            XPathValue::Boolean(value) => *value,
        }
    }

    /// As a number (section 4.4).
    #[must_use]
    pub fn number(&self) -> f64 {
        match self {
            XPathValue::Number(number) => *number,
            XPathValue::Boolean(value) => f64::from(u8::from(*value)),
            XPathValue::Text(text) => number_of(text),
            XPathValue::Nodes(_) => number_of(&self.text()),
        }
    }

    /// As a string (section 4.2).
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            XPathValue::Nodes(nodes) => nodes.first().map(|node| node.text()).unwrap_or_default(),
            XPathValue::Text(text) => text.clone(),
            XPathValue::Number(number) if number.is_nan() => "NaN".to_owned(),
            XPathValue::Number(number) if number.is_infinite() => {
                if *number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
            }
            // Negative zero has no sign.
            XPathValue::Number(number) => (number + 0.0).to_string(),
            XPathValue::Boolean(value) => value.to_string(),
        }
    }
}

/// A text as a number: digits with at most one point and a leading minus, blanks around; else not a number. An exponent is
/// beyond XPath, but libxml2 takes it.
pub(super) fn number_of(text: &str) -> f64 {
    let text = text.trim_matches([' ', '\t', '\n', '\r']);
    let digits = text.strip_prefix('-').unwrap_or(text);
    let begins = digits.bytes().find(|byte| *byte != b'.').is_some_and(|byte| byte.is_ascii_digit());
    if begins { text.parse().unwrap_or(f64::NAN) } else { f64::NAN }
}
