//! What the tests of the language share.
#![allow(dead_code, unreachable_pub, reason = "each test takes what it needs")]
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a test runs another program")]

pub mod dice;
pub mod generate;
pub mod objects;
pub mod oracle;
pub mod relations;
pub mod shape;

use hafen_cib::{Cib, Element};
use hafen_crm::{Diagnostic, Filter, Mode, apply, parse, show};

/// An empty CIB, as the generated configurations begin with.
pub const EMPTY: &str = r#"<cib crm_feature_set="3.20.0" validate-with="pacemaker-4.0" epoch="1" num_updates="0" admin_epoch="0">
  <configuration><crm_config/><nodes/><resources/><constraints/></configuration><status/></cib>"#;

/// All mistakes with their places.
pub fn tell(text: &str, problems: &[Diagnostic]) -> String {
    problems.iter().map(|problem| problem.render("text", text)).collect()
}

/// What a text makes of a CIB.
pub fn make(before: &str, text: &str) -> Result<Cib, String> {
    let mut cib = Cib::parse(before).map_err(|error| error.to_string())?;
    let statements = parse(text).map_err(|problems| tell(text, &problems))?;
    apply(&mut cib, &statements, Mode::Update).map_err(|problems| tell(text, &problems))?;
    Ok(cib)
}

/// The whole configuration as text.
pub fn shown(cib: &Cib) -> String {
    show(cib, &Filter::default())
}

/// The sections that say something, by name: neither their order nor that of attributes means anything.
pub fn canonical(configuration: Element<'_>) -> String {
    sections(configuration, |_| {})
}

/// As [`canonical`], with the objects of every section in the order of their texts.
pub fn sorted(configuration: Element<'_>) -> String {
    sections(configuration, |objects| objects.sort())
}

fn sections(configuration: Element<'_>, arrange: fn(&mut Vec<String>)) -> String {
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
        text += section.name();
        text.push('\n');
        let mut objects: Vec<String> = section
            .children()
            .map(|object| {
                let mut text = String::new();
                write(object, 1, &mut text);
                text
            })
            .collect();
        arrange(&mut objects);
        text += &objects.concat();
    }
    text
}

/// The first lines that differ.
pub fn difference(what: &str, names: [&str; 2], expected: &str, found: &str) -> String {
    let lines = expected.lines().zip(found.lines()).position(|(one, other)| one != other);
    let at = lines.unwrap_or_else(|| expected.lines().count().min(found.lines().count()));
    let part =
        |text: &str| text.lines().skip(at.saturating_sub(2)).take(6).collect::<Vec<_>>().join("\n    ");
    let [one, other] = names;
    format!("{what}, line {}:\n  {one}\n    {}\n  {other}\n    {}\n", at + 1, part(expected), part(found))
}
