//! Exit statuses: those of `sysexits.h`, so that scripts can tell what to do.

use std::process::ExitCode;

use hafen_client::ClientError;
use hafen_lab::LabError;
use hafen_setup::{Kind, SetupError};

/// The table that `hafen --help` ends with.
pub(crate) const TABLE: &str = "\
Exit statuses:
  0   done
  1   a scenario or check failed
  64  the command line is wrong
  65  the input (a CIB, a date, a name) is wrong
  66  an input file cannot be read
  69  no daemon or lab answers
  70  an error within hafen
  75  refused or unfinished for now (no quorum, no answer in time): try again
  77  not permitted";

const USAGE: u8 = 64;
const DATA: u8 = 65;
const NO_INPUT: u8 = 66;
const UNAVAILABLE: u8 = 69;
pub(crate) const SOFTWARE: u8 = 70;
const TEMPORARY: u8 = 75;
const NO_PERMISSION: u8 = 77;

/// An input of the user that is wrong: exit status 65 and a text that says what to do.
#[derive(Debug)]
pub(crate) struct WrongInput(pub(crate) String);

impl std::fmt::Display for WrongInput {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for WrongInput {}

/// Prints an error, if there is one, and chooses the exit status.
pub(crate) fn report(outcome: anyhow::Result<ExitCode>) -> ExitCode {
    match outcome {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hafen: {error:#}");
            ExitCode::from(status_of(&error))
        }
    }
}

/// A wrong command line: clap's text, and the status of `sysexits.h`. Help that was asked for is no error.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS }
}

/// An agent's own exit status.
pub(crate) fn status(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

/// Whoever read the output (`hafen events | head`) has read enough.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let cause = error.downcast_ref::<std::io::Error>();
    cause.is_some_and(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}

fn status_of(error: &anyhow::Error) -> u8 {
    for cause in error.chain() {
        if cause.is::<WrongInput>() {
            return DATA;
        }
        if let Some(error) = cause.downcast_ref::<ClientError>() {
            return of_client(error);
        }
        if let Some(error) = cause.downcast_ref::<SetupError>() {
            match error.kind() {
                Kind::Input => return DATA,
                Kind::Unreachable => return UNAVAILABLE,
                Kind::State | Kind::Conflict => return TEMPORARY,
                // What the system said comes next in the chain.
                Kind::System => {}
            }
        }
        match cause.downcast_ref::<LabError>() {
            Some(LabError::Client(error)) => return of_client(error),
            Some(LabError::State(_) | LabError::Switch { .. }) => return UNAVAILABLE,
            _ => {}
        }
        if let Some(error) = cause.downcast_ref::<std::io::Error>() {
            return match error.kind() {
                std::io::ErrorKind::PermissionDenied => NO_PERMISSION,
                std::io::ErrorKind::NotFound => NO_INPUT,
                _ => SOFTWARE,
            };
        }
    }
    SOFTWARE
}

fn of_client(error: &ClientError) -> u8 {
    match error.kind() {
        "no-daemon" => match error {
            ClientError::Connect { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
                NO_PERMISSION
            }
            _ => UNAVAILABLE,
        },
        "no-quorum" | "timeout" | "no-coordinator" | "unknown-outcome" => TEMPORARY,
        "permission" => NO_PERMISSION,
        "invalid" | "not-found" | "exists" | "present" => DATA,
        _ => SOFTWARE,
    }
}
