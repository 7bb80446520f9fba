//! Statements to a CIB.

use std::collections::BTreeMap;

use hafen_cib::{Cib, Document, Element, NodeId};

use crate::check::check;
use crate::diagnostic::Diagnostic;
use crate::draft::{Builder, Draft, Id, MEMBER};
use crate::options;
use crate::references;
use crate::statement::{Kind, Statement};

/// What happens to what is configured already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Objects of the text take the place of those of the same name; others stay.
    Update,
    /// The text is the whole configuration.
    Replace,
    /// As [`Mode::Update`], and objects that the text does not have are removed.
    Push,
}

/// The section of the configuration that holds an element; `None` if it is no object.
pub(crate) fn section_of(tag: &str) -> Option<&'static str> {
    match tag {
        "master" => Some("resources"),
        "acl_user" => Some("acls"),
        "node_state" => None,
        "fencing-topology" => Some("fencing-topology"),
        tag => Cib::section_of(tag),
    }
}

/// In which order objects are made: what others hold comes before what holds it.
fn rank(statement: &Statement) -> usize {
    const RANKS: [&str; 8] =
        ["node", "template", "primitive", "bundle", "group", "master", "clone", "acl_role"];
    let later = RANKS.len()
        + match statement.draft.name.as_str() {
            "rsc_ticket" => 1,
            "op" => 2,
            _ => 0,
        };
    RANKS.iter().position(|tag| *tag == statement.draft.name).unwrap_or(later)
}

/// Apply all statements, or none: what is wrong with them is told, and the CIB is as it was.
///
/// The version of the CIB is left alone: who commits the change raises it.
pub fn apply(cib: &mut Cib, statements: &[Statement], mode: Mode) -> Result<(), Vec<Diagnostic>> {
    let mut changed = cib.clone();
    // Which hosts there are the cluster says: a text that names none takes none away.
    let names_nodes = statements.iter().any(|statement| statement.draft.name == "node");
    if mode == Mode::Replace {
        clear(&mut changed, names_nodes);
    }
    check(&changed, statements)?;
    if mode == Mode::Push {
        remove_others(&mut changed, statements, names_nodes);
    }
    let mut ordered: Vec<&Statement> = statements.iter().collect();
    ordered.sort_by_key(|statement| rank(statement));
    let mut parents = Adopted::new();
    let mut nodes = Nodes::of(&changed);
    for statement in &ordered {
        parents.extend(put(&mut changed, statement, &mut nodes).map_err(|problem| vec![problem])?);
    }
    for statement in &ordered {
        if statement.references.iter().any(|reference| reference.kind == Kind::List) {
            references::resolve(&mut changed, statement, &nodes);
        }
    }
    references::lists_exist(&changed, statements)?;
    references::follow_parents(&mut changed, &parents, statements);
    *cib = changed;
    Ok(())
}

fn clear(cib: &mut Cib, nodes_too: bool) {
    let Some(configuration) = cib.configuration() else { return };
    let sections = configuration.children().filter(|section| nodes_too || section.name() != "nodes");
    let sections: Vec<NodeId> = sections.map(Element::node).collect();
    for section in sections {
        cib.document_mut().clear(section);
    }
}

/// Remove the objects that no statement is about.
fn remove_others(cib: &mut Cib, statements: &[Statement], nodes_too: bool) {
    let named: std::collections::BTreeSet<&str> = statements.iter().filter_map(Statement::id).collect();
    let has = |tag: &str| statements.iter().any(|statement| statement.draft.name == tag);
    let Some(configuration) = cib.configuration() else { return };
    let mut gone = Vec::new();
    for section in configuration.children() {
        for object in section.children() {
            let known = match object.name() {
                "fencing-level" => has("fencing-topology"),
                "cluster_property_set" | "meta_attributes" => has(object.name()),
                "node" if !nodes_too => true,
                "node" => object.attribute("uname").is_some_and(|uname| named.contains(uname)),
                _ => object.id().is_some_and(|id| named.contains(id)),
            };
            if !known {
                gone.push(object.node());
            }
        }
    }
    let resources = cib.section_or_new("resources");
    for node in gone {
        release(cib.document_mut(), node, resources, &named);
        cib.document_mut().remove(node);
    }
}

