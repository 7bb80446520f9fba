//! Which daemon a command speaks to.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hafen_client::{Client, SOCKET_PATH, SOCKET_VARIABLE};
use hafen_lab::{Lab, Layout};

use crate::arguments::Connection;

/// Connects to the daemon that the user means: the socket of `HAFEN_SOCKET`; the lab's host of `--host`; this host's own
/// daemon; else the first host of the lab that answers.
pub(crate) fn connect(connection: &Connection) -> anyhow::Result<Client> {
    let timeout = Duration::from_secs(connection.timeout_seconds.into());
    if let Some(path) = std::env::var_os(SOCKET_VARIABLE) {
        return Ok(Client::connect(&PathBuf::from(path), timeout)?);
    }
    let layout = Layout::chosen(connection.lab.as_deref());
    if let Some(host) = &connection.host {
        return Ok(Lab::open(&layout)?.client(host, timeout)?);
    }
    let own = PathBuf::from(SOCKET_PATH);
    if own.exists() || !layout.spec().exists() {
        return Ok(Client::connect(&own, timeout)?);
    }
    let (_, client) = Lab::open(&layout)?.any_client(timeout)?;
    Ok(client)
}

/// The lab whose hosts a command speaks to, where it does not speak to this host's own daemon.
pub(crate) fn of_lab(connection: &Connection) -> anyhow::Result<Option<Lab>> {
    let layout = Layout::chosen(connection.lab.as_deref());
    let own = std::env::var_os(SOCKET_VARIABLE).is_some() || Path::new(SOCKET_PATH).exists();
    if own || !layout.spec().exists() {
        return Ok(None);
    }
    Ok(Some(Lab::open(&layout)?))
}

/// Who asks, for the record of changes.
pub(crate) fn origin(what: &str) -> String {
    let user =
        std::env::var("SUDO_USER").or_else(|_| std::env::var("USER")).unwrap_or_else(|_| "root".to_owned());
    format!("{user}: hafen {what}")
}
