//! Resources from the configuration, with their templates, meta attributes and operations.

use std::collections::BTreeSet;

use hafen_cib::xml::Element;

use super::blank::blank;
use super::nvpairs::{self, Values};
use super::rules::RuleInput;
use crate::ledger::{Cause, Change};
use crate::model::{
    CloneOptions, Cluster, Operation, Recovery, Requires, Resource, ResourceId, Role, Variant, Weight,
};
use crate::score;

/// More instances than this of one clone are not made.
const INSTANCE_LIMIT: i32 = 10_000;

impl<'a> Cluster<'a> {
    pub(crate) fn unpack_resources(&mut self) {
        let Some(configuration) = self.document.root().child("configuration") else { return };
        let Some(resources) = configuration.child("resources") else { return };
        for element in resources.children() {
            if element.name() == "template" {
                if let Some(id) = element.attribute("id") {
                    self.tags.entry(id.to_owned()).or_default();
                }
                continue;
            }
            if let Some(resource) = self.unpack_resource(element, None, None) {
                self.top.push(resource);
            }
        }
        // What is more important comes first wherever resources are looked at one after the other.
        let mut top = std::mem::take(&mut self.top);
        top.sort_by_key(|resource| std::cmp::Reverse(self.rsc(*resource).priority));
        self.top = top;
        self.unpack_tags(configuration);
        self.link_containers();
    }

    /// What runs inside of what (the meta attribute `container`).
    fn link_containers(&mut self) {
        for resource in self.resource_ids() {
            let known = self.rsc(resource);
            if known.variant != Variant::Primitive {
                continue;
            }
            let Some(name) = known.meta.get("container").filter(|name| **name != known.id) else { continue };
            match self.by_id.get(name).copied() {
                Some(container) => {
                    self.rsc_mut(resource).container = Some(container);
                    self.rsc_mut(container).fillers.push(resource);
                }
                None => {
                    let text =
                        format!("Resource {} is to run inside of {name}, which does not exist", known.id);
                    self.warnings.push(text);
                }
            }
        }
    }

    fn unpack_tags(&mut self, configuration: Element<'a>) {
        let Some(tags) = configuration.child("tags") else { return };
        for tag in tags.children_named("tag") {
            let Some(id) = tag.attribute("id") else { continue };
            let members =
                tag.children_named("obj_ref").filter_map(|member| member.attribute("id")).map(str::to_owned);
            self.tags.entry(id.to_owned()).or_default().extend(members.collect::<Vec<_>>());
        }
    }

    /// Adds a resource, its members and instances.
    fn unpack_resource(
        &mut self,
        element: Element<'a>,
        parent: Option<ResourceId>,
        instance: Option<u32>,
    ) -> Option<ResourceId> {
        let configured = element.attribute("id")?;
        let variant = match element.name() {
            "primitive" => Variant::Primitive,
            "group" => Variant::Group,
            "clone" | "master" => Variant::Clone,
            _ => return None,
        };
        let id = match instance {
            Some(number) => format!("{configured}:{number}"),
            None => configured.to_owned(),
        };
        let template = element.attribute("template").and_then(|name| self.document.by_id(name));
        if let Some(name) = element.attribute("template") {
            if template.is_none_or(|template| template.name() != "template") {
                self.warnings.push(format!("No template named '{name}' for resource '{id}'"));
                return None;
            }
            self.tags.entry(name.to_owned()).or_default().push(configured.to_owned());
        }
        let attribute = |name: &str| {
            element
                .attribute(name)
                .or_else(|| template.and_then(|template| template.attribute(name)))
                .unwrap_or("")
                .to_owned()
        };
        let mut resource = blank(id, element, variant);
        resource.template = template;
        resource.parent = parent;
        resource.instance = instance;
        resource.class = attribute("class");
        resource.type_ = attribute("type");
        resource.provider = Some(attribute("provider")).filter(|provider| !provider.is_empty());
        resource.stonith_device = resource.class == "stonith";
        self.add_meta(&mut resource);
        if variant == Variant::Primitive {
            self.add_operations(&mut resource);
            self.add_utilization(&mut resource);
        }
        let handle = self.add_resource(resource);
        match variant {
            Variant::Primitive => {}
            Variant::Group => {
                for member in element.children_named("primitive") {
                    if let Some(member) = self.unpack_resource(member, Some(handle), instance) {
                        self.rsc_mut(handle).children.push(member);
                    }
                }
            }
            Variant::Clone => self.unpack_instances(handle, element),
        }
        self.rsc_mut(handle).next_role = self.target_role(handle).unwrap_or(Role::Unknown);
        Some(handle)
    }

