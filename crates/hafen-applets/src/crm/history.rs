//! The level `history`: what happened, which transitions were planned, and how the cluster was at a time.

mod difference;
mod past;

use std::fmt::Write as _;

use hafen_cib::Cib;
use hafen_scheduler::crm_simulate;
use jiff::{Span, Timestamp, tz::TimeZone};
use regex_lite::RegexBuilder;

use self::past::{Entry, Past, Transition};
use super::shell::{Outcome, Shell};
use crate::output::{self, Failed};
use crate::source;

/// What happened to the cluster and its hosts, as against its resources.
const RESOURCE_KINDS: [&str; 4] = ["execute", "result", "plan", "plan-ended"];

/// What was read, and which time is looked at.
#[derive(Default)]
pub(super) struct State {
    past: Option<Past>,
    /// In milliseconds since 1970.
    from_ms: Option<u64>,
    to_ms: Option<u64>,
}

impl State {
    fn shows(&self, wall_ms: u64) -> bool {
        self.from_ms.is_none_or(|from| wall_ms >= from) && self.to_ms.is_none_or(|to| wall_ms <= to)
    }

    fn past(&mut self) -> Result<&Past, Failed> {
        if self.past.is_none() {
            if source::file().is_some() {
                let text = "a file has no history: the daemons have it (unset CIB_file and CIB_shadow)";
                return Err(Failed::usage(text));
            }
            self.past = Some(Past::read()?);
        }
        self.past.as_ref().ok_or_else(|| Failed::usage("nothing is on record"))
    }

    /// The transitions of the time that is looked at.
    fn transitions(&mut self) -> Result<Vec<Transition>, Failed> {
        let all = self.past()?.transitions.clone();
        Ok(all.into_iter().filter(|one| self.shows(one.plan.wall_ms)).collect())
    }

    /// The transition that a word means: a number, with the host that planned it where that matters (`host2/7`), or a
    /// place counted from the last one (0, -1, ...).
    fn transition(&mut self, word: Option<&str>) -> Result<Transition, Failed> {
        let unknown = |text: String| Failed::usage(text);
        let word = word.unwrap_or("0");
        let (host, number) =
            word.rsplit_once('/').map_or((None, word), |(host, number)| (Some(host), number));
        let number: i64 = number
            .parse()
            .map_err(|_| unknown(format!("'{word}' is no transition: `transitions` lists them")))?;
        let found = if number > 0 {
            let all = &self.past()?.transitions;
            let is_meant = |one: &&Transition| {
                i64::try_from(one.number) == Ok(number) && host.is_none_or(|host| one.host == host)
            };
            all.iter().rev().find(is_meant).cloned()
        } else {
            let shown = self.transitions()?;
            let back = usize::try_from(number.unsigned_abs()).unwrap_or(usize::MAX);
            shown.iter().rev().nth(back).cloned()
        };
        found.ok_or_else(|| unknown(format!("no transition {word} is on record: `transitions` lists them")))
    }

    /// A transition's input, or the cluster as it is now, with its time.
    fn cib(&mut self, word: Option<&str>) -> Result<(Cib, u64), Failed> {
        if word == Some("live") {
            let mut cib = source::Source::open()?.cib(true)?;
            hafen_cib::upgrade::upgrade(&mut cib);
            return Ok((cib, output::now()));
        }
        let transition = self.transition(word)?;
        let xml = self.past()?.input(&transition)?;
        parsed(&xml, &transition)
    }
}

fn parsed(xml: &str, transition: &Transition) -> Result<(Cib, u64), Failed> {
    let parsed = Cib::parse(xml);
    let mut cib = parsed.map_err(|error| Failed::usage(format!("the input cannot be read: {error}")))?;
    hafen_cib::upgrade::upgrade(&mut cib);
    Ok((cib, transition.plan.wall_ms / 1000))
}

/// Does it, and tells what went wrong.
fn done<T>(shell: &Shell, outcome: Result<T, Failed>) -> Result<T, std::process::ExitCode> {
    outcome.map_err(|failed| shell.told(&failed))
}

