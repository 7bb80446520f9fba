//! Help: the words of a level, and how each is written.

use super::levels::{CONFIGURE, Level};
use super::ra_info::hanging;
use super::shell::{Outcome, Shell};
use crate::options::aligned;

impl Shell {
    /// Tells what a level has, or how a word is written.
    pub(super) fn help(&self, level: &Level, words: &[String]) -> Outcome {
        let Some(word) = words.first() else {
            outln!("{}", overview(level));
            return Ok(());
        };
        let (here, word) = match (level.level(word), words.get(1)) {
            (Some(level), None) => {
                outln!("{}", overview(level));
                return Ok(());
            }
            (Some(level), Some(word)) => (level, word),
            (None, _) => (level, word),
        };
        if let Some(command) = here.command(word) {
            let written = format!("{} {}", command.words.join(" | "), command.usage);
            outln!("{}\n{}.", hanging(&written, 4), command.help);
            if !command.more.is_empty() {
                outln!("\n{}", command.more);
            }
            return Ok(());
        }
        if let Some(below) = here.level(word) {
            outln!("{}", overview(below));
            return Ok(());
        }
        match hafen_crm::grammar::find(word) {
            Some(statement) => {
                outln!("{}\n\n{}.", statement.usage, statement.help);
                Ok(())
            }
            None => self.unknown(here, word),
        }
    }
}

/// A level's commands, one a line, within 80 columns.
fn overview(level: &Level) -> String {
    let mut text =
        if level.word.is_empty() { String::new() } else { format!("{}: {}\n\n", level.word, level.help) };
    for below in level.levels {
        text += &aligned(&format!("  {}", below.word), &format!("{} (a level)", below.help));
    }
    for command in level.commands {
        text += &aligned(&format!("  {}", command.words.first().unwrap_or(&"")), command.help);
    }
    if std::ptr::eq(level, &CONFIGURE) {
        text += "\nand statements of the configuration:\n\n";
        for word in hafen_crm::grammar::WORDS {
            text += &aligned(&format!("  {}", word.word), word.help);
        }
    }
    text + "\n`help COMMAND` tells how one is written; `up` leaves a level, `quit` the shell."
}
