use super::*;

fn round_trip(source: &str) -> String {
    let first = Document::parse(source).expect(source).to_xml();
    let second = Document::parse(&first).expect(&first).to_xml();
    assert_eq!(first, second, "{source}");
    first
}

#[test]
fn keeps_what_it_does_not_know() {
    let source = "<?xml version=\"1.0\"?>\n<!-- before -->\n<cib b=\"1\" a=\"2\">\n  <!-- inside -->\n  <?pi data?>\n  \
                  <unknown x:y=\"&amp;&lt;&quot;&#10;'\">one <b> two</b> <i/> three</unknown>\n</cib>\n<!-- after -->\n";
    assert_eq!(round_trip(source), source);
}

#[test]
fn blank_text_is_layout_unless_there_is_other_text() {
    assert_eq!(round_trip("<a>\n\n <b> </b>\n</a>"), "<a>\n  <b/>\n</a>\n");
    assert_eq!(round_trip("<a> <b/> x</a>"), "<a> <b/> x</a>\n");
    assert_eq!(round_trip("<a>&#32;</a>"), "<a>&#32;</a>\n");
    assert_eq!(round_trip("<a><![CDATA[<&>]]> <b/></a>"), "<a><![CDATA[<&>]]> <b/></a>\n");
    assert_eq!(round_trip("<a>x\r\ny&#13;</a>"), "<a>x\ny&#13;</a>\n");
    assert_eq!(round_trip("<a b='x\r\n\ty'/>"), "<a b=\"x  y\"/>\n");
}

#[test]
fn errors_have_line_and_column() {
    for (source, line, column, part) in [
        ("", 1, 1, "no element"),
        ("<a>\n  <b>\n</a>", 3, 1, "does not close"),
        ("<a>\n  <b x='1' x='2'/></a>", 2, 12, "twice"),
        ("<a>\u{0}</a>", 1, 4, "U+0000"),
        ("<a>ä\u{FFFF}</a>", 1, 5, "U+FFFF"),
        ("<!DOCTYPE a><a/>", 1, 1, "DOCTYPE"),
        ("<a>&foo;</a>", 1, 4, "&foo;"),
        ("<a b='&#0;'/>", 1, 7, "#0"),
        ("<a b=1/>", 1, 6, "quotes"),
        ("<a b='1'c='2'/>", 1, 9, "blank"),
        ("<a b/>", 1, 5, "`=`"),
        ("<a/><b/>", 1, 5, "outside"),
        ("<a/>x", 1, 5, "outside"),
        ("<1/>", 1, 2, "not a name"),
        ("</a>", 1, 1, "closes no element"),
        ("<a>\n<b", 2, 1, "not closed"),
        ("<a>", 1, 1, "not closed"),
        ("<a><!-- -- --></a>", 1, 9, "comment"),
        ("<a>]]></a>", 1, 4, "]]"),
        ("<?xml version='1.0' encoding='latin1'?><a/>", 1, 1, "latin1"),
        (" <?xml version='1.0'?><a/>", 1, 2, "first thing"),
        ("<a b='<'/>", 1, 7, "&lt;"),
        ("<a>a & b</a>", 1, 6, "&amp;"),
    ] {
        let error = Document::parse(source).expect_err(source);
        assert_eq!((error.line, error.column), (line, column), "{source:?}: {error}");
        assert!(error.to_string().contains(part), "{source:?}: {error}");
    }
    let error = Document::parse_bytes(b"<a>\n \xFF</a>").expect_err("not UTF-8");
    assert_eq!((error.line, error.column, error.kind), (2, 2, ParseErrorKind::InvalidUtf8));
}

#[test]
fn limits_are_named() {
    let limits = Limits { size_bytes: 1000, depth: 3, nodes: 10, attributes: 2, names: 5, name_bytes: 8 };
    for (source, name) in [
        ("x".repeat(1001), "size_bytes"),
        ("<a>".repeat(4), "depth"),
        (format!("<a>{}</a>", "<b/>".repeat(10)), "nodes"),
        ("<a b='' c='' d=''/>".to_string(), "attributes"),
        ("<a><b/><c/><d/><e/><f/></a>".to_string(), "names"),
        ("<abcdefghi/>".to_string(), "name_bytes"),
    ] {
        let error = Document::parse_within(&source, &limits).expect_err(&source);
        assert!(
            matches!(error.kind, ParseErrorKind::Limit { limit, .. } if limit == name),
            "{source}: {error}"
        );
    }
}

