//! The tree of resources, as rows: which there are, and what stands in one. Words are made for a row when it is drawn.

use hafen_scheduler::Whereabouts;

use crate::look::Look;
use crate::picture::{Picture, look_of_host, word_of_host};
use crate::screen::View;
use crate::trouble::failure_words;

/// A row of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Row {
    /// A host, by its position in the status; what runs there follows.
    Host(usize),
    /// What runs nowhere follows.
    Nowhere,
    /// A resource, by its position in the picture.
    Resource { at: usize, depth: usize, host: Option<usize> },
}

/// The rows, and how many resources are off on purpose and not shown.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) rows: Vec<Row>,
    pub(crate) hidden: usize,
}

/// What stands in a row.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Words {
    pub(crate) look: Look,
    pub(crate) depth: usize,
    /// Whether what it contains is folded away; nothing: it contains nothing.
    pub(crate) is_folded: Option<bool>,
    pub(crate) name: String,
    pub(crate) state: String,
    pub(crate) rest: String,
}

impl Row {
    /// By what a row is known again when there is a new picture.
    pub(crate) fn key(self, picture: &Picture) -> String {
        let host = |at: usize| picture.status.hosts.get(at).map_or("", |host| host.name.as_str());
        let id = |at: usize| picture.resources.get(at).map_or("", |resource| resource.id.as_str());
        match self {
            Row::Host(at) => format!("{}/", host(at)),
            Row::Nowhere => "/".to_owned(),
            Row::Resource { at, host: Some(on), .. } => format!("{}/{}", host(on), id(at)),
            Row::Resource { at, host: None, .. } => id(at).to_owned(),
        }
    }

    /// What stands in it.
    pub(crate) fn words(self, picture: &Picture, view: &View) -> Words {
        let is_folded = self.contains(picture).then(|| is_folded(self, picture, view));
        let words = match self {
            Row::Host(at) => of_host(picture, at),
            Row::Nowhere => Words { name: "runs nowhere".to_owned(), ..Words::default() },
            Row::Resource { at, depth, host } => of_resource(picture, at, depth, host.is_some()),
        };
        Words { is_folded, ..words }
    }

    /// Whether something belongs to it that can be folded away.
    fn contains(self, picture: &Picture) -> bool {
        match self {
            Row::Host(_) | Row::Nowhere => true,
            Row::Resource { at, host: None, .. } => {
                picture.resources.get(at).is_some_and(|resource| !resource.children.is_empty())
            }
            Row::Resource { .. } => false,
        }
    }
}

/// Whether what belongs to a row is folded away: as somebody has set it, else a clone in which nothing is wrong.
pub(crate) fn is_folded(row: Row, picture: &Picture, view: &View) -> bool {
    if !view.filter.is_empty() {
        return false;
    }
    let by_itself = match row {
        Row::Resource { at, .. } => {
            picture.resource(at).is_some_and(|(resource, look)| resource.is_clone && look <= Look::Good)
        }
        Row::Host(_) | Row::Nowhere => false,
    };
    view.folds.get(&row.key(picture)).copied().unwrap_or(by_itself)
}

/// The rows of a picture.
pub(crate) fn rows(picture: &Picture, view: &View) -> Rows {
    let mut rows = Rows::default();
    let matches = matching(picture, view);
    if view.by_node {
        rows.by_host(picture, view, &matches);
    } else {
        for (at, resource) in picture.resources.iter().enumerate() {
            if resource.parent.is_none() {
                rows.tree(picture, view, &matches, at, 0);
            }
        }
    }
    rows
}

/// Which resources the filter lets through, with what contains them and what they contain.
fn matching(picture: &Picture, view: &View) -> Vec<bool> {
    let wanted = view.filter.to_lowercase();
    let has = |text: &str| text.to_lowercase().contains(&wanted);
    let all = &picture.resources;
    let mut matches: Vec<bool> = all
        .iter()
        .enumerate()
        .map(|(at, resource)| {
            wanted.is_empty()
                || has(&resource.id)
                || has(&resource.agent)
                || has(&state_of(picture, at))
                || resource.hosts.iter().any(|host| has(host))
                || resource.marks.iter().any(|mark| has(mark))
        })
        .collect();
    let is_named: Vec<bool> = all.iter().map(|resource| !wanted.is_empty() && has(&resource.id)).collect();
    for (at, resource) in all.iter().enumerate() {
        // What a named resource contains is meant, too.
        let above = resource.parent.is_some_and(|above| {
            is_named.get(above).copied().unwrap_or(false) && matches.get(above).copied().unwrap_or(false)
        });
        if let (true, Some(place)) = (above, matches.get_mut(at)) {
            *place = true;
        }
    }
    for (at, resource) in all.iter().enumerate().rev() {
        let is_in = matches.get(at).copied().unwrap_or(false);
        if let (true, Some(place)) = (is_in, resource.parent.and_then(|above| matches.get_mut(above))) {
            *place = true;
        }
    }
    matches
}

impl Rows {
    fn tree(&mut self, picture: &Picture, view: &View, matches: &[bool], at: usize, depth: usize) {
        let Some((resource, look)) = picture.resource(at) else { return };
        if !matches.get(at).copied().unwrap_or(false) {
            return;
        }
        if look == Look::Idle && !view.with_idle && resource.hosts.is_empty() && view.filter.is_empty() {
            // What a clone has too many of is nobody's purpose.
            self.hidden +=
                usize::from(resource.marks.contains(&"disabled") || !picture.is_in_clone(resource));
            return;
        }
        let row = Row::Resource { at, depth, host: None };
        self.rows.push(row);
        if !is_folded(row, picture, view) {
            for &child in &resource.children {
                self.tree(picture, view, matches, child, depth + 1);
            }
        }
    }

