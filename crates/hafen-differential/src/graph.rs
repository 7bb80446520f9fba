//! Transition graphs without their numbers, and how two of them differ.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hash::{Hash as _, Hasher};

use hafen_cib::xml::{Document, Element};

/// What makes an action the same in two graphs: kind, operation, key, place.
pub type Identity = (String, String, String, String);

/// An action with its attributes, its resource and its synapse's priority.
type Detail = (Identity, Vec<(String, String)>, Vec<String>, String);

/// A graph without its numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Graph {
    /// How often each action occurs.
    pub actions: BTreeMap<Identity, usize>,
    /// How often each action waits for each.
    pub edges: BTreeMap<(Identity, Identity), usize>,
    details: BTreeMap<Detail, usize>,
}

/// How far two answers are held against each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The same actions.
    Decisions,
    /// And the same edges between them.
    Graph,
    /// And the same attributes on each.
    Full,
    /// And the same scores.
    Scores,
}

impl Level {
    /// The level of that name.
    ///
    /// # Errors
    ///
    /// The names that there are.
    pub fn parse(name: &str) -> Result<Level, String> {
        match name {
            "decisions" => Ok(Level::Decisions),
            "graph" => Ok(Level::Graph),
            "full" => Ok(Level::Full),
            "scores" => Ok(Level::Scores),
            _ => Err("the levels are decisions, graph, full and scores".to_owned()),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Level::Decisions => "decisions",
            Level::Graph => "graph",
            Level::Full => "full",
            Level::Scores => "scores",
        }
    }
}

/// What one side says of a CIB.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The graph.
    pub graph: Graph,
    /// The lines of scores, sorted.
    pub scores: Vec<String>,
}

impl Answer {
    /// Takes a graph's XML and the text of the scores.
    ///
    /// # Errors
    ///
    /// A graph that cannot be read.
    pub fn read(graph: &str, scores: &str) -> Result<Answer, String> {
        let mut lines: Vec<String> =
            scores.lines().map(|line| line.trim_end().to_owned()).filter(|line| !line.is_empty()).collect();
        lines.sort();
        Ok(Answer { graph: Graph::read(graph)?, scores: lines })
    }
}

/// A difference between two answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The first level at which they differ.
    pub level: Level,
    /// In short words without names: the kinds of what is missing and of what is extra.
    pub signature: Vec<String>,
    /// In lines for people.
    pub text: String,
}

fn identity(event: Element<'_>) -> Identity {
    let text = |name: &str| event.attribute(name).unwrap_or("").to_owned();
    let key =
        if event.attribute("operation_key").is_some() { text("operation_key") } else { text("operation") };
    let mut place = text("on_node");
    if event.name() == "crm_event" && event.attribute("operation") == Some("stonith") {
        let target =
            event.child("attributes").and_then(|attributes| attributes.attribute("CRM_meta_on_node"));
        if let Some(target) = target.filter(|target| !target.is_empty()) {
            target.clone_into(&mut place);
        }
    }
    (event.name().to_owned(), text("operation"), key, place)
}

impl Graph {
    fn read(source: &str) -> Result<Graph, String> {
        let document = Document::parse(source).map_err(|error| format!("a graph: {error}"))?;
        let mut graph = Graph::default();
        let mut by_id = BTreeMap::new();
        for synapse in document.root().children_named("synapse") {
            for event in synapse.child("action_set").into_iter().flat_map(Element::children) {
                by_id.insert(event.attribute("id").unwrap_or("").to_owned(), identity(event));
            }
        }
        for synapse in document.root().children_named("synapse") {
            for event in synapse.child("action_set").into_iter().flat_map(Element::children) {
                let me = identity(event);
                *graph.actions.entry(me.clone()).or_default() += 1;
                *graph.details.entry(detail(&me, event, synapse)).or_default() += 1;
                for trigger in synapse.child("inputs").into_iter().flat_map(Element::children) {
                    for first in trigger.children() {
                        let known = by_id.get(first.attribute("id").unwrap_or(""));
                        let first = known.cloned().unwrap_or_else(|| identity(first));
                        *graph.edges.entry((first, me.clone())).or_default() += 1;
                    }
                }
            }
        }
        Ok(graph)
    }

    /// Adds what counts at a level to a hash.
    pub fn hash_at(&self, level: Level, hash: &mut impl Hasher) {
        self.actions.hash(hash);
        if level >= Level::Graph {
            self.edges.hash(hash);
        }
        if level >= Level::Full {
            self.details.hash(hash);
        }
    }

    /// The graph as lines for people: each action, then what it waits for.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut text = String::new();
        for (action, count) in &self.actions {
            for _ in 0..*count {
                let _ = writeln!(text, "{}", short(action));
            }
            for (first, _) in self.edges.keys().filter(|(_, then)| then == action) {
                let _ = writeln!(text, "    after {}", short(first));
            }
        }
        text
    }
}

