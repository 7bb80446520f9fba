//! Named limits of the parser.

/// What a document may hold at most; going beyond is an error with the limit's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Size of the source in bytes (limit `size_bytes`).
    pub size_bytes: usize,
    /// Nesting of elements, the root counted as 1 (limit `depth`).
    pub depth: usize,
    /// Elements, comments, instructions and texts together (limit `nodes`).
    pub nodes: usize,
    /// Attributes of one element (limit `attributes`).
    pub attributes: usize,
    /// Different names of elements and attributes (limit `names`).
    pub names: usize,
    /// Length of one name in bytes (limit `name_bytes`).
    pub name_bytes: usize,
}

impl Limits {
    /// The limits of [`super::Document::parse`]: a CIB of 32 hosts and 1,000 virtual machines takes
    /// a tenth of them.
    pub const DEFAULT: Limits = Limits {
        size_bytes: 256 << 20,
        depth: 128,
        nodes: 8_000_000,
        attributes: 256,
        names: 4096,
        name_bytes: 1024,
    };

    /// For a file that an administrator hands to a tool that runs for him alone: 32 hosts and 10,000 virtual machines
    /// take a third of it. What a daemon takes from the network keeps to [`Limits::DEFAULT`].
    pub const OFFLINE: Limits = Limits { size_bytes: 1 << 30, ..Limits::DEFAULT };
}

impl Default for Limits {
    fn default() -> Self {
        Limits::DEFAULT
    }
}
