//! Access control.

use super::resources::describe;
use super::{Body, Cursor, Parsed};
use crate::draft::{Draft, Id};
use crate::grammar::{RIGHT_TARGETS, RIGHTS};
use crate::shortcuts;
use crate::statement::Kind;

/// `role ID ...` and `user ID ...`.
pub(crate) fn rights(cursor: &mut Cursor<'_>, word: &str) -> Parsed<Body> {
    let name = cursor.name("id")?;
    let tag = if word == "role" { "acl_role" } else { "acl_user" };
    let mut draft = Draft::new(tag, Id::Given(name.0.clone()), name.1);
    describe(cursor, &mut draft);
    while let Some(word) = cursor.next() {
        if let Some(role) = word.text.strip_prefix("role:").filter(|_| tag == "acl_user") {
            cursor.refer(role, Kind::Role, word.span);
            draft.children.push(Draft::new("role_ref", Id::Given(role.to_string()), word.span));
            continue;
        }
        if !RIGHTS.contains(&word.text.as_str()) {
            return cursor.fail_at(word.span, format!("`{}` is no right", word.text), RIGHTS);
        }
        let right = if tag == "acl_user" {
            let new = Draft::new(&word.text, Id::Made(word.text.clone()), word.span);
            permission(cursor, new, ["ref", "tag"])?
        } else {
            let new = Draft::new("acl_permission", Id::Made(String::new()), word.span);
            permission(cursor, new.with("kind", word.text.as_str()), ["reference", "object-type"])?
        };
        // One right is to one thing: a reference and a type are two.
        let mut right = right;
        if right.get("object-type").is_some()
            && let Some(at) = right.attributes.iter().position(|(name, _)| name == "reference")
        {
            let reference = right.attributes.remove(at).1;
            let new = Draft::new(&right.name, Id::Made(String::new()), right.span);
            draft.children.push(new.with("kind", word.text.as_str()).with("reference", reference));
        }
        draft.children.push(right);
    }
    if draft.children.is_empty() {
        return cursor.fail("the rights are missing", RIGHTS);
    }
    Ok((Some(name), draft))
}

/// What a right is to: `[reference, type]` are the names of the attributes.
fn permission(cursor: &mut Cursor<'_>, mut draft: Draft, names: [&str; 2]) -> Parsed<Draft> {
    let [reference, kind] = names;
    let start = cursor.span();
    let mut attribute = None;
    while let Some(word) = cursor.peek().filter(|word| !RIGHTS.contains(&word.text.as_str())) {
        let (head, rest) = word.text.split_once(':').unwrap_or((&word.text, ""));
        match head {
            "xpath" if !rest.is_empty() => draft.set("xpath", rest),
            "ref" if !rest.is_empty() => draft.set(reference, rest),
            "tag" | "type" if !rest.is_empty() => draft.set(kind, rest),
            "attr" | "attribute" if !rest.is_empty() => attribute = Some(rest),
            _ => match shortcuts::xpath(&word.text) {
                Some(xpath) => draft.set("xpath", xpath),
                None => {
                    let message = format!("`{}` names nothing that a right can be to", word.text);
                    return cursor.fail(message, RIGHT_TARGETS);
                }
            },
        }
        cursor.at += 1;
    }
    if !["xpath", reference, kind].iter().any(|name| draft.get(name).is_some()) {
        return cursor.fail_at(start, "what the right is to is missing", RIGHT_TARGETS);
    }
    if let Some(attribute) = attribute {
        if draft.get(kind).is_none() {
            return cursor.fail_at(start, "an attribute is named only together with `type:`", &["type:"]);
        }
        draft.set("attribute", attribute);
    }
    Ok(draft)
}

/// `acl_target ID ROLE ...` and `acl_group ID ROLE ...`.
pub(crate) fn target(cursor: &mut Cursor<'_>, word: &str) -> Parsed<Body> {
    let first = cursor.need("a name")?;
    let mut draft = Draft::new(word, Id::Given(first.text.clone()), first.span);
    while let Some(role) = cursor.next() {
        cursor.refer(&role.text, Kind::Role, role.span);
        draft.children.push(Draft::new("role", Id::Given(role.text.clone()), role.span));
    }
    Ok((Some((first.text.clone(), first.span)), draft))
}
