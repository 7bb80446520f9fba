//! Somebody who types: lines with history and completion.

use std::borrow::Cow;
use std::cell::RefCell;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use hafen_cib::Cib;
use hafen_crm::Candidate;
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::{Hint, Hinter};
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Context, Editor, Helper};

use super::catalogue::Installed;
use super::completion::{self, At, Known};
use super::interrupt::{self, Doing};
use super::script;
use super::shell::{Flow, Outcome, Shell};

/// Lines that are remembered.
const HISTORY_LINES_MAXIMUM: usize = 1000;
/// With no more candidates each is told with what it is.
const EXPLAINED_MAXIMUM: usize = 30;
/// Columns of a candidate with what it is.
const COLUMNS: usize = 79;

/// Reads lines that somebody types. A mistake ends nothing.
pub(super) fn run(shell: &mut Shell) -> Outcome {
    let mut editor = editor(shell).map_err(|error| {
        eprintln!("crm: {error}");
        ExitCode::FAILURE
    })?;
    let file = history_file();
    if let Some(file) = &file {
        // The first time there is none.
        let _ = editor.load_history(file);
    }
    loop {
        if let Some(typing) = editor.helper_mut() {
            typing.shell.get_mut().look();
        }
        let prompt = editor.helper().map_or_else(String::new, |typing| typing.shell.borrow().prompt());
        // A terminal that cannot be edited on has its own Ctrl-C: it forgets the line there, too.
        let read = interrupt::while_doing(Doing::Editing, || editor.readline(&prompt));
        // Of pasted text it is several.
        let line = match read {
            Ok(line) => line,
            // The line is forgotten.
            Err(ReadlineError::Interrupted) => continue,
            Err(_) => String::from("quit"),
        };
        if !line.trim().is_empty() && !holds_secret(&line) {
            let added = editor.add_history_entry(line.as_str()).unwrap_or(false);
            if let Some(file) = file.as_ref().filter(|_| added) {
                // A history that cannot be kept keeps nobody from working.
                let _ = editor.append_history(file);
            }
        }
        let Some(typing) = editor.helper_mut() else { return Ok(()) };
        for (number, line) in script::lines(&line) {
            match typing.shell.get_mut().run_line(number, &line) {
                Ok(Flow::Next) => {}
                Ok(Flow::Leave) => return Ok(()),
                // What follows a mistake may rest on it.
                Err(_) => break,
            }
        }
    }
}

fn editor(shell: &mut Shell) -> rustyline::Result<Editor<Typing<'_>, FileHistory>> {
    let config = Config::builder()
        .max_history_size(HISTORY_LINES_MAXIMUM)?
        .history_ignore_space(true)
        .completion_type(CompletionType::List)
        .completion_show_all_if_ambiguous(true)
        .build();
    let mut editor = Editor::with_config(config)?;
    editor.set_helper(Some(Typing { shell: RefCell::new(shell), agents: Installed::look() }));
    Ok(editor)
}

/// Where lines are remembered; the folder is made.
fn history_file() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = set("XDG_STATE_HOME").or_else(|| set("HOME").map(|home| home.join(".local/state")))?;
    let folder = state.join("hafen");
    make_private(&folder).ok()?;
    Some(folder.join("crm_history"))
}

fn make_private(folder: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Whether a line gives a password or the like: it is not remembered.
fn holds_secret(line: &str) -> bool {
    let word =
        |word: &str| word.split_once('=').is_some_and(|(name, _)| hafen_agents::secrets::is_secret(name));
    let words: Vec<&str> = line.split_whitespace().collect();
    // `param ID set NAME VALUE` has no sign between them.
    let set = words.iter().skip_while(|word| **word != "set").nth(1);
    words.iter().any(|one| word(one)) || set.is_some_and(|name| hafen_agents::secrets::is_secret(name))
}

/// What the editor asks while somebody types.
struct Typing<'s> {
    shell: RefCell<&'s mut Shell>,
    agents: Installed,
}

