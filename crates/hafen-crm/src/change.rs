//! Taking away and renaming objects, with all that refers to them.

use std::fmt;

use hafen_cib::{Cib, Document, Element, NodeId};

use crate::apply::section_of;

/// Attributes that name an object, by the element that has them.
const NAMING: [(&str, &str); 12] = [
    ("rsc_location", "rsc"),
    ("rsc_colocation", "rsc"),
    ("rsc_colocation", "with-rsc"),
    ("rsc_order", "first"),
    ("rsc_order", "then"),
    ("rsc_ticket", "rsc"),
    ("resource_ref", "id"),
    ("obj_ref", "id"),
    ("primitive", "template"),
    ("acl_permission", "reference"),
    ("role", "id"),
    ("fencing-level", "target"),
];
/// What is nothing without a child of this name.
const EMPTY_WITHOUT: [(&str, &[&str]); 7] = [
    ("group", &["primitive"]),
    ("clone", &["primitive", "group"]),
    ("master", &["primitive", "group"]),
    ("resource_set", &["resource_ref"]),
    ("tag", &["obj_ref"]),
    ("fencing-topology", &["fencing-level"]),
    ("acl_role", &["acl_permission"]),
];
const CONSTRAINTS: [&str; 4] = ["rsc_location", "rsc_colocation", "rsc_order", "rsc_ticket"];

/// Why an object cannot be changed so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeError {
    /// There is no object of that id.
    Unknown(String),
    /// Another object has that id already.
    Taken(String),
    /// It is used by these, and would have to be taken from them first.
    Used {
        /// The object.
        id: String,
        /// What uses it.
        by: Vec<String>,
    },
    /// It is no group.
    NoGroup(String),
    /// It is no member of the group.
    NoMember {
        /// The group.
        group: String,
        /// The resource.
        id: String,
    },
}

impl fmt::Display for ChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(id) => write!(f, "object {id} does not exist"),
            Self::Taken(id) => write!(f, "object {id} already exists"),
            Self::Used { id, by } => write!(f, "object {id} is used by {}", by.join(", ")),
            Self::NoGroup(id) => write!(f, "{id} is not a group"),
            Self::NoMember { group, id } => write!(f, "{id} is not a member of group {group}"),
        }
    }
}

/// The object with an id.
fn object<'c>(cib: &'c Cib, id: &str) -> Result<Element<'c>, ChangeError> {
    let is_object = |element: &Element<'_>| section_of(element.name()).is_some() || element.name() == "node";
    let found = cib.document().all_by_id(id).into_iter().find(is_object);
    found.or_else(|| node(cib, id)).ok_or_else(|| ChangeError::Unknown(id.to_string()))
}

/// A node has a name beside its id.
fn node<'c>(cib: &'c Cib, uname: &str) -> Option<Element<'c>> {
    cib.nodes()?.children().find(|node| node.attribute("uname") == Some(uname))
}

/// Takes objects away, with what is nothing without them: constraints on them, groups and clones of nothing else. Answers the
/// ids of what went beside them.
///
/// # Errors
///
/// An object is not there; or it is a template that a primitive uses, or a role that a user has. Nothing is changed then.
pub fn delete(cib: &mut Cib, ids: &[String]) -> Result<Vec<String>, ChangeError> {
    let mut changed = cib.clone();
    let mut nodes = Vec::new();
    for id in ids {
        let found = object(&changed, id)?;
        if let "template" | "acl_role" = found.name() {
            let by = users(&changed, id, ids);
            if !by.is_empty() {
                return Err(ChangeError::Used { id: id.clone(), by });
            }
        }
        nodes.push(found.node());
    }
    let mut gone = Vec::new();
    for (id, node) in ids.iter().zip(nodes) {
        if is_there(&changed, node) {
            forget(&mut changed, id, node, &mut gone);
        }
    }
    *cib = changed;
    gone.retain(|id| !ids.contains(id));
    Ok(gone)
}

/// Whether an element still hangs on the root.
fn is_there(cib: &Cib, node: NodeId) -> bool {
    cib.root().descendants().any(|element| element.node() == node)
}

