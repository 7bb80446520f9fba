//! What the generator promises.

use hafen_differential::generate::generate;
use hafen_differential::play::survey;
use hafen_differential::themes::THEMES;
use hafen_differential::tree::Tree;

/// How many CIBs are looked at.
const COUNT: u64 = 2000;

#[test]
fn every_theme_occurs_in_two_percent_and_three_in_half() {
    let summary = survey(1, COUNT);
    for theme in THEMES {
        let count = summary.themes.get(theme).copied().unwrap_or(0);
        assert!(count * 50 >= COUNT, "{} occurs in {count} of {COUNT}", theme.name());
    }
    assert!(summary.rich * 2 >= COUNT, "three themes occur in {} of {COUNT}", summary.rich);
}

#[test]
fn a_seed_gives_the_same_cib_and_another_seed_another() {
    assert_eq!(generate(7), generate(7));
    assert_ne!(generate(7), generate(8));
}

#[test]
fn what_is_written_can_be_read() {
    for seed in 1..100 {
        let cib = generate(seed);
        assert_eq!(Tree::parse(&cib.to_xml()), Ok(cib), "seed {seed}");
    }
}

#[test]
fn ids_are_unique() {
    for seed in 1..300 {
        let source = generate(seed).to_xml();
        let configuration = Tree::parse(&source).expect("a CIB");
        let configuration = configuration.all("configuration")[0].clone();
        let mut seen = std::collections::BTreeSet::new();
        let mut open = vec![&configuration];
        while let Some(tree) = open.pop() {
            let refers = matches!(tree.name.as_str(), "resource_ref" | "obj_ref");
            if let Some(id) = tree.attribute("id").filter(|_| !refers) {
                assert!(seen.insert(id), "seed {seed}: {id} occurs twice");
            }
            open.extend(&tree.children);
        }
    }
}
