//! Fence devices as they are written when a cluster is set up: where they may run, and who wins when two hosts shoot at once.
//!
//! A device that shoots one host is kept off that host by a location rule. And the shot at the host with the lowest number
//! waits: when two hosts lose sight of each other and both shoot, the lower-numbered one has shot the other before that one's
//! wait is over.

use std::collections::BTreeMap;

use crate::SetupError;
use crate::corosync_conf::NodeEntry;

/// How long the shot at the lowest-numbered host waits, in seconds: longer than a switch takes for its work.
pub const DELAY_SECONDS_DEFAULT: u32 = 5;

/// A fence device as it is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its id in the configuration.
    pub id: String,
    /// Its agent without its class: `fence_ipmilan`, `external/rackpdu`.
    pub agent: String,
    /// Its parameters.
    pub parameters: BTreeMap<String, String>,
    /// The hosts that it shoots; empty: the device's own parameters say so, or it is asked.
    pub shoots: Vec<String>,
}

/// What is written for a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceXml {
    /// For the section `resources`.
    pub resource: String,
    /// For the section `constraints`.
    pub constraints: Vec<String>,
}

impl Device {
    /// Reads `AGENT[:name=value,...]`. `host_list` or `pcmk_host_list` says whom it shoots.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn parse(text: &str) -> Result<Self, SetupError> {
        let wrong = |what: String| {
            let mend = "Write it as AGENT:name=value,name=value, such as fence_ipmilan:ip=10.0.0.9,pcmk_host_list=host1";
            SetupError::input(format!("the fence device '{text}' cannot be read: {what}"), mend)
        };
        // The agent may have a class and a provider of its own kind: `stonith:external/ssh:hostlist=a`.
        let plain = text.strip_prefix("stonith:").unwrap_or(text);
        let (agent, rest) = plain.split_once(':').unwrap_or((plain, ""));
        let letter = |char: char| char.is_ascii_alphanumeric() || "_-./".contains(char);
        if agent.is_empty() || !agent.chars().all(letter) || agent.contains("..") {
            return Err(wrong(format!("'{agent}' is no name of an agent")));
        }
        let mut parameters = BTreeMap::new();
        for pair in split_pairs(rest) {
            let (name, value) =
                pair.split_once('=').ok_or_else(|| wrong(format!("'{pair}' is not name=value")))?;
            let name = name.trim();
            if name.is_empty()
                || !name.chars().all(|char| char.is_ascii_alphanumeric() || "_-".contains(char))
            {
                return Err(wrong(format!("'{name}' is no name of a parameter")));
            }
            if parameters.insert(name.to_owned(), value.to_owned()).is_some() {
                return Err(wrong(format!("'{name}' is there twice")));
            }
        }
        let shoots = parameters
            .get("pcmk_host_list")
            .map(|list| {
                list.split([' ', ';', ',']).filter(|name| !name.is_empty()).map(str::to_owned).collect()
            })
            .unwrap_or_default();
        let id = format!("fence-{}", agent.trim_start_matches("fence_").replace(['/', '.'], "-"));
        Ok(Self { id, agent: agent.to_owned(), parameters, shoots })
    }

    /// The device with its location rules and its delay, for these hosts.
    pub fn xml(&self, hosts: &[NodeEntry], delay_seconds: u32) -> DeviceXml {
        let mut parameters = self.parameters.clone();
        if let Some(delay) = self.delay(hosts, delay_seconds) {
            parameters.entry("pcmk_delay_base".to_owned()).or_insert(delay);
        }
        let id = escape(&self.id);
        let mut resource =
            format!("<primitive id=\"{id}\" class=\"stonith\" type=\"{}\">", escape(&self.agent));
        resource.push_str(&format!("<instance_attributes id=\"{id}-instance_attributes\">"));
        for (name, value) in &parameters {
            resource.push_str(&format!(
                "<nvpair id=\"{id}-instance_attributes-{name}\" name=\"{name}\" value=\"{}\"/>",
                escape(value)
            ));
        }
        resource.push_str("</instance_attributes><operations>");
        resource.push_str(&format!("<op id=\"{id}-monitor-60s\" name=\"monitor\" interval=\"60s\"/>"));
        resource.push_str("</operations></primitive>");
        let constraints = match self.shoots.as_slice() {
            [target] => {
                let target = escape(target);
                vec![format!(
                    "<rsc_location id=\"location-{id}-not-on-{target}\" rsc=\"{id}\" node=\"{target}\" score=\"-INFINITY\"/>"
                )]
            }
            _ => Vec::new(),
        };
        DeviceXml { resource, constraints }
    }

    /// The delay of the shot at the host with the lowest number; in Pacemaker's form by target where the device shoots others
    /// too.
    fn delay(&self, hosts: &[NodeEntry], seconds: u32) -> Option<String> {
        let first = hosts.iter().min_by_key(|node| node.id)?;
        match self.shoots.as_slice() {
            [target] => (*target == first.name).then(|| format!("{seconds}s")),
            [] => Some(format!("{}:{seconds}s", first.name)),
            several => several.contains(&first.name).then(|| format!("{}:{seconds}s", first.name)),
        }
    }
}

