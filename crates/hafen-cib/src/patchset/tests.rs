use proptest::prelude::*;

use super::*;

fn cib(source: &str) -> Cib {
    Cib::parse(source).expect(source)
}

const OLD: &str = r#"<cib crm_feature_set="3.20.0" epoch="5" num_updates="3" admin_epoch="0">
  <configuration>
    <crm_config><cluster_property_set id="ps"><nvpair id="ps-a" name="a" value="false"/></cluster_property_set></crm_config>
    <nodes><node id="1" uname="n1"/><node id="2" uname="n2"/></nodes>
    <resources>
      <!-- keep me -->
      <primitive id="r1" type="Dummy"/>
      <primitive id="r2" type="Dummy"/>
      <primitive id="r3" type="Dummy"><operations><op id="o1" name="monitor" interval="10s"/></operations></primitive>
    </resources>
    <constraints/>
  </configuration>
  <status/>
</cib>"#;

const NEW: &str = r#"<cib crm_feature_set="3.20.0" epoch="6" num_updates="0" admin_epoch="0" have-quorum="1">
  <configuration>
    <crm_config><cluster_property_set id="ps"><nvpair id="ps-a" name="a" value="true"/></cluster_property_set></crm_config>
    <nodes><node id="1" uname="n1"/></nodes>
    <resources>
      <primitive id="r3" type="Dummy2"><operations><op id="o1" name="monitor" timeout="3"/></operations></primitive>
      <!-- keep me -->
      <primitive id="r1" type="Dummy"/>
      <!-- second -->
      <primitive id="r4" type="Dummy"><meta_attributes id="m"/></primitive>
      <primitive id="r2" type="Dummy"/>
    </resources>
    <constraints><rsc_location id="l" rsc="r1" score="1" node="n1"/></constraints>
  </configuration>
  <status/>
</cib>"#;

#[test]
fn a_patchset_reads_like_pacemakers() {
    let (old, new) = (cib(OLD), cib(NEW));
    let patchset = Patchset::diff(&old, &new);
    let changes: Vec<String> = patchset
        .changes()
        .map(|change| match change {
            Change::Create { parent, position, .. } => format!("create {parent} {position}"),
            Change::Modify { path, attributes } => format!("modify {path} {}", attributes.len()),
            Change::Delete { path, .. } => format!("delete {path}"),
            Change::Move { path, position } => format!("move {path} {position}"),
            Change::Replace { .. } => "replace".to_string(),
        })
        .collect();
    assert_eq!(
        changes,
        [
            "delete /cib/configuration/nodes/node[@id='2']",
            "modify /cib 3",
            "modify /cib/configuration/crm_config/cluster_property_set[@id='ps']/nvpair[@id='ps-a'] 1",
            "modify /cib/configuration/resources/primitive[@id='r3'] 1",
            "modify /cib/configuration/resources/primitive[@id='r3']/operations/op[@id='o1'] 2",
            "move /cib/configuration/resources/primitive[@id='r3'] 0",
            "create /cib/configuration/resources 3",
            "create /cib/configuration/resources 4",
            "create /cib/configuration/constraints 0",
        ]
    );
    let mut patched = old.clone();
    Patchset::from_xml(&patchset.to_xml()).expect("reads").apply(&mut patched).expect("applies");
    assert_eq!(patched.to_xml(), new.to_xml());
    assert!(patchset.changes_configuration() && !patchset.changes_status());
}

