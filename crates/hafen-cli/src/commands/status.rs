//! `hafen status`, and the text of a status.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use hafen_applets::screen::{self, View};
use hafen_protocol::client::{HostReport, ResourceReport, StatusReport};

use crate::arguments::Connection;
use crate::target;

/// The width that the text keeps to.
const COLUMNS: usize = 80;
/// How often `--watch` looks.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);
/// How often the screen looks where no event tells that it should.
const SCREEN_INTERVAL: Duration = Duration::from_secs(2);
/// Fencings that are shown: the last ones.
const FENCINGS_SHOWN: usize = 5;

pub(super) fn run(connection: &Connection, watch: bool, json: bool) -> anyhow::Result<ExitCode> {
    if watch && !json && screen::is_possible() {
        return on_screen(connection);
    }
    let mut out = std::io::stdout().lock();
    let mut last = String::new();
    loop {
        let shown = match target::connect(connection).and_then(|mut client| Ok(client.status()?)) {
            Ok(report) if json => serde_json::to_string(&report)? + "\n",
            Ok(report) => render(&report),
            // While watching, a daemon may well be away for a moment.
            Err(error) if watch && !json => format!("{error:#}\n"),
            Err(error) => return Err(error),
        };
        if shown != last {
            show(&mut out, &shown, watch && !json)?;
            last = shown;
        }
        if !watch {
            return Ok(ExitCode::SUCCESS);
        }
        std::thread::sleep(WATCH_INTERVAL);
    }
}

/// The full screen. Where no daemon answers at all, that is said as ever.
fn on_screen(connection: &Connection) -> anyhow::Result<ExitCode> {
    drop(target::connect(connection)?);
    let connection = connection.clone();
    let connect = move || target::connect(&connection).map_err(|error| format!("{error:#}"));
    screen::run(connect, View { with_idle: true, ..View::default() }, SCREEN_INTERVAL)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes a text; on a terminal in place of the one before.
pub(super) fn show(out: &mut impl Write, text: &str, replace: bool) -> std::io::Result<()> {
    if replace && std::io::stdout().is_terminal() {
        write!(out, "\x1b[H\x1b[2J")?;
    }
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// The status as text of 80 columns.
pub(super) fn render(report: &StatusReport) -> String {
    let mut lines = Vec::new();
    let quorum = if report.quorate { "quorate" } else { "WITHOUT QUORUM" };
    let coordinator = report.coordinator.as_deref().unwrap_or("none");
    let cluster = &report.cluster;
    lines.push(format!(
        "Cluster {cluster}, {quorum}, coordinator {coordinator}, configuration {}",
        report.version
    ));
    lines.push(match &report.waiting_for {
        None => format!("Settled, as {} sees it", report.host),
        Some(what) => format!("Waiting for {what}"),
    });
    for warning in &report.warnings {
        lines.push(format!("WARNING: {warning}"));
    }
    lines.push(String::new());
    lines.push("Hosts".to_owned());
    let width = report.hosts.iter().map(|host| host.name.len()).max().unwrap_or(0).clamp(8, 24);
    lines.extend(report.hosts.iter().map(|host| host_line(host, width)));
    let (machines, others): (Vec<_>, Vec<_>) = report.resources.iter().partition(|one| one.virtual_machine);
    let width = report.resources.iter().map(|one| one.id.len()).max().unwrap_or(0).clamp(8, 24);
    for (title, resources) in [("Virtual machines", machines), ("Other resources", others)] {
        if !resources.is_empty() {
            lines.push(String::new());
            lines.push(title.to_owned());
            lines.extend(resources.iter().map(|resource| resource_line(resource, width)));
        }
    }
    let fencings: Vec<String> = report.fencings.iter().rev().take(FENCINGS_SHOWN).rev().cloned().collect();
    let lists =
        [("Fencing", &fencings), ("Failures", &report.failures), ("Left over from moves", &report.leftovers)];
    for (title, items) in lists {
        if !items.is_empty() {
            lines.push(String::new());
            lines.push(title.to_owned());
            lines.extend(items.iter().map(|item| format!("  {item}")));
        }
    }
    lines.iter().map(|line| fitted(line) + "\n").collect()
}

fn host_line(host: &HostReport, width: usize) -> String {
    let reason = if host.reason.is_empty() { String::new() } else { format!("  ({})", host.reason) };
    format!("  {:<width$}  {}{reason}", host.name, host.state)
}

fn resource_line(resource: &ResourceReport, width: usize) -> String {
    let mut line = format!("  {:<width$}  {:<10}", resource.id, resource.state);
    if !resource.hosts.is_empty() {
        line += &format!(" {}", resource.hosts.join(", "));
    }
    if !resource.reason.is_empty() {
        line += &format!("  ({})", resource.reason);
    }
    line.trim_end().to_owned()
}

/// A line within the columns; what is too long is broken between words and goes on below, indented.
fn fitted(line: &str) -> String {
    let indent = line.len() - line.trim_start().len();
    let mut fitted = String::new();
    let mut column = 0;
    for (index, word) in line.split(' ').enumerate() {
        let length = word.chars().count();
        if index > 0 && column + 1 + length > COLUMNS && !word.is_empty() {
            let margin = " ".repeat(indent + 4);
            fitted = fitted.trim_end().to_owned() + "\n" + &margin;
            column = margin.len();
        } else if index > 0 {
            fitted.push(' ');
            column += 1;
        }
        fitted += word;
        column += length;
    }
    fitted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> StatusReport {
        let host = |name: &str, state: &str| HostReport {
            name: name.into(),
            state: state.into(),
            ..HostReport::default()
        };
        let machine = ResourceReport {
            id: "vm1".into(),
            agent: "ocf:hafen:qemu".into(),
            virtual_machine: true,
            state: "running".into(),
            hosts: vec!["host1".into()],
            reason: String::new(),
        };
        StatusReport {
            bus_lost: None,
            host: "host1".into(),
            cluster: "lab".into(),
            coordinator: Some("host1".into()),
            quorate: true,
            version: "0.7.0".into(),
            hosts: vec![host("host1", "online"), host("host2", "unclean")],
            resources: vec![machine],
            failures: vec!["vm1 start on host2 failed: a very long reason ".repeat(4)],
            ..StatusReport::default()
        }
    }

    #[test]
    fn the_text_names_what_matters_within_80_columns() {
        let text = render(&report());
        for wanted in
            ["quorate", "coordinator host1", "host2     unclean", "vm1       running    host1", "Settled"]
        {
            assert!(text.contains(wanted), "{wanted} in\n{text}");
        }
        assert!(text.lines().all(|line| line.chars().count() <= COLUMNS), "{text}");
        let words: Vec<&str> = text.split_whitespace().collect();
        assert_eq!(words.join(" ").matches("a very long reason").count(), 4, "nothing is cut off: {text}");
    }

    #[test]
    fn lost_quorum_is_shouted() {
        let report = StatusReport { quorate: false, waiting_for: Some("host3".into()), ..report() };
        let text = render(&report);
        assert!(text.contains("WITHOUT QUORUM") && text.contains("Waiting for host3"), "{text}");
    }
}
