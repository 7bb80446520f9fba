//! How fence agents are called: options as lines `key=value` on their standard input.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::name::{AgentClass, AgentName};
use crate::ocf::{Invocation, bare_command};

/// An action of a fence agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FenceInvocation {
    /// The agent: `fence_ipmilan`.
    pub agent: String,
    /// `on`, `off`, `reboot`, `status`, `monitor`, `list` or `metadata`. A parameter `pcmk_ACTION_action` replaces it.
    pub action: String,
    /// The host that it is about, by its cluster name: `nodename`.
    pub target: Option<String>,
    /// The host's name in the device: `port`, or what `pcmk_host_argument` says. Without one, `target`.
    pub port: Option<String>,
    /// The device's parameters. Those named `pcmk_*` are the cluster's own and not handed on.
    pub parameters: BTreeMap<String, String>,
    /// How long it may take.
    pub timeout: Duration,
}

impl FenceInvocation {
    /// The agent's full name.
    pub fn agent_name(&self) -> AgentName {
        AgentName { class: AgentClass::Stonith, provider: None, kind: self.agent.clone() }
    }

    /// What the operation of a resource of class `stonith` runs. `None`: nothing has to run for it, it is done.
    pub(crate) fn of_resource(invocation: &Invocation) -> Option<Self> {
        (invocation.task != "stop").then(|| Self {
            agent: invocation.agent.kind.clone(),
            action: if invocation.task == "start" { "monitor".to_owned() } else { invocation.task.clone() },
            target: None,
            port: None,
            parameters: invocation.parameters.clone(),
            timeout: invocation.timeout,
        })
    }

    fn setting(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// What the agent is told to do.
    pub(crate) fn word(&self) -> &str {
        self.setting(&format!("pcmk_{}_action", self.action)).unwrap_or(&self.action)
    }

    /// The parameters that are the agent's own.
    pub(crate) fn own_parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        let own =
            self.parameters.iter().filter(|(name, _)| !name.starts_with("pcmk_") && !is_of_the_cluster(name));
        own.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The agent's standard input.
    pub(crate) fn options(&self) -> String {
        let mut options: BTreeMap<&str, &str> = BTreeMap::new();
        if let Some(target) = &self.target {
            options.insert("nodename", target);
            match self.setting("pcmk_host_argument").unwrap_or("port") {
                "none" => {}
                argument => {
                    let port = self.port.as_ref().filter(|port| !port.is_empty());
                    options.insert(argument, port.unwrap_or(target));
                }
            }
        }
        options.extend(self.own_parameters());
        options.insert("action", self.word());
        let one_line = |text: &str| text.split(['\n', '\r', '\0']).next().unwrap_or_default().to_owned();
        options.iter().map(|(name, value)| format!("{}={}\n", one_line(name), one_line(value))).collect()
    }
}

/// Parameters that Pacemaker documents for fence devices and keeps to itself.
fn is_of_the_cluster(name: &str) -> bool {
    matches!(name, "provides" | "stonith-timeout" | "priority" | "crm_feature_set")
        || name.starts_with("CRM_meta_")
}

/// The command, with the options in an unnamed file as its standard input: an agent that reads nothing blocks nobody.
pub(crate) fn command(executable: &Path, invocation: &FenceInvocation) -> io::Result<Command> {
    let mut options =
        File::from(rustix::fs::memfd_create(c"fence-options", rustix::fs::MemfdFlags::CLOEXEC)?);
    options.write_all(invocation.options().as_bytes())?;
    options.rewind()?;
    let mut command = bare_command(executable);
    command.stdin(Stdio::from(options));
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invocation(action: &str, parameters: &[(&str, &str)]) -> FenceInvocation {
        FenceInvocation {
            agent: "fence_x".to_owned(),
            action: action.to_owned(),
            target: Some("host2".to_owned()),
            port: None,
            parameters: parameters
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            timeout: Duration::from_secs(1),
        }
    }

    #[test]
    fn the_target_is_the_node_name_and_the_port() {
        let options = invocation("reboot", &[("ip", "10.0.0.1"), ("pcmk_host_list", "host2")]).options();
        assert_eq!(options, "action=reboot\nip=10.0.0.1\nnodename=host2\nport=host2\n");
        let mapped = FenceInvocation {
            port: Some("7".to_owned()),
            ..invocation("off", &[("pcmk_host_argument", "plug")])
        };
        assert_eq!(mapped.options(), "action=off\nnodename=host2\nplug=7\n");
    }

    #[test]
    fn settings_of_the_cluster_change_the_call() {
        let parameters =
            [("pcmk_reboot_action", "off"), ("pcmk_host_argument", "none"), ("action", "reboot")];
        assert_eq!(invocation("reboot", &parameters).options(), "action=off\nnodename=host2\n");
        assert_eq!(
            invocation("on", &[("port", "fixed")]).options(),
            "action=on\nnodename=host2\nport=fixed\n"
        );
    }

    #[test]
    fn no_value_can_add_an_option() {
        assert_eq!(invocation("on", &[("login", "a\naction=off")]).options().matches("action=").count(), 1);
    }
}
