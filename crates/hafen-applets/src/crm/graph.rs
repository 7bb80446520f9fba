//! `configure graph`: the configuration as a picture.

use std::io::Write;
use std::process::{Command, Stdio};

use super::shell::{Outcome, Shell};
use crate::output;

/// Endings of files that graphviz is asked for.
const PICTURES: [&str; 4] = ["png", "svg", "pdf", "ps"];

pub(super) fn graph(shell: &mut Shell, words: &[String]) -> Outcome {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (file, form) = match words.as_slice() {
        [] | ["dot"] => (None, None),
        [file] | ["dot", file] => (Some(*file), file.rsplit_once('.').map(|(_, ending)| ending)),
        ["dot", file, form] => (Some(*file), Some(*form)),
        _ => return shell.fail("it is `graph [dot] [FILE]`"),
    };
    let text = hafen_crm::graph(&shell.draft()?.work);
    match (file, form) {
        (None, _) => {
            out!("{text}");
            Ok(())
        }
        (Some(file), Some(form)) if PICTURES.contains(&form) => picture(shell, &text, file, form),
        (Some(file), _) => crate::source::replace(file.as_ref(), &text)
            .or_else(|error| shell.fail(&format!("{file}: {}", output::reason(&error)))),
    }
}

/// Has graphviz draw it.
fn picture(shell: &Shell, text: &str, file: &str, form: &str) -> Outcome {
    let child =
        Command::new("dot").arg(format!("-T{form}")).arg("-o").arg(file).stdin(Stdio::piped()).spawn();
    let mut child = child.map_err(|error| {
        let why = output::reason(&error);
        shell.failed(&format!(
            "graphviz (dot) draws pictures, and does not start: {why}. `graph FILE.dot` writes what it reads"
        ))
    })?;
    // One that ends early says why itself.
    let _ = child.stdin.take().map(|mut input| input.write_all(text.as_bytes()));
    match child.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => shell.fail(&format!("dot ended with {status}")),
        Err(error) => shell.fail(&format!("dot: {}", output::reason(&error))),
    }
}
