//! The shell, `crm`: the book's lines, changes of others, and bad input, offline on a file.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a test of processes")]

mod common;
#[path = "support/daemon.rs"]
mod daemon;
#[path = "shell/history.rs"]
mod history;
#[path = "shell/moving.rs"]
mod moving;

use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::process::{Command, Stdio};

use common::Cluster;

/// The book's own lines, as they stand there.
const BOOK: &str = "configure\nprimitive stonith-node1 stonith:null \\\nparams hostlist=\"node1\"\n\
    location l-stonith-node1 stonith-node1 -inf: node1\ncommit\n";

#[test]
fn the_lines_of_the_book_work_as_they_stand() {
    let cluster = Cluster::new();
    let said = cluster.script(BOOK);
    assert_eq!((said.status, said.err.as_str()), (0, ""), "{said:?}");
    let shown = cluster.shown();
    assert!(shown.contains("primitive stonith-node1 stonith:null params hostlist=node1"), "{shown}");
    assert!(shown.contains("location l-stonith-node1 stonith-node1 -inf: node1"), "{shown}");
}

#[test]
fn what_is_not_committed_counts_at_the_end_of_a_script() {
    let cluster = Cluster::new();
    cluster.script(BOOK);
    let said = cluster.script("configure\nprimitive d ocf:pacemaker:Dummy\n");
    assert_eq!(said.status, 0, "{said:?}");
    assert_eq!(cluster.done("configure show d").trim(), "primitive d ocf:pacemaker:Dummy");
    let said = cluster.call(
        &["configure", "primitive", "e", "ocf:pacemaker:Dummy", "params", "fake=two words"],
        "",
        "",
    );
    assert_eq!(said.status, 0, "{said:?}");
    assert!(cluster.done("configure show e").contains("fake=\"two words\""));
}

#[test]
fn nothing_of_a_script_with_a_mistake_is_applied_and_all_are_told() {
    let cluster = Cluster::new();
    let before = cluster.cib();
    let said = cluster.script(
        "# begins\nconfigure\nprimitive a stonith:null params hostlist=node1\nprimitiv b stonith:null\ncommit\n",
    );
    assert_eq!(said.status, 1);
    assert!(
        said.err.contains("standard input:4: error:") && said.err.contains("did you mean `primitive`?"),
        "{said:?}"
    );
    let said = cluster.script(
        "configure\nprimitive a stonith:null params hostlist=node1\ngroup g a x\nlocation l a inf node1\ncommit\n",
    );
    assert_eq!(said.status, 1);
    assert!(said.err.contains("standard input:4:"), "the place in the script: {said:?}");
    let said = cluster.script("configure\nlocation l nothing inf: node1\ngroup g a x\ncommit\n");
    assert!(
        said.err.contains("standard input:2:") && said.err.contains("standard input:3:"),
        "every mistake: {said:?}"
    );
    assert_eq!(cluster.cib(), before);
}

#[test]
fn a_configuration_with_errors_needs_force() {
    let cluster = Cluster::new();
    let said = cluster.script("configure\nprimitive d ocf:pacemaker:Dummy\ncommit\n");
    assert_eq!(said.status, 1);
    assert!(said.err.contains("STONITH") && said.err.contains("commit force"), "{said:?}");
    let said = cluster.script("configure\nprimitive d ocf:pacemaker:Dummy\ncommit force\n");
    assert_eq!(said.status, 0, "{said:?}");
    assert!(cluster.shown().contains("primitive d"));
}

#[test]
fn what_another_changed_meanwhile_is_merged_or_refused() {
    let cluster = Cluster::new();
    cluster.script(BOOK);
    let other = format!(
        "CIB_file={} {} crm configure",
        cluster.path("cib.xml").display(),
        env!("CARGO_BIN_EXE_hafen")
    );
    // The editor's time is when another works.
    fs::write(
        cluster.path("edit"),
        format!("#!/bin/sh\nsed -i s/node1/node2/g \"$1\"\n{other} property batch-limit=7\n"),
    )
    .expect("written");
    let said = cluster.call(&["configure", "edit", "l-stonith-node1"], "", "sh ./edit");
    assert_eq!(said.status, 1, "the location names another resource then: {said:?}");
    assert!(said.err.contains("what you wrote is kept in"), "{said:?}");
    fs::write(
        cluster.path("edit"),
        format!("#!/bin/sh\nsed -i 's/-inf: node1/-inf: node2/' \"$1\"\n{other} property batch-limit=8\n"),
    )
    .expect("written");
    let said = cluster.call(&["configure", "edit", "l-stonith-node1"], "", "sh ./edit");
    assert_eq!(said.status, 0, "{said:?}");
    assert!(said.out.contains("meanwhile"), "{said:?}");
    let shown = cluster.shown();
    assert!(shown.contains("-inf: node2") && shown.contains("batch-limit=8"), "{shown}");
    fs::write(
        cluster.path("edit"),
        format!(
            "#!/bin/sh\nsed -i 's/batch-limit=8/batch-limit=9/' \"$1\"\n{other} property batch-limit=10\n"
        ),
    )
    .expect("written");
    let said = cluster.call(&["configure", "edit"], "", "sh ./edit");
    assert_eq!(said.status, 103, "{said:?}");
    assert!(said.err.contains("batch-limit was changed meanwhile"), "{said:?}");
    assert!(cluster.shown().contains("batch-limit=10"));
}

