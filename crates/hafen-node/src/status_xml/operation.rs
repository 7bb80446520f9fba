//! One `lrm_rsc_op`.

use std::collections::BTreeMap;

use hafen_cib::{Document, FEATURE_SET, NodeId};
use hafen_protocol::message::{Execute, OperationRecord, ResourceHistory};

use super::ORIGIN;
use crate::history;

/// The `op-status` and exit status of an operation that has not ended.
const STATUS_PENDING: i32 = -1;
const RC_PENDING: i32 = 193;

/// What is being done, by the ids of the records that it will leave when it succeeds.
pub(super) fn pending_of(
    resource: &str,
    history: &ResourceHistory,
    uname: &str,
) -> BTreeMap<String, OperationRecord> {
    let id = |order: &Execute| history::record_id(resource, &order.task, order.interval_ms);
    history.pending.values().map(|order| (id(order), pending_record(order, uname))).collect()
}

/// Appends a record that makes the resource of a migration count as active where it was to arrive.
pub(super) fn write_as_started(document: &mut Document, parent: NodeId, order: &Execute, uname: &str) {
    let record = OperationRecord {
        operation_key: format!("{}_start_0", order.resource),
        task: "start".to_owned(),
        call_id: 1,
        rc: 0,
        op_status: 0,
        migration: None,
        ..pending_record(order, uname)
    };
    write(document, parent, &format!("{}_last_0", order.resource), &record);
}

fn pending_record(order: &Execute, uname: &str) -> OperationRecord {
    OperationRecord {
        operation_key: order.operation_key.clone(),
        task: order.task.clone(),
        interval_ms: order.interval_ms,
        transition_key: order.transition_key.clone(),
        call_id: 0,
        rc: RC_PENDING,
        op_status: STATUS_PENDING,
        last_rc_change: order.ordered_at,
        exec_time_ms: 0,
        queue_time_ms: 0,
        exit_reason: String::new(),
        output: String::new(),
        op_digest: history::operation_digest(order),
        restart: None,
        migration: history::migration_of(order),
        on_node: uname.to_owned(),
    }
}

/// Appends the operation to its `lrm_resource`.
pub(super) fn write(document: &mut Document, parent: NodeId, id: &str, record: &OperationRecord) {
    let element = document.append_element(parent, "lrm_rsc_op");
    let magic = format!("{}:{};{}", record.op_status, record.rc, record.transition_key);
    let is_pending = record.op_status == STATUS_PENDING;
    let call_id = if is_pending { "-1".to_owned() } else { record.call_id.to_string() };
    let numbers = [
        ("call-id", call_id),
        ("rc-code", record.rc.to_string()),
        ("op-status", record.op_status.to_string()),
        ("interval", record.interval_ms.to_string()),
        ("last-rc-change", record.last_rc_change.to_string()),
        ("exec-time", record.exec_time_ms.to_string()),
        ("queue-time", record.queue_time_ms.to_string()),
    ];
    for (name, value) in [
        ("id", id),
        ("operation_key", record.operation_key.as_str()),
        ("operation", record.task.as_str()),
        ("crm-debug-origin", ORIGIN),
        ("crm_feature_set", FEATURE_SET),
        ("transition-key", record.transition_key.as_str()),
        ("transition-magic", magic.as_str()),
        ("exit-reason", record.exit_reason.as_str()),
        ("on_node", record.on_node.as_str()),
    ] {
        document.set_attribute(element, name, value);
    }
    for (name, value) in numbers {
        document.set_attribute(element, name, &value);
    }
    if let Some((source, target)) = &record.migration {
        document.set_attribute(element, "migrate_source", source);
        document.set_attribute(element, "migrate_target", target);
    }
    document.set_attribute(element, "op-digest", &record.op_digest);
    if let Some((parameters, digest)) = &record.restart {
        document.set_attribute(element, "op-force-restart", parameters);
        document.set_attribute(element, "op-restart-digest", digest);
    }
}
