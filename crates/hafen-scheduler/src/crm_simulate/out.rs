//! What is printed: lists for people, or elements for programs.

use std::fmt::Write as _;

use super::arguments::Format;
use crate::output::escape;

/// The version of the XML.
const API_VERSION: &str = "2.38";

/// An element that is open, and whether something is inside of it already.
struct Open {
    name: &'static str,
    filled: bool,
}

/// Collects what is printed.
pub(crate) struct Out {
    pub(crate) format: Format,
    pub(crate) quiet: bool,
    pub(crate) text: String,
    open: Vec<Open>,
    errors: Vec<String>,
}

impl Out {
    pub(crate) fn new(format: Format, quiet: bool, request: &str) -> Out {
        // Quiet concerns text alone: a program says what it does not want to hear by not reading it.
        let quiet = quiet && format != Format::Xml;
        let mut out = Out { format, quiet, text: String::new(), open: Vec::new(), errors: Vec::new() };
        out.start("pacemaker-result", &[("api-version", API_VERSION), ("request", request)]);
        out
    }

    pub(crate) fn is_text(&self) -> bool {
        self.format == Format::Text
    }

    /// An empty line between parts.
    pub(crate) fn spacer(&mut self) {
        if self.is_text() && !self.quiet {
            self.text.push('\n');
        }
    }

    /// A line of text as it is.
    pub(crate) fn line(&mut self, line: std::fmt::Arguments<'_>) {
        if self.is_text() && !self.quiet {
            let _ = writeln!(self.text, "{line}");
        }
    }

    /// An entry of a list of text.
    pub(crate) fn item(&mut self, item: std::fmt::Arguments<'_>) {
        if self.is_text() && !self.quiet {
            let _ = writeln!(self.text, "  * {item}");
        }
    }

    /// Text that was written elsewhere; also for those who want to hear little.
    pub(crate) fn raw(&mut self, text: std::fmt::Arguments<'_>) {
        if self.is_text() {
            let _ = self.text.write_fmt(text);
        }
    }

    /// Begins an element.
    pub(crate) fn start(&mut self, name: &'static str, attributes: &[(&str, &str)]) {
        if self.format == Format::Xml {
            self.tag(name, attributes);
            self.open.push(Open { name, filled: false });
        }
    }

    /// Ends the innermost element.
    pub(crate) fn end(&mut self) {
        let Some(open) = self.open.pop() else { return };
        if open.filled {
            self.indent();
            let _ = writeln!(self.text, "</{}>", open.name);
        } else {
            self.text.push_str("/>\n");
        }
    }

    /// An element with nothing inside.
    pub(crate) fn element(&mut self, name: &'static str, attributes: &[(&str, &str)]) {
        self.start(name, attributes);
        self.end();
    }

    /// Elements that were written elsewhere, each line ended and without the indentation of this place.
    pub(crate) fn elements(&mut self, lines: &str) {
        if self.format != Format::Xml || lines.is_empty() {
            return;
        }
        self.fill();
        for line in lines.lines() {
            self.indent();
            self.text.push_str(line);
            self.text.push('\n');
        }
    }

    fn tag(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.fill();
        self.indent();
        let _ = write!(self.text, "<{name}");
        for (name, value) in attributes {
            let _ = write!(self.text, " {name}=\"{}\"", escape(value));
        }
    }

    fn fill(&mut self) {
        if let Some(open) = self.open.last_mut()
            && !open.filled
        {
            open.filled = true;
            self.text.push_str(">\n");
        }
    }

    fn indent(&mut self) {
        for _ in 0..self.open.len() {
            self.text.push_str("  ");
        }
    }

    /// Keeps an error for the end of the XML; text has it from the caller.
    pub(crate) fn remember_error(&mut self, message: &str) {
        self.errors.push(message.to_owned());
    }

    /// Ends the output, and gives it.
    pub(crate) fn finish(mut self, status: u8) -> String {
        if self.format != Format::Xml {
            return self.text;
        }
        while self.open.len() > 1 {
            self.end();
        }
        let errors = std::mem::take(&mut self.errors);
        self.start("status", &[("code", &status.to_string()), ("message", status_words(status))]);
        if !errors.is_empty() {
            self.start("errors", &[]);
            for error in &errors {
                self.fill();
                self.indent();
                let _ = writeln!(self.text, "<error>{}</error>", escape(error));
            }
            self.end();
        }
        self.end();
        self.end();
        self.text
    }
}

/// Pacemaker's words for an exit status.
fn status_words(status: u8) -> &'static str {
    match status {
        0 => "OK",
        1 => "Error occurred",
        64 => "Incorrect usage",
        65 => "Invalid data given",
        66 => "Input file not available",
        73 => "Output file not available",
        74 => "I/O error",
        78 => "Invalid configuration",
        102 => "Not connected",
        105 => "No such object",
        _ => "Unknown exit status",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xml_is_nested_and_closed() {
        let mut out = Out::new(Format::Xml, true, "crm_simulate -x \"f\"");
        out.start("actions", &[]);
        out.element("rsc_action", &[("action", "start"), ("resource", "a&b")]);
        out.end();
        out.element("transition", &[]);
        out.start("left-open", &[]);
        out.item(format_args!("text is left out"));
        out.remember_error("bad");
        assert_eq!(
            out.finish(1),
            "<pacemaker-result api-version=\"2.38\" request=\"crm_simulate -x &quot;f&quot;\">\n\
             \x20 <actions>\n    <rsc_action action=\"start\" resource=\"a&amp;b\"/>\n  </actions>\n\
             \x20 <transition/>\n  <left-open/>\n\
             \x20 <status code=\"1\" message=\"Error occurred\">\n    <errors>\n      <error>bad</error>\n\
             \x20   </errors>\n  </status>\n</pacemaker-result>\n"
        );
    }

    #[test]
    fn text_is_lists() {
        let mut out = Out::new(Format::Text, false, "");
        out.line(format_args!("Transition Summary:"));
        out.item(format_args!("Start"));
        out.spacer();
        out.element("nothing", &[]);
        assert_eq!(out.finish(0), "Transition Summary:\n  * Start\n\n");
    }
}
