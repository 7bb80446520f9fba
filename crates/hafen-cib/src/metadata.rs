//! What an agent says about itself: the OCF meta-data.

use crate::values::{parse_boolean, parse_duration_ms};
use crate::xml::{Document, Element, ParseError, ParseErrorKind};

/// An agent's meta-data.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AgentMetadata {
    /// The agent's name.
    pub name: String,
    /// The agent's version.
    pub version: String,
    /// One line about it.
    pub short_description: String,
    /// More about it.
    pub long_description: String,
    /// Its parameters, in order.
    pub parameters: Vec<Parameter>,
    /// Its actions, in order.
    pub actions: Vec<Action>,
}

/// A parameter of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parameter {
    /// The name.
    pub name: String,
    /// It must be given.
    pub required: bool,
    /// Two resources must not have the same value (`unique`, or a `unique-group` of its own).
    pub unique: bool,
    /// Parameters whose values together must not be the same in two resources.
    pub unique_group: Option<String>,
    /// A change needs no restart, only `reload-agent`.
    pub reloadable: bool,
    /// Another parameter should be used.
    pub deprecated: bool,
    /// `string`, `integer`, `boolean`, `time`, `select`, ...
    pub content_type: String,
    /// The value that holds when none is given.
    pub default: Option<String>,
    /// The values of a `select`.
    pub options: Vec<String>,
    /// One line about it.
    pub short_description: String,
    /// More about it.
    pub long_description: String,
}

/// An action of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Action {
    /// The name.
    pub name: String,
    /// The timeout that the agent suggests, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// The interval that the agent suggests, in milliseconds.
    pub interval_ms: Option<u64>,
    /// The suggested delay before the first run, in milliseconds.
    pub start_delay_ms: Option<u64>,
    /// How deep the check goes; 0 is the plain one.
    pub depth: u32,
    /// The role that the action is for.
    pub role: Option<String>,
    /// Fence agents: run `on` when a node joins.
    pub automatic: bool,
    /// Fence agents: run on the node that is to be unfenced.
    pub on_target: bool,
}

impl AgentMetadata {
    /// Read meta-data. A document type declaration, which nearly every agent writes, is passed over
    /// if it has no declarations of its own. The root has to be `<resource-agent>`.
    pub fn parse(source: &str) -> Result<AgentMetadata, ParseError> {
        let document = Document::parse(&without_doctype(source))?;
        let root = document.root();
        if root.name() != "resource-agent" {
            let kind = ParseErrorKind::Root { expected: "resource-agent", found: root.name().to_string() };
            return Err(ParseError { line: root.line(), column: 1, kind });
        }
        let children = |holder: &str, name: &'static str| {
            root.child(holder).into_iter().flat_map(move |holder| holder.children_named(name))
        };
        Ok(AgentMetadata {
            name: text_of(root.attribute("name")),
            version: root
                .child("version")
                .map(|v| v.text().trim().to_string())
                .unwrap_or_else(|| text_of(root.attribute("version"))),
            short_description: description(root, "shortdesc"),
            long_description: description(root, "longdesc"),
            parameters: children("parameters", "parameter").map(parameter).collect(),
            actions: children("actions", "action").map(action).collect(),
        })
    }

    /// The parameter of a name.
    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }

    /// The first action of a name.
    pub fn action(&self, name: &str) -> Option<&Action> {
        self.actions.iter().find(|action| action.name == name)
    }

    /// Whether the agent can migrate: it has `migrate_to` and `migrate_from`.
    pub fn can_migrate(&self) -> bool {
        self.action("migrate_to").is_some() && self.action("migrate_from").is_some()
    }

    /// Whether the agent can take changed parameters without a restart.
    pub fn can_reload(&self) -> bool {
        self.action("reload-agent").is_some() && self.parameters.iter().any(|parameter| parameter.reloadable)
    }
}

