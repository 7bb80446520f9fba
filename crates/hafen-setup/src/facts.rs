//! What a host tells about itself, for checks of the whole cluster.

use serde::{Deserialize, Serialize};

use crate::check::CheckFacts;
use crate::clock;
use crate::host::Host;
use crate::network::InterfaceAddress;

/// Facts of one host. Fields that are added have defaults, so that hosts of several versions understand each other.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// Its name.
    pub name: String,
    /// Its version of Hafen.
    pub version: String,
    /// Its clock, in milliseconds since the Unix epoch.
    pub wall_ms: u64,
    /// Its addresses.
    pub addresses: Vec<InterfaceAddress>,
    /// The numbers of the hosts that its Corosync sees.
    pub ring_members: Vec<u32>,
    /// Whether its Corosync has quorum; none when it does not answer.
    pub quorate: Option<bool>,
    /// What else the check wants to know.
    pub check: CheckFacts,
}

/// Gathers the facts of this host. What cannot be found out is left empty.
pub fn gather(host: &Host) -> Facts {
    Facts {
        name: host.name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        wall_ms: clock::wall_ms(),
        addresses: host.addresses.clone(),
        ring_members: host.services.ring_members().unwrap_or_default(),
        quorate: host.services.quorate().unwrap_or_default(),
        check: CheckFacts::gather(host),
    }
}
