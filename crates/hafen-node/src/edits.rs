//! Edits of the configuration as clients ask for them, made on a copy of the CIB.

use std::collections::BTreeMap;

use hafen_cib::checks::{self, Finding, Severity};
use hafen_cib::xml::{Document, Element, NodeId};
use hafen_cib::{Cib, PatchError, Patchset};
use hafen_protocol::HostId;
use hafen_protocol::client::{Edit, Failure};

/// Applies edits in their order. The CIB is half changed after an error: give a copy.
pub(crate) fn apply(cib: &mut Cib, edits: &[Edit]) -> Result<(), Failure> {
    edits.iter().try_for_each(|edit| apply_one(cib, edit))
}

fn apply_one(cib: &mut Cib, edit: &Edit) -> Result<(), Failure> {
    match edit {
        Edit::ReplaceAll { xml } => replace_all(cib, xml),
        Edit::Patch { xml } => patch(cib, xml),
        Edit::Create { section, xml } => {
            let fragment = parse(xml)?;
            if let Some(id) = fragment.root().attribute("id")
                && cib.document().by_id(id).is_some()
            {
                return Err(invalid(
                    format!("the id {id} exists already"),
                    "choose another id, or change what exists",
                ));
            }
            append(cib, section, &fragment)
        }
        Edit::Put { section, xml } => {
            let fragment = parse(xml)?;
            if let Some(existing) = fragment.root().attribute("id").and_then(|id| cib.document().by_id(id)) {
                let node = existing.node();
                cib.document_mut().remove(node);
            }
            append(cib, section, &fragment)
        }
        Edit::Delete { id, missing_ok } => match cib.document().by_id(id).map(|element| element.node()) {
            Some(node) => {
                cib.document_mut().remove(node);
                Ok(())
            }
            None if *missing_ok => Ok(()),
            None => Err(not_found(format!("nothing in the configuration has the id {id}"))),
        },
        Edit::Property { name, value } => {
            let section = cib.section_or_new("crm_config");
            set_pair(cib, section, "cluster_property_set", "cib-bootstrap-options", name, value.as_deref());
            Ok(())
        }
        Edit::ResourceMeta { resource, name, value } => {
            let is_resource = |name: &str| {
                matches!(name, "primitive" | "group" | "clone" | "master" | "bundle" | "template")
            };
            let found = cib.document().by_id(resource).filter(|element| is_resource(element.name()));
            let node = found.map(|element| element.node());
            let node = node.ok_or_else(|| not_found(format!("there is no resource {resource}")))?;
            let set = format!("{resource}-meta_attributes");
            set_pair(cib, node, "meta_attributes", &set, name, value.as_deref());
            Ok(())
        }
        Edit::NodeAttribute { node: uname, name, value } => {
            let found = cib
                .nodes()
                .and_then(|nodes| {
                    nodes.children().find(|node| node.attribute("uname") == Some(uname.as_str()))
                })
                .map(|node| (node.node(), node.attribute("id").unwrap_or(uname).to_string()));
            let (node, id) = found.ok_or_else(|| not_found(format!("there is no node {uname}")))?;
            set_pair(cib, node, "instance_attributes", &format!("nodes-{id}"), name, value.as_deref());
            Ok(())
        }
    }
}

/// Refuses what makes a configuration wrong that was not wrong before; old faults stand in nobody's way.
pub(crate) fn check(before: &Cib, after: &Cib) -> Result<(), Failure> {
    let errors = |cib: &Cib| {
        let mut findings = checks::check(cib);
        findings.retain(|finding| finding.severity == Severity::Error);
        findings
    };
    let old = errors(before);
    let is_new = |finding: &&Finding| {
        !old.iter().any(|known| known.id == finding.id && known.problem == finding.problem)
    };
    let findings = errors(after);
    let mut new = findings.iter().filter(is_new);
    let Some(first) = new.next() else { return Ok(()) };
    let line = if first.line > 0 { format!("line {}: ", first.line) } else { String::new() };
    let more = match new.count() {
        0 => String::new(),
        more => format!(" (and {more} more faults)"),
    };
    Err(invalid(format!("{line}{}{more}", first.problem), &first.mend))
}

/// The configured hosts are nodes of the CIB, whatever an edit did to that section.
pub(crate) fn ensure_nodes(cib: &mut Cib, hosts: &BTreeMap<HostId, String>) {
    for (host, uname) in hosts {
        let known = cib.nodes().is_some_and(|nodes| {
            nodes.children().any(|node| node.attribute("uname") == Some(uname.as_str()))
        });
        if !known {
            let section = cib.section_or_new("nodes");
            let node = cib.document_mut().append_element(section, "node");
            cib.document_mut().set_attribute(node, "id", &host.to_string());
            cib.document_mut().set_attribute(node, "uname", uname);
        }
    }
}

