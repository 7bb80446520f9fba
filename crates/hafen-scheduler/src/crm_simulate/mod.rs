//! `crm_simulate`: its command line, its flow and its texts; a [`Shell`] does the reading and writing.

mod arguments;
mod dot;
mod flow;
mod help;
mod injections;
mod out;
mod playing;
mod reading;
mod status;

pub use arguments::{Arguments, Format, HelpGroup, Inquiry, Source, UsageError};
pub use flow::{Outcome, main, run};
pub use injections::Injections;
pub(crate) use playing::carried_out;

/// Exit statuses, as Pacemaker's tools give them.
pub mod exit {
    /// All is well.
    pub const OK: u8 = 0;
    /// The plan could not be carried out, or the CIB is of no known schema.
    pub const ERROR: u8 = 1;
    /// The command line was wrong.
    pub const USAGE: u8 = 64;
    /// There is no CIB, or it is not well-formed.
    pub const DATA_ERROR: u8 = 65;
    /// The graph could not be written.
    pub const IO_ERROR: u8 = 74;
    /// The CIB breaks its schema.
    pub const CONFIG: u8 = 78;
    /// There is no running cluster.
    pub const DISCONNECTED: u8 = 102;
    /// Something that was named does not exist.
    pub const NO_SUCH_OBJECT: u8 = 105;
}

/// Why something could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// There is no running cluster to ask.
    Disconnected(String),
    /// The file, or standard input, could not be read.
    Unreadable(String),
}

/// What the program needs of the world.
pub trait Shell {
    /// The text of a CIB.
    ///
    /// # Errors
    ///
    /// There is none.
    fn read(&mut self, source: &Source) -> Result<Vec<u8>, ReadError>;

    /// Writes a file.
    ///
    /// # Errors
    ///
    /// In the operating system's words.
    fn write(&mut self, file: &str, content: &str) -> Result<(), String>;

    /// The files of a folder that end in `.xml`, as paths, in the folder's order.
    fn folder(&mut self, folder: &str) -> Vec<String>;

    /// Prints on standard output.
    fn print(&mut self, text: &str);

    /// Prints a line on standard error.
    fn complain(&mut self, line: &str);

    /// Now, in seconds since 1970.
    fn now(&mut self) -> u64;

    /// How much processor time was used, in seconds.
    fn processor_seconds(&mut self) -> f64;
}
