//! Makes a CIB smaller for as long as a difference stays.

use std::io;

use crate::graph::{Answer, Difference, Level, compare};
use crate::oracle::Oracle;
use crate::ours;
use crate::tree::Tree;

/// How many tries the oracle is given at a time.
const BATCH: usize = 24;
/// How many tries in all.
const TRIES: usize = 6000;

/// A CIB with a difference.
#[derive(Clone, Debug)]
pub struct Found {
    /// The CIB.
    pub cib: Tree,
    /// The difference.
    pub difference: Difference,
    /// The oracle's answer.
    pub oracle: Answer,
}

/// One way to make a CIB smaller. The order is the reverse of that in which several can be applied.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Cut {
    /// An id's element, with all that refers to it.
    Everywhere(String),
    /// At a path.
    At(Vec<usize>, Part),
}

/// What is cut at a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// The element.
    Element,
    /// The element, but what is in it takes its place.
    Shell,
    /// An attribute of the element.
    Attribute(String),
}

/// Whether two differences are of one kind: the same level, and something in common.
fn alike(first: &Difference, second: &Difference) -> bool {
    first.level == second.level && first.signature.iter().any(|word| second.signature.contains(word))
}

/// How our answer, if there is one, differs from the oracle's.
#[must_use]
pub fn difference(oracle: &Answer, ours: Result<Answer, String>, level: Level) -> Option<Difference> {
    match ours {
        Ok(ours) => compare(oracle, &ours, level),
        Err(text) => {
            let word = text.split(':').next().unwrap_or("").to_owned();
            Some(Difference { level: Level::Decisions, signature: vec![word], text })
        }
    }
}

/// Judges CIBs: which of them show a difference.
///
/// # Errors
///
/// What kept the oracle from being asked.
pub fn judge(oracle: &Oracle, cibs: &[Tree], level: Level) -> io::Result<Vec<Option<Found>>> {
    let sources: Vec<String> = cibs.iter().map(Tree::to_xml).collect();
    let answers = oracle.ask(&sources)?;
    let judged = cibs.iter().zip(sources).zip(answers).map(|((cib, source), answer)| {
        let oracle = answer.ok()?;
        let difference = difference(&oracle, ours::ask(&source), level)?;
        Some(Found { cib: cib.clone(), difference, oracle })
    });
    Ok(judged.collect())
}

/// The smallest CIB that was found to show the same kind of difference.
///
/// # Errors
///
/// What kept the oracle from being asked.
pub fn shrink(oracle: &Oracle, found: Found) -> io::Result<Found> {
    let level = found.difference.level;
    let mut best = found;
    let mut tries = 0;
    loop {
        let before = best.cib.clone();
        let mut next = 0;
        while tries < TRIES {
            let cuts = cuts(&best.cib);
            let some: Vec<(Cut, Tree)> = cuts
                .iter()
                .skip(next)
                .take(BATCH)
                .filter_map(|cut| Some((cut.clone(), apply(&best.cib, cut)?)))
                .collect();
            if next >= cuts.len() {
                break;
            }
            tries += some.len();
            let trees: Vec<Tree> = some.iter().map(|(_, tree)| tree.clone()).collect();
            let judged = judge(oracle, &trees, level)?;
            let kept: Vec<(Cut, Found)> = some
                .into_iter()
                .zip(judged)
                .filter_map(|((cut, _), one)| Some((cut, one?)))
                .filter(|(_, one)| alike(&one.difference, &best.difference))
                .collect();
            next = next.saturating_add(BATCH).saturating_sub(kept.len());
            if let Some(smaller) = together(oracle, &best, kept)? {
                best = smaller;
            }
        }
        if best.cib == before || tries >= TRIES {
            return Ok(best);
        }
    }
}

/// Applies as many as possible of the cuts that succeeded alone.
fn together(oracle: &Oracle, best: &Found, kept: Vec<(Cut, Found)>) -> io::Result<Option<Found>> {
    let mut cuts: Vec<Cut> = kept.iter().map(|(cut, _)| cut.clone()).collect();
    while cuts.len() > 1 {
        let mut made = best.cib.clone();
        // From the back, so that paths stay right; ids last.
        let mut ordered = cuts.clone();
        ordered.sort_by(|left, right| right.cmp(left));
        for cut in &ordered {
            made = apply(&made, cut).unwrap_or(made);
        }
        let judged = judge(oracle, std::slice::from_ref(&made), best.difference.level)?;
        let same = |one: &Found| alike(&one.difference, &best.difference);
        if let Some(one) = judged.into_iter().flatten().find(same) {
            return Ok(Some(one));
        }
        cuts.truncate(cuts.len() / 2);
    }
    Ok(kept.into_iter().next().map(|(_, one)| one))
}

