//! What is wrong, in sentences, the worst first.

use std::collections::{BTreeMap, BTreeSet};

use hafen_protocol::client::{FailedOperation, FenceOutcome, FenceRecord};
use hafen_scheduler::{execution_status, exit_status, readable};

use crate::look::Look;
use crate::picture::{Picture, look_of_host, word_of_host};
use crate::text;

/// So many resources that do not run have a line each; more share one.
const RESOURCES_APART_MAXIMUM: usize = 3;
/// So many names are told in a line.
const NAMES_MAXIMUM: usize = 40;

/// Something that is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) look: Look,
    /// What it is, in a line.
    pub(crate) text: String,
    /// What else is known of it.
    pub(crate) details: Vec<String>,
    /// The resource that it is about, if it is about one.
    pub(crate) resource: Option<String>,
}

impl Trouble {
    fn new(look: Look, text: impl Into<String>) -> Self {
        Self { look, text: text.into(), ..Self::default() }
    }
}

/// All that is wrong. `moment` words a time in milliseconds since 1970.
pub(crate) fn troubles(picture: &Picture, moment: &dyn Fn(u64) -> String) -> Vec<Trouble> {
    let status = &picture.status;
    let mut all = Vec::new();
    if let Some(lost) = &status.bus_lost {
        all.push(Trouble::new(
            Look::Wrong,
            format!("NO CLUSTER: {} has lost the others: {lost}", status.host),
        ));
    } else if !status.quorate {
        let text = "NO QUORUM: most hosts are away, and what no-quorum-policy says is done";
        all.push(Trouble::new(Look::Wrong, text));
    }
    if status.coordinator.is_none() && status.bus_lost.is_none() {
        all.push(Trouble::new(Look::Wrong, "NO COORDINATOR: nobody decides at the moment"));
    }
    hosts(picture, &mut all);
    fencings(picture, moment, &mut all);
    resources(picture, &mut all);
    for failures in alike(&status.failed_operations) {
        all.extend(of_failures(picture, &failures, moment));
    }
    if picture.is_in_maintenance {
        all.push(Trouble::new(
            Look::Warn,
            "MAINTENANCE: the cluster leaves everything alone (maintenance-mode)",
        ));
    }
    all.extend(status.warnings.iter().map(|text| Trouble::new(Look::Warn, format!("WARNING: {text}"))));
    all.extend(
        status.leftovers.iter().map(|text| Trouble::new(Look::Warn, format!("LEFT BY A MOVE: {text}"))),
    );
    all.sort_by_key(|trouble| std::cmp::Reverse(trouble.look));
    all
}

fn hosts(picture: &Picture, all: &mut Vec<Trouble>) {
    for host in &picture.status.hosts {
        let look = look_of_host(host);
        if look < Look::Busy {
            continue;
        }
        let reason = if host.reason.is_empty() { String::new() } else { format!(": {}", host.reason) };
        all.push(Trouble::new(look, format!("HOST {} is {}{reason}", host.name, word_of_host(host))));
    }
}

/// The newest fencing of each host that did not succeed.
fn fencings(picture: &Picture, moment: &dyn Fn(u64) -> String, all: &mut Vec<Trouble>) {
    let mut known = BTreeSet::new();
    for record in picture.fencings.iter().rev() {
        if !known.insert(&record.target) || record.outcome == FenceOutcome::Succeeded {
            continue;
        }
        let (look, text) = fencing_words(record);
        all.push(Trouble { details: fencing_details(record, moment), ..Trouble::new(look, text) });
    }
}

/// A fencing in a line.
pub(crate) fn fencing_words(record: &FenceRecord) -> (Look, String) {
    let FenceRecord { target, action, .. } = record;
    let by =
        record.by.as_ref().map_or_else(|| ", by a human's word".to_owned(), |host| format!(", by {host}"));
    let error = record.error.as_ref().map_or_else(String::new, |error| format!(": {error}"));
    match record.outcome {
        FenceOutcome::Pending => (Look::Busy, format!("FENCING {target} ({action}) is under way{by}")),
        FenceOutcome::Succeeded => (Look::Good, format!("Fencing of {target} ({action}) succeeded{by}")),
        FenceOutcome::TooWeak => {
            let text = format!("FENCING of {target} ({action}) proves too little{by}{error}");
            (Look::Wrong, text)
        }
        FenceOutcome::Failed => (Look::Wrong, format!("FENCING of {target} ({action}) FAILED{by}{error}")),
        FenceOutcome::Unknown => {
            (Look::Warn, format!("FENCING of {target} ({action}): nobody knows how it ended{by}{error}"))
        }
    }
}

/// Why, when, and what the devices answered.
pub(crate) fn fencing_details(record: &FenceRecord, moment: &dyn Fn(u64) -> String) -> Vec<String> {
    let mut details = vec![format!("because {}", record.cause)];
    details.extend(record.origin.as_ref().map(|origin| format!("asked for by {origin}")));
    let ended = record.ended_ms.map_or_else(String::new, |at| format!(", ended {}", moment(at)));
    details.push(format!("began {}{ended}", moment(record.began_ms)));
    for tried in &record.tried {
        let word = if tried.succeeded { "succeeded" } else { "failed" };
        details.push(format!("device {} {word}: {}", tried.device, tried.answer));
    }
    details
}

