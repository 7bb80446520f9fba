//! A configured fence device and its `pcmk_*` parameters.

use std::collections::BTreeMap;

use hafen_cib::values::parse_timeout_ms;
use hafen_cib::views::Resource;
use hafen_protocol::message::FenceDevice;

/// A fence device.
#[derive(Debug, Clone, Copy)]
pub(super) struct Device<'a> {
    resource: Resource<'a>,
}

impl<'a> Device<'a> {
    pub(super) fn new(resource: Resource<'a>) -> Device<'a> {
        Device { resource }
    }

    pub(super) fn id(&self) -> &'a str {
        self.resource.id()
    }

    /// A device with `target-role=Stopped` is never used.
    pub(super) fn is_enabled(&self) -> bool {
        !self.resource.meta("target-role").is_some_and(|role| role.eq_ignore_ascii_case("Stopped"))
    }

    /// Whether the device can fence that node, as far as its configuration tells. What a device answers to `list` or
    /// `status` is not asked beforehand: where only that decides, it counts as able, and says so when it is tried.
    pub(super) fn can_fence(&self, uname: &str) -> bool {
        let has_list =
            self.parameter("pcmk_host_list").is_some() || self.parameter("pcmk_host_map").is_some();
        match self.parameter("pcmk_host_check") {
            Some("none" | "dynamic-list" | "status") => true,
            Some("static-list") => self.names(uname),
            _ => !has_list || self.names(uname),
        }
    }

    /// Whether `pcmk_host_list` or `pcmk_host_map` names the node.
    pub(super) fn names(&self, uname: &str) -> bool {
        let list = self.parameter("pcmk_host_list").unwrap_or("");
        let is_separator = |c: char| c == ',' || c == ';' || c.is_whitespace();
        list.split(is_separator).any(|name| name.eq_ignore_ascii_case(uname)) || self.mapped(uname).is_some()
    }

    /// Whether the device is told to reboot by another action.
    pub(super) fn reboots_by(&self, action: &str) -> bool {
        self.parameter("pcmk_reboot_action") == Some(action)
    }

    /// The device's own time-out for an action, in milliseconds.
    pub(super) fn timeout_ms(&self, action: &str) -> Option<u64> {
        let timeout = parse_timeout_ms(self.parameter(&format!("pcmk_{action}_timeout"))?)?;
        u64::try_from(timeout).ok()
    }

    /// What the member that fences has to know.
    pub(super) fn for_target(&self, uname: &str) -> FenceDevice {
        let port = self.mapped(uname).unwrap_or_else(|| uname.to_owned());
        let own = self.resource.instance_attributes().into_iter();
        let mut parameters: BTreeMap<String, String> = own
            .filter(|(name, _)| !name.starts_with("pcmk_"))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        if let Some(argument) = self.parameter("pcmk_host_argument")
            && !matches!(argument, "none" | "port" | "plug")
        {
            parameters.insert(argument.to_owned(), port.clone());
        }
        FenceDevice {
            id: self.id().to_owned(),
            agent: self.resource.agent_type().to_owned(),
            parameters,
            port,
            actions: BTreeMap::new(),
        }
    }

    fn parameter(&self, name: &str) -> Option<&'a str> {
        self.resource.instance_attribute(name)
    }

    /// The port of the node in `pcmk_host_map` (`node1:1;node2:2,3`); a backslash takes its meaning from a separator.
    fn mapped(&self, uname: &str) -> Option<String> {
        let map = self.parameter("pcmk_host_map")?;
        let mut entry = Entry::default();
        for c in map.chars().chain(";".chars()) {
            if let Some((name, port)) = entry.take(c)
                && name.eq_ignore_ascii_case(uname)
            {
                return Some(port);
            }
        }
        None
    }
}

/// An entry of a host map that is being read.
#[derive(Default)]
struct Entry {
    name: String,
    port: Option<String>,
    is_escaped: bool,
}

impl Entry {
    /// Takes a character; gives the entry that it ends.
    fn take(&mut self, c: char) -> Option<(String, String)> {
        let escaped = std::mem::take(&mut self.is_escaped);
        match c {
            '\\' if !escaped => self.is_escaped = true,
            ';' | ' ' | '\t' | '\n' if !escaped => {
                let entry = std::mem::take(self);
                return entry.port.map(|port| (entry.name, port));
            }
            ':' | '=' if !escaped && self.port.is_none() => self.port = Some(String::new()),
            c => self.port.as_mut().unwrap_or(&mut self.name).push(c),
        }
        None
    }
}
