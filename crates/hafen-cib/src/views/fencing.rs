//! Fence devices and the topology of fencing.

use std::collections::BTreeMap;

use super::{Constraint, Node, Resource};
use crate::cib::Cib;
use crate::values::{Score, parse_duration_ms, parse_timeout_ms};
use crate::xml::Element;

/// The agent that stands for a host's own watchdog.
pub const WATCHDOG_AGENT: &str = "fence_watchdog";

/// The levels that a topology may have.
pub const LEVELS: std::ops::RangeInclusive<u32> = 1..=9;

/// A fence device of the configuration.
#[derive(Debug, Clone, Copy)]
pub struct FencingDevice<'a> {
    resource: Resource<'a>,
}

impl<'a> FencingDevice<'a> {
    /// The resource that it is.
    pub fn resource(self) -> Resource<'a> {
        self.resource
    }

    /// Its id.
    pub fn id(self) -> &'a str {
        self.resource.id()
    }

    /// Its agent, such as `fence_ipmilan` or `external/rackpdu`.
    pub fn agent(self) -> &'a str {
        self.resource.agent_type()
    }

    /// Whether it is a host's own watchdog, which needs nobody to run it.
    pub fn is_watchdog(self) -> bool {
        self.agent() == WATCHDOG_AGENT
    }

    /// A parameter.
    pub fn parameter(self, name: &str) -> Option<&'a str> {
        self.resource.instance_attribute(name)
    }

    /// A device with `target-role=Stopped` is never used.
    pub fn is_enabled(self) -> bool {
        !self.resource.meta("target-role").is_some_and(|role| role.eq_ignore_ascii_case("Stopped"))
    }

    /// Whether it gives hosts back their access when they return (`provides=unfencing`).
    pub fn provides_unfencing(self) -> bool {
        self.resource.meta("provides").is_some_and(|words| words.split(',').any(|w| w.trim() == "unfencing"))
    }

    /// The names of the hosts that it shoots, as its configuration says; `None` if only the device knows.
    ///
    /// These are the names in `pcmk_host_list` and `pcmk_host_map`; for agents of cluster-glue, which know neither,
    /// those in their own `hostlist` and `hostname`.
    pub fn listed_targets(self) -> Option<Vec<String>> {
        if matches!(self.parameter("pcmk_host_check"), Some("none" | "dynamic-list" | "status")) {
            return None;
        }
        let mut names: Vec<String> = Vec::new();
        let mut listed = false;
        if let Some(list) = self.parameter("pcmk_host_list") {
            listed = true;
            names.extend(host_list(list));
        }
        if let Some(map) = self.parameter("pcmk_host_map") {
            listed = true;
            names.extend(host_map(map).unwrap_or_default().into_iter().map(|(name, _)| name));
        }
        if !listed && is_cluster_glue(self.agent()) {
            for name in ["hostlist", "hostname"] {
                let Some(list) = self.parameter(name) else { continue };
                if !list.eq_ignore_ascii_case("AUTO") {
                    listed = true;
                    names.extend(host_list(list));
                }
            }
        }
        listed.then_some(names)
    }

    /// Whether it may shoot a host, as far as its configuration tells.
    pub fn may_target(self, uname: &str) -> bool {
        self.listed_targets().is_none_or(|names| names.iter().any(|name| name.eq_ignore_ascii_case(uname)))
    }

    /// How long it waits before it shoots a host, in milliseconds: at least (`pcmk_delay_base`) and at most
    /// (`pcmk_delay_max`, which holds both).
    pub fn delay_ms(self, uname: &str) -> (u64, u64) {
        let base =
            self.parameter("pcmk_delay_base").map_or(0, |text| delay_base_ms(text, uname).unwrap_or(0));
        let most = self.parameter("pcmk_delay_max").and_then(parse_duration_ms).unwrap_or(0);
        (base, most.max(base))
    }

    /// How long an action may take, in milliseconds: `pcmk_ACTION_timeout`, else `stonith-timeout`.
    pub fn action_timeout_ms(self, cib: &Cib, action: &str) -> u64 {
        let own = self.parameter(&format!("pcmk_{action}_timeout")).and_then(parse_timeout_ms);
        own.and_then(|timeout| u64::try_from(timeout).ok())
            .unwrap_or_else(|| cib.property_duration_ms("stonith-timeout"))
    }
}

