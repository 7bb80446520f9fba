//! What an action of the plan is, and what it is about.

use crate::actions::Shared;
use crate::input::status::base_name;
use crate::model::{ActionId, Cluster, NodeIndex, ResourceId, Task};
use crate::plan::{ActionKind, FenceAction, NodeRef, ResourceRef};

impl Cluster<'_> {
    pub(crate) fn node_ref(&self, node: NodeIndex) -> NodeRef {
        let node = self.node(node);
        NodeRef { id: node.id.clone(), uname: node.uname.clone() }
    }

    pub(crate) fn resource_ref(&self, resource: ResourceId) -> ResourceRef {
        let known = self.rsc(resource);
        let anonymous = known.instance.is_some() && !known.unique;
        let (id, long_id) = if known.orphan && known.history_id != known.id {
            // An instance that is too many has only its own name: the common one belongs to those that stay.
            (known.history_id.clone(), Some(known.id.clone()))
        } else if anonymous {
            let long = if known.history_id == base_name(&known.id) {
                known.id.clone()
            } else {
                known.history_id.clone()
            };
            (base_name(&known.id).to_owned(), Some(long))
        } else {
            (known.id.clone(), None)
        };
        ResourceRef {
            id,
            long_id,
            class: known.class.clone(),
            provider: known.provider.clone(),
            type_: known.type_.clone(),
        }
    }

    pub(crate) fn kind_of(&self, action: ActionId, shared: &mut Shared) -> ActionKind {
        let known = self.act(action);
        let task = known.task;
        let name = self.task_name(task).to_owned();
        if known.pseudo {
            return ActionKind::Pseudo {
                task: if matches!(known.task, Task::LoadStopped | Task::OneOrMore) {
                    self.key_of(action)
                } else {
                    name
                },
                operation_key: self.printed_key(action).0,
            };
        }
        match (task, known.node, known.resource) {
            (Task::Fence, Some(node), _) => ActionKind::Fence {
                target: shared.node(self, node),
                action: match known.meta.get("stonith_action").map(String::as_str) {
                    Some("off") => FenceAction::Off,
                    Some("on") => FenceAction::On,
                    _ => FenceAction::Reboot,
                },
            },
            (Task::ClearFailcount | Task::Shutdown | Task::LrmDelete, _, resource) => ActionKind::Cluster {
                task: name,
                operation_key: self.printed_key(action).0,
                resource: resource.map(|resource| shared.resource(self, resource)),
                maintenance: Vec::new(),
            },
            (_, _, Some(resource)) => {
                let (operation_key, internal_operation_key) = self.printed_key(action);
                ActionKind::Resource {
                    resource: shared.resource(self, resource),
                    task: name,
                    interval_ms: known.interval_ms,
                    timeout_ms: known.settings.timeout_ms,
                    operation_key,
                    internal_operation_key,
                    expected_rc: known.target_rc.map_or(0, i32::from),
                }
            }
            _ => ActionKind::Pseudo { task: name, operation_key: self.key_of(action) },
        }
    }

    /// The key that history knows, and the scheduler's own where it differs.
    pub(crate) fn printed_key(&self, action: ActionId) -> (String, Option<String>) {
        let known = self.act(action);
        let Some(resource) = known.resource else { return (self.key_of(action), None) };
        let resource = self.rsc(resource);
        if resource.history_id == resource.id {
            return (self.key_of(action), None);
        }
        (self.history_key(action, &resource.history_id), Some(self.key_of(action)))
    }
}
