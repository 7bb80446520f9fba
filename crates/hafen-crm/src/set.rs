//! Setting a value that is configured, by its path.

use std::fmt;

use hafen_cib::values::parse_duration_ms;
use hafen_cib::{Cib, Element, NodeId};

use crate::apply::section_of;
use crate::grammar::OPERATION_ATTRIBUTES;

/// Sets of values.
const SETS: [&str; 3] = ["instance_attributes", "meta_attributes", "utilization"];

/// Why a value is not set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetError {
    /// The path is not `ID.NAME` or `ID.OPERATION[.INTERVAL].NAME`.
    Path(String),
    /// There is no object that the path begins with.
    Unknown(String),
    /// The object has no value of that name.
    NoValue {
        /// The object.
        id: String,
        /// The name.
        name: String,
    },
    /// The resource has no such operation.
    NoOperation {
        /// The resource.
        id: String,
        /// The operation, with its interval if that was given.
        operation: String,
    },
    /// Several operations have that name.
    Ambiguous {
        /// The resource.
        id: String,
        /// The operation.
        operation: String,
        /// Their intervals.
        intervals: Vec<String>,
    },
    /// Another operation has that name and that interval already.
    Taken {
        /// The resource.
        id: String,
        /// The operation.
        operation: String,
        /// The interval.
        interval: String,
    },
    /// It is no time.
    NoTime(String),
}

impl fmt::Display for SetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => {
                write!(f, "{path} names no value: it is ID.NAME, or ID.OPERATION[.INTERVAL].NAME")
            }
            Self::Unknown(id) => write!(f, "object {id} does not exist"),
            Self::NoValue { id, name } => {
                write!(f, "{id} has no {name}: only what is configured is set by its path")
            }
            Self::NoOperation { id, operation } => write!(f, "{id} has no operation {operation}"),
            Self::Ambiguous { id, operation, intervals } => {
                let choices = intervals.iter().map(|interval| format!("{id}.{operation}.{interval}"));
                let choices = choices.collect::<Vec<_>>().join(", ");
                write!(f, "{id} has several operations {operation}: say which one ({choices})")
            }
            Self::Taken { id, operation, interval } => {
                write!(f, "{id} has an operation {operation} with the interval {interval} already")
            }
            Self::NoTime(value) => write!(f, "`{value}` is no time: it is a number with s, min, h, ..."),
        }
    }
}

/// Sets a value: of a set of the object (parameters, meta attributes, utilization, attributes of a node, options), or of an
/// operation. `ID.NAME` or `ID.OPERATION[.INTERVAL].NAME`; between an operation and its interval there may be a `:` too.
///
/// # Errors
///
/// What the path names is not there, or not one value. Nothing is changed then.
pub fn set(cib: &mut Cib, path: &str, value: &str) -> Result<(), SetError> {
    let (object, rest) = object(cib, path)?;
    let id = path.strip_suffix(&format!(".{}", rest.join("."))).unwrap_or(path).to_string();
    match rest.as_slice() {
        [name] => {
            let found = pair(object, name);
            let node = found.ok_or_else(|| SetError::NoValue { id, name: (*name).to_string() })?.node();
            cib.document_mut().set_attribute(node, "value", value);
            Ok(())
        }
        [operation, name] => {
            let (operation, interval) = match operation.split_once(':') {
                Some((operation, interval)) => (operation, Some(interval)),
                None => (*operation, None),
            };
            let node = self::operation(object, &id, operation, interval)?.node();
            set_of_operation(cib, &id, node, name, value)
        }
        [operation, interval, name] => {
            let node = self::operation(object, &id, operation, Some(interval))?.node();
            set_of_operation(cib, &id, node, name, value)
        }
        _ => Err(SetError::Path(path.to_string())),
    }
}

/// The object that a path begins with, and the rest of the path. Ids may have dots: the longest that there is counts.
fn object<'c, 'p>(cib: &'c Cib, path: &'p str) -> Result<(Element<'c>, Vec<&'p str>), SetError> {
    let words: Vec<&str> = path.split('.').collect();
    if words.len() < 2 || words.iter().any(|word| word.is_empty()) {
        return Err(SetError::Path(path.to_string()));
    }
    for count in (1..words.len()).rev() {
        let id = words.iter().take(count).copied().collect::<Vec<_>>().join(".");
        if let Some(found) = named(cib, &id) {
            return Ok((found, words.into_iter().skip(count).collect()));
        }
    }
    Err(SetError::Unknown(words.first().copied().unwrap_or_default().to_string()))
}

