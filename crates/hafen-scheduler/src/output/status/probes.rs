//! Probes that found that a resource cannot work on a node.

use crate::model::{Cluster, NodeIndex};

impl Cluster<'_> {
    /// Why a resource cannot work on a node, or, without a node, on any.
    pub(super) fn probe_failure(&self, name: &str, node: Option<NodeIndex>) -> Option<String> {
        let failed = self.failed_probes.get(name)?;
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
