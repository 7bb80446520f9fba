//! Nodes, primitives, templates, groups and clones.

use std::collections::BTreeSet;

use super::lists::{list, pairs};
use super::{Body, Cursor, Parsed, is_id};
use crate::draft::{Draft, Id};
use crate::grammar::{CLASSES, NODE_TYPES, OPERATION_ATTRIBUTES, ROLES, find};
use crate::statement::Kind;

pub(crate) fn node(cursor: &mut Cursor<'_>) -> Parsed<Body> {
    let mut id = cursor.take_pair("$id").map(str::to_string);
    let mut word = cursor.need("the name of a node")?;
    if id.is_none()
        && let Some(number) = word.text.strip_suffix(':')
    {
        id = Some(number.to_string());
        word = cursor.need("the name of a node")?;
    }
    let (uname, kind) = match word.text.rsplit_once(':') {
        Some((uname, kind)) if NODE_TYPES.contains(&kind) => (uname, Some(kind)),
        Some((_, kind)) => {
            return cursor.fail_at(word.span, format!("`{kind}` is no type of a node"), NODE_TYPES);
        }
        None => (word.text.as_str(), None),
    };
    if uname.is_empty() || uname.contains('=') {
        return cursor.fail_at(word.span, format!("`{uname}` is no name of a node"), &[]);
    }
    // Without an id the statement is about the node of that name; a new one gets its name as its id.
    let id = id.map_or(Id::None, Id::Given);
    let mut draft = Draft::new("node", id, word.span).with("uname", uname);
    if let Some(kind) = kind {
        draft.set("type", kind);
    }
    describe(cursor, &mut draft);
    while let Some(section) = cursor.peek().filter(|word| word.is("attributes") || word.is("utilization")) {
        cursor.at += 1;
        draft.children.push(list(cursor, &section.text, &["attributes", "utilization"])?);
    }
    Ok((Some((uname.to_string(), word.span)), draft))
}

/// `description=TEXT`, if it comes next.
pub(crate) fn describe(cursor: &mut Cursor<'_>, draft: &mut Draft) {
    if let Some(text) = cursor.take_pair("description") {
        draft.set("description", text);
    }
}

pub(crate) fn primitive(cursor: &mut Cursor<'_>, word: &str) -> Parsed<Body> {
    let name = cursor.name("id")?;
    let tag = if word == "primitive" { "primitive" } else { "template" };
    let mut draft = Draft::new(tag, Id::Given(name.0.clone()), name.1);
    let agent = cursor.need("an agent (CLASS:PROVIDER:TYPE)")?;
    if let Some(template) = agent.text.strip_prefix('@') {
        if tag == "template" {
            return cursor.fail_at(agent.span, "a template cannot be made of a template", &[]);
        }
        cursor.refer(template, Kind::Template, agent.span);
        draft.set("template", template);
    } else {
        let parts: Vec<&str> = agent.text.split(':').collect();
        let (class, provider, kind) = match parts.as_slice() {
            [kind] => ("ocf", "heartbeat", *kind),
            ["ocf", kind] => ("ocf", "heartbeat", *kind),
            [class, kind] => (*class, "", *kind),
            [class, provider, kind] if *class == "ocf" => (*class, *provider, *kind),
            [class, ..] => (*class, "", agent.text.get(class.len() + 1..).unwrap_or("")),
            [] => ("", "", ""),
        };
        if agent.equals.is_some() || kind.is_empty() || (class == "ocf" && provider.is_empty()) {
            let message = format!("`{}` is no agent", agent.text);
            return cursor.fail_at(agent.span, message, &["[CLASS:[PROVIDER:]]TYPE", "@TEMPLATE"]);
        }
        if !CLASSES.contains(&class) {
            return cursor.fail_at(agent.span, format!("there is no class `{class}`"), CLASSES);
        }
        draft.set("class", class);
        if !provider.is_empty() {
            draft.set("provider", provider);
        }
        draft.set("type", kind);
    }
    sections(cursor, &mut draft)?;
    Ok((Some(name), draft))
}

fn sections(cursor: &mut Cursor<'_>, draft: &mut Draft) -> Parsed<()> {
    let stop = find("primitive").map_or(&[][..], |word| word.sections);
    describe(cursor, draft);
    if cursor.peek().is_some() && !cursor.at_any(stop) {
        let bare = list(cursor, "params", stop)?;
        draft.children.push(bare);
    }
    let mut operations: Option<usize> = None;
    while let Some(word) = cursor.peek() {
        match word.text.as_str() {
            "params" | "meta" | "utilization" if !word.quoted => {
                cursor.at += 1;
                draft.children.push(list(cursor, &word.text, stop)?);
            }
            "operations" if !word.quoted && operations.is_none() => {
                cursor.at += 1;
                operations = Some(draft.children.len());
                let set = operations_head(cursor)?;
                draft.children.push(set);
            }
            "op" if !word.quoted => {
                cursor.at += 1;
                let at = operations.unwrap_or_else(|| {
                    draft.children.push(Draft::new("operations", Id::None, word.span));
                    draft.children.len() - 1
                });
                operations = Some(at);
                let operation = operation(cursor, stop)?;
                if let Some(set) = draft.children.get_mut(at) {
                    set.children.push(operation);
                }
            }
            "operations" => return cursor.fail("`operations` comes only once, and before `op`", &["op"]),
            "op_params" | "op_meta" => {
                return cursor.fail(format!("`{}` comes after an `op`", word.text), &["op"]);
            }
            _ => return cursor.fail(format!("`{}` does not belong here", word.text), stop),
        }
    }
    Ok(())
}

