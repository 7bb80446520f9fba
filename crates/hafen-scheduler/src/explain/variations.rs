//! What would change the decision, found by scheduling variations of the CIB.

use std::collections::{BTreeMap, BTreeSet};

use hafen_cib::Cib;

use super::candidates::{from_hosts, from_ledger, general, hindrances, sticking, stopped_primaries};
use super::{Edit, words};
use crate::date::Seconds;
use crate::input::status::base_name;
use crate::ledger::{Ledger, Measure};
use crate::model::{Cluster, NodeIndex, ResourceId, Role, Task, Variant};
use crate::run::{self, Options};
use crate::score::INFINITY;

/// How often the scheduler is run for one explanation, at most.
pub const RUNS_MAXIMUM: usize = 64;

/// What would happen under another condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counterfactual {
    /// The condition.
    pub edit: Edit,
    /// It in words.
    pub condition: String,
    /// What would happen, in words.
    pub outcome: String,
    /// What would happen to others that were not asked about, in words; empty where nothing would.
    pub side_effects: String,
    /// Where what was asked about would run then.
    pub hosts: Vec<String>,
}

/// What was found.
#[derive(Default)]
pub(super) struct Found {
    pub(super) counterfactuals: Vec<Counterfactual>,
    pub(super) runs: usize,
    pub(super) complete: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    host: String,
    promoted: bool,
    waits: bool,
}

/// Where everything of interest is to run; interchangeable instances are one.
type Places = BTreeMap<String, Vec<Place>>;

impl Cluster<'_> {
    fn places(&self) -> Places {
        let mut places = Places::new();
        for resource in self.resource_ids() {
            let known = self.rsc(resource);
            if known.variant != Variant::Primitive {
                continue;
            }
            let here = places.entry(self.shared_name(resource)).or_default();
            let Some(node) = known.assigned_to.filter(|_| known.next_role.is_active()) else { continue };
            let waits = !known.running_on.contains(&node)
                && known.actions.iter().map(|action| self.act(*action)).any(|action| {
                    action.task == Task::Start && action.node == Some(node) && !action.runnable
                });
            let promoted = known.next_role == Role::Promoted;
            here.push(Place { host: self.node(node).uname.clone(), promoted, waits });
        }
        for here in places.values_mut() {
            here.sort();
        }
        places
    }
}

/// Where everything would be under another condition.
#[derive(Clone, Debug)]
struct Fate {
    /// What was asked about.
    places: Places,
    /// What was not asked about, as far as it would be elsewhere.
    others: Places,
}

/// So many side effects are told one by one.
const SIDE_EFFECTS_TOLD: usize = 3;

struct Search<'s> {
    cib: &'s Cib,
    now: Seconds,
    names: BTreeSet<String>,
    base: Places,
    /// Where everything else is to run.
    others: Places,
    running: BTreeMap<String, BTreeSet<String>>,
    tried: BTreeMap<Edit, Option<Fate>>,
    found: Found,
    host: Option<String>,
}

