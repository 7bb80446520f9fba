//! The ledger: each contribution to a score, with its cause, in the order in which it was added.

/// Where a contribution to a score comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The resource (instance) that got it.
    pub resource: String,
    /// The node's name.
    pub node: String,
    /// What was added; -1000000 and 1000000 stand for infinity.
    pub score: i32,
    /// The constraint's, rule's or property's id, where there is one.
    pub source: String,
    /// Why, in words.
    pub reason: String,
}

/// All contributions of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// The contributions, in order.
    pub entries: Vec<Entry>,
}
