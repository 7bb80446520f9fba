//! What is known of fence agents: their kind by name, their abilities by their metadata.

use std::collections::BTreeSet;

use hafen_agents::FenceFamily;
use hafen_cib::metadata::AgentMetadata;
use hafen_executor::wire::FenceOperation;
use hafen_node::fencing::WATCHDOG_AGENT;
use hafen_protocol::message::{FenceDevice, ProofLevel};

/// How a device is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Its state can be read back.
    FenceAgents,
    /// One command, and its word.
    External,
    /// A human does it.
    Human,
    /// Nothing is done.
    Null,
    /// The target's own watchdog: only time has to pass.
    Watchdog,
}

impl Kind {
    pub(crate) fn of(device: &FenceDevice) -> Self {
        match FenceFamily::of(&device.agent) {
            FenceFamily::FenceAgents if device.agent == WATCHDOG_AGENT => Self::Watchdog,
            FenceFamily::FenceAgents => Self::FenceAgents,
            FenceFamily::External => Self::External,
            FenceFamily::Meatware => Self::Human,
            FenceFamily::Null => Self::Null,
        }
    }
}

/// The most that a success of this device proves.
pub(crate) fn proof_maximum(device: &FenceDevice) -> ProofLevel {
    match (Kind::of(device), device.agent.as_str()) {
        // They ask the host itself, which may not be able to answer, or nobody.
        (Kind::Null, _) | (_, "ssh" | "external/ssh") => ProofLevel::None,
        (Kind::Human, _) => ProofLevel::Human,
        (Kind::FenceAgents, _) => ProofLevel::OffVerified,
        (Kind::External | Kind::Watchdog, _) => ProofLevel::AgentReported,
    }
}

/// What an agent's metadata tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AgentFacts {
    actions: BTreeSet<String>,
    /// Which parameter names the target; nothing: the agent knows none.
    argument: Option<&'static str>,
    /// Its `on` gives hosts their access back, without being asked.
    pub(crate) unfences: bool,
    /// That has to be run by the host itself.
    pub(crate) on_target: bool,
}

impl AgentFacts {
    pub(crate) fn of(metadata: &AgentMetadata) -> Self {
        let on = metadata.action("on");
        Self {
            actions: metadata.actions.iter().map(|action| action.name.clone()).collect(),
            argument: ["port", "plug"].into_iter().find(|name| metadata.parameter(name).is_some()),
            unfences: on.is_some_and(|action| action.automatic),
            on_target: on.is_some_and(|action| action.on_target),
        }
    }

    /// Whether it knows an action.
    pub(crate) fn has(&self, action: &str) -> bool {
        self.actions.contains(action)
    }
}

/// A run of a device's agent; its action is empty. What names the target is decided here: `pcmk_host_argument`, else what the
/// agent says that it knows.
pub(crate) fn operation(
    device: &FenceDevice,
    facts: Option<&AgentFacts>,
    id: String,
    target: Option<&str>,
    timeout_ms: u64,
) -> FenceOperation {
    let mut parameters = device.parameters.clone();
    if let Some(facts) = facts.filter(|_| Kind::of(device) == Kind::FenceAgents) {
        let argument = facts.argument.unwrap_or("none");
        parameters.entry("pcmk_host_argument".to_owned()).or_insert_with(|| argument.to_owned());
    }
    FenceOperation {
        id,
        device: device.id.clone(),
        agent: device.agent.clone(),
        action: String::new(),
        target: target.map(str::to_owned),
        port: target.map(|_| device.port.clone()),
        parameters,
        timeout_ms,
        delay_ms: 0,
    }
}
