//! Taking a text in as a replacement, an update or what is pushed; and what `show` chooses.

mod common;

use common::generate::Dialect;
use common::{EMPTY, generate, make, shown, tell};
use hafen_cib::Cib;
use hafen_crm::{Filter, Mode, apply, objects, parse, show};

/// Pairs of configurations that every run tries.
const PAIRS: u64 = 200;

const BOOK: &str = "node n1\nnode n2\nprimitive vm1 Dummy params fake=1\nprimitive vm2 ocf:pacemaker:Dummy\n\
    primitive ip IPaddr2 params ip=10.0.0.1\ngroup web ip\nclone c1 vm2\nlocation l1 vm1 100: n1\n\
    colocation co inf: vm1 web\ntag t1 vm1 web\nproperty stonith-enabled=false batch-limit=3\n";

fn taken(cib: &Cib, text: &str, mode: Mode) -> Cib {
    let mut cib = cib.clone();
    let statements = parse(text).unwrap_or_else(|problems| panic!("{}", tell(text, &problems)));
    apply(&mut cib, &statements, mode).unwrap_or_else(|problems| panic!("{}", tell(text, &problems)));
    cib
}

fn ids(cib: &Cib) -> Vec<String> {
    let mut ids: Vec<String> = objects(cib).into_iter().map(|object| object.id).collect();
    ids.sort();
    ids
}

#[test]
fn a_replacement_leaves_nothing_of_what_was_there() {
    let mut tried = 0;
    for seed in 0..PAIRS {
        let Ok(before) = make(EMPTY, &generate::text(seed, Dialect::Whole)) else { continue };
        let Ok(alone) = make(EMPTY, &generate::text(seed + PAIRS, Dialect::Whole)) else { continue };
        let text = shown(&alone);
        if !text.lines().any(|line| line.starts_with("node ")) {
            continue;
        }
        assert_eq!(shown(&taken(&before, &text, Mode::Replace)), text, "seed {seed}");
        tried += 1;
    }
    assert!(tried > PAIRS / 4, "{tried} of {PAIRS}");
}

#[test]
fn a_text_without_hosts_takes_none_away() {
    let cib = make(EMPTY, BOOK).expect("the book");
    for mode in [Mode::Replace, Mode::Push] {
        assert_eq!(ids(&taken(&cib, "primitive new Dummy\n", mode)), ["n1", "n2", "new"], "{mode:?}");
        assert_eq!(ids(&taken(&cib, "node n1\nprimitive new Dummy\n", mode)), ["n1", "new"], "{mode:?}");
    }
}

#[test]
fn pushing_or_updating_with_what_is_there_changes_nothing() {
    for seed in 0..PAIRS {
        let Ok(cib) = make(EMPTY, &generate::text(seed, Dialect::Whole)) else { continue };
        let text = shown(&cib);
        for mode in [Mode::Push, Mode::Update] {
            assert_eq!(shown(&taken(&cib, &text, mode)), text, "seed {seed}, {mode:?}");
        }
    }
}

#[test]
fn an_update_keeps_what_it_does_not_name_and_a_push_does_not() {
    let cib = make(EMPTY, BOOK).expect("the book");
    let text = "node n1\nprimitive vm1 Dummy params fake=2\nprimitive new Dummy\n";
    let updated = taken(&cib, text, Mode::Update);
    let shown_updated = shown(&updated);
    assert!(
        shown_updated.contains("fake=2") && shown_updated.contains("primitive ip IPaddr2"),
        "{shown_updated}"
    );
    assert!(shown_updated.contains("location l1 vm1 100: n1") && shown_updated.contains("batch-limit=3"));
    let pushed = taken(&cib, text, Mode::Push);
    assert_eq!(ids(&pushed), ["n1", "new", "vm1"], "{}", shown(&pushed));
}

#[test]
fn a_push_keeps_a_member_whose_group_goes() {
    let cib = make(EMPTY, BOOK).expect("the book");
    let pushed = taken(&cib, "node n1\nprimitive ip IPaddr2 params ip=10.0.0.1\n", Mode::Push);
    assert_eq!(ids(&pushed), ["ip", "n1"], "{}", shown(&pushed));
}

#[track_caller]
fn chooses(words: &str, expected: &str) {
    let cib = make(EMPTY, BOOK).expect("the book");
    let filter = Filter::parse(words.split_whitespace()).expect(words);
    let text = show(&cib, &filter).replace(" \\\n\t", " ");
    let mut found: Vec<&str> =
        text.lines().filter_map(|line| line.split([' ', ':']).nth(1)).filter(|id| !id.is_empty()).collect();
    found.sort_unstable();
    assert_eq!(found.join(" "), expected, "show {words}:\n{text}");
}

#[test]
fn filters_choose_objects() {
    chooses("vm1", "vm1");
    chooses("vm1 ip", "ip vm1");
    chooses("type:primitive", "ip vm1 vm2");
    chooses("type:location type:group", "l1 web");
    chooses("tag:t1", "vm1 web");
    chooses("related:vm1", "co l1 vm1");
    chooses("related:IPaddr2", "ip");
    chooses("type:primitive and related:pacemaker", "vm2");
    chooses("type:location and vm1", "");
    chooses("nothing", "");
    let filter = Filter::parse(["ip", "obscure:i*"]).expect("a filter");
    let text = show(&make(EMPTY, BOOK).expect("the book"), &filter);
    assert!(text.contains("ip=\"******\"") || text.contains("ip=******"), "{text}");
    assert!(!text.contains("10.0.0.1"), "{text}");
    let error = Filter::parse(["type:primitve"]).expect_err("no such type");
    assert!(error.0.contains("did you mean `primitive`?"), "{}", error.0);
}