/// Which objects use a template or a role, beside those that go too.
fn users(cib: &Cib, id: &str, going: &[String]) -> Vec<String> {
    let uses = |element: &Element<'_>| {
        element.attribute("template") == Some(id) || element.name() == "role" && element.id() == Some(id)
    };
    let owner = |element: Element<'_>| match element.name() {
        "role" => element.parent().and_then(Element::id).map(str::to_string),
        _ => element.id().map(str::to_string),
    };
    let found = cib.root().descendants().filter(uses).filter_map(owner);
    found.filter(|user| !going.contains(user)).collect()
}

fn forget(cib: &mut Cib, id: &str, node: NodeId, gone: &mut Vec<String>) {
    let inner: Vec<(String, NodeId)> = cib
        .document()
        .element(node)
        .descendants()
        .filter(|inner| inner.node() != node && section_of(inner.name()) == Some("resources"))
        .filter_map(|inner| Some((inner.id()?.to_string(), inner.node())))
        .collect();
    // What a group or a clone holds stays, in its place.
    let holds = matches!(cib.document().element(node).name(), "group" | "clone" | "master");
    if holds {
        let document = cib.document_mut();
        let (parent, mut position) = place(document, node);
        for (_, member) in inner
            .iter()
            .filter(|(_, member)| {
                document.element(*member).parent().is_some_and(|parent| parent.node() == node)
            })
            .cloned()
            .collect::<Vec<_>>()
        {
            document.move_to(member, parent, position);
            position += 1;
        }
    }
    let parent = cib.document().element(node).parent().map(Element::node);
    cib.document_mut().remove(node);
    prune(cib, parent, gone);
    let mut names = vec![id.to_string()];
    if !holds {
        names.extend(inner.into_iter().map(|(id, _)| id));
    }
    for name in names {
        while let Some(user) = user_of(cib, &name) {
            drop_user(cib, user, &name, gone);
        }
    }
}

fn place(document: &Document, node: NodeId) -> (NodeId, usize) {
    let element = document.element(node);
    (element.parent().map_or(node, Element::node), element.position())
}

/// An element that names an object, other than by its own id.
fn user_of(cib: &Cib, id: &str) -> Option<NodeId> {
    let names = |element: &Element<'_>| {
        NAMING
            .iter()
            .any(|(tag, attribute)| element.name() == *tag && element.attribute(attribute) == Some(id))
            || devices(*element).is_some_and(|mut devices| devices.any(|device| device == id))
    };
    cib.configuration()?.descendants().find(names).map(Element::node)
}

/// The devices of a fencing level.
fn devices(level: Element<'_>) -> Option<impl Iterator<Item = &str>> {
    let devices = level.attribute("devices").filter(|_| level.name() == "fencing-level")?;
    Some(devices.split(',').map(str::trim))
}

fn drop_user(cib: &mut Cib, user: NodeId, id: &str, gone: &mut Vec<String>) {
    let element = cib.document().element(user);
    let left =
        devices(element).map(|devices| devices.filter(|device| *device != id).collect::<Vec<_>>().join(","));
    if let Some(left) = left.filter(|left| !left.is_empty()) {
        return cib.document_mut().set_attribute(user, "devices", &left);
    }
    if section_of(element.name()).is_some() {
        gone.extend(element.id().map(str::to_string));
    }
    let parent = element.parent().map(Element::node);
    cib.document_mut().remove(user);
    prune(cib, parent, gone);
}

/// Takes away what has become nothing.
fn prune(cib: &mut Cib, mut at: Option<NodeId>, gone: &mut Vec<String>) {
    while let Some(node) = at {
        let element = cib.document().element(node);
        let has = |names: &[&str]| element.children().any(|child| names.contains(&child.name()));
        let is_empty = match EMPTY_WITHOUT.iter().find(|(tag, _)| element.name() == *tag) {
            Some((_, needed)) => !has(needed),
            None => {
                CONSTRAINTS.contains(&element.name())
                    && element.attribute("rsc").is_none()
                    && element.attribute("first").is_none()
                    && element.attribute("rsc-pattern").is_none()
                    && !has(&["resource_set"])
            }
        };
        if !is_empty {
            return;
        }
        if section_of(element.name()).is_some() && element.name() != "fencing-topology" {
            gone.extend(element.id().map(str::to_string));
        }
        at = element.parent().map(Element::node);
        let id = element.id().map(str::to_string);
        cib.document_mut().remove(node);
        // What named it is nothing either.
        for id in id.into_iter() {
            while let Some(user) = user_of(cib, &id) {
                drop_user(cib, user, &id, gone);
            }
        }
    }
}

