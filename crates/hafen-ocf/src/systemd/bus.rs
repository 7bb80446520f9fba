//! systemd on the bus.

use std::path::PathBuf;
use std::time::Duration;

use zbus::export::futures_core::Stream;
use zbus::proxy::CacheProperties;
use zbus::zvariant::OwnedObjectPath;

use super::unit::{full_name, metadata, resource_name};
use super::{Answer, drop_in};
use crate::{AgentError, OcfCode};

/// How often a unit that is on its way is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

const NO_SUCH_UNIT: &str = "org.freedesktop.systemd1.NoSuchUnit";
/// Errors that say that no unit of that name can be started here.
const UNKNOWN: [&str; 4] = [
    NO_SUCH_UNIT,
    "org.freedesktop.systemd1.LoadFailed",
    "org.freedesktop.DBus.Error.InvalidArgs",
    "org.freedesktop.DBus.Error.FileNotFound",
];
const ACCESS_DENIED: &str = "org.freedesktop.DBus.Error.AccessDenied";

/// A unit in systemd's list.
type Listed = (String, String, String, String, String, String, OwnedObjectPath, u32, String, OwnedObjectPath);

#[zbus::proxy(
    interface = "org.freedesktop.systemd1.Manager",
    default_service = "org.freedesktop.systemd1",
    default_path = "/org/freedesktop/systemd1"
)]
trait Manager {
    fn subscribe(&self) -> zbus::Result<()>;
    fn reload(&self) -> zbus::Result<()>;
    fn load_unit(&self, name: &str) -> zbus::Result<OwnedObjectPath>;
    fn start_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
    fn stop_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
    fn list_units(&self) -> zbus::Result<Vec<Listed>>;
    fn list_unit_files(&self) -> zbus::Result<Vec<(String, String)>>;

    #[zbus(signal)]
    fn job_removed(&self, id: u32, job: OwnedObjectPath, unit: String, result: String) -> zbus::Result<()>;
}

#[zbus::proxy(interface = "org.freedesktop.systemd1.Unit", default_service = "org.freedesktop.systemd1")]
trait Unit {
    #[zbus(property)]
    fn active_state(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn description(&self) -> zbus::Result<String>;
}

/// What is to become of a unit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Aim {
    Running,
    Stopped,
}

/// systemd, on the system's bus.
#[derive(Debug)]
pub(super) struct Systemd {
    manager: ManagerProxy<'static>,
    folder: PathBuf,
}

impl Systemd {
    /// Finds systemd on the system's bus (`DBUS_SYSTEM_BUS_ADDRESS`). `folder` is that of units of this boot.
    ///
    /// # Errors
    ///
    /// No bus, or no systemd on it.
    pub(super) async fn connect(folder: PathBuf) -> zbus::Result<Self> {
        let connection = zbus::Connection::system().await?;
        let manager =
            ManagerProxy::builder(&connection).cache_properties(CacheProperties::No).build().await?;
        Ok(Self { manager, folder })
    }

    /// Does an action on a unit. `name` is what the resource calls it.
    pub(super) async fn act(&self, action: &str, name: &str) -> Answer {
        let unit = &full_name(name);
        let done = match action {
            "start" => self.lead(unit, Aim::Running).await,
            "stop" => self.lead(unit, Aim::Stopped).await,
            "monitor" | "status" => self.state(unit).await,
            "meta-data" => self.describe(name, unit).await,
            _ => {
                let text = format!("units of systemd have no {action}");
                return Err(AgentError::new(OcfCode::Unimplemented, text));
            }
        };
        done.unwrap_or_else(|error| Err(failed(action, unit, &error)))
    }

