//! Checks of a configuration before it is used: references, ids, values, structure.
//!
//! A finding says what is wrong, on which line, and what to do about it.

mod devices;
mod fencing;
mod old_names;
mod quorum;
mod references;
mod structure;
mod values;

use std::fmt;

use crate::cib::Cib;
use crate::options::canonical_property;
use crate::xml::Element;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration works, but hardly as it was meant.
    Warning,
    /// It works as it is written, but a failure could cost data, or all service. Verification fails, while a change that
    /// leads there is not refused: the next one may mend it, and an operator may mean it.
    Unsafe,
    /// Part of the configuration would be ignored, or is ambiguous.
    Error,
}

/// Something wrong in a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The id of the element, or of the nearest one around it that has one; empty if none has.
    pub id: String,
    /// The line of the source; 0 for elements that were never in one.
    pub line: u32,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub mend: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Warning => "warning",
            Severity::Unsafe | Severity::Error => "error",
        };
        if self.line > 0 {
            write!(formatter, "line {}: ", self.line)?;
        }
        write!(formatter, "{severity}: {}; {}", self.problem, self.mend)
    }
}

/// Check a configuration. The findings are in the order of the source.
pub fn check(cib: &Cib) -> Vec<Finding> {
    let mut checker = Checker { cib, findings: Vec::new() };
    structure::check(&mut checker);
    references::check(&mut checker);
    values::check(&mut checker);
    devices::check(&mut checker);
    fencing::check(&mut checker);
    quorum::check(&mut checker);
    old_names::check(&mut checker);
    checker.findings.sort_by(|a, b| (a.line, &a.id, &a.problem).cmp(&(b.line, &b.id, &b.problem)));
    checker.findings
}

struct Checker<'a> {
    cib: &'a Cib,
    findings: Vec<Finding>,
}

impl<'a> Checker<'a> {
    fn error(&mut self, element: Element<'_>, problem: String, mend: String) {
        self.add(Severity::Error, element, problem, mend);
    }

    fn warning(&mut self, element: Element<'_>, problem: String, mend: String) {
        self.add(Severity::Warning, element, problem, mend);
    }

    fn unsafe_(&mut self, element: Element<'_>, problem: String, mend: String) {
        self.add(Severity::Unsafe, element, problem, mend);
    }

    /// Where a property is set; the section if it is not.
    fn property_element(&self, name: &str) -> Option<Element<'a>> {
        let section = self.cib.crm_config().or_else(|| self.cib.configuration())?;
        let set = section.descendants().find(|element| {
            element.name() == "nvpair"
                && element.attribute("name").is_some_and(|found| canonical_property(found) == name)
        });
        Some(set.unwrap_or(section))
    }

    fn add(&mut self, severity: Severity, element: Element<'_>, problem: String, mend: String) {
        let with_id = std::iter::successors(Some(element), |element| element.parent()).find_map(Element::id);
        let id = with_id.unwrap_or("").to_string();
        self.findings.push(Finding { severity, id, line: element.line(), problem, mend });
    }

    /// The elements of the configuration in document order.
    fn elements(&self) -> impl Iterator<Item = Element<'a>> + use<'a> {
        self.cib.configuration().into_iter().flat_map(|configuration| configuration.descendants())
    }
}

/// `<name id="...">`, for messages.
fn named(element: Element<'_>) -> String {
    match element.id() {
        Some(id) => format!("<{} id=\"{id}\">", element.name()),
        None => format!("<{}>", element.name()),
    }
}

/// Names in one line: the first few, and how many more.
fn several(names: &[&str]) -> String {
    const SHOWN_MAXIMUM: usize = 3;
    let shown: Vec<String> = names.iter().take(SHOWN_MAXIMUM).map(|name| format!("`{name}`")).collect();
    match names.len().saturating_sub(SHOWN_MAXIMUM) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Advice that names the known word nearest to a mistaken one, or else all of a few known words.
fn nearest(word: &str, known: &[&str], otherwise: &str) -> String {
    const DISTANCE_MAXIMUM: usize = 3;
    let best = known.iter().map(|candidate| (distance(word, candidate), candidate)).min();
    match best {
        Some((distance, candidate)) if distance <= DISTANCE_MAXIMUM.min(word.chars().count() / 2) => {
            format!("did you mean `{candidate}`?")
        }
        _ => otherwise.to_string(),
    }
}

/// How many letters have to be changed, put in or taken out (of words up to 64 letters).
fn distance(a: &str, b: &str) -> usize {
    const LETTERS_MAXIMUM: usize = 64;
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().max(b.len()) > LETTERS_MAXIMUM {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let cost = (diagonal + usize::from(x != y)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], cost);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests;
