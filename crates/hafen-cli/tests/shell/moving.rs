//! Moving: what is said of the constraint, `--once` as far as it is decided beforehand, and the reminders.

use std::fs;

use crate::Cluster;

/// Three hosts; `d` and both members of `g` run on node1, and stick with 100 each.
fn running(constraints: &str) -> Cluster {
    let record = |id: &str, operation: &str, rc: u32| {
        format!(
            r#"<lrm_resource id="{id}" class="ocf" provider="pacemaker" type="Dummy"><lrm_rsc_op id="{id}_last_0" operation="{operation}" call-id="1" rc-code="{rc}" op-status="0" interval="0" transition-key="1:1:{rc}:0a0a0a0a-0000-4000-8000-000000000000"/></lrm_resource>"#
        )
    };
    let mut states = String::new();
    for (number, (operation, rc)) in [("1", ("start", 0)), ("2", ("monitor", 7)), ("3", ("monitor", 7))] {
        let records: String = ["d", "a", "b"].iter().map(|id| record(id, operation, rc)).collect();
        states += &format!(
            r#"<node_state id="{number}" uname="node{number}" in_ccm="true" crmd="online" join="member" expected="member"><lrm id="{number}"><lrm_resources>{records}</lrm_resources></lrm></node_state>"#
        );
    }
    let dummy = |id: &str| format!(r#"<primitive id="{id}" class="ocf" provider="pacemaker" type="Dummy"/>"#);
    let cluster = Cluster::new();
    let cib = format!(
        r#"<cib crm_feature_set="3.20.0" validate-with="pacemaker-4.0" epoch="1" num_updates="0" admin_epoch="0" have-quorum="1">
        <configuration><crm_config><cluster_property_set id="p"><nvpair id="s" name="stonith-enabled" value="false"/>
        </cluster_property_set></crm_config><nodes><node id="1" uname="node1"/><node id="2" uname="node2"/><node id="3" uname="node3"/>
        </nodes><resources>{}<group id="g">{}{}</group></resources><constraints>{constraints}</constraints><rsc_defaults>
        <meta_attributes id="r"><nvpair id="rs" name="resource-stickiness" value="100"/></meta_attributes></rsc_defaults>
        </configuration><status>{states}</status></cib>"#,
        dummy("d"),
        dummy("a"),
        dummy("b")
    );
    fs::write(cluster.path("cib.xml"), cib).expect("written");
    cluster
}

fn location(id: &str, resource: &str, host: &str, score: &str) -> String {
    format!(r#"<rsc_location id="{id}" rsc="{resource}" node="{host}" score="{score}"/>"#)
}

/// What is refused, with nothing changed; what it says on standard error.
fn refused(cluster: &Cluster, words: &str) -> String {
    let before = cluster.cib();
    let said = cluster.crm(words);
    assert_ne!(said.status, 0, "crm {words}: {said:?}");
    assert_eq!(cluster.cib(), before, "{words}");
    said.err
}

#[test]
fn a_move_says_which_constraint_it_leaves() {
    let cluster = running("");
    assert_eq!(
        cluster.done("resource move d node2"),
        "This left a constraint behind:\n  location cli-prefer-d d role=Started inf: node2\n\
         It counts until you take it away: `crm resource clear d` does that.\n"
    );
    let said = cluster.done("resource ban g node3");
    assert!(
        said.contains(
            "This left a constraint behind:\n  location cli-ban-g-on-node3 g role=Started -inf: node3\n"
        ),
        "{said}"
    );
    assert!(
        said.ends_with("It counts until you take it away: `crm resource clear g` does that.\n"),
        "{said}"
    );
    let said = cluster.done("resource move g node2 force");
    assert!(
        said.contains(
            "This left constraints behind:\n  location cli-ban-g-on-node1 g role=Started -inf: node1\n  \
             location cli-prefer-g g role=Started inf: node2\n"
        ),
        "{said}"
    );
    assert!(said.contains("They count until you take them away"), "{said}");
}

#[test]
fn a_move_with_an_end_says_when_that_is() {
    for (words, id) in [
        ("resource move d node2 --until 2h", "cli-prefer-d"),
        ("resource move d node2 PT2H", "cli-prefer-d"),
        ("resource ban d node1 --until 1h30m", "cli-ban-d-on-node1"),
    ] {
        let cluster = running("");
        let said = cluster.done(words);
        let cib = cluster.cib();
        let end = cib.split_once("end=\"").and_then(|(_, rest)| rest.split_once('"')).expect("an end").0;
        assert!(end.ends_with('Z') && end.len() == "2026-11-22 17:44:58Z".len(), "{end}");
        assert!(said.contains(&format!("  location {id} d role=Started ")), "{said}");
        assert!(said.contains(&format!(" and date lt \"{end}\"\n")), "{said}");
        assert!(
            said.ends_with(&format!(
                "It counts until {end}; `crm resource clear d` takes it away, before or after that.\n"
            )),
            "{said}"
        );
        assert_eq!(said.matches("constraint behind").count(), 1);
    }
}

#[test]
fn once_is_refused_where_the_policy_moves_it_back() {
    let home = location("home", "d", "node1", "200");
    let told = refused(&running(&home), "resource move d node2 --once");
    assert!(
        told.starts_with(
            "error: nothing is changed: d would get to node2, but not stay there without the constraint\n"
        ),
        "{told}"
    );
    // The ledger: both scores, and what they are made of.
    for part in
        ["Scores of d:", "node1", "200", "location constraint home", "node2", "100", "resource-stickiness"]
    {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(told.contains("`crm resource move d node2 --until 2h` keeps it there for a while"), "{told}");
    // A group sticks with all its members.
    let home = location("home", "g", "node1", "300");
    let told = refused(&running(&home), "resource move g node2 --once");
    assert!(told.contains("g would get to node2, but not stay there") && told.contains("home"), "{told}");
}

#[test]
fn once_is_refused_where_it_never_gets_there() {
    let never = location("never", "d", "node2", "-INFINITY");
    let told = refused(&running(&never), "resource move d node2 --once");
    assert!(
        told.starts_with("error: nothing is changed: d would not get to node2, whatever prefers it there\n"),
        "{told}"
    );
    assert!(told.contains("location constraint never"), "{told}");
    let half = location("half", "b", "node2", "-INFINITY");
    let told = refused(&running(&half), "resource move g node2 --once");
    assert!(told.contains("g would not get to node2") && told.contains("half"), "{told}");
}

#[test]
fn once_needs_a_host_and_a_cluster() {
    // What is weaker than the stickiness does not call it back.
    let cluster = running(&location("home", "d", "node1", "50"));
    let told = refused(&cluster, "resource move d node2 --once");
    assert!(told.contains("nothing is changed") && told.contains("behind a file"), "{told}");
    assert!(refused(&cluster, "resource move d --once").contains("needs the host"));
    assert!(refused(&cluster, "resource move d node9 --once").contains("Node 'node9' not found"));
    assert!(refused(&cluster, "resource move x node2 --once").contains("Resource 'x' not found"));
    assert!(refused(&cluster, "resource move d node1 --once").contains("already exists"));
    assert!(refused(&cluster, "resource ban d node2 --once").contains("it is `ban ID"));
    assert!(refused(&cluster, "resource move d node2 --timeout 5m").contains("goes with it alone"));
}

#[test]
fn status_reminds_of_what_is_left_and_says_how_to_clear_it() {
    let cluster = running("");
    assert!(!cluster.done("status").contains("Left over"), "nothing is left");
    cluster.done("resource move d node2");
    cluster.done("resource ban g node3 --until 2h");
    let shown = cluster.done("status");
    let cib = cluster.cib();
    let end = cib.split_once("end=\"").and_then(|(_, rest)| rest.split_once('"')).expect("an end").0;
    assert!(
        shown.ends_with(&format!(
            "\n\nLeft over from moves:\n  * cli-prefer-d: d prefers node2 (INFINITY); `crm resource clear d` takes it away\n  \
             * cli-ban-g-on-node3: g keeps off node3 (-INFINITY) until {end}; `crm resource clear g` takes it away\n"
        )),
        "{shown}"
    );
    // Programs read the other forms, and some read only a part.
    for words in ["status --output-as=xml", "status --output-as=html", "status --exclude=resources"] {
        assert!(!cluster.done(words).contains("Left over"), "{words}");
    }
    assert!(!cluster.done("status --resource=d").contains("cli-ban-g"));
    cluster.done("resource clear d");
    let shown = cluster.done("status");
    assert!(!shown.contains("cli-prefer-d") && shown.contains("cli-ban-g-on-node3"), "{shown}");
}

#[test]
fn what_has_ended_is_said_to_be_over() {
    let over = r##"<rsc_location id="cli-prefer-d" rsc="d" role="Started"><rule id="r1" score="INFINITY" boolean-op="and">
        <expression id="e1" attribute="#uname" operation="eq" value="node2" type="string"/>
        <date_expression id="d1" operation="lt" end="2020-01-01 00:00:00Z"/></rule></rsc_location>"##;
    let shown = running(over).done("status");
    let wanted = "d preferred node2 (INFINITY) until 2020-01-01 00:00:00Z, which is over; `crm resource clear d` takes it away";
    assert!(shown.contains(wanted), "{shown}");
}
