//! The cluster as the scheduler sees it: nodes, resources, constraints and actions in arenas, named by small indices.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use hafen_cib::xml::{Document, Element};

pub(crate) use crate::actions::Task;
use crate::actions::{Action, Settings};
use crate::build::Seen;
use crate::date::Seconds;
use crate::input::failures::FailuresByName;
use crate::input::nvpairs::Values;
use crate::input::rules::NextChange;
use crate::ledger::Journal;
use crate::order::{Order, Worklist};
pub(crate) use crate::output::scores::Amounts;
use crate::output::scores::ScoreRow;

/// A node's place in `Cluster::nodes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NodeIndex(pub(crate) u32);

/// A resource's place in `Cluster::resources`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ResourceId(pub(crate) u32);

/// An action's place in `Cluster::actions`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ActionId(pub(crate) u32);

impl NodeIndex {
    pub(crate) fn at(self) -> usize {
        self.0 as usize
    }
}

/// What a resource is, or should be, doing on a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    #[default]
    Unknown,
    Stopped,
    Started,
    Unpromoted,
    Promoted,
}

impl Role {
    pub(crate) fn parse(text: &str) -> Option<Role> {
        let is = |word: &str| text.eq_ignore_ascii_case(word);
        if is("Stopped") {
            Some(Role::Stopped)
        } else if is("Started") {
            Some(Role::Started)
        } else if is("Unpromoted") || is("Slave") {
            Some(Role::Unpromoted)
        } else if is("Promoted") || is("Master") {
            Some(Role::Promoted)
        } else {
            None
        }
    }

    pub(crate) fn is_active(self) -> bool {
        self > Role::Stopped
    }
}

/// What a partition without quorum does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoQuorumPolicy {
    Stop,
    Freeze,
    Ignore,
    Demote,
    Suicide,
}

/// How load is spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placement {
    Default,
    Utilization,
    Balanced,
    Minimal,
}

/// Cluster options, decoded.
#[derive(Clone, Debug)]
pub(crate) struct Properties {
    pub(crate) values: Values,
    pub(crate) have_quorum: bool,
    pub(crate) no_quorum: NoQuorumPolicy,
    pub(crate) symmetric: bool,
    pub(crate) stonith: bool,
    pub(crate) stonith_action: String,
    pub(crate) concurrent_fencing: bool,
    pub(crate) startup_fencing: bool,
    /// A lost node is counted on to be reset by its own watchdog.
    pub(crate) watchdog: bool,
    pub(crate) maintenance: bool,
    pub(crate) managed_default: bool,
    pub(crate) stop_all: bool,
    pub(crate) stop_orphans: bool,
    pub(crate) cancel_orphans: bool,
    pub(crate) probe: bool,
    pub(crate) start_failure_is_fatal: bool,
    pub(crate) placement: Placement,
    pub(crate) shutdown_lock: bool,
    pub(crate) shutdown_lock_limit_seconds: i64,
    pub(crate) node_pending_timeout_seconds: i64,
    pub(crate) priority_fencing_delay_seconds: i64,
}

/// A cluster member.
#[derive(Clone, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "independent facts of a node's state")]
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) uname: String,
    pub(crate) ping: bool,
    pub(crate) remote: bool,
    pub(crate) online: bool,
    pub(crate) standby: bool,
    pub(crate) standby_on_fail: bool,
    pub(crate) pending: bool,
    pub(crate) unclean: bool,
    pub(crate) unseen: bool,
    pub(crate) shutdown: bool,
    pub(crate) expected_up: bool,
    pub(crate) maintenance: bool,
    pub(crate) is_dc: bool,
    pub(crate) unpacked: bool,
    pub(crate) fence_reason: Option<String>,
    pub(crate) health: i32,
    /// What everything prefers the node by, from the start.
    pub(crate) score: i32,
    /// Permanent, transient and built-in (`#uname`) attributes.
    pub(crate) attributes: Values,
    pub(crate) utilization: Amounts,
    pub(crate) failures: FailuresByName,
    /// How many resources run, or are planned to run, here; breaks ties.
    pub(crate) load: u32,
    pub(crate) running: Vec<ResourceId>,
    /// The priorities of what is active here and has not failed, all together.
    pub(crate) priority: i32,
    pub(crate) assigned: Vec<ResourceId>,
}

