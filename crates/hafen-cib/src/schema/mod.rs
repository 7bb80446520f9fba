//! The schemas `pacemaker-1.0` to `pacemaker-4.0`: which elements, attributes and values a configuration may have.
//!
//! The grammar is one table for all versions ([`grammar`]) with few forms: attributes with types, children with counts, and
//! for what depends on each other a function. Where versions differ, a row says from which one on it holds, and before which
//! one. It refuses what Pacemaker refuses, and says which element is meant.

mod grammar;
mod types;

use std::collections::BTreeMap;
use std::fmt;

use crate::cib::Cib;
use crate::upgrade::{Claim, claim, upgrade};
use crate::xml::Element;
use types::Type;

/// A version of the schema; later ones are greater.
type Version = u32;

/// The version `MAJOR.MINOR`.
const fn version(major: u32, minor: u32) -> Version {
    major * 1000 + minor
}

/// How many faults are told; the rest is seldom more than their consequence.
pub const FAULTS_MAXIMUM: usize = 20;

/// What breaks the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The line of the source; 0 for elements that were never in one.
    pub line: u32,
    /// The id of the element, or of the nearest one around it that has one; empty if none has.
    pub id: String,
    /// What is wrong.
    pub problem: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(formatter, "line {}: ", self.line)?;
        }
        formatter.write_str(&self.problem)
    }
}

/// A kind of element.
struct Kind {
    attributes: &'static [Attribute],
    children: &'static [Child],
    /// What else must hold.
    also: fn(Element<'_>, Version) -> Option<String>,
}

/// The versions in which a row of the table holds: from one on, and before another.
#[derive(Clone, Copy)]
struct Versions {
    since: Version,
    until: Version,
}

impl Versions {
    const ALL: Self = Self { since: 0, until: Version::MAX };

    const fn has(self, version: Version) -> bool {
        self.since <= version && version < self.until
    }
}

/// An attribute that an element may have.
struct Attribute {
    name: &'static str,
    values: Type,
    required: bool,
    versions: Versions,
}

/// A kind of element that may stand inside of another.
struct Child {
    name: &'static str,
    kind: &'static Kind,
    least: usize,
    most: usize,
    versions: Versions,
}

/// What breaks the schema that a CIB claims to follow (the present one if it claims none that there is), in the order of
/// the source; empty for a valid CIB. The status is not looked at.
pub fn validate(cib: &Cib) -> Vec<Fault> {
    let version = match claim(cib) {
        Claim::Schema { major, minor } => version(major, minor),
        Claim::Unchecked | Claim::Unknown => Version::MAX - 1,
    };
    let mut validator =
        Validator { version, faults: Vec::new(), ids: BTreeMap::new(), references: Vec::new() };
    validator.root(cib.root());
    validator.check_references();
    validator.faults.truncate(FAULTS_MAXIMUM);
    validator.faults
}

/// What breaks the schema that a CIB claims to follow. Where nothing does, the CIB is brought to the present one,
/// and what breaks that counts.
pub fn validate_and_upgrade(cib: &mut Cib) -> Vec<Fault> {
    let faults = validate(cib);
    if faults.is_empty() && upgrade(cib) { validate(cib) } else { faults }
}

/// An element that is still to be looked at, by the table's row and version.
type Open<'a> = (Element<'a>, &'static Kind, Version);

struct Validator<'a> {
    version: Version,
    faults: Vec<Fault>,
    ids: BTreeMap<&'a str, Element<'a>>,
    references: Vec<(Element<'a>, &'static str, &'a str)>,
}

impl<'a> Validator<'a> {
    fn fault(&mut self, element: Element<'a>, problem: String) {
        if self.faults.len() <= FAULTS_MAXIMUM {
            let with_id =
                std::iter::successors(Some(element), |element| element.parent()).find_map(Element::id);
            let id = with_id.unwrap_or_default().to_owned();
            self.faults.push(Fault {
                line: element.line(),
                id,
                problem: format!("{} {problem}", named(element)),
            });
        }
    }

    fn root(&mut self, root: Element<'a>) {
        self.attributes(root, grammar::CIB.attributes, self.version);
        let mut open = Vec::new();
        let mut sections = Vec::new();
        for section in root.children() {
            match section.name() {
                "configuration" if sections.is_empty() => {
                    open.push((section, &grammar::CONFIGURATION, self.version));
                }
                "status" if sections == ["configuration"] => {}
                _ => self.fault(section, "is not expected there in <cib>".to_owned()),
            }
            sections.push(section.name());
        }
        // From the top down, without recursion: the last one is looked at first, so children go in backwards.
        while let Some((element, kind, version)) = open.pop() {
            self.attributes(element, kind.attributes, version);
            if let Some(problem) = (kind.also)(element, version) {
                self.fault(element, problem);
            }
            let from = open.len();
            self.children((element, kind, version), &mut open);
            open[from..].reverse();
        }
    }

    fn attributes(&mut self, element: Element<'a>, table: &'static [Attribute], version: Version) {
        let allowed = || table.iter().filter(|attribute| attribute.versions.has(version));
        for (name, value) in element.attributes() {
            let Some(attribute) = allowed().find(|attribute| attribute.name == name) else {
                self.fault(element, format!("has an attribute `{name}` that is not expected there"));
                continue;
            };
            if let Some(expected) = attribute.values.fault(value) {
                self.fault(element, format!("has {name}=\"{value}\", expected {expected}"));
                continue;
            }
            match attribute.values {
                Type::Id => match self.ids.get(value) {
                    Some(first) => {
                        let place = if first.line() > 0 {
                            format!(" on line {}", first.line())
                        } else {
                            String::new()
                        };
                        let problem = format!("has the id of <{}>{place}", first.name());
                        self.fault(element, problem);
                    }
                    None => {
                        self.ids.insert(value, element);
                    }
                },
                Type::IdRef => self.references.push((element, attribute.name, value)),
                _ => {}
            }
        }
        for attribute in allowed().filter(|attribute| attribute.required) {
            if element.attribute(attribute.name).is_none() {
                self.fault(element, format!("has no `{}`", attribute.name));
            }
        }
    }

    fn children(&mut self, (element, kind, version): Open<'a>, open: &mut Vec<Open<'a>>) {
        let allowed = || kind.children.iter().filter(|child| child.versions.has(version));
        let mut counts = [0_usize; 16];
        for child in element.children() {
            match allowed().enumerate().find(|(_, row)| row.name == child.name()) {
                Some((at, row)) => {
                    counts[at.min(15)] += 1;
                    open.push((child, row.kind, grammar::version_inside(child.name(), version)));
                }
                None => self.fault(child, format!("is not expected in {}", named(element))),
            }
        }
        for (child, count) in allowed().zip(counts) {
            if count < child.least {
                self.fault(element, format!("has no <{}>", child.name));
            } else if count > child.most {
                let most = if child.most == 1 { "one".to_owned() } else { child.most.to_string() };
                self.fault(element, format!("has {count} <{}>, expected {most} at most", child.name));
            }
        }
    }

    fn check_references(&mut self) {
        for (element, name, value) in std::mem::take(&mut self.references) {
            if !self.ids.contains_key(value.trim()) {
                self.fault(element, format!("names `{value}` in `{name}`, which does not exist"));
            }
        }
        self.faults.sort_by_key(|fault| fault.line);
    }
}

fn named(element: Element<'_>) -> String {
    match element.id() {
        Some(id) => format!("<{} id=\"{id}\">", element.name()),
        None => format!("<{}>", element.name()),
    }
}
