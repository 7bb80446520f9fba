//! Patchsets: what turns one CIB into another, in Pacemaker's form (`<diff format="2">`).
//!
//! Changes are applied in Pacemaker's order: deletions and modifications as they stand, then
//! creations and moves by their final position. A patchset names the version it starts from and
//! the one it leads to; one of ours also carries the digest of the result.

mod apply;
mod diff;
mod path;

use crate::cib::{Cib, Version};
use crate::xml::{Document, Element, NodeId, ParseError, is_name};
use path::Path;

/// A set of changes from one version of a CIB to another.
#[derive(Debug, Clone)]
pub struct Patchset {
    document: Document,
}

/// Why a patchset is malformed or cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatchError {
    /// It is not XML.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// It is XML, but not a patchset of format 2.
    #[error("line {line}: {what}")]
    Malformed {
        /// The line of the patchset's source; 0 if it was never written.
        line: u32,
        /// What is wrong.
        what: String,
    },
    /// The CIB is at another version than the patchset starts from.
    #[error("the patchset starts from version {expected}, the CIB is at {found}")]
    Base {
        /// Where the patchset starts.
        expected: Version,
        /// Where the CIB is.
        found: Version,
    },
    /// A change names something that is not there.
    #[error("there is no `{0}` in the CIB")]
    NoSuchPath(String),
    /// The result is at another version than the patchset says.
    #[error("the result is at version {found}, the patchset leads to {expected}")]
    Target {
        /// Where the patchset leads.
        expected: Version,
        /// Where it led.
        found: Version,
    },
    /// The result has another digest than the patchset says: the CIB it started from was another.
    #[error("the result has the digest {found}, the patchset says {expected}")]
    Digest {
        /// The digest in the patchset.
        expected: String,
        /// The digest of the result.
        found: String,
    },
}

/// One change of a patchset.
#[derive(Debug, Clone)]
pub enum Change<'a> {
    /// A new child (an element, or a comment) of the element at `parent`.
    Create {
        /// The parent's path.
        parent: &'a str,
        /// The child's final position among all children.
        position: usize,
        /// The `<change>` that holds the child.
        holder: Element<'a>,
    },
    /// Attributes set (`Some`) and removed (`None`), one after the other.
    Modify {
        /// The element's path.
        path: &'a str,
        /// Names and new values.
        attributes: Vec<(&'a str, Option<&'a str>)>,
    },
    /// An element, or the comment at `position`, removed.
    Delete {
        /// The node's path; for a comment it ends in `/comment`.
        path: &'a str,
        /// The position of a comment.
        position: Option<usize>,
    },
    /// An element moved among its siblings.
    Move {
        /// The element's path.
        path: &'a str,
        /// Its final position among all children.
        position: usize,
    },
    /// The whole tree replaced; only for content that no path can name, such as text in `<cib>`.
    Replace {
        /// The new root.
        root: Element<'a>,
    },
}

/// The attribute with the digest of the result as Pacemaker computes it.
const DIGEST_V3: &str = "digest";
/// The attribute with the digest of the result as [`Cib::digest`] computes it.
const DIGEST: &str = "tree-digest";

impl Patchset {
    /// The changes from `old` to `new`, with the digest of `new`.
    ///
    /// Quick if both have their digests ([`Cib::refresh_digest`]); else they are copied and hashed.
    pub fn diff(old: &Cib, new: &Cib) -> Patchset {
        let mut patchset = diff::diff(old, new);
        let root = patchset.document.root().node();
        patchset.document.set_attribute(root, DIGEST, &new.digest());
        patchset
    }

    /// The changes that put another configuration into `old` and leave its status alone: the epoch
    /// is raised, `num_updates` starts again at 0.
    pub fn diff_configuration(old: &Cib, configuration: Element<'_>) -> Patchset {
        let mut new = old.clone();
        new.replace_configuration(configuration);
        new.bump_epoch();
        Patchset::diff(old, &new)
    }

    /// The same patchset with Pacemaker's digest of the result, for Pacemaker's own tools.
    pub fn with_digest_v3(mut self, new: &Cib) -> Patchset {
        let root = self.document.root().node();
        self.document.remove_attribute(root, DIGEST);
        self.document.set_attribute(root, DIGEST_V3, &new.digest_v3());
        self
    }

    /// Apply all changes, or, on any error, none.
    ///
    /// Errors: the CIB is not at [`Patchset::source`]; a path names nothing; the result is not at
    /// [`Patchset::target`], or has another digest than the patchset says.
    pub fn apply(&self, cib: &mut Cib) -> Result<(), PatchError> {
        apply::apply(self, cib)
    }

    /// The patchset as XML.
    pub fn to_xml(&self) -> String {
        self.document.to_xml()
    }

    /// The patchset as XML without layout, for messages.
    pub fn to_xml_compact(&self) -> String {
        self.document.root().to_xml_compact()
    }

    /// Read a patchset. Every change is checked for form, none against any CIB.
    pub fn from_xml(source: &str) -> Result<Patchset, PatchError> {
        Patchset::from_document(Document::parse(source)?)
    }

    /// Take an element `<diff format="2">` as a patchset.
    pub fn from_document(document: Document) -> Result<Patchset, PatchError> {
        let root = document.root();
        if root.name() != "diff" || root.attribute("format") != Some("2") {
            return malformed(root, "expected `<diff format=\"2\">`");
        }
        let versions = ["source", "target"].map(|name| root.child("version").and_then(|v| v.child(name)));
        for version in versions {
            let Some(version) = version else {
                return malformed(root, "expected `<version>` with `<source>` and `<target>`");
            };
            for name in ["admin_epoch", "epoch", "num_updates"] {
                if version.attribute(name).is_none_or(|value| value.parse::<u64>().is_err()) {
                    return malformed(version, &format!("expected a number in `{name}`"));
                }
            }
        }
        for change in root.children_named("change") {
            read_change(change)?;
        }
        Ok(Patchset { document })
    }

