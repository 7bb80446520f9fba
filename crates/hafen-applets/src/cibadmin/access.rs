//! `cibadmin -Q --show-access`: what a user may do with each element.

use std::io::IsTerminal;

use hafen_cib::acl::{Access, Permissions, Rights};
use hafen_cib::{Document, Element};

use super::super::output::{CrmExit, Failed};
use super::super::source::user_named;

/// How the permissions are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Text,
    Color,
    Namespace,
}

/// The CIB that was printed, once more with the permissions of a user by its own lists, whether or not they are enabled.
pub(super) fn shown(text: &str, name: &str, how: &str) -> Result<String, Failed> {
    let failed = |reason: &str| {
        let text = format!("Could not evaluate access per request ({name}, error: {reason})");
        Failed::new(CrmExit::Configuration, text)
    };
    let user = user_named(name);
    if user.is_almighty() {
        return Err(failed("Already in requested state"));
    }
    // A part of a CIB, or one whose schema that user may not see, is none that could be judged.
    let is_cib = |root: Element<'_>| root.name() == "cib" && root.attribute("validate-with").is_some();
    let cib = Document::parse(text).ok().filter(|document| is_cib(document.root()));
    let cib = cib.ok_or_else(|| failed("Update does not conform to the configured schema"))?;
    let style = match how {
        "color" => Style::Color,
        "namespace" => Style::Namespace,
        "auto" if std::io::stdout().is_terminal() => Style::Color,
        _ => Style::Text,
    };
    let rights = Permissions::of(&cib, &user).on(&cib);
    let mut shown = Shown { rights: &rights, style, text: String::new() };
    shown.text += &format!("<!-- ACLs as evaluated for user {name} -->\n");
    shown.element(cib.root(), None, 0);
    Ok(shown.text)
}

struct Shown<'a> {
    rights: &'a Rights,
    style: Style,
    text: String,
}

impl Shown<'_> {
    /// Writes an element; `above` is the access to its parent.
    fn element(&mut self, element: Element<'_>, above: Option<Access>, depth: usize) {
        let access = self.rights.access(element);
        let indent = "  ".repeat(depth);
        let differs = above != Some(access);
        if self.style == Style::Text && differs {
            let blank = if above.is_some() { format!("{indent}\n") } else { String::new() };
            self.text += &format!("{blank}{indent}vvv---[ {} ]---vvv\n", word(access));
        }
        let (color, plain) = match self.style {
            Style::Color => (color(access), "\u{1b}[0m"),
            Style::Text | Style::Namespace => ("", ""),
        };
        let prefix = match self.style {
            Style::Namespace if differs => format!("pcmk-access-{}:", namespace(access)),
            _ => String::new(),
        };
        let alone = alone(element);
        let tag = alone.strip_prefix('<').and_then(|tag| tag.strip_suffix("/>")).unwrap_or_default();
        let spaces = match (self.style, above) {
            (Style::Namespace, None) => self.namespaces(element),
            _ => String::new(),
        };
        let open = format!("{indent}{color}<{prefix}{tag}{spaces}");
        if element.children().next().is_none() {
            self.text += &format!("{open}/>{plain}\n");
            return;
        }
        self.text += &format!("{open}>\n");
        for child in element.children() {
            self.element(child, Some(access), depth + 1);
        }
        self.text += &format!("{indent}{color}</{prefix}{}>{plain}\n", element.name());
    }
}

impl Shown<'_> {
    /// The declarations of the prefixes that stand at an element or below.
    fn namespaces(&self, root: Element<'_>) -> String {
        let used = |access: &Access| {
            let mut all = std::iter::once(root).chain(root.descendants());
            all.any(|element| self.rights.access(element) == *access)
        };
        let used =
            [Access::Writable, Access::Readable, Access::Denied].into_iter().filter(used).map(namespace);
        used.map(|name| {
            format!(" xmlns:pcmk-access-{name}=\"http://clusterlabs.org/ns/pacemaker/access/{name}\"")
        })
        .collect()
    }
}

/// An element without what is in it.
fn alone(element: Element<'_>) -> String {
    let mut alone = Document::new(element.name());
    let root = alone.root().node();
    for (name, value) in element.attributes() {
        alone.set_attribute(root, name, value);
    }
    alone.root().to_xml_compact()
}

fn word(access: Access) -> &'static str {
    match access {
        Access::Writable => "WRITABLE",
        Access::Readable => "READABLE",
        Access::Denied => "~DENIED~",
    }
}

fn color(access: Access) -> &'static str {
    match access {
        Access::Writable => "\u{1b}[32m",
        Access::Readable => "\u{1b}[34m",
        Access::Denied => "\u{1b}[31m",
    }
}

fn namespace(access: Access) -> &'static str {
    match access {
        Access::Writable => "writable",
        Access::Readable => "readable",
        Access::Denied => "denied",
    }
}
