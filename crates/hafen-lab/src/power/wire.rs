//! The switch's protocol: on a Unix socket one JSON object a line, an answer for each request.
//!
//! ```text
//! {"request":"status","host":"host2"}               {"result":"on"}  {"result":"off"}
//! {"request":"off","host":"host2","delay_ms":500}   {"result":"ok"}                    also "on" and "reboot"
//! {"request":"list"}                                {"result":"ok","hosts":["host1"],"power":[{"host":"host1",...}]}
//! {"request":"set","host":"host2","delay_ms":9000}  {"result":"ok"}       all hosts without "host"; "fail":true: refuses
//! anything that fails                               {"result":"error","detail":"what was wrong"}
//! ```
//! `ok` after `off` means that the switch has proved the host off, not that it will be.

use serde::{Deserialize, Serialize};

/// The longest line, in bytes.
pub(super) const LINE_BYTES_LIMIT: u64 = 64 * 1024;

/// A request to the switch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// `status`, `on`, `off`, `reboot`, `list` or `set`.
    pub request: String,
    /// The host's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// How long this request takes (or, with `set`, all later ones), in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// With `set`: later requests to change the power fail after their delay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fail: Option<bool>,
}

impl Request {
    /// A request about a host.
    pub fn about(request: &str, host: &str) -> Self {
        Self { request: request.to_owned(), host: Some(host.to_owned()), ..Self::default() }
    }
}

/// The switch's answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// `on`, `off`, `ok` or `error`.
    pub result: String,
    /// What was wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The names of the hosts (`list`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// More about them (`list`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub power: Vec<HostPower>,
}

impl Answer {
    /// `on`, `off` or `ok`.
    pub(super) fn result(word: &str) -> Self {
        Self { result: word.to_owned(), ..Self::default() }
    }

    /// `error`.
    pub(super) fn error(detail: impl Into<String>) -> Self {
        Self { result: "error".to_owned(), detail: Some(detail.into()), ..Self::default() }
    }
}

/// A host at the switch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostPower {
    /// Its name.
    pub host: String,
    /// Whether it is on.
    pub on: bool,
    /// The process id of its init, seen from outside; none when it is off.
    pub init: Option<u32>,
    /// How often it was switched on.
    pub boots: u64,
}
