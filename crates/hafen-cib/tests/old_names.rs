//! Old names in whole configurations.
#![allow(clippy::disallowed_methods, reason = "a test reads its cases")]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use hafen_cib::Cib;
use hafen_cib::old_names::translate;
use hafen_cib::schema::validate;

/// The cases of the scheduler: what is valid stays so, ids stay, and once is enough.
#[test]
fn the_schedulers_cases_are_translated_once() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../hafen-scheduler/cases");
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::from(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "xml") {
                files.push(path);
            }
        }
    }
    let mut cases = 0;
    for file in files {
        let Ok(source) = fs::read_to_string(&file) else { continue };
        let Ok(before) = Cib::parse(&source) else { continue };
        cases += 1;
        once(&before, &file.display().to_string());
        // The same with the words of old, of which there are few in them.
        let old = source
            .replace("type=\"Dummy\"", "type=\"IPaddr\"")
            .replace("name=\"resource-stickiness\"", "name=\"resource_stickiness\"")
            .replace("name=\"stonith-enabled\"", "name=\"stonith_enabled\"")
            .replace("name=\"target-role\"", "name=\"target_role\"");
        once(&Cib::parse(&old).expect("a CIB"), &file.display().to_string());
    }
    assert!(cases > 50, "{cases}");
}

fn once(before: &Cib, name: &str) {
    let ids = |cib: &Cib| -> BTreeSet<String> {
        cib.root().descendants().filter_map(|element| element.id().map(str::to_owned)).collect()
    };
    let (after, notes) = translate(before);
    let removed = notes.iter().filter(|note| note.why.contains("removed")).map(|note| note.id.clone());
    let gone: Vec<String> = ids(before).difference(&ids(&after)).cloned().collect();
    assert_eq!(gone, removed.collect::<Vec<_>>(), "{name}");
    if validate(before).is_empty() {
        assert_eq!(validate(&after), Vec::new(), "{name}");
    }
    let (again, more) = translate(&after);
    assert_eq!(again.to_xml(), after.to_xml(), "{name}");
    assert!(more.iter().all(|note| !note.done), "{name}: {more:?}");
    if notes.iter().all(|note| !note.done) {
        assert_eq!(after.to_xml(), before.to_xml(), "{name}");
    }
}
