//! Texts that take the whole screen: help, explanations, choosing a host, and what something would lead to.

use ratatui::style::{Modifier, Style};

use super::{Paper, first};
use crate::look::Look;
use crate::picture::{look_of_host, word_of_host};
use crate::screen::{Act, Screen};
use crate::text;

const HELP: [&str; 22] = [
    "up, down, j, k      choose (PgUp, PgDn, Home, End)",
    "Enter, space        fold what is chosen, or unfold it",
    "/                   filter: a part of a name, a state, a host",
    "n                   resources below the hosts where they run",
    "i                   with what is stopped on purpose, or without",
    "f, Tab              what is wrong; then fencings, events, resources again",
    "w                   choose the next resource with something wrong",
    "e                   why the chosen resource is where it is",
    "m                   move it to a host; what that leads to is shown before",
    "c                   clean up: forget its failures, look at it afresh",
    "Esc                 back",
    "Ctrl-L              look at once",
    "q                   quit",
    "",
    "Signs before a line:",
    "  !  it is broken: somebody must look at it",
    "  *  somebody should look at it some time",
    "  ~  something is being done",
    "  >  it is chosen",
    "  +  something is folded away; - it is shown",
    "",
    "Moving leaves a constraint behind: `crm resource clear ID` takes it away.",
];

fn bar(paper: &mut Paper<'_>, title: &str) {
    paper.put(title, Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD));
}

/// Lines with their looks, from where they were scrolled to.
fn scrolled(screen: &Screen, paper: &mut Paper<'_>, lines: &[(String, Look)], keys: &str) {
    let page = paper.free().saturating_sub(1).max(1);
    let top = screen.top.get().min(lines.len().saturating_sub(page));
    screen.top.set(top);
    screen.page.set(page);
    let last = (top + page).min(lines.len());
    let place = if lines.len() > page {
        format!("{keys}  up, down: lines {}-{last} of {}", top + 1, lines.len())
    } else {
        keys.to_owned()
    };
    paper.put_last(&place, Style::new().add_modifier(Modifier::REVERSED));
    for (line, look) in lines.iter().skip(top).take(page) {
        paper.put(line, look.style());
    }
}

fn plain(lines: &[impl AsRef<str>], columns: usize) -> Vec<(String, Look)> {
    let wrapped = lines.iter().flat_map(|line| text::wrapped(line.as_ref(), columns, 4));
    wrapped.map(|line| (line, Look::Plain)).collect()
}

pub(super) fn help(screen: &Screen, paper: &mut Paper<'_>) {
    bar(paper, "Keys");
    let lines = plain(&HELP, paper.columns());
    scrolled(screen, paper, &lines, "q back");
}

pub(super) fn text(screen: &Screen, paper: &mut Paper<'_>, title: &str, lines: &[String]) {
    bar(paper, title);
    let lines = plain(lines, paper.columns());
    scrolled(screen, paper, &lines, "q back");
}

/// Which host a resource is moved to.
pub(super) fn hosts(screen: &Screen, paper: &mut Paper<'_>, resource: &str, hosts: &[String], at: usize) {
    bar(paper, &format!("Move {resource} to which host?"));
    let all = screen.picture.as_ref().map(|picture| picture.status.hosts.as_slice()).unwrap_or_default();
    let page = paper.free().saturating_sub(1);
    let top = first(screen, at, hosts.len(), page);
    paper.put_last("Enter choose  Esc back", Style::new().add_modifier(Modifier::REVERSED));
    for (place, name) in hosts.iter().enumerate().skip(top).take(page) {
        let host = all.iter().find(|host| host.name == *name);
        let look = host.map_or(Look::Warn, look_of_host);
        let state = host.map_or_else(|| "gone".to_owned(), word_of_host);
        let reason = host.map_or("", |host| host.reason.as_str());
        let mark = if place == at { ">" } else { " " };
        let line = format!("{mark}{} {name:<16} {state:<12} {reason}", look.sign());
        let style = look.style();
        paper.put(&line, if place == at { style.add_modifier(Modifier::REVERSED) } else { style });
    }
}

/// What something would lead to, and the question.
pub(super) fn confirm(screen: &Screen, paper: &mut Paper<'_>, act: &Act, lines: &[String]) {
    bar(paper, &format!("{}: shall it be done?", act.words()));
    let columns = paper.columns();
    let mut shown = Vec::new();
    for line in lines {
        // What interrupts something that runs has that sign.
        let look = if line.trim_start().starts_with('!') { Look::Wrong } else { Look::Plain };
        shown.extend(text::wrapped(line, columns, 6).into_iter().map(|line| (line, look)));
    }
    scrolled(screen, paper, &shown, "y do it  n leave it");
}
