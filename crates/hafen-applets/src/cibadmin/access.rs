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
    let mut shown = Shown { cib: &cib, rights: &rights, style, open: Vec::new(), text: String::new() };
    shown.text += &format!("<!-- ACLs as evaluated for user {name} -->\n");
    shown.lines(text);
    Ok(shown.text)
}

struct Shown<'a> {
    cib: &'a Document,
    rights: &'a Rights,
    style: Style,
    /// The elements that the present line lies in: their access, and the prefix of their names.
    open: Vec<(Access, String)>,
    text: String,
}

impl Shown<'_> {
    /// Writes the CIB as it was printed, which has a line for each tag, with the access to each element.
    fn lines(&mut self, printed: &str) {
        let root = self.cib.root();
        let mut elements = std::iter::once(root).chain(root.descendants());
        let mut in_comment = false;
        for line in printed.lines() {
            let tag = line.trim_start();
            let indent = line.get(..line.len() - tag.len()).unwrap_or_default();
            if in_comment || tag.starts_with("<!--") {
                // Comments get blanks inside and an empty line behind.
                let begun = if in_comment { line.to_owned() } else { line.replacen("<!--", "<!-- ", 1) };
                in_comment = !line.contains("-->");
                let ended = if in_comment { begun } else { begun.replacen("-->", " -->\n", 1) };
                self.text += &format!("{ended}\n");
            } else if let Some(rest) = tag.strip_prefix("</") {
                let (access, prefix) = self.open.pop().unwrap_or((Access::Denied, String::new()));
                let (color, plain) = self.colors(access);
                self.text += &format!("{indent}{color}</{prefix}{rest}{plain}\n");
            } else if let (Some(rest), Some(element)) = (tag.strip_prefix('<'), elements.next()) {
                self.begin(element, indent, rest);
            } else {
                self.text += &format!("{line}\n");
            }
        }
    }

    /// Writes the line that an element begins with; `rest` is what follows the `<`.
    fn begin(&mut self, element: Element<'_>, indent: &str, rest: &str) {
        let access = self.rights.access(element);
        let above = self.open.last().map(|(access, _)| *access);
        let differs = above != Some(access);
        if self.style == Style::Text && differs {
            let blank = if above.is_some() { format!("{indent}\n") } else { String::new() };
            self.text += &format!("{blank}{indent}vvv---[ {} ]---vvv\n", word(access));
        }
        let prefix = match self.style {
            Style::Namespace if differs => format!("pcmk-access-{}:", namespace(access)),
            _ => String::new(),
        };
        let is_closed = rest.ends_with("/>") || rest.contains("</");
        let (color, plain) = self.colors(access);
        let plain = if is_closed { plain } else { "" };
        let end = if rest.ends_with("/>") { "/>" } else { ">" };
        let rest = match (self.style, above) {
            (Style::Namespace, None) => {
                let inner = rest.strip_suffix(end).unwrap_or(rest);
                format!("{inner}{}{end}", self.namespaces())
            }
            _ => rest.to_owned(),
        };
        self.text += &format!("{indent}{color}<{prefix}{rest}{plain}\n");
        if !is_closed {
            self.open.push((access, prefix));
        }
    }

    fn colors(&self, access: Access) -> (&'static str, &'static str) {
        match self.style {
            Style::Color => (color(access), "\u{1b}[0m"),
            Style::Text | Style::Namespace => ("", ""),
        }
    }

    /// The declarations of the prefixes that are used.
    fn namespaces(&self) -> String {
        let root = self.cib.root();
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
