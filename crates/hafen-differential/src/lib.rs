//! shell: the differential test. Random, valid CIBs, on which our scheduler and Debian 13's `crm_simulate` must agree.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a shell")]

pub mod book;
pub mod case;
mod dice;
pub mod generate;
pub mod graph;
pub mod measure;
pub mod oracle;
pub mod ours;
pub mod play;
pub mod shell;
pub mod shrink;
pub mod themes;
pub mod tree;
