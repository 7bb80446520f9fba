//! From an action of a plan to the order that carries it out.

use std::collections::BTreeMap;

use hafen_protocol::message::Execute;
use hafen_protocol::{HostId, Now};
use hafen_scheduler::{Action, ActionKind, FenceAction, ResourceRef};

/// The prefix of attributes that are not an agent's parameters.
const META_PREFIX: &str = "CRM_meta_";
/// What the plan expects is no business of the agent's.
const EXPECTED_RC: &str = "op_target_rc";

/// What is to begin. Each carries the transition key by which its end is told to the driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Firing {
    /// Run an operation of an agent on a host.
    Execute(Box<Execute>),
    /// Fence a host.
    Fence {
        /// Whom.
        target: HostId,
        /// The target's name.
        target_uname: String,
        /// How.
        action: FenceAction,
        /// The action's key.
        transition_key: String,
    },
    /// End a recurring operation, or forget a resource's history.
    Forget {
        /// Where.
        host: HostId,
        /// Which resource.
        resource: String,
        /// `Some((task, interval_ms))`: end that recurring operation; `None`: forget everything.
        operation: Option<(String, u64)>,
        /// The action's key.
        transition_key: String,
    },
    /// Forget the failures of a resource.
    ClearFailcount {
        /// Where.
        host: HostId,
        /// Which resource.
        resource: String,
        /// The action's key.
        transition_key: String,
    },
    /// The host has stopped everything and may leave the cluster.
    Shutdown {
        /// Which host.
        host: HostId,
        /// The action's key.
        transition_key: String,
    },
}

impl Firing {
    /// The key by which the end of this is told to the driver.
    #[must_use]
    pub fn transition_key(&self) -> &str {
        match self {
            Firing::Execute(execute) => &execute.transition_key,
            Firing::Fence { transition_key, .. }
            | Firing::Forget { transition_key, .. }
            | Firing::ClearFailcount { transition_key, .. }
            | Firing::Shutdown { transition_key, .. } => transition_key,
        }
    }
}

/// The order for an action; `None` when there is nothing to do.
pub(super) fn firing(action: &Action, key: &str, now: Now) -> Result<Option<Firing>, String> {
    let transition_key = key.to_owned();
    match &action.kind {
        ActionKind::Pseudo { .. } => Ok(None),
        ActionKind::Fence { target, action } => Ok(Some(Firing::Fence {
            target: host_number(&target.id)?,
            target_uname: target.uname.clone(),
            action: *action,
            transition_key,
        })),
        ActionKind::Resource { resource, task, operation_key, .. } => {
            let host = host_of(action)?;
            let forget = |operation| Firing::Forget {
                host,
                resource: known_name(resource).to_owned(),
                operation,
                transition_key: key.to_owned(),
            };
            match task.as_str() {
                "delete" => Ok(Some(forget(None))),
                "cancel" => Ok(Some(forget(Some(recurring(resource, operation_key)?)))),
                _ => execute(action, host, transition_key, now).map(Some),
            }
        }
        ActionKind::Cluster { task, resource, .. } => {
            cluster(action, task, resource.as_deref(), transition_key)
        }
    }
}

fn cluster(
    action: &Action,
    task: &str,
    resource: Option<&ResourceRef>,
    transition_key: String,
) -> Result<Option<Firing>, String> {
    let host = || host_of(action);
    let resource = || {
        let missing = || format!("{} names no resource", action.operation_key());
        resource.map(|resource| known_name(resource).to_owned()).ok_or_else(missing)
    };
    match task {
        "clear_failcount" => {
            Ok(Some(Firing::ClearFailcount { host: host()?, resource: resource()?, transition_key }))
        }
        "lrm_delete" => {
            Ok(Some(Firing::Forget { host: host()?, resource: resource()?, operation: None, transition_key }))
        }
        "do_shutdown" => Ok(Some(Firing::Shutdown { host: host()?, transition_key })),
        // What is left concerns remote nodes' daemons, of which there are none.
        _ => Ok(None),
    }
}

fn execute(action: &Action, host: HostId, transition_key: String, now: Now) -> Result<Firing, String> {
    let ActionKind::Resource { resource, task, interval_ms, timeout_ms, .. } = &action.kind else {
        return Err(format!("{} is no operation of an agent", action.operation_key()));
    };
    let mut parameters = BTreeMap::new();
    let mut meta = BTreeMap::new();
    for (name, value) in action.attributes.iter() {
        match name.strip_prefix(META_PREFIX) {
            Some(EXPECTED_RC) => {}
            Some(name) => drop(meta.insert(name.to_owned(), value.to_owned())),
            None if name == "crm_feature_set" => {}
            None => drop(parameters.insert(name.to_owned(), value.to_owned())),
        }
    }
    Ok(Firing::Execute(Box::new(Execute {
        host,
        resource: known_name(resource).to_owned(),
        class: resource.class.clone(),
        provider: resource.provider.clone(),
        agent: resource.type_.clone(),
        task: task.clone(),
        interval_ms: *interval_ms,
        timeout_ms: *timeout_ms,
        operation_key: format!("{}_{task}_{interval_ms}", known_name(resource)),
        transition_key,
        parameters,
        meta,
        ordered_at: now.epoch_seconds(),
    })))
}

/// The host whose daemon carries the action out.
pub(super) fn host_of(action: &Action) -> Result<HostId, String> {
    let node = action.router.as_ref().or(action.node.as_ref());
    let node = node.ok_or_else(|| format!("{} names no node", action.operation_key()))?;
    host_number(&node.id)
}

fn host_number(id: &str) -> Result<HostId, String> {
    id.parse().map(HostId).map_err(|_| format!("the node id {id} is not the number of a host"))
}

/// The name under which history and agents know a resource: the graph names the instances of an anonymous clone that
/// are too many by their numbers (`web:3`, long name `web`), and their operations too.
fn known_name(resource: &ResourceRef) -> &str {
    let base = resource
        .long_id
        .as_deref()
        .filter(|long| resource.id.strip_prefix(*long).is_some_and(|rest| rest.starts_with(':')));
    base.unwrap_or(&resource.id)
}

/// Task and interval of the recurring operation that `R_monitor_10000` or `R:3_monitor_10000` names.
fn recurring(resource: &ResourceRef, operation_key: &str) -> Result<(String, u64), String> {
    operation_key
        .strip_prefix(known_name(resource))
        .and_then(|rest| rest.rsplit_once('_'))
        .and_then(|(rest, interval)| Some((rest.rsplit_once('_')?.1.to_owned(), interval.parse().ok()?)))
        .ok_or_else(|| format!("{operation_key} names no recurring operation of {}", resource.id))
}
