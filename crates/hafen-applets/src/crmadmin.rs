//! `crmadmin`: who coordinates, and how a host's controller stands.

use std::process::ExitCode;

use hafen_cib::values::parse_duration_ms;
use hafen_client::Client;
use hafen_protocol::client::StatusReport;

use super::options::{Given, Operand, OptionSpec, Spec, flag, valued};
use super::output::{self, CrmExit, Failed, Printed, escaped};

const OPTIONS: &[OptionSpec] = &[
    valued(
        'S',
        "status",
        "NODE",
        "How the controller of that host stands: S_IDLE when nothing is left to do",
    ),
    flag('P', "pacemakerd", "Whether the cluster's daemon runs on this host"),
    flag('D', "dc_lookup", "The host that coordinates"),
    OptionSpec {
        letter: 'N',
        name: "nodes",
        operand: Operand::Optional("TYPE"),
        help: "The hosts of the cluster: all, cluster, guest, remote (with commas)",
    },
    valued('t', "timeout", "DURATION", "How long to wait for an answer"),
    flag('B', "bash-export", "With -N: lines for a shell, export NAME=ID"),
    valued('i', "ipc-name", "NAME", "Accepted (with -P)"),
    flag('q', "quiet", "Only what was asked for"),
];

const SPEC: Spec = Spec {
    name: "crmadmin",
    about: "Asks the controllers of the cluster's hosts",
    options: OPTIONS,
    examples: "Examples:\n  crmadmin -D\n  crmadmin -S host1\n  crmadmin -N",
};

/// Runs the applet.
pub(super) fn run(words: &[String]) -> ExitCode {
    output::run(&SPEC, words, act)
}

fn act(given: &Given) -> Result<Printed, Failed> {
    let Some(command) = given.last(&['S', 'P', 'D', 'N']) else {
        let notes = vec![format!("error: Must specify a command option\n{}", SPEC.help())];
        return Err(Failed { notes, ..Failed::silent(CrmExit::Usage) });
    };
    if given.value(&['t']).is_some_and(|timeout| parse_duration_ms(timeout).is_none()) {
        return Err(Failed::usage("--timeout is no duration"));
    }
    match command {
        'P' => daemon(given),
        'D' => coordinator(given, &ask()?),
        'N' => hosts(given, &mut connected()?),
        _ => host(given.value(&['S']).unwrap_or_default(), &ask()?),
    }
}

fn connected() -> Result<Client, Failed> {
    output::connect().map_err(|error| output::failed_request("controller", &error))
}

fn ask() -> Result<StatusReport, Failed> {
    connected()?.status().map_err(|error| output::failed_request("controller", &error))
}

fn coordinator(given: &Given, status: &StatusReport) -> Result<Printed, Failed> {
    let Some(name) = &status.coordinator else {
        return Err(Failed::silent(CrmExit::Timeout));
    };
    let mut printed = Printed::default();
    let text = if given.has('q') { name.clone() } else { format!("Designated Controller is: {name}") };
    printed.add(&text, &format!("<dc node_name=\"{}\"/>", escaped(name)));
    Ok(printed)
}

/// The state of the machine of states that Pacemaker's controller is, as far as there is one like it here.
fn host(name: &str, status: &StatusReport) -> Result<Printed, Failed> {
    let found = status.hosts.iter().find(|host| host.name == name);
    // Whoever is no member does not answer, and Pacemaker's controllers then are waited for in vain.
    let alive = |state: &str| !matches!(state, "offline" | "unclean" | "daemon lost");
    let Some(found) = found.filter(|host| alive(&host.state)) else {
        return Err(Failed::silent(CrmExit::Timeout));
    };
    let coordinates = status.coordinator.as_deref() == Some(name);
    let state = match (found.state.as_str(), coordinates, &status.waiting_for) {
        ("joining", ..) => "S_PENDING",
        (_, false, _) => "S_NOT_DC",
        (_, true, None) => "S_IDLE",
        (_, true, Some(_)) => "S_TRANSITION_ENGINE",
    };
    let mut printed = Printed::default();
    printed.add(
        &format!("Controller on {name} in state {state}: ok"),
        &format!("<crmd node_name=\"{}\" state=\"{state}\" result=\"ok\"/>", escaped(name)),
    );
    Ok(printed)
}

fn daemon(given: &Given) -> Result<Printed, Failed> {
    let now = output::now();
    let now = i64::try_from(now).ok().and_then(output::moment).unwrap_or_default();
    let mut printed = Printed::default();
    if output::connect().is_err() {
        let text = if given.has('q') { "remote" } else { "Could not connect to pacemakerd" };
        return Err(Failed::new(CrmExit::Disconnected, text));
    }
    let text = match given.has('q') {
        true => "running".to_owned(),
        false => format!("Status of pacemakerd: 'Pacemaker is running' (last updated {now})"),
    };
    let xml = format!("<pacemakerd sys_from=\"pacemakerd\" state=\"running\" last_updated=\"{now}\"/>");
    printed.add(&text, &xml);
    Ok(printed)
}

fn hosts(given: &Given, client: &mut Client) -> Result<Printed, Failed> {
    let kinds = given.value(&['N']).unwrap_or("all");
    let wanted = |kind: &str| kinds.split(',').any(|word| word == "all" || word == kind);
    let status = client.status().map_err(|error| output::failed_request("controller", &error))?;
    let mut printed = Printed::default();
    if !wanted("cluster") || status.hosts.is_empty() {
        printed.add("No nodes configured", "<nodes/>");
        return Ok(printed);
    }
    let (mut lines, mut xml) = (Vec::new(), String::new());
    for host in &status.hosts {
        let (name, id) = (&host.name, host.id);
        lines.push(match given.has('B') {
            true => format!("export {}={id}", shell_name(name)),
            false => format!("cluster node: {name} ({id})"),
        });
        xml += &format!("  <node type=\"cluster\" name=\"{}\" id=\"{id}\"/>\n", escaped(name));
    }
    printed.add(&lines.join("\n"), &format!("<nodes>\n{xml}</nodes>"));
    Ok(printed)
}

/// A host's name as a shell may have it for a variable.
fn shell_name(name: &str) -> String {
    name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect()
}
