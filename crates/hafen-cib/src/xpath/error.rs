//! Why an expression cannot be read or evaluated.

use std::fmt;

/// Why an expression cannot be read or evaluated, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct XPathError {
    /// The expression.
    pub source: String,
    /// In bytes from its beginning, where it is known.
    pub position: Option<usize>,
    /// Why.
    pub kind: XPathErrorKind,
}

/// Why an expression cannot be read or evaluated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum XPathErrorKind {
    /// A character with which nothing begins.
    #[error("'{0}' has no meaning here")]
    Character(char),
    /// A quote without its end.
    #[error("a quoted text does not end")]
    Quote,
    /// Something else stands here.
    #[error("{expected} is expected, not {found}")]
    Unexpected {
        /// What could stand here.
        expected: &'static str,
        /// What does.
        found: String,
    },
    /// An axis that is not understood.
    #[error("the axis {0}:: is not supported")]
    Axis(String),
    /// A function that is not understood.
    #[error("the function {0}() is not supported")]
    Function(String),
    /// A node test that is not understood.
    #[error("the node test {0}() is not supported")]
    NodeTest(String),
    /// A function with too many or too few arguments.
    #[error("{name}() does not take {given} arguments")]
    Arguments {
        /// The function.
        name: &'static str,
        /// How many there are.
        given: usize,
    },
    /// Prefixes of namespaces: a CIB has none.
    #[error("names with a prefix are not supported")]
    Prefix,
    /// References to variables.
    #[error("variables are not supported")]
    Variable,
    /// Nested deeper than any that people write.
    #[error("it is nested too deeply")]
    Depth,
    /// A text, number or truth value where nodes are needed.
    #[error("it selects no nodes, but gives a value")]
    NotNodes,
    /// It would look at too many nodes.
    #[error("it takes too long on this CIB")]
    TooExpensive,
}

impl XPathError {
    /// Whether the expression may well be XPath, but none that is understood here or can be afforded.
    #[must_use]
    pub fn is_unsupported(&self) -> bool {
        use XPathErrorKind as Kind;
        matches!(
            self.kind,
            Kind::Axis(_)
                | Kind::Function(_)
                | Kind::NodeTest(_)
                | Kind::Prefix
                | Kind::Variable
                | Kind::Depth
                | Kind::TooExpensive
        )
    }
}

impl fmt::Display for XPathError {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "XPath {}", self.source)?;
        if let Some(position) = self.position {
            let column = self.source.get(..position).map_or(position, |before| before.chars().count());
            write!(to, ", column {}", column + 1)?;
        }
        write!(to, ": {}", self.kind)
    }
}

impl std::error::Error for XPathError {}
