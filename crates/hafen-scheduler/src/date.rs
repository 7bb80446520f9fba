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

fn number(text: &str, digits: usize) -> Option<(i64, &str)> {
    let bytes = text.as_bytes();
    if bytes.len() < digits || !bytes[..digits].iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some((text[..digits].parse().ok()?, &text[digits..]))
}

fn parse_day(text: &str) -> Option<(i64, &str)> {
    let (year, rest) = number(text, 4)?;
    if let Some(week_part) = rest.strip_prefix("-W").or_else(|| rest.strip_prefix('W')) {
        let (week, rest) = number(week_part, 2)?;
        let rest = rest.strip_prefix('-').unwrap_or(rest);
        let (day, rest) = number(rest, 1).unwrap_or((1, rest));
        if !(1..=53).contains(&week) || !(1..=7).contains(&day) {
            return None;
        }
        return Some((first_week(year) + (week - 1) * 7 + day - 1, rest));
    }
    let dashed = rest.strip_prefix('-');
    let rest = dashed.unwrap_or(rest);
    let run = rest.bytes().take_while(u8::is_ascii_digit).count();
    if run == 3 {
        let (day, rest) = number(rest, 3)?;
        let limit = if is_leap(year) { 366 } else { 365 };
        return (1..=limit).contains(&day).then(|| (days_from_civil(year, 1, 1) + day - 1, rest));
    }
    let (month, rest) = number(rest, 2)?;
    let rest = rest.strip_prefix('-').unwrap_or(rest);
    let (day, rest) = number(rest, 2)?;
    ((1..=12).contains(&month) && (1..=31).contains(&day)).then(|| (days_from_civil(year, month, day), rest))
}

fn parse_clock(text: &str) -> Option<(i64, &str)> {
    let (hour, rest) = number(text, 2)?;
    let rest = rest.strip_prefix(':').unwrap_or(rest);
    let Some((minute, rest)) = number(rest, 2) else { return Some((hour * 3600, rest)) };
    let rest = rest.strip_prefix(':').unwrap_or(rest);
    let (second, rest) = number(rest, 2).unwrap_or((0, rest));
    (hour <= 24 && minute < 60 && second < 61).then_some((hour * 3600 + minute * 60 + second, rest))
}

/// Reads a date with or without time and zone; `None` when the text is none.
#[must_use]
pub fn parse(text: &str) -> Option<Seconds> {
    let text = text.trim();
    let (days, rest) = parse_day(text)?;
    let rest = rest.trim_start_matches('T').trim_start();
    if rest.is_empty() {
        return Some(days * 86_400);
    }
    let (clock, rest) = parse_clock(rest)?;
    let zone = rest.trim();
    let offset = match zone.as_bytes().first() {
        None | Some(b'Z') => 0,
        Some(sign @ (b'+' | b'-')) => {
            let (seconds, _) = parse_clock(&zone[1..])?;
            if *sign == b'-' { -seconds } else { seconds }
        }
        Some(_) => return None,
    };
    Some(days * 86_400 + clock - offset)
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
    let rest = text.strip_prefix('P')?;
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

    #[test]
    fn dates_in_their_forms() {
        assert_eq!(parse("1970-01-02"), Some(86_400));
        assert_eq!(parse("2005-020"), Some(days_from_civil(2005, 1, 20) * 86_400));
        assert_eq!(parse("2005-020T12:30"), Some(days_from_civil(2005, 1, 20) * 86_400 + 45_000));
        assert_eq!(
            parse("2014-05-07 00:28:00+02:00"),
            Some(days_from_civil(2014, 5, 7) * 86_400 - 7200 + 1680)
        );
        assert_eq!(parse("2009-W53-7"), Some(days_from_civil(2010, 1, 3) * 86_400));
        assert_eq!(parse("yesterday"), None);
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
