//! Shell: Hafen's own agents. `ocf:hafen:qemu` runs a virtual machine, `qemu-receiver` lets one arrive by live
//! migration, `ocf:hafen:ping` tells which addresses a host reaches, `fence_hafen_lab` speaks to the lab's power switch, and
//! `systemd` has units started and stopped.
//!
//! One executable holds them all. Which agent is meant is read off the link that it was started by:
//! see [`agent_of`]. What an agent reports goes to the exit status ([`OcfCode`]), the reason of a failure to standard
//! error in the form that cluster managers collect (`ocf-exit-reason:...`).
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a shell")]

pub mod accel;
pub mod deadline;
pub mod fence_lab;
mod json_lines;
mod outcome;
pub mod ping;
pub mod power_wire;
pub mod qemu;
pub mod qmp;
pub mod systemd;

use std::path::Path;

pub use outcome::{AgentError, OcfCode};

/// The agents by name, as `hafen ocf NAME ACTION` takes them.
pub const AGENTS: [&str; 6] = ["qemu", "qemu-receiver", "ping", "fence_hafen_lab", "kvm-works", "systemd"];

/// Which agent a program's own path asks for: `.../resource.d/hafen/NAME` (the folder decides) or `fence_hafen_lab`.
pub fn agent_of(program: &Path) -> Option<&str> {
    let name = program.file_name()?.to_str()?;
    let folder = program.parent();
    let provider = folder.and_then(Path::file_name).and_then(|part| part.to_str());
    let agents = folder.and_then(Path::parent).and_then(Path::file_name).and_then(|part| part.to_str());
    let is_ours = (agents, provider) == (Some("resource.d"), Some("hafen"));
    (is_ours || name == "fence_hafen_lab").then_some(name)
}

/// Runs an action of an agent with the parameters of the environment (or, for a fence agent, of standard input), and
/// returns its exit status.
///
/// `qemu` and `ping` take OCF's actions; `qemu-receiver` the path of its socket, and does not return while it works;
/// `fence_hafen_lab` its action, or nothing when that is on standard input; `kvm-works` a kernel, prints `yes` or `no`;
/// `systemd` an action on the unit that `OCF_RESOURCE_TYPE` names, or `list`.
pub fn main(name: &str, action: &str) -> i32 {
    match name {
        "qemu" => qemu::main(action),
        "qemu-receiver" => qemu::receiver::main(Path::new(action)),
        "ping" => ping::main(action),
        "fence_hafen_lab" => fence_lab::main(action),
        "systemd" => systemd::main(action),
        "kvm-works" => accel::main(Path::new(action)),
        _ => {
            let unknown = AgentError::new(
                OcfCode::NotInstalled,
                format!("no agent '{name}': there are {}", AGENTS.join(", ")),
            );
            unknown.report()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_the_link_chooses_the_agent() {
        let cases = [
            ("/usr/lib/ocf/resource.d/hafen/qemu", Some("qemu")),
            ("/x/resource.d/hafen/other", Some("other")),
            ("/usr/lib/ocf/resource.d/heartbeat/qemu", None),
            ("/usr/sbin/fence_hafen_lab", Some("fence_hafen_lab")),
            ("/usr/bin/hafen", None),
            ("hafen", None),
            ("/", None),
        ];
        for (path, agent) in cases {
            assert_eq!(agent_of(Path::new(path)), agent, "{path}");
        }
    }

    #[test]
    fn an_unknown_agent_is_not_installed() {
        assert_eq!(main("nothing", "start"), 5);
    }
}
