//! `hafen explain`: why a resource runs where it runs, or why it does not run.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use hafen_cib::Cib;
use hafen_scheduler::explain::{Contribution, Counterfactual, Explanation, Part, Standing, explain};
use hafen_scheduler::{Change, score};
use serde_json::{Value, json};

use crate::arguments::{Connection, ExplainArguments};
use crate::exit::WrongInput;
use crate::target;

/// The environment's word for the CIB that Pacemaker's tools are to take.
const FILE_VARIABLE: &str = "CIB_file";

pub(super) fn run(arguments: &ExplainArguments, connection: &Connection) -> anyhow::Result<ExitCode> {
    // `--host` is the host that is asked about, not the one that is spoken to.
    let connection =
        Connection { host: None, lab: connection.lab.clone(), timeout_seconds: connection.timeout_seconds };
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let named = || std::env::var_os(FILE_VARIABLE).filter(|file| !file.is_empty()).map(PathBuf::from);
    let file = arguments.file.clone().or_else(|| arguments.at.is_none().then(named).flatten());
    let (source, date) = match (file, arguments.at) {
        (Some(file), _) => (read(&file)?, None),
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

/// The saved input of a transition, of the host that planned it: in a lab of any host, else of this one. Each host counts
/// for itself: the newest input with this number is meant.
fn past(number: u64, connection: &Connection) -> anyhow::Result<String> {
    let timeout = Duration::from_secs(connection.timeout_seconds.into());
    let lab = target::of_lab(connection)?;
    let mut found = None;
    let mut refusal = None;
    let clients = match &lab {
        Some(lab) => {
            lab.spec().hosts.iter().filter_map(|host| lab.client(&host.name, timeout).ok()).collect()
        }
        None => vec![target::connect(connection)?],
    };
    for mut client in clients {
        match client.transition_input(number) {
            Ok(xml) => found = found.max(Some((execution_date(&xml), xml))),
            Err(error) => refusal = Some(error),
        }
    }
    match (found, refusal) {
        (Some((_, xml)), _) => Ok(xml),
        (None, Some(error)) => Err(error.into()),
        (None, None) => Err(WrongInput("no host of the lab answers".to_owned()).into()),
    }
}

fn execution_date(xml: &str) -> Option<u64> {
    Cib::parse(xml).ok()?.root().attribute("execution-date")?.parse().ok()
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
    json!({
        "if": found.condition, "then": found.outcome, "hosts": found.hosts, "side_effects": found.side_effects,
    })
}
