//! Names of the years of OpenAIS and Heartbeat: what they are today, and what translates them.

use super::{Checker, Finding, Severity};
use crate::old_names::translate;

pub(super) fn check(checker: &mut Checker<'_>) {
    let (_, notes) = translate(checker.cib);
    checker.findings.extend(notes.into_iter().map(|note| Finding {
        severity: Severity::Warning,
        problem: format!("`{}` has {}, which is {} today", note.id, note.was, note.today),
        mend: if note.done { format!("`hafen config translate` does it: {}", note.why) } else { note.why },
        id: note.id,
        line: note.line,
    }));
}
