//! From characters to tokens (XPath 1.0, section 3.7).

use super::error::{XPathError, XPathErrorKind};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// `(`, `[`, `//`, `<=` and the like.
    Sign(&'static str),
    /// `and`, `or`, `div`, `mod`, and `*` where it multiplies.
    Operator(&'static str),
    Name(String),
    /// A name before `::`.
    Axis(String),
    /// A name before `(`.
    Function(String),
    Literal(String),
    Number(f64),
}

impl Token {
    pub(super) fn words(&self) -> String {
        match self {
            Token::Sign(text) | Token::Operator(text) => format!("'{text}'"),
            Token::Name(name) => format!("the name {name}"),
            Token::Axis(name) => format!("the axis {name}"),
            Token::Function(name) => format!("{name}()"),
            Token::Literal(text) => format!("the text \"{text}\""),
            Token::Number(number) => format!("the number {number}"),
        }
    }
}

/// Longer ones first.
const SIGNS: [&str; 21] = [
    "//", "::", "..", "!=", "<=", ">=", "/", "(", ")", "[", "]", "@", ",", "|", "+", "-", "=", "<", ">", ".",
    "*",
];

/// The tokens, each with its place in bytes.
pub(super) fn tokens(source: &str) -> Result<Vec<(usize, Token)>, XPathError> {
    let mut found: Vec<(usize, Token)> = Vec::new();
    let mut at = 0;
    while let Some(rest) = source.get(at..).filter(|rest| !rest.is_empty()) {
        let Some(first) = rest.chars().next() else { break };
        if first.is_ascii_whitespace() {
            at += 1;
            continue;
        }
        let fail = |kind| XPathError { source: source.to_owned(), position: Some(at), kind };
        let (token, length) = match first {
            '"' | '\'' => {
                let end = rest[1..].find(first).ok_or_else(|| fail(XPathErrorKind::Quote))?;
                (Token::Literal(rest[1..=end].to_owned()), end + 2)
            }
            '$' => return Err(fail(XPathErrorKind::Variable)),
            _ if is_number(rest) => {
                let length = number_length(rest);
                (Token::Number(rest[..length].parse().unwrap_or(f64::NAN)), length)
            }
            _ if is_name_start(first) => {
                let length = rest.find(|letter| !is_name_part(letter)).unwrap_or(rest.len());
                let before = found.last().map(|(_, token)| token);
                (word(&rest[..length], &rest[length..], before).map_err(fail)?, length)
            }
            _ => {
                let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
                let sign = *sign.ok_or_else(|| fail(XPathErrorKind::Character(first)))?;
                let multiplies = sign == "*" && ends_operand(found.last().map(|(_, token)| token));
                (if multiplies { Token::Operator("*") } else { Token::Sign(sign) }, sign.len())
            }
        };
        found.push((at, token));
        at += length;
    }
    Ok(found)
}

/// Whether what follows a token can only be an operator.
fn ends_operand(before: Option<&Token>) -> bool {
    match before {
        None | Some(Token::Operator(_)) => false,
        Some(Token::Sign(sign)) => matches!(*sign, ")" | "]" | "." | ".." | "*"),
        Some(Token::Axis(_) | Token::Function(_)) => false,
        Some(Token::Name(_) | Token::Literal(_) | Token::Number(_)) => true,
    }
}

fn word(name: &str, after: &str, before: Option<&Token>) -> Result<Token, XPathErrorKind> {
    if ends_operand(before) {
        let operator = ["and", "or", "div", "mod"].into_iter().find(|operator| *operator == name);
        if let Some(operator) = operator {
            return Ok(Token::Operator(operator));
        }
    }
    let next = after.trim_ascii_start();
    if next.starts_with("::") {
        return Ok(Token::Axis(name.to_owned()));
    }
    if after.starts_with(':') {
        return Err(XPathErrorKind::Prefix);
    }
    Ok(if next.starts_with('(') { Token::Function(name.to_owned()) } else { Token::Name(name.to_owned()) })
}

fn is_number(rest: &str) -> bool {
    let mut letters = rest.bytes();
    match letters.next() {
        Some(b'0'..=b'9') => true,
        Some(b'.') => letters.next().is_some_and(|letter| letter.is_ascii_digit()),
        _ => false,
    }
}

fn number_length(rest: &str) -> usize {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(rest);
    match rest[whole..].strip_prefix('.') {
        Some(fraction) => whole + 1 + digits(fraction),
        None => whole,
    }
}

fn is_name_start(letter: char) -> bool {
    letter.is_alphabetic() || letter == '_'
}

fn is_name_part(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.')
}
