//! `crm_attribute` and `crm_master`: options of the cluster, attributes of hosts, permanent and transient.

mod places;

use std::process::ExitCode;

use hafen_client::Client;
use hafen_protocol::client::{AttributeMode, Request};
use regex_lite::Regex;

use super::option_lists::{CLUSTER_LIST, list};
use super::options::{Given, OUTPUT_AS, Operand, OptionSpec, SCORE, Spec, flag, old, valued};
use super::output::{self, CrmExit, Failed, Printed, escaped};
use super::pairs::Ids;
use super::source::Source;
use super::{attrd_updater, crm_node};
use places::{Pair, Place, Scope};

const OPTIONS: &[OptionSpec] = &[
    valued('n', "name", "NAME", "The attribute or option; without it a query shows all"),
    valued('P', "pattern", "PATTERN", "All attributes whose names match (with -v, -D, -G)"),
    OptionSpec {
        letter: 'p',
        name: "promotion",
        operand: Operand::Optional("RESOURCE"),
        help: "The promotion score of that resource, or of OCF_RESOURCE_INSTANCE; --lifetime is then reboot",
    },
    valued('s', "set-name", "ID", "Only in the set with this id"),
    valued('i', "id", "ID", "Only the attribute with this id"),
    flag('G', "query", "Show the value (nothing else given: this)"),
    valued('v', "update", "VALUE", "Set the value; value++ and value+=N add to a number"),
    flag('D', "delete", "Delete it"),
    valued('L', "list-options", "TYPE", "List the options that there are: cluster"),
    valued('d', "default", "VALUE", "What a query shows when nothing is set"),
    valued('N', "node", "NODE", "An attribute of that host instead of an option of the cluster"),
    valued('l', "lifetime", "LIFETIME", "forever, or reboot: until the host leaves the cluster"),
    valued('t', "type", "SECTION", "crm_config, nodes, status, rsc_defaults or op_defaults"),
    flag('z', "utilization", "A utilization attribute of the host"),
    valued(
        'W',
        "wait",
        "UNTIL",
        "no, local or cluster: all wait until all hosts have the change in their order",
    ),
    flag(SCORE, "score", "Accepted: value++ and value+=N always add"),
    flag('a', "all", "With -L: those that few need, too"),
    flag('q', "quiet", "Only the value"),
    old('Q', "quiet-old", Operand::None),
    old('U', "update-old", Operand::Required("VALUE")),
    old('u', "uname", Operand::Required("NODE")),
    old('!', "inhibit-policy-engine", Operand::None),
];

const SPEC: Spec = Spec {
    name: "crm_attribute",
    about: "Shows and changes options of the cluster and attributes of its hosts",
    options: OPTIONS,
    examples: "Examples:\n  crm_attribute -t crm_config -n stonith-enabled -G\n  \
        crm_attribute -N host1 -n rack -v 7\n  crm_attribute -N host1 -l reboot -n pingd -G -q",
};

/// Runs the applet.
pub(super) fn run(words: &[String]) -> ExitCode {
    output::run(&SPEC, words, act)
}

/// Runs `crm_master`: promotion scores, with `crm_attribute`'s other options.
pub(super) fn run_master(words: &[String]) -> ExitCode {
    let words: Vec<String> = std::iter::once("-p".to_owned()).chain(words.iter().cloned()).collect();
    run(&words)
}

/// The applet's name.
pub(super) const NAME: &str = SPEC.name;

/// What a call of it would print.
pub(super) fn outcome(words: &[String]) -> Result<Printed, Failed> {
    act(&SPEC.parse(words).map_err(Failed::usage)?)
}

/// What is to be done, read off the options.
struct Wanted<'a> {
    given: &'a Given,
    scope: Scope,
    /// The attribute; none: all of them.
    name: Option<String>,
    pattern: Option<Regex>,
}

impl Wanted<'_> {
    fn matches(&self, pair: &Pair) -> bool {
        let fits = |wanted: Option<&str>, actual: &str| wanted.is_none_or(|wanted| wanted == actual);
        fits(self.name.as_deref(), &pair.name)
            && self.pattern.as_ref().is_none_or(|pattern| pattern.is_match(&pair.name))
            && fits(self.given.value(&['i']), &pair.id)
            && fits(self.given.value(&['s']), &pair.set)
    }

    fn quiet(&self) -> bool {
        self.given.has('q') || self.given.has('Q')
    }
}

