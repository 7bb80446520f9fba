//! What agents say about themselves.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::fence::FenceInvocation;
use crate::name::{AgentClass, AgentName};
use crate::ocf::{self, Invocation};
use crate::run::{Agents, spawn};

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
}

impl Agents {
    /// The XML by which an agent describes itself. Must be called in a tokio runtime.
    pub async fn metadata(&self, agent: &AgentName) -> Result<String, MetadataError> {
        let failed = |reason: String| MetadataError::Failed { agent: agent.clone(), reason };
        let running = match agent.class {
            AgentClass::Ocf => {
                let executable = self.paths.find(agent).map_err(|error| failed(error.to_string()))?;
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
            AgentClass::Stonith => self.start_fence(
                &FenceInvocation {
                    agent: agent.kind.clone(),
                    action: "metadata".to_owned(),
                    target: None,
                    port: None,
                    parameters: BTreeMap::new(),
                    timeout: METADATA_TIMEOUT,
                },
                None,
            ),
        };
        let outcome = match running {
            Ok(running) => running.end().await,
            Err(outcome) => *outcome,
        };
        match outcome.is_ok() {
            true if outcome.stdout_truncated => Err(MetadataError::TooLong(agent.clone())),
            true => Ok(outcome.stdout),
            false => {
                Err(failed(outcome.exit_reason.unwrap_or_else(|| format!("it ended with {}", outcome.rc))))
            }
        }
    }
}
