//! How OCF resource agents are called: the action as the only argument, everything else in the environment.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::capture::EXIT_REASON_PREFIX;
use crate::name::{AgentClass, AgentName};

/// An action of a resource's agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// The agent. One of class `stonith` does its `monitor` for `start` and `monitor`, and nothing for `stop`.
    pub agent: AgentName,
    /// The resource's id.
    pub resource: String,
    /// The action.
    pub task: String,
    /// The resource's parameters: `OCF_RESKEY_NAME`.
    pub parameters: BTreeMap<String, String>,
    /// Meta attributes without the prefix `CRM_meta_`: `OCF_RESKEY_CRM_meta_NAME`, with `-` as `_`.
    pub meta: BTreeMap<String, String>,
    /// How long it may take.
    pub timeout: Duration,
}

/// The folders in which agents find system tools.
pub const TOOL_PATH: &str = "/sbin:/bin:/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin";
/// The version of the OCF resource agent API that callers keep to.
const OCF_RA_VERSION: (&str, &str) = ("1", "1");

/// A command with an environment of its own, in which nothing of this process's shows.
pub(crate) fn bare_command(executable: &Path) -> Command {
    let mut command = Command::new(executable);
    command.env_clear().current_dir("/").stdin(Stdio::null());
    command.env("PATH", TOOL_PATH).env("LC_ALL", "C").env("HOME", "/root").env("SHELL", "/bin/sh");
    command
}

pub(crate) fn command(executable: &Path, ocf_root: &Path, invocation: &Invocation) -> Command {
    let Invocation { agent, resource, task, parameters, meta, timeout: _ } = invocation;
    debug_assert_eq!(agent.class, AgentClass::Ocf);
    let mut command = bare_command(executable);
    command.arg(task);
    for (name, value) in parameters.iter().filter(|(name, _)| is_variable(name)) {
        command.env(format!("OCF_RESKEY_{name}"), without_nul(value));
    }
    for (name, value) in meta.iter().filter(|(name, _)| is_variable(name)) {
        command.env(format!("OCF_RESKEY_CRM_meta_{}", name.replace('-', "_")), without_nul(value));
    }
    command
        .env("OCF_RESKEY_crm_feature_set", hafen_cib::FEATURE_SET)
        .env("OCF_ROOT", ocf_root)
        .env("OCF_RA_VERSION_MAJOR", OCF_RA_VERSION.0)
        .env("OCF_RA_VERSION_MINOR", OCF_RA_VERSION.1)
        .env("OCF_RESOURCE_INSTANCE", resource)
        .env("OCF_RESOURCE_TYPE", &agent.kind)
        .env("OCF_RESOURCE_PROVIDER", agent.provider.as_deref().unwrap_or_default())
        .env("OCF_EXIT_REASON_PREFIX", EXIT_REASON_PREFIX)
        .env("__OCF_ACTION", task)
        .env("HA_RSCTMP", "/run/resource-agents")
        .env("HA_SBIN_DIR", "/usr/sbin")
        .env("HA_cluster_type", "corosync")
        .env("HA_debug", "0")
        .env("HA_logfacility", "daemon")
        .env("PCMK_debug", "no")
        .env("PCMK_logfacility", "daemon")
        .env("PCMK_service", "hafen-executor");
    command
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0'])
}

fn without_nul(value: &str) -> &str {
    value.split('\0').next().unwrap_or_default()
}