    /// Has systemd start or stop the unit, and waits until its job has ended.
    async fn lead(&self, unit: &str, aim: Aim) -> zbus::Result<Answer> {
        if aim == Aim::Running {
            drop_in::write(&self.folder, unit)?;
            self.manager.reload().await?;
        }
        self.manager.subscribe().await?;
        // Before the job begins, so that its end is not missed.
        let mut ended = self.manager.receive_job_removed().await?;
        let begun = match aim {
            Aim::Running => self.manager.start_unit(unit, "replace").await,
            Aim::Stopped => self.manager.stop_unit(unit, "replace").await,
        };
        let result = match begun {
            Ok(job) => job_end(&mut ended, &job).await?,
            // What is not loaded does not run. Any other refusal leaves open whether it does.
            Err(error) if aim == Aim::Stopped && is_any(&error, &[NO_SUCH_UNIT]) => "done".to_owned(),
            Err(error) => {
                self.release(unit).await?;
                return Err(error);
            }
        };
        if aim == Aim::Stopped && result == "done" {
            self.release(unit).await?;
            return Ok(Ok(String::new()));
        }
        if result != "done" {
            let text = format!("systemd's job for {unit} ended as '{result}': see `systemctl status {unit}`");
            return Ok(Err(AgentError::generic(text)));
        }
        // A service that ends at once has started, for systemd.
        match self.state(unit).await? {
            Err(AgentError { code: OcfCode::NotRunning, .. }) => {
                let text = format!("{unit} started and ended at once: see `systemctl status {unit}`");
                Ok(Err(AgentError::generic(text)))
            }
            answer => Ok(answer),
        }
    }

    /// The unit is systemd's alone again.
    async fn release(&self, unit: &str) -> zbus::Result<()> {
        if drop_in::remove(&self.folder, unit) { self.manager.reload().await } else { Ok(()) }
    }

    /// Whether the unit runs, once it is not on its way any more.
    async fn state(&self, unit: &str) -> zbus::Result<Answer> {
        loop {
            let state = self.unit(unit).await?.active_state().await?;
            match state.as_str() {
                "active" | "reloading" | "refreshing" => return Ok(Ok(String::new())),
                "activating" | "deactivating" | "maintenance" => tokio::time::sleep(LOOK_AGAIN).await,
                _ => return Ok(Err(AgentError::new(OcfCode::NotRunning, format!("{unit} is {state}")))),
            }
        }
    }

    async fn describe(&self, name: &str, unit: &str) -> zbus::Result<Answer> {
        let description = self.unit(unit).await?.description().await?;
        Ok(Ok(metadata(name, &description)))
    }

    async fn unit(&self, unit: &str) -> zbus::Result<UnitProxy<'static>> {
        let path = self.manager.load_unit(unit).await?;
        let unit = UnitProxy::builder(self.manager.inner().connection()).path(path)?;
        unit.cache_properties(CacheProperties::No).build().await
    }

    /// The names of all units that can be a resource, without `.service`, in order.
    ///
    /// # Errors
    ///
    /// systemd does not answer.
    pub(super) async fn list(&self) -> zbus::Result<Vec<String>> {
        let loaded = self.manager.list_units().await?.into_iter().map(|unit| unit.0);
        let files = self.manager.list_unit_files().await?.into_iter().map(|(path, _)| path);
        let mut names: Vec<String> = loaded
            .chain(files)
            .filter_map(|unit| resource_name(unit.rsplit('/').next().unwrap_or(&unit)).map(str::to_owned))
            .collect();
        names.sort();
        names.dedup();
        Ok(names)
    }
}

/// How a job ended.
async fn job_end(ended: &mut JobRemovedStream, job: &OwnedObjectPath) -> zbus::Result<String> {
    loop {
        let next = std::future::poll_fn(|context| std::pin::Pin::new(&mut *ended).poll_next(context)).await;
        let Some(signal) = next else {
            return Err(zbus::Error::Failure("the bus went away before systemd's job had ended".to_owned()));
        };
        let signal = signal.args()?;
        if signal.job() == job {
            return Ok(signal.result().clone());
        }
    }
}

/// Whether systemd or the bus answered with one of these errors.
fn is_any(error: &zbus::Error, names: &[&str]) -> bool {
    matches!(error, zbus::Error::MethodError(name, _, _) if names.contains(&name.as_str()))
}

fn failed(action: &str, unit: &str, error: &zbus::Error) -> AgentError {
    let code = match error {
        _ if is_any(error, &UNKNOWN) => OcfCode::NotInstalled,
        _ if is_any(error, &[ACCESS_DENIED]) => OcfCode::NoPermission,
        _ => OcfCode::Error,
    };
    AgentError::new(code, format!("cannot {action} {unit}: {error}"))
}
