//! How long it takes until everything runs again after the loss of a host, from the settings and from what was seen.

use std::collections::BTreeMap;

use hafen_cib::Cib;
use hafen_cib::views::{FencingDevice, LrmOperation, NodeState};

use crate::lose::{Gone, without_host};
use crate::plan::{Action, ActionKind, Plan};
use crate::run::schedule;

/// What the CIB does not know: when a loss is noticed, and how long fencing took so far. All times in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// After how long without a token the ring is broken (with what the number of hosts adds).
    pub token_ms: u64,
    /// How long the hosts then take at most to agree on a new ring.
    pub consensus_ms: u64,
    /// How long a whole fencing of a host took when it last succeeded, by its name.
    pub fencing_seen_ms: BTreeMap<String, u64>,
}

/// What a part of the time is spent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PartKind {
    /// Noticing that the host is lost.
    Detection,
    /// Waiting before the shot, so that two hosts do not shoot each other.
    FencingDelay,
    /// The fence devices.
    Fencing,
    /// Stopping something that has to stop first.
    Stop,
    /// Starting, promoting or moving in a resource.
    Start,
    /// Any other step.
    Other,
}

/// A part of the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it is spent on.
    pub kind: PartKind,
    /// The resource, device or mechanism.
    pub what: String,
    /// The setting that bounds it.
    pub setting: String,
    /// Milliseconds.
    pub duration_ms: u64,
    /// Whether the duration was seen; otherwise it is what the settings allow.
    pub seen: bool,
}

/// Parts, one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path {
    /// Their sum in milliseconds.
    pub total_ms: u64,
    /// The parts in their order.
    pub parts: Vec<Part>,
}

impl Path {
    fn of(parts: Vec<Part>) -> Path {
        let total_ms = parts.iter().fold(0, |sum: u64, part| sum.saturating_add(part.duration_ms));
        Path { total_ms, parts }
    }

    /// The part that takes longest; of equal ones the first.
    #[must_use]
    pub fn largest(&self) -> Option<&Part> {
        self.parts.iter().rev().max_by_key(|part| part.duration_ms)
    }
}

/// When a resource of the lost host runs again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// The resource.
    pub resource: String,
    /// The host where it starts.
    pub host: String,
    /// The time to expect: what was seen where something was seen, else what the settings allow.
    pub expected: Path,
    /// The longest that the settings allow if everything succeeds at the last moment.
    pub worst: Path,
}

/// The time to recovery after the loss of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// The host that is lost.
    pub host: String,
    /// The resources that run again, the slowest (by the expected time) first.
    pub recoveries: Vec<Recovery>,
    /// What makes the figures void or incomplete, in words.
    pub gaps: Vec<String>,
}

impl Budget {
    /// The slowest recovery.
    #[must_use]
    pub fn longest(&self) -> Option<&Recovery> {
        self.recoveries.first()
    }
}

/// Computes the time to recovery after the loss of a host. `None`: the CIB knows no such host. `now` is in seconds
/// since 1970.
///
/// The host is lost in a copy of the CIB; what the scheduler plans then says what waits for what, and the longest chain
/// of steps is the time. Bounds on how much runs at a time (`batch-limit`, `migration-limit`, load) are not counted.
#[must_use]
pub fn budget(cib: &Cib, now: u64, host: &str, timings: &Timings) -> Option<Budget> {
    let lost = without_host(cib, host, Gone::Lost)?;
    let uname =
        cib.configured_nodes().map(|node| node.uname()).find(|name| name.eq_ignore_ascii_case(host))?;
    let plan = schedule(&lost, now);
    let mut gaps = Vec::new();
    let detection = vec![
        setting_part(PartKind::Detection, "token", "token", timings.token_ms),
        setting_part(PartKind::Detection, "consensus", "consensus", timings.consensus_ms),
    ];
    let fencing = Fencing::of(cib, uname, timings, &mut gaps);
    let seen = starts_seen(cib);
    let walk = |worst: bool| {
        let begin = Path::of(detection.clone());
        longest_chains(&plan, &begin, |action| step(action, uname, &fencing, &seen, worst))
    };
    let (expected, worst) = (walk(false), walk(true));
    let mut recoveries: Vec<Recovery> = Vec::new();
    for action in &plan.actions {
        let (ActionKind::Resource { resource, task, .. }, Some(node)) = (&action.kind, &action.node) else {
            continue;
        };
        // A fence device is used whether it is started or not.
        if !matches!(task.as_str(), "start" | "promote") || resource.class == "stonith" {
            continue;
        }
        let (Some(expected), Some(worst)) = (expected.get(&action.id), worst.get(&action.id)) else {
            continue;
        };
        recoveries.push(Recovery {
            resource: resource.long_id.clone().unwrap_or_else(|| resource.id.clone()),
            host: node.uname.clone(),
            expected: expected.clone(),
            worst: worst.clone(),
        });
    }
    recoveries.sort_by(|left, right| {
        let key = |recovery: &Recovery| (recovery.expected.total_ms, recovery.worst.total_ms);
        key(right).cmp(&key(left)).then_with(|| left.resource.cmp(&right.resource))
    });
    if !plan.have_quorum {
        gaps.push("the cluster has no quorum now, so nothing would be recovered".to_owned());
    }
    Some(Budget { host: uname.to_owned(), recoveries, gaps })
}

