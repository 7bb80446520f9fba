//! CIBs with one element or attribute deleted, renamed, moved or doubled: the tables of the schemas accept and refuse what
//! libxml2 does by Debian's own, in every version.
#![allow(clippy::print_stdout, reason = "says that it was skipped")]
#![allow(clippy::disallowed_methods, reason = "reads the CIBs that are changed")]

use std::fs;
use std::path::{Path, PathBuf};

use hafen_cib::upgrade::{Claim, claim};
use hafen_cib::{Cib, schema};
use hafen_differential::oracle::Oracle;
use hafen_differential::tree::Tree;
use rand::{Rng as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;

/// How many CIBs the oracle is given at a time.
const BATCH: usize = 500;
/// Where whole CIBs are; those of `schema` have what occurs seldom, by versions.
const FOLDERS: [&str; 4] =
    ["tests/schema", "../hafen-scheduler/cases", "../hafen-scheduler/texts", "../hafen-cli/tools"];
/// How many of those there are.
const RARE: usize = 6;
/// The last minor versions of the schema.
const VERSIONS: [(usize, usize); 4] = [(1, 3), (2, 10), (3, 10), (4, 0)];
/// What an attribute may be renamed to.
const NAMES: [&str; 16] = [
    "id",
    "id-ref",
    "name",
    "value",
    "score",
    "rsc",
    "class",
    "type",
    "role",
    "node",
    "first",
    "then",
    "with-rsc",
    "kind",
    "uname",
    "description",
];
/// What an attribute's value may become.
const VALUES: [&str; 10] = ["", "0", "-1", "INFINITY", "true", "Master", "Promoted", "stop", "a b", "ocf"];

/// How an element is reached from the top: by positions.
type Place = Vec<usize>;

struct Mutator {
    source: Pcg64Mcg,
}

impl Mutator {
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.source.next_u64() % u64::try_from(end.max(1)).unwrap_or(1)).unwrap_or(0)
    }

    fn pick<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())].clone()
    }

    /// Changes one thing; says what. `None` where there was nothing to change.
    fn change(&mut self, cib: &mut Tree) -> Option<String> {
        let configuration = cib.children.iter().position(|child| child.name == "configuration")?;
        let mut places = Vec::new();
        inside(&cib.children[configuration], &mut vec![configuration], &mut places);
        if places.is_empty() {
            return None;
        }
        let place = self.pick(&places);
        let name = at(cib, &place).name.clone();
        let (last, parent) = place.split_last()?;
        match self.below(9) {
            0 => {
                at(cib, parent).children.remove(*last);
                Some(format!("delete <{name}>"))
            }
            1 => {
                let other = self.pick(&places);
                let new = at(cib, &other).name.clone();
                at(cib, &place).name.clone_from(&new);
                Some(format!("rename <{name}> to <{new}>"))
            }
            2 => {
                let twin = at(cib, &place).clone();
                at(cib, parent).children.insert(*last, twin);
                Some(format!("double <{name}>"))
            }
            3 | 4 => {
                let target = self.pick(&places);
                if target.starts_with(&place) {
                    return None;
                }
                // Goes in before it is taken out, so that the places still hold: at the beginning only where that shifts
                // nothing on the way.
                let moved = at(cib, &place).clone();
                let first = self.below(2) == 1 && !place.starts_with(&target);
                let inside = at(cib, &target).name.clone();
                let children = &mut at(cib, &target).children;
                let position = if first { 0 } else { children.len() };
                children.insert(position, moved);
                at(cib, parent).children.remove(*last);
                Some(format!("move <{name}> into <{inside}>"))
            }
            kind => self.change_attribute(cib, &place, &places, kind),
        }
    }

    fn change_attribute(
        &mut self,
        cib: &mut Tree,
        place: &[usize],
        places: &[Place],
        kind: usize,
    ) -> Option<String> {
        let element = at(cib, place);
        let name = element.name.clone();
        if element.attributes.is_empty() {
            return None;
        }
        let position = self.below(element.attributes.len());
        let (attribute, value) = element.attributes.remove(position);
        match kind {
            5 => Some(format!("delete `{attribute}` of <{name}>")),
            6 => {
                let new = self.pick(&NAMES);
                set(element, new, &value);
                Some(format!("rename `{attribute}` of <{name}> to `{new}`"))
            }
            7 => {
                let new = self.pick(&VALUES);
                set(element, &attribute, new);
                Some(format!("`{attribute}` of <{name}> becomes \"{new}\""))
            }
            _ => {
                let target = self.pick(places);
                let target = at(cib, &target);
                set(target, &attribute, &value);
                Some(format!("move `{attribute}` of <{name}> to <{}>", target.name))
            }
        }
    }
}

