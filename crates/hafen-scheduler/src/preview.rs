//! What a change of the configuration would make the cluster do, in words, before it is made.

use std::fmt;

use hafen_cib::Cib;

use crate::date::Seconds;
use crate::forecast::{Fate, Hindrance};
use crate::model::{Cluster, Role, Variant};
use crate::output::transition::Verb;
use crate::run::{self, Options};

/// What a change leads to. What the cluster is about to do anyway is not told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preview {
    /// What happens to hosts and resources: fencing first.
    pub consequences: Vec<Consequence>,
    /// What would run nowhere, though it is configured to run.
    pub idle: Vec<Idle>,
    /// What is wrong with the changed configuration, and is not with the present one.
    pub warnings: Vec<String>,
}

/// What happens to a host or a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consequence {
    /// What happens, as in `crm_simulate`'s summary of a transition: `Start`, `Stop`, `Restart`, `Recover`, `Move`, `Migrate`,
    /// `Promote`, `Demote`, `Re-promote`, `Reload`, `Fence (reboot)`, `Fence (off)`.
    pub verb: String,
    /// The resource's or the host's name.
    pub subject: String,
    /// Where it is now.
    pub from: Option<String>,
    /// Where it will be.
    pub to: Option<String>,
    /// Why, where that is known.
    pub reason: Option<String>,
    /// It is wanted, and cannot be done now.
    pub is_blocked: bool,
    /// Something that runs is interrupted: it stops, for a while or for good, or its host is fenced.
    pub interrupts: bool,
}

/// A resource that would run nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idle {
    /// Its name.
    pub resource: String,
    /// Where it runs now.
    pub from: Vec<String>,
    /// Why, host by host.
    pub reasons: Vec<Hindrance>,
}

impl Preview {
    /// Whether something that runs is stopped, or a host fenced.
    #[must_use]
    pub fn interrupts(&self) -> bool {
        self.consequences.iter().any(|consequence| consequence.interrupts)
    }

    /// Whether nothing at all comes of it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.consequences.is_empty() && self.idle.is_empty() && self.warnings.is_empty()
    }
}

impl fmt::Display for Consequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.subject)?;
        match (&self.from, &self.to) {
            (Some(from), Some(to)) if from == to => write!(f, " on {from}")?,
            (Some(from), Some(to)) => write!(f, " from {from} to {to}")?,
            (Some(host), None) | (None, Some(host)) => write!(f, " on {host}")?,
            (None, None) => {}
        }
        if let Some(reason) = &self.reason {
            write!(f, ", due to {reason}")?;
        }
        if self.is_blocked { f.write_str(" (cannot be done now)") } else { Ok(()) }
    }
}

impl fmt::Display for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} would run nowhere", self.resource)?;
        let reasons: Vec<String> = self.reasons.iter().map(Hindrance::to_string).collect();
        if reasons.is_empty() { Ok(()) } else { write!(f, ": {}", reasons.join("; ")) }
    }
}

impl fmt::Display for Hindrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(host) = &self.host {
            write!(f, "{host}: ")?;
        }
        f.write_str(&self.reason)?;
        match &self.source {
            Some(source) if !source.is_empty() => write!(f, " ({source})"),
            _ => Ok(()),
        }
    }
}

/// Plans for a CIB and for the changed one, both with the status as it is. `now` is in seconds since 1970.
#[must_use]
pub fn preview(before: &Cib, after: &Cib, now: u64) -> Preview {
    let now = Seconds::try_from(now).unwrap_or(Seconds::MAX);
    let mut present = run::unpack(before, now, Options::default());
    present.run_all();
    let mut changed = run::unpack(after, now, Options { explain: true, ..Options::default() });
    changed.run_all();
    let due = present.consequences();
    let mut consequences = changed.consequences();
    consequences.retain(|consequence| !due.contains(consequence));
    let idle = changed.idle_unlike(&present);
    let known = present.build_plan().warnings;
    let mut warnings = changed.build_plan().warnings;
    warnings.retain(|warning| !known.contains(warning));
    Preview { consequences, idle, warnings }
}

impl Verb {
    /// Whether what runs stops, for a while at least.
    fn interrupts(self) -> bool {
        match self {
            Verb::Stop | Verb::Restart | Verb::Recover | Verb::Move | Verb::Demote | Verb::RePromote => true,
            Verb::Start | Verb::Migrate | Verb::Promote | Verb::Reload => false,
        }
    }
}

impl Cluster<'_> {
    fn consequences(&self) -> Vec<Consequence> {
        let name = |node| self.node(node).uname.clone();
        let fencings = self.node_changes().into_iter().map(|change| Consequence {
            verb: change.task,
            subject: name(change.node),
            from: None,
            to: None,
            reason: change.reason,
            is_blocked: false,
            interrupts: true,
        });
        let mut all: Vec<Consequence> = fencings.collect();
        for change in self.changes() {
            let (reason, is_blocked) = self.why(&change);
            all.push(Consequence {
                verb: change.verb.word().to_owned(),
                subject: self.shared_name(change.resource),
                from: change.from.map(name),
                to: change.to.map(name),
                reason,
                is_blocked,
                interrupts: change.verb.interrupts() && change.from.is_some() && !is_blocked,
            });
        }
        all
    }

    /// What runs nowhere here, and does in another plan, or is not known there.
    fn idle_unlike(&self, present: &Cluster<'_>) -> Vec<Idle> {
        let (planned, running, before) = (self.places_planned(), self.places_now(), present.places_planned());
        let mut idle = Vec::new();
        for resource in self.resource_ids() {
            let name = self.shared_name(resource);
            let is_new = !present.resource_ids().any(|known| present.shared_name(known) == name);
            let known = self.rsc(resource);
            let is_told = idle.iter().any(|idle: &Idle| idle.resource == name);
            let is_to_run = known.variant == Variant::Primitive
                && !known.orphan
                && self.target_role(resource) != Some(Role::Stopped);
            if !is_to_run || planned.contains_key(&name) || is_told {
                continue;
            }
            if !is_new && !before.contains_key(&name) {
                continue;
            }
            if let Fate::Nowhere { reasons } = self.fate(&name, None, &[]) {
                let from = running.get(&name).map(|(hosts, _)| hosts.clone()).unwrap_or_default();
                idle.push(Idle { resource: name, from, reasons });
            }
        }
        idle
    }
}

#[cfg(test)]
mod tests;
