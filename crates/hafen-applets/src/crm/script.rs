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
    let mut lines = text.lines().enumerate();
    while let Some((at, first)) = lines.next() {
        let mut whole = first.to_owned();
        while goes_on(&whole) {
            let Some((_, next)) = lines.next() else { break };
            whole.push('\n');
            whole.push_str(next);
        }
        if shell.run_line(at + 1, &whole)? == Flow::Leave {
            return Ok(());
        }
    }
    shell.finish()
}

/// Reads lines that somebody types. A mistake ends nothing.
pub(super) fn run_terminal(shell: &mut Shell) -> Outcome {
    loop {
        let Some(mut whole) = typed(&shell.prompt()) else {
            outln!();
            return shell.finish();
        };
        while goes_on(&whole) {
            let Some(next) = typed("> ") else { break };
            whole.push('\n');
            whole.push_str(&next);
        }
        if shell.run_line(1, &whole) == Ok(Flow::Leave) {
            return Ok(());
        }
    }
}

/// The next line that somebody types; nothing at the end.
pub(super) fn typed(prompt: &str) -> Option<String> {
    out!("{prompt}");
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line).ok().filter(|bytes| *bytes > 0);
    read.map(|_| line.trim_end_matches(['\n', '\r']).to_owned())
}

/// Whether the next line belongs to it.
fn goes_on(text: &str) -> bool {
    text.trim_end().ends_with('\\') && !text.trim_start().starts_with('#')
}

/// The text of a file of the language; one of another encoding is refused with its place.
pub(super) fn text(name: &str, bytes: Vec<u8>) -> Result<String, ExitCode> {
    String::from_utf8(bytes).map_err(|error| {
        let told = hafen_crm::wrong_encoding(name, error.as_bytes());
        eprint!("{}", told.unwrap_or_else(|| format!("{name}: error: this is no text in UTF-8\n")));
        ExitCode::FAILURE
    })
}
