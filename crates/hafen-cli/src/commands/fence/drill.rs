//! `hafen fence drill`.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use hafen_cib::Cib;
use hafen_protocol::client::{FenceCheck, Request};
use hafen_scheduler::{Fate, Forecast, ResourceForecast, forecast};

use super::super::text::{confirm, span, wrapped};
use super::{fence_and_tell, known, patient};
use crate::arguments::{Connection, Vouch};

pub(super) fn run(
    target: Option<String>,
    real: bool,
    json: bool,
    vouch: &Vouch,
    connection: &Connection,
) -> anyhow::Result<ExitCode> {
    let mut client = patient(connection)?;
    let status = client.status()?;
    if let Some(host) = &target {
        known(&status, host)?;
    }
    if let (true, Some(host)) = (real, &target) {
        let cib = Cib::parse(&client.cib(true)?)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let forecast = forecast(&cib, now, std::slice::from_ref(host));
        eprint!("{}", render_forecast(host, &forecast));
        confirm(vouch, host, &format!("{host} is fenced now, as if it were lost."), host)?;
        let request = Request::FenceDrill { host: Some(host.clone()), real: true };
        return fence_and_tell(&mut client, host, request);
    }
    let checks = client.fence_drill(target.as_deref())?;
    if json {
        outln!("{}", serde_json::to_string_pretty(&checks)?);
    } else {
        out!("{}", render(&checks, false));
    }
    Ok(exit(&checks))
}

/// Failure if a device failed, or there is none.
pub(super) fn exit(checks: &[FenceCheck]) -> ExitCode {
    let failed = checks.is_empty() || checks.iter().any(|check| !check.succeeded);
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

pub(super) fn render(checks: &[FenceCheck], real: bool) -> String {
    if checks.is_empty() {
        return "There is no fence device: add one with `hafen fence add`.\n".to_owned();
    }
    let line = |check: &FenceCheck| {
        let level = if check.succeeded { "ok" } else { "FAILED" };
        let target = check.target.as_ref().map(|target| format!(" {target}")).unwrap_or_default();
        let said = match check.answer.trim() {
            "" => String::new(),
            answer => format!(": {answer}"),
        };
        let text = format!(
            "{} at {}: {}{target}, {}{said}",
            check.device,
            check.by,
            check.action,
            span(check.took_ms)
        );
        wrapped(&format!("{level:<7} "), &text)
    };
    let mut text: String = checks.iter().map(line).collect();
    match checks.iter().filter(|check| !check.succeeded).count() {
        0 if real => text += "The devices did what they must.\n",
        0 => text += "All devices answer as they must. Nothing was switched.\n",
        failed => {
            let mend = "Mend that before it is needed: a host whose device fails keeps what it ran blocked.";
            text += &wrapped("", &format!("{failed} failed. {mend}"));
        }
    }
    text
}

fn render_forecast(host: &str, forecast: &Forecast) -> String {
    let mut text = format!("When {host} is lost:\n");
    // Fence devices are used wherever they are.
    let told = forecast.resources.iter().filter(|one| one.class != "stonith");
    let lines: String = told.map(fate).collect();
    text += if lines.is_empty() { "  nothing that runs is touched\n" } else { &lines };
    if !forecast.have_quorum {
        text += "  The rest has no quorum: nothing of this happens.\n";
    }
    text
}

fn fate(one: &ResourceForecast) -> String {
    let what = match &one.fate {
        Fate::Starts { host } if one.lost => format!("dies, and starts again on {host}"),
        Fate::Starts { host } => format!("moves from {} to {host}, to make room", one.from),
        Fate::Waits { host, reason } => format!("dies; would start on {host}, but waits: {reason}"),
        Fate::GoesOnWithout { hosts } if hosts.is_empty() => "loses its instance here".to_owned(),
        Fate::GoesOnWithout { hosts } => {
            format!("loses its instance here, and goes on on {}", hosts.join(", "))
        }
        Fate::Nowhere { reasons } => {
            let reason = |one: &hafen_scheduler::Hindrance| match &one.host {
                Some(host) => format!("{host}: {}", one.reason),
                None => one.reason.clone(),
            };
            format!("dies, and STAYS DOWN: {}", reasons.iter().map(reason).collect::<Vec<_>>().join("; "))
        }
    };
    wrapped(&format!("  {:<12} ", one.resource), &what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(succeeded: bool) -> FenceCheck {
        FenceCheck {
            device: "ipmi2".into(),
            target: Some("host2".into()),
            by: "host1".into(),
            action: "status".into(),
            succeeded,
            answer: if succeeded { "Status: ON".into() } else { "login failed ".repeat(12) },
            took_ms: 340,
        }
    }

    #[test]
    fn what_failed_is_shouted() {
        let text = render(&[check(true), check(false)], false);
        assert!(text.contains("ok      ipmi2 at host1: status host2, 340 ms: Status: ON"), "{text}");
        assert!(text.contains("FAILED  ipmi2 at host1") && text.contains("1 failed."), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(render(&[], false).contains("hafen fence add"));
    }

    #[test]
    fn the_forecast_tells_machine_by_machine() {
        let one = |resource: &str, fate: Fate| ResourceForecast {
            resource: resource.into(),
            class: "ocf".into(),
            agent_type: "qemu".into(),
            from: "host2".into(),
            lost: true,
            fate,
        };
        let hindrance = hafen_scheduler::Hindrance { host: None, source: None, reason: "no room".into() };
        let forecast = Forecast {
            lost_hosts: vec!["host2".into()],
            have_quorum: true,
            resources: vec![
                one("vm1", Fate::Starts { host: "host1".into() }),
                one("vm2", Fate::Nowhere { reasons: vec![hindrance] }),
            ],
            ..Forecast::default()
        };
        let text = render_forecast("host2", &forecast);
        assert!(text.contains("vm1          dies, and starts again on host1"), "{text}");
        assert!(text.contains("vm2          dies, and STAYS DOWN: no room"), "{text}");
    }
}
