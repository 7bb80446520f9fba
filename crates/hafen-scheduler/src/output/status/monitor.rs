//! The state of a cluster as `crm_mon` shows it.

use std::collections::BTreeSet;

use super::rest::{bans_xml, list_bans};
use super::{How, InstanceCounts, Listing, Only};
use crate::model::{Cluster, Node, NodeIndex, ResourceId, Variant};
use crate::output::xml::XmlWriter;
use crate::run::{Options, unpack};
use hafen_cib::Cib;

/// Parts of what `crm_mon` shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sections(u32);

impl Sections {
    /// The messaging layer.
    pub const STACK: Sections = Sections(1);
    /// Who leads the cluster.
    pub const DC: Sections = Sections(1 << 1);
    /// When it was looked at, and when the configuration changed.
    pub const TIMES: Sections = Sections(1 << 2);
    /// How many nodes and resources there are.
    pub const COUNTS: Sections = Sections(1 << 3);
    /// Cluster options.
    pub const OPTIONS: Sections = Sections(1 << 4);
    /// Whether resources are left alone.
    pub const MAINTENANCE: Sections = Sections(1 << 5);
    /// Nodes.
    pub const NODES: Sections = Sections(1 << 6);
    /// Resources.
    pub const RESOURCES: Sections = Sections(1 << 7);
    /// Attributes of nodes.
    pub const ATTRIBUTES: Sections = Sections(1 << 8);
    /// Failure counts.
    pub const FAIL_COUNTS: Sections = Sections(1 << 9);
    /// What agents did.
    pub const OPERATIONS: Sections = Sections(1 << 10);
    /// What failed.
    pub const FAILURES: Sections = Sections(1 << 11);
    /// Failed fencing.
    pub const FENCING_FAILED: Sections = Sections(1 << 12);
    /// Successful fencing.
    pub const FENCING_SUCCEEDED: Sections = Sections(1 << 13);
    /// Fencing under way.
    pub const FENCING_PENDING: Sections = Sections(1 << 14);
    /// Tickets.
    pub const TICKETS: Sections = Sections(1 << 15);
    /// Negative location constraints.
    pub const BANS: Sections = Sections(1 << 16);
    /// All of them.
    pub const ALL: Sections = Sections((1 << 17) - 1);

    /// Whether any of the other's parts is in it.
    #[must_use]
    pub const fn has(self, other: Sections) -> bool {
        self.0 & other.0 != 0
    }

    /// The parts of both.
    #[must_use]
    pub const fn with(self, other: Sections) -> Sections {
        Sections(self.0 | other.0)
    }

    /// Without the other's parts.
    #[must_use]
    pub const fn without(self, other: Sections) -> Sections {
        Sections(self.0 & !other.0)
    }
}

/// What `crm_mon` shows, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "independent switches of a command line")]
pub struct MonitorView {
    /// What to show.
    pub sections: Sections,
    /// Resources below their nodes.
    pub by_node: bool,
    /// What does not run, too.
    pub inactive: bool,
    /// Counts by agent instead of names.
    pub brief: bool,
    /// Ids of nodes, every instance of a clone, failures in full.
    pub detail: bool,
    /// Administrators' descriptions of resources.
    pub description: bool,
    /// When operations ran, and for how long.
    pub timing: bool,
    /// Items are the content of elements of HTML, instead of text.
    pub html: bool,
    /// What the constraints that are shown begin with.
    pub ban_prefix: String,
    /// Only this node, or those with this tag.
    pub node: Option<String>,
    /// Only this resource, or those with this tag.
    pub resource: Option<String>,
    /// The time as it is printed.
    pub now_words: String,
    /// Who answers, where a cluster does.
    pub host: Option<String>,
}

impl Node {
    /// A node's name, with its id where that is asked for and tells more.
    pub(super) fn named(&self, with_id: bool) -> String {
        if with_id && self.id != self.uname {
            format!("{} ({})", self.uname, self.id)
        } else {
            self.uname.clone()
        }
    }
}

