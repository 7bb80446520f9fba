//! Half-finished live migrations, as two nodes' histories show them.
//!
//! A migration is three operations: `migrate_to` at the source, `migrate_from` at the target, `stop` at the source. Without
//! the second it is partial, without the third it dangles; and either node's history may have gone on since.

use hafen_cib::xml::Element;

use super::history::NodeHistory;
use super::record::{Record, compare_age, rc, status};
use crate::model::{Cluster, NodeIndex, ResourceId, Role};

/// The nodes of a migration; a name that no node has is remembered as such.
#[derive(Clone, Copy)]
struct Ends<'a> {
    source: &'a str,
    target: &'a str,
    source_node: Option<NodeIndex>,
    target_node: Option<NodeIndex>,
}

/// One end of a migration.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Source,
    Target,
}

impl<'a> Ends<'a> {
    fn node(&self, end: End) -> Option<NodeIndex> {
        match end {
            End::Source => self.source_node,
            End::Target => self.target_node,
        }
    }
}

impl<'a> Cluster<'a> {
    /// A migration away from here was accepted; whether it arrived, the target's history knows.
    pub(crate) fn unpack_migrated_away(&mut self, history: &mut NodeHistory<'a>, left: &Record<'a>) {
        let resource = history.resource;
        let Some(ends) = self.migration_ends(left) else { return };
        let source_went_on = self.acted_after(resource, ends.source_node, left, true);
        let arrival =
            self.find_operation(resource, ends.target_node, "migrate_from", Some(ends.source), None);
        if arrival.is_some() && source_went_on {
            return;
        }
        let target_went_on = self.state_after(resource, &ends, End::Target, Some(left), arrival.as_ref());
        if source_went_on && target_went_on {
            return;
        }
        if arrival.is_some_and(|arrival| arrival.status == status::DONE && arrival.rc == rc::OK) {
            self.rsc_mut(resource).role = Role::Stopped;
            self.rsc_mut(resource).dangling_migrations.push(history.node);
            return;
        }
        self.rsc_mut(resource).role = Role::Started;
        let online = ends.target_node.filter(|target| self.node(*target).online);
        let active_there = online.filter(|_| !target_went_on);
        if arrival.is_some_and(|arrival| arrival.status != status::PENDING) {
            match active_there {
                Some(target) => self.add_running(resource, target),
                None => self.needs_recovery(resource),
            }
            return;
        }
        if online.is_some_and(|target| !self.is_known_on(resource, target)) {
            // Nothing at all is known there: most likely it was cleaned up. A probe will tell.
            return;
        }
        if let Some(target) = active_there {
            self.add_running(resource, target);
            if let Some(source) = ends.source_node.filter(|source| self.node(*source).online) {
                self.rsc_mut(resource).migration_target = Some(target);
                self.rsc_mut(resource).migration_source = Some(source);
            }
        } else if !source_went_on {
            self.needs_recovery(resource);
        }
    }

    /// It is neither here nor there.
    fn needs_recovery(&mut self, resource: ResourceId) {
        let known = self.rsc_mut(resource);
        known.failed = true;
        known.stop_on_fail = true;
        known.allow_migrate = false;
    }

    /// A migration away from here failed: the resource stays, and may be half there.
    pub(crate) fn unpack_failed_to_leave(&mut self, history: &mut NodeHistory<'a>, left: &Record<'a>) {
        let resource = history.resource;
        let Some(ends) = self.migration_ends(left) else { return };
        self.rsc_mut(resource).role = Role::Started;
        let arrival =
            self.find_operation(resource, ends.target_node, "migrate_from", Some(ends.source), Some(rc::OK));
        let known_there = ends.target_node.is_some_and(|target| self.is_known_on(resource, target));
        if known_there && !self.state_after(resource, &ends, End::Target, Some(left), arrival.as_ref()) {
            if let Some(target) = ends.target_node.filter(|target| self.node(*target).online) {
                self.add_running(resource, target);
            }
        } else if !self.acted_after(resource, ends.source_node, left, true) {
            self.rsc_mut(resource).dangling_migrations.push(history.node);
        }
    }