#[test]
fn the_id_index_follows_edits() {
    let mut document = Document::parse(
        "<cib><configuration><p id='a'><q id='b'/></p></configuration><status><s id='a'/><s id='c'/></status></cib>",
    )
    .expect("parses");
    assert_eq!(document.by_id("a").expect("a").name(), "p");
    assert!(document.by_id("c").is_none());
    let a = document.by_id("a").expect("a").node();
    let configuration = document.root().child("configuration").expect("configuration").node();
    document.set_attribute(a, "id", "z");
    assert!(document.by_id("a").is_none());
    assert_eq!(document.by_id("z").expect("z").node(), a);
    let copy = document.duplicate(configuration, 0, a);
    assert_eq!(document.all_by_id("b").len(), 2);
    assert_eq!(document.by_id("z").expect("z").node(), copy);
    document.remove(copy);
    assert_eq!(document.by_id("b").expect("b").parent().expect("parent").node(), a);
    let status = document.root().child("status").expect("status").node();
    document.move_to(a, status, 0);
    assert!(document.by_id("b").is_none());
    document.move_to(a, configuration, 9);
    assert!(document.by_id("b").is_some());
    assert!(document.remove_attribute(a, "id"));
    assert!(!document.remove_attribute(a, "id"));
    assert!(document.by_id("z").is_none());
}

#[test]
fn edits_keep_order_and_free_slots() {
    let mut document = Document::new("r");
    let root = document.root().node();
    for name in ["a", "c"] {
        document.append_element(root, name);
    }
    let b = document.insert_element(root, 1, "b");
    document.set_attribute(b, "k", "\u{1}<");
    document.append_comment(b, "x---");
    assert_eq!(
        document.to_xml(),
        "<r>\n  <a/>\n  <b k=\"\u{FFFD}&lt;\">\n    <!--x- - - -->\n  </b>\n  <c/>\n</r>\n"
    );
    round_trip(&document.to_xml());
    let slots = document.nodes.len();
    for _ in 0..5 {
        let b = document.root().child("b").expect("b").node();
        let copy = document.duplicate(root, 3, b);
        document.remove(copy);
    }
    assert_eq!(document.nodes.len(), slots + 2);
}

#[test]
fn what_goes_leaves_one_text_behind() {
    let mut document = Document::parse("<r>a<b/>c<d/>e<f/></r>").expect("parses");
    let child = |document: &Document, name: &str| document.root().child(name).expect("a child").node();
    let (b, d, f) = (child(&document, "b"), child(&document, "d"), child(&document, "f"));
    document.remove(b);
    assert_eq!(document.element(d).position(), 1);
    document.move_to(d, f, 0);
    assert_eq!(document.element(f).position(), 1);
    assert_eq!(document.root().text(), "ace");
    let before = document.insert_element_before(f, "x");
    assert_eq!((document.element(before).position(), document.element(f).position()), (1, 2));
    round_trip(&document.to_xml());
}

#[test]
fn abandoned_text_is_dropped() {
    let mut document = Document::parse("<r keep='k'/>").expect("parses");
    let root = document.root().node();
    for round in 0..10_000 {
        document.set_attribute(root, "a", &format!("{round:0>100}"));
    }
    assert!(document.text.len() < 300_000, "{}", document.text.len());
    assert_eq!(document.root().attribute("keep"), Some("k"));
    assert_eq!(document.root().attribute("a"), Some(format!("{:0>100}", 9999).as_str()));
}

#[test]
fn copies_carry_everything() {
    let source = Document::parse("<a><b x='1'>t<c/><!--k--></b><d/></a>").expect("parses");
    let mut target = Document::new("r");
    let root = target.root().node();
    target.append_copy(root, source.root());
    target.append_copy(root, source.root().child("d").expect("d"));
    assert_eq!(target.root().to_xml_compact(), "<r><a><b x=\"1\">t<c/><!--k--></b><d/></a><d/></r>");
}
