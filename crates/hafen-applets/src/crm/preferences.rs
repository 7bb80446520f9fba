//! The level `options`: what somebody prefers of the shell, in a file of their own.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use super::shell::{Mode, Outcome, Settings, Shell};
use crate::options::aligned;
use crate::output;

/// What an option may be.
enum Values {
    /// A program with its arguments.
    Program,
    /// One of these words.
    Words(&'static [&'static str]),
}

struct Known {
    name: &'static str,
    values: Values,
    /// What holds where it is not set.
    default: &'static str,
    help: &'static str,
}

const EDITOR: &str = "editor";
const PAGER: &str = "pager";
const OUTPUT: &str = "output";
const WAIT: &str = "wait";
const YES_OR_NO: &[&str] = &["yes", "no"];

const KNOWN: [Known; 4] = [
    Known {
        name: EDITOR,
        values: Values::Program,
        default: "",
        help: "What `edit` runs; without it $VISUAL, $EDITOR or vi",
    },
    Known {
        name: PAGER,
        values: Values::Program,
        default: "",
        help: "What shows texts that are longer than the screen; without it $PAGER or less; none",
    },
    Known {
        name: OUTPUT,
        values: Values::Words(&["plain", "color", "color-always"]),
        default: "color",
        help: "Whether words of the configuration are in colour: on terminals (color), always, or never (plain)",
    },
    Known {
        name: WAIT,
        values: Values::Words(YES_OR_NO),
        default: "no",
        help: "Wait after each command until the cluster has settled, as -w",
    },
];

/// What stands for the option in crmsh's own file.
fn plain(name: &str) -> &str {
    match name {
        "color.style" => OUTPUT,
        name => name.strip_prefix("core.").unwrap_or(name),
    }
}

fn known(name: &str) -> Result<&'static Known, String> {
    let name = plain(name);
    KNOWN.iter().find(|known| known.name == name).ok_or_else(|| {
        let near = hafen_crm::nearest(name, KNOWN.iter().map(|known| known.name));
        let hint = near
            .map_or_else(|| "`options show` prints all".to_owned(), |near| format!("did you mean `{near}`?"));
        format!("there is no option {name}: {hint}")
    })
}

/// All options, each with what it is for.
pub(super) fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    KNOWN.iter().map(|known| (known.name, known.help))
}

/// What is set, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Preferences(BTreeMap<&'static str, String>);

impl Preferences {
    /// Those of whoever runs this. What is wrong with the file is said, and left out.
    pub(super) fn load() -> Self {
        let mut preferences = Self::default();
        let Some(file) = file() else { return preferences };
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return preferences,
            Err(error) => {
                eprintln!("crm: {}: {}", file.display(), output::reason(&error));
                return preferences;
            }
        };
        for (line, wrong) in preferences.read(&text) {
            eprintln!("crm: {}:{line}: {wrong}", file.display());
        }
        preferences
    }

    /// Takes a file's lines, and answers what is wrong with which.
    fn read(&mut self, text: &str) -> Vec<(usize, String)> {
        let mut wrong = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let taken = match line.split_once('=') {
                Some((name, value)) => self.set(name.trim(), value.trim()),
                None => Err("a line is NAME = VALUE".to_owned()),
            };
            wrong.extend(taken.err().map(|why| (at + 1, why)));
        }
        wrong
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let known = known(name)?;
        let value = match (&known.values, value) {
            (Values::Words(YES_OR_NO), "true" | "on" | "1") => "yes",
            (Values::Words(YES_OR_NO), "false" | "off" | "0") => "no",
            (_, value) => value,
        };
        if let Values::Words(words) = known.values
            && !words.contains(&value)
        {
            return Err(format!("{} is {}, not `{value}`", known.name, words.join(" or ")));
        }
        if value.is_empty() || value.contains('\n') {
            return Err(format!(
                "{} needs a value: `options reset {}` takes it away",
                known.name, known.name
            ));
        }
        self.0.insert(known.name, value.to_owned());
        Ok(())
    }

    fn get(&self, name: &str) -> &str {
        let default = || KNOWN.iter().find(|known| known.name == name).map_or("", |known| known.default);
        self.0.get(name).map_or_else(default, String::as_str)
    }

    /// The lines of the file.
    fn text(&self) -> String {
        self.0.iter().map(|(name, value)| format!("{name} = {value}\n")).collect()
    }

    fn save(&self) -> Result<(), String> {
        let file = file().ok_or("no file for it: neither XDG_CONFIG_HOME nor HOME is set")?;
        let failed = |error: std::io::Error| format!("{}: {}", file.display(), output::reason(&error));
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        crate::source::replace(&file, &self.text()).map_err(failed)
    }

    /// Puts what is preferred to what the command line asks for.
    pub(super) fn apply(&self, settings: &mut Settings) {
        settings.wait |= self.get(WAIT) == "yes";
    }

    /// The program that edits.
    pub(super) fn editor(&self) -> String {
        let variable = |name| std::env::var(name).ok();
        let preferred = Some(self.get(EDITOR).to_owned());
        let all = [variable("CRM_EDITOR"), preferred, variable("VISUAL"), variable("EDITOR")];
        let found = all.into_iter().flatten().find(|editor| !editor.trim().is_empty());
        found.unwrap_or_else(|| "vi".to_owned())
    }

    fn pager(&self) -> Option<String> {
        let preferred = Some(self.get(PAGER).to_owned()).filter(|pager| !pager.is_empty());
        let pager =
            preferred.or_else(|| std::env::var("PAGER").ok()).filter(|pager| !pager.trim().is_empty());
        Some(pager.unwrap_or_else(|| "less -FRX".to_owned()))
            .filter(|pager| pager != "none" && pager != "cat")
    }

    fn has_colours(&self) -> bool {
        match self.get(OUTPUT) {
            "color-always" => true,
            "color" => {
                let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
                let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb") || !is_set("TERM");
                std::io::stdout().is_terminal() && !dumb && !is_set("NO_COLOR")
            }
            _ => false,
        }
    }
}

