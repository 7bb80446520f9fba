//! A configured fence device and its `pcmk_*` parameters, or a host's own watchdog.

use std::collections::BTreeMap;

use hafen_cib::Cib;
use hafen_cib::values::parse_timeout_ms;
use hafen_cib::views::{FencingDevice, host_map};
use hafen_protocol::message::{FenceAction, FenceDevice};

use super::WATCHDOG_AGENT;

/// The actions of a device that parameters may change.
const ACTIONS: [&str; 7] = ["off", "reboot", "on", "status", "list", "monitor", "metadata"];
/// How often an action is tried in all where nothing is said.
const RETRIES: u32 = 2;
/// How often it may be tried, at most.
const RETRIES_MAXIMUM: u32 = 100;
/// The id of the device that no resource stands for, as Pacemaker calls it.
const WATCHDOG_ID: &str = "watchdog";

/// A fence device.
#[derive(Debug, Clone, Copy)]
pub(super) enum Device<'a> {
    /// A configured one.
    Configured(FencingDevice<'a>),
    /// The target's own watchdog, which no resource stands for.
    Watchdog,
}

impl<'a> Device<'a> {
    pub(super) fn id(&self) -> &'a str {
        match self {
            Device::Configured(device) => device.id(),
            Device::Watchdog => WATCHDOG_ID,
        }
    }

    pub(super) fn is_watchdog(&self) -> bool {
        match self {
            Device::Configured(device) => device.is_watchdog(),
            Device::Watchdog => true,
        }
    }

    /// Whether its configuration names the node.
    pub(super) fn names(&self, uname: &str) -> bool {
        let listed = self.configured().and_then(FencingDevice::listed_targets).unwrap_or_default();
        listed.iter().any(|name| name.eq_ignore_ascii_case(uname))
    }

    pub(super) fn configured(&self) -> Option<FencingDevice<'a>> {
        match self {
            Device::Configured(device) => Some(*device),
            Device::Watchdog => None,
        }
    }

    /// How long an action may take, in milliseconds.
    pub(super) fn timeout_ms(&self, cib: &Cib, action: &str) -> u64 {
        if self.is_watchdog() {
            return watchdog_timeout_ms(cib);
        }
        self.configured().map_or(0, |device| device.action_timeout_ms(cib, action))
    }

    /// What the member that fences has to know.
    pub(super) fn for_target(&self, cib: &Cib, uname: &str) -> FenceDevice {
        let port = self.mapped(uname).unwrap_or_else(|| uname.to_owned());
        FenceDevice { port, ..self.as_it_is(cib) }
    }

    /// The device without a target.
    pub(super) fn as_it_is(&self, cib: &Cib) -> FenceDevice {
        let own = self.configured().map(|device| device.resource().instance_attributes());
        let parameters: BTreeMap<String, String> = own
            .unwrap_or_default()
            .into_iter()
            .filter(|(name, _)| *name == "pcmk_host_argument" || !name.starts_with("pcmk_"))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let agent = self.configured().map_or(WATCHDOG_AGENT, FencingDevice::agent).to_owned();
        let limit = self.parameter("pcmk_action_limit").and_then(|text| text.trim().parse().ok());
        FenceDevice {
            id: self.id().to_owned(),
            agent,
            parameters,
            port: String::new(),
            actions: ACTIONS.map(|action| (action.to_owned(), self.action(cib, action))).into(),
            delay_ms: 0,
            action_limit: limit.unwrap_or(1),
        }
    }

    fn action(&self, cib: &Cib, action: &str) -> FenceAction {
        let text = |what: &str| self.parameter(&format!("pcmk_{action}_{what}"));
        let retries = text("retries").and_then(|text| text.trim().parse().ok()).unwrap_or(RETRIES);
        let timeout_ms = match self.is_watchdog() {
            true => Some(watchdog_timeout_ms(cib)),
            false => {
                text("timeout").and_then(parse_timeout_ms).and_then(|timeout| u64::try_from(timeout).ok())
            }
        };
        FenceAction {
            name: text("action").unwrap_or(action).to_owned(),
            timeout_ms: Some(timeout_ms.unwrap_or_else(|| self.timeout_ms(cib, action))),
            retries: retries.clamp(1, RETRIES_MAXIMUM),
        }
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&'a str> {
        self.configured().and_then(|device| device.parameter(name))
    }

    /// The port of the node in `pcmk_host_map`. What is wrong in a map is told when it is checked, and not used.
    fn mapped(&self, uname: &str) -> Option<String> {
        let map = host_map(self.parameter("pcmk_host_map")?).ok()?;
        map.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(uname)).map(|(_, port)| port)
    }
}

/// `stonith-watchdog-timeout`, in milliseconds; 0: a host's own watchdog is not counted on. Negative values would
/// follow the settings of another program and count as 0.
pub(super) fn watchdog_timeout_ms(cib: &Cib) -> u64 {
    u64::try_from(cib.property_timeout_ms("stonith-watchdog-timeout")).unwrap_or(0)
}
