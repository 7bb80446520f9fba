//! The time until which a migration holds.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};

/// Why a text names no time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UntilError {
    /// It has no known form.
    #[error(
        "'{0}' is no time: give a duration (90m, 2h, 1d, PT1H30M) or a date (2026-12-31, 2026-12-31 18:00)"
    )]
    Form(String),
    /// It has passed.
    #[error("'{0}' is not in the future")]
    Past(String),
    /// It is beyond the year 9999.
    #[error("'{0}' is too far away")]
    TooFar(String),
}

/// The time in seconds since the epoch as the CIB's date expressions write it: `2026-11-22 17:44:58Z`.
pub fn format_until(seconds: i64) -> Option<String> {
    let timestamp = Timestamp::from_second(seconds).ok()?;
    Some(timestamp.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
}

/// Reads the end of a migration: a duration from now on, or a date, in UTC unless it names an offset. Seconds since the
/// epoch, as `now` is.
pub fn parse_until(text: &str, now: i64) -> Result<i64, UntilError> {
    let text = text.trim();
    let end = parse_date(text).or_else(|| parse_duration(text, now));
    let end = end.ok_or_else(|| UntilError::Form(text.to_owned()))?;
    if end <= now {
        return Err(UntilError::Past(text.to_owned()));
    }
    format_until(end).map(|_| end).ok_or_else(|| UntilError::TooFar(text.to_owned()))
}

/// A date in one of ISO 8601's forms, in UTC unless it names an offset.
fn parse_date(text: &str) -> Option<i64> {
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(timestamp.as_second());
    }
    let date: DateTime = text.parse().ok()?;
    Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second())
}

/// A duration: ISO 8601's (`P1D`, `PT1H`) or a short one (`90m`, `1h 30m`). Months and years count from now.
fn parse_duration(text: &str, now: i64) -> Option<i64> {
    if text.starts_with(['-', '+']) {
        return None;
    }
    if let Ok(span) = text.parse::<Span>() {
        let begin = Timestamp::from_second(now).ok()?.to_zoned(TimeZone::UTC);
        return Some(begin.checked_add(span).ok()?.timestamp().as_second());
    }
    let duration: SignedDuration = text.parse().ok()?;
    now.checked_add(duration.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-22 16:44:58 UTC
    const NOW: i64 = 1_795_365_898;

    #[test]
    fn an_end_is_written_as_the_tools_write_it() {
        assert_eq!(format_until(NOW).as_deref(), Some("2026-11-22 16:44:58Z"));
        assert_eq!(format_until(i64::MAX), None);
    }

    #[test]
    fn durations_and_dates_are_read() {
        let cases = [
            ("PT1H", "2026-11-22 17:44:58Z"),
            ("P1D", "2026-11-23 16:44:58Z"),
            ("P1M", "2026-12-22 16:44:58Z"),
            ("90m", "2026-11-22 18:14:58Z"),
            ("1h 30m", "2026-11-22 18:14:58Z"),
            ("2d", "2026-11-24 16:44:58Z"),
            ("2026-12-31", "2026-12-31 00:00:00Z"),
            ("2026-12-31 18:00", "2026-12-31 18:00:00Z"),
            ("2026-12-31T18:00:00+02:00", "2026-12-31 16:00:00Z"),
            ("2026-12-31 18:00:00Z", "2026-12-31 18:00:00Z"),
        ];
        for (text, end) in cases {
            let seconds = parse_until(text, NOW).expect(text);
            assert_eq!(format_until(seconds).as_deref(), Some(end), "{text}");
        }
    }

    #[test]
    fn what_is_no_future_time_is_refused() {
        for text in ["", "soon", "-1h", "12", "2026-13-01", "PT", "1h,"] {
            assert_eq!(parse_until(text, NOW), Err(UntilError::Form(text.into())), "{text}");
        }
        for text in ["2020-01-01", "PT0S", "0s"] {
            assert_eq!(parse_until(text, NOW), Err(UntilError::Past(text.into())), "{text}");
        }
    }
}
