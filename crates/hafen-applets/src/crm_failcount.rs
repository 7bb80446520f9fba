//! `crm_failcount`: how often a resource has failed on a host.

use std::process::ExitCode;

use hafen_cib::values::{Score, parse_duration_ms};
use hafen_protocol::client::{FailuresOf, Request};

use super::crm_attribute;
use super::options::{Given, Operand, OptionSpec, Spec, flag, old, valued};
use super::output::{self, CrmExit, Failed, Printed};
use super::source::Source;

const OPTIONS: &[OptionSpec] = &[
    flag('G', "query", "Show the count"),
    flag('D', "delete", "Forget the failures of the resource"),
    valued('r', "resource", "RESOURCE", "The resource"),
    valued('n', "operation", "OPERATION", "Only failures of this operation"),
    valued('I', "interval", "INTERVAL", "The operation's interval (with -n; 0 where nothing is said)"),
    valued('N', "node", "NODE", "The host; without it this one"),
    flag('q', "quiet", "Only the value"),
    old('Q', "quiet-old", Operand::None),
    old('U', "uname", Operand::Required("NODE")),
    old('v', "update", Operand::Required("VALUE")),
    old('i', "id", Operand::Required("ID")),
    old('l', "lifetime", Operand::Required("LIFETIME")),
];

const SPEC: Spec = Spec {
    name: "crm_failcount",
    about: "Shows how often a resource has failed on a host, and forgets it",
    options: OPTIONS,
    examples: "Examples:\n  crm_failcount -G -r vm1 -N host1\n  crm_failcount -D -r vm1",
};

/// Runs the applet.
pub(super) fn run(words: &[String]) -> ExitCode {
    output::run(&SPEC, words, act)
}

fn act(given: &Given) -> Result<Printed, Failed> {
    let wrong = |text: &str| {
        out!("{}", SPEC.help());
        Err(Failed { notes: vec![format!("error: {text}")], ..Failed::silent(CrmExit::Usage) })
    };
    let delete = match (given.last(&['G', 'D', 'v']), given.value(&['v'])) {
        (Some('v'), Some("0")) | (Some('D'), _) => true,
        (Some('G'), _) => false,
        _ => return wrong("must specify a command"),
    };
    let Some(resource) = given.value(&['r']) else { return wrong("resource name required") };
    match delete {
        true => forget(given, resource),
        false => query(given, resource),
    }
}

/// The sum over all operations, or the count of one.
fn query(given: &Given, resource: &str) -> Result<Printed, Failed> {
    let name = match given.value(&['n']) {
        Some(operation) => {
            let interval = given.value(&['I']).and_then(parse_duration_ms).unwrap_or(0);
            format!("fail-count-{resource}#{operation}_{interval}")
        }
        None => format!("fail-count-{resource}"),
    };
    let pattern = match given.value(&['n']) {
        Some(_) => format!("^{}$", regex_lite::escape(&name)),
        None => format!("^{}#.+_[0-9]+$", regex_lite::escape(&name)),
    };
    let mut words: Vec<String> = ["-l", "reboot", "-G", "-q", "-P", &pattern].map(str::to_owned).into();
    if let Some(node) = given.value(&['N', 'U']) {
        words.extend(["-N".to_owned(), node.to_owned()]);
    }
    let counts = match crm_attribute::outcome(&words) {
        Ok(printed) => printed.text,
        Err(failed) if crm_attribute::is_unset(&failed) => String::new(),
        Err(failed) => return Err(failed.of(crm_attribute::NAME)),
    };
    let counts = counts.lines().filter_map(Score::parse);
    let count = counts.fold(Score::new(0), |sum, count| sum + count);
    let mut printed = Printed::default();
    let text = match given.has('q') || given.has('Q') {
        true => count.to_string(),
        false => format!("scope=status  name={name} value={count}"),
    };
    printed.add(&text, "");
    Ok(printed)
}

fn forget(given: &Given, resource: &str) -> Result<Printed, Failed> {
    let mut source = Source::open()?;
    let Some(client) = source.daemon() else {
        return Err(Failed::new(CrmExit::Unimplemented, "failures are forgotten by a running cluster alone"));
    };
    let failures = match given.value(&['n']) {
        Some(task) => {
            let interval_ms = given.value(&['I']).and_then(parse_duration_ms).unwrap_or(0);
            FailuresOf::Operation { task: task.to_owned(), interval_ms }
        }
        None => FailuresOf::All,
    };
    let host = given.value(&['N', 'U']).map(str::to_owned);
    let request = Request::Cleanup { resource: resource.to_owned(), host, failures: Some(failures) };
    client.done(request).map_err(|error| output::failed_request("controller", &error))?;
    let mut printed = Printed::default();
    let place = given.value(&['N', 'U']).unwrap_or("all nodes");
    printed.add(&format!("Cleaned up {resource} on {place}"), "");
    Ok(printed)
}