/// Gives an object another id, and names it so wherever it is named.
///
/// # Errors
///
/// It is not there, or the id is taken.
pub fn rename(cib: &mut Cib, old: &str, new: &str) -> Result<(), ChangeError> {
    let found = object(cib, old)?;
    if found.name() == "node" {
        return Err(ChangeError::Unknown(old.to_string()));
    }
    let node = found.node();
    if cib.document().by_id(new).is_some() {
        return Err(ChangeError::Taken(new.to_string()));
    }
    cib.document_mut().set_attribute(node, "id", new);
    let users: Vec<NodeId> =
        cib.configuration().into_iter().flat_map(Element::descendants).map(Element::node).collect();
    for user in users {
        let element = cib.document().element(user);
        let attributes: Vec<&str> = NAMING
            .iter()
            .filter(|(tag, attribute)| element.name() == *tag && element.attribute(attribute) == Some(old))
            .map(|(_, attribute)| *attribute)
            .collect();
        let devices = devices(element).map(|devices| {
            devices.map(|device| if device == old { new } else { device }).collect::<Vec<_>>().join(",")
        });
        for attribute in attributes {
            cib.document_mut().set_attribute(user, attribute, new);
        }
        if let Some(devices) = devices {
            cib.document_mut().set_attribute(user, "devices", &devices);
        }
    }
    Ok(())
}

