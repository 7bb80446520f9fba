//! Lines from a file or a terminal.

use std::process::ExitCode;

use super::shell::{Flow, Outcome, Shell};
use crate::output;

/// Reads a file (`-` is standard input) and does what its lines say, up to the first mistake.
pub(super) fn run_file(shell: &mut Shell, file: &str) -> Outcome {
    shell.name = if file == output::STANDARD_INPUT { "standard input".to_owned() } else { file.to_owned() };
    let bytes = output::input(file).map_err(|error| {
        eprintln!("crm: {}: {}", shell.name, output::reason(&error));
        ExitCode::FAILURE
    })?;
    let text = text(&shell.name, bytes)?;
    for (number, line) in lines(&text) {
        if shell.run_line(number, &line)? == Flow::Leave {
            return Ok(());
        }
    }
    shell.finish()
}

/// The lines of a text with their numbers; one that goes on holds those that follow.
pub(super) fn lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        match lines.last_mut().filter(|(_, last)| goes_on(last)) {
            Some((_, last)) => {
                last.push('\n');
                last.push_str(line);
            }
            None => lines.push((at + 1, line.to_owned())),
        }
    }
    lines
}

/// The next line that somebody types; nothing at the end.
pub(super) fn typed(prompt: &str) -> Option<String> {
    out!("{prompt}");
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line).ok().filter(|bytes| *bytes > 0);
    read.map(|_| line.trim_end_matches(['\n', '\r']).to_owned())
}

/// Whether the next line belongs to it.
pub(super) fn goes_on(text: &str) -> bool {
    text.trim_end().ends_with('\\') && !text.trim_start().starts_with('#')
}

/// The text of a file of the language; one of another encoding is refused with its place.
pub(super) fn text(name: &str, mut bytes: Vec<u8>) -> Result<String, ExitCode> {
    const MARK: &[u8] = "\u{feff}".as_bytes();
    if bytes.starts_with(MARK) {
        bytes.drain(..MARK.len());
    }
    String::from_utf8(bytes).map_err(|error| {
        let told = hafen_crm::wrong_encoding(name, error.as_bytes());
        eprint!("{}", told.unwrap_or_else(|| format!("{name}: error: this is no text in UTF-8\n")));
        ExitCode::FAILURE
    })
}
