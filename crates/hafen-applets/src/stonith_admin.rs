//! `stonith_admin`: fencing by hand, the devices, and what was fenced.

pub(crate) mod history;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hafen_agents::{AgentClass, AgentName, AgentPaths, Agents, FenceInvocation, OcfExitCode, OpStatus};
use hafen_cib::Cib;
use hafen_client::Client;
use hafen_protocol::client::{FenceOutcome, FenceRecord, Request};

use super::fence_metadata;
use super::options::{Given, OUTPUT_AS, Operand, OptionSpec, Spec, TOLERANCE, flag, old, valued};
use super::output::{self, CrmExit, Failed, Printed, escaped};

const OPTIONS: &[OptionSpec] = &[
    valued('F', "fence", "HOST", "Switch a host off"),
    valued('B', "reboot", "HOST", "Switch a host off and on again"),
    valued('U', "unfence", "HOST", "Give a host back what fencing took from it"),
    valued(
        'C',
        "confirm",
        "HOST",
        "Vouch that a host is off. If it still runs, both write to the same disks",
    ),
    valued(
        'H',
        "history",
        "HOST",
        "The last fencing of a host that succeeded ('*': of all); -V: all fencings",
    ),
    valued('h', "last", "HOST", "When a host was last fenced"),
    flag('L', "list-registered", "The fence devices"),
    valued('l', "list", "HOST", "The devices that can fence a host"),
    valued('s', "list-targets", "DEVICE", "The hosts that a device can fence"),
    valued('Q', "query", "DEVICE", "Whether a device answers, by the exit status"),
    flag('I', "list-installed", "The fence agents of this host"),
    flag('M', "metadata", "What an agent says of itself (with -a)"),
    flag('K', "validate", "Whether an agent takes the parameters given by -o (with -a)"),
    valued('a', "agent", "AGENT", "The fence agent"),
    valued('o', "option", "NAME=VALUE", "A parameter (with -K)"),
    valued('e', "env-option", "NAME", "A parameter whose value is in OCF_RESKEY_NAME (with -K)"),
    valued('t', "timeout", "SECONDS", "How long to wait for the end"),
    valued(TOLERANCE, "tolerance", "SECONDS", "Nothing is done if the same succeeded less than that ago"),
    valued('T', "tag", "TAG", "Who asks, for the record"),
    flag('c', "cleanup", "With -H: forget it (not done here: the record of fencings is kept)"),
    flag('b', "broadcast", "Accepted: all hosts have the same record"),
    flag('n', "as-node-id", "With -h: HOST is the host's number"),
    flag('q', "quiet", "Say less"),
    old('y', "delay", Operand::Required("SECONDS")),
    old('v', "device", Operand::Required("DEVICE")),
    old('i', "index", Operand::Required("LEVEL")),
    old('R', "register", Operand::Required("DEVICE")),
    old('D', "deregister", Operand::Required("DEVICE")),
    old('r', "register-level", Operand::Required("TARGET")),
    old('d', "deregister-level", Operand::Required("TARGET")),
];

const SPEC: Spec = Spec {
    name: "stonith_admin",
    about: "Fences hosts by hand, and shows devices and what was fenced",
    options: OPTIONS,
    examples: "Examples:\n  stonith_admin -L\n  stonith_admin -F host2\n  stonith_admin -H '*' -V",
};

const COMMANDS: [char; 17] =
    ['F', 'B', 'U', 'C', 'H', 'h', 'L', 'l', 's', 'Q', 'I', 'M', 'K', 'R', 'D', 'r', 'd'];
/// How long a fencing may take where nothing is said, in seconds.
const TIMEOUT_S: u64 = 120;

/// Runs the applet.
pub(super) fn run(words: &[String]) -> ExitCode {
    output::run(&SPEC, words, act)
}

fn act(given: &Given) -> Result<Printed, Failed> {
    let Some(command) = given.last(&COMMANDS) else {
        return Err(Failed { notes: vec![SPEC.help()], ..Failed::silent(CrmExit::Usage) });
    };
    let operand = given.value(&[command]).unwrap_or_default();
    match command {
        'F' => fence(given, operand, "off"),
        'B' => fence(given, operand, "reboot"),
        'U' => fence(given, operand, "on"),
        'C' => confirm(given, operand),
        'H' => events(given, operand),
        'h' => last(given, operand),
        'L' => devices(),
        'l' => devices_for(operand),
        's' => targets(operand),
        'Q' => query(operand),
        'I' => Ok(installed()),
        'M' => metadata(given),
        'K' => validate(given),
        _ => {
            let text =
                "fence devices and levels are those of the configuration: change it with cibadmin or crm";
            Err(Failed::new(CrmExit::Unimplemented, text))
        }
    }
}

