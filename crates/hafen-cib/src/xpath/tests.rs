//! XPath held against libxml2's answers: `libxml2.txt` has an expression and its value a line, nodes by the number of their
//! element in `cib.xml`.

use super::*;

const CIB: &str = include_str!("cib.xml");
const ANSWERS: &str = include_str!("libxml2.txt");

fn shown(value: &XPathValue<'_>, document: &Document) -> String {
    let root = document.root();
    let all: Vec<_> = std::iter::once(root).chain(root.descendants()).map(|element| element.node()).collect();
    let number = |element: Element<'_>| {
        all.iter().position(|node| *node == element.node()).expect("an element of the document")
    };
    match value {
        XPathValue::Boolean(value) => format!("boolean {value}"),
        XPathValue::Text(text) => format!("string {text}").trim_end().to_owned(),
        XPathValue::Number(number) => format!("number {number:?}").to_lowercase(),
        XPathValue::Nodes(nodes) => {
            // The document itself is not in the answers.
            let words = nodes.iter().filter_map(|node| match node {
                XPathNode::Root(_) => None,
                XPathNode::Element(element) => Some(number(*element).to_string()),
                XPathNode::Attribute(element, _, name, _) => Some(format!("{}@{name}", number(*element))),
            });
            format!("nodes {}", words.collect::<Vec<_>>().join(" ")).trim_end().to_owned()
        }
    }
}

#[test]
fn values_are_those_of_libxml2() {
    let document = Document::parse(CIB).expect("a CIB");
    let (mut count, mut wrong) = (0, Vec::new());
    for line in ANSWERS.lines() {
        let (expression, expected) = line.rsplit_once('\t').expect("an expression and a value");
        let parsed = XPath::parse(expression).unwrap_or_else(|error| panic!("{error}"));
        let value = parsed.evaluate(&document).unwrap_or_else(|error| panic!("{error}"));
        let got = shown(&value, &document);
        let same = match (got.strip_prefix("number "), expected.strip_prefix("number ")) {
            (Some(got), Some(expected)) => {
                got.parse::<f64>().map(f64::to_bits) == expected.parse().map(f64::to_bits)
            }
            _ => got == expected,
        };
        // Not a number has many forms.
        let both_are_none = got == "number nan" && expected == "number nan";
        if !same && !both_are_none {
            wrong.push(format!("{expression}: {got}, expected {expected}"));
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 500, "the answers are there");
}

#[test]
fn what_is_not_understood_is_an_error() {
    for (expression, words) in [
        ("//primitive[@id='vm1'", "column 22: ] is expected, not the end"),
        ("", "column 1: a name, an axis, *, @, . or .. is expected, not the end"),
        ("//", "a name, an axis"),
        ("//primitive[", "a name, an axis"),
        ("//primitive/@", "a name, an axis"),
        ("//primitive vm1", "an operator or the end is expected, not the name vm1"),
        ("//primitive[@id=\"vm1]", "column 17: a quoted text does not end"),
        ("//primitive/following::op", "column 13: the axis following:: is not supported"),
        ("namespace::x", "the axis namespace:: is not supported"),
        ("//x:primitive", "names with a prefix are not supported"),
        ("//primitive[$id]", "variables are not supported"),
        ("//primitive/text()", "the node test text() is not supported"),
        ("id('vm1')", "the function id() is not supported"),
        ("lang('de')", "the function lang() is not supported"),
        ("matches(@id, '^vm')", "the function matches() is not supported"),
        ("count()", "count() does not take 0 arguments"),
        ("not(1, 2)", "not() does not take 2 arguments"),
        ("//primitive[@id=#]", "'#' has no meaning here"),
        ("1 | 2", "it selects no nodes, but gives a value"),
        ("count('x')", "it selects no nodes, but gives a value"),
        ("('x')/a", "it selects no nodes, but gives a value"),
    ] {
        let document = Document::parse(CIB).expect("a CIB");
        let error = XPath::parse(expression).and_then(|parsed| parsed.evaluate(&document).map(|_| ()));
        let text = error.expect_err(expression).to_string();
        assert!(text.contains(words), "{expression}: {text}");
    }
}

#[test]
fn a_value_is_no_selection() {
    let document = Document::parse(CIB).expect("a CIB");
    let error = XPath::parse("count(//primitive)").expect("an expression").select(&document);
    assert_eq!(error.expect_err("a number").kind, XPathErrorKind::NotNodes);
    let found = XPath::parse("//primitive[1] | //@id").expect("an expression").elements(&document);
    assert!(found.expect("nodes").iter().all(|element| element.name() == "primitive"));
}

#[test]
fn deep_and_endless_expressions_end() {
    let document = Document::parse(CIB).expect("a CIB");
    let deep = format!("{}1{}", "(".repeat(5000), ")".repeat(5000));
    assert_eq!(XPath::parse(&deep).expect_err("deep").kind, XPathErrorKind::Depth);
    let nested = format!("//*{}", "[//*".repeat(30)) + &"]".repeat(30);
    let error = XPath::parse(&nested).expect("an expression").select(&document);
    assert_eq!(error.expect_err("endless").kind, XPathErrorKind::TooExpensive);
    let long = vec!["//*"; 2000].join("");
    assert!(XPath::parse(&long).expect("an expression").select(&document).is_ok());
    let minus = format!("{}1", "-".repeat(100_001));
    let value = XPath::parse(&minus).expect("an expression").evaluate(&document).expect("a number");
    assert_eq!(value.text(), "-1");
}

mod properties {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn garbage_is_borne(source in r#"[a-z@/\[\]()|*.:=<>!'"0-9 $-]{0,60}"#) {
            let document = Document::parse(CIB).expect("a CIB");
            if let Ok(parsed) = XPath::parse(&source) {
                let _ = parsed.evaluate(&document);
            }
        }
    }
}
