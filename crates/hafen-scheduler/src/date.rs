//! ISO 8601 dates and durations, as far as rules use them; UTC where no zone is named.

/// Seconds since 1970.
pub type Seconds = i64;

/// The fields of a moment, as `date_spec` compares them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fields {
    /// Gregorian year.
    pub year: i64,
    /// 1 to 12.
    pub month: i64,
    /// Day of the month, 1 to 31.
    pub monthday: i64,
    /// 0 to 23.
    pub hour: i64,
    /// 0 to 59.
    pub minute: i64,
    /// 0 to 59.
    pub second: i64,
    /// Day of the year, 1 to 366.
    pub yearday: i64,
    /// Monday is 1, Sunday is 7.
    pub weekday: i64,
    /// ISO week number, 1 to 53.
    pub week: i64,
    /// The year that the ISO week belongs to.
    pub weekyear: i64,
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days from 1970-01-01 to the given day; months and days beyond their range carry over.
#[must_use]
pub fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let months = year * 12 + (month - 1);
    let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn weekday(days: i64) -> i64 {
    (days + 3).rem_euclid(7) + 1
}

/// The Monday of the first ISO week of a year, in days since 1970.
fn first_week(year: i64) -> i64 {
    let january_fourth = days_from_civil(year, 1, 4);
    january_fourth - (weekday(january_fourth) - 1)
}

impl Fields {
    /// The fields of a moment in UTC.
    #[must_use]
    pub fn of(moment: Seconds) -> Fields {
        let days = moment.div_euclid(86_400);
        let rest = moment.rem_euclid(86_400);
        let (year, month, monthday) = civil_from_days(days);
        let weekyear = if days < first_week(year) {
            year - 1
        } else if days >= first_week(year + 1) {
            year + 1
        } else {
            year
        };
        Fields {
            year,
            month,
            monthday,
            hour: rest / 3600,
            minute: rest / 60 % 60,
            second: rest % 60,
            yearday: days - days_from_civil(year, 1, 1) + 1,
            weekday: weekday(days),
            week: (days - first_week(weekyear)) / 7 + 1,
            weekyear,
        }
    }
}

/// A whole number at the beginning of a text, as C's `scanf` reads it: blanks are skipped, a sign may come first, and no more
/// than `width` characters count. Gives what follows, too.
fn number(text: &str, width: usize) -> Option<(i64, &str)> {
    let text = text.trim_ascii_start();
    let signed = usize::from(text.starts_with(['+', '-']));
    let digits = text.bytes().skip(signed).take(width.saturating_sub(signed)).take_while(u8::is_ascii_digit);
    let (number, rest) = text.split_at_checked(signed + digits.count())?;
    Some((number.parse::<i32>().ok()?.into(), rest))
}

/// Up to three numbers with something between them.
fn numbers(text: &str, widths: [usize; 3], between: [&str; 2]) -> Vec<i64> {
    let (mut found, mut rest) = (Vec::new(), text);
    for (at, width) in widths.into_iter().enumerate() {
        let Some((value, after)) = number(rest, width) else { break };
        found.push(value);
        let Some(after) = between.get(at).and_then(|between| after.strip_prefix(between)) else { break };
        rest = after;
    }
    found
}

const ANY_WIDTH: usize = 20;

/// A day, in days since 1970: `2023-11-14`, `20231114`, `2023-318` or `2023-W46-2`.
fn parse_day(text: &str) -> Option<i64> {
    let dashed = numbers(text, [ANY_WIDTH; 3], ["-", "-"]);
    let day = match dashed[..] {
        [year, month, day] => return civil_day(year, month, day),
        [year, day] if year > 0 => {
            let limit = if is_leap(year) { 366 } else { 365 };
            return (1..=limit).contains(&day).then(|| days_from_civil(year, 1, 1) + day - 1);
        }
        _ => numbers(text, [ANY_WIDTH; 3], ["-W", "-"]),
    };
    if let [year, week, day] = day[..] {
        let weeks = (first_week(year + 1) - first_week(year)) / 7;
        let known = year > 0 && (1..=weeks).contains(&week) && (1..=7).contains(&day);
        return known.then(|| first_week(year) + (week - 1) * 7 + day - 1);
    }
    match numbers(text, [4, 2, 2], ["", ""])[..] {
        [year, month, day] => civil_day(year, month, day),
        _ => None,
    }
}