impl MonitorView {
    /// A node's name, with its id where that is asked for.
    pub(super) fn node_name(&self, node: &Node) -> String {
        node.named(self.detail)
    }

    fn how<'h>(&self, only: &'h Only) -> How<'h> {
        How {
            pending: true,
            inactive: self.inactive,
            detail: self.detail,
            brief: self.brief,
            description: self.description || self.detail,
            placed: true,
            only,
        }
    }

    /// The state as text. `now` is in seconds since 1970; `fencing` is a section that is drawn elsewhere.
    #[must_use]
    pub fn text(&self, cib: &Cib, now: u64, fencing: &str) -> String {
        let (cluster, counts) = unpacked(cib, now, self);
        let only = cluster.only(self);
        let mut page = Page { text: String::new(), html: self.html };
        page.section(|out| cluster.list_summary(out, self, counts));
        if self.sections.has(Sections::OPTIONS) && self.html {
            page.section(|out| {
                cluster.list_options(out);
                true
            });
        }
        if self.sections.has(Sections::MAINTENANCE) && cluster.properties.maintenance && !self.html {
            page.text(
                "              *** Resource management is DISABLED ***\n  The cluster will not attempt to start, \
                 stop or recover services\n",
            );
        }
        cluster.add_text(&mut page, self, &only);
        page.text(fencing);
        if self.sections.has(Sections::TICKETS) {
            page.section(|out| cluster.list_tickets(out, 1));
        }
        if self.sections.has(Sections::BANS) {
            let bans = cluster.bans(&only, self);
            page.section(|out| {
                list_bans(out, 1, &bans);
                !bans.is_empty()
            });
        }
        page.text
    }

    /// The state as XML elements side by side.
    #[must_use]
    pub fn xml(&self, cib: &Cib, now: u64, fencing: &str) -> String {
        let (cluster, counts) = unpacked(cib, now, self);
        let only = cluster.only(self);
        let mut xml = XmlWriter::default();
        cluster.overview_xml(&mut xml, self, counts);
        cluster.add_xml(&mut xml, self, &only);
        let mut text = xml.finish() + fencing;
        let mut xml = XmlWriter::default();
        if self.sections.has(Sections::TICKETS) {
            cluster.tickets_xml(&mut xml);
        }
        if self.sections.has(Sections::BANS) {
            let bans = cluster.bans(&only, self);
            if !bans.is_empty() {
                bans_xml(&mut xml, &bans);
            }
        }
        text.push_str(&xml.finish());
        text
    }
}

/// A cluster and its counts. Where constraints are shown they have their effect after the counting, as in Pacemaker: a ticket
/// that was lost may keep resources as they are.
fn unpacked<'a>(cib: &'a Cib, now: u64, view: &MonitorView) -> (Cluster<'a>, InstanceCounts) {
    let mut cluster = unpack(cib, i64::try_from(now).unwrap_or(i64::MAX), Options::default());
    let counts = cluster.instance_counts();
    if view.sections.has(Sections::BANS) {
        cluster.unpack_constraints();
        cluster.apply_tickets();
    }
    (cluster, counts)
}

/// Sections with empty lines between them.
struct Page {
    text: String,
    html: bool,
}

impl Page {
    /// Adds a list, if `list` says that there is something in it. Its title is no item.
    fn section(&mut self, list: impl FnOnce(&mut Listing) -> bool) {
        let mut out = Listing { text: String::new(), html: self.html };
        if list(&mut out) {
            self.text(out.text.strip_prefix("* ").unwrap_or(&out.text));
        }
    }

    fn text(&mut self, text: &str) {
        if !text.is_empty() && !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(text);
    }
}

