//! Which protocol a fence agent speaks, by its name.

use std::collections::BTreeMap;

use hafen_cib::old_names::exchanged;

use crate::fence::FenceInvocation;

/// How a fence agent is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FenceFamily {
    /// fence-agents: options on standard input, and a `status` that tells whether the target is on.
    FenceAgents,
    /// cluster-glue's `external/NAME`: parameters in the environment; `status` tells about the device alone.
    External,
    /// `meatware`: a human does it, and says so.
    Meatware,
    /// `null`: nothing is done.
    Null,
}

/// The folder of cluster-glue's plugins in a type: `external/rackpdu`.
pub(crate) const EXTERNAL_PREFIX: &str = "external/";

impl FenceFamily {
    /// The family of an agent's type.
    pub fn of(kind: &str) -> Self {
        match kind {
            "meatware" => Self::Meatware,
            "null" | "external/null" => Self::Null,
            // cluster-glue's plugin in C and its script do the same.
            "ssh" => Self::External,
            _ if kind.starts_with(EXTERNAL_PREFIX) => Self::External,
            _ => Self::FenceAgents,
        }
    }

    /// Whether the agent's `status` tells whether the target is off.
    pub fn reads_back(self) -> bool {
        self == Self::FenceAgents
    }
}

/// cluster-glue's plugins in C, which only its own library can load, and the agents of fence-agents that drive the same devices.
const PLUGINS_IN_C: &[(&str, Option<&str>)] = &[
    ("apcmaster", Some("fence_apc")),
    ("apcsmart", None),
    ("baytech", None),
    ("bladehpi", Some("fence_bladecenter")),
    ("cyclades", None),
    ("drac3", Some("fence_drac")),
    ("ibmhmc", Some("fence_lpar")),
    ("ipmilan", Some("fence_ipmilan")),
    ("nw_rpc100s", None),
    ("rcd_serial", Some("fence_rcd_serial")),
    ("rps10", None),
    ("suicide", None),
    ("wti_mpc", Some("fence_wti")),
    ("wti_nps", Some("fence_wti")),
];

/// What to use for an agent that cannot be run here, in a sentence.
pub(crate) fn replacement(kind: &str) -> Option<String> {
    let (_, replacement) = PLUGINS_IN_C.iter().find(|(name, _)| *name == kind)?;
    let advice = match replacement {
        Some(agent) => format!("use stonith:{agent}, with its own parameters"),
        None => "there is no agent for its device".to_owned(),
    };
    Some(format!("stonith:{kind} is a plugin of cluster-glue that only its own library can load: {advice}"))
}

/// The agent that is run for an old name, and what to tell about it: the table of `hafen config translate`.
pub fn translated(
    kind: &str,
    parameters: &BTreeMap<String, String>,
) -> Option<(String, BTreeMap<String, String>, String)> {
    let (today, renamed) = exchanged(&format!("stonith:{kind}"))?;
    let rename = |(name, value): (&String, &String)| {
        let entry = renamed.iter().find(|entry| entry.old == name);
        let changed = entry.and_then(|entry| Some((entry.today.to_owned(), (entry.value)(value)?)));
        changed.unwrap_or_else(|| (name.clone(), value.clone()))
    };
    let parameters = parameters.iter().map(rename).collect();
    let note = format!("stonith:{kind} is run as {today}: `hafen config translate` configures that one");
    Some((today.strip_prefix("stonith:")?.to_owned(), parameters, note))
}

impl FenceInvocation {
    /// The same invocation with today's names, and what to tell about it.
    pub(crate) fn of_today(&self) -> (Self, Option<String>) {
        match translated(&self.agent, &self.parameters) {
            Some((agent, parameters, note)) => (Self { agent, parameters, ..self.clone() }, Some(note)),
            None => (self.clone(), None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_names_are_translated_with_a_note() {
        let old = [("ipaddr", "10.0.0.9"), ("port", "161"), ("community", "private")];
        let old = old.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let (agent, parameters, note) = translated("apcmastersnmp", &old).expect("an old name");
        assert_eq!(agent, "fence_apc_snmp");
        assert_eq!(parameters["ip"], "10.0.0.9");
        assert_eq!(parameters["udpport"], "161");
        assert!(!parameters.contains_key("port") && note.contains("fence_apc_snmp"));
        assert!(translated("fence_ipmilan", &BTreeMap::new()).is_none());
    }

    #[test]
    fn families_are_told_by_name() {
        assert_eq!(FenceFamily::of("external/ssh"), FenceFamily::External);
        assert_eq!(FenceFamily::of("fence_ipmilan"), FenceFamily::FenceAgents);
        assert!(!FenceFamily::of("external/rackpdu").reads_back());
        assert!(replacement("ipmilan").expect("known").contains("fence_ipmilan"));
    }
}
