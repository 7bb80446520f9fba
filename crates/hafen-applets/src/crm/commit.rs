//! Making changes count: what they lead to is shown before, and what changed meanwhile is not overwritten.

use std::process::ExitCode;

use hafen_cib::Cib;
use hafen_cib::merge::{self, Conflict, Touch};
use hafen_scheduler::{Preview, preview};

use super::interrupt::{self, Doing};
use super::shell::{Mode, Outcome, Shell};
use crate::output::{self, CrmExit, Failed};

/// No more lines of one kind are shown.
pub(super) const LINES_MAXIMUM: usize = 50;

pub(super) fn commit(shell: &mut Shell, words: &[String]) -> Outcome {
    let force = match words {
        [] => shell.settings.force,
        [word] if word == "force" || word == "--force" => true,
        _ => return shell.fail("`commit` takes `force` or nothing"),
    };
    let Some(draft) = shell.changed_draft() else {
        if shell.mode == Mode::Terminal {
            outln!("nothing is changed");
        }
        return Ok(());
    };
    let (base, work) = (draft.base.clone(), draft.work.clone());
    if !interrupt::while_doing(Doing::Preparing, || prepare(shell, &base, &work, force))? {
        outln!("nothing is committed");
        return Err(ExitCode::FAILURE);
    }
    let made = interrupt::while_doing(Doing::Sending, || {
        let merge = |cib: &mut Cib| merge::merge(&base, &work, cib).map_err(|conflicts| met(&conflicts));
        shell.source()?.change("crm", merge).map_err(|failed| shell.told(&failed))
    });
    made?;
    shell.forget_draft();
    if let Some(exit) = interrupt::asked_to_leave() {
        eprintln!("crm: committed");
        return Err(exit);
    }
    if shell.settings.wait { shell.wait() } else { Ok(()) }
}

/// Whether the changes are to be committed: what is in their way, and what they lead to.
fn prepare(shell: &Shell, base: &Cib, work: &Cib, force: bool) -> Result<bool, ExitCode> {
    let present = shell.read(false)?;
    let mut wanted = present.clone();
    if let Err(conflicts) = merge::merge(base, work, &mut wanted) {
        return Err(shell.told(&met(&conflicts)));
    }
    for (touch, object) in merge::touched(base, &present).into_iter().take(LINES_MAXIMUM) {
        outln!("note: meanwhile {} {} was {}", object.element, object.id, done(touch));
    }
    let mistakes = if force { Vec::new() } else { crate::crm_verify::errors(&wanted) };
    if !mistakes.is_empty() {
        mistakes.iter().for_each(|mistake| eprintln!("{mistake}"));
        let how = if shell.mode == Mode::Once { "`crm -F ...`" } else { "`commit force`" };
        shell.fail(&format!("this configuration has errors: {how} makes it count all the same"))?;
    }
    confirmed(shell, &wanted)
}

/// Another changed the same.
fn met(conflicts: &[Conflict]) -> Failed {
    let objects = conflicts.iter().take(LINES_MAXIMUM);
    let notes =
        objects.map(|one| format!("error: {} {} was changed meanwhile, and here too", one.element, one.id));
    let text =
        "nothing is committed: `show changed` prints your changes, `refresh` forgets them and reads anew";
    Failed { notes: notes.collect(), ..Failed::new(CrmExit::Old, text) }
}

fn done(touch: Touch) -> &'static str {
    match touch {
        Touch::Created => "made",
        Touch::Changed => "changed",
        Touch::Deleted => "taken away",
    }
}

/// Shows what a configuration leads to. Somebody who types is asked where something that runs is interrupted; a script is told.
pub(super) fn confirmed(shell: &Shell, wanted: &Cib) -> Result<bool, ExitCode> {
    let preview = of(shell, wanted)?;
    let asks = preview.interrupts() || preview.idle.iter().any(|idle| !idle.from.is_empty());
    match shell.mode {
        Mode::Terminal => lines(&preview).iter().for_each(|line| outln!("{line}")),
        Mode::Script | Mode::Once if asks => lines(&preview).iter().for_each(|line| eprintln!("{line}")),
        Mode::Script | Mode::Once => {}
    }
    Ok(!asks || shell.mode != Mode::Terminal || shell.ask("This interrupts what runs. Commit it?"))
}

/// What the cluster would do with that configuration, and the status as it is.
fn of(shell: &Shell, wanted: &Cib) -> Result<Preview, ExitCode> {
    let before = shell.read(true)?;
    let mut after = before.clone();
    if let Some(configuration) = wanted.configuration() {
        after.replace_configuration(configuration);
    }
    Ok(preview(&before, &after, output::now()))
}

/// A preview, a line for each consequence.
pub(crate) fn lines(preview: &Preview) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut add = |title: &str, found: Vec<String>| {
        if found.is_empty() {
            return;
        }
        lines.push(title.to_owned());
        let more = found.len().saturating_sub(LINES_MAXIMUM);
        lines.extend(found.into_iter().take(LINES_MAXIMUM).map(|line| format!("  {line}")));
        if more > 0 {
            lines.push(format!("  and {more} more"));
        }
    };
    let mark = |one: &hafen_scheduler::Consequence| if one.interrupts { "! " } else { "  " };
    let consequences = preview.consequences.iter().map(|one| format!("{}{one}", mark(one))).collect();
    add("This change leads to (! interrupts what runs):", consequences);
    add("These would not run:", preview.idle.iter().map(ToString::to_string).collect());
    add("Warnings:", preview.warnings.clone());
    lines
}

pub(super) fn simulate(shell: &mut Shell, _words: &[String]) -> Outcome {
    let draft = shell.draft()?;
    let (base, work) = (draft.base.clone(), draft.work.clone());
    let mut wanted = shell.read(false)?;
    merge::merge(&base, &work, &mut wanted).map_err(|conflicts| shell.told(&met(&conflicts)))?;
    let preview = of(shell, &wanted)?;
    if preview.is_empty() {
        outln!("Nothing comes of this change.");
    }
    lines(&preview).iter().for_each(|line| outln!("{line}"));
    Ok(())
}
