//! Transient attributes as attrd keeps them: a new value may wait for further changes before it counts.

use std::collections::{BTreeMap, BTreeSet};

use hafen_protocol::HostId;
use hafen_protocol::client::{AttributeMode, AttributeReport};
use hafen_protocol::message::{Damped, DampedUpdate, DampedValue, HostStatus, Message};

use super::Node;

/// A transient attribute has at most this many bytes in its name and value together.
const ATTRIBUTE_BYTES_MAXIMUM: usize = 64 << 10;

/// However often it changes, a value waits no longer than so many times its time.
const DAMPING_ROUNDS_MAXIMUM: u64 = 5;

/// The coordinator's clock for values that wait.
#[derive(Debug, Default)]
pub(super) struct Dampings {
    /// By attribute: when its values count, and when the first of them began to wait.
    due: BTreeMap<String, (u64, u64)>,
    said: BTreeSet<String>,
}

impl Node {
    /// The coordinator lets values count whose time is over, those of all hosts and of all such attributes at once.
    pub(super) fn step_dampings(&mut self) {
        if !self.is_coordinator() {
            return;
        }
        let mut waiting: BTreeMap<String, u64> = BTreeMap::new();
        for (name, damped) in self.replica.hosts.values().flat_map(|record| &record.status.damped) {
            let wait_ms = waiting.entry(name.clone()).or_default();
            *wait_ms = damped.wait_ms.max(*wait_ms);
        }
        let now_ms = self.now.monotonic_ms;
        let dampings = &mut self.planner.dampings;
        dampings.due.retain(|name, _| waiting.contains_key(name));
        dampings.said.retain(|name| waiting.contains_key(name));
        for (name, wait_ms) in waiting {
            dampings.due.entry(name).or_insert((now_ms.saturating_add(wait_ms), now_ms));
        }
        let is_due =
            |(name, (due, _)): &(&String, &(u64, u64))| *due <= now_ms && !dampings.said.contains(*name);
        let names: BTreeSet<String> =
            dampings.due.iter().filter(is_due).map(|(name, _)| name.clone()).collect();
        if !names.is_empty() && self.say(&Message::Undamp { names: names.clone() }) {
            self.planner.dampings.said.extend(names);
        }
    }

    /// A value changed once more: it waits anew.
    fn damp_anew(&mut self, name: &str, wait_ms: u64) {
        let now_ms = self.now.monotonic_ms;
        if let Some((due, began)) = self.planner.dampings.due.get_mut(name) {
            let last = began.saturating_add(wait_ms.saturating_mul(DAMPING_ROUNDS_MAXIMUM));
            *due = now_ms.saturating_add(wait_ms).min(last);
        }
    }

    /// When the coordinator must be woken.
    pub(super) fn damping_timeout(&self) -> Option<u64> {
        let dampings = &self.planner.dampings;
        let unsaid = dampings.due.iter().filter(|(name, _)| !dampings.said.contains(*name));
        unsaid.map(|(_, (due, _))| *due).min().filter(|_| self.is_coordinator())
    }

    /// The update that a client asks for; nothing, and an answer, where it cannot be.
    pub(super) fn attribute_update(
        &mut self,
        request: u64,
        host: HostId,
        name: String,
        value: Option<String>,
        dampen_ms: Option<u64>,
        mode: AttributeMode,
    ) -> Option<DampedUpdate> {
        let bytes = name.len() + value.as_ref().map_or(0, String::len);
        if name.is_empty() || bytes > ATTRIBUTE_BYTES_MAXIMUM {
            let text = format!("an attribute's name and value have 1 to {ATTRIBUTE_BYTES_MAXIMUM} bytes");
            self.refuse(request, "invalid", text, "shorten it, or name it");
            return None;
        }
        let known = self.dampening(&name);
        let value = match (mode, value) {
            (AttributeMode::Dampening, _) => DampedValue::Keep,
            (_, Some(value)) => DampedValue::Set(value),
            (_, None) => DampedValue::Delete,
        };
        let is_new = mode != AttributeMode::Value || known.is_none();
        Some(DampedUpdate { host, name, value, dampen_ms: dampen_ms.filter(|_| is_new) })
    }

