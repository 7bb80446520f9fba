//! `attrd_updater`: transient attributes of hosts, with the time that they wait for further changes.

use std::process::ExitCode;

use hafen_cib::values::parse_duration_ms;
use hafen_client::{Client, ClientError};
use hafen_protocol::client::{AttributeMode, AttributeReport, Reply, Request};
use regex_lite::Regex;

use super::options::{Given, Operand, Spec, flag, old, valued};
use super::output::{self, CrmExit, Failed, Printed, escaped};

const SPEC: Spec = Spec {
    name: "attrd_updater",
    about: "Shows and changes attributes of hosts that last until the host leaves",
    options: &[
        valued('n', "name", "NAME", "The attribute"),
        valued('P', "pattern", "PATTERN", "All attributes whose names match (with -B, -D, -U, -Y)"),
        valued('U', "update", "VALUE", "Set the value; --delay counts only for an attribute that is new"),
        valued('B', "update-both", "VALUE", "Set the value and how long it waits (needs --delay)"),
        flag('Y', "update-delay", "Set only how long values wait (needs --delay)"),
        flag('Q', "query", "Show the value on this host, on that of --node, or on all with --all"),
        flag('D', "delete", "Empty the value"),
        flag('R', "refresh", "Accepted: every change is already told to all hosts"),
        valued(
            'd',
            "delay",
            "SECONDS",
            "How long a change waits for further ones before it counts (dampening)",
        ),
        valued('s', "set", "SET", "Accepted and ignored"),
        valued('N', "node", "NODE", "That host instead of this one"),
        flag('A', "all", "All hosts (with -Q)"),
        valued('l', "lifetime", "SECTION", "Accepted and ignored, as ever"),
        flag('p', "private", "Accepted: a new attribute is like any other"),
        valued(
            'W',
            "wait",
            "UNTIL",
            "no, local or cluster: all wait until all hosts have the change in their order",
        ),
        flag('z', "utilization", "Accepted and ignored"),
        old('v', "update-value", Operand::Required("VALUE")),
        old('q', "quiet", Operand::None),
        old('S', "section", Operand::Required("SET")),
        old('i', "id", Operand::Required("ID")),
    ],
    examples: "Examples:\n  attrd_updater -n pingd -B 100 -d 5s\n  attrd_updater -n pingd -Q -A",
};

/// The commands; the last one that is given counts.
const COMMANDS: [char; 7] = ['U', 'v', 'B', 'Y', 'Q', 'D', 'R'];
/// Whom we speak to, in Pacemaker's words.
const MANAGER: &str = "attribute manager";

/// Runs the applet.
pub(super) fn run(words: &[String]) -> ExitCode {
    output::run(&SPEC, words, act)
}

fn act(given: &Given) -> Result<Printed, Failed> {
    let command = given.last(&COMMANDS).unwrap_or('Q');
    let (name, pattern) = (given.value(&['n']), given.value(&['P']));
    if let Some(until) = given.value(&['W'])
        && !["no", "local", "cluster"].contains(&until)
    {
        return Err(Failed::usage("--wait= must be one of 'no', 'local', 'cluster'"));
    }
    if command == 'R' {
        output::connect().map_err(|error| output::failed_request(MANAGER, &error))?;
        return Ok(Printed::default());
    }
    if name.is_none() && pattern.is_none() {
        return Err(Failed::usage("Command requires --name or --pattern argument"));
    }
    if command == 'Q' {
        return match (name, pattern) {
            (Some(name), None) => query(name, given),
            _ => Err(Failed::usage("Error: pattern can only be used with delete or update")),
        };
    }
    if matches!(command, 'B' | 'Y') && !given.has('d') {
        eprintln!("Warning: '{command}' command given without required --delay");
    }
    let value = match command {
        'U' | 'v' | 'B' => given.value(&[command]).map(str::to_owned),
        _ => None,
    };
    update(command, name, value, given)
}

