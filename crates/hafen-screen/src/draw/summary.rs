//! The upper lines: which cluster, what it does, what is wrong, and the hosts by state.

use std::collections::BTreeMap;

use hafen_protocol::client::TransitionReport;
use ratatui::style::{Modifier, Style};

use super::Paper;
use crate::look::Look;
use crate::picture::{Picture, look_of_host, word_of_host};
use crate::screen::Screen;
use crate::text;

/// So many lines are for hosts.
const HOST_LINES_MAXIMUM: usize = 3;
/// How wide the bar of a transition is.
const BAR_COLUMNS: u64 = 16;

pub(super) fn title(screen: &Screen, paper: &mut Paper<'_>) {
    let line = match &screen.picture {
        None => "Hafen".to_owned(),
        Some(picture) => {
            let status = &picture.status;
            let quorum = if status.quorate { "quorate" } else { "WITHOUT QUORUM" };
            let online = status.hosts.iter().filter(|host| host.state == "online").count();
            let primitives = picture.resources.iter().filter(|resource| resource.is_primitive);
            let running = primitives.filter(|resource| !resource.hosts.is_empty()).count();
            format!(
                "{} | {quorum} | {online} of {} hosts online | coordinator {} | {running} running",
                status.cluster,
                status.hosts.len(),
                status.coordinator.as_deref().unwrap_or("NONE"),
            )
        }
    };
    paper.put(&line, Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD));
}

/// What the cluster does at the moment.
pub(super) fn activity(screen: &Screen, paper: &mut Paper<'_>) {
    if let Some(why) = &screen.lost {
        let words = format!("! NO ANSWER, trying again. What is below was seen before. {why}");
        for line in text::wrapped(&words, paper.columns(), 2).iter().take(2) {
            paper.put(line, Look::Wrong.style());
        }
        return;
    }
    let Some(picture) = &screen.picture else {
        return paper.put_sign(Look::Busy, "Looking at the cluster ...");
    };
    let status = &picture.status;
    match (&status.transition, &status.waiting_for) {
        (Some(transition), _) => {
            let who = status.coordinator.as_deref().unwrap_or("the coordinator");
            paper.put_sign(Look::Busy, &of_transition(transition, who));
        }
        (None, Some(what)) => paper.put_sign(Look::Busy, &format!("Waiting for {what}")),
        (None, None) => paper.put_sign(Look::Good, "Settled: the cluster has nothing left to do"),
    }
}

fn of_transition(transition: &TransitionReport, who: &str) -> String {
    let TransitionReport { number, steps, done, failed, under_way, aborted } = transition;
    let mut words = match steps {
        Some(steps) => {
            let filled = done.saturating_mul(BAR_COLUMNS).checked_div(*steps).unwrap_or(0).min(BAR_COLUMNS);
            let bar: String = (0..BAR_COLUMNS).map(|at| if at < filled { '#' } else { '.' }).collect();
            format!("Transition {number} [{bar}] {done} of {steps} steps")
        }
        None => format!("{who} carries out transition {number}"),
    };
    if *failed > 0 {
        words += &format!(", {failed} FAILED");
    }
    if let Some(cause) = aborted {
        words += &format!(", ABORTED ({cause})");
    }
    match under_way.as_slice() {
        [] => {}
        [one] => words += &format!(": {one}"),
        [first, rest @ ..] => words += &format!(": {first}, and {} more", rest.len()),
    }
    words
}

/// The worst of what is wrong. One that has no room is cut; `f` shows all of it.
pub(super) fn troubles(screen: &Screen, paper: &mut Paper<'_>) {
    let all = &screen.troubles;
    if all.is_empty() && screen.lost.is_some() {
        return;
    }
    if all.is_empty() {
        return paper.put_sign(Look::Good, "Nothing is wrong");
    }
    let room = usize::from(paper.area.height / 5).clamp(2, 7);
    let shown = if all.len() > room { room - 1 } else { all.len() };
    let mut spare = room.saturating_sub(all.len());
    let columns = paper.columns();
    for trouble in all.iter().take(shown) {
        let mut lines = text::wrapped(&format!("{} {}", trouble.look.sign(), trouble.text), columns, 4);
        let wanted = lines.len();
        let kept = wanted.min(1 + spare);
        spare -= kept.saturating_sub(1);
        if let (true, Some(last)) = (kept < wanted, lines.get_mut(kept - 1)) {
            let is_short = text::width(last) + 4 <= columns;
            *last = if is_short {
                format!("{last} ...")
            } else {
                text::fitted(&format!("{last}{}", " ".repeat(columns)), columns)
            };
        }
        for line in lines.iter().take(kept) {
            paper.put(line, trouble.look.style());
        }
    }
    if all.len() > shown {
        let worst = all.get(shown).map_or(Look::Plain, |trouble| trouble.look);
        paper.put_sign(worst, &format!("and {} more: f shows all that is wrong", all.len() - shown));
    }
}

/// The hosts by state, the worst first.
pub(super) fn hosts(picture: &Picture, paper: &mut Paper<'_>) {
    let mut states: BTreeMap<(std::cmp::Reverse<Look>, String), Vec<&str>> = BTreeMap::new();
    for host in &picture.status.hosts {
        let state = (std::cmp::Reverse(look_of_host(host)), word_of_host(host));
        states.entry(state).or_default().push(&host.name);
    }
    for ((look, state), names) in states.iter().take(HOST_LINES_MAXIMUM) {
        let mut line = format!("{} {:<11} {}:", look.0.sign(), state, names.len());
        for (at, name) in names.iter().enumerate() {
            let left = names.len() - at;
            let more = if left > 1 { format!(" and {left} more") } else { String::new() };
            if text::width(&line) + 1 + text::width(name) + text::width(&more) > paper.columns() {
                line += &format!(" and {left} more");
                break;
            }
            line += &format!(" {name}");
        }
        paper.put(&line, look.0.style());
    }
}
