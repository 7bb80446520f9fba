//! The protocol of the frame switch: on a Unix socket one JSON object a line, an answer for each request.
//!
//! ```text
//! {"request":"attach","host":"host1"}    with the descriptors of eth0, eth1 and lan0: plugged in until the connection ends
//! {"request":"shape","from":"host1","to":"host2","link":"eth0","both":true,"change":{"cut":true}}    none of these: all
//! {"request":"heal","host":"host1"}      all of its directions are as new; without "host": all
//! {"request":"status"}
//! ```

use serde::{Deserialize, Serialize};

use super::Link;
use super::shape::{Direction, Shape};

/// The longest request, in bytes.
pub(super) const REQUEST_BYTES_LIMIT: usize = 16 * 1024;
/// The longest answer, in bytes.
pub(super) const ANSWER_BYTES_LIMIT: u64 = 4 * 1024 * 1024;

/// A request to the frame switch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "request")]
pub enum SwitchRequest {
    /// Plugs a host's interfaces in, whose descriptors come with the request.
    Attach {
        /// The host's name.
        host: String,
    },
    /// Changes what happens to frames.
    Shape {
        /// Who sends; none: anybody.
        #[serde(default)]
        from: Option<String>,
        /// Who receives; none: anybody.
        #[serde(default)]
        to: Option<String>,
        /// On which link; none: on all.
        #[serde(default)]
        link: Option<Link>,
        /// Also in the opposite direction.
        #[serde(default)]
        both: bool,
        /// What changes.
        change: ShapeChange,
    },
    /// Frames pass again.
    Heal {
        /// Of this host only.
        #[serde(default)]
        host: Option<String>,
    },
    /// What is plugged in, and what is not as new.
    Status,
}

/// Fields of a [`Shape`]; what is none stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ShapeChange {
    /// Nothing passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<bool>,
    /// How many frames of a hundred are lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_percent: Option<f64>,
    /// In milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u32>,
    /// In milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter_ms: Option<u32>,
    /// In bytes; 0: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
}

impl ShapeChange {
    /// Changes a shape.
    pub(super) fn apply(self, shape: &mut Shape) {
        shape.cut = self.cut.unwrap_or(shape.cut);
        shape.loss_percent = self.loss_percent.unwrap_or(shape.loss_percent);
        shape.delay_ms = self.delay_ms.unwrap_or(shape.delay_ms);
        shape.jitter_ms = self.jitter_ms.unwrap_or(shape.jitter_ms);
        shape.mtu = self.mtu.unwrap_or(shape.mtu);
    }
}

/// The answer of the frame switch.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SwitchAnswer {
    /// What was wrong; none: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// All places of hosts (`status`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<PortStatus>,
    /// The directions that are not as new (`status`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shapes: Vec<(Direction, Shape)>,
}

/// A host on a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortStatus {
    /// The host.
    pub host: String,
    /// The link.
    pub link: Link,
    /// Whether its interface is plugged in.
    pub attached: bool,
    /// Frames that it sent.
    pub sent: u64,
    /// Frames that it was given.
    pub received: u64,
    /// Frames to it that were lost.
    pub lost: u64,
}
