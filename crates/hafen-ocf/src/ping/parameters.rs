//! The parameters of `ocf:hafen:ping`: read from the environment and checked.

use std::path::PathBuf;
use std::time::Duration;

use crate::outcome::{AgentError, OcfCode};
use crate::qemu::parameters::parse_time;

/// Hosts in the list, at most: all are asked in one breath.
pub const HOSTS_MAXIMUM: usize = 64;
/// The default folder of the state.
pub const STATE_DIR: &str = "/run/resource-agents";

/// The names and defaults of the parameters.
pub const DEFAULTS: [(&str, &str); 8] = [
    ("host_list", ""),
    ("name", "pingd"),
    ("multiplier", "1"),
    ("dampen", "5s"),
    ("attempts", "3"),
    ("timeout", "2"),
    ("failure_score", ""),
    ("state", ""),
];

/// What is pinged, and what is made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// Addresses and names.
    pub hosts: Vec<String>,
    /// The attribute.
    pub name: String,
    /// What each host that answers counts.
    pub multiplier: u64,
    /// How long a change of the attribute waits for further ones.
    pub dampen: Duration,
    /// How often a host is asked.
    pub attempts: u32,
    /// How long each attempt waits.
    pub timeout: Duration,
    /// A score below this is a failure.
    pub failure_score: Option<u64>,
    /// The file that says that the resource is started.
    pub state: PathBuf,
}

impl Parameters {
    /// Reads the parameters from variables, by their full names (`OCF_RESKEY_host_list`, `OCF_RESOURCE_INSTANCE`).
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, AgentError> {
        let text = |name: &str| -> String {
            let given = variable(&format!("OCF_RESKEY_{name}")).map(|value| value.trim().to_owned());
            let default = || DEFAULTS.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value);
            given.filter(|value| !value.is_empty()).unwrap_or_else(|| default().to_owned())
        };
        let hosts: Vec<String> = text("host_list").split_whitespace().map(str::to_owned).collect();
        if hosts.is_empty() {
            return Err(configured("host_list is empty: name the addresses to ping, such as the gateway's"));
        }
        if hosts.len() > HOSTS_MAXIMUM {
            let count = hosts.len();
            return Err(configured(format!("host_list names {count} hosts: {HOSTS_MAXIMUM} are the most")));
        }
        let number = |name: &str| -> Result<u64, AgentError> {
            let value = text(name);
            value.parse().map_err(|_| configured(format!("{name}='{value}': a whole number is wanted")))
        };
        let attempts = u32::try_from(number("attempts")?).unwrap_or(u32::MAX);
        let timeout = parse_time("timeout", &text("timeout"))?;
        if attempts == 0 || timeout.is_zero() {
            return Err(configured("attempts and timeout must be more than 0"));
        }
        let failure_score = match text("failure_score").as_str() {
            "" => None,
            _ => Some(number("failure_score")?),
        };
        let name = text("name");
        if name.contains(|letter: char| letter.is_whitespace() || letter.is_control()) {
            return Err(configured(format!("name='{name}': an attribute's name has no blanks")));
        }
        Ok(Self {
            hosts,
            name,
            multiplier: number("multiplier")?,
            dampen: parse_time("dampen", &text("dampen"))?,
            attempts,
            timeout,
            failure_score,
            state: state_file(&text("state"), &variable),
        })
    }
}

fn state_file(chosen: &str, variable: &impl Fn(&str) -> Option<String>) -> PathBuf {
    if !chosen.is_empty() {
        return PathBuf::from(chosen);
    }
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let folder = set("HA_RSCTMP").unwrap_or_else(|| STATE_DIR.to_owned());
    let instance = set("OCF_RESOURCE_INSTANCE").unwrap_or_else(|| "default".to_owned());
    let plain =
        |letter: char| if letter.is_ascii_alphanumeric() || "-_.:".contains(letter) { letter } else { '_' };
    let instance: String = instance.chars().map(plain).collect();
    PathBuf::from(folder).join(format!("hafen-ping-{instance}"))
}

fn configured(reason: impl Into<String>) -> AgentError {
    AgentError::new(OcfCode::Configured, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Parameters, AgentError> {
        Parameters::from_variables(|name| {
            let found = pairs.iter().find(|(key, _)| name == *key || name == format!("OCF_RESKEY_{key}"));
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_defaults_are_those_of_the_known_agent() {
        let parameters = read(&[("host_list", " 10.0.0.1  fe80::1%eth0 gw ")]).expect("sound");
        assert_eq!(parameters.hosts, ["10.0.0.1", "fe80::1%eth0", "gw"]);
        assert_eq!((parameters.name.as_str(), parameters.multiplier, parameters.attempts), ("pingd", 1, 3));
        assert_eq!((parameters.dampen, parameters.timeout), (Duration::from_secs(5), Duration::from_secs(2)));
        assert_eq!(parameters.failure_score, None);
        assert_eq!(parameters.state, PathBuf::from("/run/resource-agents/hafen-ping-default"));
    }

    #[test]
    fn what_is_wrong_is_wrong_on_every_host_and_named() {
        let cases: [(&[(&str, &str)], &str); 8] = [
            (&[], "host_list is empty"),
            (&[("host_list", "  ")], "host_list is empty"),
            (&[("host_list", "a"), ("multiplier", "-1")], "multiplier='-1'"),
            (&[("host_list", "a"), ("attempts", "0")], "more than 0"),
            (&[("host_list", "a"), ("timeout", "0")], "more than 0"),
            (&[("host_list", "a"), ("dampen", "soon")], "dampen"),
            (&[("host_list", "a"), ("failure_score", "many")], "failure_score='many'"),
            (&[("host_list", "a"), ("name", "a b")], "no blanks"),
        ];
        for (pairs, wanted) in cases {
            let error = read(pairs).expect_err(wanted);
            assert_eq!(error.code, OcfCode::Configured, "{wanted}");
            assert!(error.reason.contains(wanted), "{wanted} in {}", error.reason);
        }
        let many = "a ".repeat(HOSTS_MAXIMUM + 1);
        assert!(read(&[("host_list", &many)]).expect_err("too many").reason.contains("64"));
    }

    #[test]
    fn the_state_cannot_leave_its_folder() {
        let parameters =
            read(&[("host_list", "a"), ("HA_RSCTMP", "/run/x"), ("OCF_RESOURCE_INSTANCE", "../../ping:1")]);
        let wanted = PathBuf::from("/run/x/hafen-ping-.._.._ping:1");
        assert_eq!(parameters.expect("sound").state, wanted);
    }
}
