//! Values as the configuration writes them: booleans, scores, times.

use std::fmt;

/// A boolean in any of Pacemaker's spellings, in upper or lower case: `true`, `on`, `yes`, `y`, `1`
/// and `false`, `off`, `no`, `n`, `0`.
pub fn parse_boolean(text: &str) -> Option<bool> {
    let is = |spellings: [&str; 5]| spellings.iter().any(|spelling| text.eq_ignore_ascii_case(spelling));
    if is(["true", "on", "yes", "y", "1"]) {
        Some(true)
    } else if is(["false", "off", "no", "n", "0"]) {
        Some(false)
    } else {
        None
    }
}

/// A score between minus and plus [`Score::INFINITY`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Score(i32);

impl Score {
    /// What `INFINITY` means: 1,000,000.
    pub const INFINITY: Score = Score(1_000_000);
    /// What `-INFINITY` means.
    pub const MINUS_INFINITY: Score = Score(-1_000_000);

    /// A score, brought between minus and plus infinity.
    pub fn new(value: i64) -> Score {
        Score(value.clamp(-1_000_000, 1_000_000) as i32)
    }

    /// The score as a number.
    pub fn value(self) -> i32 {
        self.0
    }

    /// Read a score: a whole number, `INFINITY`, `+INFINITY` or `-INFINITY`. Larger numbers become
    /// infinity, and what follows a number is ignored (`1.5` is 1), as Pacemaker does. The aliases `red`, `yellow` and `green` depend on the cluster's properties and
    /// are not read here.
    pub fn parse(text: &str) -> Option<Score> {
        match text {
            "INFINITY" | "+INFINITY" => return Some(Score::INFINITY),
            "-INFINITY" => return Some(Score::MINUS_INFINITY),
            _ => {}
        }
        let (digits, _) = split_number(text.strip_prefix(['+', '-']).unwrap_or(text));
        if digits.is_empty() {
            return None;
        }
        let magnitude = digits.parse::<i64>().unwrap_or(i64::MAX);
        Some(Score::new(if text.starts_with('-') { -magnitude } else { magnitude }))
    }

    /// Whether a text is a score and nothing more.
    pub fn is_well_formed(text: &str) -> bool {
        let (digits, rest) = split_number(text.strip_prefix(['+', '-']).unwrap_or(text));
        matches!(text, "INFINITY" | "+INFINITY" | "-INFINITY") || !digits.is_empty() && rest.is_empty()
    }

    /// Whether the score is plus infinity.
    pub fn is_infinite(self) -> bool {
        self == Score::INFINITY
    }
}

/// The digits that a text starts with, and what follows them.
fn split_number(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

impl std::ops::Add for Score {
    type Output = Score;

    /// Minus infinity wins over everything, plus infinity over everything else.
    fn add(self, other: Score) -> Score {
        if self == Score::MINUS_INFINITY || other == Score::MINUS_INFINITY {
            return Score::MINUS_INFINITY;
        }
        if self == Score::INFINITY || other == Score::INFINITY {
            return Score::INFINITY;
        }
        Score::new(i64::from(self.0) + i64::from(other.0))
    }
}

impl fmt::Display for Score {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Score::INFINITY => formatter.write_str("INFINITY"),
            Score::MINUS_INFINITY => formatter.write_str("-INFINITY"),
            Score(value) => write!(formatter, "{value}"),
        }
    }
}

/// Read a timeout in milliseconds: a number, which is in seconds unless a unit follows (`us`, `usec`,
/// `ms`, `msec`, `s`, `sec`, `m`, `min`, `h`, `hr`), with blanks around the number as one likes.
/// The unit may be in upper case, and a fraction is ignored. It may be negative, which some
/// properties give a meaning.
pub fn parse_timeout_ms(text: &str) -> Option<i64> {
    let text = text.trim_ascii();
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (digits, mut rest) = split_number(unsigned);
    if let Some(fraction) = rest.strip_prefix('.') {
        rest = split_number(fraction).1;
    }
    let number = sign * digits.parse::<i64>().ok()?;
    let (factor, divisor) = match rest.trim_ascii().to_ascii_lowercase().as_str() {
        "us" | "usec" => (1, 1000),
        "ms" | "msec" => (1, 1),
        "" | "s" | "sec" => (1000, 1),
        "m" | "min" => (60_000, 1),
        "h" | "hr" => (3_600_000, 1),
        _ => return None,
    };
    Some(number.saturating_mul(factor) / divisor)
}

