//! Agents that are called on this host past the cluster (`--force-start` and the like), or asked what they think of
//! parameters (`--validate`).

use std::collections::BTreeMap;
use std::time::Duration;

use hafen_agents::{AgentName, Agents, Invocation, OpStatus, Outcome};
use hafen_cib::values::parse_duration_ms;
use hafen_cib::{Cib, FEATURE_SET};
use hafen_scheduler::{AgentCall, Inquiry, execution_status, exit_status};

use super::super::options::{Given, OUTPUT_AS};
use super::super::output::{self, CrmExit, Failed, Printed, escaped};
use super::super::source;
use super::actions::impossible;
use super::{
    AGENT, CLASS, FORCE_CHECK, FORCE_DEMOTE, FORCE_PROMOTE, FORCE_START, FORCE_STOP, PARAMETER, PROVIDER,
};
use super::{VALIDATE, Wanted};

/// How long an agent may take that belongs to no resource.
const TIMEOUT_MS: u64 = 20_000;

/// What the agent is called with, and how the action is called here.
fn task_of(command: char) -> (&'static str, &'static str) {
    match command {
        FORCE_START => ("start", "force-start"),
        FORCE_STOP => ("stop", "force-stop"),
        FORCE_PROMOTE => ("promote", "force-promote"),
        FORCE_DEMOTE => ("demote", "force-demote"),
        FORCE_CHECK => ("monitor", "force-check"),
        _ => ("validate-all", "validate"),
    }
}

/// Calls the agent of a resource.
pub(super) fn of_resource(
    command: char,
    given: &Given,
    wanted: &Wanted,
    cib: &Cib,
) -> Result<Printed, Failed> {
    let resource = wanted.resource()?;
    let (task, action) = task_of(command);
    if !(resource.is_primitive || resource.is_clone) {
        let note = format!("Sorry, the {action} option doesn't support group resources");
        return Err(impossible(vec![note], CrmExit::Unimplemented));
    }
    let changes = matches!(command, FORCE_START | FORCE_PROMOTE | FORCE_DEMOTE);
    if changes && resource.is_clone && !given.has('f') && !wanted.active().is_empty() {
        let note = format!(
            "It is not safe to {action} {} here: the cluster claims it is already active\nTry setting target-role=Stopped \
             first or specifying the force option",
            wanted.name
        );
        return Err(impossible(vec![note], CrmExit::Unsafe));
    }
    let call = Inquiry::of(cib, output::now()).agent_call(&resource.id, task);
    let unknown = || impossible(Vec::new(), CrmExit::Unimplemented);
    let mut call = call.ok_or_else(unknown)?;
    let overrides = super::queries::pairs(&given.words)?;
    let mut printed = Printed::default();
    for (name, value) in &overrides {
        printed.text += &format!(
            "Overriding the cluster configuration for '{}' with '{name}' = '{value}'\n",
            resource.name
        );
        call.parameters.insert(name.clone(), value.clone());
    }
    run(command, given, call, Some(&wanted.name), &overrides, printed)
}

/// Asks an agent about parameters that belong to no resource.
pub(super) fn of_agent(given: &Given) -> Result<Printed, Failed> {
    let value = |letter| given.value(&[letter]).unwrap_or_default().to_owned();
    let (class, provider, kind) = (value(CLASS), given.value(&[PROVIDER]), value(AGENT));
    let unknown = || Failed::usage(format!("{class}:{}:{kind} is not a known resource", value(PROVIDER)));
    let given_pairs: Vec<String> = given
        .options
        .iter()
        .filter(|(letter, _)| *letter == PARAMETER)
        .filter_map(|(_, value)| value.clone())
        .collect();
    let parameters = super::queries::pairs(&given_pairs)
        .map_err(|_| Failed::usage("Error parsing option --option"))?
        .into_iter()
        .collect();
    let agent = AgentName::new(&class, provider, &kind).map_err(|_| unknown())?;
    if Agents::default().paths.find(&agent).is_err() {
        return Err(unknown());
    }
    let call = AgentCall {
        class,
        provider: provider.map(str::to_owned),
        kind,
        resource: "test".to_owned(),
        parameters,
        meta: BTreeMap::new(),
        timeout_ms: TIMEOUT_MS,
    };
    run(VALIDATE, given, call, None, &[], Printed::default())
}

fn environment(command: char, given: &Given) -> BTreeMap<String, String> {
    let format = if matches!(command, FORCE_STOP | VALIDATE) { "xml" } else { "text" };
    let mut environment = BTreeMap::from([
        ("OCF_OUTPUT_FORMAT".to_owned(), format.to_owned()),
        ("OCF_TRACE_FILE".to_owned(), "/dev/stderr".to_owned()),
        ("PCMK_service".to_owned(), "crm_resource".to_owned()),
    ]);
    if let Some(level) = given.value(&[FORCE_CHECK, VALIDATE]) {
        environment.insert("OCF_CHECK_LEVEL".to_owned(), level.to_owned());
    }
    // What the agent reads and changes of the CIB is what this call is about.
    if let Some(file) = source::file() {
        environment.insert("CIB_file".to_owned(), file.to_string_lossy().into_owned());
    }
    environment
}

