//! What can stand in each statement.

use hafen_cib::Element;

use super::names::{actions, cluster, meta, operation, pairs, parameters, used};
use super::rules::rule;
use super::{Place, about};
use crate::grammar::{
    ACTIONS, ALERT_KINDS, CONTAINER_ATTRIBUTES, DISCOVERY, LOSS_POLICIES, NETWORK_ATTRIBUTES,
    PORT_ATTRIBUTES, RIGHT_TARGETS, RIGHTS, ROLES, STORAGE_ATTRIBUTES, find,
};

const SCORES: &[&str] = &["inf:", "-inf:", "100:", "0:"];

pub(super) fn statement(place: &mut Place<'_>, word: &str) {
    if place.words.len() == 1 {
        first(place, word);
    }
    match word {
        "node" => node(place),
        "primitive" | "rsc_template" => primitive(place, word),
        "group" | "clone" | "ms" | "master" => parent(place, word),
        "bundle" => bundle(place),
        "location" => location(place),
        "colocation" | "order" | "rsc_ticket" => constraint(place, word),
        "tag" if place.words.len() > 1 => objects(place, "", |_| true),
        "fencing_topology" => fencing(place),
        "property" | "rsc_defaults" | "op_defaults" => options(place, word),
        "role" | "user" if place.words.len() > 1 => rights(place, word),
        "acl_target" | "acl_group" if place.words.len() > 1 => {
            objects(place, "", |found| found.name() == "acl_role")
        }
        "alert" if place.words.len() > 2 => alert(place),
        "monitor" => monitor(place),
        _ => {}
    }
}

/// Objects of the kind that the statement makes: it may be about one of these.
fn first(place: &mut Place<'_>, word: &str) {
    let own = |found: Element<'_>| match (word, found.name()) {
        ("ms" | "master", "clone" | "master") => true,
        (word, tag) => crate::check::word_of(tag) == word,
    };
    match word {
        "node" => nodes(place, "", |_| true),
        "property" | "rsc_defaults" | "op_defaults" | "fencing_topology" | "monitor" | "xml" => {}
        _ => objects(place, "", own),
    }
}

/// Names of nodes, with something behind.
pub(super) fn nodes(place: &mut Place<'_>, behind: &str, which: impl Fn(&str) -> bool) {
    let names: Vec<(String, String)> = place
        .cib
        .configured_nodes()
        .map(|node| node.uname().to_string())
        .filter(|uname| which(uname))
        .map(|uname| (format!("{uname}{behind}"), "a node".to_string()))
        .collect();
    place.alike(names);
}

/// Names of objects, with something before.
fn objects(place: &mut Place<'_>, before: &str, which: impl Fn(Element<'_>) -> bool) {
    let all = crate::show::objects(place.cib);
    let elements = all.iter().filter_map(|object| object.elements().first().copied());
    let names: Vec<(String, String)> = elements
        .filter(|element| which(*element) && element.name() != "node" && element.name() != "fencing-level")
        .filter_map(|element| Some((format!("{before}{}", element.id()?), about(element))))
        .filter(|(id, _)| !place.has(id))
        .collect();
    place.alike(names);
}

fn is_resource(element: Element<'_>) -> bool {
    crate::apply::is_resource(element)
}

fn node(place: &mut Place<'_>) {
    match section(place, 2, "node") {
        Some(("attributes", since)) => {
            used(place, since, "node", "instance_attributes");
            super::names::named(place, since, "standby", "whether the host runs nothing", &[]);
            super::names::named(
                place,
                since,
                "maintenance",
                "whether the cluster leaves the host alone",
                &[],
            );
        }
        Some(("utilization", since)) => used(place, since, "node", "utilization"),
        _ => {}
    }
    sections(place, "node", 2);
}

/// The last word that begins a section, and where it stands.
fn section<'p>(place: &Place<'p>, from: usize, word: &str) -> Option<(&'p str, usize)> {
    let known = find(word).map_or(&[][..], |word| word.sections);
    let words = place.words.iter().enumerate().skip(from).rev();
    words
        .filter(|(_, word)| !word.quoted)
        .find(|(_, word)| known.contains(&word.text.as_str()))
        .map(|(at, word)| (word.text.as_str(), at))
}

