//! What can stand at the cursor: commands by the table of levels, what follows them by their usage, statements by the language.

use std::collections::BTreeSet;
use std::path::Path;

use hafen_cib::Cib;
use hafen_crm::{Candidate, Catalogue, Completion, Span};

use super::levels::{CONFIGURE, Command, Level, OPTIONS, RESOURCE, ROOT};
use super::{preferences, usage, values};
use crate::source;

/// Words that each level has.
const EVERYWHERE: [(&str, &str); 5] = [
    ("help", "what there is, and how it is written"),
    ("ls", "the words of this level"),
    ("cd", "to another level"),
    ("up", "to the level above"),
    ("quit", "leave the shell"),
];
/// Statements that make resources.
const RESOURCES: [&str; 5] = ["primitive", "group", "clone", "ms", "bundle"];
const CLASSES: [&str; 5] = ["ocf", "stonith", "systemd", "service", "lsb"];
/// Lifetimes that somebody may want.
const LIFETIMES: [(&str, &str); 3] = [("PT30M", "half an hour"), ("PT2H", "two hours"), ("P1D", "a day")];
/// Words of `show` that choose objects.
const FILTERS: [(&str, &str); 4] = [
    ("type:", "objects of that kind"),
    ("tag:", "what has that tag"),
    ("related:", "what has to do with that"),
    ("obscure:", "hide values of such names"),
];

/// What is known where somebody types.
#[derive(Clone, Copy)]
pub(super) struct Known<'k> {
    pub(super) cib: &'k Cib,
    pub(super) agents: &'k dyn Catalogue,
}

/// Where a line has come to.
pub(super) enum At<'l> {
    /// At a word of a level.
    Word(&'static Level),
    /// At a word of a statement, which begins there.
    Statement(usize),
    /// Behind a command, and these words after it.
    Command(&'static Level, &'static Command, Vec<&'l str>),
    /// At the word of a level that somebody wants help on.
    Help(&'static Level),
    /// At something that is no command.
    Nowhere,
}

/// The words before the one at the end of a line, with their places; and where that one begins.
fn split(line: &str) -> (Vec<(usize, &str)>, usize) {
    let is_gap = |char: char| char.is_whitespace();
    let mut words = Vec::new();
    let mut start = None;
    for (at, char) in line.char_indices() {
        let continues = char == '\\' && line.get(at + 1..).is_some_and(|rest| rest.starts_with('\n'));
        match start {
            None if !is_gap(char) && !continues => start = Some(at),
            Some(from) if is_gap(char) || continues => {
                words.extend(line.get(from..at).map(|word| (from, word)));
                start = None;
            }
            _ => {}
        }
    }
    (words, start.unwrap_or(line.len()))
}

/// Where a line has come to that is typed at a level.
pub(super) fn at<'l>(level: &'static Level, line: &'l str) -> (At<'l>, usize) {
    let (words, start) = split(line);
    let mut level = level;
    for (index, (place, word)) in words.iter().enumerate() {
        let rest = || words.iter().skip(index + 1).map(|(_, word)| *word).collect();
        if std::ptr::eq(level, &CONFIGURE) && hafen_crm::grammar::find(word).is_some() {
            return (At::Statement(*place), start);
        }
        if let Some(command) = level.command(word) {
            return (At::Command(level, command, rest()), start);
        }
        match (level.level(word), *word) {
            (Some(next), _) => level = next,
            (None, "help" | "?" | "h") => {
                let inner = words.get(index + 1).and_then(|(_, word)| level.level(word));
                return (At::Help(inner.unwrap_or(level)), start);
            }
            (None, "cd") => return (At::Word(level), start),
            _ => return (At::Nowhere, start),
        }
    }
    (At::Word(level), start)
}

/// The words that can stand at the end of a line that is typed at a level.
pub(super) fn complete(level: &'static Level, line: &str, known: Known<'_>) -> Completion {
    let (place, start) = at(level, line);
    let part = line.get(start..).unwrap_or("");
    let candidates = match place {
        At::Statement(from) => {
            let text = line.get(from..).unwrap_or("");
            let mut found = hafen_crm::complete(text, known.cib, known.agents);
            found.span = Span { start: found.span.start + from, end: found.span.end + from };
            return found;
        }
        _ if part.contains(['"', '\'', '\\']) => Vec::new(),
        At::Word(level) => words_of(level, true),
        At::Help(level) => words_of(level, false),
        At::Command(level, command, words) => {
            Behind { level, command, words: &words, part, known }.following()
        }
        At::Nowhere => Vec::new(),
    };
    let candidates = candidates.into_iter().filter(|one| one.text.starts_with(part)).collect();
    Completion { span: Span { start, end: line.len() }, candidates }
}

fn candidate(text: impl Into<String>, about: impl Into<String>) -> Candidate {
    Candidate { text: text.into(), about: about.into() }
}

fn words_of(level: &Level, everywhere: bool) -> Vec<Candidate> {
    let levels = level.levels.iter().map(|below| candidate(below.word, format!("{} (a level)", below.help)));
    let commands =
        level.commands.iter().flat_map(|one| one.words.iter().map(|word| candidate(*word, one.help)));
    let statements = hafen_crm::grammar::WORDS.iter().filter(|_| std::ptr::eq(level, &CONFIGURE));
    let statements = statements.map(|word| candidate(word.word, word.help));
    let more = EVERYWHERE.iter().filter(|_| everywhere).map(|(word, about)| candidate(*word, *about));
    levels.chain(commands).chain(statements).chain(more).collect()
}

/// Behind a command and some words.
#[derive(Clone, Copy)]
struct Behind<'b> {
    level: &'static Level,
    command: &'static Command,
    words: &'b [&'b str],
    /// What is written of the next word.
    part: &'b str,
    known: Known<'b>,
}