fn named<'c>(cib: &'c Cib, id: &str) -> Option<Element<'c>> {
    let is_defaults = |element: &Element<'_>| {
        element.parent().is_some_and(|parent| matches!(parent.name(), "rsc_defaults" | "op_defaults"))
    };
    let is_object = |element: &Element<'_>| section_of(element.name()).is_some() || is_defaults(element);
    let found = cib.document().all_by_id(id).into_iter().find(is_object);
    found.or_else(|| cib.nodes()?.children().find(|node| node.attribute("uname") == Some(id)))
}

/// The pair of a name in the sets of an element, or in itself where it is a set. The first one counts.
fn pair<'c>(element: Element<'c>, name: &str) -> Option<Element<'c>> {
    let sets = element.children().filter(|child| SETS.contains(&child.name()));
    std::iter::once(element).chain(sets).find_map(|set| {
        set.children_named("nvpair")
            .find(|pair| pair.attribute("name") == Some(name) && pair.attribute("value").is_some())
    })
}

/// An interval in milliseconds; none is 0.
fn interval_of(operation: Element<'_>) -> u64 {
    operation.attribute("interval").and_then(parse_duration_ms).unwrap_or(0)
}

fn operations(resource: Element<'_>) -> impl Iterator<Item = Element<'_>> {
    resource.children_named("operations").flat_map(|all| all.children_named("op"))
}

fn operation<'c>(
    resource: Element<'c>,
    id: &str,
    name: &str,
    interval: Option<&str>,
) -> Result<Element<'c>, SetError> {
    let wanted = match interval {
        Some(text) => Some(parse_duration_ms(text).ok_or_else(|| SetError::NoTime(text.to_string()))?),
        None => None,
    };
    let fits = |op: &Element<'_>| {
        op.attribute("name") == Some(name) && wanted.is_none_or(|wanted| interval_of(*op) == wanted)
    };
    let found: Vec<Element<'c>> = operations(resource).filter(fits).collect();
    match found.as_slice() {
        [one] => Ok(*one),
        [] => {
            let operation = interval.map_or(name.to_string(), |interval| format!("{name} {interval}"));
            Err(SetError::NoOperation { id: id.to_string(), operation })
        }
        several => {
            let interval = |op: &Element<'_>| op.attribute("interval").unwrap_or("0").to_string();
            let intervals = several.iter().map(interval).collect();
            Err(SetError::Ambiguous { id: id.to_string(), operation: name.to_string(), intervals })
        }
    }
}

fn set_of_operation(cib: &mut Cib, id: &str, node: NodeId, name: &str, value: &str) -> Result<(), SetError> {
    if !OPERATION_ATTRIBUTES.contains(&name) {
        let found = pair(cib.document().element(node), name);
        let found =
            found.ok_or_else(|| SetError::NoValue { id: id.to_string(), name: name.to_string() })?.node();
        cib.document_mut().set_attribute(found, "value", value);
        return Ok(());
    }
    if matches!(name, "interval" | "timeout" | "start-delay") && parse_duration_ms(value).is_none() {
        return Err(SetError::NoTime(value.to_string()));
    }
    if name == "interval" {
        return set_interval(cib, id, node, value);
    }
    cib.document_mut().set_attribute(node, name, value);
    Ok(())
}

