//! How the configuration changes: what is asked for, and what comes of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Lineage;
use crate::client::Edit;
use crate::view::{HostId, MemberId};

/// A change of the configured hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum HostChange {
    /// A host joins, or has another name from now on.
    Join {
        /// Which one.
        host: HostId,
        /// Its name (`uname -n`).
        uname: String,
    },
    /// A host is removed, with its status.
    Remove {
        /// Which one.
        host: HostId,
    },
}

impl HostChange {
    /// Applies it to the configured hosts.
    pub fn apply(&self, hosts: &mut BTreeMap<HostId, String>) {
        match self {
            HostChange::Join { host, uname } => {
                hosts.insert(*host, uname.clone());
            }
            HostChange::Remove { host } => {
                hosts.remove(host);
            }
        }
    }
}

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asking {
    /// What is to change, in this order.
    pub edits: Vec<Edit>,
    /// An operator overrides that there is no quorum.
    pub without_quorum: bool,
    /// Who asks, for the record: `USER: PROGRAM`.
    pub origin: String,
    /// When, as `cib-last-written` tells it; nothing leaves that as it is.
    pub written: Option<String>,
    /// The user, where access control lists may restrict that one.
    pub user: Option<Asker>,
}

/// A user of the system, as the kernel told the daemon that was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asker {
    /// The user's name.
    pub name: String,
    /// The names of all groups that the user is in.
    pub groups: Vec<String>,
}

/// A change of the configuration that a member asks the coordinator for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChangeAsked {
    /// Unique among the requests of the sender's run.
    pub request: u64,
    /// Which of the view's coordinators is asked: how often another one took over before it. One that takes over is
    /// asked anew, so that nothing is made twice.
    pub succession: u32,
    /// What is asked for.
    pub asking: Asking,
}

/// A change of the configuration, made by the coordinator against its state, for all that were asked for and fit in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// What was asked for and comes with it: who asked, and the request's number, unique among those of that member.
    #[serde(default)]
    pub answers: Vec<(MemberId, u64)>,
    /// The term and coordinator under which it is made. Receivers refuse another one than theirs.
    pub lineage: Lineage,
    /// The digest of the configuration that it starts from.
    pub base_digest: String,
    /// The patchset as XML (`format="2"`), or nothing: then it only opens the term.
    pub patchset: Option<String>,
    /// The digest of the configuration that it leads to.
    pub result_digest: String,
    /// The change of the configured hosts that comes with it. One host joins or is removed at a time, so that the
    /// majorities before and after have a host in common.
    #[serde(default)]
    pub hosts: Option<HostChange>,
    /// An operator overrides that there is no quorum; then `lineage` is that of the state that it starts from.
    pub without_quorum: bool,
    /// Who asked, and where, for the record.
    pub origin: String,
    /// When it was made, in milliseconds since the Unix epoch.
    pub wall_ms: u64,
}
