//! Half-finished live migrations, as two nodes' histories show them.

use hafen_cib::xml::Element;

use super::history::{NodeHistory, Record, by_age};
use crate::model::{Cluster, NodeIndex, ResourceId, Role};
use crate::score;

impl<'a> Cluster<'a> {
    /// A migration away from here was accepted; whether it arrived, the target's history knows.
    pub(crate) fn unpack_migrated_away(&mut self, history: &mut NodeHistory<'a>, record: &Record<'a>) {
        let (resource, source) = (history.resource, history.node);
        let Some(target) = self.migration_peer(record, "migrate_target") else {
            self.mark_active(resource);
            return;
        };
        let since = call_id(record.element);
        let arrival = self.find_operation(resource, target, "migrate_from", Some(source));
        let newer_here = self.changed_after(resource, source, since);
        if newer_here {
            return;
        }
        if self.superseded(resource, source, target, arrival, record) {
            if arrival.map(Record::read).is_some_and(|arrived| arrived.rc != 0 && arrived.status != -1) {
                // It failed to arrive and was cleaned up there: it is still here, in an unknown state.
                self.rsc_mut(resource).role = Role::Started;
                self.rsc_mut(resource).failed = true;
                return;
            }
            // The target's history goes on after the migration: it alone knows the state.
            self.rsc_mut(resource).role = Role::Stopped;
            if arrival.is_some_and(|op| Record::read(op).rc == 0 && Record::read(op).status == 0)
                || arrival.is_none()
            {
                let stopped_here = self.stopped_after(resource, source, since);
                if !stopped_here && arrival.is_some() {
                    self.mark_dangling(resource, source);
                }
            }
            return;
        }
        self.rsc_mut(resource).role = Role::Started;
        let arrived = arrival.map(Record::read);
        match arrived {
            Some(arrived) if arrived.status != -1 && arrived.rc == 0 => {
                if self.node(target).online {
                    self.mark_dangling(resource, source);
                    self.rsc_mut(resource).role = Role::Stopped;
                } else {
                    self.rsc_mut(resource).role = Role::Started;
                }
            }
            Some(arrived) if arrived.status != -1 => {
                if self.node(target).online {
                    self.add_running(resource, target);
                }
            }
            _ => {
                if self.node(target).online && !self.node(target).unclean {
                    self.add_running(resource, target);
                    if self.node(source).online {
                        self.rsc_mut(resource).migration_target = Some(target);
                        self.rsc_mut(resource).migration_source = Some(source);
                    }
                } else {
                    self.rsc_mut(resource).failed = true;
                    self.rsc_mut(resource).stop_on_fail = true;
                }
            }
        }
    }

    fn mark_dangling(&mut self, resource: ResourceId, source: NodeIndex) {
        if self.node(source).online && !self.rsc(resource).dangling_migrations.contains(&source) {
            self.rsc_mut(resource).dangling_migrations.push(source);
        }
    }

    /// Whether the target's history has a state of its own that came after the migration.
    fn superseded(
        &self,
        resource: ResourceId,
        _source: NodeIndex,
        target: NodeIndex,
        arrival: Option<Element<'a>>,
        record: &Record<'a>,
    ) -> bool {
        let Some(history) = self.record_of(resource, target) else { return false };
        let left = score_time(record.element);
        history.children_named("lrm_rsc_op").any(|op| {
            let known = Record::read(op);
            if known.status == -1 || !matches!(known.task, "start" | "stop" | "monitor") {
                return false;
            }
            if known.task == "monitor" && known.interval_ms == 0 && known.rc == 7 && arrival.is_none() {
                return newer(op, left, None);
            }
            match arrival {
                // An arrival that has not ended has no call id yet: it is newer than what has one.
                Some(arrival) => known.task == "stop" && by_age(op, arrival).is_gt(),
                None => newer(op, left, None) && known.task != "monitor",
            }
        })
    }

