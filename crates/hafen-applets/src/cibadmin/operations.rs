//! What `cibadmin` does to a CIB.

use hafen_cib::values::Score;
use hafen_cib::{Cib, Document, Element, NodeId, PatchError, Patchset, Version};

use super::super::crm_diff::with_version;
use super::super::output::{escaped, within};
use super::{find_section, query};

/// What a change is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target<'a> {
    Whole,
    Section(&'a str),
    XPath(&'a str),
}

/// A change that is asked for.
#[derive(Debug)]
pub(super) struct Change<'a> {
    pub(super) target: Target<'a>,
    pub(super) input: Option<&'a Document>,
    pub(super) allow_create: bool,
    /// Whether all elements that an XPath finds are meant, not the first one alone.
    pub(super) multiple: bool,
}

/// Why a change is not made.
#[derive(Debug)]
pub(super) enum Refusal {
    /// There is such an element already (its XML for the answer).
    Exists(String),
    /// The section to add to is missing (the XML for the answer).
    NoSection(String),
    Invalid,
    Missing,
    Older,
    Schema,
    Patch,
    Newer,
    /// The XPath is not understood.
    XPath(String),
}

impl Refusal {
    /// What is printed of elements that were not added.
    pub(super) fn answer(&self) -> String {
        match self {
            Self::Exists(xml) | Self::NoSection(xml) => xml.clone(),
            _ => String::new(),
        }
    }
}

/// Raises the version as Pacemaker does for a file: the epoch where the configuration differs, else the updates. `touched` says
/// that something was put in its place anew, whether it differs or not.
pub(super) fn count(before: &Cib, after: &mut Cib, touched: bool) {
    let configuration = |cib: &Cib| cib.configuration().map(|configuration| configuration.to_xml());
    let version = after.version();
    if configuration(before) != configuration(after) {
        after.bump_epoch();
    } else if touched || before.root().to_xml() != after.root().to_xml() {
        after.set_version(Version { num_updates: version.num_updates.saturating_add(1), ..version });
    }
}

