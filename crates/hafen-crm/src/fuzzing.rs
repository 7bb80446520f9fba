//! The body of the fuzz target, which the ordinary tests run as well.

use hafen_cib::Cib;
use std::sync::Arc;

use hafen_cib::metadata::AgentMetadata;

use crate::{Catalogue, Diagnostic, Filter, Mode, apply, complete, parse, show, show_xml, wrong_encoding};

/// What is configured already where a text is applied.
const BEFORE: &str = "node n1 attributes a=b\nnode 7: n2\nprimitive p1 Dummy params x=y op monitor interval=10s\n\
    primitive p2 Dummy meta priority=1\nprimitive p3 Dummy\ngroup g1 p2\nclone c1 g1\nlocation l1 p1 100: n1\n\
    property stonith-enabled=false\nfencing_topology n1: p3\nrole r1 read ref:p1\nacl_target joe r1\ntag t1 p1\n";

struct Nothing;

impl Catalogue for Nothing {
    fn agents(&self) -> Vec<(String, String)> {
        vec![("ocf:heartbeat:Dummy".to_string(), String::new())]
    }

    fn metadata(&self, _agent: &str) -> Option<Arc<AgentMetadata>> {
        None
    }
}

/// Take a text through everything that reads foreign bytes. Panics if a promise is broken: a mistake has its place in the text;
/// what cannot be applied changes nothing; what is shown can be read again.
pub fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        assert!(wrong_encoding("text", input).is_some());
        return;
    };
    let _ = complete(text, &Cib::new(), &Nothing);
    let statements = match parse(text) {
        Ok(statements) => statements,
        Err(problems) => return told(text, &problems),
    };
    let mut full = Cib::new();
    let before = parse(BEFORE).map(|before| apply(&mut full, &before, Mode::Update));
    assert_eq!(before, Ok(Ok(())));
    for (cib, mode) in
        [(&Cib::new(), Mode::Update), (&full, Mode::Update), (&full, Mode::Replace), (&full, Mode::Push)]
    {
        let mut changed = cib.clone();
        match apply(&mut changed, &statements, mode) {
            Err(problems) => {
                told(text, &problems);
                assert_eq!(changed.to_xml(), cib.to_xml());
            }
            Ok(()) => back(&changed, text.contains("xml")),
        }
    }
    let _ = complete(text, &full, &Nothing);
}

fn told(text: &str, problems: &[Diagnostic]) {
    assert!(!problems.is_empty());
    for problem in problems.iter().take(3) {
        assert!(text.get(problem.span.start..problem.span.end).is_some(), "{problem:?}");
        assert!(problem.render("text", text).contains(&problem.message));
    }
}

fn back(cib: &Cib, xml: bool) {
    let _ = show_xml(cib, &Filter::default().hiding("*"));
    let shown = show(cib, &Filter::default());
    match parse(&shown) {
        Ok(statements) => drop(apply(&mut Cib::new(), &statements, Mode::Update)),
        // XML can say what is no configuration.
        Err(problems) => assert!(xml, "{problems:?}\n{shown}"),
    }
}