    /// A migration to here failed: the resource counts as active here, and maybe still at its source.
    pub(crate) fn unpack_failed_to_arrive(&mut self, history: &mut NodeHistory<'a>, arrival: &Record<'a>) {
        let resource = history.resource;
        let Some(ends) = self.migration_ends(arrival) else { return };
        self.rsc_mut(resource).role = Role::Started;
        let left =
            self.find_operation(resource, ends.source_node, "migrate_to", Some(ends.target), Some(rc::OK));
        let known_there = ends.source_node.is_some_and(|source| self.is_known_on(resource, source));
        if known_there
            && !self.state_after(resource, &ends, End::Source, left.as_ref(), Some(arrival))
            && let Some(source) = ends.source_node.filter(|source| self.node(*source).online)
        {
            self.add_running(resource, source);
        }
    }

    /// Where an operation migrates from and to; `None` when it does not say both.
    fn migration_ends(&self, record: &Record<'a>) -> Option<Ends<'a>> {
        let source = record.element.attribute("migrate_source")?;
        let target = record.element.attribute("migrate_target")?;
        Some(Ends {
            source,
            target,
            source_node: self.node_by_uname(source),
            target_node: self.node_by_uname(target),
        })
    }

    fn node_by_uname(&self, name: &str) -> Option<NodeIndex> {
        self.node_indices().find(|node| self.node(*node).uname.eq_ignore_ascii_case(name))
    }

    fn history_at(&self, resource: ResourceId, node: Option<NodeIndex>) -> Option<Element<'a>> {
        self.history_on(node?, &self.rsc(resource).id)
    }

    /// Whether a node's history holds any operation of the resource that has ended.
    fn is_known_on(&self, resource: ResourceId, node: NodeIndex) -> bool {
        self.history_at(resource, Some(node)).is_some_and(|history| {
            history.children_named("lrm_rsc_op").any(|op| Record::read(op).rc != rc::UNKNOWN)
        })
    }

    /// The only operation of that name on a node, with that peer and, when asked, only if it ended with that result. Of
    /// several (the last one and its failure) none can be told to be the one.
    fn find_operation(
        &self,
        resource: ResourceId,
        node: Option<NodeIndex>,
        task: &str,
        peer: Option<&str>,
        result: Option<i32>,
    ) -> Option<Record<'a>> {
        let peer_attribute = if task == "migrate_to" { "migrate_target" } else { "migrate_source" };
        let history = self.history_at(resource, node)?;
        let mut matching = history.children_named("lrm_rsc_op").filter(|op| {
            op.attribute("operation") == Some(task)
                && peer.is_none_or(|peer| op.attribute(peer_attribute) == Some(peer))
        });
        let found = matching.next().map(Record::read)?;
        if matching.next().is_some() {
            return None;
        }
        let as_asked = result.is_none_or(|result| found.rc == result && found.status == status::DONE);
        as_asked.then_some(found)
    }

    /// Whether a node started, stopped or migrated the resource after an operation.
    fn acted_after(
        &self,
        resource: ResourceId,
        node: Option<NodeIndex>,
        than: &Record<'a>,
        same_node: bool,
    ) -> bool {
        let Some(history) = self.history_at(resource, node) else { return false };
        history.children_named("lrm_rsc_op").any(|op| {
            let record = Record::read(op);
            op.node() != than.element.node()
                && matches!(record.task, "start" | "stop" | "migrate_to" | "migrate_from")
                && compare_age(&record, than, same_node).is_gt()
        })
    }

    /// Whether a node's history has gone on since the migration, so that the migration no longer tells its state.
    fn state_after(
        &self,
        resource: ResourceId,
        ends: &Ends<'a>,
        end: End,
        left: Option<&Record<'a>>,
        arrival: Option<&Record<'a>>,
    ) -> bool {
        // Of the migration's two operations the one on that node compares best.
        let (own, other) = match end {
            End::Source => (left, arrival),
            End::Target => (arrival, left),
        };
        let Some(than) = own.or(other) else { return false };
        let same_node = own.is_some();
        let node = ends.node(end);
        self.acted_after(resource, node, than, same_node)
            || self
                .find_operation(resource, node, "monitor", None, Some(rc::NOT_RUNNING))
                .is_some_and(|monitor| compare_age(&monitor, than, same_node).is_gt())
    }
}