    /// How long values of an attribute wait, as some host here was told.
    fn dampening(&self, name: &str) -> Option<u64> {
        self.replica.hosts.values().filter_map(|record| record.status.dampening.get(name)).copied().max()
    }

    /// A new value is known to all: it counts now, or waits.
    pub(super) fn damped_ordered(&mut self, update: DampedUpdate, position: u64) {
        let DampedUpdate { host, name, value, dampen_ms } = update;
        let known = self.dampening(&name);
        let Some(record) = self.replica.hosts.get_mut(&host) else { return };
        if let Some(dampen_ms) = dampen_ms {
            record.status.dampening.insert(name.clone(), dampen_ms);
        }
        if host == self.identity.host {
            self.local.changed();
        }
        let wait_ms = dampen_ms.or(known).unwrap_or(0);
        if value != DampedValue::Keep {
            let current = latest(&record.status, &name);
            let value = match value {
                DampedValue::Set(value) => Some(expanded(&name, &value, current.as_deref())),
                DampedValue::Delete | DampedValue::Keep => None,
            };
            if current == value {
                return;
            }
            record.status.damped.insert(name.clone(), Damped { value, wait_ms });
            self.damp_anew(&name, wait_ms);
        }
        if wait_ms == 0 {
            self.undamp_ordered(&BTreeSet::from([name]), position);
        }
    }

    /// The waiting values of these attributes count from now on, on all hosts at once.
    pub(super) fn undamp_ordered(&mut self, names: &BTreeSet<String>, position: u64) {
        let hosts: Vec<HostId> = self.replica.hosts.keys().copied().collect();
        for host in hosts {
            let Some(record) = self.replica.hosts.get_mut(&host) else { continue };
            let waiting = std::mem::take(&mut record.status.damped);
            let (due, left): (BTreeMap<_, _>, BTreeMap<_, _>) =
                waiting.into_iter().partition(|(name, _)| names.contains(name));
            record.status.damped = left;
            let values = due.into_iter().map(|(name, damped)| (name, damped.value)).collect();
            self.attributes_ordered(host, values, None, position);
        }
    }

    /// Values as they were set last.
    pub(super) fn latest_attributes(&self, name: Option<&str>, host: Option<HostId>) -> Vec<AttributeReport> {
        let mut attributes = Vec::new();
        for (_, record) in self.replica.hosts.iter().filter(|(id, _)| host.is_none_or(|host| host == **id)) {
            let status = &record.status;
            let names: BTreeSet<&String> = status.attributes.keys().chain(status.damped.keys()).collect();
            for found in names.into_iter().filter(|found| name.is_none_or(|name| name == found.as_str())) {
                let value = latest(status, found);
                attributes.push(AttributeReport { host: record.uname.clone(), name: found.clone(), value });
            }
        }
        attributes
    }
}

/// A value as it was set last, whether or not it counts yet.
fn latest(status: &HostStatus, name: &str) -> Option<String> {
    match status.damped.get(name) {
        Some(damped) => damped.value.clone(),
        None => status.attributes.get(name).cloned(),
    }
}

/// `value++` and `value+=2` add to the number that the attribute has; anything else is the value itself.
fn expanded(name: &str, value: &str, current: Option<&str>) -> String {
    let added = match value.strip_prefix(name).or_else(|| value.strip_prefix("value")) {
        Some("++") => Some(1),
        Some(rest) => rest.strip_prefix("+=").and_then(|number| number.parse::<i64>().ok()),
        None => None,
    };
    match added {
        Some(added) => {
            let number = current.and_then(|current| current.parse::<i64>().ok()).unwrap_or(0);
            number.saturating_add(added).clamp(-1_000_000, 1_000_000).to_string()
        }
        None => value.to_owned(),
    }
}
