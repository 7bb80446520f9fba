//! The panes beside the resources: what is wrong, fencings, events. Each is a list of entries with details.

use hafen_scheduler::TransitionKey;

use crate::look::Look;
use crate::screen::{Pane, Screen};
use crate::trouble::{fencing_details, fencing_words};

/// Kinds of events that say that something is wrong.
const WRONG: [&str; 7] =
    ["host-lost", "fence-failed", "disk-failed", "bus-lost", "plan-refused", "conflict", "overdue"];

/// A line and what else there is to say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) look: Look,
    pub(crate) head: String,
    pub(crate) details: Vec<String>,
}

/// Why something happened: a sentence, or the key of a plan's step.
fn cause(text: &str) -> String {
    match TransitionKey::parse(text) {
        Some(key) => format!("step {} of transition {}", key.action, key.transition),
        None => format!("cause: {text}"),
    }
}

impl Screen {
    /// How many entries the pane has.
    pub(crate) fn entry_count(&self) -> usize {
        match self.pane {
            Pane::Resources => 0,
            Pane::Troubles => self.troubles.len(),
            Pane::Fencings => self.picture.as_ref().map_or(0, |picture| picture.fencings.len()),
            Pane::Events => self.events.len(),
        }
    }

    /// An entry of the pane.
    pub(crate) fn entry_at(&self, at: usize) -> Option<Entry> {
        match self.pane {
            Pane::Resources => None,
            Pane::Troubles => {
                let trouble = self.troubles.get(at)?;
                let (look, head, details) = (trouble.look, trouble.text.clone(), trouble.details.clone());
                Some(Entry { look, head, details })
            }
            Pane::Fencings => {
                // The newest first.
                let record = self.picture.as_ref()?.fencings.iter().rev().nth(at)?;
                let (look, head) = fencing_words(record);
                Some(Entry { look, head, details: fencing_details(record, &|at| self.moment(at)) })
            }
            Pane::Events => {
                let event = self.events.get(at)?;
                let because = (!event.cause.is_empty()).then(|| cause(&event.cause));
                let (look, head) = self.event_words(at);
                Some(Entry { look, head, details: because.into_iter().collect() })
            }
        }
    }

    /// An event in a line.
    pub(crate) fn event_words(&self, at: usize) -> (Look, String) {
        let Some(event) = self.events.get(at) else { return (Look::Plain, String::new()) };
        let look = if WRONG.contains(&event.kind.as_str()) { Look::Wrong } else { Look::Plain };
        let subject = if event.subject.is_empty() { String::new() } else { format!("{}: ", event.subject) };
        let words = format!("{} {} {subject}{}", self.time_of_day(event.wall_ms), event.kind, event.text);
        (look, words)
    }
}
