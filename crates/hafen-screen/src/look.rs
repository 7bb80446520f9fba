//! How things look: the colour repeats what a word says, and never says it alone.

use ratatui::style::{Color, Modifier, Style};

/// How something is, the worst last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Look {
    /// It is as it shall be, and that is worth no word.
    #[default]
    Plain,
    /// It is off on purpose.
    Idle,
    /// It works.
    Good,
    /// Something is being done to it.
    Busy,
    /// Somebody should look at it some time.
    Warn,
    /// It is broken.
    Wrong,
}

impl Look {
    pub(crate) fn style(self) -> Style {
        match self {
            Look::Plain => Style::new(),
            Look::Idle => Style::new().add_modifier(Modifier::DIM),
            Look::Good => Style::new().fg(Color::Green),
            Look::Busy => Style::new().fg(Color::Cyan),
            Look::Warn => Style::new().fg(Color::Yellow),
            Look::Wrong => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
        }
    }

    /// The sign before a line, for terminals and eyes without colours.
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Look::Wrong => "!",
            Look::Warn => "*",
            Look::Busy => "~",
            Look::Plain | Look::Idle | Look::Good => " ",
        }
    }
}