    pub(crate) fn add_resource(&mut self, mut resource: Resource<'a>) -> ResourceId {
        let handle = ResourceId(u32::try_from(self.resources.len()).unwrap_or(u32::MAX));
        resource.allowed = vec![Weight::default(); self.nodes.len()];
        if self.properties.symmetric {
            for weight in &mut resource.allowed {
                weight.present = true;
            }
            for node in self.node_indices().filter(|node| self.nodes[node.at()].score != 0) {
                let change = Change::Add(self.nodes[node.at()].score);
                let score = &mut resource.allowed[node.at()].score;
                self.journal.write(score, Some(handle), node, change, Cause::NodeScore);
            }
        }
        self.by_id.insert(resource.id.clone(), handle);
        self.resources.push(resource);
        handle
    }

    fn unpack_instances(&mut self, clone: ResourceId, element: Element<'a>) {
        let options = self.clone_options(clone, element);
        let count = options.max.clamp(0, INSTANCE_LIMIT);
        self.rsc_mut(clone).unique = options.unique;
        self.rsc_mut(clone).notify = options.notify;
        self.rsc_mut(clone).clone = Some(options);
        for number in 0..count.max(1) {
            self.add_instance(clone, u32::try_from(number).unwrap_or(0), number >= count);
        }
    }

    /// Makes one more instance of a clone.
    pub(crate) fn add_instance(
        &mut self,
        clone: ResourceId,
        number: u32,
        orphan: bool,
    ) -> Option<ResourceId> {
        let element = self.rsc(clone).element;
        let child = element.children().find(|child| matches!(child.name(), "primitive" | "group"))?;
        let tags = self.tags.clone();
        let instance = self.unpack_resource(child, Some(clone), Some(number));
        if number > 0 {
            self.tags = tags;
        }
        let instance = instance?;
        self.rsc_mut(clone).children.push(instance);
        let options = self.rsc(clone).clone.clone().unwrap_or_default();
        if options.forced_anonymous {
            // What makes the clone anonymous makes the instances so that are there already; of this one, only itself.
            for earlier in self.family(clone) {
                self.rsc_mut(earlier).unique = false;
            }
        }
        for member in self.family(instance) {
            let resource = self.rsc_mut(member);
            let may_be_unique = matches!(resource.class.as_str(), "ocf" | "stonith" | "");
            resource.unique = options.unique || options.forced_anonymous && may_be_unique;
            resource.notify = options.notify;
            if !resource.meta.contains_key("resource-stickiness") {
                resource.stickiness = 1;
            }
            resource.orphan = orphan;
            resource.orphan_filler = orphan;
        }
        Some(instance)
    }

    fn clone_options(&mut self, clone: ResourceId, element: Element<'a>) -> CloneOptions {
        let nodes =
            i32::try_from(self.nodes.iter().filter(|node| !node.ping).count()).unwrap_or(i32::MAX).max(1);
        let meta = &self.rsc(clone).meta;
        let number = |names: &[&str], default: i32| {
            names
                .iter()
                .find_map(|name| meta.get(*name))
                .and_then(|text| score::parse(text))
                .unwrap_or(default)
        };
        let flag = |name: &str, default: bool| {
            meta.get(name).and_then(|text| score::parse_bool(text)).unwrap_or(default)
        };
        let promotable = element.name() == "master" || flag("promotable", false);
        let unique_default = number(&["clone-node-max"], 1) > 1;
        let mut options = CloneOptions {
            max: number(&["clone-max"], nodes),
            node_max: number(&["clone-node-max"], 1),
            min: number(&["clone-min"], 0),
            promotable,
            unique: flag("globally-unique", unique_default),
            notify: flag("notify", false),
            ordered: flag("ordered", false),
            interleave: flag("interleave", false),
            ..CloneOptions::default()
        };
        if options.unique && self.has_only_anonymous_parts(element) {
            // Such agents cannot tell instances on one node apart.
            let all = i32::try_from(self.nodes.len()).unwrap_or(i32::MAX);
            options.unique = false;
            options.forced_anonymous = true;
            options.node_max = 1;
            options.max = options.max.min(all);
            let id = &self.rsc(clone).id;
            self.warnings
                .push(format!("Ignoring globally-unique for {id}: its agent can only be cloned anonymously"));
        }
        let meta = &self.rsc(clone).meta;
        let number = |names: &[&str], default: i32| {
            names
                .iter()
                .find_map(|name| meta.get(*name))
                .and_then(|text| score::parse(text))
                .unwrap_or(default)
        };
        if promotable {
            options.promoted_max = number(&["promoted-max", "master-max"], 1);
            options.promoted_node_max = number(&["promoted-node-max", "master-node-max"], 1);
        }
        if !options.unique && options.node_max > 1 {
            let id = self.rsc(clone).id.clone();
            self.warnings
                .push(format!("Ignoring clone-node-max of {} for anonymous clone {id}", options.node_max));
            options.node_max = 1;
        }
        options
    }

