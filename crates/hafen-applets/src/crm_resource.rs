//! `crm_resource`: where resources are, what is configured of them, moving them, and what happened to them.

mod actions;
mod agents;
mod moves;
mod parameters;
mod queries;

use std::process::ExitCode;

use hafen_cib::Cib;
use hafen_scheduler::{Whereabouts, whereabouts};

use super::option_lists;
use super::options::{Given, Operand, OptionSpec, Spec, flag, old, valued};
use super::output::{self, CrmExit, Failed, Printed};
use super::source::Source;

/// Letters of options that have none.
const LIST_STANDARDS: char = '\u{10}';
const LIST_PROVIDERS: char = '\u{11}';
const LIST_AGENTS: char = '\u{12}';
const LIST_ALTERNATIVES: char = '\u{13}';
const SHOW_METADATA: char = '\u{14}';
const WAIT: char = '\u{15}';
const RESTART: char = '\u{16}';
const PROMOTED: char = '\u{17}';
const RECURSIVE: char = '\u{18}';
const ELEMENT: char = '\u{19}';
const LIST_OPTIONS: char = '\u{1b}';
const ALL: char = '\u{1c}';

const OPTIONS: &[OptionSpec] = &[
    flag('l', "list-raw", "The ids of all resources: members of groups, and instances of clones"),
    flag('W', "locate", "The hosts where a resource runs"),
    flag('w', "query-xml-raw", "A resource as it is configured"),
    valued('g', "get-parameter", "NAME", "Show a parameter (-m, -z, --element: something else)"),
    valued('p', "set-parameter", "NAME", "Set a parameter (with -v)"),
    valued('d', "delete-parameter", "NAME", "Delete a parameter"),
    flag('m', "meta", "Meta attributes instead of parameters"),
    flag('z', "utilization", "Utilization attributes instead of parameters"),
    flag(ELEMENT, "element", "Attributes of the element instead of parameters"),
    flag(RECURSIVE, "recursive", "Also on what is colocated with it"),
    valued('v', "parameter-value", "VALUE", "The value"),
    valued('s', "set-name", "ID", "In the set with this id"),
    valued('i', "nvpair", "ID", "The pair with this id"),
    flag('M', "move", "Move a resource: to a host (-N), or away from where it is"),
    flag('B', "ban", "Keep a resource off a host"),
    flag('U', "clear", "Remove what -M and -B have made"),
    flag('e', "expired", "Only what has expired (with -U)"),
    valued('u', "lifetime", "DURATION", "How long it holds: an ISO 8601 duration such as PT1H (with -M, -B)"),
    flag(PROMOTED, "promoted", "Only the promoted role (with -M, -B, -U)"),
    flag('C', "cleanup", "Forget failures, and look afresh"),
    flag('R', "refresh", "Forget the whole history, and look afresh"),
    flag(WAIT, "wait", "Wait until nothing is left to do"),
    flag(RESTART, "restart", "Stop and start a resource, and what depends on it"),
    flag('D', "delete", "Delete a resource from the configuration (with -t)"),
    valued(
        't',
        "resource-type",
        "ELEMENT",
        "Its element: primitive, group, clone, bundle, template (with -D)",
    ),
    flag(LIST_STANDARDS, "list-standards", "The standards of agents"),
    flag(LIST_PROVIDERS, "list-ocf-providers", "The providers of OCF agents"),
    valued(LIST_AGENTS, "list-agents", "STANDARD[:PROVIDER]", "The agents of a standard"),
    valued(LIST_ALTERNATIVES, "list-ocf-alternatives", "AGENT", "The providers of an OCF agent"),
    valued(SHOW_METADATA, "show-metadata", "AGENT", "What an agent says of itself"),
    valued(LIST_OPTIONS, "list-options", "TYPE", "The options that there are: primitive or fencing"),
    flag(ALL, "all", "Advanced and deprecated ones, too (with --list-options)"),
    valued('N', "node", "HOST", "The host"),
    valued('r', "resource", "ID", "The resource"),
    valued('n', "operation", "OPERATION", "Accepted (with -C)"),
    valued('I', "interval", "INTERVAL", "Accepted (with -C)"),
    valued('T', "timeout", "DURATION", "How long to wait at most (with --wait, --restart)"),
    flag('f', "force", "Do it although something speaks against it"),
    flag('Q', "quiet", "Say less"),
    old('H', "node-uname-old", Operand::Required("HOST")),
    old('\u{1a}', "master", Operand::None),
];

const SPEC: Spec = Spec {
    name: "crm_resource",
    about: "Shows, configures and moves resources",
    options: OPTIONS,
    examples: "Examples:\n  crm_resource -r vm1 -W\n  crm_resource -r vm1 -M -N host2\n  crm_resource -r vm1 -U\n  \
        crm_resource -r vm1 -m -p target-role -v Stopped",
};

const COMMANDS: [char; 18] = [
    'l',
    'W',
    'w',
    'g',
    'p',
    'd',
    'M',
    'B',
    'U',
    'C',
    'R',
    'D',
    WAIT,
    RESTART,
    LIST_STANDARDS,
    LIST_PROVIDERS,
    LIST_AGENTS,
    SHOW_METADATA,
];

/// Runs the applet.
pub(super) fn run(words: &[String]) -> ExitCode {
    output::run(&SPEC, words, |given| {
        act(given).map_err(|failed| match (failed.exit, failed.text.as_deref()) {
            (CrmExit::NoPermission, Some("Error performing operation: Permission denied")) => {
                let text = Some("Error performing operation: Insufficient privileges".to_owned());
                Failed { text, ..failed }
            }
            _ => failed,
        })
    })
}