fn act(given: &Given) -> Result<Printed, Failed> {
    if let Some(kind) = given.value(&['L']) {
        return list_options(kind, given.has('a'));
    }
    if let Some(until) = given.value(&['W'])
        && !["no", "local", "cluster"].contains(&until)
    {
        return Err(Failed::usage("--wait= must be one of 'no', 'local', 'cluster'"));
    }
    let wanted = wanted(given)?;
    let mut source = Source::open()?;
    let host = places::host(wanted.scope, given, &mut source)?;
    match given.last(&['G', 'v', 'U', 'D']) {
        Some('D') => delete(&wanted, host.as_ref(), &mut source),
        Some(letter @ ('v' | 'U')) => {
            let value = given.value(&[letter]).unwrap_or_default();
            update(&wanted, value, host.as_ref(), &mut source)
        }
        _ => query(&wanted, host.as_ref(), &mut source),
    }
}

const NO_SUCH: &str = "Error performing operation: No such device or address";

fn no_such() -> Failed {
    Failed::new(CrmExit::NoSuchObject, NO_SUCH)
}

/// Whether nothing of what was asked for is set, but all else was right.
pub(super) fn is_unset(failed: &Failed) -> bool {
    failed.text.as_deref() == Some(NO_SUCH)
}

fn wanted(given: &Given) -> Result<Wanted<'_>, Failed> {
    let mut name = given.value(&['n']).map(str::to_owned);
    let promotion = given.has('p');
    if promotion {
        let resource = given.value(&['p']).map(str::to_owned);
        let resource = resource.or_else(|| std::env::var("OCF_RESOURCE_INSTANCE").ok());
        let resource = resource.filter(|resource| !resource.is_empty()).ok_or_else(|| {
            Failed::usage(
                "-p/--promotion must be called from an OCF resource agent or with a resource ID specified",
            )
        })?;
        name = Some(format!("master-{resource}"));
    }
    let pattern = given.value(&['P']).map(Regex::new).transpose().map_err(|_| no_such())?;
    Ok(Wanted { given, scope: Scope::of(given, promotion)?, name, pattern })
}

/// What there is of what is wanted: with a daemon transient attributes as they were set last, else what is in the CIB.
fn pairs(wanted: &Wanted<'_>, host: Option<&Place>, source: &mut Source) -> Result<Vec<Pair>, Failed> {
    let mut pairs = match (wanted.scope, host, source.daemon()) {
        (Scope::Status, Some(host), Some(client)) => {
            let reports = attrd_updater::values(client, wanted.name.as_deref())?;
            let own = reports.into_iter().filter(|report| report.host == host.uname);
            own.map(|report| Pair::transient(report.name, report.value.unwrap_or_default())).collect()
        }
        _ => places::pairs(&source.cib(wanted.scope == Scope::Tickets)?, wanted.scope, host),
    };
    pairs.retain(|pair| wanted.matches(pair));
    Ok(pairs)
}

fn query(wanted: &Wanted<'_>, host: Option<&Place>, source: &mut Source) -> Result<Printed, Failed> {
    let mut found = pairs(wanted, host, source)?;
    if let (true, Some(name), Some(value)) = (found.is_empty(), &wanted.name, wanted.given.value(&['d'])) {
        found.push(Pair::transient(name.clone(), value.to_owned()));
    }
    if found.is_empty() {
        return Err(no_such());
    }
    let scope = wanted.scope.name();
    let mut printed = Printed::default();
    for pair in &found {
        let (text_id, xml_id) = match wanted.given.has('i') {
            true => (format!(" id={}", pair.id), format!(" id=\"{}\"", escaped(&pair.id))),
            false => Default::default(),
        };
        let text = match wanted.quiet() {
            true => pair.value.clone(),
            false => format!("scope={scope}{text_id} name={} value={}", pair.name, pair.value),
        };
        let (name, value) = (escaped(&pair.name), escaped(&pair.value));
        printed
            .add(&text, &format!("<attribute name=\"{name}\" value=\"{value}\" scope=\"{scope}\"{xml_id}/>"));
    }
    Ok(printed)
}

/// The names that a change is about.
fn names(
    wanted: &Wanted<'_>,
    host: Option<&Place>,
    source: &mut Source,
    what: &str,
) -> Result<Vec<String>, Failed> {
    match (&wanted.name, &wanted.pattern) {
        (Some(name), _) => Ok(vec![name.clone()]),
        (None, Some(_)) => {
            let mut names: Vec<String> =
                pairs(wanted, host, source)?.into_iter().map(|pair| pair.name).collect();
            names.dedup();
            Ok(names)
        }
        (None, None) => {
            Err(Failed::usage(format!("Error: must specify attribute name or pattern to {what}")))
        }
    }
}