/// All ways, the greatest first.
fn cuts(cib: &Tree) -> Vec<Cut> {
    let mut found = Vec::new();
    let named = |parent: &str| {
        let inner = cib.all(parent);
        let ids: Vec<String> = inner
            .iter()
            .flat_map(|tree| tree.children.iter())
            .flat_map(|tree| [Some(tree), tree.children.first()])
            .flatten()
            .filter(|tree| {
                !matches!(tree.name.as_str(), "instance_attributes" | "utilization" | "meta_attributes")
            })
            .filter_map(|tree| tree.attribute("id").map(str::to_owned))
            .collect();
        ids
    };
    for parent in ["resources", "group", "nodes"] {
        found.extend(named(parent).into_iter().map(Cut::Everywhere));
    }
    let mut open = vec![(Vec::new(), cib)];
    let mut at = 0;
    while at < open.len() {
        let (path, tree) = open[at].clone();
        at += 1;
        for (position, child) in tree.children.iter().enumerate() {
            let mut path = path.clone();
            path.push(position);
            if !matches!(
                child.name.as_str(),
                "configuration" | "crm_config" | "nodes" | "resources" | "constraints"
            ) {
                found.push(Cut::At(path.clone(), Part::Element));
            }
            if matches!(child.name.as_str(), "group" | "clone") {
                found.push(Cut::At(path.clone(), Part::Shell));
            }
            open.push((path, child));
        }
    }
    for (path, tree) in open {
        for (name, _) in &tree.attributes {
            let needed = matches!(
                name.as_str(),
                "id" | "uname" | "validate-with" | "execution-date" | "admin_epoch" | "have-quorum"
            );
            if !needed && !matches!(name.as_str(), "epoch" | "num_updates" | "crm_feature_set") {
                found.push(Cut::At(path.clone(), Part::Attribute(name.clone())));
            }
        }
    }
    found
}

fn at_path<'a>(tree: &'a mut Tree, path: &[usize]) -> Option<&'a mut Tree> {
    path.iter().try_fold(tree, |tree, position| tree.children.get_mut(*position))
}

fn apply(cib: &Tree, cut: &Cut) -> Option<Tree> {
    let mut made = cib.clone();
    match cut {
        Cut::At(path, Part::Element) => {
            let (last, parents) = path.split_last()?;
            let parent = at_path(&mut made, parents)?;
            if *last >= parent.children.len() {
                return None;
            }
            parent.children.remove(*last);
        }
        Cut::At(path, Part::Shell) => {
            let (last, parents) = path.split_last()?;
            let parent = at_path(&mut made, parents)?;
            let outer = parent.children.get(*last)?.clone();
            let inner =
                outer.children.into_iter().filter(|tree| matches!(tree.name.as_str(), "primitive" | "group"));
            parent.children.splice(*last..=*last, inner);
        }
        Cut::At(path, Part::Attribute(name)) => {
            at_path(&mut made, path)?.attributes.retain(|(known, _)| known != name);
        }
        Cut::Everywhere(id) => {
            remove_all(&mut made, id);
        }
    }
    (made != *cib && valid(&made) && whole(&made) && natural(&made)).then_some(made)
}

/// Whether what history shows could be: nothing is promoted that cannot be, and an anonymous clone has no two instances
/// at a host.
fn natural(cib: &Tree) -> bool {
    let mut promotable = Vec::new();
    let mut unique = Vec::new();
    for clone in cib.all("clone") {
        let says = |name: &str| {
            clone.all("nvpair").iter().any(|pair| pair.says("name", name) && pair.says("value", "true"))
        };
        let inner: Vec<&str> =
            clone.all("primitive").iter().filter_map(|tree| tree.attribute("id")).collect();
        if says("promotable") {
            promotable.extend(inner.iter().copied());
        }
        if says("globally-unique") {
            unique.extend(inner);
        }
    }
    let configured: Vec<&str> = cib.all("primitive").iter().filter_map(|tree| tree.attribute("id")).collect();
    cib.all("lrm_resources").iter().all(|records| {
        let base = |record: &Tree| {
            let id = record.attribute("id").unwrap_or("");
            id.split(':').next().unwrap_or("").to_owned()
        };
        let bases: Vec<String> = records.children.iter().map(base).collect();
        records.children.iter().zip(&bases).all(|(record, base)| {
            let known = configured.contains(&base.as_str());
            let promoted = record.children.iter().any(|op| {
                op.says("rc-code", "8") || op.says("operation", "promote") || op.says("operation", "demote")
            });
            let alone = bases.iter().filter(|other| *other == base).count() == 1;
            !known
                || ((!promoted || promotable.contains(&base.as_str()))
                    && (alone || unique.contains(&base.as_str())))
        })
    })
}

