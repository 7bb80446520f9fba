//! `hafen explain`: why a resource runs where it runs, or why it does not run.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use hafen_cib::Cib;
use hafen_daemon::{DaemonConfig, saved_input};
use hafen_lab::Layout;
use hafen_scheduler::explain::{Contribution, Counterfactual, Explanation, Part, Standing, explain};
use hafen_scheduler::{Change, score};
use serde_json::{Value, json};

use crate::arguments::{Connection, ExplainArguments};
use crate::exit::WrongInput;
use crate::target;

/// Where a host's daemon has its configuration.
const DAEMON_CONFIG: &str = "/etc/hafen/daemon.json";

pub(super) fn run(arguments: &ExplainArguments, connection: &Connection) -> anyhow::Result<ExitCode> {
    // `--host` is the host that is asked about, not the one that is spoken to.
    let connection =
        Connection { host: None, lab: connection.lab.clone(), timeout_seconds: connection.timeout_seconds };
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (source, date) = match (&arguments.file, arguments.at) {
        (Some(file), _) => (read(file)?, None),
        (None, Some(number)) => (past(number, &connection)?, None),
        (None, None) => (target::connect(&connection)?.cib(true)?, Some(clock)),
    };
    let mut cib = Cib::parse(&source).map_err(|error| WrongInput(error.to_string()))?;
    hafen_cib::upgrade::upgrade(&mut cib);
    let said = cib.root().attribute("execution-date").and_then(|date| date.parse().ok());
    let now = date.or(said).unwrap_or(clock);
    let explanation = explain(&cib, now, &arguments.resource, arguments.host.as_deref())
        .map_err(|unknown| WrongInput(unknown.to_string()))?;
    if arguments.json {
        outln!("{}", serde_json::to_string_pretty(&to_json(&explanation, arguments.at, now))?);
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(number) = arguments.at {
        let moment = i64::try_from(now).ok().and_then(|now| jiff::Timestamp::from_second(now).ok());
        outln!("Transition {number}, {}:", moment.map_or_else(String::new, |moment| moment.to_string()));
    }
    out!("{}", explanation.to_text());
    Ok(ExitCode::SUCCESS)
}

fn read(file: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text)?;
    } else {
        text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    }
    Ok(text)
}

/// The saved input of a transition: on this host, or on a host of the lab.
fn past(number: u64, connection: &Connection) -> anyhow::Result<String> {
    let mut configs = vec![PathBuf::from(DAEMON_CONFIG)];
    let mut hosts = Vec::new();
    if let Ok(status) = target::connect(connection).and_then(|mut client| Ok(client.status()?)) {
        let layout = Layout::chosen(connection.lab.as_deref());
        hosts.extend(status.hosts.iter().map(|host| host.name.clone()));
        configs.extend(hosts.iter().map(|host| layout.daemon_config(host)));
    }
    let mut newest = None;
    for config in configs {
        let Ok(config) = DaemonConfig::load(&config) else { continue };
        let file = saved_input(&config.store_dir, number);
        let Ok(changed) = std::fs::metadata(&file).and_then(|known| known.modified()) else { continue };
        if newest.as_ref().is_none_or(|(moment, _)| changed > *moment) {
            newest = Some((changed, file));
        }
    }
    if let Some((_, file)) = newest {
        return read(&file);
    }
    let others = if hosts.is_empty() { String::new() } else { format!(" ({})", hosts.join(", ")) };
    Err(WrongInput(format!(
        "the input of transition {number} is not on this host: the host that was coordinator then has it. \
         Ask there{others}, or copy its {} here and give it with --file",
        saved_input(Path::new(""), number).display()
    ))
    .into())
}

fn to_json(explanation: &Explanation, at: Option<u64>, now: u64) -> Value {
    json!({
        "resource": explanation.resource, "host": explanation.host, "transition": at, "date": now,
        "notes": explanation.notes, "parts": explanation.parts.iter().map(part).collect::<Vec<_>>(),
        "parts_omitted": explanation.parts_omitted,
        "counterfactuals": explanation.counterfactuals.iter().map(counterfactual).collect::<Vec<_>>(),
        "runs": explanation.runs, "complete": explanation.complete,
    })
}

fn part(part: &Part) -> Value {
    json!({
        "resource": part.resource, "running_on": part.running_on, "role": part.role,
        "planned_on": part.planned_on, "planned_role": part.planned_role, "headline": part.headline,
        "because": part.because, "hosts": part.hosts.iter().map(standing).collect::<Vec<_>>(),
    })
}

fn standing(standing: &Standing) -> Value {
    let steps = |steps: &[Contribution]| steps.iter().map(contribution).collect::<Vec<_>>();
    json!({
        "host": standing.host, "runs_here": standing.runs_here, "chosen": standing.chosen,
        "unavailable": standing.unavailable, "score": standing.score.map(score::text),
        "contributions": steps(&standing.contributions), "promotion": standing.promotion.map(score::text),
        "promotion_contributions": steps(&standing.promotion_contributions),
    })
}

fn contribution(step: &Contribution) -> Value {
    let (change, value) = match step.change {
        Change::Add(value) => ("add", value),
        Change::Set(value) => ("set", value),
    };
    json!({
        "change": change, "value": score::text(value), "after": score::text(step.after),
        "source": step.source, "rule": step.rule, "reason": step.reason,
    })
}

fn counterfactual(found: &Counterfactual) -> Value {
    json!({"if": found.condition, "then": found.outcome, "hosts": found.hosts})
}
