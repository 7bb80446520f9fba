//! Units of systemd: a mode of hafen's own executable speaks to systemd over D-Bus, as a process like any other agent, so that it is
//! announced, timed and ended like them.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::name::{AgentClass, AgentName};
use crate::ocf::bare_command;
use crate::paths::AgentPaths;

/// The command for an action on a unit.
pub(crate) fn command(paths: &AgentPaths, agent: &AgentName, action: &str) -> Command {
    let mut command = bare(&paths.hafen, action);
    command.env("OCF_RESOURCE_TYPE", &agent.kind);
    command
}

fn bare(hafen: &Path, action: &str) -> Command {
    let mut command = bare_command(hafen);
    // Which mode is meant, its name says first: this process may be one of the tools.
    command.arg0("hafen").args(["ocf", "systemd", action]);
    command
}

/// Which unit is meant by class `service`: one is, where there is no init script of its name.
pub(crate) fn instead(paths: &AgentPaths, agent: &AgentName) -> Option<AgentName> {
    let is_unit = agent.class == AgentClass::Service && paths.find(agent).is_err();
    is_unit.then(|| AgentName { class: AgentClass::Systemd, ..agent.clone() })
}

/// All units that can be resources; none where no systemd answers.
pub(crate) fn list(paths: &AgentPaths) -> io::Result<Vec<AgentName>> {
    let output = bare(&paths.hafen, "list").stderr(Stdio::null()).output()?;
    let names = String::from_utf8_lossy(&output.stdout);
    Ok(names.lines().filter_map(|name| AgentName::new("systemd", None, name).ok()).collect())
}
