//! Drawing. What is wrong is at the top, in words; of lists only what is seen is put into words.

mod reading;
mod summary;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use crate::look::Look;
use crate::rows::Words;
use crate::screen::{Mode, Pane, Screen};
use crate::text;

/// On less than this nothing can be read.
const COLUMNS_MINIMUM: u16 = 36;
const LINES_MINIMUM: u16 = 9;
/// The keys, the most wanted first.
const KEYS: [&str; 10] = [
    "q quit",
    "? help",
    "f lists",
    "e why",
    "/ filter",
    "n by node",
    "m move",
    "c clean up",
    "w wrong",
    "i idle",
];
const KEYS_OF_A_FILTER: [&str; 2] = ["Enter keep it", "Esc show all"];

/// A place to draw, line by line.
pub(crate) struct Paper<'p> {
    buffer: &'p mut Buffer,
    area: Rect,
    /// The next line that is free at the top.
    pub(crate) line: u16,
    /// The first line that is taken at the bottom.
    pub(crate) end: u16,
}

impl<'p> Paper<'p> {
    fn new(buffer: &'p mut Buffer, area: Rect) -> Self {
        Self { buffer, area, line: 0, end: area.height }
    }

    pub(crate) fn columns(&self) -> usize {
        usize::from(self.area.width)
    }

    /// How many lines are free.
    pub(crate) fn free(&self) -> usize {
        usize::from(self.end.saturating_sub(self.line))
    }

    /// Writes the next line from the top, if one is free. Nothing that a terminal would obey gets through.
    pub(crate) fn put(&mut self, text: &str, style: Style) {
        if self.line < self.end {
            self.put_at(self.line, text, style);
            self.line += 1;
        }
    }

    /// Writes the next line from the bottom.
    fn put_last(&mut self, text: &str, style: Style) {
        if self.line < self.end {
            self.end -= 1;
            self.put_at(self.end, text, style);
        }
    }

    fn put_at(&mut self, line: u16, text: &str, style: Style) {
        let text = text::padded(text, self.columns());
        self.buffer.set_stringn(self.area.x, self.area.y + line, text, self.columns(), style);
    }

    /// A line that separates, with a title.
    pub(crate) fn separate(&mut self, title: &str) {
        let title = text::fitted(title, self.columns().saturating_sub(6));
        let rest = self.columns().saturating_sub(text::width(&title) + 4);
        self.put(&format!("-- {title} {}", "-".repeat(rest)), Style::new().add_modifier(Modifier::DIM));
    }

    /// A line that begins with the sign of how something is.
    pub(crate) fn put_sign(&mut self, look: Look, text: &str) {
        self.put(&format!("{} {text}", look.sign()), look.style());
    }
}

/// Draws the screen. Where a list begins is decided here, where its height is known, and remembered.
pub fn draw(screen: &Screen, frame: &mut Frame<'_>) {
    let area = frame.area();
    let mut paper = Paper::new(frame.buffer_mut(), area);
    if area.width < COLUMNS_MINIMUM || area.height < LINES_MINIMUM {
        let words =
            format!("The terminal is too small: {COLUMNS_MINIMUM} x {LINES_MINIMUM} at least. q quits");
        for line in text::wrapped(&words, paper.columns(), 0) {
            paper.put(&line, Style::new());
        }
        return;
    }
    match &screen.mode {
        Mode::Look | Mode::Filter { .. } | Mode::Wait { .. } => glance(screen, &mut paper),
        Mode::Help => reading::help(screen, &mut paper),
        Mode::Text { title, lines } => reading::text(screen, &mut paper, title, lines),
        Mode::Hosts { resource, hosts, at } => reading::hosts(screen, &mut paper, resource, hosts, *at),
        Mode::Confirm { act, lines } => reading::confirm(screen, &mut paper, act, lines),
    }
}