impl Search<'_> {
    /// Where everything would be; nothing when there is nothing to change, or no run left.
    fn fate(&mut self, edit: &Edit) -> Option<Fate> {
        if let Some(known) = self.tried.get(edit) {
            return known.clone();
        }
        if self.found.runs >= RUNS_MAXIMUM {
            self.found.complete = false;
            return None;
        }
        let fate = edit.apply(self.cib).map(|changed| {
            self.found.runs += 1;
            let mut cluster = run::unpack(&changed, self.now, Options::default());
            cluster.run_all();
            let mut places = cluster.places();
            let mut others = split_off(&mut places, &self.names);
            others.retain(|name, then| self.others.get(name).is_some_and(|before| before != then));
            Fate { places, others }
        });
        self.tried.insert(edit.clone(), fate.clone());
        fate
    }

    fn places(&mut self, edit: &Edit) -> Option<Places> {
        self.fate(edit).map(|fate| fate.places)
    }

    /// Whether an edit changes what is of interest: where a host is asked about, what comes to run there.
    fn changes(&mut self, edit: &Edit) -> bool {
        let Some(places) = self.places(edit) else { return false };
        match &self.host {
            Some(host) if !is_there(&self.base, host) => is_there(&places, host),
            // To wait elsewhere is no change that anybody would ask about.
            _ if all_wait(&self.base) && all_wait(&places) => false,
            _ => places != self.base && !self.goes_on_without(edit, &places),
        }
    }

    /// Whether a host is lost, and its instances with it, and nothing takes their place.
    fn goes_on_without(&self, edit: &Edit, places: &Places) -> bool {
        let Edit::Lost { host } = edit else { return false };
        self.base.iter().all(|(name, before)| {
            let left: Vec<&Place> = before.iter().filter(|place| place.host != *host).collect();
            (!left.is_empty() || before.is_empty())
                && places.get(name).is_some_and(|then| then.iter().collect::<Vec<_>>() == left)
        })
    }

    fn attempt(&mut self, edit: Edit) -> bool {
        let counts = self.changes(&edit);
        if counts && let Some(Fate { places, others }) = self.fate(&edit) {
            let hosts: BTreeSet<&String> = places.values().flatten().map(|place| &place.host).collect();
            let counterfactual = Counterfactual {
                condition: edit.words(),
                outcome: self.outcome(&places).0,
                // That a lost host's resources go elsewhere goes without saying.
                side_effects: match edit {
                    Edit::Lost { .. } => String::new(),
                    _ => self.side_effects(&others),
                },
                hosts: hosts.into_iter().cloned().collect(),
                edit,
            };
            if !self.found.counterfactuals.contains(&counterfactual) {
                self.found.counterfactuals.push(counterfactual);
            }
        }
        counts
    }

    /// The least value at which an edit has an effect, if it has one at the greatest. Effects are taken to grow with the
    /// value. `guess` is where the scores say that it should be.
    fn least(&mut self, edit: &dyn Fn(i64) -> Edit, smallest: i64, greatest: i64, guess: i64) -> Option<i64> {
        if !self.changes(&edit(greatest)) {
            return None;
        }
        let (mut without, mut with) = (smallest - 1, greatest);
        for near in [guess, guess + 1, guess - 1] {
            if near > without && near < with {
                if self.changes(&edit(near)) { with = near } else { without = near }
            }
        }
        while with - without > 1 && self.found.runs < RUNS_MAXIMUM {
            let middle = without + (with - without) / 2;
            if self.changes(&edit(middle)) { with = middle } else { without = middle }
        }
        (with - without <= 1).then_some(with)
    }

    /// How places differ from those that are planned, and how many do.
    fn outcome(&self, places: &Places) -> (String, usize) {
        let mut sentences: Vec<(String, Vec<String>)> = Vec::new();
        for (name, then) in places {
            let before = self.base.get(name).or_else(|| self.others.get(name));
            let before = before.map(Vec::as_slice).unwrap_or_default();
            if before == then.as_slice() {
                continue;
            }
            let words = self.difference(name, before, then);
            match sentences.iter_mut().find(|(known, _)| *known == words) {
                Some((_, names)) => names.push(name.clone()),
                None => sentences.push((words, vec![name.clone()])),
            }
        }
        let count = sentences.iter().map(|(_, names)| names.len()).sum();
        let text = sentences.into_iter().map(|(words, names)| format!("{} {words}", words::list(&names)));
        (text.collect::<Vec<_>>().join("; "), count)
    }

    fn side_effects(&self, others: &Places) -> String {
        let hosts = |places: &[Place]| places.iter().map(|place| place.host.clone()).collect::<Vec<_>>();
        let moved = |(name, then): &(&String, &Vec<Place>)| {
            let before = hosts(self.others.get(*name).map_or(&[], Vec::as_slice));
            let runs = self.running.get(*name).is_some_and(|running| !running.is_empty());
            // What only waits, or no longer does, is where it was; what only starts elsewhere is no loss.
            before != hosts(then) && (runs || before.is_empty() || then.is_empty())
        };
        let moved: Vec<(&String, &Vec<Place>)> = others.iter().filter(moved).collect();
        let told: Places = moved
            .iter()
            .take(SIDE_EFFECTS_TOLD)
            .map(|(name, then)| ((*name).clone(), (*then).clone()))
            .collect();
        let (text, count) = self.outcome(&told);
        match moved.len().saturating_sub(count) {
            0 => text,
            1 => format!("{text}; one more would run elsewhere"),
            more => format!("{text}; {more} more would run elsewhere"),
        }
    }

    fn difference(&self, name: &str, before: &[Place], then: &[Place]) -> String {
        let hosts = |places: &[Place]| places.iter().map(|place| place.host.clone()).collect::<Vec<_>>();
        let promoted = |places: &[Place]| {
            let those = places.iter().filter(|place| place.promoted);
            those.map(|place| place.host.clone()).collect::<Vec<_>>()
        };
        let (had, has) = (hosts(before), hosts(then));
        let gained: Vec<String> = has.iter().filter(|host| !had.contains(host)).cloned().collect();
        let lost: Vec<String> = had.iter().filter(|host| !has.contains(host)).cloned().collect();
        let none = BTreeSet::new();
        let running = self.running.get(name).unwrap_or(&none);
        let mut parts = Vec::new();
        if !gained.is_empty() {
            let to = words::list(&gained);
            let waits = then.iter().any(|place| gained.contains(&place.host) && place.waits);
            parts.push(match () {
                () if gained.iter().all(|host| running.contains(host)) => format!("would stay on {to}"),
                () if !lost.is_empty() && had.len() > 1 => {
                    format!("would run on {to} instead of {}", words::list(&lost))
                }
                () if waits => format!("would be placed on {to}, but have to wait"),
                () if running.is_empty() => format!("would start on {to}"),
                () if had.len() > 1 || (lost.is_empty() && !had.is_empty()) => {
                    format!("would also run on {to}")
                }
                () => format!("would move to {to}"),
            });
        } else if !lost.is_empty() {
            parts.push(match has.is_empty() {
                true => "would run nowhere".to_owned(),
                false => format!("would not run on {}", words::list(&lost)),
            });
        }
        let (was, is) = (promoted(before), promoted(then));
        if was != is {
            parts.push(match (was.is_empty(), is.is_empty()) {
                (_, true) => "would be promoted nowhere".to_owned(),
                (true, false) => format!("would be promoted on {}", words::list(&is)),
                (false, false) => {
                    format!("would be promoted on {} instead of {}", words::list(&is), words::list(&was))
                }
            });
        }
        if parts.is_empty() {
            let waits = then.iter().any(|place| place.waits);
            let more = if has.len() == had.len() { "as planned" } else { "in another number" };
            parts.push(match (waits, running.is_empty()) {
                (true, _) => "would have to wait".to_owned(),
                (false, true) => format!("would start on {}", words::list(&has)),
                (false, false) => format!("would run on {}, {more}", words::list(&has)),
            });
        }
        parts.join(", and ")
    }
}

