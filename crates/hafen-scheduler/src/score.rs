//! Scores: integers that saturate at Pacemaker's infinity.

/// The score that nothing outweighs but its negative.
pub const INFINITY: i32 = 1_000_000;

/// Adds two scores; minus infinity wins over everything, then infinity.
#[must_use]
pub fn add(left: i32, right: i32) -> i32 {
    if left <= -INFINITY || right <= -INFINITY {
        return -INFINITY;
    }
    if left >= INFINITY || right >= INFINITY {
        return INFINITY;
    }
    left.saturating_add(right).clamp(-INFINITY, INFINITY)
}

/// Reads a score; `None` when the text is no score. Numbers beyond infinity are infinity.
#[must_use]
pub fn parse(text: &str) -> Option<i32> {
    match text {
        "INFINITY" | "+INFINITY" => return Some(INFINITY),
        "-INFINITY" => return Some(-INFINITY),
        "red" => return Some(-INFINITY),
        "yellow" | "green" => return Some(0),
        _ => {}
    }
    leading_integer(text)
        .map(|number| i32::try_from(number.clamp(i64::from(-INFINITY), i64::from(INFINITY))).unwrap_or(0))
}

/// The integer that a text begins with, as C's `strtoll` reads it; saturates.
#[must_use]
pub fn leading_integer(text: &str) -> Option<i64> {
    let text = text.trim_start();
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let end = digits.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    if end == 0 {
        return None;
    }
    let number = digits[..end].parse::<i64>().unwrap_or(i64::MAX);
    Some(if negative { number.saturating_neg() } else { number })
}

/// Reads a text that is an integer as a whole.
#[must_use]
pub fn whole_integer(text: &str) -> Option<i64> {
    text.trim_start().parse().ok()
}

/// How a score is printed.
#[must_use]
pub fn text(score: i32) -> String {
    if score >= INFINITY {
        "INFINITY".to_owned()
    } else if score <= -INFINITY {
        "-INFINITY".to_owned()
    } else {
        score.to_string()
    }
}

/// Whether a text means yes, as the CIB spells booleans.
#[must_use]
pub fn is_true(text: &str) -> bool {
    ["true", "on", "yes", "y", "1"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Reads a boolean; `None` when the text is none.
#[must_use]
pub fn parse_bool(text: &str) -> Option<bool> {
    if is_true(text) {
        return Some(true);
    }
    ["false", "off", "no", "n", "0"].iter().any(|word| text.eq_ignore_ascii_case(word)).then_some(false)
}

/// Reads an interval or timeout (`10`, `10s`, `500ms`, `2m`, `1h`, `PT5M`) as milliseconds.
#[must_use]
pub fn parse_milliseconds(text: &str) -> Option<u64> {
    let text = text.trim();
    if text.starts_with('P') {
        return crate::date::parse_duration_seconds(text).map(|seconds| seconds.saturating_mul(1000));
    }
    if text == "INFINITY" || text == "+INFINITY" {
        return Some(u64::from(INFINITY.unsigned_abs()).saturating_mul(1000));
    }
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = if end == 0 { return None } else { text[..end].parse().unwrap_or(u64::MAX) };
    let (multiplier, divisor) = match text[end..].trim().to_ascii_lowercase().as_str() {
        "" | "s" | "sec" => (1000, 1),
        "ms" | "msec" => (1, 1),
        "us" | "usec" => (1, 1000),
        "m" | "min" => (60_000, 1),
        "h" | "hr" => (3_600_000, 1),
        _ => return None,
    };
    Some(number.saturating_mul(multiplier) / divisor)
}

/// Milliseconds as seconds, rounded; what is not nothing is at least one.
#[must_use]
pub fn to_seconds(milliseconds: u64) -> i64 {
    if milliseconds == 0 {
        return 0;
    }
    i64::try_from(milliseconds.saturating_add(500) / 1000).unwrap_or(i64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minus_infinity_outweighs_infinity() {
        assert_eq!(add(INFINITY, -INFINITY), -INFINITY);
        assert_eq!(add(INFINITY, -5), INFINITY);
        assert_eq!(add(900_000, 900_000), INFINITY);
        assert_eq!(add(-900_000, -900_000), -INFINITY);
        assert_eq!(add(7, -9), -2);
    }

    #[test]
    fn scores_saturate_when_read() {
        assert_eq!(parse("99999999999999999999"), Some(INFINITY));
        assert_eq!(parse("-99999999999999999999"), Some(-INFINITY));
        assert_eq!(parse("+100"), Some(100));
        assert_eq!(parse("many"), None);
    }

    #[test]
    fn intervals_have_units() {
        assert_eq!(parse_milliseconds("10"), Some(10_000));
        assert_eq!(parse_milliseconds("500ms"), Some(500));
        assert_eq!(parse_milliseconds("2min"), Some(120_000));
        assert_eq!(parse_milliseconds("PT5M"), Some(300_000));
        assert_eq!(parse_milliseconds("soon"), None);
    }
}
