//! `hafen events`.

use std::io::Write;
use std::process::ExitCode;

use hafen_protocol::client::Event;
use jiff::Timestamp;

use crate::arguments::Connection;
use crate::target;

pub(super) fn run(
    connection: &Connection,
    follow: bool,
    after: Option<u64>,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    for event in target::connect(connection)?.events(after, follow)? {
        let event = event?;
        let line = if json { serde_json::to_string(&event)? } else { render(&event) };
        writeln!(out, "{line}")?;
        if follow {
            out.flush()?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// An event as a line: number, time (UTC), what it is about, what happened and why.
pub(super) fn render(event: &Event) -> String {
    let milliseconds = i64::try_from(event.wall_ms).unwrap_or(i64::MAX);
    let time = Timestamp::from_millisecond(milliseconds)
        .map_or_else(|_| "?".to_owned(), |time| time.strftime("%H:%M:%S%.3f").to_string());
    let subject = if event.subject.is_empty() { String::new() } else { format!(" {}:", event.subject) };
    let cause = if event.cause.is_empty() { String::new() } else { format!(" [{}]", event.cause) };
    format!("{:>5} {time} {:<8} {:<12}{subject} {}{cause}", event.number, event.host, event.kind, event.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_line_with_its_cause() {
        let event = Event {
            number: 7,
            wall_ms: 1_795_365_898_042,
            host: "host1".into(),
            kind: "fence-start".into(),
            subject: "host2".into(),
            text: "host1 fences it".into(),
            cause: "lost from the view".into(),
        };
        let wanted = "    7 16:44:58.042 host1    fence-start  host2: host1 fences it [lost from the view]";
        assert_eq!(render(&event), wanted);
    }
}