fn connected() -> Result<Client, Failed> {
    output::connect().map_err(|error| output::failed_request("fencer", &error))
}

fn seconds(given: &Given, letter: char, default: u64) -> Result<u64, Failed> {
    let Some(text) = given.value(&[letter]) else { return Ok(default) };
    let milliseconds = hafen_cib::values::parse_duration_ms(text);
    let wrong = || Failed::usage(format!("'{text}' is no number of seconds"));
    milliseconds.map(|milliseconds| milliseconds.div_ceil(1000)).ok_or_else(wrong)
}

fn origin(given: &Given) -> String {
    let tag =
        given.value(&['T']).map_or_else(|| SPEC.name.to_owned(), |tag| format!("{} ({tag})", SPEC.name));
    output::origin(&tag)
}

fn fence(given: &Given, host: &str, action: &str) -> Result<Printed, Failed> {
    let limit = Duration::from_secs(seconds(given, 't', TIMEOUT_S)?);
    let tolerance = seconds(given, TOLERANCE, 0)?;
    let word = if action == "on" { "unfence" } else { "fence" };
    let could_not = |exit, why: &str| Failed::new(exit, format!("Couldn't {word} {host}: {why}"));
    if given.value(&['y']).is_some_and(|delay| delay != "0") {
        let text = "a fencing that is asked for begins at once: --delay is not supported, nor does -1 turn off delays of devices";
        return Err(Failed::new(CrmExit::Unimplemented, text));
    }
    let mut client = connected()?;
    let failed = |error| output::failed_request("fencer", &error);
    let history = client.fence_history(Some(host)).map_err(|error| match error.kind() {
        "not-found" => could_not(CrmExit::NoSuchObject, "No such device"),
        _ => failed(error),
    })?;
    if tolerance > 0 && history.iter().any(|record| is_as_good(record, action, tolerance)) {
        return Ok(Printed::default());
    }
    let known: BTreeSet<String> = history.into_iter().map(|record| record.id).collect();
    let request = Request::Fence { host: host.to_owned(), action: action.to_owned(), origin: origin(given) };
    client.done(request).map_err(failed)?;
    match client.fencing_ended(host, &known, limit).map_err(failed)? {
        Some(FenceRecord { outcome: FenceOutcome::Succeeded, .. }) => Ok(Printed::default()),
        Some(record) => {
            let why = record.error.unwrap_or_else(|| "it is not proven".to_owned());
            Err(could_not(CrmExit::Error, &why))
        }
        None => Err(could_not(CrmExit::Timeout, "Timer expired")),
    }
}

/// Whether a fencing of the same kind succeeded so recently that another one is not needed.
fn is_as_good(record: &FenceRecord, action: &str, tolerance_s: u64) -> bool {
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let ended_ms = u128::from(record.ended_ms.unwrap_or(0));
    let fits = record.action == action && record.outcome == FenceOutcome::Succeeded;
    fits && now_ms.saturating_sub(ended_ms) < u128::from(tolerance_s) * 1000
}

fn confirm(given: &Given, host: &str) -> Result<Printed, Failed> {
    let request = Request::ConfirmOff { host: host.to_owned(), origin: origin(given) };
    let outcome = connected()?.done(request);
    outcome.map(|_| Printed::default()).map_err(|error| output::failed_request("fencer", &error))
}

fn records(host: &str) -> Result<Vec<FenceRecord>, Failed> {
    let host = if matches!(host, "*" | "") { None } else { Some(host) };
    match connected()?.fence_history(host) {
        Ok(records) => Ok(records),
        // Pacemaker has a record of whatever was fenced, and none of a host that it does not know.
        Err(error) if error.kind() == "not-found" => Ok(Vec::new()),
        Err(error) => Err(output::failed_request("fencer", &error)),
    }
}

