//! Sets of name-value pairs: `instance_attributes`, `meta_attributes`, `utilization`, properties.

use crate::values::Score;
use crate::xml::Element;

/// Whether a `<rule>` of a set of pairs holds.
pub type RuleHolds<'r> = &'r dyn Fn(Element<'_>) -> bool;

/// The answer that no rule holds: sets with a rule are left out.
pub const NO_RULES: RuleHolds<'static> = &|_| false;

/// How many sets may refer on to another one (`id-ref`) before the chain is left.
const REFERENCES_MAXIMUM: usize = 16;

/// The sets of pairs of one kind below one element, the one that counts first at the front.
#[derive(Debug, Clone)]
pub struct Pairs<'a> {
    sets: Vec<Element<'a>>,
}

impl<'a> Pairs<'a> {
    /// The sets named `set_name` below `owner` whose rules hold, by falling `score`, then by their order;
    /// a set with the id `first_id` stands before all.
    pub fn of(owner: Element<'a>, set_name: &str, first_id: Option<&str>, rules: RuleHolds<'_>) -> Pairs<'a> {
        let referred = owner.children_named(set_name).filter_map(follow);
        let mut sets: Vec<Element<'a>> = referred.filter(|set| set.child("rule").is_none_or(rules)).collect();
        sets.sort_by_key(|set| {
            let score = set.attribute("score").and_then(Score::parse).unwrap_or_default();
            (set.id() != first_id || first_id.is_none(), std::cmp::Reverse(score))
        });
        Pairs { sets }
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.iter().find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    /// All pairs; the first of a name counts.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.sets.iter().flat_map(|set| set.children_named("nvpair")).filter_map(pair)
    }
}

/// The element that an `id-ref` leads to, or the element itself.
pub(crate) fn follow(mut element: Element<'_>) -> Option<Element<'_>> {
    for _ in 0..REFERENCES_MAXIMUM {
        match element.attribute("id-ref") {
            Some(id) => {
                element = element.document().by_id(id).filter(|found| found.name() == element.name())?
            }
            None => return Some(element),
        }
    }
    None
}

/// The name and value of an `<nvpair>`; a reference may bring its own name.
fn pair(element: Element<'_>) -> Option<(&str, &str)> {
    Some((name_of(element)?, follow(element)?.attribute("value")?))
}

/// The name of an `<nvpair>`: its own, or that of the one that it refers to.
pub(crate) fn name_of(element: Element<'_>) -> Option<&str> {
    element.attribute("name").or_else(|| follow(element)?.attribute("name"))
}
