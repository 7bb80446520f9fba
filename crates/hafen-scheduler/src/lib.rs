//! pure: decides what the cluster does next. A CIB and the time go in, a complete, immutable [`Plan`] comes out.

mod ledger;
mod plan;

pub use ledger::{Entry, Ledger};
pub use plan::{
    Action, ActionKind, FenceAction, GraphParameters, NodeRef, Plan, ResourceRef, TransitionKey,
    transition_magic,
};
