//! The index from `id` to element.

use std::collections::BTreeMap;

/// Whether an element's `id` names another element instead of itself.
pub(crate) fn is_id_reference(element_name: &str) -> bool {
    matches!(element_name, "resource_ref" | "obj_ref" | "role")
}

/// The elements that carry one id; more than one only in a CIB that is invalid.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Holders {
    One(u32),
    Many(Vec<u32>),
}

/// An index from `id` to node.
#[derive(Debug, Clone, Default)]
pub(super) struct IdIndex {
    holders: BTreeMap<Box<str>, Holders>,
}

impl IdIndex {
    pub(super) fn add(&mut self, id: &str, node: u32) {
        match self.holders.get_mut(id) {
            None => {
                self.holders.insert(id.into(), Holders::One(node));
            }
            Some(Holders::Many(nodes)) => nodes.push(node),
            Some(one @ Holders::One(_)) => {
                let Holders::One(first) = *one else { return };
                *one = Holders::Many(vec![first, node]);
            }
        }
    }

    pub(super) fn remove(&mut self, id: &str, node: u32) {
        let empty = match self.holders.get_mut(id) {
            None => return,
            Some(Holders::One(held)) => *held == node,
            Some(Holders::Many(nodes)) => {
                nodes.retain(|held| *held != node);
                nodes.is_empty()
            }
        };
        if empty {
            self.holders.remove(id);
        }
    }

    /// The nodes with an id, in no particular order.
    pub(super) fn get(&self, id: &str) -> &[u32] {
        match self.holders.get(id) {
            None => &[],
            Some(Holders::One(node)) => std::slice::from_ref(node),
            Some(Holders::Many(nodes)) => nodes,
        }
    }
}