/// A moment in local time.
fn moment(wall_ms: u64) -> String {
    let moment = i64::try_from(wall_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    moment.map_or_else(
        || "?".to_owned(),
        |moment| moment.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S%.3f").to_string(),
    )
}

fn line(entry: &Entry) -> String {
    let event = &entry.event;
    let subject = if event.subject.is_empty() { String::new() } else { format!(" {}:", event.subject) };
    let cause = if event.cause.is_empty() { String::new() } else { format!(" [{}]", event.cause) };
    let hosts = entry.hosts.join(",");
    format!("{} {hosts} {}{subject} {}{cause}", moment(event.wall_ms), event.kind, event.text)
}

/// A moment from words: a day, an hour of today, both, or how long ago (`2h`, `30m`). In milliseconds since 1970.
fn time(word: &str) -> Result<u64, Failed> {
    let now = i64::try_from(output::now()).unwrap_or(i64::MAX);
    let ago = word.parse::<Span>().ok().and_then(|span| {
        let moment = Timestamp::from_second(now).ok()?.to_zoned(TimeZone::system());
        Some(moment.checked_sub(span.abs()).ok()?.timestamp().as_second())
    });
    let seconds = match ago {
        Some(seconds) => seconds,
        None => crate::crm_report::moment(word, now)?,
    };
    Ok(u64::try_from(seconds).unwrap_or(0).saturating_mul(1000))
}

pub(super) fn info(shell: &mut Shell, _words: &[String]) -> Outcome {
    let looked_at = match (shell.history.from_ms, shell.history.to_ms) {
        (None, None) => "all of it".to_owned(),
        (from, to) => {
            let end = |moment_ms: Option<u64>, none: &str| moment_ms.map_or_else(|| none.to_owned(), moment);
            format!("from {} to {}", end(from, "the beginning"), end(to, "now"))
        }
    };
    let past = shell.history.past();
    let past = match past {
        Ok(past) => past,
        Err(failed) => return Err(shell.told(&failed)),
    };
    let hosts: Vec<&str> = past.witnesses.iter().map(|witness| witness.host.as_str()).collect();
    outln!("Told by:     the daemons' logs of {}", hosts.join(", "));
    if !past.silent.is_empty() {
        outln!("Not told by: {} (each host has its own log: look there)", past.silent.join(", "));
    }
    let ends = past.entries.first().zip(past.entries.last());
    let span = ends.map_or_else(String::new, |(first, last)| {
        format!(", from {} to {}", moment(first.event.wall_ms), moment(last.event.wall_ms))
    });
    outln!("Events:      {}{span}", past.entries.len());
    let kept = past.transitions.iter().filter(|one| past.input(one).is_ok()).count();
    outln!(
        "Transitions: {}, with the input of {kept} (a host keeps the last hundred that it planned)",
        past.transitions.len()
    );
    outln!("Looked at:   {looked_at}");
    Ok(())
}

/// Prints the events of the time that is looked at that a test finds.
fn print(shell: &mut Shell, wanted: impl Fn(&Entry, &Past) -> bool) -> Outcome {
    if let Err(failed) = shell.history.past() {
        return Err(shell.told(&failed));
    }
    let State { past: Some(past), .. } = &shell.history else { return Ok(()) };
    let shown = past.entries.iter().filter(|entry| shell.history.shows(entry.event.wall_ms));
    shown.filter(|entry| wanted(entry, past)).for_each(|entry| outln!("{}", line(entry)));
    Ok(())
}

pub(super) fn events(shell: &mut Shell, words: &[String]) -> Outcome {
    let pattern = match words {
        [] => return print(shell, |_, _| true),
        [pattern] => pattern,
        _ => return shell.fail("`events` takes one pattern: quote it where it has spaces"),
    };
    match RegexBuilder::new(pattern).case_insensitive(true).build() {
        Ok(pattern) => print(shell, |entry, _| pattern.is_match(&line(entry))),
        Err(error) => shell.fail(&format!("the pattern cannot be read: {error}")),
    }
}

pub(super) fn resource(shell: &mut Shell, words: &[String]) -> Outcome {
    if words.is_empty() {
        return shell.fail("`resource` needs the id of a resource");
    }
    print(shell, |entry, past| {
        let subject = &entry.event.subject;
        let base = subject.split_once(':').map_or(subject.as_str(), |(base, _)| base);
        let parts = words.iter().flat_map(|word| past.parts_of(word));
        parts.into_iter().any(|part| part == *subject || part == base)
    })
}

pub(super) fn node(shell: &mut Shell, words: &[String]) -> Outcome {
    if words.is_empty() {
        return shell.fail("`node` needs the name of a host");
    }
    print(shell, |entry, _| {
        let event = &entry.event;
        let is_word = |text: &str, word: &str| {
            text.split(|char: char| !(char.is_alphanumeric() || "-_.".contains(char)))
                .any(|part| part.trim_end_matches('.') == word)
        };
        let about = |host: &String| event.subject == *host || is_word(&event.text, host);
        !RESOURCE_KINDS.contains(&event.kind.as_str()) && words.iter().any(about)
    })
}

pub(super) fn transitions(shell: &mut Shell, _words: &[String]) -> Outcome {
    let found = shell.history.transitions();
    let found = done(shell, found)?;
    if found.is_empty() {
        outln!("No transitions are on record: the host that coordinates has them.");
    }
    found.iter().for_each(|one| outln!("{}", summary(one)));
    Ok(())
}

fn summary(one: &Transition) -> String {
    let steps = one.plan.text.split_once(" has ").map_or("", |(_, steps)| steps);
    let end = one.end.as_ref().map_or("has no end on record", |end| {
        end.text.split_once(&format!("transition {} ", one.number)).map_or(end.text.as_str(), |(_, end)| end)
    });
    let failures = match one.failures {
        0 => String::new(),
        count => format!(", {count} failed"),
    };
    let gone = if one.is_newest { "" } else { " (its input is not kept)" };
    format!(
        "{} {}/{}: {steps}{failures}, {end} [{}]{gone}",
        moment(one.plan.wall_ms),
        one.host,
        one.number,
        one.plan.cause
    )
}

pub(super) fn transition(shell: &mut Shell, words: &[String]) -> Outcome {
    let plain: Vec<&str> = words.iter().map(String::as_str).collect();
    match plain.as_slice() {
        [] => show_transition(shell, None),
        ["show"] => show_transition(shell, None),
        ["show", one] => show_transition(shell, Some(one)),
        ["log"] => log(shell, None),
        ["log", one] => log(shell, Some(one)),
        ["diff", one] => differ(shell, one, "live"),
        ["diff", one, other] => differ(shell, one, other),
        ["save", one] => save(shell, one, None),
        ["save", one, name] => save(shell, one, Some(name)),
        [one] => show_transition(shell, Some(one)),
        _ => shell.fail("it is `transition [{show | log | save} [NUMBER] | diff NUMBER NUMBER]`"),
    }
}

/// `crm_simulate` with a saved input in the place of a file.
struct Input<'x>(&'x str);

