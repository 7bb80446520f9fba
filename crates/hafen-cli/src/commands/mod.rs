//! What the subcommands do.

mod budget;
mod check;
mod config;
mod demo;
mod events;
mod explain;
mod fence;
mod files;
mod lab;
mod net;
mod node;
mod process;
mod quorum;
mod setup;
mod status;
mod text;
mod vm;

use std::process::ExitCode;

use crate::arguments::{Arguments, Command};
use crate::exit;

/// Runs a subcommand.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let connection = &arguments.connection;
    match arguments.command {
        Command::Init(options) => setup::init(options),
        Command::Join(options) => setup::join(options),
        Command::Token { lifetime } => setup::token(&lifetime),
        Command::Leave { last } => setup::leave(last),
        Command::Remove { target } => setup::remove(&target, connection),
        Command::Files { command } => files::run(command),
        Command::Shell { words } => Ok(process::shell(words)),
        Command::Status { watch, json } => status::run(connection, watch, json),
        Command::Vm(command) => vm::run(command, connection),
        Command::Node(command) => node::run(command, connection),
        Command::Events { follow, after, json } => events::run(connection, follow, after, json),
        Command::Config(command) => config::run(command, connection),
        Command::Lab(command) => lab::run(command, connection),
        Command::Fence(command) => fence::run(command, connection),
        Command::Quorum(arguments) => quorum::run(arguments, connection),
        Command::Check(arguments) => check::run(&arguments),
        Command::Budget(arguments) => budget::run(&arguments, connection),
        Command::Explain(arguments) => explain::run(&arguments, connection),
        Command::Net(command) => net::run(command, connection),
        Command::Daemon { config } => process::daemon(&config),
        Command::Executor(options) => process::executor(options),
        Command::InstallApplets { folder, with_crm } => process::install_applets(&folder, with_crm),
        Command::Ocf { name, action } => Ok(exit::status(hafen_ocf::main(&name, &action))),
    }
}