fn sections(place: &mut Place<'_>, word: &str, from: usize) {
    if place.words.len() < from {
        return;
    }
    let known = find(word).map_or(&[][..], |word| word.sections);
    place.keywords(known, "begins a part of the statement");
    if place.words.len() == from || word == "group" {
        place.keywords(&["description="], "what it is for");
    }
}

fn primitive(place: &mut Place<'_>, word: &str) {
    match place.words.len() {
        0 | 1 => return,
        2 => {
            place.alike(place.catalogue.agents());
            // The usual short form.
            let short: Vec<(String, String)> = place
                .catalogue
                .agents()
                .into_iter()
                .filter_map(|(agent, about)| Some((agent.strip_prefix("ocf:heartbeat:")?.to_string(), about)))
                .collect();
            place.alike(short);
            if word == "primitive" {
                objects(place, "@", |found| found.name() == "template");
            }
            return;
        }
        _ => {}
    }
    let Some(agent) = place.words.get(2).map(|word| full_agent(place, &word.text)) else { return };
    match section(place, 3, word) {
        None | Some(("params", _)) => {
            let since = section(place, 3, word).map_or(3, |(_, at)| at);
            in_list(place, since, |place| parameters(place, since, &agent));
        }
        Some(("meta", since)) => in_list(place, since, |place| meta(place, since, false)),
        Some(("utilization", since)) => {
            used(place, since, "primitive", "utilization");
            used(place, since, "node", "utilization");
        }
        Some(("operations", since)) if since + 1 == place.words.len() => {
            place.keywords(&["$id="], "a name for them")
        }
        Some(("op", since)) if since + 1 == place.words.len() => return actions(place, &agent),
        Some(("op", since)) => operation(place, since + 1, place.catalogue.metadata(&agent).as_deref()),
        Some(("op_params", since)) => {
            super::names::named(place, since, "OCF_CHECK_LEVEL", "how deep a monitor looks", &[]);
        }
        _ => {}
    }
    sections(place, word, 3);
}

/// What a list has, or the rule that is open in it.
fn in_list<'p>(place: &mut Place<'p>, since: usize, offer: impl FnOnce(&mut Place<'p>)) {
    let ruled = place.words.iter().rposition(|word| word.is("rule")).filter(|at| *at > since);
    let in_rule = ruled.is_some_and(|at| rule(place, at));
    if !in_rule {
        if place.words.len() == since + 1 {
            place.keywords(&["rule"], "only where it holds");
        }
        offer(place);
    }
}

/// The agent with its class and provider, a template's for what is made of that.
fn full_agent(place: &Place<'_>, said: &str) -> String {
    let of = |element: Element<'_>| {
        let part = |name: &str| element.attribute(name);
        let provider = part("provider").map(|provider| format!("{provider}:")).unwrap_or_default();
        format!("{}:{provider}{}", part("class").unwrap_or(""), part("type").unwrap_or(""))
    };
    if let Some(template) = said.strip_prefix('@') {
        let found =
            place.cib.document().all_by_id(template).into_iter().find(|found| found.name() == "template");
        return found.map(of).unwrap_or_default();
    }
    super::full_agent(said)
}

fn parent(place: &mut Place<'_>, word: &str) {
    if place.words.len() < 2 {
        return;
    }
    let own = place.words.get(1).map(|word| word.text.clone()).unwrap_or_default();
    let more = place.words.len() == 2 || word == "group";
    if more && section(place, 2, word).is_none() {
        objects(place, "", |found| {
            let kind = found.name() == "primitive" || found.name() == "group" && word != "group";
            let free = found.parent().is_none_or(|holder| !is_resource(holder) || holder.id() == Some(&own));
            kind && free && found.id() != Some(&own)
        });
    }
    if place.words.len() > 2 {
        match section(place, 2, word) {
            Some(("meta", since)) => in_list(place, since, |place| meta(place, since, word != "group")),
            Some(("params", since)) => in_list(place, since, |_| {}),
            _ => {}
        }
        sections(place, word, 3);
    }
}