fn setting_part(kind: PartKind, what: &str, setting: &str, duration_ms: u64) -> Part {
    Part { kind, what: what.to_owned(), setting: setting.to_owned(), duration_ms, seen: false }
}

/// The fencing of one host.
struct Fencing {
    expected: Vec<Part>,
    worst: Vec<Part>,
}

impl Fencing {
    fn of(cib: &Cib, uname: &str, timings: &Timings, gaps: &mut Vec<String>) -> Fencing {
        if !cib.property_boolean("stonith-enabled") {
            gaps.push(
                "fencing is switched off: what the host ran may be started while it still runs there"
                    .to_owned(),
            );
            return Fencing { expected: Vec::new(), worst: Vec::new() };
        }
        let action = cib.property("stonith-action").unwrap_or("reboot");
        let levels = levels_for(cib, uname);
        let mut worst = Vec::new();
        let priority_ms = cib.property_duration_ms("priority-fencing-delay");
        if priority_ms > 0 {
            let name = "priority-fencing-delay";
            worst.push(setting_part(PartKind::FencingDelay, name, name, priority_ms));
        }
        let mut expected = worst.clone();
        for (number, level) in levels.iter().enumerate() {
            for device in level {
                let (base_ms, most_ms) = device.delay_ms(uname);
                let timeout_ms = device.action_timeout_ms(cib, action);
                let setting = format!("pcmk_{action}_timeout of {} (stonith-timeout)", device.id());
                let delay = |duration_ms| {
                    let setting = format!("pcmk_delay_base and pcmk_delay_max of {}", device.id());
                    setting_part(PartKind::FencingDelay, device.id(), &setting, duration_ms)
                };
                if most_ms > 0 {
                    worst.push(delay(most_ms));
                }
                worst.push(setting_part(PartKind::Fencing, device.id(), &setting, timeout_ms));
                if number == 0 {
                    if most_ms > 0 {
                        expected.push(delay(base_ms.midpoint(most_ms)));
                    }
                    expected.push(setting_part(PartKind::Fencing, device.id(), &setting, timeout_ms));
                }
            }
        }
        let watchdog_ms = u64::try_from(cib.property_timeout_ms("stonith-watchdog-timeout")).unwrap_or(0);
        if levels.is_empty() && watchdog_ms > 0 {
            let name = "stonith-watchdog-timeout";
            worst.push(setting_part(PartKind::Fencing, "watchdog", name, watchdog_ms));
            expected = worst.clone();
        } else if levels.is_empty() {
            gaps.push(format!("no fence device shoots {uname}: what it ran is not recovered at all"));
        } else if let Some(&seen_ms) = timings.fencing_seen_ms.get(uname) {
            // What was seen holds the devices' delays too, but not that of the cluster.
            expected.retain(|part| part.what == "priority-fencing-delay");
            expected.push(Part {
                kind: PartKind::Fencing,
                what: levels
                    .first()
                    .into_iter()
                    .flatten()
                    .map(|device| device.id())
                    .collect::<Vec<_>>()
                    .join(", "),
                setting: "the fence device itself".to_owned(),
                duration_ms: seen_ms,
                seen: true,
            });
        }
        Fencing { expected, worst }
    }
}

