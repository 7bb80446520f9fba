//! The screens as they are seen, and what keys do to them. Nothing here has colours: words must say all of it.

mod cluster;
mod keys;
mod looks;

use hafen_screen::{Ask, Screen, View, draw};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent};

use cluster::Cluster;

/// What is on the screen, as text.
pub(crate) fn seen(screen: &Screen, columns: u16, lines: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(columns, lines)).expect("a terminal");
    terminal.draw(|frame| draw(screen, frame)).expect("drawn");
    let buffer = terminal.backend().buffer();
    let line = |at: u16| (0..columns).map(|column| buffer[(column, at)].symbol()).collect::<String>();
    (0..lines).map(|at| line(at).trim_end().to_owned() + "\n").collect()
}

pub(crate) fn screen_of(cluster: &Cluster) -> Screen {
    let mut screen = Screen::new(View::default());
    screen.show(cluster.picture());
    screen
}

/// Presses keys one after the other; what the last one asks for.
pub(crate) fn press(screen: &mut Screen, keys: &str) -> Option<Ask> {
    let mut ask = None;
    for char in keys.chars() {
        let code = match char {
            '\n' => KeyCode::Enter,
            '\u{1b}' => KeyCode::Esc,
            '\u{8}' => KeyCode::Backspace,
            other => KeyCode::Char(other),
        };
        ask = screen.handle(KeyEvent::from(code));
    }
    ask
}
