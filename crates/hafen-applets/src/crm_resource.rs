//! `crm_resource`: where resources are, what is configured of them, moving them, and what happened to them.

mod actions;
mod agent_calls;
pub(super) mod agents;
mod moves;
mod parameters;
mod queries;
mod restart;

use std::collections::BTreeSet;
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

const DIGESTS: char = '\u{1d}';
const VALIDATE: char = '\u{1e}';
const FORCE_START: char = '\u{1f}';
const FORCE_STOP: char = '\u{80}';
const FORCE_PROMOTE: char = '\u{81}';
const FORCE_DEMOTE: char = '\u{82}';
const FORCE_CHECK: char = '\u{83}';
const CLASS: char = '\u{84}';
const AGENT: char = '\u{85}';
const PROVIDER: char = '\u{86}';
const PARAMETER: char = '\u{87}';

const OPTIONS: &[OptionSpec] = &[
    flag('L', "list", "All resources with their state (also where nothing is asked)"),
    flag('l', "list-raw", "The ids of all resources: members of groups, and instances of clones"),
    flag('W', "locate", "The hosts where a resource runs"),
    flag('w', "query-xml-raw", "A resource's state, and how it is configured"),
    flag('q', "query-xml", "The same, with what comes from its template"),
    flag('O', "list-operations", "What agents did since resources were started last (-r, -N: only those)"),
    flag('o', "list-all-operations", "All that histories know of what agents did (-r, -N: only those)"),
    flag('a', "constraints", "The constraints that apply to a resource, and to those it is colocated with"),
    flag('A', "stack", "The same, for all that is colocated in turn"),
    flag('Y', "why", "Whether resources run, and what keeps them from it (-r, -N: only those)"),
    flag(
        DIGESTS,
        "digests",
        "Digests of a resource's parameters on a host (-r, -N; NAME=VALUE: with this one)",
    ),
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
    flag('C', "cleanup", "Forget failures (-n, -I: of one operation), and look afresh"),
    flag('R', "refresh", "Forget the whole history, and look afresh"),
    flag('F', "fail", "Take a resource as failed on a host (-r, -N)"),
    flag(FORCE_START, "force-start", "Start it here, past the cluster"),
    flag(FORCE_STOP, "force-stop", "Stop it here, past the cluster"),
    flag(FORCE_PROMOTE, "force-promote", "Promote it here, past the cluster"),
    flag(FORCE_DEMOTE, "force-demote", "Demote it here, past the cluster"),
    OptionSpec {
        letter: FORCE_CHECK,
        name: "force-check",
        operand: Operand::Optional("LEVEL"),
        help: "Look here how it is, past the cluster",
    },
    OptionSpec {
        letter: VALIDATE,
        name: "validate",
        operand: Operand::Optional("LEVEL"),
        help: "Ask the agent about its parameters: of a resource (-r), or of --class, --agent, --option",
    },
    valued(CLASS, "class", "STANDARD", "The agent's standard (with --validate)"),
    valued(PROVIDER, "provider", "PROVIDER", "The agent's provider (with --validate)"),
    valued(AGENT, "agent", "AGENT", "The agent (with --validate)"),
    valued(PARAMETER, "option", "NAME=VALUE", "A parameter, as often as needed (with --validate)"),
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
    valued('n', "operation", "OPERATION", "Only failures of this operation (with -C)"),
    valued('I', "interval", "INTERVAL", "Its interval, if it recurs (with -C -n)"),
    valued('T', "timeout", "DURATION", "How long to wait at most (with --wait, --restart, --force-...)"),
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

const COMMANDS: [char; 33] = [
    'F',
    VALIDATE,
    FORCE_START,
    FORCE_STOP,
    FORCE_PROMOTE,
    FORCE_DEMOTE,
    FORCE_CHECK,
    'L',
    'l',
    'q',
    'O',
    'o',
    'a',
    'A',
    'Y',
    DIGESTS,
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

/// What a move by these words comes to with that CIB; nothing is changed.
pub(super) fn planned_move(words: &[String], cib: &Cib) -> Result<moves::Move, Failed> {
    let given = SPEC.parse(words).map_err(Failed::usage)?;
    let command = if given.has('B') { 'B' } else { 'M' };
    moves::planned(command, &given, &Wanted::find(&given, cib, command)?)
}

fn act(given: &Given) -> Result<Printed, Failed> {
    const OVERRIDING: [char; 7] =
        [DIGESTS, VALIDATE, FORCE_START, FORCE_STOP, FORCE_PROMOTE, FORCE_DEMOTE, FORCE_CHECK];
    if !given.words.is_empty() && given.last(&OVERRIDING).is_none() {
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
    let command = given.last(&COMMANDS).unwrap_or('L');
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
    if let Some(answer) = by_agent(command, given) {
        return answer;
    }
    if !matches!(command, 'L' | 'l' | 'O' | 'o' | 'Y' | 'C' | 'R' | WAIT) && given.value(&['r']).is_none() {
        return Err(Failed::usage("Must supply a resource id with -r"));
    }
    if matches!(command, DIGESTS | 'F') && given.value(&['N', 'H']).is_none() {
        return Err(Failed::usage("Must supply a node name with -N"));
    }
    on_source(command, given, &mut Source::open()?)
}

fn on_source(command: char, given: &Given, source: &mut Source) -> Result<Printed, Failed> {
    let mut cib = source.cib(true)?;
    hafen_cib::upgrade::upgrade(&mut cib);
    if command == 'F' {
        actions::connected(source)?;
    }
    let wanted = Wanted::find(given, &cib, command)?;
    match command {
        'L' => Ok(queries::resources(&cib)),
        'l' => Ok(queries::list(&wanted)),
        'W' => queries::locate(given, &wanted),
        'w' | 'q' => queries::xml(&wanted, &cib, command == 'q'),
        'O' | 'o' => Ok(queries::operations(given, &cib, command == 'o')),
        'a' | 'A' => queries::constraints(given, &wanted, &cib, command == 'A' || given.has(RECURSIVE)),
        'Y' => Ok(queries::why(&wanted, &cib)),
        DIGESTS => queries::digests(given, &wanted, &cib),
        'g' => parameters::get(given, &wanted, &cib),
        'p' => parameters::set(given, &wanted, source),
        'd' => parameters::delete(given, &wanted, source),
        'D' => parameters::delete_resource(given, &wanted, source),
        'M' | 'B' => moves::make(command, given, &wanted, source),
        'U' => moves::clear(given, &wanted, source),
        'C' | 'R' => actions::clean_up(command, given, &wanted, source, &cib),
        'F' => actions::fail(given, &wanted, source),
        WAIT => actions::wait(given, source, &cib),
        RESTART => restart::restart(given, &wanted, source, &cib),
        _ => agent_calls::of_resource(command, given, &wanted, &cib),
    }
}

/// Moves a resource to a host, over a connection that there is.
pub(super) fn move_to(source: &mut Source, resource: &str, host: &str) -> Result<Printed, Failed> {
    on_source('M', &parsed(&["-r", resource, "-M", "-N", host])?, source)
}

/// The CIB as that would make it.
pub(super) fn moved_to(cib: &Cib, resource: &str, host: &str) -> Result<Cib, Failed> {
    let words = ["-r", resource, "-M", "-N", host].map(str::to_owned);
    let mut after = cib.clone();
    planned_move(&words, cib)?.put(&mut after);
    Ok(after)
}

/// Forgets a resource's failures, over a connection that there is.
pub(super) fn clean_up(source: &mut Source, resource: &str) -> Result<Printed, Failed> {
    on_source('C', &parsed(&["-r", resource, "-C"])?, source)
}

/// The names in histories of what that is about, and the CIB as it would be if the fresh look finds what is known now.
pub(super) fn cleaned_up(cib: &Cib, resource: &str) -> Result<(BTreeSet<String>, Cib), Failed> {
    let wanted = Wanted::find(&parsed(&["-r", resource, "-C"])?, cib, 'C')?;
    Ok(actions::without_failures(&wanted, cib))
}

fn parsed(words: &[&str]) -> Result<Given, Failed> {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    SPEC.parse(&words).map_err(Failed::usage)
}

/// What is asked of an agent that is named by itself, without a resource.
fn by_agent(command: char, given: &Given) -> Option<Result<Printed, Failed>> {
    let named = [CLASS, AGENT, PROVIDER].iter().any(|letter| given.has(*letter));
    let refused = |text: &str| Some(Err(Failed::usage(text)));
    if named && given.value(&['r']).is_some() {
        return refused("--resource cannot be used with --class, --agent, and --provider");
    }
    if named && command != VALIDATE {
        return refused("--class, --agent, and --provider can only be used with --validate and --force-*");
    }
    if given.has(PARAMETER) && !named {
        return refused("--option must be used with --validate and without -r");
    }
    named.then(|| agent_calls::of_agent(given))
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
    /// By the id, or by the name of a clone's instances where these are all alike, or where only the configuration counts.
    fn find(given: &Given, cib: &Cib, command: char) -> Result<Self, Failed> {
        let all = whereabouts(cib, output::now());
        let name = given.value(&['r']).unwrap_or_default().to_owned();
        let at = all.iter().position(|found| found.id == name);
        let configured = matches!(command, 'q' | 'w' | 'g' | 'p' | 'd');
        let by_name = |found: &Whereabouts| found.name == name && (configured || !found.is_unique);
        let at = at.or_else(|| all.iter().position(by_name));
        let may_be_missing = matches!(command, 'D' | 'O' | 'o' | 'F');
        if at.is_none() && given.value(&['r']).is_some() && !may_be_missing {
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
