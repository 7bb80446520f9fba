//! Text within the columns of a terminal, and what people type.

use std::io::{BufRead, Write};

use crate::arguments::Vouch;
use crate::exit::WrongInput;

/// The width of a terminal that every text fits into.
const COLUMNS: usize = 80;

/// A text after a head, broken between words; further lines are indented by the length of the head.
pub(super) fn wrapped(head: &str, text: &str) -> String {
    let margin = head.chars().count();
    let mut lines = vec![head.to_owned()];
    let mut column = margin;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column > margin && column + 1 + length > COLUMNS {
            lines.push(" ".repeat(margin));
            column = margin;
        }
        if let Some(line) = lines.last_mut() {
            if column > margin {
                line.push(' ');
                column += 1;
            }
            line.push_str(word);
        }
        column += length;
    }
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// Milliseconds for people.
pub(super) fn span(ms: u64) -> String {
    match ms {
        0..=999 => format!("{ms} ms"),
        1_000..=59_999 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        _ => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1000),
    }
}

/// Asks that exactly this is typed. Where `--yes-host` names the host, nobody is asked; where it names another, it is refused.
pub(super) fn confirm(vouch: &Vouch, host: &str, question: &str, wanted: &str) -> anyhow::Result<()> {
    if let Some(named) = &vouch.yes_host {
        if named == host {
            return Ok(());
        }
        return Err(WrongInput(format!(
            "--yes-host names {named}, and it is about {host}: nothing was done"
        ))
        .into());
    }
    eprint!("{}", wrapped("", question));
    eprint!("Type \"{wanted}\" to go on: ");
    std::io::stderr().flush()?;
    let mut typed = String::new();
    std::io::stdin().lock().read_line(&mut typed)?;
    if typed.trim() == wanted {
        return Ok(());
    }
    if !typed.ends_with('\n') {
        eprintln!();
    }
    let hint = format!("nothing was done: \"{wanted}\" was not typed. Scripts give --yes-host {host}");
    Err(WrongInput(hint).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_broken_between_words() {
        let text = wrapped("  error  ", &"seven letters ".repeat(20));
        assert!(text.lines().count() > 2);
        assert!(text.lines().all(|line| line.chars().count() <= COLUMNS && line.len() > 9), "{text}");
        assert!(
            text.lines().skip(1).all(|line| line.starts_with("         s") || line.starts_with("         l"))
        );
        assert_eq!(wrapped("a ", ""), "a\n");
    }

    #[test]
    fn spans_are_for_people() {
        let spans: Vec<String> = [5, 1_250, 61_000].map(span).to_vec();
        assert_eq!(spans, ["5 ms", "1.2 s", "1 min 1 s"]);
    }

    #[test]
    fn another_host_is_not_vouched_for() {
        let vouch = |host: &str| Vouch { yes_host: Some(host.to_owned()) };
        assert!(confirm(&vouch("host2"), "host2", "", "host2").is_ok());
        assert!(confirm(&vouch("host1"), "host2", "", "host2").is_err());
    }
}