fn bundle(place: &mut Place<'_>) {
    if place.words.len() < 2 {
        return;
    }
    let last = place.words.iter().rposition(|word| word.equals.is_none()).unwrap_or(0);
    let known: &[&str] = match place.words.get(last).map_or("", |word| word.text.as_str()) {
        "docker" | "podman" => CONTAINER_ATTRIBUTES,
        "network" => NETWORK_ATTRIBUTES,
        "port-mapping" => PORT_ATTRIBUTES,
        "storage-mapping" => STORAGE_ATTRIBUTES,
        "meta" => {
            meta(place, last, false);
            &[]
        }
        _ => &[],
    };
    for name in known {
        super::names::named(place, last, name, "an attribute", &[]);
    }
    if place.back(1).is_some_and(|word| word.is("primitive")) {
        objects(place, "", |found| found.name() == "primitive" && !found.parent().is_some_and(is_resource));
        return;
    }
    if place.has("network") {
        place.keywords(&["port-mapping"], "a port of the containers");
    }
    if place.has("storage") {
        place.keywords(&["storage-mapping"], "a folder of the containers");
    }
    let sections: Vec<&str> = find("bundle").map_or(&[][..], |word| word.sections).to_vec();
    let sections: Vec<&str> = sections.into_iter().filter(|word| !place.has(word)).collect();
    place.keywords(&sections, "begins a part of the statement");
}

/// Resources, and after a colon what they do.
fn members(place: &mut Place<'_>, suffixes: &[&str]) {
    if let Some((id, _)) = place.part.split_once(':') {
        let head = id.to_string();
        place.offer(
            suffixes.iter().map(|suffix| (format!("{head}:{suffix}"), "what is meant of it".to_string())),
        );
        return;
    }
    objects(place, "", is_resource);
}

fn brackets(place: &mut Place<'_>) {
    place.keywords(&["(", "["], "begins a set");
    place.keywords(&[")", "]"], "ends the set");
    for name in ["sequential", "require-all"] {
        if place.words.len() > 3 {
            pairs(place, name, &["true", "false"], "of the set");
        }
    }
}

fn location(place: &mut Place<'_>) {
    let open = place.words.get(2).is_some_and(|word| word.is("{")) && !place.has("}");
    match place.words.len() {
        0 | 1 => {}
        2 => {
            place.keywords(&["{"], "begins a set of resources");
            objects(place, "", is_resource);
        }
        _ if open => {
            members(place, &ROLES[..4]);
            place.keywords(&["}"], "ends the set");
            pairs(place, "sequential", &["true", "false"], "of the set");
        }
        _ => {
            if let Some(at) = place.words.iter().rposition(|word| word.is("rule")) {
                if !rule(place, at) {
                    place.keywords(&["rule"], "another rule");
                }
            } else if place.back(1).is_some_and(|word| crate::parse::score_word(&word.text).is_some()) {
                nodes(place, "", |_| true);
            } else {
                place.keywords(SCORES, "how much it is preferred there");
                place.keywords(&["rule"], "where a rule holds");
                pairs(place, "role", &ROLES[..4], "only in this role");
                pairs(place, "resource-discovery", DISCOVERY, "where it is looked for");
            }
        }
    }
}

fn constraint(place: &mut Place<'_>, word: &str) {
    if place.words.len() < 2 {
        return;
    }
    let suffixes = if word == "order" { ACTIONS } else { &ROLES[..4] };
    if place.words.len() == 2 {
        match word {
            "colocation" => return place.keywords(SCORES, "how much they want to be together"),
            "order" => place.keywords(&["Mandatory:", "Optional:", "Serialize:"], "the kind of the order"),
            _ => return tickets(place),
        }
    }
    members(place, suffixes);
    if place.words.len() < 3 && word != "order" {
        return;
    }
    brackets(place);
    match word {
        "order" => pairs(place, "symmetrical", &["true", "false"], "whether it holds for stopping as well"),
        "rsc_ticket" => pairs(place, "loss-policy", LOSS_POLICIES, "what happens when the ticket goes"),
        _ => super::names::named(
            place,
            1,
            "node-attribute",
            "the same value of which attribute is together",
            &[],
        ),
    }
}

fn tickets(place: &mut Place<'_>) {
    let mut known: Vec<String> = place
        .cib
        .constraints()
        .into_iter()
        .flat_map(Element::children)
        .filter_map(|found| found.attribute("ticket"))
        .map(|ticket| format!("{ticket}:"))
        .collect();
    known.sort_unstable();
    known.dedup();
    place.alike(known.into_iter().map(|ticket| (ticket, "a ticket".to_string())));
}