/// The source with a plain `<!DOCTYPE ...>` blanked out, so that lines and columns stay right.
fn without_doctype(source: &str) -> String {
    let Some(start) = source.find("<!DOCTYPE") else { return source.to_string() };
    let before_root = source[..start].split('<').skip(1).all(|tag| tag.starts_with(['?', '!']));
    match source[start..].find(['>', '[']) {
        Some(end) if before_root && source.as_bytes()[start + end] == b'>' => {
            let blank: String =
                source[start..=start + end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
            [&source[..start], &blank, &source[start + end + 1..]].concat()
        }
        _ => source.to_string(),
    }
}

fn text_of(value: Option<&str>) -> String {
    value.unwrap_or("").to_string()
}

/// The English description, or else the first.
fn description(element: Element<'_>, name: &str) -> String {
    let english = element
        .children_named(name)
        .find(|found| found.attribute("lang").is_none_or(|lang| lang.starts_with("en")));
    english.or_else(|| element.child(name)).map(|found| found.text().trim().to_string()).unwrap_or_default()
}

fn is_true(element: Element<'_>, name: &str) -> bool {
    element.attribute(name).and_then(parse_boolean).unwrap_or(false)
}

fn parameter(element: Element<'_>) -> Parameter {
    let content = element.child("content");
    let attribute = |name: &str| content.and_then(|content| content.attribute(name));
    // In OCF 1.1 `unique` is gone from the meaning of reloading: `reloadable` and `unique-group` say it.
    let unique_group = element.attribute("unique-group").map(str::to_string);
    Parameter {
        name: text_of(element.attribute("name")),
        required: is_true(element, "required"),
        unique: is_true(element, "unique") || unique_group.is_some(),
        unique_group,
        reloadable: is_true(element, "reloadable"),
        deprecated: is_true(element, "deprecated") || element.child("deprecated").is_some(),
        content_type: attribute("type").unwrap_or("string").to_string(),
        default: attribute("default").map(str::to_string),
        options: content
            .into_iter()
            .flat_map(|content| content.children_named("option"))
            .filter_map(|option| option.attribute("value").map(str::to_string))
            .collect(),
        short_description: description(element, "shortdesc"),
        long_description: description(element, "longdesc"),
    }
}

fn action(element: Element<'_>) -> Action {
    let time = |name: &str| element.attribute(name).and_then(parse_duration_ms);
    Action {
        name: text_of(element.attribute("name")),
        timeout_ms: time("timeout"),
        interval_ms: time("interval"),
        start_delay_ms: time("start-delay"),
        depth: element.attribute("depth").and_then(|depth| depth.parse().ok()).unwrap_or(0),
        role: element.attribute("role").map(str::to_string),
        automatic: is_true(element, "automatic"),
        on_target: is_true(element, "on_target"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = r#"<?xml version="1.0"?>
<!DOCTYPE resource-agent SYSTEM "ra-api-1.dtd">
<resource-agent name="qemu" version="1.0">
<version>1.1</version>
<longdesc lang="en">
A virtual machine.
</longdesc>
<shortdesc lang="de">VM</shortdesc><shortdesc lang="en">A VM</shortdesc>
<parameters>
<parameter name="memory" required="1" unique="0" reloadable="1"><shortdesc lang="en">MiB</shortdesc><content type="integer" default="96"/></parameter>
<parameter name="mode" unique-group="m"><content type="select"><option value="a"/><option value="b"/></content></parameter>
</parameters>
<actions><action name="start" timeout="90s"/><action name="monitor" timeout="20" interval="10" depth="10"/>
<action name="migrate_to" timeout="1h"/><action name="migrate_from"/><action name="reload-agent"/></actions>
</resource-agent>"#;

    #[test]
    fn metadata_is_read() {
        let metadata = AgentMetadata::parse(SOURCE).expect("parses");
        assert_eq!((metadata.name.as_str(), metadata.version.as_str()), ("qemu", "1.1"));
        assert_eq!(
            (metadata.short_description.as_str(), metadata.long_description.as_str()),
            ("A VM", "A virtual machine.")
        );
        let memory = metadata.parameter("memory").expect("memory");
        assert!(memory.required && memory.reloadable && !memory.unique);
        assert_eq!((memory.content_type.as_str(), memory.default.as_deref()), ("integer", Some("96")));
        let mode = metadata.parameter("mode").expect("mode");
        assert!(mode.unique);
        assert_eq!(mode.options, ["a", "b"]);
        let monitor = metadata.action("monitor").expect("monitor");
        assert_eq!(
            (monitor.timeout_ms, monitor.interval_ms, monitor.depth),
            (Some(20_000), Some(10_000), 10)
        );
        assert!(metadata.can_migrate() && metadata.can_reload());
    }

    #[test]
    fn a_doctype_inside_is_refused() {
        let error =
            AgentMetadata::parse("<resource-agent>\n<!DOCTYPE x></resource-agent>").expect_err("refused");
        assert_eq!((error.line, error.kind), (2, ParseErrorKind::Doctype));
    }

    #[test]
    fn a_doctype_with_declarations_is_refused() {
        let bomb = "<!DOCTYPE a [<!ENTITY b \"c\">]><resource-agent/>";
        assert_eq!(AgentMetadata::parse(bomb).expect_err("refused").kind, ParseErrorKind::Doctype);
        let error = AgentMetadata::parse("<!DOCTYPE a\n>\n<x/>").expect_err("refused");
        assert_eq!((error.line, error.to_string().contains("resource-agent")), (3, true));
    }
}
