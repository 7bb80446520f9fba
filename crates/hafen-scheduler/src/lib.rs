//! pure: decides what the cluster does next. A CIB and the time go in, a complete, immutable [`Plan`] comes out.

mod actions;
mod assign;
pub mod budget;
mod build;
pub mod crm_simulate;
pub mod date;
pub mod explain;
mod fencing;
pub mod forecast;
#[doc(hidden)]
pub mod fuzzing;
mod hash_order;
mod input;
mod ledger;
pub mod leftovers;
mod lint;
mod lose;
mod model;
mod order;
mod output;
mod plan;
pub mod preview;
pub mod rule_date;
mod run;
pub mod score;
mod sequence;
pub mod settle;
mod whereabouts;

pub use actions::parameters_digest;
pub use fencing::{FencingFacts, fencing_facts};
pub use forecast::{Fate, Forecast, Hindrance, ResourceForecast, forecast};
pub use hash_order::hash_order;
pub use input::rules::rule_holds_at;
pub use ledger::{Change, Decision, Entry, Ledger, Measure, Reason};
pub use leftovers::{Leftover, LeftoverKind, leftovers, leftovers_section};
pub use lint::{Problem, lint};
pub use output::scores::ScoreRow;
pub use output::status::failures::readable;
pub use output::status::results::{execution_status, exit_status};
pub use output::status::{AgentCall, Inquiry, MonitorView, Sections, Told};
pub use plan::{
    Action, ActionKind, Attributes, FenceAction, GraphParameters, NodeRef, Plan, ResourceRef, TransitionKey,
    transition_magic,
};
pub use preview::{Consequence, Idle, Preview, preview};
pub use run::{Options, Report, report, schedule};
pub use settle::{Moving, Settling, settle};
pub use whereabouts::{Whereabouts, whereabouts};