impl Typing<'_> {
    /// Acts on what is known.
    fn with<T>(&self, act: impl FnOnce(&'static super::levels::Level, Known<'_>) -> T) -> T {
        let mut shell = self.shell.borrow_mut();
        let level = shell.level();
        match shell.known() {
            Some(cib) => act(level, Known { cib, agents: &self.agents }),
            None => act(level, Known { cib: &Cib::new(), agents: &self.agents }),
        }
    }
}

impl Completer for Typing<'_> {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let typed = line.get(..pos).unwrap_or("");
        let found = self.with(|level, known| completion::complete(level, typed, known));
        Ok((found.span.start, pairs(&found.candidates)))
    }
}

/// How candidates are told, and what is put in for them.
fn pairs(candidates: &[Candidate]) -> Vec<Pair> {
    let explains =
        candidates.len() <= EXPLAINED_MAXIMUM && candidates.iter().any(|one| !one.about.is_empty());
    let width = candidates.iter().map(|one| one.text.chars().count()).max().unwrap_or(0);
    let pair = |one: &Candidate| {
        let line = format!("{:<width$}  {}", one.text, one.about);
        let display = if explains { line.chars().take(COLUMNS).collect() } else { one.text.clone() };
        let goes_on = one.text.ends_with(['=', ':', '/']);
        let replacement = if goes_on { one.text.clone() } else { format!("{} ", one.text) };
        Pair { display, replacement }
    };
    candidates.iter().map(pair).collect()
}

/// What may follow a command, shown dimly.
struct Usage(String);

impl Hint for Usage {
    fn display(&self) -> &str {
        &self.0
    }

    fn completion(&self) -> Option<&str> {
        None
    }
}

impl Hinter for Typing<'_> {
    type Hint = Usage;

    fn hint(&self, line: &str, pos: usize, _: &Context<'_>) -> Option<Usage> {
        if pos < line.len() || !line.ends_with(' ') {
            return None;
        }
        let level = self.shell.borrow().level();
        match completion::at(level, line).0 {
            At::Command(_, command, words) if words.is_empty() => Some(Usage(command.usage.to_owned())),
            At::Statement(from) => {
                // What the agent says is there before somebody asks for it.
                let words: Vec<&str> = line.get(from..)?.split_whitespace().collect();
                if let ["primitive" | "rsc_template", _, agent] = words.as_slice() {
                    self.agents.ask(&hafen_crm::full_agent(agent));
                }
                None
            }
            _ => None,
        }
    }
}

impl Highlighter for Typing<'_> {
    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Owned(format!("\x1b[2m{hint}\x1b[0m"))
    }
}

impl Validator for Typing<'_> {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let goes_on = script::goes_on(context.input());
        Ok(if goes_on { ValidationResult::Incomplete } else { ValidationResult::Valid(None) })
    }
}

impl Helper for Typing<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_secrets_are_not_remembered() {
        for line in [
            "primitive f stonith:fence_apc params passwd=geheim ip=1",
            "crm resource param f set password geheim",
        ] {
            assert!(holds_secret(line), "{line}");
        }
        for line in ["primitive d Dummy params fake=1", "resource move vm1 host2"] {
            assert!(!holds_secret(line), "{line}");
        }
    }

    #[test]
    fn few_candidates_are_explained_and_many_are_not() {
        let one = |text: &str| Candidate { text: text.to_owned(), about: "x".repeat(100) };
        let told = pairs(&[one("a"), one("long=")]);
        assert_eq!(told[0].display.chars().count(), COLUMNS);
        assert!(told[0].display.starts_with("a      xxx"));
        assert_eq!((told[0].replacement.as_str(), told[1].replacement.as_str()), ("a ", "long="));
        let many: Vec<Candidate> = (0..100).map(|number| one(&format!("n{number}"))).collect();
        assert_eq!(pairs(&many)[7].display, "n7");
    }
}
