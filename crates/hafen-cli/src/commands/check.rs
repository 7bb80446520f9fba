//! `hafen check`.

use std::process::ExitCode;

use hafen_setup::check::{Level, Line, collect, judge, worst};
use hafen_setup::{Host, Paths};

use super::text::wrapped;
use crate::arguments::CheckArguments;

pub(super) fn run(arguments: &CheckArguments) -> anyhow::Result<ExitCode> {
    let host = Host::this(Paths::default())?;
    let mut tell = |text: &str| {
        if !arguments.json {
            eprintln!("{text}");
        }
    };
    let situation = collect(&host, !arguments.no_fencing, &mut tell);
    let mut lines = judge(&situation);
    let worst = worst(&lines);
    if arguments.quiet {
        lines.retain(|line| line.level >= Level::Warning);
    }
    if arguments.json {
        outln!("{}", serde_json::to_string_pretty(&lines)?);
    } else {
        out!("{}", render(&lines));
        outln!("{}", summary(worst));
    }
    Ok(if worst == Level::Error { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn summary(worst: Level) -> &'static str {
    match worst {
        Level::Ok | Level::Advice => "Everything that must work does.",
        Level::Warning => "It works now; the warnings tell what it does not bear.",
        Level::Error => "There are errors: mend them from the top, then check again.",
    }
}

fn render(lines: &[Line]) -> String {
    let line = |line: &Line| {
        let level = match line.level {
            Level::Ok => "ok",
            Level::Advice => "advice",
            Level::Warning => "warning",
            Level::Error => "ERROR",
        };
        let head = format!("{level:<7} {:<8} ", line.topic.name());
        let mend = match line.mend.as_str() {
            "" => String::new(),
            mend => wrapped(&" ".repeat(head.len()), &format!("-> {mend}")),
        };
        wrapped(&head, &line.what) + &mend
    };
    lines.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hafen_setup::check::Topic;

    #[test]
    fn each_line_tells_its_mend_within_80_columns() {
        let line = |level, mend: &str| Line {
            topic: Topic::SinglePoint,
            level,
            what: "there is one link: its switch or a cable takes the cluster with it".into(),
            mend: mend.into(),
        };
        let text = render(&[line(Level::Warning, "Give all hosts a second network"), line(Level::Ok, "")]);
        assert!(text.contains("warning single   there is one link"), "{text}");
        assert!(text.contains("                 -> Give all hosts"), "{text}");
        assert_eq!(text.matches("->").count(), 1);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }
}
