//! Moving as an operation: what a constraint leaves behind is said, and `--once` takes it away as soon as it has done its work.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use hafen_cib::Cib;
use hafen_cib::values::parse_duration_ms;
use hafen_protocol::client::StatusReport;
use hafen_scheduler::explain::Explanation;
use hafen_scheduler::settle::{has_arrived, leaves};
use hafen_scheduler::{Moving, Settling, leftovers, settle, whereabouts};
use jiff::civil::DateTime;
use jiff::{Span, Timestamp, tz::TimeZone};

use super::interrupt::{self, Interrupt};
use super::shell::{Outcome, Shell, call};
use crate::output::{self, CrmExit, Failed};
use crate::source::Source;

/// How long a move may take where nothing is said.
const WAIT_MAXIMUM: Duration = Duration::from_secs(3600);
/// The pause between two looks.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
/// How often a cluster that has nothing to do may be found without the resource at its place, before the move has failed.
const IDLE_LOOKS: u32 = 8;
/// How often a daemon may be away, one look after the other.
const ABSENT_LOOKS: u32 = 120;
/// So many words on progress are given at most.
const WORDS_MAXIMUM: u32 = 40;

/// A resource, a host and a lifetime, in any order of the latter two: a lifetime begins as ISO 8601 has it.
struct Wish<'w> {
    id: &'w str,
    host: Option<&'w str>,
    lifetime: Option<String>,
    timeout: Option<Duration>,
    once: bool,
    force: bool,
}

fn wish(words: &[String], now: u64) -> Option<Wish<'_>> {
    let (id, rest) = words.split_first()?;
    let mut wish = Wish { id, host: None, lifetime: None, timeout: None, once: false, force: false };
    let mut rest = rest.iter();
    while let Some(word) = rest.next() {
        match word.as_str() {
            "force" | "--force" => wish.force = true,
            // Hafen's own words.
            "--once" => wish.once = true,
            "--until" => wish.lifetime = Some(until(rest.next()?, now)),
            "--timeout" => {
                let milliseconds = parse_duration_ms(rest.next()?).filter(|milliseconds| *milliseconds > 0);
                wish.timeout = Some(Duration::from_millis(milliseconds?));
            }
            word if is_lifetime(word) && wish.lifetime.is_none() => wish.lifetime = Some(word.to_owned()),
            word if wish.host.is_none() && !word.starts_with('-') => wish.host = Some(word),
            _ => return None,
        }
    }
    Some(wish)
}

/// Whether a word is a duration of ISO 8601 (`PT2H`, `P1D`).
fn is_lifetime(word: &str) -> bool {
    let rest = word.strip_prefix('P').unwrap_or("");
    rest.chars().any(|char| char.is_ascii_digit())
        && rest.chars().all(|char| char.is_ascii_digit() || "YMWDTHS".contains(char))
}

/// An end as `crm_resource` takes it, as a duration of ISO 8601: from a duration (`2h`, `1h30m`, `P1D`) or from a date, in UTC
/// unless it names an offset. Anything else stays, and is refused by that tool.
fn until(word: &str, now: u64) -> String {
    if let Ok(span) = word.parse::<Span>() {
        return span.to_string();
    }
    let date = || word.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok();
    let end = word.parse::<Timestamp>().ok().or_else(|| date().map(|date| date.timestamp()));
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    match end.map(|end| end.as_second().saturating_sub(now)) {
        Some(seconds) if seconds > 0 => format!("PT{seconds}S"),
        _ => word.to_owned(),
    }
}

impl Wish<'_> {
    /// The words for `crm_resource`.
    fn words(&self, shell: &Shell, how: &str) -> Vec<String> {
        let mut words = vec!["-r", self.id, how];
        words.extend(self.host.into_iter().flat_map(|host| ["-N", host]));
        words.extend(self.lifetime.iter().flat_map(|lifetime| ["-u", lifetime.as_str()]));
        if self.force || shell.settings.force {
            words.push("--force");
        }
        words.into_iter().map(str::to_owned).collect()
    }
}

fn crm_resource(words: &[String]) -> Outcome {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    call(crate::crm_resource::run, &words)
}

/// The CIB with its status, as the tools of today read it.
fn present(shell: &Shell) -> Result<Cib, ExitCode> {
    let mut cib = shell.read(true)?;
    hafen_cib::upgrade::upgrade(&mut cib);
    Ok(cib)
}