impl Change<'_> {
    /// Makes the change. Gives whether something was put in its place anew.
    pub(super) fn make(&self, command: char, cib: &mut Cib) -> Result<bool, Refusal> {
        match command {
            'B' => {
                let version = cib.version();
                cib.set_version(Version { epoch: version.epoch.saturating_add(1), ..version });
                return Ok(false);
            }
            'E' => {
                erase(cib);
                return Ok(false);
            }
            'P' => return self.patch(cib),
            _ => {}
        }
        if let (Target::XPath(path), 'M' | 'R' | 'D' | 'd') = (self.target, command) {
            return self.by_path(command, path, cib);
        }
        let input = self.input.ok_or(Refusal::Invalid)?.root();
        match command {
            'C' => self.create(cib, input),
            'M' => self.modify(cib, input).map(|()| false),
            'R' => self.replace(cib, input),
            _ => self.delete(cib, input).map(|()| false),
        }
    }

    fn patch(&self, cib: &mut Cib) -> Result<bool, Refusal> {
        let Some(input) = self.input else { return Ok(false) };
        if input.root().name() != "diff" || input.root().attribute("format") != Some("2") {
            return Err(Refusal::Invalid);
        }
        let version = cib.version();
        let mut complete = input.clone();
        let versioned = input.root().child("version").is_some();
        if !versioned {
            // One without versions fits every version.
            complete = with_version(complete, version, version);
        }
        let patchset = Patchset::from_document(complete).map_err(|_| Refusal::Patch)?;
        match patchset.source().cmp(&version) {
            std::cmp::Ordering::Less => return Err(Refusal::Older),
            std::cmp::Ordering::Greater => return Err(Refusal::Newer),
            // It would lead nowhere.
            std::cmp::Ordering::Equal if versioned && patchset.target() <= version => {
                return Err(Refusal::Older);
            }
            std::cmp::Ordering::Equal => {}
        }
        let patchset = as_pacemaker_applies(patchset, cib).map_err(|_| Refusal::Patch)?;
        patchset.apply(cib).map_err(|error| match error {
            PatchError::Base { .. } => Refusal::Older,
            _ => Refusal::Patch,
        })?;
        Ok(false)
    }

    fn by_path(&self, command: char, path: &str, cib: &mut Cib) -> Result<bool, Refusal> {
        let found: Vec<NodeId> = match query::elements(cib, path) {
            Ok(elements) => elements.into_iter().map(Element::node).collect(),
            // Debian's finds nothing with what is no XPath; to delete nothing is no error.
            Err(Some(text)) => return Err(Refusal::XPath(text)),
            Err(None) => Vec::new(),
        };
        let deleting = matches!(command, 'D' | 'd');
        if found.is_empty() && !deleting {
            return Err(Refusal::Missing);
        }
        let found = if self.multiple { found.as_slice() } else { found.get(..1).unwrap_or_default() };
        if deleting {
            // What is inside of others goes first.
            for node in found.iter().rev() {
                if cib.document().element(*node).parent().is_none() {
                    return Err(Refusal::Invalid);
                }
                cib.document_mut().remove(*node);
            }
            return Ok(false);
        }
        let input = self.input.ok_or(Refusal::Invalid)?.root();
        for node in found {
            if command == 'M' {
                let inside = matching(cib.document().element(*node), input).ok_or(Refusal::Missing)?;
                merge(cib, inside, input);
                continue;
            }
            let element = cib.document().element(*node);
            let Some(parent) = element.parent().map(Element::node) else { return Err(Refusal::Invalid) };
            cib.document_mut().remove(*node);
            cib.document_mut().append_copy(parent, input);
        }
        Ok(command == 'R')
    }

    /// The input, or the section of it where the input is a whole CIB or configuration.
    fn input_of<'a>(&self, input: Element<'a>) -> Element<'a> {
        let Target::Section(name) = self.target else { return input };
        if input.name() == name || input.name() != "cib" {
            return input;
        }
        let top = if name == "status" || name == "configuration" {
            Some(input)
        } else {
            input.child("configuration")
        };
        top.and_then(|top| top.child(name)).unwrap_or(input)
    }

    fn create(&self, cib: &mut Cib, input: Element<'_>) -> Result<bool, Refusal> {
        let input = self.input_of(input);
        let name = match self.target {
            // Without a section it sets what exists.
            Target::Whole => return self.modify(cib, input).map(|()| false),
            Target::Section(name) if input.name() != "cib" => name,
            Target::Section(_) => return self.modify(cib, input).map(|()| false),
            Target::XPath(_) => return Err(Refusal::Schema),
        };
        let section = find_section(cib, name).map(Element::node);
        let new: Vec<Element<'_>> =
            if input.name() == name { input.children().collect() } else { vec![input] };
        for element in new {
            let Some(section) = section else {
                return Err(Refusal::NoSection(answer(element, "Invalid argument")));
            };
            let like = |child: Element<'_>| element.id().is_some() && child.id() == element.id();
            if cib.document().element(section).children_named(element.name()).any(like) {
                return Err(Refusal::Exists(answer(element, "File exists")));
            }
            cib.document_mut().append_copy(section, element);
        }
        Ok(false)
    }

    /// The element that the target names, for changes of what is inside.
    fn top(&self, cib: &Cib) -> Option<NodeId> {
        match self.target {
            Target::Section(name) => find_section(cib, name).map(Element::node),
            _ => Some(cib.root().node()),
        }
    }

    fn modify(&self, cib: &mut Cib, input: Element<'_>) -> Result<(), Refusal> {
        let input = self.input_of(input);
        let top = if input.name() == "cib" { Some(cib.root().node()) } else { self.top(cib) };
        match top.and_then(|top| matching(cib.document().element(top), input)) {
            Some(found) => merge(cib, found, input),
            None if !self.allow_create => return Err(Refusal::Missing),
            None => match top {
                Some(top) => {
                    cib.document_mut().append_copy(top, input);
                }
                None => return Err(Refusal::Schema),
            },
        }
        Ok(())
    }

    fn replace(&self, cib: &mut Cib, input: Element<'_>) -> Result<bool, Refusal> {
        let input = self.input_of(input);
        if input.name() == "cib" {
            if Version::of(input) < cib.version() {
                return Err(Refusal::Older);
            }
            cib.document_mut().replace_root(input);
            return Ok(false);
        }
        let top = match self.target {
            Target::Section(name) if name != input.name() => self.top(cib).ok_or(Refusal::Invalid)?,
            _ => cib.root().node(),
        };
        let found = matching(cib.document().element(top), input).ok_or(Refusal::Missing)?;
        let element = cib.document().element(found);
        let Some(parent) = element.parent().map(Element::node) else { return Err(Refusal::Invalid) };
        let position = element.position();
        cib.document_mut().remove(found);
        cib.document_mut().insert_copy(parent, position, input);
        Ok(true)
    }

    fn delete(&self, cib: &mut Cib, input: Element<'_>) -> Result<(), Refusal> {
        let input = self.input_of(input);
        let Some(top) = self.top(cib) else { return Ok(()) };
        let top = cib.document().element(top);
        let like = |element: &Element<'_>| {
            element.name() == input.name()
                && element.node() != top.node()
                && input.attributes().all(|(name, value)| element.attribute(name) == Some(value))
        };
        if let Some(found) = top.descendants().find(like).map(Element::node) {
            cib.document_mut().remove(found);
        }
        Ok(())
    }
}

