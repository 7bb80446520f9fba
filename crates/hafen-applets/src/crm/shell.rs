//! Where the shell is, what was changed and is not committed, and which command a line means.

use std::process::ExitCode;
use std::thread::JoinHandle;

use hafen_cib::Cib;
use hafen_crm::{Diagnostic, Statement};

use super::commit;
use super::configure::Draft;
use super::history;
use super::levels::{CONFIGURE, Level, NODE, RESOURCE, ROOT};
use super::preferences::Preferences;
use super::script;
use crate::output::Failed;
use crate::source::Source;

/// What became of a command; where it failed, that was told, and this is the exit status.
pub(super) type Outcome = Result<(), ExitCode>;

/// What comes after a line that succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    /// The next line.
    Next,
    /// Nothing: the shell was left.
    Leave,
}

/// Where commands come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Somebody types, and can be asked.
    Terminal,
    /// A file: it ends at the first mistake.
    Script,
    /// The words of a command line.
    Once,
}

/// What the command line asks for.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    pub(super) force: bool,
    pub(super) yes: bool,
    pub(super) wait: bool,
}

/// Elements of statements that may come again: they add to what is there.
const REPEATED: [&str; 6] =
    ["node", "cluster_property_set", "meta_attributes", "fencing-topology", "fencing-level", "op"];

/// The configuration as somebody who types may name its objects; it is read while the first words are typed.
#[derive(Default)]
enum Seen {
    #[default]
    Nothing,
    Coming(JoinHandle<Option<Cib>>),
    There(Cib),
}

impl Seen {
    fn get(&mut self) -> Option<&Cib> {
        if let Self::Coming(_) = self
            && let Self::Coming(reading) = std::mem::take(self)
            && let Some(cib) = reading.join().ok().flatten()
        {
            *self = Self::There(cib);
        }
        match self {
            Self::There(cib) => Some(cib),
            _ => None,
        }
    }
}

pub(super) struct Shell {
    pub(super) settings: Settings,
    /// What the command line itself asked for.
    pub(super) asked: Settings,
    pub(super) preferences: Preferences,
    pub(super) mode: Mode,
    /// From the top to where the shell is.
    path: Vec<&'static Level>,
    draft: Option<Draft>,
    /// The configuration that completions are made from while a line is typed.
    seen: Seen,
    /// Statements that are read and not yet taken in, on the lines on which they stand.
    pending: String,
    /// What the text is called in messages.
    pub(super) name: String,
    /// The line that is being read.
    line: usize,
    /// What the level `history` has read.
    pub(super) history: history::State,
}

impl Shell {
    pub(super) fn new(settings: Settings, mode: Mode) -> Self {
        let (asked, preferences) = (settings.clone(), Preferences::load());
        let mut settings = settings;
        preferences.apply(&mut settings);
        Self {
            settings,
            asked,
            preferences,
            mode,
            path: vec![&ROOT],
            draft: None,
            seen: Seen::default(),
            pending: String::new(),
            name: "crm".to_owned(),
            line: 1,
            history: history::State::default(),
        }
    }