fn file() -> Option<PathBuf> {
    let folder = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = folder("XDG_CONFIG_HOME").or_else(|| Some(folder("HOME")?.join(".config")))?;
    Some(folder.join("hafen/crm.conf"))
}

impl Shell {
    /// Prints what may be more than a screen holds.
    pub(super) fn page(&self, text: &str) {
        let typed = self.mode == Mode::Terminal && std::io::stdout().is_terminal();
        let rows =
            rustix::termios::tcgetwinsize(std::io::stdout()).map_or(0, |size| usize::from(size.ws_row));
        let long = typed && rows > 0 && text.lines().count() >= rows;
        match self.preferences.pager().filter(|_| long) {
            Some(pager) if paged(&pager, text) => {}
            _ => out!("{text}"),
        }
    }

    /// The same with statements of the language.
    pub(super) fn page_statements(&self, text: &str) {
        if self.preferences.has_colours() { self.page(&painted(text)) } else { self.page(text) }
    }
}

/// Has a program show a text; not done where there is none.
fn paged(pager: &str, text: &str) -> bool {
    /// What a shell ends with that does not find a program.
    const NOT_FOUND: i32 = 127;
    let child = Command::new("sh").arg("-c").arg(pager).stdin(Stdio::piped()).spawn();
    let Ok(mut child) = child else { return false };
    // Whoever has read enough ends it.
    let _ = child.stdin.take().map(|mut input| input.write_all(text.as_bytes()));
    child.wait().is_ok_and(|status| status.code() != Some(NOT_FOUND))
}

/// The word that begins a statement is bold, one that begins a part of it is green.
fn painted(text: &str) -> String {
    const BOLD: &str = "\u{1b}[1m";
    const GREEN: &str = "\u{1b}[32m";
    const PLAIN: &str = "\u{1b}[0m";
    let mut painted = String::new();
    let mut goes_on = false;
    for line in text.lines() {
        let lead = line.len() - line.trim_start().len();
        let (margin, rest) = line.split_at(lead);
        let (word, rest) = rest.split_at(rest.find(' ').unwrap_or(rest.len()));
        let is_pair = word.contains(['=', '<', '>', '/']);
        painted += margin;
        painted += &match (goes_on, word.is_empty() || is_pair) {
            (_, true) => word.to_owned(),
            (false, false) => format!("{BOLD}{word}{PLAIN}"),
            (true, false) => format!("{GREEN}{word}{PLAIN}"),
        };
        painted += rest;
        painted.push('\n');
        goes_on = line.ends_with('\\');
    }
    painted
}

