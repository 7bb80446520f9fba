//! The level `cib`: shadow copies, on which changes are tried before they count.

use std::process::ExitCode;

use hafen_cib::Cib;
use hafen_cib::merge::{self, Conflict};

use super::commit;
use super::script;
use super::shell::{Mode, Outcome, Shell};
use crate::options::Given;
use crate::output::{self, CrmExit, Failed};
use crate::source::{self, Chosen};
use crate::{crm_shadow, crm_verify};

/// Letters of `crm_shadow`.
const CREATE: char = 'c';
const CREATE_EMPTY: char = 'e';
const COMMIT: char = 'C';
const DELETE: char = 'D';
const RESET: char = 'r';

/// Has `crm_shadow` do something; what it says of the environment holds for other shells.
fn crm_shadow(shell: &Shell, letter: char, name: &str) -> Outcome {
    let options = vec![('b', None), ('f', None), (letter, Some(name.to_owned()))];
    let done = crm_shadow::act(&Given { options, words: Vec::new() });
    done.map(|_| ()).map_err(|failed| shell.told(&failed))
}

/// Keeps a copy as it is now as what it was made of; without one, nothing is known of that.
fn keep_base(shell: &Shell, name: &str, is_known: bool) -> Outcome {
    let base = source::base_file(name);
    let kept = match is_known {
        true => std::fs::copy(source::shadow_file(name), &base).map(|_| ()),
        false => match std::fs::remove_file(&base) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        },
    };
    kept.or_else(|error| shell.fail(&format!("{}: {}", base.display(), output::reason(&error))))
}

/// What a copy was made of, where that is known.
fn base_of(name: &str) -> Option<Cib> {
    Cib::parse(&std::fs::read_to_string(source::base_file(name)).ok()?).ok()
}

/// A copy's name is a part of a file's.
fn named(shell: &Shell, name: &str) -> Outcome {
    let is_name = |char: char| char.is_ascii_alphanumeric() || "-_.+@".contains(char);
    if name.is_empty() || name.starts_with(['-', '.']) || !name.chars().all(is_name) {
        return shell.fail(&format!("`{name}` is no name for a copy: letters, digits and - _ . are"));
    }
    Ok(())
}

/// There is a copy of that name.
fn known(shell: &Shell, name: &str) -> Outcome {
    named(shell, name)?;
    if source::shadow_file(name).exists() {
        return Ok(());
    }
    let near = hafen_crm::nearest(name, names().iter().map(String::as_str)).map(str::to_owned);
    let hint = near.map_or_else(
        || format!("`cib new {name}` makes one"),
        |near| format!("did you mean `{near}`? `cib list` prints all"),
    );
    shell.fail(&format!("there is no copy {name}: {hint}"))
}

/// Nothing is changed and not committed: a change belongs to what it was made on.
fn unchanged(shell: &Shell) -> Outcome {
    if shell.changed_draft().is_some() {
        return shell.fail(
            "there are changes that are not committed: `commit` makes them count, `refresh` forgets them",
        );
    }
    Ok(())
}

/// Goes on with another copy, or with the cluster.
fn turn(shell: &mut Shell, chosen: Chosen) {
    shell.forget_draft();
    source::choose(chosen);
}

/// The copies that there are.
fn names() -> Vec<String> {
    let entries = std::fs::read_dir(source::shadow_folder()).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().to_str()?.strip_prefix("shadow.").map(str::to_owned))
        .collect();
    names.sort();
    names
}

pub(super) fn list(shell: &mut Shell, words: &[String]) -> Outcome {
    if !words.is_empty() {
        return shell.fail("`list` takes nothing");
    }
    let used = source::shadow();
    for name in names() {
        let mark = if used.as_ref() == Some(&name) { "  (in use)" } else { "" };
        outln!("{name}{mark}");
    }
    Ok(())
}

/// The words that are none of these, and which of these were given.
fn split<'w>(words: &'w [String], known: &[&str]) -> (Vec<&'w str>, Vec<&'w str>) {
    words.iter().map(String::as_str).partition(|word| !known.contains(word))
}

