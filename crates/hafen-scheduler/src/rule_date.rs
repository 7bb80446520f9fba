//! Where a moment stands to a date expression of a rule.

use hafen_cib::Element;

use crate::date::{self, Fields, Seconds};
use crate::input::rules::{duration, spec_matches};

/// Where a moment stands to a date expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It comes before.
    Before,
    /// It is within.
    Within,
    /// It comes after.
    After,
    /// It fits a `date_spec`.
    Fits,
    /// The expression says nothing that can be understood.
    Undetermined,
}

/// Where a moment stands to a date expression.
#[must_use]
pub fn standing(condition: Element<'_>, now: Seconds) -> Standing {
    let start = condition.attribute("start").and_then(|text| date::parse(text, now));
    let end = condition.attribute("end").and_then(|text| date::parse(text, now));
    match condition.attribute("operation").unwrap_or("in_range") {
        "gt" => match start {
            Some(start) if now > start => Standing::Within,
            Some(_) => Standing::Before,
            None => Standing::Undetermined,
        },
        "lt" => match end {
            Some(end) if now < end => Standing::Within,
            Some(_) => Standing::After,
            None => Standing::Undetermined,
        },
        "in_range" => {
            let end = end.or_else(|| Some(duration(condition.child("duration")?).after(start?)));
            match (start, end) {
                (None, None) => Standing::Undetermined,
                (Some(start), _) if now < start => Standing::Before,
                (_, Some(end)) if now > end => Standing::After,
                _ => Standing::Within,
            }
        }
        "date_spec" => match condition.child("date_spec") {
            Some(spec) if spec_matches(spec, now) => Standing::Fits,
            Some(spec) => beside(spec, Fields::of(now)),
            None => Standing::Undetermined,
        },
        _ => Standing::Undetermined,
    }
}

/// On which side of a `date_spec` a moment is: the first field that does not fit says it.
fn beside(spec: Element<'_>, now: Fields) -> Standing {
    let fields = [
        ("years", now.year),
        ("months", now.month),
        ("monthdays", now.monthday),
        ("hours", now.hour),
        ("minutes", now.minute),
        ("seconds", now.second),
        ("yeardays", now.yearday),
        ("weekyears", now.weekyear),
        ("weeks", now.week),
        ("weekdays", now.weekday),
    ];
    let number = |text: &str| text.trim().parse::<i64>().ok();
    for (name, value) in fields {
        let Some(range) = spec.attribute(name) else { continue };
        let (low, high) = range.split_once('-').unwrap_or((range, range));
        match (number(low), number(high)) {
            (Some(low), _) if value < low => return Standing::Before,
            (_, Some(high)) if value > high => return Standing::After,
            _ => {}
        }
    }
    Standing::Undetermined
}
