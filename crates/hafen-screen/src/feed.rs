//! What the screen lives on, and acts through.

use hafen_protocol::client::Event;

use crate::Picture;

/// Events as they come; it ends, or tells why, when the daemon goes away.
pub type Events = Box<dyn Iterator<Item = Result<Event, String>> + Send>;

/// A cluster to look at. What cannot be done is told in a sentence.
pub trait Feed: Send {
    /// How the cluster is now.
    ///
    /// # Errors
    /// No daemon answers. The next look connects anew.
    fn look(&mut self) -> Result<Picture, String>;

    /// All events that the daemon remembers, and then those to come, over a connection of their own.
    ///
    /// # Errors
    /// No daemon answers.
    fn events(&mut self) -> Result<Events, String>;

    /// Why a resource is where it is, as text.
    ///
    /// # Errors
    /// It cannot be told.
    fn explain(&mut self, resource: &str) -> Result<String, String>;

    /// What moving a resource to a host would lead to, line by line.
    ///
    /// # Errors
    /// It cannot be moved there.
    fn preview_move(&mut self, resource: &str, host: &str) -> Result<Vec<String>, String>;

    /// Moves a resource to a host. What there is to say then.
    ///
    /// # Errors
    /// It was refused.
    fn make_move(&mut self, resource: &str, host: &str) -> Result<String, String>;

    /// What forgetting a resource's failures would lead to, line by line.
    ///
    /// # Errors
    /// It cannot be told.
    fn preview_clean_up(&mut self, resource: &str) -> Result<Vec<String>, String>;

    /// Forgets a resource's failures, so that it is looked at afresh. What there is to say then.
    ///
    /// # Errors
    /// It was refused.
    fn clean_up(&mut self, resource: &str) -> Result<String, String>;
}
