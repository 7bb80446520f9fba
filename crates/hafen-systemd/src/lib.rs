//! Shell: units of systemd as agents of a cluster, class `systemd` (Pacemaker Explained, "Systemd"): over D-Bus, as the manual of
//! `org.freedesktop.systemd1` describes it. Starting and stopping wait for systemd's job to end.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a shell")]

mod bus;
mod drop_in;
mod unit;

use std::io;
use std::path::PathBuf;

pub use bus::Systemd;
pub use unit::{full_name, metadata};

/// Names the unit that `hafen ocf systemd ACTION` is about.
pub const UNIT_VARIABLE: &str = "HAFEN_SYSTEMD_UNIT";
/// Names the folder of units of this boot where it is not systemd's own.
pub const FOLDER_VARIABLE: &str = "HAFEN_SYSTEMD_FOLDER";
/// The folder of units of this boot (`systemd.unit(5)`).
const FOLDER: &str = "/run/systemd/system";

/// Exit codes of OCF that an action on a unit can end with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Done, or running.
    Ok = 0,
    /// It failed.
    Error = 1,
    /// Units have no such action.
    Unimplemented = 3,
    /// The bus refuses it.
    NoPermission = 4,
    /// There is no such unit.
    NotInstalled = 5,
    /// It is not running.
    NotRunning = 7,
}

/// How an action ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The exit code.
    pub code: Code,
    /// What goes to standard output.
    pub text: String,
    /// Why it failed, and what to do.
    pub reason: String,
}

impl Answer {
    fn of(code: Code) -> Self {
        Self { code, text: String::new(), reason: String::new() }
    }

    fn because(code: Code, reason: impl Into<String>) -> Self {
        Self { code, text: String::new(), reason: reason.into() }
    }
}

/// Does an action on a unit, on the system's bus: `start`, `stop`, `monitor`, `status`, `meta-data`. It ends when systemd's job
/// has ended; whoever calls it bounds its time.
#[must_use]
pub fn act(action: &str, name: &str) -> Answer {
    let unit = full_name(name);
    let folder = std::env::var_os(FOLDER_VARIABLE).map_or_else(|| FOLDER.into(), PathBuf::from);
    let done = waited(async {
        match Systemd::connect(folder).await {
            Ok(systemd) => systemd.act(action, name, &unit).await,
            Err(error) => Answer::because(Code::Error, error.to_string()),
        }
    });
    done.unwrap_or_else(|error| Answer::because(Code::Error, error.to_string()))
}

/// The names of all units that can be a resource, without `.service`; none where no systemd answers.
#[must_use]
pub fn list() -> Vec<String> {
    let listed = waited(async {
        match Systemd::connect(FOLDER.into()).await {
            Ok(systemd) => systemd.list().await.unwrap_or_default(),
            Err(_) => Vec::new(),
        }
    });
    listed.unwrap_or_default()
}

fn waited<T>(work: impl Future<Output = T>) -> io::Result<T> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work))
}
