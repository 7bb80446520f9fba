//! Constraints, tags and the order of fencing.

use super::rules::{rule, score, score_word};
use super::sets::{Suffix, boolean, sets};
use super::{Body, Cursor, Parsed, is_id};
use crate::draft::{Draft, Id};
use crate::grammar::{ACTIONS, DISCOVERY, KINDS, LOSS_POLICIES, ROLES};
use crate::statement::Kind;

const ROLE: Suffix = Suffix { attribute: "role", allowed: ROLES };
const ACTION: Suffix = Suffix { attribute: "action", allowed: ACTIONS };

pub(crate) fn location(cursor: &mut Cursor<'_>) -> Parsed<Body> {
    let name = cursor.name("id")?;
    let mut draft = Draft::new("rsc_location", Id::Given(name.0.clone()), name.1);
    located(cursor, &mut draft)?;
    loop {
        let span = cursor.span();
        if let Some(role) = cursor.take_pair("role").or_else(|| cursor.take_pair("$role")) {
            if !ROLES.contains(&role) {
                return cursor.fail_at(span, format!("`{role}` is no role"), ROLES);
            }
            draft.set("role", role);
        } else if let Some(when) = cursor.take_pair("resource-discovery") {
            if !DISCOVERY.contains(&when) {
                return cursor.fail_at(span, format!("`{when}` is no way of resource-discovery"), DISCOVERY);
            }
            draft.set("resource-discovery", when);
        } else {
            break;
        }
    }
    if cursor.at_any(&["rule"]) {
        while cursor.take("rule") {
            let rule = rule(cursor)?;
            draft.children.push(rule);
        }
        return Ok((Some(name), draft));
    }
    let Some(score) = cursor.peek().and_then(|word| score_word(&word.text)) else {
        return cursor.fail("a preference or a rule is missing", &["SCORE: NODE", "rule"]);
    };
    cursor.at += 1;
    draft.set("score", score);
    let node = cursor.need("the name of a node")?;
    draft.set("node", node.text.as_str());
    Ok((Some(name), draft))
}

/// The resource, the pattern or the set that a location is about.
fn located(cursor: &mut Cursor<'_>, draft: &mut Draft) -> Parsed<()> {
    let word = cursor.need("a resource")?;
    if let Some(pattern) = word.text.strip_prefix('/') {
        let Some(pattern) = pattern.strip_suffix('/').filter(|pattern| !pattern.is_empty()) else {
            return cursor.fail_at(word.span, "the pattern has no `/` at its end", &["/PATTERN/"]);
        };
        draft.set("rsc-pattern", pattern);
        return Ok(());
    }
    if word.is("{") {
        let found = sets(cursor, ROLE, "}")?;
        if !cursor.take("}") {
            return cursor.fail("`{` is not closed", &["}"]);
        }
        if found.sets.is_empty() {
            return cursor.fail_at(word.span, "the set is empty", &["RESOURCE"]);
        }
        draft.children.extend(found.sets);
        return Ok(());
    }
    if !is_id(&word.text) {
        let message = format!("`{}` is no resource", word.text);
        return cursor.fail_at(word.span, message, &["RESOURCE", "/PATTERN/", "{ RESOURCE ... }"]);
    }
    cursor.refer(&word.text, Kind::Resource, word.span);
    draft.set("rsc", word.text.as_str());
    Ok(())
}

pub(crate) fn colocation(cursor: &mut Cursor<'_>) -> Parsed<Body> {
    let name = cursor.name("id")?;
    let mut draft = Draft::new("rsc_colocation", Id::Given(name.0.clone()), name.1);
    let Some(score) = cursor.peek().and_then(|word| score_word(&word.text)) else {
        return cursor.fail("a score is missing", &["SCORE:", "inf:", "-inf:"]);
    };
    cursor.at += 1;
    draft.set("score", score);
    let found = sets(cursor, ROLE, "")?;
    if let Some(attribute) = cursor.take_pair("node-attribute") {
        draft.set("node-attribute", attribute);
    }
    two_or_sets(cursor, draft, found, ["rsc", "rsc-role", "with-rsc", "with-rsc-role"])
        .map(|draft| (Some(name), draft))
}

/// Two resources are attributes of the constraint; more are sets.
fn two_or_sets(
    cursor: &mut Cursor<'_>,
    mut draft: Draft,
    found: super::sets::Sets,
    names: [&str; 4],
) -> Parsed<Draft> {
    match found.plain.as_deref() {
        Some([]) => return cursor.fail("the resources are missing", &["RESOURCE"]),
        Some([_]) => return cursor.fail("the second resource is missing", &["RESOURCE"]),
        Some([one, other]) => {
            let [first, first_suffix, second, second_suffix] = names;
            for (member, name, suffix) in [(one, first, first_suffix), (other, second, second_suffix)] {
                draft.set(name, member.id.as_str());
                if let Some(value) = &member.suffix {
                    draft.set(suffix, value.as_str());
                }
            }
        }
        _ => draft.children.extend(found.sets),
    }
    Ok(draft)
}

