//! `iso8601`: dates, periods and durations as Pacemaker reads them.

use std::process::ExitCode;

use hafen_scheduler::date::{self, Fields, Seconds, Span};

use super::options::{Given, Spec, flag, valued};
use super::output::{self, CrmExit, Failed, Printed, escaped};

const SPEC: Spec = Spec {
    name: "iso8601",
    about: "Shows dates, periods and durations as Pacemaker reads them",
    options: &[
        flag('n', "now", "Show this moment"),
        valued('d', "date", "DATE", "Show a date"),
        valued('p', "period", "PERIOD", "Show a period: two dates, or a date and a duration"),
        valued('D', "duration", "DURATION", "Show a duration, and with a date where it ends"),
        valued('E', "expected", "TEXT", "Exit with 1 if the date is shown otherwise"),
        flag('s', "seconds", "As seconds since the year 0 ended"),
        flag('S', "epoch", "As seconds since 1970"),
        flag('L', "local", "In the zone in which it is given"),
        flag('O', "ordinal", "As year and day of the year"),
        flag('W', "week", "As year, week and day of the week"),
    ],
    examples: "Examples:\n  iso8601 -d '2019-09-24 00:30:00 +01:00'\n  iso8601 -p 2005-040/2005-043",
};

/// Seconds from the beginning of the year 1 to 1970.
const YEAR_ONE: Seconds = 62_135_596_800;

pub(super) fn run(words: &[String]) -> ExitCode {
    output::run(&SPEC, words, act)
}

fn act(given: &Given) -> Result<Printed, Failed> {
    let now = jiff::Timestamp::now().as_second();
    let mut printed = Printed::default();
    let mut shown = None;
    let mut start = None;
    let invalid = |what: &str, text: &str, printed: &Printed| {
        let printed = Printed { text: printed.text.clone(), xml: printed.xml.clone() };
        Failed {
            printed,
            ..Failed::new(CrmExit::InvalidParameter, format!("Invalid {what} specified: {text}"))
        }
    };
    if given.has('n') {
        let text = show(given, now, 0);
        printed.add(&format!("Current date/time: {text}"), &format!("<now>{text}</now>"));
        (shown, start) = (Some(text), Some((now, 0)));
    }
    if let Some(text) = given.value(&['d']) {
        let moment = date::parse(text, now).ok_or_else(|| invalid("date/time", text, &printed))?;
        let offset = date::offset(text);
        let words = show(given, moment, offset);
        printed.add(&format!("Date: {words}"), &format!("<date>{words}</date>"));
        (shown, start) = (Some(words), Some((moment, offset)));
    }
    let mut span = None;
    if let Some(text) = given.value(&['D']) {
        let read = Lasting::parse(text).ok_or_else(|| invalid("duration", text, &printed))?;
        let words = read.words();
        printed.add(&format!("Duration: {words}"), &format!("<duration>{}</duration>", escaped(&words)));
        span = Some(read.span());
    }
    if let Some(text) = given.value(&['p']) {
        let (from, to) = period(text, now).ok_or_else(|| invalid("interval", text, &printed))?;
        let (from, to) = (show(given, from.0, from.1), show(given, to.0, to.1));
        let xml = format!("<period>\n  <start>{from}</start>\n  <end>{to}</end>\n</period>");
        printed.add(&format!("Period: {from} to {to}"), &xml);
    }
    if let (Some(span), Some((moment, offset))) = (span, start) {
        let words = show(given, span.after(moment + offset) - offset, offset);
        printed
            .add(&format!("Duration ends at: {words}"), &format!("<duration_ends>{words}</duration_ends>"));
        shown = Some(words);
    }
    match (given.value(&['E']), shown) {
        (Some(expected), Some(shown)) if expected != shown => {
            Err(Failed { printed, ..Failed::silent(CrmExit::Error) })
        }
        _ => Ok(printed),
    }
}