    pub(super) fn level(&self) -> &'static Level {
        self.path.last().copied().unwrap_or(&ROOT)
    }

    /// What is shown before a line is typed.
    pub(super) fn prompt(&self) -> String {
        let words: Vec<&str> = self.path.iter().skip(1).map(|level| level.word).collect();
        let mark = if self.draft.as_ref().is_some_and(Draft::is_changed) { "*" } else { "" };
        let copy = crate::source::shadow();
        format!("crm({}){}{mark}# ", copy.as_deref().unwrap_or("live"), words.join("/"))
    }

    /// The configuration as it is being changed.
    pub(super) fn draft(&mut self) -> Result<&mut Draft, ExitCode> {
        if self.draft.is_none() {
            let cib = self.read(false)?;
            self.draft = Some(Draft::new(cib));
        }
        self.draft.as_mut().ok_or(ExitCode::FAILURE)
    }

    /// Begins to read the configuration for somebody who is going to type.
    pub(super) fn look(&mut self) {
        if self.draft.is_none() {
            let read = || Source::open().and_then(|mut source| source.cib(false)).ok();
            self.seen = Seen::Coming(std::thread::spawn(read));
        }
    }

    /// The configuration that somebody who types means, if it can be read.
    pub(super) fn known(&mut self) -> Option<&Cib> {
        if let Some(draft) = &self.draft {
            return Some(&draft.work);
        }
        self.seen.get()
    }

    /// What is changed and not committed, if anything.
    pub(super) fn changed_draft(&self) -> Option<&Draft> {
        self.draft.as_ref().filter(|draft| draft.is_changed())
    }

    pub(super) fn forget_draft(&mut self) {
        self.draft = None;
    }

    pub(super) fn source(&self) -> Result<Source, ExitCode> {
        Source::open().map_err(|failed| self.told(&failed))
    }

    /// The CIB as it is.
    pub(super) fn read(&self, status: bool) -> Result<Cib, ExitCode> {
        self.source()?.cib(status).map_err(|failed| self.told(&failed))
    }

    /// Says why something failed.
    pub(super) fn told(&self, failed: &Failed) -> ExitCode {
        failed.complaints("crm").iter().for_each(|complaint| eprintln!("{complaint}"));
        ExitCode::from(failed.exit as u8)
    }

    /// Says what is wrong, with its place in a script.
    pub(super) fn fail(&self, text: &str) -> Outcome {
        Err(self.failed(text))
    }

    /// The same, where something else than nothing was wanted.
    pub(super) fn failed(&self, text: &str) -> ExitCode {
        match self.mode {
            Mode::Script => eprintln!("{}:{}: error: {text}", self.name, self.line),
            _ => eprintln!("error: {text}"),
        }
        ExitCode::FAILURE
    }

    /// Asks. Where nobody can answer the answer is no, unless the command line has given it.
    pub(super) fn ask(&self, question: &str) -> bool {
        if self.settings.yes {
            return true;
        }
        if self.mode != Mode::Terminal {
            return false;
        }
        let answer = script::typed(&format!("{question} (y/n) "));
        matches!(answer.as_deref().map(str::trim), Some("y" | "Y" | "yes"))
    }

    /// Does what the words of a command line say.
    pub(super) fn run_words(&mut self, words: &[String]) -> Outcome {
        match self.dispatch(&ROOT, words, None)? {
            Flow::Next => self.finish(),
            Flow::Leave => Ok(()),
        }
    }

    /// Does what a line says, which begins with that number and may go on over several.
    pub(super) fn run_line(&mut self, number: usize, text: &str) -> Result<Flow, ExitCode> {
        self.line = number;
        self.seen = Seen::default();
        let joined = text.replace("\\\n", " ");
        let first = joined.split_whitespace().next().unwrap_or("");
        if first.is_empty() || first.starts_with('#') {
            return Ok(Flow::Next);
        }
        let is_statement =
            std::ptr::eq(self.level(), &CONFIGURE) && hafen_crm::grammar::find(first).is_some();
        if is_statement {
            self.pending += &"\n".repeat(number.saturating_sub(1 + self.pending.matches('\n').count()));
            self.pending += text;
            self.pending.push('\n');
            if self.mode != Mode::Script {
                self.take_pending()?;
            }
            return Ok(Flow::Next);
        }
        self.take_pending()?;
        match shlex::split(&joined) {
            Some(words) => self.dispatch(self.level(), &words, Some(number)),
            None => self.fail("a quotation mark is open at the end of the line").map(|()| Flow::Next),
        }
    }

    /// Takes in the statements that were read.
    fn take_pending(&mut self) -> Outcome {
        let text = std::mem::take(&mut self.pending);
        if text.trim().is_empty() {
            return Ok(());
        }
        self.take(&text)
    }

    /// Takes statements in, all or none.
    fn take(&mut self, text: &str) -> Outcome {
        let name = if self.mode == Mode::Script { self.name.clone() } else { "crm".to_owned() };
        let statements = hafen_crm::parse(text).map_err(|mistakes| told(&mistakes, &name, text))?;
        let draft = self.draft()?;
        if let Some(id) = statements.iter().find_map(|statement| already(draft, statement)) {
            return self
                .fail(&format!("{id} already exists: `edit {id}` changes it, `delete {id}` takes it away"));
        }
        let made = hafen_crm::apply(&mut draft.work, &statements, hafen_crm::Mode::Update);
        made.map_err(|mistakes| told(&mistakes, &name, text))
    }

    /// Finds the command that words mean at a level, and does it.
    fn dispatch(
        &mut self,
        level: &'static Level,
        words: &[String],
        line: Option<usize>,
    ) -> Result<Flow, ExitCode> {
        let Some((word, rest)) = words.split_first() else { return Ok(Flow::Next) };
        let plain = word.as_str();
        if std::ptr::eq(level, &CONFIGURE) && hafen_crm::grammar::find(plain).is_some() {
            let text = words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
            let lines = "\n".repeat(line.unwrap_or(1).saturating_sub(1));
            return self.take(&format!("{lines}{text}\n")).map(|()| Flow::Next);
        }
        if let Some(command) = level.command(plain) {
            (command.act)(self, rest)?;
            // Elsewhere nothing is set going: a commit waits itself.
            if self.settings.wait && [&RESOURCE, &NODE].iter().any(|acts| std::ptr::eq(level, *acts)) {
                self.wait()?;
            }
            return Ok(Flow::Next);
        }
        if let Some(next) = level.level(plain) {
            if rest.is_empty() {
                self.path.push(next);
                return Ok(Flow::Next);
            }
            let flow = self.dispatch(next, rest, line)?;
            // One command of a level is as entering it, and leaving it again.
            if flow == Flow::Next && std::ptr::eq(next, &CONFIGURE) {
                self.leave_configure()?;
            }
            return Ok(flow);
        }
        match plain {
            "quit" | "bye" | "exit" => {
                self.finish()?;
                return Ok(Flow::Leave);
            }
            "cd" if rest.len() == 1 && rest != [".."] => return self.dispatch(level, rest, line),
            "help" | "?" | "h" => self.help(level, rest),
            "ls" => {
                outln!("{}", level.words().collect::<Vec<_>>().join("  "));
                Ok(())
            }
            "up" | "back" | "end" | ".." => self.up(),
            "cd" if rest.len() < 2 => self.up(),
            "cd" => self.fail("`cd` takes one level"),
            _ => self.unknown(level, plain),
        }
        .map(|()| Flow::Next)
    }

    pub(super) fn unknown(&self, level: &Level, word: &str) -> Outcome {
        let statements = hafen_crm::grammar::WORDS.iter().map(|word| word.word);
        let statements = statements.filter(|_| std::ptr::eq(level, &CONFIGURE));
        let near = hafen_crm::nearest(word, level.words().chain(statements).chain(["help", "up", "quit"]));
        let hint = near
            .map_or_else(|| "`help` lists the commands".to_owned(), |near| format!("did you mean `{near}`?"));
        let place =
            if level.word.is_empty() { String::new() } else { format!(" at the level {}", level.word) };
        self.fail(&format!("there is no command `{word}`{place}: {hint}"))
    }

    fn up(&mut self) -> Outcome {
        self.take_pending()?;
        if std::ptr::eq(self.level(), &CONFIGURE) {
            self.leave_configure()?;
        }
        if self.path.len() > 1 {
            self.path.pop();
        }
        Ok(())
    }

    /// What is not committed counts now, or is forgotten.
    fn leave_configure(&mut self) -> Outcome {
        if self.changed_draft().is_some() {
            if self.mode != Mode::Terminal
                || self.ask("There are changes that are not committed. Commit them?")
            {
                return commit::commit(self, &[]);
            }
            outln!("forgotten");
        }
        self.forget_draft();
        Ok(())
    }

    /// No more is said.
    pub(super) fn finish(&mut self) -> Outcome {
        while self.path.len() > 1 {
            self.up()?;
        }
        self.take_pending()?;
        self.leave_configure()
    }

    /// Waits until the cluster has nothing more to do.
    pub(super) fn wait(&self) -> Outcome {
        call(crate::crm_resource::run, &["--wait"])
    }
}

