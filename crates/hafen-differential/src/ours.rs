//! Our answer to a CIB.

use hafen_cib::Cib;
use hafen_scheduler::{Options, report};

use crate::generate::NOW;
use crate::graph::Answer;

/// What our scheduler says of a CIB.
///
/// # Errors
///
/// That it could not read the CIB, or panicked. What the linter would say is left out: loops of the configuration are
/// loops of the oracle's graph, too.
pub fn ask(source: &str) -> Result<Answer, String> {
    let cib = Cib::parse(source).map_err(|error| error.to_string())?;
    let now = cib.root().attribute("execution-date").and_then(|text| text.parse().ok());
    let now = now.unwrap_or_else(|| u64::try_from(NOW).unwrap_or(0));
    let run = || report(&cib, now, Options { sanitized: true, scores: true, ..Options::default() });
    let report =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).map_err(|_| "panicked".to_owned())?;
    let rows: Vec<_> = report.scores.iter().map(ToString::to_string).collect();
    Answer::read(&report.plan.to_graph_xml(1, None), &rows.join("\n"))
}
