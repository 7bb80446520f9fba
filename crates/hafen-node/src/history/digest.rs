//! Digests of an operation's parameters, as Pacemaker computes them: a changed parameter is noticed by them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hafen_protocol::message::Execute;
use md5::{Digest, Md5};

/// The digest of all parameters of an operation; a recurring one's time-out counts as a parameter.
#[must_use]
pub fn operation_digest(order: &Execute) -> String {
    let mut parameters: BTreeMap<&str, &str> =
        order.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let timeout = order.timeout_ms.to_string();
    if order.interval_ms > 0 {
        parameters.insert("CRM_meta_timeout", &timeout);
    }
    digest(&parameters)
}

/// The digest of those parameters whose change forces a restart.
#[must_use]
pub fn restart_digest(order: &Execute, names: &[String]) -> String {
    let chosen = order.parameters.iter().filter(|(name, _)| names.contains(name));
    digest(&chosen.map(|(name, value)| (name.as_str(), value.as_str())).collect())
}

/// MD5 over an element with the parameters as attributes in the order of their names, with a blank before it and a
/// line end after it.
fn digest(parameters: &BTreeMap<&str, &str>) -> String {
    let mut text = String::from(" <parameters");
    for (name, value) in parameters {
        let _ = write!(text, " {name}=\"");
        for c in value.chars() {
            match c {
                '&' => text.push_str("&amp;"),
                '<' => text.push_str("&lt;"),
                '>' => text.push_str("&gt;"),
                '"' => text.push_str("&quot;"),
                c if c.is_ascii_control() => {
                    let _ = write!(text, "&#x{:02X};", u32::from(c));
                }
                other => text.push(other),
            }
        }
        text.push('"');
    }
    text.push_str("/>\n");
    Md5::digest(text.as_bytes()).iter().fold(String::new(), |mut hexadecimal, byte| {
        let _ = write!(hexadecimal, "{byte:02x}");
        hexadecimal
    })
}
