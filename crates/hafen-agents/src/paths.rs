//! Where agents are.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::family::{EXTERNAL_PREFIX, replacement};
use crate::human::MEATWARE_DIR;
use crate::name::{AgentClass, AgentName};
use crate::outcome::{OcfExitCode, OpStatus, Outcome};
use crate::secrets::SECRETS_FOLDER;
use crate::systemd;

/// The folders in which agents are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentPaths {
    /// `OCF_ROOT`: its `resource.d/PROVIDER/TYPE` are agents, and agents find their libraries in it.
    pub ocf_root: PathBuf,
    /// Further folders of `PROVIDER/TYPE`, searched before those of `ocf_root`.
    pub ocf_extra: Vec<PathBuf>,
    /// Folders of fence agents, searched in this order.
    pub fence: Vec<PathBuf>,
    /// Folders of cluster-glue's plugins `external/NAME`, without `external`.
    pub external: Vec<PathBuf>,
    /// Folders of init scripts (classes `lsb` and `service`).
    pub init: Vec<PathBuf>,
    /// Folders of class `heartbeat`, searched before those of init scripts.
    pub heartbeat: Vec<PathBuf>,
    /// Where the values of secret parameters are (`cibsecret`).
    pub secrets: PathBuf,
    /// The executable of hafen, which speaks to systemd.
    pub hafen: PathBuf,
    /// Where fencings wait for a human (`meatware`).
    pub meatware: PathBuf,
}

impl Default for AgentPaths {
    fn default() -> Self {
        Self {
            ocf_root: "/usr/lib/ocf".into(),
            ocf_extra: Vec::new(),
            fence: vec!["/usr/sbin".into()],
            external: vec!["/usr/lib/stonith/plugins".into()],
            init: vec!["/etc/init.d".into()],
            heartbeat: vec!["/etc/ha.d/resource.d".into()],
            secrets: SECRETS_FOLDER.into(),
            hafen: std::env::current_exe().unwrap_or_else(|_| "/usr/bin/hafen".into()),
            meatware: MEATWARE_DIR.into(),
        }
    }
}

/// Why an agent cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FindError {
    /// It is in none of the folders.
    #[error("{agent} is not installed: it is in none of {searched}")]
    NotInstalled {
        /// The agent.
        agent: AgentName,
        /// The folders, with commas.
        searched: String,
    },
    /// A plugin of cluster-glue for which there is another agent.
    #[error("{0}")]
    Replaced(String),
    /// A plugin that others may write is not run, as cluster-glue does it.
    #[error("{} can be written by its group or by others: chmod go-w it", .0.display())]
    Writable(PathBuf),
    /// A file of its name is there and cannot be executed.
    #[error("{} is not an executable file", .0.display())]
    NotExecutable(PathBuf),
    /// The folder cannot be searched.
    #[error("cannot look at {}: {message}", .path.display())]
    Unreadable {
        /// The file that was looked for.
        path: PathBuf,
        /// The system's words.
        message: String,
    },
}

impl FindError {
    /// The outcome of an operation that ends with this error.
    pub fn outcome(&self) -> Outcome {
        let (rc, status) = match self {
            Self::NotInstalled { .. } | Self::Replaced(_) => {
                (OcfExitCode::NOT_INSTALLED, OpStatus::NotInstalled)
            }
            Self::NotExecutable(_) | Self::Writable(_) => (OcfExitCode::INSUFFICIENT_PRIV, OpStatus::Error),
            Self::Unreadable { .. } => (OcfExitCode::ERROR, OpStatus::Error),
        };
        Outcome::not_run(rc, status, self.to_string())
    }
}

