//! The schema `pacemaker-4.0`: which elements, attributes and values a configuration may have.
//!
//! The grammar is a table ([`grammar`]) with few forms: attributes with types, children with counts, and for what depends
//! on each other a function. It refuses what Pacemaker refuses, and says which element is meant.

mod grammar;
mod types;

use std::collections::BTreeMap;
use std::fmt;

use crate::cib::Cib;
use crate::xml::Element;
use types::Type;

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
    also: fn(Element<'_>) -> Option<String>,
}

/// An attribute that an element may have.
struct Attribute {
    name: &'static str,
    values: Type,
    required: bool,
}

/// A kind of element that may stand inside of another.
struct Child {
    name: &'static str,
    kind: &'static Kind,
    least: usize,
    most: usize,
}

/// What breaks the schema, in the order of the source; empty for a valid CIB. The status is not looked at.
pub fn validate(cib: &Cib) -> Vec<Fault> {
    let mut validator = Validator { faults: Vec::new(), ids: BTreeMap::new(), references: Vec::new() };
    validator.root(cib.root());
    validator.check_references();
    validator.faults.truncate(FAULTS_MAXIMUM);
    validator.faults
}

struct Validator<'a> {
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
        self.attributes(root, grammar::CIB.attributes);
        let mut open = Vec::new();
        for section in root.children() {
            match section.name() {
                "configuration" => open.push((section, &grammar::CONFIGURATION)),
                "status" => {}
                _ => self.fault(section, "is not expected in <cib>".to_owned()),
            }
        }
        // From the top down, without recursion: the last one is looked at first, so children go in backwards.
        while let Some((element, kind)) = open.pop() {
            self.attributes(element, kind.attributes);
            if let Some(problem) = (kind.also)(element) {
                self.fault(element, problem);
            }
            let from = open.len();
            self.children(element, kind, &mut open);
            open[from..].reverse();
        }
    }

    fn attributes(&mut self, element: Element<'a>, allowed: &'static [Attribute]) {
        for (name, value) in element.attributes() {
            let Some(attribute) = allowed.iter().find(|attribute| attribute.name == name) else {
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
        for attribute in allowed.iter().filter(|attribute| attribute.required) {
            if element.attribute(attribute.name).is_none() {
                self.fault(element, format!("has no `{}`", attribute.name));
            }
        }
    }

    fn children(
        &mut self,
        element: Element<'a>,
        kind: &'static Kind,
        open: &mut Vec<(Element<'a>, &'static Kind)>,
    ) {
        let mut counts = [0_usize; 16];
        for child in element.children() {
            match kind.children.iter().position(|allowed| allowed.name == child.name()) {
                Some(at) => {
                    counts[at.min(15)] += 1;
                    open.push((child, kind.children[at].kind));
                }
                None => self.fault(child, format!("is not expected in {}", named(element))),
            }
        }
        for (child, count) in kind.children.iter().zip(counts) {
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