/// The cluster at a glance.
fn glance(screen: &Screen, paper: &mut Paper<'_>) {
    footer(screen, paper);
    if let Some((look, words)) = note(screen) {
        for line in text::wrapped(&words, paper.columns(), 2).iter().rev() {
            paper.put_last(line, look.style().add_modifier(Modifier::BOLD));
        }
    }
    summary::title(screen, paper);
    summary::activity(screen, paper);
    let Some(picture) = &screen.picture else { return };
    if screen.pane != Pane::Troubles {
        summary::troubles(screen, paper);
    }
    if screen.pane != Pane::Resources {
        return entries(screen, paper);
    }
    if !screen.view.by_node {
        summary::hosts(picture, paper);
    }
    let events = if screen.events.is_empty() { 0 } else { events_kept(paper) };
    paper.end -= events;
    resources(screen, paper);
    paper.line = paper.end;
    paper.end += events;
    if events > 0 {
        paper.separate("Recent events, the newest first (f shows all)");
        for at in 0..paper.free() {
            let (look, words) = screen.event_words(at);
            paper.put_sign(look, &words);
        }
    }
}

/// What came of something, or what is awaited.
fn note(screen: &Screen) -> Option<(Look, String)> {
    match &screen.mode {
        Mode::Wait { what } => Some((Look::Busy, format!("{what} ... (Esc: do not wait)"))),
        _ => screen.notice.clone(),
    }
}

fn footer(screen: &Screen, paper: &mut Paper<'_>) {
    let keys: &[&str] = if matches!(screen.mode, Mode::Filter { .. }) { &KEYS_OF_A_FILTER } else { &KEYS };
    paper.put_last(&fitting(keys, paper.columns()), Style::new().add_modifier(Modifier::REVERSED));
}

/// As many of them as have room, whole.
fn fitting(keys: &[&str], columns: usize) -> String {
    let mut line = String::new();
    for key in keys {
        let between = if line.is_empty() { 0 } else { 2 };
        if line.len() + between + key.len() > columns {
            break;
        }
        line.push_str(&" ".repeat(between));
        line.push_str(key);
    }
    line
}

/// How many lines are kept for events, their title among them.
fn events_kept(paper: &Paper<'_>) -> u16 {
    match paper.area.height {
        0..18 => 0,
        18..24 => 3,
        24..36 => 4,
        _ => 7,
    }
    .min(paper.end.saturating_sub(paper.line + 4))
}

/// The first of `count` things that is drawn, so that the chosen one is among the `page` that are seen.
fn first(screen: &Screen, chosen: usize, count: usize, page: usize) -> usize {
    let page = page.max(1);
    let top = screen.top.get().min(count.saturating_sub(page));
    let top = top.clamp((chosen + 1).saturating_sub(page), chosen);
    screen.top.set(top);
    screen.page.set(page);
    top
}

fn resources(screen: &Screen, paper: &mut Paper<'_>) {
    let Some(picture) = &screen.picture else { return };
    let rows = &screen.rows.rows;
    paper.separate(&resources_title(screen, rows.len()));
    if rows.is_empty() {
        let words = match (screen.view.filter.is_empty(), screen.rows.hidden) {
            (true, 0) => "There are no resources",
            (true, _) => "All resources are stopped on purpose (i shows them)",
            (false, _) => "Nothing has that in its name, its state or its host (Esc shows all)",
        };
        return paper.put_sign(Look::Plain, words);
    }
    let page = paper.free();
    let top = first(screen, screen.at, rows.len(), page);
    let seen: Vec<Words> =
        rows.iter().skip(top).take(page).map(|row| row.words(picture, &screen.view)).collect();
    screen.worded.set(screen.worded.get() + seen.len());
    let length = |words: &Words| words.depth * 2 + 2 + text::width(&words.name);
    let name_columns = seen.iter().map(length).max().unwrap_or(0).clamp(10, paper.columns() / 3);
    let state_columns = seen.iter().map(|words| text::width(&words.state)).max().unwrap_or(0).clamp(7, 18);
    for (at, words) in seen.iter().enumerate() {
        let is_chosen = top + at == screen.at;
        let mark = if is_chosen { ">" } else { " " };
        let fold = match words.is_folded {
            Some(true) => "+ ",
            Some(false) => "- ",
            None => "  ",
        };
        let name = format!("{}{fold}{}", "  ".repeat(words.depth), words.name);
        let line = format!(
            "{mark}{} {} {} {}",
            words.look.sign(),
            text::padded(&name, name_columns),
            text::padded(&words.state, state_columns),
            words.rest
        );
        let style = words.look.style();
        paper.put(&line, if is_chosen { style.add_modifier(Modifier::REVERSED) } else { style });
    }
}

