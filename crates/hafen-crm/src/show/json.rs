//! A configuration as JSON, for programs.

use hafen_cib::{Cib, Element};
use serde::{Serialize, Serializer};

use super::{Context, Filter, Object, filter, objects};

/// Names with values, in their order.
#[derive(Default)]
struct Pairs<'c>(Vec<(&'c str, &'c str)>);

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

impl Pairs<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[derive(Serialize)]
struct Shown<'c> {
    schema: &'c str,
    objects: Vec<Entry<'c>>,
}

/// An object.
#[derive(Serialize)]
struct Entry<'c> {
    r#type: &'static str,
    id: &'c str,
    #[serde(flatten)]
    content: Content<'c>,
    text: String,
}

/// What is in an element.
#[derive(Serialize, Default)]
struct Content<'c> {
    #[serde(skip_serializing_if = "Pairs::is_empty")]
    attributes: Pairs<'c>,
    #[serde(skip_serializing_if = "Pairs::is_empty")]
    values: Pairs<'c>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    params: Vec<Set<'c>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    meta: Vec<Set<'c>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    utilization: Vec<Set<'c>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    operations: Vec<Content<'c>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    members: Vec<&'c str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parts: Vec<Part<'c>>,
}

/// A set of values.
type Set<'c> = Content<'c>;

/// An element that has no place of its own.
#[derive(Serialize)]
struct Part<'c> {
    element: &'c str,
    #[serde(flatten)]
    content: Content<'c>,
}

/// The configuration, or what a filter lets through, as JSON: an object with the schema and the list of objects.
///
/// Each object has its `type` (the word of its statement), its `id` and its `text`: the statement, so that the texts of all
/// objects, one after the other, make the same configuration again. What a program looks for is beside it: `attributes` of the
/// element, sets of values as `params`, `meta` and `utilization` (lists, as there may be several, each with its `values`),
/// `operations`, `members`, and any other element in `parts`.
#[must_use]
pub fn show_json(cib: &Cib, filter: &Filter) -> String {
    let context = Context::of(cib);
    let chosen = filter.over(cib);
    let all = objects(cib);
    let entry = |object: &'_ Object<'_>| object.text(&context, filter);
    let shown: Vec<&Object<'_>> = all.iter().filter(|object| chosen.lets(object)).collect();
    let objects = shown.iter().map(|object| Entry {
        r#type: object.word,
        id: &object.id,
        content: of_object(object, filter),
        text: entry(object),
    });
    let shown =
        Shown { schema: cib.root().attribute("validate-with").unwrap_or(""), objects: objects.collect() };
    // Texts and names alone: nothing that JSON has no form for.
    serde_json::to_string_pretty(&shown).map(|json| json + "\n").unwrap_or_default()
}

fn of_object<'c>(object: &Object<'c>, filter: &Filter) -> Content<'c> {
    match object.elements.as_slice() {
        [element] => {
            let mut content = content(*element, filter);
            // It is said already; but a node has an id beside its name.
            content.attributes.0.retain(|(name, value)| *name != "id" || *value != object.id);
            content
        }
        elements => {
            let parts = elements.iter().map(|element| part(*element, filter));
            Content { parts: parts.collect(), ..Content::default() }
        }
    }
}

fn part<'c>(element: Element<'c>, filter: &Filter) -> Part<'c> {
    Part { element: element.name(), content: content(element, filter) }
}

fn content<'c>(element: Element<'c>, filter: &Filter) -> Content<'c> {
    let mut content = Content { attributes: Pairs(element.attributes().collect()), ..Content::default() };
    for child in element.children() {
        match child.name() {
            "instance_attributes" => content.params.push(self::content(child, filter)),
            "meta_attributes" => content.meta.push(self::content(child, filter)),
            "utilization" => content.utilization.push(self::content(child, filter)),
            "operations" => {
                content.operations.extend(child.children().map(|op| self::content(op, filter)));
                if child.attributes().next().is_some() {
                    let content_of =
                        Content { attributes: Pairs(child.attributes().collect()), ..Content::default() };
                    content.parts.push(Part { element: child.name(), content: content_of });
                }
            }
            _ if crate::apply::is_resource(child) => content.members.extend(child.id()),
            _ => match pair(child) {
                Some((name, value)) if content.values.0.iter().all(|(known, _)| *known != name) => {
                    let value = if filter.hides(name) { filter::HIDDEN } else { value };
                    content.values.0.push((name, value));
                }
                _ => content.parts.push(part(child, filter)),
            },
        }
    }
    content
}

