//! Groups, with their members, and clones, with those instances of which something special is to be said; the other
//! instances are told by where they run.

use std::collections::BTreeMap;

use super::{How, Listing, Only};
use crate::model::{Cluster, NodeIndex, ResourceId, Role, Variant};

impl Cluster<'_> {
    pub(super) fn show_group(&self, out: &mut Listing, depth: usize, group: ResourceId, how: How<'_>) {
        let known = self.rsc(group);
        let mut title = format!("Resource Group: {}", known.id);
        let shown = |member: &ResourceId| self.is_shown(*member) && self.member_fits(*member, how);
        let active = |member: &ResourceId| how.inactive || self.is_active(*member, false);
        let mut marks = Vec::new();
        if !how.inactive {
            let inactive = known.children.iter().filter(|member| !self.is_active(**member, true)).count();
            match inactive {
                0 => {}
                1 => marks.push("1 member inactive".to_owned()),
                _ => marks.push(format!("{inactive} members inactive")),
            }
        }
        self.add_marks(&mut title, group, marks, how);
        out.title(depth, &title);
        if how.brief {
            let members: Vec<ResourceId> = known.children.iter().copied().filter(shown).collect();
            self.list_briefly(out, depth + 1, &members, true);
            return;
        }
        for member in known.children.iter().filter(|member| shown(member) && active(member)) {
            self.show_primitive(out, depth + 1, *member, how);
        }
    }

    fn add_marks(&self, title: &mut String, resource: ResourceId, mut marks: Vec<String>, how: How<'_>) {
        let known = self.rsc(resource);
        if self.is_disabled(resource) {
            marks.push("disabled".to_owned());
        }
        if known.maintenance {
            marks.push("maintenance".to_owned());
        } else if !known.managed {
            marks.push("unmanaged".to_owned());
        }
        if !marks.is_empty() {
            title.push_str(" (");
            title.push_str(&marks.join(", "));
            title.push(')');
        }
        if let Some(description) = known.element.attribute("description").filter(|_| how.description) {
            title.push_str(&format!(" ({description})"));
        }
    }

    pub(super) fn show_clone(&self, out: &mut Listing, depth: usize, clone: ResourceId, how: How<'_>) {
        self.show_clone_title(out, depth, clone, how);
        let known = self.rsc(clone);
        let mut promoted: Vec<NodeIndex> = Vec::new();
        let mut started: Vec<NodeIndex> = Vec::new();
        for instance in known.children.iter().filter(|instance| self.fits(**instance, how)) {
            let primitive = self.rsc(*instance).variant == Variant::Primitive;
            let told = how.inactive || primitive || self.is_active(*instance, false);
            if how.detail {
                if told {
                    self.show_instance(out, depth + 1, *instance, how);
                }
                continue;
            }
            match self.instance_view(clone, *instance) {
                View::Alone if told => {
                    self.show_instance(out, depth + 1, *instance, how);
                }
                View::Alone => {}
                View::Inactive => {}
                View::At(node, _) if !how.only.node(node) => {}
                View::At(node, true) => promoted.push(node),
                View::At(node, false) => started.push(node),
            }
        }
        let listed = promoted.len() + started.len();
        self.show_instance_list(out, depth + 1, "Promoted", promoted);
        let wanted = self.configured_role(clone);
        let title = match (self.is_promotable(clone), wanted) {
            (true, Some(Role::Unpromoted)) => "Unpromoted (target-role)",
            (true, _) => "Unpromoted",
            (false, _) => "Started",
        };
        self.show_instance_list(out, depth + 1, title, started);
        let most = usize::try_from(known.clone.as_ref().map_or(0, |options| options.max)).unwrap_or(0);
        if !known.unique && most > listed && how.inactive && !how.detail {
            self.show_stopped(out, depth + 1, clone, wanted == Some(Role::Stopped), how.only);
        }
    }

    fn show_clone_title(&self, out: &mut Listing, depth: usize, clone: ResourceId, how: How<'_>) {
        let known = self.rsc(clone);
        let of = known
            .element
            .children()
            .find(|child| matches!(child.name(), "primitive" | "group"))
            .and_then(|child| child.attribute("id"))
            .unwrap_or("");
        let mut title = format!("Clone Set: {} [{of}]", known.id);
        let mut marks = Vec::new();
        if self.is_promotable(clone) {
            marks.push("promotable".to_owned());
        }
        if known.unique {
            marks.push("unique".to_owned());
        }
        self.add_marks(&mut title, clone, marks, how);
        out.title(depth, &title);
    }

    /// How an instance is told of.
    fn instance_view(&self, clone: ResourceId, instance: ResourceId) -> View {
        let active = self.is_active(instance, false);
        let family = self.family(instance);
        if self.rsc(clone).unique {
            let orphan = self.rsc(instance).orphan;
            return if active || !orphan { View::Alone } else { View::Inactive };
        }
        if !active {
            return View::Inactive;
        }
        let special = family.iter().any(|member| {
            let member = self.rsc(*member);
            member.orphan || member.failed || !member.managed
        });
        if special || !self.is_active(instance, true) {
            return View::Alone;
        }
        let Some(node) = self.only_node(instance) else { return View::Alone };
        if !self.node(node).online && self.node(node).unclean {
            return View::Alone;
        }
        let role = family
            .iter()
            .filter(|member| self.rsc(**member).variant == Variant::Primitive)
            .map(|member| self.rsc(*member).role)
            .max();
        View::At(node, role > Some(Role::Unpromoted))
    }

    /// The node on which all of it runs, where that is one.
    fn only_node(&self, instance: ResourceId) -> Option<NodeIndex> {
        let mut only = None;
        for member in self.family(instance) {
            for node in &self.rsc(member).running_on {
                if only.is_some_and(|only| only != *node) {
                    return None;
                }
                only = Some(*node);
            }
        }
        only
    }

    fn show_instance(&self, out: &mut Listing, depth: usize, instance: ResourceId, how: How<'_>) {
        match self.rsc(instance).variant {
            Variant::Group => self.show_group(out, depth, instance, how),
            _ => self.show_primitive(out, depth, instance, how),
        }
    }

    fn show_instance_list(&self, out: &mut Listing, depth: usize, title: &str, nodes: Vec<NodeIndex>) {
        if !nodes.is_empty() {
            let names = self.sorted_names(nodes.into_iter());
            out.item(depth, &format!("{title}: [ {} ]", names.join(" ")));
        }
    }

    /// Nodes where no instance runs, by why.
    fn show_stopped(&self, out: &mut Listing, depth: usize, clone: ResourceId, disabled: bool, only: &Only) {
        let known = self.rsc(clone);
        let first = known.children.first().map_or("", |instance| self.shown_name(*instance));
        let mut runs = vec![false; self.nodes.len()];
        let mut asked = vec![false; self.nodes.len()];
        for member in self.family(clone) {
            for node in &self.rsc(member).running_on {
                runs[node.at()] = true;
            }
            for node in &self.rsc(member).known_on {
                asked[node.at()] = true;
            }
        }
        // Where nodes have to be allowed one by one, that is not settled yet: those are told that have been asked.
        let opted_in = known.allowed.iter().all(|weight| !weight.present);
        let mut lists: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for node in self.listed_nodes().into_iter().filter(|node| only.node(*node)) {
            let eligible = if opted_in { asked[node.at()] } else { known.allowed[node.at()].present };
            if runs[node.at()] || !eligible {
                continue;
            }
            let state = if let Some(reason) = self.probe_failure(first, Some(node)) {
                format!("Stopped ({reason})")
            } else if disabled {
                "Stopped (disabled)".to_owned()
            } else {
                "Stopped".to_owned()
            };
            lists.entry(state).or_default().push(&self.node(node).uname);
        }
        for (state, names) in lists {
            out.item(depth, &format!("{state}: [ {} ]", names.join(" ")));
        }
    }
}

/// How an instance of a clone is told of.
enum View {
    /// By a line of its own.
    Alone,
    Inactive,
    /// As one of those at their nodes; whether it is promoted.
    At(NodeIndex, bool),
}