impl crm_simulate::Shell for Input<'_> {
    fn read(&mut self, _source: &crm_simulate::Source) -> Result<Vec<u8>, crm_simulate::ReadError> {
        Ok(self.0.as_bytes().to_vec())
    }

    fn write(&mut self, file: &str, _content: &str) -> Result<(), String> {
        Err(format!("{file} is not written"))
    }

    fn folder(&mut self, _folder: &str) -> Vec<String> {
        Vec::new()
    }

    fn print(&mut self, text: &str) {
        out!("{text}");
    }

    fn complain(&mut self, line: &str) {
        eprintln!("{line}");
    }

    fn now(&mut self) -> u64 {
        output::now()
    }

    fn processor_seconds(&mut self) -> f64 {
        0.0
    }
}

/// What it was planned for, and what the scheduler decides on that.
fn show_transition(shell: &mut Shell, word: Option<&str>) -> Outcome {
    let found = shell.history.transition(word);
    let found = done(shell, found)?;
    let xml = shell.history.past().and_then(|past| past.input(&found));
    let xml = done(shell, xml)?;
    outln!("{}", summary(&found));
    let words = ["crm_simulate", "-S", "-x", "input"].map(str::to_owned);
    // The date is that of the input; what it led to in the model is printed after what was decided.
    match crm_simulate::main(words.into_iter().skip(1), &mut Input(&xml)) {
        crm_simulate::exit::OK => Ok(()),
        status => Err(std::process::ExitCode::from(status)),
    }
}

/// What happened from its planning to its end.
fn log(shell: &mut Shell, word: Option<&str>) -> Outcome {
    let found = shell.history.transition(word);
    let found = done(shell, found)?;
    let past = match shell.history.past() {
        Ok(past) => past,
        Err(failed) => return Err(shell.told(&failed)),
    };
    let begin = found.plan.wall_ms;
    let next =
        past.transitions.iter().find(|one| one.host == found.host && one.plan.number > found.plan.number);
    let end = found.end.as_ref().or(next.map(|next| &next.plan)).map_or(u64::MAX, |end| end.wall_ms);
    let during = past.entries.iter().filter(|entry| (begin..=end).contains(&entry.event.wall_ms));
    during.for_each(|entry| outln!("{}", line(entry)));
    Ok(())
}

pub(super) fn latest(shell: &mut Shell, _words: &[String]) -> Outcome {
    shell.history.past = None;
    log(shell, None)
}

fn differ(shell: &mut Shell, one: &str, other: &str) -> Outcome {
    let before = shell.history.cib(Some(one));
    let (before, then) = done(shell, before)?;
    let after = shell.history.cib(Some(other));
    let (after, now) = done(shell, after)?;
    let text = difference::difference(&before, then, &after, now);
    if text.is_empty() {
        outln!("They do not differ.");
    }
    out!("{text}");
    Ok(())
}

