//! Lists of attributes and rules as text.

use hafen_cib::Element;

use super::Context;
use super::filter::{Filter, HIDDEN};

/// A value, in quotes unless it is of letters, digits, `.`, `_` and `-` only.
pub(crate) fn quoted(value: &str) -> String {
    let plain = |char: char| char.is_ascii_alphanumeric() || "._-".contains(char);
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_string();
    }
    always_quoted(value)
}

pub(crate) fn always_quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

/// `name=value`.
pub(crate) fn pair(name: &str, value: &str) -> String {
    format!("{name}={}", quoted(value))
}

/// `inf` for `INFINITY`.
pub(crate) fn score(score: &str) -> String {
    score.replace("INFINITY", "inf")
}

/// What a list says, in words.
pub(crate) fn words(list: Element<'_>, context: &Context, filter: &Filter) -> Vec<String> {
    let mut words = Vec::new();
    if let Some(id) = list.attribute("id-ref") {
        return vec![format!("$id-ref={id}")];
    }
    if let Some(id) = list.id().filter(|id| context.referenced.contains(*id) && !is_made(list, id)) {
        words.push(format!("$id={id}"));
    }
    if let Some(text) = list.attribute("score") {
        // Not `inf`: crmsh would take that as it is.
        words.push(format!("{text}:"));
    }
    for child in list.children() {
        match child.name() {
            "rule" => words.push(rule(child)),
            _ => words.push(nvpair(child, context, filter)),
        }
    }
    words
}

/// Whether the text would give this id anyway.
fn is_made(list: Element<'_>, id: &str) -> bool {
    let above = list.parent().and_then(Element::id).unwrap_or("");
    id.strip_prefix(above).and_then(|rest| rest.strip_prefix('-')).is_some_and(|rest| rest == list.name())
}

pub(crate) fn nvpair(element: Element<'_>, context: &Context, filter: &Filter) -> String {
    let name = element.attribute("name");
    if let Some(id) = element.attribute("id-ref") {
        return match name {
            Some(name) => format!("@{id}:{name}"),
            None => format!("@{id}"),
        };
    }
    let name = name.unwrap_or("");
    let value = if filter.hides(name) { Some(HIDDEN) } else { element.attribute("value") };
    let id = element.id().filter(|id| context.referenced.contains(*id));
    let named = match id {
        Some(id) if id == name => format!("${name}"),
        Some(id) => format!("${id}:{name}"),
        None => name.to_string(),
    };
    match value {
        Some(value) => pair(&named, value),
        None => named,
    }
}

/// `rule [$id=ID] [$role=ROLE] [SCORE:] EXPRESSIONS`; a score of infinity is not written.
pub(crate) fn rule(rule: Element<'_>) -> String {
    let mut words = vec!["rule".to_string()];
    if let Some(id) = rule.attribute("id-ref") {
        words.push(format!("$id-ref={id}"));
        return words.join(" ");
    }
    if let Some(role) = rule.attribute("role") {
        words.push(format!("$role={}", quoted(role)));
    }
    match (rule.attribute("score"), rule.attribute("score-attribute")) {
        (Some("INFINITY") | None, None) => {}
        (Some(text), _) => words.push(format!("{}:", score(text))),
        (None, Some(attribute)) => words.push(format!("{attribute}:")),
    }
    let joint = format!(" {} ", rule.attribute("boolean-op").unwrap_or("and"));
    let expressions: Vec<String> = rule.children().map(expression).collect();
    words.push(expressions.join(&joint));
    words.join(" ")
}

fn expression(element: Element<'_>) -> String {
    let get = |name| element.attribute(name).unwrap_or("");
    if element.name() == "date_expression" {
        return date(element);
    }
    let operation = get("operation");
    let attribute = get("attribute");
    if operation.ends_with("defined") {
        return format!("{operation} {attribute}");
    }
    let kind = element.attribute("type").filter(|kind| !is_default_type(kind, operation));
    let kind = kind.map(|kind| format!("{kind}:")).unwrap_or_default();
    format!("{attribute} {kind}{operation} {}", word(get("value")))
}

/// A value that stands alone: quotes only where they are needed.
fn word(value: &str) -> String {
    let needs = value.is_empty()
        || value.contains(|char: char| char.is_whitespace() || "\"'\\".contains(char))
        || ["and", "or"].contains(&value);
    if needs { always_quoted(value) } else { value.to_string() }
}

/// Whether values are compared as this type anyway.
pub(crate) fn is_default_type(kind: &str, operation: &str) -> bool {
    kind == "string" && matches!(operation, "eq" | "ne")
}

fn date(element: Element<'_>) -> String {
    let get = |name| element.attribute(name).unwrap_or("");
    let inner = |tag: &str| -> Vec<String> {
        let parts = element.child(tag).into_iter().flat_map(Element::attributes);
        parts
            .filter(|(name, _)| *name != "id")
            .map(|(name, value)| format!("{name}={}", word(value)))
            .collect()
    };
    match get("operation") {
        "lt" => format!("date lt {}", word(get("end"))),
        "gt" => format!("date gt {}", word(get("start"))),
        "date_spec" => format!("date spec {}", inner("date_spec").join(" ")),
        _ => {
            let mut words = vec!["date in".to_string()];
            for name in ["start", "end"] {
                words.extend(element.attribute(name).map(|value| format!("{name}={}", word(value))));
            }
            words.extend(inner("duration"));
            words.join(" ")
        }
    }
}
