//! `cibadmin`: reads the CIB and changes it, whole, by section, by element or by XPath.

mod access;
mod operations;
mod query;

use std::process::ExitCode;

use hafen_cib::{Cib, Document, FEATURE_SET, SCHEMA, Version};

use super::options::{Given, Operand, OptionSpec, Spec, flag, old, valued};
use super::output::{self, CrmExit, Failed, Printed};
use super::source::Source;
pub(super) use operations::as_pacemaker_applies;
use operations::{Change, Refusal, Target};
pub(super) use query::elements;

/// The letter of `--score`.
const SCORE: char = super::options::SCORE;

const SPEC: Spec = Spec {
    name: "cibadmin",
    about: "Reads and changes the configuration and the status of the cluster",
    options: &[
        flag('Q', "query", "Print it"),
        flag('C', "create", "Add what is given by -X, -x or -p; an error if it exists"),
        flag('M', "modify", "Set what is given in the element that exists"),
        flag('R', "replace", "Put what is given in the place of the element that exists"),
        flag('D', "delete", "Delete the first element that matches"),
        flag('d', "delete-all", "Delete all elements that --xpath finds (with -f)"),
        flag('P', "patch", "Apply a patchset (see crm_diff)"),
        flag('E', "erase", "Delete everything (with -f)"),
        flag('B', "bump", "Raise the epoch"),
        flag('u', "upgrade", "Bring the configuration to the present schema (with -f)"),
        OptionSpec {
            letter: 'a',
            name: "empty",
            operand: Operand::Optional("SCHEMA"),
            help: "Print an empty CIB",
        },
        flag('5', "md5-sum", "Print the digest of a CIB on disk"),
        flag('6', "md5-sum-versioned", "Print the digest of a CIB on the wire"),
        valued('X', "xml-text", "XML", "What to change"),
        valued('x', "xml-file", "FILE", "The file with what to change"),
        flag('p', "xml-pipe", "Read from standard input what to change"),
        valued('o', "scope", "SECTION", "Only this section of the CIB"),
        valued('A', "xpath", "XPATH", "Only the elements that this finds"),
        flag('e', "node-path", "With -Q and --xpath: print where the elements are"),
        flag('n', "no-children", "With -Q: without the children"),
        flag('c', "allow-create", "With -M: add what is missing"),
        flag(SCORE, "score", "With -M: take NAME++ and NAME+=N as sums (as it is anyway)"),
        flag('f', "force", "Do what is dangerous"),
        OptionSpec {
            letter: 'S',
            name: "show-access",
            operand: Operand::Optional("HOW"),
            help: "With -Q and -U: what that user may see; alone: nothing, all hosts hold the same CIB",
        },
        old('U', "user", Operand::Required("USER")),
        old('t', "timeout", Operand::Required("SECONDS")),
        old('s', "sync-call", Operand::None),
        old('l', "local", Operand::None),
        old('N', "node", Operand::Required("HOST")),
    ],
    examples: "Examples:\n  cibadmin -Q -o resources\n  cibadmin -D -X '<primitive id=\"old\"/>'",
};

/// The options that say what to do; the last one counts.
const COMMANDS: [char; 13] = ['Q', 'C', 'M', 'R', 'D', 'd', 'P', 'E', 'B', 'u', 'a', '5', '6'];

pub(super) fn run(words: &[String]) -> ExitCode {
    // It has no other format than XML.
    for word in words.iter().take_while(|word| *word != "--") {
        if word.starts_with("--output-as") || word.starts_with("--output-to") {
            eprintln!("{}: Unknown option {word}", SPEC.name);
            return ExitCode::from(CrmExit::Usage as u8);
        }
    }
    output::run(&SPEC, words, act)
}

/// A failure in the words that the CIB's manager has for it.
fn call_failed(exit: CrmExit, reason: &str) -> Failed {
    Failed { notes: vec![format!("Call failed: {reason}")], ..Failed::silent(exit) }
}