/// The devices that shoot a host, level by level. Without a topology each device is a level of its own; those that name
/// the host come first. Levels for a pattern of names are counted for every host.
fn levels_for<'a>(cib: &'a Cib, uname: &str) -> Vec<Vec<FencingDevice<'a>>> {
    let usable: Vec<FencingDevice<'a>> =
        cib.fencing_devices().filter(|device| device.is_enabled() && device.may_target(uname)).collect();
    let mut levels: Vec<(u32, Vec<FencingDevice<'a>>)> = cib
        .fencing_levels()
        .filter(|level| level.is_for(cib, uname).unwrap_or(true))
        .map(|level| {
            let devices =
                level.devices().filter_map(|id| usable.iter().copied().find(|device| device.id() == id));
            (level.index().unwrap_or(u32::MAX), devices.collect())
        })
        .filter(|(_, devices): &(u32, Vec<_>)| !devices.is_empty())
        .collect();
    if !levels.is_empty() {
        levels.sort_by_key(|(index, _)| *index);
        return levels.into_iter().map(|(_, devices)| devices).collect();
    }
    let mut usable = usable;
    usable.sort_by_key(|device| device.listed_targets().is_none());
    usable.into_iter().map(|device| vec![device]).collect()
}

/// The longest successful start or promotion of each resource that any host's history holds, in milliseconds; by resource
/// and task.
fn starts_seen(cib: &Cib) -> BTreeMap<(String, String), u64> {
    let mut seen: BTreeMap<(String, String), u64> = BTreeMap::new();
    for state in cib.node_states().map(NodeState::new) {
        for resource in state.resources() {
            for operation in resource.operations().filter(|operation| succeeded(*operation)) {
                let Some(took_ms) =
                    operation.element().attribute("exec-time").and_then(|text| text.parse().ok())
                else {
                    continue;
                };
                let key = (resource.id().to_owned(), operation.operation().to_owned());
                let longest = seen.entry(key).or_insert(took_ms);
                *longest = took_ms.max(*longest);
            }
        }
    }
    seen
}

fn succeeded(operation: LrmOperation<'_>) -> bool {
    operation.op_status() == 0 && operation.rc_code() == 0 && operation.interval_ms() == 0
}

/// The parts of one step of the plan.
fn step(
    action: &Action,
    uname: &str,
    fencing: &Fencing,
    seen: &BTreeMap<(String, String), u64>,
    worst: bool,
) -> Vec<Part> {
    match &action.kind {
        ActionKind::Fence { target, .. } if target.uname == uname => {
            if worst {
                fencing.worst.clone()
            } else {
                fencing.expected.clone()
            }
        }
        ActionKind::Resource { resource, task, interval_ms: 0, timeout_ms, .. } => {
            let kind = match task.as_str() {
                "start" | "promote" | "migrate_from" => PartKind::Start,
                "stop" | "demote" | "migrate_to" => PartKind::Stop,
                _ => PartKind::Other,
            };
            let took = seen.get(&(resource.id.clone(), task.clone())).copied().filter(|_| !worst);
            vec![Part {
                kind,
                what: format!("{task} of {}", resource.id),
                setting: format!("timeout of {task} of {}", resource.id),
                duration_ms: took.unwrap_or(*timeout_ms),
                seen: took.is_some(),
            }]
        }
        // Monitors run beside what follows; joints take no time; the rest is the cluster's own book-keeping.
        _ => Vec::new(),
    }
}

/// For every action the longest chain of steps that ends with it.
fn longest_chains(plan: &Plan, begin: &Path, step: impl Fn(&Action) -> Vec<Part>) -> BTreeMap<u32, Path> {
    let mut chains: BTreeMap<u32, (u64, Option<u32>, Vec<Part>)> = BTreeMap::new();
    for action in plan.in_order() {
        let before = action.inputs.iter().filter_map(|input| Some((chains.get(input)?.0, *input))).max();
        let parts = step(action);
        let own = Path::of(parts);
        let (until_ms, previous) = match before {
            Some((until_ms, input)) => (until_ms, Some(input)),
            None => (begin.total_ms, None),
        };
        chains.insert(action.id, (until_ms.saturating_add(own.total_ms), previous, own.parts));
    }
    let wanted = plan.actions.iter().filter(|action| matches!(action.task(), "start" | "promote"));
    let mut paths = BTreeMap::new();
    for action in wanted {
        let mut steps: Vec<&[Part]> = Vec::new();
        let mut at = Some(action.id);
        while let Some((_, previous, parts)) = at.and_then(|id| chains.get(&id)) {
            steps.push(parts);
            at = *previous;
        }
        let mut parts = begin.parts.clone();
        parts.extend(steps.into_iter().rev().flatten().cloned());
        paths.insert(action.id, Path::of(parts));
    }
    paths
}

#[cfg(test)]
mod tests;
