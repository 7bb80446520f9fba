//! `crm_simulate`: what the scheduler would do with a CIB.

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the applet.
pub(crate) fn run(words: Vec<OsString>) -> ExitCode {
    eprintln!("crm_simulate: {words:?}");
    ExitCode::FAILURE
}
