//! What Debian 13's crmsh made of the same texts.
//!
//! A case is a folder `cases/NAME`: `text`; `before.xml` if it does not begin with an empty CIB; `after.xml`, the configuration that
//! crmsh made of it, and `shown`, what `crm configure show` printed then; or `refused`, if crmsh did not take it. Where we differ on
//! purpose, `ours.after.xml` or `ours.shown` has what we make, and `reason` says why.
//!
//! `HAFEN_RECORD=NAME` (the beginning of the names, or `all`) writes what crmsh answers anew, in the root that `HAFEN_ORACLE` names.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a test reads its cases")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hafen_cib::{Cib, Element};
use hafen_crm::{Filter, Mode, apply, parse, show};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/cases");
const ORACLE: &str = "/var/cache/hafen-oracle";
const EMPTY: &str = r#"<cib crm_feature_set="3.20.0" validate-with="pacemaker-4.0" epoch="1" num_updates="0" admin_epoch="0">
  <configuration><crm_config/><nodes/><resources/><constraints/></configuration><status/></cib>"#;

fn read(case: &Path, name: &str) -> Option<String> {
    fs::read_to_string(case.join(name)).ok()
}

fn before(case: &Path) -> String {
    read(case, "before.xml").unwrap_or_else(|| EMPTY.to_string())
}

/// The sections that say something, by name: neither their order nor that of attributes means anything.
fn canonical(configuration: Element<'_>) -> String {
    fn write(element: Element<'_>, depth: usize, into: &mut String) {
        let mut attributes: Vec<(&str, &str)> = element.attributes().collect();
        attributes.sort_unstable();
        let attributes: String =
            attributes.iter().map(|(name, value)| format!(" {name}={value:?}")).collect();
        *into += &format!("{}{}{attributes}\n", "  ".repeat(depth), element.name());
        for child in element.children() {
            write(child, depth + 1, into);
        }
    }
    let mut sections: Vec<Element<'_>> =
        configuration.children().filter(|section| section.children().next().is_some()).collect();
    sections.sort_by_key(|section| section.name());
    let mut text = String::new();
    for section in sections {
        write(section, 0, &mut text);
    }
    text
}

fn ours(case: &Path) -> Result<(String, String, String), String> {
    let text = read(case, "text").expect("a text");
    let mut cib = Cib::parse(&before(case)).expect("a CIB");
    let tell = |problems: Vec<hafen_crm::Diagnostic>| {
        problems.iter().map(|problem| problem.render("text", &text)).collect::<String>()
    };
    let statements = parse(&text).map_err(tell)?;
    apply(&mut cib, &statements, Mode::Update).map_err(tell)?;
    let configuration = cib.configuration().expect("a configuration");
    let filter = Filter::default().hiding("passw*");
    Ok((canonical(configuration), show(&cib, &filter), configuration.to_xml()))
}

/// Run crmsh on the case.
fn record(case: &Path) {
    let root = PathBuf::from(std::env::var("HAFEN_ORACLE").unwrap_or_else(|_| ORACLE.to_string()));
    let folder = tempfile::tempdir_in(root.join("tmp")).expect("a folder");
    fs::write(folder.path().join("cib.xml"), before(case)).expect("written");
    fs::copy(case.join("text"), folder.path().join("text")).expect("copied");
    let inside = Path::new("/").join(folder.path().strip_prefix(&root).expect("inside"));
    let run = |command: &str| {
        let script = format!("cd {} && timeout 120 {command}", inside.display());
        let mut process = Command::new("chroot");
        process.arg(&root).args(["sh", "-c", &script]).env_clear().env("CIB_file", inside.join("cib.xml"));
        process.env("HOME", &inside).env("LC_ALL", "C.UTF-8").env("USER", "root");
        let output = process.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").output().expect("sh runs");
        let place = inside.display().to_string();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(&place, "FOLDER");
        (output.status.success(), text(&output.stdout), text(&output.stderr))
    };
    let (taken, out, err) = run("crm -F configure load update text");
    for name in ["after.xml", "shown", "refused"] {
        let _ = fs::remove_file(case.join(name));
    }
    if !taken {
        let told: Vec<&str> = out.lines().chain(err.lines()).filter(|line| line.contains("ERROR")).collect();
        let told = told.join("\n").replace("\u{1b}[31m", "").replace("\u{1b}[0m", "");
        fs::write(case.join("refused"), told + "\n").expect("written");
        return;
    }
    fs::write(case.join("after.xml"), run("cibadmin -Q -o configuration").1).expect("written");
    fs::write(case.join("shown"), run("crm configure show").1).expect("written");
}

/// The first lines that differ.
fn difference(what: &str, expected: &str, found: &str) -> String {
    let lines = expected.lines().zip(found.lines()).position(|(one, other)| one != other);
    let at = lines.unwrap_or_else(|| expected.lines().count().min(found.lines().count()));
    let part =
        |text: &str| text.lines().skip(at.saturating_sub(1)).take(5).collect::<Vec<_>>().join("\n    ");
    format!("{what}, line {}:\n  crmsh\n    {}\n  hafen\n    {}\n", at + 1, part(expected), part(found))
}

fn compare(case: &Path) -> Result<(), String> {
    let expected_of = |name: &str| read(case, &format!("ours.{name}")).or_else(|| read(case, name));
    let refused = read(case, "refused").is_some() && read(case, "ours.after.xml").is_none();
    match ours(case) {
        Err(_) if refused || read(case, "ours.refused").is_some() => Ok(()),
        Err(told) => Err(format!("refused, but crmsh takes it:\n{told}")),
        Ok((_, shown, _)) if refused => Err(format!("taken, but crmsh refuses it:\n{shown}")),
        Ok((after, shown, _)) => {
            let xml = expected_of("after.xml").unwrap_or_default();
            let document = hafen_cib::Document::parse(&xml).map_err(|error| format!("after.xml: {error}"))?;
            let expected = canonical(document.root());
            if expected != after {
                return Err(difference("the configuration", &expected, &after));
            }
            let expected = expected_of("shown").unwrap_or_default();
            if expected != shown { Err(difference("the text", &expected, &shown)) } else { Ok(()) }
        }
    }
}

#[test]
fn the_same_text_makes_what_crmsh_makes() {
    let wanted = std::env::var("HAFEN_RECORD").ok();
    let mut failures = Vec::new();
    let mut count = 0;
    let mut cases: Vec<PathBuf> =
        fs::read_dir(FOLDER).expect("cases").flatten().map(|entry| entry.path()).collect();
    cases.sort();
    for case in cases {
        let name = case.file_name().expect("a name").to_string_lossy().into_owned();
        if let Some(wanted) = &wanted {
            if wanted == "all" || name.starts_with(wanted.as_str()) {
                record(&case);
            }
            continue;
        }
        count += 1;
        if let Err(told) = compare(&case) {
            failures.push(format!("== {name}: {told}"));
        }
    }
    let total = failures.len();
    assert!(failures.is_empty(), "{}\n{total} of {count} cases differ", failures.join("\n"));
}
