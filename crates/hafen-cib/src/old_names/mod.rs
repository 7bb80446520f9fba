//! Names of the years of OpenAIS and Heartbeat, which configurations from books and old clusters have: what
//! they are today, and a configuration with those instead.

mod table;
mod translator;

use std::fmt;

use crate::cib::Cib;
pub use table::Renamed;
use table::{AGENTS, Change};
use translator::Translator;

/// What a translation did with an old name, or left to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The line of the source; 0 for elements that were never in one.
    pub line: u32,
    /// The id of the element.
    pub id: String,
    /// What it was, with its kind: "the agent ocf:heartbeat:pingd".
    pub was: String,
    /// What that is today.
    pub today: String,
    /// Whether it was translated; else it is as it was.
    pub done: bool,
    /// Why it behaves as before; or what is to be done by hand.
    pub why: String,
}

impl fmt::Display for Note {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(formatter, "line {}: ", self.line)?;
        }
        let Self { id, was, today, why, .. } = self;
        if self.done {
            write!(formatter, "`{id}`: {was} is now {today}: {why}")
        } else {
            write!(formatter, "`{id}`: {was}, {today} today, is left as it is: {why}")
        }
    }
}

/// The CIB with today's names, and a note for each old one in the order of the source. What is not in the
/// table stays, and so do ids. A second translation changes nothing.
pub fn translate(cib: &Cib) -> (Cib, Vec<Note>) {
    let mut translator = Translator { cib: cib.clone(), notes: Vec::new() };
    translator.agents();
    translator.parameters();
    translator.meta();
    translator.properties();
    let Translator { cib, mut notes } = translator;
    notes.sort_by(|a, b| (a.line, &a.id).cmp(&(b.line, &b.id)));
    (cib, notes)
}

/// The agent that does what one of old did, and its parameters that have other names.
pub fn exchanged(agent: &str) -> Option<(&'static str, &'static [Renamed])> {
    AGENTS.iter().find(|entry| entry.old == agent).and_then(|entry| match &entry.change {
        Change::Exchange(exchange) => Some((entry.today, exchange.renamed)),
        Change::ByHand(_) => None,
    })
}

#[cfg(test)]
mod tests;
