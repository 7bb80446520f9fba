//! Bundles.

use super::lists::list;
use super::resources::describe;
use super::{Body, Cursor, Parsed};
use crate::draft::{Draft, Id};
use crate::grammar::{CONTAINER_ATTRIBUTES, NETWORK_ATTRIBUTES, PORT_ATTRIBUTES, STORAGE_ATTRIBUTES};
use crate::statement::Kind;

const CONTAINERS: [&str; 3] = ["docker", "podman", "rkt"];
const SECTIONS: &[&str] = &["docker", "podman", "rkt", "network", "storage", "meta", "primitive"];

pub(crate) fn bundle(cursor: &mut Cursor<'_>) -> Parsed<Body> {
    let name = cursor.name("id")?;
    let mut draft = Draft::new("bundle", Id::Given(name.0.clone()), name.1);
    describe(cursor, &mut draft);
    let mut contained = None;
    while let Some(word) = cursor.next() {
        let new = || Draft::new(&word.text, Id::None, word.span);
        match word.text.as_str() {
            container if CONTAINERS.contains(&container) && contained.is_none() => {
                let mut element = new();
                attributes(cursor, &mut element, CONTAINER_ATTRIBUTES)?;
                contained = Some(word.span);
                draft.children.push(element);
            }
            "network" => {
                let element = part(cursor, new(), NETWORK_ATTRIBUTES, "port-mapping", PORT_ATTRIBUTES)?;
                draft.children.push(element);
            }
            "storage" => {
                let element = part(cursor, new(), &[], "storage-mapping", STORAGE_ATTRIBUTES)?;
                draft.children.push(element);
            }
            "meta" => draft.children.push(list(cursor, "meta", SECTIONS)?),
            "primitive" => {
                let (id, span) = cursor.name("id of a primitive")?;
                cursor.refer(&id, Kind::Resource, span);
                draft.children.push(Draft::member(&id, span));
            }
            other => {
                return cursor.fail_at(
                    word.span,
                    format!("`{other}` does not belong into a bundle here"),
                    SECTIONS,
                );
            }
        }
    }
    if contained.is_none() {
        return cursor.fail("the container is missing", &CONTAINERS);
    }
    Ok((Some(name), draft))
}

fn attributes(cursor: &mut Cursor<'_>, element: &mut Draft, known: &[&str]) -> Parsed<()> {
    while let Some((name, value)) = cursor.peek().and_then(|word| word.pair()) {
        if !known.contains(&name) {
            let span = cursor.span();
            let problem = crate::diagnostic::Diagnostic::new(
                span,
                format!("`{}` has no attribute `{name}`", element.name),
            );
            cursor.problems.push(problem.expected(known.iter().copied()).near(name, known.iter().copied()));
            return Err(super::Failed);
        }
        match name {
            "id" => element.id = Id::Given(value.to_string()),
            _ => element.set(name, value),
        }
        cursor.at += 1;
    }
    Ok(())
}

fn part(
    cursor: &mut Cursor<'_>,
    mut element: Draft,
    own: &[&str],
    inner: &str,
    known: &[&str],
) -> Parsed<Draft> {
    attributes(cursor, &mut element, own)?;
    loop {
        let span = cursor.span();
        if !cursor.take(inner) {
            return Ok(element);
        }
        let mut mapping = Draft::new(inner, Id::Made(String::new()), span);
        attributes(cursor, &mut mapping, known)?;
        element.children.push(mapping);
    }
}
