//! The names of agents.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::family::EXTERNAL_PREFIX;

/// The standard that an agent follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AgentClass {
    /// The Open Cluster Framework's resource agents.
    Ocf,
    /// Fence agents: those of fence-agents, cluster-glue's `external/*`, `meatware` and `null`.
    Stonith,
    /// Init scripts in `/etc/init.d`.
    Lsb,
    /// An init script, or a unit of systemd where there is no such script.
    Service,
    /// A unit of systemd.
    Systemd,
    /// Scripts of Heartbeat 1 in `/etc/ha.d/resource.d`: `drbddisk`. Pacemaker has dropped them, the book uses them.
    Heartbeat,
}

impl AgentClass {
    /// The name as it stands in the CIB's `class`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ocf => "ocf",
            Self::Stonith => "stonith",
            Self::Lsb => "lsb",
            Self::Service => "service",
            Self::Systemd => "systemd",
            Self::Heartbeat => "heartbeat",
        }
    }
}

/// `class`, `provider` and `type` of a resource in the CIB: which agent it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AgentName {
    /// The standard that it follows.
    pub class: AgentClass,
    /// Who provides it (class `ocf` only): `heartbeat`, `pacemaker`, `hafen`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The agent's own name: `IPaddr2`, `fence_ipmilan`, `external/rackpdu`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// Why a text is no agent's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AgentNameError {
    /// The class is not one that is known here.
    #[error("unknown agent class {0:?}: known are ocf, stonith, lsb, service, systemd and heartbeat")]
    UnknownClass(String),
    /// A part is missing, or there is one too many.
    #[error(
        "{0:?} is no agent: expected ocf:PROVIDER:TYPE, or CLASS:TYPE for stonith, lsb, service, systemd and heartbeat"
    )]
    Form(String),
    /// A provider or type that could name a file elsewhere.
    #[error(
        "{0:?} cannot be part of an agent's name: only letters, digits and _ - . are, and no leading dot"
    )]
    Part(String),
}

impl AgentName {
    /// Puts a name together out of the CIB's three attributes.
    pub fn new(class: &str, provider: Option<&str>, kind: &str) -> Result<Self, AgentNameError> {
        let whole =
            || [Some(class), provider, Some(kind)].into_iter().flatten().collect::<Vec<_>>().join(":");
        let class = match (class, provider) {
            ("ocf", Some(_)) => AgentClass::Ocf,
            ("stonith", None) => AgentClass::Stonith,
            ("lsb", None) => AgentClass::Lsb,
            ("service", None) => AgentClass::Service,
            ("systemd", None) => AgentClass::Systemd,
            ("heartbeat", None) => AgentClass::Heartbeat,
            ("ocf" | "stonith" | "lsb" | "service" | "systemd" | "heartbeat", _) => {
                return Err(AgentNameError::Form(whole()));
            }
            _ => return Err(AgentNameError::UnknownClass(class.to_owned())),
        };
        let external = kind.strip_prefix(EXTERNAL_PREFIX).filter(|_| class == AgentClass::Stonith);
        // Instances of units have an @, and what systemd-escape(1) writes a backslash.
        let signs = if matches!(class, AgentClass::Systemd | AgentClass::Service) { "_-.@\\" } else { "_-." };
        for part in provider.into_iter().chain([external.unwrap_or(kind)]) {
            let allowed = |letter: char| letter.is_ascii_alphanumeric() || signs.contains(letter);
            if part.is_empty() || part.starts_with('.') || !part.chars().all(allowed) {
                return Err(AgentNameError::Part(part.to_owned()));
            }
        }
        Ok(Self { class, provider: provider.map(str::to_owned), kind: kind.to_owned() })
    }
}

impl fmt::Display for AgentName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:", self.class.as_str())?;
        if let Some(provider) = &self.provider {
            write!(formatter, "{provider}:")?;
        }
        formatter.write_str(&self.kind)
    }
}

impl FromStr for AgentName {
    type Err = AgentNameError;

    fn from_str(text: &str) -> Result<Self, AgentNameError> {
        match text.split(':').collect::<Vec<_>>()[..] {
            [class, provider, kind] => Self::new(class, Some(provider), kind),
            [class, kind] => Self::new(class, None, kind),
            _ => Err(AgentNameError::Form(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_in_and_out() {
        for text in [
            "ocf:heartbeat:IPaddr2",
            "stonith:fence_hafen_lab",
            "stonith:external/ssh",
            "lsb:cron",
            "heartbeat:drbddisk",
            "systemd:openvpn@harbour",
            "systemd:srv-vm\\x2dimages.mount",
        ] {
            assert_eq!(text.parse::<AgentName>().expect("a name").to_string(), text);
        }
    }

    #[test]
    fn what_could_leave_the_folder_is_refused() {
        for text in [
            "stonith:external/../x",
            "stonith:external/",
            "ocf:p:external/x",
            "ocf:..:x",
            "ocf:heartbeat:../x",
            "ocf:heartbeat:",
            "stonith:.x",
            "ocf:a b:c",
            "ocf:a:x/y",
            "ocf:a:x@y",
            "systemd:../x",
        ] {
            let error = text.parse::<AgentName>().expect_err("no name");
            assert!(matches!(error, AgentNameError::Part(_)), "{error}");
        }
        for text in ["", "ocf", "ocf:x", "stonith:a:b", "ocf:a:b:c", "lsb:a:b"] {
            let error = text.parse::<AgentName>().expect_err("no name");
            assert!(!matches!(error, AgentNameError::Part(_)), "{error}");
        }
    }
}
