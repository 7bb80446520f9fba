//! Rules: whether a set of values or a location constraint applies here and now.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use hafen_cib::xml::Element;

use crate::date::{self, Fields, Seconds, Span};
use crate::score;

/// Rules nest at most this deep; deeper ones never match.
const DEPTH_LIMIT: usize = 64;

/// What a rule is evaluated against.
#[derive(Clone, Copy, Default)]
pub(crate) struct RuleInput<'i> {
    pub(crate) now: Seconds,
    pub(crate) node_attributes: Option<&'i BTreeMap<String, String>>,
    pub(crate) resource_parameters: Option<&'i BTreeMap<String, String>>,
    pub(crate) resource_meta: Option<&'i BTreeMap<String, String>>,
    /// Class, provider and type.
    pub(crate) agent: Option<(&'i str, &'i str, &'i str)>,
    /// Name and interval in milliseconds.
    pub(crate) operation: Option<(&'i str, u64)>,
}

/// Collects the next moment at which a rule may change.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NextChange(pub(crate) Option<Seconds>);

impl NextChange {
    pub(crate) fn note(&mut self, now: Seconds, moment: Seconds) {
        if moment > now && self.0.is_none_or(|known| moment < known) {
            self.0 = Some(moment);
        }
    }
}

/// Whether a rule holds at a moment, in seconds since 1970, where it is about no node, resource or operation.
#[must_use]
pub fn rule_holds_at(rule: Element<'_>, now: u64) -> bool {
    let input = RuleInput { now: Seconds::try_from(now).unwrap_or(Seconds::MAX), ..RuleInput::default() };
    rule_holds(rule, &input, &mut NextChange::default(), 0)
}

/// Whether all `rule` children of an element hold (none at all holds).
pub(crate) fn holds(parent: Element<'_>, input: &RuleInput<'_>, next: &mut NextChange) -> bool {
    let mut rules = parent.children_named("rule").peekable();
    if rules.peek().is_none() {
        return true;
    }
    rules.any(|rule| rule_holds(rule, input, next, 0))
}

/// Whether one rule holds.
pub(crate) fn rule_holds(
    rule: Element<'_>,
    input: &RuleInput<'_>,
    next: &mut NextChange,
    depth: usize,
) -> bool {
    if depth > DEPTH_LIMIT {
        return false;
    }
    let rule = referenced(rule);
    let any = rule.attribute("boolean-op").is_some_and(|op| op.eq_ignore_ascii_case("or"));
    let (mut passed, mut empty) = (!any, true);
    for condition in rule.children() {
        let holds = match condition.name() {
            "rule" => rule_holds(condition, input, next, depth + 1),
            "expression" => expression_holds(condition, input),
            "date_expression" => date_holds(condition, input, next),
            "rsc_expression" => agent_matches(condition, input),
            "op_expression" => operation_matches(condition, input),
            _ => continue,
        };
        empty = false;
        passed = if any { passed || holds } else { passed && holds };
    }
    empty || passed
}

fn referenced(element: Element<'_>) -> Element<'_> {
    match element.attribute("id-ref") {
        Some(id) => element.document().by_id(id).unwrap_or(element),
        None => element,
    }
}

fn agent_matches(condition: Element<'_>, input: &RuleInput<'_>) -> bool {
    let Some((class, provider, type_)) = input.agent else { return false };
    let same = |name: &str, actual: &str| condition.attribute(name).is_none_or(|wanted| wanted == actual);
    same("class", class) && same("provider", provider) && same("type", type_)
}

fn operation_matches(condition: Element<'_>, input: &RuleInput<'_>) -> bool {
    let Some((name, interval)) = input.operation else { return false };
    condition.attribute("name").is_none_or(|wanted| wanted == name)
        && condition
            .attribute("interval")
            .is_none_or(|wanted| score::parse_milliseconds(wanted) == Some(interval))
}

fn expression_holds(condition: Element<'_>, input: &RuleInput<'_>) -> bool {
    let (Some(attribute), Some(operation)) =
        (condition.attribute("attribute"), condition.attribute("operation"))
    else {
        return false;
    };
    let Some(attributes) = input.node_attributes else { return false };
    let actual = attributes.get(attribute).map(String::as_str);
    let literal = condition.attribute("value");
    let lookup = |table: Option<&BTreeMap<String, String>>| {
        literal.and_then(|name| table.and_then(|values| values.get(name).cloned()))
    };
    let reference = match condition.attribute("value-source") {
        Some("param") => lookup(input.resource_parameters),
        Some("meta") => lookup(input.resource_meta),
        _ => literal.map(str::to_owned),
    };
    match operation {
        "defined" => return actual.is_some(),
        "not_defined" => return actual.is_none(),
        // Nothing is compared with nothing.
        _ if literal.is_none() => return false,
        _ => {}
    }
    let type_ =
        condition.attribute("type").unwrap_or_else(|| default_type(operation, actual, reference.as_deref()));
    let order = compare(actual, reference.as_deref(), type_);
    let both = actual.is_some() && reference.is_some();
    match operation {
        "eq" => order == Some(Ordering::Equal),
        "ne" => order != Some(Ordering::Equal),
        "lt" => both && order == Some(Ordering::Less),
        "lte" => both && matches!(order, Some(Ordering::Less | Ordering::Equal)),
        "gt" => both && order == Some(Ordering::Greater),
        "gte" => both && matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        _ => false,
    }
}

fn default_type(operation: &str, actual: Option<&str>, reference: Option<&str>) -> &'static str {
    if !matches!(operation, "lt" | "lte" | "gt" | "gte") {
        return "string";
    }
    let decimal = |text: Option<&str>| text.is_some_and(|text| text.contains('.'));
    if decimal(actual) || decimal(reference) { "number" } else { "integer" }
}

fn compare(actual: Option<&str>, reference: Option<&str>, type_: &str) -> Option<Ordering> {
    let (left, right) = match (actual, reference) {
        (Some(left), Some(right)) => (left, right),
        (None, None) => return Some(Ordering::Equal),
        (None, Some(_)) => return Some(Ordering::Less),
        (Some(_), None) => return Some(Ordering::Greater),
    };
    let as_text = || left.to_ascii_lowercase().cmp(&right.to_ascii_lowercase());
    match type_ {
        "integer" => match (score::leading_integer(left), score::leading_integer(right)) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            _ => Some(as_text()),
        },
        "number" => match (leading_decimal(left), leading_decimal(right)) {
            (Some(left), Some(right)) => left.partial_cmp(&right),
            _ => Some(as_text()),
        },
        "version" => Some(compare_versions(left, right)),
        _ => Some(as_text()),
    }
}

