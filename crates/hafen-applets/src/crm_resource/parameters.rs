//! Parameters, meta attributes, utilization and the element's own attributes of resources.

use hafen_cib::Cib;
use hafen_cib::views::{NO_RULES, Pairs};
use hafen_cib::xml::Element;

use super::super::options::Given;
use super::super::output::{CrmExit, Failed, Printed, escaped};
use super::super::pairs::{Ids, SetPair, set_pair};
use super::super::source::Source;
use super::{ELEMENT, RECURSIVE, SPEC, Wanted};

/// The element that holds what is meant.
fn kind(given: &Given) -> &'static str {
    match (given.has('m'), given.has('z')) {
        (true, _) => "meta_attributes",
        (_, true) => "utilization",
        _ => "instance_attributes",
    }
}

pub(super) fn element<'a>(cib: &'a Cib, resource: &str) -> Option<Element<'a>> {
    let is_resource = |name: &str| matches!(name, "primitive" | "group" | "clone" | "bundle" | "template");
    cib.resources()?
        .descendants()
        .find(|element| element.id() == Some(resource) && is_resource(element.name()))
}

/// The value that counts: the resource's own, its template's, then (of meta attributes) the defaults.
fn value<'a>(cib: &'a Cib, resource: &str, kind: &str, name: &str) -> Option<&'a str> {
    let own = element(cib, resource)?;
    let template = own.attribute("template").and_then(|template| element(cib, template));
    let defaults = cib.section("rsc_defaults").filter(|_| kind == "meta_attributes");
    let mut owners = [Some(own), template, defaults].into_iter().flatten();
    owners.find_map(|owner| Pairs::of(owner, kind, None, NO_RULES).get(name))
}

/// What is configured at the resource itself.
pub(super) fn own_value<'a>(cib: &'a Cib, resource: &str, kind: &str, name: &str) -> Option<&'a str> {
    Pairs::of(element(cib, resource)?, kind, None, NO_RULES).get(name)
}

pub(super) fn get(given: &Given, wanted: &Wanted, cib: &Cib) -> Result<Printed, Failed> {
    let name = given.value(&['g']).unwrap_or_default();
    let resource = wanted.resource()?;
    let found = match given.has(ELEMENT) {
        true => element(cib, &resource.name).and_then(|element| element.attribute(name)),
        false => value(cib, &resource.name, kind(given), name),
    };
    let mut answer = Failed::silent(CrmExit::Ok);
    if resource.is_clone && wanted.active().len() > 1 {
        let text = format!(
            "{} is active on more than one node, returning the default value for {name}",
            resource.id
        );
        answer.notes.push(text);
    }
    match found {
        Some(value) => {
            let item = format!("  <item name=\"{}\">{}</item>", escaped(name), escaped(value));
            answer.printed.add(value, &format!("<list name=\"attributes\" count=\"1\">\n{item}\n</list>"));
        }
        // Agents take an answer without a word for "not set"; the exit status is 0 in either case.
        None => answer.notes.push(format!("Attribute '{name}' not found for '{}'", resource.id)),
    }
    if answer.notes.is_empty() { Ok(answer.printed) } else { Err(answer) }
}

/// Whose attribute is changed: that of the clone that contains it, where meta attributes of an instance are meant.
fn owner<'a>(given: &Given, wanted: &'a Wanted) -> Result<(&'a str, bool), Failed> {
    let resource = wanted.resource()?;
    match wanted.clone() {
        Some(clone) if given.has('m') && !given.has('f') && clone.name != resource.name => {
            Ok((clone.name.as_str(), true))
        }
        _ => Ok((resource.name.as_str(), false)),
    }
}

fn parent_note(what: &str, name: &str, owner: &str, wanted: &Wanted) -> String {
    format!("Performing {what} of '{name}' on '{owner}', the parent of '{}'\n", wanted.name)
}

/// A resource and all that is, directly or not, colocated with it.
fn with_dependents(cib: &Cib, first: &str) -> Vec<String> {
    let mut all = vec![first.to_owned()];
    let mut at = 0;
    while let Some(primary) = all.get(at).cloned() {
        let colocations = cib.constraints().into_iter().flat_map(|all| all.children_named("rsc_colocation"));
        for colocation in colocations.filter(|found| found.attribute("with-rsc") == Some(primary.as_str())) {
            match colocation.attribute("rsc") {
                Some(dependent) if !all.iter().any(|known| known == dependent) => {
                    all.push(dependent.to_owned())
                }
                _ => {}
            }
        }
        at += 1;
    }
    all
}

