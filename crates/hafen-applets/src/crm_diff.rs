//! `crm_diff`: what turns one CIB into another, and what a patchset makes of one.

use std::process::ExitCode;

use hafen_cib::{Cib, Document, NodeId, PatchError, Patchset, Version};

use super::cibadmin::{as_pacemaker_applies, elements};
use super::options::{Given, Spec, flag, valued};
use super::output::{self, CrmExit, Failed, Printed};

const SPEC: Spec = Spec {
    name: "crm_diff",
    about: "Compares two CIBs, or applies such a comparison",
    options: &[
        valued('o', "original", "FILE", "The file with the first CIB"),
        valued('O', "original-string", "XML", "The first CIB"),
        valued('n', "new", "FILE", "The file with the second CIB"),
        valued('N', "new-string", "XML", "The second CIB"),
        valued('p', "patch", "FILE", "The file with the patchset to apply to the first CIB"),
        flag('c', "cib", "The versions count"),
        flag('s', "stdin", "Read from standard input"),
        flag('u', "no-version", "Leave the versions out"),
    ],
    examples: "Examples:\n  crm_diff -o old.xml -n new.xml > patch.xml\n  crm_diff -o old.xml -p patch.xml",
};

/// The attributes of a CIB's version.
const VERSION: [&str; 3] = ["admin_epoch", "epoch", "num_updates"];

pub(super) fn run(words: &[String]) -> ExitCode {
    for word in words.iter().take_while(|word| *word != "--") {
        if word.starts_with("--output-as") || word.starts_with("--output-to") {
            eprintln!("{}: Unknown option {word}", SPEC.name);
            return ExitCode::from(CrmExit::Usage as u8);
        }
    }
    output::run(&SPEC, words, act)
}

fn told(exit: CrmExit, text: impl Into<String>) -> Failed {
    Failed { notes: vec![text.into()], ..Failed::silent(exit) }
}

fn act(given: &Given) -> Result<Printed, Failed> {
    if given.has('c') && given.has('u') {
        return Err(told(CrmExit::Usage, "error: -u/--no-version incompatible with -c/--cib"));
    }
    let first = fragment(given, "first", 'O', &['o'])?;
    let second = fragment(given, "second", 'N', &['n', 'p'])?;
    let text = if given.has('p') {
        patched(cib(first)?, second, given.has('c'))?
    } else {
        let text = compared(first, second, given)?;
        // That they differ is said by the exit status, too.
        if !text.is_empty() {
            let printed = Printed { text, ..Printed::default() };
            return Err(Failed { printed, ..Failed::silent(CrmExit::Error) });
        }
        text
    };
    Ok(Printed { text, ..Printed::default() })
}

/// XML that is given as text or by the name of a file.
fn fragment(given: &Given, which: &str, text: char, files: &[char]) -> Result<Document, Failed> {
    let wrong = || told(CrmExit::DataError, format!("Could not parse the {which} XML fragment"));
    let source = if given.has('s') {
        eprint!("Input {which} XML fragment:");
        output::input(output::STANDARD_INPUT).map_err(|_| wrong())?
    } else if let Some(source) = given.value(&[text]) {
        source.as_bytes().to_vec()
    } else {
        let file = files.iter().rev().find_map(|letter| given.value(&[*letter])).ok_or_else(wrong)?;
        output::input(file).map_err(|_| wrong())?
    };
    Document::parse_bytes(&source).map_err(|_| wrong())
}

fn cib(document: Document) -> Result<Cib, Failed> {
    Cib::from_document(document)
        .map_err(|error| told(CrmExit::DataError, format!("Only CIBs are compared: {error}")))
}

/// The patchset from one to the other; empty if they are the same.
fn compared(mut first: Document, mut second: Document, given: &Given) -> Result<String, Failed> {
    if given.has('u') {
        for document in [&mut first, &mut second] {
            let root = document.root().node();
            for name in VERSION {
                document.remove_attribute(root, name);
            }
        }
    }
    let (first, second) = (cib(first)?, cib(second)?);
    let Some(mut document) = difference(&first, &second)? else { return Ok(String::new()) };
    let root = document.root().node();
    if given.has('c') {
        document.set_attribute(root, "digest", &second.digest_v3());
    }
    if let (true, Some(version)) = (given.has('u'), document.root().child("version")) {
        let version = version.node();
        document.remove(version);
    }
    Ok(document.root().to_xml() + "\n")
}

/// The patchset from one CIB to another as Pacemaker writes it, without a digest; nothing if they are the same.
pub(super) fn difference(first: &Cib, second: &Cib) -> Result<Option<Document>, Failed> {
    let patchset = Patchset::diff(first, second);
    if patchset.is_empty() {
        return Ok(None);
    }
    let document = Document::parse(&patchset.to_xml());
    let mut document = document.map_err(|error| told(CrmExit::Error, error.to_string()))?;
    let root = document.root().node();
    document.remove_attribute(root, "tree-digest");
    list_attributes(&mut document, first, second);
    order(&mut document, first, second);
    Ok(Some(document))
}