impl AgentPaths {
    /// The folders for an agent of this class; a type of class `stonith` may be in a folder of its own.
    fn folders(&self, class: AgentClass, kind: &str) -> Vec<PathBuf> {
        match class {
            AgentClass::Stonith if kind.starts_with(EXTERNAL_PREFIX) => self.external.clone(),
            AgentClass::Ocf => {
                self.ocf_extra.iter().cloned().chain([self.ocf_root.join("resource.d")]).collect()
            }
            AgentClass::Stonith => self.fence.clone(),
            AgentClass::Lsb | AgentClass::Service => self.init.clone(),
            AgentClass::Systemd => Vec::new(),
            AgentClass::Heartbeat => self.heartbeat.iter().chain(&self.init).cloned().collect(),
        }
    }

    /// The executable of an agent.
    pub fn find(&self, agent: &AgentName) -> Result<PathBuf, FindError> {
        if agent.class == AgentClass::Systemd {
            return Ok(self.hafen.clone());
        }
        let folders = self.folders(agent.class, &agent.kind);
        let is_external = agent.class == AgentClass::Stonith && agent.kind.starts_with(EXTERNAL_PREFIX);
        for folder in &folders {
            let path = match &agent.provider {
                Some(provider) => folder.join(provider).join(&agent.kind),
                None => folder.join(&agent.kind),
            };
            match fs::metadata(&path) {
                Ok(file) if is_external && file.permissions().mode() & 0o022 != 0 => {
                    return Err(FindError::Writable(path));
                }
                Ok(file) if file.is_file() && file.permissions().mode() & 0o111 != 0 => return Ok(path),
                Ok(_) => return Err(FindError::NotExecutable(path)),
                Err(error) if is_missing(&error) => {}
                Err(error) => return Err(FindError::Unreadable { path, message: error.to_string() }),
            }
        }
        if let Some(text) = replacement(&agent.kind).filter(|_| agent.class == AgentClass::Stonith) {
            return Err(FindError::Replaced(text));
        }
        let searched =
            folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ");
        Err(FindError::NotInstalled { agent: agent.clone(), searched })
    }

    /// All agents of a class, sorted. Folders that are missing are empty.
    pub fn list(&self, class: AgentClass) -> io::Result<Vec<AgentName>> {
        if class == AgentClass::Systemd {
            return systemd::list(self);
        }
        let mut found = Vec::new();
        for folder in self.folders(class, "") {
            match class {
                AgentClass::Ocf => {
                    for provider in names_in(&folder)? {
                        let kinds = names_in(&folder.join(&provider))?.into_iter();
                        found.extend(
                            kinds.filter_map(|kind| AgentName::new("ocf", Some(&provider), &kind).ok()),
                        );
                    }
                }
                AgentClass::Lsb | AgentClass::Service | AgentClass::Heartbeat => {
                    let kinds = names_in(&folder)?.into_iter();
                    found.extend(kinds.filter_map(|kind| AgentName::new(class.as_str(), None, &kind).ok()));
                }
                AgentClass::Systemd => {}
                AgentClass::Stonith => {
                    let kinds = names_in(&folder)?.into_iter().filter(|name| name.starts_with("fence_"));
                    found.extend(kinds.filter_map(|kind| AgentName::new("stonith", None, &kind).ok()));
                }
            }
        }
        if class == AgentClass::Stonith {
            for folder in &self.external {
                let names = names_in(&folder.join("external"))?.into_iter();
                let plugin =
                    |name: String| AgentName::new("stonith", None, &format!("{EXTERNAL_PREFIX}{name}")).ok();
                found.extend(names.filter_map(plugin));
            }
        }
        found.retain(|agent| self.find(agent).is_ok());
        if class == AgentClass::Stonith {
            let built_in = ["meatware", "null"].into_iter();
            found.extend(built_in.filter_map(|kind| AgentName::new("stonith", None, kind).ok()));
        }
        found.sort();
        found.dedup();
        Ok(found)
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn names_in(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if is_missing(&error) => return Ok(Vec::new()),
        other => other?,
    };
    let names = entries.map(|entry| entry.map(|entry| entry.file_name().into_string()));
    Ok(names.collect::<io::Result<Vec<_>>>()?.into_iter().flatten().collect())
}
