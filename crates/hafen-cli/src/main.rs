//! Shell: the one executable. By the name that it is started by it is `hafen`, an agent, a fence agent, or an applet of an
//! old name; as `hafen` its first argument chooses.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a shell")]

#[macro_use]
extern crate hafen_applets;

mod arguments;
mod commands;
mod exit;
mod target;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use arguments::Arguments;

fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    let program = words.first().map(Path::new).unwrap_or(Path::new("hafen"));
    if let Some(agent) = hafen_ocf::agent_of(program) {
        return run_agent(agent, words.get(1));
    }
    if let Some(applet) = hafen_applets::named(program.file_name().unwrap_or_default()) {
        return applet(words);
    }
    if let Some(applet) = words.get(1).and_then(|word| hafen_applets::named(word)) {
        return applet(words.into_iter().skip(1).collect());
    }
    match Arguments::try_parse_from(words) {
        Ok(arguments) => exit::report(commands::run(arguments)),
        Err(error) => exit::usage(&error),
    }
}

/// Runs an agent as the executor does: the action is the only argument (fence agents read it from standard input).
fn run_agent(agent: &str, action: Option<&OsString>) -> ExitCode {
    let action = action.map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    exit::status(hafen_ocf::main(agent, &action))
}