impl Node {
    /// Whether resources may run here at all (`standby`, shutting down, lost and similar say no).
    pub(crate) fn available(&self) -> bool {
        self.online && !self.shutdown && !self.unclean && !self.standby && !self.maintenance && !self.pending
    }
}

/// Where probes of a resource are allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Discovery {
    #[default]
    Always,
    Never,
    Exclusive,
}

/// A resource's standing on a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Weight {
    pub(crate) score: i32,
    /// Whether the node is in the resource's table at all.
    pub(crate) present: bool,
    pub(crate) discovery: Discovery,
}

/// What kind of thing a resource is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    Primitive,
    Group,
    Clone,
}

/// What to do with a resource that is active in several places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Recovery {
    #[default]
    StopStart,
    StopOnly,
    Block,
    StopUnexpected,
}

/// Settings of a clone.
#[derive(Clone, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "independent options")]
pub(crate) struct CloneOptions {
    pub(crate) max: i32,
    pub(crate) node_max: i32,
    pub(crate) min: i32,
    pub(crate) promoted_max: i32,
    pub(crate) promoted_node_max: i32,
    pub(crate) promotable: bool,
    pub(crate) unique: bool,
    /// It was to be unique, but has a part whose agent can only be cloned anonymously.
    pub(crate) forced_anonymous: bool,
    pub(crate) notify: bool,
    pub(crate) ordered: bool,
    pub(crate) interleave: bool,
    /// How many instances are (to be) promoted.
    pub(crate) promoted_count: i32,
}

/// What an action waits for before it may run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Requires {
    Nothing,
    Quorum,
    #[default]
    Fencing,
    Unfencing,
}

/// A resource: a primitive, group or clone, or an instance of one.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "independent facts of a resource's state")]
pub(crate) struct Resource<'a> {
    pub(crate) id: String,
    /// The name that history uses, without an instance number where instances are interchangeable.
    pub(crate) history_id: String,
    pub(crate) variant: Variant,
    pub(crate) element: Element<'a>,
    pub(crate) template: Option<Element<'a>>,
    pub(crate) parent: Option<ResourceId>,
    pub(crate) children: Vec<ResourceId>,
    /// What it runs inside of (the meta attribute `container`).
    pub(crate) container: Option<ResourceId>,
    /// What runs inside of it.
    pub(crate) fillers: Vec<ResourceId>,
    pub(crate) class: String,
    pub(crate) provider: Option<String>,
    pub(crate) type_: String,
    pub(crate) meta: Values,
    pub(crate) clone: Option<CloneOptions>,
    /// The number of an instance.
    pub(crate) instance: Option<u32>,
    pub(crate) ops: Vec<Operation<'a>>,
    pub(crate) unique: bool,
    pub(crate) notify: bool,
    pub(crate) managed: bool,
    pub(crate) blocked: bool,
    pub(crate) maintenance: bool,
    pub(crate) orphan: bool,
    pub(crate) orphan_filler: bool,
    pub(crate) failed: bool,
    pub(crate) failure_ignored: bool,
    pub(crate) start_pending: bool,
    pub(crate) stop_on_fail: bool,
    pub(crate) allow_migrate: bool,
    pub(crate) critical: bool,
    pub(crate) stonith_device: bool,
    pub(crate) fence_device_unfences: bool,
    pub(crate) reload: bool,
    pub(crate) requires: Requires,
    pub(crate) priority: i32,
    pub(crate) stickiness: i32,
    pub(crate) migration_threshold: i32,
    pub(crate) failure_timeout_seconds: i64,
    pub(crate) recovery: Recovery,
    pub(crate) role: Role,
    pub(crate) next_role: Role,
    pub(crate) running_on: Vec<NodeIndex>,
    pub(crate) dangling_migrations: Vec<NodeIndex>,
    pub(crate) migration_source: Option<NodeIndex>,
    pub(crate) migration_target: Option<NodeIndex>,
    pub(crate) pending_task: Option<(String, NodeIndex)>,
    pub(crate) known_on: BTreeSet<NodeIndex>,
    pub(crate) allowed: Vec<Weight>,
    pub(crate) provisional: bool,
    pub(crate) assigning: bool,
    pub(crate) assigned_to: Option<NodeIndex>,
    /// The score that it had where it was assigned.
    pub(crate) assigned_score: i32,
    /// Its wishes are just being taken in, so do not go round in a circle.
    pub(crate) merged: bool,
    /// The colocations in which it is the dependent, as they are to be applied.
    pub(crate) this_with: Vec<usize>,
    /// The colocations in which it is the primary, likewise.
    pub(crate) with_this: Vec<usize>,
    pub(crate) locations: Vec<usize>,
    pub(crate) tickets: Vec<usize>,
    pub(crate) actions: Vec<ActionId>,
    pub(crate) utilization: Amounts,
    /// What an instance's agent, constraints and colocations say about promoting it.
    pub(crate) promotion_priority: i32,
    /// An instance's standing among those that may be promoted.
    pub(crate) promotion_index: i32,
    /// Whether a promotable clone has taken in the promotion scores.
    pub(crate) promotion_scores_added: bool,
    pub(crate) lock_node: Option<NodeIndex>,
    pub(crate) lock_time: i64,
}