fn set(element: &mut Tree, name: &str, value: &str) {
    element.attributes.retain(|(known, _)| known != name);
    element.attributes.push((name.to_owned(), value.to_owned()));
}

fn at<'t>(tree: &'t mut Tree, place: &[usize]) -> &'t mut Tree {
    place.iter().fold(tree, |tree, position| &mut tree.children[*position])
}

fn inside(tree: &Tree, way: &mut Place, places: &mut Vec<Place>) {
    for (position, child) in tree.children.iter().enumerate() {
        way.push(position);
        places.push(way.clone());
        inside(child, way, places);
        way.pop();
    }
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "xml") {
            found.push(path);
        }
    }
}

/// CIBs that follow their schemas, without their states, which no schema looks at.
fn cibs() -> Vec<(PathBuf, Tree)> {
    let mut found = Vec::new();
    for folder in FOLDERS {
        files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut found);
    }
    found.sort();
    let read = |path: PathBuf| {
        let mut tree = Tree::parse(&fs::read_to_string(&path).ok()?).ok()?;
        for part in tree.children.iter_mut().filter(|part| part.name == "status") {
            part.children.clear();
        }
        (tree.name == "cib" && accepts(&tree.to_xml())).then_some((path, tree))
    };
    found.into_iter().filter_map(read).collect()
}

fn accepts(source: &str) -> bool {
    let follows = |cib: Cib| {
        let claims = matches!(claim(&cib), Claim::Schema { .. });
        claims && cib.configuration().is_some() && schema::validate(&cib).is_empty()
    };
    Cib::parse(source).is_ok_and(follows)
}

/// One CIB with one change, and what it was.
fn made(seed: u64, all: &[(PathBuf, Tree)], rare: usize) -> (String, String) {
    let mut mutator = Mutator { source: Pcg64Mcg::seed_from_u64(seed) };
    loop {
        // Every other one is one of those with what occurs seldom.
        let end = if mutator.below(2) == 0 { rare } else { all.len() };
        let (path, tree) = &all[mutator.below(end)];
        let mut tree = tree.clone();
        if mutator.below(6) == 0 {
            let (major, last) = mutator.pick(&VERSIONS);
            set(&mut tree, "validate-with", &format!("pacemaker-{major}.{}", mutator.below(last + 1)));
        }
        if let Some(change) = mutator.change(&mut tree) {
            let version = tree.attribute("validate-with").unwrap_or("no schema").to_owned();
            return (tree.to_xml(), format!("{change} ({version}, {})", path.display()));
        }
    }
}

fn agrees(count: usize) {
    let oracle = match Oracle::find() {
        Ok(oracle) => oracle,
        Err(text) => {
            println!("skipped: {text}");
            return;
        }
    };
    let mut all = cibs();
    let is_rare = |path: &Path| path.parent().is_some_and(|folder| folder.ends_with("tests/schema"));
    all.sort_by_key(|(path, _)| !is_rare(path));
    let rare = all.iter().filter(|(path, _)| is_rare(path)).count();
    assert!(rare == RARE && all.len() > rare, "{rare} CIBs with what occurs seldom, of {}", all.len());
    let (mut accepted, mut differences) = (0, Vec::new());
    for from in (0..count).step_by(BATCH) {
        let made: Vec<_> =
            (from..count.min(from + BATCH)).map(|seed| made(seed as u64, &all, rare)).collect();
        let sources: Vec<String> = made.iter().map(|(source, _)| source.clone()).collect();
        let answers = oracle.follows(&sources).expect("the oracle answers");
        assert_eq!(answers.len(), sources.len(), "all were judged");
        for (offset, ((source, change), theirs)) in made.iter().zip(answers).enumerate() {
            accepted += usize::from(theirs);
            if accepts(source) != theirs {
                let word = if theirs { "accepts" } else { "refuses" };
                differences.push(format!("{}: the oracle {word} {change}", from + offset));
            }
        }
    }
    println!("{count} CIBs, {accepted} accepted, {} differ", differences.len());
    let first: Vec<_> = differences.iter().take(40).cloned().collect();
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), first.join("\n"));
}

#[test]
fn changed_cibs_are_judged_as_by_libxml2() {
    agrees(500);
}

#[test]
fn full_ten_thousand_changed_cibs_are_judged_as_by_libxml2() {
    agrees(10_000);
}