/// A text as the value of an XML attribute.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            char if char.is_control() => escaped.push_str(&format!("&#{};", u32::from(char))),
            char => escaped.push(char),
        }
    }
    escaped
}

/// Splits at commas, but not at `\,`, which stands for a comma.
fn split_pairs(text: &str) -> Vec<String> {
    let mut pairs = vec![String::new()];
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        let escaped = char == '\\' && chars.peek() == Some(&',');
        match (char, pairs.last_mut()) {
            (',', _) => pairs.push(String::new()),
            (_, Some(last)) if escaped => last.extend(chars.next()),
            (char, Some(last)) => last.push(char),
            (_, None) => {}
        }
    }
    pairs.retain(|pair| !pair.trim().is_empty());
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts() -> Vec<NodeEntry> {
        [(2, "host2"), (1, "host1")]
            .map(|(id, name)| NodeEntry { id, name: name.to_owned(), addresses: BTreeMap::new() })
            .to_vec()
    }

    #[test]
    fn a_device_of_one_host_is_kept_off_it_and_the_lowest_host_wins() {
        let device = Device::parse("fence_ipmilan:ip=10.0.0.1,pcmk_host_list=host1,password=a\\,<b").unwrap();
        let xml = device.xml(&hosts(), 5);
        assert!(xml.resource.contains("name=\"pcmk_delay_base\" value=\"5s\""), "{}", xml.resource);
        assert!(xml.resource.contains("value=\"a,&lt;b\""), "{}", xml.resource);
        assert!(xml.constraints[0].contains("node=\"host1\" score=\"-INFINITY\""));
        let second = Device::parse("fence_ipmilan:pcmk_host_list=host2").unwrap().xml(&hosts(), 5);
        assert!(!second.resource.contains("pcmk_delay_base"), "{}", second.resource);
    }

    #[test]
    fn a_device_of_several_hosts_delays_the_shot_at_the_lowest() {
        for text in ["external/rackpdu:pduip=x,hostlist=AUTO", "stonith:fence_apc:pcmk_host_list=host1 host2"]
        {
            let xml = Device::parse(text).unwrap().xml(&hosts(), 7);
            assert!(xml.resource.contains("value=\"host1:7s\""), "{}", xml.resource);
            assert!(xml.constraints.is_empty());
        }
        let own = Device::parse("fence_apc:pcmk_delay_base=1s").unwrap().xml(&hosts(), 7);
        assert!(own.resource.contains("value=\"1s\"") && !own.resource.contains("7s"));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for text in ["", ":a=b", "fence x", "fence_a:b", "fence_a:a=1,a=2", "../../bin/sh", "fence_a:<=1"] {
            assert!(Device::parse(text).is_err(), "{text}");
        }
    }
}