/// A configured operation of a resource.
#[derive(Clone, Debug)]
pub(crate) struct Operation<'a> {
    pub(crate) element: Element<'a>,
    pub(crate) name: String,
    pub(crate) interval_ms: u64,
    pub(crate) enabled: bool,
    pub(crate) role: Option<Role>,
    /// Another operation of the resource has the same name and interval: which one is meant nobody knows.
    pub(crate) ambiguous: bool,
}

/// A location preference, already evaluated where it does not depend on the node.
#[derive(Clone, Debug)]
pub(crate) struct Location {
    pub(crate) id: String,
    pub(crate) resource: ResourceId,
    pub(crate) role: Option<Role>,
    pub(crate) discovery: Discovery,
    pub(crate) nodes: Vec<(NodeIndex, i32)>,
    /// The id of the rule that it comes from.
    pub(crate) rule: Option<String>,
    /// It is no constraint, but the effect of the nodes' health.
    pub(crate) health: bool,
}

/// "Dependent runs where primary runs", with its weight.
#[derive(Clone, Debug)]
pub(crate) struct Colocation {
    pub(crate) id: String,
    pub(crate) dependent: ResourceId,
    pub(crate) primary: ResourceId,
    pub(crate) score: i32,
    pub(crate) dependent_role: Option<Role>,
    pub(crate) primary_role: Option<Role>,
    pub(crate) node_attribute: Option<String>,
    /// Whether the dependent's preferences move the primary.
    pub(crate) influence: bool,
    /// Whether it is configured; if not, it follows from a group or a container.
    pub(crate) explicit: bool,
    /// Its place among the colocations of one dependent, and among those of one primary; equal ones have the same.
    pub(crate) rank: (u32, u32),
}

/// What happens to a resource whose ticket is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LossPolicy {
    Stop,
    Fence,
    Demote,
    Freeze,
}

/// A resource's dependence on a ticket.
#[derive(Clone, Debug)]
pub(crate) struct TicketConstraint {
    pub(crate) id: String,
    pub(crate) resource: ResourceId,
    pub(crate) role: Option<Role>,
    pub(crate) ticket: String,
    pub(crate) loss: LossPolicy,
}

/// A site's ticket.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ticket {
    pub(crate) granted: bool,
    pub(crate) standby: bool,
}

