//! Where a tool's CIB comes from and where its changes go: a file (`CIB_file`), a shadow copy (`CIB_shadow`), or the daemon.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use hafen_cib::acl::{self, User};
use hafen_cib::upgrade::{self, Claim};
use hafen_cib::{Cib, Patchset, schema};
use hafen_client::{Client, ClientError};
use hafen_protocol::client::Edit;

use super::output::{self, CrmExit, Failed};

/// Where shadow copies are, unless `CIB_shadow_dir` says otherwise.
const SHADOW_FOLDER: &str = "/var/lib/pacemaker/cib";
/// How often a change is made anew because another came first.
const ATTEMPTS: u32 = 100;

/// A CIB to read and to change.
pub(super) enum Source {
    /// A file, which nobody else works on; and with whose rights, where they are not root's.
    File(PathBuf, Option<User>),
    /// The cluster's.
    Daemon(Box<Client>),
}

/// What stands for the CIB in this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Chosen {
    /// What the environment says.
    Environment,
    /// The cluster, or `CIB_file`, whatever shadow copy the environment names.
    Live,
    /// A shadow copy.
    Shadow(String),
    /// A file, for as long as a tool is asked about it.
    File(PathBuf),
}

/// Chosen by the shell, which goes from one copy to another while it runs; tools of their own leave it alone.
static CHOSEN: Mutex<Chosen> = Mutex::new(Chosen::Environment);

/// Has this process work on something else from now on, and answers what it was before.
pub(super) fn choose(chosen: Chosen) -> Chosen {
    std::mem::replace(&mut *CHOSEN.lock().unwrap_or_else(PoisonError::into_inner), chosen)
}

/// The value of a variable that is not empty.
fn variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The file that stands for the CIB, if one was chosen or the environment names one.
pub(super) fn file() -> Option<PathBuf> {
    if let Chosen::File(path) = &*CHOSEN.lock().unwrap_or_else(PoisonError::into_inner) {
        return Some(path.clone());
    }
    shadow().map(|name| shadow_file(&name)).or_else(|| variable("CIB_file").map(PathBuf::from))
}

/// The name of the shadow copy in use.
pub(super) fn shadow() -> Option<String> {
    match &*CHOSEN.lock().unwrap_or_else(PoisonError::into_inner) {
        Chosen::Environment => variable("CIB_shadow").map(|name| name.to_string_lossy().into_owned()),
        Chosen::Live | Chosen::File(_) => None,
        Chosen::Shadow(name) => Some(name.clone()),
    }
}

/// The folder of shadow copies.
pub(super) fn shadow_folder() -> PathBuf {
    std::env::var_os("CIB_shadow_dir").map_or_else(|| SHADOW_FOLDER.into(), PathBuf::from)
}

/// The file of a shadow copy.
pub(super) fn shadow_file(name: &str) -> PathBuf {
    shadow_folder().join(format!("shadow.{name}"))
}

/// Where the shell keeps what a shadow copy was made of, to tell what was changed in the cluster since.
pub(super) fn base_file(name: &str) -> PathBuf {
    shadow_folder().join(format!("shadow-base.{name}"))
}

impl Source {
    /// What was chosen, or what the environment names, else the daemon.
    pub(super) fn open() -> Result<Self, Failed> {
        Self::open_at(file())
    }

    /// The same, but for a shadow copy.
    pub(super) fn open_real() -> Result<Self, Failed> {
        Self::open_at(variable("CIB_file").map(PathBuf::from))
    }

    fn open_at(file: Option<PathBuf>) -> Result<Self, Failed> {
        match file {
            Some(path) => match std::fs::read_to_string(&path) {
                Ok(text) if Cib::parse(&text).is_ok_and(|cib| conforms(&cib)) => {
                    let user = std::env::var("CIB_user").ok().filter(|name| !name.is_empty());
                    Ok(Self::File(path, user.map(|name| user_named(&name))))
                }
                Ok(_) => {
                    Err(no_cib("Update does not conform to the configured schema", CrmExit::Configuration))
                }
                Err(_) => Err(no_cib("No such device or address", CrmExit::NoSuchObject)),
            },
            None => output::connect()
                .map(|client| Self::Daemon(Box::new(client)))
                .map_err(|error| of_client(&error)),
        }
    }

    /// Goes on with the rights of another user.
    pub(super) fn act_as(&mut self, name: &str) {
        match self {
            Self::File(_, user) => *user = Some(user_named(name)),
            Self::Daemon(client) => client.act_as(name),
        }
    }

    /// The daemon, where no file stands for the CIB.
    pub(super) fn daemon(&mut self) -> Option<&mut Client> {
        match self {
            Self::Daemon(client) => Some(client),
            Self::File(..) => None,
        }
    }

    /// The CIB as it is now; a daemon's without its status unless that is asked for.
    pub(super) fn cib(&mut self, status: bool) -> Result<Cib, Failed> {
        let cib = self.whole(status)?;
        let Some(user) = self.restricted(&cib) else { return Ok(cib) };
        let mut view = acl::view(cib.document(), cib.document(), user).ok_or_else(denied)?;
        if view.root().child("configuration").is_none() {
            let root = view.root().node();
            view.insert_element(root, 0, "configuration");
        }
        Cib::from_document(view).map_err(|_| denied())
    }

