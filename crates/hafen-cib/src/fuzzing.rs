//! The body of the fuzz target, which the ordinary tests run as well.

use crate::checks;
use crate::cib::Cib;
use crate::metadata::AgentMetadata;
use crate::patchset::Patchset;
use crate::xml::Document;

/// What separates the parts of an input: a CIB, then other CIBs or patchsets.
pub const SEPARATOR: &[u8] = b"\n====\n";

/// Take an input through everything that reads foreign bytes. Panics if a promise is broken:
/// what is read and written again is the same; a patchset that fails changes nothing; a difference
/// that is applied gives the other CIB.
pub fn run(input: &[u8]) {
    let mut parts = split(input).into_iter();
    let Some(document) = parts.next().and_then(parse) else { return };
    round_trip(&document);
    let Ok(mut cib) = Cib::from_document(document) else { return };
    read_everything(&cib);
    for part in parts {
        let Some(other) = parse(part) else { continue };
        if other.root().name() == "diff" {
            if let Ok(patchset) = Patchset::from_document(other) {
                apply(&patchset, &mut cib);
            }
        } else if let Ok(other) = Cib::from_document(other) {
            difference(&cib, &other);
        }
    }
}

fn split(input: &[u8]) -> Vec<&[u8]> {
    const PARTS_MAXIMUM: usize = 4;
    let mut parts = Vec::new();
    let mut rest = input;
    while parts.len() + 1 < PARTS_MAXIMUM
        && let Some(at) = memchr::memmem::find(rest, SEPARATOR)
    {
        parts.push(&rest[..at]);
        rest = &rest[at + SEPARATOR.len()..];
    }
    parts.push(rest);
    parts
}

fn parse(part: &[u8]) -> Option<Document> {
    if let Ok(text) = std::str::from_utf8(part) {
        let _ = AgentMetadata::parse(text);
    }
    match Document::parse_bytes(part) {
        Ok(document) => Some(document),
        Err(error) => {
            assert!(error.line >= 1 && error.column >= 1, "{error}");
            assert!(!error.kind.to_string().is_empty());
            None
        }
    }
}

fn round_trip(document: &Document) {
    let written = document.to_xml();
    let again = Document::parse(&written).unwrap_or_else(|error| panic!("{error}\n{written}"));
    assert_eq!(again.to_xml(), written);
    let (root, root_again) = (document.root().node().0, again.root().node().0);
    assert_eq!(document.hash(root), again.hash(root_again), "{written}");
    let compact = document.root().to_xml_compact();
    let again = Document::parse(&compact).unwrap_or_else(|error| panic!("{error}\n{compact}"));
    assert_eq!(again.root().to_xml(), document.root().to_xml());
    let mut refreshed = document.clone();
    refreshed.refresh_hashes();
    assert_eq!(refreshed.hash(root), document.hash(root));
}

fn read_everything(cib: &Cib) {
    for finding in checks::check(cib) {
        assert!(!finding.mend.is_empty(), "{finding}");
    }
    for resource in cib.primitives() {
        let _ = (resource.meta("target-role"), resource.instance_attributes(), resource.operations());
    }
    for operation in cib.node_states().flat_map(|state| state.descendants()) {
        let operation = crate::views::LrmOperation::new(operation);
        if let Some(magic) = operation.transition_magic() {
            assert_eq!(crate::views::TransitionMagic::parse(&magic.to_string()), Some(magic));
        }
    }
    let _ = (cib.property("stonith-enabled"), cib.digest_v3());
}

fn apply(patchset: &Patchset, cib: &mut Cib) {
    let before = cib.clone();
    match patchset.apply(cib) {
        Ok(()) => {
            assert_eq!(cib.version(), patchset.target());
            round_trip(cib.document());
        }
        Err(_) => {
            assert_eq!(cib.to_xml(), before.to_xml());
            assert_eq!(cib.digest(), before.digest());
        }
    }
}

fn difference(old: &Cib, new: &Cib) {
    let patchset = Patchset::diff(old, new);
    let written = patchset.to_xml_compact();
    let read = Patchset::from_xml(&written).unwrap_or_else(|error| panic!("{error}\n{written}"));
    let mut patched = old.clone();
    if let Err(error) = read.apply(&mut patched) {
        panic!("{error}\n{written}\n{}\n{}", old.to_xml(), new.to_xml());
    }
    assert_eq!(patched.root().to_xml(), new.root().to_xml(), "{written}");
}