fn update(
    command: char,
    name: Option<&str>,
    value: Option<String>,
    given: &Given,
) -> Result<Printed, Failed> {
    let told = |name: Option<&str>, error: &ClientError| match error.kind() {
        "no-daemon" => {
            let (name, value) = (name.unwrap_or("(null)"), value.as_deref().unwrap_or("(null)"));
            let text = format!("Could not update {name}={value}: Connection refused (111)");
            Failed::new(CrmExit::Disconnected, text)
        }
        _ => output::failed_request(MANAGER, error),
    };
    let mut client = output::connect().map_err(|error| told(name, &error))?;
    let names = match (name, given.value(&['P'])) {
        (Some(name), _) => vec![name.to_owned()],
        (None, pattern) => matching(&mut client, pattern.unwrap_or_default())?,
    };
    let mode = match command {
        'B' => AttributeMode::Both,
        'Y' => AttributeMode::Dampening,
        _ => AttributeMode::Value,
    };
    let delay = given.value(&['d']).map(|text| parse_duration_ms(text).unwrap_or(0));
    let dampen_ms = if matches!(command, 'B' | 'Y') { Some(delay.unwrap_or(0)) } else { delay };
    for name in names {
        let request = Request::SetAttribute {
            host: given.value(&['N']).map(str::to_owned),
            name: name.clone(),
            value: value.clone(),
            dampen_ms,
            mode,
        };
        client.done(request).map_err(|error| told(Some(&name), &error))?;
    }
    Ok(Printed::default())
}

/// The names of the attributes that match a pattern; without a match the pattern stands for nothing.
fn matching(client: &mut Client, pattern: &str) -> Result<Vec<String>, Failed> {
    let regex = Regex::new(pattern)
        .map_err(|error| Failed::new(CrmExit::DataError, format!("'{pattern}' is no pattern: {error}")))?;
    let mut names: Vec<String> = values(client, None)?.into_iter().map(|report| report.name).collect();
    names.retain(|name| regex.is_match(name));
    names.sort();
    names.dedup();
    Ok(names)
}

/// The values of an attribute (or of all) on all hosts, as they were set last.
pub(super) fn values(client: &mut Client, name: Option<&str>) -> Result<Vec<AttributeReport>, Failed> {
    let request = Request::QueryAttribute { name: name.map(str::to_owned), host: None };
    match client.request(request) {
        Ok(Reply::Attributes { attributes }) => Ok(attributes),
        Ok(other) => Err(Failed::new(CrmExit::Protocol, format!("an unexpected answer: {other:?}"))),
        Err(error) => Err(output::failed_request(MANAGER, &error)),
    }
}

fn query(name: &str, given: &Given) -> Result<Printed, Failed> {
    let mut client = output::connect().map_err(|error| output::failed_request(MANAGER, &error))?;
    let reports = values(&mut client, Some(name))?;
    if reports.is_empty() {
        let text = format!("Could not query value of {name}: attribute does not exist");
        return Err(Failed::new(CrmExit::Configuration, text));
    }
    let mut printed = Printed::default();
    if given.has('A') && !given.has('N') {
        for report in &reports {
            print_value(&mut printed, name, &report.host, report.value.as_deref());
        }
        return Ok(printed);
    }
    let host = match given.value(&['N']) {
        Some(host) => host.to_owned(),
        None => super::crm_node::own_host(&mut client)?.name,
    };
    let value = reports.iter().find(|report| report.host == host).and_then(|report| report.value.as_deref());
    print_value(&mut printed, name, &host, value);
    Ok(printed)
}

fn print_value(printed: &mut Printed, name: &str, host: &str, value: Option<&str>) {
    let value = value.unwrap_or_default();
    let xml = format!(
        "<attribute name=\"{}\" value=\"{}\" host=\"{}\"/>",
        escaped(name),
        escaped(value),
        escaped(host)
    );
    printed.add(&format!("name=\"{name}\" host=\"{host}\" value=\"{value}\""), &xml);
}
