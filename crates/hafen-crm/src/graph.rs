//! A configuration as a graph, in the language of graphviz.

use std::fmt::Write;

use hafen_cib::{Cib, Element};

use crate::apply::is_resource;

/// The words of a graph: hosts and resources are its points, groups and clones boxes around them, constraints its lines.
///
/// What is ordered has a solid line from the first to the second, what is colocated a dashed one from it to where it goes, and what
/// prefers or avoids a host a dotted one to the host; each with its id and its score.
#[must_use]
pub fn graph(cib: &Cib) -> String {
    let mut graph = Graph { cib, text: String::new() };
    graph.line(0, "digraph cluster {");
    graph.line(1, "compound=true;");
    graph.line(1, "node [shape=box, fontname=\"Helvetica\"];");
    graph.line(1, "edge [fontname=\"Helvetica\", fontsize=10];");
    for node in cib.configured_nodes() {
        let name = node.uname();
        graph.line(1, &format!("{} [label={}, style=bold];", of_host(name), quoted(name)));
    }
    for resource in cib.resources().into_iter().flat_map(Element::children) {
        graph.resource(1, resource);
    }
    for constraint in cib.constraints().into_iter().flat_map(Element::children) {
        graph.constraint(constraint);
    }
    graph.text + "}\n"
}

struct Graph<'c> {
    cib: &'c Cib,
    text: String,
}

/// A text of graphviz.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

/// Hosts and resources may have the same names.
fn of_host(name: &str) -> String {
    quoted(&format!("host:{name}"))
}

fn of_group(id: &str) -> String {
    // Only what begins so has a box.
    quoted(&format!("cluster_{id}"))
}

/// How a line looks.
#[derive(Clone, Copy)]
enum Look {
    Order,
    Colocation,
    Location,
}

impl<'c> Graph<'c> {
    fn line(&mut self, depth: usize, text: &str) {
        self.text += &"  ".repeat(depth);
        self.text += text;
        self.text.push('\n');
    }

    fn resource(&mut self, depth: usize, resource: Element<'c>) {
        if !is_resource(resource) {
            return;
        }
        let id = resource.id().unwrap_or("");
        let members: Vec<Element<'c>> = resource.children().filter(|child| is_resource(*child)).collect();
        if members.is_empty() {
            let kind = resource.attribute("type").map(str::to_string);
            let kind = kind.or_else(|| resource.attribute("template").map(|template| format!("@{template}")));
            let label = format!("{id}\n{}", kind.unwrap_or_else(|| resource.name().to_string()));
            self.line(depth, &format!("{} [label={}, style=rounded];", quoted(id), quoted(&label)));
            return;
        }
        self.line(depth, &format!("subgraph {} {{", of_group(id)));
        self.line(depth + 1, &format!("label={};", quoted(&format!("{} {id}", resource.name()))));
        for member in &members {
            self.resource(depth + 1, *member);
        }
        if resource.name() == "group" {
            for pair in members.windows(2) {
                if let [first, then] = pair {
                    let (first, then) = (first.id().unwrap_or(""), then.id().unwrap_or(""));
                    self.line(depth + 1, &format!("{} -> {};", quoted(first), quoted(then)));
                }
            }
        }
        self.line(depth, "}");
    }

    /// A point that stands for a resource, and the box around it where it is a group or a clone. A tag stands for its objects.
    fn points(&self, id: &str) -> Vec<(String, Option<String>)> {
        let found = self.cib.document().all_by_id(id);
        if let Some(resource) = found.iter().find(|found| is_resource(**found)) {
            let first = resource.descendants().find(|inner| is_resource(*inner) && is_leaf(*inner));
            return match first.filter(|first| first.node() != resource.node()) {
                Some(first) => vec![(quoted(first.id().unwrap_or("")), Some(of_group(id)))],
                None => vec![(quoted(id), None)],
            };
        }
        let tag = found.into_iter().find(|found| found.name() == "tag");
        let objects = tag.into_iter().flat_map(|tag| tag.children_named("obj_ref")).filter_map(Element::id);
        // A tag in a tag is none.
        let is_plain = |id: &&str| self.cib.document().all_by_id(id).into_iter().any(is_resource);
        objects.filter(is_plain).flat_map(|id| self.points(id)).collect()
    }

    fn connect(&mut self, from: &str, to: &str, label: &str, look: Look) {
        let style = match look {
            Look::Order => "solid",
            Look::Colocation => "dashed",
            Look::Location => "dotted",
        };
        for (tail, tail_box) in self.points(from) {
            let heads = match look {
                Look::Location => vec![(of_host(to), None)],
                Look::Order | Look::Colocation => self.points(to),
            };
            for (head, head_box) in heads {
                let mut attributes = format!("label={}, style={style}", quoted(label));
                if let Some(name) = &tail_box {
                    let _ = write!(attributes, ", ltail={name}");
                }
                if let Some(name) = &head_box {
                    let _ = write!(attributes, ", lhead={name}");
                }
                self.line(1, &format!("{tail} -> {head} [{attributes}];"));
            }
        }
    }