/// What is broken, where no failure on record tells it.
fn resources(picture: &Picture, all: &mut Vec<Trouble>) {
    let (mut idle, mut lost) = (Vec::new(), BTreeMap::<&str, Vec<&str>>::new());
    let wrong = picture.resources.iter().zip(&picture.looks).filter(|(_, look)| **look == Look::Wrong);
    for (resource, _) in wrong.filter(|(resource, _)| resource.is_primitive) {
        let id = &resource.id;
        let hosts = resource.hosts.join(", ");
        let text = if resource.marks.contains(&"blocked") {
            format!("RESOURCE {id} is BLOCKED on {hosts}: the cluster must not go on with it")
        } else if resource.has_failed {
            if picture.failures_of(resource).next().is_some() {
                continue;
            }
            format!("RESOURCE {id} has FAILED on {hosts}")
        } else if resource.hosts.is_empty() {
            idle.push(resource);
            continue;
        } else if resource.hosts.len() > 1 {
            format!("RESOURCE {id} runs on {} hosts at once: {hosts}", resource.hosts.len())
        } else {
            lost.entry(resource.hosts.first().map_or("", String::as_str)).or_default().push(id);
            continue;
        };
        all.push(Trouble { resource: Some(resource.name.clone()), ..Trouble::new(Look::Wrong, text) });
    }
    for (host, ids) in lost {
        let text = format!("WAITING until {host} is fenced, to be recovered: {}", names(&ids));
        all.push(Trouble::new(Look::Wrong, text));
    }
    if idle.len() > RESOURCES_APART_MAXIMUM {
        let ids: Vec<&str> = idle.iter().map(|resource| resource.id.as_str()).collect();
        all.push(Trouble::new(Look::Wrong, format!("{} RESOURCES DO NOT RUN: {}", ids.len(), names(&ids))));
        return;
    }
    all.extend(idle.into_iter().map(|resource| {
        let text = format!("RESOURCE {} DOES NOT RUN (choose it and press e to see why)", resource.id);
        Trouble { resource: Some(resource.name.clone()), ..Trouble::new(Look::Wrong, text) }
    }));
}

/// As many names as are told in a line.
fn names(ids: &[&str]) -> String {
    let more = ids.len().saturating_sub(NAMES_MAXIMUM);
    let told: Vec<&str> = ids.iter().take(NAMES_MAXIMUM).copied().collect();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    told.join(", ") + &more
}

/// Failures that are alike but for the host, in the order of the first of each.
fn alike(failures: &[FailedOperation]) -> Vec<Vec<&FailedOperation>> {
    fn kind(one: &FailedOperation) -> (&str, &str, u64, i32, i32, &str) {
        (&one.resource, &one.task, one.interval_ms, one.rc, one.op_status, &one.reason)
    }
    let mut places = BTreeMap::new();
    let mut groups: Vec<Vec<&FailedOperation>> = Vec::new();
    for failure in failures {
        let place = *places.entry(kind(failure)).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.push(failure),
            None => groups.push(vec![failure]),
        }
    }
    groups
}

/// What failed alike on some hosts.
fn of_failures(
    picture: &Picture,
    failures: &[&FailedOperation],
    moment: &dyn Fn(u64) -> String,
) -> Option<Trouble> {
    let first = failures.first()?;
    let mut its = picture.resources.iter().enumerate().filter(|(_, one)| one.history == first.resource);
    let known = its.next();
    // What still stands in the way is broken; what was mended since is only on record.
    let is_broken = known.into_iter().chain(its).any(|(at, one)| {
        let is_meant = |failure: &&FailedOperation| one.hosts.is_empty() || one.hosts.contains(&failure.host);
        picture.looks.get(at) == Some(&Look::Wrong) && failures.iter().any(is_meant)
    });
    let mut details = Vec::new();
    for failure in failures {
        let place = if failures.len() > 1 { format!("{}: ", failure.host) } else { String::new() };
        let when = moment(failure.at.saturating_mul(1000));
        let wrote = if failure.output.is_empty() { "; it wrote nothing" } else { "; it wrote:" };
        details.push(format!("{place}{when}, after {}{wrote}", readable(failure.took_ms)));
        details.extend(failure.output.lines().map(|line| format!("| {}", text::clean(line))));
    }
    let hosts: Vec<&str> = failures.iter().map(|failure| failure.host.as_str()).collect();
    Some(Trouble {
        look: if is_broken || first.task == "stop" { Look::Wrong } else { Look::Warn },
        text: format!("FAILED: {}", words_on(first, &names(&hosts))),
        details,
        resource: known.map(|(_, one)| one.name.clone()),
    })
}

/// A failed operation in a line: what, where, how, why.
#[must_use]
pub fn failure_words(failure: &FailedOperation) -> String {
    words_on(failure, &failure.host)
}

fn words_on(failure: &FailedOperation, hosts: &str) -> String {
    let task = match (failure.task.as_str(), failure.interval_ms) {
        ("monitor", 0) => "probe",
        ("asyncmon", _) => "a look from outside",
        (task, _) => task,
    };
    let how = match failure.op_status {
        0 => format!("{} ({})", exit_status(failure.rc), failure.rc),
        status => execution_status(status).to_owned(),
    };
    let reason = if failure.reason.is_empty() { String::new() } else { format!(": {}", failure.reason) };
    format!("{task} of {} on {hosts}: {how}{reason}", failure.resource)
}
