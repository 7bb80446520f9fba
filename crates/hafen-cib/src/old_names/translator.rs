//! The translation itself.

use super::Note;
use super::table::{AGENTS, Agent, Change, Condition, Exchange, META, PROPERTIES_BY_HAND};
use crate::cib::Cib;
use crate::upgrade::{MOVED_PROPERTIES, renamed_property};
use crate::values::parse_boolean;
use crate::views::{Resource, follow, name_of};
use crate::xml::{Element, NodeId};

pub(super) struct Translator {
    pub cib: Cib,
    pub notes: Vec<Note>,
}

/// `CLASS:PROVIDER:TYPE` of a primitive or template that names its agent itself.
fn agent_of(element: Element<'_>) -> Option<String> {
    if !matches!(element.name(), "primitive" | "template") {
        return None;
    }
    let (class, kind) = (element.attribute("class")?, element.attribute("type")?);
    Some(match element.attribute("provider") {
        Some(provider) => format!("{class}:{provider}:{kind}"),
        None => format!("{class}:{kind}"),
    })
}

fn entry(element: Element<'_>) -> Option<&'static Agent> {
    let agent = agent_of(element)?;
    AGENTS.iter().find(|entry| entry.old == agent)
}

/// The pairs in the sets of one kind right below an element, referred ones as well.
fn pairs<'a>(owner: Element<'a>, sets: &'static str) -> impl Iterator<Item = Element<'a>> {
    owner.children_named(sets).filter_map(follow).flat_map(|set| set.children_named("nvpair"))
}

/// Whether a set is for all times and nodes.
fn is_plain(set: Element<'_>) -> bool {
    set.child("rule").is_none()
}

/// Whether an element is, or a set around it is, one that others refer to; or refers itself.
fn is_shared(element: Element<'_>) -> bool {
    let refers = |id: &str| {
        let mut all = element.document().root().descendants();
        all.any(|other| other.attribute("id-ref") == Some(id))
    };
    let set = element.parent().into_iter();
    set.chain([element]).any(|part| part.attribute("id-ref").is_some() || part.id().is_some_and(refers))
}

impl Translator {
    fn element(&self, node: NodeId) -> Element<'_> {
        self.cib.document().element(node)
    }

    fn find(&self, section: &str, wanted: impl Fn(Element<'_>) -> bool) -> Vec<NodeId> {
        let elements = self.cib.section(section).into_iter().flat_map(|section| section.descendants());
        elements.filter(|element| wanted(*element)).map(Element::node).collect()
    }

    /// `why` is why it is done; or, in `Err`, what is to be done.
    fn note(&mut self, node: NodeId, was: String, today: &str, why: Result<&str, &str>) {
        let element = self.element(node);
        let (line, id) = (element.line(), element.id().unwrap_or_default().to_owned());
        let (done, why) = (why.is_ok(), why.unwrap_or_else(|why| why).to_owned());
        self.notes.push(Note { line, id, was, today: today.to_owned(), done, why });
    }

    pub(super) fn agents(&mut self) {
        for owner in self.find("resources", |element| entry(element).is_some()) {
            let Some(entry) = entry(self.element(owner)) else { continue };
            let was = format!("the agent {}", entry.old);
            match &entry.change {
                Change::ByHand(advice) => self.note(owner, was, entry.today, Err(advice)),
                Change::Exchange(exchange) => match self.hindrance(owner, exchange) {
                    Some(hindrance) => self.note(owner, was, entry.today, Err(&hindrance)),
                    None => {
                        self.note(owner, was, entry.today, Ok(exchange.why));
                        self.exchange(owner, entry.today, exchange);
                    }
                },
            }
        }
    }

    /// The resources that are made from a template; of a primitive, itself.
    fn users(&self, owner: NodeId) -> Vec<NodeId> {
        let element = self.element(owner);
        let users = match element.name() {
            "template" => self.find("resources", |user| {
                user.name() == "primitive" && user.attribute("template") == element.id()
            }),
            _ => Vec::new(),
        };
        if users.is_empty() { vec![owner] } else { users }
    }

    fn hindrance(&self, owner: NodeId, exchange: &Exchange) -> Option<String> {
        self.users(owner).into_iter().find_map(|user| self.hindrance_of(user, exchange))
    }

    fn hindrance_of(&self, user: NodeId, exchange: &Exchange) -> Option<String> {
        let resource = Resource::new(&self.cib, self.element(user))?;
        let id = resource.id();
        if let Some(needed) = exchange.needed.iter().find(|name| resource.instance_attribute(name).is_none())
        {
            return Some(format!("set the parameter `{needed}` of `{id}` first"));
        }
        let from = [Some(resource.element()), resource.template()];
        for pair in from.into_iter().flatten().flat_map(|owner| pairs(owner, "instance_attributes")) {
            let name = name_of(pair).unwrap_or_default();
            if exchange.strange.contains(&name) {
                return Some(format!("its parameter `{name}` has no equal: configure it anew without"));
            }
            let Some(renamed) = exchange.renamed.iter().find(|renamed| renamed.old == name) else { continue };
            let value = pair.attribute("value").unwrap_or_default();
            let is_new = renamed.old != renamed.today;
            if (renamed.value)(value).is_none() {
                return Some(format!(
                    "set its parameter `{name}`, which is `{value}`, to what can be translated"
                ));
            }
            if is_new && resource.instance_attribute(renamed.today).is_some() {
                return Some(format!("remove one of its parameters `{name}` and `{}`", renamed.today));
            }
            if is_shared(pair) {
                return Some(format!("give it a parameter `{name}` of its own, without `id-ref`"));
            }
        }
        unmet(resource, exchange.condition)
    }

    fn exchange(&mut self, owner: NodeId, today: &str, exchange: &Exchange) {
        let mut owners = self.users(owner);
        if !owners.contains(&owner) {
            owners.push(owner);
        }
        for node in owners {
            let old = pairs(self.element(node), "instance_attributes");
            let changes: Vec<(NodeId, &str, String)> = old
                .filter_map(|pair| {
                    let renamed =
                        exchange.renamed.iter().find(|renamed| Some(renamed.old) == name_of(pair))?;
                    let value = (renamed.value)(pair.attribute("value")?)?;
                    Some((pair.node(), renamed.today, value))
                })
                .collect();
            for (pair, name, value) in changes {
                self.cib.document_mut().set_attribute(pair, "name", name);
                self.cib.document_mut().set_attribute(pair, "value", &value);
            }
        }
        let parts: Vec<&str> = today.split(':').collect();
        let (class, provider, kind) = match parts[..] {
            [class, provider, kind] => (class, Some(provider), kind),
            _ => (parts[0], None, parts[parts.len() - 1]),
        };
        let document = self.cib.document_mut();
        document.set_attribute(owner, "class", class);
        document.set_attribute(owner, "type", kind);
        match provider {
            Some(provider) => document.set_attribute(owner, "provider", provider),
            None => {
                document.remove_attribute(owner, "provider");
            }
        }
    }

    /// Parameters that are meta attributes today.
    pub(super) fn parameters(&mut self) {
        for pair in self.find("resources", |pair| is_old_option(pair, "instance_attributes")) {
            let element = self.element(pair);
            let name = name_of(element).unwrap_or_default();
            let Some((old, today)) = META.iter().find(|(old, _)| *old == name) else { continue };
            let Some(owner) = element.parent().and_then(Element::parent).map(Element::node) else { continue };
            let was = format!("the parameter `{old}` of `{}`", self.id(owner));
            self.relocate(pair, was, owner, today, &format!("{}-meta_attributes", self.id(owner)));
        }
    }

    fn id(&self, node: NodeId) -> String {
        self.element(node).id().unwrap_or_default().to_owned()
    }

    /// Makes of a pair the meta attribute `today` of another element, where that is not set yet.
    fn relocate(&mut self, pair: NodeId, was: String, owner: NodeId, today: &str, set_id: &str) {
        let element = self.element(pair);
        let holder = self.element(owner);
        let place = match holder.name() {
            "rsc_defaults" | "op_defaults" => format!("`{today}` of {}", holder.name()),
            _ => format!("the meta attribute `{today}`"),
        };
        let known = pairs(holder, "meta_attributes").find(|pair| name_of(*pair) == Some(today));
        let is_conditional = |pair: Element<'_>| pair.parent().is_some_and(|set| !is_plain(set));
        if is_conditional(element) || known.is_some_and(is_conditional) {
            let why = "a rule says when it holds: move it by hand, with the rule";
            return self.note(pair, was, &place, Err(why));
        }
        if is_shared(element) {
            let why = "others refer to it, or it refers to others, by `id-ref`: give each its own first";
            return self.note(pair, was, &place, Err(why));
        }
        if known.is_some() {
            self.note(pair, was, &place, Ok("that is set already and counts, so this one is removed"));
            return self.cib.document_mut().remove(pair);
        }
        let free = holder.children_named("meta_attributes").find(|set| is_plain(*set) && !is_shared(*set));
        let free = free.map(Element::node);
        self.note(pair, was, &place, Ok("the cluster reads it there, with its value and id"));
        let set = match free {
            Some(set) => set,
            None => self.new_set(owner, set_id),
        };
        self.cib.document_mut().set_attribute(pair, "name", today);
        self.cib.document_mut().move_to(pair, set, usize::MAX);
    }

    /// A new set of meta attributes in front of all else.
    fn new_set(&mut self, owner: NodeId, id: &str) -> NodeId {
        let document = self.cib.document_mut();
        let mut free = id.to_owned();
        let mut number = 0_u32;
        while document.by_id(&free).is_some() {
            number += 1;
            free = format!("{id}-{number}");
        }
        let set = document.insert_element(owner, 0, "meta_attributes");
        document.set_attribute(set, "id", &free);
        set
    }

    /// Meta attributes with an underscore.
    pub(super) fn meta(&mut self) {
        for section in ["resources", "rsc_defaults"] {
            for pair in self.find(section, |pair| is_old_option(pair, "meta_attributes")) {
                let element = self.element(pair);
                let Some((old, today)) = META.iter().find(|(old, _)| element.attribute("name") == Some(*old))
                else {
                    continue;
                };
                let owner = element.parent().and_then(Element::parent);
                let known = owner.is_some_and(|owner| {
                    pairs(owner, "meta_attributes").any(|pair| name_of(pair) == Some(*today))
                });
                let holder = owner.map_or("", |owner| owner.id().unwrap_or(owner.name()));
                let was = format!("the meta attribute `{old}` of `{holder}`");
                self.rename(pair, was, today, known);
            }
        }
    }

    /// Gives a pair another name; where that is taken, the pair goes.
    fn rename(&mut self, pair: NodeId, was: String, today: &str, is_taken: bool) {
        let place = format!("`{today}`");
        if !is_taken {
            self.note(pair, was, &place, Ok("it means the same"));
            return self.cib.document_mut().set_attribute(pair, "name", today);
        }
        if is_shared(self.element(pair)) {
            return self.note(pair, was, &place, Err("that is set as well, and counts: remove this one"));
        }
        self.note(pair, was, &place, Ok("that is set already and counts, so this one is removed"));
        self.cib.document_mut().remove(pair);
    }

    pub(super) fn properties(&mut self) {
        let is_property = |pair: Element<'_>| {
            pair.name() == "nvpair" && pair.parent().is_some_and(|set| set.name() == "cluster_property_set")
        };
        for pair in self.find("crm_config", is_property) {
            let name = self.element(pair).attribute("name").unwrap_or_default().to_owned();
            let was = format!("the property `{name}`");
            if let Some((_, advice)) = PROPERTIES_BY_HAND.iter().find(|(old, _)| *old == name) {
                self.note(pair, was, "without meaning", Err(advice));
            } else if let Some(today) = renamed_property(&name) {
                let known = self.find("crm_config", |pair| pair.attribute("name") == Some(today));
                self.rename(pair, was, today, !known.is_empty());
            } else if let Some((_, operations, today)) =
                MOVED_PROPERTIES.iter().find(|(old, ..)| *old == name)
            {
                let (section, set) =
                    if *operations { ("op_defaults", "op-options") } else { ("rsc_defaults", "rsc-options") };
                let section = self.cib.section_or_new(section);
                self.relocate(pair, was, section, today, set);
            }
        }
    }
}

