//! Class `systemd`: units as agents of a cluster (Pacemaker Explained, "Systemd"), over D-Bus, as the manual of
//! `org.freedesktop.systemd1` describes it. Starting and stopping wait for systemd's job to end; who calls bounds the time.

mod bus;
mod drop_in;
mod unit;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::{AgentError, OcfCode};
use bus::Systemd;

/// Names the unit, as it names the type of an agent of class `ocf`.
const UNIT_VARIABLE: &str = "OCF_RESOURCE_TYPE";
/// Names the folder of units of this boot where it is not systemd's own.
const FOLDER_VARIABLE: &str = "HAFEN_SYSTEMD_FOLDER";
/// The folder of units of this boot (`systemd.unit(5)`).
const FOLDER: &str = "/run/systemd/system";
/// How long systemd may take to say which units there are.
const LIST_TIMEOUT: Duration = Duration::from_secs(10);

/// What an action prints, or why it failed.
type Answer = Result<String, AgentError>;

/// Does an action on the unit that the environment names, on the system's bus (`start`, `stop`, `monitor`, `status`,
/// `meta-data`), or lists the units that can be resources (`list`). The exit status.
pub fn main(action: &str) -> i32 {
    let answer = if action == "list" { Ok(list()) } else { act(action) };
    match answer {
        Ok(text) => {
            print!("{text}");
            OcfCode::Success.exit_status()
        }
        Err(error) => error.report(),
    }
}

fn act(action: &str) -> Answer {
    let name = std::env::var(UNIT_VARIABLE);
    let name = name.map_err(|_| {
        AgentError::new(OcfCode::Arguments, format!("{UNIT_VARIABLE} names no unit of systemd"))
    })?;
    let folder = std::env::var_os(FOLDER_VARIABLE).map_or_else(|| FOLDER.into(), PathBuf::from);
    let done = waited(async {
        let systemd =
            Systemd::connect(folder).await.map_err(|error| AgentError::generic(error.to_string()))?;
        systemd.act(action, &name).await
    });
    done.unwrap_or_else(|error| Err(AgentError::generic(error.to_string())))
}

/// One name a line; nothing where no systemd answers.
fn list() -> String {
    let listed = waited(async {
        let names = async { Systemd::connect(FOLDER.into()).await?.list().await };
        tokio::time::timeout(LIST_TIMEOUT, names).await
    });
    let names = listed.ok().and_then(Result::ok).and_then(Result::ok).unwrap_or_default();
    names.iter().map(|name| format!("{name}\n")).collect()
}

fn waited<T>(work: impl Future<Output = T>) -> io::Result<T> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work))
}
