//! An action's attributes in the graph. Most of them are the same for many actions, which share them.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Names and values of one origin.
pub(crate) type Values = BTreeMap<String, String>;

/// The resource's parameters, and `CRM_meta_*`, by name.
#[derive(Clone, Default)]
pub struct Attributes {
    /// What all actions of one kind have that are about one resource.
    kind: Arc<Values>,
    /// What all actions on one node have; it overrides the kind's.
    node: Arc<Values>,
    /// What only this action has; it overrides all others.
    own: Values,
}

impl Attributes {
    pub(crate) fn new(kind: Arc<Values>, node: Arc<Values>, own: Values) -> Attributes {
        Attributes { kind, node, own }
    }

    /// The value of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let layers = [&self.own, &*self.node, &*self.kind];
        layers.into_iter().find_map(|layer| layer.get(name)).map(String::as_str)
    }

    /// All attributes, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut layers = [&self.own, &*self.node, &*self.kind].map(|layer| layer.iter().peekable());
        std::iter::from_fn(move || {
            let least = layers.iter_mut().filter_map(|layer| layer.peek().map(|(name, _)| *name)).min()?;
            // Every layer goes on past that name; the first that has it counts.
            let values = layers.each_mut().map(|layer| layer.next_if(|(name, _)| *name == least));
            values.into_iter().flatten().next().map(|(name, value)| (name.as_str(), value.as_str()))
        })
    }
}

impl From<BTreeMap<String, String>> for Attributes {
    fn from(own: BTreeMap<String, String>) -> Attributes {
        Attributes { own, ..Attributes::default() }
    }
}

impl PartialEq for Attributes {
    fn eq(&self, other: &Attributes) -> bool {
        self.iter().eq(other.iter())
    }
}

impl std::fmt::Debug for Attributes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pairs: &[(&str, &str)]) -> Values {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn layers_read_as_one() {
        let layered = Attributes::new(
            Arc::new(values(&[("a", "kind"), ("c", "kind"), ("e", "kind")])),
            Arc::new(values(&[("c", "node"), ("d", "node")])),
            values(&[("b", "own"), ("d", "own")]),
        );
        let flat = [("a", "kind"), ("b", "own"), ("c", "node"), ("d", "own"), ("e", "kind")];
        assert_eq!(layered.iter().collect::<Vec<_>>(), flat);
        for (name, value) in flat {
            assert_eq!(layered.get(name), Some(value), "{name}");
        }
        assert_eq!(layered.get("f"), None);
        assert_eq!(layered, Attributes::from(values(&flat)));
        assert_ne!(layered, Attributes::default());
    }
}
