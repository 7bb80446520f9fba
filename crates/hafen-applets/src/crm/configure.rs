//! The level `configure`: showing, loading, editing.

use std::io::{IsTerminal, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use hafen_cib::{Cib, Document, merge};
use hafen_crm::{Filter, Mode};

use super::interrupt::{self, Doing};
use super::script;
use super::shell::{Outcome, Shell, told};
use crate::output;

/// The configuration as it was read, and as it is being changed.
pub(super) struct Draft {
    pub(super) base: Cib,
    pub(super) work: Cib,
}

impl Draft {
    pub(super) fn new(cib: Cib) -> Self {
        Self { work: cib.clone(), base: cib }
    }

    pub(super) fn is_changed(&self) -> bool {
        let configuration = |cib: &Cib| cib.configuration().map(hafen_cib::Element::to_xml_compact);
        configuration(&self.base) != configuration(&self.work)
    }
}

/// Takes `xml` from the front of the words.
fn takes_xml(words: &[String]) -> (bool, &[String]) {
    match words.split_first() {
        Some((word, rest)) if word == "xml" => (true, rest),
        _ => (false, words),
    }
}

/// In which form a configuration is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Xml,
    Json,
}

/// Takes `xml` or `json` from the front of the words.
fn takes_form(words: &[String]) -> (Form, &[String]) {
    match words.split_first() {
        Some((word, rest)) if word == "xml" => (Form::Xml, rest),
        Some((word, rest)) if word == "json" => (Form::Json, rest),
        _ => (Form::Text, words),
    }
}

/// The configuration, or some of it, as text.
fn text(shell: &mut Shell, words: &[String]) -> Result<String, ExitCode> {
    let (form, words) = takes_form(words);
    let draft = shell.draft()?;
    let mut wanted: Vec<String> = Vec::new();
    for word in words {
        if word != "changed" {
            wanted.push(word.clone());
            continue;
        }
        let touched = merge::touched(&draft.base, &draft.work);
        wanted.extend(touched.into_iter().map(|(_, object)| object.id));
        if wanted.is_empty() {
            // No object has no id: a filter without terms would let all through.
            wanted.push(String::new());
        }
    }
    let filter = match Filter::parse(wanted.iter().map(String::as_str)) {
        Ok(filter) => filter,
        Err(error) => {
            shell.fail(&error.0)?;
            return Ok(String::new());
        }
    };
    let cib = &shell.draft()?.work;
    Ok(match form {
        Form::Text => hafen_crm::show(cib, &filter),
        Form::Xml => hafen_crm::show_xml(cib, &filter),
        Form::Json => hafen_crm::show_json(cib, &filter),
    })
}

pub(super) fn show(shell: &mut Shell, words: &[String]) -> Outcome {
    let mut shown = words.to_vec();
    if std::io::stdout().is_terminal() {
        // Somebody may look over a shoulder; a file or a pipe gets what makes the same again.
        shown.push("obscure:passw*".to_owned());
    }
    let text = text(shell, &shown)?;
    let (form, filter) = takes_form(words);
    let plain = |word: &&String| !word.contains(':') && !["changed", "and", "or"].contains(&word.as_str());
    let joined = filter.iter().any(|word| word == "and");
    for id in filter.iter().filter(plain) {
        // With `and` an object may well be there and not be shown.
        let alone = if joined { filter } else { std::slice::from_ref(id) };
        if self::text(shell, alone)?.trim().is_empty() {
            return shell.fail(&format!("object {id} does not exist"));
        }
    }
    if form == Form::Text {
        shell.page_statements(&text)
    } else {
        shell.page(&text)
    }
    Ok(())
}

pub(super) fn save(shell: &mut Shell, words: &[String]) -> Outcome {
    let (form, rest) = takes_form(words);
    let Some((file, filter)) = rest.split_first() else {
        return shell.fail("`save` needs the name of a file");
    };
    let mut shown: Vec<String> = match form {
        Form::Text => Vec::new(),
        Form::Xml => vec!["xml".to_owned()],
        Form::Json => vec!["json".to_owned()],
    };
    shown.extend_from_slice(filter);
    let text = text(shell, &shown)?;
    if file == output::STANDARD_INPUT {
        out!("{text}");
        return Ok(());
    }
    written(file.as_ref(), &text).or_else(|error| shell.fail(&format!("{file}: {}", output::reason(&error))))
}

