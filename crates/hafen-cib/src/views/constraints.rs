//! Constraints: location, colocation, order.

use crate::cib::Cib;
use crate::values::Score;
use crate::xml::Element;

/// A constraint of the configuration.
#[derive(Debug, Clone, Copy)]
pub enum Constraint<'a> {
    /// Where resources may run.
    Location(Location<'a>),
    /// What runs together.
    Colocation(Colocation<'a>),
    /// What runs first.
    Order(Order<'a>),
    /// Anything else, such as `rsc_ticket`.
    Other(Element<'a>),
}

/// `<rsc_location>`.
#[derive(Debug, Clone, Copy)]
pub struct Location<'a>(pub Element<'a>);

/// `<rsc_colocation>`.
#[derive(Debug, Clone, Copy)]
pub struct Colocation<'a>(pub Element<'a>);

/// `<rsc_order>`.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a>(pub Element<'a>);

/// `<resource_set>`.
#[derive(Debug, Clone, Copy)]
pub struct ResourceSet<'a>(pub Element<'a>);

/// A `<resource_ref>` of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResourceSetMember<'a> {
    /// The resource's id.
    pub resource: &'a str,
}

fn score_of(element: Element<'_>) -> Option<Score> {
    element.attribute("score").and_then(Score::parse)
}

fn sets(element: Element<'_>) -> impl Iterator<Item = ResourceSet<'_>> {
    element.children_named("resource_set").map(ResourceSet)
}

impl<'a> Location<'a> {
    /// The resource, if it is named.
    pub fn resource(self) -> Option<&'a str> {
        self.0.attribute("rsc")
    }

    /// The regular expression for resources' ids, if there is one.
    pub fn resource_pattern(self) -> Option<&'a str> {
        self.0.attribute("rsc-pattern")
    }

    /// The node, if it is named.
    pub fn node(self) -> Option<&'a str> {
        self.0.attribute("node")
    }

    /// The score; `None` if it is in rules, or cannot be read.
    pub fn score(self) -> Option<Score> {
        score_of(self.0)
    }

    /// The rules.
    pub fn rules(self) -> impl Iterator<Item = Element<'a>> {
        self.0.children_named("rule")
    }

    /// The role that the constraint is about.
    pub fn role(self) -> Option<&'a str> {
        self.0.attribute("role")
    }

    /// `always`, `never` or `exclusive`.
    pub fn resource_discovery(self) -> &'a str {
        self.0.attribute("resource-discovery").unwrap_or("always")
    }

    /// The sets, if the constraint is about several resources.
    pub fn sets(self) -> impl Iterator<Item = ResourceSet<'a>> {
        sets(self.0)
    }
}

impl<'a> Colocation<'a> {
    /// The dependent resource.
    pub fn resource(self) -> Option<&'a str> {
        self.0.attribute("rsc")
    }

    /// The resource that it depends on.
    pub fn with_resource(self) -> Option<&'a str> {
        self.0.attribute("with-rsc")
    }

    /// The role of the dependent.
    pub fn role(self) -> Option<&'a str> {
        self.0.attribute("rsc-role")
    }

    /// The role of the other.
    pub fn with_role(self) -> Option<&'a str> {
        self.0.attribute("with-rsc-role")
    }

    /// The score; `None` if it cannot be read or is missing, which counts as 0.
    pub fn score(self) -> Option<Score> {
        score_of(self.0)
    }

    /// The node attribute that has to be the same; `#uname` means the same node.
    pub fn node_attribute(self) -> &'a str {
        self.0.attribute("node-attribute").unwrap_or("#uname")
    }

    /// The sets, if the constraint is about several resources.
    pub fn sets(self) -> impl Iterator<Item = ResourceSet<'a>> {
        sets(self.0)
    }
}

impl<'a> Order<'a> {
    /// What comes first.
    pub fn first(self) -> Option<&'a str> {
        self.0.attribute("first")
    }

    /// What comes then.
    pub fn then(self) -> Option<&'a str> {
        self.0.attribute("then")
    }

    /// What has to be done with the first.
    pub fn first_action(self) -> &'a str {
        self.0.attribute("first-action").unwrap_or("start")
    }

    /// What is done then; the same as with the first if it is not said.
    pub fn then_action(self) -> &'a str {
        self.0.attribute("then-action").unwrap_or_else(|| self.first_action())
    }

    /// `Mandatory`, `Optional` or `Serialize`; an old score of 0 means `Optional`.
    pub fn kind(self) -> &'a str {
        match (self.0.attribute("kind"), score_of(self.0)) {
            (Some(kind), _) => kind,
            (None, Some(score)) if score.value() == 0 => "Optional",
            _ => "Mandatory",
        }
    }

    /// Whether stopping goes the other way round; `None` if it is not said.
    pub fn symmetrical(self) -> Option<bool> {
        self.0.attribute("symmetrical").and_then(crate::values::parse_boolean)
    }

    /// The sets, if the constraint is about several resources.
    pub fn sets(self) -> impl Iterator<Item = ResourceSet<'a>> {
        sets(self.0)
    }
}

impl<'a> ResourceSet<'a> {
    /// The resources in their order.
    pub fn members(self) -> impl Iterator<Item = ResourceSetMember<'a>> {
        let references = self.0.children_named("resource_ref");
        references.filter_map(|reference| reference.id().map(|resource| ResourceSetMember { resource }))
    }

    /// Whether the members depend on each other in their order.
    pub fn sequential(self) -> bool {
        self.0.attribute("sequential").and_then(crate::values::parse_boolean).unwrap_or(true)
    }

    /// Whether all members are needed.
    pub fn require_all(self) -> bool {
        self.0.attribute("require-all").and_then(crate::values::parse_boolean).unwrap_or(true)
    }

    /// The role that the set is about.
    pub fn role(self) -> Option<&'a str> {
        self.0.attribute("role")
    }

    /// The action that the set is about.
    pub fn action(self) -> Option<&'a str> {
        self.0.attribute("action")
    }
}

impl Cib {
    /// The constraints in their order.
    pub fn configured_constraints(&self) -> impl Iterator<Item = Constraint<'_>> {
        let elements = self.constraints().into_iter().flat_map(|constraints| constraints.children());
        elements.map(|element| match element.name() {
            "rsc_location" => Constraint::Location(Location(element)),
            "rsc_colocation" => Constraint::Colocation(Colocation(element)),
            "rsc_order" => Constraint::Order(Order(element)),
            _ => Constraint::Other(element),
        })
    }
}
