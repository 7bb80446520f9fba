//! Mistakes and their words, round trips, and texts that are no configuration.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a test reads its cases")]

mod common;

use std::path::Path;

use common::shape::shape;
use hafen_cib::Cib;
use hafen_crm::{Filter, Mode, apply, parse, show, wrong_encoding};

fn told(text: &str) -> String {
    match parse(text) {
        Ok(statements) => match apply(&mut Cib::new(), &statements, Mode::Update) {
            Ok(()) => "nothing".to_string(),
            Err(problems) => problems.iter().map(|problem| problem.render("vms.crm", text)).collect(),
        },
        Err(problems) => problems.iter().map(|problem| problem.render("vms.crm", text)).collect(),
    }
}

#[test]
fn every_mistake_is_told_at_once_with_its_place() {
    let text = "primitve vm1 Dummy\nprimitive vm2 ocf:pacemaker:Dummy \\\n  params fake=1 \\\n  opp monitor interval=10s\n\
                order o1 Mandatroy: vm1 vm2\nlocation l1 vm1 rule 100: #uname equals node1\n";
    let expected = "\
vms.crm:1:1: error: `primitve` begins no statement
  |
1 | primitve vm1 Dummy
  | ^^^^^^^^
  = expected node, rsc_template, primitive, bundle, group, ms, master, clone, tag, colocation, location, order, ...
  = did you mean `primitive`?
vms.crm:4:3: error: `opp` is no NAME=VALUE
  |
4 |   opp monitor interval=10s
  |   ^^^
  = expected NAME=VALUE, params, meta, utilization, operations, op, op_params, op_meta
  = did you mean `op`?
vms.crm:5:10: error: `Mandatroy` is no kind of order
  |
5 | order o1 Mandatroy: vm1 vm2
  |          ^^^^^^^^^^
  = expected Mandatory:, Optional:, Serialize:
  = did you mean `Mandatory:`?
vms.crm:6:34: error: `equals` is no comparison
  |
6 | location l1 vm1 rule 100: #uname equals node1
  |                                  ^^^^^^
  = expected lt, gt, lte, gte, eq, ne
";
    assert_eq!(told(text), expected);
}

#[test]
fn what_does_not_exist_is_told_and_nothing_is_applied() {
    let text = "primitive vm1 Dummy\ncolocation c1 inf: vm1 vm2\nclone c vn1\nprimitive vm3 @tpl\nacl_target joe admin\n";
    let told = told(text);
    for line in [
        "2:24: error: there is no resource `vm2`",
        "3:9: error: there is no resource `vn1`",
        "there is no template `tpl`",
        "there is no role `admin`",
        "did you mean `vm1`?",
    ] {
        assert!(told.contains(line), "{line}\n{told}");
    }
    let mut cib = Cib::new();
    let before = cib.to_xml();
    assert!(apply(&mut cib, &parse(text).expect("it parses"), Mode::Update).is_err());
    assert_eq!(cib.to_xml(), before);
}

#[test]
fn a_list_that_is_referred_to_has_to_be_there() {
    let text = "primitive vm1 Dummy meta $id=common priority=1\nprimitive vm2 Dummy meta $id-ref=comon\n\
        primitive vm3 Dummy meta $id-ref=common\nprimitive vm4 Dummy meta $id-ref=vm1\n";
    let expected = "\
vms.crm:2:26: error: there is no list and no rule `comon`
  |
2 | primitive vm2 Dummy meta $id-ref=comon
  |                          ^^^^^^^^^^^^^
  = did you mean `common`?
";
    assert_eq!(told(text), expected);
}

#[test]
fn a_wrong_encoding_and_a_cut_text_are_told() {
    let told = wrong_encoding("vms.crm", b"node n1\nnode \xe4\n").expect("it is wrong");
    assert_eq!(told, "vms.crm:2: error: the text is not UTF-8 (byte 0xe4, 13 bytes from the start)\n");
    assert!(
        wrong_encoding("x", "ä".as_bytes().split_at(1).0).expect("cut").contains("ends within a character")
    );
    assert!(
        self::told("primitive vm1 Dummy params fake=\"a b")
            .contains("1:28: error: the quote \" is not closed")
    );
    assert!(self::told("primitive vm1 Dummy \\").contains("nothing"));
}

#[test]
fn the_file_of_the_book() {
    let text = "primitive stonith-node1 stonith:null \\\nparams hostlist=\"node1\"\nlocation l-stonith-node1 stonith-node1 -inf: node1\n";
    let mut cib = Cib::new();
    apply(&mut cib, &parse(text).expect("it parses"), Mode::Update).expect("it applies");
    let shown = "primitive stonith-node1 stonith:null \\\n\tparams hostlist=node1\nlocation l-stonith-node1 stonith-node1 -inf: node1\n";
    assert_eq!(show(&cib, &Filter::default()), shown);
}

/// The CIB's text makes the same objects in an empty CIB.
fn round_trip(cib: &Cib) -> Result<(), String> {
    let text = show(cib, &Filter::default());
    let tell = |problems: Vec<hafen_crm::Diagnostic>| {
        problems.iter().take(3).map(|problem| problem.render("shown", &text)).collect::<String>()
    };
    let mut again = Cib::new();
    if let Some(schema) = cib.root().attribute("validate-with") {
        let root = again.root().node();
        again.document_mut().set_attribute(root, "validate-with", schema);
    }
    let statements = parse(&text).map_err(tell)?;
    apply(&mut again, &statements, Mode::Update).map_err(tell)?;
    let (before, after) = (shape(cib), shape(&again));
    if before == after {
        return Ok(());
    }
    let lost: Vec<&String> = before.iter().filter(|object| !after.contains(object)).take(2).collect();
    let made: Vec<&String> = after.iter().filter(|object| !before.contains(object)).take(2).collect();
    Err(format!("lost: {lost:#?}\nmade: {made:#?}"))
}

/// So many of the given CIBs come back from their text.
const ROUND_TRIPS_MINIMUM: usize = 609;

#[test]
fn given_cibs_come_back_from_their_text() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/scheduler-cases/xml");
    let Ok(folder) = std::fs::read_dir(cases) else { return };
    let mut fine = 0;
    let mut told = String::new();
    for entry in folder.flatten() {
        let Ok(source) = std::fs::read_to_string(entry.path()) else { continue };
        let Ok(cib) = Cib::parse(&source) else { continue };
        match round_trip(&cib) {
            Ok(()) => fine += 1,
            Err(why) => told += &format!("== {}: {why}\n", entry.file_name().to_string_lossy()),
        }
    }
    println!("{fine} come back\n{told}");
    assert!(fine >= ROUND_TRIPS_MINIMUM, "{told}\nonly {fine} come back");
}
