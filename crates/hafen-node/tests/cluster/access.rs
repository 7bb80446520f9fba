//! Users whom access control lists restrict.

use hafen_cib::acl::User;
use hafen_node::api::Input;
use hafen_protocol::HostId;
use hafen_protocol::client::{AttributeMode, Edit, Reply, Request};

use crate::world::World;
use crate::{property, settled};

/// Ann reads all but passwords and sets maintenance-mode, the roles of resources and the attribute `ok` of hosts; nobody else may
/// do anything.
const GUARDED: &str = r#"<cib validate-with="pacemaker-4.0" admin_epoch="0" epoch="1" num_updates="0"><configuration>
<crm_config><cluster_property_set id="o"><nvpair id="o1" name="enable-acl" value="true"/>
<nvpair id="o2" name="stonith-enabled" value="false"/></cluster_property_set></crm_config><nodes/><resources>
<primitive id="vm1" class="ocf" provider="test" type="vm"><instance_attributes id="vm1-i">
<nvpair id="vm1-p" name="passwd" value="geheim"/></instance_attributes></primitive>
</resources><constraints/><acls>
<acl_role id="r"><acl_permission id="r1" kind="read" xpath="/cib"/>
<acl_permission id="r2" kind="deny" xpath="//nvpair[@name='passwd']"/>
<acl_permission id="r3" kind="write" xpath="//nvpair[@name='maintenance-mode']"/>
<acl_permission id="r4" kind="write" xpath="//nvpair[@name='ok']"/></acl_role>
<acl_role id="s"><acl_permission id="s1" kind="write" xpath="/cib/status"/></acl_role>
<acl_target id="ann"><role id="r"/></acl_target><acl_group id="ops"><role id="s"/></acl_group></acls>
</configuration><status/></cib>"#;

fn user(name: &str, group: &str) -> User {
    User { name: name.to_string(), groups: vec![group.to_string()] }
}

fn ask(world: &mut World, user: &User, body: Request) -> Reply {
    let request = world.number();
    world.input(HostId(2), Input::ClientAs { request, user: user.clone(), body });
    world.until("an answer", |world| world.replies.contains_key(&request));
    world.replies.remove(&request).expect("the answer")
}

fn refused(world: &mut World, user: &User, body: Request) -> String {
    match ask(world, user, body) {
        Reply::Failed(failure) if failure.kind == "permission" => failure.message,
        other => panic!("{other:?}"),
    }
}

fn attribute(name: &str) -> Request {
    let (name, value) = (name.to_string(), Some("1".to_string()));
    Request::SetAttribute { host: None, name, value, dampen_ms: None, mode: AttributeMode::Value }
}

fn cluster() -> World {
    let mut world = World::new(3, GUARDED);
    world.until("a cluster", |world| settled(world, 1));
    world
}

#[test]
fn a_user_reads_what_the_lists_permit() {
    let mut world = cluster();
    let Reply::Xml { xml } = ask(&mut world, &user("ann", "x"), Request::Cib { status: true }) else {
        panic!()
    };
    assert!(xml.contains("vm1") && xml.contains("node_state") && !xml.contains("geheim"), "{xml}");
    assert_eq!(
        refused(&mut world, &user("bob", "x"), Request::Cib { status: true }),
        "bob may not read the CIB"
    );
    let Reply::Xml { xml } = ask(&mut world, &user("bob", "ops"), Request::Cib { status: true }) else {
        panic!()
    };
    assert!(xml.contains("<resources/>") && xml.contains("node_state") && xml.contains("epoch="), "{xml}");
    let almighty = ask(&mut world, &user("hacluster", "x"), Request::Cib { status: false });
    assert!(matches!(almighty, Reply::Xml { xml } if xml.contains("geheim")));
    let Reply::Status(report) = ask(&mut world, &user("bob", "ops"), Request::Status) else { panic!() };
    assert!(report.resources.is_empty() && report.warnings.is_empty(), "{report:?}");
    let events = Request::Events { after: None, follow: false };
    assert!(world.node(1).permits(&user("ann", "x"), &events).is_err());
    assert!(world.node(1).permits(&user("root", "x"), &events).is_ok());
}

