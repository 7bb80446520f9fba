//! `crm_verify`: whether a configuration follows its schema and says what can be done.

mod complaints;

use std::process::ExitCode;

use hafen_cib::checks;
use hafen_cib::upgrade::{self, Claim};
use hafen_cib::{Cib, Document, schema};

use super::options::{Given, OUTPUT_AS, Spec, flag, valued};
use super::output::{self, CrmExit, Failed, Printed};
use super::source::Source;
use complaints::{Complaint, complaints};

const SPEC: Spec = Spec {
    name: "crm_verify",
    about: "Checks a configuration: its form, its schema, and what it asks for",
    options: &[
        flag('L', "live-check", "The cluster's"),
        valued('x', "xml-file", "FILE", "The one in a file"),
        flag('p', "xml-pipe", "The one on standard input"),
        valued('X', "xml-text", "XML", "This one"),
        valued('S', "save-xml", "FILE", "Save it there"),
        flag('q', "quiet", "Say by the exit status alone whether it is valid"),
    ],
    examples: "With -V each error is told; with -VV also what else is found, each with its line and what to do about it.\n\n\
               Examples:\n  crm_verify -L -V\n  crm_verify -x cib.xml -VV",
};

/// What is said of a configuration that wants to be held against no schema.
const UNCHECKED: &str = "Schema validation of configuration is disabled (support for validate-with set to \"none\" is \
                         deprecated and will be removed in a future release)";
const UNCHECKED_WARNING: &str = "warning: Support for validate-with='none' is deprecated and will be removed in a future \
                                 release without the possibility of upgrades (manually edit to use a supported schema)";

pub(super) fn run(words: &[String]) -> ExitCode {
    output::run(&SPEC, words, act)
}

fn failed(reason: &str) -> Failed {
    Failed::new(CrmExit::Configuration, format!("Verification failed: {reason}"))
}

fn act(given: &Given) -> Result<Printed, Failed> {
    let document = document(given)?;
    if document.root().name() != "cib" {
        let text = format!("Input is not a CIB (outermost element is {} not cib)", document.root().name());
        let notes = vec![text, "Configuration invalid".to_owned()];
        return Err(Failed { notes, ..Failed::silent(CrmExit::Configuration) });
    }
    if let Some(file) = given.value(&['S']) {
        let text = document.root().to_xml() + "\n";
        super::source::replace(file.as_ref(), &text).map_err(|error| {
            Failed::new(CrmExit::CannotCreate, format!("{file}: {}", output::reason(&error)))
        })?;
    }
    let verbosity = given.options.iter().filter(|(letter, _)| *letter == 'V').count();
    let verbosity = if given.value(&[OUTPUT_AS]) == Some("xml") { verbosity.max(1) } else { verbosity };
    let report = judge(document);
    if verbosity > 0 {
        report.noticed.iter().for_each(|line| eprintln!("{line}"));
    }
    if !report.invalid {
        let found = if verbosity > 1 { report.found } else { Vec::new() };
        found.iter().for_each(|line| eprintln!("{line}"));
        return Ok(Printed::default());
    }
    let mut notes = report.schema;
    if report.unchecked {
        if verbosity > 0 {
            notes.extend([UNCHECKED_WARNING, UNCHECKED_WARNING].map(str::to_owned));
        }
        match given.value(&[OUTPUT_AS]) {
            Some("xml") => eprintln!("{UNCHECKED}"),
            _ => notes.push(UNCHECKED.to_owned()),
        }
    }
    if verbosity > 0 {
        notes.extend(report.complaints.iter().map(Complaint::line));
    }
    if verbosity > 1 {
        notes.extend(report.complaints.iter().filter_map(|complaint| complaint.mend.clone()));
        notes.extend(report.found);
    }
    let mere = !report.complaints.is_empty() && report.complaints.iter().all(|complaint| !complaint.is_error);
    let how = if mere && report.conforms { "warnings" } else { "errors" };
    match (given.has('q'), verbosity) {
        (true, _) => {}
        (_, 0) => notes.push(format!("Configuration invalid (with {how}) (-V may provide more detail)")),
        _ => {
            if how == "errors" {
                notes.push("error: CIB did not pass schema validation".to_owned());
            }
            notes.push(format!("Configuration invalid (with {how})"));
        }
    }
    Err(Failed { notes, ..Failed::silent(CrmExit::Configuration) })
}