pub(super) fn diff(shell: &mut Shell, words: &[String]) -> Outcome {
    match words {
        [one, other] => differ(shell, one, other),
        _ => shell.fail("`diff` takes two transitions; `live` is the cluster as it is now"),
    }
}

fn save(shell: &mut Shell, word: &str, name: Option<&str>) -> Outcome {
    let found = shell.history.transition(Some(word));
    let found = done(shell, found)?;
    let xml = shell.history.past().and_then(|past| past.input(&found));
    let xml = done(shell, xml)?;
    let name = name.map_or_else(|| format!("pe-input-{}", found.number), str::to_owned);
    if name.contains('/') {
        return shell.fail(&format!("a shadow copy cannot be called {name}"));
    }
    let file = source::shadow_file(&name);
    if file.exists() && !shell.settings.force {
        return shell.fail(&format!("the shadow copy {name} is there already: `crm --force` replaces it"));
    }
    if let Err(error) = source::replace_private(&file, &xml) {
        return shell.fail(&format!("{}: {error}", file.display()));
    }
    outln!("This is the shadow copy {name} now: `crm --cib {name}` works on it.");
    Ok(())
}

/// The configuration that a transition was planned for.
pub(super) fn show(shell: &mut Shell, words: &[String]) -> Outcome {
    let plain: Vec<&str> = words.iter().map(String::as_str).collect();
    let (word, status) = match plain.as_slice() {
        [] => (None, false),
        [word] => (Some(*word), false),
        [word, "status"] => (Some(*word), true),
        _ => return shell.fail("it is `show [NUMBER] [status]`"),
    };
    let found = shell.history.cib(word);
    let (cib, time) = done(shell, found)?;
    if status {
        out!("{}", crate::crm_mon::text_of(&cib, time));
        return Ok(());
    }
    let everything = hafen_crm::Filter::parse([]);
    out!("{}", everything.map(|everything| hafen_crm::show(&cib, &everything)).unwrap_or_default());
    Ok(())
}

pub(super) fn timeframe(shell: &mut Shell, words: &[String]) -> Outcome {
    let (from, to) = match words {
        [] => (None, None),
        [from] => (Some(from), None),
        [from, to] => (Some(from), Some(to)),
        _ => return shell.fail("it is `timeframe [FROM [TO]]`: quote a time that has spaces"),
    };
    let from = done(shell, from.map(|word| time(word)).transpose())?;
    let to = done(shell, to.map(|word| time(word)).transpose())?;
    if from.zip(to).is_some_and(|(from, to)| to < from) {
        return shell.fail("the end of the time is before its beginning");
    }
    (shell.history.from_ms, shell.history.to_ms) = (from, to);
    Ok(())
}

pub(super) fn refresh(shell: &mut Shell, _words: &[String]) -> Outcome {
    shell.history.past = None;
    Ok(())
}

/// How the cluster was at a time: as the last transition before it was planned, and what happened from then on.
pub(super) fn at(shell: &mut Shell, words: &[String]) -> Outcome {
    if words.is_empty() {
        return shell.fail("`at` needs a time: 15:30, \"2026-11-26 15:30\", or 2h for two hours ago");
    }
    let moment_ms = done(shell, time(&words.join(" ")))?;
    let text = shell.history.past().and_then(|past| picture(past, moment_ms));
    out!("{}", done(shell, text)?);
    Ok(())
}

fn picture(past: &Past, moment_ms: u64) -> Result<String, Failed> {
    // A time is given in seconds, and means all of that second.
    let end = moment_ms.saturating_add(999);
    let before = past.transitions.iter().rev().filter(|one| one.plan.wall_ms <= end);
    let known = before.into_iter().find_map(|one| past.input(one).ok().map(|xml| (one, xml)));
    let Some((transition, xml)) = known else {
        let text = format!(
            "nothing tells how the cluster was at {}: no transition before it is kept",
            moment(moment_ms)
        );
        return Err(Failed::usage(text));
    };
    let (cib, time) = parsed(&xml, transition)?;
    let mut text = format!(
        "As transition {}/{} found it at {}:\n\n",
        transition.host,
        transition.number,
        moment(transition.plan.wall_ms)
    );
    text += &crate::crm_mon::text_of(&cib, time);
    let since =
        past.entries.iter().filter(|entry| (transition.plan.wall_ms..=end).contains(&entry.event.wall_ms));
    let _ = writeln!(text, "\nFrom then until {}:\n", moment(moment_ms));
    since.for_each(|entry| {
        let _ = writeln!(text, "{}", line(entry));
    });
    Ok(text)
}