fn fencing(place: &mut Place<'_>) {
    let said: Vec<&str> = place.words.iter().map(|word| word.text.as_str()).collect();
    nodes(place, ":", |uname| !said.iter().any(|word| word.strip_suffix(':') == Some(uname)));
    let devices = crate::show::objects(place.cib);
    let devices = devices.iter().filter_map(|object| object.elements().first().copied());
    let devices: Vec<(String, String)> = devices
        .filter(|found| found.name() == "primitive" && found.attribute("class") == Some("stonith"))
        .filter_map(|found| Some((found.id()?.to_string(), about(found))))
        .collect();
    place.alike(devices);
}

fn options(place: &mut Place<'_>, word: &str) {
    let (section, tag) = match word {
        "property" => ("crm_config", "cluster_property_set"),
        other => (other, "meta_attributes"),
    };
    if place.words.len() == 1 {
        let sets = place.cib.section(section).into_iter().flat_map(|section| section.children_named(tag));
        let sets: Vec<(String, String)> = sets
            .filter_map(|set| Some((format!("{}:", set.id()?), "a set of options".to_string())))
            .collect();
        place.offer(sets);
    }
    in_list(place, 0, |place| match word {
        "property" => cluster(place),
        "rsc_defaults" => meta(place, 1, false),
        _ => operation(place, 1, None),
    });
    if place.words.len() == 2 && place.back(1).is_some_and(|word| word.text.ends_with(':')) {
        place.keywords(&["rule"], "only where it holds");
    }
}

fn rights(place: &mut Place<'_>, word: &str) {
    place.keywords(RIGHTS, "a right");
    if word == "user" {
        objects(place, "role:", |found| found.name() == "acl_role");
    }
    if place.words.iter().any(|word| RIGHTS.contains(&word.text.as_str())) {
        place.keywords(RIGHT_TARGETS, "what the right is to");
        if place.part.contains(':') {
            for head in ["ref:", "meta:", "params:", "utilization:", "location:"] {
                objects(place, head, |found| head == "ref:" || is_resource(found));
            }
            place.keywords(&["type:primitive", "type:node", "type:nvpair", "type:rsc_location"], "elements");
        }
    }
}

fn alert(place: &mut Place<'_>) {
    match place
        .words
        .iter()
        .rposition(|word| ["select", "to", "attributes", "meta"].contains(&word.text.as_str()))
    {
        Some(at) if place.words.get(at).is_some_and(|word| word.is("select")) => {
            place.keywords(&ALERT_KINDS[..3], "what is told of");
        }
        Some(at) if place.words.get(at).is_some_and(|word| word.is("meta")) => {
            for (name, about) in [
                ("timeout", "how long the program may take"),
                ("timestamp-format", "as date(1) takes it"),
                ("enabled", ""),
            ] {
                super::names::named(place, at, name, about, &[]);
            }
        }
        _ => {}
    }
    place.keywords(&["attributes", "meta", "select", "to"], "begins a part of the statement");
}

fn monitor(place: &mut Place<'_>) {
    match place.words.len() {
        1 => {
            if let Some((id, _)) = place.part.split_once(':') {
                let head = id.to_string();
                place.offer(
                    ROLES[..4].iter().map(|role| (format!("{head}:{role}"), "only in this role".to_string())),
                );
            } else {
                objects(place, "", |found| found.name() == "primitive");
            }
        }
        2 => {
            let id = place.back(1).and_then(|word| word.text.split(':').next()).unwrap_or("");
            let primitive =
                place.cib.document().all_by_id(id).into_iter().find(|found| found.name() == "primitive");
            let has = |interval: &str| {
                let found = primitive.into_iter().flat_map(Element::descendants);
                found.filter(|op| op.name() == "op").any(|op| op.attribute("interval") == Some(interval))
            };
            let free = ["10s", "10s:20s", "30s", "60s:30s"]
                .into_iter()
                .filter(|word| !has(word.split(':').next().unwrap_or("")));
            let free: Vec<&str> = free.collect();
            place.keywords(&free, "every so often, with this timeout");
        }
        _ => {}
    }
}
