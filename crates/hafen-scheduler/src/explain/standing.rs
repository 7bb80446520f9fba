//! A primitive's scores, host by host, out of the ledger.

use super::{Contribution, Standing, words};
use crate::ledger::{Entry, Ledger, Measure};
use crate::model::{Cluster, NodeIndex, ResourceId};
use crate::score::INFINITY;

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
                    reason: words::reason(entry, &|name| self.placed(name)),
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
            let cause = words::ban(entry, &|name| self.placed(name));
            if !causes.contains(&cause) && causes.len() < CAUSES_MAXIMUM {
                causes.push(cause);
            }
        }
        causes
    }
}
