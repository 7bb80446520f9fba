//! `crm_attribute` and `crm_master`: options of the cluster, attributes of hosts, permanent and transient.

mod places;

use std::process::ExitCode;

use hafen_cib::Cib;
use hafen_cib::options::{CLUSTER_OPTIONS, OptionType};
use hafen_client::{Client, ClientError};
use hafen_protocol::client::{AttributeMode, Edit, Request};
use regex_lite::Regex;

use super::options::{Given, Operand, OptionSpec, SCORE, Spec, flag, old, valued};
use super::output::{self, CrmExit, Failed, Printed, escaped};
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
    valued('v', "update", "VALUE", "Set the value; NAME++ and NAME+=N add to a number"),
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
    flag(SCORE, "score", "Accepted: NAME++ and NAME+=N always add"),
    flag('a', "all", "Accepted (with -L)"),
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

/// Whom we speak to, in Pacemaker's words.
const CIB: &str = "the CIB";

/// Runs the applet.
pub(super) fn run(words: &[String]) -> ExitCode {
    output::run(&SPEC, words, act)
}

/// Runs `crm_master`: promotion scores, with `crm_attribute`'s other options.
pub(super) fn run_master(words: &[String]) -> ExitCode {
    let words: Vec<String> = std::iter::once("-p".to_owned()).chain(words.iter().cloned()).collect();
    run(&words)
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
        return list_options(kind);
    }
    if let Some(until) = given.value(&['W'])
        && !["no", "local", "cluster"].contains(&until)
    {
        return Err(Failed::usage("--wait= must be one of 'no', 'local', 'cluster'"));
    }
    let wanted = wanted(given)?;
    let mut client = output::connect().map_err(no_cib)?;
    let host = places::host(&wanted.scope, given, &mut client)?;
    match given.last(&['G', 'v', 'U', 'D']) {
        Some('D') => delete(&wanted, host.as_ref(), &mut client),
        Some(letter @ ('v' | 'U')) => {
            let value = given.value(&[letter]).unwrap_or_default();
            update(&wanted, value, host.as_ref(), &mut client)
        }
        _ => query(&wanted, host.as_ref(), &mut client),
    }
}

fn no_cib(error: ClientError) -> Failed {
    match error.kind() {
        "no-daemon" => {
            let text = "Could not connect to the CIB: Transport endpoint is not connected";
            Failed::new(CrmExit::Disconnected, text)
        }
        _ => output::failed_request(CIB, &error),
    }
}

fn no_such() -> Failed {
    Failed::new(CrmExit::NoSuchObject, "Error performing operation: No such device or address")
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
    let pattern = given.value(&['P']).map(|pattern| {
        let wrong = |error| Failed::new(CrmExit::DataError, format!("'{pattern}' is no pattern: {error}"));
        Regex::new(pattern).map_err(wrong)
    });
    Ok(Wanted { given, scope: Scope::of(given, promotion)?, name, pattern: pattern.transpose()? })
}

/// What there is of what is wanted: of transient attributes as they were set last, else of the configuration.
fn pairs(wanted: &Wanted<'_>, host: Option<&Place>, client: &mut Client) -> Result<Vec<Pair>, Failed> {
    let mut pairs = match (wanted.scope, host) {
        (Scope::Status, Some(host)) => {
            let reports = attrd_updater::values(client, wanted.name.as_deref())?;
            let own = reports.into_iter().filter(|report| report.host == host.uname);
            own.map(|report| Pair::transient(report.name, report.value.unwrap_or_default())).collect()
        }
        _ => places::pairs(&cib(client)?, wanted.scope, host),
    };
    pairs.retain(|pair| wanted.matches(pair));
    Ok(pairs)
}

fn cib(client: &mut Client) -> Result<Cib, Failed> {
    let xml = client.cib(false).map_err(no_cib)?;
    Cib::parse(&xml).map_err(|error| Failed::new(CrmExit::Protocol, error.to_string()))
}

fn query(wanted: &Wanted<'_>, host: Option<&Place>, client: &mut Client) -> Result<Printed, Failed> {
    let mut found = pairs(wanted, host, client)?;
    if let (true, Some(name), Some(value)) = (found.is_empty(), &wanted.name, wanted.given.value(&['d'])) {
        found.push(Pair::transient(name.clone(), value.to_owned()));
    }
    if found.is_empty() {
        return Err(no_such());
    }
    let scope = wanted.scope.name();
    let mut printed = Printed::default();
    for pair in &found {
        let text = match wanted.quiet() {
            true => pair.value.clone(),
            false => format!("scope={scope} name={} value={}", pair.name, pair.value),
        };
        let (name, value) = (escaped(&pair.name), escaped(&pair.value));
        let xml = format!("<attribute name=\"{name}\" value=\"{value}\" scope=\"{scope}\"/>");
        if !(wanted.quiet() && pair.value.is_empty()) {
            printed.add(&text, &xml);
        }
    }
    Ok(printed)
}