fn leading_decimal(text: &str) -> Option<f64> {
    let text = text.trim_start();
    let mut end = 0;
    for at in 1..=text.len() {
        if text.is_char_boundary(at) && text[..at].parse::<f64>().is_ok() {
            end = at;
        }
    }
    text[..end].parse().ok()
}

pub(crate) fn compare_versions(left: &str, right: &str) -> Ordering {
    let numbers = |text: &str| -> Vec<i64> {
        text.split('.').map(|part| score::leading_integer(part).unwrap_or(0)).collect()
    };
    let (mut left, mut right) = (numbers(left), numbers(right));
    let length = left.len().max(right.len());
    left.resize(length, 0);
    right.resize(length, 0);
    left.cmp(&right)
}

fn date_holds(condition: Element<'_>, input: &RuleInput<'_>, next: &mut NextChange) -> bool {
    let now = input.now;
    let start = condition.attribute("start").and_then(|text| date::parse(text, now));
    let end = condition.attribute("end").and_then(|text| date::parse(text, now));
    match condition.attribute("operation").unwrap_or("in_range") {
        "gt" => {
            let Some(start) = start else { return false };
            next.note(now, start + 1);
            now > start
        }
        "lt" => {
            let Some(end) = end else { return false };
            next.note(now, end);
            now < end
        }
        "date_spec" => condition.child("date_spec").is_some_and(|spec| spec_matches(spec, now)),
        "in_range" => {
            let end = end.or_else(|| Some(duration(condition.child("duration")?).after(start?)));
            if start.is_none() && end.is_none() {
                return false;
            }
            if let Some(start) = start
                && now < start
            {
                next.note(now, start);
                return false;
            }
            if let Some(end) = end {
                next.note(now, end + 1);
                return now <= end;
            }
            true
        }
        _ => false,
    }
}

pub(crate) fn duration(element: Element<'_>) -> Span {
    let read = |name: &str| {
        element
            .attribute(name)
            .and_then(score::leading_integer)
            .unwrap_or(0)
            .clamp(-1_000_000_000, 1_000_000_000)
    };
    Span {
        years: read("years").clamp(-9999, 9999),
        months: read("months").clamp(-99_999, 99_999),
        seconds: read("weeks") * 604_800
            + read("days") * 86_400
            + read("hours") * 3600
            + read("minutes") * 60
            + read("seconds"),
    }
}

pub(crate) fn spec_matches(spec: Element<'_>, now: Seconds) -> bool {
    let fields = Fields::of(now);
    let table = [
        ("years", fields.year),
        ("months", fields.month),
        ("monthdays", fields.monthday),
        ("hours", fields.hour),
        ("minutes", fields.minute),
        ("seconds", fields.second),
        ("yeardays", fields.yearday),
        ("weekyears", fields.weekyear),
        ("weeks", fields.week),
        ("weekdays", fields.weekday),
    ];
    table.iter().all(|(name, value)| spec.attribute(name).is_none_or(|range| in_range(range, *value)))
}

fn in_range(range: &str, value: i64) -> bool {
    let Some((low, high)) = range.split_once('-') else {
        return score::leading_integer(range) == Some(value);
    };
    // An end that is left out is open; one that is no number makes the range void.
    let holds = |end: &str, test: &dyn Fn(i64) -> bool| end.is_empty() || end.trim().parse().is_ok_and(test);
    holds(low, &|low| value >= low) && holds(high, &|high| value <= high)
}