    /// Whether any part of a clone is of a class whose agents know no parameters (`lsb`, `systemd` and similar).
    fn has_only_anonymous_parts(&self, clone: Element<'a>) -> bool {
        clone.descendants().any(|part| {
            let template = part.attribute("template").and_then(|name| self.document.by_id(name));
            part.name() == "primitive"
                && part
                    .attribute("class")
                    .or_else(|| template.and_then(|template| template.attribute("class")))
                    .is_some_and(|class| !matches!(class, "ocf" | "stonith"))
        })
    }

    /// An orphan has only the defaults.
    pub(crate) fn add_orphan_defaults(&mut self, resource: &mut Resource<'a>) {
        self.add_meta(resource);
    }

    /// Fills in meta attributes: its own, then those of what contains it, then the defaults.
    fn add_meta(&mut self, resource: &mut Resource<'a>) {
        let mut meta = Values::new();
        let provider = resource.provider.clone().unwrap_or_default();
        let input = RuleInput {
            now: self.now,
            agent: (resource.variant == Variant::Primitive).then_some((
                &resource.class,
                &provider,
                &resource.type_,
            )),
            ..RuleInput::default()
        };
        nvpairs::unpack(resource.element, "meta_attributes", None, &input, &mut self.next_change, &mut meta);
        if let Some(template) = resource.template {
            nvpairs::unpack(template, "meta_attributes", None, &input, &mut self.next_change, &mut meta);
        }
        if let Some(parent) = resource.parent {
            for (name, value) in &self.rsc(parent).meta {
                if !meta.contains_key(name) {
                    meta.insert(name.clone(), value.clone());
                }
            }
        }
        if let Some(defaults) = self
            .document
            .root()
            .child("configuration")
            .and_then(|configuration| configuration.child("rsc_defaults"))
        {
            nvpairs::unpack(defaults, "meta_attributes", None, &input, &mut self.next_change, &mut meta);
        }
        self.decode_meta(resource, &meta);
        resource.meta = meta;
    }

    fn decode_meta(&self, resource: &mut Resource<'a>, meta: &Values) {
        let text = |name: &str| meta.get(name).map(String::as_str);
        let number = |name: &str| text(name).and_then(score::parse);
        let flag = |name: &str| text(name).and_then(score::parse_bool);
        resource.managed = flag("is-managed").unwrap_or(self.properties.managed_default);
        resource.maintenance = flag("maintenance").unwrap_or(false) || self.properties.maintenance;
        if resource.maintenance {
            resource.managed = false;
        }
        resource.priority = number("priority").unwrap_or(0);
        resource.stickiness = number("resource-stickiness").unwrap_or(0);
        resource.migration_threshold = match number("migration-threshold") {
            Some(limit) if limit >= 0 => limit,
            _ => score::INFINITY,
        };
        resource.failure_timeout_seconds =
            text("failure-timeout").and_then(score::parse_milliseconds).map_or(0, score::to_seconds);
        resource.allow_migrate = flag("allow-migrate").unwrap_or(false);
        resource.critical = flag("critical").unwrap_or(true);
        resource.recovery = match text("multiple-active") {
            Some("stop_only") => Recovery::StopOnly,
            Some("block") => Recovery::Block,
            Some("stop_unexpected") => Recovery::StopUnexpected,
            _ => Recovery::StopStart,
        };
        resource.fence_device_unfences = text("provides") == Some("unfencing");
        let default = if resource.stonith_device {
            Requires::Quorum
        } else if resource.variant == Variant::Primitive && self.unfencing && self.properties.stonith {
            Requires::Unfencing
        } else if self.properties.stonith {
            Requires::Fencing
        } else if self.properties.no_quorum == crate::model::NoQuorumPolicy::Ignore {
            Requires::Nothing
        } else {
            Requires::Quorum
        };
        resource.requires = match text("requires") {
            Some("nothing") => Requires::Nothing,
            Some("quorum") => Requires::Quorum,
            // Even where fencing is disabled.
            Some("fencing") => Requires::Fencing,
            Some("unfencing") if resource.stonith_device => Requires::Quorum,
            Some("unfencing") if self.properties.stonith => Requires::Unfencing,
            Some("unfencing") => Requires::Quorum,
            _ => default,
        };
        resource.next_role = Role::Unknown;
    }

