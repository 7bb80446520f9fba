//! Migrations that a user asks for: the constraints that `crm_resource --move` and `--ban` write, and what is left of them.

use hafen_cib::{Cib, Document, Element, NodeId};
use hafen_scheduler::{Leftover, leftovers};

use crate::sets::resource;
use crate::until::format_until;

/// Why a virtual machine cannot be moved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoveError {
    /// There is no such resource.
    #[error("there is no resource '{0}'")]
    NoSuchResource(String),
    /// There is no such host in the configuration.
    #[error("there is no host '{0}' in the configuration")]
    NoSuchHost(String),
    /// The end is no time that can be written.
    #[error("the end of the migration is not a time before the year 10000")]
    Until,
}

fn prefer_id(resource: &str) -> String {
    format!("cli-prefer-{resource}")
}

fn ban_id(resource: &str, host: &str) -> String {
    format!("cli-ban-{resource}-on-{host}")
}

/// Has a resource go to a host, as `crm_resource --move --node` does: an earlier move of it, and a ban of it from this
/// host, are taken back. With `until` (seconds since the epoch) it ends by itself.
pub fn move_to(cib: &mut Cib, resource_id: &str, host: &str, until: Option<i64>) -> Result<(), MoveError> {
    if resource(cib, resource_id).is_none() {
        return Err(MoveError::NoSuchResource(resource_id.to_owned()));
    }
    let mut hosts = cib.nodes().into_iter().flat_map(Element::children);
    if !hosts.any(|node| node.attribute("uname") == Some(host)) {
        return Err(MoveError::NoSuchHost(host.to_owned()));
    }
    let until = until.map(|seconds| format_until(seconds).ok_or(MoveError::Until)).transpose()?;
    remove_by_id(cib, &[prefer_id(resource_id), ban_id(resource_id, host)]);
    let constraints = cib.section_or_new("constraints");
    let document = cib.document_mut();
    let location = document.append_element(constraints, "rsc_location");
    set(document, location, &[("id", &prefer_id(resource_id)), ("rsc", resource_id), ("role", "Started")]);
    match until {
        None => set(document, location, &[("node", host), ("score", "INFINITY")]),
        Some(end) => append_rule(document, location, resource_id, host, &end),
    }
    Ok(())
}

fn set(document: &mut Document, node: NodeId, attributes: &[(&str, &str)]) {
    for (name, value) in attributes {
        document.set_attribute(node, name, value);
    }
}

fn append_rule(document: &mut Document, location: NodeId, resource: &str, host: &str, end: &str) {
    let rule = document.append_element(location, "rule");
    let id = format!("cli-prefer-rule-{resource}");
    set(document, rule, &[("id", &id), ("score", "INFINITY"), ("boolean-op", "and")]);
    let expression = document.append_element(rule, "expression");
    let id = format!("cli-prefer-expr-{resource}");
    let attributes = [
        ("id", id.as_str()),
        ("attribute", "#uname"),
        ("operation", "eq"),
        ("value", host),
        ("type", "string"),
    ];
    set(document, expression, &attributes);
    let date = document.append_element(rule, "date_expression");
    let id = format!("cli-prefer-lifetime-end-{resource}");
    set(document, date, &[("id", &id), ("operation", "lt"), ("end", end)]);
}

fn remove_by_id(cib: &mut Cib, ids: &[String]) {
    let constraints = cib.constraints().into_iter().flat_map(Element::children);
    let doomed = constraints.filter(|one| ids.iter().any(|id| one.id() == Some(id)));
    let doomed: Vec<NodeId> = doomed.map(Element::node).collect();
    for node in doomed {
        cib.document_mut().remove(node);
    }
}

/// Takes back what moves and bans of a resource left, as `crm_resource --clear` does; on one host or on all. The ids of
/// the constraints that are gone.
pub fn clear_moves(cib: &mut Cib, resource: &str, host: Option<&str>) -> Vec<String> {
    let ours = |one: &Leftover| one.resource == resource && host.is_none_or(|host| one.host == host);
    let ids: Vec<String> = leftovers(cib).into_iter().filter(ours).map(|one| one.id).collect();
    remove_by_id(cib, &ids);
    ids
}

#[cfg(test)]
mod tests {
    use hafen_scheduler::LeftoverKind;

