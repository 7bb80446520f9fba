//! `crm_shadow`: copies of the CIB to try changes on.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use hafen_cib::{Cib, Document, Element, FEATURE_SET, Patchset, SCHEMA};

use super::options::{Given, Operand, OptionSpec, Spec, flag, valued};
use super::output::{self, CrmExit, Failed, Printed, escaped};
use super::source::{self, Source};
use super::{cibadmin, crm_diff};

const SPEC: Spec = Spec {
    name: "crm_shadow",
    about: "Keeps copies of the configuration, to which all tools turn while CIB_shadow names one",
    options: &[
        flag('w', "which", "Tell which copy is active"),
        flag('p', "display", "Print the active copy"),
        flag('d', "diff", "Print how the active copy differs from the cluster's"),
        flag('F', "file", "Tell where the active copy is"),
        valued('c', "create", "NAME", "Make a copy of the cluster's configuration"),
        valued('e', "create-empty", "NAME", "Make an empty configuration"),
        valued('C', "commit", "NAME", "Make a copy the cluster's configuration (with -f)"),
        valued('D', "delete", "NAME", "Delete a copy (with -f)"),
        flag('E', "edit", "Edit the active copy with $EDITOR"),
        valued('r', "reset", "NAME", "Make a copy anew from the cluster's configuration (with -f)"),
        valued('s', "switch", "NAME", "Tell how to turn to another copy"),
        flag('f', "force", "Do what is dangerous"),
        flag('b', "batch", "Start no shell"),
        flag('a', "all", "With -C: the status, too"),
        OptionSpec {
            letter: 'v',
            name: "validate-with",
            operand: Operand::Required("SCHEMA"),
            help: "With -e: an older schema",
        },
    ],
    examples: "Examples:\n  crm_shadow -b -c test; export CIB_shadow=test\n  crm_shadow --commit test --force",
};

/// What can be asked for; the last one counts.
const COMMANDS: [char; 11] = ['w', 'p', 'd', 'F', 'c', 'e', 'C', 'D', 'E', 'r', 's'];

pub(super) fn run(words: &[String]) -> ExitCode {
    output::run(&SPEC, words, act)
}

pub(super) fn act(given: &Given) -> Result<Printed, Failed> {
    if let Some(word) = given.words.first() {
        return Err(Failed::usage(format!("non-option ARGV-elements: {word}")));
    }
    let Some(command) = given.last(&COMMANDS) else {
        return Err(Failed::usage("Must specify a query or command option"));
    };
    let named = given.value(&[command]).unwrap_or_default();
    match command {
        'c' => create(given, named),
        'e' => create_empty(given, named),
        'r' => {
            forced(
                given,
                CrmExit::Usage,
                "The reset command overwrites the active shadow configuration.",
                FILE,
            )?;
            write(named, &copied()?)?;
            Ok(switch(given, named, NEW))
        }
        's' => {
            read(named)?;
            Ok(switch(
                given,
                named,
                "To switch to the named shadow instance, enter the following into your shell:",
            ))
        }
        'C' => commit(given, named),
        'D' => delete(given, named),
        _ => of_active(command, &active()?),
    }
}

/// What is in danger.
const FILE: &str = "shadow file";
const NEW: &str =
    "A new shadow instance was created. To begin using it, enter the following into your shell:";

/// The name of the active copy.
fn active() -> Result<String, Failed> {
    source::shadow()
        .ok_or_else(|| Failed::new(CrmExit::NoSuchObject, "No active shadow configuration defined"))
}

fn forced(given: &Given, exit: CrmExit, why: &str, what: &str) -> Result<(), Failed> {
    if given.has('f') {
        return Ok(());
    }
    let text = format!(
        "{why}\nTo prevent accidental destruction of the {what}, the --force flag is required in order to proceed."
    );
    Err(Failed::new(exit, text))
}

/// Tells how the shell turns to a copy, or starts one that does.
fn switch(given: &Given, name: &str, how: &str) -> Printed {
    if !given.has('b') {
        let shell = std::env::var_os("SHELL").unwrap_or_else(|| "/bin/sh".into());
        let mut command = Command::new(shell);
        let prompt = format!("shadow[{name}] # ");
        // The shell's own exit status says nothing of the copy.
        let _ = command.env("CIB_shadow", name).env("PS1", prompt).status();
        return Printed::default();
    }
    let mut printed = Printed::default();
    instruct(&mut printed, &format!("{how}\n\texport CIB_shadow={name}"));
    printed
}

fn instruct(printed: &mut Printed, text: &str) {
    printed.text += &format!("{text}\n");
    printed.xml += &format!("  <instruction>{}</instruction>\n", escaped(text).replace("&#10;", "\n"));
}