fn act(given: &Given) -> Result<Printed, Failed> {
    if let Some(word) = given.words.first() {
        return Err(Failed::usage(format!("non-option ARGV-elements: {word}")));
    }
    if let Some(seconds) = given.value(&['t'])
        && seconds.parse::<i32>().is_err()
    {
        return Err(Failed::usage(format!("Cannot parse integer value “{seconds}” for -t")));
    }
    let Some(command) = given.last(&COMMANDS) else {
        return match given.has('S') {
            // The option pushed the CIB to all nodes once; now they all hold the same one.
            true => Ok(Printed::default()),
            false => Err(Failed::usage("Must specify a command option")),
        };
    };
    if let Some(how) = given.value(&['S'])
        && !["auto", "color", "text", "namespace"].contains(&how)
    {
        return Err(Failed::usage(format!("Invalid value '{how}' for option '--show-access'")));
    }
    if matches!(command, 'd' | 'E' | 'u') && !given.has('f') {
        return Err(Failed::new(
            CrmExit::Unsafe,
            "The supplied command is considered dangerous. To prevent accidental destruction of the cluster, \
             the --force flag is required in order to proceed.",
        ));
    }
    match command {
        'a' => return Ok(empty(given)),
        '5' | '6' => return digest(given, command),
        _ => {}
    }
    if given.has('S') && given.value(&['U']).is_none() {
        return Err(Failed::usage("The supplied command requires -U user specified."));
    }
    let input = input(given)?;
    let mut source = Source::open().map_err(not_opened)?;
    // With -S the permissions are shown on all that there is.
    if let Some(user) = given.value(&['U']).filter(|_| command != 'Q' || !given.has('S')) {
        source.act_as(user);
    }
    let online = source.daemon().is_some();
    let outcome = match command {
        'Q' => query::query(given, &mut source),
        'u' => upgrade(&mut source),
        _ => change(given, command, input.as_ref(), &mut source),
    };
    let failed = match outcome {
        Ok(printed) => return Ok(printed),
        Err(failed) if failed.exit == CrmExit::NoPermission => {
            let mut refused = call_failed(CrmExit::NoPermission, "Permission denied");
            refused.notes.extend(failed.notes);
            refused
        }
        Err(failed) => failed,
    };
    Err(if online { called(failed, command) } else { failed })
}

/// The same failure with the name of what the CIB's manager was asked to do, as it is told where one runs.
fn called(mut failed: Failed, command: char) -> Failed {
    let operation = match command {
        'Q' => "cib_query",
        'C' => "cib_create",
        'M' => "cib_modify",
        'R' => "cib_replace",
        'P' => "cib_apply_diff",
        'E' => "cib_erase",
        'B' => "cib_bump",
        'u' => "cib_upgrade",
        _ => "cib_delete",
    };
    for note in &mut failed.notes {
        if let Some(reason) = note.strip_prefix("Call failed: ") {
            *note = format!("Call {operation} failed: {reason}");
        }
    }
    failed
}

/// The same failure in `cibadmin`'s words.
fn not_opened(failed: Failed) -> Failed {
    let Some(text) = failed.text else { return failed };
    let reason = text.strip_prefix("Could not connect to the CIB: ").unwrap_or(&text);
    let own = format!("Init failed, could not perform requested operations: {reason}");
    Failed { notes: vec![text.clone()], ..Failed::new(failed.exit, own) }
}

fn empty(given: &Given) -> Printed {
    let schema = output::escaped(given.value(&['a']).unwrap_or(SCHEMA));
    let text = format!(
        "<cib crm_feature_set=\"{FEATURE_SET}\" validate-with=\"{schema}\" epoch=\"1\" num_updates=\"0\" \
         admin_epoch=\"0\">\n  <configuration>\n    <crm_config/>\n    <nodes/>\n    <resources/>\n    \
         <constraints/>\n  </configuration>\n  <status/>\n</cib>\n"
    );
    Printed { text, ..Printed::default() }
}

/// The XML that is given, from whichever place.
fn input(given: &Given) -> Result<Option<Document>, Failed> {
    let unreadable =
        |place: &str| Failed::new(CrmExit::Configuration, format!("Couldn't parse input from {place}."));
    let (place, text) = match given.last(&['x', 'X', 'p']) {
        None => return Ok(None),
        Some('x') => {
            let file = given.value(&['x']).unwrap_or_default();
            (file, output::input(file).map_err(|_| unreadable(file))?)
        }
        Some('X') => ("input string", given.value(&['X']).unwrap_or_default().as_bytes().to_vec()),
        Some(_) => ("STDIN", output::input(output::STANDARD_INPUT).map_err(|_| unreadable("STDIN"))?),
    };
    Document::parse_bytes(&text).map(Some).map_err(|_| unreadable(place))
}

fn digest(given: &Given, command: char) -> Result<Printed, Failed> {
    let input =
        input(given)?.ok_or_else(|| Failed::usage("Please supply XML to process with -X, -x, or -p"))?;
    let digest = match command {
        '5' => {
            // Debian's says so on standard error.
            eprint!("Digest: ");
            input.digest_on_disk()
        }
        _ => input.digest_v3(),
    };
    Ok(Printed { text: format!("{digest}\n"), ..Printed::default() })
}

