//! How two configurations differ, in the language's words.

use hafen_cib::Cib;

use super::{Filter, show};

/// A statement: the words that name its object, and its lines.
struct Told {
    name: String,
    lines: Vec<String>,
}

/// What another configuration says otherwise: a line with `-` is gone, one with `+` is new, and one with neither says what they
/// belong to. Empty where both say the same.
#[must_use]
pub fn difference(before: &Cib, after: &Cib) -> String {
    let told = |cib: &Cib| statements(&show(cib, &Filter::default()));
    let (before, after) = (told(before), told(after));
    let find = |all: &'_ [Told], name: &str| all.iter().position(|one| one.name == name);
    let mut text = String::new();
    for new in &after {
        match find(&before, &new.name).and_then(|at| before.get(at)) {
            None => new.lines.iter().for_each(|line| add(&mut text, '+', line)),
            Some(old) if old.lines == new.lines => {}
            Some(old) => changed(&mut text, &old.lines, &new.lines),
        }
    }
    for old in before.iter().filter(|old| find(&after, &old.name).is_none()) {
        old.lines.iter().for_each(|line| add(&mut text, '-', line));
    }
    text
}

fn add(text: &mut String, mark: char, line: &str) {
    text.push(mark);
    text.push(' ');
    text.push_str(line);
    text.push('\n');
}

/// Tells the lines that one has and the other has not, after the first one, which says what they belong to.
fn changed(text: &mut String, old: &[String], new: &[String]) {
    let only = |these: &[String], others: &[String]| -> Vec<String> {
        these.iter().filter(|line| !others.contains(line)).cloned().collect()
    };
    let (mut gone, mut come) = (only(old, new), only(new, old));
    if gone.is_empty() && come.is_empty() {
        // They stand in another order.
        (gone, come) = (old.to_vec(), new.to_vec());
    }
    if let (Some(head), Some(first)) = (new.first(), old.first())
        && head == first
        && !come.contains(head)
    {
        add(text, ' ', head);
    }
    gone.iter().for_each(|line| add(text, '-', line));
    come.iter().for_each(|line| add(text, '+', line));
}

/// Takes a text apart into statements, each of which goes on after a `\\` at the end of a line.
fn statements(text: &str) -> Vec<Told> {
    let mut found: Vec<Told> = Vec::new();
    let mut goes_on = false;
    for line in text.lines() {
        let written = line.strip_suffix('\\').map_or(line, str::trim_end).replace('\t', "  ");
        match found.last_mut().filter(|_| goes_on) {
            Some(told) => told.lines.push(written),
            None => {
                // An element is named by its third word, its id.
                let count = if written.starts_with("xml ") { 3 } else { 2 };
                let name = written.split_whitespace().take(count).collect::<Vec<_>>().join(" ");
                found.push(Told { name, lines: vec![written] });
            }
        }
        goes_on = line.ends_with('\\');
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cib(text: &str) -> Cib {
        let mut cib = Cib::new();
        let statements = crate::parse(text).expect("a text");
        crate::apply(&mut cib, &statements, crate::Mode::Update).expect("it fits");
        cib
    }

    #[test]
    fn what_came_and_what_went_is_told_by_lines() {
        let before = cib("primitive a Dummy params fake=1 op monitor interval=10s\nprimitive b Dummy\n\
            primitive c Dummy\ngroup g b c\nproperty batch-limit=3\n");
        let after = cib("primitive a Dummy params fake=1 op monitor interval=20s\nprimitive b Dummy\n\
            primitive c Dummy\ngroup g c b\nproperty batch-limit=4 priority=x\nprimitive d stonith:null\n");
        let expected = "  primitive a Dummy\n-   op monitor interval=10s\n+   op monitor interval=20s\n\
            + primitive d stonith:null\n- group g b c\n+ group g c b\n  property cib-bootstrap-options:\n\
            -   batch-limit=3\n+   batch-limit=4\n+   priority=x\n";
        assert_eq!(difference(&before, &after), expected);
        assert_eq!(difference(&after, &after), "");
        assert!(difference(&after, &before).contains("- primitive d stonith:null\n"));
    }
}
