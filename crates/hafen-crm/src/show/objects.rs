//! The statement of each kind of object.

use std::collections::BTreeMap;

use hafen_cib::Element;

use super::filter::Filter;
use super::lists::{always_quoted, nvpair, pair, quoted, rule, score, words};
use super::{Context, Object};
use crate::shortcuts;

/// What continues a statement in a line of its own.
const NEXT: &str = " \\\n\t";

/// The object's statement. It may fall short of what the object is: the caller tries that out.
pub(crate) fn text(object: &Object<'_>, context: &Context, filter: &Filter) -> String {
    let Some(element) = object.elements.first().copied() else { return String::new() };
    let shower = Shower { context, filter };
    match object.word {
        "node" => shower.node(element),
        "primitive" | "rsc_template" => shower.primitive(element, object.word),
        "group" | "clone" | "ms" | "master" => shower.parent(element, object.word),
        "bundle" => shower.bundle(element),
        "location" => location(element),
        "colocation" => colocation(element),
        "order" => order(element),
        "rsc_ticket" => ticket(element),
        "tag" => format!("tag {} {}", object.id, ids(element)),
        "fencing_topology" => fencing(&object.elements, &context.nodes),
        "role" | "user" => access(element, object.word),
        "acl_target" | "acl_group" => acl_target(element),
        "alert" => shower.alert(element),
        _ => shower.options(element, object.word),
    }
}

struct Shower<'s> {
    context: &'s Context,
    filter: &'s Filter,
}

fn get<'e>(element: Element<'e>, name: &str) -> &'e str {
    element.attribute(name).unwrap_or("")
}

fn ids(element: Element<'_>) -> String {
    element.children().filter_map(Element::id).collect::<Vec<_>>().join(" ")
}

fn description(element: Element<'_>, parts: &mut Vec<String>) {
    parts.extend(element.attribute("description").map(|text| pair("description", text)));
}

fn pairs(element: Element<'_>, except: &[&str]) -> Vec<String> {
    element
        .attributes()
        .filter(|(name, _)| !except.contains(name))
        .map(|(name, value)| pair(name, value))
        .collect()
}

impl Shower<'_> {
    /// `WORD LIST`.
    fn list(&self, word: &str, list: Element<'_>) -> String {
        let mut all = vec![word.to_string()];
        all.extend(words(list, self.context, self.filter));
        all.join(" ")
    }

    fn lists(&self, element: Element<'_>, parts: &mut Vec<String>) {
        for child in element.children() {
            let word = match child.name() {
                "instance_attributes" => "params",
                "meta_attributes" => "meta",
                "utilization" => "utilization",
                _ => continue,
            };
            parts.push(self.list(word, child));
        }
    }

    fn node(&self, element: Element<'_>) -> String {
        let uname = get(element, "uname");
        let mut head = "node ".to_string();
        if let Some(id) = element.id().filter(|id| *id != uname) {
            head += &format!("{id}: ");
        }
        head += uname;
        if let Some(kind) = element.attribute("type").filter(|kind| *kind != "member") {
            head += &format!(":{kind}");
        }
        let mut parts = vec![head];
        description(element, &mut parts);
        for child in element.children() {
            let word = if child.name() == "utilization" { "utilization" } else { "attributes" };
            parts.push(self.list(word, child));
        }
        parts.join(NEXT)
    }

    fn primitive(&self, element: Element<'_>, word: &str) -> String {
        let agent = match element.attribute("template") {
            Some(template) => format!("@{template}"),
            None => agent(element),
        };
        let mut parts = vec![format!("{word} {} {agent}", get(element, "id"))];
        description(element, &mut parts);
        for child in element.children() {
            match child.name() {
                "instance_attributes" => parts.push(self.list("params", child)),
                "meta_attributes" => parts.push(self.list("meta", child)),
                "utilization" => parts.push(self.list("utilization", child)),
                "operations" => self.operations(child, &mut parts),
                _ => {}
            }
        }
        parts.join(NEXT)
    }

    fn operations(&self, operations: Element<'_>, parts: &mut Vec<String>) {
        if let Some(id) = operations.attribute("id-ref") {
            // With two blanks, as crmsh writes it.
            parts.push(format!("operations  $id-ref={id}"));
        } else if let Some(id) = operations.id() {
            parts.push(format!("operations $id={id}"));
        }
        for op in operations.children() {
            let mut all = vec![format!("op {}", get(op, "name"))];
            all.extend(
                op.attributes()
                    .filter(|(name, _)| !["id", "name"].contains(name))
                    .map(|(name, value)| pair(name, value)),
            );
            parts.push(all.join(" "));
            for child in op.children() {
                let word = if child.name() == "meta_attributes" { "op_meta" } else { "op_params" };
                parts.push(self.list(word, child));
            }
        }
    }

    fn parent(&self, element: Element<'_>, word: &str) -> String {
        let members =
            element.children().filter(|child| crate::apply::is_resource(*child)).filter_map(Element::id);
        let mut parts =
            vec![format!("{word} {} {}", get(element, "id"), members.collect::<Vec<_>>().join(" "))];
        description(element, &mut parts);
        self.lists(element, &mut parts);
        parts.join(NEXT)
    }

    fn bundle(&self, element: Element<'_>) -> String {
        let mut parts = vec![format!("bundle {}", get(element, "id"))];
        description(element, &mut parts);
        let mut last = Vec::new();
        for child in element.children() {
            match child.name() {
                "primitive" => last.push(format!("primitive {}", get(child, "id"))),
                "meta_attributes" => parts.push(self.list("meta", child)),
                name => {
                    let mut part = name.to_string();
                    let attributes = pairs(child, &["id"]);
                    let (first, rest) = match name {
                        // Only the first attribute of a container stands in its line.
                        "docker" | "podman" | "rkt" => attributes.split_at(attributes.len().min(1)),
                        _ => attributes.split_at(attributes.len()),
                    };
                    part += &first.iter().map(|pair| format!(" {pair}")).collect::<String>();
                    part += &rest.iter().map(|pair| format!("{NEXT}\t{pair}")).collect::<String>();
                    for mapping in child.children() {
                        let attributes = pairs(mapping, &["id"]).join(" ");
                        part += &format!("{NEXT}\t{} {attributes}", mapping.name());
                    }
                    parts.push(part);
                }
            }
        }
        parts.extend(last);
        parts.join(NEXT)
    }

    fn options(&self, element: Element<'_>, word: &str) -> String {
        let mut parts = vec![format!("{word} {}:", get(element, "id"))];
        parts.extend(element.attribute("score").map(|score| format!("$score={score}")));
        for child in element.children() {
            parts.push(match child.name() {
                "rule" => rule(child),
                _ => nvpair(child, self.context, self.filter),
            });
        }
        parts.join(NEXT)
    }

    fn alert(&self, element: Element<'_>) -> String {
        let mut parts = vec![format!("alert {} {}", get(element, "id"), always_quoted(get(element, "path")))];
        description(element, &mut parts);
        let list = |child: Element<'_>| {
            self.list(if child.name() == "meta_attributes" { "meta" } else { "attributes" }, child)
        };
        for child in element.children() {
            match child.name() {
                "instance_attributes" | "meta_attributes" => parts.push(list(child)),
                "select" => parts.push(select(child)),
                _ => {
                    let mut all = vec![format!("to {}", always_quoted(get(child, "value")))];
                    description(child, &mut all);
                    all.extend(child.children().map(list));
                    parts.push(all.join(" "));
                }
            }
        }
        parts.join(NEXT)
    }
}