fn civil_day(year: i64, month: i64, day: i64) -> Option<i64> {
    if year < 1 || !(1..=12).contains(&month) {
        return None;
    }
    let first = days_from_civil(year, month, 1);
    let last = days_from_civil(year, month + 1, 1) - first;
    (1..=last).contains(&day).then(|| first + day - 1)
}

/// A time of day in seconds: `22:13:20`, `221320`, or less of it.
fn parse_clock(text: &str) -> Option<Seconds> {
    let mut found = numbers(text, [ANY_WIDTH; 3], [":", ":"]);
    if found.len() < 2 {
        found = numbers(text, [2; 3], ["", ""]);
    }
    let hour = *found.first()?;
    let (minute, second) = (found.get(1).copied().unwrap_or(0), found.get(2).copied().unwrap_or(0));
    let valid = (0..24).contains(&hour) && (0..60).contains(&minute) && (0..60).contains(&second);
    (valid || hour == 24 && minute == 0 && second == 0).then_some(hour * 3600 + minute * 60 + second)
}

/// The offset from UTC that follows a time of day after a blank. One that is attached to the time does not count: so it is
/// with Pacemaker.
fn parse_offset(clock: &str) -> Option<Seconds> {
    let zone = clock.split_once(' ').map_or("", |(_, zone)| zone).trim_ascii_start();
    match zone.bytes().next() {
        Some(b'-') => parse_clock(&zone[1..]).map(|offset| -offset),
        Some(b'+') => parse_clock(&zone[1..]),
        Some(b'0'..=b'9') => parse_clock(zone),
        _ => Some(0),
    }
}

/// The zone in which a date is given, in seconds east of UTC; 0 where it names none.
#[must_use]
pub fn offset(text: &str) -> Seconds {
    let clock = text.split_once([' ', 'T']).map_or("", |(_, clock)| clock);
    parse_offset(clock).unwrap_or(0)
}

/// Reads a date with or without time and zone; a time alone is one of the day of `now`. `None` when the text is none.
#[must_use]
pub fn parse(text: &str, now: Seconds) -> Option<Seconds> {
    if text.split_once(' ').map_or(text, |(word, _)| word).eq_ignore_ascii_case("epoch") {
        return Some(0);
    }
    let (days, clock) = if let Some(clock) = text.strip_prefix('T') {
        (now.div_euclid(86_400), clock)
    } else if text.as_bytes().get(2) == Some(&b':') {
        (now.div_euclid(86_400), text)
    } else if text.starts_with(char::is_whitespace) {
        return None;
    } else {
        let clock = text.split_once([' ', 'T']).map_or("", |(_, clock)| clock);
        (parse_day(text)?, clock)
    };
    if clock.is_empty() || clock.starts_with(char::is_whitespace) {
        return Some(days * 86_400);
    }
    Some(days * 86_400 + parse_clock(clock)? - parse_offset(clock)?)
}

/// A span of time whose months and years depend on where it begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Years.
    pub years: i64,
    /// Months.
    pub months: i64,
    /// Seconds, into which weeks, days, hours and minutes are folded.
    pub seconds: i64,
}

impl Span {
    /// The moment that lies this span after another.
    #[must_use]
    pub fn after(self, start: Seconds) -> Seconds {
        let (year, month, day) = civil_from_days(start.div_euclid(86_400));
        let months = (year.saturating_add(self.years)).saturating_mul(12) + month - 1 + self.months;
        let (year, month) = (months.div_euclid(12).clamp(-9999, 9999), months.rem_euclid(12) + 1);
        let last = days_from_civil(year, month + 1, 1) - days_from_civil(year, month, 1);
        days_from_civil(year, month, day.min(last)) * 86_400 + start.rem_euclid(86_400) + self.seconds
    }
}

