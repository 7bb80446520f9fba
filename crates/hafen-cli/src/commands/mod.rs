//! What the subcommands do.

mod config;
mod demo;
mod events;
mod lab;
mod net;
mod node;
mod process;
mod status;
mod vm;

use std::process::ExitCode;

use crate::arguments::{Arguments, Command};
use crate::exit;

/// Runs a subcommand.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let connection = &arguments.connection;
    match arguments.command {
        Command::Status { watch, json } => status::run(connection, watch, json),
        Command::Vm(command) => vm::run(command, connection),
        Command::Node(command) => node::run(command, connection),
        Command::Events { follow, after, json } => events::run(connection, follow, after, json),
        Command::Config(command) => config::run(command, connection),
        Command::Lab(command) => lab::run(command, connection),
        Command::Net(command) => net::run(command, connection),
        Command::Daemon { config } => process::daemon(&config),
        Command::Executor(options) => process::executor(options),
        Command::Ocf { name, action } => Ok(exit::status(hafen_ocf::main(&name, &action))),
    }
}