#[test]
fn an_editor_that_fails_and_a_text_of_another_encoding_change_nothing() {
    let cluster = Cluster::new();
    cluster.script(BOOK);
    let before = cluster.cib();
    let said = cluster.call(&["configure", "edit"], "", "false");
    assert_eq!(said.status, 1);
    assert!(said.err.contains("nothing is changed"), "{said:?}");
    fs::write(cluster.path("latin1.crm"), b"primitive b\xe9 stonith:null\n").expect("written");
    let said = cluster.crm("configure load update latin1.crm");
    assert_eq!(said.status, 1);
    assert!(said.err.contains("latin1.crm:1: error: the text is not UTF-8"), "{said:?}");
    fs::write(cluster.path("cut.crm"), "primitive b stonith:null params hostlist=\"nod").expect("written");
    assert_eq!(cluster.crm("configure load update cut.crm").status, 1);
    assert_eq!(cluster.crm("configure load update none.crm").status, 1);
    assert_eq!(cluster.cib(), before);
}

#[test]
fn objects_are_deleted_renamed_and_regrouped() {
    let cluster = Cluster::new();
    cluster.script(BOOK);
    let said = cluster.script(
        "configure\nprimitive a ocf:pacemaker:Dummy\nprimitive b ocf:pacemaker:Dummy\ngroup g a\n\
         location l g 100: node1\ncommit\nmodgroup g add b before a\nrename l near\ncommit\n",
    );
    assert_eq!(said.status, 0, "{said:?}");
    assert!(
        cluster.shown().contains("group g b a") && cluster.shown().contains("location near g 100: node1")
    );
    let out = cluster.done("configure delete g");
    assert!(out.contains("near is nothing without it"), "{out}");
    let shown = cluster.shown();
    assert!(!shown.contains("group") && shown.contains("primitive a"), "{shown}");
    let said = cluster.crm("configure delete nothing");
    assert!(said.status == 1 && said.err.contains("object nothing does not exist"), "{said:?}");
    let said = cluster.crm("configure primitive a ocf:pacemaker:Dummy");
    assert!(said.status == 1 && said.err.contains("a already exists"), "{said:?}");
}

#[test]
fn a_saved_configuration_loads_again() {
    let cluster = Cluster::new();
    cluster.script(BOOK);
    cluster.done("configure property batch-limit=3");
    let before = cluster.shown();
    cluster.done("configure save all.crm");
    cluster.done("configure save xml all.xml");
    for load in ["load replace all.crm", "load xml replace all.xml"] {
        let said = cluster.crm("-y configure erase");
        assert!(said.status == 0 && !cluster.shown().contains("primitive"), "{said:?}");
        cluster.done(&format!("configure {load}"));
        assert_eq!(cluster.shown(), before, "{load}");
    }
    let said = cluster.crm("configure erase");
    assert!(said.status == 1 && said.err.contains("--yes"), "{said:?}");
}

#[test]
fn a_preview_says_what_a_change_leads_to() {
    let cluster = Cluster::new();
    cluster.script(BOOK);
    let said = cluster.script("configure\nprimitive a ocf:pacemaker:Dummy\nsimulate\nquit\n");
    assert_eq!(said.status, 0, "{said:?}");
    // Nobody is online in this file.
    assert!(said.out.contains("a would run nowhere: node1: the host"), "{said:?}");
    let said = cluster.script("configure\nprimitive b stonith:null params hostlist=node2\nquit\nnonsense\n");
    assert_eq!(said.status, 0, "nothing is read after `quit`: {said:?}");
    assert!(cluster.shown().contains("primitive b"));
}

#[test]
fn resources_and_nodes_are_changed_by_the_tools() {
    let cluster = Cluster::new();
    cluster.script(BOOK);
    cluster.done("resource stop stonith-node1");
    assert!(cluster.shown().contains("meta target-role=Stopped"), "{}", cluster.shown());
    cluster.done("resource param stonith-node1 set hostlist node2");
    assert_eq!(cluster.done("resource param stonith-node1 show hostlist"), "node2\n");
    cluster.done("node standby node2");
    assert!(cluster.done("node show node2").contains("standby=on"));
    cluster.done("node attribute node1 set rack a1");
    assert!(cluster.done("node attribute node1 show rack").contains("value=a1"));
    assert!(cluster.crm("node fence node1").err.contains("say --yes"));
    let said = cluster.crm("resource");
    assert_eq!(said.status, 0, "a level alone is none: {said:?}");
    assert_eq!(cluster.crm("nonsense").status, 1);
}

