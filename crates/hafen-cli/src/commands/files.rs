//! `hafen files`.

use std::io::Write;
use std::process::ExitCode;

use hafen_setup::files::{self, Outcome, Push, Standing, Survey};
use hafen_setup::{Host, agreed};

use super::setup::this_host;
use crate::arguments::FilesCommand;

pub(super) fn run(command: Option<FilesCommand>) -> anyhow::Result<ExitCode> {
    let host = this_host()?;
    match command {
        None => list(&host),
        Some(FilesCommand::Diff { path }) => diff(&host, path),
        Some(FilesCommand::Push { paths, overwrite, remove }) => {
            push(&host, &Push { paths, overwrite, remove })
        }
        Some(FilesCommand::Pull { path, from }) => {
            files::pull(&host, &path, &from)?;
            outln!("{path} is that of {from} now.");
            Ok(ExitCode::SUCCESS)
        }
        Some(FilesCommand::Add { pattern }) => {
            let new = agreed::add_pattern(&host, &pattern)?;
            outln!("{pattern} is {}.", if new { "agreed from now on" } else { "agreed already" });
            outln!("Bring it to the other hosts with: hafen files push");
            Ok(ExitCode::SUCCESS)
        }
        Some(FilesCommand::Forget { pattern }) => {
            let was = agreed::remove_pattern(&host, &pattern)?;
            outln!(
                "{pattern} {}.",
                if was { "may differ from now on" } else { "was not among the agreed files" }
            );
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// What all hosts have; exit status 1 when something differs, or a host did not answer.
fn list(host: &Host) -> anyhow::Result<ExitCode> {
    let survey = files::survey(host)?;
    let mut out = std::io::stdout().lock();
    for path in survey.files.keys() {
        match survey.standing(path) {
            Standing::Same => writeln!(out, "same      {path}")?,
            Standing::Newer { on } => writeln!(out, "newer     {path}: on {}", joined(on.iter()))?,
            Standing::Conflict { versions } => {
                writeln!(out, "conflict  {path}: {} versions", versions.len())?;
                for (digest, hosts) in versions {
                    let short = digest.as_deref().map_or("missing", |digest| &digest[..12.min(digest.len())]);
                    writeln!(out, "            {short:<12} on {}", joined(hosts.iter()))?;
                }
            }
        }
    }
    let differing = survey.differing().len();
    if differing > 0 {
        writeln!(out, "See the differences with: hafen files diff")?;
        writeln!(out, "Bring the newer ones to all, on the host that has them: hafen files push")?;
    }
    Ok(end(&survey, differing > 0))
}

/// 1 when something is not as it should be.
fn end(survey: &Survey, wrong: bool) -> ExitCode {
    for (name, why) in &survey.silent {
        eprintln!("{name} was not asked: {why}");
    }
    ExitCode::from(u8::from(wrong || !survey.silent.is_empty()))
}

fn joined<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn diff(host: &Host, path: Option<String>) -> anyhow::Result<ExitCode> {
    let survey = files::survey(host)?;
    let differing: Vec<String> = survey.differing().into_iter().map(str::to_owned).collect();
    let meant = path.map_or(differing, |path| vec![path]);
    let mut out = std::io::stdout().lock();
    let mut wrong = false;
    for path in &meant {
        for other in survey.hosts.iter().filter(|name| **name != host.name) {
            let text = files::diff(host, path, other)?;
            wrong |= !text.is_empty();
            write!(out, "{text}")?;
        }
    }
    Ok(end(&survey, wrong))
}

fn push(host: &Host, how: &Push) -> anyhow::Result<ExitCode> {
    let pushed = files::push(host, how)?;
    let mut wrong = false;
    let mut out = std::io::stdout().lock();
    for one in &pushed {
        wrong |= one.outcome != Outcome::Written;
        let (path, name) = (&one.path, &one.host);
        match &one.outcome {
            Outcome::Written => writeln!(out, "{name}: {path} written")?,
            Outcome::Conflict => writeln!(
                out,
                "{name}: {path} was changed there too and left alone. Compare with 'hafen files diff {path}', then take that \
                 one with 'hafen files pull {path} --from {name}' or this one with 'hafen files push --overwrite {path}'"
            )?,
            Outcome::MissingHere => writeln!(
                out,
                "{name}: {path} is not on this host; take it with 'hafen files pull {path} --from {name}', or remove it \
                 there with 'hafen files push --remove {path}'"
            )?,
            Outcome::Failed(why) => writeln!(out, "{name}: {path} failed: {why}")?,
        }
    }
    if pushed.is_empty() {
        writeln!(out, "All hosts have the same files.")?;
    }
    Ok(ExitCode::from(u8::from(wrong)))
}
