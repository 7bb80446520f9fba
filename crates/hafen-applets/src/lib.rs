//! Shell: Pacemaker's command-line tools. Each is a program of its own by `argv[0]`, and a subcommand of `hafen`.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a shell")]

#[macro_use]
pub mod print;

mod attrd_updater;
mod cibadmin;
mod crm;
mod crm_attribute;
mod crm_diff;
mod crm_error;
mod crm_failcount;
mod crm_mon;
mod crm_node;
mod crm_report;
mod crm_resource;
mod crm_rule;
mod crm_shadow;
mod crm_simulate;
mod crm_standby;
mod crm_ticket;
mod crm_verify;
mod crmadmin;
mod fence_metadata;
mod iso8601;
mod meatclient;
mod option_lists;
mod options;
mod output;
mod pacemakerd;
mod pairs;
pub mod screen;
mod source;
mod stonith_admin;

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::ExitCode;

/// An applet: takes its arguments, its own name first.
pub type Applet = fn(Vec<OsString>) -> ExitCode;

/// All applets by name. A folder with links of these names is in the path of the agents that hafen runs.
const APPLETS: &[(&str, Applet)] = &[
    ("attrd_updater", |words| attrd_updater::run(&texts(words))),
    ("cibadmin", |words| cibadmin::run(&texts(words))),
    ("crm", |words| crm::run(&texts(words))),
    ("crm_attribute", |words| crm_attribute::run(&texts(words))),
    ("crm_diff", |words| crm_diff::run(&texts(words))),
    ("crm_error", |words| crm_error::run(&texts(words))),
    ("crm_failcount", |words| crm_failcount::run(&texts(words))),
    ("crm_master", |words| crm_attribute::run_master(&texts(words))),
    ("crm_mon", |words| crm_mon::run(&texts(words))),
    ("crm_node", |words| crm_node::run(&texts(words))),
    ("crm_report", |words| crm_report::run(&texts(words))),
    ("crm_resource", |words| crm_resource::run(&texts(words))),
    ("crm_rule", |words| crm_rule::run(&texts(words))),
    ("crm_shadow", |words| crm_shadow::run(&texts(words))),
    ("crm_simulate", crm_simulate::run),
    ("crm_standby", |words| crm_standby::run(&texts(words))),
    ("crm_ticket", |words| crm_ticket::run(&texts(words))),
    ("crm_verify", |words| crm_verify::run(&texts(words))),
    ("crmadmin", |words| crmadmin::run(&texts(words))),
    ("iso8601", |words| iso8601::run(&texts(words))),
    ("meatclient", |words| meatclient::run(&texts(words))),
    ("pacemaker-based", |words| option_lists::run_based(&texts(words))),
    ("pacemaker-controld", |words| option_lists::run_controld(&texts(words))),
    ("pacemaker-fenced", |words| option_lists::run_fenced(&texts(words))),
    ("pacemaker-schedulerd", |words| option_lists::run_schedulerd(&texts(words))),
    ("pacemakerd", |words| pacemakerd::run(&texts(words))),
    ("stonith_admin", |words| stonith_admin::run(&texts(words))),
];

/// The applet of that name.
pub fn named(name: &OsStr) -> Option<Applet> {
    APPLETS.iter().find(|(applet, _)| name == *applet).map(|(_, run)| *run)
}

/// The words after the applet's name, as text.
fn texts(words: Vec<OsString>) -> Vec<String> {
    words.into_iter().skip(1).map(|word| word.to_string_lossy().into_owned()).collect()
}

/// The shell's name, which crmsh's own program has too.
pub const SHELL: &str = "crm";

/// Makes a folder with a link for each applet to this program, or mends it; without those that are left out.
///
/// # Errors
///
/// The folder cannot be written, or holds something of an applet's name that is no link.
pub fn install(folder: &Path, program: &Path, left_out: &[&str]) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for (name, _) in APPLETS.iter().filter(|(name, _)| !left_out.contains(name)) {
        let link = folder.join(name);
        match std::fs::read_link(&link) {
            Ok(target) if target == program => continue,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) => {
                let text = format!("{} is there already and is no link: move it away", link.display());
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
            }
        }
        // Another executor may do the same at the same time: a link under a name of our own is moved over the old one.
        let new = folder.join(format!(".{name}.{}", std::process::id()));
        symlink(program, &new)?;
        std::fs::rename(&new, &link)?;
    }
    Ok(())
}