/// Whether an agent is one of cluster-glue's plugins rather than of fence-agents.
fn is_cluster_glue(agent: &str) -> bool {
    agent.contains('/') || !agent.starts_with("fence_")
}

/// The names in a list of hosts: separated by commas, semicolons or blanks.
pub fn host_list(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| c == ',' || c == ';' || c.is_whitespace())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
}

/// Reads `pcmk_host_map`: `node1:1;node2:2,3`. A backslash takes its meaning from a separator.
///
/// # Errors
///
/// The part that has no name, no port, or ends in a backslash.
pub fn host_map(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut entries = Vec::new();
    let (mut name, mut port, mut escaped) = (String::new(), None::<String>, false);
    let mut part = String::new();
    for c in text.chars().chain(";".chars()) {
        let plain = !std::mem::take(&mut escaped);
        match c {
            '\\' if plain => {
                escaped = true;
                part.push(c);
            }
            ';' | ' ' | '\t' | '\n' if plain => {
                let (whole, name) = (std::mem::take(&mut part), std::mem::take(&mut name));
                match port.take() {
                    Some(port) if !name.is_empty() && !port.is_empty() => entries.push((name, port)),
                    None if whole.is_empty() => {}
                    _ => return Err(whole),
                }
            }
            ':' | '=' if plain && port.is_none() => {
                port = Some(String::new());
                part.push(c);
            }
            c => {
                port.as_mut().unwrap_or(&mut name).push(c);
                part.push(c);
            }
        }
    }
    // The separator that was added is what the backslash at the end took.
    if part.is_empty() { Ok(entries) } else { Err(part.trim_end_matches(';').to_owned()) }
}

/// The delay that `pcmk_delay_base` gives a host: one time for all, or `node1:0s;node2:5s`. `None`: it is neither.
pub fn delay_base_ms(text: &str, uname: &str) -> Option<u64> {
    if !text.contains([':', '=']) {
        return parse_duration_ms(text);
    }
    let map: BTreeMap<String, u64> = host_map(text)
        .ok()?
        .into_iter()
        .map(|(name, delay)| Some((name.to_ascii_lowercase(), parse_duration_ms(&delay)?)))
        .collect::<Option<_>>()?;
    Some(map.get(&uname.to_ascii_lowercase()).copied().unwrap_or(0))
}

/// A `<fencing-level>`: devices that all have to succeed.
#[derive(Debug, Clone, Copy)]
pub struct FencingLevel<'a>(Element<'a>);

impl<'a> FencingLevel<'a> {
    /// The element.
    pub fn element(self) -> Element<'a> {
        self.0
    }

    /// When it is tried: 1 first. `None` if it is not a number.
    pub fn index(self) -> Option<u32> {
        self.0.attribute("index")?.trim().parse().ok()
    }

    /// The host that it is for, where it names one.
    pub fn target(self) -> Option<&'a str> {
        self.0.attribute("target")
    }

    /// The ids of its devices.
    pub fn devices(self) -> impl Iterator<Item = &'a str> {
        self.0.attribute("devices").unwrap_or("").split(',').map(str::trim).filter(|id| !id.is_empty())
    }

    /// Whether it is for a host by name or by an attribute of it. Patterns are not judged here; `None` for them.
    pub fn is_for(self, cib: &Cib, uname: &str) -> Option<bool> {
        if let Some(target) = self.target() {
            return Some(target.eq_ignore_ascii_case(uname));
        }
        if self.0.attribute("target-pattern").is_some() {
            return None;
        }
        let (name, value) = (self.0.attribute("target-attribute")?, self.0.attribute("target-value")?);
        Some(cib.configured_node(uname).is_some_and(|node| node.attributes().get(name) == Some(value)))
    }
}