/// Where a new member goes in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'p> {
    /// Behind all others.
    Last,
    /// Before this member.
    Before(&'p str),
    /// Behind this member.
    After(&'p str),
}

/// Puts a primitive into a group, from wherever it is.
///
/// # Errors
///
/// One of them is not there, or not what it has to be.
pub fn add_to_group(cib: &mut Cib, group: &str, id: &str, place: Place<'_>) -> Result<(), ChangeError> {
    let parent = group_node(cib, group)?;
    let member = object(cib, id)?;
    let node = member.node();
    if member.name() != "primitive" {
        return Err(ChangeError::Unknown(id.to_string()));
    }
    let by = member.parent().filter(|parent| parent.name() != "resources").and_then(Element::id);
    if let Some(by) = by {
        return Err(ChangeError::Used { id: id.to_string(), by: vec![by.to_string()] });
    }
    let members: Vec<(usize, &str)> = cib
        .document()
        .element(parent)
        .children()
        .filter(|child| child.name() == "primitive")
        .map(|child| (child.position(), child.id().unwrap_or_default()))
        .collect();
    let at = |wanted: &str| {
        let found = members.iter().find(|(_, id)| *id == wanted).map(|(position, _)| *position);
        found.ok_or_else(|| ChangeError::NoMember { group: group.to_string(), id: wanted.to_string() })
    };
    let position = match place {
        Place::Last => members.last().map_or(0, |(position, _)| position + 1),
        Place::Before(other) => at(other)?,
        Place::After(other) => at(other)? + 1,
    };
    cib.document_mut().move_to(node, parent, position);
    Ok(())
}

/// Takes a member out of a group; it stays a resource of its own.
///
/// # Errors
///
/// One of them is not there; or it is the group's only member.
pub fn remove_from_group(cib: &mut Cib, group: &str, id: &str) -> Result<(), ChangeError> {
    let parent = group_node(cib, group)?;
    let members = || cib.document().element(parent).children().filter(|child| child.name() == "primitive");
    let Some(member) = members().find(|member| member.id() == Some(id)).map(Element::node) else {
        return Err(ChangeError::NoMember { group: group.to_string(), id: id.to_string() });
    };
    if members().count() == 1 {
        return Err(ChangeError::Used {
            id: id.to_string(),
            by: vec![format!("{group}, as its only member")],
        });
    }
    let resources = cib.section_or_new("resources");
    let end = cib.document().element(resources).children().count();
    cib.document_mut().move_to(member, resources, end);
    Ok(())
}

fn group_node(cib: &Cib, group: &str) -> Result<NodeId, ChangeError> {
    let found = object(cib, group)?;
    if found.name() == "group" { Ok(found.node()) } else { Err(ChangeError::NoGroup(group.to_string())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Filter, Mode, apply, parse, show};

    const TEXT: &str = "node 1: n1\n\
        primitive a ocf:pacemaker:Dummy\nprimitive b ocf:pacemaker:Dummy\nprimitive c ocf:pacemaker:Dummy\n\
        primitive f stonith:null params hostlist=n1\nprimitive h stonith:null params hostlist=n1\n\
        group g a b\nclone cl c\n\
        location l g 100: n1\nlocation lc cl 100: n1\ncolocation co inf: a c\norder o a ( b c )\n\
        fencing_topology n1: f,h\ntag t a c\n";

    fn cib(text: &str) -> Cib {
        let mut cib = Cib::new();
        apply(&mut cib, &parse(text).expect("no mistake"), Mode::Update).expect("it fits");
        cib
    }

    fn shown(cib: &Cib) -> Vec<String> {
        let text = show(cib, &Filter::default());
        text.replace(" \\\n\t", " ").lines().map(|line| line.trim_end().to_string()).collect()
    }

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_string()).collect()
    }

    #[test]
    fn what_is_nothing_without_it_goes_too() {
        let mut cib = cib(TEXT);
        let mut gone = delete(&mut cib, &words(&["c"])).expect("it is there");
        gone.sort();
        assert_eq!(gone, ["cl", "co", "lc"]);
        let left = shown(&cib).join("\n");
        assert!(!left.contains("clone") && left.contains("tag t a") && left.contains("order o"), "{left}");
        delete(&mut cib, &words(&["f"])).expect("it is there");
        assert!(
            shown(&cib).iter().any(|line| line.contains("fencing_topology") && line.ends_with('h')),
            "{:?}",
            shown(&cib)
        );
    }

    #[test]
    fn members_outlive_their_group() {
        let mut cib = cib(TEXT);
        assert_eq!(delete(&mut cib, &words(&["g"])).expect("it is there"), ["l"]);
        let left = shown(&cib);
        assert!(left.iter().any(|line| line.starts_with("primitive a")), "{left:?}");
        assert!(left.iter().any(|line| line.starts_with("colocation co")), "{left:?}");
        assert_eq!(delete(&mut cib, &words(&["g"])), Err(ChangeError::Unknown("g".into())));
    }

    #[test]
    fn an_object_is_renamed_wherever_it_is_named() {
        let mut cib = cib(TEXT);
        rename(&mut cib, "a", "z").expect("it is there");
        rename(&mut cib, "f", "y").expect("it is there");
        let left = shown(&cib).join("\n");
        for part in ["group g z b", "colocation co inf: z c", "order o z ( b c )", "tag t z c", "y,h"] {
            assert!(left.contains(part), "{part}\n{left}");
        }
        assert_eq!(rename(&mut cib, "z", "b"), Err(ChangeError::Taken("b".into())));
    }

    #[test]
    fn groups_gain_and_lose_members() {
        let mut cib = cib("primitive a ocf:pacemaker:Dummy\nprimitive b ocf:pacemaker:Dummy\n\
            primitive c ocf:pacemaker:Dummy\ngroup g a\n");
        add_to_group(&mut cib, "g", "b", Place::Before("a")).expect("it fits");
        add_to_group(&mut cib, "g", "c", Place::After("b")).expect("it fits");
        assert!(shown(&cib).contains(&"group g b c a".to_string()), "{:?}", shown(&cib));
        remove_from_group(&mut cib, "g", "c").expect("it is a member");
        remove_from_group(&mut cib, "g", "b").expect("it is a member");
        assert!(remove_from_group(&mut cib, "g", "a").is_err(), "nothing would be left");
        assert!(add_to_group(&mut cib, "g", "a", Place::Last).is_err(), "it is in it");
    }
}