/// Lists the changed attributes as Pacemaker does: what is set in the order of the new element, then what is removed; the order of
/// attributes is no difference.
fn list_attributes(patch: &mut Document, old: &Cib, new: &Cib) {
    let changes = patch.root().children_named("change");
    let modifying = changes.filter(|change| change.attribute("operation") == Some("modify"));
    let lists: Vec<(NodeId, Option<NodeId>, String)> = modifying
        .map(|change| {
            let list = change.child("change-list").map(|list| list.node());
            (change.node(), list, change.attribute("path").unwrap_or_default().to_owned())
        })
        .collect();
    for (change, list, path) in lists {
        let one = |cib| elements(cib, &path).ok().and_then(|found| found.first().copied());
        let (Some(list), Some(before), Some(after)) = (list, one(old), one(new)) else { continue };
        patch.clear(list);
        let mut empty = true;
        let mut add = |name: &str, value: Option<&str>| {
            let attribute = patch.append_element(list, "change-attr");
            patch.set_attribute(attribute, "name", name);
            patch.set_attribute(attribute, "operation", if value.is_some() { "set" } else { "unset" });
            if let Some(value) = value {
                patch.set_attribute(attribute, "value", value);
            }
            empty = false;
        };
        for (name, value) in after.attributes().filter(|(name, value)| before.attribute(name) != Some(value))
        {
            add(name, Some(value));
        }
        for (name, _) in before.attributes().filter(|(name, _)| after.attribute(name).is_none()) {
            add(name, None);
        }
        if empty {
            patch.remove(change);
        }
    }
}

/// Puts the changes into Pacemaker's order: deletions first, then what is made and set, each as it stands in the CIB; an element is
/// moved after what is inside of it.
fn order(patch: &mut Document, old: &Cib, new: &Cib) {
    let place = |cib: &Cib, path: &str| -> Vec<usize> {
        let found = elements(cib, path).ok().and_then(|found| found.first().copied());
        let mut steps: Vec<usize> = std::iter::successors(found, |element| element.parent())
            .map(|element| element.position())
            .collect();
        steps.reverse();
        steps
    };
    let mut changes: Vec<(bool, Vec<usize>, NodeId)> = Vec::new();
    for change in patch.root().children_named("change") {
        let path = change.attribute("path").unwrap_or_default();
        let position = change.attribute("position").and_then(|position| position.parse().ok());
        let (later, key) = match change.attribute("operation") {
            Some("delete") => {
                let mut key = place(old, path.strip_suffix("/comment").unwrap_or(path));
                key.extend(position);
                (false, key)
            }
            Some("create") => (true, place(new, path).into_iter().chain(position).collect()),
            Some("move") => (true, place(new, path).into_iter().chain([usize::MAX]).collect()),
            _ => (true, place(new, path)),
        };
        changes.push((later, key, change.node()));
    }
    changes.sort_by(|one, other| (one.0, &one.1).cmp(&(other.0, &other.1)));
    let root = patch.root().node();
    for (_, _, node) in changes {
        patch.move_to(node, root, usize::MAX);
    }
}

fn patched(mut cib: Cib, patch: Document, strict: bool) -> Result<String, Failed> {
    let failed = |exit, reason: &str| told(exit, format!("Could not apply patch: {reason}"));
    let older = || failed(CrmExit::Old, "Update was older than existing configuration");
    let unfit = || failed(CrmExit::Error, "Application of update diff failed");
    if patch.root().name() != "diff" || patch.root().attribute("format") != Some("2") {
        return Err(failed(CrmExit::Software, "Invalid argument"));
    }
    let (mut source, mut target) = (cib.version(), cib.version());
    if let Some(version) = patch.root().child("version").filter(|_| strict) {
        source = version.child("source").map_or(source, Version::of);
        target = version.child("target").map_or(target, Version::of);
    }
    if source != cib.version() || strict && target <= source {
        return Err(older());
    }
    for _ in 0..2 {
        let patchset =
            Patchset::from_document(with_version(patch.clone(), source, target)).map_err(|_| unfit())?;
        let patchset = as_pacemaker_applies(patchset, &cib).map_err(|_| unfit())?;
        match patchset.apply(&mut cib) {
            Ok(()) => return Ok(cib.root().to_xml() + "\n"),
            // Without -c it leads wherever its changes lead.
            Err(PatchError::Target { found, .. }) if !strict => target = found,
            Err(_) => return Err(unfit()),
        }
    }
    Err(unfit())
}

/// The patchset with other versions.
pub(super) fn with_version(mut patch: Document, source: Version, target: Version) -> Document {
    if let Some(old) = patch.root().child("version").map(|version| version.node()) {
        patch.remove(old);
    }
    let root = patch.root().node();
    let versions = patch.insert_element(root, 0, "version");
    for (name, version) in [("source", source), ("target", target)] {
        let element = patch.append_element(versions, name);
        for (field, value) in version.fields() {
            patch.set_attribute(element, field, &value.to_string());
        }
    }
    patch
}
