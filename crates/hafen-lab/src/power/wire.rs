//! The switch's protocol: on a Unix socket one JSON object a line, an answer for each request.
//!
//! ```text
//! {"request":"status","host":"host2"}               {"result":"on"}  {"result":"off"}
//! {"request":"off","host":"host2","delay_ms":500}   {"result":"ok"}                    also "on" and "reboot"
//! {"request":"list"}                                {"result":"ok","hosts":["host1"],"power":[{"host":"host1",...}]}
//! {"request":"set","host":"host2","delay_ms":9000}  {"result":"ok"}       all hosts without "host"; "fail":true: refuses
//! {"request":"watchdog-arm","host":"host2","timeout_ms":5000}   {"result":"ok"}
//! {"request":"watchdog-feed","host":"host2"}        {"result":"ok"}       refused when it is not armed
//! {"request":"watchdog-disarm","host":"host2"}      {"result":"ok"}
//! anything that fails                               {"result":"error","detail":"what was wrong"}
//! ```
//! `ok` after `off` means that the switch has proved the host off, not that it will be. A watchdog that is armed and not fed
//! within its timeout cuts the host's power at once and switches it on again; the end of a connection does not disarm it,
//! the end of the host's power does.

use serde::{Deserialize, Serialize};

/// The longest line, in bytes.
pub(super) const LINE_BYTES_LIMIT: u64 = 64 * 1024;

/// A request to the switch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// `status`, `on`, `off`, `reboot`, `list`, `set`, `watchdog-arm`, `watchdog-feed` or `watchdog-disarm`.
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
    /// With `watchdog-arm`: within what time it must be fed, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

impl Request {
    /// A request about no host, or about all.
    pub fn new(request: &str) -> Self {
        Self { request: request.to_owned(), ..Self::default() }
    }

    /// A request about a host.
    pub fn about(request: &str, host: &str) -> Self {
        Self { host: Some(host.to_owned()), ..Self::new(request) }
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

    /// `ok`, or `error`.
    pub(super) fn of(outcome: Result<(), String>) -> Self {
        match outcome {
            Ok(()) => Self::result("ok"),
            Err(detail) => Self::error(detail),
        }
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
    /// The timeout of its watchdog, if that is armed, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watchdog_ms: Option<u64>,
}