#[test]
fn a_saved_file_goes_through_links_and_keeps_its_rights() {
    let cluster = Cluster::new();
    cluster.script(BOOK);
    let mode = |name: &str| fs::metadata(cluster.path(name)).expect("a file").permissions().mode() & 0o777;
    cluster.done("configure save new.crm");
    assert_eq!(mode("new.crm"), 0o600, "it may hold passwords");
    fs::write(cluster.path("target"), "old").expect("written");
    fs::set_permissions(cluster.path("target"), fs::Permissions::from_mode(0o640)).expect("set");
    std::os::unix::fs::symlink(cluster.path("target"), cluster.path("link")).expect("a link");
    cluster.done("configure save link");
    assert!(fs::symlink_metadata(cluster.path("link")).expect("there").is_symlink(), "the link stays one");
    assert!(fs::read_to_string(cluster.path("target")).expect("read").contains("primitive stonith-node1"));
    assert_eq!(mode("target"), 0o640);
    // What is no regular file is written to, and never replaced.
    let fifo = cluster.path("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().expect("it runs").success());
    let mut reader = Command::new("cat").arg(&fifo).stdout(Stdio::piped()).spawn().expect("it starts");
    cluster.done("configure save fifo");
    let mut read = String::new();
    reader.stdout.take().expect("piped").read_to_string(&mut read).expect("text");
    assert!(reader.wait().expect("it ends").success() && read.contains("primitive stonith-node1"), "{read}");
    assert!(fs::symlink_metadata(&fifo).expect("there").file_type().is_fifo());
    let said = cluster.crm("configure save none/x.crm");
    assert!(said.status == 1 && said.err.contains("none/x.crm"), "{said:?}");
}

#[test]
fn what_would_take_everything_away_is_no_mistake_of_a_file() {
    let cluster = Cluster::new();
    cluster.script(BOOK);
    let before = cluster.shown();
    fs::write(cluster.path("empty.crm"), "# nothing\n").expect("written");
    fs::write(cluster.path("saved.xml"), cluster.cib()).expect("written");
    for (words, expected) in [
        ("configure load replace empty.crm", "`erase` takes everything away"),
        ("configure load push empty.crm", "`erase` takes everything away"),
        ("configure load replace saved.xml", "this is XML"),
        ("configure show stonith-node1 nothing", "object nothing does not exist"),
        ("node standby", "it needs the name of a host"),
        ("cluster leave", "say --yes"),
    ] {
        let said = cluster.crm(words);
        assert!(said.status == 1 && said.err.contains(expected), "{words}: {said:?}");
        assert!(said.err.lines().count() <= 2, "{words}: {said:?}");
    }
    assert_eq!(cluster.shown(), before);
    // Hosts that a file does not name stay.
    fs::write(cluster.path("new.crm"), "primitive d ocf:pacemaker:Dummy\nproperty stonith-enabled=false\n")
        .expect("written");
    cluster.done("configure load replace new.crm");
    let shown = cluster.shown();
    assert!(
        shown.contains("node 1: node1") && shown.contains("primitive d") && !shown.contains("stonith:null"),
        "{shown}"
    );
    // A mark at the beginning of a file is no word.
    fs::write(cluster.path("mark.crm"), "\u{feff}configure\nproperty batch-limit=4\n").expect("written");
    assert_eq!(cluster.crm("-f mark.crm").status, 0);
    assert!(cluster.shown().contains("batch-limit=4"));
}

#[test]
fn it_goes_by_the_name_of_shell_too() {
    let cluster = Cluster::new();
    cluster.script(BOOK);
    let said = Command::new(env!("CARGO_BIN_EXE_hafen"))
        .args(["shell", "-F", "configure", "show", "stonith-node1"])
        .env("CIB_file", cluster.path("cib.xml"))
        .env("XDG_CONFIG_HOME", cluster.path("config"))
        .output()
        .expect("it runs");
    assert!(String::from_utf8_lossy(&said.stdout).starts_with("primitive stonith-node1"), "{said:?}");
}

#[test]
fn help_fits_the_screen() {
    let cluster = Cluster::new();
    for words in
        ["help", "help configure", "help resource", "help node", "help configure primitive", "--help"]
    {
        let text = cluster.done(words);
        assert!(text.len() > 40, "{words}: {text}");
        let wide = text.lines().filter(|line| line.chars().count() > 80).collect::<Vec<_>>();
        // How a statement is written may take more.
        assert!(wide.is_empty() || words.ends_with("primitive"), "{words}: {wide:?}");
    }
}