/// What is wrong with a configuration, as `crm_verify -VV` says it: nothing where it says no error.
pub(super) fn errors(cib: &Cib) -> Vec<String> {
    let report = judge(cib.document().clone());
    let is_error = report.complaints.iter().any(|complaint| complaint.is_error);
    if !report.invalid || report.conforms && !is_error {
        return Vec::new();
    }
    report.schema.into_iter().chain(report.complaints.iter().map(Complaint::line)).collect()
}

fn document(given: &Given) -> Result<Document, Failed> {
    let unreadable = || failed("Unable to parse CIB XML");
    let text = match given.last(&['L', 'x', 'p', 'X']) {
        None => return Err(Failed::new(CrmExit::Error, "No input specified")),
        Some('L') => return live(),
        Some('x') => output::input(given.value(&['x']).unwrap_or_default()).map_err(|_| unreadable())?,
        Some('X') => given.value(&['X']).unwrap_or_default().as_bytes().to_vec(),
        Some(_) => output::input(output::STANDARD_INPUT).map_err(|_| unreadable())?,
    };
    Document::parse_bytes(&text).map_err(|_| unreadable())
}

/// The CIB of the cluster, or the file that stands for it.
fn live() -> Result<Document, Failed> {
    let not_opened = |error: Failed| {
        let Some(text) = &error.text else { return error };
        let reason = text.strip_prefix("Could not connect to the CIB: ").unwrap_or(text).to_owned();
        let own = format!("Verification failed: {reason}");
        Failed { notes: vec![text.clone()], ..Failed::new(error.exit, own) }
    };
    let mut source = Source::open().map_err(not_opened)?;
    let cib = source.cib(true).map_err(not_opened)?;
    Document::parse(&cib.to_xml()).map_err(|_| failed("Unable to parse CIB XML"))
}

/// What is wrong with a configuration.
#[derive(Debug, Default)]
struct Report {
    invalid: bool,
    /// Whether it wants to be held against no schema.
    unchecked: bool,
    /// What breaks the schema.
    schema: Vec<String>,
    /// Whether it follows its schema.
    conforms: bool,
    /// What cannot be done as it is written, in Pacemaker's words.
    complaints: Vec<Complaint>,
    /// What the scheduler notices of the cluster's state.
    noticed: Vec<String>,
    /// What else was found, with lines and mends.
    found: Vec<String>,
}

fn judge(document: Document) -> Report {
    let mut report = Report::default();
    let cib = match Cib::from_document(document) {
        Ok(cib) => cib,
        Err(error) => {
            report.invalid = true;
            report.schema.push(error.to_string());
            return report;
        }
    };
    let mut present = cib.clone();
    match upgrade::claim(&cib) {
        Claim::Schema { .. } => {
            let faults = schema::validate_and_upgrade(&mut present);
            report.schema = faults.iter().map(|fault| fault.to_string()).collect();
        }
        Claim::Unchecked => report.unchecked = true,
        Claim::Unknown => {
            let kind = if cib.root().attribute("validate-with").is_some() { "unknown" } else { "missing" };
            let text = format!(
                "Cannot validate CIB with {kind} validate-with (manually edit to use a known schema)"
            );
            report.complaints.push(Complaint { is_error: true, text, mend: None });
        }
    }
    report.conforms = report.complaints.is_empty() && report.schema.is_empty();
    if report.conforms {
        (report.complaints, report.noticed) = complaints(&present);
    }
    report.invalid = !report.conforms || !report.complaints.is_empty();
    report.found = checks::check(&cib).iter().map(|finding| finding.to_string()).collect();
    report
}