fn operations_head(cursor: &mut Cursor<'_>) -> Parsed<Draft> {
    let span = cursor.span();
    let set = Draft::new("operations", Id::None, span);
    if let Some(id) = cursor.take_pair("$id") {
        return Ok(Draft { id: Id::Given(id.to_string()), ..set });
    }
    match cursor.take_pair("$id-ref") {
        Some(id) => {
            cursor.refer(id, Kind::List, span);
            Ok(set.with("id-ref", id))
        }
        None => cursor.fail("`operations` has a name or refers to one", &["$id=ID", "$id-ref=ID"]),
    }
}

fn operation(cursor: &mut Cursor<'_>, stop: &[&str]) -> Parsed<Draft> {
    let word = cursor.need("an action")?;
    if word.equals.is_some() || !is_id(&word.text) {
        return cursor.fail_at(
            word.span,
            format!("`{}` is no action", word.text),
            crate::grammar::OPERATIONS,
        );
    }
    let mut operation = Draft::new("op", Id::None, word.span).with("name", word.text.as_str());
    let mut given = None;
    while let Some((name, value)) = cursor.peek().and_then(|word| word.pair()) {
        match name {
            "$id" => given = Some(value.to_string()),
            _ if OPERATION_ATTRIBUTES.contains(&name) => operation.set(name, value),
            _ => break,
        }
        cursor.at += 1;
    }
    if cursor.peek().is_some() && !cursor.at_any(stop) {
        let at = cursor.at;
        let bare = list(cursor, "op_params", stop)?;
        let late = cursor
            .words
            .get(at..cursor.at)
            .unwrap_or(&[])
            .iter()
            .find(|word| word.pair().is_some_and(|(name, _)| OPERATION_ATTRIBUTES.contains(&name)));
        if let Some(late) = late {
            let message = format!("`{}` must come before the operation's parameters", late.text);
            return cursor.fail_at(late.span, message, &[]);
        }
        operation.children.push(bare);
    }
    while let Some(section) = cursor.peek().filter(|word| word.is("op_params") || word.is("op_meta")) {
        cursor.at += 1;
        operation.children.push(list(cursor, &section.text, stop)?);
    }
    if operation.get("interval").is_none() {
        operation.set("interval", "0s");
    }
    let words = format!("{}-{}", word.text, operation.get("interval").unwrap_or("0s"));
    operation.id = given.map_or(Id::Made(words), Id::Given);
    Ok(operation)
}

pub(crate) fn parent(cursor: &mut Cursor<'_>, word: &str) -> Parsed<Body> {
    let name = cursor.name("id")?;
    let stop = ["params", "meta"];
    let tag = if word == "ms" { "master" } else { word };
    let mut draft = Draft::new(tag, Id::Given(name.0.clone()), name.1);
    let mut members: Vec<Draft> = Vec::new();
    let mut listed: BTreeSet<&str> = BTreeSet::new();
    while let Some(word) = cursor.peek().filter(|word| word.equals.is_none()) {
        if cursor.at_any(&stop) || (tag != "group" && !members.is_empty()) {
            break;
        }
        let member = cursor.name("id of a resource")?;
        if member.0 == name.0 || !listed.insert(&word.text) {
            return cursor.fail_at(word.span, format!("`{}` is listed twice", member.0), &[]);
        }
        cursor.refer(&member.0, Kind::Resource, member.1);
        members.push(Draft::member(&member.0, member.1));
    }
    if members.is_empty() {
        return cursor.fail("the id of a resource is missing", &["RESOURCE"]);
    }
    describe(cursor, &mut draft);
    if cursor.peek().is_some_and(|word| word.equals.is_some()) {
        let mut bare =
            Draft::new("instance_attributes", Id::Made("instance_attributes".into()), cursor.span());
        pairs(cursor, &mut bare, &stop)?;
        draft.children.push(bare);
    }
    while let Some(section) = cursor.peek().filter(|word| word.is("params") || word.is("meta")) {
        cursor.at += 1;
        draft.children.push(list(cursor, &section.text, &stop)?);
    }
    draft.children.append(&mut members);
    Ok((Some(name), draft))
}

/// `monitor RESOURCE[:ROLE] INTERVAL[:TIMEOUT]`.
pub(crate) fn monitor(cursor: &mut Cursor<'_>) -> Parsed<Body> {
    let word = cursor.need("a resource")?;
    let (id, role) =
        word.text.split_once(':').map_or((word.text.as_str(), None), |(id, role)| (id, Some(role)));
    if let Some(role) = role.filter(|role| !ROLES.contains(role)) {
        return cursor.fail_at(word.span, format!("`{role}` is no role"), ROLES);
    }
    cursor.refer(id, Kind::Resource, word.span);
    let times = cursor.need("an interval")?;
    let (interval, timeout) = times
        .text
        .split_once(':')
        .map_or((times.text.as_str(), None), |(interval, timeout)| (interval, Some(timeout)));
    if times.equals.is_some() || !interval.starts_with(|char: char| char.is_ascii_digit()) {
        return cursor.fail_at(times.span, format!("`{interval}` is no interval"), &["INTERVAL[:TIMEOUT]"]);
    }
    let mut draft =
        Draft::new("op", Id::Made(format!("monitor-{interval}")), word.span).with("name", "monitor");
    if let Some(role) = role {
        draft.set("role", role);
    }
    draft.set("interval", interval);
    if let Some(timeout) = timeout {
        draft.set("timeout", timeout);
    }
    Ok((Some((id.to_string(), word.span)), draft))
}
