//! What can go wrong while a cluster is set up.

use std::io;
use std::path::{Path, PathBuf};

/// What kind of failure it is; programs and exit statuses go by this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The command line, a token or a file is wrong: asking again changes nothing.
    Input,
    /// The cluster or this host is in a state in which it cannot be done.
    State,
    /// Another host or a program did not answer: trying again may help.
    Unreachable,
    /// Two hosts have changed the same thing.
    Conflict,
    /// This system refused something.
    System,
}

/// An error whose text says what was wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// Refused, here or at another host.
    #[error("{what}{}{mend}", separator(what, mend))]
    Refused {
        /// What kind of failure.
        kind: Kind,
        /// What was wrong and where, in a sentence without its full stop.
        what: String,
        /// What to do; may be empty.
        mend: String,
    },
    /// This system refused something.
    #[error("cannot {doing} {path}: {source}")]
    System {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn separator(what: &str, mend: &str) -> &'static str {
    match (mend.is_empty(), what.ends_with(['.', '?', '!'])) {
        (true, _) => "",
        (false, true) => " ",
        (false, false) => ". ",
    }
}

impl SetupError {
    /// The input is wrong.
    pub fn input(what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self::Refused { kind: Kind::Input, what: what.into(), mend: mend.into() }
    }

    /// It cannot be done in this state.
    pub fn state(what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self::Refused { kind: Kind::State, what: what.into(), mend: mend.into() }
    }

    /// Somebody does not answer.
    pub fn unreachable(what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self::Refused { kind: Kind::Unreachable, what: what.into(), mend: mend.into() }
    }

    /// Two versions of the same thing.
    pub fn conflict(what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self::Refused { kind: Kind::Conflict, what: what.into(), mend: mend.into() }
    }

    /// To be given to `map_err`: the system refused.
    pub fn system(doing: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_owned();
        move |source| Self::System { doing, path, source }
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Refused { kind, .. } => *kind,
            Self::System { .. } => Kind::System,
        }
    }
}