fn detail(me: &Identity, event: Element<'_>, synapse: Element<'_>) -> Detail {
    let sorted = |element: Element<'_>| {
        let mut pairs: Vec<(String, String)> = element
            .attributes()
            .filter(|(name, _)| !matches!(*name, "crm_feature_set" | "batch-limit"))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        pairs.sort();
        pairs
    };
    let attributes = event.child("attributes").map(sorted).unwrap_or_default();
    let mut others: Vec<String> = event
        .children()
        .filter(|child| child.name() != "attributes")
        .map(|child| format!("{} {:?}", child.name(), sorted(child)))
        .collect();
    others.sort();
    (me.clone(), attributes, others, synapse.attribute("priority").unwrap_or("").to_owned())
}

/// An action in words.
#[must_use]
pub fn short((kind, _, key, place): &Identity) -> String {
    let what = match kind.as_str() {
        "pseudo_event" => format!("({key})"),
        _ => key.clone(),
    };
    if place.is_empty() { what } else { format!("{what} on {place}") }
}

/// An action's kind, without names.
fn kind((kind, operation, key, _): &Identity) -> String {
    if kind == "pseudo_event" && key.starts_with(operation.as_str()) {
        // all_stopped, load_stopped_NODE and their like.
        return format!("({})", key.split('_').take(2).collect::<Vec<_>>().join("_"));
    }
    if kind == "pseudo_event" { format!("({operation})") } else { operation.clone() }
}

/// What is in the first and not in the second, as often as it is.
fn beyond<'a, T: Ord>(
    first: &'a BTreeMap<T, usize>,
    second: &'a BTreeMap<T, usize>,
) -> impl Iterator<Item = &'a T> {
    first
        .iter()
        .filter(|(item, count)| second.get(item).copied().unwrap_or(0) < **count)
        .map(|(item, _)| item)
}

/// How our answer differs from the oracle's, up to a level; `None` where they agree.
#[must_use]
pub fn compare(oracle: &Answer, ours: &Answer, level: Level) -> Option<Difference> {
    let (want, got) = (&oracle.graph, &ours.graph);
    let mut signature = Vec::new();
    let mut text = String::new();
    for (sign, from, to) in [("missing", want, got), ("extra", got, want)] {
        for action in beyond(&from.actions, &to.actions) {
            signature.push(format!("{sign} {}", kind(action)));
            let _ = writeln!(text, "{sign}: {}", short(action));
        }
    }
    let found = if text.is_empty() { None } else { Some(Level::Decisions) };
    let found = found.or_else(|| {
        for (sign, from, to) in [("missing", want, got), ("extra", got, want)] {
            for (first, then) in beyond(&from.edges, &to.edges) {
                signature.push(format!("{sign} {} > {}", kind(first), kind(then)));
                let _ = writeln!(text, "{sign}: {} -> {}", short(first), short(then));
            }
        }
        (level >= Level::Graph && !text.is_empty()).then_some(Level::Graph)
    });
    let found = found.or_else(|| {
        compare_details(want, got, &mut signature, &mut text);
        (level >= Level::Full && !text.is_empty()).then_some(Level::Full)
    });
    let found = found.or_else(|| {
        for (sign, from, to) in [("missing", oracle, ours), ("extra", ours, oracle)] {
            for line in from.scores.iter().filter(|line| !to.scores.contains(line)) {
                signature.push(format!("{sign} {}", line.split(':').next().unwrap_or("")));
                let _ = writeln!(text, "{sign}: {line}");
            }
        }
        (level >= Level::Scores && oracle.scores != ours.scores).then_some(Level::Scores)
    });
    signature.sort();
    signature.dedup();
    found.map(|level| Difference { level, signature, text })
}

fn compare_details(want: &Graph, got: &Graph, signature: &mut Vec<String>, text: &mut String) {
    for (sign, from, to) in [("missing", want, got), ("extra", got, want)] {
        for (action, attributes, others, priority) in beyond(&from.details, &to.details) {
            let near = to.details.keys().find(|(other, ..)| other == action);
            let mut told = false;
            for (name, value) in attributes {
                if near.is_none_or(|near| !near.1.contains(&(name.clone(), value.clone()))) {
                    signature.push(format!("{sign} {}[{name}]", kind(action)));
                    let _ = writeln!(text, "{sign}: {} [{name}={value}]", short(action));
                    told = true;
                }
            }
            if !told && near.is_none_or(|near| near.2 != *others || near.3 != *priority) {
                signature.push(format!("{sign} {}[element]", kind(action)));
                let _ = writeln!(text, "{sign}: {} {others:?} priority {priority}", short(action));
            }
        }
    }
}
