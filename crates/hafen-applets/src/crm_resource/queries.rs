//! Where resources are, and how they are configured.

use hafen_cib::Cib;
use hafen_cib::xml::{Document, Element, NodeId};
use hafen_scheduler::{Inquiry, Told, Whereabouts};

use super::super::options::Given;
use super::super::output::{self, CrmExit, Failed, Printed, escaped};
use super::{Wanted, parameters};

pub(super) fn list(wanted: &Wanted) -> Printed {
    let ids: Vec<&str> =
        wanted.all.iter().filter(|found| found.is_primitive).map(|found| found.id.as_str()).collect();
    let items: String =
        ids.iter().map(|id| format!("  <item name=\"resource\">{}</item>\n", escaped(id))).collect();
    let mut printed = Printed::default();
    let xml = format!("<list name=\"resource names\" count=\"{}\">\n{items}</list>", ids.len());
    printed.add(&ids.join("\n"), &xml);
    printed
}

/// The agents of DRBD read these lines, and what stands after the host's name.
pub(super) fn locate(given: &Given, wanted: &Wanted) -> Result<Printed, Failed> {
    wanted.resource()?;
    let (name, active) = (&wanted.name, wanted.active());
    let (mut text, mut xml) = (String::new(), String::new());
    for (host, promoted) in &active {
        let mark = if *promoted { " Promoted" } else { "" };
        text += &match given.has('Q') {
            true => format!("{host}\n"),
            false => format!("resource {name} is running on: {host}{mark}\n"),
        };
        let state = if *promoted { " state=\"promoted\"" } else { "" };
        xml += &format!("    <node{state}>{}</node>\n", escaped(host));
    }
    let resource = escaped(name);
    if active.is_empty() {
        if !given.has('Q') && given.value(&[super::super::options::OUTPUT_AS]) != Some("xml") {
            eprintln!("resource {name} is NOT running");
        }
        return Ok(Printed { text, xml: format!("  <nodes resource=\"{resource}\"/>\n") });
    }
    Ok(Printed { text, xml: format!("  <nodes resource=\"{resource}\">\n{xml}  </nodes>\n") })
}

/// A state and the configuration below it: as it is written, or with what comes from a template.
pub(super) fn xml(wanted: &Wanted, cib: &Cib, expanded: bool) -> Result<Printed, Failed> {
    let resource = wanted.resource()?;
    let state = Inquiry::of(cib, output::now()).state(&resource.id);
    let element = configured(cib, resource, expanded);
    let text = format!("{}Resource XML:\n{element}", state.text);
    let xml = state.xml + &format!("<xml><![CDATA[{element}]]></xml>\n");
    Ok(Printed { text, xml: format!("  <resource_config>\n{}  </resource_config>\n", indented(&xml, 4)) })
}

/// The lines of XML so far to the right; those of a text inside stay where they are.
fn indented(xml: &str, width: usize) -> String {
    let (elements, text) = xml.find("<xml>").map_or((xml, ""), |at| xml.split_at(at));
    let blank = " ".repeat(width);
    let elements: String = elements.lines().map(|line| format!("{blank}{line}\n")).collect();
    if text.is_empty() { elements } else { format!("{elements}{blank}{text}") }
}

fn configured(cib: &Cib, resource: &Whereabouts, expanded: bool) -> String {
    let Some(element) = parameters::element(cib, &resource.name) else { return String::new() };
    let template = element.attribute("template").filter(|_| expanded);
    let template = template.and_then(|template| parameters::element(cib, template));
    let mut document = Document::new("resources");
    let root = document.root().node();
    let node = document.append_copy(root, element);
    if let Some(template) = template {
        add_template(&mut document, node, template);
    }
    // An instance has its number.
    if let Some((_, number)) = resource.id.rsplit_once(':').filter(|_| resource.id != resource.name) {
        let is_part = |part: &Element<'_>| matches!(part.name(), "primitive" | "group");
        let parts: Vec<NodeId> =
            document.element(node).descendants().filter(is_part).map(|part| part.node()).collect();
        for part in std::iter::once(node).chain(parts) {
            document.set_attribute(part, "clone", number);
        }
    }
    document.element(node).to_xml() + "\n"
}