/// What Pacemaker's `crm_diff --cib` makes of a move, a comment and two changed elements.
#[test]
fn pacemakers_own_patchset_applies() {
    let patchset = r#"<diff format="2"><version><source admin_epoch="0" epoch="5" num_updates="3"/>
<target admin_epoch="0" epoch="6" num_updates="0"/></version>
<change operation="delete" path="/cib/configuration/nodes/node[@id='2']"/>
<change operation="delete" path="/cib/configuration/resources/comment" position="0"/>
<change operation="modify" path="/cib"><change-list><change-attr name="epoch" operation="set" value="6"/>
<change-attr name="num_updates" operation="set" value="0"/><change-attr name="have-quorum" operation="set" value="1"/></change-list></change>
<change operation="modify" path="/cib/configuration/crm_config/cluster_property_set[@id='ps']/nvpair[@id='ps-a']">
<change-list><change-attr name="value" operation="set" value="true"/></change-list></change>
<change operation="modify" path="/cib/configuration/resources/primitive[@id='r3']"><change-list>
<change-attr name="type" operation="set" value="Dummy2"/></change-list></change>
<change operation="modify" path="/cib/configuration/resources/primitive[@id='r3']/operations/op[@id='o1']"><change-list>
<change-attr name="timeout" operation="set" value="3"/><change-attr name="interval" operation="unset"/></change-list></change>
<change operation="move" path="/cib/configuration/resources/primitive[@id='r3']" position="0"/>
<change operation="create" path="/cib/configuration/resources" position="1"><!-- keep me --></change>
<change operation="move" path="/cib/configuration/resources/primitive[@id='r1']" position="2"/>
<change operation="create" path="/cib/configuration/resources" position="3"><!-- second --></change>
<change operation="create" path="/cib/configuration/resources" position="4"><primitive id="r4" type="Dummy"><meta_attributes id="m"/></primitive></change>
<change operation="create" path="/cib/configuration/constraints" position="0"><rsc_location id="l" rsc="r1" score="1" node="n1"/></change>
</diff>"#;
    let mut patched = cib(OLD);
    Patchset::from_xml(patchset).expect("reads").apply(&mut patched).expect("applies");
    assert_eq!(patched.to_xml(), cib(NEW).to_xml());
}

#[test]
fn an_error_leaves_the_cib_as_it_was() {
    let (old, new) = (cib(OLD), cib(NEW));
    let patchset = Patchset::diff(&old, &new);
    let xml = patchset.to_xml();
    let broken = [
        (xml.replacen("num_updates=\"3\"", "num_updates=\"4\"", 1), "starts from version 0.5.4"),
        (xml.replacen("value=\"Dummy2\"", "value=\"Dummy3\"", 1), "digest"),
        (xml.replacen("node[@id='2']", "node[@id='9']", 1), "node[@id='9']"),
        (xml.replacen("/op[@id='o1']", "/op[@id='o2']", 1), "op[@id='o2']"),
        (
            xml.replacen(
                "name=\"epoch\" operation=\"set\" value=\"6\"",
                "name=\"epoch\" operation=\"set\" value=\"7\"",
                1,
            ),
            "0.7.0",
        ),
        (
            xml.replacen(
                "move\" path=\"/cib/configuration/resources/primitive[@id='r3']",
                "move\" path=\"/cib",
                1,
            ),
            "/cib",
        ),
    ];
    for (source, part) in broken {
        let mut patched = old.clone();
        let error = Patchset::from_xml(&source).expect("reads").apply(&mut patched).expect_err(part);
        assert!(error.to_string().contains(part), "{error}");
        assert_eq!(patched.to_xml(), old.to_xml(), "{part}");
        assert_eq!(patched.digest(), old.digest());
        assert!(patched.document().by_id("r4").is_none());
        patchset.apply(&mut patched).expect("still applies");
        assert_eq!(patched.to_xml(), new.to_xml());
    }
}

#[test]
fn malformed_patchsets_are_refused() {
    let version = "<version><source admin_epoch='0' epoch='0' num_updates='0'/><target admin_epoch='0' epoch='0' num_updates='0'/></version>";
    for (source, part) in [
        ("<diff/>".to_string(), "format"),
        ("<diff format='2'/>".to_string(), "<version>"),
        (format!("<diff format='2'>{version}<change operation='x' path='/cib'/></diff>"), "`x`"),
        (format!("<diff format='2'>{version}<change operation='delete' path='//cib'/></diff>"), "//cib"),
        (format!("<diff format='2'>{version}<change operation='delete' path='/cib/a[b]'/></diff>"), "path"),
        (format!("<diff format='2'>{version}<change operation='create' path='/cib'/></diff>"), "position"),
        (format!("<diff format='2'>{version}<change operation='modify' path='/cib'/></diff>"), "change-list"),
        (
            format!(
                "<diff format='2'>{version}<change operation='modify' path='/cib'><change-list><change-attr name='&lt;' operation='unset'/></change-list></change></diff>"
            ),
            "name",
        ),
        (
            format!(
                "<diff format='2'>{version}<change operation='replace' path='/cib/status'><cib/></change></diff>"
            ),
            "replaced",
        ),
    ] {
        let error = Patchset::from_xml(&source).expect_err(&source);
        assert!(error.to_string().contains(part), "{source}: {error}");
    }
}

