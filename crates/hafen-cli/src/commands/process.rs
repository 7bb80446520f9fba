//! The modes in which `hafen` is a part of a host: `hafen daemon` and `hafen executor`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use hafen_agents::{AgentPaths, Agents, TOOL_PATH};
use hafen_client::SOCKET_VARIABLE;
use hafen_daemon::DaemonConfig;
use hafen_executor::ExecutorConfig;
use hafen_executor::watchdog::WatchdogConfig;

use crate::arguments::ExecutorOptions;

/// Agents of resources that run at the same time on a host, at most.
const CONCURRENT_RUNS_LIMIT: usize = 32;

/// The daemon's socket, beside the executor's.
const DAEMON_SOCKET: &str = "daemon.sock";

pub(super) fn daemon(config: &Path) -> anyhow::Result<ExitCode> {
    let config = DaemonConfig::load(config)?;
    hafen_daemon::run(config)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn executor(options: ExecutorOptions) -> anyhow::Result<ExitCode> {
    let mut paths = AgentPaths::default();
    paths.ocf_extra.extend(options.agents);
    paths.fence.splice(0..0, options.fence_agents);
    let run_dir = options.socket.parent().unwrap_or(Path::new("/"));
    let tools = options.tools.unwrap_or_else(|| run_dir.join("tools"));
    let environment = environment(&tools, &run_dir.join(DAEMON_SOCKET))?;
    let device = options.watchdog_device.map(WatchdogConfig::Device);
    let socket = options.watchdog_socket.zip(options.watchdog_host);
    let watchdog = device.or(socket.map(|(path, host)| WatchdogConfig::Socket(path, host)));
    let config = ExecutorConfig {
        socket: options.socket,
        journal: options.journal,
        agents: Agents { paths, environment },
        concurrent_runs_limit: CONCURRENT_RUNS_LIMIT,
        watchdog,
        daemon_restart_timeout_ms: options.daemon_restart_timeout,
    };
    hafen_executor::run(config)?;
    Ok(ExitCode::SUCCESS)
}

/// The shell, which goes by crmsh's name, too.
pub(super) fn shell(words: Vec<OsString>) -> ExitCode {
    let name = OsString::from("crm");
    match hafen_applets::named(&name) {
        Some(shell) => shell(std::iter::once(name).chain(words).collect()),
        None => ExitCode::FAILURE,
    }
}

/// Links to this program by the names of all applets. Another shell of the name `crm` is not hidden unless that is asked for.
pub(super) fn install_applets(folder: &Path, with_crm: bool) -> anyhow::Result<ExitCode> {
    let program = std::env::current_exe().context("the path of this program")?;
    let other = if with_crm { None } else { other_shell(folder, &program) };
    let left_out: &[&str] = if other.is_some() { &[hafen_applets::SHELL] } else { &[] };
    hafen_applets::install(folder, &program, left_out)
        .with_context(|| format!("links in {}", folder.display()))?;
    if let Some(other) = other {
        let (folder, other) = (folder.display(), other.display());
        outln!("There is another shell, {other}: no link crm is made, which would hide it.");
        outln!("'hafen crm' is this one; 'hafen install-applets --with-crm {folder}' makes the link, too.");
    }
    Ok(ExitCode::SUCCESS)
}

/// A program `crm` that is not this one, on the path or in the folder itself. A link there that is ours was asked for.
fn other_shell(folder: &Path, program: &Path) -> Option<PathBuf> {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let own = folder.join(hafen_applets::SHELL);
    if std::fs::read_link(&own).is_ok_and(|target| target == program) {
        return None;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let others = std::env::split_paths(&path).filter(|other| real(other) != real(folder));
    let mut found = others.map(|other| other.join(hafen_applets::SHELL)).chain([own.clone()]);
    found.find(|crm| crm.is_file() && real(crm) != real(program))
}

/// What agents need to find the applets, by both ways that they look, and the applets to find the daemon.
fn environment(tools: &Path, daemon: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let program = std::env::current_exe().context("the path of this program")?;
    hafen_applets::install(tools, &program, &[])
        .with_context(|| format!("cannot make the links for agents in {}", tools.display()))?;
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let tools = text(tools);
    Ok(BTreeMap::from([
        ("PATH".to_owned(), format!("{tools}:{TOOL_PATH}")),
        ("HA_SBIN_DIR".to_owned(), tools),
        (SOCKET_VARIABLE.to_owned(), text(daemon)),
    ]))
}
