//! Shell: the full screen of the cluster: what is read at a glance, and keys to act on it.
//!
//! The core does no input or output: a [`Screen`] is given pictures of the cluster, events and keys, answers with what is
//! asked of the cluster, and is drawn. [`run`] is the thin shell around it: terminal, threads and signals.

mod draw;
mod entries;
mod feed;
mod keys;
mod look;
mod picture;
mod rows;
#[allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a shell")]
mod run;
mod screen;
mod text;
mod trouble;

pub use draw::draw;
pub use feed::{Events, Feed};
pub use picture::Picture;
pub use run::run;
pub use screen::{Act, Answer, Ask, Screen, View};
pub use trouble::failure_words;