fn events(given: &Given, host: &str) -> Result<Printed, Failed> {
    if given.has('c') {
        let text = "the record of fencings is kept: nothing is forgotten";
        return Err(Failed::new(CrmExit::Unimplemented, text));
    }
    let records = records(host)?;
    let all = given.has('V');
    let shown = history::shown(&records, all, given.value(&[OUTPUT_AS]) == Some("xml"));
    let mut printed = Printed::default();
    if given.has('q') {
        for record in &shown {
            printed.text += &format!("{}\n", record.ended_ms.unwrap_or(record.began_ms) / 1000);
        }
        return Ok(printed);
    }
    let lines: String = shown.iter().map(|record| format!("{}\n", history::text(record, all))).collect();
    let elements: String = shown.iter().map(|record| format!("  {}\n", history::xml(record))).collect();
    let events = if shown.len() == 1 { "event" } else { "events" };
    let open = format!("<list name=\"fencing history\" count=\"{}\"", shown.len());
    let xml = if shown.is_empty() { format!("{open}/>") } else { format!("{open}>\n{elements}</list>") };
    printed.add(&format!("{lines}{} {events} found", shown.len()), &xml);
    Ok(printed)
}

fn last(given: &Given, host: &str) -> Result<Printed, Failed> {
    let host = match given.has('n') {
        true => {
            let status = connected()?.status().map_err(|error| output::failed_request("fencer", &error))?;
            let found = status.hosts.into_iter().find(|known| known.id.to_string() == host);
            found.map_or_else(|| host.to_owned(), |known| known.name)
        }
        false => host.to_owned(),
    };
    let records = records(&host)?;
    let latest = records.iter().filter(|record| record.outcome == FenceOutcome::Succeeded);
    let latest = latest.filter_map(|record| record.ended_ms).max();
    let mut printed = Printed::default();
    let name = escaped(&host);
    match latest.map(|milliseconds| i64::try_from(milliseconds / 1000).unwrap_or(i64::MAX)) {
        Some(when) => printed.add(
            &format!("Node {host} last fenced at: {}", output::date(when).unwrap_or_default()),
            &format!(
                "<last-fenced target=\"{name}\" when=\"{}\"/>",
                output::moment(when).unwrap_or_default()
            ),
        ),
        None => printed
            .add(&format!("Node {host} has never been fenced"), &format!("<last-fenced target=\"{name}\"/>")),
    }
    Ok(printed)
}

/// A list as Pacemaker's tools print one.
fn list(name: &str, item: &str, what: (&str, &str), found: &[String]) -> Printed {
    let mut printed = Printed::default();
    let count = found.len();
    let what = if count == 1 { what.0 } else { what.1 };
    let lines: String = found.iter().map(|found| format!("{found}\n")).collect();
    let items: String =
        found.iter().map(|found| format!("  <item{item}>{}</item>\n", escaped(found))).collect();
    let open = format!("<list name=\"{name}\" count=\"{count}\"");
    let xml = if count == 0 { format!("{open}/>") } else { format!("{open}>\n{items}</list>") };
    printed.add(&format!("{lines}{count} {what} found"), &xml);
    printed
}

const DEVICES: (&str, &str) = ("fence device", "fence devices");
const DEVICE_ITEM: &str = " name=\"device\"";

fn devices() -> Result<Printed, Failed> {
    let xml = connected()?.cib(false).map_err(|error| output::failed_request("fencer", &error))?;
    let cib = Cib::parse(&xml).map_err(|error| Failed::new(CrmExit::Protocol, error.to_string()))?;
    let resources = cib.resources().into_iter().flat_map(|resources| resources.descendants());
    let devices = resources.filter(|element| {
        element.name() == "primitive" && element.attribute("class") == Some(AgentClass::Stonith.as_str())
    });
    let devices: Vec<String> = devices.filter_map(|device| device.id().map(str::to_owned)).collect();
    Ok(list("registered fence devices", DEVICE_ITEM, DEVICES, &devices))
}

/// Devices and targets that belong together: those whose device answered for the target as it must.
fn pairs(host: Option<&str>) -> Result<Vec<(String, String)>, Failed> {
    let checks = connected()?.fence_drill(host).map_err(|error| match error.kind() {
        "not-found" => Failed::new(CrmExit::NoSuchObject, "No such device"),
        _ => output::failed_request("fencer", &error),
    })?;
    let able = checks.into_iter().filter(|check| check.succeeded);
    let mut pairs: Vec<(String, String)> =
        able.filter_map(|check| Some((check.device, check.target?))).collect();
    pairs.sort();
    pairs.dedup();
    Ok(pairs)
}

