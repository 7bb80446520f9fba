//! What the subcommands do.

mod lab;

use std::process::ExitCode;

use crate::arguments::{Arguments, Command};
use crate::exit;

/// Runs a subcommand.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::Lab(command) => lab::run(command, &arguments.connection),
        Command::Ocf { name, action } => Ok(exit::status(hafen_ocf::main(&name, &action))),
        _ => anyhow::bail!("x"),
    }
}
