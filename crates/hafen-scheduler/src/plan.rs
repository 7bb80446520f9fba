//! The plan: what the scheduler decided, as data that a driver carries out and that prints as Pacemaker's transition graph.

mod attributes;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::ledger::Ledger;

pub use attributes::Attributes;

/// Everything that should happen next, with its order.
///
/// An action may begin when every action named in its `inputs` is complete. Nothing else orders actions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The actions, ordered by `id`.
    pub actions: Vec<Action>,
    /// What actions of the plan wait for although it is not part of it: nothing of it happens (a resource that is not managed
    /// would have to start first), and so neither do they. Only what prints as a graph has any.
    pub outside: Vec<Action>,
    /// Seconds from the planning time after which the decision may change by time alone (rules with dates,
    /// failure-timeout, cluster-recheck-interval is not included). `None`: never.
    pub recheck_after: Option<u64>,
    /// Whether the partition that the CIB describes has quorum.
    pub have_quorum: bool,
    /// The attributes of the graph's root element.
    pub parameters: GraphParameters,
    /// Problems of the configuration, worded for its administrator.
    pub warnings: Vec<String>,
    /// Which constraint or property gave which resource which score on which node.
    pub ledger: Ledger,
}

/// The values that the graph hands to whoever drives it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GraphParameters {
    /// `cluster-delay` as configured, for example `60s`.
    pub cluster_delay: String,
    /// `stonith-timeout` as configured.
    pub stonith_timeout: String,
    /// `INFINITY`, or `1` when start-failure-is-fatal is off.
    pub failed_start_offset: String,
    /// `INFINITY`, as in Pacemaker.
    pub failed_stop_offset: String,
    /// The most actions that run at a time; 0: the driver decides.
    pub batch_limit: String,
    /// The most migrations that run at a time on a node; -1: no limit.
    pub migration_limit: Option<String>,
}

/// A node as the graph names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeRef {
    /// The node's id in the CIB.
    pub id: String,
    /// The node's name.
    pub uname: String,
}

/// A resource as the graph names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceRef {
    /// The name that history and agents know (without an instance number for anonymous clones).
    pub id: String,
    /// The scheduler's name of the instance (`drbd0:1`) where it differs from `id`.
    pub long_id: Option<String>,
    /// `ocf`, `stonith`, `systemd`, ...
    pub class: String,
    /// The provider of an OCF agent.
    pub provider: Option<String>,
    /// The agent's name.
    pub type_: String,
}

/// What fencing does to its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FenceAction {
    /// Off, then on again.
    Reboot,
    /// Off.
    Off,
    /// Unfencing: on.
    On,
}

impl FenceAction {
    /// The word that fence agents know.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            FenceAction::Reboot => "reboot",
            FenceAction::Off => "off",
            FenceAction::On => "on",
        }
    }
}

/// What an action is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActionKind {
    /// An agent's operation on `Action::node`, run by that node's executor.
    Resource {
        /// The resource.
        resource: Arc<ResourceRef>,
        /// `start`, `stop`, `monitor`, `migrate_to`, `migrate_from`, `promote`, `demote`, `notify`, `reload-agent`,
        /// `delete` (forget the history) or `cancel` (of a recurring monitor; `operation_key` names what to cancel).
        task: String,
        /// Milliseconds; 0 for an operation that runs once.
        interval_ms: u64,
        /// Milliseconds.
        timeout_ms: u64,
        /// `RESOURCE_TASK_INTERVAL`, as history names it.
        operation_key: String,
        /// The same key with the scheduler's instance name, where it differs.
        internal_operation_key: Option<String>,
        /// The result that counts as success (7 for most probes).
        expected_rc: i32,
    },
    /// Nothing to do; a joint in the order.
    Pseudo {
        /// What it stands for.
        task: String,
        /// Its key.
        operation_key: String,
    },
    /// Something that the controller does itself: `clear_failcount`, `lrm_delete`, `maintenance_nodes`, `do_shutdown`.
    Cluster {
        /// The task.
        task: String,
        /// Its key.
        operation_key: String,
        /// The resource it is about, where it is about one.
        resource: Option<Arc<ResourceRef>>,
        /// Children of a `maintenance` element: node ids whose maintenance mode changes, with its new value.
        maintenance: Vec<(String, bool)>,
    },
    /// Fencing; `Action::node` is the target too.
    Fence {
        /// Whom.
        target: Arc<NodeRef>,
        /// How.
        action: FenceAction,
    },
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// The number in the graph.
    pub id: u32,
    /// What to do.
    pub kind: ActionKind,
    /// Where; `None` for pseudo actions.
    pub node: Option<Arc<NodeRef>>,
    /// Another node whose controller executes the action for `node` (a guest's or remote node's host).
    pub router: Option<Arc<NodeRef>>,
    /// Actions that must be complete before this one begins, ordered.
    pub inputs: Vec<u32>,
    /// The synapse's priority; higher ones continue after an abort.
    pub priority: i32,
    /// Whether a failure is expected to be possible and harmless (`CRM_meta_can_fail`).
    pub can_fail: bool,
    /// Nodes that are down when this action is complete.
    pub downed: Vec<String>,
    /// The graph's `attributes`: the resource's parameters, and `CRM_meta_*`.
    pub attributes: Attributes,
}