/// Keep the members of a resource that are named.
fn release(
    document: &mut Document,
    node: NodeId,
    resources: NodeId,
    named: &std::collections::BTreeSet<&str>,
) {
    for member in members(document.element(node)) {
        let kept = document.element(member).id().is_some_and(|id| named.contains(id));
        if kept {
            document.move_to(member, resources, usize::MAX);
        } else {
            release(document, member, resources, named);
        }
    }
}

/// The resources inside of a resource.
fn members(element: Element<'_>) -> Vec<NodeId> {
    let is_member = |child: &Element<'_>| matches!(child.name(), "primitive" | "group");
    match element.name() {
        "group" | "clone" | "master" | "bundle" => {
            element.children().filter(is_member).map(Element::node).collect()
        }
        _ => Vec::new(),
    }
}

/// Children that got a new parent, and that.
pub(crate) type Adopted = BTreeMap<String, String>;

fn put(cib: &mut Cib, statement: &Statement, nodes: &mut Nodes) -> Result<Adopted, Diagnostic> {
    match statement.draft.name.as_str() {
        "op" => options::monitor(cib, statement).map(|()| Adopted::new()),
        "cluster_property_set" | "meta_attributes" if statement.word.word != "xml" => {
            options::set(cib, statement);
            Ok(Adopted::new())
        }
        "rsc_defaults" | "op_defaults" => {
            options::raw_sets(cib, &statement.draft);
            Ok(Adopted::new())
        }
        "fencing-topology" => {
            options::fencing(cib, &statement.draft);
            Ok(Adopted::new())
        }
        _ => Ok(object(cib, statement, nodes)),
    }
}

/// Nodes by their unames, which no index of the document has.
pub(crate) struct Nodes {
    by_uname: BTreeMap<String, NodeId>,
}

impl Nodes {
    pub(crate) fn of(cib: &Cib) -> Nodes {
        let mut nodes = Nodes { by_uname: BTreeMap::new() };
        for node in cib.nodes().into_iter().flat_map(|section| section.children_named("node")) {
            if let Some(uname) = node.attribute("uname") {
                nodes.by_uname.entry(uname.to_string()).or_insert(node.node());
            }
        }
        nodes
    }

    fn learn(&mut self, element: Element<'_>) {
        if let ("node", Some(uname)) = (element.name(), element.attribute("uname")) {
            self.by_uname.insert(uname.to_string(), element.node());
        }
    }

    fn forget(&mut self, element: Element<'_>) {
        if let ("node", Some(uname)) = (element.name(), element.attribute("uname")) {
            self.by_uname.remove(uname);
        }
    }

    /// The element that stands for the statement's object now.
    pub(crate) fn existing<'c>(&self, cib: &'c Cib, statement: &Statement) -> Option<Element<'c>> {
        let id = statement.id()?;
        let document = cib.document();
        if statement.draft.name == "node" {
            let named = statement.draft.get("uname").and_then(|uname| self.by_uname.get(uname));
            return named.map(|node| document.element(*node)).or_else(|| {
                let same = document.all_by_id(statement.draft.given_id()?);
                same.into_iter().find(|found| found.name() == "node")
            });
        }
        let section = section_of(&statement.draft.name);
        document.all_by_id(id).into_iter().find(|element| section_of(element.name()) == section)
    }
}

fn object(cib: &mut Cib, statement: &Statement, nodes: &mut Nodes) -> Adopted {
    let Some(section) = section_of(&statement.draft.name) else { return Adopted::new() };
    let mut draft = statement.draft.clone();
    modernise(cib, &mut draft);
    let old = nodes.existing(cib, statement).map(Element::node);
    if draft.name == "node" && draft.id == Id::None {
        let id = old.and_then(|node| cib.document().element(node).id().map(str::to_string));
        draft.id = id.map_or_else(|| Id::Made(draft.get("uname").unwrap_or("").to_string()), Id::Given);
    }
    let section = cib.section_or_new(section);
    let document = cib.document_mut();
    if let Some(node) = old {
        nodes.forget(document.element(node));
        for member in members(document.element(node)) {
            document.move_to(member, section, usize::MAX);
        }
    }
    let node = replace(document, old, section, &draft);
    nodes.learn(document.element(node));
    let adopted = adopt(document, node, section, &draft);
    // Who only gets another member may well have constraints on its members.
    if old.is_some() { Adopted::new() } else { adopted }
}

/// Make an element in the place of an old one, or at the end of its section.
pub(crate) fn replace(
    document: &mut Document,
    old: Option<NodeId>,
    section: NodeId,
    draft: &Draft,
) -> NodeId {
    let Some(old) = old else { return draft.build(&mut Builder::new(document), section, "") };
    let node = document.insert_element_before(old, &draft.name);
    document.remove(old);
    draft.fill(&mut Builder::new(document), node, "");
    node
}