/// The first element, from one on down, of the same name and id.
fn matching(top: Element<'_>, input: Element<'_>) -> Option<NodeId> {
    let like = |element: &Element<'_>| element.name() == input.name() && element.id() == input.id();
    std::iter::once(top).chain(top.descendants()).find(like).map(Element::node)
}

/// Sets an element's attributes, and merges its children in the same way, or adds them where there are none.
fn merge(cib: &mut Cib, target: NodeId, source: Element<'_>) {
    let mut open = vec![(target, source)];
    while let Some((target, source)) = open.pop() {
        for (name, value) in source.attributes() {
            let old = cib.document().element(target).attribute(name);
            let value = old.and_then(|old| sum(name, old, value)).unwrap_or_else(|| value.to_owned());
            cib.document_mut().set_attribute(target, name, &value);
        }
        for child in source.children() {
            let like = |found: &Element<'_>| child.id().is_none() || found.id() == child.id();
            let found =
                cib.document().element(target).children_named(child.name()).find(like).map(Element::node);
            match found {
                Some(found) => open.push((found, child)),
                None => {
                    cib.document_mut().append_copy(target, child);
                }
            }
        }
    }
}

/// What `NAME++` and `NAME+=N` make of a value.
fn sum(name: &str, old: &str, new: &str) -> Option<String> {
    let rest = new.strip_prefix(name)?;
    let number = |text: &str| {
        let digits = text.trim_start();
        let sign = usize::from(digits.starts_with(['-', '+']));
        let end = digits.bytes().skip(sign).take_while(u8::is_ascii_digit).count() + sign;
        Score::parse(digits).or_else(|| Score::parse(digits.get(..end)?)).map_or(0, Score::value)
    };
    let added = match rest {
        "++" => 1,
        _ => number(rest.strip_prefix("+=")?),
    };
    let old = number(old);
    let infinite =
        [old, added].into_iter().map(i64::from).map(Score::new).filter(|score| score.is_infinite());
    let sum = infinite.min().unwrap_or_else(|| Score::new(i64::from(old) + i64::from(added)));
    Some(match sum {
        Score::INFINITY => "INFINITY".to_owned(),
        Score::MINUS_INFINITY => "-INFINITY".to_owned(),
        sum => sum.value().to_string(),
    })
}

fn erase(cib: &mut Cib) {
    let root = cib.root().node();
    cib.document_mut().clear(root);
    let configuration = cib.document_mut().append_element(root, "configuration");
    for section in ["crm_config", "nodes", "resources", "constraints"] {
        cib.document_mut().append_element(configuration, section);
    }
    cib.document_mut().append_element(root, "status");
    let version = cib.version();
    cib.set_version(Version { admin_epoch: version.admin_epoch.saturating_add(1), ..version });
}

/// The patchset as Pacemaker applies it: to delete what is not there is done already, and a modified element gets the attributes
/// of the result that is shown, in that order.
pub(in super::super) fn as_pacemaker_applies(patchset: Patchset, cib: &Cib) -> Result<Patchset, PatchError> {
    let mut document = Document::parse(&patchset.to_xml())?;
    let missing = |change: &Element<'_>| {
        let path = change.attribute("path").unwrap_or_default();
        change.attribute("operation") == Some("delete")
            && change.attribute("position").is_none()
            && query::elements(cib, path).is_ok_and(|found| found.is_empty())
    };
    let gone: Vec<NodeId> =
        document.root().children_named("change").filter(missing).map(Element::node).collect();
    for node in gone {
        document.remove(node);
    }
    for (list, attributes) in shown_results(&document) {
        for (name, value) in attributes
            .iter()
            .map(|(name, _)| (name, None))
            .chain(attributes.iter().map(|(name, value)| (name, Some(value))))
        {
            let change = document.append_element(list, "change-attr");
            document.set_attribute(change, "name", name);
            document.set_attribute(change, "operation", if value.is_some() { "set" } else { "unset" });
            if let Some(value) = value {
                document.set_attribute(change, "value", value);
            }
        }
    }
    Patchset::from_document(document)
}

/// The lists of changed attributes, each with the attributes that come of it.
fn shown_results(patch: &Document) -> Vec<(NodeId, Vec<(String, String)>)> {
    let result = |change: Element<'_>| {
        let shown = change.child("change-result")?.children().next()?;
        let attributes = shown.attributes().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Some((change.child("change-list")?.node(), attributes.collect()))
    };
    patch.root().children_named("change").filter_map(result).collect()
}

/// The answer to an element that was not added.
fn answer(element: Element<'_>, reason: &str) -> String {
    let head = format!(
        "failed_update id=\"{}\" object-type=\"{}\" operation=\"cib_create\" reason=\"{reason}\"",
        escaped(element.id().unwrap_or_default()),
        element.name()
    );
    let inner = within("failed_update", &element.to_xml()).replacen("failed_update", &head, 1);
    within("failed", &inner) + "\n"
}
