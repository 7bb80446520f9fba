//! `crm_rule`: whether a rule with a date is in effect.

use std::process::ExitCode;

use hafen_cib::{Cib, Document, Element};
use hafen_scheduler::date;
use hafen_scheduler::rule_date::{Standing, standing};

use super::options::{Given, Spec, flag, valued};
use super::output::{self, CrmExit, Failed, Printed, escaped};
use super::source::Source;

const SPEC: Spec = Spec {
    name: "crm_rule",
    about: "Tells whether rules of the configuration are in effect",
    options: &[
        flag('c', "check", "Tell it of the rules that -r names"),
        valued('r', "rule", "ID", "A rule; may be given more than once"),
        valued('d', "date", "DATE", "At this date instead of now"),
        valued('X', "xml-text", "XML", "In this CIB (-: in the one on standard input)"),
    ],
    examples: "Examples:\n  crm_rule -c -r night\n  crm_rule -c -r night -d '2026-01-01 23:00'",
};

pub(super) fn run(words: &[String]) -> ExitCode {
    output::run(&SPEC, words, act)
}

fn act(given: &Given) -> Result<Printed, Failed> {
    if !given.has('c') {
        return Err(Failed::usage("No mode operation given"));
    }
    let named = given.options.iter().filter(|(letter, _)| *letter == 'r');
    let named: Vec<&str> = named.filter_map(|(_, id)| id.as_deref()).collect();
    if named.is_empty() {
        return Err(Failed::usage("--check requires use of --rule="));
    }
    let now = jiff::Timestamp::now().as_second();
    let now = match given.value(&['d']) {
        Some(text) => date::parse(text, now)
            .ok_or_else(|| Failed::new(CrmExit::DataError, format!("Invalid date specified: '{text}'")))?,
        None => now,
    };
    let cib = cib(given)?;
    let mut failed = Failed::silent(CrmExit::Ok);
    for id in named {
        let standing = of_rule(&cib, id, now);
        let (exit, words) = told(&standing);
        let xml = format!("<rule-check rule-id=\"{}\" rc=\"{}\"/>", escaped(id), exit as u8);
        let mut one = Printed::default();
        one.add(&format!("Rule {id} {words}"), &xml);
        if let Verdict::Unknown(..) = standing {
            one.text.clear();
            failed.notes.push(format!("Could not determine whether rule {id} is in effect: {words}"));
        }
        failed.printed.append(one);
        failed.exit = exit;
    }
    match failed.exit {
        CrmExit::Ok if failed.notes.is_empty() => Ok(failed.printed),
        _ => Err(failed),
    }
}

fn cib(given: &Given) -> Result<Cib, Failed> {
    let text = match given.value(&['X']) {
        None => {
            let unnamed = |failed: Failed| match failed.text {
                Some(text) => Failed { notes: vec![text], ..Failed::silent(failed.exit) },
                None => failed,
            };
            return Source::open().map_err(unnamed)?.cib(false);
        }
        Some(output::STANDARD_INPUT) => output::input(output::STANDARD_INPUT)
            .map_err(|error| Failed::new(CrmExit::DataError, output::reason(&error)))?,
        Some(text) => text.as_bytes().to_vec(),
    };
    let document = Document::parse_bytes(&text);
    let wrong = || Failed::new(CrmExit::DataError, "Couldn't parse input string");
    Cib::from_document(document.map_err(|_| wrong())?).map_err(|_| wrong())
}

/// What is told of a rule.
enum Verdict {
    Known(Standing),
    Unknown(CrmExit, &'static str),
}

fn of_rule(cib: &Cib, id: &str, now: date::Seconds) -> Verdict {
    let rules = cib.configuration().into_iter().flat_map(|configuration| configuration.descendants());
    let Some(rule) = rules.filter(|element| element.name() == "rule").find(|rule| rule.id() == Some(id))
    else {
        return Verdict::Unknown(CrmExit::NoSuchObject, "Rule not found");
    };
    let mut dates = rule.descendants().filter(|element| element.name() == "date_expression");
    let no = |text| Verdict::Unknown(CrmExit::Unimplemented, text);
    let Some(condition) = dates.next() else { return no("Rule does not have a date expression") };
    if dates.next().is_some() {
        return no("Rule has more than one date expression");
    }
    let with_years = |spec: Element<'_>| spec.attribute("years").is_some();
    if condition.attribute("operation") == Some("date_spec")
        && !condition.child("date_spec").is_some_and(with_years)
    {
        return no("Rule must either not use date_spec, or use date_spec with years=");
    }
    match standing(condition, now) {
        Standing::Undetermined => Verdict::Unknown(CrmExit::Configuration, "Error parsing rule"),
        known => Verdict::Known(known),
    }
}

fn told(verdict: &Verdict) -> (CrmExit, &'static str) {
    match verdict {
        Verdict::Known(Standing::Before) => (CrmExit::NotYet, "has not yet taken effect"),
        Verdict::Known(Standing::Within) => (CrmExit::Ok, "is still in effect"),
        Verdict::Known(Standing::After) => (CrmExit::Expired, "is expired"),
        Verdict::Known(Standing::Fits) => (CrmExit::Ok, "satisfies conditions"),
        Verdict::Known(Standing::Undetermined) => (CrmExit::Configuration, "Error parsing rule"),
        Verdict::Unknown(exit, text) => (*exit, text),
    }
}