impl Cluster<'_> {
    fn only(&self, view: &MonitorView) -> Only {
        let root = self.document.root();
        let tags = root.child("configuration").and_then(|all| all.child("tags"));
        let tagged = |tag: &str| -> BTreeSet<&str> {
            let tags = tags.into_iter().flat_map(|tags| tags.children_named("tag"));
            let tags = tags.filter(|known| known.attribute("id") == Some(tag));
            tags.flat_map(|tag| tag.children_named("obj_ref")).filter_map(|of| of.attribute("id")).collect()
        };
        let nodes = view.node.as_deref().map(|name| {
            let tagged = tagged(name);
            let named = |node: &NodeIndex| {
                let node = self.node(*node);
                node.uname.eq_ignore_ascii_case(name) || tagged.contains(node.id.as_str())
            };
            self.node_indices().filter(named).collect()
        });
        let resources = view.resource.as_deref().map(|name| {
            let tagged = tagged(name);
            let mut wanted = (BTreeSet::new(), BTreeSet::new());
            for id in self.resource_ids() {
                let known = self.rsc(id);
                let is = |name: &str| {
                    known.id == name
                        || known.history_id == name
                        || self.shown_name(id) == name
                        || self.is_first(id, name)
                };
                if is(name) || tagged.iter().any(|name| is(name)) {
                    wanted.0.insert(id);
                    wanted.1.extend(self.family(id));
                    let mut at = known.parent;
                    while let Some(parent) = at {
                        wanted.1.insert(parent);
                        at = self.rsc(parent).parent;
                    }
                }
            }
            wanted
        });
        let (named, resources) = resources.unzip();
        Only { nodes, resources, named }
    }

    /// Whether it is the instance that a name without a number means where instances differ.
    fn is_first(&self, id: ResourceId, name: &str) -> bool {
        let clone = self.rsc(id).parent.map(|parent| self.rsc(parent));
        clone.is_some_and(|clone| clone.unique && clone.children.first() == Some(&id))
            && crate::input::status::base_name(&self.rsc(id).id) == name
    }

    /// Whether a resource without a parent is listed.
    fn is_listed(&self, top: ResourceId, view: &MonitorView, inactive: bool, only: &Only) -> bool {
        let some = self.is_active(top, false);
        if self.rsc(top).orphan && !some || view.by_node && self.is_active(top, true) || !only.resource(top) {
            return false;
        }
        let here = || self.fits(top, How { inactive, ..view.how(only) });
        if some { here() } else { inactive }
    }

    fn add_text(&self, page: &mut Page, view: &MonitorView, only: &Only) {
        let has = |section| view.sections.has(section);
        if has(Sections::NODES) {
            page.section(|out| self.list_nodes_in(out, view, only));
        }
        if has(Sections::RESOURCES) && (!view.by_node || view.inactive) {
            page.section(|out| self.list_resources_in(out, view, only));
        }
        if has(Sections::ATTRIBUTES) {
            page.section(|out| {
                if out.html {
                    return self.attributes_html(out, only, view.detail);
                }
                self.list_attributes(out, 0, only, view.detail);
                out.text.drain(..out.text.len() - out.text.trim_start().len());
                !out.text.is_empty()
            });
        }
        if has(Sections::OPERATIONS) {
            page.section(|out| self.list_operations(out, 1, only, view));
        } else if has(Sections::FAIL_COUNTS) {
            page.section(|out| {
                out.title(0, "Migration Summary");
                self.list_failure_counts(out, 1, only, view.detail);
                self.any_history(only)
            });
        }
        if has(Sections::FAILURES) {
            page.section(|out| {
                out.title(0, "Failed Resource Actions");
                let before = out.text.len();
                self.list_failed_operations(out, 1, only, view.detail);
                out.text.len() > before
            });
        }
    }

    fn list_nodes_in(&self, out: &mut Listing, view: &MonitorView, only: &Only) -> bool {
        out.title(0, "Node List");
        let nodes: Vec<_> = self.listed_nodes().into_iter().filter(|node| only.node(*node)).collect();
        if !view.by_node && !view.detail && !out.html {
            self.list_nodes(out, 1, only);
            return !nodes.is_empty();
        }
        for &index in &nodes {
            let node = self.node(index);
            if view.brief && view.by_node && !out.html && !node.running.iter().any(|id| only.resource(*id)) {
                continue;
            }
            self.show_node(out, index, view);
            let depth = if out.html { 3 } else { 2 };
            if view.by_node && !(out.html && node.running.is_empty()) {
                out.title(depth, "Resources");
                self.list_running(out, depth + 1, index, view, only);
            }
        }
        !nodes.is_empty()
    }

    fn show_node(&self, out: &mut Listing, index: NodeIndex, view: &MonitorView) {
        let node = self.node(index);
        let name = view.node_name(node);
        if out.html {
            let mut spans = self.node_spans(index, view.detail);
            if view.by_node {
                out.title(1, &format!("{name}:"));
                spans.insert(0, ("", "Status:".to_owned()));
                out.spans(2, &spans);
            } else {
                spans.insert(0, ("bold", format!("{name}:")));
                out.spans(1, &spans);
            }
            return;
        }
        let kind = if node.remote { "RemoteNode" } else { "Node" };
        let mut words = format!("{kind} {name}: {}", self.node_words(index));
        if let Some(version) = self.feature_set(index).filter(|_| view.detail) {
            words.push_str(&format!(", feature set {version}"));
        }
        if view.by_node { out.title(1, &words) } else { out.item(1, &words) }
    }

    fn list_running(
        &self,
        out: &mut Listing,
        depth: usize,
        node: NodeIndex,
        view: &MonitorView,
        only: &Only,
    ) {
        let how = How { placed: false, description: true, ..view.how(only) };
        if view.brief {
            self.list_node_briefly(out, depth, node, how);
            return;
        }
        for resource in self.node(node).running.iter().filter(|resource| only.resource(**resource)) {
            self.show_primitive(out, depth, *resource, how);
        }
    }

    fn list_resources_in(&self, out: &mut Listing, view: &MonitorView, only: &Only) -> bool {
        let (title, none) = match (view.by_node, view.inactive) {
            (true, _) => ("Inactive Resources", "No inactive resources"),
            (false, true) => ("Full List of Resources", "No resources"),
            (false, false) => ("Active Resources", "No active resources"),
        };
        out.title(0, title);
        let before = out.text.len();
        let how = view.how(only);
        if view.brief && !view.by_node {
            let tops: Vec<ResourceId> = self.top.iter().copied().filter(|top| only.resource(*top)).collect();
            self.list_briefly(out, 1, &tops, view.inactive);
        }
        for top in &self.top {
            let counted = view.brief && !view.by_node && self.rsc(*top).variant == Variant::Primitive;
            if !counted && self.is_listed(*top, view, view.inactive, only) {
                self.show_resource(out, 1, *top, how);
            }
        }
        if out.text.len() == before {
            out.item(1, none);
        }
        true
    }

    fn add_xml(&self, xml: &mut XmlWriter, view: &MonitorView, only: &Only) {
        let has = |section| view.sections.has(section);
        let described = view.detail || view.description;
        let how = How { inactive: true, description: described, ..view.how(only) };
        if has(Sections::NODES) {
            let running = view.by_node.then_some(How { description: true, ..how });
            xml.open("nodes");
            for node in self.listed_nodes().into_iter().filter(|node| only.node(*node)) {
                self.node_xml(xml, node, running);
            }
            xml.close();
        }
        if has(Sections::RESOURCES) {
            // What a filter by resources keeps back opens the list all the same.
            let any = Only { resources: None, ..only.clone() };
            if self.top.iter().any(|top| self.is_listed(*top, view, true, &any)) {
                xml.open("resources");
                for top in self.top.iter().filter(|top| self.is_listed(**top, view, true, only)) {
                    self.resource_xml(xml, *top, how);
                }
                xml.close();
            }
        }
        if has(Sections::ATTRIBUTES) {
            self.attributes_xml(xml, only);
        }
        if has(Sections::OPERATIONS) {
            self.operations_xml(xml, only);
        } else if has(Sections::FAIL_COUNTS) && self.any_history(only) {
            self.failure_counts_xml(xml, only);
        }
        if has(Sections::FAILURES) && !self.shown_failures(only).is_empty() {
            self.failed_operations_xml(xml, only);
        }
    }
}
