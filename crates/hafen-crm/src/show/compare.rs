//! Whether a text makes an object as it is.

use hafen_cib::Element;

use super::lists::is_default_type;
use super::{Context, Object};
use crate::draft::{Draft, Id, MEMBER};

/// The text, read, makes the object's elements. Ids that the text does not give may be any that nothing refers to.
pub(crate) fn makes_the_same(text: &str, object: &Object<'_>, context: &Context) -> bool {
    let Ok(mut statements) = crate::parse(text) else { return false };
    let [statement] = statements.as_mut_slice() else { return false };
    if context.old_rights {
        crate::apply::old_rights(&mut statement.draft);
    }
    let statement = &*statement;
    if statement.word.word != object.word {
        return false;
    }
    if object.word == "fencing_topology" {
        return same_levels(&statement.draft, object, context);
    }
    let [element] = object.elements.as_slice() else { return false };
    if matches!(object.word, "property" | "rsc_defaults" | "op_defaults") {
        return same(&statement.draft, *element, context, true) && statement.id() == element.id();
    }
    let named = object.word == "node" || statement.id() == element.id();
    named && same(&statement.draft, *element, context, object.word == "node")
}

fn same(draft: &Draft, element: Element<'_>, context: &Context, any_id: bool) -> bool {
    let tag = if draft.name == MEMBER { element.name() } else { draft.name.as_str() };
    if tag != element.name() {
        return false;
    }
    let id_fits = match &draft.id {
        Id::Given(id) => element.id() == Some(id),
        Id::Made(_) => {
            element.id().is_some_and(|id| !context.referenced.contains(id) || id_is_made(draft, element, id))
        }
        Id::None => any_id || element.id().is_none(),
    };
    if !id_fits {
        return false;
    }
    if draft.name == MEMBER {
        return crate::apply::is_resource(element);
    }
    let operation = element.attribute("operation").unwrap_or("");
    let is_member = |name: &str, value: &str| tag == "node" && name == "type" && value == "member";
    let is_default = |name: &str, value: &str| match name {
        "type" => is_default_type(value, operation),
        "boolean-op" => value == "and",
        _ => false,
    };
    let counts =
        |(name, value): &(&str, &str)| *name != "id" && !is_member(name, value) && !is_default(name, value);
    let theirs = element.attributes().filter(counts).count();
    let fits = |(name, value): &(String, String)| element.attribute(name) == Some(value);
    if theirs != draft.attributes.len() || !draft.attributes.iter().all(fits) {
        return false;
    }
    same_children(draft, element, context)
}

/// The id that the text makes, where it is free.
fn id_is_made(draft: &Draft, element: Element<'_>, id: &str) -> bool {
    let Id::Made(words) = &draft.id else { return false };
    let above = element.parent().and_then(Element::id).unwrap_or("");
    id.strip_prefix(above).and_then(|rest| rest.strip_prefix('-')) == Some(words)
}

fn same_children(draft: &Draft, element: Element<'_>, context: &Context) -> bool {
    // Text and comments inside are not kept by words.
    if !element.text().trim().is_empty() {
        return false;
    }
    let pairs = |ours: &[&Draft], theirs: &[Element<'_>]| {
        ours.len() == theirs.len()
            && ours.iter().zip(theirs).all(|(ours, theirs)| same(ours, *theirs, context, false))
    };
    let theirs: Vec<Element<'_>> = element.children().collect();
    let ours: Vec<&Draft> = draft.children.iter().collect();
    if !crate::apply::is_resource(element) && draft.name != "alert" {
        return pairs(&ours, &theirs);
    }
    // Where members and lists stand among each other does not matter; their own order does.
    let split_ours = |member: bool| {
        ours.iter().copied().filter(|child| (child.name == MEMBER) == member).collect::<Vec<_>>()
    };
    let split_theirs = |member: bool| {
        theirs.iter().copied().filter(|child| crate::apply::is_resource(*child) == member).collect::<Vec<_>>()
    };
    pairs(&split_ours(true), &split_theirs(true)) && pairs(&split_ours(false), &split_theirs(false))
}

/// Levels: each is said once, whatever their order.
fn same_levels(draft: &Draft, object: &Object<'_>, context: &Context) -> bool {
    let levels = crate::options::levels(draft, &context.nodes);
    let mut ours: Vec<Vec<(&str, &str)>> = Vec::new();
    for level in &levels {
        ours.push(level.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect());
    }
    let theirs =
        object.elements.iter().map(|level| level.attributes().filter(|(name, _)| *name != "id").collect());
    let mut theirs: Vec<Vec<(&str, &str)>> = theirs.collect();
    for said in [&mut ours, &mut theirs] {
        said.iter_mut().for_each(|pairs| pairs.sort_unstable());
        said.sort_unstable();
    }
    ours == theirs
}