/// A transition key: `ACTION:TRANSITION:EXPECTED_RC:UUID`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransitionKey {
    /// The action's number in its graph.
    pub action: u32,
    /// The transition's number.
    pub transition: u64,
    /// The result that counts as success.
    pub expected_rc: i32,
    /// The controller that drives the transition, 36 characters.
    pub uuid: String,
}

impl fmt::Display for TransitionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}:{:<36}", self.action, self.transition, self.expected_rc, self.uuid)
    }
}

impl TransitionKey {
    /// Reads a key; `None` when it is not of the form `ACTION:TRANSITION:EXPECTED_RC:UUID`.
    #[must_use]
    pub fn parse(text: &str) -> Option<TransitionKey> {
        let mut parts = text.splitn(4, ':');
        let action = parts.next()?.parse().ok()?;
        let transition = parts.next()?.parse().ok()?;
        let expected_rc = parts.next()?.parse().ok()?;
        let uuid = parts.next()?.trim_end().to_owned();
        Some(TransitionKey { action, transition, expected_rc, uuid })
    }

    /// Reads `OP_STATUS:RC;KEY`, returning the status, the result and the key.
    #[must_use]
    pub fn parse_magic(text: &str) -> Option<(i32, i32, TransitionKey)> {
        let (result, key) = text.split_once(';')?;
        let (status, rc) = result.split_once(':')?;
        Some((status.parse().ok()?, rc.parse().ok()?, TransitionKey::parse(key)?))
    }
}

/// The text of an operation's `transition-magic`: `OP_STATUS:RC;KEY`.
#[must_use]
pub fn transition_magic(op_status: i32, rc: i32, key: &TransitionKey) -> String {
    format!("{op_status}:{rc};{key}")
}

impl Plan {
    /// Whether nothing is left to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }

    /// The action of that number.
    #[must_use]
    pub fn action(&self, id: u32) -> Option<&Action> {
        self.actions.binary_search_by_key(&id, |action| action.id).ok().map(|at| &self.actions[at])
    }
}

impl Action {
    /// The key under which history and events know this action.
    #[must_use]
    pub fn operation_key(&self) -> Cow<'_, str> {
        match &self.kind {
            ActionKind::Resource { operation_key, .. }
            | ActionKind::Pseudo { operation_key, .. }
            | ActionKind::Cluster { operation_key, .. } => operation_key.into(),
            ActionKind::Fence { target, action } => {
                format!("stonith-{}-{}", target.uname, action.as_str()).into()
            }
        }
    }

    /// The operation's name as the graph prints it.
    #[must_use]
    pub fn task(&self) -> &str {
        match &self.kind {
            ActionKind::Resource { task, .. }
            | ActionKind::Pseudo { task, .. }
            | ActionKind::Cluster { task, .. } => task,
            ActionKind::Fence { .. } => "stonith",
        }
    }

    /// The result that counts as success.
    #[must_use]
    pub fn expected_rc(&self) -> i32 {
        match &self.kind {
            ActionKind::Resource { expected_rc, .. } => *expected_rc,
            _ => 0,
        }
    }

    /// This action's key within a transition.
    #[must_use]
    pub fn transition_key(&self, transition: u64, uuid: &str) -> TransitionKey {
        TransitionKey { action: self.id, transition, expected_rc: self.expected_rc(), uuid: uuid.to_owned() }
    }
}