impl Cib {
    /// The fence devices, in their order.
    pub fn fencing_devices(&self) -> impl Iterator<Item = FencingDevice<'_>> {
        self.primitives()
            .filter(|resource| resource.is_fencing_device())
            .map(|resource| FencingDevice { resource })
    }

    /// The levels of fencing, in the order of the source.
    pub fn fencing_levels(&self) -> impl Iterator<Item = FencingLevel<'_>> {
        let topology = self.section("fencing-topology");
        topology.into_iter().flat_map(|topology| topology.children_named("fencing-level")).map(FencingLevel)
    }

    /// Whether a location constraint keeps a resource off a node: one with a negative score that names the node, or a
    /// rule that does so by `#uname`. In a cluster where resources run only where allowed, also the lack of one that
    /// allows it.
    pub fn is_kept_off(&self, resource: &str, node: Node<'_>) -> bool {
        let mut allowed = self.property_boolean("symmetric-cluster");
        for constraint in self.configured_constraints() {
            let Constraint::Location(location) = constraint else { continue };
            let listed = location.sets().any(|set| set.members().any(|member| member.resource == resource));
            if location.resource() != Some(resource) && !listed {
                continue;
            }
            let here = location.node().is_some_and(|name| name.eq_ignore_ascii_case(node.uname()));
            let by_rule = location.rules().filter(|rule| rule_names(*rule, node.uname()));
            let scores = by_rule.map(|rule| rule.attribute("score").and_then(Score::parse));
            for score in scores.chain(here.then(|| location.score())).flatten() {
                if score < Score::default() {
                    return true;
                }
                allowed = true;
            }
        }
        !allowed
    }

    /// Whether fencing may happen at all: it is enabled, and there is a device or a watchdog that is counted on.
    pub fn can_fence(&self) -> bool {
        self.property_boolean("stonith-enabled")
            && (self.fencing_devices().any(FencingDevice::is_enabled)
                || self.property_timeout_ms("stonith-watchdog-timeout") != 0)
    }
}

/// Whether a rule is `#uname eq NAME` alone.
fn rule_names(rule: Element<'_>, uname: &str) -> bool {
    let mut parts = rule.children();
    let (Some(expression), None) = (parts.next(), parts.next()) else { return false };
    expression.name() == "expression"
        && expression.attribute("attribute") == Some("#uname")
        && expression.attribute("operation") == Some("eq")
        && expression.attribute("value").is_some_and(|value| value.eq_ignore_ascii_case(uname))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_maps() {
        let read = |text| host_map(text).map(|map| format!("{map:?}"));
        assert_eq!(read("n1:1;n2:2,3"), Ok(r#"[("n1", "1"), ("n2", "2,3")]"#.into()));
        assert_eq!(read(" n1=1  n2:2; "), Ok(r#"[("n1", "1"), ("n2", "2")]"#.into()));
        assert_eq!(read(r"n1:plug\ 1;n2:a\;b"), Ok(r#"[("n1", "plug 1"), ("n2", "a;b")]"#.into()));
        assert_eq!(read("n1:10:20"), Ok(r#"[("n1", "10:20")]"#.into()));
        assert_eq!(read(""), Ok("[]".into()));
        for (text, part) in [("n1", "n1"), ("n1:1;:2", ":2"), ("n1:;n2:3", "n1:"), (r"n1:1;n2:2\", r"n2:2\")]
        {
            assert_eq!(read(text), Err(part.to_owned()), "{text}");
        }
    }

    #[test]
    fn delays() {
        assert_eq!(delay_base_ms("5s", "a"), Some(5000));
        assert_eq!(delay_base_ms("a:1s;B:2s", "b"), Some(2000));
        assert_eq!(delay_base_ms("a:1s;B:2s", "c"), Some(0));
        assert_eq!(delay_base_ms("a:x", "a"), None);
        assert_eq!(delay_base_ms("soon", "a"), None);
    }

    #[test]
    fn what_keeps_a_device_off_a_host() {
        let cib = Cib::parse(
            r##"<cib><configuration><nodes><node id="1" uname="a"/><node id="2" uname="b"/><node id="3" uname="c"/></nodes>
<resources><primitive id="f" class="stonith" type="fence_x"/></resources><constraints><rsc_location id="l" rsc="f" node="A" score="-INFINITY"/>
<rsc_location id="m" rsc="f"><rule id="r" score="-INFINITY"><expression id="e" attribute="#uname" operation="eq" value="b"/></rule></rsc_location>
</constraints></configuration></cib>"##,
        )
        .expect("parses");
        let off: Vec<bool> = cib.configured_nodes().map(|node| cib.is_kept_off("f", node)).collect();
        assert_eq!(off, [true, true, false]);
    }
}