fn select(element: Element<'_>) -> String {
    let mut all = vec!["select".to_string()];
    for kind in element.children() {
        all.push(kind.name().trim_start_matches("select_").to_string());
        if kind.name() == "select_attributes" {
            let names: Vec<&str> = kind.children().map(|name| get(name, "name")).collect();
            all.push(format!("{{ {} }}", names.join(" ")));
        }
    }
    all.join(" ")
}

/// `TYPE` for agents of `ocf:heartbeat`, else with class and provider.
fn agent(element: Element<'_>) -> String {
    let (class, provider, kind) = (get(element, "class"), get(element, "provider"), get(element, "type"));
    match (class, provider) {
        ("ocf", "heartbeat") => kind.to_string(),
        (class, "") => format!("{class}:{kind}"),
        (class, provider) => format!("{class}:{provider}:{kind}"),
    }
}

fn member(id: &str, suffix: Option<&str>) -> String {
    suffix.map_or_else(|| id.to_string(), |suffix| format!("{id}:{suffix}"))
}

/// Sets, with the brackets that say what they say.
fn sets(element: Element<'_>, suffix: &str) -> String {
    let mut words = Vec::new();
    for set in element.children_named("resource_set") {
        let suffix = set.attribute(suffix);
        let members: Vec<String> =
            set.children().filter_map(Element::id).map(|id| member(id, suffix)).collect();
        let members = members.join(" ");
        let is = |name: &str, value: &str| set.attribute(name).is_some_and(|text| text == value);
        words.push(match (is("sequential", "false"), is("require-all", "false")) {
            (true, true) => format!("[ {members} ]"),
            (true, false) => format!("( {members} )"),
            (false, true) => format!("[ {members} sequential=true ]"),
            (false, false) => members,
        });
    }
    words.join(" ")
}

fn location(element: Element<'_>) -> String {
    let what = match (element.attribute("rsc"), element.attribute("rsc-pattern")) {
        (Some(rsc), _) => rsc.to_string(),
        (None, Some(pattern)) => format!("/{pattern}/"),
        (None, None) => format!("{{ {} }}", sets(element, "role")),
    };
    let mut head = format!("location {} {what}", get(element, "id"));
    for name in ["role", "resource-discovery"] {
        if let Some(value) = element.attribute(name) {
            head += &format!(" {}", pair(name, value));
        }
    }
    if let (Some(text), Some(node)) = (element.attribute("score"), element.attribute("node")) {
        return format!("{head} {}: {}", score(text), quoted_node(node));
    }
    let mut parts = vec![head];
    parts.extend(element.children_named("rule").map(rule));
    parts.join(NEXT)
}

