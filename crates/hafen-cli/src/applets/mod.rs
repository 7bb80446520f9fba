//! Old names: each is a program of its own by `argv[0]`, and a subcommand of `hafen`.

mod crm_simulate;

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

/// An applet: takes its arguments, its own name first.
type Applet = fn(Vec<OsString>) -> ExitCode;

/// The applet of that name.
pub(crate) fn named(name: &OsStr) -> Option<Applet> {
    match name.to_str()? {
        "crm_simulate" => Some(crm_simulate::run),
        _ => None,
    }
}