impl Behind<'_> {
    fn following(self) -> Vec<Candidate> {
        let tokens = usage::next(self.command.usage, self.words);
        let candidates = |token: usage::Token<'static>| match token.is_placeholder() {
            true => self.meant(token.word),
            false => vec![candidate(token.word, "")],
        };
        tokens.into_iter().flat_map(candidates).collect()
    }

    /// What a placeholder may stand for.
    fn meant(self, placeholder: &str) -> Vec<Candidate> {
        let Known { cib, agents } = self.known;
        let told = |(word, about): &(&str, &str)| candidate(*word, *about);
        match placeholder {
            "ID" | "OLD" if std::ptr::eq(self.level, &CONFIGURE) => objects(cib, |_| true),
            "ID" => objects(cib, |word| RESOURCES.contains(&word)),
            "GROUP" => objects(cib, |word| word == "group"),
            "HOST" | "NODE" => hosts(cib),
            "FILTER" => self.filters(),
            "FILE" => files(self.part),
            "SHADOW" => shadows(),
            "AGENT" => agents.agents().into_iter().map(|(agent, about)| candidate(agent, about)).collect(),
            "CLASS" => CLASSES.map(|class| candidate(class, "a class of agents")).to_vec(),
            "PROVIDER" => providers(agents),
            "LIFETIME" => LIFETIMES.iter().map(told).collect(),
            "LEVEL" => ROOT.levels.iter().map(|one| candidate(one.word, one.help)).collect(),
            "TYPE" => types(agents),
            "OPERATION" => self.in_statement("operations"),
            "NAME=VALUE" => self.parameters(),
            "NAME" if std::ptr::eq(self.level, &CONFIGURE) => self.properties(),
            "NAME" if std::ptr::eq(self.level, &OPTIONS) => {
                preferences::all().map(|(name, about)| candidate(name, about)).collect()
            }
            "NAME" | "VALUE" => self.in_statement(self.command.words.first().copied().unwrap_or("")),
            _ => Vec::new(),
        }
    }

    fn filters(self) -> Vec<Candidate> {
        let types = hafen_crm::grammar::WORDS.iter().filter(|_| self.part.starts_with("type:"));
        let types = types.map(|word| candidate(format!("type:{}", word.word), word.help));
        let filters = FILTERS.iter().map(|(word, about)| candidate(*word, *about));
        objects(self.known.cib, |_| true).into_iter().chain(filters).chain(types).collect()
    }

    /// Parameters of the agent that the first word names, with or without a value.
    fn parameters(self) -> Vec<Candidate> {
        let Known { cib, agents } = self.known;
        let Some(agent) = self.words.first() else { return Vec::new() };
        hafen_crm::complete(&format!("primitive new {agent} params {}", self.part), cib, agents)
            .candidates
            .into_iter()
            .filter(|one| one.text.contains('='))
            .collect()
    }

    /// Options of the cluster.
    fn properties(self) -> Vec<Candidate> {
        let Known { cib, agents } = self.known;
        let found = hafen_crm::complete(&format!("property {}", self.part), cib, agents).candidates;
        let name = |one: Candidate| Some(candidate(one.text.strip_suffix('=')?, one.about));
        found.into_iter().filter_map(name).collect()
    }

    /// Names and values, as they may stand in the statement of what the first word names.
    fn in_statement(self, list: &str) -> Vec<Candidate> {
        let Known { cib, agents } = self.known;
        let Some(id) = self.words.first() else { return Vec::new() };
        let of_resource = std::ptr::eq(self.level, &RESOURCE);
        let head = match (list, values::agent_of(cib, id).ok()) {
            ("param", Some(agent)) => format!("primitive new {agent} params "),
            ("meta", Some(agent)) => format!("primitive new {agent} meta "),
            ("operations", Some(agent)) => format!("primitive new {agent} op "),
            ("utilization", Some(agent)) if of_resource => format!("primitive new {agent} utilization "),
            ("meta", None) => format!("clone new {id} meta "),
            ("failcount", _) => return hosts(cib),
            ("utilization", _) => format!("node {id} utilization "),
            ("attribute" | "status-attr", _) => format!("node {id} attributes "),
            _ => return Vec::new(),
        };
        let name = self.words.get(2);
        let before = name.map_or_else(String::new, |name| format!("{name}="));
        let found = hafen_crm::complete(&format!("{head}{before}{}", self.part), cib, agents);
        let fits = found.candidates.into_iter().filter_map(|mut one| {
            one.text = match (name, list) {
                (Some(_), _) => one.text.strip_prefix(&before)?.to_owned(),
                (None, "operations") => one.text,
                (None, _) => one.text.strip_suffix('=')?.to_owned(),
            };
            Some(one)
        });
        fits.filter(|one| !one.text.is_empty()).collect()
    }
}