    /// A migration away from here failed: the resource stays, and may be half there.
    pub(crate) fn unpack_failed_to_leave(&mut self, history: &mut NodeHistory<'a>, record: &Record<'a>) {
        let (resource, source) = (history.resource, history.node);
        self.rsc_mut(resource).role = Role::Started;
        let Some(target) = self.migration_peer(record, "migrate_target") else { return };
        let stopped_here = self.stopped_after(resource, source, call_id(record.element));
        if stopped_here {
            return;
        }
        let arrival = self.find_operation(resource, target, "migrate_from", Some(source));
        let stop = self.find_operation(resource, target, "stop", None);
        let stopped_there = match (stop, arrival) {
            (Some(stop), Some(arrival)) => by_age(stop, arrival).is_gt(),
            (Some(stop), None) => newer(stop, score_time(record.element), None),
            (None, _) => false,
        };
        let probed_clean = self.record_of(resource, target).is_some_and(|history| {
            history.children_named("lrm_rsc_op").any(|op| {
                let known = Record::read(op);
                known.is_probe() && known.rc == 7 && newer(op, score_time(record.element), None)
            })
        });
        if !stopped_there
            && !probed_clean
            && self.node(target).online
            && self.record_of(resource, target).is_some()
        {
            self.add_running(resource, target);
        }
    }

    /// A migration to here failed: the resource counts as active here, and maybe still at its source.
    pub(crate) fn unpack_failed_to_arrive(&mut self, history: &mut NodeHistory<'a>, record: &Record<'a>) {
        let resource = history.resource;
        self.rsc_mut(resource).role = Role::Started;
        let Some(source) = self.migration_peer(record, "migrate_source") else { return };
        let left = self.find_operation(resource, source, "migrate_to", Some(history.node));
        let stop = self.find_operation(resource, source, "stop", None);
        let stopped_there = match (stop, left) {
            (Some(stop), Some(left)) => call_id(stop) > call_id(left),
            (Some(stop), None) => newer(stop, score_time(record.element), None),
            (None, _) => false,
        };
        if !stopped_there && self.node(source).online && left.is_some() {
            self.add_running(resource, source);
        }
    }

    fn migration_peer(&self, record: &Record<'a>, attribute: &str) -> Option<NodeIndex> {
        self.node_by_name(record.element.attribute(attribute)?)
    }

    pub(crate) fn record_of(&self, resource: ResourceId, node: NodeIndex) -> Option<Element<'a>> {
        self.history.get(&(node, self.rsc(resource).history_id.clone())).copied()
    }

    fn find_operation(
        &self,
        resource: ResourceId,
        node: NodeIndex,
        task: &str,
        peer: Option<NodeIndex>,
    ) -> Option<Element<'a>> {
        let peer_name = peer.map(|peer| self.node(peer).uname.as_str());
        self.record_of(resource, node)?.children_named("lrm_rsc_op").find(|op| {
            op.attribute("operation") == Some(task)
                && match (task, peer_name) {
                    ("migrate_from", Some(name)) => op.attribute("migrate_source") == Some(name),
                    ("migrate_to", Some(name)) => op.attribute("migrate_target") == Some(name),
                    _ => true,
                }
        })
    }

    fn stopped_after(&self, resource: ResourceId, node: NodeIndex, call: i64) -> bool {
        self.record_of(resource, node).is_some_and(|history| {
            history.children_named("lrm_rsc_op").any(|op| {
                let known = Record::read(op);
                known.task == "stop" && known.rc == 0 && known.status == 0 && call_id(op) > call
            })
        })
    }

    fn changed_after(&self, resource: ResourceId, node: NodeIndex, call: i64) -> bool {
        self.record_of(resource, node).is_some_and(|history| {
            history.children_named("lrm_rsc_op").any(|op| {
                let known = Record::read(op);
                matches!(known.task, "start" | "stop" | "migrate_from" | "migrate_to")
                    && known.status != -1
                    && call_id(op) > call
            })
        })
    }
}

fn call_id(op: Element<'_>) -> i64 {
    op.attribute("call-id").and_then(score::leading_integer).unwrap_or(-1)
}

fn score_time(op: Element<'_>) -> i64 {
    op.attribute("last-rc-change").and_then(score::leading_integer).unwrap_or(0)
}

fn newer(op: Element<'_>, than: i64, _limit: Option<i64>) -> bool {
    than > 0 && score_time(op) > than
}
