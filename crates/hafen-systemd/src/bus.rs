//! systemd on the bus.

use std::path::PathBuf;
use std::time::Duration;

use zbus::export::futures_core::Stream;
use zbus::proxy::CacheProperties;
use zbus::zvariant::OwnedObjectPath;

use crate::unit::{metadata, resource_name};
use crate::{Answer, Code, drop_in};

/// How often a unit that is on its way is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

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
pub struct Systemd {
    manager: ManagerProxy<'static>,
    folder: PathBuf,
}

impl Systemd {
    /// Finds systemd on the system's bus (`DBUS_SYSTEM_BUS_ADDRESS`). `folder` is that of units of this boot.
    ///
    /// # Errors
    ///
    /// No bus, or no systemd on it.
    pub async fn connect(folder: PathBuf) -> zbus::Result<Self> {
        let connection = zbus::Connection::system().await?;
        let manager =
            ManagerProxy::builder(&connection).cache_properties(CacheProperties::No).build().await?;
        Ok(Self { manager, folder })
    }

    /// Does an action on a unit. `name` is what the resource calls it.
    pub async fn act(&self, action: &str, name: &str, unit: &str) -> Answer {
        let done = match action {
            "start" => self.lead(unit, Aim::Running).await,
            "stop" => self.lead(unit, Aim::Stopped).await,
            "monitor" | "status" => self.state(unit).await,
            "meta-data" => self.describe(name, unit).await,
            _ => return Answer::because(Code::Unimplemented, format!("units of systemd have no {action}")),
        };
        done.unwrap_or_else(|error| failed(action, unit, &error))
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
            Err(error) if aim == Aim::Stopped && is_unknown(&error) => "done".to_owned(),
            Err(error) => {
                self.release(unit).await?;
                return Err(error);
            }
        };
        if aim == Aim::Stopped && result == "done" {
            self.release(unit).await?;
            return Ok(Answer::of(Code::Ok));
        }
        if result != "done" {
            let text = format!("systemd's job for {unit} ended as '{result}': see `systemctl status {unit}`");
            return Ok(Answer::because(Code::Error, text));
        }
        // A service that ends at once has started, for systemd.
        match self.state(unit).await? {
            Answer { code: Code::NotRunning, .. } => {
                let text = format!("{unit} started and ended at once: see `systemctl status {unit}`");
                Ok(Answer::because(Code::Error, text))
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
                "active" | "reloading" | "refreshing" => return Ok(Answer::of(Code::Ok)),
                "activating" | "deactivating" | "maintenance" => tokio::time::sleep(LOOK_AGAIN).await,
                _ => return Ok(Answer::because(Code::NotRunning, format!("{unit} is {state}"))),
            }
        }
    }

    async fn describe(&self, name: &str, unit: &str) -> zbus::Result<Answer> {
        let description = self.unit(unit).await?.description().await?;
        Ok(Answer { text: metadata(name, &description), ..Answer::of(Code::Ok) })
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
    pub async fn list(&self) -> zbus::Result<Vec<String>> {
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

/// Whether systemd says that there is no such unit.
fn is_unknown(error: &zbus::Error) -> bool {
    let names = [
        "org.freedesktop.systemd1.NoSuchUnit",
        "org.freedesktop.systemd1.LoadFailed",
        "org.freedesktop.DBus.Error.InvalidArgs",
        "org.freedesktop.DBus.Error.FileNotFound",
    ];
    matches!(error, zbus::Error::MethodError(name, _, _) if names.contains(&name.as_str()))
}

fn failed(action: &str, unit: &str, error: &zbus::Error) -> Answer {
    let denied = matches!(
        error,
        zbus::Error::MethodError(name, _, _) if name.as_str() == "org.freedesktop.DBus.Error.AccessDenied"
    );
    let code = match error {
        _ if is_unknown(error) => Code::NotInstalled,
        _ if denied => Code::NoPermission,
        _ => Code::Error,
    };
    Answer::because(code, format!("cannot {action} {unit}: {error}"))
}
