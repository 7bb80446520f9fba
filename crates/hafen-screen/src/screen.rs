//! The state of the screen: the cluster as it was seen last, and how it is looked at.

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};

use hafen_protocol::client::Event;
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

use crate::look::Look;
use crate::picture::Picture;
use crate::rows::{self, Row, Rows};
use crate::trouble::{self, Trouble};

/// So many events are remembered.
pub(crate) const EVENTS_MAXIMUM: usize = 500;

/// How the cluster is looked at.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Resources below the hosts where they run.
    pub by_node: bool,
    /// With what is stopped on purpose.
    pub with_idle: bool,
    /// Only what has this in its name, its state or its host.
    pub filter: String,
    /// The fencing history first.
    pub begins_with_fencings: bool,
    /// How far the local time is ahead of UTC, in seconds.
    pub offset_seconds: i32,
    /// What was folded and unfolded, by the keys of rows.
    pub folds: BTreeMap<String, bool>,
}

/// What is asked of the cluster, or of the shell around the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Leave.
    Quit,
    /// Look at once.
    Look,
    /// Why a resource is where it is.
    Explain {
        /// The resource.
        resource: String,
    },
    /// What [`Ask::Act`] would lead to.
    Preview(Act),
    /// Do it.
    Act(Act),
}

/// What can be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Move a resource to a host.
    Move {
        /// The resource.
        resource: String,
        /// Where to.
        host: String,
    },
    /// Forget a resource's failures, so that it is looked at afresh.
    CleanUp {
        /// The resource.
        resource: String,
    },
}

impl Act {
    /// What is done, in words.
    pub(crate) fn words(&self) -> String {
        match self {
            Act::Move { resource, host } => format!("Move {resource} to {host}"),
            Act::CleanUp { resource } => format!("Clean up {resource}"),
        }
    }
}

/// What came of an [`Ask`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Of [`Ask::Explain`].
    Explained {
        /// The resource.
        resource: String,
        /// Why, or why it cannot be told.
        text: Result<String, String>,
    },
    /// Of [`Ask::Preview`].
    Previewed {
        /// What would be done.
        act: Act,
        /// What it would lead to, or why it cannot be done.
        lines: Result<Vec<String>, String>,
    },
    /// Of [`Ask::Act`].
    Acted {
        /// What was done.
        act: Act,
        /// What there is to say, or why it was refused.
        said: Result<String, String>,
    },
}

/// What is shown below the summary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Pane {
    #[default]
    Resources,
    Troubles,
    Fencings,
    Events,
}

impl Pane {
    pub(crate) fn next(self) -> Self {
        match self {
            Pane::Resources => Pane::Troubles,
            Pane::Troubles => Pane::Fencings,
            Pane::Fencings => Pane::Events,
            Pane::Events => Pane::Resources,
        }
    }
}

/// What keys mean at the moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    #[default]
    Look,
    /// A filter is typed; what it was before.
    Filter { before: String },
    /// The keys are explained.
    Help,
    /// A text is read.
    Text { title: String, lines: Vec<String> },
    /// An answer is awaited.
    Wait { what: String },
    /// A host is chosen to move a resource to.
    Hosts { resource: String, hosts: Vec<String>, at: usize },
    /// Something is to be done, or not.
    Confirm { act: Act, lines: Vec<String> },
}

/// The screen.
#[derive(Debug, Default)]
pub struct Screen {
    pub(crate) view: View,
    pub(crate) picture: Option<Picture>,
    /// Why no daemon answers, where none does.
    pub(crate) lost: Option<String>,
    /// The newest first.
    pub(crate) events: VecDeque<Event>,
    pub(crate) rows: Rows,
    pub(crate) troubles: Vec<Trouble>,
    pub(crate) pane: Pane,
    pub(crate) mode: Mode,
    /// The chosen row, and its key.
    pub(crate) at: usize,
    pub(crate) chosen: String,
    /// The chosen entry of another pane.
    pub(crate) entry: usize,
    /// The first row, entry or line that was drawn last, and how many had room.
    pub(crate) top: Cell<usize>,
    pub(crate) page: Cell<usize>,
    /// How often words were made for a row since the beginning.
    pub(crate) worded: Cell<usize>,
    /// What came of the last thing that was done.
    pub(crate) notice: Option<(Look, String)>,
}

impl Screen {
    /// An empty screen.
    #[must_use]
    pub fn new(view: View) -> Self {
        let pane = if view.begins_with_fencings { Pane::Fencings } else { Pane::Resources };
        Self { view, pane, ..Self::default() }
    }