/// Agents without their class and provider.
fn types(agents: &dyn Catalogue) -> Vec<Candidate> {
    let names = agents.agents();
    let kinds: BTreeSet<&str> = names.iter().filter_map(|(name, _)| name.rsplit(':').next()).collect();
    kinds.into_iter().map(|kind| candidate(kind, "a type of agents")).collect()
}

fn providers(agents: &dyn Catalogue) -> Vec<Candidate> {
    let names = agents.agents();
    let of = |name: &str| Some(name.strip_prefix("ocf:")?.split_once(':')?.0.to_owned());
    let providers: BTreeSet<String> = names.iter().filter_map(|(name, _)| of(name)).collect();
    providers.into_iter().map(|provider| candidate(provider, "a provider of agents")).collect()
}

fn objects(cib: &Cib, wanted: impl Fn(&str) -> bool) -> Vec<Candidate> {
    let all = hafen_crm::objects(cib).into_iter();
    all.filter(|object| wanted(object.word)).map(|object| candidate(object.id, object.word)).collect()
}

fn hosts(cib: &Cib) -> Vec<Candidate> {
    let nodes = cib.nodes().into_iter().flat_map(|nodes| nodes.children_named("node").collect::<Vec<_>>());
    nodes.filter_map(|node| Some(candidate(node.attribute("uname")?, "a host"))).collect()
}

/// Files that begin so; folders with a slash behind them.
fn files(part: &str) -> Vec<Candidate> {
    let (folder, _) = part.rsplit_once('/').map_or(("", part), |(folder, name)| (folder, name));
    let prefix = if part.contains('/') { format!("{folder}/") } else { String::new() };
    let path = if prefix.is_empty() { "." } else { prefix.as_str() };
    let entries = std::fs::read_dir(path).into_iter().flatten().filter_map(Result::ok);
    let mut found: Vec<Candidate> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let is_folder = entry.path().is_dir();
            let hidden = name.starts_with('.') && !part.ends_with('.');
            let end = if is_folder { "/" } else { "" };
            (!hidden && !name.contains(char::is_whitespace))
                .then(|| candidate(format!("{prefix}{name}{end}"), ""))
        })
        .collect();
    found.sort_by(|one, other| one.text.cmp(&other.text));
    found
}

fn shadows() -> Vec<Candidate> {
    let file = source::shadow_file("");
    let entries = file.parent().map(Path::read_dir).into_iter().flatten().flatten().filter_map(Result::ok);
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> =
        names.filter_map(|name| name.strip_prefix("shadow.").map(str::to_owned)).collect();
    names.sort();
    names.into_iter().map(|name| candidate(name, "a shadow copy")).collect()
}

#[cfg(test)]
#[path = "completion_tests.rs"]
mod tests;
