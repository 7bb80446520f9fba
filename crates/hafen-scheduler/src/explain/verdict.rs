//! The answer in a sentence: what a primitive does, what it is to do, and why it does not.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hafen_cib::Element;

use super::{Part, Standing, words};
use crate::input::status::base_name;
use crate::ledger::Ledger;
use crate::model::{ActionId, Cluster, NoQuorumPolicy, NodeIndex, ResourceId, Role, Task};
use crate::order::relation::UNRUNNABLE_FIRST_BLOCKS;

/// So many actions are looked at to find what another waits for.
const LOOKED_AT_MAXIMUM: usize = 500;
/// So many of them are named.
const WAITS_NAMED_MAXIMUM: usize = 4;

impl Cluster<'_> {
    /// What concerns everything.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.hold_still {
            let note = "Fencing is enabled (stonith-enabled), and there is no fence device: nothing is started or stopped.";
            notes.push(note.to_owned());
        }
        if !self.properties.have_quorum {
            let what = match self.properties.no_quorum {
                NoQuorumPolicy::Stop => "all resources are stopped (no-quorum-policy=stop)",
                NoQuorumPolicy::Freeze => {
                    "what runs goes on, and nothing is started (no-quorum-policy=freeze)"
                }
                NoQuorumPolicy::Ignore => "that is ignored (no-quorum-policy=ignore)",
                NoQuorumPolicy::Demote => {
                    "promoted instances are demoted, and the rest is stopped (no-quorum-policy=demote)"
                }
                NoQuorumPolicy::Suicide => "all hosts here are fenced (no-quorum-policy=fence)",
            };
            notes.push(format!("There is no quorum: {what}."));
        }
        if self.properties.maintenance {
            notes.push("The cluster is in maintenance (maintenance-mode=true).".to_owned());
        }
        if self.properties.stop_all {
            notes.push("Everything is to be stopped (stop-all-resources=true).".to_owned());
        }
        notes
    }

    pub(super) fn part(
        &self,
        resource: ResourceId,
        role: Role,
        hosts: Vec<Standing>,
        asked: Option<NodeIndex>,
        ledger: &Ledger,
    ) -> Part {
        let known = self.rsc(resource);
        let planned = known.assigned_to.filter(|_| known.next_role.is_active());
        let (headline, mut because) = self.verdict(resource, role, planned, &hosts, ledger);
        if let Some(node) = asked.filter(|node| planned != Some(*node)) {
            let host = &self.node(node).uname;
            let standing = hosts.iter().find(|standing| standing.host == *host);
            let why = standing.map(|standing| self.obstacles(resource, standing, ledger)).unwrap_or_default();
            because.extend(self.why_not(host, &why, standing, planned, &hosts));
        }
        Part {
            resource: known.id.clone(),
            running_on: known.running_on.iter().map(|node| self.node(*node).uname.clone()).collect(),
            role: words::role(role),
            planned_on: planned.map(|node| self.node(node).uname.clone()),
            planned_role: words::role(known.next_role),
            headline,
            because,
            hosts,
        }
    }

    fn why_not(
        &self,
        host: &str,
        why: &[String],
        standing: Option<&Standing>,
        planned: Option<NodeIndex>,
        hosts: &[Standing],
    ) -> Option<String> {
        if !why.is_empty() {
            return Some(format!("It may not run on {host}: {}.", why.join("; ")));
        }
        let planned = &self.node(planned?).uname;
        let there = standing?.score?;
        let here = hosts.iter().find(|standing| standing.host == *planned)?.score?;
        let text = |score: i32| crate::score::text(score);
        Some(if here > there {
            format!(
                "It could run on {host}, but {planned} is preferred: {} against {}.",
                text(here),
                text(there)
            )
        } else {
            format!("It could run on {host} just as well ({}): {planned} was taken.", text(there))
        })
    }

    /// The required (or impossible) action of a task, on a node if one is given.
    fn step(&self, resource: ResourceId, task: Task, node: Option<NodeIndex>) -> Option<ActionId> {
        self.rsc(resource).actions.iter().copied().find(|action| {
            let known = self.act(*action);
            known.task == task && !known.pseudo && !known.optional && (node.is_none() || known.node == node)
        })
    }

    fn verdict(
        &self,
        resource: ResourceId,
        role: Role,
        planned: Option<NodeIndex>,
        hosts: &[Standing],
        ledger: &Ledger,
    ) -> (String, Vec<String>) {
        let known = self.rsc(resource);
        let id = &known.id;
        let running: Vec<String> =
            known.running_on.iter().map(|node| self.node(*node).uname.clone()).collect();
        let at = words::list(&running);
        let now = if running.is_empty() { "does not run".to_owned() } else { format!("runs on {at}") };
        if known.blocked && !running.is_empty() {
            let why = "An operation of it failed, and fencing cannot mend that, or is not to (on-fail): nothing is done with it until its failure is cleaned up.";
            return (format!("{id} is blocked on {at}."), vec![why.to_owned()]);
        }
        if !known.managed {
            let why = format!("It is not managed, because {}.", self.why_unmanaged(resource));
            return (format!("{id} {now}, and is left as it is."), vec![why]);
        }
        match (running.is_empty(), planned) {
            (true, None) => self.stays_stopped(resource, hosts, ledger),
            (true, Some(node)) => self.starts(resource, node),
            (false, None) => {
                let (_, because) = self.stays_stopped(resource, hosts, ledger);
                let stop = self.step(resource, Task::Stop, None);
                let done = match stop.map(|stop| self.act(stop).runnable) {
                    Some(false) => "should be stopped, but cannot be now",
                    _ => "is stopped",
                };
                (format!("{id} runs on {at}, and {done}."), because)
            }
            (false, Some(node)) if known.running_on.contains(&node) && running.len() == 1 => {
                self.remains(resource, role, node)
            }
            (false, Some(node)) => self.moves(resource, &at, node),
        }
    }

    fn why_unmanaged(&self, resource: ResourceId) -> String {
        let known = self.rsc(resource);
        let host = known.running_on.iter().find(|node| self.node(**node).maintenance);
        if self.hold_still {
            "fencing is enabled, and there is no fence device".to_owned()
        } else if self.properties.maintenance {
            "the cluster is in maintenance (maintenance-mode)".to_owned()
        } else if let Some(host) = host {
            format!("{} is in maintenance", self.node(*host).uname)
        } else if known.maintenance {
            "it is in maintenance (its meta attribute maintenance)".to_owned()
        } else if known.orphan {
            "it is no longer configured, and such resources are not stopped (stop-orphan-resources)"
                .to_owned()
        } else if !self.properties.managed_default && !known.meta.contains_key("is-managed") {
            "is-managed-default is false".to_owned()
        } else {
            "is-managed is false".to_owned()
        }
    }

    fn stays_stopped(
        &self,
        resource: ResourceId,
        hosts: &[Standing],
        ledger: &Ledger,
    ) -> (String, Vec<String>) {
        let known = self.rsc(resource);
        let id = &known.id;
        let idle = |why: &str| (format!("{id} does not run, and is not to."), vec![why.to_owned()]);
        if known.orphan {
            return idle("It is no longer configured.");
        }
        if self.target_role(resource) == Some(Role::Stopped) {
            return idle("It is configured to be stopped (target-role=Stopped).");
        }
        if self.properties.stop_all && !known.stonith_device {
            return idle("Everything is configured to be stopped (stop-all-resources=true).");
        }
        let mut by_cause: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut order: Vec<String> = Vec::new();
        let mut open = Vec::new();
        for standing in hosts {
            let causes = self.obstacles(resource, standing, ledger);
            if causes.is_empty() {
                open.push(standing.host.clone());
                continue;
            }
            let cause = causes.join("; ");
            if !order.contains(&cause) {
                order.push(cause.clone());
            }
            by_cause.entry(cause).or_default().push(standing.host.clone());
        }
        let mut because: Vec<String> = order
            .iter()
            .map(|cause| match by_cause.get(cause) {
                Some(on) if on.len() == hosts.len() && on.len() > 1 => format!("On every host: {cause}."),
                Some(on) => format!("On {}: {cause}.", words::list(on)),
                None => String::new(),
            })
            .collect();
        if !open.is_empty() {
            because.push(format!("On {}: what it depends on is not placed.", words::list(&open)));
        }
        (format!("{id} can run nowhere."), because)
    }

    fn starts(&self, resource: ResourceId, node: NodeIndex) -> (String, Vec<String>) {
        let (id, host) = (&self.rsc(resource).id, &self.node(node).uname);
        let impossible = self.rsc(resource).actions.iter().copied().find(|action| {
            let known = self.act(*action);
            known.task == Task::Start && known.node == Some(node) && !known.runnable
        });
        let Some(start) = impossible.or_else(|| self.step(resource, Task::Start, Some(node))) else {
            return (format!("{id} does not run; its place is {host}."), Vec::new());
        };
        if !self.act(start).runnable {
            let why = self.why_impossible(start);
            return (format!("{id} does not run. It should start on {host}, but cannot yet."), why);
        }
        let promoted =
            if self.rsc(resource).next_role == Role::Promoted { ", and is promoted there" } else { "" };
        (format!("{id} does not run yet; it starts on {host}{promoted}."), self.what_comes_before(start))
    }

    fn remains(&self, resource: ResourceId, role: Role, node: NodeIndex) -> (String, Vec<String>) {
        let known = self.rsc(resource);
        let (id, host) = (&known.id, &self.node(node).uname);
        if let Some(stop) = self.step(resource, Task::Stop, Some(node)) {
            let start = self.step(resource, Task::Start, Some(node));
            let mut because: Vec<String> = Vec::new();
            let reasons = [Some(stop), start].into_iter().flatten().filter_map(|step| self.reason_text(step));
            because.extend(reasons.take(1).map(|reason| format!("The reason: {reason}.")));
            if let Some(blocked) =
                [Some(stop), start].into_iter().flatten().find(|step| !self.act(*step).runnable)
            {
                because.extend(self.why_impossible(blocked));
                let end = if blocked == stop { "cannot be stopped yet" } else { "cannot be started again" };
                return (format!("{id} runs on {host}. It is to be restarted there, but {end}."), because);
            }
            because.extend(start.map(|start| self.what_comes_before(start)).unwrap_or_default());
            return (format!("{id} runs on {host}, and is restarted there."), because);
        }
        let step = |task| self.step(resource, task, Some(node));
        if let Some(promote) = step(Task::Promote) {
            if !self.act(promote).runnable {
                let why = self.why_impossible(promote);
                return (
                    format!("{id} runs on {host}. It should be promoted there, but cannot be yet."),
                    why,
                );
            }
            return (format!("{id} runs on {host}, and is promoted there."), self.what_comes_before(promote));
        }
        if let Some(demote) = step(Task::Demote) {
            let reason = self.reason_text(demote);
            let because = reason.map(|reason| format!("The reason: {reason}.")).into_iter().collect();
            return (format!("{id} runs on {host}, and is demoted there."), because);
        }
        if step(Task::ReloadAgent).is_some() {
            let because = vec!["Parameters changed that its agent can take in while it runs.".to_owned()];
            return (format!("{id} runs on {host}, and is reloaded."), because);
        }
        let how = match role {
            Role::Promoted => " promoted",
            Role::Unpromoted => " unpromoted",
            _ => "",
        };
        (format!("{id} runs{how} on {host}, as it should."), Vec::new())
    }

    fn moves(&self, resource: ResourceId, from: &str, node: NodeIndex) -> (String, Vec<String>) {
        let (id, host) = (&self.rsc(resource).id, &self.node(node).uname);
        if self.rsc(resource).running_on.len() > 1 {
            let because =
                vec!["It is active on several hosts (multiple-active says what is done).".to_owned()];
            return (format!("{id} runs on {from}, and is to run on {host} alone."), because);
        }
        if self.step(resource, Task::MigrateTo, None).is_some() {
            return (format!("{id} runs on {from}, and moves to {host}, live."), Vec::new());
        }
        let lost = self.rsc(resource).running_on.iter().any(|from| self.node(*from).unclean);
        let stop = self.step(resource, Task::Stop, None).filter(|stop| !self.act(*stop).runnable && !lost);
        let start = self.step(resource, Task::Start, Some(node));
        if let Some(blocked) = stop.or(start.filter(|start| !self.act(*start).runnable)) {
            let headline = format!("{id} runs on {from}. It should move to {host}, but cannot yet.");
            return (headline, self.why_impossible(blocked));
        }
        let waits = start.map(|start| self.what_comes_before(start)).unwrap_or_default();
        if lost {
            return (format!("{id} ran on {from}, which is to be fenced; then it starts on {host}."), waits);
        }
        (format!("{id} runs on {from}, and moves to {host}: it is stopped, and started there."), waits)
    }

    /// Why an action is not possible: down to what is at the bottom of it.
    fn why_impossible(&self, action: ActionId) -> Vec<String> {
        let mut sentences: Vec<String> = Vec::new();
        let mut seen = BTreeSet::new();
        let (mut at, mut shown) = (action, action);
        while seen.insert(at) && sentences.len() < WAITS_NAMED_MAXIMUM {
            let known = self.act(at);
            let first = known
                .before
                .iter()
                .find(|(first, flags)| flags & UNRUNNABLE_FIRST_BLOCKS != 0 && !self.act(*first).runnable)
                .map(|(first, _)| *first);
            let Some(first) = first else {
                let stopped = known.resource.and_then(|resource| self.target_role(resource));
                let reason = match (self.reason_text(at), known.node) {
                    (_, None) if stopped == Some(Role::Stopped) => {
                        "it is configured to be stopped (target-role=Stopped)".to_owned()
                    }
                    _ if !self.properties.have_quorum => "there is no quorum".to_owned(),
                    (_, Some(node)) if self.unavailable(node).is_some() => {
                        self.unavailable(node).unwrap_or_default().to_owned()
                    }
                    (Some(reason), _) => reason,
                    (None, None) => "it can run nowhere".to_owned(),
                    (None, Some(_)) => "it is not possible now".to_owned(),
                };
                sentences
                    .push(words::sentence(&format!("{} is not possible: {reason}.", self.step_name(at))));
                break;
            };
            if !self.act(first).pseudo {
                let (this, other) = (self.step_name(shown), self.step_name(first));
                let by = self.order_constraint(first, shown).map(|id| format!(" (order constraint {id})"));
                let sentence = format!("{this} waits for {other}{}.", by.unwrap_or_default());
                sentences.push(words::sentence(&sentence));
                shown = first;
            }
            at = first;
        }
        sentences
    }

    /// The order constraint that relates the resources of two actions, or what contains them.
    fn order_constraint(&self, first: ActionId, then: ActionId) -> Option<String> {
        let names = |action: ActionId| {
            let chain = std::iter::successors(self.act(action).resource, |id| self.rsc(*id).parent);
            chain.map(|id| base_name(&self.rsc(id).id).to_owned()).collect::<BTreeSet<_>>()
        };
        let (first, then) = (names(first), names(then));
        let in_set = |order: &Element<'_>, names: &BTreeSet<String>| {
            let mut members = order.descendants().filter(|part| part.name() == "resource_ref");
            members.any(|member| member.id().is_some_and(|id| names.contains(id)))
        };
        let related = |order: &Element<'_>| match (order.attribute("first"), order.attribute("then")) {
            (Some(one), Some(other)) => first.contains(one) && then.contains(other),
            _ => in_set(order, &first) && in_set(order, &then),
        };
        let mut orders = self.document.root().descendants().filter(|part| part.name() == "rsc_order");
        orders.find(related)?.id().map(str::to_owned)
    }

    fn step_name(&self, action: ActionId) -> String {
        let known = self.act(action);
        let on = known.node.map(|node| format!(" on {}", self.node(node).uname)).unwrap_or_default();
        match (known.resource, known.task) {
            (_, Task::Fence) => format!("the fencing of{}", on.trim_start_matches(" on")),
            (Some(resource), task) => {
                format!("the {} of {}{on}", self.task_name(task), self.rsc(resource).id)
            }
            (None, _) => self.key_of(action),
        }
    }

    /// What has to be done before an action that is possible: what is nearest to it.
    fn what_comes_before(&self, action: ActionId) -> Vec<String> {
        let own = self.act(action).resource;
        let mut seen = BTreeSet::from([action]);
        let mut open = VecDeque::from([action]);
        let mut found: Vec<String> = Vec::new();
        while let Some(at) = open.pop_front() {
            for (first, flags) in &self.act(at).before {
                if *flags == 0 || self.act(*first).optional || !seen.insert(*first) {
                    continue;
                }
                let known = self.act(*first);
                let counts = known.task == Task::Fence
                    || (!known.pseudo
                        && known.resource.is_some()
                        && known.resource != own
                        && known.interval_ms == 0);
                let name = self.step_name(*first);
                if counts && known.task != Task::Monitor && !found.contains(&name) {
                    found.push(name);
                } else if seen.len() < LOOKED_AT_MAXIMUM {
                    open.push_back(*first);
                }
            }
        }
        if found.is_empty() {
            return Vec::new();
        }
        let more = found.len().saturating_sub(WAITS_NAMED_MAXIMUM);
        found.truncate(WAITS_NAMED_MAXIMUM);
        if more > 0 {
            found.push(format!("{more} more"));
        }
        vec![format!("Before that comes {}.", words::list(&found))]
    }
}
