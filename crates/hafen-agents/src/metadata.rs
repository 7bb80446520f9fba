//! What agents say about themselves.

use std::collections::BTreeMap;
use std::time::Duration;

use hafen_cib::metadata::AgentMetadata;
use hafen_cib::xml::ParseError;

use crate::external;
use crate::family::FenceFamily;
use crate::fence::FenceInvocation;
use crate::init;
use crate::name::{AgentClass, AgentName};
use crate::ocf::{self, Invocation};
use crate::outcome::{OcfExitCode, OpStatus, Outcome};
use crate::run::{Agents, NotStarted, RunningAgent, spawn};
use crate::systemd;

/// The longest metadata, in bytes.
pub const METADATA_LENGTH_LIMIT_BYTES: usize = 1024 * 1024;
/// How long an agent may take to describe itself.
const METADATA_TIMEOUT: Duration = Duration::from_secs(30);

/// Why there is no metadata.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// The agent could not be run, or failed.
    #[error("{agent} gives no metadata: {reason}")]
    Failed {
        /// The agent.
        agent: AgentName,
        /// Its exit code and words, or ours.
        reason: String,
    },
    /// Longer than [`METADATA_LENGTH_LIMIT_BYTES`].
    #[error("the metadata of {0} is longer than {METADATA_LENGTH_LIMIT_BYTES} bytes")]
    TooLong(AgentName),
    /// Not what OCF says that it is.
    #[error("the metadata of {agent} cannot be read: {source}")]
    Unreadable {
        /// The agent.
        agent: AgentName,
        /// Where and what.
        source: ParseError,
    },
}

impl Agents {
    /// What an agent says about itself. Must be called in a tokio runtime.
    pub async fn describe(&self, agent: &AgentName) -> Result<AgentMetadata, MetadataError> {
        let text = self.metadata(agent).await?;
        AgentMetadata::parse(&text)
            .map_err(|source| MetadataError::Unreadable { agent: agent.clone(), source })
    }

    /// The XML by which an agent describes itself. Must be called in a tokio runtime.
    pub async fn metadata(&self, agent: &AgentName) -> Result<String, MetadataError> {
        let outcome = match self.start_metadata(agent) {
            Ok(running) => running.end().await,
            Err(not_started) => not_started.outcome,
        };
        metadata_of(agent, outcome)
    }

    /// Starts the agent's `meta-data` (of an init script it is read off, without a process), or `metadata` for a fence agent: see
    /// [`metadata_of`] for its outcome.
    pub fn start_metadata(&self, agent: &AgentName) -> Result<RunningAgent, Box<NotStarted>> {
        if agent.class == AgentClass::Stonith {
            let fencing = FenceInvocation {
                agent: agent.kind.clone(),
                action: "metadata".to_owned(),
                target: None,
                port: None,
                parameters: BTreeMap::new(),
                timeout: METADATA_TIMEOUT,
            };
            return self.start_fence(&fencing, None);
        }
        if let Some(unit) = systemd::instead(&self.paths, agent) {
            return self.start_metadata(&unit);
        }
        if agent.class == AgentClass::Systemd {
            let mut command = systemd::command(&self.paths, agent, "meta-data");
            command.envs(&self.environment);
            return spawn(command, agent, METADATA_TIMEOUT, METADATA_LENGTH_LIMIT_BYTES, None);
        }
        let executable = self.paths.find(agent).map_err(|error| error.outcome())?;
        if init::is_of(agent.class) {
            let described = Outcome::not_run(OcfExitCode::OK, OpStatus::Done, "");
            let stdout = init::metadata(&executable, agent);
            return Err(Outcome { exit_reason: None, stdout, ..described }.into());
        }
        let invocation = Invocation {
            agent: agent.clone(),
            resource: agent.kind.clone(),
            task: "meta-data".to_owned(),
            parameters: BTreeMap::new(),
            meta: BTreeMap::new(),
            timeout: METADATA_TIMEOUT,
        };
        let mut command = ocf::command(&executable, &self.paths.ocf_root, &invocation);
        command.envs(&self.environment);
        spawn(command, agent, METADATA_TIMEOUT, METADATA_LENGTH_LIMIT_BYTES, None)
    }
}

/// The XML in the outcome of [`Agents::start_metadata`].
pub fn metadata_of(agent: &AgentName, outcome: Outcome) -> Result<String, MetadataError> {
    match outcome.is_ok() {
        true if outcome.stdout_truncated => Err(MetadataError::TooLong(agent.clone())),
        true if FenceFamily::of(&agent.kind) == FenceFamily::External
            && agent.class == AgentClass::Stonith =>
        {
            external::metadata(&agent.kind, &outcome.stdout)
                .map_err(|reason| MetadataError::Failed { agent: agent.clone(), reason })
        }
        true => Ok(outcome.stdout),
        false => {
            let reason = outcome.exit_reason.unwrap_or_else(|| format!("it ended with {}", outcome.rc));
            Err(MetadataError::Failed { agent: agent.clone(), reason })
        }
    }
}
