//! What is complained of in constraints.

use hafen_cib::values::parse_boolean;
use hafen_cib::xml::Element;

use super::Complaints;
use super::resources::Instance;

/// What a constraint says that has no effect.
pub(super) fn check(element: Element<'_>, all: &[Instance<'_>], found: &mut Complaints) {
    let id = element.id().unwrap_or_default();
    if let ("rsc_colocation", Some(value)) = (element.name(), element.attribute("influence"))
        && parse_boolean(value).is_none()
    {
        let text = format!("Constraint '{id}' has invalid value for influence (using default)");
        found.add(true, Some((element, "set it to true or false")), text);
    }
    let ordered = |set: &Element<'_>| set.attribute("ordering").is_some_and(|ordering| ordering != "group");
    let set = element.children_named("resource_set").find(ordered);
    if let ("rsc_colocation", Some(set)) = (element.name(), set) {
        let text = format!(
            "Support for 'ordering' other than 'group' in resource_set (such as {}) is deprecated and will be removed \
             in a future release",
            set.id().unwrap_or_default()
        );
        found.warn_once("ordering", (set, "leave ordering out"), text);
    }
    for name in ["role", "rsc-role", "with-rsc-role"] {
        if let Some(role) = element.attribute(name) {
            found.role(element, role);
        }
    }
    order(element, found);
    names(element, all, found);
}

fn order(element: Element<'_>, found: &mut Complaints) {
    if element.name() != "rsc_order" {
        return;
    }
    let says = |name: &str, value: bool| element.attribute(name).and_then(parse_boolean) == Some(value);
    if says("require-all", false) {
        let text = "Support for require-all in ordering constraints is deprecated and will be removed in a future \
                    release (use clone-min clone meta-attribute instead)";
        found.warn_once("require-all", (element, "set clone-min of the clone instead"), text.to_owned());
    }
    if element.attribute("kind") == Some("Serialize") && says("symmetrical", true) {
        let mut sets: Vec<&str> = element.children_named("resource_set").filter_map(Element::id).collect();
        let id = element.id().unwrap_or_default();
        if sets.is_empty() {
            sets.push(id);
        }
        for name in std::iter::once(id).chain(sets) {
            let text =
                format!("Ignoring symmetrical for '{name}' because not valid with kind of 'Serialize'");
            found.add(false, Some((element, "leave symmetrical out")), text);
        }
    }
}

/// What names no resource, or too many.
fn names(element: Element<'_>, all: &[Instance<'_>], found: &mut Complaints) {
    let id = element.id().unwrap_or_default();
    let ends: &[&str] = match element.name() {
        "rsc_colocation" => &["rsc", "with-rsc"],
        "rsc_order" => &["first", "then"],
        "rsc_location" | "rsc_ticket" => &["rsc"],
        _ => return,
    };
    let named: Vec<&str> = ends.iter().filter_map(|end| element.attribute(end)).collect();
    if let Some(name) = named.iter().find(|name| !is_known(element, name, all)) {
        unknown(element, name, found);
        let text = format!("Ignoring constraint '{id}' because '{name}' is not a valid resource or tag");
        return found.add(true, Some((element, NAME_MEND)), text);
    }
    let several = |name: &&str| {
        element.document().by_id(name).is_some_and(|named| matches!(named.name(), "tag" | "template"))
    };
    if element.name() == "rsc_colocation" && named.iter().filter(|name| several(name)).count() == 2 {
        let text = format!("Ignoring constraint '{id}' because two templates or tags cannot be colocated");
        return found.add(true, Some((element, "use resource sets, or one constraint for each pair")), text);
    }
    members(element, all, found);
}

/// The first name in the sets of a constraint that names no resource.
fn members(element: Element<'_>, all: &[Instance<'_>], found: &mut Complaints) {
    let sets = element.children_named("resource_set");
    let mut members =
        sets.flat_map(|set| set.children_named("resource_ref").map(move |member| (set, member)));
    let is_wrong = |member: Element<'_>| member.id().is_some_and(|name| !is_known(element, name, all));
    let Some((set, member)) = members.find(|(_, member)| is_wrong(*member)) else { return };
    let (id, set) = (element.id().unwrap_or_default(), set.id().unwrap_or_default());
    let name = member.id().unwrap_or_default();
    unknown(element, name, found);
    let text = format!(
        "Ignoring resource sets for constraint '{id}' because '{name}' is not a valid resource or tag"
    );
    found.add(true, Some((member, NAME_MEND)), text);
    match element.name() {
        "rsc_colocation" => {
            let text = format!("Ignoring {name} and later resources in set {set}: No such resource");
            found.add(true, None, text);
        }
        "rsc_order" => found.add(true, None, format!("{set}: No resource found for {name}")),
        _ => {}
    }
}

const NAME_MEND: &str = "name the clone or bundle around it, or a resource that there is";

/// What is inside of a clone or bundle has no name of its own in constraints, but one for each instance; and one in
/// histories, where there are any of it.
fn is_known(element: Element<'_>, name: &str, all: &[Instance<'_>]) -> bool {
    let document = element.document();
    let is_history = |entry: Element<'_>| entry.name() == "lrm_resource" && entry.id() == Some(name);
    match document.by_id(name).map(Element::name) {
        Some("tag") => true,
        Some("template") => is_used(element, name),
        _ => {
            all.iter().any(|instance| instance.name == name) || document.root().descendants().any(is_history)
        }
    }
}

fn unknown(element: Element<'_>, name: &str, found: &mut Complaints) {
    if element.document().by_id(name).map(Element::name) != Some("template") {
        found.add(false, None, format!("No resource, template, or tag named '{name}'"));
    }
}

/// Whether a resource is made from a template.
fn is_used(element: Element<'_>, template: &str) -> bool {
    let mut all = element.document().root().descendants();
    all.any(|primitive| primitive.attribute("template") == Some(template))
}
