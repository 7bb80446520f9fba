//! The agent `ocf:hafen:qemu`.

pub mod command;
pub mod instance;
mod lifecycle;
pub mod metadata;
mod migration;
pub mod parameters;
pub mod receiver;

use crate::outcome::{AgentError, OcfCode};
use parameters::{Operation, Parameters};

/// Runs an action with the parameters of the environment; the exit status.
pub(crate) fn main(action: &str) -> i32 {
    match action {
        "meta-data" => {
            print!("{}", metadata::to_xml());
            return OcfCode::Success.exit_status();
        }
        "usage" | "help" => {
            println!("usage: qemu {{start|stop|monitor|migrate_to|migrate_from|validate-all|meta-data}}");
            return OcfCode::Success.exit_status();
        }
        _ => {}
    }
    let variable = |name: &str| std::env::var(name).ok();
    let operation = Operation::from_variables(variable);
    let outcome =
        Parameters::from_variables(variable).and_then(|parameters| act(action, &parameters, &operation));
    match outcome {
        Ok(code) => code.exit_status(),
        Err(error) => error.report(),
    }
}

fn act(action: &str, parameters: &Parameters, operation: &Operation) -> Result<OcfCode, AgentError> {
    match action {
        "start" => lifecycle::start(parameters, operation),
        "stop" => lifecycle::stop(parameters, operation),
        "monitor" | "status" => lifecycle::monitor(parameters, operation),
        "migrate_to" => migration::migrate_to(parameters, operation),
        "migrate_from" => migration::migrate_from(parameters, operation),
        "validate-all" => parameters.check_files().map(|()| OcfCode::Success),
        _ => Err(AgentError::new(OcfCode::Unimplemented, format!("ocf:hafen:qemu has no action '{action}'"))),
    }
}
