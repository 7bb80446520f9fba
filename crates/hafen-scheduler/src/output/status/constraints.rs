//! The constraints around a resource, as `crm_resource --constraints` shows them.

use std::collections::BTreeSet;

use super::Listing;
use super::inquiry::Told;
use super::words::role_name;
use crate::model::{Cluster, Colocation, ResourceId};
use crate::output::xml::XmlWriter;
use crate::score;

/// From which end a colocation is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    /// Others go where the resource is.
    Others,
    /// The resource goes where others are.
    Itself,
}

struct Walk {
    out: Listing,
    xml: XmlWriter,
    /// On the way already: what leads here again is a loop.
    seen: BTreeSet<ResourceId>,
    all: bool,
}

impl Cluster<'_> {
    /// Of a cluster whose constraints were unpacked, and whose colocations have their ranks.
    pub(super) fn constraints_told(&self, resource: ResourceId, all: bool) -> Told {
        let mut walk =
            Walk { out: Listing::default(), xml: XmlWriter::default(), seen: BTreeSet::new(), all };
        walk.xml.open("constraints");
        self.add_locations(&mut walk, 0, resource);
        for side in [Side::Others, Side::Itself] {
            walk.seen.clear();
            self.add_colocations(&mut walk, 0, resource, side);
        }
        // The titles of the outermost lists are no items.
        let lines = walk.out.text.lines().map(|line| line.strip_prefix("* ").unwrap_or(line));
        Told { text: lines.map(|line| format!("{line}\n")).collect(), xml: walk.xml.finish() }
    }

    fn add_locations(&self, walk: &mut Walk, depth: usize, resource: ResourceId) {
        let mut begun = false;
        for &at in self.rsc(resource).locations.iter().rev() {
            let location = &self.locations[at];
            let (id, name) = (location.rule.as_ref().unwrap_or(&location.id), &self.rsc(resource).id);
            for (node, score) in location.nodes.iter().rev() {
                let (node, score) = (&self.node(*node).uname, score::text(*score));
                if !std::mem::replace(&mut begun, true) {
                    walk.out.item(depth, "Locations:");
                }
                walk.out.item(depth + 1, &format!("Node {node} (score={score}, id={id}, rsc={name})"));
                walk.xml.open("rsc_location");
                for (attribute, value) in [("node", node), ("rsc", name), ("id", id), ("score", &score)] {
                    walk.xml.attribute(attribute, value);
                }
                walk.xml.close();
            }
        }
    }

    fn add_colocations(&self, walk: &mut Walk, depth: usize, resource: ResourceId, side: Side) {
        let known = self.rsc(resource);
        if !walk.seen.insert(resource) {
            return;
        }
        let (list, title) = match side {
            Side::Others => (&known.with_this, format!("Resources colocated with {}:", known.id)),
            Side::Itself => (&known.this_with, format!("Resources {} is colocated with:", known.id)),
        };
        for (place, &at) in list.iter().enumerate() {
            if place == 0 {
                walk.out.item(depth, &title);
            }
            let colocation = &self.colocations[at];
            let (other, role) = match side {
                Side::Others => (colocation.dependent, colocation.primary_role.map(|role| ("needs", role))),
                Side::Itself => (colocation.primary, colocation.primary_role.map(|role| ("with", role))),
            };
            let (id, name) = (&colocation.id, &self.rsc(other).id);
            self.colocation_element(walk, colocation);
            if walk.seen.contains(&other) {
                walk.out.item(depth + 1, &format!("{name} (id={id} - loop)"));
                continue;
            }
            let role =
                role.map_or_else(String::new, |(word, role)| format!(", {word} role={}", role_name(role)));
            let score = score::text(colocation.score);
            walk.out.item(depth + 1, &format!("{name} (score={score}{role}, id={id})"));
            self.add_locations(walk, depth + 2, other);
            if walk.all {
                self.add_colocations(walk, depth + 2, other, side);
            }
        }
    }

    fn colocation_element(&self, walk: &mut Walk, colocation: &Colocation) {
        let xml = &mut walk.xml;
        xml.open("rsc_colocation");
        xml.attribute("id", &colocation.id);
        xml.attribute("rsc", &self.rsc(colocation.dependent).id);
        xml.attribute("with-rsc", &self.rsc(colocation.primary).id);
        xml.attribute("score", &score::text(colocation.score));
        xml.attribute("node-attribute", colocation.node_attribute.as_deref().unwrap_or("#uname"));
        for (name, role) in
            [("rsc-role", colocation.dependent_role), ("with-rsc-role", colocation.primary_role)]
        {
            if let Some(role) = role {
                xml.attribute(name, role_name(role));
            }
        }
        xml.close();
    }
}