pub(super) fn move_(shell: &mut Shell, words: &[String]) -> Outcome {
    let Some(wish) = wish(words, output::now()) else {
        return shell
            .fail("it is `move ID [HOST] [LIFETIME] [--until TIME] [--once [--timeout TIME]] [force]`");
    };
    match (wish.once, wish.timeout) {
        (true, _) => once(shell, &wish),
        (false, Some(_)) => shell.fail("`--timeout` says how long `--once` waits, and goes with it alone"),
        (false, None) => constrain(shell, &wish, "--move"),
    }
}

pub(super) fn ban(shell: &mut Shell, words: &[String]) -> Outcome {
    let wish = wish(words, output::now()).filter(|wish| !wish.once && wish.timeout.is_none());
    let Some(wish) = wish else { return shell.fail("it is `ban ID [HOST] [LIFETIME] [--until TIME]`") };
    constrain(shell, &wish, "--ban")
}

/// Places the constraints, and says what they are, how long they hold, and what takes them away.
fn constrain(shell: &Shell, wish: &Wish<'_>, how: &str) -> Outcome {
    let words = wish.words(shell, how);
    let planned = crate::crm_resource::planned_move(&words, &present(shell)?);
    let planned = planned.map_err(|failed| shell.told(&failed))?;
    crm_resource(&words)?;
    let ids = planned.ids();
    let cib = present(shell)?;
    outln!(
        "{}",
        if ids.len() == 1 { "This left a constraint behind:" } else { "This left constraints behind:" }
    );
    out!("{}", in_crm(&cib, &ids));
    let until = leftovers(&cib).into_iter().find(|one| ids.contains(&one.id)).and_then(|one| one.until);
    let (it, them) = if ids.len() == 1 { ("It counts", "it") } else { ("They count", "them") };
    let clear = format!("`crm resource clear {}`", planned.resource);
    match until {
        Some(until) => outln!("{it} until {until}; {clear} takes {them} away, before or after that."),
        None => outln!("{it} until you take {them} away: {clear} does that."),
    }
    Ok(())
}

/// Constraints in the crm language, indented.
fn in_crm(cib: &Cib, ids: &[String]) -> String {
    let filter = hafen_crm::Filter::parse(ids.iter().map(String::as_str));
    let text = filter.map(|filter| hafen_crm::show(cib, &filter)).unwrap_or_default();
    text.lines().map(|line| format!("  {line}\n")).collect()
}

/// Moves a resource by a constraint that goes when the move is done; not at all where it would not stay.
fn once(shell: &Shell, wish: &Wish<'_>) -> Outcome {
    let Some(host) = wish.host else { return shell.fail("`--once` needs the host to move to") };
    let cib = present(shell)?;
    let words = wish.words(shell, "--move");
    let planned = crate::crm_resource::planned_move(&words, &cib);
    let planned = planned.map_err(|failed| shell.told(&failed))?;
    let moving = Moving {
        resource: planned.resource.clone(),
        host: host.to_owned(),
        promoted: planned.is_promoted(),
        constraints: planned.ids(),
    };
    let mut with = cib.clone();
    planned.put(&mut with);
    let settling = settle(&with, output::now(), &moving);
    let id = &moving.resource;
    let expected = match settling {
        Err(unknown) => return shell.fail(&unknown.to_string()),
        Ok(Settling::Stays(parts)) => parts,
        Ok(Settling::NeverThere(why)) => {
            let text = format!("nothing is changed: {id} would not get to {host}, whatever prefers it there");
            return refused(shell, &text, &why, "");
        }
        Ok(Settling::Leaves(why)) => {
            let text = format!(
                "nothing is changed: {id} would get to {host}, but not stay there without the constraint"
            );
            let hint = format!(
                "`crm resource move {id} {host} --until 2h` keeps it there for a while; a higher resource-stickiness lets it \
                 stay for good."
            );
            return refused(shell, &text, &why, &hint);
        }
    };
    let mut source = shell.source()?;
    if source.daemon().is_none() {
        return shell.fail(
            "nothing is changed: `--once` waits until the resource has moved, and behind a file there is no cluster that \
             moves it",
        );
    }
    let limit = wish.timeout.unwrap_or(WAIT_MAXIMUM);
    Once { shell, moving, expected, source, deadline: Instant::now() + limit }.run(&words)
}

/// Says why not, with the ledger.
fn refused(shell: &Shell, text: &str, why: &Explanation, hint: &str) -> Outcome {
    let outcome = shell.fail(text);
    eprint!("{}", why.to_text());
    if !hint.is_empty() {
        eprintln!("\n{hint}");
    }
    outcome
}

/// How a wait ended.
enum End {
    /// It runs where it was to go.
    Arrived,
    /// The cluster has nothing more to do, and it does not run there.
    Elsewhere,
    /// It takes too long.
    TooLong,
    /// Ctrl-C.
    Interrupted,
    /// Nobody can be asked any more.
    Alone(String),
}

