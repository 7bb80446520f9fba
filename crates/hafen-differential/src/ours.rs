//! Our answer to a CIB.

use hafen_cib::Cib;
use hafen_scheduler::{Options, lint, report};

use crate::generate::NOW;
use crate::graph::Answer;

/// What our scheduler says of a CIB.
///
/// # Errors
///
/// That it could not read the CIB, panicked, or made a plan that the linter objects to.
pub fn ask(source: &str) -> Result<Answer, String> {
    let cib = Cib::parse(source).map_err(|error| error.to_string())?;
    let now = cib.root().attribute("execution-date").and_then(|text| text.parse().ok());
    let now = now.unwrap_or_else(|| u64::try_from(NOW).unwrap_or(0));
    let run = || report(&cib, now, Options { sanitized: true, scores: true, ..Options::default() });
    let report =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).map_err(|_| "panicked".to_owned())?;
    let problems = lint(&report.plan);
    if !problems.is_empty() {
        return Err(format!("the linter objects: {problems:?}"));
    }
    Answer::read(&report.plan.to_graph_xml(1, None), &report.scores.join("\n"))
}
