//! Probes that found that a resource cannot work on a node.

use std::collections::BTreeMap;

use crate::input::record::Record;
use crate::model::{Cluster, NodeIndex};

/// By the name of a resource in history: where its probe failed, and with which result.
#[derive(Clone, Debug, Default)]
pub(crate) struct FailedProbes<'a> {
    by_resource: BTreeMap<&'a str, Vec<(NodeIndex, i32)>>,
}

impl<'a> FailedProbes<'a> {
    pub(crate) fn collect(cluster: &Cluster<'a>) -> FailedProbes<'a> {
        let mut by_resource: BTreeMap<&'a str, Vec<(NodeIndex, i32)>> = BTreeMap::new();
        for ((node, _), history) in &cluster.history {
            let Some(id) = history.attribute("id") else { continue };
            for operation in history.children_named("lrm_rsc_op") {
                let record = Record::read(operation);
                if record.probed_nothing() {
                    by_resource.entry(id).or_default().push((*node, record.rc));
                }
            }
        }
        FailedProbes { by_resource }
    }

    /// Why a resource cannot work on a node, or, without a node, on any.
    pub(super) fn reason(&self, id: &str, node: Option<NodeIndex>) -> Option<String> {
        let failed = self.by_resource.get(id)?;
        let (_, rc) = failed.iter().find(|(at, _)| node.is_none_or(|node| node == *at))?;
        Some(result_text(*rc))
    }
}

/// The meaning of an exit status of an agent.
fn result_text(rc: i32) -> String {
    match rc {
        0 => "OK".to_owned(),
        1 => "Error occurred".to_owned(),
        2 => "Invalid parameter".to_owned(),
        3 => "Unimplemented".to_owned(),
        4 => "Insufficient privileges".to_owned(),
        5 => "Not installed".to_owned(),
        6 => "Not configured".to_owned(),
        7 => "Not running".to_owned(),
        8 => "Promoted".to_owned(),
        9 => "Failed in promoted role".to_owned(),
        other => format!("Unknown exit status {other}"),
    }
}