/// A plain pair: one that refers to another has no value of its own.
fn pair(element: Element<'_>) -> Option<(&str, &str)> {
    let pair = (element.attribute("name")?, element.attribute("value")?);
    (element.name() == "nvpair").then_some(pair)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const TEXT: &str = "node 1: n1 attributes rack=a\n\
        primitive a ocf:pacemaker:Dummy params fake=\"two \\\"words\\\"\" passwd=secret meta target-role=Stopped \
        op monitor interval=10s timeout=20s op_params trace_ra=1\n\
        primitive b Dummy params rule #uname eq n1 fake=1 params fake=2\n\
        group g a b\nclone c g meta interleave=true\n\
        colocation w inf: ( a b ) c\nlocation l a 100: n1\nproperty batch-limit=3\n\
        fencing_topology n1: x,y z\n";

    fn shown(filter: &[&str]) -> (Value, String) {
        let mut cib = Cib::new();
        // What the devices are is of no interest here.
        let text =
            format!("{TEXT}primitive x stonith:null\nprimitive y stonith:null\nprimitive z stonith:null\n");
        let statements = crate::parse(&text).expect("a text");
        crate::apply(&mut cib, &statements, crate::Mode::Update).expect("it fits");
        let filter = Filter::parse(filter.iter().copied()).expect("a filter");
        let json = serde_json::from_str(&show_json(&cib, &filter)).expect("JSON");
        (json, crate::show(&cib, &filter))
    }

    #[test]
    fn the_texts_of_all_objects_are_what_show_tells() {
        for filter in [&[][..], &["type:primitive"], &["a", "l"], &["obscure:pass*"]] {
            let (json, text) = shown(filter);
            let objects = json["objects"].as_array().expect("a list");
            let texts = objects.iter().filter_map(|object| object["text"].as_str());
            assert_eq!(texts.map(|text| format!("{text}\n")).collect::<String>(), text, "{filter:?}");
        }
    }

    #[test]
    fn what_a_program_looks_for_has_a_place_of_its_own() {
        let (json, _) = shown(&[]);
        let object = |id: &str| {
            let objects = json["objects"].as_array().expect("a list");
            objects.iter().find(|object| object["id"] == id).cloned().expect(id)
        };
        let a = object("a");
        assert_eq!(a["type"], "primitive");
        assert_eq!(a["attributes"], json!({"class": "ocf", "provider": "pacemaker", "type": "Dummy"}));
        assert_eq!(a["params"][0]["values"], json!({"fake": "two \"words\"", "passwd": "secret"}));
        assert_eq!(a["meta"][0]["values"]["target-role"], "Stopped");
        assert_eq!(a["operations"][0]["attributes"]["interval"], "10s");
        assert_eq!(a["operations"][0]["params"][0]["values"]["trace_ra"], "1");
        assert_eq!(object("b")["params"][0]["parts"][0]["element"], "rule");
        assert_eq!(object("b")["params"][1]["values"]["fake"], "2");
        assert_eq!(object("g")["members"], json!(["a", "b"]));
        assert_eq!(object("c")["members"], json!(["g"]));
        assert_eq!(object("n1")["attributes"], json!({"id": "1", "uname": "n1"}));
        assert_eq!(object("n1")["params"][0]["values"]["rack"], "a");
        assert_eq!(object("l")["attributes"], json!({"rsc": "a", "node": "n1", "score": "100"}));
        assert_eq!(object("w")["parts"][0]["parts"][1]["attributes"]["id"], "b");
        assert_eq!(object("cib-bootstrap-options")["values"]["batch-limit"], "3");
        assert_eq!(object("fencing_topology")["parts"][1]["attributes"]["devices"], "z");
    }

    #[test]
    fn hidden_values_are_hidden_everywhere() {
        let (json, _) = shown(&["obscure:pass*"]);
        assert!(!json.to_string().contains("secret") && json.to_string().contains("two"), "{json}");
    }
}