/// Tells all mistakes of a text.
pub(super) fn told(mistakes: &[Diagnostic], name: &str, text: &str) -> ExitCode {
    mistakes.iter().for_each(|mistake| eprint!("{}", mistake.render(name, text)));
    ExitCode::FAILURE
}

/// The id of a statement's object, where there is one of that id already.
fn already(draft: &Draft, statement: &Statement) -> Option<String> {
    let id = statement.id().filter(|_| !REPEATED.contains(&statement.draft.name.as_str()))?;
    let is_there = draft.work.configuration()?.document().by_id(id).is_some();
    is_there.then(|| id.to_owned())
}

/// A word of a command line as the language writes it.
fn quoted(word: &str) -> String {
    let needs = |text: &str| {
        text.is_empty() || text.chars().any(|char| char.is_whitespace() || char == '"' || char == '\'')
    };
    let within = |text: &str| match text.contains('"') {
        true if !text.contains('\'') => format!("'{text}'"),
        true => format!("\"{}\"", text.replace('"', "\\\"")),
        false => format!("\"{text}\""),
    };
    match word.split_once('=') {
        Some((name, value)) if needs(value) && !needs(name) => format!("{name}={}", within(value)),
        _ if needs(word) => within(word),
        _ => word.to_owned(),
    }
}

/// Does it by another tool.
pub(super) fn call(tool: fn(&[String]) -> ExitCode, words: &[&str]) -> Outcome {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    match tool(&words) {
        ExitCode::SUCCESS => Ok(()),
        exit => Err(exit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_command_line_are_quoted_where_the_language_needs_it() {
        for (word, expected) in [
            ("vm1", "vm1"),
            ("a=b", "a=b"),
            ("a=b c", "a=\"b c\""),
            ("a=", "a=\"\""),
            ("say \"x\"", "'say \"x\"'"),
            ("a=it's \"x\"", "a=\"it's \\\"x\\\"\""),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }

    #[test]
    fn commands_are_found_by_what_they_begin_with() {
        assert_eq!(ROOT.level("conf").map(|level| level.word), Some("configure"));
        assert!(ROOT.command("stat").is_some() && ROOT.command("conf").is_none());
        assert!(CONFIGURE.command("re").is_none(), "rename or refresh");
        assert!(CONFIGURE.command("ren").is_some());
        let of = |word: &str| CONFIGURE.command(word).and_then(|command| command.words.first().copied());
        assert_eq!(of("sho"), Some("show"), "not show-property, which is another word for get-property");
        assert_eq!(of("show-p"), Some("get-property"));
        assert_eq!((of("up"), of("upg")), (None, Some("upgrade")), "`up` leaves the level");
    }
}
