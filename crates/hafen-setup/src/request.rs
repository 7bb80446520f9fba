//! What hosts ask each other, and what they answer.
//!
//! A host that does not know a request says so ([`PeerReply::Refused`]); fields that are added later have defaults.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::Kind;
use crate::facts::Facts;
use crate::network::InterfaceAddress;
use crate::peer::Connecting;
use crate::timing::LinkMeasure;

/// Echoes of one measurement, at most.
pub const ECHOES_MAXIMUM: u32 = 1000;
/// Links of one measurement, at most: 31 other hosts with 8 links.
pub const TARGETS_MAXIMUM: usize = 256;

/// A request of a host of the cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "request")]
pub enum PeerRequest {
    /// Who are you, and what is your clock?
    Hello,
    /// Answered at once: for measuring.
    Echo {
        /// Comes back.
        number: u64,
    },
    /// Measure your links to these hosts.
    Measure {
        /// Whom, over which link.
        targets: Vec<Target>,
        /// How often.
        echoes: u32,
    },
    /// What a check of the whole cluster wants to know of each host.
    Facts,
    /// The agreed files.
    Files,
    /// The bytes of an agreed file.
    FetchFile {
        /// Its absolute path.
        path: String,
    },
    /// Replace an agreed file, if it still is what the asker takes it for.
    PutFile {
        /// Its absolute path.
        path: String,
        /// The new content; none removes it.
        content: Option<FileContent>,
        /// The SHA-256 of what is there now; none when there is nothing.
        expected: Option<String>,
    },
    /// These files are the same on all hosts now.
    Agree {
        /// SHA-256 by path.
        digests: BTreeMap<String, String>,
    },
    /// The text of corosync.conf.
    Configuration,
    /// Get ready to replace corosync.conf.
    Prepare {
        /// The SHA-256 of what it replaces.
        base: String,
        /// The new text.
        text: String,
    },
    /// Replace corosync.conf by what is prepared.
    Commit {
        /// The SHA-256 of what was prepared.
        digest: String,
    },
    /// Forget what is prepared.
    Abandon {
        /// Its SHA-256.
        digest: String,
    },
    /// Take a host out of the cluster's configuration.
    RemoveHost {
        /// Its name.
        host: String,
    },
}

/// A link to be measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The host's number.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// The link's number.
    pub link: u8,
    /// Its address and port on that link.
    pub address: std::net::SocketAddr,
}

impl Target {
    /// As a connection is made to it.
    pub fn connecting(&self) -> Connecting {
        Connecting { id: self.id, name: self.name.clone(), address: self.address }
    }
}

/// The bytes and the mode of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileContent {
    /// Its bytes in base64.
    base64: String,
    /// Its mode, as `0o644`.
    pub mode: u32,
}

impl FileContent {
    /// Of these bytes.
    pub fn new(bytes: &[u8], mode: u32) -> Self {
        Self { base64: STANDARD.encode(bytes), mode }
    }

    /// The bytes; none when they were damaged on the way.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        STANDARD.decode(&self.base64).ok()
    }
}

/// An agreed file of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileState {
    /// Its absolute path.
    pub path: String,
    /// Its SHA-256; none when it is not there.
    pub digest: Option<String>,
    /// What it was when it was last the same on all hosts.
    pub agreed: Option<String>,
}

/// An answer to a host of the cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "reply")]
pub enum PeerReply {
    /// No, and why.
    Refused {
        /// What kind of failure.
        kind: Kind,
        /// What was wrong.
        what: String,
        /// What to do.
        mend: String,
    },
    /// Done.
    Done,
    /// To `Hello`.
    Hello {
        /// The host's name.
        name: String,
        /// Its version of Hafen.
        version: String,
        /// Its clock, in milliseconds since the Unix epoch.
        wall_ms: u64,
    },
    /// To `Echo`.
    Echo {
        /// The number of the request.
        number: u64,
    },
    /// To `Measure`.
    Measures {
        /// One for each link.
        measures: Vec<LinkMeasure>,
    },
    /// To `Facts`.
    Facts(Box<Facts>),
    /// To `Files`.
    Files {
        /// All agreed files that this host knows of.
        files: Vec<FileState>,
    },
    /// To `FetchFile`.
    File {
        /// None when it is not there.
        content: Option<FileContent>,
    },
    /// To `Configuration`.
    Configuration {
        /// The text of corosync.conf.
        text: String,
        /// The SHA-256 of what is prepared to replace it.
        prepared: Option<String>,
    },
}

/// A request of somebody who has a token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "request")]
pub enum JoinRequest {
    /// May I join? Changes nothing but that the token is this host's now.
    Join(Box<Joiner>),
    /// I have all that I need: make me a member.
    Confirm(Box<Joiner>),
}

/// A host that wants to join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joiner {
    /// The secret of the token, in hexadecimal digits.
    pub secret: String,
    /// Its name (`uname -n`).
    pub name: String,
    /// Its request for a certificate, as PEM.
    pub certificate_request: String,
    /// Its addresses.
    pub addresses: Vec<InterfaceAddress>,
    /// The address that it wants to use on a link, where its user said so.
    pub chosen: BTreeMap<u8, String>,
    /// Its version of Hafen.
    pub version: String,
}

/// An answer to somebody who has a token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "reply")]
pub enum JoinReply {
    /// No, and why.
    Refused {
        /// What kind of failure.
        kind: Kind,
        /// What was wrong.
        what: String,
        /// What to do.
        mend: String,
    },
    /// To `Join`.
    Welcome(Box<Welcome>),
    /// To `Confirm`: the host is in the configuration of the cluster.
    Admitted {
        /// The text of corosync.conf, which all hosts have now.
        corosync_conf: String,
    },
}

/// What a host needs to be a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The cluster's name.
    pub cluster: String,
    /// The number of the new host.
    pub id: u32,
    /// The authority's certificate.
    pub ca: String,
    /// The authority's key.
    pub ca_key: String,
    /// The new host's certificate.
    pub certificate: String,
    /// Corosync's key; none where nothing is encrypted.
    pub authkey: Option<FileContent>,
    /// The port of the daemons.
    pub peer_port: u16,
    /// The patterns of agreed files.
    pub patterns: Vec<String>,
    /// Agreed files beside those above, by path.
    pub files: BTreeMap<String, FileContent>,
    /// The clock of the host that answers, in milliseconds since the Unix epoch.
    pub wall_ms: u64,
}
