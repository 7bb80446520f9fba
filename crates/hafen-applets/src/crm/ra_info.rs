//! What an agent says of itself, as people read it.

use hafen_cib::metadata::{Action, AgentMetadata, Parameter};

/// No line is longer, where words can be parted.
const COLUMNS: usize = 80;
/// How far in the text on a parameter stands.
const MARGIN: usize = 4;

/// The description of an agent: what it is, its parameters, the required ones first, and its actions.
pub(super) fn description(name: &str, metadata: &AgentMetadata) -> String {
    let short = one_line(&metadata.short_description);
    let head = if short.is_empty() { name.to_owned() } else { format!("{name} - {short}") };
    let mut text = wrapped(&head, 0);
    if !metadata.long_description.is_empty() && one_line(&metadata.long_description) != short {
        text += &format!("\n{}", wrapped(&metadata.long_description, 0));
    }
    let (mut required, other): (Vec<&Parameter>, Vec<&Parameter>) =
        metadata.parameters.iter().partition(|parameter| parameter.required);
    required.extend(other);
    if !required.is_empty() {
        text += "\nParameters (*: required, []: default):\n";
        required.iter().for_each(|parameter| text += &format!("\n{}", of_parameter(parameter)));
    }
    if !metadata.actions.is_empty() {
        text += "\nActions, with the least time that the agent advises:\n\n";
        text += &actions(&metadata.actions);
    }
    text
}

fn of_parameter(parameter: &Parameter) -> String {
    let mut kind = vec![match parameter.content_type.as_str() {
        "select" => format!("one of {}", parameter.options.join(", ")),
        kind => kind.to_owned(),
    }];
    let default = parameter.default.iter().filter(|value| !value.is_empty());
    kind.extend(default.map(|value| format!("[{}]", one_line(value))));
    for (holds, word) in [
        (parameter.unique, "unique"),
        (parameter.reloadable, "changed without a restart"),
        (parameter.deprecated, "deprecated"),
    ] {
        if holds {
            kind.push(word.to_owned());
        }
    }
    let mark = if parameter.required { "*" } else { "" };
    let short = one_line(&parameter.short_description);
    let long = one_line(&parameter.long_description);
    let colon = if short.is_empty() { "" } else { ": " };
    let mut text = hanging(&format!("{}{mark} ({}){colon}{short}", parameter.name, kind.join(", ")), MARGIN);
    if !long.is_empty() && long != short {
        text += &wrapped(&parameter.long_description, MARGIN);
    }
    text
}