/// A moment in the form that is asked for.
fn show(given: &Given, moment: Seconds, offset: Seconds) -> String {
    if given.has('s') {
        return (moment + YEAR_ONE).to_string();
    }
    if given.has('S') {
        return moment.to_string();
    }
    let offset = if given.has('L') { offset } else { 0 };
    let Fields { year, month, monthday, hour, minute, second, yearday, weekday, week, weekyear } =
        Fields::of(moment + offset);
    let day = if given.has('O') {
        format!("{year:04}-{yearday:03}")
    } else if given.has('W') {
        format!("{weekyear:04}-W{week:02}-{weekday}")
    } else {
        format!("{year:04}-{month:02}-{monthday:02}")
    };
    let zone = match offset {
        0 => "Z".to_owned(),
        _ => {
            let (sign, minutes) = (if offset < 0 { '-' } else { '+' }, offset.abs() / 60);
            format!(" {sign}{:02}:{:02}", minutes / 60, minutes % 60)
        }
    };
    format!("{day} {hour:02}:{minute:02}:{second:02}{zone}")
}

/// A moment and its zone.
type Placed = (Seconds, Seconds);

/// Two dates, or one and a duration.
fn period(text: &str, now: Seconds) -> Option<(Placed, Placed)> {
    let (first, second) = text.split_once('/')?;
    let date = |text: &str| Some((date::parse(text, now)?, date::offset(text)));
    if first.starts_with('P') {
        let (end, span) = (date(second)?, Lasting::parse(first)?.span());
        let back = Span { years: -span.years, months: -span.months, seconds: -span.seconds };
        return Some(((back.after(end.0), end.1), end));
    }
    let start = date(first)?;
    let end = match second.starts_with('P') {
        true => (Lasting::parse(second)?.span().after(start.0), start.1),
        false => date(second)?,
    };
    Some((start, end))
}

/// A duration as it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Lasting {
    years: i64,
    months: i64,
    days: i64,
    seconds: i64,
}

impl Lasting {
    fn parse(text: &str) -> Option<Self> {
        let mut rest = text.trim_end().strip_prefix('P')?;
        let (mut read, mut in_time) = (Self::default(), false);
        while !rest.is_empty() {
            if let Some(time) = rest.strip_prefix('T').filter(|_| !in_time) {
                (in_time, rest) = (true, time);
                continue;
            }
            let sign = usize::from(rest.starts_with(['-', '+']));
            let end = sign + rest.bytes().skip(sign).take_while(u8::is_ascii_digit).count();
            let count: i64 = rest.get(..end)?.parse::<i32>().ok()?.into();
            let unit = rest.get(end..)?.chars().next()?;
            match (unit, in_time) {
                ('Y', false) => read.years += count,
                ('M', false) => read.months += count,
                ('W', false) => read.days += count * 7,
                ('D', false) => read.days += count,
                ('H', true) => read.seconds += count * 3600,
                ('M', true) => read.seconds += count * 60,
                ('S', true) => read.seconds += count,
                _ => return None,
            }
            rest = rest.get(end + 1..)?;
        }
        (read != Self::default()).then_some(read)
    }

    fn span(self) -> Span {
        Span { years: self.years, months: self.months, seconds: self.days * 86_400 + self.seconds }
    }

    /// Its words as Pacemaker has them, with its blanks.
    fn words(self) -> String {
        let plural = |count: i64, unit: &str| format!("{unit}{}", if count == 1 { "" } else { "s" });
        let mut words = String::new();
        for (count, width, unit) in
            [(self.years, 4, "year"), (self.months, 2, "month"), (self.days, 2, "day")]
        {
            if count != 0 {
                words += &format!("{count:width$} {} ", plural(count, unit));
            }
        }
        if self.seconds != 0 {
            words += &format!("{} {}", self.seconds, plural(self.seconds, "second"));
            if self.seconds.abs() >= 60 {
                let rest = self.seconds.abs();
                let parts = [(rest / 3600, "hour"), (rest / 60 % 60, "minute"), (rest % 60, "second")];
                let parts = parts.iter().filter(|(count, _)| *count != 0);
                let parts: Vec<String> =
                    parts.map(|(count, unit)| format!("{count} {}", plural(*count, unit))).collect();
                words += &format!(" ({})", parts.join(" "));
            }
        }
        words
    }
}