/// Writes a file whole or not at all, through a link and with the rights that it has; a new one is for its owner alone, as it may
/// hold passwords. What is no regular file is written to.
fn written(path: &Path, text: &str) -> std::io::Result<()> {
    let (path, mode) = match std::fs::metadata(path) {
        Ok(found) if !found.is_file() => {
            return std::fs::OpenOptions::new().write(true).open(path)?.write_all(text.as_bytes());
        }
        Ok(found) => (std::fs::canonicalize(path)?, found.permissions().mode() & 0o777),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => (path.to_owned(), 0o600),
        Err(error) => return Err(error),
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".crm-").tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().set_permissions(std::fs::Permissions::from_mode(mode))?;
    file.as_file().sync_all()?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

pub(super) fn load(shell: &mut Shell, words: &[String]) -> Outcome {
    let (xml, rest) = takes_xml(words);
    let (mode, file) = match rest {
        [mode, file] => (mode.as_str(), file),
        [file] => ("replace", file),
        _ => return shell.fail("`load` needs `replace`, `update` or `push`, and a file"),
    };
    let mode = match mode {
        "replace" => Mode::Replace,
        "update" => Mode::Update,
        "push" => Mode::Push,
        other => return shell.fail(&format!("`load` knows `replace`, `update` and `push`, not `{other}`")),
    };
    let bytes = match output::input(file) {
        Ok(bytes) => bytes,
        Err(error) => return shell.fail(&format!("{file}: {}", output::reason(&error))),
    };
    let text = script::text(file, bytes)?;
    if xml { take_xml(shell, file, &text, mode) } else { take(shell, file, &text, mode) }
}

fn take(shell: &mut Shell, name: &str, text: &str, mode: Mode) -> Outcome {
    if text.trim_start_matches('\u{feff}').trim_start().starts_with('<') {
        return shell.fail(&format!("{name}: this is XML: `xml` before the rest of the words takes it"));
    }
    let statements = hafen_crm::parse(text).map_err(|mistakes| told(&mistakes, name, text))?;
    if statements.is_empty() && mode != Mode::Update {
        return shell.fail(&format!("{name}: there is nothing in it: `erase` takes everything away"));
    }
    let work = &mut shell.draft()?.work;
    hafen_crm::apply(work, &statements, mode).map_err(|mistakes| told(&mistakes, name, text))
}

fn take_xml(shell: &mut Shell, name: &str, text: &str, mode: Mode) -> Outcome {
    let document = match Document::parse(text) {
        Ok(document) => document,
        Err(error) => return shell.fail(&format!("{name}: {error}")),
    };
    let root = document.root();
    let configuration = if root.name() == "cib" { root.child("configuration") } else { Some(root) };
    let Some(configuration) = configuration.filter(|element| element.name() == "configuration") else {
        return shell
            .fail(&format!("{name}: begins with <{}>: a <cib> or a <configuration> is wanted", root.name()));
    };
    if mode == Mode::Replace {
        shell.draft()?.work.replace_configuration(configuration);
        return Ok(());
    }
    let mut given = Cib::new();
    given.replace_configuration(configuration);
    let statements = hafen_crm::show(&given, &Filter::default());
    take(shell, name, &statements, mode)
}

pub(super) fn edit(shell: &mut Shell, words: &[String]) -> Outcome {
    let (xml, filter) = takes_xml(words);
    if takes_form(words).0 == Form::Json {
        return shell.fail("JSON is for programs: `edit` takes text or XML");
    }
    let before = text(shell, words)?;
    let whole = filter.is_empty();
    let file = match tempfile(&before, if xml { "xml" } else { "crm" }) {
        Ok(file) => file,
        Err(error) => return shell.fail(&format!("no file to edit: {}", output::reason(&error))),
    };
    let editor = shell.preferences.editor();
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{editor} \"$0\"")).arg(file.path());
    let status = interrupt::while_doing(Doing::Editing, || command.status());
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => return shell.fail(&format!("{editor} ended with {status}: nothing is changed")),
        Err(error) => {
            return shell.fail(&format!("{editor}: {}: nothing is changed", output::reason(&error)));
        }
    }
    let bytes = std::fs::read(file.path()).map_err(|error| {
        eprintln!("crm: {}: {}", file.path().display(), output::reason(&error));
        ExitCode::FAILURE
    })?;
    let after = script::text("the edited text", bytes)?;
    if after == before {
        return Ok(());
    }
    let mode = if whole { Mode::Push } else { Mode::Update };
    let outcome = match xml {
        true if whole => take_xml(shell, "the edited text", &after, Mode::Replace),
        true => take_xml(shell, "the edited text", &after, mode),
        false => take(shell, "the edited text", &after, mode),
    };
    if outcome.is_err()
        && let Ok((_, path)) = file.keep()
    {
        // Nobody types it again.
        eprintln!("crm: what you wrote is kept in {}", path.display());
    }
    outcome
}

pub(super) fn tempfile(content: &str, ending: &str) -> std::io::Result<tempfile::NamedTempFile> {
    let mut file = tempfile::Builder::new().prefix("crm-").suffix(&format!(".{ending}")).tempfile()?;
    file.write_all(content.as_bytes())?;
    Ok(file)
}

pub(super) fn verify(shell: &mut Shell, _words: &[String]) -> Outcome {
    let mistakes = crate::crm_verify::errors(&shell.draft()?.work);
    mistakes.iter().for_each(|mistake| eprintln!("{mistake}"));
    if mistakes.is_empty() { Ok(()) } else { Err(ExitCode::FAILURE) }
}

pub(super) fn refresh(shell: &mut Shell, _words: &[String]) -> Outcome {
    if shell.changed_draft().is_some() && !shell.settings.force && !shell.ask("Forget what is not committed?")
    {
        return shell.fail("there are changes that are not committed: `commit`, or --force");
    }
    shell.forget_draft();
    Ok(())
}

pub(super) fn erase(shell: &mut Shell, words: &[String]) -> Outcome {
    let nodes = match words {
        [] => false,
        [word] if word == "nodes" => true,
        _ => return shell.fail("`erase` takes `nodes` or nothing"),
    };
    if !shell.settings.force && !shell.ask("Take everything out of the configuration?") {
        return shell.fail("`erase` takes everything away: say --yes");
    }
    let draft = shell.draft()?;
    let kept = if nodes { None } else { draft.work.nodes().map(hafen_cib::Element::to_xml) };
    let kept = kept.unwrap_or_else(|| "<nodes/>".to_owned());
    let empty = format!("<configuration><crm_config/>{kept}<resources/><constraints/></configuration>");
    match Document::parse(&empty) {
        Ok(document) => draft.work.replace_configuration(document.root()),
        Err(error) => return shell.fail(&error.to_string()),
    }
    Ok(())
}
