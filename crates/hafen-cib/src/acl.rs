//! Access control lists: what a user may read and change of a CIB (Pacemaker Explained, chapter "Access Control Lists").
//!
//! A permission marks elements. What counts for an element is the nearest mark on it or above it; where marks meet on one
//! element, `deny` comes before `write`, and that before `read`. Below `write` a mark of `read` takes nothing away.
//! Without any mark nothing is permitted.
//!
//! Two things are stricter than Pacemaker. A `deny` whose XPath is not understood denies all. And an element may be changed
//! only where it is writable before and after the change: else a right to change `nvpair[@name='maintenance-mode']` would
//! be one to make `enable-acl` out of it.

mod changes;
mod system;
mod view;

use crate::Cib;
use crate::xml::{Document, Element};
use crate::xpath::XPath;

pub use changes::{Denied, allowed};
pub use view::{view, workable_view};

/// Who asks: the name of a user of the system, and the names of its groups.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct User {
    /// The user's name.
    pub name: String,
    /// The names of all groups that the user is in.
    pub groups: Vec<String>,
}

/// Those whom no list keeps out.
const ALMIGHTY: [&str; 2] = ["root", "hacluster"];

impl User {
    /// Whether lists do not count for the user.
    #[must_use]
    pub fn is_almighty(&self) -> bool {
        ALMIGHTY.contains(&self.name.as_str())
    }
}

/// Whether lists count for a user in this CIB.
#[must_use]
pub fn applies(cib: &Cib, user: &User) -> bool {
    cib.property_boolean("enable-acl") && !user.is_almighty()
}

/// What is permitted for an element, from nothing up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Nothing.
    Denied,
    /// To see it.
    Readable,
    /// To see and to change it.
    Writable,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Read,
    Write,
    Deny,
}

/// Which elements a permission marks.
#[derive(Debug, Clone)]
enum Target {
    Path(XPath),
    Id(String),
    Named { element: String, attribute: Option<String> },
}

/// The permissions of one user.
#[derive(Debug, Clone, Default)]
pub struct Permissions {
    marks: Vec<(Kind, Target)>,
    /// One that denies cannot be understood.
    blind: bool,
}

impl Permissions {
    /// What the lists of a document say about a user, whether or not lists are enabled there.
    #[must_use]
    pub fn of(document: &Document, user: &User) -> Permissions {
        let mut permissions = Permissions::default();
        let configuration = document.root().child("configuration");
        let Some(acls) = configuration.and_then(|configuration| configuration.child("acls")) else {
            return permissions;
        };
        for holder in acls.children() {
            let name = holder.attribute("name").or(holder.id());
            let is_meant = match holder.name() {
                "acl_target" => name == Some(user.name.as_str()),
                "acl_group" => name.is_some_and(|name| user.groups.iter().any(|group| group == name)),
                _ => false,
            };
            let roles = holder.children_named("role").filter_map(Element::id).filter(|_| is_meant);
            for role in roles {
                let found = acls.children_named("acl_role").filter(|found| found.id() == Some(role));
                let granted = found.flat_map(|role| role.children_named("acl_permission"));
                granted.for_each(|permission| permissions.add(permission));
            }
        }
        permissions
    }

    fn add(&mut self, permission: Element<'_>) {
        let kind = match permission.attribute("kind") {
            Some("read") => Kind::Read,
            Some("write") => Kind::Write,
            Some("deny") => Kind::Deny,
            _ => return,
        };
        let attribute = |name| permission.attribute(name).map(str::to_owned);
        let target = if let Some(path) = permission.attribute("xpath") {
            XPath::parse(path).ok().map(Target::Path)
        } else if let Some(id) = attribute("reference") {
            Some(Target::Id(id))
        } else {
            let attribute_name = attribute("attribute");
            attribute("object-type").map(|element| Target::Named { element, attribute: attribute_name })
        };
        match target {
            Some(target) => self.marks.push((kind, target)),
            None => self.blind |= kind == Kind::Deny,
        }
    }

    /// What they come to in a document, which need not be the one that they stand in.
    #[must_use]
    pub fn on(&self, document: &Document) -> Rights {
        let slots = document.slots();
        let mut marks = vec![Marks::default(); slots];
        let mut blind = self.blind;
        for (kind, target) in &self.marks {
            match target.elements(document) {
                Some(elements) => elements.iter().for_each(|element| marks_of(&mut marks, *element, *kind)),
                None => blind |= *kind == Kind::Deny,
            }
        }
        let mut rights = Rights { of: vec![Right::default(); slots] };
        if blind {
            return rights;
        }
        let root = document.root();
        for element in std::iter::once(root).chain(root.descendants()) {
            let above = element.parent().map_or(Right::default(), |parent| rights.right(parent));
            let mark = marks.get(element.node().0 as usize).copied().unwrap_or_default();
            if let Some(right) = rights.of.get_mut(element.node().0 as usize) {
                *right = mark.below(above);
            }
        }
        rights
    }
}

impl Target {
    /// The elements that are meant; nothing where that cannot be said.
    fn elements<'a>(&self, document: &'a Document) -> Option<Vec<Element<'a>>> {
        let root = document.root();
        let all = std::iter::once(root).chain(root.descendants());
        Some(match self {
            Target::Path(path) => {
                let nodes = path.select(document).ok()?;
                nodes.into_iter().map(|node| node.element().unwrap_or(root)).collect()
            }
            Target::Id(id) => all.filter(|element| element.id() == Some(id.as_str())).collect(),
            Target::Named { element: name, attribute } => {
                let has = |element: &Element<'_>| {
                    attribute.as_deref().is_none_or(|attribute| element.attribute(attribute).is_some())
                };
                all.filter(|element| element.name() == name).filter(has).collect()
            }
        })
    }
}

/// The marks on one element.
#[derive(Debug, Clone, Copy, Default)]
struct Marks {
    read: bool,
    write: bool,
    deny: bool,
}

fn marks_of(marks: &mut [Marks], element: Element<'_>, kind: Kind) {
    if let Some(marks) = marks.get_mut(element.node().0 as usize) {
        match kind {
            Kind::Read => marks.read = true,
            Kind::Write => marks.write = true,
            Kind::Deny => marks.deny = true,
        }
    }
}

impl Marks {
    /// The right on an element with these marks below one with that right.
    fn below(self, above: Right) -> Right {
        if self.deny {
            return Right::default();
        }
        let write = self.write || above.write;
        Right { read: write || self.read || above.read, write }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Right {
    read: bool,
    write: bool,
}

/// What a user may do with each element of one document.
#[derive(Debug, Clone)]
pub struct Rights {
    /// By the elements' slots.
    of: Vec<Right>,
}

impl Rights {
    fn right(&self, element: Element<'_>) -> Right {
        self.of.get(element.node().0 as usize).copied().unwrap_or_default()
    }

    /// What is permitted for an element.
    #[must_use]
    pub fn access(&self, element: Element<'_>) -> Access {
        match self.right(element) {
            Right { write: true, .. } => Access::Writable,
            Right { read: true, .. } => Access::Readable,
            Right { .. } => Access::Denied,
        }
    }

    /// Whether nothing of the document is hidden.
    #[must_use]
    pub fn reads_all(&self, document: &Document) -> bool {
        let root = document.root();
        std::iter::once(root).chain(root.descendants()).all(|element| self.right(element).read)
    }
}

#[cfg(test)]
mod tests;
