//! An action's attributes in the graph: parameters, and `CRM_meta_*`.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::input::nvpairs::{self, Values};
use crate::model::{ActionId, Cluster, NodeIndex, ResourceId, Task, Variant};
use crate::plan::{Attributes, NodeRef, ResourceRef};

/// What decides about the attributes that actions of a resource have in common: its node only where rules look at that.
type Kind = (ResourceId, Option<NodeIndex>, Task, Task, u64, Option<u8>);

/// What the actions of a plan share.
#[derive(Default)]
pub(crate) struct Shared {
    kinds: BTreeMap<Kind, Arc<Values>>,
    nodes: BTreeMap<NodeIndex, Arc<NodeRef>>,
    node_attributes: BTreeMap<NodeIndex, Arc<Values>>,
    resources: BTreeMap<ResourceId, Arc<ResourceRef>>,
    /// Whether a resource's parameters differ from node to node.
    varying: BTreeMap<ResourceId, bool>,
    nothing: Arc<Values>,
}

impl Shared {
    pub(crate) fn node(&mut self, cluster: &Cluster<'_>, node: NodeIndex) -> Arc<NodeRef> {
        let known = self.nodes.entry(node).or_insert_with(|| Arc::new(cluster.node_ref(node)));
        Arc::clone(known)
    }

    pub(crate) fn resource(&mut self, cluster: &Cluster<'_>, resource: ResourceId) -> Arc<ResourceRef> {
        let known = self.resources.entry(resource);
        Arc::clone(known.or_insert_with(|| Arc::new(cluster.resource_ref(resource))))
    }
}

impl<'a> Cluster<'a> {
    pub(crate) fn attributes_of(&self, action: ActionId, shared: &mut Shared) -> Attributes {
        let known = self.act(action);
        let kind = match known.resource {
            Some(resource) => {
                let varies =
                    *shared.varying.entry(resource).or_insert_with(|| self.parameters_vary(resource));
                let node = known.node.filter(|_| varies || known.settings.has_parameters);
                let kind = (resource, node, known.task, known.cancels, known.interval_ms, known.target_rc);
                let values = shared.kinds.entry(kind);
                Arc::clone(values.or_insert_with(|| Arc::new(self.kind_attributes(action, resource))))
            }
            None => Arc::clone(&shared.nothing),
        };
        let node = match known.node.filter(|_| !known.pseudo) {
            Some(node) => {
                let values = shared.node_attributes.entry(node);
                Arc::clone(values.or_insert_with(|| Arc::new(self.node_attributes(node))))
            }
            None => Arc::clone(&shared.nothing),
        };
        let notify = known.notify.iter().flat_map(|environment| environment.iter());
        let own = known
            .meta
            .iter()
            .map(|(name, value)| (format!("CRM_meta_{name}"), value.clone()))
            .chain(notify.map(|(name, value)| (format!("CRM_meta_notify_{name}"), value.clone())))
            .filter(|(name, _)| !node.contains_key(name))
            .collect();
        Attributes::new(kind, node, own)
    }

    /// What all actions of a resource have that are of the same kind.
    fn kind_attributes(&self, action: ActionId, resource: ResourceId) -> Values {
        let known = self.act(action);
        let mut attributes = Values::new();
        if self.rsc(resource).variant == Variant::Primitive {
            attributes = self.parameters(resource, known.node);
            if known.settings.has_parameters {
                let task = self.task_name(known.cancels);
                let own = self.operation_parameters(resource, task, known.interval_ms, known.node);
                attributes.extend(own);
            }
            // XML has no attribute of another name.
            attributes
                .retain(|name, _| name.starts_with(|first: char| first.is_alphabetic() || first == '_'));
        }
        for (name, value) in &known.settings.values {
            attributes.insert(format!("CRM_meta_{name}"), value.clone());
        }
        self.add_clone_attributes(resource, &mut attributes);
        if let Some(container) = self.rsc(resource).container {
            attributes.insert("CRM_meta_container".into(), self.rsc(container).id.clone());
        }
        if let Some(code) = known.target_rc {
            attributes.insert("CRM_meta_op_target_rc".into(), code.to_string());
        }
        attributes
    }

    /// Whether a resource's parameters have rules, which may look at the node.
    fn parameters_vary(&self, resource: ResourceId) -> bool {
        std::iter::successors(Some(resource), |at| self.rsc(*at).parent).any(|at| {
            let known = self.rsc(at);
            let holders = [Some(known.element), known.template];
            holders.into_iter().flatten().any(|holder| nvpairs::have_rules(holder, "instance_attributes"))
        })
    }

    fn node_attributes(&self, node: NodeIndex) -> Values {
        let node = self.node(node);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Values::from([pair("CRM_meta_on_node", &node.uname), pair("CRM_meta_on_node_uuid", &node.id)])
    }

    /// What instances know of their clone; the number only primitives do.
    fn add_clone_attributes(&self, resource: ResourceId, attributes: &mut Values) {
        let Some(clone) = self.clone_of(resource) else { return };
        let Some(options) = &self.rsc(clone).clone else { return };
        let flag = |value: bool| if value { "true" } else { "false" }.to_owned();
        let mut add = |name: &str, value: String| {
            attributes.insert(format!("CRM_meta_{name}"), value);
        };
        if let Some(instance) = self.rsc(resource).instance
            && self.rsc(resource).variant == Variant::Primitive
        {
            add("clone", instance.to_string());
        }
        add("clone_max", options.max.to_string());
        add("clone_node_max", options.node_max.to_string());
        add("globally_unique", flag(options.unique));
        add("notify", flag(options.notify));
        if options.promotable {
            for prefix in ["master", "promoted"] {
                add(&format!("{prefix}_max"), options.promoted_max.to_string());
                add(&format!("{prefix}_node_max"), options.promoted_node_max.to_string());
            }
        }
    }
}