    /// Whose rights the lists of a file's CIB restrict. Those of a daemon's, the daemon knows.
    fn restricted(&self, cib: &Cib) -> Option<&User> {
        match self {
            Self::File(_, user) => user.as_ref().filter(|user| acl::applies(cib, user)),
            Self::Daemon(_) => None,
        }
    }

    fn whole(&mut self, status: bool) -> Result<Cib, Failed> {
        let xml = match self {
            Self::File(path, _) => {
                std::fs::read_to_string(&*path).map_err(|error| unreadable(path, &error))?
            }
            Self::Daemon(client) => client.cib(status).map_err(|error| of_client(&error))?,
        };
        let wrong = |error: hafen_cib::CibError| {
            Failed::new(CrmExit::DataError, format!("Could not parse the CIB: {error}"))
        };
        Cib::parse(&xml).map_err(wrong)
    }

    /// Has `act` change the CIB and keeps what comes of it, once more from the start where another change came first.
    /// With a daemon the configuration alone is kept.
    pub(super) fn change<T>(
        &mut self,
        applet: &str,
        mut act: impl FnMut(&mut Cib) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        for _ in 0..ATTEMPTS {
            let before = self.whole(false)?;
            let mut after = before.clone();
            let outcome = act(&mut after);
            // What is not permitted is refused as such, also where it would lead to something that is not valid.
            let is_made =
                outcome.as_ref().map_or_else(|failed| failed.exit == CrmExit::Configuration, |_| true);
            if let (Some(user), true) = (self.restricted(&before), is_made) {
                acl::allowed(&before, &after, user).map_err(|_| denied())?;
            }
            let value = outcome?;
            match self {
                Self::File(path, _) => {
                    count(&before, &mut after);
                    replace(path, &(after.root().to_xml() + "\n"))
                        .map_err(|error| unreadable(path, &error))?;
                    return Ok(value);
                }
                Self::Daemon(client) => {
                    let patchset = Patchset::diff(&before, &after);
                    if patchset.changes().next().is_none() {
                        return Ok(value);
                    }
                    let xml = patchset.to_xml_compact();
                    match client.change(vec![Edit::Patch { xml }], false, &output::origin(applet)) {
                        Ok(_) => return Ok(value),
                        Err(error) if error.kind() == "changed" => {}
                        Err(error) => return Err(of_client(&error)),
                    }
                }
            }
        }
        Err(Failed::new(CrmExit::Temporary, "other changes came first again and again"))
    }
}

/// Whether a CIB follows the schema that it claims to follow, and the present one when it is brought to that.
pub(super) fn conforms(cib: &Cib) -> bool {
    match upgrade::claim(cib) {
        Claim::Unchecked => true,
        Claim::Unknown => false,
        Claim::Schema { .. } => {
            cib.configuration().is_some() && schema::validate_and_upgrade(&mut cib.clone()).is_empty()
        }
    }
}

/// Raises the version as the node does that makes a change: the epoch for one of the configuration, else the updates.
fn count(before: &Cib, after: &mut Cib) {
    if after.version() != before.version() {
        return;
    }
    let configuration = |cib: &Cib| cib.configuration().map(|configuration| configuration.to_xml());
    if configuration(before) != configuration(after) {
        after.bump_epoch();
    } else if before.root().to_xml() != after.root().to_xml() {
        after.bump_num_updates();
    }
}

/// Writes a file whole or not at all.
pub(super) fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(format!(".{}", std::process::id()));
    let new = PathBuf::from(new);
    let written = std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&new);
    }
    written
}

/// The same for what holds a CIB: its owner alone may read it.
pub(super) fn replace_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut new = path.as_os_str().to_owned();
    new.push(format!(".{}", std::process::id()));
    let new = PathBuf::from(new);
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    let written = written.and_then(|()| std::fs::rename(&new, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&new);
    }
    written
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failed {
    Failed::new(CrmExit::Error, format!("{}: {error}", path.display()))
}

/// A user by name, as this system knows it.
pub(super) fn user_named(name: &str) -> User {
    let table = |path| std::fs::read_to_string(path).unwrap_or_default();
    User::named(name, &table("/etc/passwd"), &table("/etc/group"))
}

/// The lists of the CIB do not permit it.
fn denied() -> Failed {
    Failed::new(CrmExit::NoPermission, "Error performing operation: Permission denied")
}

fn no_cib(reason: &str, exit: CrmExit) -> Failed {
    Failed::new(exit, format!("Could not connect to the CIB: {reason}"))
}

fn of_client(error: &ClientError) -> Failed {
    match error.kind() {
        // What it is about, the daemon says.
        "permission" => Failed { notes: vec![error.to_string()], ..denied() },
        "no-daemon" => no_cib("Transport endpoint is not connected", CrmExit::Disconnected),
        _ => output::failed_request("the CIB", error),
    }
}