    fn add_operations(&mut self, resource: &mut Resource<'a>) {
        // A template's operation is inherited where the resource has none of the same name and role.
        let mut seen: BTreeSet<(String, Role)> = BTreeSet::new();
        let own = resource.element.child("operations");
        let inherited = resource.template.and_then(|template| template.child("operations"));
        for (operations, is_own) in [(own, true), (inherited, false)] {
            let Some(operations) = operations else { continue };
            let operations =
                operations.attribute("id-ref").and_then(|id| self.document.by_id(id)).unwrap_or(operations);
            for element in operations.children_named("op") {
                let Some(name) = element.attribute("name") else { continue };
                let interval_ms =
                    element.attribute("interval").and_then(score::parse_milliseconds).unwrap_or(0);
                let role = element.attribute("role").and_then(Role::parse);
                let key = (name.to_owned(), role.unwrap_or(Role::Started));
                if is_own {
                    seen.insert(key);
                } else if seen.contains(&key) {
                    continue;
                }
                resource.ops.push(Operation {
                    element,
                    name: name.to_owned(),
                    interval_ms,
                    enabled: element.attribute("enabled").and_then(score::parse_bool).unwrap_or(true),
                    role,
                    ambiguous: false,
                });
            }
        }
        let keys: Vec<(String, u64)> =
            resource.ops.iter().map(|op| (op.name.clone(), op.interval_ms)).collect();
        for op in &mut resource.ops {
            let same =
                keys.iter().filter(|(name, interval_ms)| *name == op.name && *interval_ms == op.interval_ms);
            op.ambiguous = same.count() > 1;
        }
    }

    fn add_utilization(&mut self, resource: &mut Resource<'a>) {
        let mut amounts = Values::new();
        let input = RuleInput { now: self.now, ..RuleInput::default() };
        nvpairs::unpack(resource.element, "utilization", None, &input, &mut self.next_change, &mut amounts);
        if let Some(template) = resource.template {
            nvpairs::unpack(template, "utilization", None, &input, &mut self.next_change, &mut amounts);
        }
        resource.utilization = nvpairs::amounts(amounts, [Some(resource.element), resource.template]);
    }

    /// Whether nodes have to be switched on before they may run anything.
    pub(crate) fn find_unfencing(&mut self) {
        let Some(resources) = self
            .document
            .root()
            .child("configuration")
            .and_then(|configuration| configuration.child("resources"))
        else {
            return;
        };
        for element in resources.descendants() {
            match element.name() {
                "primitive" => self.have_stonith_devices |= element.attribute("class") == Some("stonith"),
                // Wherever it stands, used or not.
                "meta_attributes" => {
                    self.unfencing |= element.children_named("nvpair").any(|pair| {
                        matches!(pair.attribute("name"), Some("provides" | "requires"))
                            && pair.attribute("value") == Some("unfencing")
                    });
                }
                _ => {}
            }
        }
    }

    /// The parameters of a resource on a node (rules may look at the node's attributes).
    pub(crate) fn parameters(&self, resource: ResourceId, node: Option<crate::model::NodeIndex>) -> Values {
        let mut parameters = Values::new();
        let mut next = crate::input::rules::NextChange::default();
        let input = RuleInput {
            now: self.now,
            node_attributes: node.map(|node| &self.node(node).attributes),
            ..RuleInput::default()
        };
        let mut at = Some(resource);
        while let Some(id) = at {
            let resource = self.rsc(id);
            nvpairs::unpack(
                resource.element,
                "instance_attributes",
                None,
                &input,
                &mut next,
                &mut parameters,
            );
            if let Some(template) = resource.template {
                nvpairs::unpack(template, "instance_attributes", None, &input, &mut next, &mut parameters);
            }
            at = resource.parent;
        }
        parameters
    }
}
