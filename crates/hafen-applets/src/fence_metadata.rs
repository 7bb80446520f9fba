//! The metadata of a fence agent as Pacemaker's fencer tells it to programs that configure devices: the host to fence and the
//! action are the cluster's to say, so no configuration needs them; and each device can be started and stopped.

use hafen_cib::{Document, Element};

use super::output;

/// Parameters that the cluster fills in.
const FILLED_IN: [&str; 3] = ["action", "plug", "port"];
/// What a device can do because the cluster does it.
const OWN_ACTIONS: [&str; 2] = ["stop", "start"];
/// How long they may take, as Pacemaker says.
const OWN_TIMEOUT: &str = "20s";

/// What is told; metadata that is no XML, as it is.
pub(super) fn as_told(xml: &str) -> String {
    let Ok(mut document) = Document::parse(xml) else { return xml.to_owned() };
    complete(&mut document);
    let mut text = String::new();
    write(&mut text, document.root(), 0);
    text
}

fn complete(document: &mut Document) {
    let root = document.root();
    let parameters = root.child("parameters").into_iter().flat_map(|list| list.children_named("parameter"));
    let filled_in: Vec<_> = parameters
        .filter(|parameter| parameter.attribute("name").is_some_and(|name| FILLED_IN.contains(&name)))
        .map(|parameter| parameter.node())
        .collect();
    let actions = root.child("actions");
    let has = |name: &str| {
        let named = |action: Element<'_>| action.attribute("name") == Some(name);
        actions.is_some_and(|list| list.children_named("action").any(named))
    };
    let missing: Vec<&str> = OWN_ACTIONS.into_iter().filter(|name| !has(name)).collect();
    let actions = actions.map(|list| list.node());
    for parameter in filled_in {
        document.set_attribute(parameter, "required", "0");
    }
    let Some(actions) = actions else { return };
    for name in missing {
        let action = document.append_element(actions, "action");
        document.set_attribute(action, "name", name);
        document.set_attribute(action, "timeout", OWN_TIMEOUT);
    }
}

fn write(text: &mut String, element: Element<'_>, depth: usize) {
    let margin = "  ".repeat(depth);
    *text += &format!("{margin}<{}", element.name());
    for (name, value) in element.attributes() {
        *text += &format!(" {name}=\"{}\"", output::escaped(value));
    }
    let content = element.text();
    if content.trim().is_empty() && element.children().next().is_none() {
        *text += "/>\n";
        return;
    }
    *text += ">\n";
    if !content.trim().is_empty() {
        *text += &format!("{margin}  {}\n", output::content(content.trim()));
    }
    for child in element.children() {
        write(text, child, depth + 1);
    }
    *text += &format!("{margin}</{}>\n", element.name());
}

#[cfg(test)]
mod tests {
    use super::as_told;

    #[test]
    fn what_the_cluster_fills_in_is_not_required() {
        let told = as_told(
            "<?xml version=\"1.0\" ?>\n<resource-agent name=\"fence_x\"><longdesc>a &amp; b</longdesc><parameters>\
             <parameter name=\"plug\" unique=\"0\" required=\"1\" obsoletes=\"port\"><content type=\"string\"/></parameter>\
             <parameter name=\"ip\" required=\"1\"/></parameters><actions><action name=\"start\"/></actions></resource-agent>",
        );
        // As Pacemaker 3.0's crm_resource --show-metadata writes it.
        let expected = "<resource-agent name=\"fence_x\">\n  <longdesc>\n    a &amp; b\n  </longdesc>\n  <parameters>\n    \
                        <parameter name=\"plug\" unique=\"0\" required=\"0\" obsoletes=\"port\">\n      \
                        <content type=\"string\"/>\n    </parameter>\n    <parameter name=\"ip\" required=\"1\"/>\n  \
                        </parameters>\n  <actions>\n    <action name=\"start\"/>\n    \
                        <action name=\"stop\" timeout=\"20s\"/>\n  </actions>\n</resource-agent>\n";
        assert_eq!(told, expected);
        assert_eq!(as_told("no XML"), "no XML");
    }
}