/// A move under way.
struct Once<'s> {
    shell: &'s Shell,
    moving: Moving,
    /// What is to run there then.
    expected: BTreeSet<String>,
    source: Source,
    deadline: Instant,
}

impl Once<'_> {
    fn run(&mut self, words: &[String]) -> Outcome {
        // From here on nothing may be left behind unsaid.
        let interrupt = Interrupt::new();
        crm_resource(words)?;
        let placed = self.constraints(&self.present()?);
        let Moving { resource: id, host, .. } = self.moving.clone();
        outln!("{} is placed for the move alone; {id} moves to {host} ...", self.names());
        let end = self.wait(&interrupt);
        let left = format!("{} stays: `crm resource clear {id}` takes it away", self.names());
        match end {
            End::Arrived => self.arrived(&placed, &interrupt),
            End::Elsewhere => {
                // Left alone it would move the resource later, when nobody expects it: after a clean-up, for one.
                let is_gone = self.take_away(&placed)?;
                let gone = if is_gone { "is taken away" } else { "was changed by another, and stays" };
                self.shell.fail(&format!(
                    "{id} did not come to run on {host}{}; {} {gone}",
                    self.whereabouts()?,
                    self.names()
                ))
            }
            // It may be on its way, and would turn round.
            End::TooLong => {
                self.shell.fail(&format!("{id} does not run on {host} yet, and this waits no longer; {left}"))
            }
            End::Alone(why) => self.shell.fail(&format!("{why}; {left}")),
            End::Interrupted => {
                let _ = self.shell.fail(&format!("interrupted: {id} goes on moving to {host}; {left}"));
                Err(ExitCode::from(interrupt::EXIT))
            }
        }
    }

    /// As the function of that name; where it fails, what stays is said.
    fn present(&self) -> Result<Cib, ExitCode> {
        present(self.shell).inspect_err(|_| self.say_what_stays())
    }

    fn say_what_stays(&self) {
        eprintln!("{} stays: `crm resource clear {}` takes it away", self.names(), self.moving.resource);
    }

    fn names(&self) -> String {
        self.moving.constraints.join(" and ")
    }

    /// The constraints of the move as they stand in a CIB.
    fn constraints(&self, cib: &Cib) -> Vec<String> {
        let found = self.moving.constraints.iter().filter_map(|id| cib.document().by_id(id));
        found.map(hafen_cib::Element::to_xml_compact).collect()
    }

    /// The CIB and the state of the cluster.
    fn look(&mut self) -> Result<(Cib, StatusReport), Failed> {
        let mut cib = self.source.cib(true)?;
        hafen_cib::upgrade::upgrade(&mut cib);
        let client = self.source.daemon().ok_or_else(|| Failed::silent(CrmExit::Disconnected))?;
        let status = client.status().map_err(|error| output::failed_request("controller", &error))?;
        Ok((cib, status))
    }

    /// Waits until it has arrived and the cluster has settled, or until that is hopeless.
    fn wait(&mut self, interrupt: &Interrupt) -> End {
        let (mut idle, mut absent, mut words) = (0, 0, 0);
        let mut told = String::new();
        loop {
            match self.look() {
                Ok((cib, status)) => {
                    absent = 0;
                    let is_there = has_arrived(&cib, output::now(), &self.moving, &self.expected);
                    let is_late = Instant::now() >= self.deadline;
                    match status.waiting_for {
                        None if is_there => return End::Arrived,
                        None => idle += 1,
                        Some(_) if is_there && is_late => return End::Arrived,
                        Some(what) => {
                            idle = 0;
                            if what != told && words < WORDS_MAXIMUM {
                                outln!("  {what}");
                                words += 1;
                            }
                            told = what;
                        }
                    }
                    if idle > IDLE_LOOKS {
                        return End::Elsewhere;
                    }
                    if is_late {
                        return End::TooLong;
                    }
                }
                // The daemon may have been started anew.
                Err(failed) => {
                    absent += 1;
                    if absent > ABSENT_LOOKS || Instant::now() >= self.deadline {
                        return End::Alone(
                            failed.text.unwrap_or_else(|| "the daemon does not answer".to_owned()),
                        );
                    }
                    if let Ok(source) = Source::open() {
                        self.source = source;
                    }
                }
            }
            if interrupt.pause(LOOK_INTERVAL) {
                return End::Interrupted;
            }
        }
    }

    /// Takes the constraints away; not those that somebody has changed meanwhile.
    fn take_away(&mut self, placed: &[String]) -> Result<bool, ExitCode> {
        let ids = self.moving.constraints.clone();
        let taken = self.source.change("crm", |cib| {
            let now: Vec<_> = ids.iter().filter_map(|id| cib.document().by_id(id)).collect();
            let is_ours = now.iter().all(|found| placed.contains(&found.to_xml_compact()));
            let nodes: Vec<_> = now.iter().map(|found| found.node()).collect();
            if is_ours {
                nodes.into_iter().for_each(|node| cib.document_mut().remove(node));
            }
            Ok(is_ours)
        });
        taken.map_err(|failed| {
            self.say_what_stays();
            self.shell.told(&failed)
        })
    }

    /// It runs there. What was decided beforehand is looked at once more: much may have changed meanwhile.
    fn arrived(&mut self, placed: &[String], interrupt: &Interrupt) -> Outcome {
        let Moving { resource: id, host, .. } = self.moving.clone();
        let cib = self.present()?;
        if let Ok(Some(why)) = leaves(&cib, output::now(), &self.moving) {
            let text = format!(
                "{id} runs on {host}, but what changed meanwhile would take it away again: {} stays, and `crm resource clear {id}` \
                 takes it away",
                self.names()
            );
            return refused(self.shell, &text, &why, "");
        }
        if !self.take_away(placed)? {
            return self.shell.fail(&format!(
                "{id} runs on {host}; another has changed {} meanwhile, so it stays: `crm resource clear {id}` takes it away",
                self.names()
            ));
        }
        match self.wait(interrupt) {
            End::Elsewhere => self.shell.fail(&format!(
                "{} is taken away, and {id} left {host} again{}: `hafen explain {id}` says why",
                self.names(),
                self.whereabouts()?
            )),
            End::Arrived | End::TooLong | End::Interrupted | End::Alone(_) => {
                outln!("{id} runs on {host}; {} is taken away, nothing is left behind.", self.names());
                Ok(())
            }
        }
    }

    /// Where it is now, and what failed there, as the rest of a sentence.
    fn whereabouts(&self) -> Result<String, ExitCode> {
        let cib = present(self.shell)?;
        let all = whereabouts(&cib, output::now());
        let mut hosts: Vec<String> = Vec::new();
        for part in all.iter().filter(|part| part.is_primitive) {
            let mut at = Some(part);
            while let Some(resource) = at {
                if resource.name == self.moving.resource {
                    hosts.extend(part.hosts.iter().cloned());
                }
                at = resource.parent.and_then(|parent| all.get(parent));
            }
        }
        hosts.sort();
        hosts.dedup();
        let place = if hosts.is_empty() {
            "runs nowhere".to_owned()
        } else {
            format!("runs on {}", hosts.join(", "))
        };
        Ok(format!(
            ", it {place} (`crm status` and `crm history resource {}` tell what happened)",
            self.moving.resource
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-22 16:44:58 UTC
    const NOW: u64 = 1_795_365_898;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn a_host_and_a_lifetime_are_told_apart() {
        for (text, host, lifetime) in [
            ("vm1", None, None),
            ("vm1 host2", Some("host2"), None),
            ("vm1 host2 PT2H", Some("host2"), Some("PT2H")),
            ("vm1 PT5M", None, Some("PT5M")),
            ("vm1 Peter", Some("Peter"), None),
            ("vm1 host2 --until 90m", Some("host2"), Some("PT90M")),
            ("vm1 --until 1h30m host2", Some("host2"), Some("PT1H30M")),
            ("vm1 host2 --until 2d", Some("host2"), Some("P2D")),
            ("vm1 host2 --until 2026-11-22T17:44:58", Some("host2"), Some("PT3600S")),
            ("vm1 host2 --until 2026-11-22T19:44:58+02:00", Some("host2"), Some("PT3600S")),
            ("vm1 host2 --until yesterday", Some("host2"), Some("yesterday")),
        ] {
            let words = words(text);
            let wish = wish(&words, NOW).expect(text);
            assert_eq!((wish.host, wish.lifetime.as_deref()), (host, lifetime), "{text}");
            assert!(!wish.once && !wish.force);
        }
        for text in
            ["vm1 a b", "vm1 a --until", "vm1 a --onces", "vm1 a --once --timeout", "vm1 a --timeout soon"]
        {
            assert!(wish(&words(text), NOW).is_none(), "{text}");
        }
    }

    #[test]
    fn once_may_have_a_timeout() {
        let words = words("vm1 --once host2 --timeout 5m force");
        let wish = wish(&words, NOW).expect("all of it is known");
        assert!(wish.once && wish.force);
        assert_eq!((wish.host, wish.timeout), (Some("host2"), Some(Duration::from_secs(300))));
    }
}
