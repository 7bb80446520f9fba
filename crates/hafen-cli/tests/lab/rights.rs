//! Who may see and do what.

use std::time::Duration;

use crate::support::{EXECUTABLE, Place, can_hold_a_lab, hosts, shell, up};

/// Access control lists count for who connects, as the kernel says who that is.
#[test]
fn users_are_kept_to_their_rights() {
    if !can_hold_a_lab() {
        return;
    }
    let place = Place::new();
    let (lab, _lease) = up(&place, hosts(2));
    if shell(&lab, "host1", "grep -c -e ^haclient: /etc/group; grep -c -e ^daemon: -e ^bin: /etc/passwd")
        != "1\n2"
    {
        return;
    }
    let by = |who: &str, line: &str| {
        shell(&lab, "host1", &format!("{who} {EXECUTABLE} {line} 2>&1; echo \"[$?]\""))
    };
    let settled = (0..120).any(|_| {
        std::thread::sleep(Duration::from_millis(250));
        by("", "crmadmin -S host1").contains("S_IDLE") || by("", "crmadmin -S host2").contains("S_IDLE")
    });
    assert!(settled, "{}", by("", "status"));
    let dummy = "<primitive id=\"d\" class=\"ocf\" provider=\"pacemaker\" type=\"Dummy\"><instance_attributes id=\"di\">\
                 <nvpair id=\"dp\" name=\"passwd\" value=\"geheim\"/></instance_attributes></primitive>";
    assert_eq!(by("", &format!("cibadmin -C -o resources -X '{dummy}'")), "[0]");
    let lists = "<acls><acl_role id=\"r\"><acl_permission id=\"r1\" kind=\"read\" xpath=\"/cib\"/>\
                 <acl_permission id=\"r2\" kind=\"deny\" reference=\"dp\"/>\
                 <acl_permission id=\"r3\" kind=\"write\" xpath=\"//crm_config/*/nvpair\"/></acl_role>\
                 <acl_target id=\"daemon\"><role id=\"r\"/></acl_target></acls>";
    assert_eq!(
        by("", &format!("cibadmin -M -c -o configuration -X '<configuration>{lists}</configuration>'")),
        "[0]"
    );
    assert_eq!(by("", "crm_attribute -n enable-acl -v true"), "[0]");
    let daemon = "setpriv --reuid daemon --regid daemon --groups haclient";
    let seen = by(daemon, "cibadmin -Q");
    assert!(
        seen.contains("<primitive id=\"d\"") && seen.contains("lrm_resource") && !seen.contains("geheim"),
        "{seen}"
    );
    assert!(by(daemon, "crm_mon -1r").contains("* d\t(ocf:pacemaker:Dummy)"));
    assert_eq!(by(daemon, "crm_attribute -n cluster-delay -v 31s"), "[0]");
    assert_eq!(by("", "crm_attribute -n cluster-delay -G -q"), "31s\n[0]");
    for line in [
        "cibadmin -D -X '<primitive id=\"d\"/>'",
        "crm_standby -N host2 -v on",
        "cibadmin -B",
        "crm_resource -C -r d",
    ] {
        let told = by(daemon, line);
        assert!(told.contains("may not") && told.ends_with("[4]"), "{line}: {told}");
    }
    assert!(by(daemon, "stonith_admin -F host2").contains("may not"));
    assert!(by(daemon, "events").contains("may not"));
    for who in [
        "setpriv --reuid bin --regid bin --groups haclient",
        "setpriv --reuid 12345 --regid haclient --clear-groups",
    ] {
        let told = by(who, "cibadmin -Q");
        assert!(told.starts_with("Call failed: Permission denied") && told.ends_with("[4]"), "{told}");
    }
    // Root asks with the rights of another; others cannot.
    assert!(!by("", "cibadmin -Q -U daemon").contains("geheim"));
    assert!(by(daemon, "cibadmin -Q -U root").ends_with("[4]"));
    assert!(by("", "cibadmin -Q").contains("geheim"));
}
