//! Whether a user may make a change.

use std::collections::{BTreeMap, BTreeSet};

use super::{Permissions, Rights, User};
use crate::Cib;
use crate::xml::Element;

/// What a user may not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{user} may not {act} {place}")]
pub struct Denied {
    /// Who.
    pub user: String,
    /// `create`, `change`, `delete` or `reorder`.
    pub act: &'static str,
    /// The element, as a path.
    pub place: String,
}

/// Attributes of `<cib>` that the cluster itself changes, and the number that is compared as such.
const COUNTED: [&str; 9] = [
    "admin_epoch",
    "epoch",
    "num_updates",
    "cib-last-written",
    "update-origin",
    "update-client",
    "update-user",
    "dc-uuid",
    "have-quorum",
];

/// Whether a user may make one CIB of the other: by the lists of the first, so that nobody permits himself anything.
///
/// # Errors
///
/// The first element that stands against it.
pub fn allowed(before: &Cib, after: &Cib, user: &User) -> Result<(), Denied> {
    let permissions = Permissions::of(before.document(), user);
    let check = Check {
        before: permissions.on(before.document()),
        after: permissions.on(after.document()),
        user: &user.name,
    };
    let changed = check.compare(before.root(), after.root())?;
    let (old, new) = (before.version(), after.version());
    // Nothing but the count: a bump, which is a change of the CIB as a whole.
    let bumped = !changed && old != new;
    if (bumped || old.admin_epoch != new.admin_epoch) && !check.before.right(before.root()).write {
        return Err(check.denied("change", before.root()));
    }
    Ok(())
}

struct Check<'a> {
    before: Rights,
    after: Rights,
    user: &'a str,
}

impl Check<'_> {
    fn denied(&self, act: &'static str, element: Element<'_>) -> Denied {
        Denied { user: self.user.to_owned(), act, place: element.place() }
    }

    /// Compares an element with what became of it: whether anything changed. The parser bounds the depth.
    fn compare(&self, old: Element<'_>, new: Element<'_>) -> Result<bool, Denied> {
        let mut changed = !same_content(old, new);
        let parent_writable = self.before.right(old).write && self.after.right(new).write;
        if changed && !parent_writable {
            return Err(self.denied("change", old));
        }
        let (olds, news) = (keyed(old), keyed(new));
        let kept: BTreeSet<&Key<'_>> = news.iter().map(|(key, _)| key).collect();
        for (key, child) in &olds {
            if !kept.contains(key) {
                changed = true;
                if !self.before.right(*child).write {
                    return Err(self.denied("delete", *child));
                }
            }
        }
        let places: BTreeMap<&Key<'_>, usize> = olds.iter().map(|(key, _)| key).zip(0..).collect();
        let mut last = 0;
        for (key, child) in &news {
            let Some((at, was)) = places.get(key).and_then(|at| Some((*at, olds.get(*at)?.1))) else {
                changed = true;
                self.created(*child)?;
                continue;
            };
            if at < last && !parent_writable {
                return Err(self.denied("reorder", old));
            }
            changed |= at < last;
            last = last.max(at);
            changed |= self.compare(was, *child)?;
        }
        Ok(changed)
    }

    /// A new element may be there where it is writable, or where it is the scaffolding of one that is: nothing but an id.
    fn created(&self, element: Element<'_>) -> Result<(), Denied> {
        let mut scaffolding = BTreeSet::new();
        for new in std::iter::once(element).chain(element.descendants()) {
            if self.after.right(new).write {
                let above = std::iter::successors(new.parent(), |element| element.parent());
                scaffolding.extend(above.map(Element::node));
            }
        }
        for new in std::iter::once(element).chain(element.descendants()) {
            let bare = new.attributes().all(|(name, _)| name == "id") && new.text().trim().is_empty();
            let is_scaffolding = bare && scaffolding.contains(&new.node());
            if !self.after.right(new).write && !is_scaffolding {
                return Err(self.denied("create", new));
            }
        }
        Ok(())
    }
}

/// What tells a child from its siblings: its name, its id, and which of several like it.
type Key<'a> = (&'a str, Option<&'a str>, usize);

fn keyed(element: Element<'_>) -> Vec<(Key<'_>, Element<'_>)> {
    let mut seen: BTreeMap<(&str, Option<&str>), usize> = BTreeMap::new();
    let mut keyed = Vec::new();
    for child in element.children() {
        let count = seen.entry((child.name(), child.id())).or_default();
        *count += 1;
        keyed.push(((child.name(), child.id(), *count), child));
    }
    keyed
}

/// Whether two elements have the same attributes and text, whatever the order of the attributes.
fn same_content(old: Element<'_>, new: Element<'_>) -> bool {
    let is_root = old.parent().is_none();
    let attributes = |element: Element<'_>| -> BTreeMap<String, String> {
        let kept = element.attributes().filter(|(name, _)| !is_root || !COUNTED.contains(name));
        kept.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    attributes(old) == attributes(new) && old.text().trim() == new.text().trim()
}