fn has_pair(cib: &Cib, resource: &str, kind: &str, name: &str) -> bool {
    let sets = element(cib, resource).into_iter().flat_map(|owner| owner.children_named(kind));
    let mut pairs = sets.flat_map(|set| set.children_named("nvpair"));
    pairs.any(|pair| pair.attribute("name") == Some(name))
}

pub(super) fn set(given: &Given, wanted: &Wanted, source: &mut Source) -> Result<Printed, Failed> {
    let (name, value) = (given.value(&['p']).unwrap_or_default(), given.value(&['v']).unwrap_or_default());
    let (owner, is_parent) = owner(given, wanted)?;
    source.change(SPEC.name, |cib| {
        let mut printed = Printed::default();
        if is_parent {
            printed.text += &parent_note("update", name, owner, wanted);
        }
        let resources = match given.has(RECURSIVE) && given.has('m') {
            true => with_dependents(cib, owner),
            false => vec![owner.to_owned()],
        };
        for resource in resources {
            let found = element(cib, &resource).map(|element| (element.node(), element.name().to_owned()));
            let Some((node, tag)) = found else { continue };
            if given.has(ELEMENT) {
                cib.document_mut().set_attribute(node, name, value);
                printed.text += &format!("Set attribute: name={name} value={value}\n");
                continue;
            }
            let sets = (kind(given), format!("{resource}-{}", kind(given)));
            // What is new goes into the set that this tool makes, whatever sets there are.
            let is_there = has_pair(cib, &resource, sets.0, name);
            let set = given.value(&['s']).or((!is_there).then_some(sets.1.as_str()));
            let ids = Ids { set, pair: given.value(&['i']) };
            let document = cib.document_mut();
            let SetPair { id, set } =
                set_pair(document, node, (sets.0, &sets.1), ids, name, |_| value.to_owned());
            let set = set.map_or_else(String::new, |set| format!(" set={set}"));
            printed.text += &format!("Set '{resource}' option: id={id}{set} name={name} value={value}\n");
            let (id, name, value) = (escaped(&id), escaped(name), escaped(value));
            printed.xml += &format!(
                "    <{tag} id=\"{}\">\n      <{kind}>\n        <nvpair id=\"{id}\" value=\"{value}\" name=\"{name}\"/>\n      \
                 </{kind}>\n    </{tag}>\n",
                escaped(&resource),
                kind = kind(given)
            );
        }
        if !printed.xml.is_empty() {
            printed.xml = format!("  <resource-settings>\n{}  </resource-settings>\n", printed.xml);
        }
        Ok(printed)
    })
}

pub(super) fn delete(given: &Given, wanted: &Wanted, source: &mut Source) -> Result<Printed, Failed> {
    let name = given.value(&['d']).unwrap_or_default();
    let (owner, is_parent) = owner(given, wanted)?;
    let missing = || Failed::new(CrmExit::NoSuchObject, "Error performing operation: No such object");
    source.change(SPEC.name, |cib| {
        let mut printed = Printed::default();
        if is_parent {
            printed.text += &parent_note("delete", name, owner, wanted);
        }
        let resource = element(cib, owner).ok_or_else(missing)?;
        let node = resource.node();
        if given.has(ELEMENT) {
            cib.document_mut().remove_attribute(node, name);
            printed.text += &format!("Deleted attribute: {name}\n");
            return Ok(printed);
        }
        let sets = resource.children_named(kind(given));
        let sets = sets.filter(|set| given.value(&['s']).is_none_or(|id| set.id() == Some(id)));
        let fits = |pair: &Element<'_>| {
            pair.attribute("name") == Some(name) && given.value(&['i']).is_none_or(|id| pair.id() == Some(id))
        };
        let found = sets.flat_map(|set| set.children_named("nvpair")).find(fits);
        let (pair, id) =
            found.map(|pair| (pair.node(), pair.id().unwrap_or_default().to_owned())).ok_or_else(missing)?;
        cib.document_mut().remove(pair);
        printed.text += &format!("Deleted '{owner}' option: id={id} name={name}\n");
        Ok(printed)
    })
}

pub(super) fn delete_resource(
    given: &Given,
    wanted: &Wanted,
    source: &mut Source,
) -> Result<Printed, Failed> {
    let Some(tag) = given.value(&['t']) else {
        return Err(Failed::usage("You need to specify a resource type with -t"));
    };
    source.change(SPEC.name, |cib| {
        let found = element(cib, &wanted.name).filter(|element| element.name() == tag);
        if let Some(node) = found.map(|element| element.node()) {
            cib.document_mut().remove(node);
        }
        Ok(Printed::default())
    })
}