fn run(
    command: char,
    given: &Given,
    call: AgentCall,
    name: Option<&str>,
    overrides: &[(String, String)],
    mut printed: Printed,
) -> Result<Printed, Failed> {
    let (task, action) = task_of(command);
    let provider = call.provider.as_ref().map_or_else(String::new, |provider| format!("{provider}:"));
    let agent = format!("{}:{provider}:{}", call.class, call.kind).replace("::", ":");
    let outcome = if matches!(call.class.as_str(), "stonith" | "systemd" | "service" | "heartbeat") {
        let reason = format!("Manual execution of the {} standard is unsupported", call.class);
        Err((CrmExit::Unimplemented, reason))
    } else {
        AgentName::new(&call.class, call.provider.as_deref(), &call.kind)
            .map_err(|error| (CrmExit::NotConfigured, error.to_string()))
    };
    let (outcome, exit) = match outcome {
        Ok(agent) => {
            let outcome = called(command, given, &call, agent, task)?;
            let exit = CrmExit::of_agent(outcome.rc.0);
            (outcome, exit)
        }
        Err((exit, reason)) => {
            (Outcome::not_run(hafen_agents::OcfExitCode::UNIMPLEMENTED, OpStatus::Error, reason), exit)
        }
    };
    printed.xml += &xml(action, &call, name, overrides, &outcome);
    let streams = [&outcome.stdout, &outcome.stderr];
    let output: String = streams
        .iter()
        .filter(|text| !text.is_empty())
        .map(|text| format!("{}\n\n", text.trim_end_matches('\n')))
        .collect();
    let head = words(action, name, &agent, &outcome);
    let mut notes = Vec::new();
    if !given.has('Q') {
        match outcome.status {
            OpStatus::Done => printed.text += &format!("{head}\n"),
            _ if given.value(&[OUTPUT_AS]) == Some("xml") => {}
            _ => notes.push(head),
        }
    }
    printed.text += &output;
    if exit == CrmExit::Ok {
        return Ok(printed);
    }
    Err(Failed { printed, ..impossible(notes, exit) })
}

fn called(
    command: char,
    given: &Given,
    call: &AgentCall,
    agent: AgentName,
    task: &str,
) -> Result<Outcome, Failed> {
    let asked = match given.value(&['T']) {
        Some(text) => Some(parse_duration_ms(text).ok_or_else(|| Failed::usage("Error parsing option -T"))?),
        None => None,
    };
    let timeout_ms = asked.filter(|limit| *limit > 0).unwrap_or(call.timeout_ms);
    let (mut parameters, mut meta) = (call.parameters.clone(), call.meta.clone());
    parameters.insert("crm_feature_set".to_owned(), FEATURE_SET.to_owned());
    meta.insert("timeout".to_owned(), timeout_ms.to_string());
    let invocation = Invocation {
        agent,
        resource: call.resource.clone(),
        task: task.to_owned(),
        parameters,
        meta,
        timeout: Duration::from_millis(timeout_ms),
    };
    let agents = Agents { environment: environment(command, given), ..Agents::default() };
    let mut outcome = output::waited(async {
        match agents.start(&invocation, None) {
            Ok(running) => running.end().await,
            Err(not_started) => not_started.outcome,
        }
    })?;
    if outcome.status == OpStatus::NotInstalled {
        let folder = if call.class == "lsb" { "/etc/init.d/" } else { "" };
        outcome.exit_reason = Some(format!("{folder}{}: No such file or directory", call.kind));
    }
    Ok(outcome)
}

fn words(action: &str, name: Option<&str>, agent: &str, outcome: &Outcome) -> String {
    let of = name.map_or_else(String::new, |name| format!(" for {name}"));
    let head = format!("Operation {action}{of} ({agent})");
    let reason = outcome.exit_reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
    match outcome.status {
        OpStatus::Done => {
            let rc = outcome.rc.0;
            format!("{head} returned {rc} ({}{reason})", exit_status(i32::from(rc)))
        }
        status => {
            let status = execution_status(i32::from(status.code()));
            format!("{head} could not be executed ({status}{reason})")
        }
    }
}

fn xml(
    action: &str,
    call: &AgentCall,
    name: Option<&str>,
    overrides: &[(String, String)],
    outcome: &Outcome,
) -> String {
    let mut xml = format!("  <resource-agent-action action=\"{action}\" class=\"{}\"", escaped(&call.class));
    let own = [("type", Some(call.kind.as_str())), ("rsc", name), ("provider", call.provider.as_deref())];
    for (attribute, value) in own {
        if let Some(value) = value {
            xml += &format!(" {attribute}=\"{}\"", escaped(value));
        }
    }
    xml += ">\n";
    let list = overrides.iter().map(|(parameter, value)| {
        let of = name.map_or_else(String::new, |name| format!(" rsc=\"{}\"", escaped(name)));
        format!("      <override name=\"{}\" value=\"{}\"{of}/>\n", escaped(parameter), escaped(value))
    });
    let list: String = list.collect();
    xml += &if list.is_empty() {
        "    <overrides/>\n".to_owned()
    } else {
        format!("    <overrides>\n{list}    </overrides>\n")
    };
    let (rc, status) = (outcome.rc.0, outcome.status.code());
    let reason = outcome.exit_reason.as_ref();
    let reason = reason.map_or_else(String::new, |reason| format!(" reason=\"{}\"", escaped(reason)));
    xml += &format!(
        "    <agent-status code=\"{rc}\" message=\"{}\" execution_code=\"{status}\" execution_message=\"{}\"{reason}/>\n",
        exit_status(i32::from(rc)),
        execution_status(i32::from(status))
    );
    let streams = [("stdout", &outcome.stdout), ("stderr", &outcome.stderr)];
    let outputs: String = streams
        .iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(source, text)| {
            let text = output::content(text.trim_end_matches('\n'));
            format!("      <output source=\"{source}\">{text}\n</output>\n")
        })
        .collect();
    if !outputs.is_empty() {
        xml += &format!("    <command code=\"{rc}\">\n{outputs}    </command>\n");
    }
    xml + "  </resource-agent-action>\n"
}