    fn by_host(&mut self, picture: &Picture, view: &View, matches: &[bool]) {
        let wanted = view.filter.to_lowercase();
        let is_in = |at: usize| matches.get(at).copied().unwrap_or(false);
        // Once through the resources, however many hosts there are.
        let mut on: Vec<Vec<usize>> = vec![Vec::new(); picture.status.hosts.len()];
        let mut nowhere = Vec::new();
        for (at, resource) in
            picture.resources.iter().enumerate().filter(|(_, resource)| resource.is_primitive)
        {
            for name in &resource.hosts {
                let place = picture.status.hosts.iter().position(|host| host.name == *name);
                if let Some(place) = place.and_then(|place| on.get_mut(place)) {
                    place.push(at);
                }
            }
            if resource.hosts.is_empty() && (!picture.is_in_clone(resource) || resource.has_failed) {
                nowhere.push(at);
            }
        }
        for (host, its) in on.iter().enumerate() {
            let name = picture.status.hosts.get(host).map_or("", |host| host.name.as_str());
            let is_meant = wanted.is_empty() || name.to_lowercase().contains(&wanted);
            if !is_meant && !its.iter().any(|&at| is_in(at)) {
                continue;
            }
            self.rows.push(Row::Host(host));
            if !is_folded(Row::Host(host), picture, view) {
                let shown = its.iter().filter(|at| is_meant || is_in(**at));
                self.rows.extend(shown.map(|&at| Row::Resource { at, depth: 1, host: Some(host) }));
            }
        }
        let all = nowhere.len();
        let shown_all = view.with_idle || !view.filter.is_empty();
        nowhere.retain(|&at| shown_all || picture.resource(at).is_some_and(|(_, look)| look != Look::Idle));
        self.hidden = all - nowhere.len();
        nowhere.retain(|&at| is_in(at));
        if !nowhere.is_empty() {
            self.rows.push(Row::Nowhere);
            if !is_folded(Row::Nowhere, picture, view) {
                self.rows.extend(nowhere.into_iter().map(|at| Row::Resource { at, depth: 1, host: None }));
            }
        }
    }
}

fn of_host(picture: &Picture, at: usize) -> Words {
    let Some(host) = picture.status.hosts.get(at) else { return Words::default() };
    let coordinates = picture.status.coordinator.as_ref() == Some(&host.name);
    let mut rest = Vec::new();
    rest.extend(coordinates.then(|| "coordinator".to_owned()));
    rest.extend((!host.reason.is_empty()).then(|| host.reason.clone()));
    Words {
        look: look_of_host(host),
        name: host.name.clone(),
        state: word_of_host(host),
        rest: rest.join("; "),
        ..Words::default()
    }
}

/// The word for a resource's state.
fn state_of(picture: &Picture, at: usize) -> String {
    let Some((resource, _)) = picture.resource(at) else { return String::new() };
    if !resource.is_primitive {
        let parts: Vec<&Whereabouts> = leaves(picture, at);
        let active = parts.iter().filter(|part| !part.hosts.is_empty()).count();
        return format!("{active} of {} run", parts.len());
    }
    match (resource.marks.contains(&"blocked"), resource.has_failed) {
        (true, _) => "BLOCKED".to_owned(),
        (false, true) => "FAILED".to_owned(),
        _ if resource.is_orphan => format!("{} (removed)", resource.state),
        _ => resource.state.to_owned(),
    }
}

/// The primitives within a group or a clone.
fn leaves(picture: &Picture, at: usize) -> Vec<&Whereabouts> {
    let mut found = Vec::new();
    let mut left = vec![at];
    while let Some(resource) = left.pop().and_then(|at| picture.resources.get(at)) {
        if resource.is_primitive {
            found.push(resource);
        }
        left.extend(resource.children.iter().rev());
    }
    found
}

fn of_resource(picture: &Picture, at: usize, depth: usize, on_host: bool) -> Words {
    let Some((resource, look)) = picture.resource(at) else { return Words::default() };
    let mut rest = Vec::new();
    if resource.is_primitive {
        if !on_host {
            rest.push(resource.hosts.join(", "));
        }
        let marks: Vec<&str> = resource.marks.iter().copied().filter(|mark| *mark != "blocked").collect();
        rest.extend((!marks.is_empty()).then(|| format!("({})", marks.join(", "))));
        let failure = picture.failures_of(resource).next();
        let failure = failure.map(|failure| format!("FAILED: {}", failure_words(failure)));
        rest.extend(failure.filter(|_| look >= Look::Warn));
    } else {
        let kind = if resource.is_clone { "clone" } else { "group" };
        let mut hosts: Vec<&str> = Vec::new();
        let mut promoted: Vec<&str> = Vec::new();
        for part in leaves(picture, at) {
            for host in part.hosts.iter().map(String::as_str) {
                if !hosts.contains(&host) {
                    hosts.push(host);
                }
                if part.promoted && !promoted.contains(&host) {
                    promoted.push(host);
                }
            }
        }
        rest.push(hosts.join(", "));
        rest.push(match promoted.as_slice() {
            [] => format!("({kind})"),
            promoted => format!("({kind}, promoted on {})", promoted.join(", ")),
        });
    }
    rest.retain(|part| !part.is_empty());
    Words {
        look,
        depth,
        is_folded: None,
        name: resource.id.clone(),
        state: state_of(picture, at),
        rest: rest.join("  "),
    }
}