/// The digests that Debian 13's `cibadmin --md5-sum-versioned` prints.
#[test]
fn the_digest_for_tools_is_pacemakers() {
    let source = |inner: &str| format!("<cib crm_feature_set=\"3.20.0\" epoch=\"3\"{inner}</cib>");
    let plain = cib(&source("><configuration/><!-- c --><x a=\"&quot;&lt;'&gt;&amp;ä\"/>"));
    let more = cib(&source(
        " cib-last-written=\"x\" update-origin=\"o\"><configuration/><!-- c --><x crm-debug-origin=\"z\" a=\"&quot;&lt;'&gt;&amp;ä\">text</x>",
    ));
    assert_eq!(plain.digest_v3(), "5d116856ee5ac778c17586a26e123eab");
    assert_eq!(more.digest_v3(), plain.digest_v3());
    assert_ne!(more.digest(), plain.digest());
}

/// Edit steps for a random tree: small numbers that pick a node, an operation and a content.
fn steps() -> impl Strategy<Value = Vec<(u8, u8, u8)>> {
    prop::collection::vec((any::<u8>(), 0u8..9, 0u8..6), 0..40)
}

fn edit(cib: &mut Cib, steps: &[(u8, u8, u8)]) {
    const NAMES: [&str; 4] = ["a", "b", "comment", "group"];
    const VALUES: [&str; 6] = ["1", "2", "it's", "say \"no\"", "'\"", "<\n&>"];
    for (pick, operation, content) in steps {
        let nodes: Vec<NodeId> =
            std::iter::once(cib.root()).chain(cib.root().descendants()).map(Element::node).collect();
        let node = nodes[usize::from(*pick) % nodes.len()];
        let (name, value) = (NAMES[usize::from(*content) % 4], VALUES[usize::from(*content)]);
        let document = cib.document_mut();
        match operation {
            0 => document.append_comment(node, value),
            1 => document.set_attribute(node, "id", value),
            2 => document.set_attribute(node, name, value),
            3 => {
                document.remove_attribute(node, name);
            }
            4 | 5 => {
                let new = document.insert_element(node, usize::from(*content) % 3, name);
                if operation == &4 {
                    document.set_attribute(new, "id", value);
                }
            }
            6 if document.element(node).children().next().is_none() && nodes.len() > 3 => {
                document.set_text(node, value)
            }
            _ => shuffle(document, node, *operation, *content),
        }
    }
}

fn shuffle(document: &mut Document, node: NodeId, operation: u8, content: u8) {
    let element = document.element(node);
    let Some(parent) = element.parent().map(Element::node) else { return };
    let is_configuration = element.name() == "configuration";
    match operation {
        7 => document.move_to(node, parent, usize::from(content)),
        8 if content == 0 && !is_configuration => document.remove(node),
        _ => {
            document.duplicate(parent, usize::from(content), node);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn applying_a_difference_gives_the_other(first in steps(), second in steps(), third in steps()) {
        let mut old = cib("<cib epoch='1' num_updates='0' admin_epoch='0'><configuration/><status/></cib>");
        edit(&mut old, &first);
        let mut new = old.clone();
        edit(&mut new, &second);
        let mut other = cib("<cib epoch='2' num_updates='0' admin_epoch='0'><configuration/></cib>");
        edit(&mut other, &third);
        for target in [&new, &other, &old] {
            let patchset = Patchset::diff(&old, target);
            let read = Patchset::from_xml(&patchset.to_xml_compact()).expect("reads");
            prop_assert_eq!(read.to_xml(), patchset.to_xml());
            let mut patched = old.clone();
            let applied = read.apply(&mut patched);
            prop_assert!(applied.is_ok(), "{:?}\n{}\n{}\n{}", applied, old.to_xml(), target.to_xml(), patchset.to_xml());
            prop_assert_eq!(patched.to_xml(), target.to_xml());
            prop_assert_eq!(patched.digest(), target.digest());
        }
    }

    #[test]
    fn written_and_read_it_is_the_same(first in steps()) {
        let mut old = cib("<cib><configuration/><status/></cib>");
        edit(&mut old, &first);
        old.refresh_digest();
        edit(&mut old, &first);
        let read = cib(&old.to_xml());
        prop_assert_eq!(read.to_xml(), old.to_xml());
        prop_assert_eq!(read.digest(), old.digest());
        prop_assert_eq!(cib(&old.root().to_xml_compact()).digest(), old.refresh_digest());
    }
}
