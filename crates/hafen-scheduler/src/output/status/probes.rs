//! Probes that found that a resource cannot work on a node.

use super::results::exit_status;
use crate::model::{Cluster, NodeIndex};

impl Cluster<'_> {
    /// Why a resource cannot work on a node, or, without a node, on any.
    pub(super) fn probe_failure(&self, name: &str, node: Option<NodeIndex>) -> Option<&'static str> {
        let failed = self.failed_probes.get(name)?;
        let (_, rc) = failed.iter().find(|(at, _)| node.is_none_or(|node| node == *at))?;
        Some(exit_status(*rc))
    }
}