/// Read a duration in milliseconds: a timeout that is not negative, or an ISO 8601 duration such as
/// `PT1M30S`. There a month counts as 30 days and a year as 365, and
/// hours and seconds may stand without the `T`, as Pacemaker has it.
pub fn parse_duration_ms(text: &str) -> Option<u64> {
    let text = text.trim_ascii();
    match text.strip_prefix('P') {
        Some(rest) => parse_iso_duration(rest),
        None => parse_timeout_ms(text).and_then(|milliseconds| u64::try_from(milliseconds).ok()),
    }
}

fn parse_iso_duration(text: &str) -> Option<u64> {
    const DAY_SECONDS: u64 = 86_400;
    let mut seconds: u64 = 0;
    let mut rest = text;
    let mut in_time = false;
    let mut parts = 0;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('T') {
            if in_time || after.is_empty() {
                return None;
            }
            (in_time, rest) = (true, after);
            continue;
        }
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..end].parse().ok()?;
        let unit = match (rest.as_bytes()[end], in_time) {
            (b'Y', false) => 365 * DAY_SECONDS,
            (b'M', false) => 30 * DAY_SECONDS,
            (b'W', false) => 7 * DAY_SECONDS,
            (b'D', false) => DAY_SECONDS,
            (b'H', _) => 3600,
            (b'M', true) => 60,
            (b'S', _) => 1,
            _ => return None,
        };
        seconds = seconds.checked_add(number.checked_mul(unit)?)?;
        rest = &rest[end + 1..];
        parts += 1;
    }
    (parts > 0).then(|| seconds.checked_mul(1000)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans() {
        for (text, value) in [
            ("true", Some(true)),
            ("Y", Some(true)),
            ("1", Some(true)),
            ("OFF", Some(false)),
            ("n", Some(false)),
            ("2", None),
            ("", None),
        ] {
            assert_eq!(parse_boolean(text), value, "{text}");
        }
    }

    #[test]
    fn scores() {
        for (text, value) in [
            ("0", Some(0)),
            ("+5", Some(5)),
            ("-5", Some(-5)),
            ("INFINITY", Some(1_000_000)),
            ("+INFINITY", Some(1_000_000)),
            ("-INFINITY", Some(-1_000_000)),
            ("2000000", Some(1_000_000)),
            ("-99999999999999999999", Some(-1_000_000)),
            ("", None),
            ("-", None),
            ("1.5", Some(1)),
            ("x1", None),
            ("infinity", None),
        ] {
            assert_eq!(Score::parse(text).map(Score::value), value, "{text}");
        }
        assert_eq!(Score::INFINITY + Score::MINUS_INFINITY, Score::MINUS_INFINITY);
        assert_eq!(Score::INFINITY + Score::new(-5), Score::INFINITY);
        assert_eq!(Score::new(999_999) + Score::new(999_999), Score::INFINITY);
        assert_eq!((Score::new(-3) + Score::new(1)).to_string(), "-2");
    }

    #[test]
    fn times() {
        for (text, value) in [
            ("10", Some(10_000)),
            (" 10 s ", Some(10_000)),
            ("10ms", Some(10)),
            ("2500us", Some(2)),
            ("1min", Some(60_000)),
            ("2h", Some(7_200_000)),
            ("PT1M", Some(60_000)),
            ("P1DT1H1S", Some(90_001_000)),
            ("P1W", Some(604_800_000)),
            ("P1M", Some(2_592_000_000)),
            ("0", Some(0)),
            ("-1", None),
            ("P", None),
            ("PT", None),
            ("P10S", Some(10_000)),
            ("1.5s", Some(1000)),
            ("10 MS", Some(10)),
            ("PT1.5S", None),
            ("1e3", None),
            ("1d", None),
            ("s", None),
            ("", None),
            ("P99999999999999999999D", None),
        ] {
            assert_eq!(parse_duration_ms(text), value, "{text}");
        }
        assert_eq!(parse_timeout_ms("-1"), Some(-1000));
        assert_eq!(parse_timeout_ms("9223372036854775807h"), Some(i64::MAX));
    }
}
