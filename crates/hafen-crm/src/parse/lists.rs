//! Lists of attributes: `[$id=ID] [SCORE:] [rule ...] NAME=VALUE ...`, or `$id-ref=ID`.

use super::rules::{rule, score_word};
use super::{Body, Cursor, Parsed, is_id};
use crate::draft::{Draft, Id};
use crate::statement::Kind;
use crate::text::{Span, Word};

/// The tag of the list that a word begins.
pub(crate) fn tag(section: &str) -> &'static str {
    match section {
        "meta" | "op_meta" => "meta_attributes",
        "utilization" => "utilization",
        _ => "instance_attributes",
    }
}

/// A list, up to a word that begins another section.
pub(crate) fn list(cursor: &mut Cursor<'_>, section: &str, stop: &[&str]) -> Parsed<Draft> {
    let name = tag(section);
    let span = cursor.span();
    let mut list = Draft::new(name, Id::Made(name.into()), span);
    if let Some(word) = cursor.peek()
        && let Some(id) = cursor.take_pair("$id-ref")
    {
        cursor.refer(id, Kind::List, word.span);
        list.id = Id::None;
        return Ok(list.with("id-ref", id));
    }
    if let Some(id) = cursor.take_pair("$id") {
        list.id = Id::Given(id.to_string());
    }
    if let Some(score) = cursor.peek().and_then(|word| score_word(&word.text)) {
        list.set("score", score);
        cursor.at += 1;
    }
    while cursor.take("rule") {
        let rule = rule(cursor)?;
        list.children.push(rule);
    }
    pairs(cursor, &mut list, stop)?;
    if list.children.iter().all(|child| child.name == "rule") && !list.children.is_empty() {
        return cursor.fail("values are missing after the rule", &["NAME=VALUE"]);
    }
    Ok(list)
}

/// Values, up to the end or a keyword.
pub(crate) fn pairs(cursor: &mut Cursor<'_>, list: &mut Draft, stop: &[&str]) -> Parsed<()> {
    while let Some(word) = cursor.peek() {
        if word.equals.is_none() && (stop.contains(&word.text.as_str()) && !word.quoted || word.is("rule")) {
            break;
        }
        match pair(word) {
            Some(pair) => {
                cursor.at += 1;
                if let Some((_, id)) = pair.attributes.iter().find(|(name, _)| name == "id-ref") {
                    cursor.refer(id, Kind::List, word.span);
                }
                list.children.push(pair);
            }
            None => {
                let message = format!("`{}` is no NAME=VALUE", word.text);
                let expected: Vec<&str> = std::iter::once("NAME=VALUE").chain(stop.iter().copied()).collect();
                return cursor.fail(message, &expected);
            }
        }
    }
    Ok(())
}

/// `name=value`, `$id:name=value`, `$name=value`, `@id` or `@id:name`.
fn pair(word: &Word) -> Option<Draft> {
    if let Some(reference) = word.text.strip_prefix('@').filter(|_| word.equals.is_none()) {
        let (id, name) = reference.split_once(':').map_or((reference, None), |(id, name)| (id, Some(name)));
        let mut draft = Draft::new("nvpair", Id::None, word.span).with("id-ref", id);
        if let Some(name) = name {
            draft.set("name", name);
        }
        return is_id(id).then_some(draft);
    }
    let (name, value) = word.pair()?;
    let (id, name) = match name.strip_prefix('$') {
        Some(named) => {
            let (id, name) = named.split_once(':').unwrap_or((named, named));
            (Id::Given(id.to_string()), name)
        }
        None => (Id::Made(name.to_string()), name),
    };
    let fine = !name.is_empty() && !name.contains(|char: char| char.is_whitespace() || char.is_control());
    fine.then(|| Draft::new("nvpair", id, word.span).with("name", name).with("value", value))
}

/// `property`, `rsc_defaults` and `op_defaults`.
pub(crate) fn options(cursor: &mut Cursor<'_>, word: &str) -> Parsed<Body> {
    let tag = if word == "property" { "cluster_property_set" } else { "meta_attributes" };
    let mut name = None;
    let mut set = Draft::new(tag, Id::None, Span::default());
    let span = cursor.span();
    if let Some(id) = cursor.take_pair("$id") {
        name = Some((id.to_string(), span));
    } else if let Some(id) =
        cursor.peek().filter(|word| word.equals.is_none()).and_then(|word| word.text.strip_suffix(':'))
    {
        name = Some((id.to_string(), span));
        cursor.at += 1;
    }
    if let Some((id, span)) = &name {
        if !is_id(id) {
            return cursor.fail_at(*span, format!("`{id}` is no id"), &[]);
        }
        set.id = Id::Given(id.clone());
    }
    if let Some(score) = cursor.take_pair("$score") {
        set.set("score", score);
    }
    while cursor.take("rule") {
        let rule = rule(cursor)?;
        set.children.push(rule);
    }
    pairs(cursor, &mut set, &[])?;
    // A named set may be empty.
    if (name.is_none() || !set.children.is_empty()) && set.children.iter().all(|child| child.name == "rule") {
        return cursor.fail("no value is set", &["NAME=VALUE"]);
    }
    Ok((name, set))
}
