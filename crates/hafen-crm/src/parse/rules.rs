//! Rules: `rule [$id=ID] [$role=ROLE] [SCORE:] EXPRESSION [and|or EXPRESSION ...]`.

use super::{Cursor, Parsed};
use crate::draft::{Draft, Id};
use crate::grammar::{COMPARISONS, DATE_OPERATIONS, DATE_PARTS, ROLES, VALUE_TYPES};

/// A score as it is kept in the CIB; `None` if the text is none.
pub(crate) fn score(text: &str) -> Option<String> {
    let (sign, rest) = match text.strip_prefix(['-', '+']) {
        Some(rest) => (&text[..1], rest),
        None => ("", text),
    };
    if ["inf", "infinity"].iter().any(|word| rest.eq_ignore_ascii_case(word)) {
        return Some(format!("{sign}INFINITY"));
    }
    (!rest.is_empty() && rest.len() < 16 && rest.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.to_string())
}

/// A word `SCORE:`.
pub(crate) fn score_word(text: &str) -> Option<String> {
    score(text.strip_suffix(':')?)
}

/// A rule; `take("rule")` was done. Without a score it counts as infinite.
pub(crate) fn rule(cursor: &mut Cursor<'_>) -> Parsed<Draft> {
    let span = cursor.span();
    let mut rule = Draft::new("rule", Id::Made("rule".into()), span);
    let mut role = None;
    loop {
        if let Some(id) = cursor.take_pair("$id") {
            rule.id = Id::Given(id.to_string());
        } else if let Some(id) = cursor.take_pair("$id-ref") {
            rule.id = Id::None;
            return Ok(rule.with("id-ref", id));
        } else if let Some(value) = cursor.take_pair("$role").or_else(|| cursor.take_pair("role")) {
            if !ROLES.contains(&value) {
                let before = cursor.words.get(cursor.at.saturating_sub(1)).map_or(span, |word| word.span);
                return cursor.fail_at(before, format!("`{value}` is no role"), ROLES);
            }
            role = Some(value);
        } else {
            break;
        }
    }
    if let Some(role) = role {
        rule.set("role", role);
    }
    match cursor.peek().filter(|word| !word.quoted).and_then(|word| word.text.strip_suffix(':')) {
        Some(text) => {
            match score(text) {
                Some(score) => rule.set("score", score),
                None => rule.set("score-attribute", text),
            }
            cursor.at += 1;
        }
        None => rule.set("score", "INFINITY"),
    }
    expressions(cursor, &mut rule)?;
    Ok(rule)
}

fn expressions(cursor: &mut Cursor<'_>, rule: &mut Draft) -> Parsed<()> {
    let mut joint: Option<&str> = None;
    loop {
        rule.children.push(expression(cursor)?);
        let Some(word) = cursor.peek().filter(|word| word.is("and") || word.is("or")) else { break };
        if joint.is_some_and(|joint| joint != word.text) {
            return cursor.fail("`and` and `or` cannot be mixed in one rule", &[joint.unwrap_or("and")]);
        }
        joint = Some(&word.text);
        cursor.at += 1;
    }
    if joint == Some("or") {
        rule.set("boolean-op", "or");
    }
    Ok(())
}

fn expression(cursor: &mut Cursor<'_>) -> Parsed<Draft> {
    const UNARY: [&str; 2] = ["defined", "not_defined"];
    let word = cursor.need("an expression")?;
    let new = |name| Draft::new(name, Id::Made("expression".into()), word.span);
    if word.is("date") {
        return date(cursor, new("date_expression"));
    }
    if !word.quoted && UNARY.contains(&word.text.as_str()) {
        let attribute = attribute_name(cursor)?;
        return Ok(new("expression").with("operation", word.text.as_str()).with("attribute", attribute));
    }
    cursor.at -= 1;
    let attribute = attribute_name(cursor)?;
    let comparison = cursor.need("a comparison")?;
    let (kind, operation) = match comparison.text.rsplit_once(':') {
        Some((kind, operation)) => (Some(kind), operation),
        None => (None, comparison.text.as_str()),
    };
    if !COMPARISONS.contains(&operation) {
        return cursor.fail_at(comparison.span, format!("`{operation}` is no comparison"), COMPARISONS);
    }
    if let Some(kind) = kind.filter(|kind| !VALUE_TYPES.contains(kind)) {
        return cursor.fail_at(comparison.span, format!("`{kind}` is no type of values"), VALUE_TYPES);
    }
    let value = cursor.need("a value")?;
    let mut draft = new("expression").with("operation", operation).with("attribute", attribute);
    if let Some(kind) = kind {
        draft.set("type", kind);
    }
    draft.set("value", value.text.as_str());
    Ok(draft)
}

fn attribute_name(cursor: &mut Cursor<'_>) -> Parsed<String> {
    let word = cursor.need("the name of an attribute")?;
    let wrong =
        word.text.is_empty() || word.text.contains(['=', '(', ')', ':']) || word.is("and") || word.is("or");
    if wrong {
        let message = format!("`{}` is no name of an attribute", word.text);
        return cursor.fail_at(word.span, message, &["ATTRIBUTE", "defined", "not_defined", "date"]);
    }
    Ok(word.text.clone())
}

fn date(cursor: &mut Cursor<'_>, draft: Draft) -> Parsed<Draft> {
    let word = cursor.need("a comparison of dates")?;
    match word.text.as_str() {
        "lt" => Ok(draft.with("operation", "lt").with("end", cursor.need("a date")?.text.as_str())),
        "gt" => Ok(draft.with("operation", "gt").with("start", cursor.need("a date")?.text.as_str())),
        "in" | "in_range" => range(cursor, draft.with("operation", "in_range")),
        "spec" | "date_spec" => {
            let mut spec = Draft::new("date_spec", Id::Made("date_spec".into()), word.span);
            parts(cursor, &mut spec);
            if spec.attributes.is_empty() {
                return cursor.fail("a part of the date is missing", DATE_PARTS);
            }
            let mut draft = draft.with("operation", "date_spec");
            draft.children.push(spec);
            Ok(draft)
        }
        other => cursor.fail_at(word.span, format!("`{other}` is no comparison of dates"), DATE_OPERATIONS),
    }
}

fn range(cursor: &mut Cursor<'_>, mut draft: Draft) -> Parsed<Draft> {
    let span = cursor.span();
    while let Some((name, value)) = cursor.peek().and_then(|word| word.pair()) {
        if !["start", "end"].contains(&name) || draft.get(name).is_some() {
            break;
        }
        draft.set(name, value);
        cursor.at += 1;
    }
    let mut duration = Draft::new("duration", Id::Made("duration".into()), span);
    parts(cursor, &mut duration);
    let bounds =
        draft.get("start").is_some() && (draft.get("end").is_some() || !duration.attributes.is_empty());
    if !bounds {
        return cursor.fail("a range has two ends", &["start=DATE end=DATE", "start=DATE hours=NUMBER ..."]);
    }
    if !duration.attributes.is_empty() {
        draft.children.push(duration);
    }
    Ok(draft)
}

fn parts(cursor: &mut Cursor<'_>, draft: &mut Draft) {
    while let Some((name, value)) = cursor.peek().and_then(|word| word.pair()) {
        if !DATE_PARTS.contains(&name) || draft.get(name).is_some() {
            return;
        }
        draft.set(name, value);
        cursor.at += 1;
    }
}
