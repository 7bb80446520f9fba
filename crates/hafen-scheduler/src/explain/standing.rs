//! A primitive's scores, host by host, out of the ledger.

use super::{Contribution, Standing, words};
use crate::ledger::{Entry, Ledger, Measure, Reason};
use crate::model::{Cluster, NodeIndex, ResourceId};
use crate::score::{self, INFINITY};

impl Cluster<'_> {
    /// Where a resource, or all that is in it, is to run.
    pub(super) fn planned_hosts(&self, resource: ResourceId) -> Vec<String> {
        let nodes = self.assigned_nodes(resource);
        nodes.into_iter().map(|node| self.node(node).uname.clone()).collect()
    }

    fn placed(&self, name: &str) -> Option<String> {
        let hosts = self.planned_hosts(*self.by_id.get(name)?);
        (!hosts.is_empty()).then(|| words::list(&hosts))
    }

    /// The best host first; those that can run nothing, or where nothing allows it, last.
    pub(super) fn standings(&self, resource: ResourceId, ledger: &Ledger) -> Vec<Standing> {
        let known = self.rsc(resource);
        let counted = ledger.decision(&known.id).map_or(ledger.entries.len(), |decision| decision.entries);
        let entries: Vec<&Entry> = ledger.entries[..counted.min(ledger.entries.len())]
            .iter()
            .filter(|entry| entry.resource == known.id)
            .collect();
        // Promotion is decided after all places are.
        let promotion: Vec<&Entry> = ledger
            .entries
            .iter()
            .filter(|entry| entry.measure == Measure::Promotion && entry.resource == known.id)
            .collect();
        let mut standings: Vec<Standing> = self
            .node_indices()
            .filter(|node| !self.node(*node).ping)
            .map(|node| self.standing(resource, node, &entries, &promotion))
            .collect();
        standings.sort_by_key(|standing| {
            let score = standing.score.unwrap_or(-INFINITY);
            (!standing.chosen, standing.unavailable.is_some(), standing.score.is_none(), -score)
        });
        standings
    }

    fn standing(
        &self,
        resource: ResourceId,
        node: NodeIndex,
        entries: &[&Entry],
        promotion: &[&Entry],
    ) -> Standing {
        let known = self.rsc(resource);
        let host = &self.node(node).uname;
        let of = |entries: &[&Entry], measure: Measure| {
            let mut after = 0;
            let mine = entries.iter().filter(|entry| entry.measure == measure && entry.node == *host);
            mine.map(|entry| {
                after = entry.change.apply(after);
                Contribution {
                    change: entry.change,
                    after,
                    source: entry.source.clone(),
                    rule: entry.rule.clone(),
                    reason: self.told(resource, node, entry, false),
                }
            })
            .collect::<Vec<_>>()
        };
        let contributions = of(entries, Measure::Placement);
        let promotion_contributions = of(promotion, Measure::Promotion);
        let score = contributions.last().map_or(0, |last| last.after);
        let promotable = self.is_promotable_part(resource) && !promotion_contributions.is_empty();
        Standing {
            host: host.clone(),
            runs_here: known.running_on.contains(&node),
            chosen: known.assigned_to == Some(node) && known.next_role.is_active(),
            unavailable: self.unavailable(node),
            score: known.allowed.get(node.at()).is_some_and(|weight| weight.present).then_some(score),
            promotion: promotable.then(|| promotion_contributions.last().map_or(0, |last| last.after)),
            contributions,
            promotion_contributions,
        }
    }

    /// Why a score changed, with the figures behind it; `ban`: as the rest of "it may not run there: ...".
    fn told(&self, resource: ResourceId, node: NodeIndex, entry: &Entry, ban: bool) -> String {
        let figures = match entry.reason {
            Reason::FailureThreshold => self.failures_in_figures(resource, node),
            Reason::Capacity => self.lack_in_figures(resource, node),
            _ => None,
        };
        figures.unwrap_or_else(|| match ban {
            true => words::ban(entry, &|name| self.placed(name)),
            false => words::reason(entry, &|name| self.placed(name)),
        })
    }

    /// Nothing where it is another part of the same clone that failed.
    fn failures_in_figures(&self, resource: ResourceId, node: NodeIndex) -> Option<String> {
        let count = self.recorded_failures(resource, node).count;
        let threshold = self.rsc(resource).migration_threshold;
        let (failures, allowed) = (score::text(count), score::text(threshold));
        (count >= threshold)
            .then(|| format!("its failure count there is {failures}, and its migration-threshold {allowed}"))
    }

    /// Nothing where it would fit alone, but not with what has to run with it.
    fn lack_in_figures(&self, resource: ResourceId, node: NodeIndex) -> Option<String> {
        let capacity = &self.node(node).utilization;
        let left =
            |name: &str| capacity.iter().find(|(known, _)| known == name).map_or(0, |(_, amount)| *amount);
        let needs = self.rsc(resource).utilization.iter();
        let lacking = needs.filter(|(name, need)| *need > left(name));
        let lacking: Vec<String> =
            lacking.map(|(name, need)| format!("{need} of {name}, and {} is left", left(name))).collect();
        (!lacking.is_empty()).then(|| format!("it needs {} (utilization)", lacking.join("; ")))
    }

    /// What keeps a primitive from a host, in words: the host's state, else what bans it, else what outweighs.
    pub(super) fn obstacles(
        &self,
        resource: ResourceId,
        standing: &Standing,
        ledger: &Ledger,
    ) -> Vec<String> {
        /// So many causes are given for a host.
        const CAUSES_MAXIMUM: usize = 3;
        if let Some(why) = standing.unavailable {
            return vec![why.to_owned()];
        }
        let Some(score) = standing.score else {
            return vec!["no location constraint allows it there (symmetric-cluster=false)".to_owned()];
        };
        if score >= 0 {
            return Vec::new();
        }
        let id = &self.rsc(resource).id;
        let entries = ledger.of(id, &standing.host, Measure::Placement);
        let amount = |entry: &Entry| match entry.change {
            crate::ledger::Change::Add(amount) | crate::ledger::Change::Set(amount) => amount,
        };
        let negative: Vec<&Entry> = entries.filter(|entry| amount(entry) < 0).collect();
        let bans = negative.iter().any(|entry| amount(entry) <= -INFINITY);
        let mut causes: Vec<String> = Vec::new();
        for entry in negative.into_iter().filter(|entry| !bans || amount(entry) <= -INFINITY) {
            let Some(node) = self.node_by_name(&standing.host) else { continue };
            let cause = self.told(resource, node, entry, true);
            if !causes.contains(&cause) && causes.len() < CAUSES_MAXIMUM {
                causes.push(cause);
            }
        }
        causes
    }
}