fn upgrade(source: &mut Source) -> Result<Printed, Failed> {
    let file = source.daemon().is_none();
    source.change(SPEC.name, |cib| {
        let before = cib.clone();
        if hafen_cib::upgrade::upgrade(cib) && file {
            // An upgrade is an administrator's change, from which the other numbers start anew.
            let admin_epoch = cib.version().admin_epoch.saturating_add(1);
            cib.set_version(Version { admin_epoch, epoch: 1, num_updates: 1 });
            operations::count(&before, cib, false);
        }
        Ok(Printed::default())
    })
}

fn change(
    given: &Given,
    command: char,
    input: Option<&Document>,
    source: &mut Source,
) -> Result<Printed, Failed> {
    let scope = given.last(&['o', 'A']);
    let target = match scope {
        Some('o') => match (section(given)?, command) {
            (Some(name), _) => Target::Section(name),
            // What would be added beside the sections fits no schema.
            (None, 'C') => return Err(refused(&Refusal::Schema)),
            (None, _) => Target::Whole,
        },
        Some(_) => Target::XPath(given.value(&['A']).unwrap_or_default()),
        None => Target::Whole,
    };
    let change = Change { target, input, allow_create: given.has('c'), multiple: command == 'd' };
    carry_out(&change, command, SPEC.name, source)
}

/// Puts a copy of the CIB in the cluster's place, its configuration alone or all of it.
pub(super) fn replace(
    source: &mut Source,
    applet: &str,
    copy: &Document,
    all: bool,
) -> Result<Printed, Failed> {
    let target = if all { Target::Whole } else { Target::Section("configuration") };
    let change = Change { target, input: Some(copy), allow_create: false, multiple: false };
    carry_out(&change, 'R', applet, source)
}

fn carry_out(
    change: &Change<'_>,
    command: char,
    applet: &str,
    source: &mut Source,
) -> Result<Printed, Failed> {
    let file = source.daemon().is_none();
    let mut failed = String::new();
    let outcome = source.change(applet, |cib| {
        let before = cib.clone();
        let touched = change.make(command, cib).map_err(|refusal| {
            failed = refusal.answer();
            refused(&refusal)
        })?;
        if cib.version() < before.version() {
            return Err(refused(&Refusal::Older));
        }
        let changed = touched || cib.root().to_xml() != before.root().to_xml();
        // What a user sees of a daemon's may lack what it refers to; then the daemon judges.
        let whole = |cib: &Cib| file || super::source::conforms(cib);
        if changed && !super::source::conforms(cib) && whole(&before) {
            return Err(refused(&Refusal::Schema));
        }
        if file {
            operations::count(&before, cib, touched);
        }
        Ok(())
    });
    let printed = Printed { text: failed, ..Printed::default() };
    outcome.map(|()| Printed::default()).map_err(|failed| Failed { printed, ..failed })
}

fn refused(refusal: &Refusal) -> Failed {
    let (exit, reason) = match refusal {
        Refusal::Exists(_) => (CrmExit::Exists, "File exists"),
        Refusal::NoSection(_) | Refusal::Invalid => (CrmExit::Software, "Invalid argument"),
        Refusal::Missing => (CrmExit::NoSuchObject, "No such device or address"),
        Refusal::Older => (CrmExit::Old, "Update was older than existing configuration"),
        Refusal::Schema => (CrmExit::Configuration, "Update does not conform to the configured schema"),
        Refusal::Patch => (CrmExit::Error, "Application of update diff failed"),
        Refusal::Newer => (CrmExit::Error, "Application of update diff failed, requesting full refresh"),
        Refusal::XPath(error) => {
            let mut failed = call_failed(CrmExit::NoSuchObject, "No such device or address");
            failed.text = Some(error.clone());
            return failed;
        }
    };
    call_failed(exit, reason)
}

/// The section that is meant; a name of none is told, and means the whole CIB.
fn section(given: &Given) -> Result<Option<&str>, Failed> {
    const SECTIONS: [&str; 12] = [
        "configuration",
        "nodes",
        "resources",
        "constraints",
        "crm_config",
        "rsc_defaults",
        "op_defaults",
        "acls",
        "fencing-topology",
        "tags",
        "alerts",
        "status",
    ];
    let Some(name) = given.value(&['o']) else { return Ok(None) };
    if SECTIONS.contains(&name) {
        return Ok(Some(name));
    }
    eprintln!("Invalid value '{name}' for '--scope'. Operation will apply to the entire CIB.");
    Ok(None)
}

/// Where a section of that name is.
fn find_section<'a>(cib: &'a Cib, name: &str) -> Option<hafen_cib::Element<'a>> {
    match name {
        "status" => cib.status(),
        "configuration" => cib.configuration(),
        _ => cib.section(name),
    }
}
