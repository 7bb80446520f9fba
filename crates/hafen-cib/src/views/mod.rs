//! Typed views of the configuration and the status. They borrow the tree and hold nothing.

mod constraints;
mod fencing;
mod nodes;
mod pairs;
mod properties;
mod resources;
mod status;

pub use constraints::{Colocation, Constraint, Location, Order, ResourceSet, ResourceSetMember};
pub use fencing::{
    FencingDevice, FencingLevel, LEVELS as FENCING_LEVELS, WATCHDOG_AGENT, delay_base_ms, host_list, host_map,
};
pub use nodes::Node;
pub use pairs::{NO_RULES, Pairs, RuleHolds};
pub(crate) use pairs::{follow, name_of};
pub use resources::{Operation, Resource, ResourceKind};
pub use status::{LrmOperation, LrmResource, NodeState, TransitionKey, TransitionMagic};

#[cfg(test)]
mod tests;
