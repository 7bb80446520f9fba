//! What only the devices themselves know, as the shell has asked them.

use std::collections::BTreeMap;

/// What is known of devices.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Learned {
    /// What they told, by their ids.
    pub devices: BTreeMap<String, DeviceKnowledge>,
    /// What was wrong when they were looked at last, a sentence for each.
    pub failures: Vec<String>,
}

/// What a device told of itself (`list`, `status`, `metadata`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceKnowledge {
    /// Whether it can fence a host, by the host's name in lower case. What is not in here is not known: the device
    /// counts as able, and tells when it is tried.
    pub targets: BTreeMap<String, bool>,
    /// Its `on` gives hosts their access back when they return, without being asked (`automatic="1"`, `required="1"`).
    pub unfences: bool,
    /// Its `on` has to be run by the host that it is about (`on_target="1"`).
    pub on_target: bool,
}

impl Learned {
    /// Whether a device said that it cannot fence a host.
    pub(super) fn refuses(&self, device: &str, uname: &str) -> bool {
        let known = self.devices.get(device).and_then(|known| known.targets.get(&uname.to_ascii_lowercase()));
        known == Some(&false)
    }

    pub(super) fn unfences(&self, device: &str) -> bool {
        self.devices.get(device).is_some_and(|known| known.unfences)
    }

    pub(super) fn is_on_target(&self, device: &str) -> bool {
        self.devices.get(device).is_some_and(|known| known.on_target)
    }
}
