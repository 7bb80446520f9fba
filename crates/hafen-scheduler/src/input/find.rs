//! Finding things by the names that histories have for them.

use std::collections::BTreeMap;

use hafen_cib::xml::Element;

use super::status::records;
use crate::model::{Cluster, NodeIndex, ResourceId};

/// What a record's place among those of its node says about the resource.
pub(super) type Guess = Option<Named>;

/// A resource that a name stood for, when there were so many resources.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named {
    resource: ResourceId,
    count: usize,
}

/// The resources of the records of the node before.
#[derive(Default)]
pub(super) struct Guesses(Vec<Guess>);

impl Guesses {
    pub(super) fn at(&mut self, at: usize) -> &mut Guess {
        if self.0.len() <= at {
            self.0.resize(at + 1, None);
        }
        &mut self.0[at]
    }
}

impl<'a> Cluster<'a> {
    /// A node's history of a resource, by its name there.
    pub(crate) fn history_on(&self, node: NodeIndex, name: &str) -> Option<Element<'a>> {
        let histories = self.histories.get_or_init(|| {
            let mut histories = BTreeMap::new();
            let states = self.document.root().child("status").into_iter();
            for state in states.flat_map(|status| status.children_named("node_state")) {
                let Some(node) = self.node_of_state(state) else { continue };
                for record in records(state) {
                    if let Some(id) = record.attribute("id") {
                        histories.insert((node, id), record);
                    }
                }
            }
            histories
        });
        histories.get(&(node, name)).copied()
    }

    /// The resource of that name; most nodes know the same resources in the same order.
    pub(super) fn recorded_name(&self, id: &str, guess: &mut Guess) -> Option<ResourceId> {
        let count = self.resources.len();
        if let Some(guess) = guess
            && guess.count == count
            && self.rsc(guess.resource).id == id
        {
            return Some(guess.resource);
        }
        let found = self.by_id.get(id).copied();
        *guess = found.map(|resource| Named { resource, count });
        found
    }
}
