//! `hafen budget`: how long it takes until everything of a lost host runs again.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use hafen_cib::Cib;
use hafen_client::Client;
use hafen_protocol::client::{FenceOutcome, Reply, Request};
use hafen_protocol::message::ProofLevel;
use hafen_scheduler::budget::{Budget, Part, Path, Recovery, Timings, budget};
use hafen_setup::corosync_conf::CorosyncConf;
use hafen_setup::{Host, Paths};
use serde_json::json;

use super::fence::known;
use super::text::{span, wrapped};
use crate::arguments::{BudgetArguments, Connection};
use crate::target;

pub(super) fn run(arguments: &BudgetArguments, connection: &Connection) -> anyhow::Result<ExitCode> {
    let mut client = target::connect(connection)?;
    let status = client.status()?;
    if let Some(host) = &arguments.target {
        known(&status, host)?;
    }
    let cib = Cib::parse(&client.cib(true)?)?;
    let (mut timings, conf_gap) = timings();
    timings.fencing_seen_ms = fencings_seen(&mut client)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let hosts = status.hosts.iter().map(|host| host.name.as_str());
    let wanted = hosts.filter(|name| arguments.target.as_deref().is_none_or(|host| host == *name));
    let mut budgets: Vec<Budget> = wanted.filter_map(|host| budget(&cib, now, host, &timings)).collect();
    for budget in &mut budgets {
        budget.gaps.extend(conf_gap.clone());
    }
    if arguments.json {
        outln!("{}", serde_json::to_string_pretty(&to_json(&budgets))?);
    } else {
        out!("{}", budgets.iter().map(render).collect::<Vec<_>>().join("\n"));
    }
    Ok(ExitCode::SUCCESS)
}

/// When Corosync notices a loss: as it runs, else as its configuration says. Beside that, what is not known.
fn timings() -> (Timings, Option<String>) {
    let unknown =
        "there is no corosync.conf here: the time until a loss is noticed is not counted".to_owned();
    let Ok(host) = Host::this(Paths::default()) else { return (Timings::default(), Some(unknown)) };
    let Ok(conf) = host.corosync_conf() else { return (Timings::default(), Some(unknown)) };
    let (token_ms, consensus_ms) = configured(&conf);
    let running = |key: &str| {
        let said = host.services.tool("corosync-cmapctl", &["-g", key]).ok()?;
        said.text.lines().find_map(|line| line.rsplit_once('=')?.1.trim().parse().ok())
    };
    let timings = Timings {
        token_ms: running("runtime.config.totem.token").unwrap_or(token_ms),
        consensus_ms: running("runtime.config.totem.consensus").unwrap_or(consensus_ms),
        ..Timings::default()
    };
    (timings, None)
}

/// Token and consensus timeouts of a configuration, in milliseconds, with Corosync's defaults.
fn configured(conf: &CorosyncConf) -> (u64, u64) {
    let number = |key: &str| conf.value("totem", key).and_then(|text| text.parse::<u64>().ok());
    let hosts = u64::try_from(conf.nodes().len()).unwrap_or(u64::MAX);
    let more = hosts.saturating_sub(2).saturating_mul(number("token_coefficient").unwrap_or(650));
    let token_ms = number("token").unwrap_or(3_000).saturating_add(more);
    (token_ms, number("consensus").unwrap_or(token_ms.saturating_mul(12) / 10))
}

/// How long the last fencing of each host took, from the record. What a human vouched for says nothing about devices.
fn fencings_seen(client: &mut Client) -> anyhow::Result<BTreeMap<String, u64>> {
    let records = match client.request(Request::FenceHistory { host: None })? {
        Reply::FenceHistory { records } => records,
        other => anyhow::bail!("the daemon answered something else than was asked: {other:?}"),
    };
    let by_device = records.into_iter().filter(|record| {
        record.outcome == FenceOutcome::Succeeded && record.proof != Some(ProofLevel::Human)
    });
    let took = by_device
        .filter_map(|record| Some((record.target, record.ended_ms?.saturating_sub(record.began_ms))));
    Ok(took.collect())
}

fn to_json(budgets: &[Budget]) -> serde_json::Value {
    let part = |part: &Part| json!({"what": part.what, "setting": part.setting, "duration_ms": part.duration_ms, "seen": part.seen});
    let path = |path: &Path| {
        json!({"total_ms": path.total_ms, "parts": path.parts.iter().map(part).collect::<Vec<_>>(),
               "largest": path.largest().map(part)})
    };
    let recovery = |one: &Recovery| json!({"resource": one.resource, "host": one.host, "expected": path(&one.expected), "worst": path(&one.worst)});
    let one = |budget: &Budget| {
        json!({"lost": budget.host, "recoveries": budget.recoveries.iter().map(recovery).collect::<Vec<_>>(),
               "gaps": budget.gaps})
    };
    budgets.iter().map(one).collect()
}

