//! Taking secrets out of what is reported.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use hafen_agents::secrets::{MASK, Secrets, is_secret};
use regex_lite::{Captures, Regex};

/// An element with a name and a value.
static PAIR: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"<nvpair(?:\s+[\w:.-]+\s*=\s*(?:"[^"]*"|'[^']*'))*\s*/?>"#).ok());
/// An attribute in such an element.
static ATTRIBUTE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"\b(name|value)\s*=\s*(?:"([^"]*)"|'([^']*)')"#).ok());
/// A name and what follows it in logs and configurations: `password=x`, `password: x`, `"password":"x"`.
static SETTING: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"([A-Za-z_][\w.-]*)("?\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s"',;<>]+)"#).ok());

/// What is to be masked.
#[derive(Debug, Default)]
pub(super) struct Masks {
    /// Patterns for names of variables, beside those that are known.
    patterns: Vec<Regex>,
    values: Secrets,
}

impl Masks {
    /// Those of Pacemaker's patterns (`-p`). The error is a pattern that is none.
    pub(super) fn new<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let parse = |pattern: &str| Regex::new(pattern).map_err(|error| format!("-p {pattern}: {error}"));
        Ok(Self { patterns: patterns.into_iter().map(parse).collect::<Result<_, _>>()?, ..Self::default() })
    }

    fn is_secret(&self, name: &str) -> bool {
        is_secret(name) || self.patterns.iter().any(|pattern| pattern.is_match(name))
    }

    /// Learns the values of secrets, so that they are masked wherever they stand, from texts that hold configurations.
    pub(super) fn learn<'a>(&mut self, texts: impl IntoIterator<Item = &'a str>, more: Vec<String>) {
        let mut values: BTreeSet<String> = more.into_iter().collect();
        for pair in texts.into_iter().flat_map(|text| PAIR.iter().flat_map(|pair| pair.find_iter(text))) {
            let (name, value) = parts(pair.as_str());
            if self.is_secret(name) {
                values.insert(value.to_owned());
                values.insert(plain(value));
            }
        }
        self.values = Secrets::from_values(values);
    }

    /// A text without secrets.
    pub(super) fn mask(&self, text: &str) -> String {
        let text = self.values.mask(text);
        let pairs = PAIR.as_ref().map_or_else(
            || text.clone(),
            |pair| {
                pair.replace_all(&text, |found: &Captures<'_>| {
                    let element = found.get(0).map_or("", |whole| whole.as_str());
                    match parts(element) {
                        (name, value) if self.is_secret(name) && !value.is_empty() => without(element),
                        _ => element.to_owned(),
                    }
                })
                .into_owned()
            },
        );
        let Some(setting) = SETTING.as_ref() else { return pairs };
        let masked = setting.replace_all(&pairs, |found: &Captures<'_>| {
            let part = |at| found.get(at).map_or("", |part| part.as_str());
            if !self.is_secret(part(1)) {
                return part(0).to_owned();
            }
            let quote = part(3).chars().next().filter(|quote| matches!(quote, '"' | '\'')).map(String::from);
            let quote = quote.unwrap_or_default();
            format!("{}{}{quote}{MASK}{quote}", part(1), part(2))
        });
        masked.into_owned()
    }
}

/// The name and the value of such an element, as they are written.
fn parts(element: &str) -> (&str, &str) {
    let (mut name, mut value) = ("", "");
    for found in ATTRIBUTE.iter().flat_map(|attribute| attribute.captures_iter(element)) {
        let text = found.get(2).or_else(|| found.get(3)).map_or("", |text| text.as_str());
        match found.get(1).map(|which| which.as_str()) {
            Some("name") => name = text,
            _ => value = text,
        }
    }
    (name, value)
}

/// Such an element without its value.
fn without(element: &str) -> String {
    let Some(attribute) = ATTRIBUTE.as_ref() else { return String::new() };
    let masked = attribute.replace_all(element, |found: &Captures<'_>| {
        let part = |at| found.get(at).map_or("", |part| part.as_str());
        if part(1) == "value" { format!("value=\"{MASK}\"") } else { part(0).to_owned() }
    });
    masked.into_owned()
}

/// A value as it was before it was written in XML.
fn plain(value: &str) -> String {
    let pairs = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    pairs.iter().fold(value.to_owned(), |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_by_name_and_by_value() {
        let mut masks = Masks::new(["geh.*nis"]).expect("a pattern");
        let cib = r#"<nvpair id="a" name="passwd" value="a&amp;b"/> <nvpair value="q" name='geheimnis' id="x"/>
            <nvpair id="a" name="user" value="root"/>"#;
        masks.learn([cib], vec!["stashed".to_owned()]);
        assert_eq!(
            masks.mask(cib),
            r#"<nvpair id="a" name="passwd" value="******"/> <nvpair value="******" name='geheimnis' id="x"/>
            <nvpair id="a" name="user" value="root"/>"#
        );
        assert_eq!(masks.mask("a&b, stashed, user=root"), "******, ******, user=root");
        assert_eq!(masks.mask("password=x1 user: y"), "password=****** user: y");
        assert_eq!(masks.mask(r#"{"passwd":"zz","ip":"1"}"#), r#"{"passwd":"******","ip":"1"}"#);
        assert!(Masks::new(["("]).is_err());
    }
}