fn absent(given: &Given, name: &str) -> Result<(), Failed> {
    if !source::shadow_file(name).exists() {
        return Ok(());
    }
    forced(given, CrmExit::CannotCreate, &format!("A shadow instance '{name}' already exists."), FILE)
}

/// Puts a text where a copy of that name is.
pub(super) fn write(name: &str, text: &str) -> Result<(), Failed> {
    let file = source::shadow_file(name);
    // A host on which Pacemaker never was has no such folder.
    let made = file.parent().map_or(Ok(()), std::fs::create_dir_all);
    made.and_then(|()| source::replace(&file, text)).map_err(|error| {
        let text = format!("Could not create shadow instance '{name}': {}", output::reason(&error));
        Failed::new(CrmExit::CannotCreate, text)
    })
}

/// The cluster's CIB as it goes into a file.
fn copied() -> Result<String, Failed> {
    Ok(of_cluster()?.root().to_xml() + "\n")
}

/// The cluster's CIB, whatever copy is in use.
pub(super) fn of_cluster() -> Result<Cib, Failed> {
    Source::open_real().map_err(unconnected)?.cib(true)
}

fn unconnected(failed: Failed) -> Failed {
    let text = failed.text.unwrap_or_default();
    let reason = text.strip_prefix("Could not connect to the CIB: ").unwrap_or(&text);
    Failed::new(failed.exit, format!("Could not connect to CIB: {reason}"))
}

fn create(given: &Given, name: &str) -> Result<Printed, Failed> {
    absent(given, name)?;
    write(name, &copied()?)?;
    Ok(switch(given, name, NEW))
}

fn create_empty(given: &Given, name: &str) -> Result<Printed, Failed> {
    absent(given, name)?;
    let schema = given.value(&['v']).unwrap_or(SCHEMA);
    let cib = format!(
        "<cib crm_feature_set=\"{FEATURE_SET}\" validate-with=\"{}\" epoch=\"0\" num_updates=\"0\" admin_epoch=\"0\">\n  \
         <configuration>\n    <crm_config/>\n    <nodes/>\n    <resources/>\n    <constraints/>\n  \
         </configuration>\n  <status/>\n</cib>\n",
        escaped(schema)
    );
    write(name, &cib)?;
    let mut printed = Printed::default();
    instruct(&mut printed, &format!("Created new {schema} configuration"));
    printed.append(switch(given, name, NEW));
    Ok(printed)
}

/// A copy's file, and what is in it.
pub(super) fn read(name: &str) -> Result<(PathBuf, Cib), Failed> {
    let file = source::shadow_file(name);
    let failed = |reason: &str| {
        Failed::new(CrmExit::NoSuchObject, format!("Could not access shadow instance '{name}': {reason}"))
    };
    let text = std::fs::read_to_string(&file).map_err(|error| failed(&output::reason(&error)))?;
    let cib = Cib::parse(&text).map_err(|error| failed(&error.to_string()))?;
    Ok((file, cib))
}

fn commit(given: &Given, name: &str) -> Result<Printed, Failed> {
    let why = "The commit command overwrites the active cluster configuration.";
    forced(given, CrmExit::Usage, why, "cluster")?;
    let (_, copy) = read(name)?;
    let mut source = Source::open_real().map_err(unconnected)?;
    let input = copy.document();
    cibadmin::replace(&mut source, SPEC.name, input, given.has('a')).map_err(|failed| {
        let reason = failed.notes.last().map_or("", |note| note.trim_start_matches("Call failed: "));
        let text = format!("Could not commit shadow instance '{name}' to the CIB: {reason}");
        Failed::new(failed.exit, text)
    })
}

fn delete(given: &Given, name: &str) -> Result<Printed, Failed> {
    forced(given, CrmExit::Usage, "The delete command removes the specified shadow file.", FILE)?;
    match std::fs::remove_file(source::shadow_file(name)) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => {
            let text = format!("Could not remove shadow instance '{name}': {}", output::reason(&error));
            return Err(Failed::new(CrmExit::Error, text));
        }
    }
    let mut printed = Printed::default();
    if active().is_ok_and(|active| active == name) {
        let text = "Remember to unset the CIB_shadow variable by entering the following into your shell:";
        instruct(&mut printed, &format!("{text}\n\tunset CIB_shadow"));
    }
    Ok(printed)
}

