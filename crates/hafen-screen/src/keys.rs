//! What keys do.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::look::Look;
use crate::rows::{self, Row};
use crate::screen::{Act, Ask, Mode, Pane, Screen};

/// A filter is not longer.
const FILTER_MAXIMUM: usize = 64;

/// How far a key goes in a list or a text.
fn stride(code: KeyCode, page: usize) -> Option<isize> {
    let page = isize::try_from(page.max(1)).unwrap_or(1);
    Some(match code {
        KeyCode::Up | KeyCode::Char('k') => -1,
        KeyCode::Down | KeyCode::Char('j') => 1,
        KeyCode::PageUp => -page,
        KeyCode::PageDown => page,
        KeyCode::Home | KeyCode::Char('g') => isize::MIN,
        KeyCode::End | KeyCode::Char('G') => isize::MAX,
        _ => return None,
    })
}

fn gone(from: usize, stride: isize, count: usize) -> usize {
    from.saturating_add_signed(stride).min(count.saturating_sub(1))
}

impl Screen {
    /// A key was pressed. What is to be asked of the cluster then.
    pub fn handle(&mut self, key: KeyEvent) -> Option<Ask> {
        if key.kind == KeyEventKind::Release {
            return None;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match (key.code, control) {
            (KeyCode::Char('c'), true) => return Some(Ask::Quit),
            (KeyCode::Char('l'), true) => return Some(Ask::Look),
            (_, true) => return None,
            _ => {}
        }
        self.notice = None;
        match std::mem::take(&mut self.mode) {
            Mode::Look => self.look_key(key.code),
            Mode::Filter { before } => {
                self.filter_key(key.code, before);
                None
            }
            Mode::Wait { what } => {
                if !matches!(key.code, KeyCode::Esc | KeyCode::Char('q')) {
                    self.mode = Mode::Wait { what };
                }
                None
            }
            mode @ (Mode::Help | Mode::Text { .. }) => {
                self.text_key(key.code, mode);
                None
            }
            Mode::Hosts { resource, hosts, at } => self.hosts_key(key.code, resource, hosts, at),
            Mode::Confirm { act, lines } => self.confirm_key(key.code, act, lines),
        }
    }

    fn look_key(&mut self, code: KeyCode) -> Option<Ask> {
        if let Some(stride) = stride(code, self.page.get()) {
            self.go(stride);
            return None;
        }
        match code {
            KeyCode::Char('q') => return Some(Ask::Quit),
            KeyCode::Char('?' | 'h') | KeyCode::F(1) => {
                self.top.set(0);
                self.mode = Mode::Help;
            }
            KeyCode::Char('/') => {
                self.turn_to(Pane::Resources);
                self.mode = Mode::Filter { before: self.view.filter.clone() };
            }
            KeyCode::Char('n') => {
                self.turn_to(Pane::Resources);
                self.view.by_node = !self.view.by_node;
                self.arrange();
            }
            KeyCode::Char('i') => {
                self.turn_to(Pane::Resources);
                self.view.with_idle = !self.view.with_idle;
                self.arrange();
            }
            KeyCode::Char('w') => self.seek(),
            KeyCode::Enter | KeyCode::Char(' ') => self.fold(),
            KeyCode::Char('f') | KeyCode::Tab => self.turn_to(self.pane.next()),
            KeyCode::Esc if self.pane != Pane::Resources => self.turn_to(Pane::Resources),
            KeyCode::Esc => {
                self.view.filter.clear();
                self.arrange();
            }
            KeyCode::Char('e') => return self.explain(),
            KeyCode::Char('m') => self.choose_host(),
            KeyCode::Char('c') => {
                let resource = self.meant("clean up")?;
                return Some(self.preview(Act::CleanUp { resource }));
            }
            _ => {}
        }
        None
    }

    fn turn_to(&mut self, pane: Pane) {
        self.pane = pane;
        self.entry = 0;
        self.top.set(0);
    }

    fn go(&mut self, stride: isize) {
        match self.pane {
            Pane::Resources => self.choose(gone(self.at, stride, self.rows.rows.len())),
            _ => self.entry = gone(self.entry, stride, self.entry_count()),
        }
    }

    /// Chooses the next row in which something is wrong; after the last one comes the first.
    fn seek(&mut self) {
        self.turn_to(Pane::Resources);
        let Some(picture) = &self.picture else { return };
        let is_wrong = |at: &usize| match self.rows.rows.get(*at) {
            Some(Row::Resource { at, .. }) => {
                picture.resource(*at).is_some_and(|(_, look)| look >= Look::Warn)
            }
            _ => false,
        };
        let next = (self.at + 1..self.rows.rows.len()).chain(0..=self.at).find(is_wrong);
        match next {
            Some(at) => self.choose(at),
            None => {
                self.notice = Some((Look::Good, "No resource that is shown has anything wrong".to_owned()))
            }
        }
    }

    fn fold(&mut self) {
        let Some((row, picture)) = self.row().zip(self.picture.as_ref()) else { return };
        if self.pane != Pane::Resources || row.words(picture, &self.view).is_folded.is_none() {
            return;
        }
        let is_folded = rows::is_folded(row, picture, &self.view);
        self.view.folds.insert(row.key(picture), !is_folded);
        self.arrange();
    }

    /// The chosen resource, or a word that one is to be chosen.
    fn meant(&mut self, what: &str) -> Option<String> {
        let resource = self.resource();
        if resource.is_none() {
            self.notice = Some((Look::Warn, format!("Choose a resource (up, down) to {what}")));
        }
        resource
    }

    fn explain(&mut self) -> Option<Ask> {
        let resource = self.meant("explain")?;
        self.mode = Mode::Wait { what: format!("Asking why {resource} is where it is") };
        Some(Ask::Explain { resource })
    }

    fn preview(&mut self, act: Act) -> Ask {
        self.mode = Mode::Wait { what: format!("{}: asking what it would lead to", act.words()) };
        Ask::Preview(act)
    }

    fn choose_host(&mut self) {
        let Some(resource) = self.meant("move") else { return };
        let Some(picture) = &self.picture else { return };
        let name = |at: &usize| picture.resources.get(*at).map(|resource| resource.name.as_str());
        let its = (0..picture.resources.len()).filter(|at| name(at) == Some(resource.as_str()));
        let its: Vec<_> = its.filter_map(|at| picture.resources.get(at)).collect();
        let runs_on = |host: &str| its.iter().any(|one| one.hosts.iter().any(|on| on == host));
        // Where it does not run already; hosts that are here come first.
        let mut hosts: Vec<_> = picture.status.hosts.iter().filter(|host| !runs_on(&host.name)).collect();
        hosts.sort_by_key(|host| host.state != "online");
        let hosts: Vec<String> = hosts.into_iter().map(|host| host.name.clone()).collect();
        if hosts.is_empty() {
            self.notice = Some((Look::Warn, format!("There is no other host to move {resource} to")));
            return;
        }
        self.top.set(0);
        self.mode = Mode::Hosts { resource, hosts, at: 0 };
    }

    fn filter_key(&mut self, code: KeyCode, before: String) {
        match code {
            KeyCode::Enter | KeyCode::Down => {}
            KeyCode::Esc => self.view.filter.clear(),
            KeyCode::Backspace => {
                self.view.filter.pop();
                self.mode = Mode::Filter { before };
            }
            KeyCode::Char(char) if self.view.filter.chars().count() < FILTER_MAXIMUM => {
                self.view.filter.push(char);
                self.mode = Mode::Filter { before };
            }
            KeyCode::Up => self.view.filter = before,
            _ => self.mode = Mode::Filter { before },
        }
        self.arrange();
    }

    fn text_key(&mut self, code: KeyCode, mode: Mode) {
        match stride(code, self.page.get()) {
            // How far there is text, drawing knows.
            Some(stride) => {
                self.top.set(self.top.get().saturating_add_signed(stride));
                self.mode = mode;
            }
            None if matches!(code, KeyCode::Esc | KeyCode::Enter | KeyCode::Char('q' | ' ' | '?')) => {
                self.leave();
            }
            None => self.mode = mode,
        }
    }

    fn hosts_key(&mut self, code: KeyCode, resource: String, hosts: Vec<String>, at: usize) -> Option<Ask> {
        if let Some(stride) = stride(code, self.page.get()) {
            let at = gone(at, stride, hosts.len());
            self.mode = Mode::Hosts { resource, hosts, at };
            return None;
        }
        match code {
            KeyCode::Enter => {
                let host = hosts.get(at)?.clone();
                Some(self.preview(Act::Move { resource, host }))
            }
            KeyCode::Esc | KeyCode::Char('q') => {
                self.leave();
                None
            }
            _ => {
                self.mode = Mode::Hosts { resource, hosts, at };
                None
            }
        }
    }

    fn confirm_key(&mut self, code: KeyCode, act: Act, lines: Vec<String>) -> Option<Ask> {
        if let Some(stride) = stride(code, self.page.get()) {
            self.top.set(self.top.get().saturating_add_signed(stride));
            self.mode = Mode::Confirm { act, lines };
            return None;
        }
        match code {
            KeyCode::Char('y') => {
                self.mode = Mode::Wait { what: format!("{}: it is being done", act.words()) };
                Some(Ask::Act(act))
            }
            KeyCode::Char('n' | 'q') | KeyCode::Esc => {
                self.leave();
                self.notice = Some((Look::Plain, "Nothing was done".to_owned()));
                None
            }
            _ => {
                self.mode = Mode::Confirm { act, lines };
                None
            }
        }
    }
}