pub(crate) fn order(cursor: &mut Cursor<'_>) -> Parsed<Body> {
    let name = cursor.name("id")?;
    let mut draft = Draft::new("rsc_order", Id::Given(name.0.clone()), name.1);
    if let Some(word) = cursor.peek()
        && let Some(text) = word.text.strip_suffix(':')
    {
        let kind = match score(text).as_deref() {
            Some("0") => Some("Optional"),
            Some(_) => Some("Mandatory"),
            None if text.eq_ignore_ascii_case("advisory") => Some("Optional"),
            None => KINDS.iter().copied().find(|kind| kind.eq_ignore_ascii_case(text)),
        };
        let Some(kind) = kind else {
            return cursor
                .fail(format!("`{text}` is no kind of order"), &["Mandatory:", "Optional:", "Serialize:"]);
        };
        draft.set("kind", kind);
        cursor.at += 1;
    }
    let found = sets(cursor, ACTION, "")?;
    let span = cursor.span();
    if let Some(value) = cursor.take_pair("symmetrical") {
        if boolean(value).is_none() {
            return cursor.fail_at(span, format!("`{value}` is neither true nor false"), &["true", "false"]);
        }
        draft.set("symmetrical", value);
    }
    two_or_sets(cursor, draft, found, ["first", "first-action", "then", "then-action"])
        .map(|draft| (Some(name), draft))
}

pub(crate) fn ticket(cursor: &mut Cursor<'_>) -> Parsed<Body> {
    let name = cursor.name("id")?;
    let mut draft = Draft::new("rsc_ticket", Id::Given(name.0.clone()), name.1);
    let word = cursor.need("a ticket")?;
    let Some(ticket) = word.text.strip_suffix(':').filter(|ticket| !ticket.is_empty()) else {
        return cursor.fail_at(word.span, format!("`{}` is no ticket", word.text), &["TICKET:"]);
    };
    draft.set("ticket", ticket);
    let found = sets(cursor, ROLE, "")?;
    let span = cursor.span();
    if let Some(policy) = cursor.take_pair("loss-policy") {
        if !LOSS_POLICIES.contains(&policy) {
            return cursor.fail_at(span, format!("`{policy}` is no loss-policy"), LOSS_POLICIES);
        }
        draft.set("loss-policy", policy);
    }
    match found.plain.as_deref() {
        Some([]) => return cursor.fail("the resources are missing", &["RESOURCE"]),
        Some([one]) => {
            draft.set("rsc", one.id.as_str());
            if let Some(role) = &one.suffix {
                draft.set("rsc-role", role.as_str());
            }
        }
        _ => draft.children.extend(found.sets),
    }
    Ok((Some(name), draft))
}

pub(crate) fn tag(cursor: &mut Cursor<'_>) -> Parsed<Body> {
    let word = cursor.need("id")?;
    let id = word.text.strip_suffix(':').unwrap_or(&word.text);
    if !is_id(id) {
        return cursor.fail_at(word.span, format!("`{id}` is no id"), &[]);
    }
    cursor.take(":");
    let mut draft = Draft::new("tag", Id::Given(id.to_string()), word.span);
    while cursor.peek().is_some_and(|word| word.equals.is_none()) {
        let (member, span) = cursor.name("id of an object")?;
        draft.children.push(Draft::new("obj_ref", Id::Given(member), span));
    }
    if draft.children.is_empty() {
        return cursor.fail("the tagged objects are missing", &["OBJECT"]);
    }
    Ok((Some((id.to_string(), word.span)), draft))
}

/// Levels of fencing. Those without a target are for every node; which these are is known when they are applied.
pub(crate) fn fencing(cursor: &mut Cursor<'_>) -> Parsed<Body> {
    let mut topology = Draft::new("fencing-topology", Id::None, cursor.span());
    let mut target: Vec<(&str, String)> = Vec::new();
    let mut counts: std::collections::BTreeMap<Vec<(&str, String)>, usize> =
        std::collections::BTreeMap::new();
    while let Some(word) = cursor.next() {
        if let Some(node) = word.text.strip_suffix(':') {
            target = vec![("target", node.to_string())];
        } else if let Some(pair) = word.text.strip_prefix("attr:") {
            let Some((name, value)) = pair.split_once('=') else {
                return cursor.fail_at(word.span, "an attribute of nodes has a value", &["attr:NAME=VALUE"]);
            };
            target = vec![("target-attribute", name.to_string()), ("target-value", value.to_string())];
        } else if let Some(pattern) = word.text.strip_prefix("pattern:") {
            target = vec![("target-pattern", pattern.to_string())];
        } else {
            for device in word.text.split(',') {
                if !is_id(device) {
                    return cursor.fail_at(
                        word.span,
                        format!("`{device}` is no fencing device"),
                        &["DEVICE[,DEVICE...]"],
                    );
                }
                cursor.refer(device, Kind::Resource, word.span);
            }
            let count = counts.entry(target.clone()).or_insert(0);
            *count += 1;
            let mut level = Draft::new("fencing-level", Id::Made("fencing".into()), word.span);
            if let Some((name @ "target", value)) = target.first() {
                level.set(name, value.as_str());
            }
            level.set("index", count.to_string());
            level.set("devices", word.text.as_str());
            for (name, value) in target.iter().filter(|(name, _)| *name != "target") {
                level.set(name, value.as_str());
            }
            topology.children.push(level);
            continue;
        }
        if target.iter().any(|(_, text)| text.is_empty()) || counts.contains_key(&target) {
            return cursor.fail_at(word.span, format!("`{}` is named twice, or empty", word.text), &[]);
        }
    }
    if topology.children.is_empty() {
        return cursor.fail("the devices are missing", &["DEVICE[,DEVICE...]"]);
    }
    Ok((None, topology))
}
