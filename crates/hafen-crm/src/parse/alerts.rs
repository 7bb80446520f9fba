//! Alerts.

use super::lists::list;
use super::resources::describe;
use super::{Body, Cursor, Parsed};
use crate::draft::{Draft, Id};
use crate::grammar::ALERT_KINDS;

const SECTIONS: &[&str] = &["attributes", "meta", "select", "to", "{", "}"];

pub(crate) fn alert(cursor: &mut Cursor<'_>) -> Parsed<Body> {
    let name = cursor.name("id")?;
    let path = cursor.need("the path of a program")?;
    let mut draft = Draft::new("alert", Id::Given(name.0.clone()), name.1).with("path", path.text.as_str());
    describe(cursor, &mut draft);
    let mut recipients = 0_usize;
    while let Some(word) = cursor.next() {
        match word.text.as_str() {
            "attributes" | "meta" => draft.children.push(list(cursor, &word.text, SECTIONS)?),
            "select" => draft.children.push(select(cursor)?),
            "to" => {
                recipients += 1;
                draft.children.push(recipient(cursor, recipients)?);
            }
            other => {
                return cursor.fail_at(
                    word.span,
                    format!("`{other}` does not belong into an alert"),
                    SECTIONS,
                );
            }
        }
    }
    Ok((Some(name), draft))
}

fn select(cursor: &mut Cursor<'_>) -> Parsed<Draft> {
    let mut select = Draft::new("select", Id::None, cursor.span());
    while let Some(word) = cursor.peek().filter(|word| ALERT_KINDS.contains(&word.text.as_str())) {
        // `attributes` without brackets begins the alert's own list.
        let names = word.is("attributes");
        if names && !cursor.words.get(cursor.at + 1).is_some_and(|next| next.is("{")) {
            break;
        }
        cursor.at += 1;
        let mut kind = Draft::new(&format!("select_{}", word.text), Id::None, word.span);
        if names {
            cursor.at += 1;
            while !cursor.take("}") {
                let name = cursor.need("`}`")?;
                let attribute = Draft::new("attribute", Id::Made(String::new()), name.span);
                kind.children.push(attribute.with("name", name.text.as_str()));
            }
        }
        select.children.push(kind);
    }
    if select.children.is_empty() {
        return cursor.fail("what to tell of is missing", ALERT_KINDS);
    }
    Ok(select)
}

fn recipient(cursor: &mut Cursor<'_>, number: usize) -> Parsed<Draft> {
    let bracket = cursor.take("{");
    let value = cursor.need("a recipient")?;
    let id = Id::Made(format!("recipient-{number}"));
    let mut recipient = Draft::new("recipient", id, value.span).with("value", value.text.as_str());
    describe(cursor, &mut recipient);
    while let Some(section) = cursor.peek().filter(|word| word.is("attributes") || word.is("meta")) {
        cursor.at += 1;
        recipient.children.push(list(cursor, &section.text, SECTIONS)?);
    }
    if bracket && !cursor.take("}") {
        return cursor.fail("`{` is not closed", &["}"]);
    }
    Ok(recipient)
}
