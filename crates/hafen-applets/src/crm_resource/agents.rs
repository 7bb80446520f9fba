//! Agents that are installed on this host.

use std::collections::BTreeSet;

use hafen_agents::{AgentClass, AgentName, AgentPaths, Agents};

use super::super::fence_metadata;
use super::super::output::{self, CrmExit, Failed, Printed, escaped};

/// Classes by their names.
pub(crate) const CLASSES: [(&str, AgentClass); 6] = [
    ("ocf", AgentClass::Ocf),
    ("service", AgentClass::Service),
    ("lsb", AgentClass::Lsb),
    ("heartbeat", AgentClass::Heartbeat),
    ("systemd", AgentClass::Systemd),
    ("stonith", AgentClass::Stonith),
];

fn list(name: &str, found: &[String]) -> Printed {
    let items: String = found.iter().map(|found| format!("  <item>{}</item>\n", escaped(found))).collect();
    let mut printed = Printed::default();
    printed
        .add(&found.join("\n"), &format!("<list name=\"{name}\" count=\"{}\">\n{items}</list>", found.len()));
    printed
}

/// The agents of a class; none where they cannot be listed.
pub(crate) fn all(class: AgentClass) -> Vec<AgentName> {
    AgentPaths::default().list(class).unwrap_or_default()
}

fn error(text: String, exit: CrmExit) -> Failed {
    let what = if exit == CrmExit::Error { "Error occurred" } else { "No such object" };
    Failed { notes: vec![text], ..Failed::new(exit, format!("Error performing operation: {what}")) }
}

pub(super) fn standards() -> Printed {
    list("standards", &CLASSES.map(|(name, _)| name.to_owned()))
}

pub(super) fn providers() -> Printed {
    let providers: BTreeSet<String> =
        all(AgentClass::Ocf).into_iter().filter_map(|agent| agent.provider).collect();
    list("OCF providers", &providers.into_iter().collect::<Vec<_>>())
}

pub(super) fn alternatives(kind: &str) -> Result<Printed, Failed> {
    let found = all(AgentClass::Ocf).into_iter().filter(|agent| agent.kind == kind);
    let found: Vec<String> = found.filter_map(|agent| agent.provider).collect();
    if found.is_empty() {
        return Err(error(format!("No OCF providers found for {kind}"), CrmExit::NoSuchObject));
    }
    Ok(list("OCF providers", &found))
}

pub(super) fn agents(of: &str) -> Result<Printed, Failed> {
    let (standard, provider) = match of.split_once(':') {
        Some((standard, provider)) => (standard, Some(provider)),
        None => (of, None),
    };
    let class = CLASSES.iter().find(|(name, _)| *name == standard).map(|(_, class)| *class);
    let found = class.map(all).unwrap_or_default();
    let found = found.into_iter().filter(|agent| provider.is_none() || agent.provider.as_deref() == provider);
    let kinds: BTreeSet<String> = found.map(|agent| agent.kind).collect();
    if kinds.is_empty() {
        let provider = provider.map_or_else(String::new, |provider| format!(" and provider '{provider}'"));
        return Err(error(format!("No agents found for standard '{standard}'{provider}"), CrmExit::Error));
    }
    Ok(list("agents", &kinds.into_iter().collect::<Vec<_>>()))
}

pub(super) fn metadata(name: &str) -> Result<Printed, Failed> {
    let failed = |text: String| {
        Failed::new(CrmExit::NoSuchObject, format!("{text}\nError performing operation: No such object"))
    };
    let agent = name.parse::<AgentName>();
    let agent = agent.map_err(|_| failed(format!("'{name}' is not a valid agent specification")))?;
    let found = output::waited(Agents::default().metadata(&agent))?;
    let xml =
        found.map_err(|_| failed(format!("Metadata query for {name} failed: No such device or address")))?;
    let xml = if agent.class == AgentClass::Stonith { fence_metadata::as_told(&xml) } else { xml };
    Ok(Printed {
        text: format!("{}\n", xml.trim_end()),
        xml: format!("  <metadata><![CDATA[{xml}]]></metadata>\n"),
    })
}