/// Actions in columns, a line each.
fn actions(actions: &[Action]) -> String {
    let of_user =
        |action: &&Action| !matches!(action.name.as_str(), "meta-data" | "metadata" | "validate-all");
    let shown: Vec<&Action> = actions.iter().filter(of_user).collect();
    let width = shown.iter().map(|action| action.name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for action in shown {
        let mut words = Vec::new();
        for (name, value) in [
            ("timeout", action.timeout_ms),
            ("interval", action.interval_ms.filter(|interval| *interval > 0)),
            ("start-delay", action.start_delay_ms.filter(|delay| *delay > 0)),
        ] {
            words.extend(value.map(|value| format!("{name}={}", time(value))));
        }
        words.extend(action.role.iter().map(|role| format!("role={role}")));
        if action.depth > 0 {
            words.push(format!("OCF_CHECK_LEVEL={}", action.depth));
        }
        text += format!("    {:<width$}  {}", action.name, words.join(" ")).trim_end();
        text.push('\n');
    }
    text
}

/// A time as the language writes it.
pub(super) fn time(milliseconds: u64) -> String {
    if milliseconds.is_multiple_of(1000) {
        format!("{}s", milliseconds / 1000)
    } else {
        format!("{milliseconds}ms")
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Text within the columns: what stands in paragraphs stays in them, and what is set in stays as it is.
fn wrapped(text: &str, margin: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut paragraph: Vec<&str> = Vec::new();
    // How far all of it is set in says nothing.
    let lead = |line: &str| line.len() - line.trim_start().len();
    let rest = text.lines().skip(1).filter(|line| !line.trim().is_empty());
    let common = rest.map(lead).min().unwrap_or(0);
    for line in text.trim().lines() {
        let inside = lead(line) > common;
        if line.trim().is_empty() || inside {
            fill(&mut lines, &mut paragraph, margin, margin);
        }
        match (line.trim().is_empty(), inside) {
            (true, _) => lines.push(String::new()),
            (_, true) => {
                let deeper = " ".repeat(margin + lead(line) - common);
                lines.push(format!("{deeper}{}", line.trim()));
            }
            (false, false) => paragraph.extend(line.split_whitespace()),
        }
    }
    fill(&mut lines, &mut paragraph, margin, margin);
    lines.into_iter().map(|line| line + "\n").collect()
}

/// A paragraph whose lines after the first one stand further in.
pub(super) fn hanging(text: &str, margin: usize) -> String {
    let mut lines = Vec::new();
    fill(&mut lines, &mut text.split_whitespace().collect(), 0, margin);
    lines.into_iter().map(|line| line + "\n").collect()
}

fn fill(lines: &mut Vec<String>, words: &mut Vec<&str>, first: usize, margin: usize) {
    let mut line = String::new();
    let mut lead = first;
    for word in words.drain(..) {
        let length = lead + line.chars().count() + 1 + word.chars().count();
        if !line.is_empty() && length > COLUMNS {
            lines.push(format!("{}{line}", " ".repeat(lead)));
            line.clear();
            lead = margin;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(format!("{}{line}", " ".repeat(lead)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = r#"<resource-agent name="x"><version>1</version>
<longdesc lang="en">
This agent keeps a thing running, and says so in a line that is longer than eighty columns are, so it is broken.

  a line of an example
Words after it.
</longdesc>
<shortdesc lang="en">A thing</shortdesc>
<parameters>
<parameter name="port" reloadable="1"><shortdesc lang="en">Port</shortdesc><longdesc lang="en">Port</longdesc><content type="integer" default="80"/></parameter>
<parameter name="file" required="1" unique="1"><shortdesc lang="en">File</shortdesc><longdesc lang="en">
Where it is.
</longdesc><content type="string"/></parameter>
<parameter name="mode"><content type="select"><option value="a"/><option value="b"/></content></parameter>
</parameters>
<actions>
<action name="start" timeout="20s"/>
<action name="monitor" timeout="20s" interval="10s" depth="0" role="Promoted"/>
<action name="monitor" timeout="1500ms" interval="60s" depth="10"/>
<action name="meta-data" timeout="5s"/>
</actions></resource-agent>"#;

    #[test]
    fn a_description_has_what_is_required_first() {
        let metadata = AgentMetadata::parse(SOURCE).expect("metadata");
        let expected = "\
ocf:test:x - A thing

This agent keeps a thing running, and says so in a line that is longer than
eighty columns are, so it is broken.

  a line of an example
Words after it.

Parameters (*: required, []: default):

file* (string, unique): File
    Where it is.

port (integer, [80], changed without a restart): Port

mode (one of a, b)

Actions, with the least time that the agent advises:

    start    timeout=20s
    monitor  timeout=20s interval=10s role=Promoted
    monitor  timeout=1500ms interval=60s OCF_CHECK_LEVEL=10
";
        assert_eq!(description("ocf:test:x", &metadata), expected);
    }

    #[test]
    fn no_line_is_longer_than_the_screen() {
        let words = "word ".repeat(60);
        for text in [wrapped(&words, 0), wrapped(&words, MARGIN), hanging(&words, MARGIN)] {
            assert!(text.lines().count() > 3, "{text}");
            assert!(text.lines().all(|line| line.chars().count() <= COLUMNS), "{text}");
        }
    }
}
