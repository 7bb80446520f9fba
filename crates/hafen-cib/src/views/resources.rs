//! Resources and their operations.

use super::pairs::{NO_RULES, Pairs, RuleHolds, follow};
use crate::cib::Cib;
use crate::options::{DEFAULT_MARK, OPERATION_OPTIONS, RESOURCE_OPTIONS, find};
use crate::values::{parse_boolean, parse_duration_ms, parse_timeout_ms};
use crate::xml::Element;

/// What a resource is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResourceKind {
    /// One agent.
    Primitive,
    /// Resources that run together, one after the other.
    Group,
    /// A resource that runs several times.
    Clone,
    /// A resource in containers.
    Bundle,
    /// What primitives share; no resource itself.
    Template,
}

/// A resource of the configuration.
#[derive(Debug, Clone, Copy)]
pub struct Resource<'a> {
    cib: &'a Cib,
    element: Element<'a>,
}

impl<'a> Resource<'a> {
    /// The resource of an element; `None` if it is none.
    pub fn new(cib: &'a Cib, element: Element<'a>) -> Option<Resource<'a>> {
        kind(element).map(|_| Resource { cib, element })
    }

    /// The element.
    pub fn element(self) -> Element<'a> {
        self.element
    }

    /// The id.
    pub fn id(self) -> &'a str {
        self.element.id().unwrap_or("")
    }

    /// What it is.
    pub fn kind(self) -> ResourceKind {
        kind(self.element).unwrap_or(ResourceKind::Primitive)
    }

    /// The resources inside of a group, clone or bundle.
    pub fn children(self) -> impl Iterator<Item = Resource<'a>> {
        self.element.children().filter_map(move |child| Resource::new(self.cib, child))
    }

    /// The group, clone or bundle around it.
    pub fn parent(self) -> Option<Resource<'a>> {
        Resource::new(self.cib, self.element.parent()?)
    }

    /// The template it is made from.
    pub fn template(self) -> Option<Element<'a>> {
        let found = self.cib.document().by_id(self.element.attribute("template")?)?;
        (found.name() == "template").then_some(found)
    }

    /// The agent's class: `ocf`, `stonith`, `systemd`, ...
    pub fn class(self) -> &'a str {
        self.own_or_template("class")
    }

    /// The agent's provider, for `ocf`.
    pub fn provider(self) -> &'a str {
        self.own_or_template("provider")
    }

    /// The agent's type.
    pub fn agent_type(self) -> &'a str {
        self.own_or_template("type")
    }

    fn own_or_template(self, name: &str) -> &'a str {
        let own = self.element.attribute(name);
        own.or_else(|| self.template()?.attribute(name)).unwrap_or("")
    }

    /// Whether it is a device for fencing.
    pub fn is_fencing_device(self) -> bool {
        self.class() == "stonith"
    }

    fn layers(self, set_name: &str, rules: RuleHolds<'_>) -> impl Iterator<Item = Pairs<'a>> {
        let elements = [Some(self.element), self.template()];
        let layers = elements.into_iter().flatten().map(|owner| Pairs::of(owner, set_name, None, rules));
        layers.collect::<Vec<_>>().into_iter()
    }

    /// A meta-attribute: its own, its template's, that of the group or clone around it, that of
    /// `rsc_defaults`, or Pacemaker's default.
    pub fn meta(self, name: &str) -> Option<&'a str> {
        self.meta_with(name, NO_RULES)
    }

    /// The same as [`Resource::meta`], with rules judged by the caller.
    pub fn meta_with(self, name: &str, rules: RuleHolds<'_>) -> Option<&'a str> {
        self.configured_meta(name, rules)
            .filter(|value| *value != DEFAULT_MARK)
            .or_else(|| find(RESOURCE_OPTIONS, name)?.default)
    }

    /// A meta-attribute as it is configured, without Pacemaker's default.
    pub fn configured_meta(self, name: &str, rules: RuleHolds<'_>) -> Option<&'a str> {
        let mut resource = Some(self);
        while let Some(current) = resource {
            if let Some(value) = current.layers("meta_attributes", rules).find_map(|layer| layer.get(name)) {
                return Some(value);
            }
            resource = current.parent();
        }
        let defaults = self.cib.section("rsc_defaults")?;
        Pairs::of(defaults, "meta_attributes", None, rules).get(name)
    }

    /// A meta-attribute that is true or false; `false` if it has neither value nor default.
    pub fn meta_boolean(self, name: &str) -> bool {
        self.meta(name).and_then(parse_boolean).unwrap_or(false)
    }

    /// A parameter of the agent.
    pub fn instance_attribute(self, name: &str) -> Option<&'a str> {
        self.layers("instance_attributes", NO_RULES).find_map(|layer| layer.get(name))
    }

    /// The parameters of the agent, sorted by name.
    pub fn instance_attributes(self) -> Vec<(&'a str, &'a str)> {
        self.merged("instance_attributes")
    }

    /// What the resource needs of a node, sorted by name.
    pub fn utilization(self) -> Vec<(&'a str, &'a str)> {
        self.merged("utilization")
    }

    fn merged(self, set_name: &str) -> Vec<(&'a str, &'a str)> {
        let mut merged = std::collections::BTreeMap::new();
        for (name, value) in
            self.layers(set_name, NO_RULES).flat_map(|layer| layer.iter().collect::<Vec<_>>())
        {
            merged.entry(name).or_insert(value);
        }
        merged.into_iter().collect()
    }

    /// The configured operations; those of the template where the resource has none of the same
    /// name and interval.
    pub fn operations(self) -> Vec<Operation<'a>> {
        let mut operations: Vec<Operation<'a>> = Vec::new();
        for owner in [Some(self.element), self.template()].into_iter().flatten() {
            let blocks = owner.children_named("operations").filter_map(follow);
            for element in blocks.flat_map(|block| block.children_named("op")).filter_map(follow) {
                let operation = Operation { cib: self.cib, element };
                let key = (operation.name(), operation.interval_ms());
                if operations.iter().all(|known| (known.name(), known.interval_ms()) != key) {
                    operations.push(operation);
                }
            }
        }
        operations
    }

    /// The operation of a name and interval.
    pub fn operation(self, name: &str, interval_ms: u64) -> Option<Operation<'a>> {
        self.operations().into_iter().find(|op| op.name() == name && op.interval_ms() == interval_ms)
    }

    /// The timeout of an operation that may not be configured, in milliseconds.
    pub fn operation_timeout_ms(self, name: &str, interval_ms: u64) -> u64 {
        let configured = self.operation(name, interval_ms).and_then(|op| op.option("timeout"));
        configured
            .or_else(|| operation_default(self.cib, "timeout", NO_RULES))
            .and_then(timeout)
            .unwrap_or(20_000)
    }
}

