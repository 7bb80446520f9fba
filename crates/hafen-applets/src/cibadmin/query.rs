//! `cibadmin -Q`.

use hafen_cib::xpath::{XPath, XPathNode};
use hafen_cib::{Cib, Document, Element};

use super::super::options::Given;
use super::super::output::{CrmExit, Failed, Printed};
use super::super::source::Source;
use super::{access, call_failed, find_section, section};

fn no_such() -> Failed {
    call_failed(CrmExit::NoSuchObject, "No such device or address")
}

/// Prints the CIB, or the part of it that is asked for.
pub(super) fn query(given: &Given, source: &mut Source) -> Result<Printed, Failed> {
    let by_path = given.last(&['o', 'A']) == Some('A');
    let section = if given.last(&['o', 'A']) == Some('o') { section(given)? } else { None };
    let mut cib = source.cib(true)?;
    // Of what a user may see, only that is printed: no valid CIB has an empty configuration.
    let empty = cib.configuration().filter(|all| all.children().next().is_none()).map(|all| all.node());
    if let (Some(empty), None) = (empty, source.daemon()) {
        cib.document_mut().remove(empty);
    }
    let text = match (by_path, section) {
        (true, _) => found(&cib, given)?,
        // Paths are told of what an XPath finds.
        _ if given.has('e') && !given.has('S') => String::new(),
        (_, Some(name)) => shown(find_section(&cib, name).ok_or_else(no_such)?, given),
        (_, None) => shown(cib.root(), given),
    };
    let text = match (given.has('S'), given.value(&['U'])) {
        (true, Some(user)) => access::shown(&text, user, given.value(&['S']).unwrap_or("auto"))?,
        _ => text,
    };
    Ok(Printed { text, ..Printed::default() })
}

/// An element as it is printed.
fn shown(element: Element<'_>, given: &Given) -> String {
    if !given.has('n') {
        return element.to_xml() + "\n";
    }
    let mut alone = Document::new(element.name());
    let root = alone.root().node();
    for (name, value) in element.attributes() {
        alone.set_attribute(root, name, value);
    }
    alone.root().to_xml() + "\n"
}

fn found(cib: &Cib, given: &Given) -> Result<String, Failed> {
    let path = given.value(&['A']).unwrap_or_default();
    let elements = match elements(cib, path) {
        Ok(elements) => elements,
        Err(error) => {
            // Debian's has no other word for it; why is told in addition where it is more than a slip.
            let mut failed = no_such();
            failed.text = error;
            return Err(failed);
        }
    };
    if given.has('e') {
        return Ok(elements.iter().map(|element| format!("{}\n", element.place())).collect());
    }
    match elements.as_slice() {
        [] => Err(no_such()),
        [element] => Ok(shown(*element, given)),
        several => {
            let inner: String = several.iter().map(|element| shown(*element, given)).collect();
            let inner: String = inner.lines().map(|line| format!("  {line}\n")).collect();
            Ok(format!("<xpath-query>\n{inner}</xpath-query>\n"))
        }
    }
}

/// The elements that an XPath finds; of anything else, the element around it. The error is what is not understood,
/// nothing for what is no XPath at all or finds no nodes.
pub(in super::super) fn elements<'a>(cib: &'a Cib, path: &str) -> Result<Vec<Element<'a>>, Option<String>> {
    let told = |error: hafen_cib::xpath::XPathError| match error.is_unsupported() {
        true => Some(error.to_string()),
        false => None,
    };
    let nodes = XPath::parse(path).map_err(told)?.select(cib.document()).map_err(told)?;
    let element = |node: &XPathNode<'a>| match node {
        XPathNode::Element(element) => *element,
        XPathNode::Root(_) => cib.root(),
        XPathNode::Attribute(element, ..) => *element,
    };
    Ok(nodes.iter().map(element).collect())
}