/// Leaves the places of these names, and gives those of the others.
fn split_off(places: &mut Places, names: &BTreeSet<String>) -> Places {
    let all = std::mem::take(places);
    let (asked, others) = all.into_iter().partition(|(name, _)| names.contains(name));
    *places = asked;
    for name in names {
        places.entry(name.clone()).or_default();
    }
    others
}

fn is_there(places: &Places, host: &str) -> bool {
    places.values().flatten().any(|place| place.host == host && !place.waits)
}

fn all_wait(places: &Places) -> bool {
    places.values().any(|places| !places.is_empty()) && places.values().flatten().all(|place| place.waits)
}

/// Looks for what would change where the parts run.
pub(super) fn search(
    cib: &Cib,
    now: Seconds,
    cluster: &Cluster<'_>,
    parts: &[ResourceId],
    host: Option<NodeIndex>,
    ledger: &Ledger,
) -> Found {
    let names: BTreeSet<String> = parts.iter().map(|part| cluster.shared_name(*part)).collect();
    let mut running: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for resource in cluster.resource_ids() {
        let hosts = cluster.rsc(resource).running_on.iter().map(|node| cluster.node(*node).uname.clone());
        running.entry(cluster.shared_name(resource)).or_default().extend(hosts);
    }
    let mut base = cluster.places();
    let mut others = split_off(&mut base, &names);
    // Where a fence device is monitored from is of no interest.
    for device in cluster.resource_ids().filter(|resource| cluster.rsc(*resource).class == "stonith") {
        others.remove(&cluster.shared_name(device));
    }
    let mut search = Search {
        cib,
        now,
        base,
        others,
        names,
        running,
        tried: BTreeMap::new(),
        found: Found { complete: true, ..Found::default() },
        host: host.map(|node| cluster.node(node).uname.clone()),
    };
    let mut general = general(cluster, parts);
    general.extend(stopped_primaries(cluster, parts, ledger));
    for edit in &general {
        search.attempt(edit.clone());
    }
    try_stickiness(&mut search, cluster, parts);
    let specific = from_ledger(cluster, parts, ledger, search.host.as_deref());
    for edit in &specific {
        search.attempt(edit.clone());
    }
    let states = from_hosts(cluster, parts, search.host.as_deref());
    for edit in &states {
        search.attempt(edit.clone());
    }
    try_room(&mut search, cluster, parts);
    if let Some(asked) = search.host.clone() {
        try_preference(&mut search, cluster, parts, &asked, ledger);
        if search.found.counterfactuals.is_empty() && !is_there(&search.base, &asked) {
            let mut all = general;
            all.extend(hindrances(cluster, parts, ledger, &asked));
            all.extend(states.into_iter().filter(|edit| !matches!(edit, Edit::Lost { .. })));
            let top = cluster.rsc(cluster.top_of(parts[0])).id.clone();
            try_together(&mut search, all, &top, &asked);
        }
    }
    search.found
}