/// A pair in a set of one kind right below a resource or a section, by a name of the table.
fn is_old_option(pair: Element<'_>, sets: &str) -> bool {
    let Some(set) = pair.parent().filter(|set| pair.name() == "nvpair" && set.name() == sets) else {
        return false;
    };
    let kinds = ["primitive", "template", "group", "clone", "master", "bundle", "rsc_defaults"];
    let is_one = set.parent().is_some_and(|owner| kinds.contains(&owner.name()));
    is_one && name_of(pair).is_some_and(|name| META.iter().any(|(old, _)| *old == name))
}

/// What must be done before a condition holds.
fn unmet(resource: Resource<'_>, condition: Condition) -> Option<String> {
    let id = resource.id();
    match condition {
        Condition::None => None,
        Condition::RecurringMonitor => {
            let monitors = |operation: &crate::views::Operation<'_>| {
                operation.name() == "monitor" && operation.interval_ms() > 0 && operation.is_enabled()
            };
            let has = resource.operations().iter().any(monitors);
            (!has).then(|| {
                format!("give `{id}` a recurring monitor first: it pings at each one, and only then")
            })
        }
        Condition::NotifiedClone => {
            let mut around = std::iter::successors(resource.parent(), |resource| resource.parent());
            let is_it = around.any(|resource| {
                ["promotable", "notify"].iter().all(|name| {
                    resource.configured_meta(name, crate::views::NO_RULES).and_then(parse_boolean)
                        == Some(true)
                }) || resource.element().name() == "master" && resource.meta_boolean("notify")
            });
            (!is_it).then(|| format!("make `{id}` a promotable clone with `notify=true` first"))
        }
        Condition::NoAliasedInterface => {
            let interface = resource.instance_attribute("nic").filter(|interface| interface.contains(':'))?;
            Some(format!(
                "set `nic` of `{id}`, which is `{interface}`, to the interface, and `iflabel` to the rest"
            ))
        }
    }
}