fn quoted_node(node: &str) -> String {
    if node.contains(char::is_whitespace) { quoted(node) } else { node.to_string() }
}

/// The sets, or the two resources with their suffixes.
fn two_or_sets(element: Element<'_>, names: [&str; 4], suffix: &str) -> String {
    let [one, one_suffix, other, other_suffix] = names;
    if element.child("resource_set").is_some() {
        let text = sets(element, suffix);
        // So few members alone would be no set.
        let few = text.split(' ').count() <= if other.is_empty() { 1 } else { 2 };
        return if few { format!("{} {text}", crate::parse::SET) } else { text };
    }
    let first = member(get(element, one), element.attribute(one_suffix));
    if element.attribute(other).is_none() {
        return first;
    }
    format!("{first} {}", member(get(element, other), element.attribute(other_suffix)))
}

fn colocation(element: Element<'_>) -> String {
    let resources = two_or_sets(element, ["rsc", "rsc-role", "with-rsc", "with-rsc-role"], "role");
    let text = format!("colocation {} {}: {resources}", get(element, "id"), score(get(element, "score")));
    with_pair(text, element, "node-attribute")
}

fn with_pair(text: String, element: Element<'_>, name: &str) -> String {
    match element.attribute(name) {
        Some(value) => format!("{text} {}", pair(name, value)),
        None => text,
    }
}

fn order(element: Element<'_>) -> String {
    let resources = two_or_sets(element, ["first", "first-action", "then", "then-action"], "action");
    let kind = element.attribute("kind").map(|kind| format!("{kind}: ")).unwrap_or_default();
    with_pair(format!("order {} {kind}{resources}", get(element, "id")), element, "symmetrical")
}

fn ticket(element: Element<'_>) -> String {
    let resources = two_or_sets(element, ["rsc", "rsc-role", "", ""], "role");
    let text = format!("rsc_ticket {} {}: {resources}", get(element, "id"), get(element, "ticket"));
    with_pair(text, element, "loss-policy")
}

fn access(element: Element<'_>, word: &str) -> String {
    let mut parts = vec![format!("{word} {}", get(element, "id"))];
    description(element, &mut parts);
    for child in element.children() {
        if child.name() == "role_ref" {
            parts.push(format!("role:{}", get(child, "id")));
            continue;
        }
        let right = if child.name() == "acl_permission" { get(child, "kind") } else { child.name() };
        let mut all = vec![right.to_string()];
        if let Some(path) = child.attribute("xpath") {
            all.push(shortcuts::shortcut(path).unwrap_or_else(|| format!("xpath:{}", always_quoted(path))));
        }
        all.extend(child.attribute("attribute").map(|name| format!("attr:{name}")));
        for (name, prefix) in [("reference", "ref"), ("ref", "ref"), ("object-type", "type"), ("tag", "tag")]
        {
            all.extend(child.attribute(name).map(|value| format!("{prefix}:{value}")));
        }
        parts.push(all.join(" "));
    }
    parts.join(NEXT)
}

fn acl_target(element: Element<'_>) -> String {
    let mut parts = vec![format!("{} {}", element.name(), get(element, "id"))];
    parts.extend(element.children().filter_map(Element::id).map(str::to_string));
    parts.join(NEXT)
}

fn target(level: Element<'_>) -> String {
    match (level.attribute("target"), level.attribute("target-pattern")) {
        (Some(node), _) => format!("{node}:"),
        (None, Some(pattern)) => format!(
            "pattern:{}",
            if pattern.contains(char::is_whitespace) { always_quoted(pattern) } else { pattern.to_string() }
        ),
        (None, None) => format!("attr:{}={}", get(level, "target-attribute"), get(level, "target-value")),
    }
}

fn fencing(levels: &[Element<'_>], nodes: &[String]) -> String {
    // In the order in which they come first.
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut targets: Vec<(String, Vec<(usize, &str)>)> = Vec::new();
    for level in levels {
        let name = target(*level);
        let index = get(*level, "index").parse().unwrap_or(usize::MAX);
        let place = *places.entry(name.clone()).or_insert(targets.len());
        if place == targets.len() {
            targets.push((name, Vec::new()));
        }
        if let Some((_, devices)) = targets.get_mut(place) {
            devices.push((index, get(*level, "devices")));
        }
    }
    let lines: Vec<(String, String)> = targets
        .into_iter()
        .map(|(name, mut list)| {
            list.sort_by_key(|(index, _)| *index);
            (name, list.into_iter().map(|(_, devices)| devices).collect::<Vec<_>>().join(" "))
        })
        .collect();
    // The same devices for every node need no targets.
    let everywhere =
        lines.len() == nodes.len() && nodes.iter().all(|node| places.contains_key(&format!("{node}:")));
    if let Some((_, devices)) =
        lines.first().filter(|(_, first)| everywhere && lines.iter().all(|(_, other)| other == first))
    {
        return format!("fencing_topology {devices}");
    }
    let mut parts = vec!["fencing_topology".to_string()];
    parts.extend(lines.into_iter().map(|(name, devices)| format!("{name} {devices}")));
    parts.join(NEXT)
}