/// Gives the CIB an entry for a host, or the host's entry another name.
pub(crate) fn put_node(cib: &mut Cib, host: HostId, uname: &str) {
    let id = host.to_string();
    let known = cib.nodes().and_then(|nodes| {
        nodes.children().find(|node| node.attribute("id") == Some(id.as_str())).map(|node| node.node())
    });
    match known {
        Some(node) => cib.document_mut().set_attribute(node, "uname", uname),
        None => ensure_nodes(cib, &BTreeMap::from([(host, uname.to_owned())])),
    }
}

/// Removes a host's entry from the CIB.
pub(crate) fn remove_node(cib: &mut Cib, host: HostId, uname: &str) {
    let id = host.to_string();
    let found: Vec<NodeId> = cib
        .nodes()
        .into_iter()
        .flat_map(|nodes| nodes.children())
        .filter(|node| matches!(node.attribute("type"), None | Some("member" | "normal")))
        .filter(|node| node.attribute("id") == Some(id.as_str()) || node.attribute("uname") == Some(uname))
        .map(|node| node.node())
        .collect();
    for node in found {
        cib.document_mut().remove(node);
    }
}

fn patch(cib: &mut Cib, xml: &str) -> Result<(), Failure> {
    let wrong = |error: PatchError| match error {
        PatchError::Base { .. } | PatchError::Digest { .. } => Failure {
            kind: "changed".into(),
            message: error.to_string(),
            mend: "read the configuration again and make the change anew".into(),
        },
        error => invalid(error.to_string(), "give a patchset as `crm_diff` prints it"),
    };
    Patchset::from_xml(xml).and_then(|patchset| patchset.apply(cib)).map_err(wrong)
}

fn replace_all(cib: &mut Cib, xml: &str) -> Result<(), Failure> {
    let fragment = parse(xml)?;
    let root = fragment.root();
    let configuration = if root.name() == "configuration" { Some(root) } else { root.child("configuration") };
    let Some(configuration) = configuration else {
        return Err(invalid(
            format!("line {}: neither <cib> nor <configuration> but <{}>", root.line(), root.name()),
            "give the whole configuration, as `hafen config show` prints it",
        ));
    };
    if let Some(old) = cib.configuration().map(|element| element.node()) {
        cib.document_mut().remove(old);
    }
    let top = cib.root().node();
    cib.document_mut().insert_copy(top, 0, configuration);
    for name in ["validate-with", "admin_epoch"] {
        let Some(value) = (if root.name() == "cib" { root.attribute(name) } else { None }) else { continue };
        let lower = name == "admin_epoch" && value.parse().unwrap_or(0) < cib.version().admin_epoch;
        if !lower {
            cib.document_mut().set_attribute(top, name, value);
        }
    }
    for section in ["crm_config", "nodes", "resources", "constraints"] {
        cib.section_or_new(section);
    }
    Ok(())
}

fn append(cib: &mut Cib, section: &str, fragment: &Document) -> Result<(), Failure> {
    if !matches!(
        section,
        "crm_config"
            | "nodes"
            | "resources"
            | "constraints"
            | "rsc_defaults"
            | "op_defaults"
            | "tags"
            | "acls"
            | "alerts"
            | "fencing-topology"
    ) {
        return Err(invalid(
            format!("the configuration has no section {section}"),
            "name one of its sections",
        ));
    }
    let parent = cib.section_or_new(section);
    cib.document_mut().append_copy(parent, fragment.root());
    Ok(())
}

/// Sets or deletes a name-value pair in the first set of a kind, or in a new one.
fn set_pair(cib: &mut Cib, parent: NodeId, kind: &str, set_id: &str, name: &str, value: Option<&str>) {
    let document = cib.document_mut();
    let pair = |set: Element<'_>| {
        set.children().find(|pair| pair.attribute("name") == Some(name)).map(|pair| pair.node())
    };
    let existing = document.element(parent).children_named(kind).find_map(pair);
    let Some(value) = value else {
        if let Some(node) = existing {
            document.remove(node);
        }
        return;
    };
    if let Some(node) = existing {
        document.set_attribute(node, "value", value);
        return;
    }
    let set = document.element(parent).children_named(kind).next().map(|set| set.node());
    let set = set.unwrap_or_else(|| {
        let set = document.append_element(parent, kind);
        document.set_attribute(set, "id", set_id);
        set
    });
    let id = format!("{}-{name}", document.element(set).attribute("id").unwrap_or(set_id));
    let node = document.append_element(set, "nvpair");
    document.set_attribute(node, "id", &id);
    document.set_attribute(node, "name", name);
    document.set_attribute(node, "value", value);
}

fn parse(xml: &str) -> Result<Document, Failure> {
    Document::parse(xml).map_err(|error| invalid(error.to_string(), "mend the XML at that place"))
}

fn invalid(message: String, mend: &str) -> Failure {
    Failure { kind: "invalid".to_string(), message, mend: mend.to_string() }
}

fn not_found(message: String) -> Failure {
    let mend = "see what there is with `hafen status` and `hafen config show`".to_string();
    Failure { kind: "not-found".to_string(), message, mend }
}
