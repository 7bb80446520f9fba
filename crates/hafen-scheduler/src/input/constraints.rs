//! Constraints from the configuration: where, with whom, in which order, under which ticket.

use hafen_cib::xml::Element;

use super::rules::{self, RuleInput};
use crate::model::{
    Cluster, Colocation, Discovery, Location, LossPolicy, NodeIndex, ResourceId, Role, Ticket,
    TicketConstraint,
};
use crate::score;

/// A resource set of a constraint.
pub(crate) struct Set<'a> {
    pub(crate) element: Element<'a>,
    /// Up to the first that does not exist.
    pub(crate) members: Vec<ResourceId>,
    /// Whether all members exist.
    pub(crate) complete: bool,
    pub(crate) sequential: bool,
    pub(crate) role: Option<Role>,
}

/// What the colocations of one constraint share.
#[derive(Clone, Copy)]
struct Link<'l> {
    id: &'l str,
    score: i32,
    influence: Option<bool>,
    node_attribute: Option<&'l str>,
}

impl<'a> Cluster<'a> {
    pub(crate) fn unpack_constraints(&mut self) {
        let root = self.document.root();
        let constraints =
            root.child("configuration").and_then(|configuration| configuration.child("constraints"));
        let Some(constraints) = constraints else { return };
        for element in constraints.children() {
            let input = RuleInput { now: self.now, ..RuleInput::default() };
            if element
                .child("lifetime")
                .is_some_and(|lifetime| !rules::holds(lifetime, &input, &mut self.next_change))
            {
                continue;
            }
            match element.name() {
                "rsc_location" => self.unpack_location(element),
                "rsc_colocation" => self.unpack_colocation(element),
                "rsc_order" => self.unpack_order(element),
                "rsc_ticket" => self.unpack_ticket_constraint(element),
                _ => {}
            }
        }
    }

    /// The resources that a constraint means by a name: a resource, or those of a template or tag. `None` for what does not
    /// exist; what a tag names is no tag.
    pub(crate) fn named(&mut self, name: &str, constraint: &str) -> Vec<Option<ResourceId>> {
        if let Some(resource) = self.find_configured(name) {
            return vec![Some(resource)];
        }
        let members = self.tags.get(name).filter(|members| !members.is_empty()).cloned();
        let found: Vec<Option<ResourceId>> = match &members {
            Some(members) => members.iter().map(|member| self.find_configured(member)).collect(),
            None => vec![None],
        };
        if found.contains(&None) {
            let of = if members.is_some() { " or some of it" } else { "" };
            self.warnings
                .push(format!("Ignoring '{name}'{of} in constraint '{constraint}': no such resource"));
        }
        found
    }

    /// A resource by its own name, even one that only history knows any more. A name by which history knows an instance
    /// stands for its clone; else the members of clones have no name of their own.
    pub(crate) fn find_configured(&self, name: &str) -> Option<ResourceId> {
        if let Some(&found) = self.by_id.get(name) {
            return Some(found);
        }
        let clone = self.clone_of(*self.by_id.get(&format!("{name}:0"))?)?;
        let known = self.family(clone).iter().any(|member| self.rsc(*member).history_id == name);
        known.then_some(clone)
    }

