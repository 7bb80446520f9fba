//! The wire protocol of the lab's power switch: on a Unix socket, one JSON object a line, an answer for each request.
//!
//! ```text
//! {"request":"status","host":"host2"}    {"result":"on"}  {"result":"off"}
//! {"request":"off","host":"host2"}       {"result":"ok"}                     also "on" and "reboot"
//! {"request":"list"}                     {"result":"ok","hosts":["host1","host2"]}
//! anything that fails                    {"result":"error","detail":"what was wrong"}
//! ```
//! `ok` after `off` means that the switch has proved the host off, not that it will be.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::deadline::Deadline;
use crate::json_lines;
use crate::qmp::connect;

/// A request to the switch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// `status`, `on`, `off`, `reboot` or `list`.
    pub request: String,
    /// The host's name; none for `list`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

/// The switch's answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// `on`, `off`, `ok` or `error`.
    pub result: String,
    /// What was wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The answer to `list`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
}

/// Asks the switch, and waits for the answer until the deadline (`TimedOut`). A broken answer is `InvalidData`.
pub fn ask(switch: &Path, request: &Request, deadline: Deadline) -> io::Result<Answer> {
    json_lines::exchange(&mut connect(switch, deadline)?, request, deadline)
}