#[test]
fn a_user_changes_what_the_lists_permit() {
    let mut world = cluster();
    let (ann, bob) = (user("ann", "x"), user("bob", "x"));
    assert_eq!(ask(&mut world, &ann, property("maintenance-mode", "true")), Reply::Done { note: None });
    assert!(world.node(3).replica().cib().property_boolean("maintenance-mode"));
    assert!(world.story().contains("ann: a test"), "who asked is on record:\n{}", world.story());
    let told = refused(&mut world, &ann, property("no-quorum-policy", "ignore"));
    assert!(told.starts_with("ann may not create /cib/configuration/crm_config"), "{told}");
    let told = refused(&mut world, &ann, property("enable-acl", "false"));
    assert!(told.starts_with("ann may not change") && told.ends_with("nvpair[@id='o1']"), "{told}");
    refused(&mut world, &bob, property("maintenance-mode", "false"));
    let seen = ask(&mut world, &ann, Request::Cib { status: false });
    let Reply::Xml { xml } = seen else { panic!("{seen:?}") };
    // All that ann sees, put in the place of all: what she does not see would go.
    let whole = Request::Change {
        edits: vec![Edit::ReplaceAll { xml }],
        without_quorum: false,
        origin: String::new(),
        written: None,
    };
    assert!(refused(&mut world, &ann, whole).ends_with("nvpair[@id='vm1-p']"));
    // The lists count from the moment that they are enabled, and until they are not.
    let off = world.ask(2, property("enable-acl", "false"));
    world.until("an answer", |world| world.replies.contains_key(&off));
    assert_eq!(ask(&mut world, &bob, property("maintenance-mode", "false")), Reply::Done { note: None });
}

#[test]
fn what_is_no_change_of_the_configuration_needs_rights_too() {
    let mut world = cluster();
    let (ann, operator) = (user("ann", "x"), user("bob", "ops"));
    assert_eq!(ask(&mut world, &ann, attribute("ok")), Reply::Done { note: None });
    assert!(refused(&mut world, &ann, attribute("other")).starts_with("ann may not create /cib/status"));
    assert_eq!(ask(&mut world, &operator, attribute("other")), Reply::Done { note: None });
    let seen = |world: &mut World, user: &User| {
        let all = Request::QueryAttribute { name: None, host: None };
        let Reply::Attributes { attributes } = ask(world, user, all) else { panic!() };
        attributes.iter().filter(|attribute| attribute.name != "#feature-set").count()
    };
    assert_eq!((seen(&mut world, &ann), seen(&mut world, &user("eve", "x"))), (2, 0));
    let clean_up = Request::Cleanup { resource: "vm1".to_string(), host: None, failures: None };
    let fail = Request::Fail { resource: "vm1".to_string(), host: "host2".to_string() };
    assert_eq!(refused(&mut world, &ann, fail), "ann may not fail vm1");
    assert_eq!(refused(&mut world, &ann, clean_up.clone()), "ann may not clean up vm1");
    assert_eq!(ask(&mut world, &operator, clean_up), Reply::Done { note: None });
    let fence =
        Request::Fence { host: "host3".to_string(), action: "off".to_string(), origin: String::new() };
    assert_eq!(refused(&mut world, &ann, fence.clone()), "ann may not do that to host3");
    assert!(matches!(ask(&mut world, &operator, fence), Reply::Done { .. }));
    assert_eq!(refused(&mut world, &ann, Request::Shutdown), "ann may not do that to host2");
    let other = Request::As { user: "root".to_string(), body: Box::new(Request::Shutdown) };
    refused(&mut world, &operator, other);
}

#[test]
fn who_changed_it_last_is_the_nodes_to_say() {
    let mut world = cluster();
    let signed = |world: &World| {
        let cib = world.node(3).replica().cib();
        ["cib-last-written", "update-origin", "update-client", "update-user"]
            .map(|name| cib.root().attribute(name).unwrap_or_default().to_string())
    };
    let Request::Change { edits, without_quorum, .. } = property("maintenance-mode", "true") else {
        panic!()
    };
    let (origin, written) = ("root: a tool".to_string(), Some("then".to_string()));
    let change = Request::Change { edits, without_quorum, origin, written };
    assert_eq!(ask(&mut world, &user("ann", "x"), change), Reply::Done { note: None });
    assert_eq!(signed(&world), ["then", "host2", "a tool", "ann"]);
    // What a client writes there itself does not count.
    let xml = world.node(2).replica().cib().to_xml();
    let forged =
        xml.replace("update-user=\"ann\"", "update-user=\"bob\"").replace("value=\"true\"", "value=\"yes\"");
    assert_ne!(xml, forged);
    let edits = vec![Edit::ReplaceAll { xml: forged }];
    let change = Request::Change { edits, without_quorum: false, origin: "x".to_string(), written: None };
    assert_eq!(ask(&mut world, &user("root", "x"), change), Reply::Done { note: None });
    assert_eq!(signed(&world), ["then", "host2", "a tool", "ann"]);
}