    /// The cluster was looked at.
    pub fn show(&mut self, picture: Picture) {
        self.lost = None;
        self.troubles = trouble::troubles(&picture, &|at| self.moment(at));
        self.picture = Some(picture);
        self.arrange();
    }

    /// No daemon answers; what was seen last stays.
    pub fn lose(&mut self, why: impl Into<String>) {
        self.lost = Some(why.into());
    }

    /// Events are told from the beginning again.
    pub fn forget_events(&mut self) {
        self.events.clear();
    }

    /// Something happened.
    pub fn happened(&mut self, event: Event) {
        self.events.push_front(event);
        self.events.truncate(EVENTS_MAXIMUM);
        // Who reads an older one goes on reading it.
        if self.pane == Pane::Events && self.entry > 0 {
            self.entry = (self.entry + 1).min(self.events.len().saturating_sub(1));
        }
    }

    /// What came of something that was asked. What nobody waits for any more is dropped.
    pub fn answer(&mut self, answer: Answer) {
        let waits = matches!(self.mode, Mode::Wait { .. });
        match answer {
            Answer::Explained { resource, text } if waits => self.read(
                format!("Why {resource} is where it is"),
                &text.unwrap_or_else(|why| format!("It cannot be told: {why}")),
            ),
            Answer::Previewed { act, lines: Ok(lines) } if waits => {
                self.top.set(0);
                self.mode = Mode::Confirm { act, lines };
            }
            Answer::Previewed { act, lines: Err(why) } if waits => {
                self.read(format!("{}: it cannot be done", act.words()), &why);
            }
            Answer::Acted { act, said: Ok(said) } => {
                let said = said.lines().map(str::trim).filter(|line| !line.is_empty());
                let said: Vec<&str> = said.collect();
                self.notice = Some((Look::Good, format!("DONE: {}. {}", act.words(), said.join(" "))));
                self.leave();
            }
            Answer::Acted { act, said: Err(why) } => {
                self.read(format!("{}: it was refused", act.words()), &why);
            }
            Answer::Explained { .. } | Answer::Previewed { .. } => {}
        }
    }

    pub(crate) fn read(&mut self, title: String, text: &str) {
        self.top.set(0);
        self.mode = Mode::Text { title, lines: text.lines().map(str::to_owned).collect() };
    }

    /// Back to looking at the cluster.
    pub(crate) fn leave(&mut self) {
        self.mode = Mode::Look;
        self.top.set(0);
    }

    /// Makes the rows anew; the chosen one stays chosen.
    pub(crate) fn arrange(&mut self) {
        let Some(picture) = &self.picture else { return };
        self.rows = rows::rows(picture, &self.view);
        let same = self.rows.rows.iter().position(|row| row.key(picture) == self.chosen);
        self.at = same.unwrap_or(self.at).min(self.rows.rows.len().saturating_sub(1));
        self.choose(self.at);
    }

    /// Chooses a row.
    pub(crate) fn choose(&mut self, at: usize) {
        self.at = at.min(self.rows.rows.len().saturating_sub(1));
        let key = self.row().zip(self.picture.as_ref()).map(|(row, picture)| row.key(picture));
        self.chosen = key.unwrap_or_default();
    }

    pub(crate) fn row(&self) -> Option<Row> {
        self.rows.rows.get(self.at).copied()
    }

    /// The chosen resource, by its configured name.
    pub(crate) fn resource(&self) -> Option<String> {
        match (self.pane, self.row()) {
            (Pane::Resources, Some(Row::Resource { at, .. })) => {
                let resource = self.picture.as_ref()?.resources.get(at)?;
                Some(resource.name.clone())
            }
            (Pane::Troubles, _) => self.troubles.get(self.entry)?.resource.clone(),
            _ => None,
        }
    }

    /// A time in milliseconds since 1970, as clocks show it here.
    pub(crate) fn moment(&self, wall_ms: u64) -> String {
        self.worded_time(wall_ms, "%Y-%m-%d %H:%M:%S")
    }

    /// The same without the day.
    pub(crate) fn time_of_day(&self, wall_ms: u64) -> String {
        self.worded_time(wall_ms, "%H:%M:%S")
    }

    fn worded_time(&self, wall_ms: u64, form: &str) -> String {
        let zone = Offset::from_seconds(self.view.offset_seconds).unwrap_or(Offset::UTC);
        let moment = i64::try_from(wall_ms).ok().and_then(|at| Timestamp::from_millisecond(at).ok());
        let words = moment.map(|moment| moment.to_zoned(TimeZone::fixed(zone)).strftime(form).to_string());
        words.unwrap_or_else(|| "?".to_owned())
    }
}
