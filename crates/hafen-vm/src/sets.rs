//! Named values of resources: `nvpair`s in sets, by Pacemaker's rules of who wins.

use hafen_cib::{Cib, Document, Element, NodeId};

/// Why a resource cannot be changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResourceError {
    /// There is none of this name.
    #[error("there is no resource '{0}'")]
    NoSuchResource(String),
    /// It is inside of something that is changed as a whole.
    #[error("resource '{resource}' is part of '{parent}': take it out of there first")]
    Nested {
        /// The resource.
        resource: String,
        /// The group or clone.
        parent: String,
    },
}

/// What a resource should be, as `target-role` says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetRole {
    /// Running.
    Started,
    /// Stopped.
    Stopped,
}

impl TargetRole {
    /// The word in the CIB.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Started => "Started",
            Self::Stopped => "Stopped",
        }
    }
}

/// The kinds of elements that are resources.
const RESOURCE_KINDS: [&str; 5] = ["primitive", "group", "clone", "master", "bundle"];

/// The resource of this name.
pub(crate) fn resource<'a>(cib: &'a Cib, id: &str) -> Option<Element<'a>> {
    let mut all = cib.resources()?.descendants();
    all.find(|element| RESOURCE_KINDS.contains(&element.name()) && element.id() == Some(id))
}

/// The sets of one kind (`meta_attributes`, `instance_attributes`) of an element that have no rule: highest score first,
/// references resolved.
fn plain_sets<'a>(element: Element<'a>, kind: &str) -> Vec<Element<'a>> {
    let own = element.children_named(kind);
    let resolved = own.filter_map(|set| match set.attribute("id-ref") {
        Some(id) => set.document().by_id(id),
        None => Some(set),
    });
    let mut sets: Vec<Element<'a>> = resolved.filter(|set| set.child("rule").is_none()).collect();
    let score = |set: &Element<'a>| match set.attribute("score") {
        Some("INFINITY" | "+INFINITY") => i64::MAX,
        Some("-INFINITY") => i64::MIN,
        score => score.and_then(|text| text.parse().ok()).unwrap_or(0),
    };
    sets.sort_by_key(|set| std::cmp::Reverse(score(set)));
    sets
}

/// All named values of one kind of an element, in document order; of two values for one name the first counts.
pub(crate) fn values<'a>(element: Element<'a>, kind: &str) -> Vec<(&'a str, &'a str)> {
    let mut found: Vec<(&str, &str)> = Vec::new();
    for set in plain_sets(element, kind) {
        for pair in set.children_named("nvpair") {
            let pair = match pair.attribute("id-ref") {
                Some(id) => pair.document().by_id(id).unwrap_or(pair),
                None => pair,
            };
            if let (Some(name), Some(value)) = (pair.attribute("name"), pair.attribute("value"))
                && found.iter().all(|(other, _)| *other != name)
            {
                found.push((name, value));
            }
        }
    }
    found
}

/// Appends a set of named values to an element; nothing when there are none.
pub(crate) fn append_set(
    document: &mut Document,
    parent: NodeId,
    kind: &str,
    id: &str,
    pairs: &[(&str, &str)],
) {
    if pairs.is_empty() {
        return;
    }
    let set = document.append_element(parent, kind);
    document.set_attribute(set, "id", id);
    for (name, value) in pairs {
        append_pair(document, set, id, name, value);
    }
}

fn append_pair(document: &mut Document, set: NodeId, set_id: &str, name: &str, value: &str) {
    let pair = document.append_element(set, "nvpair");
    document.set_attribute(pair, "id", &free_id(document, &format!("{set_id}-{name}")));
    document.set_attribute(pair, "name", name);
    document.set_attribute(pair, "value", value);
}

/// This id, or with a number behind it when it is taken.
pub(crate) fn free_id(document: &Document, wanted: &str) -> String {
    let mut id = wanted.to_owned();
    let mut number = 1_u32;
    while document.by_id(&id).is_some() {
        id = format!("{wanted}-{number}");
        number += 1;
    }
    id
}

/// Says whether a resource should run, as `crm resource start` and `stop` do.
pub fn set_target_role(cib: &mut Cib, id: &str, role: TargetRole) -> Result<(), ResourceError> {
    let resource = resource(cib, id).ok_or_else(|| ResourceError::NoSuchResource(id.to_owned()))?;
    let node = resource.node();
    let sets = plain_sets(resource, "meta_attributes");
    let pairs = sets.iter().flat_map(|set| set.children_named("nvpair"));
    let existing = pairs.filter(|pair| pair.attribute("name") == Some("target-role"));
    let existing: Option<NodeId> = existing.map(Element::node).next();
    let own_set = resource
        .children_named("meta_attributes")
        .find(|set| set.attribute("id-ref").is_none() && set.child("rule").is_none());
    let own_set = own_set.map(|set| (set.node(), set.id().unwrap_or_default().to_owned()));
    let document = cib.document_mut();
    if let Some(pair) = existing {
        document.set_attribute(pair, "value", role.as_str());
    } else if let Some((set, set_id)) = own_set {
        append_pair(document, set, &set_id, "target-role", role.as_str());
    } else {
        let set_id = free_id(document, &format!("{id}-meta_attributes"));
        append_set(document, node, "meta_attributes", &set_id, &[("target-role", role.as_str())]);
    }
    Ok(())
}

