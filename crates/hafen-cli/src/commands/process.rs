//! The modes in which `hafen` is a part of a host: `hafen daemon` and `hafen executor`.

use std::path::Path;
use std::process::ExitCode;

use hafen_agents::{AgentPaths, Agents};
use hafen_daemon::DaemonConfig;
use hafen_executor::ExecutorConfig;

use crate::arguments::ExecutorOptions;

/// Agents of resources that run at the same time on a host, at most.
const CONCURRENT_RUNS_LIMIT: usize = 32;

pub(super) fn daemon(config: &Path) -> anyhow::Result<ExitCode> {
    let config = DaemonConfig::load(config)?;
    hafen_daemon::run(config)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn executor(options: ExecutorOptions) -> anyhow::Result<ExitCode> {
    let mut paths = AgentPaths::default();
    paths.ocf_extra.extend(options.agents);
    paths.fence.splice(0..0, options.fence_agents);
    let config = ExecutorConfig {
        socket: options.socket,
        journal: options.journal,
        agents: Agents { paths, ..Agents::default() },
        concurrent_runs_limit: CONCURRENT_RUNS_LIMIT,
    };
    hafen_executor::run(config)?;
    Ok(ExitCode::SUCCESS)
}