    pub(crate) fn sets(&mut self, constraint: Element<'a>, id: &str) -> Vec<Set<'a>> {
        let mut sets = Vec::new();
        for set in constraint.children_named("resource_set") {
            let set = set.attribute("id-ref").and_then(|id| self.document.by_id(id)).unwrap_or(set);
            let (mut members, mut complete) = (Vec::new(), true);
            for name in set.children_named("resource_ref").filter_map(|reference| reference.attribute("id")) {
                let found = self.named(name, id);
                members.extend(found.iter().map_while(|member| *member));
                if found.contains(&None) {
                    complete = false;
                    break;
                }
            }
            sets.push(Set {
                element: set,
                members,
                complete,
                sequential: set.attribute("sequential").and_then(score::parse_bool).unwrap_or(true),
                role: role_of(set.attribute("role")),
            });
        }
        sets
    }

    fn unpack_location(&mut self, element: Element<'a>) {
        let id = element.attribute("id").unwrap_or("").to_owned();
        let role = element.attribute("role").and_then(Role::parse);
        let score = element.attribute("score");
        if let Some(name) = element.attribute("rsc") {
            for resource in self.named(name, &id) {
                let Some(resource) = resource else { break };
                self.add_location(&id, element, resource, role, score, &[]);
            }
        }
        if let Some(pattern) = element.attribute("rsc-pattern") {
            for (resource, groups) in self.matching(pattern) {
                self.add_location(&id, element, resource, role, score, &groups);
            }
        }
        for set in self.sets(element, &id) {
            let set_score = set.element.attribute("score").or(score);
            for resource in set.members {
                self.add_location(&id, element, resource, set.role.or(role), set_score, &[]);
            }
            if !set.complete {
                return;
            }
        }
    }

    /// Resources whose name matches a pattern, with the submatches.
    fn matching(&self, pattern: &str) -> Vec<(ResourceId, Vec<String>)> {
        let (negated, pattern) = match pattern.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, pattern),
        };
        let Some(expression) = super::pattern::Pattern::parse(pattern) else { return Vec::new() };
        let mut found = Vec::new();
        for &resource in &self.top {
            let matched = expression.find(&self.rsc(resource).id);
            match (negated, matched) {
                (false, Some(groups)) => found.push((resource, groups)),
                (true, None) => found.push((resource, Vec::new())),
                _ => {}
            }
        }
        found
    }

    fn add_location(
        &mut self,
        id: &str,
        element: Element<'a>,
        resource: ResourceId,
        role: Option<Role>,
        score: Option<&str>,
        groups: &[String],
    ) {
        let discovery = match element.attribute("resource-discovery") {
            Some("never") => Discovery::Never,
            Some("exclusive") => Discovery::Exclusive,
            _ => Discovery::Always,
        };
        let mut location = Location {
            id: id.to_owned(),
            resource,
            role: role.filter(|role| *role == Role::Promoted),
            discovery,
            nodes: Vec::new(),
            rule: None,
            health: false,
        };
        if let Some(name) = element.attribute("node") {
            let Some(node) = self.node_by_name(name) else { return };
            let score = score.and_then(score::parse).unwrap_or(0);
            location.nodes.push((node, score));
            self.push_location(location);
            return;
        }
        for rule in element.children_named("rule") {
            let mut location = location.clone();
            let target = rule.attribute("id-ref").and_then(|id| self.document.by_id(id)).unwrap_or(rule);
            // With rules, only a rule's own role counts.
            location.role =
                target.attribute("role").and_then(Role::parse).filter(|role| *role == Role::Promoted);
            location.nodes = self.rule_scores(target, resource, groups);
            location.rule = target.attribute("id").map(str::to_owned);
            self.push_location(location);
        }
    }

    fn rule_scores(
        &mut self,
        rule: Element<'a>,
        resource: ResourceId,
        _groups: &[String],
    ) -> Vec<(NodeIndex, i32)> {
        let fixed = rule.attribute("score").and_then(score::parse);
        let by_attribute = rule.attribute("score-attribute");
        let parameters = self.parameters(resource, None);
        let meta = self.rsc(resource).meta.clone();
        let mut found = Vec::new();
        for node in self.node_indices() {
            let mut next = self.next_change;
            let input = RuleInput {
                now: self.now,
                node_attributes: Some(&self.node(node).attributes),
                resource_parameters: Some(&parameters),
                resource_meta: Some(&meta),
                ..RuleInput::default()
            };
            let holds = rules::rule_holds(rule, &input, &mut next, 0);
            self.next_change = next;
            if !holds {
                continue;
            }
            let score = match by_attribute {
                // A node without such a score is left out.
                Some(name) => self.node(node).attributes.get(name).and_then(|value| score::parse(value)),
                None => Some(fixed.unwrap_or(0)),
            };
            found.extend(score.map(|score| (node, score)));
        }
        found
    }

    pub(crate) fn push_location(&mut self, location: Location) {
        let at = self.locations.len();
        let resource = location.resource;
        self.locations.push(location);
        self.rsc_mut(resource).locations.push(at);
    }

    fn unpack_colocation(&mut self, element: Element<'a>) {
        let id = element.attribute("id").unwrap_or("");
        let score = element.attribute("score").and_then(score::parse).unwrap_or(0);
        let influence = element.attribute("influence").and_then(score::parse_bool);
        let link = Link { id, score, influence, node_attribute: None };
        if let (Some(dependent), Some(primary)) = (element.attribute("rsc"), element.attribute("with-rsc")) {
            let role = |name: &str| element.attribute(name).and_then(Role::parse);
            // Tags and templates are turned into sets, and those know no attribute.
            let is_one = |name: &str| self.find_configured(name).is_some();
            let (one_dependent, one_primary) = (is_one(dependent), is_one(primary));
            if !one_dependent && !one_primary {
                self.warnings.push(format!(
                    "Ignoring colocation '{id}': of '{dependent}' and '{primary}' only one may be a template or tag"
                ));
                return;
            }
            let node_attribute = element.attribute("node-attribute").filter(|_| one_dependent && one_primary);
            let primaries = self.named(primary, id);
            for dependent in self.named(dependent, id).into_iter().flatten() {
                for &primary in primaries.iter().flatten() {
                    let link = Link { node_attribute, ..link };
                    self.push_colocation(
                        link,
                        (dependent, role("rsc-role")),
                        (primary, role("with-rsc-role")),
                    );
                }
            }
            return;
        }
        let sets = self.sets(element, id);
        for (at, set) in sets.iter().enumerate() {
            self.colocate_members(set, link);
            let earlier = at.checked_sub(1).and_then(|earlier| sets.get(earlier));
            if let Some(earlier) = earlier.filter(|earlier| earlier.complete && set.complete) {
                self.colocate_sets(earlier, set, link);
            }
        }
    }

    /// Within a set, each member goes with the one before; if they avoid each other, with all before.
    fn colocate_members(&mut self, set: &Set<'a>, link: Link<'_>) {
        let score = set.element.attribute("score").and_then(score::parse).unwrap_or(link.score);
        let link = Link { id: set.element.attribute("id").unwrap_or(link.id), score, ..link };
        if !set.sequential {
            return;
        }
        // An old attribute turns the set round.
        let reversed =
            set.element.attribute("ordering").is_some_and(|order| !order.eq_ignore_ascii_case("group"));
        for (at, &member) in set.members.iter().enumerate() {
            let first = if score > 0 { at.saturating_sub(1) } else { 0 };
            for &earlier in &set.members[first..at] {
                let (mut dependent, mut primary) = (member, earlier);
                let mut link = link;
                if reversed && score > 0 {
                    std::mem::swap(&mut dependent, &mut primary);
                    // It is still the later member that says whether it may move the other.
                    link.influence = link.influence.or(Some(self.rsc(member).critical));
                }
                self.push_colocation(link, (dependent, set.role), (primary, set.role));
            }
        }
    }

    /// Of a sequential set only its end touches the neighbouring set: the first member, or the last.
    fn colocate_sets(&mut self, dependents: &Set<'a>, primaries: &Set<'a>, link: Link<'_>) {
        let first = &dependents.members[..dependents.members.len().min(1)];
        let last = &primaries.members[primaries.members.len().saturating_sub(1)..];
        let from = if dependents.sequential { first } else { &dependents.members[..] };
        let with = if primaries.sequential { last } else { &primaries.members[..] };
        for &dependent in from {
            for &primary in with {
                self.push_colocation(link, (dependent, dependents.role), (primary, primaries.role));
            }
        }
    }

    fn push_colocation(
        &mut self,
        link: Link<'_>,
        dependent: (ResourceId, Option<Role>),
        primary: (ResourceId, Option<Role>),
    ) {
        if link.score == 0 || dependent.0 == primary.0 {
            return;
        }
        let limiting = |role: Option<Role>| role.filter(|role| *role != Role::Started);
        self.add_colocation(Colocation {
            id: link.id.to_owned(),
            dependent: dependent.0,
            primary: primary.0,
            score: link.score,
            dependent_role: limiting(dependent.1),
            primary_role: limiting(primary.1),
            node_attribute: link.node_attribute.map(str::to_owned),
            influence: link.influence.unwrap_or(self.rsc(dependent.0).critical),
            explicit: true,
            rank: (0, 0),
        });
    }

    pub(crate) fn add_colocation(&mut self, colocation: Colocation) {
        let at = self.colocations.len();
        self.rsc_mut(colocation.dependent).this_with.push(at);
        self.rsc_mut(colocation.primary).with_this.push(at);
        self.colocations.push(colocation);
    }

    pub(crate) fn unpack_tickets(&mut self) {
        let Some(tickets) = self.document.root().child("status").and_then(|status| status.child("tickets"))
        else {
            return;
        };
        for state in tickets.children_named("ticket_state") {
            let Some(id) = state.attribute("id") else { continue };
            let flag = |name: &str| state.attribute(name).is_some_and(score::is_true);
            self.tickets.insert(id.to_owned(), Ticket { granted: flag("granted"), standby: flag("standby") });
        }
    }

    fn unpack_ticket_constraint(&mut self, element: Element<'a>) {
        let id = element.attribute("id").unwrap_or("").to_owned();
        let Some(ticket) = element.attribute("ticket") else { return };
        let loss = match element.attribute("loss-policy") {
            Some("fence") if self.properties.stonith => LossPolicy::Fence,
            Some("demote") => LossPolicy::Demote,
            Some("freeze") => LossPolicy::Freeze,
            _ => LossPolicy::Stop,
        };
        let explicit = element.attribute("loss-policy").is_some();
        let mut wanted: Vec<(ResourceId, Option<Role>)> = Vec::new();
        if let Some(name) = element.attribute("rsc") {
            let role = role_of(element.attribute("rsc-role"));
            wanted.extend(self.named(name, &id).into_iter().map_while(|resource| Some((resource?, role))));
        }
        for set in self.sets(element, &id) {
            wanted.extend(set.members.iter().map(|resource| (*resource, set.role)));
            if !set.complete {
                break;
            }
        }
        for (resource, role) in wanted {
            let loss = if !explicit && role == Some(Role::Promoted) { LossPolicy::Demote } else { loss };
            let at = self.ticket_constraints.len();
            let (id, ticket) = (id.clone(), ticket.to_owned());
            self.ticket_constraints.push(TicketConstraint { id, resource, role, ticket, loss });
            self.rsc_mut(resource).tickets.push(at);
        }
    }
}

/// The role that a constraint is limited to. Started is what everything is that runs, and limits nothing.
fn role_of(text: Option<&str>) -> Option<Role> {
    text.and_then(Role::parse).filter(|role| *role != Role::Started)
}