fn act(given: &Given) -> Result<Printed, Failed> {
    if !given.words.is_empty() {
        let all = given.words.len();
        let words =
            given.words.iter().enumerate().map(|(at, word)| format!("[{} of {all}] {word}\n", at + 1));
        return Err(Failed::usage(format!("non-option ARGV-elements:\n{}", words.collect::<String>())));
    }
    match given.value(&[LIST_OPTIONS]) {
        Some("primitive") => return Ok(option_lists::list(&option_lists::PRIMITIVE_LIST, given.has(ALL))),
        Some("fencing") => return Ok(option_lists::list(&option_lists::FENCING_LIST, given.has(ALL))),
        Some(_) => return Err(Failed::usage("Error parsing option --list-options")),
        None => {}
    }
    if let Some(agent) = given.value(&[LIST_ALTERNATIVES]) {
        return agents::alternatives(agent);
    }
    let Some(command) = given.last(&COMMANDS) else {
        return Err(Failed::usage("say what to do: see --help"));
    };
    match command {
        LIST_STANDARDS => return Ok(agents::standards()),
        LIST_PROVIDERS => return Ok(agents::providers()),
        LIST_AGENTS => return agents::agents(given.value(&[LIST_AGENTS]).unwrap_or_default()),
        SHOW_METADATA => return agents::metadata(given.value(&[SHOW_METADATA]).unwrap_or_default()),
        _ => {}
    }
    if command == 'p' && given.value(&['v']).is_none() {
        return Err(Failed::usage("You need to supply a value with the -v option"));
    }
    if !matches!(command, 'l' | 'C' | 'R' | WAIT) && given.value(&['r']).is_none() {
        return Err(Failed::usage("Must supply a resource id with -r"));
    }
    let mut source = Source::open()?;
    let cib = source.cib(true)?;
    let wanted = Wanted::find(given, &cib)?;
    match command {
        'l' => Ok(queries::list(&wanted)),
        'W' => queries::locate(given, &wanted),
        'w' => queries::xml(&wanted, &cib),
        'g' => parameters::get(given, &wanted, &cib),
        'p' => parameters::set(given, &wanted, &mut source),
        'd' => parameters::delete(given, &wanted, &mut source),
        'D' => parameters::delete_resource(given, &wanted, &mut source),
        'M' | 'B' => moves::make(command, given, &wanted, &mut source),
        'U' => moves::clear(given, &wanted, &mut source),
        'C' | 'R' => actions::clean_up(command, given, &wanted, &mut source),
        WAIT => actions::wait(given, &mut source),
        _ => actions::restart(given, &wanted, &mut source),
    }
}

fn not_found(what: &str, name: &str) -> Failed {
    let text = format!("{what} '{name}' not found\nError performing operation: No such object");
    Failed::new(CrmExit::NoSuchObject, text)
}

/// The resource that is meant, among all.
struct Wanted {
    all: Vec<Whereabouts>,
    /// The resource's position.
    at: Option<usize>,
    /// As it was asked for.
    name: String,
    host: Option<String>,
}

impl Wanted {
    /// By the id, or by the name of a clone's instances.
    fn find(given: &Given, cib: &Cib) -> Result<Self, Failed> {
        let all = whereabouts(cib, output::now());
        let name = given.value(&['r']).unwrap_or_default().to_owned();
        let at = all.iter().position(|found| found.id == name);
        let at = at.or_else(|| all.iter().position(|found| found.name == name));
        // A template is no resource, but it can be deleted, and so can what is not there.
        if at.is_none() && given.value(&['r']).is_some() && !given.has('D') {
            return Err(not_found("Resource", &name));
        }
        let host = given.value(&['N', 'H']);
        if let Some(host) = host
            && !cib.nodes().is_some_and(|nodes| {
                nodes.children_named("node").any(|node| node.attribute("uname") == Some(host))
            })
        {
            return Err(not_found("Node", host));
        }
        Ok(Self { all, at, name, host: host.map(str::to_owned) })
    }

    /// The resource itself.
    fn resource(&self) -> Result<&Whereabouts, Failed> {
        self.at.and_then(|at| self.all.get(at)).ok_or_else(|| not_found("Resource", &self.name))
    }

    /// The clone that contains it, or that it is.
    fn clone(&self) -> Option<&Whereabouts> {
        let mut at = self.at;
        while let Some(resource) = at.and_then(|at| self.all.get(at)) {
            if resource.is_clone {
                return Some(resource);
            }
            at = resource.parent;
        }
        None
    }

    /// What is active of it: its own primitive, or the instances of its clone that are meant, with hosts.
    fn active(&self) -> Vec<(&str, bool)> {
        let Some(resource) = self.at.and_then(|at| self.all.get(at)) else { return Vec::new() };
        let is_one = resource.id == self.name && !resource.is_clone;
        let parts: Vec<&Whereabouts> = if is_one {
            vec![resource]
        } else {
            let named = |part: &&Whereabouts| part.name == self.name && !part.is_clone;
            let children = resource.children.iter().filter_map(|&child| self.all.get(child));
            let mut parts: Vec<&Whereabouts> =
                if resource.is_clone { children.collect() } else { self.all.iter().filter(named).collect() };
            parts.reverse();
            parts
        };
        parts.iter().flat_map(|part| part.hosts.iter().map(|host| (host.as_str(), part.promoted))).collect()
    }
}
