//! What of a configuration is shown.

use std::collections::BTreeSet;

use hafen_cib::{Cib, Element};

use super::Object;

/// What stands for a hidden value.
pub(crate) const HIDDEN: &str = "******";

/// Which objects are shown, and which values are hidden.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Any of these, each a conjunction; none lets all through.
    terms: Vec<Vec<Term>>,
    obscured: Vec<String>,
}

#[derive(Debug, Clone)]
enum Term {
    Id(String),
    Type(String),
    Tag(String),
    Related(String),
}

/// A filter that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterError(pub String);

impl Filter {
    /// Read `ID`, `type:WORD`, `tag:ID`, `related:ID|AGENT` and `obscure:PATTERN`, with `and` between those that must all hold.
    pub fn parse<'w>(words: impl IntoIterator<Item = &'w str>) -> Result<Filter, FilterError> {
        let mut filter = Filter::default();
        let mut joined = false;
        for word in words {
            let (head, rest) = word.split_once(':').unwrap_or(("", word));
            let term = match head {
                _ if word == "and" => {
                    joined = !filter.terms.is_empty();
                    continue;
                }
                _ if word == "or" => continue,
                "obscure" => {
                    filter.obscured.push(rest.to_string());
                    continue;
                }
                "type" => {
                    let known = || crate::grammar::WORDS.iter().map(|word| word.word);
                    if !known().any(|known| known == rest) {
                        let near = crate::diagnostic::nearest(rest, known());
                        let near = near.map(|near| format!(": did you mean `{near}`?")).unwrap_or_default();
                        return Err(FilterError(format!("there is no type `{rest}`{near}")));
                    }
                    Term::Type(rest.to_string())
                }
                "tag" => Term::Tag(rest.to_string()),
                "related" => Term::Related(rest.to_string()),
                _ => Term::Id(word.to_string()),
            };
            match filter.terms.last_mut().filter(|_| joined) {
                Some(all) => all.push(term),
                None => filter.terms.push(vec![term]),
            }
            joined = false;
        }
        Ok(filter)
    }

    /// Hide the values of names that match a pattern with `*` and `?`.
    #[must_use]
    pub fn hiding(mut self, pattern: &str) -> Filter {
        self.obscured.push(pattern.to_string());
        self
    }

    pub(crate) fn hides_values(&self) -> bool {
        !self.obscured.is_empty()
    }

    pub(crate) fn hides(&self, name: &str) -> bool {
        self.obscured.iter().any(|pattern| matches(pattern, name))
    }

    /// What the terms are about in a CIB.
    pub(crate) fn over<'f>(&'f self, cib: &'f Cib) -> Chosen<'f> {
        let ready = |all: &'f Vec<Term>| all.iter().map(|term| term.over(cib)).collect();
        Chosen { terms: self.terms.iter().map(ready).collect() }
    }
}

/// The terms of a filter for one CIB.
pub(crate) struct Chosen<'f> {
    terms: Vec<Vec<Ready<'f>>>,
}

enum Ready<'f> {
    Type(&'f str),
    /// Objects of these names.
    Ids(BTreeSet<&'f str>),
    /// Objects of these names, and constraints on them.
    Related(BTreeSet<&'f str>),
}

impl Term {
    fn over<'f>(&'f self, cib: &'f Cib) -> Ready<'f> {
        match self {
            Term::Id(id) => Ready::Ids([id.as_str()].into()),
            Term::Type(word) => Ready::Type(word),
            Term::Tag(tag) => {
                let tags = cib.section("tags").into_iter().flat_map(Element::children);
                let tag = tags.filter(|found| found.id() == Some(tag)).take(1);
                Ready::Ids(tag.flat_map(Element::children).filter_map(Element::id).collect())
            }
            Term::Related(what) => {
                let mut wanted = agent_resources(what, cib);
                wanted.insert(what);
                Ready::Related(wanted)
            }
        }
    }
}

impl Chosen<'_> {
    pub(crate) fn lets(&self, object: &Object<'_>) -> bool {
        self.terms.is_empty() || self.terms.iter().any(|all| all.iter().all(|term| term.lets(object)))
    }
}

impl Ready<'_> {
    fn lets(&self, object: &Object<'_>) -> bool {
        match self {
            Ready::Type(word) => object.word == *word,
            Ready::Ids(ids) => ids.contains(object.id.as_str()),
            Ready::Related(wanted) => related(object, &|id| wanted.contains(id)),
        }
    }
}

/// The object itself, or what refers to it.
fn related(object: &Object<'_>, wanted: &dyn Fn(&str) -> bool) -> bool {
    if wanted(&object.id) {
        return true;
    }
    let is_constraint = matches!(object.word, "location" | "colocation" | "order" | "rsc_ticket");
    is_constraint
        && object
            .elements
            .iter()
            .flat_map(|element| std::iter::once(*element).chain(element.descendants()))
            .any(|element| {
                let names = ["rsc", "with-rsc", "first", "then", "node"];
                names.iter().filter_map(|name| element.attribute(name)).any(wanted)
                    || element.name() == "resource_ref" && element.id().is_some_and(wanted)
            })
}

/// Primitives whose agent, its class or its provider begins as it is said.
fn agent_resources<'c>(what: &str, cib: &'c Cib) -> BTreeSet<&'c str> {
    let primitives = cib
        .resources()
        .into_iter()
        .flat_map(Element::descendants)
        .filter(|found| found.name() == "primitive");
    let what = what.to_lowercase();
    let fits = |primitive: &Element<'_>| {
        let part = |name| primitive.attribute(name).unwrap_or("").to_lowercase();
        let (class, provider, kind) = (part("class"), part("provider"), part("type"));
        let whole = format!("{class}:{provider}:{kind}");
        kind.starts_with(&what)
            || class == what
            || provider == what
            || what.contains(':') && whole.starts_with(&what)
    };
    if what.is_empty() { BTreeSet::new() } else { primitives.filter(fits).filter_map(Element::id).collect() }
}

/// Whether a name matches a pattern with `*` and `?`: in time of length by length at most.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut of) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while of < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, of));
                at += 1;
            }
            Some(char) if *char == '?' || Some(char) == name.get(of) => {
                at += 1;
                of += 1;
            }
            _ => match star {
                Some((back, begun)) => {
                    star = Some((back, begun + 1));
                    at = back + 1;
                    of = begun + 1;
                }
                None => return false,
            },
        }
    }
    pattern.get(at..).is_some_and(|rest| rest.iter().all(|char| *char == '*'))
}
