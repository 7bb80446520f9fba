//! The state of a cluster as `crm_simulate` shows it, before and after a transition.

mod containers;
mod nodes;
mod primitive;
mod probes;
mod words;
mod xml;

use super::Format;
use crate::model::{Cluster, ResourceId, Role, Variant};

pub(crate) use probes::FailedProbes;
pub(crate) use words::role_name;

/// What of the state to show, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StatusOptions {
    pub(crate) format: Format,
    /// It is the state that a simulated transition leads to.
    pub(crate) revised: bool,
    /// Node attributes too (`-A`).
    pub(crate) attributes: bool,
    /// Failure counts too (`-c`).
    pub(crate) fail_counts: bool,
}

/// How many instances there are, and how many of them an administrator or a failure keeps from running.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct InstanceCounts {
    pub(crate) instances: usize,
    pub(crate) disabled: usize,
    pub(crate) blocked: usize,
}

/// A text made of nested lists.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listing {
    text: String,
}

impl Listing {
    /// Adds an item so many lists deep.
    pub(crate) fn item(&mut self, depth: usize, words: &str) {
        for _ in 0..depth {
            self.text.push_str("  ");
        }
        self.text.push_str("* ");
        self.text.push_str(words);
        self.text.push('\n');
    }

    /// Separates two lists.
    pub(crate) fn gap(&mut self) {
        self.text.push('\n');
    }
}

impl<'a> Cluster<'a> {
    /// The state that the CIB describes, as a whole section: `Current cluster status:`, or `<cluster_status>`
    /// It is meant to be asked of a cluster that was unpacked, before anything is planned.
    pub(crate) fn status(&self, options: StatusOptions) -> String {
        match options.format {
            Format::Text => self.status_text(options),
            Format::Xml => self.status_xml(options),
        }
    }

    fn status_text(&self, options: StatusOptions) -> String {
        let probes = FailedProbes::collect(self);
        let mut out = Listing::default();
        out.text.push_str(if options.revised {
            "Revised Cluster Status:\n"
        } else {
            "Current cluster status:\n"
        });
        out.item(1, "Node List:");
        self.list_nodes(&mut out, 2);
        out.gap();
        if self.top.iter().any(|top| self.is_shown(*top)) {
            out.item(1, "Full List of Resources:");
            for top in &self.top {
                if self.is_shown(*top) {
                    self.show_resource(&mut out, 2, *top, &probes);
                }
            }
        }
        out.text
    }

    /// Whether a resource appears in the list: removed ones only while they run.
    pub(super) fn is_shown(&self, resource: ResourceId) -> bool {
        !self.rsc(resource).orphan || self.is_active(resource, false)
    }

    fn show_resource(
        &self,
        out: &mut Listing,
        depth: usize,
        resource: ResourceId,
        probes: &FailedProbes<'_>,
    ) {
        match self.rsc(resource).variant {
            Variant::Primitive => self.show_primitive(out, depth, resource, probes),
            Variant::Group => self.show_group(out, depth, resource, probes),
            Variant::Clone => self.show_clone(out, depth, resource, probes),
        }
    }

    /// Counts for the line about disabled and blocked instances.
    pub(crate) fn instance_counts(&self) -> InstanceCounts {
        let mut counts = InstanceCounts::default();
        for id in self.resource_ids() {
            let resource = self.rsc(id);
            if resource.variant != Variant::Primitive || (resource.orphan && resource.role <= Role::Stopped) {
                continue;
            }
            counts.instances += 1;
            counts.disabled += usize::from(self.is_disabled(id));
            counts.blocked += usize::from(resource.blocked);
        }
        counts
    }

    /// `1 of 5 resource instances DISABLED and 0 BLOCKED ...`; nothing where there is nothing to tell.
    pub(crate) fn instance_counts_line(&self) -> Option<String> {
        let InstanceCounts { instances, disabled, blocked } = self.instance_counts();
        (disabled > 0 || blocked > 0).then(|| {
            format!(
                "{disabled} of {instances} resource instances DISABLED and {blocked} BLOCKED from further action due to \
                 failure"
            )
        })
    }
}