fn timeout(text: &str) -> Option<u64> {
    let milliseconds = parse_timeout_ms(text).and_then(|value| u64::try_from(value).ok());
    milliseconds.or_else(|| parse_duration_ms(text))
}

fn operation_default<'a>(cib: &'a Cib, name: &str, rules: RuleHolds<'_>) -> Option<&'a str> {
    let section = cib.section("op_defaults")?;
    Pairs::of(section, "meta_attributes", None, rules).get(name)
}

fn kind(element: Element<'_>) -> Option<ResourceKind> {
    Some(match element.name() {
        "primitive" => ResourceKind::Primitive,
        "group" => ResourceKind::Group,
        "clone" | "master" => ResourceKind::Clone,
        "bundle" => ResourceKind::Bundle,
        "template" => ResourceKind::Template,
        _ => return None,
    })
}

/// A configured operation.
#[derive(Debug, Clone, Copy)]
pub struct Operation<'a> {
    cib: &'a Cib,
    element: Element<'a>,
}

impl<'a> Operation<'a> {
    /// The element.
    pub fn element(self) -> Element<'a> {
        self.element
    }

    /// The id.
    pub fn id(self) -> &'a str {
        self.element.id().unwrap_or("")
    }

    /// The action's name.
    pub fn name(self) -> &'a str {
        self.element.attribute("name").unwrap_or("")
    }

    /// The interval in milliseconds; 0 if the operation does not recur.
    pub fn interval_ms(self) -> u64 {
        self.element.attribute("interval").and_then(parse_duration_ms).unwrap_or(0)
    }

    /// The timeout in milliseconds.
    pub fn timeout_ms(self) -> u64 {
        self.option("timeout").and_then(timeout).unwrap_or(20_000)
    }

    /// Whether the operation counts.
    pub fn is_enabled(self) -> bool {
        self.option("enabled").and_then(parse_boolean).unwrap_or(true)
    }

    /// An option: the operation's own attribute, its meta-attribute, that of `op_defaults`, or
    /// Pacemaker's default.
    pub fn option(self, name: &str) -> Option<&'a str> {
        self.option_with(name, NO_RULES)
    }

    /// The same as [`Operation::option`], with rules judged by the caller.
    pub fn option_with(self, name: &str, rules: RuleHolds<'_>) -> Option<&'a str> {
        let meta = || Pairs::of(self.element, "meta_attributes", None, rules).get(name);
        let own = self.element.attribute(name).or_else(meta);
        let set = own.or_else(|| operation_default(self.cib, name, rules));
        set.or_else(|| find(OPERATION_OPTIONS, name)?.default)
    }

    /// Parameters for this operation only.
    pub fn instance_attributes(self) -> Pairs<'a> {
        Pairs::of(self.element, "instance_attributes", None, NO_RULES)
    }
}

impl Cib {
    /// The resources at the top of the section, templates left out.
    pub fn top_resources(&self) -> impl Iterator<Item = Resource<'_>> {
        let elements = self.resources().into_iter().flat_map(|resources| resources.children());
        elements
            .filter_map(|element| Resource::new(self, element))
            .filter(|r| r.kind() != ResourceKind::Template)
    }

    /// The resource with an id; templates are found as well.
    pub fn resource(&self, id: &str) -> Option<Resource<'_>> {
        self.document().all_by_id(id).into_iter().find_map(|element| Resource::new(self, element))
    }

    /// All primitives, wherever they are.
    pub fn primitives(&self) -> impl Iterator<Item = Resource<'_>> {
        let elements = self.resources().into_iter().flat_map(|resources| resources.descendants());
        elements
            .filter(|element| element.name() == "primitive")
            .filter_map(|element| Resource::new(self, element))
    }
}