fn devices_for(host: &str) -> Result<Printed, Failed> {
    let devices: Vec<String> = pairs(Some(host))?.into_iter().map(|(device, _)| device).collect();
    Ok(list("registered fence devices", DEVICE_ITEM, DEVICES, &devices))
}

fn targets(device: &str) -> Result<Printed, Failed> {
    let own = pairs(None)?.into_iter().filter(|(found, _)| found == device);
    let targets: Vec<String> = own.map(|(_, target)| target).collect();
    if targets.is_empty() {
        let notes = vec!["Couldn't list targets: No such device".to_owned()];
        return Err(Failed { notes, ..Failed::silent(CrmExit::NoSuchObject) });
    }
    Ok(list("fence targets", "", ("fence target", "fence targets"), &targets))
}

fn query(device: &str) -> Result<Printed, Failed> {
    let checks = connected()?.fence_drill(None).map_err(|error| output::failed_request("fencer", &error))?;
    let mut own = checks.iter().filter(|check| check.device == device).peekable();
    if own.peek().is_none() {
        return Err(Failed::silent(CrmExit::NoSuchObject));
    }
    match own.find(|check| !check.succeeded) {
        Some(check) => Err(Failed::new(CrmExit::Error, check.answer.clone())),
        None => Ok(Printed::default()),
    }
}

fn installed() -> Printed {
    let agents = AgentPaths::default().list(AgentClass::Stonith).unwrap_or_default();
    let agents: Vec<String> = agents.into_iter().map(|agent| agent.kind).collect();
    list("installed fence devices", DEVICE_ITEM, DEVICES, &agents)
}

fn agent(given: &Given) -> Result<AgentName, Failed> {
    let Some(kind) = given.value(&['a']) else {
        return Err(Failed::usage("Please specify the agent to use with --agent"));
    };
    AgentName::new("stonith", None, kind).map_err(|error| Failed::usage(error.to_string()))
}

fn metadata(given: &Given) -> Result<Printed, Failed> {
    let agent = agent(given)?;
    let found = output::waited(Agents::default().metadata(&agent))?;
    let xml = found.map_err(|_| {
        let notes = vec!["Can't get fence agent meta-data: No such device".to_owned()];
        Failed { notes, ..Failed::silent(CrmExit::NoSuchObject) }
    })?;
    let xml = fence_metadata::as_told(&xml);
    Ok(Printed {
        text: format!("{}\n", xml.trim_end()),
        xml: format!("  <metadata><![CDATA[{xml}]]></metadata>\n"),
    })
}

fn validate(given: &Given) -> Result<Printed, Failed> {
    let agent = agent(given)?;
    let mut parameters = std::collections::BTreeMap::new();
    for (letter, operand) in &given.options {
        let operand = operand.clone().unwrap_or_default();
        match (letter, operand.split_once('=')) {
            ('o', Some((name, value))) => drop(parameters.insert(name.to_owned(), value.to_owned())),
            ('o', None) => return Err(Failed::usage(format!("Invalid option: -o {operand}"))),
            ('e', _) => match std::env::var(format!("OCF_RESKEY_{operand}")) {
                Ok(value) => drop(parameters.insert(operand, value)),
                Err(_) => return Err(Failed::usage(format!("Invalid option: -e {operand}"))),
            },
            _ => {}
        }
    }
    let invocation = FenceInvocation {
        agent: agent.kind.clone(),
        action: "validate-all".to_owned(),
        target: None,
        port: None,
        parameters,
        timeout: Duration::from_secs(seconds(given, 't', TIMEOUT_S)?),
    };
    let outcome = output::waited(async {
        match Agents::default().start_fence(&invocation, None) {
            Ok(running) => running.end().await,
            Err(not) => not.outcome,
        }
    })?;
    let valid = outcome.rc == OcfExitCode::OK && outcome.status == OpStatus::Done;
    let mut printed = Printed::default();
    let (name, word) = (agent.kind.as_str(), if valid { "succeeded" } else { "failed" });
    printed.add(
        &format!("Validation of {name} {word}"),
        &format!(
            "<validate agent=\"{}\" valid=\"{valid}\">\n  <command code=\"{}\"/>\n</validate>",
            escaped(name),
            outcome.rc.0
        ),
    );
    if valid {
        return Ok(if given.has('q') { Printed::default() } else { printed });
    }
    out!("{}", if given.has('q') { "" } else { printed.text.as_str() });
    Err(Failed::silent(CrmExit::Error))
}
