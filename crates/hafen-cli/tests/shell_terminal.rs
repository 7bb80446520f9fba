//! The shell at a terminal: completion, history, questions, Ctrl-C. The terminal is `script`'s.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a test of processes")]

#[path = "common/terminal.rs"]
mod terminal;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use terminal::Terminal;

const CIB: &str = r#"<cib crm_feature_set="3.20.0" validate-with="pacemaker-4.0" epoch="1" num_updates="0" admin_epoch="0">
<configuration><crm_config><cluster_property_set id="o"><nvpair id="o-s" name="stonith-enabled" value="false"/></cluster_property_set></crm_config><nodes><node id="1" uname="node1"/><node id="2" uname="node2"/></nodes><resources>
<primitive id="database" class="ocf" provider="pacemaker" type="Dummy"/></resources><constraints/></configuration><status/></cib>"#;
const TAB: &str = "\t";
const UP: &str = "\x1b[A";
const CTRL_C: &str = "\x03";
const CTRL_D: &str = "\x04";

fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().expect("a folder");
    fs::write(home.path().join("cib.xml"), CIB).expect("written");
    home
}

fn cib(home: &tempfile::TempDir) -> String {
    fs::read_to_string(home.path().join("cib.xml")).expect("a CIB")
}

#[test]
fn words_ids_and_values_are_completed() {
    let home = home();
    let mut terminal = Terminal::start(home.path());
    terminal.keys(&format!("reso{TAB}"));
    terminal.see("resource ");
    terminal.keys(&format!("met{TAB}da{TAB}se{TAB}target-{TAB}Stopp{TAB}"));
    terminal.see("meta database set target-role Stopped ");
    terminal.line("", "crm(live)# ");
    assert!(cib(&home).contains(r#"name="target-role" value="Stopped""#), "{}", cib(&home));
    // Of several each is told with what it is.
    terminal.keys(&format!("node sta{TAB}"));
    terminal.see("standby");
    terminal.see("Let nothing run on a host");
    terminal.keys(CTRL_C);
    terminal.see("\n");
    terminal.see("crm(live)# ");
    terminal.keys(CTRL_D);
    assert_eq!(terminal.end(), 0);
}

#[test]
fn pasted_lines_are_done_one_after_the_other() {
    let home = home();
    let mut terminal = Terminal::start(home.path());
    // As a terminal with bracketed paste sends them, and as one without.
    terminal.keys("\x1b[200~configure\nprimitive a ocf:pacemaker:Dummy \\\n  meta priority=3\n\x1b[201~\r");
    terminal.see("\n");
    terminal.see("crm(live)configure*# ");
    terminal.keys("primitive b ocf:pacemaker:Dummy\rcommit\rup\r");
    terminal.see("b would run nowhere");
    terminal.see("crm(live)# ");
    terminal.keys(CTRL_D);
    assert_eq!(terminal.end(), 0);
    let cib = cib(&home);
    assert!(cib.contains(r#"name="priority" value="3""#) && cib.contains(r#"<primitive id="b""#), "{cib}");
}

#[test]
fn a_statement_goes_on_over_lines_and_is_asked_about_when_somebody_leaves() {
    let home = home();
    let mut terminal = Terminal::start(home.path());
    terminal.line("configure", "crm(live)configure# ");
    terminal.keys("primitive new ocf:pacemaker:Dummy \\\r");
    terminal.line("meta priority=7", "crm(live)configure*# ");
    terminal.keys("up\r");
    terminal.see("not committed. Commit them? (y/n) ");
    terminal.keys("n\r");
    terminal.see("forgotten");
    terminal.see("crm(live)# ");
    terminal.line("configure", "crm(live)configure# ");
    terminal.line("primitive other ocf:pacemaker:Dummy meta priority=8", "crm(live)configure*# ");
    terminal.keys("quit\r");
    terminal.see("not committed. Commit them? (y/n) ");
    terminal.keys("y\r");
    terminal.see("These would not run");
    assert_eq!(terminal.end(), 0);
    let cib = cib(&home);
    assert!(cib.contains(r#"name="priority" value="8""#) && !cib.contains(r#"value="7""#), "{cib}");
}

#[test]
fn an_interrupt_forgets_the_line_and_nothing_else() {
    let home = home();
    let mut terminal = Terminal::start(home.path());
    terminal.line("configure", "crm(live)configure# ");
    terminal.line("primitive new ocf:pacemaker:Dummy", "crm(live)configure*# ");
    terminal.keys("delete database");
    terminal.see("atabase");
    terminal.keys(CTRL_C);
    terminal.see("\n");
    terminal.see("crm(live)configure*# ");
    let shown = terminal.line("show", "crm(live)configure*# ");
    assert!(shown.contains("new") && shown.contains("database"), "{shown}");
    // A mistake ends nothing, either.
    let shown = terminal.line("primitve x Dummy", "crm(live)configure*# ");
    assert!(shown.contains("did you mean `primitive`?"), "{shown}");
    terminal.line("commit", "crm(live)configure# ");
    assert!(cib(&home).contains(r#"<primitive id="new""#), "{}", cib(&home));
    terminal.keys(CTRL_D);
    assert_eq!(terminal.end(), 0);
}

#[test]
fn lines_are_remembered_but_for_secrets() {
    let home = home();
    let mut terminal = Terminal::start(home.path());
    terminal.line("help resource move", "crm(live)# ");
    terminal.line("resource param database set password geheim", "crm(live)# ");
    terminal.keys("quit\r");
    assert_eq!(terminal.end(), 0);
    let file = home.path().join(".local/state/hafen/crm_history");
    let kept = fs::read_to_string(&file).expect("a history");
    assert!(kept.contains("help resource move") && !kept.contains("geheim"), "{kept}");
    assert_eq!(fs::metadata(&file).expect("a file").permissions().mode() & 0o077, 0, "for its owner alone");
    let mut terminal = Terminal::start(home.path());
    terminal.keys(&format!("{UP}{UP}"));
    terminal.see("help resource move");
    terminal.keys(CTRL_C);
    terminal.see("crm(live)# ");
    terminal.keys(CTRL_D);
    assert_eq!(terminal.end(), 0);
}

#[test]
fn passwords_are_not_shown_on_a_screen() {
    let home = home();
    let mut terminal = Terminal::start(home.path());
    terminal.line("configure", "crm(live)configure# ");
    terminal.line("primitive f stonith:null params passwd=geheim", "crm(live)configure*# ");
    let shown = terminal.line("show f", "crm(live)configure*# ");
    assert!(shown.contains("passwd=") && shown.contains("******") && !shown.contains("geheim"), "{shown}");
    terminal.line("commit", "crm(live)configure# ");
    assert!(cib(&home).contains("geheim"));
    terminal.keys(CTRL_D);
    assert_eq!(terminal.end(), 0);
}
