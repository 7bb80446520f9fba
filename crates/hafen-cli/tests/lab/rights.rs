//! Who may see and do what.

use std::process::Command;
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
        assert!(
            told.starts_with("Call cib_query failed: Permission denied") && told.ends_with("[4]"),
            "{told}"
        );
    }
    // Root asks with the rights of another; others have their own.
    assert!(!by("", "cibadmin -Q -U daemon").contains("geheim"));
    assert_eq!(by(daemon, "cibadmin -Q -U root"), by(daemon, "cibadmin -Q"));
    assert!(by("", "cibadmin -Q").contains("geheim"));
}

/// An agent that tells its password: it is in the CIB, which only root reads, and nowhere else that is told or reported.
#[test]
fn secrets_are_in_no_log_and_in_no_report() {
    if !can_hold_a_lab() {
        return;
    }
    let place = Place::new();
    let (lab, _lease) = up(&place, hosts(2));
    let script = "#!/bin/sh\necho \"tried $OCF_RESKEY_passwd\"\necho \"ocf-exit-reason:login with $OCF_RESKEY_passwd failed\" >&2\n\
                  [ \"$1\" = monitor ] && exit 7\n[ \"$1\" = start ] && exit 1\nexit 0\n";
    let folder = lab.layout().bin().join("resource.d/test");
    std::fs::create_dir_all(&folder).expect("made");
    std::fs::write(folder.join("leak"), script).expect("written");
    assert!(
        Command::new("chmod").arg("755").arg(folder.join("leak")).status().expect("chmod runs").success()
    );
    let hafen = |line: &str| shell(&lab, "host1", &format!("{EXECUTABLE} {line} 2>&1; echo \"[$?]\""));
    let leak = "<primitive id=\"s\" class=\"ocf\" provider=\"test\" type=\"leak\"><instance_attributes id=\"si\">\
                <nvpair id=\"sp\" name=\"passwd\" value=\"Vogelbeere\"/></instance_attributes></primitive>";
    let done = (0..120).any(|_| {
        std::thread::sleep(Duration::from_millis(250));
        hafen(&format!("cibadmin -C -o resources -X '{leak}'")).ends_with("[0]")
    });
    assert!(done, "{}", hafen("status"));
    let failed = (0..120).any(|_| {
        std::thread::sleep(Duration::from_millis(250));
        hafen("crm_mon -1").contains("login with ****** failed")
    });
    assert!(failed, "{}", hafen("crm_mon -1"));
    for line in ["events", "status", "crm_mon -1rfA", "explain s", "crm_verify -L -VV"] {
        assert!(!hafen(line).contains("Vogelbeere"), "{line}: {}", hafen(line));
    }
    // What holds it is the state itself, for its owner alone.
    let kept = "grep -rl Vogelbeere /run /tmp /var/log /var/lib/hafen /var/lib/pacemaker 2>/dev/null";
    for host in ["host1", "host2"] {
        let open = shell(&lab, host, &format!("for f in $({kept}); do stat -c '%a %n' $f; done"));
        assert!(open.lines().all(|line| line.starts_with("600 ")), "{host}: {open}");
        assert!(!open.contains("events"), "{host}: {open}");
    }
    reported(&hafen, &|line| shell(&lab, "host1", line));
}

/// The report of two hosts: what is in it, and that no secret is.
fn reported(hafen: &dyn Fn(&str) -> String, sh: &dyn Fn(&str) -> String) {
    // The way to another host is a program's; this one comes back to this host.
    let rsh = "printf '#!/bin/sh\\n[ \"$1 $2 $3\" = \"-l root host2\" ] || exit 9\\nexec sh -c \"EXE $4\"\\n' >/run/rsh; chmod 755 /run/rsh";
    sh(&rsh.replace("EXE", EXECUTABLE));
    sh("printf 'ERROR: password=Vogelbeere\\npin: Schlehe\\n' >/run/own.log");
    let told = hafen("crm_report -f 0:00 -M -l /run/own.log -e /run/rsh /run/trouble");
    assert!(told.ends_with("Collected results are available in /run/trouble.tar.gz\n[0]"), "{told}");
    let listed = sh("cd /run; tar xzf trouble.tar.gz && find trouble -type f | sort");
    for host in ["host1", "host2"] {
        for file in [
            "RUNNING",
            "cib.xml",
            "crm_mon.txt",
            "crm_verify.txt",
            "events.txt",
            "analysis.txt",
            "members.txt",
            "sysinfo.txt",
            "logs/run_own.log",
            "corosync.conf",
        ] {
            assert!(listed.contains(&format!("trouble/{host}/{file}")), "{host}/{file} in {listed}");
        }
    }
    assert!(listed.contains("/pengine/pe-input-"), "{listed}");
    assert_eq!(sh("grep -rl -e Vogelbeere -e Schlehe /run/trouble"), "");
    assert_ne!(sh("grep -l 'name=\"passwd\" value=\"\\*\\*\\*\\*\\*\\*\"' /run/trouble/host2/cib.xml"), "");
    assert!(sh("cat /run/trouble/host1/analysis.txt").contains("ERROR: password=******"));
    // Nobody at the other end: the report of this host is there, and what to do about the other.
    let told = hafen("crm_report -f 0:00 -d -e /bin/false /run/alone");
    assert!(told.contains("ERROR: host2 cannot be asked") && told.ends_with("[0]"), "{told}");
    assert!(sh("cat /run/alone/report.summary").contains("Not reached (see ERROR in their folders): host2"));
    assert!(hafen("crm_report -f 0:00 -d -S /run/alone").contains("is there already"));
}