/// Reads an ISO 8601 duration, taking a month as 30 and a year as 365 days.
#[must_use]
pub fn parse_duration_seconds(text: &str) -> Option<u64> {
    let rest = text.trim_end().strip_prefix('P')?;
    let (mut seconds, mut in_time, mut digits) = (0_i64, false, String::new());
    for letter in rest.chars() {
        if letter.is_ascii_digit() {
            digits.push(letter);
            continue;
        }
        if letter == 'T' && digits.is_empty() {
            in_time = true;
            continue;
        }
        let count: i64 = digits.parse().ok()?;
        digits.clear();
        let unit = match (letter, in_time) {
            ('Y', false) => 365 * 86_400,
            ('M', false) => 30 * 86_400,
            ('W', false) => 7 * 86_400,
            ('D', false) => 86_400,
            ('H', _) => 3600,
            ('M', true) => 60,
            ('S', _) => 1,
            _ => return None,
        };
        seconds = seconds.saturating_add(count.saturating_mul(unit));
    }
    if digits.is_empty() { u64::try_from(seconds).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `iso8601 -d` reads them.
    #[test]
    fn dates_in_their_forms() {
        let day = |year, month, day| days_from_civil(year, month, day) * 86_400;
        let at = |clock| Some(day(2023, 11, 14) + clock);
        let now = day(2026, 11, 25) + 5;
        for (text, moment) in [
            ("1970-01-02", Some(86_400)),
            ("2005-020T12:30", Some(day(2005, 1, 20) + 45_000)),
            ("2023-11-14 22:13:20", at(80_000)),
            ("2023-11-14T22:13:20+01:00", at(80_000)),
            ("2023-11-14 22:13:20 +01:00", at(76_400)),
            ("2023-11-14T22:13:20 -0130", at(85_400)),
            ("2023-11-14T22:13:20 01:00", at(76_400)),
            ("2023-11-14T22 +01:00", at(75_601)),
            ("20231114T221320", at(80_000)),
            ("2023-318", at(0)),
            ("2023-W46-2 10:00", at(36_000)),
            ("2023-11-14T24:00:00", at(86_400)),
            ("2023-11-14T22:13:20.5", at(80_000)),
            ("2023-11-14  22:13:20", at(0)),
            ("2023-11-14t22:13:20", at(0)),
            ("2023-1-1", Some(day(2023, 1, 1))),
            ("2023-11", Some(day(2023, 1, 11))),
            ("2020-W53-7", Some(day(2021, 1, 3))),
            ("22:13", Some(day(2026, 11, 25) + 79_980)),
            ("T2213", Some(day(2026, 11, 25) + 79_980)),
            ("epoch", Some(0)),
        ] {
            assert_eq!(parse(text, now), moment, "{text}");
        }
        for text in [
            "",
            "x",
            "yesterday",
            "2023",
            "2023318",
            "2023W462",
            "2023-W46",
            "2023-W53-1",
            "2023-02-30",
            "2023-366",
            "2023-13-01",
            "  2023-11-14",
            "2023/11/14",
            "-2023-11-14",
            "0000-01-01",
            "1700000000",
            "epochx",
            "2:13",
            "2023-11-14T25:00",
            "2023-11-14T22:60",
            "2023-11-14T24:00:01",
            "2023-11-14T22-13-20",
            "2023-11-14 x",
            "2023-11-14 T22:13",
            "2023-11-14T22:13:20 +25:00",
            "2023-11-14T22:13:20 +x",
            "99999999999-01-01",
        ] {
            assert_eq!(parse(text, now), None, "{text}");
        }
    }

    #[test]
    fn fields_of_a_moment() {
        let fields = Fields::of(days_from_civil(2010, 1, 3) * 86_400 + 3661);
        assert_eq!((fields.week, fields.weekyear, fields.weekday), (53, 2009, 7));
        assert_eq!((fields.hour, fields.minute, fields.second, fields.yearday), (1, 1, 1, 3));
    }

    #[test]
    fn a_month_after_the_last_of_january() {
        let start = days_from_civil(2024, 1, 31) * 86_400;
        let span = Span { months: 1, ..Span::default() };
        assert_eq!(span.after(start), days_from_civil(2024, 2, 29) * 86_400);
    }
}
