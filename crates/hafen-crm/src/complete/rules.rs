//! Rules: where in an expression the cursor is.

use super::Place;
use super::objects::nodes;
use crate::grammar::{COMPARISONS, DATE_OPERATIONS, DATE_PARTS, ROLES};
use crate::parse::score_word;

/// Attributes that every host has.
const BUILT_IN: &[(&str, &str)] = &[
    ("#uname", "the name of the host"),
    ("#id", "the id of the host"),
    ("#kind", "cluster, remote or container"),
    ("#is_dc", "whether the host coordinates"),
    ("#cluster-name", "the property cluster-name"),
    ("#site-name", "the host's attribute site-name, or the cluster's name"),
    ("#role", "the role of the resource"),
];

/// What stands at the cursor, `start` words after which `rule` stands. `false` if the rule may be over there.
pub(super) fn rule(place: &mut Place<'_>, start: usize) -> bool {
    let words: Vec<&str> = place.words.iter().skip(start + 1).map(|word| word.text.as_str()).collect();
    let head = words.iter().take_while(|word| word.starts_with('$') || score_word(word).is_some()).count();
    let mut rest = words.get(head..).unwrap_or(&[]);
    let mut joint = None;
    loop {
        let (used, finished) = expression(rest);
        match rest.get(used) {
            Some(word) if finished && ["and", "or"].contains(word) => {
                joint = Some(*word);
                rest = rest.get(used + 1..).unwrap_or(&[]);
            }
            Some(_) => return false,
            None if finished => {
                let joints: &[&str] = joint.as_ref().map_or(&["and", "or"][..], std::slice::from_ref);
                place.keywords(joints, "another expression");
                date_parts(place, rest);
                return false;
            }
            None => break,
        }
    }
    if rest.is_empty() && joint.is_none() {
        if head == 0 {
            let roles =
                ROLES.iter().take(4).map(|role| (format!("$role={role}"), "of which role".to_string()));
            place.offer(roles.collect::<Vec<_>>());
        }
        if !words.iter().any(|word| score_word(word).is_some()) {
            place.keywords(&["inf:", "-inf:", "100:"], "the score where the rule holds");
        }
    }
    within(place, rest);
    true
}

/// How many words the first expression takes, and whether it can end there.
fn expression(words: &[&str]) -> (usize, bool) {
    let needed = match words.first() {
        Some(&"defined" | &"not_defined") => 2,
        Some(&"date") => match words.get(1) {
            Some(&"lt" | &"gt") => 3,
            Some(_) => {
                let parts = words.iter().skip(2).take_while(|word| word.contains('=')).count();
                let starts = words.iter().any(|word| word.starts_with("start="));
                let enough = if words.get(1).is_some_and(|word| word.contains("spec")) {
                    parts > 0
                } else {
                    parts > 1 && starts
                };
                return (2 + parts, enough);
            }
            None => 3,
        },
        _ => 3,
    };
    (needed.min(words.len()), words.len() >= needed)
}

fn within(place: &mut Place<'_>, words: &[&str]) {
    match words {
        [] => {
            place.keywords(&["defined", "not_defined"], "whether a host has an attribute");
            place.keywords(&["date"], "what time it is");
            place.offer(BUILT_IN.iter().map(|(name, about)| (name.to_string(), about.to_string())));
        }
        ["date"] => place.keywords(DATE_OPERATIONS, "a comparison of dates"),
        ["date", ..] => date_parts(place, words),
        ["defined" | "not_defined"] => {}
        [_] => {
            place.keywords(COMPARISONS, "a comparison");
            place.keywords(
                &["number:lt", "number:gt", "version:lt", "version:gt"],
                "a comparison of this type",
            );
        }
        ["#uname", _] => nodes(place, "", |_| true),
        ["#kind", _] => place.keywords(&["cluster", "remote", "container"], "what a host is"),
        ["#is_dc", _] => place.keywords(&["true", "false"], "whether it coordinates"),
        _ => {}
    }
}

fn date_parts(place: &mut Place<'_>, words: &[&str]) {
    let [first, kind, ..] = words else { return };
    if *first != "date" || ["lt", "gt"].contains(kind) {
        return;
    }
    let given = |name: &str| words.iter().any(|word| word.split('=').next() == Some(name));
    if kind.starts_with("in") {
        let ends: Vec<&str> =
            ["start=", "end="].into_iter().filter(|end| !given(end.trim_end_matches('='))).collect();
        place.keywords(&ends, "an end of the range");
    }
    let parts = DATE_PARTS
        .iter()
        .filter(|part| !given(part))
        .map(|part| (format!("{part}="), "a part of the date".to_string()));
    place.offer(parts.collect::<Vec<_>>());
}
