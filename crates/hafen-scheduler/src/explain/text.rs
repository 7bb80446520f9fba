//! An explanation for people, within 80 columns.

use super::{Contribution, Counterfactual, Explanation, Part, Standing};
use crate::ledger::Change;
use crate::score;

/// The width of a terminal that every text fits into.
const COLUMNS: usize = 80;
/// So many hosts are shown of each part; the rest is counted.
const HOSTS_MAXIMUM: usize = 8;
/// With more parts than this, scores are shown only for a host that was asked about.
const PARTS_WITH_SCORES_MAXIMUM: usize = 6;

impl Explanation {
    /// Sentences first, then the scores, then what would change them.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for part in &self.parts {
            text += &wrapped("", &part.headline);
            for sentence in &part.because {
                text += &wrapped("  ", sentence);
            }
        }
        if self.parts_omitted > 0 {
            text += &wrapped("", &format!("There are {} more.", self.parts_omitted));
        }
        for note in &self.notes {
            text += &wrapped("", note);
        }
        for counterfactual in &self.counterfactuals {
            let Counterfactual { outcome, condition, side_effects, .. } = counterfactual;
            let besides = match side_effects.as_str() {
                "" => String::new(),
                effects => format!(" (and {effects})"),
            };
            text += &wrapped("  - ", &format!("{outcome} if {condition}{besides}."));
        }
        if !self.complete {
            text += &wrapped("  ", &format!("(The search ended after {} runs of the scheduler.)", self.runs));
        }
        if self.host.is_some() || self.parts.len() <= PARTS_WITH_SCORES_MAXIMUM {
            for part in &self.parts {
                text += &self.scores(part);
            }
        }
        text
    }

    fn scores(&self, part: &Part) -> String {
        let mut text = format!("\nScores of {}:\n", part.resource);
        let asked = |standing: &&Standing| {
            self.host.as_ref().is_none_or(|host| standing.host == *host || standing.chosen)
        };
        let standings: Vec<&Standing> = part.hosts.iter().filter(asked).collect();
        for standing in standings.iter().take(HOSTS_MAXIMUM) {
            text += &row(standing);
        }
        if standings.len() > HOSTS_MAXIMUM {
            text += &format!("  and {} more hosts\n", standings.len() - HOSTS_MAXIMUM);
        }
        text
    }
}

fn row(standing: &Standing) -> String {
    let score = standing.score.map_or_else(|| "not allowed".to_owned(), score::text);
    let mut marks = Vec::new();
    if standing.chosen {
        marks.push("chosen".to_owned());
    }
    if standing.runs_here {
        marks.push("runs here".to_owned());
    }
    marks.extend(standing.unavailable.map(str::to_owned));
    if let Some(promotion) = standing.promotion {
        marks.push(format!("for promotion {}", score::text(promotion)));
    }
    let mut text = wrapped(&format!("  {:<20} {score:>11}  ", standing.host), &marks.join("; "));
    text += &standing.contributions.iter().map(line).collect::<String>();
    if !standing.promotion_contributions.is_empty() {
        text += "      for promotion:\n";
        text += &standing.promotion_contributions.iter().map(line).collect::<String>();
    }
    text
}

fn line(contribution: &Contribution) -> String {
    let change = match contribution.change {
        Change::Add(amount) if amount >= 0 => format!("+{}", score::text(amount)),
        Change::Add(amount) => score::text(amount),
        Change::Set(value) => format!("={}", score::text(value)),
    };
    wrapped(&format!("      {change:>10}  "), &contribution.reason)
}

/// A text after a head, broken between words; further lines are indented by the length of the head.
fn wrapped(head: &str, text: &str) -> String {
    let margin = head.chars().count();
    let mut out = head.to_owned();
    let mut column = margin;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column > margin && column + 1 + length > COLUMNS {
            out.push('\n');
            out.push_str(&" ".repeat(margin));
            column = margin;
        }
        if column > margin {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    format!("{}\n", out.trim_end())
}