/// Adds to a resource what its template says: the agent, sets of parameters, and operations that it has none of its own for.
fn add_template(document: &mut Document, node: NodeId, template: Element<'_>) {
    document.remove_attribute(node, "template");
    let old: Vec<(String, String)> = document.element(node).attributes().map(pair).collect();
    for (name, _) in &old {
        document.remove_attribute(node, name);
    }
    let id = old.iter().find(|(name, _)| name == "id").map_or("", |(_, value)| value);
    for (name, value) in template.attributes() {
        document.set_attribute(node, name, if name == "id" { id } else { value });
    }
    for (name, value) in &old {
        document.set_attribute(node, name, value);
    }
    let own = document.element(node).child("operations").map(Element::node);
    let mut place = 0;
    for child in template.children() {
        match own.filter(|_| child.name() == "operations") {
            Some(own) => add_operations(document, own, child),
            None => {
                document.insert_copy(node, place, child);
                place += 1;
            }
        }
    }
}

fn pair((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn add_operations(document: &mut Document, own: NodeId, inherited: Element<'_>) {
    let key = |operation: Element<'_>| {
        let part = |name: &str| operation.attribute(name).unwrap_or_default().to_owned();
        (part("name"), part("role"))
    };
    let known: Vec<_> = document.element(own).children_named("op").map(key).collect();
    for operation in inherited.children_named("op").filter(|operation| !known.contains(&key(*operation))) {
        document.append_copy(own, operation);
    }
}

/// What the scheduler tells, printed.
fn printed(told: Told) -> Printed {
    Printed { text: told.text, xml: indented(&told.xml, 2) }
}

/// All resources with their state.
pub(super) fn resources(cib: &Cib) -> Printed {
    printed(Inquiry::of(cib, output::now()).resources())
}

/// What agents did, as histories have it: they know instances that are alike by their common name alone.
pub(super) fn operations(given: &Given, cib: &Cib, all: bool) -> Printed {
    let node = given.value(&['N', 'H']);
    printed(Inquiry::of(cib, output::now()).operations(given.value(&['r']), node, all))
}

pub(super) fn constraints(given: &Given, wanted: &Wanted, cib: &Cib, all: bool) -> Result<Printed, Failed> {
    let id = &wanted.resource()?.id;
    Ok(printed(Inquiry::of(cib, output::now()).constraints(id, all, given.has('f'))))
}

pub(super) fn why(wanted: &Wanted, cib: &Cib) -> Printed {
    let id = wanted.resource().ok().map(|resource| resource.id.as_str());
    printed(Inquiry::of(cib, output::now()).why(id, wanted.host.as_deref()))
}

/// Words of the form `NAME=VALUE`.
pub(super) fn pairs(words: &[String]) -> Result<Vec<(String, String)>, Failed> {
    let pair = |word: &String| match word.split_once('=').filter(|(name, _)| !name.is_empty()) {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err(Failed::usage(format!("Error parsing '{word}' as a name=value pair"))),
    };
    words.iter().map(pair).collect()
}

/// The digests of a resource's parameters, as they are or as they would be with those that are given.
pub(super) fn digests(given: &Given, wanted: &Wanted, cib: &Cib) -> Result<Printed, Failed> {
    let node = wanted.host.as_deref().unwrap_or_default();
    let overrides = pairs(&given.words)?;
    let told = Inquiry::of(cib, output::now()).digests(&wanted.resource()?.id, node, &overrides);
    let none = || Failed::new(CrmExit::Unimplemented, "Error performing operation: Unimplemented");
    told.map(printed).ok_or_else(none)
}
