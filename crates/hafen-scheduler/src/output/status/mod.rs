//! The state of a cluster as `crm_simulate` shows it, before and after a transition.

mod attributes;
mod brief;
mod constraints;
mod containers;
pub(crate) mod failures;
mod history;
mod inquiry;
mod monitor;
mod nodes;
mod primitive;
mod probes;
mod rest;
pub(crate) mod results;
mod summary;
mod words;
mod xml;

use std::collections::BTreeSet;

use super::Format;
use crate::model::{Cluster, NodeIndex, ResourceId, Role, Variant};

pub use inquiry::{AgentCall, Inquiry, Told};
pub use monitor::{MonitorView, Sections};
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

/// What of a cluster is shown: everything where a part is `None`.
#[derive(Clone, Debug, Default)]
pub(super) struct Only {
    pub(super) nodes: Option<BTreeSet<NodeIndex>>,
    /// With all that contains them, and that they contain.
    pub(super) resources: Option<BTreeSet<ResourceId>>,
    /// Those alone that were asked for.
    named: Option<BTreeSet<ResourceId>>,
}

impl Only {
    pub(super) fn node(&self, node: NodeIndex) -> bool {
        self.nodes.as_ref().is_none_or(|nodes| nodes.contains(&node))
    }

    pub(super) fn named(&self, resource: ResourceId) -> bool {
        self.named.as_ref().is_none_or(|named| named.contains(&resource))
    }

    pub(super) fn resource(&self, resource: ResourceId) -> bool {
        self.resources.as_ref().is_none_or(|resources| resources.contains(&resource))
    }
}

/// How resources are shown.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "independent switches")]
pub(super) struct How<'h> {
    /// With the operations that are under way.
    pub(super) pending: bool,
    /// With what does not run.
    pub(super) inactive: bool,
    /// A line for each instance of a clone.
    pub(super) detail: bool,
    /// Counts by agent instead of names.
    pub(super) brief: bool,
    /// With the administrator's descriptions.
    pub(super) description: bool,
    /// With the nodes where they run.
    pub(super) placed: bool,
    pub(super) only: &'h Only,
}

impl<'h> How<'h> {
    /// As `crm_simulate` shows them.
    pub(super) fn simulated(pending: bool, only: &'h Only) -> How<'h> {
        How { pending, inactive: true, detail: false, brief: false, description: false, placed: true, only }
    }
}

/// How many instances there are, and how many of them an administrator or a failure keeps from running.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct InstanceCounts {
    pub(super) instances: usize,
    pub(super) disabled: usize,
    pub(super) blocked: usize,
}

/// A text made of nested lists. For HTML each item holds the content of its element: titles are `h3`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listing {
    pub(super) text: String,
    pub(super) html: bool,
}

/// Words of one look: a class of the page's style sheet, or none.
pub(super) type Span = (&'static str, String);

impl Listing {
    /// Adds an item so many lists deep.
    pub(crate) fn item(&mut self, depth: usize, words: &str) {
        if self.html { self.line(depth, &content(words)) } else { self.line(depth, words) }
    }

    fn line(&mut self, depth: usize, content: &str) {
        for _ in 0..depth {
            self.text.push_str("  ");
        }
        self.text.push_str("* ");
        self.text.push_str(content);
        self.text.push('\n');
    }

    /// Adds the title of a list that follows.
    pub(super) fn title(&mut self, depth: usize, words: &str) {
        if self.html {
            self.line(depth, &format!("<h3>{}</h3>", content(words)));
        } else {
            self.line(depth, &format!("{words}:"));
        }
    }

    /// The same for a list about a node.
    pub(super) fn node_title(&mut self, depth: usize, name: &str) {
        let words = if self.html { format!("{name}:") } else { format!("Node: {name}") };
        self.title(depth, &words);
    }

    /// Adds an item whose words look different.
    pub(super) fn spans(&mut self, depth: usize, spans: &[Span]) {
        let of = |(class, words): &Span| match *class {
            _ if !self.html => words.clone(),
            "" => format!("<span>{}</span>", content(words)),
            class => format!("<span class=\"{class}\">{}</span>", content(words)),
        };
        let line: String = spans.iter().map(of).collect();
        self.line(depth, &line);
    }

    /// Separates two lists.
    pub(crate) fn gap(&mut self) {
        self.text.push('\n');
    }
}

/// Text as the content of an element of HTML.
fn content(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
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
        let only = Only::default();
        let how = How::simulated(!options.revised, &only);
        let mut out = Listing::default();
        out.text.push_str(if options.revised {
            "Revised Cluster Status:\n"
        } else {
            "Current cluster status:\n"
        });
        out.item(1, "Node List:");
        self.list_nodes(&mut out, 2, &only);
        out.gap();
        out.item(1, "Full List of Resources:");
        let mut shown = self.listed_resources().peekable();
        if shown.peek().is_none() {
            out.item(2, "No resources");
        }
        for top in shown {
            self.show_resource(&mut out, 2, top, how);
        }
        if options.attributes {
            self.list_attributes(&mut out, 1, &only, false);
        }
        if options.fail_counts && self.nodes.iter().any(|node| node.online) {
            out.gap();
            out.item(1, "Migration Summary:");
            self.list_failure_counts(&mut out, 2, &only, false);
            if !self.failed_operations.is_empty() {
                out.gap();
                out.item(1, "Failed Resource Actions:");
                self.list_failed_operations(&mut out, 2, &only, true);
            }
        }
        out.text
    }

    /// Resources in the order in which they are listed.
    pub(super) fn listed_resources(&self) -> impl Iterator<Item = ResourceId> {
        self.top.iter().copied().filter(|top| self.is_shown(*top))
    }

    /// Whether a resource appears in the list: removed ones only while they run.
    pub(super) fn is_shown(&self, resource: ResourceId) -> bool {
        !self.rsc(resource).orphan || self.is_active(resource, false)
    }

    pub(super) fn show_resource(&self, out: &mut Listing, depth: usize, resource: ResourceId, how: How<'_>) {
        match self.rsc(resource).variant {
            Variant::Primitive => self.show_primitive(out, depth, resource, how),
            Variant::Group => self.show_group(out, depth, resource, how),
            Variant::Clone => self.show_clone(out, depth, resource, how),
        }
    }

    /// Counts for the line about disabled and blocked instances.
    pub(super) fn instance_counts(&self) -> InstanceCounts {
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

    /// What people are told before the state: that the cluster does nothing, and how many instances are kept from running.
    pub(crate) fn status_preface(&self) -> String {
        let mut text = String::new();
        if self.properties.maintenance {
            text.push_str(
                "\n              *** Resource management is DISABLED ***\n  The cluster will not attempt to start, \
                 stop or recover services\n\n",
            );
        }
        if let Some(line) = self.instance_counts_line() {
            text.push_str(&line);
            text.push_str("\n\n");
        }
        text
    }

    /// `1 of 5 resource instances DISABLED and 0 BLOCKED ...`; nothing where there is nothing to tell.
    fn instance_counts_line(&self) -> Option<String> {
        let InstanceCounts { instances, disabled, blocked } = self.instance_counts();
        (disabled > 0 || blocked > 0).then(|| {
            format!(
                "{disabled} of {instances} resource instances DISABLED and {blocked} BLOCKED from further action due to \
                 failure"
            )
        })
    }
}
