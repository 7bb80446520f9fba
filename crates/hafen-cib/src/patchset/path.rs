//! The paths of patchsets: the few forms of XPath that they use.

use crate::xml::{Document, Element, is_name};

/// One step of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step<'a> {
    pub(super) name: &'a str,
    pub(super) id: Option<&'a str>,
    /// Which of several that match, from 1.
    pub(super) nth: usize,
}

/// A path such as `/cib/configuration/resources/primitive[@id='vm1']` or `/cib/x[2]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path<'a>(pub(super) Vec<Step<'a>>);

impl<'a> Path<'a> {
    /// Read a path; `None` for anything but the forms above.
    pub(super) fn parse(text: &'a str) -> Option<Path<'a>> {
        let mut steps = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (step, after) = parse_step(rest.strip_prefix('/')?)?;
            steps.push(step);
            rest = after;
        }
        (!steps.is_empty()).then_some(Path(steps))
    }

    /// The element at the path.
    pub(super) fn find<'d>(&self, document: &'d Document) -> Option<Element<'d>> {
        let (first, rest) = self.0.split_first()?;
        let root = document.root();
        if first.name != root.name() || first.nth != 1 || first.id.is_some_and(|id| root.id() != Some(id)) {
            return None;
        }
        rest.iter().try_fold(root, |element, step| {
            let mut matching =
                element.children_named(step.name).filter(|child| step.id.is_none() || child.id() == step.id);
            matching.nth(step.nth - 1)
        })
    }
}

fn parse_step(text: &str) -> Option<(Step<'_>, &str)> {
    let end = text.find(['/', '[']).unwrap_or(text.len());
    let (name, mut rest) = text.split_at(end);
    let mut step = Step { name, id: None, nth: 1 };
    if !is_name(name) {
        return None;
    }
    if let Some(quoted) = rest.strip_prefix("[@id=") {
        let mark = quoted.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
        let (id, after) = quoted[1..].split_once(mark)?;
        step.id = Some(id);
        rest = after.strip_prefix(']')?;
    }
    if let Some(number) = rest.strip_prefix('[') {
        let (number, after) = number.split_once(']')?;
        step.nth = number.parse().ok().filter(|nth| *nth > 0)?;
        rest = after;
    }
    Some((step, rest))
}

/// A path with a step added. The id holds at most one kind of quotes.
pub(super) fn joined(parent: &str, step: Step<'_>) -> String {
    let mut path = format!("{parent}/{}", step.name);
    if let Some(id) = step.id {
        let mark = if id.contains('\'') { '"' } else { '\'' };
        path.push_str(&format!("[@id={mark}{id}{mark}]"));
    }
    path
}
