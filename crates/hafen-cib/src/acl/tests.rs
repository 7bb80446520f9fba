use super::*;

const BODY: &str = r#"<resources>
    <primitive id="a" class="ocf" provider="pacemaker" type="Dummy"><!-- of a -->
      <instance_attributes id="a-ia"><nvpair id="a-p" name="passwd" value="x1"/><nvpair id="a-f" name="fake" value="x2"/></instance_attributes>
    </primitive>
    <group id="g"><primitive id="b" class="ocf" provider="pacemaker" type="Dummy"/><primitive id="c" class="ocf" provider="pacemaker" type="Dummy"/></group>
  </resources>"#;

fn cib(permissions: &[&str], body: &str) -> Cib {
    let permissions: String = (0..)
        .zip(permissions)
        .map(|(at, permission)| format!("<acl_permission id=\"p{at}\" {permission}/>"))
        .collect();
    let text = format!(
        r#"<cib epoch="3" validate-with="pacemaker-4.0"><configuration>
  <crm_config><cluster_property_set id="o"><nvpair id="o-acl" name="enable-acl" value="true"/></cluster_property_set></crm_config>
  <nodes/>{body}<constraints/>
  <acls><acl_role id="r">{permissions}</acl_role><acl_target id="ann"><role id="r"/></acl_target>
  <acl_group id="ops-group" name="ops"><role id="r"/></acl_group></acls>
</configuration><status/></cib>"#
    );
    Cib::parse(&text).unwrap()
}

fn ann() -> User {
    User { name: "ann".to_owned(), groups: Vec::new() }
}

fn seen(permissions: &[&str], user: &User) -> Option<String> {
    let cib = cib(permissions, BODY);
    view(cib.document(), cib.document(), user).map(|view| view.root().to_xml_compact())
}

const READ_ALL: &str = r#"kind="read" xpath="/cib""#;

#[test]
fn what_may_not_be_read_is_not_there() {
    let fake = r#"kind="read" xpath="//nvpair[@name='fake']""#;
    assert_eq!(
        seen(&[fake], &ann()).unwrap(),
        "<cib><configuration><resources><primitive id=\"a\"><instance_attributes id=\"a-ia\">\
         <nvpair id=\"a-f\" name=\"fake\" value=\"x2\"/></instance_attributes></primitive></resources></configuration></cib>"
    );
    let secret = r#"kind="deny" xpath="//nvpair[@name='passwd']""#;
    let text = seen(&[READ_ALL, secret], &ann()).unwrap();
    assert!(!text.contains("x1") && text.contains("x2"), "{text}");
    assert_eq!(seen(&[], &ann()), None);
    let stranger = User { name: "bob".to_owned(), groups: vec!["users".to_owned()] };
    assert_eq!(seen(&[READ_ALL], &stranger), None);
}