/// Removes a resource that is part of nothing else, with all constraints that name it.
pub fn remove_resource(cib: &mut Cib, id: &str) -> Result<(), ResourceError> {
    let resource = resource(cib, id).ok_or_else(|| ResourceError::NoSuchResource(id.to_owned()))?;
    if let Some(parent) = resource.parent()
        && parent.name() != "resources"
    {
        let parent = parent.id().unwrap_or_default().to_owned();
        return Err(ResourceError::Nested { resource: id.to_owned(), parent });
    }
    let mut doomed = vec![resource.node()];
    for constraint in cib.constraints().into_iter().flat_map(Element::children) {
        doomed.extend(what_goes_with(constraint, id));
    }
    for node in doomed {
        cib.document_mut().remove(node);
    }
    Ok(())
}

/// Attributes of constraints that name a resource.
const REFERENCES: [&str; 4] = ["rsc", "with-rsc", "first", "then"];

/// What of a constraint goes when a resource goes: all of it if it names the resource, else the resource's references in
/// its sets, and sets (and with the last set the constraint) that would be empty without them.
fn what_goes_with(constraint: Element<'_>, id: &str) -> Vec<NodeId> {
    if REFERENCES.iter().any(|name| constraint.attribute(name) == Some(id)) {
        return vec![constraint.node()];
    }
    let is_reference = |inner: &Element<'_>| inner.name() == "resource_ref" && inner.id() == Some(id);
    let mut doomed = Vec::new();
    let mut sets_left = 0;
    for set in constraint.children_named("resource_set") {
        let references: Vec<NodeId> = set.children().filter(is_reference).map(Element::node).collect();
        if references.is_empty() || references.len() < set.children_named("resource_ref").count() {
            sets_left += 1;
            doomed.extend(references);
        } else {
            doomed.push(set.node());
        }
    }
    if sets_left == 0 && !doomed.is_empty() { vec![constraint.node()] } else { doomed }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(meta: &str) -> Cib {
        let xml = format!(
            r#"<cib admin_epoch="0" epoch="1" num_updates="0"><configuration><crm_config/><nodes/>
            <resources><primitive id="a">{meta}</primitive><group id="g"><primitive id="b"/></group></resources>
            <constraints><rsc_colocation id="c1" rsc="b" with-rsc="a"/><rsc_order id="c2" first="g" then="b"/>
            <rsc_order id="c3"><resource_set id="s"><resource_ref id="a"/><resource_ref id="b"/></resource_set></rsc_order>
            <rsc_order id="c4"><resource_set id="s1"><resource_ref id="a"/></resource_set></rsc_order>
            </constraints></configuration><status/></cib>"#
        );
        Cib::parse(&xml).expect("a CIB")
    }

    fn role(cib: &Cib) -> Vec<(&str, &str)> {
        values(resource(cib, "a").expect("there"), "meta_attributes")
    }

    #[test]
    fn a_target_role_is_set_where_it_counts() {
        let with_pair = r#"<meta_attributes id="m"><nvpair id="n" name="target-role" value="Started"/></meta_attributes>"#;
        let with_set = r#"<meta_attributes id="m"/>"#;
        for meta in ["", with_set, with_pair] {
            let mut cib = sample(meta);
            set_target_role(&mut cib, "a", TargetRole::Stopped).expect("there");
            assert_eq!(role(&cib), [("target-role", "Stopped")], "{meta}");
            set_target_role(&mut cib, "a", TargetRole::Started).expect("there");
            assert_eq!(role(&cib), [("target-role", "Started")], "{meta}");
        }
        let error = set_target_role(&mut sample(""), "x", TargetRole::Started);
        assert_eq!(error, Err(ResourceError::NoSuchResource("x".into())));
    }

    #[test]
    fn the_higher_score_counts_and_rules_are_left_alone() {
        let meta = r#"<meta_attributes id="m1"><nvpair id="n1" name="x" value="low"/></meta_attributes>
            <meta_attributes id="m2" score="5"><nvpair id="n2" name="x" value="high"/></meta_attributes>
            <meta_attributes id="m3" score="9"><rule id="r"/><nvpair id="n3" name="x" value="rule"/></meta_attributes>"#;
        assert_eq!(role(&sample(meta)), [("x", "high")]);
    }

    #[test]
    fn a_resource_goes_with_its_constraints() {
        let mut cib = sample("");
        remove_resource(&mut cib, "a").expect("it stands alone");
        assert!(resource(&cib, "a").is_none());
        let left = cib.constraints().into_iter().flat_map(Element::children).filter_map(Element::id);
        assert_eq!(left.collect::<Vec<_>>(), ["c2", "c3"]);
        assert!(!cib.to_xml().contains("resource_ref id=\"a\""));
        let error = remove_resource(&mut cib, "b").expect_err("it is part of a group");
        let set = cib.document().by_id("s").expect("its other member stays");
        assert_eq!(set.children().count(), 1);
        assert_eq!(error, ResourceError::Nested { resource: "b".into(), parent: "g".into() });
    }
}