    use super::*;

    /// 2026-11-22 17:44:58 UTC
    const END: i64 = 1_795_369_498;

    fn sample(constraints: &str) -> Cib {
        let xml = format!(
            r#"<cib admin_epoch="0" epoch="1" num_updates="0"><configuration><crm_config/>
            <nodes><node id="1" uname="host1"/><node id="2" uname="host2"/></nodes>
            <resources><primitive id="vm1" class="ocf" provider="hafen" type="qemu"/></resources>
            <constraints>{constraints}</constraints></configuration><status/></cib>"#
        );
        Cib::parse(&xml).expect("a CIB")
    }

    fn constraints(cib: &Cib) -> String {
        let all = cib.constraints().into_iter().flat_map(Element::children);
        all.map(|one| one.to_xml().lines().map(str::trim).collect::<String>()).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_move_is_written_as_crm_resource_writes_it() {
        let mut cib = sample("");
        move_to(&mut cib, "vm1", "host2", None).expect("both exist");
        let wanted =
            r#"<rsc_location id="cli-prefer-vm1" rsc="vm1" role="Started" node="host2" score="INFINITY"/>"#;
        assert_eq!(constraints(&cib), wanted);
        move_to(&mut cib, "vm1", "host1", Some(END)).expect("both exist");
        let wanted = r##"<rsc_location id="cli-prefer-vm1" rsc="vm1" role="Started"><rule id="cli-prefer-rule-vm1" score="INFINITY" boolean-op="and"><expression id="cli-prefer-expr-vm1" attribute="#uname" operation="eq" value="host1" type="string"/><date_expression id="cli-prefer-lifetime-end-vm1" operation="lt" end="2026-11-22 17:44:58Z"/></rule></rsc_location>"##;
        assert_eq!(constraints(&cib), wanted);
    }

    #[test]
    fn a_move_takes_back_the_ban_from_its_host_only() {
        let ban = |host: &str| {
            format!(
                r#"<rsc_location id="cli-ban-vm1-on-{host}" rsc="vm1" role="Started" node="{host}" score="-INFINITY"/>"#
            )
        };
        let mut cib = sample(&(ban("host1") + &ban("host2")));
        move_to(&mut cib, "vm1", "host2", None).expect("both exist");
        let left: Vec<String> = leftovers(&cib).into_iter().map(|one| one.id).collect();
        assert_eq!(left, ["cli-ban-vm1-on-host1", "cli-prefer-vm1"]);
        assert_eq!(clear_moves(&mut cib, "vm1", Some("host2")), ["cli-prefer-vm1"]);
        assert_eq!(clear_moves(&mut cib, "vm2", None), Vec::<String>::new());
        assert_eq!(clear_moves(&mut cib, "vm1", None), ["cli-ban-vm1-on-host1"]);
        assert_eq!(constraints(&cib), "");
    }

    #[test]
    fn what_is_left_is_listed_with_its_end() {
        let mut cib = sample(r#"<rsc_location id="mine" rsc="vm1" node="host1" score="5"/>"#);
        move_to(&mut cib, "vm1", "host2", Some(END)).expect("both exist");
        let left = leftovers(&cib);
        let wanted = Leftover {
            id: "cli-prefer-vm1".into(),
            kind: LeftoverKind::Prefer,
            resource: "vm1".into(),
            host: "host2".into(),
            role: None,
            score: "INFINITY".into(),
            until: Some("2026-11-22 17:44:58Z".into()),
        };
        assert_eq!(left, [wanted]);
        assert!(!left[0].has_ended(END - 1));
        assert!(left[0].has_ended(END));
    }

    #[test]
    fn what_does_not_exist_is_named_and_nothing_is_changed() {
        let mut cib = sample("");
        let before = cib.to_xml();
        assert_eq!(move_to(&mut cib, "vm2", "host1", None), Err(MoveError::NoSuchResource("vm2".into())));
        assert_eq!(move_to(&mut cib, "vm1", "host9", None), Err(MoveError::NoSuchHost("host9".into())));
        assert_eq!(move_to(&mut cib, "vm1", "host1", Some(i64::MAX)), Err(MoveError::Until));
        assert_eq!(cib.to_xml(), before);
    }
}
