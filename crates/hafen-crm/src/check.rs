//! What one statement cannot know: whether what it refers to exists.

use std::collections::BTreeMap;

use hafen_cib::Cib;

use crate::apply::{Nodes, is_old_schema, is_resource, resource, section_of};
use crate::diagnostic::{DIAGNOSTICS_MAXIMUM, Diagnostic};
use crate::draft::MEMBER;
use crate::statement::{Kind, Reference, Statement};

/// Tags of objects by name, as they will be after the statements.
struct Known<'k> {
    tags: BTreeMap<&'k str, &'k str>,
    cib: &'k Cib,
}

/// Hold the statements against the CIB that they will be applied to.
pub(crate) fn check(cib: &Cib, statements: &[Statement]) -> Result<(), Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let nodes = Nodes::of(cib);
    let mut known = Known { tags: BTreeMap::new(), cib };
    let objects = cib.configuration().into_iter().flat_map(|configuration| configuration.descendants());
    for object in objects.filter(|object| section_of(object.name()).is_some()) {
        if let Some(id) = object.id() {
            known.tags.insert(id, object.name());
        }
    }
    for statement in statements {
        if let (Some(id), false) = (statement.id(), matches!(statement.draft.name.as_str(), "op" | "node")) {
            known.tags.insert(id, &statement.draft.name);
        }
    }
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    for statement in statements {
        same_kind(cib, &nodes, statement, &mut problems);
        old_forms(cib, statement, &mut problems);
        for reference in &statement.references {
            known.reference(reference, &mut problems);
        }
        for member in statement.draft.children.iter().filter(|child| child.name == MEMBER) {
            let (Some(id), Some(own)) = (member.given_id(), statement.id()) else { continue };
            known.member(id, own, statement, member.span, &mut problems);
            if let Some(first) = owners.insert(id, own) {
                problems.push(Diagnostic::new(member.span, format!("`{id}` is in `{first}` already")));
            }
        }
        if problems.len() >= DIAGNOSTICS_MAXIMUM {
            break;
        }
    }
    problems.sort_by_key(|problem| problem.span);
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// An object keeps its kind; a clone and its old form are the same.
fn same_kind(cib: &Cib, nodes: &Nodes, statement: &Statement, problems: &mut Vec<Diagnostic>) {
    let tag = statement.draft.name.as_str();
    if matches!(tag, "op" | "node" | "cluster_property_set" | "meta_attributes" | "fencing-topology") {
        return;
    }
    let Some((id, span)) = &statement.name else { return };
    let old = nodes.existing(cib, statement).map(|old| old.name());
    let kind = |tag| match tag {
        "master" => "clone",
        "acl_user" => "acl_target",
        other => other,
    };
    if let Some(old) = old.filter(|old| kind(old) != kind(tag)) {
        problems.push(Diagnostic::new(*span, format!("`{id}` exists already, as a {}", word_of(old))));
    } else if old.is_none()
        && tag != "acl_target"
        && let Some(configuration) = cib.configuration()
        && let Some(other) = cib.document().all_by_id(id).into_iter().find(|other| other.name() != "node")
        && other.place().starts_with(&configuration.place())
    {
        problems.push(Diagnostic::new(*span, format!("the id `{id}` is used already: {}", other.place())));
    }
}

/// What the schema took away and has no other form for.
fn old_forms(cib: &Cib, statement: &Statement, problems: &mut Vec<Diagnostic>) {
    let draft = &statement.draft;
    let rights = draft.name == "acl_user" && draft.children.iter().any(|child| child.name != "role_ref");
    if rights && !is_old_schema(cib) && statement.word.word == "user" {
        let message =
            "a user has roles, no rights of its own: write `role ID ...` and `acl_target USER ROLE`";
        problems.push(Diagnostic::new(draft.span, message));
    }
}

/// The word of the language for a tag.
pub(crate) fn word_of(tag: &str) -> &str {
    match tag {
        "template" => "rsc_template",
        "master" => "ms",
        "rsc_location" => "location",
        "rsc_colocation" => "colocation",
        "rsc_order" => "order",
        "acl_role" => "role",
        "acl_user" => "user",
        "cluster_property_set" => "property",
        "fencing-level" => "fencing_topology",
        other => other,
    }
}

impl Known<'_> {
    fn reference(&self, reference: &Reference, problems: &mut Vec<Diagnostic>) {
        let tag = self.tags.get(reference.id.as_str()).copied();
        let (fits, what): (fn(&str) -> bool, &str) = match reference.kind {
            Kind::Resource => (
                |tag| {
                    matches!(tag, "primitive" | "group" | "clone" | "master" | "bundle" | "tag" | "template")
                },
                "resource",
            ),
            Kind::Template => (|tag| tag == "template", "template"),
            Kind::Role => (|tag| tag == "acl_role", "role"),
            // Lists are ids deep in objects, and may be made by the same text: those are looked up when applied.
            Kind::List => return,
        };
        if tag.is_some_and(fits) || problems.len() >= DIAGNOSTICS_MAXIMUM {
            return;
        }
        let message = match tag {
            Some(tag) => format!("`{}` is a {}, no {what}", reference.id, word_of(tag)),
            None => format!("there is no {what} `{}`", reference.id),
        };
        let near = self.tags.iter().filter(|(_, tag)| fits(tag)).map(|(id, _)| *id);
        problems.push(Diagnostic::new(reference.span, message).near(&reference.id, near));
    }

    /// Whether a resource can stand in another.
    fn member(
        &self,
        id: &str,
        own: &str,
        statement: &Statement,
        span: crate::text::Span,
        problems: &mut Vec<Diagnostic>,
    ) {
        let Some(tag) = self.tags.get(id).copied() else { return };
        let allowed: &[&str] = match statement.draft.name.as_str() {
            "clone" | "master" => &["primitive", "group"],
            _ => &["primitive"],
        };
        let kind = word_of(&statement.draft.name);
        if !allowed.contains(&tag) {
            let message =
                format!("`{id}` is a {}: a {kind} holds a {}", word_of(tag), allowed.join(" or a "));
            problems.push(Diagnostic::new(span, message));
        }
        let holder = resource(self.cib.document(), id).and_then(|found| found.parent());
        let holder = holder
            .filter(|holder| is_resource(*holder) && holder.id() != Some(own))
            .and_then(|holder| holder.id());
        if let Some(holder) = holder {
            problems.push(Diagnostic::new(span, format!("`{id}` is in `{holder}` already")));
        }
    }
}