/// An operation has its interval in its id, where that was made for it; and two of one name have two intervals.
fn set_interval(cib: &mut Cib, id: &str, node: NodeId, value: &str) -> Result<(), SetError> {
    let operation = cib.document().element(node);
    let name = operation.attribute("name").unwrap_or("").to_string();
    let siblings = operation.parent().into_iter().flat_map(Element::children);
    let is_taken = siblings.filter(|other| other.node() != node).any(|other| {
        other.attribute("name") == Some(&name) && Some(interval_of(other)) == parse_duration_ms(value)
    });
    if is_taken {
        let interval = value.to_string();
        return Err(SetError::Taken { id: id.to_string(), operation: name, interval });
    }
    let made = |interval: &str| format!("{id}-{name}-{interval}");
    let had = operation.attribute("interval").unwrap_or("0");
    let was_made = operation.id() == Some(made(had).as_str());
    let new = made(value);
    let renamed = was_made && cib.document().by_id(&new).is_none();
    let document = cib.document_mut();
    document.set_attribute(node, "interval", value);
    if renamed {
        document.set_attribute(node, "id", &new);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "node 1: node1 attributes rack=a\n\
        primitive d Dummy params fake=1 op monitor interval=10s\n\
        primitive e Stateful params state=/x meta target-role=Stopped op monitor interval=10s role=Promoted \
        op monitor interval=11s role=Unpromoted op start interval=0 op_params trace_ra=1\n\
        clone ce e meta promotable=true\n\
        primitive a.b Dummy params fake=2\nproperty batch-limit=3\n";

    fn cib() -> Cib {
        let mut cib = Cib::new();
        let statements = crate::parse(TEXT).expect("a text");
        crate::apply(&mut cib, &statements, crate::Mode::Update).expect("it fits");
        cib
    }

    #[test]
    fn values_are_set_by_their_paths() {
        for (path, value, expected) in [
            ("d.fake", "x", "+   params fake=x"),
            ("e.target-role", "Started", "+   meta target-role=Started"),
            ("ce.promotable", "false", "+   meta promotable=false"),
            ("a.b.fake", "y", "+   params fake=y"),
            ("node1.rack", "b", "+   attributes rack=b"),
            ("cib-bootstrap-options.batch-limit", "4", "+   batch-limit=4"),
            ("d.monitor.interval", "20s", "+   op monitor interval=20s"),
            ("d.monitor.timeout", "20s", "+   op monitor interval=10s timeout=20s"),
            ("e.monitor.10s.interval", "12s", "+   op monitor interval=12s role=Promoted"),
            ("e.monitor:11.on-fail", "ignore", "+   op monitor interval=11s role=Unpromoted on-fail=ignore"),
            ("e.start.trace_ra", "2", "+   op_params trace_ra=2"),
        ] {
            let (before, mut after) = (cib(), cib());
            assert_eq!(set(&mut after, path, value), Ok(()), "{path}");
            let told = crate::difference(&before, &after);
            assert!(told.contains(&format!("{expected}\n")), "{path}: {told}");
            assert_eq!(told.lines().filter(|line| line.starts_with('+')).count(), 1, "{path}: {told}");
        }
        let mut cib = cib();
        assert!(cib.document().by_id("d-monitor-10s").is_some());
        set(&mut cib, "d.monitor.10s.interval", "20s").expect("it is there");
        assert!(
            cib.document().by_id("d-monitor-20s").is_some()
                && cib.document().by_id("d-monitor-10s").is_none()
        );
    }

    #[test]
    fn what_is_not_configured_or_not_clear_is_refused() {
        for (path, value, expected) in [
            ("d.none", "x", "d has no none"),
            ("d.type", "x", "d has no type"),
            ("nothing.x", "y", "object nothing does not exist"),
            ("d", "y", "d names no value"),
            ("d..x", "y", "d..x names no value"),
            ("d.a.b.c.d", "y", "names no value"),
            ("d.start.timeout", "10s", "d has no operation start"),
            ("d.monitor.55.timeout", "3", "d has no operation monitor 55"),
            ("e.monitor.interval", "20s", "e.monitor.10s, e.monitor.11s"),
            (
                "e.monitor.10s.interval",
                "11000ms",
                "has an operation monitor with the interval 11000ms already",
            ),
            ("d.monitor.timeout", "soon", "`soon` is no time"),
            ("d.monitor.then.timeout", "1", "`then` is no time"),
        ] {
            let mut after = cib();
            let error = set(&mut after, path, value).expect_err(path).to_string();
            assert!(error.contains(expected), "{path}: {error}");
            assert_eq!(after.to_xml(), cib().to_xml(), "{path}");
        }
    }
}