pub(super) fn show(shell: &mut Shell, words: &[String]) -> Outcome {
    match words {
        [] => KNOWN.iter().for_each(|one| outln!("{} = {}", one.name, shell.preferences.get(one.name))),
        [word] if word == "all" => {
            KNOWN.iter().for_each(|one| {
                let head = format!("{} = {}", one.name, shell.preferences.get(one.name));
                out!("{}", aligned(&head, one.help));
            });
        }
        [name] => match known(name) {
            Ok(one) => outln!("{}", shell.preferences.get(one.name)),
            Err(text) => return shell.fail(&text),
        },
        _ => return shell.fail("`show` takes one option, or `all`"),
    }
    Ok(())
}

/// Sets one, for now and for later.
fn keep(shell: &mut Shell, name: &str, value: &str) -> Outcome {
    if let Err(text) = shell.preferences.set(name, value) {
        return shell.fail(&text);
    }
    if plain(name) == WAIT {
        shell.settings.wait = shell.preferences.get(WAIT) == "yes";
    }
    saved(shell)
}

fn saved(shell: &Shell) -> Outcome {
    shell.preferences.save().or_else(|text| shell.fail(&text))
}

pub(super) fn set(shell: &mut Shell, words: &[String]) -> Outcome {
    match words {
        [name, value @ ..] if !value.is_empty() => keep(shell, name, &value.join(" ")),
        _ => shell.fail("`set` needs an option and a value"),
    }
}

pub(super) fn reset(shell: &mut Shell, words: &[String]) -> Outcome {
    match words {
        [] => shell.preferences = Preferences::default(),
        [name] => match known(name) {
            Ok(one) => _ = shell.preferences.0.remove(one.name),
            Err(text) => return shell.fail(&text),
        },
        _ => return shell.fail("`reset` takes one option, or nothing for all"),
    }
    shell.settings.wait = shell.asked.wait;
    shell.preferences.apply(&mut shell.settings);
    saved(shell)
}

pub(super) fn save(shell: &mut Shell, words: &[String]) -> Outcome {
    if words.is_empty() { saved(shell) } else { shell.fail("`save` takes nothing") }
}

/// An option by a command of its own name.
fn named(shell: &mut Shell, name: &str, words: &[String]) -> Result<(), ExitCode> {
    if words.is_empty() {
        outln!("{}", shell.preferences.get(name));
        return Ok(());
    }
    keep(shell, name, &words.join(" "))
}

pub(super) fn editor(shell: &mut Shell, words: &[String]) -> Outcome {
    named(shell, EDITOR, words)
}

pub(super) fn pager(shell: &mut Shell, words: &[String]) -> Outcome {
    named(shell, PAGER, words)
}

pub(super) fn output(shell: &mut Shell, words: &[String]) -> Outcome {
    named(shell, OUTPUT, words)
}

pub(super) fn wait(shell: &mut Shell, words: &[String]) -> Outcome {
    named(shell, WAIT, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_and_what_is_wrong_is_told_by_line() {
        let mut preferences = Preferences::default();
        let wrong = preferences.read(
            "# mine\neditor = vim -u NONE\ncore.wait=true\n\npagr = less\noutput = red\ncolor.style = plain\nyes\n",
        );
        let wrong: Vec<String> = wrong.into_iter().map(|(line, why)| format!("{line}: {why}")).collect();
        assert_eq!(
            wrong,
            [
                "5: there is no option pagr: did you mean `pager`?",
                "6: output is plain or color or color-always, not `red`",
                "8: a line is NAME = VALUE",
            ]
        );
        assert_eq!(preferences.text(), "editor = vim -u NONE\noutput = plain\nwait = yes\n");
        let mut again = Preferences::default();
        assert!(again.read(&preferences.text()).is_empty());
        assert_eq!(again, preferences);
        let mut settings = Settings::default();
        preferences.apply(&mut settings);
        assert!(settings.wait);
    }

    #[test]
    fn words_that_begin_something_are_painted() {
        let text = "primitive d Dummy \\\n\tparams fake=1 \\\n\tx=1\nxml <a/>\n";
        let expected = "\u{1b}[1mprimitive\u{1b}[0m d Dummy \\\n\t\u{1b}[32mparams\u{1b}[0m fake=1 \\\n\tx=1\n\
            \u{1b}[1mxml\u{1b}[0m <a/>\n";
        assert_eq!(painted(text), expected);
    }
}