/// Move the members into their new parent.
fn adopt(document: &mut Document, node: NodeId, section: NodeId, draft: &Draft) -> Adopted {
    let mut adopted = Adopted::new();
    let own = draft.given_id().unwrap_or("").to_string();
    for (position, child) in draft.children.iter().enumerate().filter(|(_, child)| child.name == MEMBER) {
        let Some(id) = child.given_id() else { continue };
        let Some(member) = resource(document, id) else { continue };
        if member.parent().map(Element::node) == Some(section) {
            adopted.insert(id.to_string(), own.clone());
        }
        let member = member.node();
        document.move_to(member, node, position);
    }
    adopted
}

/// The resource of a name; nodes may have the same.
pub(crate) fn resource<'d>(document: &'d Document, id: &str) -> Option<Element<'d>> {
    document.all_by_id(id).into_iter().find(|found| is_resource(*found))
}

/// Whether an element is a resource.
pub(crate) fn is_resource(element: Element<'_>) -> bool {
    matches!(element.name(), "primitive" | "group" | "clone" | "master" | "bundle")
}

/// Whether a schema still has what Pacemaker 3 took away.
pub(crate) fn is_old_schema(cib: &Cib) -> bool {
    let name = cib.root().attribute("validate-with").unwrap_or("");
    let major =
        name.strip_prefix("pacemaker-").and_then(|version| version.split('.').next()?.parse::<u32>().ok());
    major.is_some_and(|major| major < 4)
}

/// Where the schema has no `master` and no `acl_user` any more, what stands for them today.
fn modernise(cib: &Cib, draft: &mut Draft) {
    if has_old_rights(cib) && draft.name == "acl_role" {
        old_rights(draft);
    }
    if is_old_schema(cib) {
        return;
    }
    roles(draft);
    if draft.name == "master" {
        draft.name = "clone".to_string();
        let pair = Draft::new("nvpair", Id::Made("promotable".into()), draft.span);
        let pair = pair.with("name", "promotable").with("value", "true");
        let plain = |child: &&mut Draft| {
            child.name == "meta_attributes"
                && child.get("id-ref").is_none()
                && child.children.iter().all(|inner| inner.name == "nvpair")
        };
        match draft.children.iter_mut().find(plain) {
            Some(meta) => {
                meta.children.retain(|known| known.get("name") != Some("promotable"));
                meta.children.push(pair);
            }
            None => {
                let mut meta = Draft::new("meta_attributes", Id::Made("meta_attributes".into()), draft.span);
                meta.children.push(pair);
                draft.children.insert(0, meta);
            }
        }
    }
    if draft.name == "acl_user" && draft.children.iter().all(|child| child.name == "role_ref") {
        draft.name = "acl_target".to_string();
        for child in &mut draft.children {
            child.name = "role".to_string();
        }
    }
}

/// Whether a schema is of the time when rights were elements of their own.
pub(crate) fn has_old_rights(cib: &Cib) -> bool {
    cib.root().attribute("validate-with").is_some_and(|name| name.starts_with("pacemaker-1."))
}

/// The rights of a role as such a schema has them.
pub(crate) fn old_rights(draft: &mut Draft) {
    for right in draft.children.iter_mut().filter(|child| child.name == "acl_permission") {
        let Some(at) = right.attributes.iter().position(|(name, _)| name == "kind") else { continue };
        right.name = right.attributes.remove(at).1;
        right.id = Id::Made(right.name.clone());
        for (name, _) in &mut right.attributes {
            match name.as_str() {
                "reference" => *name = "ref".to_string(),
                "object-type" => *name = "tag".to_string(),
                _ => {}
            }
        }
    }
}

/// The names of roles that Pacemaker 2.1 brought.
fn roles(draft: &mut Draft) {
    let target_role = draft.name == "nvpair" && draft.get("name") == Some("target-role");
    for (name, value) in &mut draft.attributes {
        if matches!(name.as_str(), "role" | "rsc-role" | "with-rsc-role") || target_role && name == "value" {
            match value.as_str() {
                "Master" => *value = "Promoted".to_string(),
                "Slave" => *value = "Unpromoted".to_string(),
                _ => {}
            }
        }
    }
    draft.children.iter_mut().for_each(roles);
}
