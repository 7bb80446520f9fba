//! From the CIB to the model: what is configured, and what is known to have happened.

pub(crate) mod blank;
pub(crate) mod constraints;
pub(crate) mod failures;
mod find;
pub(crate) mod history;
pub(crate) mod migration;
mod nodes;
pub(crate) mod nvpairs;
mod operations;
pub(crate) mod pattern;
pub(crate) mod properties;
pub(crate) mod record;
mod resources;
pub(crate) mod rules;
pub(crate) mod status;