#[test]
fn comments_in_what_is_hidden_are_hidden() {
    let text = seen(&[r#"kind="read" reference="a-ia""#], &ann()).unwrap();
    assert!(text.contains("a-f") && !text.contains("of a"), "{text}");
}

#[test]
fn groups_count_by_their_name() {
    let member = User { name: "bob".to_owned(), groups: vec!["users".to_owned(), "ops".to_owned()] };
    assert!(seen(&[READ_ALL], &member).is_some());
    let other = User { name: "bob".to_owned(), groups: vec!["ops-group".to_owned()] };
    assert_eq!(seen(&[READ_ALL], &other), None);
}

#[test]
fn a_denial_that_is_not_understood_denies_all() {
    assert_eq!(seen(&[READ_ALL, r#"kind="deny" xpath="//nvpair[""#], &ann()), None);
    assert_eq!(seen(&[READ_ALL, r#"kind="deny" xpath="//text()""#], &ann()), None);
    assert!(seen(&[READ_ALL, r#"kind="write" xpath="//nvpair[""#], &ann()).is_some());
}

#[test]
fn lists_count_where_they_are_enabled_and_not_for_root() {
    let cib = cib(&[], BODY);
    let user = |name: &str| User { name: name.to_owned(), groups: Vec::new() };
    assert!(applies(&cib, &user("ann")));
    assert!(!applies(&cib, &user("root")) && !applies(&cib, &user("hacluster")));
    assert!(!applies(&Cib::new(), &user("ann")));
}

/// Whether ann may turn one body into another.
fn change(permissions: &[&str], from: &str, to: &str) -> Result<(), String> {
    assert!(BODY.contains(from), "{from}");
    let body = BODY.replace(from, to);
    allowed(&cib(permissions, BODY), &cib(permissions, &body), &ann()).map_err(|denied| denied.to_string())
}

#[test]
fn changes_need_the_right_to_write() {
    let fake = r#"kind="write" xpath="//nvpair[@name='fake']""#;
    assert_eq!(change(&[READ_ALL, fake], "x2", "y"), Ok(()));
    assert_eq!(
        change(&[READ_ALL, fake], "x1", "y").unwrap_err(),
        "ann may not change /cib/configuration/resources/primitive[@id='a']/instance_attributes[@id='a-ia']/nvpair[@id='a-p']"
    );
    assert!(change(&[READ_ALL], "x2", "y").is_err());
    assert!(change(&[r#"kind="write" xpath="/cib""#, r#"kind="deny" reference="a""#], "x2", "y").is_err());
    assert_eq!(change(&[r#"kind="write" xpath="/cib""#, r#"kind="read" reference="a""#], "x2", "y"), Ok(()));
}

#[test]
fn an_element_stays_what_the_right_is_for() {
    let fake = r#"kind="write" xpath="//nvpair[@name='fake']""#;
    assert!(change(&[READ_ALL, fake], "name=\"fake\"", "name=\"class\"").is_err());
    assert!(change(&[READ_ALL, fake], "name=\"passwd\"", "name=\"fake\"").is_err());
}

#[test]
fn scaffolding_comes_with_what_it_carries() {
    let op = [READ_ALL, r#"kind="write" object-type="op""#];
    let end = "</instance_attributes>";
    let with = |inner: &str| format!("{end}{inner}");
    assert_eq!(change(&op, end, &with("<operations id=\"x\"><op id=\"m\"/></operations>")), Ok(()));
    assert!(change(&op, end, &with("<operations id=\"x\" a=\"b\"><op id=\"m\"/></operations>")).is_err());
    assert!(change(&op, end, &with("<operations id=\"x\"/>")).is_err());
    assert!(change(&op, end, &with("<operations><op id=\"m\"/><other id=\"q\"/></operations>")).is_err());
}

#[test]
fn order_and_deletion_are_changes() {
    let (b, c) = (
        r#"<primitive id="b" class="ocf" provider="pacemaker" type="Dummy"/>"#,
        r#"<primitive id="c" class="ocf" provider="pacemaker" type="Dummy"/>"#,
    );
    let (both, turned) = (format!("{b}{c}"), format!("{c}{b}"));
    assert_eq!(
        change(&[READ_ALL], &both, &turned).unwrap_err(),
        "ann may not reorder /cib/configuration/resources/group[@id='g']"
    );
    assert_eq!(change(&[READ_ALL, r#"kind="write" reference="g""#], &both, &turned), Ok(()));
    assert!(change(&[READ_ALL], c, "").is_err());
    assert_eq!(change(&[READ_ALL, r#"kind="write" reference="c""#], c, ""), Ok(()));
}

#[test]
fn nobody_permits_himself_anything() {
    let lists = [READ_ALL, r#"kind="write" xpath="//acls""#];
    let before = cib(&lists, BODY);
    let mut after = cib(&[READ_ALL, r#"kind="write" xpath="/cib""#], &BODY.replace("x2", "y"));
    after.bump_epoch();
    let denied = allowed(&before, &after, &ann()).unwrap_err();
    assert!(denied.place.ends_with("nvpair[@id='a-f']"), "{denied}");
}

#[test]
fn a_bump_is_a_change_of_the_whole() {
    let before = cib(&[READ_ALL], BODY);
    let mut after = before.clone();
    after.bump_epoch();
    assert!(allowed(&before, &after, &ann()).is_err());
    assert_eq!(allowed(&before, &before, &ann()), Ok(()));
}

#[test]
fn users_are_read_off_the_tables_of_the_system() {
    let (passwd, group) =
        ("root:x:0:0::/:\nann:x:1001:100::/:\n", "root:x:0:\nusers:x:100:\nhaclient:x:107:bob,ann\n");
    let ann = User { name: "ann".to_owned(), groups: vec!["users".to_owned(), "haclient".to_owned()] };
    assert_eq!(User::named("ann", passwd, group), ann);
    assert_eq!(User::numbered(1001, 100, passwd, group), ann);
    let unknown = User { name: "#12345".to_owned(), groups: vec!["haclient".to_owned()] };
    assert_eq!(User::numbered(12345, 107, passwd, group), unknown);
    assert_eq!(User::named("eve", passwd, group).groups, Vec::<String>::new());
}