fn try_stickiness(search: &mut Search<'_>, cluster: &Cluster<'_>, parts: &[ResourceId]) {
    let sticking = sticking(cluster, parts);
    let held = sticking.iter().map(|part| cluster.rsc(*part).stickiness).max().unwrap_or(0);
    if held <= 0 || search.running.values().all(BTreeSet::is_empty) {
        return;
    }
    let primitives: Vec<String> =
        sticking.iter().map(|part| base_name(&cluster.rsc(*part).id).to_owned()).collect();
    let edit = |less: i64| Edit::StickinessUnder {
        primitives: primitives.clone(),
        bound: i32::try_from(i64::from(held) - less + 1).unwrap_or(1),
    };
    let known = cluster.rsc(parts[0]);
    let guess = known.assigned_to.map_or(0, |node| {
        let others =
            cluster.node_indices().filter(|other| *other != node && cluster.node(*other).available());
        let best = others.map(|other| known.allowed[other.at()].score).max().unwrap_or(-INFINITY);
        i64::from(known.assigned_score) - i64::from(best)
    });
    if let Some(less) = search.least(&edit, 1, i64::from(held), guess) {
        search.attempt(edit(less));
    }
}

/// What has to change together for it to run on the host: as little as does.
fn try_together(search: &mut Search<'_>, mut needed: Vec<Edit>, resource: &str, host: &str) {
    let prefer = |score: i64| Edit::Prefer {
        resource: resource.to_owned(),
        host: host.to_owned(),
        score: i32::try_from(score).unwrap_or(INFINITY),
    };
    needed.push(prefer(i64::from(INFINITY)));
    if !search.changes(&Edit::All(needed.clone())) {
        return;
    }
    let mut at = 0;
    while at < needed.len() && needed.len() > 1 {
        let mut fewer = needed.clone();
        fewer.remove(at);
        if search.changes(&Edit::All(fewer.clone())) { needed = fewer } else { at += 1 }
    }
    if matches!(needed.last(), Some(Edit::Prefer { .. })) {
        needed.pop();
        let with = |score: i64| Edit::All(needed.iter().cloned().chain([prefer(score)]).collect());
        if let Some(score) = search.least(&with, 1, i64::from(INFINITY), 1) {
            search.attempt(with(score));
        }
    } else {
        search.attempt(Edit::All(needed));
    }
}

/// Where nothing was placed for want of room: how much would do.
fn try_room(search: &mut Search<'_>, cluster: &Cluster<'_>, parts: &[ResourceId]) {
    if cluster.properties.placement == crate::model::Placement::Default {
        return;
    }
    for part in parts {
        let known = cluster.rsc(*part);
        for (name, need) in known.utilization.iter().filter(|(_, need)| *need > 0) {
            for node in &cluster.nodes {
                let asked =
                    search.host.as_deref().map_or(known.assigned_to.is_none(), |host| node.uname == host);
                let chosen = known.assigned_to.is_some_and(|at| cluster.node(at).uname == node.uname);
                if !asked || chosen || !node.available() {
                    continue;
                }
                let configured = search.cib.configured_node(&node.uname);
                let has = configured
                    .and_then(|node| node.utilization().get(name).and_then(crate::score::leading_integer))
                    .unwrap_or(0);
                let edit = |amount: i64| Edit::Room { host: node.uname.clone(), name: name.clone(), amount };
                if let Some(amount) = search.least(&edit, has + 1, has.saturating_add(*need), *need) {
                    search.attempt(edit(amount));
                }
            }
        }
    }
}

/// How much a location constraint would have to prefer the host.
fn try_preference(
    search: &mut Search<'_>,
    cluster: &Cluster<'_>,
    parts: &[ResourceId],
    host: &str,
    ledger: &Ledger,
) {
    if is_there(&search.base, host) {
        return;
    }
    // The first member draws the others.
    let first = sticking(cluster, parts).first().copied().unwrap_or(parts[0]);
    let known = cluster.rsc(first);
    let top = cluster.rsc(cluster.top_of(parts[0])).id.clone();
    let there = ledger.score(&known.id, host, Measure::Placement);
    let guess = i64::from(known.assigned_score) - i64::from(there);
    let edit = |score: i64| Edit::Prefer {
        resource: top.clone(),
        host: host.to_owned(),
        score: i32::try_from(score).unwrap_or(INFINITY),
    };
    if let Some(score) = search.least(&edit, 1, i64::from(INFINITY), guess) {
        search.attempt(edit(score));
    }
}