fn of_active(command: char, name: &str) -> Result<Printed, Failed> {
    let mut printed = Printed::default();
    let instance = escaped(name);
    match command {
        'w' => printed.add(name, &format!("<shadow instance=\"{instance}\"/>")),
        'F' => {
            let file = source::shadow_file(name).display().to_string();
            printed.add(&file, &format!("<shadow instance=\"{instance}\" file=\"{}\"/>", escaped(&file)));
        }
        'p' => {
            let (_, cib) = read(name)?;
            let xml = cib.root().to_xml();
            printed.text = xml.clone() + "\n";
            printed.xml = format!(
                "  <shadow instance=\"{instance}\">\n    <content><![CDATA[{xml}\n]]></content>\n  </shadow>\n"
            );
        }
        'E' => edit(&read(name)?.0)?,
        _ => return difference(name),
    }
    Ok(printed)
}

fn edit(file: &Path) -> Result<(), Failed> {
    let editor = std::env::var_os("EDITOR");
    let editor = editor.ok_or_else(|| Failed::new(CrmExit::NotConfigured, "No value for EDITOR defined"))?;
    let failed = |reason: String| Failed::new(CrmExit::Error, format!("Could not edit the copy: {reason}"));
    let status = Command::new(editor).arg(file).status().map_err(|error| failed(output::reason(&error)))?;
    if status.success() { Ok(()) } else { Err(failed(status.to_string())) }
}

fn difference(name: &str) -> Result<Printed, Failed> {
    let (_, copy) = read(name)?;
    let cluster = of_cluster()?;
    let instance = escaped(name);
    let patch = crm_diff::difference(&cluster, &copy)?;
    let mut printed = Printed::default();
    let Some(patch) = patch else {
        printed.xml = format!("  <shadow instance=\"{instance}\"/>\n");
        return Ok(printed);
    };
    printed.text = shown(&patch);
    printed.xml = format!(
        "  <shadow instance=\"{instance}\">\n    <xml-patchset><![CDATA[{}\n]]></xml-patchset>\n  </shadow>\n",
        patch.root().to_xml()
    );
    Err(Failed { printed, ..Failed::silent(CrmExit::Error) })
}

/// A patchset for people.
fn shown(patch: &Document) -> String {
    let mut text = String::new();
    if let Ok(patchset) = Patchset::from_document(patch.clone()) {
        text += &format!("Diff: --- {} 2\nDiff: +++ {} (null)\n", patchset.source(), patchset.target());
    }
    for change in patch.root().children_named("change") {
        let path = change.attribute("path").unwrap_or_default();
        let position = change.attribute("position");
        match (change.attribute("operation"), position) {
            (Some("delete"), Some(position)) => text += &format!("-- {path} ({position})\n"),
            (Some("delete"), None) => text += &format!("-- {path}\n"),
            (Some("move"), _) => text += &format!("+~ {path} moved to offset {}\n", position.unwrap_or("0")),
            (Some("create"), _) => text += &created(path, change),
            _ => text += &modified(path, change),
        }
    }
    text
}

fn created(path: &str, change: Element<'_>) -> String {
    let Some(element) = change.children().next() else {
        // A comment stands there as it is.
        let xml = change.to_xml();
        return xml
            .lines()
            .filter(|line| line.trim_start().starts_with("<!--"))
            .map(|line| line.trim().to_owned() + "\n")
            .collect();
    };
    let head = format!("++ {path}:  ");
    let margin = format!("++{}", " ".repeat(head.len() - 2));
    let mut text = String::new();
    let xml = element.to_xml();
    let lines: Vec<&str> = xml.lines().collect();
    for (number, line) in lines.iter().enumerate() {
        let first = number == 0;
        text += if first { &head } else { &margin };
        // The outermost element is shown as if it were empty where others are inside.
        text += &match line.strip_suffix('>').filter(|_| first && lines.len() > 1) {
            Some(open) => format!("{open}/>"),
            None => (*line).to_owned(),
        };
        text.push('\n');
    }
    text
}

fn modified(path: &str, change: Element<'_>) -> String {
    let list = change.child("change-list");
    let attributes = || list.into_iter().flat_map(|list| list.children_named("change-attr"));
    let name = |attribute: Element<'_>| attribute.attribute("name").unwrap_or_default().to_owned();
    let (set, unset): (Vec<_>, Vec<_>) =
        attributes().partition(|attribute| attribute.attribute("operation") == Some("set"));
    let set: Vec<String> = set
        .into_iter()
        .map(|attribute| format!("@{}={}", name(attribute), attribute.attribute("value").unwrap_or_default()))
        .collect();
    let unset: Vec<String> = unset.into_iter().map(|attribute| format!("@{}", name(attribute))).collect();
    let mut text = String::new();
    if !set.is_empty() {
        text += &format!("+  {path}:  {}\n", set.join(", "));
    }
    if !unset.is_empty() {
        text += &format!("-- {path}:  {}\n", unset.join(", "));
    }
    text
}