/// Whether all that is named exists.
fn whole(cib: &Tree) -> bool {
    let mut known: Vec<&str> = Vec::new();
    let mut open: Vec<&Tree> = cib.all("resources");
    while let Some(tree) = open.pop() {
        if matches!(tree.name.as_str(), "primitive" | "group" | "clone" | "template") {
            known.extend(tree.attribute("id"));
        }
        open.extend(&tree.children);
    }
    known.extend(cib.all("tag").iter().filter_map(|tag| tag.attribute("id")));
    let mut open: Vec<&Tree> = vec![cib];
    while let Some(tree) = open.pop() {
        let names = match tree.name.as_str() {
            "resource_ref" => &["id"][..],
            "primitive" => &["template"],
            "rsc_location" | "rsc_colocation" | "rsc_order" | "rsc_ticket" => {
                &["rsc", "with-rsc", "first", "then"]
            }
            _ => &[],
        };
        if names.iter().any(|name| tree.attribute(name).is_some_and(|named| !known.contains(&named))) {
            return false;
        }
        open.extend(&tree.children);
    }
    true
}

/// Removes what has the id, or names it.
fn remove_all(tree: &mut Tree, id: &str) {
    let names = ["rsc", "with-rsc", "first", "then", "uname"];
    tree.children.retain(|child| {
        let own =
            child.attribute("id").is_some_and(|known| known == id || known.starts_with(&format!("{id}:")));
        let own = own && child.name != "lrm" && child.name != "transient_attributes";
        !own && !names.iter().any(|name| child.says(name, id))
    });
    for child in &mut tree.children {
        remove_all(child, id);
    }
    let hollow = ["group", "clone", "resource_set", "tag", "rsc_order", "rsc_colocation"];
    tree.children.retain(|child| {
        let filled = !hollow.contains(&child.name.as_str())
            || !child.children.iter().all(|inner| inner.name.ends_with("_attributes"));
        filled || child.attribute("rsc").is_some() || child.attribute("first").is_some()
    });
}

/// What a schema would ask for, as far as shrinking can break it.
fn valid(tree: &Tree) -> bool {
    let has = |names: &[&str]| names.iter().all(|name| tree.attribute(name).is_some());
    let holds = |names: &[&str]| tree.children.iter().any(|child| names.contains(&child.name.as_str()));
    let fine = match tree.name.as_str() {
        "primitive" => {
            has(&["template"])
                || (has(&["class", "type"]) && (!tree.says("class", "ocf") || has(&["provider"])))
        }
        "template" => has(&["class", "type"]),
        "group" => holds(&["primitive"]),
        "clone" => holds(&["primitive", "group"]),
        "nvpair" => has(&["name", "value"]),
        "op" => has(&["name", "interval"]),
        "rsc_location" => {
            let what = has(&["rsc"]) || has(&["rsc-pattern"]) || holds(&["resource_set"]);
            what && (has(&["node", "score"]) || holds(&["rule"]))
        }
        "rsc_order" => has(&["first", "then"]) || holds(&["resource_set"]),
        "rsc_colocation" => has(&["rsc", "with-rsc"]) || holds(&["resource_set"]),
        "rsc_ticket" => has(&["ticket"]) && (has(&["rsc"]) || holds(&["resource_set"])),
        "resource_set" | "tag" | "rule" => !tree.children.is_empty(),
        "expression" => has(&["attribute", "operation"]),
        "date_expression" => {
            let timed = has(&["start"]) || has(&["end"]);
            match tree.attribute("operation") {
                Some("gt") => has(&["start"]),
                Some("lt") => has(&["end"]),
                Some("in_range") => timed,
                Some("date_spec") => holds(&["date_spec"]),
                _ => false,
            }
        }
        "op_expression" => has(&["name"]),
        "fencing-level" => has(&["index", "devices"]) && (has(&["target"]) || has(&["target-pattern"])),
        "lrm_rsc_op" => has(&["operation", "interval", "transition-key", "call-id", "rc-code", "op-status"]),
        "lrm_resource" => has(&["class", "type"]) && (!tree.says("class", "ocf") || has(&["provider"])),
        "node_state" => has(&["in_ccm", "crmd", "join", "expected"]),
        _ => true,
    };
    fine && tree.children.iter().all(valid)
}