fn resources_title(screen: &Screen, count: usize) -> String {
    let mut title = if screen.view.by_node { "Resources by node".to_owned() } else { "Resources".to_owned() };
    let is_typed = matches!(screen.mode, Mode::Filter { .. });
    if is_typed || !screen.view.filter.is_empty() {
        title += &format!(", filter: {}{}", screen.view.filter, if is_typed { "_" } else { "" });
    }
    if count > 0 {
        title += &format!(", row {} of {count}", screen.at + 1);
    }
    if screen.rows.hidden > 0 {
        title += &format!(", {} stopped on purpose (i)", screen.rows.hidden);
    }
    title
}

/// A pane of entries with details.
fn entries(screen: &Screen, paper: &mut Paper<'_>) {
    let count = screen.entry_count();
    let (title, none) = match screen.pane {
        Pane::Troubles => ("What is wrong", "Nothing is wrong"),
        Pane::Fencings => ("Fencing history, the newest first", "No fencing is on record"),
        Pane::Events | Pane::Resources => ("Events, the newest first", "Nothing has happened yet"),
    };
    let chosen = screen.entry.min(count.saturating_sub(1));
    let place = if count == 0 { String::new() } else { format!(", {} of {count}", chosen + 1) };
    paper.separate(&format!("{title}{place} (f: next list, Esc: resources)"));
    if count == 0 {
        return paper.put_sign(Look::Good, none);
    }
    let page = paper.free();
    let columns = paper.columns();
    // The entries before the chosen one, as long as all of it has room.
    let (mut top, mut lines) = (chosen, entry_lines(screen, chosen, columns).len());
    while top > 0 && top > screen.top.get() {
        lines += entry_lines(screen, top - 1, columns).len();
        if lines > page {
            break;
        }
        top -= 1;
    }
    screen.top.set(top);
    screen.page.set((page / 3).max(1));
    for at in top..count {
        for (line, look) in entry_lines(screen, at, columns) {
            if paper.free() == 0 {
                return;
            }
            let mark = if at == chosen { ">" } else { " " };
            paper.put(&format!("{mark}{line}"), look.style());
        }
    }
}

/// An entry with its details, within the columns.
fn entry_lines(screen: &Screen, at: usize, columns: usize) -> Vec<(String, Look)> {
    let Some(entry) = screen.entry_at(at) else { return Vec::new() };
    screen.worded.set(screen.worded.get() + 1);
    let columns = columns.saturating_sub(1);
    let head = text::wrapped(&format!("{} {}", entry.look.sign(), entry.head), columns, 4);
    let mut lines: Vec<(String, Look)> = head.into_iter().map(|line| (line, entry.look)).collect();
    for detail in &entry.details {
        let wrapped = text::wrapped(&format!("    {detail}"), columns, 6);
        lines.extend(wrapped.into_iter().map(|line| (line, Look::Plain)));
    }
    lines
}

#[cfg(test)]
mod tests {
    use hafen_cib::Cib;
    use hafen_protocol::client::StatusReport;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use ratatui::crossterm::event::{KeyCode, KeyEvent};

    use super::*;
    use crate::{Picture, View};

    #[test]
    fn of_a_thousand_resources_only_what_is_seen_is_put_into_words() {
        let primitive =
            |number| format!(r#"<primitive id="vm{number}" class="ocf" provider="pacemaker" type="Dummy"/>"#);
        let resources: String = (0..1000).map(primitive).collect();
        let xml = format!(
            r#"<cib validate-with="pacemaker-4.0" admin_epoch="0" epoch="1" num_updates="0"><configuration><crm_config/>
            <nodes/><resources>{resources}</resources><constraints/></configuration><status/></cib>"#
        );
        let cib = Cib::parse(&xml).expect("a CIB");
        let mut screen = Screen::new(View::default());
        screen.show(Picture::of(StatusReport::default(), &cib, Vec::new(), 0));
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).expect("a terminal");
        for key in [KeyCode::Home, KeyCode::PageDown, KeyCode::End, KeyCode::Char('f'), KeyCode::Char('/')] {
            screen.handle(KeyEvent::from(key));
            let before = screen.worded.get();
            terminal.draw(|frame| draw(&screen, frame)).expect("drawn");
            let made = screen.worded.get() - before;
            assert!((1..=24).contains(&made), "{made} rows for 24 lines after {key:?}");
        }
    }
}