/// The whole working state of one run.
pub(crate) struct Cluster<'a> {
    pub(crate) document: &'a Document,
    pub(crate) now: Seconds,
    pub(crate) next_change: NextChange,
    pub(crate) properties: Properties,
    pub(crate) nodes: Vec<Node>,
    pub(crate) resources: Vec<Resource<'a>>,
    /// Resources without a parent, in configuration order, orphans last.
    pub(crate) top: Vec<ResourceId>,
    pub(crate) by_id: BTreeMap<String, ResourceId>,
    pub(crate) locations: Vec<Location>,
    pub(crate) colocations: Vec<Colocation>,
    pub(crate) ticket_constraints: Vec<TicketConstraint>,
    pub(crate) tickets: BTreeMap<String, Ticket>,
    /// Resources by template, or anything by tag.
    pub(crate) tags: BTreeMap<String, Vec<String>>,
    pub(crate) actions: Vec<Action>,
    /// Actions that belong to no resource.
    pub(crate) free_actions: Vec<ActionId>,
    /// The names of tasks that only agents know.
    pub(crate) task_names: Vec<String>,
    /// The configured settings of operations, by resource, task and interval in milliseconds.
    pub(crate) settings: BTreeMap<(ResourceId, Task, u64), Rc<Settings>>,
    pub(crate) orders: Vec<Order>,
    /// Each node's history of each resource by its name there, once one of them is asked for.
    pub(crate) histories: OnceCell<BTreeMap<(NodeIndex, &'a str), Element<'a>>>,
    /// Tables of weights that are not in use.
    pub(crate) spare_tables: Vec<Vec<Weight>>,
    /// By the name of a resource: where a probe found that it cannot work, and with which result.
    pub(crate) failed_probes: BTreeMap<String, Vec<(NodeIndex, i32)>>,
    /// Operations whose failure counts, by the node that recorded them.
    pub(crate) failed_operations: Vec<(NodeIndex, Element<'a>)>,
    pub(crate) unfencing: bool,
    pub(crate) have_stonith_devices: bool,
    pub(crate) warnings: Vec<String>,
    pub(crate) journal: Journal,
    /// What `crm_simulate -s` and `-U` print, in the order in which it came up.
    pub(crate) score_rows: Vec<ScoreRow>,
    /// Whether the scores are wanted.
    pub(crate) want_scores: bool,
    /// Whether capacities are wanted.
    pub(crate) want_utilization: bool,
    /// Nothing is started or stopped: fencing is enabled, and there is no device.
    pub(crate) hold_still: bool,
    /// The colocations of each resource, as dependent and as primary, once they were asked for.
    pub(crate) colocation_lists: Vec<[Option<Rc<[usize]>>; 2]>,
    /// Recurring operations that history shows as running.
    pub(crate) active_recurring: BTreeSet<(ResourceId, NodeIndex, Task, u64)>,
    /// Of these, those whose parameters have changed.
    pub(crate) stale_recurring: BTreeSet<(ResourceId, NodeIndex, Task, u64)>,
    /// Actions whose relations are to be looked at again.
    pub(crate) worklist: Worklist,
    pub(crate) seen: Seen,
    /// Whether secrets in the CIB may be blotted out.
    pub(crate) sanitized: bool,
}

impl<'a> Cluster<'a> {
    pub(crate) fn node(&self, node: NodeIndex) -> &Node {
        &self.nodes[node.at()]
    }

    pub(crate) fn node_mut(&mut self, node: NodeIndex) -> &mut Node {
        &mut self.nodes[node.at()]
    }

    pub(crate) fn rsc(&self, resource: ResourceId) -> &Resource<'a> {
        &self.resources[resource.0 as usize]
    }

    pub(crate) fn rsc_mut(&mut self, resource: ResourceId) -> &mut Resource<'a> {
        &mut self.resources[resource.0 as usize]
    }

    pub(crate) fn node_indices(&self) -> impl Iterator<Item = NodeIndex> + use<> {
        (0..u32::try_from(self.nodes.len()).unwrap_or(u32::MAX)).map(NodeIndex)
    }

    pub(crate) fn resource_ids(&self) -> impl Iterator<Item = ResourceId> + use<> {
        (0..u32::try_from(self.resources.len()).unwrap_or(u32::MAX)).map(ResourceId)
    }

    pub(crate) fn node_by_name(&self, name: &str) -> Option<NodeIndex> {
        self.nodes
            .iter()
            .position(|node| node.uname.eq_ignore_ascii_case(name))
            .or_else(|| self.nodes.iter().position(|node| node.id == name))
            .map(|at| NodeIndex(u32::try_from(at).unwrap_or(u32::MAX)))
    }

    /// The outermost resource that contains this one.
    pub(crate) fn top_of(&self, resource: ResourceId) -> ResourceId {
        let mut at = resource;
        while let Some(parent) = self.rsc(at).parent {
            at = parent;
        }
        at
    }

    /// The clone that a resource is, or is an instance of.
    pub(crate) fn clone_of(&self, resource: ResourceId) -> Option<ResourceId> {
        let top = self.top_of(resource);
        (self.rsc(top).variant == Variant::Clone).then_some(top)
    }

    /// The resource and all that it contains, outermost first.
    pub(crate) fn family(&self, resource: ResourceId) -> Vec<ResourceId> {
        let mut family = vec![resource];
        let mut at = 0;
        while at < family.len() {
            family.extend(self.rsc(family[at]).children.iter().copied());
            at += 1;
        }
        family
    }
}