    /// The version that the patchset starts from.
    pub fn source(&self) -> Version {
        self.version("source")
    }

    /// The version that it leads to.
    pub fn target(&self) -> Version {
        self.version("target")
    }

    fn version(&self, name: &str) -> Version {
        self.document.root().child("version").and_then(|v| v.child(name)).map(Version::of).unwrap_or_default()
    }

    /// The digest of the result ([`Cib::digest`]), if the patchset carries one.
    pub fn digest(&self) -> Option<&str> {
        self.document.root().attribute(DIGEST)
    }

    /// Pacemaker's digest of the result, if the patchset carries one.
    pub fn digest_v3(&self) -> Option<&str> {
        self.document.root().attribute(DIGEST_V3)
    }

    /// The changes in their order.
    pub fn changes(&self) -> impl Iterator<Item = Change<'_>> {
        self.document.root().children_named("change").filter_map(|change| read_change(change).ok())
    }

    /// Whether there is no change at all.
    pub fn is_empty(&self) -> bool {
        self.changes().next().is_none()
    }

    /// Whether a change touches `/cib/configuration`.
    pub fn changes_configuration(&self) -> bool {
        self.changes()
            .any(|change| change.path().starts_with("/cib/configuration") || change.holds("configuration"))
    }

    /// Whether a change touches `/cib/status`.
    pub fn changes_status(&self) -> bool {
        self.changes().any(|change| change.path().starts_with("/cib/status") || change.holds("status"))
    }

    /// A patchset without changes.
    fn new(source: Version, target: Version) -> Patchset {
        let mut document = Document::new("diff");
        let root = document.root().node();
        document.set_attribute(root, "format", "2");
        let versions = document.append_element(root, "version");
        for (name, version) in [("source", source), ("target", target)] {
            let element = document.append_element(versions, name);
            for (name, value) in version.fields() {
                document.set_attribute(element, name, &value.to_string());
            }
        }
        Patchset { document }
    }

    /// Add a change, and give its element.
    fn push(&mut self, operation: &str, path: &str, position: Option<usize>) -> NodeId {
        let root = self.document.root().node();
        let change = self.document.append_element(root, "change");
        self.document.set_attribute(change, "operation", operation);
        self.document.set_attribute(change, "path", path);
        if let Some(position) = position {
            self.document.set_attribute(change, "position", &position.to_string());
        }
        change
    }
}

impl<'a> Change<'a> {
    /// The path of what is changed; of its parent for a creation.
    pub fn path(&self) -> &'a str {
        match self {
            Change::Create { parent, .. } => parent,
            Change::Modify { path, .. } | Change::Delete { path, .. } | Change::Move { path, .. } => path,
            Change::Replace { .. } => "/cib",
        }
    }

    /// Whether the change brings a section of that name into `/cib` as a whole.
    fn holds(&self, section: &str) -> bool {
        match self {
            Change::Create { parent: "/cib", holder, .. } => holder.child(section).is_some(),
            Change::Replace { .. } => true,
            _ => false,
        }
    }
}

fn malformed<T>(element: Element<'_>, what: &str) -> Result<T, PatchError> {
    Err(PatchError::Malformed { line: element.line(), what: what.to_string() })
}

fn read_change(change: Element<'_>) -> Result<Change<'_>, PatchError> {
    let path = change.attribute("path").unwrap_or("");
    if Path::parse(path).is_none() {
        return malformed(change, &format!("`{path}` is not a path of a patchset"));
    }
    let position = match change.attribute("position").map(str::parse::<usize>) {
        Some(Ok(position)) => Some(position),
        Some(Err(_)) => return malformed(change, "`position` is not a number from 0 up"),
        None => None,
    };
    let needed = |position: Option<usize>| match position {
        Some(position) => Ok(position),
        None => malformed(change, "expected `position`"),
    };
    match change.attribute("operation") {
        Some("create") => Ok(Change::Create { parent: path, position: needed(position)?, holder: change }),
        Some("delete") => Ok(Change::Delete { path, position }),
        Some("move") => Ok(Change::Move { path, position: needed(position)? }),
        Some("modify") => Ok(Change::Modify { path, attributes: read_attributes(change)? }),
        Some("replace") => match change.child("cib") {
            Some(root) if path == "/cib" => Ok(Change::Replace { root }),
            _ => malformed(change, "only `/cib` can be replaced, by a `<cib>`"),
        },
        other => malformed(change, &format!("`{}` is not an operation", other.unwrap_or(""))),
    }
}

/// Names and new values of an element's attributes.
type AttributeChanges<'a> = Vec<(&'a str, Option<&'a str>)>;

fn read_attributes(change: Element<'_>) -> Result<AttributeChanges<'_>, PatchError> {
    let Some(list) = change.child("change-list") else {
        return malformed(change, "expected `<change-list>`");
    };
    let mut attributes = Vec::new();
    for attribute in list.children_named("change-attr") {
        let Some(name) = attribute.attribute("name").filter(|name| is_name(name)) else {
            return malformed(attribute, "`name` is not the name of an attribute");
        };
        match (attribute.attribute("operation"), attribute.attribute("value")) {
            (Some("set"), Some(value)) => attributes.push((name, Some(value))),
            (Some("unset"), _) => attributes.push((name, None)),
            _ => return malformed(attribute, "expected `operation` set with a `value`, or unset"),
        }
    }
    Ok(attributes)
}

#[cfg(test)]
mod tests;