pub(super) fn new(shell: &mut Shell, words: &[String]) -> Outcome {
    let (names, given) = split(words, &["empty", "withstatus", "force"]);
    let [name] = names.as_slice() else {
        return shell.fail("`new` needs one name, and takes `empty`, `withstatus` and `force`");
    };
    named(shell, name)?;
    unchanged(shell)?;
    let empty = given.contains(&"empty");
    if empty && given.contains(&"withstatus") {
        return shell.fail("an empty copy has no status: `empty` or `withstatus`");
    }
    if source::shadow_file(name).exists() && !given.contains(&"force") && !shell.settings.force {
        return shell.fail(&format!(
            "there is a copy {name} already: `use {name}`, or `new {name} force` to lose it"
        ));
    }
    crm_shadow(shell, if empty { CREATE_EMPTY } else { CREATE }, name)?;
    keep_base(shell, name, !empty)?;
    begin(shell, name)
}

/// Works on a copy that was just made, and says so.
fn begin(shell: &mut Shell, name: &str) -> Outcome {
    turn(shell, Chosen::Shadow(name.to_owned()));
    match shell.mode {
        // Nothing follows.
        Mode::Once => outln!("copy {name} is made: `crm -c {name}` works on it"),
        Mode::Terminal | Mode::Script => outln!("copy {name} is made, and in use"),
    }
    Ok(())
}

pub(super) fn use_(shell: &mut Shell, words: &[String]) -> Outcome {
    let (names, _) = split(words, &["withstatus"]);
    let chosen = match names.as_slice() {
        [] | ["live"] => Chosen::Live,
        [name] => {
            known(shell, name)?;
            Chosen::Shadow((*name).to_owned())
        }
        _ => return shell.fail("`use` takes one copy, or nothing for the cluster"),
    };
    unchanged(shell)?;
    if shell.mode == Mode::Once {
        outln!("note: this holds within a running shell: `crm -c NAME COMMAND` works on a copy");
    }
    turn(shell, chosen);
    Ok(())
}

/// The copy that is named, or else the one in use.
fn meant(shell: &Shell, words: &[&str], command: &str) -> Result<String, ExitCode> {
    let name = match words {
        [] => source::shadow(),
        [name] => Some((*name).to_owned()),
        _ => None,
    };
    let Some(name) = name else {
        return Err(shell.failed(&format!("`{command}` needs a copy: none is in use")));
    };
    known(shell, &name)?;
    Ok(name)
}

pub(super) fn diff(shell: &mut Shell, words: &[String]) -> Outcome {
    let (names, _) = split(words, &[]);
    let name = meant(shell, &names, "diff")?;
    let failed = |failed: Failed| shell.told(&failed);
    let (_, copy) = crm_shadow::read(&name).map_err(failed)?;
    let cluster = crm_shadow::of_cluster().map_err(failed)?;
    out!("{}", hafen_crm::difference(&cluster, &copy));
    Ok(())
}

pub(super) fn reset(shell: &mut Shell, words: &[String]) -> Outcome {
    let (names, _) = split(words, &["force"]);
    let name = meant(shell, &names, "reset")?;
    unchanged(shell)?;
    crm_shadow(shell, RESET, &name)?;
    keep_base(shell, &name, true)?;
    shell.forget_draft();
    Ok(())
}

pub(super) fn delete(shell: &mut Shell, words: &[String]) -> Outcome {
    let (names, _) = split(words, &["force"]);
    let [name] = names.as_slice() else { return shell.fail("`delete` needs the name of a copy") };
    known(shell, name)?;
    if source::shadow().as_deref() == Some(*name) {
        return shell.fail(&format!("copy {name} is in use: `use` goes back to the cluster first"));
    }
    crm_shadow(shell, DELETE, name)?;
    keep_base(shell, name, false)
}