/// The names that a change is about.
fn names(wanted: &Wanted<'_>, host: Option<&Place>, client: &mut Client) -> Result<Vec<String>, Failed> {
    match (&wanted.name, &wanted.pattern) {
        (Some(name), _) => Ok(vec![name.clone()]),
        (None, Some(_)) => Ok(pairs(wanted, host, client)?.into_iter().map(|pair| pair.name).collect()),
        (None, None) => {
            Err(Failed::usage("Error: must specify attribute name or pattern to update or delete"))
        }
    }
}

fn update(
    wanted: &Wanted<'_>,
    value: &str,
    host: Option<&Place>,
    client: &mut Client,
) -> Result<Printed, Failed> {
    for name in names(wanted, host, client)? {
        match (wanted.scope, host) {
            (Scope::Status, Some(host)) => set_transient(client, host, &name, Some(value))?,
            _ => {
                let cib = cib(client)?;
                let value = places::added(&cib, wanted.scope, host, &name, value);
                let set = wanted.given.value(&['s']);
                let edit = places::set(cib, wanted.scope, host, set, &name, &value);
                change(client, vec![edit])?;
            }
        }
    }
    Ok(Printed::default())
}

fn delete(wanted: &Wanted<'_>, host: Option<&Place>, client: &mut Client) -> Result<Printed, Failed> {
    let mut printed = Printed::default();
    if let (Scope::Status, Some(host)) = (wanted.scope, host) {
        for name in names(wanted, Some(host), client)? {
            set_transient(client, host, &name, None)?;
        }
        return Ok(printed);
    }
    names(wanted, host, client)?;
    let scope = wanted.scope.name();
    let what = if host.is_some() { "attribute" } else { "option" };
    for pair in pairs(wanted, host, client)? {
        change(client, vec![Edit::Delete { id: pair.id.clone(), missing_ok: true }])?;
        let (id, name) = (escaped(&pair.id), escaped(&pair.name));
        if !wanted.quiet() {
            printed.add(
                &format!("Deleted {scope} {what}: id={} name={}", pair.id, pair.name),
                &format!("<deleted scope=\"{scope}\" id=\"{id}\" name=\"{name}\"/>"),
            );
        }
    }
    Ok(printed)
}

fn change(client: &mut Client, edits: Vec<Edit>) -> Result<(), Failed> {
    client.change(edits, false, &output::origin(SPEC.name)).map(drop).map_err(no_cib)
}

fn set_transient(client: &mut Client, host: &Place, name: &str, value: Option<&str>) -> Result<(), Failed> {
    let request = Request::SetAttribute {
        host: Some(host.uname.clone()),
        name: name.to_owned(),
        value: value.map(str::to_owned),
        dampen_ms: None,
        mode: AttributeMode::Value,
    };
    client.done(request).map(drop).map_err(no_cib)
}

fn list_options(kind: &str) -> Result<Printed, Failed> {
    if kind != "cluster" {
        return Err(Failed::usage(format!("Invalid --list-options value '{kind}'. Allowed values: cluster")));
    }
    let mut printed = Printed::default();
    for option in CLUSTER_OPTIONS {
        let values = match option.values {
            OptionType::Boolean => "boolean".to_owned(),
            OptionType::Score => "score".to_owned(),
            OptionType::Duration => "duration".to_owned(),
            OptionType::Timeout => "timeout".to_owned(),
            OptionType::Integer => "integer".to_owned(),
            OptionType::Percentage => "percentage".to_owned(),
            OptionType::Select(words) => words.join(", "),
            OptionType::Text => "string".to_owned(),
        };
        let default =
            option.default.map_or_else(|| "no default".to_owned(), |value| format!("default: {value}"));
        let set_by = if option.generated { ", set by the cluster" } else { "" };
        let element = format!("<option name=\"{}\" values=\"{}\"/>", option.name, escaped(&values));
        printed.add(&format!("  * {}: {values} ({default}{set_by})", option.name), &element);
    }
    Ok(printed)
}

/// The host that is meant where none is named: this one.
fn own_place(client: &mut Client) -> Result<String, Failed> {
    crm_node::own_host(client).map(|own| own.name)
}
