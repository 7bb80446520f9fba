//! Old names: each is a program of its own by `argv[0]`, and a subcommand of `hafen`.

mod attrd_updater;
mod crm_attribute;
mod crm_node;
mod crm_simulate;
mod meatclient;
mod options;
mod output;

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::ExitCode;

/// An applet: takes its arguments, its own name first.
type Applet = fn(Vec<OsString>) -> ExitCode;

/// The applets that agents call. A folder with links of these names is in the path of the agents that hafen runs.
const TOOLS: [&str; 4] = ["attrd_updater", "crm_attribute", "crm_master", "crm_node"];

/// The applet of that name.
pub(crate) fn named(name: &OsStr) -> Option<Applet> {
    match name.to_str()? {
        "attrd_updater" => Some(|words| attrd_updater::run(&texts(words))),
        "crm_attribute" => Some(|words| crm_attribute::run(&texts(words))),
        "crm_master" => Some(|words| crm_attribute::run_master(&texts(words))),
        "crm_node" => Some(|words| crm_node::run(&texts(words))),
        "crm_simulate" => Some(crm_simulate::run),
        "meatclient" => Some(|words| meatclient::run(&texts(words))),
        _ => None,
    }
}

/// The words after the applet's name, as text.
fn texts(words: Vec<OsString>) -> Vec<String> {
    words.into_iter().skip(1).map(|word| word.to_string_lossy().into_owned()).collect()
}

/// Makes a folder with a link for each of the [`TOOLS`] to this program, or mends it.
pub(crate) fn link_tools(folder: &Path, program: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for tool in TOOLS {
        let link = folder.join(tool);
        if std::fs::read_link(&link).is_ok_and(|target| target == program) {
            continue;
        }
        // Another executor may do the same at the same time: a link under a name of our own is moved over the old one.
        let new = folder.join(format!(".{tool}.{}", std::process::id()));
        symlink(program, &new)?;
        std::fs::rename(&new, &link)?;
    }
    Ok(())
}