fn render(budget: &Budget) -> String {
    let mut text = format!("If {} is lost:\n", budget.host);
    match budget.longest() {
        None => text += "  nothing has to start elsewhere\n",
        Some(slowest) => {
            text += &wrapped(
                "  ",
                &format!(
                    "the last of {} to run again is {}, on {}, after {} (at worst {}):",
                    budget.recoveries.len(),
                    slowest.resource,
                    slowest.host,
                    span(slowest.expected.total_ms),
                    span(slowest.worst.total_ms)
                ),
            );
            let parts = slowest.expected.parts.iter().filter(|part| part.duration_ms > 0);
            text += &parts.map(render_part).collect::<String>();
            if let Some(largest) = slowest.expected.largest() {
                let advice = format!("The largest part is {}: {}", largest.what, advice(largest));
                text += &wrapped("  ", &advice);
            }
        }
    }
    for gap in &budget.gaps {
        text += &wrapped("  not counted: ", gap);
    }
    text
}

fn render_part(part: &Part) -> String {
    let how = if part.seen { "seen" } else { "allowed" };
    wrapped(
        &format!("    {:>12}  ", span(part.duration_ms)),
        &format!("{} ({how}; {})", part.what, part.setting),
    )
}

/// What would make a part shorter.
fn advice(part: &Part) -> String {
    use hafen_scheduler::budget::PartKind;
    match part.kind {
        PartKind::Detection => {
            "`hafen quorum tune` proposes shorter timings where the links allow them.".to_owned()
        }
        PartKind::FencingDelay => {
            format!("{} may be shorter, where it still exceeds the device's time.", part.setting)
        }
        PartKind::Fencing if part.seen => "a faster device, or a shorter power cycle, would help.".to_owned(),
        PartKind::Fencing => {
            format!(
                "it was never seen; {} allows so much. `hafen fence drill HOST --real` measures it.",
                part.setting
            )
        }
        _ if part.seen => "the agent itself takes so long.".to_owned(),
        _ => format!("it was never seen; {} allows so much.", part.setting),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hafen_scheduler::budget::PartKind;

    #[test]
    fn corosyncs_defaults_grow_with_the_hosts() {
        let node = |id: u32| format!("node {{\n name: h{id}\n nodeid: {id}\n ring0_addr: 10.0.0.{id}\n }}\n");
        let conf = |totem: &str| {
            format!("totem {{\n version: 2\n{totem}}}\nnodelist {{\n{}{}{}}}\n", node(1), node(2), node(3))
        };
        assert_eq!(configured(&conf("").parse().expect("sound")), (3_650, 4_380));
        let own = "token: 1000\ntoken_coefficient: 0\nconsensus: 1200\n";
        assert_eq!(configured(&conf(own).parse().expect("sound")), (1_000, 1_200));
    }

    #[test]
    fn the_largest_part_is_named_with_what_shortens_it() {
        let part = |kind, what: &str, duration_ms, seen| Part {
            kind,
            what: what.into(),
            setting: format!("setting of {what}"),
            duration_ms,
            seen,
        };
        let path = Path {
            total_ms: 63_000,
            parts: vec![
                part(PartKind::Detection, "token", 1_000, false),
                part(PartKind::Fencing, "ipmi2", 60_000, false),
                part(PartKind::Start, "start of vm1", 2_000, true),
            ],
        };
        let budget = Budget {
            host: "host2".into(),
            recoveries: vec![Recovery {
                resource: "vm1".into(),
                host: "host1".into(),
                expected: path.clone(),
                worst: path,
            }],
            gaps: vec!["the cluster has no quorum now".into()],
        };
        let text = render(&budget);
        for wanted in [
            "If host2 is lost:",
            "vm1, on host1, after 1 min 3 s",
            "2.0 s  start of vm1 (seen; setting of start of vm1)",
            "The largest part is ipmi2: it was never seen",
            "not counted: the cluster has no quorum now",
        ] {
            assert!(text.contains(wanted), "{wanted} in\n{text}");
        }
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(
            render(&Budget { host: "host3".into(), ..Budget::default() }).contains("nothing has to start")
        );
    }
}
