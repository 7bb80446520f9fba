//! An action's attributes in the graph: parameters, and `CRM_meta_*`.

use std::collections::BTreeMap;

use crate::model::{ActionId, Cluster, ResourceId, Variant};

impl<'a> Cluster<'a> {
    pub(crate) fn attributes_of(&self, action: ActionId) -> BTreeMap<String, String> {
        let known = self.act(action);
        let mut attributes = BTreeMap::new();
        if let Some(resource) = known.resource {
            if self.rsc(resource).variant == Variant::Primitive {
                attributes.extend(self.parameters(resource, known.node));
                if known.settings.has_parameters {
                    let task = self.task_name(known.cancels);
                    attributes.extend(self.operation_parameters(
                        resource,
                        task,
                        known.interval_ms,
                        known.node,
                    ));
                }
            }
            for (name, value) in &known.settings.values {
                attributes.insert(format!("CRM_meta_{name}"), value.clone());
            }
            self.add_clone_attributes(resource, &mut attributes);
            if let Some(container) = self.rsc(resource).container {
                attributes.insert("CRM_meta_container".into(), self.rsc(container).id.clone());
            }
        }
        for (name, value) in &known.meta {
            attributes.insert(format!("CRM_meta_{name}"), value.clone());
        }
        if let Some(code) = known.target_rc {
            attributes.insert("CRM_meta_op_target_rc".into(), code.to_string());
        }
        if let Some(environment) = &known.notify {
            for (name, value) in environment.iter() {
                attributes.insert(format!("CRM_meta_notify_{name}"), value.clone());
            }
        }
        if let Some(node) = known.node
            && !known.pseudo
        {
            attributes.insert("CRM_meta_on_node".into(), self.node(node).uname.clone());
            attributes.insert("CRM_meta_on_node_uuid".into(), self.node(node).id.clone());
        }
        attributes.retain(|name, _| name.starts_with(|letter: char| letter.is_alphabetic() || letter == '_'));
        attributes
    }

    /// What instances know of their clone; the number only primitives do.
    fn add_clone_attributes(&self, resource: ResourceId, attributes: &mut BTreeMap<String, String>) {
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