/// What is printed where a name alone does not tell which pair is meant.
fn ambiguous(name: &str, found: &[&Pair]) -> String {
    let lines = found.iter().map(|pair| format!("  Value: {} \t(id={})\n", pair.value, pair.id));
    format!("Multiple attributes match name={name}\n{}", lines.collect::<String>())
}

fn update(
    wanted: &Wanted<'_>,
    value: &str,
    host: Option<&Place>,
    source: &mut Source,
) -> Result<Printed, Failed> {
    for name in names(wanted, host, source, "update")? {
        if let (Scope::Status, Some(host), Some(client)) = (wanted.scope, host, source.daemon()) {
            set_transient(client, host, &name, Some(value))?;
            continue;
        }
        let mut set = None;
        let outcome = source.change(SPEC.name, |cib| {
            let pairs = places::pairs(cib, wanted.scope, host);
            let found: Vec<&Pair> =
                pairs.iter().filter(|pair| pair.name == name && wanted.matches(pair)).collect();
            if found.len() > 1 {
                if wanted.given.value(&[OUTPUT_AS]).is_none_or(|format| format == "text") {
                    out!("{}", ambiguous(&name, &found));
                }
                let text = "Please choose from one of the matches below and supply the 'id' with --attr-id";
                return Err(Failed::new(CrmExit::Multiple, text));
            }
            let ids = Ids { set: wanted.given.value(&['s']), pair: wanted.given.value(&['i']) };
            set = found.is_empty().then(|| wanted.scope.set(host).1);
            places::set(cib, wanted.scope, host, ids, &name, value);
            Ok(())
        });
        let readable = |failed: &Failed, source: &mut Source| {
            failed.exit == CrmExit::NoPermission && source.cib(false).is_ok()
        };
        outcome.map_err(|mut failed| {
            if readable(&failed, source) {
                let (scope, set) = (wanted.scope.name(), set.as_deref().unwrap_or("<null>"));
                failed.notes.push(format!(
                    "Error setting {name}={value} (section={scope}, set={set}): Permission denied"
                ));
            }
            failed
        })?;
    }
    Ok(Printed::default())
}

fn delete(wanted: &Wanted<'_>, host: Option<&Place>, source: &mut Source) -> Result<Printed, Failed> {
    let mut printed = Printed::default();
    let scope = wanted.scope.name();
    let what = if host.is_some() { "attribute" } else { "option" };
    let set = wanted.given.value(&['s']).map_or_else(String::new, |set| format!(" set={set}"));
    for name in names(wanted, host, source, "delete")? {
        if let (Scope::Status, Some(host), Some(client)) = (wanted.scope, host, source.daemon()) {
            set_transient(client, host, &name, None)?;
            continue;
        }
        printed.text += &source.change(SPEC.name, |cib| {
            let pairs = places::pairs(cib, wanted.scope, host);
            let found: Vec<&Pair> =
                pairs.iter().filter(|pair| pair.name == name && wanted.matches(pair)).collect();
            let [pair] = found.as_slice() else {
                return Ok(if found.is_empty() { String::new() } else { ambiguous(&name, &found) });
            };
            places::delete(cib, wanted.scope, host, pair);
            Ok(format!("Deleted {scope} {what}: id={}{set} name={name}\n", pair.id))
        })?;
    }
    Ok(printed)
}

fn set_transient(client: &mut Client, host: &Place, name: &str, value: Option<&str>) -> Result<(), Failed> {
    let request = Request::SetAttribute {
        host: Some(host.uname.clone()),
        name: name.to_owned(),
        value: value.map(str::to_owned),
        dampen_ms: None,
        mode: AttributeMode::Value,
    };
    client.done(request).map(drop).map_err(|error| output::failed_request("the CIB", &error))
}

fn list_options(kind: &str, all: bool) -> Result<Printed, Failed> {
    match kind {
        "cluster" => Ok(list(&CLUSTER_LIST, all)),
        _ => Err(Failed::usage(format!("Invalid --list-options value '{kind}'. Allowed values: cluster"))),
    }
}

/// The host that is meant where none is named: this one.
fn own_place(source: &mut Source) -> Result<String, Failed> {
    match source.daemon() {
        Some(client) => crm_node::own_host(client).map(|own| own.name),
        None => Ok(rustix::system::uname().nodename().to_string_lossy().into_owned()),
    }
}
