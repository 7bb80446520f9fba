//! A resource before anything is known of it.

use std::collections::BTreeSet;

use hafen_cib::xml::Element;

use super::nvpairs::Values;
use crate::model::{Recovery, Requires, Resource, Role, Variant};
use crate::score;

/// A resource with nothing decided yet.
pub(crate) fn blank(id: String, element: Element<'_>, variant: Variant) -> Resource<'_> {
    Resource {
        history_id: id.clone(),
        id,
        variant,
        element,
        template: None,
        parent: None,
        children: Vec::new(),
        container: None,
        fillers: Vec::new(),
        class: String::new(),
        provider: None,
        type_: String::new(),
        meta: Values::new(),
        clone: None,
        instance: None,
        ops: Vec::new(),
        unique: true,
        notify: false,
        managed: true,
        blocked: false,
        maintenance: false,
        orphan: false,
        orphan_filler: false,
        failed: false,
        failure_ignored: false,
        start_pending: false,
        stop_on_fail: false,
        allow_migrate: false,
        critical: true,
        stonith_device: false,
        fence_device_unfences: false,
        reload: false,
        requires: Requires::default(),
        priority: 0,
        stickiness: 0,
        migration_threshold: score::INFINITY,
        failure_timeout_seconds: 0,
        recovery: Recovery::default(),
        role: Role::Stopped,
        next_role: Role::Unknown,
        running_on: Vec::new(),
        dangling_migrations: Vec::new(),
        migration_source: None,
        migration_target: None,
        pending_task: None,
        known_on: BTreeSet::new(),
        allowed: Vec::new(),
        provisional: true,
        assigning: false,
        assigned_to: None,
        assigned_score: 0,
        merged: false,
        this_with: Vec::new(),
        with_this: Vec::new(),
        locations: Vec::new(),
        tickets: Vec::new(),
        actions: Vec::new(),
        utilization: Vec::new(),
        promotion_priority: 0,
        promotion_index: -score::INFINITY,
        promotion_scores_added: false,
        lock_node: None,
        lock_time: 0,
    }
}