    fn constraint(&mut self, constraint: Element<'c>) {
        let id = constraint.id().unwrap_or("");
        let get = |name| constraint.attribute(name);
        let score = get("score").or_else(|| get("kind")).map(|score| format!("\n{score}"));
        let label = format!("{id}{}", score.unwrap_or_default());
        let sets: Vec<Element<'c>> = constraint.children_named("resource_set").collect();
        match constraint.name() {
            "rsc_location" => self.location(constraint, &sets, &label),
            "rsc_order" => match (get("first"), get("then")) {
                (Some(first), Some(then)) => self.connect(first, then, &label, Look::Order),
                _ => self.sets(&sets, &label, Look::Order),
            },
            "rsc_colocation" => match (get("rsc"), get("with-rsc")) {
                (Some(resource), Some(with)) => self.connect(resource, with, &label, Look::Colocation),
                _ => self.sets(&sets, &label, Look::Colocation),
            },
            _ => {}
        }
    }

    fn location(&mut self, constraint: Element<'c>, sets: &[Element<'c>], label: &str) {
        let resources = constraint.attribute("rsc").into_iter();
        let resources: Vec<&str> = resources.chain(sets.iter().flat_map(|set| references(*set))).collect();
        // Which hosts a rule means, time and attributes decide.
        let Some(host) = constraint.attribute("node") else { return };
        for resource in resources {
            self.connect(resource, host, label, Look::Location);
        }
    }

    /// Sets: each resource of one comes before (or goes where) each of the next one; within one, one after the other where it is
    /// sequential. In a colocation the later is where the earlier goes between sets, and the other way within one.
    fn sets(&mut self, sets: &[Element<'c>], label: &str, look: Look) {
        for set in sets {
            let members: Vec<&str> = references(*set).collect();
            if set.attribute("sequential") == Some("false") {
                continue;
            }
            for pair in members.windows(2) {
                match (pair, look) {
                    ([first, second], Look::Colocation) => self.connect(second, first, label, look),
                    ([first, second], _) => self.connect(first, second, label, look),
                    _ => {}
                }
            }
        }
        for pair in sets.windows(2) {
            let [first, second] = pair else { continue };
            for from in ends(*first, look, true) {
                for to in ends(*second, look, false) {
                    self.connect(from, to, label, look);
                }
            }
        }
    }
}

/// Which resources of a set are bound to those of another one: all, or one end of a sequence.
fn ends<'c>(set: Element<'c>, look: Look, before: bool) -> Vec<&'c str> {
    let members: Vec<&str> = references(set).collect();
    if set.attribute("sequential") == Some("false") {
        return members;
    }
    // An order goes from the last of the first set to the first of the second one, a colocation from the first to the last.
    let last = before == matches!(look, Look::Order);
    let end = if last { members.last() } else { members.first() };
    end.copied().into_iter().collect()
}

fn references(set: Element<'_>) -> impl Iterator<Item = &str> {
    set.children_named("resource_ref").filter_map(Element::id)
}

fn is_leaf(resource: Element<'_>) -> bool {
    !resource.children().any(is_resource)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(text: &str) -> String {
        let mut cib = Cib::new();
        let statements = crate::parse(text).expect("a text");
        crate::apply(&mut cib, &statements, crate::Mode::Update).expect("it fits");
        graph(&cib)
    }

    const PRIMITIVES: &str = "node 1: n1\nprimitive a Dummy\nprimitive b Dummy\nprimitive c Dummy\n\
        primitive d Dummy\nprimitive n1 Dummy\n";

    #[test]
    fn groups_are_boxes_and_constraints_are_lines() {
        let text = drawn(&format!(
            "{PRIMITIVES}group g a b\nclone k c\nlocation l g 100: n1\norder o Mandatory: g n1\n\
             colocation w inf: n1 k\n"
        ));
        for line in [
            "  \"host:n1\" [label=\"n1\", style=bold];",
            "  subgraph \"cluster_g\" {",
            "    label=\"group g\";",
            "    \"a\" [label=\"a\\nDummy\", style=rounded];",
            "    \"a\" -> \"b\";",
            "  \"a\" -> \"host:n1\" [label=\"l\\n100\", style=dotted, ltail=\"cluster_g\"];",
            "  \"a\" -> \"n1\" [label=\"o\\nMandatory\", style=solid, ltail=\"cluster_g\"];",
            "  \"n1\" -> \"c\" [label=\"w\\nINFINITY\", style=dashed, lhead=\"cluster_k\"];",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(text.starts_with("digraph cluster {\n") && text.ends_with("\n}\n"), "{text}");
        assert_eq!(text.matches('{').count(), text.matches('}').count(), "{text}");
    }

    #[test]
    fn sets_are_lines_between_their_members() {
        let edges = |text: &str| {
            let text = drawn(&format!("{PRIMITIVES}{text}"));
            let edge = |line: &str| Some(line.split_once(" [label")?.0.trim().replace('"', ""));
            text.lines().filter(|line| line.contains("->")).filter_map(edge).collect::<Vec<_>>()
        };
        assert_eq!(edges("order o Mandatory: a ( b c ) d\n"), ["a -> b", "a -> c", "b -> d", "c -> d"]);
        assert_eq!(edges("order o Mandatory: a b c\n"), ["a -> b", "b -> c"]);
        assert_eq!(edges("colocation w inf: ( a b ) c\n"), ["a -> c", "b -> c"]);
        assert_eq!(edges("tag t a b\ncolocation w inf: t c\n"), ["a -> c", "b -> c"]);
    }
}