/// Makes a copy the cluster's configuration, after what that leads to was shown.
pub(super) fn commit(shell: &mut Shell, words: &[String]) -> Outcome {
    let (names, given) = split(words, &["force"]);
    let name = meant(shell, &names, "commit")?;
    unchanged(shell)?;
    let force = shell.settings.force || !given.is_empty();
    let (_, copy) = crm_shadow::read(&name).map_err(|failed| shell.told(&failed))?;
    let mistakes = if force { Vec::new() } else { crm_verify::errors(&copy) };
    if !mistakes.is_empty() {
        mistakes.iter().for_each(|mistake| eprintln!("{mistake}"));
        return shell
            .fail(&format!("copy {name} has errors: `commit {name} force` makes it count all the same"));
    }
    let before = source::choose(Chosen::Live);
    // Without knowing what it was made of, or by force, the copy takes the cluster's place as it is.
    let outcome = match base_of(&name).filter(|_| !force) {
        Some(base) => merge_live(shell, &name, &base, &copy),
        None => replace_live(shell, &name, &copy),
    };
    source::choose(before);
    outcome?;
    keep_base(shell, &name, true)?;
    if shell.settings.wait { shell.wait() } else { Ok(()) }
}

fn replace_live(shell: &Shell, name: &str, copy: &Cib) -> Outcome {
    confirmed(shell, copy)?;
    crm_shadow(shell, COMMIT, name)
}

/// Makes the copy's changes in the cluster's configuration as it is by now.
fn merge_live(shell: &Shell, name: &str, base: &Cib, copy: &Cib) -> Outcome {
    let met = |conflicts: Vec<Conflict>| {
        let notes = conflicts.iter().take(commit::LINES_MAXIMUM).map(|one| {
            format!("error: {} {} was changed in the cluster meanwhile, and in the copy", one.element, one.id)
        });
        let text = format!(
            "nothing is committed: `cib diff {name}` prints what differs, `cib commit {name} force` overwrites it"
        );
        Failed { notes: notes.collect(), ..Failed::new(CrmExit::Old, text) }
    };
    let mut wanted = shell.read(false)?;
    merge::merge(base, copy, &mut wanted).map_err(|conflicts| shell.told(&met(conflicts)))?;
    confirmed(shell, &wanted)?;
    let made = shell.source()?.change("crm", |cib| merge::merge(base, copy, cib).map_err(met));
    made.map_err(|failed| shell.told(&failed))
}

fn confirmed(shell: &Shell, wanted: &Cib) -> Outcome {
    if commit::confirmed(shell, wanted)? {
        return Ok(());
    }
    outln!("nothing is committed");
    Err(ExitCode::FAILURE)
}

/// Makes a copy of a file, or of the input of a transition.
pub(super) fn import(shell: &mut Shell, words: &[String]) -> Outcome {
    let (words, given) = split(words, &["force"]);
    let (file, name) = match words.as_slice() {
        [file] => (*file, file.rsplit('/').next().unwrap_or(file).trim_end_matches(".xml")),
        [file, name] => (*file, *name),
        _ => return shell.fail("`import` needs a file or the number of a transition, and takes a name"),
    };
    named(shell, name)?;
    unchanged(shell)?;
    if source::shadow_file(name).exists() && given.is_empty() && !shell.settings.force {
        return shell
            .fail(&format!("there is a copy {name} already: `import {file} {name} force` to lose it"));
    }
    let text = imported(shell, file)?;
    let cib = match Cib::parse(&text) {
        Ok(cib) if source::conforms(&cib) => cib,
        Ok(_) => return shell.fail(&format!("{file}: this does not follow the schema that it names")),
        Err(error) => return shell.fail(&format!("{file}: {error}")),
    };
    crm_shadow::write(name, &(cib.root().to_xml() + "\n")).map_err(|failed| shell.told(&failed))?;
    keep_base(shell, name, false)?;
    begin(shell, name)
}

fn imported(shell: &Shell, file: &str) -> Result<String, ExitCode> {
    let path = std::path::Path::new(file);
    if let (Ok(number), false) = (file.parse::<u64>(), path.exists()) {
        let mut source = source::Source::open_real().map_err(|failed| shell.told(&failed))?;
        let Some(client) = source.daemon() else {
            let text =
                format!("there is no file {file}, and a file that stands for a cluster has no transitions");
            return Err(shell.failed(&text));
        };
        return client
            .transition_input(number)
            .map_err(|error| shell.told(&Failed::new(CrmExit::NoSuchObject, error.to_string())));
    }
    match output::input(file) {
        Ok(bytes) => script::text(file, bytes),
        Err(error) => Err(shell.failed(&format!("{file}: {}", output::reason(&error)))),
    }
}
